"""Files that a student handed in beside the notebook: formgrader hands them out from its own address."""

import mimetypes
import os
from collections.abc import Collection
from pathlib import Path

__all__ = ["is_shown_safely", "show_as_text"]

# What a browser shows without running anything of it, whoever hands it out; all else that it would show may be a page.
_SAFE = {
    None, "text/plain", "text/csv", "text/markdown", "text/tab-separated-values", "text/x-python", "application/json",
    "application/octet-stream", "application/zip", "application/gzip", "application/pdf", "application/x-tar",
}  # fmt: skip
_SAFE_KINDS = ("image/", "audio/", "video/", "font/", "application/vnd.openxmlformats", "application/msword")


def is_shown_safely(name: str) -> bool:
    """Whether a file of this name may be handed out as it is: no page, no script, and no configuration of Jupyter's."""
    kind, _ = mimetypes.guess_type(Path(name).name)
    if Path(name).stem.lower().endswith("_config"):  # formgrader can be told by an address to load it
        return False
    return kind in _SAFE or (str(kind).startswith(_SAFE_KINDS) and kind != "image/svg+xml")


def _shortened(name: str) -> str:
    """As much of a name as leaves room for an ending: most file systems take 255 bytes."""
    return os.fsencode(name)[:240].decode(errors="ignore") if len(os.fsencode(name)) > 250 else name


def show_as_text(folder: Path, *, but_for: Collection[Path] = ()) -> list[str]:
    """Rename pages, pictures in SVG and scripts below `folder` such that a browser shows them as text; says which."""
    done = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_symlink() or not path.is_file() or name in but_for or path.suffix == ".ipynb":
            continue
        if not is_shown_safely(path.name):
            target = path.with_name(f"{_shortened(path.name)}.txt")
            if target.exists():
                path.unlink()
            else:
                path.rename(target)
            done.append(str(name))
    if not done:
        return []
    few = ", ".join(done[:3]) + (f" and {len(done) - 3} more" if len(done) > 3 else "")
    return [f"Lies in `autograded` as text, with .txt at the end of its name: {few}."]
