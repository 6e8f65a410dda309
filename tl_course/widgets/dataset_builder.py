"""Build a data set by searching, uploading, photographing and sorting; each click is a method with the same name."""

import io
import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_course.collection import Candidate, Collection, PassedOver, prepare
from tl_course.errors import ImageSetError, TLCourseError
from tl_course.files import atomic_path
from tl_course.imageset import ImageSet, Picture
from tl_course.journal import WHOLE_LABEL, Edit, last_step
from tl_course.sources import Collected, Progress, Source, named, source_of
from tl_course.sources.base import MOST
from tl_course.sources.local import Camera, Folder, Upload, camera_url
from tl_course.tables import METADATA, read_collected
from tl_course.widgets.builder_page import (
    ASKED,
    DRAWN,
    ENOUGH,
    MENU,
    PAGE,
    Arriving,
    Row,
    advice,
    handed_over,
    merge,
    on_page,
    pages,
    plain,
    seen,
    short,
    still,
    told,
)  # fmt: skip
from tl_course.widgets.look import Page, looks, many
from tl_course.widgets.thumbnails import Thumbnails

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["ENOUGH", "DatasetBuilder"]

LABELS = "builder.json"  # what no picture tells: labels without pictures, their order, and how each is collected

_EVERY = 0.4  # seconds between two updates of the page while pictures arrive


@dataclass(frozen=True)
class _Task:
    """Collecting for one label, as it was asked for: the row may be set to something else meanwhile."""

    label: str
    source: str | Path | Source
    where: str
    query: str
    n: int
    stop: threading.Event = field(default_factory=threading.Event)


def _check_number(n: int) -> None:
    if not 1 <= n <= MOST:
        raise ImageSetError(f"{n} pictures were asked for; 1 to {MOST:,} can be had.")


class DatasetBuilder(Page):
    """A data set in the making, on a page in the notebook and as a plain object.

    Everything is on disk at once: the folder is a data set that `ImageSet.open` reads at any moment, and the same
    folder opened again goes on where it was left. Errors are raised where a method is called, and shown in a line
    where a click called it.

    Parameters
    ----------
    folder
        A new one, one that was collected into before, or any data set of one's own.
    labels
        Labels to begin with. A label that is renamed or removed later does not come back when the cell runs again.
    n
        How many pictures each label shall have.
    source
        Where they come from unless something else is chosen: a name in `tl_course.sources.SOURCES`. Labels that
        "rendered" does not have begin with "openverse".

    Raises
    ------
    ImageSetError
        The folder cannot be made or read, or there is no such source.
    """

    _esm, _css = looks("dataset_builder")
    _may_ask = ASKED

    def __init__(
        self, folder: str | Path, *, labels: Iterable[str] = (), n: int = 30, source: str = "rendered"
    ) -> None:
        if source not in MENU:
            raise ImageSetError(f"{source!r} is no source to begin with. There is: {', '.join(MENU)}.")
        self._collection = Collection.at(folder)
        self.folder = self._collection.folder
        self._thumbnails = Thumbnails(self.folder)
        self._source, self._n = source, n
        self._jobs: dict[str, threading.Event] = {}  # by label
        self._arrived: dict[str, int] = {}
        self._passed: list[tuple[str, str, str]] = []  # label, name, reason
        for line in read_collected(self.folder):
            if line.get("file_name"):
                self._arrived[line["file_name"]] = len(self._arrived)
            elif line.get("passed_over"):
                self._passed.append((line["label"], short(line["url"]), line["passed_over"]))
        self._frames: Counter[str] = Counter()  # by recording
        self._arriving = Arriving()
        self._emptied: list[tuple[Row, int]] = []  # labels removed without a picture; how many edits there were then
        self._pushing, self._pushed = threading.RLock(), 0.0  # never taken where the collection is held
        self._rows, self._given = self._remembered()
        for label in [labels] if isinstance(labels, str) else labels:
            if (name := plain(label)) not in self._given:
                self._given.append(name)
                if name not in self.labels:
                    self._rows.append(self._new_row(name))
        super().__init__()
        self._follow()
        self._remember()
        self._push()
        self.on_msg(self._message)

    # ---- looking -------------------------------------------------------------------------------------------------

    @property
    def images(self) -> ImageSet:
        """The data set as it is now; an ImageSetError while it holds no picture."""
        return self._collection.images

    @property
    def labels(self) -> list[str]:
        """Labels in the order of the page, also those without pictures yet."""
        return [row.name for row in self._rows]

    @property
    def counts(self) -> dict[str, int]:
        """How many pictures each label has."""
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
        """Turn to a page of a label's pictures, counted from 1, the newest first; the nearest one that there is."""
        row, pictures = self._row(label), self._pictures()[label]
        row.page = min(max(1, number), pages(pictures))
        self._push()
        return on_page(pictures, row.page)

    # ---- labels --------------------------------------------------------------------------------------------------

    def add_label(self, name: str) -> None:
        """Add a label; an ImageSetError where it is there already, or empty."""
        row = self._new_row(self._fresh(name))
        self._rows.append(row)
        self._remember()
        self._say(f"'{row.name}' is added. Collect pictures for it, add files, or use the camera.")

    def rename_label(self, old: str, new: str) -> None:
        """Give a label, and with it all its pictures, another name; one step for `undo`."""
        row = self._row(old)
        if plain(new) == old:
            return
        self._idle(old)
        name = self._fresh(new)
        with self._pushing:  # or a thread that ends meanwhile gives the new name a row
            self._edit_all(
                old,
                lambda images, one: images.relabel(one, name, why="label renamed", kind=WHOLE_LABEL, new_label=True),
            )
            row.name, row.query = name, row.query or (old if old in DRAWN else "")
        self._remember()
        self._say(f"'{old}' is called '{name}' now.")

    def remove_label(self, name: str) -> None:
        """Remove a label and drop its pictures; `undo` brings both back in one step."""
        row = self._row(name)
        self._idle(name)
        dropped = self._edit_all(name, lambda images, one: images.drop(one, why="label removed", kind=WHOLE_LABEL))
        self._rows.remove(row)
        if not dropped:
            self._emptied.append((row, self._edits()))
        self._remember()
        self._say(f"'{name}' is removed{f' with {many(dropped)}' * bool(dropped)}. Undo brings it back.")

    def set_source(
        self, label: str, source: str | None = None, *, n: int | None = None, query: str | None = None,
        where: str | None = None,
    ) -> None:  # fmt: skip
        """Choose where a label's pictures come from; what is None stays as it is.

        Parameters
        ----------
        label
            Whose pictures.
        source
            A name in `tl_course.sources.SOURCES`.
        n
            How many pictures the label shall have.
        query
            What to search for; empty for the label itself. In a folder or pack: what the label is called there.
        where
            Path or address of a folder or pack.
        """
        row = self._row(label)
        if source is not None and source not in MENU:
            raise ImageSetError(f"{source!r} is no source to collect from. There is: {', '.join(MENU)}.")
        if n is not None:
            _check_number(n)
        row.source = row.source if source is None else source
        row.n = row.n if n is None else n
        row.query = row.query if query is None else query.strip()
        row.where = row.where if where is None else where.strip()
        self._remember()
        self._push()

    # ---- collecting ----------------------------------------------------------------------------------------------

    def collect(
        self, label: str | None = None, n: int | None = None, source: str | Path | Source | None = None,
        query: str | None = None, *, wait: bool = True,
    ) -> Collected:  # fmt: skip
        """Collect until a label has `n` pictures.

        Parameters
        ----------
        label
            None for all labels, one after the other.
        n, source, query
            What differs from what the label is set to (`set_source`). A source is a name, the path of a folder or
            zip, the address of a zip, or a `Source` object where it needs options.
        wait
            With False this returns at once and a thread collects; the answer fills as it goes, `stop` ends it.

        Raises
        ------
        ImageSetError
            What is asked for makes no sense, or the folder cannot be written. What a network source could not do is in
            the answer's `problems`, and in `status`.
        """
        rows = self._rows[:] if label is None else [self._row(label)]
        if not rows:
            raise ImageSetError("There is no label to collect for. Add one first: builder.add_label('cat').")
        for row in rows:
            self._idle(row.name)
        if n is not None:
            _check_number(n)
        wanted = {row.name: row.n if n is None else n for row in rows}
        report = Collected(self.folder, dict(wanted), {name: self.counts[name] for name in wanted})
        tasks = [
            _Task(row.name, source or row.source, row.where, query or row.query or row.name, wanted[row.name])
            for row in rows
        ]
        self._jobs |= {task.label: task.stop for task in tasks}
        self._say(f"Collecting {' and '.join(map(repr, wanted))} …")
        if wait:
            self._run(tasks, report)
        else:
            threading.Thread(target=self._run_aside, args=(tasks, report), daemon=True).start()
        return report

    def stop(self, label: str | None = None) -> None:
        """End collecting for a label, or for all; what has come is kept."""
        for name in [label] if label is not None else list(self._jobs):
            if name in self._jobs:
                self._jobs[name].set()
                self._say(f"Stopping '{name}' …")

    def upload(
        self, files: Mapping[str, bytes | str | Path] | Iterable[str | Path] | str | Path, label: str
    ) -> Collected:
        """Take in files: pictures, and zips of pictures, all for one label.

        Parameters
        ----------
        files
            Bytes or paths by name, or paths alone. What cannot be used is in the answer's `passed_over`, and why;
            where it is like a picture that was removed, that one is brought back, under this label.
        label
            Whose pictures they are.

        Raises
        ------
        ImageSetError
            A path cannot be read, or there is no such label.
        """
        row = self._row(label)
        report = Collected(self.folder, {row.name: None})
        given = handed_over(files)
        zips = {name: data for name, data in given.items() if name.lower().endswith(".zip")}
        loose = {name: data for name, data in given.items() if name not in zips}
        for part in [*([loose] if loose else []), *({name: data} for name, data in zips.items())]:
            try:
                came = Upload(part).collect([label], None, self._collection, progress=self._progress)
                came.passed_over = [(short(url), reason) for url, reason in came.passed_over]
                merge(report, came)
            except ImageSetError as error:  # such as a damaged zip: the other files are good all the same
                self._pass_over(label, ", ".join(part), str(error), report)
        back = self._bring_back([reason for _, reason in report.passed_over], label)
        report.counts = {label: self.counts[label]}
        self._say(told(report, self.counts) + f" Of what was removed before, {many(back)} came back." * bool(back))
        return report

    def capture(self, label: str, frame: "bytes | Image.Image", recording: str = "") -> str:
        """Take in one frame of a camera and return its file name, or "" where it was passed over.

        Parameters
        ----------
        label
            Whose picture it is.
        frame
            An encoded picture, or a PIL one.
        recording
            Frames of one recording that follow each other show one scene, and stay in one split.
        """
        self._row(label)
        recording = recording or f"{label}-{self.model_id}"
        url = camera_url(recording, self._frames[recording])
        self._frames[recording] += 1
        if not isinstance(frame, bytes):
            file = io.BytesIO()
            frame.convert("RGB").save(file, "JPEG", quality=95)
            frame = file.getvalue()
        name, reason = "", ""
        candidate = Candidate(label=label, url=url, source=Camera.name)
        try:
            name = self._collection.add(candidate, prepare(frame), near=Camera.near)
        except PassedOver as error:
            reason = str(error)
            self._collection.pass_over(candidate, error)
        self._progress(Progress(label, url, name, reason, {}))
        self._say(f"'{label}': {f'a frame was passed over, {reason}' if reason else 'a frame was kept'}.")
        return name

    # ---- sorting -------------------------------------------------------------------------------------------------

    def remove(self, picture: Picture | str) -> None:
        """Take a picture out; its file stays, and `undo` brings it back."""
        with self._collection.editing() as images:
            images.drop(picture, why="builder")
        self._say("Removed. Undo brings it back.")

    def move(self, picture: Picture | str, label: str) -> None:
        """Move a picture to another label of this builder."""
        self._row(label)
        with self._collection.editing() as images:
            images.relabel(picture, label, why="builder", new_label=True)
        self._say(f"Moved to '{label}'.")

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
        self._say(f"Undone: {many(len(done))} as before.")
        return done

    def save(self) -> Path:
        """Write the table, ``metadata.csv``, and return where it is. All else is on disk at any time."""
        with self._collection.editing() as images:
            images.save()
            beside = f", with {len(images.journal)} edits beside it" if images.journal else ""
            line = f"Saved: {many(len(images))} in {self.folder / METADATA}{beside}."
        self._say(line)
        return self.folder / METADATA

    # ---- underneath ----------------------------------------------------------------------------------------------

    def _run(self, tasks: "Sequence[_Task]", report: Collected) -> None:
        try:
            for task in tasks:
                label, query, stop = task.label, task.query, task.stop
                try:
                    if stop.is_set():
                        continue
                    source = self._sourced(task)
                    if isinstance(source, Folder) and query not in source.labels():
                        has = ", ".join(map(repr, source.labels()))
                        raise ImageSetError(
                            f"There is no label {query!r} there; there is {has}. Say which of these is meant: in the "
                            "field 'Called there', or with query=…."
                        )
                    merge(
                        report,
                        source.collect({label: query}, task.n, self._collection, progress=self._progress, stop=stop),
                    )
                except TLCourseError as error:
                    if len(tasks) == 1:
                        raise
                    report.problems.append(str(error))
                finally:
                    self._end(task)
        except BaseException as error:  # a stopped cell too: or the page would go on to say that it collects
            self._say(str(error) or "Stopped.", alert=True)
            raise
        finally:
            for task in tasks:
                self._end(task)
            self._follow()
            self._push()
        stopped = "Stopped. " * any(task.stop.is_set() for task in tasks)
        line = told(report, report.counts | self.counts)
        self._say(stopped + line, alert=bool(report.problems))

    def _end(self, task: "_Task") -> None:
        if self._jobs.get(task.label) is task.stop:
            del self._jobs[task.label]

    def _run_aside(self, *arguments: Any) -> None:
        self._shown(lambda: self._run(*arguments))

    def _sourced(self, task: "_Task") -> Source:
        source = task.source
        if isinstance(source, Source):
            return source
        if source == Upload.name:
            raise ImageSetError(f"Files are not collected but handed over: builder.upload(['a.jpg'], {task.label!r}).")
        if source not in ("folder", "pack"):
            return source_of(str(source))
        name = str(source)
        if not task.where:
            raise ImageSetError(
                f"Say which: write the {MENU[name][1].lower()} into the field beside {name!r}; in Python, "
                f"builder.set_source({task.label!r}, {name!r}, where='…')."
            )
        return named(name, task.where)

    def _progress(self, news: Progress) -> None:
        if news.file_name:
            self._arrived[news.file_name] = len(self._arrived)
        else:
            self._passed.append((news.label, short(news.url), news.reason))
        self._push(every=_EVERY)

    def _bring_back(self, reasons: Iterable[str], label: str) -> int:
        """Restore the removed pictures that these reasons for passing one over name, as one step."""
        alike = [reason for reason in reasons if "the same picture as " in reason]
        if not alike:
            return 0
        with self._collection.editing() as images, images.together():
            back = [one for one in images.dropped if any(f" as {one.file_name}" in reason for reason in alike)]
            for one in back:
                images.restore(one, why="handed over again")
                images.relabel(one, label, why="handed over again", new_label=True)
        return len(back)

    def _edits(self) -> int:
        """How many edits there are."""
        with suppress(ImageSetError):  # no picture, no edits
            return len(self._collection.images.journal)
        return 0

    def _pass_over(self, label: str, name: str, reason: str, report: Collected) -> None:
        report.passed_over.append((name, reason))
        self._passed.append((label, name, reason))

    def _row(self, label: str) -> Row:
        for row in self._rows:
            if row.name == label:
                return row
        there = f"there is {', '.join(map(repr, self.labels))}" if self._rows else "there is none yet"
        raise ImageSetError(f"There is no label {label!r}; {there}. Add it first: builder.add_label({label!r}).")

    def _new_row(self, name: str) -> Row:
        source = "openverse" if self._source == "rendered" and name not in DRAWN else self._source
        return Row(name, source, self._n)

    def _fresh(self, name: str) -> str:
        name = plain(name)
        if name in self.labels:
            raise ImageSetError(f"There is a label {name!r} already.")
        return name

    def _idle(self, label: str) -> None:
        if label in self._jobs:
            raise ImageSetError(f"Pictures of {label!r} are being collected. Stop that first, or wait.")

    def _edit_all(self, label: str, edit: Callable[[ImageSet, Picture], None]) -> int:
        """Edit all pictures of a label as one step."""
        if not self._collection.counts()[label]:
            return 0
        with self._collection.editing() as images:
            pictures = [picture for picture in images if picture.label == label]
            with images.together():
                for picture in pictures:
                    edit(images, picture)
        return len(pictures)

    def _remembered(self) -> tuple[list[Row], list[str]]:
        try:
            kept = json.loads((self.folder / LABELS).read_text(encoding="utf-8"))
            return [Row(**row) for row in kept["labels"]], list(kept["given"])
        except (OSError, ValueError, TypeError, KeyError):  # not there or damaged: the pictures tell the labels
            return [], []

    def _remember(self) -> None:
        rows = [asdict(row) for row in self._rows]
        text = json.dumps({"labels": rows, "given": self._given}, ensure_ascii=False, indent=1)
        try:
            with atomic_path(self.folder / LABELS) as part:
                part.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ImageSetError(f"{self.folder / LABELS} could not be written: {error.strerror}. Make room.") from None

    def _follow(self) -> None:
        """Give every label that pictures have a row."""
        with self._pushing:
            known = set(self.labels)
            if new := [label for label, n in sorted(self._collection.counts().items()) if n and label not in known]:
                self._rows.extend(map(self._new_row, new))
                self._remember()

    def _pictures(self) -> dict[str, list[Picture]]:
        """Pictures by label, the newest first."""
        found: dict[str, list[Picture]] = {label: [] for label in self.labels}
        with suppress(ImageSetError):  # none yet
            for picture in sorted(self.images, key=lambda one: self._arrived.get(one.file_name, -1), reverse=True):
                found.setdefault(picture.label, []).append(picture)
        return found

    def _push(self, every: float = 0.0) -> None:
        """Show the present state, or leave it to a later call if that was done less than `every` seconds ago."""
        with self._pushing:
            if time.monotonic() - self._pushed >= every:
                state = seen(self._rows, self._pictures(), self._passed, self._jobs)
                self._state = {**state, **self._said(), "advice": self.advice, "folder": self.folder.name}
                self._pushed = time.monotonic()

    # ---- what the page asks for ----------------------------------------------------------------------------------

    def _message(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        asked = dict(content) if isinstance(content, dict) else {}
        ack = asked.pop("ack", None)
        good = self._shown(lambda: self._obey(asked.pop("do", None), asked, [bytes(one) for one in buffers]))
        if ack is not None:
            self.send({"ack": ack, "good": good})

    def _obey(self, do: object, asked: dict[str, Any], buffers: list[bytes]) -> None:
        if do == "thumbnails" and isinstance(asked.get("names"), list):
            made = self._thumbnails(str(name) for name in asked["names"][: 10 * PAGE])
            self.send({"thumbnails": list(made)}, list(made.values()))
            return
        method = self._method(do, asked)
        if do == "collect":
            method(**asked, wait=False)
        elif do == "_chunk":
            method(**asked, data=b"".join(buffers))
        elif do == "capture":
            method(**asked, frame=b"".join(buffers))
        else:
            method(**asked)

    def _chunk(self, label: str, name: str, size: int, offset: int, data: bytes) -> None:
        self._row(label)
        try:
            whole = self._arriving.add(label, name, size, offset, data)
        except ImageSetError as error:
            self._passed.append((label, name, str(error)))
            raise
        if whole is not None:
            self.upload({name: whole}, label)

    # ---- without a kernel ----------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        live, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        lines = [f"DatasetBuilder {self.folder.name!r}: {self.advice}"]
        lines += [f"  {label}: {many(n)}" for label, n in self.counts.items()]
        return {
            **live,
            "text/html": still(self._pictures(), self._thumbnails, self.advice),
            "text/plain": "\n".join(lines),
        }, metadata
