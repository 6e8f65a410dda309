"""How the lessons went: for a person as a table, for a program as JSON."""

import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from tl_course.core.devices import cores

__all__ = ["LessonRun", "Report"]

_VERSIONS = ("tl-course", "torch", "torchvision", "timm", "fastai", "onnxruntime", "scikit-learn", "papermill")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@dataclass(frozen=True, kw_only=True)
class LessonRun:
    """One lesson's run.

    Attributes
    ----------
    name
        The notebook's name without its suffix.
    problems
        What went wrong, in plain words; empty if the lesson passed.
    notes
        What is worth knowing but fails no lesson: that it was slow, and on what machine.
    seconds
        From the start of its process to its end, the kernel's start included.
    cpu_seconds
        CPU seconds of the kernel and the processes that it started, those that have ended included.
    factor
        CPU seconds that a fixed piece of the course's kind of work took on this machine while the lesson ran, in
        relation to the reference machine (`tl_course.notebooks.speed`): 2 is half as fast. None where no lesson
        of the run has a budget of CPU seconds, or one without was over before that was known.
    busy_elsewhere
        How many of the machine's cores were busy with anything else while the lesson ran, on average.
    peak_mb
        Most memory (millions of bytes) that the kernel and the processes it started held: the kernel's own high-water
        mark, or the sum over all of them as sampled twice a second, whichever is larger. Pages that forked processes
        share count once for each of them in that sum.
    records
        What the lesson recorded with `tl_course.notebooks.results.record`.
    error
        The first failing cell: ``cell`` (its position in the lesson, from 0; None if it is not a cell of the lesson's),
        ``source``, ``ename``, ``evalue``, ``traceback`` (plain text) and ``stopped`` (False if it shows an error or a
        traceback although the lesson went on); None if no cell failed.
    notebook, html
        Where the executed lesson and its HTML copy lie; `html` is None where no page could be made.
    """

    name: str
    problems: list[str]
    notes: list[str]
    seconds: float
    cpu_seconds: float
    factor: float | None
    busy_elsewhere: float
    peak_mb: float
    parameters: Mapping[str, Any]
    budget: Mapping[str, float]
    records: Mapping[str, Any]
    error: Mapping[str, Any] | None
    notebook: Path
    html: Path | None

    @property
    def ok(self) -> bool:
        """Whether every cell ran and the budget was kept."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The run as JSON's types."""
        html = None if self.html is None else str(self.html)
        return {**asdict(self), "ok": self.ok, "notebook": str(self.notebook), "html": html}

    def __str__(self) -> str:
        """What went wrong, with the source of the failing cell, and the notes; an empty text if there is neither."""
        lines = [f"{self.name}: {problem}" for problem in self.problems]
        lines += [f"{self.name} {note}" for note in self.notes]
        if self.error and self.error["source"]:
            lines += ["", *_indented(self.error["source"], 40)]
        if self.error and self.error["traceback"]:
            lines += ["", *_indented(self.error["traceback"], 25)]
        return "\n".join(lines)


@dataclass(kw_only=True)
class Report:
    """How all the lessons of one call went."""

    device: str
    out: Path
    lessons: list[LessonRun] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether at least one lesson ran and all that ran passed."""
        return bool(self.lessons) and all(lesson.ok for lesson in self.lessons)

    def to_json(self) -> dict[str, Any]:
        """The report as JSON's types; the same as in ``report.json``."""
        return {
            "ok": self.ok,
            "device": self.device,
            "cores": cores(),
            "python": sys.version.split()[0],
            "platform": sys.platform,
            "versions": _versions(),
            "lessons": [lesson.to_json() for lesson in self.lessons],
        }

    def table(self) -> str:
        """One line a lesson, for a terminal."""
        rows = [("lesson", "result", "seconds", "CPU s", "factor", "peak MB", "accuracy", "look at")]
        for run in self.lessons:
            accuracy = run.records.get("accuracy")
            rows.append(
                (
                    run.name,
                    "passed" if run.ok else "FAILED",
                    f"{run.seconds:.1f}",
                    f"{run.cpu_seconds:.1f}",
                    "-" if run.factor is None else f"{run.factor:.2f}",
                    f"{run.peak_mb:.0f}",
                    f"{accuracy:.3f}" if isinstance(accuracy, int | float) else "-",
                    str(run.html or run.notebook),  # a browser opens it, without Jupyter
                )
            )
        widths = [max(len(row[column]) for row in rows) for column in range(8)]
        return "\n".join(
            "  ".join(
                text.rjust(width) if 2 <= column <= 6 else text.ljust(width)
                for column, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )

    def __str__(self) -> str:
        """What went wrong and what is worth knowing, if anything is, and the table."""
        return "\n\n".join([*filter(None, map(str, self.lessons)), self.table()])


def without_colour(text: str) -> str:
    """`text` without a terminal's colour codes."""
    return _COLOUR.sub("", text)


def _indented(text: str, most: int) -> list[str]:
    """The lines of `text`, set in; the middle is left out where there are more than `most`."""
    lines = text.rstrip().splitlines()
    if len(lines) > most:
        half = most // 2
        lines = [*lines[:half], f"… {len(lines) - most} lines more …", *lines[-(most - half) :]]
    return [f"    {line}" for line in lines]


def _versions() -> dict[str, str]:
    found = {}
    for name in _VERSIONS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
