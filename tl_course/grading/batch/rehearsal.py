"""The model solution, run once where submissions will run: does it get full marks there, and what can they share?"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

import nbformat

from tl_course.core.files import atomic_path
from tl_course.core.progress import Bar
from tl_course.errors import GradingError
from tl_course.exercises.variants import GRADED_STUDENT, REHEARSAL
from tl_course.grading.apart.plan import Plan
from tl_course.grading.batch.execute import run_notebook
from tl_course.grading.batch.marks import is_test, mark
from tl_course.grading.sandbox.sandbox import Limits, Sandbox

__all__ = ["Rehearsal", "guarded_tests", "rehearse"]

_MOST_FILES = 1000
_DIGESTS = (  # of files, after the solution has run
    "import hashlib, pathlib\n"
    "print(*(hashlib.sha256(f'{{f}}:'.encode() + pathlib.Path(f).read_bytes()).hexdigest()"
    " for f in {} if pathlib.Path(f).is_file()))"
)


_VERSION = 2  # of what is found out about tests; what another one has found out is found out again


class Rehearsal(NamedTuple):
    """What submissions get from the solution.

    Attributes
    ----------
    cache : Path
        Exported backbones, drawn pictures and their features: submissions need not make them again. What tests drew
        lies apart from what answers get to see.
    imports : list of str
        Every module that the solution had imported in the end, in the order in which they came.
    plans : dict of str to Plan
        By the name of a notebook: which of its tests can run apart from answers.
    """

    cache: Path | None
    imports: list[str]
    plans: dict[str, Plan]


def _digest(file: Path, name: str) -> str:
    return sha256(f"{name}:".encode() + file.read_bytes()).hexdigest()


def guarded_tests(folder: Path) -> dict[str, str]:
    """Tests that the rehearsal written down in `folder` found to need the process of the answers, and why."""
    try:
        plans = json.loads((folder / "rehearsal.json").read_text("utf-8"))["plans"]
        several = len(plans) > 1
        return {
            f"{name}/{test}" if several else test: why
            for name, plan in plans.items()
            for test, why in plan["guarded"].items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def rehearse(
    source: Path,
    folder: Path,
    digest: str,
    *,
    isolation: str,
    imports: Sequence[str],
    limits: Limits,
    progress: bool = False,
) -> Rehearsal:
    """Run the solution that lies in `source`, unless it has been with this `digest`.

    To fill the cache it has ten times as long as a submission.

    Raises
    ------
    GradingError
        The solution does not get full marks here. Then no submission could.
    """
    cache, note = folder / "cache", folder / "rehearsal.json"
    digest += f":{','.join(named.name for named in fields(Plan))}"  # another version may have to know more
    try:
        before = json.loads(note.read_text("utf-8"))
        if (before["version"], before["digest"]) == (_VERSION, digest) and cache.is_dir():
            kept = {name: Plan(**plan) for name, plan in before["plans"].items()}
            return Rehearsal(cache, before["imports"], kept)
    except (OSError, ValueError, LookupError, TypeError):
        pass
    cache.mkdir(parents=True, exist_ok=True)
    problems: list[str] = []
    modules: dict[str, None] = {}
    plans: dict[str, Plan] = {}
    patient = replace(limits, cell_seconds=10 * limits.cell_seconds, notebook_seconds=10 * limits.notebook_seconds)
    notebooks = sorted(source.glob("*.ipynb"))
    with (
        Sandbox(isolation, imports=imports, limits=patient, cache=cache, fill=True) as sandbox,
        Bar("the solution, first", len(notebooks), unit="notebooks", show=progress) as bar,
    ):
        sandbox.environment = {GRADED_STUDENT: "solution", REHEARSAL: "1"}
        for path in source.iterdir():
            if path.suffix != ".ipynb":
                copy = shutil.copytree if path.is_dir() else shutil.copy
                copy(path, sandbox.given / path.name)
        for path in notebooks:
            notebook = nbformat.read(path, 4)
            plan = plans[path.stem] = Plan.of(notebook)
            plan.files = {
                file.relative_to(source).as_posix(): file.read_text("utf-8", "replace") for file in source.rglob("*.py")
            }
            files = [file.relative_to(source).as_posix() for file in source.rglob("*") if file.suffix != ".ipynb"]
            asked = ["import sys\nprint(*sys.modules)", _DIGESTS.format(files[:_MOST_FILES])]
            notebook.cells += map(nbformat.v4.new_code_cell, asked)
            notes = run_notebook(notebook, sandbox, plan, trying=True)
            digests, listed = (" ".join(one.get("text", "") for one in notebook.cells.pop().outputs) for _ in asked)
            modules |= dict.fromkeys(listed.split())
            plan.unchanged = [
                file for file in files if (source / file).is_file() and _digest(source / file, file) in digests.split()
            ]
            for cell in filter(is_test, notebook.cells):
                given, about = mark(cell), cell.metadata.nbgrader
                if given.points != about.points:
                    raised = [one.evalue for one in cell.get("outputs", []) if one.output_type == "error"]
                    why = " ".join([given.why, *raised]).strip() or f"{given.points} of {about.points} points"
                    problems.append(f"{about.grade_id}: {why}")
            if problems:
                problems += notes
            bar.update()
    if problems:
        raise GradingError(
            f"The solution in {source} does not get full marks here, so no submission can, and none was graded.\n  "
            + "\n  ".join(problems)
            + "\nMend the assignment or this machine, run `tl-course assign` again, then grade."
        )
    with atomic_path(note) as part:
        about = {
            "version": _VERSION,
            "digest": digest,
            "imports": list(modules),
            "plans": {name: asdict(one) for name, one in plans.items()},
        }
        part.write_text(json.dumps(about), encoding="utf-8")
    return Rehearsal(cache, list(modules), plans)
