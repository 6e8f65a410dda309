"""A kernel that puts back what student code has replaced, and seeds what draws at random, before each cell.

Student code shares a process with the tests that judge it, so this is a lock for honest people: it undoes replaced
functions of modules that a test relies on, and says so. Whoever looks for the guard itself in memory can disable it.
"""

import os
import random
import sys
import types
import zlib
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from ipykernel.ipkernel import IPythonKernel

from tl_course.grading.notes import RESTORED
from tl_course.variants import GRADED_STUDENT

__all__ = ["GuardedKernel", "Snapshot"]

# What tests are made of, besides the course itself. What the assignment does not import is not there to be replaced.
_MODULES = (
    "builtins", "inspect", "json", "math", "operator", "pytest", "random", "statistics", "unittest.mock",
    "numpy", "numpy.linalg", "numpy.random", "numpy.testing", "pandas", "pandas.testing",
    "torch", "torch.nn", "torch.nn.functional", "torch.testing", "torch.optim",
    "IPython.core.interactiveshell", "IPython.core.displayhook",
    "ipykernel.displayhook", "ipykernel.zmqshell", "ipykernel.ipkernel",
)  # fmt: skip
_OWN = "tl_course."
_KINDS = (types.FunctionType, types.BuiltinFunctionType, type)


class Snapshot:
    """The functions and classes of modules, and the methods of those classes, as they are when it is made."""

    def __init__(self) -> None:
        _settle()
        self._kept = {id(owner): (owner, name, dict(_functions(owner))) for name, owner in _owners()}

    def restore(self) -> list[str]:
        """Put back what is another one now; returns the names of what was put back."""
        found = []
        for owner, where, functions in self._kept.values():
            now = vars(owner)
            for name, function in functions.items():
                if now.get(name) is not function:
                    with suppress(AttributeError, TypeError):
                        setattr(owner, name, function)
                        found.append(f"{where}.{name}")
        return found


def _settle() -> None:
    """Let happen now what a library itself replaces at its first use: torch wraps `step` of an optimizer's class."""
    torch: Any = sys.modules.get("torch")
    for one in vars(torch.optim).values() if torch else ():
        if isinstance(one, type) and issubclass(one, torch.optim.Optimizer):
            with suppress(Exception):  # some want more than that
                one([torch.zeros(1, 1, requires_grad=True)], lr=0.1)


def _owners() -> Iterator[tuple[str, Any]]:
    for name in [*_MODULES, *(name for name in sys.modules if name.startswith(_OWN))]:
        module = sys.modules.get(name)
        if module is None:
            continue
        yield name, module
        for called, member in list(vars(module).items()):
            if isinstance(member, type) and member.__module__ not in ("builtins", "typing"):
                yield f"{member.__module__}.{member.__qualname__}", member
            elif _is_own(member):
                yield f"{name}.{called}", member


def _is_own(value: Any) -> bool:
    """Whether it is an object of the course, such as a question."""
    return type(value).__module__.startswith(_OWN) and hasattr(value, "__dict__")


def _functions(owner: Any) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(owner).items()):
        if (
            isinstance(value, _KINDS)
            or _is_own(value)
            or (isinstance(owner, type) and isinstance(value, property | classmethod | staticmethod))
        ):
            yield name, value


class GuardedKernel(IPythonKernel):
    """IPython's kernel, which restores and seeds before each cell; its answers name what was restored.

    Attributes
    ----------
    snapshot : Snapshot
        What is restored; taken by the process that kernels are forked from.
    """

    snapshot: Snapshot

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._restored: list[str] = []
        self._student = os.environ.get(GRADED_STUDENT)
        self._shadowing: dict[str, Any] | None = None

    async def do_execute(  # noqa: D102 - as in the base class
        self, code: str, silent: bool, store_history: bool = True, *arguments: Any, **options: Any
    ) -> Any:
        self._restored = self.snapshot.restore() + self._restore_shell()
        if self._student is not None and os.environ.get(GRADED_STUDENT) != self._student:
            os.environ[GRADED_STUDENT] = self._student
            self._restored.append(GRADED_STUDENT)
        _seed(zlib.crc32(code.encode()))
        if (
            not store_history and self.shell is not None
        ):  # a test: it shows its last value, whatever a student likes to see of theirs
            self.shell.ast_node_interactivity = "last_expr"
        return await super().do_execute(code, silent, store_history, *arguments, **options)

    def _restore_shell(self) -> list[str]:
        """Methods that were replaced on the shell itself, not on its class."""
        own = vars(self.shell)
        now = {name: value for name, value in own.items() if callable(getattr(type(self.shell), name, None))}
        if self._shadowing is None:  # before the first cell: what ipykernel itself has replaced
            self._shadowing = now
        changed = [name for name in now | self._shadowing if now.get(name) is not self._shadowing.get(name)]
        for name in changed:
            own.pop(name, None)
        own.update({name: self._shadowing[name] for name in changed if name in self._shadowing})
        return [f"get_ipython().{name}" for name in changed]

    def finish_metadata(self, parent: Any, metadata: dict[str, Any], reply_content: Any) -> dict[str, Any]:  # noqa: D102
        finished: dict[str, Any] = super().finish_metadata(parent, metadata, reply_content)
        return finished | {RESTORED: self._restored}


def _seed(seed: int) -> None:
    random.seed(seed)
    with suppress(Exception):  # a submission may have made another thing of either
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(seed)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(seed)
