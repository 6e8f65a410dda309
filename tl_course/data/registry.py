"""Registry of the built-in data sets: which there are, and who makes their folders.

A provider is a module with two functions: ``dataset_names()`` gives names, ``dataset_folder(name)`` the folder of one,
made when it is first asked for. It is imported when a set is first asked for by its name.
"""

import importlib
from pathlib import Path

__all__ = ["dataset_folder", "dataset_names", "register_provider"]

_providers: list[str] = []


def register_provider(module: str) -> None:
    """Take a module, by its dotted name, as one that provides data sets."""
    if module not in _providers:
        _providers.append(module)


def dataset_names() -> list[str]:
    """Names of all built-in data sets."""
    return [name for names in _names().values() for name in names]


def dataset_folder(name: str) -> Path:
    """The folder of a built-in data set; KeyError where there is none of this name, OSError where it cannot be made."""
    for module, names in _names().items():
        if name in names:
            folder: Path = importlib.import_module(module).dataset_folder(name)
            return folder
    raise KeyError(name)


def _names() -> dict[str, list[str]]:
    return {module: importlib.import_module(module).dataset_names() for module in _providers}
