"""Which tests of a notebook run apart from answers, in a process of their own, and what they take from answers."""

import builtins
import re
from dataclasses import dataclass, field
from typing import Self

from nbformat import NotebookNode

from tl_course.grading.batch.marks import is_test
from tl_course.grading.reading.cell_syntax import bound, changed, imported, imports, read, touched

__all__ = ["Plan", "locked_cells", "name_of"]

_SOLUTION = re.compile(r"^[ \t]*### BEGIN SOLUTION.*?### END SOLUTION[^\n]*\n?", re.DOTALL | re.MULTILINE)


@dataclass
class Plan:
    """How the tests of a notebook run.

    Attributes
    ----------
    guarded : dict of str to str
        Tests that run in the answer's own process, and why they have to.
    answered : list of str
        Names that cells of the solution bind: those are the answer's, whatever else binds them.
    builtins : list of str
        Names of Python's own that an answer is asked to bind.
    imports : list of str
        What cells that are not locked import: tests import it for themselves, whatever an answer makes of the names.
    objects : dict of str to dict
        By test, where objects of the solution's own came from, and what they were asked for: those of an answer do this
        and no more.
    made : list of str
        Names that only tests and locked cells bind: no answer is asked for them.
    with_files : list of str
        Locked cells that read files which answers write: all others run where tests run without these.
    changing : list of str
        Tests in which the solution changes in place what it is given.
    files : dict of str to str
        The assignment's own modules, by their paths: what tests import of these is what was handed out.
    read : list of str
        Names that cells which are no tests read: an answer may take them from a test that runs in its process.
    touched : list of str
        Names whose value the solution may change in place: they are not put back.
    unchanged : list of str
        Files that were handed out and that are the same after the solution has run, by their paths.
    """

    guarded: dict[str, str] = field(default_factory=dict)
    answered: list[str] = field(default_factory=list)
    builtins: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)
    with_files: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    objects: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    changing: list[str] = field(default_factory=list)
    read: list[str] = field(default_factory=list)
    touched: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, source: NotebookNode) -> Self:
        """What can be told from the notebook with the solution, before it has run."""
        cells = [cell for cell in source.cells if cell.cell_type == "code"]
        others = [cell for cell in cells if not is_test(cell)]
        answers = [cell for cell in others if cell.metadata.get("nbgrader", {}).get("solution")]
        stubs = [_SOLUTION.sub("", cell.source) for cell in others]
        locked = {id(cell) for cell in locked_cells(source)}
        theirs = [cell for cell in cells if is_test(cell) or id(cell) in locked]
        unlocked = {name for cell in others if id(cell) not in locked for name in changed(cell.source)}
        plan = cls(
            answered=sorted({name for cell in answers for name in changed(cell.source) - imported(cell.source)}),
            made=sorted({name for cell in theirs for name in changed(cell.source)} - unlocked),
            builtins=sorted(name for stub in stubs for name in changed(stub) if hasattr(builtins, name)),
            imports=list(dict.fromkeys(line for cell in others for line in imports(cell.source))),
            read=sorted({name for cell in others for name in read(cell.source)}),
            touched=sorted({name for cell in others if id(cell) not in locked for name in touched(cell.source)}),
        )
        elsewhere = {name for cell in others for name in bound(cell.source)} | {*vars(builtins)}
        for number, cell in enumerate(cells):
            for test in cells[:number] if not is_test(cell) else []:
                if is_test(test) and (
                    shared := (changed(test.source) & read(cell.source)) - changed(cell.source) - elsewhere
                ):
                    plan.guarded[name_of(test)] = f"a later cell uses its {min(shared)}"
        plan.complete(source)
        return plan

    def handed_out(self) -> list[str]:
        """Names that an answer is asked to bind; those of Python's own only where the handed out cells bind them."""
        return sorted({name for name in self.answered if not hasattr(builtins, name)} | {*self.builtins})

    def relied_on(self) -> dict[str, list[str]]:
        """What the process has to know that answers and tests share."""
        return {"imports": self.imports, "read": self.read, "touched": self.touched, "files": self.unchanged}

    def complete(self, source: NotebookNode) -> None:
        """Names that tests share keep them together: of two, either both are guarded or neither is."""
        cells = [cell for cell in source.cells if cell.cell_type == "code"]
        tests = [cell for cell in cells if is_test(cell)]
        elsewhere = {name for cell in cells if not is_test(cell) for name in bound(cell.source)} | {*vars(builtins)}
        more = True
        while more:
            more = False
            for number, test in enumerate(tests):
                for earlier in tests[:number]:
                    shared = (changed(earlier.source) & read(test.source)) - changed(test.source) - elsewhere
                    names = {name_of(test), name_of(earlier)}
                    if shared and len(names & self.guarded.keys()) == 1:
                        (other,) = names - self.guarded.keys()
                        self.guarded[other] = f"it shares {min(shared)} with {min(names - {other})}"
                        more = True


def name_of(cell: NotebookNode) -> str:
    """The name that nbgrader knows a cell by."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id", ""))


def locked_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """Cells with code of the instructor's that are no tests."""
    return [
        cell
        for cell in notebook.cells
        if cell.cell_type == "code"
        and not is_test(cell)
        and cell.metadata.get("nbgrader", {}).get("locked")
        and not cell.metadata.nbgrader.get("solution")
    ]
