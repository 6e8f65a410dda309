"""Errors that a cell shows although the notebook went on: a broken display, a failed callback, a printed traceback."""

import html
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tl_course.notebooks.report import without_colour

__all__ = ["EXPECTED", "shown_errors"]

EXPECTED = "raises-exception"
"""Jupyter's tag of a cell that shows an error on purpose."""

_WIDGETS = "application/vnd.jupyter.widget-state+json"
_OPAQUE = ("image/png", "image/jpeg", "image/gif", "audio/", "video/", "application/pdf", "application/javascript")
_TAG = re.compile(r"<[^<>]*>")
_BREAK = re.compile(r"<(?:br|/p|/div|/li|/tr|/pre)\b[^<>]*>", re.IGNORECASE)
# A text that speaks of tracebacks has the words; a traceback goes on with a line of code or with the error itself.
_TRACEBACK = re.compile(
    r"""Traceback\s+\(most\s+recent\s+call\s+last\) (?= .{0,2000}? (?:
        \bline\s+\d+ | --->?\s*\d+ | \.py:\d+ | \bin\s+< | (?:\n|\\n)[\w.]*(?:Error|Exception)\b
    ))""",
    re.VERBOSE | re.DOTALL,
)


def shown_errors(notebook: Any, widgets: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """The errors and tracebacks in the outputs of an executed notebook, in the order of its cells.

    Cells tagged ``raises-exception`` may show what they want. Text cells are not looked at.

    Parameters
    ----------
    notebook
        As executed, in nbformat 4, with the state of its widgets where they have any.
    widgets
        Of each widget's model the id of the cell that changed it last: what a widget shows, an Output widget above all,
        stands in its state and in no cell.

    Returns
    -------
    list of dict
        ``cell_id``, ``source``, ``ename``, ``evalue`` and ``traceback`` of each; ``stopped`` is False.
    """
    states = notebook.metadata.get("widgets", {}).get(_WIDGETS, {}).get("state", {})
    found = []
    for cell in notebook.cells:
        if cell.cell_type != "code" or EXPECTED in cell.metadata.get("tags", ()):
            continue
        mine = [
            states[model]["state"] for model, owner in widgets.items() if owner == cell.get("id") and model in states
        ]
        errors = [error for outputs in _outputs(cell, mine) for error in _errors_in(outputs)]
        errors += [error for state in mine for error in _tracebacks(_texts(_visible(state)))]
        unique = {(error["ename"], error["evalue"]): error for error in errors}
        found += [
            {"cell_id": cell.get("id"), "source": cell.source, "stopped": False, **error} for error in unique.values()
        ]
    return found


def _outputs(cell: Any, states: Iterable[Any]) -> Iterator[list[Any]]:
    """The outputs of a cell, and those that its Output widgets caught."""
    yield cell.outputs
    yield from (state["outputs"] for state in states if isinstance(state.get("outputs"), list | tuple))


def _visible(state: Mapping[str, Any]) -> dict[str, Any]:
    """What a widget may show: not its code and styles, nor the outputs that are looked at as such."""
    return {name: value for name, value in state.items() if not name.startswith("_") and name != "outputs"}


def _errors_in(outputs: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
    """Error outputs, and tracebacks in what was printed or displayed."""
    streams: dict[str, str] = {}  # each as one text: what comes between may cut it in pieces
    for output in outputs:
        if output["output_type"] == "error":
            trace = without_colour("\n".join(output.get("traceback", ())))
            yield {"ename": output["ename"], "evalue": output["evalue"], "traceback": trace}
        elif output["output_type"] == "stream":
            streams[output["name"]] = streams.get(output["name"], "") + "".join(output["text"])
        else:
            shown = [value for mime, value in output.get("data", {}).items() if not mime.startswith(_OPAQUE)]
            yield from _tracebacks(_texts(shown))
    yield from _tracebacks(streams.values())


def _texts(value: Any) -> Iterator[str]:
    """All strings in a value of JSON's types."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _tracebacks(texts: Iterable[str]) -> Iterator[dict[str, str]]:
    """The traceback in each text that has one: in plain text, or in HTML that colours each word."""
    for text in texts:
        if "Traceback" not in text:
            continue
        read = html.unescape(_TAG.sub("", _BREAK.sub("\n", text))).replace("\xa0", " ")
        for version in (without_colour(text), read):
            if match := _TRACEBACK.search(version):
                trace = version[match.start() :].strip()[:10_000]
                yield {"ename": "Traceback", "evalue": _named(trace), "traceback": trace}
                break


def _named(trace: str) -> str:
    """The line of a traceback that names the error."""
    lines = [line.strip(" │|") for line in trace.replace("\\n", "\n").splitlines()[1:]]
    named = [line for line in lines if re.match(r"[\w.]*(?:Error|Exception|Warning|Interrupt|Exit)(?::|$)", line)]
    return (named or [line for line in lines if line] or [""])[-1][:200]
