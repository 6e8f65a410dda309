"""How benchmarks report, by ``from reporting import …``: ``report = {"rows": …} | machine("torch", "numpy")``,
``print(table(rows))`` with a dict a row, and ``write(report, RESULTS / "name.json")``.
"""

import json
import platform
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

__all__ = ["RESULTS", "machine", "marks", "table", "write"]

RESULTS = Path(__file__).parent / "results"


def machine(*packages: str) -> dict[str, Any]:
    """Where it was measured: cores, system, Python, and the packages' versions, None where one is not installed."""
    from tl_course.core import cores

    return {
        "cores": cores(),
        "machine": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in packages},
    }


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """`rows` under their keys: numbers, and text that begins with a digit, to the right; the first column to the left.

    A float gets three decimals: give text where that is not what should stand there.
    """
    columns = list(dict.fromkeys(key for row in rows for key in row))
    lines = [""] * (1 + len(rows))
    for column in columns:
        values = [row.get(column, "") for row in rows]
        texts = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in values]
        width = max(map(len, [column, *texts]))
        right = column != columns[0] and all(text[:1].isdigit() for text in texts if text)
        lines = [
            line + (text.rjust(width) if right else text.ljust(width)) + "  "
            for line, text in zip(lines, [column, *texts], strict=True)
        ]
    return "\n".join(line.rstrip() for line in lines)


def write(report: Mapping[str, Any], path: Path) -> None:
    """Keep `report` as JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"\nwritten to {path}")


def marks(course: Path, assignment: str) -> dict[tuple[str, str], float | None]:
    """What an nbgrader course's gradebook says, by student and cell; what a person gave is left out."""
    from tl_course.grading.gradebook import open_gradebook

    with open_gradebook(course) as gradebook:
        return {
            (submission.student.id, grade.cell.name): grade.auto_score
            for submission in gradebook.assignment_submissions(assignment)
            for notebook in submission.notebooks
            for grade in notebook.grades
        }


def _version(package: str) -> str | None:
    if package == "tl-course":  # which need not be installed
        from tl_course import __version__

        return __version__
    try:
        return version(package)
    except PackageNotFoundError:
        return None
