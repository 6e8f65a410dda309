"""A data set as it stands now: its table with the journal of edits replayed, one for a set and all of its subsets."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Generic, TypeVar, cast, overload
from uuid import uuid4

from tl_course.core.names import label_named, nfc
from tl_course.data.edit_log import Edit, State, read_edits, replay, standing
from tl_course.data.table import Picture

__all__ = ["Present", "fresh"]

T = TypeVar("T")


class Present:
    """What a set and its subsets have in common, so that an edit through one shows in all.

    Attributes
    ----------
    table, absent : list of Picture
        As the table has them; `absent` are those whose files are missing.
    saved : bool
        Whether the table is on record.
    edits : list of Edit
        The journal, and behind it what is being edited `together` and not written yet.
    damaged : list of int
        Lines of the journal that cannot be read.
    state : State
        What the edits amount to.
    by_name : dict of str to Picture
        All pictures with the labels that they have now.
    version : int
        Another one whenever something has changed.
    """

    def __init__(self, journal: Path, *, table: list[Picture], absent: list[Picture], saved: bool) -> None:
        self.table = table
        self.absent = absent
        self.saved = saved
        self.version = 0
        self.step = ""  # of the edits that are being made together
        self._unwritten: list[Edit] = []  # these: the last of `edits`
        self._journal = journal
        self._seen: tuple[int, ...] = ()
        self.refresh()

    def refresh(self) -> None:
        """Read the journal again."""
        self._seen = self._stamp()
        self.edits, self.damaged = read_edits(self._journal)
        self.edits += self._unwritten
        self.replay()

    def catch_up(self) -> None:
        """Read the journal again if another object or process has written into it: no edit rests on an old state."""
        if self._stamp() != self._seen:
            self.refresh()

    def replay(self) -> None:
        """Follow from the table and all edits."""
        self._here = {nfc(one.file_name): one.file_name for one in self.table}
        self._here |= {one.file_name: one.file_name for one in self.table}
        self.state: State = replay(self._as_on_disk(edit) for edit in standing(self.edits))
        labels = self.state.labels
        self.by_name = {
            one.file_name: replace(one, label=labels[one.file_name]) if one.file_name in labels else one
            for one in self.table
        }
        self.version += 1

    def name_here(self, name: str) -> str:
        """A file's name as it is on this disk, where its letters may be composed otherwise than elsewhere."""
        return self._here.get(name) or self._here.get(nfc(name), name)

    def _as_on_disk(self, edit: Edit) -> Edit:
        """The edit with its file's name as it is here: the files, or the journal, may have gone through macOS."""
        name, to = self.name_here(edit.file_name), edit.to
        to = label_named(to) if edit.action == "relabel" else to
        return replace(edit, file_name=name, to=to) if (name, to) != (edit.file_name, edit.to) else edit

    def add(self, edit: Edit) -> None:
        """Show an edit that is being made together with others, and keep it to be written with them."""
        self._unwritten.append(edit)
        self.edits.append(edit)
        edit = self._as_on_disk(edit)
        self.state.apply(edit)
        if edit.action == "relabel":
            self.by_name[edit.file_name] = replace(self.by_name[edit.file_name], label=edit.to)
        self.version += 1

    @contextmanager
    def together(self, write: Callable[[Sequence[Edit]], None]) -> Iterator[None]:
        """Edits made inside are one step, which `write` gets when the block ends; an error takes them back."""
        if self.step:
            yield
            return
        self.step = uuid4().hex[:12]
        try:
            yield
        except BaseException:
            self.edits = self.edits[: len(self.edits) - len(self._unwritten)]
            self._unwritten = []
            self.replay()
            raise
        else:
            made, self._unwritten = self._unwritten, []
            if made:
                write(made)
        finally:
            self.step = ""

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._journal.stat()
        except OSError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns


class fresh(Generic[T]):  # noqa: N801  (used as `property` is)
    """A property of what has a `Present` in `_now`: found once, and anew when something has changed."""

    def __init__(self, find: Callable[[Any], T]) -> None:
        self._find = find
        self.__doc__ = find.__doc__

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, one: None, owner: type) -> "fresh[T]": ...
    @overload
    def __get__(self, one: object, owner: type) -> T: ...
    def __get__(self, one: Any, owner: type) -> "fresh[T] | T":
        if one is None:
            return self
        version, found = one.__dict__.get(self._name, (None, None))
        if version != one._now.version:
            version = one._now.version  # before it is looked at: what changes meanwhile is seen the next time
            one.__dict__[self._name] = version, (found := self._find(one))
        return cast("T", found)

    def __set__(self, one: object, value: object) -> None:
        raise AttributeError(f"{self._name} follows from the pictures and their edits, and is not set")
