"""What this machine has: packages, device, backbones and folders, and what to do where something is missing."""

import platform
from dataclasses import asdict, dataclass
from typing import Any

from tl_course.core.devices import cores, pick_device
from tl_course.core.files import cache_dir
from tl_course.core.versions import conflict, installed
from tl_course.features.backbones import DEFAULT, available
from tl_course.grading.sandbox.sandbox import pick_isolation, why_no_bwrap

__all__ = ["Examination", "examine"]

_PACKAGES = ("torch", "torchvision", "timm", "fastai", "onnxruntime", "numpy", "pillow", "matplotlib", "ipywidgets")
_OPTIONAL = {
    "jupyterlab": ("tl-course lab", "tl-course[lab]"),
    "papermill": ("tl-course run", "tl-course[run]"),
    "onnx": ("other backbones, which it makes quicker on a CPU", "tl-course[onnx]"),
    "nbgrader": ("grading", "tl-course[grade]"),
}


@dataclass(frozen=True)
class Examination:
    """What was found.

    Attributes
    ----------
    python, system : str
    cores : int
        Processor cores that may be used.
    device : str
        "cpu" or "cuda": what ``auto`` takes.
    packages : dict of str to (str or None)
        Versions; None where a package is missing.
    backbones : dict of str to str
        Names whose weights lie on this machine, and where. Others come from the hub, where there is a network.
    cache : str
        The folder of what can be made again; it may be deleted at any time.
    isolation : str
        What ``tl-course grade`` keeps submissions apart by: "bwrap", "container" or "none".
    advice : list of str
        What to do, a sentence each; empty where all is well.
    ok : bool
        Whether lessons can run.
    """

    python: str
    system: str
    cores: int
    device: str
    packages: dict[str, str | None]
    backbones: dict[str, str]
    cache: str
    isolation: str
    advice: list[str]
    ok: bool

    def to_json(self) -> dict[str, Any]:
        """All attributes, ready for JSON."""
        return asdict(self)

    def __str__(self) -> str:
        packages = ", ".join(f"{name} {has or 'MISSING'}" for name, has in self.packages.items())
        lines = [
            f"python     {self.python} on {self.system}, {self.cores} cores",
            f"device     {self.device}",
            f"packages   {packages}",
            *(f"backbone   {name} ({where})" for name, where in self.backbones.items()),
            "           any other timm name: from the hub, where there is a network",
            f"cache      {self.cache}",
            f"isolation  {self.isolation}, of submissions that are graded",
            *(f"to do      {sentence}" for sentence in self.advice),
            "Lessons can run here." if self.ok else "Lessons cannot run here yet.",
        ]
        return "\n".join(lines)


def examine() -> Examination:
    """Look at this machine. Nothing is downloaded, and torch is only imported where there is a sign of a GPU."""
    packages = {name: installed(name) for name in (*_PACKAGES, *_OPTIONAL)}
    missing = [name for name in _PACKAGES if packages[name] is None]
    backbones = available()
    advice = []
    if missing:
        advice.append(f"Install what is missing: python -m pip install {' '.join(missing)}")
    if not backbones:
        advice.append(f"Without a network there is no backbone here. For {DEFAULT}: python -m pip install tl-course")
    if trouble := conflict():
        advice.append(trouble)
    for name, (use, extra) in _OPTIONAL.items():
        if packages[name] is None:
            advice.append(f"{name} is only needed for {use}: python -m pip install '{extra}'")
    isolation = pick_isolation()
    if isolation == "none":
        advice.append(f"Only for grading: {why_no_bwrap()} Elsewhere, docker or podman will do.")
    return Examination(
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        cores=cores(),
        device=pick_device(),
        packages=packages,
        backbones=backbones,
        cache=str(cache_dir()),
        isolation=isolation,
        advice=advice,
        ok=not missing and not trouble,
    )
