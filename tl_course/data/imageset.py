"""A data set: picture files, their labels, their split, and the journal of edits."""

import difflib
import shutil
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import cached_property
from hashlib import sha256 as sha256_hash
from itertools import chain, zip_longest
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from tl_course.core.files import atomic_path
from tl_course.core.names import label_named, nfc
from tl_course.data.archives import new_folder, pack
from tl_course.data.attribution import credits_html, credits_markdown
from tl_course.data.edit_log import Edit, append_edits, redoing, undoing
from tl_course.data.layouts import ADVICE, How
from tl_course.data.listing import few_of
from tl_course.data.opening import Place, find, read, shipped
from tl_course.data.splits import draw_splits
from tl_course.data.state import Present, fresh
from tl_course.data.table import (
    COLUMNS,
    METADATA,
    TRUTH,
    Picture,
    Skipped,
    listed_rows,
    read_truth,
    table_text,
    truth_text,
)
from tl_course.errors import ImageSetError, TLCourseWarning

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["ELSEWHERE", "ImageSet", "Picture", "new_place", "written"]

EDITS = "edits.jsonl"
RULE = "rule.md"


class ImageSet:
    """Pictures with labels, a training and a validation split, and every edit ever made to them.

    On disk it is a folder in Hugging Face's ``imagefolder`` convention: picture files in any layout and a
    ``metadata.csv``. That table stays as it was drawn: edits (relabel, drop, restore, keep, note) go to ``edits.jsonl``
    beside it, only ever appended to, and the present state is the table with this journal replayed. So no picture is
    moved or deleted by an edit, and every edit can be undone. `copy_to` and `pack` write the present state as a fresh
    table.

    A set is made by `ImageSet.open` or `render_dataset`. It behaves like a list of its `Picture` s, without the
    dropped ones::

        images = ImageSet.open("my_doors")
        images[0].label
        images.relabel("open/7.jpg", "closed", why="the latch is in")

    Attributes
    ----------
    root : Path
        The folder.
    name : str
        What to call the set.
    skipped : list of (str, str)
        What in the folder could not be used, and why.
    layout : str
        How the folder was understood: "class folders inside train/ and val/ (valid), below PetImages/".
    """

    def __init__(
        self, root: Path, *, name: str, table: list[Picture], absent: list[Picture], skipped: list[Skipped],
        saved: bool, shared: str = "", chosen: frozenset[str] | None = None, layout: str = "",
    ) -> None:  # fmt: skip
        self.root = root
        self.name = name
        self.skipped = skipped
        self.layout = layout
        self._shared = shared  # why this set must not be edited
        self._chosen = chosen  # what a subset is restricted to
        self._now = Present(root / EDITS, table=table, absent=absent, saved=saved)

    # ---- opening -------------------------------------------------------------------------------------------------

    @classmethod
    def open(
        cls,
        where: str | Path,
        *,
        sha256: str | None = None,
        label_from: str | None = None,
        table: str | None = None,
        columns: Mapping[str, str] | None = None,
        warn: bool = True,
    ) -> "ImageSet":
        """Open a data set. Nothing is written into it.

        How a folder is understood is written down in `tl_course.data.layouts`; `layout` says how this one was. What is
        not understood for certain is refused, and the last three parameters before `warn` say what is meant.

        Parameters
        ----------
        where
            A folder with one folder of pictures for each label; a folder with a ``metadata.csv``; a zip of either; the
            address of such a zip; the name of a set that ships with the course ("birds"); or the name of a folder or
            zip in the places that ``TL_COURSE_DATA`` and ``TL_COURSE_MIRROR`` name.
        sha256
            The SHA-256 that a zip must have.
        label_from
            Where the names of files carry the label: a regular expression with a group ``label``, such as
            ``r"^(?P<label>[a-z]+)_"``, and with a group ``split`` where they carry that too. One with a ``/`` is for
            the paths of files in the set's folder.
        table
            Which table says the labels, where several might: its path in the folder.
        columns
            Which of its columns hold what, where that is not certain: ``{"file_name": "id", "label": "breed"}``, and
            "split" likewise.
        warn
            Whether to say in a `TLCourseWarning` what was skipped and what looks odd.

        Raises
        ------
        ImageSetError
            There is nothing to open, it is not understood for certain, or nothing in it can be used. Single files that
            cannot be used are no error: they are in `skipped`, and one `TLCourseWarning` says so.
        """
        how = How(label_from=label_from, table=table, columns=columns or {})
        return cls._at(find(where, sha256=sha256), how, warn=warn)

    @classmethod
    def shipped(cls, name: str) -> "ImageSet":
        """Open a set that ships with the course ("birds"), also where a folder of that name lies here.

        Raises
        ------
        ImageSetError
            No set of this name ships with the course, or it cannot be drawn into the cache.
        """
        return cls._at(shipped(name), How(), warn=False)

    @classmethod
    def _at(cls, place: Place, how: How, *, warn: bool) -> "ImageSet":
        found = read(place, how)
        images = cls(
            found.root, name=place.name, table=found.table, absent=found.absent, skipped=found.skipped,
            saved=found.saved, shared=found.shared, layout=found.how,
        )  # fmt: skip
        if warn:
            images._warn(found.remarks)
        return images

    def _warn(self, remarks: Iterable[str]) -> None:
        def say(text: str) -> None:
            warnings.warn(text, TLCourseWarning, stacklevel=4)

        for remark in remarks:
            say(f"{self.name}: {remark}.")

        if self.skipped:
            say(f"{self.name}: {_count(self.skipped, 'file')} skipped{few_of(self.skipped)}. All are in .skipped.")
        if self._now.damaged:
            lines = ", ".join(map(str, self._now.damaged))
            say(f"{self.root / EDITS}: line {lines} is damaged and was skipped; all other edits count.")
        labels: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for picture in self:
            labels[picture.sha256].setdefault(picture.label, picture.file_name)
        if twins := [found for found in labels.values() if len(found) > 1]:
            pairs = "; ".join(" and ".join(f"{n!r} ({label})" for label, n in twin.items()) for twin in twins[:3])
            say(
                f"{self.name}: {_count(twins, 'picture')} under two labels: {pairs}{'; …' * (len(twins) > 3)}. They "
                "stay in the same split. Relabel or drop one of each."
            )

    # ---- looking -------------------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[Picture]:
        return iter(self._live)

    @overload
    def __getitem__(self, which: int | str) -> Picture: ...
    @overload
    def __getitem__(self, which: slice) -> list[Picture]: ...
    def __getitem__(self, which: int | str | slice) -> Picture | list[Picture]:
        return self._find(which) if isinstance(which, str) else self._live[which]

    def __repr__(self) -> str:
        counts = Counter(picture.label for picture in self)
        labels = ", ".join(f"{label} {counts[label]}" for label in self.labels)
        lines = f"ImageSet {self.name!r}: {_count(self, 'picture')} ({labels}); "
        lines += f"{len(self.train)} to train, {len(self.valid)} to validate"
        lines += f", {len(self.test)} to test" if self.test else ""
        extra = [f"{len(self.dropped)} dropped"] * bool(self.dropped)
        extra += [f"{len(self.skipped)} skipped{few_of(self.skipped)}"] * bool(self.skipped)
        return lines + ("\n  " + "; ".join(extra) if extra else "")

    @fresh
    def labels(self) -> list[str]:
        """Labels of the live pictures, sorted."""
        return sorted({picture.label for picture in self})

    @fresh
    def train(self) -> list[Picture]:
        """Live pictures to train on."""
        return [picture for picture in self if picture.split == "train"]

    @fresh
    def valid(self) -> list[Picture]:
        """Live pictures to validate on: about one fifth, drawn once. Relabelling moves no picture in or out."""
        return [picture for picture in self if picture.split == "valid"]

    @fresh
    def test(self) -> list[Picture]:
        """Live pictures that the table sets aside for a test; empty unless it does."""
        return [picture for picture in self if picture.split == "test"]

    @fresh
    def dropped(self) -> list[Picture]:
        """Pictures that an edit took out; `restore` brings them back."""
        return [picture for picture in self._all if picture.file_name in self._now.state.dropped]

    @property
    def original(self) -> list[Picture]:
        """All pictures as the table has them: before any edit."""
        return [one for one in self._now.table if self._chosen is None or one.file_name in self._chosen]

    @property
    def journal(self) -> list[Edit]:
        """Every edit so far, oldest first; undoing is an edit too."""
        return list(self._now.edits)

    @property
    def notes(self) -> dict[str, str]:
        """What was noted, by file name."""
        return {name: text for name, text in self._now.state.notes.items() if text}

    @cached_property
    def truth(self) -> dict[str, dict[str, Any]]:
        """What a rendered set knows about its pictures (scene, true label, planted flaws), by file name; else empty."""
        return {self._now.name_here(name): found for name, found in read_truth(self.root / TRUTH).items()}

    @property
    def rule(self) -> str:
        """The written rule by which labels are given: what ``rule.md`` beside the table says; empty without one."""
        try:
            return (self.root / RULE).read_text(encoding="utf-8", errors="replace").strip()
        except OSError:
            return ""

    def path(self, picture: Picture | str) -> Path:
        """Where the file of a picture lies."""
        return self.root / self._find(picture).file_name

    def counts(self) -> dict[str, dict[str, int]]:
        """How many live pictures each label has in each split: ``{"bird": {"train": 64, "valid": 16}, …}``."""
        counts = {label: dict.fromkeys(("train", "valid"), 0) for label in self.labels}
        for picture in self:
            counts[picture.label][picture.split] = counts[picture.label].get(picture.split, 0) + 1
        return counts

    def check_trainable(self) -> None:
        """Raise an `ImageSetError` that says what is missing where a classifier cannot be trained on this set."""
        counts = Counter(picture.label for picture in self.train)
        if not counts and len(self):
            raise ImageSetError(
                f"{self.name} has no picture to train on: all are to validate or to test on ({self.layout}). Add a "
                "folder train/ with a folder for each label, or open the folder inside that you want to train on."
            )
        if len(counts) < 2:
            found = f"only {next(iter(counts))!r}" if counts else "none"
            raise ImageSetError(f"{self.name} needs at least two labels to train on and has {found}. {ADVICE}")
        if lone := [label for label, n in counts.items() if n < 2]:
            raise ImageSetError(f"{self.name} has a single picture of {', '.join(lone)} to train on. Add some more.")

    def subset(self, n: int | None = None, *, labels: Iterable[str] | None = None, seed: int = 0) -> "ImageSet":
        """The same set with only `n` training pictures, spread evenly over the labels, or with only some `labels`.

        All pictures to validate (and test) on stay, so that results with few and with many pictures can be compared.
        With the same seed a smaller subset lies within a larger one. Edits of a subset are edits of the whole set:
        both show them at once, and either undoes them.
        """
        wanted = set(self.labels if labels is None else map(label_named, labels))
        if unknown := wanted.difference(self.labels):
            raise ImageSetError(f"{self.name} has no label {sorted(unknown)}; it has {self.labels}.")
        pictures = [picture for picture in self if picture.label in wanted]
        train = [picture for picture in pictures if picture.split == "train"]
        if n is not None:
            if not _is_count(n) or not 0 < n <= len(train):
                raise ImageSetError(f"{n} training pictures were asked for; {self.name} has 1 to {len(train)} to give.")
            by_label = defaultdict(list)
            for picture in sorted(train, key=lambda one: sha256_hash(f"{seed}:{one.file_name}".encode()).digest()):
                by_label[picture.label].append(picture)
            turns = zip_longest(*(by_label[label] for label in sorted(by_label)))
            train = [picture for turn in turns for picture in turn if picture is not None][:n]
        kept = {picture.file_name for picture in [*train, *(one for one in pictures if one.split != "train")]}
        part = copy(self)
        part._chosen = frozenset(kept)
        for name in [name for name in vars(part) if isinstance(getattr(ImageSet, name, None), fresh)]:
            del part.__dict__[name]
        return part

    def to_dataframe(self) -> "pd.DataFrame":
        """One row for each live picture: its columns, `path`, and `is_valid` as fastai wants it.

        ``ImageDataLoaders.from_df(images.to_dataframe(), path=images.root, valid_col="is_valid")`` reads it as it is.
        """
        import pandas as pd

        rows = []
        for one in self:
            row = {column: getattr(one, column) for column in COLUMNS} | dict(one.extra)
            rows.append(row | {"is_valid": one.split == "valid", "path": str(self.path(one))})
        return pd.DataFrame(rows, columns=None if rows else [*COLUMNS, "is_valid", "path"])

    # ---- editing -------------------------------------------------------------------------------------------------

    # Each `why` is free text; `kind` says in one word what led to the edit, for those who count: see `journal.Edit`.

    def relabel(
        self, picture: Picture | str, label: str, *, why: str = "", kind: str = "", new_label: bool = False
    ) -> None:
        """Give a picture another label; ``new_label=True`` allows one that no picture has yet."""
        one, label = self._about_to_edit(picture), label_named(label)
        everything = chain((one,), self._now.table, self._now.by_name.values())
        if not label or not (new_label or any(label == each.label for each in everything)):
            known = sorted({each.label for each in [*self._now.table, *self._now.by_name.values()]})
            raise ImageSetError(
                f"{label!r} is no label of {self.name}, which has {known}. Pass new_label=True if you mean to add it."
            )
        if label != one.label:
            self._edit(Edit(action="relabel", file_name=one.file_name, was=one.label, to=label, why=why, kind=kind))

    def drop(self, picture: Picture | str, *, why: str = "", kind: str = "") -> None:
        """Take a picture out of the set; its file stays where it is."""
        one = self._about_to_edit(picture)
        if one.file_name not in self._now.state.dropped:
            self._edit(Edit(action="drop", file_name=one.file_name, why=why, kind=kind))

    def restore(self, picture: Picture | str, *, why: str = "", kind: str = "") -> None:
        """Bring a dropped picture back."""
        one = self._about_to_edit(picture)
        if one.file_name in self._now.state.dropped:
            self._edit(Edit(action="restore", file_name=one.file_name, why=why, kind=kind))

    def keep(self, picture: Picture | str, *, why: str = "", kind: str = "") -> None:
        """Put on record that someone looked at a picture and found its label right."""
        one = self._about_to_edit(picture)
        self._edit(Edit(action="keep", file_name=one.file_name, was=one.label, to=one.label, why=why, kind=kind))

    def note(self, picture: Picture | str, text: str) -> None:
        """Write down something about a picture; a new note takes the place of the one before."""
        name = self._about_to_edit(picture).file_name
        self._edit(Edit(action="note", file_name=name, was=self._now.state.notes.get(name, ""), to=text))

    def undo(self) -> list[Edit]:
        """Take the last step back, whoever made it, and return the edits that did so; the one before when called again.

        A step is one edit, or those that were made `together`: it is undone whole. None is left where this is empty.
        """
        return self._back_or_forth(undoing)

    def redo(self) -> list[Edit]:
        """Do again the step that was undone last; empty where none is, or something else was edited since."""
        return self._back_or_forth(redoing)

    @contextmanager
    def together(self) -> Iterator[None]:
        """Edits made inside are one step: this set shows each at once, and they are written when the block ends.

        They are written with a single write. Where an error ends the block, nothing of it is. Of a write that is cut
        off by a full disk or a killed process, the edits whose lines got there whole count. A block inside another is
        part of that one's step.
        """
        with self._now.together(self._write):
            yield

    def refresh(self) -> None:
        """Read the journal again: another object or process may have edited the same set.

        Every edit does so by itself, so that none is undone or repeated by mistake.
        """
        self._now.refresh()

    def check_editable(self) -> None:
        """Raise an `ImageSetError` that says what to do instead where this set is shared and so must not be edited."""
        if self._shared:
            raise ImageSetError(
                f"{self._shared}, so it is not edited. Make your own copy first: "
                f"images = images.copy_to({'my_' + self.name.replace(' ', '_')!r})"
            )

    def _back_or_forth(self, which: Callable[[list[Edit]], list[Edit]]) -> list[Edit]:
        if self._now.step:  # which would undo itself
            raise ImageSetError("Edits are being made together: undo and redo when that block has ended.")
        self._now.refresh()
        with self.together():
            return [self._edit(edit) for edit in which(self._now.edits)]

    def _about_to_edit(self, picture: Picture | str) -> Picture:
        self._now.catch_up()
        return self._find(picture)

    def _edit(self, edit: Edit) -> Edit:
        self.check_editable()
        edit = replace(edit, step=self._now.step)
        if self._now.step:
            self._now.add(edit)
        else:
            self._write([edit])
        return edit

    def _write(self, edits: Sequence[Edit]) -> None:
        if not self._now.saved:
            self.save()  # the split must be on record before anything depends on it
        others = f" and {len(edits) - 1} more" * (len(edits) > 1)
        try:
            with written(f"the edit of {edits[0].file_name!r}{others} in {self.root}", _OWN_PLACE):
                append_edits(self.root / EDITS, edits)
        finally:
            self._now.refresh()

    # ---- writing -------------------------------------------------------------------------------------------------

    def save(self) -> None:
        """Write ``metadata.csv`` into the set's folder, and with it the split, which stays from then on.

        The first edit does so by itself. Labels are written as they were before any edit. Rows whose files are missing
        and columns that we do not know are kept; `licence` becomes `license`.
        """
        if self._shared:
            raise ImageSetError(f"{self._shared}, so nothing is written into it. Use copy_to.")
        with written(f"{METADATA} in {self.root}", _OWN_PLACE):
            known = {nfc(picture.file_name) for picture in [*self._now.table, *self._now.absent]}
            rows = listed_rows(self.root)
            others = [row for row in rows if nfc(row.file_name.strip()) not in known]  # another process's additions
            _write_text(self.root / METADATA, table_text([*self._now.table, *self._now.absent, *others]))
        self._now.saved = True

    def write_rule(self, text: str) -> None:
        """Write down the rule by which labels are given: ``rule.md``, which packs and their credits bring along."""
        self.check_editable()
        with written(f"{RULE} in {self.root}", _OWN_PLACE):
            _write_text(self.root / RULE, text.strip() + "\n" * bool(text.strip()))

    def extend(self, pictures: Iterable[Picture]) -> None:
        """Take in pictures whose files have been put into the folder, each with its `sha256`, and save.

        Those without a split are given one; the splits of all others stay.
        """
        known = {picture.file_name for picture in self._now.table}
        table = [*self._now.table, *(picture for picture in pictures if picture.file_name not in known)]
        self._now.table = [replace(one, split=split) for one, split in zip(table, draw_splits(table), strict=True)]
        self._now.replay()
        self.save()

    def copy_to(self, folder: str | Path) -> "ImageSet":
        """Write the present state into a new folder, without dropped pictures and without the journal, and open it."""
        target = new_place(folder)
        if target.is_relative_to(self.root):
            raise ImageSetError(f"{target} lies inside the set itself ({self.root}). Choose a folder outside.")
        with written(f"the copy in {target}", "Make room, or choose another place."), new_folder(target) as part:
            for name, content in self._files().items():
                (part / name).parent.mkdir(parents=True, exist_ok=True)
                if isinstance(content, bytes):
                    (part / name).write_bytes(content)
                else:
                    shutil.copyfile(content, part / name)
        return ImageSet.open(target)

    def pack(self, out: str | Path) -> str:
        """Write the present state as a zip that `open` reads, and return its SHA-256, the same for the same content.

        Beside the pictures and their table lie ``credits.html`` and ``credits.md``: who made them, under which licence.
        """
        path = Path(out).expanduser().absolute()
        pages = {
            "credits.html": credits_html(self, rule=self.rule).encode(),
            "credits.md": credits_markdown(self, rule=self.rule).encode(),
        }
        with written(str(path), ELSEWHERE):
            return pack(self._files() | pages, path)

    def _files(self) -> dict[str, Path | bytes]:
        files: dict[str, Path | bytes] = {picture.file_name: self.path(picture) for picture in self}
        files[METADATA] = table_text(self).encode()
        if self.rule:
            files[RULE] = f"{self.rule}\n".encode()
        if truth := {one.file_name: self.truth[one.file_name] for one in self if one.file_name in self.truth}:
            files[TRUTH] = truth_text(truth).encode()
        return files

    # ---- state ---------------------------------------------------------------------------------------------------

    @fresh
    def _all(self) -> list[Picture]:
        pictures = self._now.by_name.values()
        return [one for one in pictures if self._chosen is None or one.file_name in self._chosen]

    @fresh
    def _live(self) -> list[Picture]:
        return [picture for picture in self._all if picture.file_name not in self._now.state.dropped]

    def _find(self, picture: Picture | str) -> Picture:
        name = picture if isinstance(picture, str) else getattr(picture, "file_name", None)
        if not isinstance(name, str):
            raise ImageSetError(f"{picture!r} is no picture of {self.name}: give one, or its .file_name.")
        try:
            return self._now.by_name[self._now.name_here(name)]
        except KeyError:
            close = difflib.get_close_matches(name, self._now.by_name, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else " Pictures are named as in .file_name."
            raise ImageSetError(f"{self.name} has no picture {name!r}.{hint}") from None


_OWN_PLACE = 'Make room, or copy the set to a place of your own: images.copy_to("…").'
ELSEWHERE = "Make room, or choose another place."


def new_place(folder: str | Path) -> Path:
    """Where a new set is to lie; ImageSetError where something lies there already."""
    target = Path(folder).expanduser().absolute()
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise ImageSetError(f"{target} is there already. Choose a new folder.")
    return target


@contextmanager
def written(what: str, advice: str) -> Iterator[None]:
    """Turn an error while `what` is written into an ImageSetError that says so, with advice."""
    try:
        yield
    except OSError as error:
        raise ImageSetError(f"Could not write {what}: {error.strerror or error}. Nothing was lost. {advice}") from error


def _write_text(path: Path, text: str) -> None:
    with atomic_path(path) as part:
        part.write_text(text, encoding="utf-8", newline="")


def _is_count(number: object) -> bool:
    return isinstance(number, Integral) and not isinstance(number, bool)


def _count(things: Sized, noun: str) -> str:
    return f"{len(things)} {noun}{'s' * (len(things) != 1)}"
