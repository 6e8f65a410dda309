"""What a lesson found out, written so that a reader and a program can both read it.

``record(accuracy=0.97, seconds=12)`` shows one tidy line in the notebook and carries the same values beside it as JSON.
The headless runner collects them and holds them against the lesson's budget.
"""

import json
import math
import sys
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from typing import Any

from tl_course.errors import LessonError

__all__ = ["RECORD_MIME", "record", "records_of"]

RECORD_MIME = "application/vnd.tl-course.record+json"


def record(**values: Any) -> None:
    """Record results of a lesson, such as ``record(accuracy=0.97, backbone="tf_efficientnet_lite0")``.

    Parameters
    ----------
    **values
        Names and what was found: numbers (NumPy's and torch's scalars too), text, paths, booleans, None, and lists and
        dictionaries of these. A name that is recorded twice keeps the later value. NaN and infinity become null.

    Raises
    ------
    LessonError
        If a value cannot be written as JSON.
    """
    plain = {name: _plain(value, name) for name, value in values.items()}
    line = "  ".join(f"{name}: {_short(value)}" for name, value in plain.items())
    # IPython is never imported for this: where it is not loaded, nobody could display anything either.
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from IPython.display import display

        display({RECORD_MIME: plain, "text/plain": line}, raw=True)  # type: ignore[no-untyped-call]
    else:
        print(line)


def records_of(notebook: Mapping[str, Any]) -> dict[str, Any]:
    """All that an executed notebook (nbformat 4) recorded, later values in place of earlier ones."""
    found: dict[str, Any] = {}
    for cell in notebook["cells"]:
        for output in cell.get("outputs", ()):
            found.update(output.get("data", {}).get(RECORD_MIME, {}))
    return found


def _plain(value: Any, name: str) -> Any:
    """`value` with JSON's own types only."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, PathLike):
        return str(fspath(value))
    if isinstance(value, Mapping):
        return {str(key): _plain(inner, name) for key, inner in value.items()}
    if callable(getattr(value, "tolist", None)):  # arrays and scalars of NumPy and torch
        return _plain(value.tolist(), name)
    if isinstance(value, Iterable) and not isinstance(value, bytes):
        return [_plain(inner, name) for inner in value]
    raise LessonError(
        f"record({name}=…) got a {type(value).__name__}, which cannot be kept as JSON. "
        "Record numbers, text, paths, or lists and dictionaries of them."
    )


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
