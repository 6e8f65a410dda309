"""How the lessons went: for a person as a table, for a program as JSON."""

import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

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
    seconds
        From the start of its process to its end, the kernel's start included.
    peak_mb
        Most memory (millions of bytes) that the kernel and the processes it started held: the kernel's own high-water
        mark, or the sum over all of them as sampled twice a second, whichever is larger. Pages that forked processes
        share count once for each of them in that sum.
    records
        What the lesson recorded with `tl_course.records.record`.
    error
        The failing cell: ``cell`` (its position in the lesson, from 0; None if it is not a cell of the lesson's),
        ``source``, ``ename``, ``evalue`` and ``traceback`` (plain text); None if no cell failed.
    notebook, html
        Where the executed lesson and its HTML copy lie.
    """

    name: str
    problems: list[str]
    seconds: float
    peak_mb: float
    parameters: Mapping[str, Any]
    budget: Mapping[str, float]
    records: Mapping[str, Any]
    error: Mapping[str, Any] | None
    notebook: Path
    html: Path

    @property
    def ok(self) -> bool:
        """Whether every cell ran and the budget was kept."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """The run as JSON's types."""
        return {**asdict(self), "ok": self.ok, "notebook": str(self.notebook), "html": str(self.html)}

    def __str__(self) -> str:
        """What went wrong, with the source of the failing cell; an empty text if nothing did."""
        lines = [f"{self.name}: {problem}" for problem in self.problems]
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
            "python": sys.version.split()[0],
            "platform": sys.platform,
            "versions": _versions(),
            "lessons": [lesson.to_json() for lesson in self.lessons],
        }

    def table(self) -> str:
        """One line a lesson, for a terminal."""
        rows = [("lesson", "result", "seconds", "peak MB", "accuracy", "executed lesson")]
        for run in self.lessons:
            accuracy = run.records.get("accuracy")
            rows.append(
                (
                    run.name,
                    "passed" if run.ok else "FAILED",
                    f"{run.seconds:.1f}",
                    f"{run.peak_mb:.0f}",
                    f"{accuracy:.3f}" if isinstance(accuracy, int | float) else "-",
                    str(run.notebook),
                )
            )
        widths = [max(len(row[column]) for row in rows) for column in range(6)]
        return "\n".join(
            "  ".join(
                text.rjust(width) if 2 <= column <= 4 else text.ljust(width)
                for column, (text, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in rows
        )

    def __str__(self) -> str:
        """What went wrong, if anything did, and the table."""
        return "\n\n".join([*(str(lesson) for lesson in self.lessons if not lesson.ok), self.table()])


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
