"""Where pictures come from. Every source is used alike: ``Openverse().collect(["cat", "dog"], 40, "my_pets")``."""

import importlib
from typing import Any

from tl_course.errors import ImageSetError
from tl_course.sources.base import Collected, Progress, Source

__all__ = ["Collected", "Progress", "SOURCES", "Source", "named"]

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
