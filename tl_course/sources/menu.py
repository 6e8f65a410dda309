"""Sources by their names, as the command line and the builder offer them."""

import difflib
import importlib
from pathlib import Path
from typing import Any

from tl_course.errors import ImageSetError
from tl_course.sources.base import Source

__all__ = ["SOURCES", "named", "source_of"]

# By name; imported when first used. The order is that of the builder's menu.
SOURCES = {
    "rendered": "local.Rendered",
    "openverse": "open_collections.Openverse",
    "commons": "open_collections.Commons",
    "web": "web.Web",
    "public": "public.Public",
    "folder": "local.Folder",
    "pack": "local.Pack",
    "upload": "local.Upload",
    "camera": "local.Camera",
}


def named(name: str, *arguments: Any, **options: Any) -> Source:
    """A source by its name; what else it needs (`Folder` a path) follows.

    Raises
    ------
    ImageSetError
        There is no such source.
    """
    if name not in SOURCES:
        raise ImageSetError(f"There is no source {name!r}. There is: {', '.join(SOURCES)}.")
    module, _, kind = SOURCES[name].partition(".")
    source: Source = getattr(importlib.import_module(f"tl_course.sources.{module}"), kind)(*arguments, **options)
    return source


def source_of(text: str | Path, *, api: str | None = None, sha256: str | None = None, **how: Any) -> Source:
    """The source that a word means: a source's name, the path of a folder, or the path or address of a zip.

    Parameters
    ----------
    text
        What a person wrote.
    api
        Another address of a service ("openverse", "commons") or of a public set's archive, such as a mirror.
    sha256
        What a zip must have.
    how
        How a folder or a zip is meant: `label_from`, `table` and `columns`, as `ImageSet.open` takes them.
    """
    text = str(text)
    name = text.lower()
    how = {key: value for key, value in how.items() if value}
    if name in SOURCES and name not in ("folder", "pack", "upload"):
        if api is not None and name not in ("openverse", "commons", "public"):
            raise ImageSetError(f"The source {name!r} has no address that could be another one. Leave it out.")
        if how:
            raise ImageSetError(f"The source {name!r} is no folder and no zip. Leave {' and '.join(how)} out.")
        return named(name, **({"api": api} if api is not None else {}))
    if name in SOURCES:
        raise ImageSetError(f"Where is the {name}? Give its path (or a zip's address) in place of the word {text!r}.")
    if sha256 is not None or "://" in text or text.lower().endswith(".zip"):
        return named("pack", text, sha256=sha256, **how)
    try:
        return named("folder", text, **how)
    except ImageSetError:
        close = difflib.get_close_matches(name, SOURCES, n=1)
        if close and not Path(text).exists():
            raise ImageSetError(
                f"There is no source {text!r}, and no such folder. Did you mean {close[0]!r}?"
            ) from None
        raise
