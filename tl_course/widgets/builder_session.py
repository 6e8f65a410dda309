"""A data set in the making, as a plain object: labels, collecting, sorting, training. The widget puts a page on top."""

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_course.core import image_io
from tl_course.data.collection import Collection
from tl_course.data.edit_log import WHOLE_LABEL, Edit, last_step
from tl_course.data.imageset import ImageSet, Picture
from tl_course.data.table import read_collected
from tl_course.errors import ImageSetError
from tl_course.features.backbones import DEFAULT
from tl_course.widgets.builder_files import zipped
from tl_course.widgets.builder_labels import (
    DRAWN,
    MENU,
    Row,
    fresh_name,
    label_name,
    named_images,
    read_rows,
    search_text,
    whole_number,
    write_rows,
)
from tl_course.widgets.builder_page import advice, on_page, pages
from tl_course.widgets.builder_training import Trainer
from tl_course.widgets.builder_words import STOPPED, images_in_words, short

if TYPE_CHECKING:
    from PIL import Image

    from tl_course.models.classifier import Classifier, Prediction

__all__ = ["TRAINING", "BuilderSession"]

TRAINING = "\0"  # what is said is about training, not about a label: none is called so


class BuilderSession:
    """What `DatasetBuilder` does, without its page."""

    def __init__(self, folder: str | Path, *, labels: Iterable[str], n: int, source: str) -> None:
        if source not in MENU:
            raise ImageSetError(f"{source!r} is no source to begin with. There is: {', '.join(MENU)}.")
        self._source, self._n = source, whole_number(n)
        if not isinstance(labels, Iterable):
            raise ImageSetError(f"{labels!r} are no labels: give names, such as ['cat', 'dog'].")
        names: list[str] = []
        for label in [labels] if isinstance(labels, str) else labels:
            names.append(fresh_name(label, names))
        self._collection = Collection.at(folder)
        self.folder = self._collection.folder
        self._jobs: dict[str, threading.Event] = {}  # by label
        self._arrived: dict[str, int] = {}
        self._passed: list[tuple[str, str, str]] = []  # label, name, reason
        for line in read_collected(self.folder):
            if line.get("file_name"):
                self._arrived[line["file_name"]] = len(self._arrived)
            elif line.get("passed_over") and line["passed_over"] != STOPPED:
                self._passed.append((line["label"], short(line["url"]), line["passed_over"]))
        self._emptied: list[tuple[Row, int]] = []  # labels removed without an image; how many edits there were then
        self._packed: set[Path] = set()
        self._pushing = threading.RLock()  # never taken where the collection is held
        self._trainer = Trainer(self.folder, self._push)
        self._rows, self._given = read_rows(self.folder, source=source, n=self._n)
        for name in names:
            if name not in self._given:
                if name not in self.labels:
                    self._rows.append(self._new_row(fresh_name(name, self.labels)))
                self._given.append(name)
        self._follow()
        self._remember()

    # ---- looking -------------------------------------------------------------------------------------------------

    @property
    def images(self) -> ImageSet:
        """The data set as it is now; an ImageSetError while it holds no image."""
        return self._collection.images

    @property
    def labels(self) -> list[str]:
        """Labels in the order of the page, also those without images yet."""
        return [row.name for row in self._rows]

    @property
    def counts(self) -> dict[str, int]:
        """How many images each label has."""
        counts = self._collection.counts()
        return {label: counts[label] for label in self.labels}

    @property
    def advice(self) -> str:
        """What to do next, in one line."""
        return advice(self.counts)

    @property
    def passed_over(self) -> list[tuple[str, str]]:
        """What was not kept, by its name, and why."""
        return [(name, reason) for _, name, reason in self._passed]

    def page(self, label: str, number: int = 1) -> list[Picture]:
        """Turn to a page of a label's images, counted from 1, the newest first; the nearest one that there is."""
        row, images = self._row(label), self._found()[label]
        row.page = min(max(1, number), pages(images))
        self._push()
        return on_page(images, row.page)

    # ---- labels --------------------------------------------------------------------------------------------------

    def add_label(self, name: str) -> None:
        """Add a label; an ImageSetError where it is there already, or cannot be one."""
        row = self._new_row(fresh_name(name, self.labels))
        self._rows.append(row)
        self._remember()
        self._say(f"'{row.name}' is added. Collect images for it, add files, or use the camera.", about=row.name)

    def rename_label(self, old: str, new: str) -> None:
        """Give a label, and with it all its images, another name; one step for `undo`."""
        row = self._row(old)
        if label_name(new) == old:
            return
        self._idle(old)
        name = fresh_name(new, [label for label in self.labels if label != old])
        with self._pushing:  # or a thread that ends meanwhile gives the new name a row
            self._edit_all(
                old,
                lambda images, one: images.relabel(one, name, why="label renamed", kind=WHOLE_LABEL, new_label=True),
            )
            row.name, row.query = name, row.query or (old if old in DRAWN else "")
        self._remember()
        self._say(f"'{old}' is called '{name}' now.", about=name)

    def remove_label(self, name: str) -> None:
        """Remove a label and drop its images; `undo` brings both back in one step."""
        row = self._row(name)
        self._idle(name)
        dropped = self._edit_all(name, lambda images, one: images.drop(one, why="label removed", kind=WHOLE_LABEL))
        self._rows.remove(row)
        if not dropped:
            self._emptied.append((row, self._edits()))
        self._remember()
        self._say(f"'{name}' is removed{f' with {images_in_words(dropped)}' * bool(dropped)}. Undo brings it back.")

    def set_source(
        self, label: str, source: str | None = None, *, n: int | None = None, query: str | None = None,
        where: str | None = None,
    ) -> None:  # fmt: skip
        """Choose where a label's images come from; what is None stays as it is, and where one is wrong, all stays.

        Parameters
        ----------
        label
            Whose images.
        source
            A name in `tl_course.sources.SOURCES`.
        n
            How many images the label shall have: a whole number from 1 to 10,000.
        query
            What to search for; empty for the label itself. In a folder or pack: what the label is called there.
        where
            Path or address of a folder or pack.
        """
        row = self._row(label)
        if source is not None and source not in MENU:
            raise ImageSetError(f"{source!r} is no source to collect from. There is: {', '.join(MENU)}.")
        new_n = row.n if n is None else whole_number(n)
        new_query = row.query if query is None else search_text(query)
        new_where = row.where if where is None else search_text(where)
        row.source, row.n, row.query, row.where = source or row.source, new_n, new_query, new_where
        self._remember()
        self._push()

    # ---- sorting -------------------------------------------------------------------------------------------------

    def remove(self, images: Picture | str | Iterable[Picture | str]) -> None:
        """Take an image out, or several in one step; their files stay, and `undo` brings them back."""
        names = named_images(images)
        with self._collection.editing() as found, found.together():
            was = {found[name].label for name in names}
            for name in names:
                found.drop(name, why="builder")
        self._say(f"{images_in_words(len(names))} removed. Undo brings {'it' if len(names) == 1 else 'them'} back.",
                  about=was.pop() if len(was) == 1 else "")  # fmt: skip

    def move(self, images: Picture | str | Iterable[Picture | str], label: str) -> None:
        """Move an image, or several in one step, to another label of this builder."""
        self._row(label)
        names = named_images(images)
        with self._collection.editing() as found, found.together():
            was = {found[name].label for name in names}
            moved = [name for name in names if found[name].label != label]
            for name in moved:
                found.relabel(name, label, why="builder", new_label=True)
        done = f"{images_in_words(len(moved))} moved to '{label}'." if moved else f"All are in '{label}' already."
        self._say(done, about=was.pop() if len(was) == 1 else label)

    def undo(self) -> list[Edit]:
        """Take the last step back and return the edits that did so; the one before when called again."""
        if self._emptied and self._emptied[-1][1] == self._edits() and self._emptied[-1][0].name not in self.labels:
            row, _ = self._emptied.pop()
            self._rows.append(row)
            self._remember()
            self._say(f"'{row.name}' is back.")
            return []
        with self._pushing:
            with self._collection.editing() as images:
                images.refresh()
                step = last_step(images.journal)
                renamed = bool(step) and (step[0].action, step[0].kind) == ("relabel", WHOLE_LABEL)
                if renamed:
                    self._idle(step[0].to)
                    self._idle(step[0].was)
                done = images.undo()
            for row in self._rows:
                if renamed and row.name == step[0].to and step[0].was not in self.labels:
                    row.name = step[0].was
                    self._remember()
            self._follow()
        if not done:
            self._say("Nothing is left to undo.")
            return []
        there = {one.file_name: one.label for one in self.images}
        where = {there.get(edit.file_name, "") for edit in done}
        for row in self._rows:
            row.news = row.news if row.troubled else ""  # or it would go on to speak of what is undone
        line = f"Undone: {images_in_words(len({edit.file_name for edit in done}))} as before."
        self._say(line, about=where.pop() if len(where) == 1 else "")
        return done

    # ---- training, and handing on --------------------------------------------------------------------------------

    @property
    def model(self) -> "Classifier | None":
        """The classifier that was trained last; None before."""
        return self._trainer.model

    def train(
        self, *, backbone: str | Path = DEFAULT, device: str = "auto", seed: int = 0, wait: bool = True
    ) -> "Classifier | None":
        """Train a head on the frozen features of all images, keep it in `model`, and return it.

        Features are kept, so that after some edits this takes a moment only. How often the model is right about images
        that it has not learned from is said on the page and in `status`.

        Parameters
        ----------
        backbone, device, seed
            As in `tl_course.train`.
        wait
            With False this returns None at once and a thread trains; `stop_training` ends it.

        Returns
        -------
        Classifier or None
            None also where it was stopped.

        Raises
        ------
        ImageSetError
            There are too few images, or too few scenes.
        ModelError
            Training is under way already.
        """
        _ = self.images  # an error where there is none
        self._trainer.begin()
        if wait:
            return self._train(backbone=backbone, device=device, seed=seed, aside=False)
        options: dict[str, Any] = {"backbone": backbone, "device": device, "seed": seed, "aside": True}
        self._aside(lambda: self._train(**options), about=TRAINING)
        return None

    def stop_training(self) -> None:
        """End a training that is under way; the model from before stays."""
        self._trainer.stop()

    def predict(self, image: "str | Path | Image.Image") -> "Prediction":
        """What `model` says of an image; a ModelError before it is trained."""
        return self._trainer.predict(image_io.load(image))

    def pack(self, out: str | Path | None = None) -> Path:
        """Write the data set as one zip that `ImageSet.open` opens, credits and all, and return where it lies.

        Parameters
        ----------
        out
            Path of the zip. Otherwise it lies beside the folder and is called after it, with a number where something
            else is called so already.
        """
        _ = self.images
        path = zipped(self.folder, out, self._packed)
        self._packed.add(path)
        self._say(f"{path} holds {images_in_words(len(self.images))}, {path.stat().st_size / 2**20:.1f} MB.")
        return path

    # ---- underneath ----------------------------------------------------------------------------------------------

    def _push(self, every: float = 0.0) -> None:
        """Show the present state on the page."""
        raise NotImplementedError

    def _say(self, text: str, *, alert: bool = False, about: str = "") -> None:
        """Say what was done or went wrong, in the panel of the label that it is about."""
        raise NotImplementedError

    def _aside(self, action: Callable[[], object], *, about: str = "") -> None:
        """Do something in a thread of its own; what goes wrong is said, about this label."""
        raise NotImplementedError

    def _train(self, **options: Any) -> "Classifier | None":
        model = self._trainer.run(**options)
        self._say(self._trainer.text, about=TRAINING)
        return model

    def _edits(self) -> int:
        """How many edits there are."""
        with suppress(ImageSetError):  # no image, no edits
            return len(self._collection.images.journal)
        return 0

    def _row(self, label: str) -> Row:
        for row in self._rows:
            if row.name == label:
                return row
        there = f"there is {', '.join(map(repr, self.labels))}" if self._rows else "there is none yet"
        raise ImageSetError(f"There is no label {label!r}; {there}. Add it first: builder.add_label({label!r}).")

    def _new_row(self, name: str) -> Row:
        source = "openverse" if self._source == "rendered" and name not in DRAWN else self._source
        return Row(name, source, self._n)

    def _idle(self, label: str) -> None:
        if label in self._jobs:
            raise ImageSetError(f"Images of {label!r} are being collected. Stop that first, or wait.")

    def _edit_all(self, label: str, edit: Callable[[ImageSet, Picture], None]) -> int:
        """Edit all images of a label as one step."""
        if not self._collection.counts()[label]:
            return 0
        with self._collection.editing() as images:
            mine = [one for one in images if one.label == label]
            with images.together():
                for one in mine:
                    edit(images, one)
        return len(mine)

    def _remember(self) -> None:
        write_rows(self.folder, self._rows, self._given)

    def _follow(self) -> None:
        """Give every label that images have a row."""
        with self._pushing:
            known = set(self.labels)
            if new := [label for label, n in sorted(self._collection.counts().items()) if n and label not in known]:
                self._rows.extend(map(self._new_row, new))
                self._remember()

    def _found(self) -> dict[str, list[Picture]]:
        """Images by label, the newest first."""
        found: dict[str, list[Picture]] = {label: [] for label in self.labels}
        with suppress(ImageSetError):  # none yet
            for one in sorted(self.images, key=lambda each: self._arrived.get(each.file_name, -1), reverse=True):
                found.setdefault(one.label, []).append(one)
        return found

    def _labels_by_name(self) -> dict[str, str]:
        return {one.file_name: label for label, images in self._found().items() for one in images}
