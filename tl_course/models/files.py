"""The files of a saved model, and how one takes the place of another: there is a whole model at every moment.

``model.safetensors`` holds the weights and, among its metadata, the configuration; so a single rename puts a model in
another's place, on every system. ``config.json`` is the same configuration for people and other programs to read. Both
bear the id of their model: where a killed process has left a ``config.json`` that is not the weights' own, the
configuration inside the weights counts.
"""

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from tl_course.core.files import atomic_path
from tl_course.data.listing import LITTER

__all__ = ["CARD", "CONFIG", "WEIGHTS", "read_model", "what_is_no_model", "write_model"]

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
_PART = re.compile(rf"\.({re.escape(WEIGHTS)}|{re.escape(CONFIG)}|{re.escape(CARD)})\.[0-9a-f]{{32}}\.part")
_ABANDONED = 600.0  # seconds after which a file that was not finished belongs to no process any more
_KEY = "config"  # in the metadata of the weights

Tensors = dict[str, Any]


def what_is_no_model(folder: Path) -> str:
    """Why no model may be saved in a folder that is there; empty where it holds one, or what a killed process left.

    What file managers, Jupyter and git leave in a folder is nobody's work: it hinders no model, and stays.
    """
    if not folder.is_dir():
        return "is a file"
    names = {path.name for path in folder.iterdir() if not path.name.startswith(".")} - LITTER
    if others := sorted(names - {WEIGHTS, CONFIG, CARD}):
        few = ", ".join(others[:3]) + ", …" * (len(others) > 3)
        return f"holds more than a model: {few}" if WEIGHTS in names else f"is no saved model: it holds {few}"
    if not names or WEIGHTS in names:
        return ""
    with suppress(OSError, ValueError, TypeError):
        if "backbone" in json.loads((folder / CONFIG).read_text(encoding="utf-8")):
            return ""
    return "is no saved model"


def write_model(folder: Path, tensors: Tensors, config: Mapping[str, Any], *, card: str = "") -> None:
    """Save a model, in the place of the one that is there, if any; OSError where that fails, and that one is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process that saves here was done with it
            if _PART.fullmatch(path.name) and time.time() - path.stat().st_mtime > _ABANDONED:
                path.unlink()
    _complete(folder)
    with atomic_path(folder / WEIGHTS) as weights:  # it comes last: with it the new model stands
        _write_weights(weights, tensors, config)
        _write_text(folder / CONFIG, json.dumps(config, indent=1, ensure_ascii=False))
        if card:
            _write_text(folder / CARD, card.strip() + "\n")
    if not card:
        (folder / CARD).unlink(missing_ok=True)


def read_model(folder: Path) -> tuple[Tensors, dict[str, Any]]:
    """The tensors and the configuration of the model in a folder.

    Raises
    ------
    FileNotFoundError
        There is none; `filename` says what is missing.
    ValueError
        It is damaged.
    """
    config = dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
    tensors, own = _read_weights(folder / WEIGHTS)
    return tensors, config if own is None or own["id"] == config.get("id") else own


def _complete(folder: Path) -> None:
    """Put its configuration into a model's weights where an earlier version of the package has left it out."""
    with suppress(FileNotFoundError, ValueError, TypeError):  # there is no model, or one that nobody could load
        tensors, own = _read_weights(folder / WEIGHTS)
        if own is None:
            config = dict(json.loads((folder / CONFIG).read_text(encoding="utf-8")))
            with atomic_path(folder / WEIGHTS) as part:
                _write_weights(part, tensors, {"id": "", **config})


def _read_weights(path: Path) -> tuple[Tensors, dict[str, Any] | None]:
    from safetensors import SafetensorError, safe_open

    path.stat()  # its error names the file
    try:
        with safe_open(path, "numpy") as file:  # one file from beginning to end, whatever takes its place meanwhile
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  (it is no dict)
            text = (file.metadata() or {}).get(_KEY)
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    return tensors, None if text is None else dict(json.loads(text))


def _write_weights(path: Path, tensors: Tensors, config: Mapping[str, Any]) -> None:
    import numpy as np
    from safetensors.numpy import save  # its save_file would leave a file of its own where it is killed

    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    path.write_bytes(save(whole, metadata={_KEY: json.dumps(config, ensure_ascii=False)}))
    _flush(path)


def _write_text(target: Path, text: str) -> None:
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8")
        _flush(part)


def _flush(path: Path) -> None:
    """Wait until a file is on the disk, so that what takes another's place after a power cut is not empty."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())
