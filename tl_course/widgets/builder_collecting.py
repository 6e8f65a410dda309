"""Collecting for the labels of the data-set builder: from sources, here or in a thread, from files, from a camera."""

import io
import threading
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course.data.collection import Candidate, PassedOver, prepare
from tl_course.errors import ImageSetError, TLCourseError
from tl_course.sources.base import Collected, Progress, Source
from tl_course.sources.local import Camera, Folder, Upload, camera_url
from tl_course.sources.menu import named, source_of
from tl_course.widgets.builder_files import handed_over
from tl_course.widgets.builder_labels import MENU, search_text, whole_number
from tl_course.widgets.builder_session import BuilderSession
from tl_course.widgets.builder_words import STOPPED, images_in_words, merge, short, told, twin_of

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["CollectingSession"]

_EVERY = 0.4  # seconds between two updates of the page while images arrive


@dataclass(frozen=True)
class Task:
    """Collecting for one label, as it was asked for: the row may be set to something else meanwhile."""

    label: str
    source: str | Path | Source
    where: str
    query: str
    n: int
    stop: threading.Event = field(default_factory=threading.Event)

    def sourced(self) -> Source:
        """The source itself; an ImageSetError where there is none, or it has nothing that is called so."""
        source = self._source()
        if isinstance(source, Folder) and self.query not in source.labels():
            has = ", ".join(map(repr, source.labels()))
            raise ImageSetError(
                f"There is no label {self.query!r} there; there is {has}. Say which of these is meant: in the field "
                "'Called there', or with query=…."
            )
        return source

    def _source(self) -> Source:
        source = self.source
        if isinstance(source, Source):
            return source
        if source == Upload.name:
            raise ImageSetError(f"Files are not collected but handed over: builder.upload(['a.jpg'], {self.label!r}).")
        if source not in ("folder", "pack"):
            return source_of(str(source))
        name = str(source)
        if not self.where:
            raise ImageSetError(
                f"Say which: write the {MENU[name][1].lower()} into the field beside {name!r}; in Python, "
                f"builder.set_source({self.label!r}, {name!r}, where='…')."
            )
        return named(name, self.where)


@dataclass
class Batch:
    """Files or frames that were handed over together: one account for all of them, however many messages they took."""

    report: Collected
    back: list[str] = field(default_factory=list)  # images that had been removed, and are there again


class CollectingSession(BuilderSession):
    """A builder's session that images come into."""

    def __init__(self, folder: str | Path, *, labels: Iterable[str], n: int, source: str) -> None:
        self._so_far: Counter[str] = Counter()  # new images of labels being collected
        self._frames: Counter[str] = Counter()  # by recording
        self._batches: dict[str, Batch] = {}  # what is handed over in several messages
        super().__init__(folder, labels=labels, n=n, source=source)

    def collect(
        self, label: str | None = None, n: int | None = None, source: str | Path | Source | None = None,
        query: str | None = None, *, wait: bool = True,
    ) -> Collected:  # fmt: skip
        """Collect until a label has `n` images.

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
        n = None if n is None else whole_number(n)
        query = None if query is None else search_text(query)
        wanted = {row.name: row.n if n is None else n for row in rows}
        report = Collected(self.folder, dict(wanted), {name: self.counts[name] for name in wanted})
        tasks = [
            Task(row.name, source or row.source, row.where, query or row.query or row.name, wanted[row.name])
            for row in rows
        ]
        self._jobs |= {task.label: task.stop for task in tasks}
        for task in tasks:
            self._so_far[task.label] = 0
            self._say(f"Collecting '{task.label}' …", about=task.label)
        if wait:
            self._run(tasks, report)
        else:
            self._aside(lambda: self._run(tasks, report), about=rows[0].name if len(rows) == 1 else "")
        return report

    def stop(self, label: str | None = None) -> None:
        """End collecting for a label, or for all; what has come is kept."""
        for name in [label] if label is not None else list(self._jobs):
            if name in self._jobs:
                self._jobs[name].set()
                self._say(f"Stopping '{name}' …", about=name)

    def upload(
        self, files: Mapping[str, bytes | str | Path] | Iterable[str | Path] | str | Path, label: str
    ) -> Collected:
        """Take in files: images, and zips of images, all for one label.

        Parameters
        ----------
        files
            Bytes or paths by name, or paths alone. What cannot be used is in the answer's `passed_over`, and why;
            where it is like an image that was removed, that one is brought back, under this label.
        label
            Whose images they are.

        Raises
        ------
        ImageSetError
            A path cannot be read, or there is no such label.
        """
        self._row(label)
        batch = Batch(Collected(self.folder, {label: None}))
        self._take_in(handed_over(files), label, batch)
        return batch.report

    def capture(self, label: str, frame: "bytes | Image.Image", recording: str = "") -> str:
        """Take in one frame of a camera and return its file name, or "" where it was passed over.

        Parameters
        ----------
        label
            Whose image it is.
        frame
            An encoded image, or a PIL one.
        recording
            Frames of one recording that follow each other show one scene, and stay in one split.
        """
        self._row(label)
        recording = recording or f"{label}-{id(self)}"
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
        batch = self._batch(f"camera:{recording}", label)
        frames = Collected(self.folder, {}, kept=[name] * bool(name), passed_over=[(url, reason)] * bool(reason))
        merge(batch.report, frames)
        self._tell_of(batch, label)
        return name

    # ---- underneath ----------------------------------------------------------------------------------------------

    def _run(self, tasks: Sequence[Task], report: Collected) -> None:
        done: dict[str, Collected] = {}
        enough = [task.label for task in tasks if self.counts.get(task.label, 0) >= task.n]
        try:
            for task in tasks:
                if not task.stop.is_set():
                    done[task.label] = self._collect_one(task, report, alone=len(tasks) == 1)
                    if report.interrupted and not task.stop.is_set():  # Ctrl-C: that is meant for all
                        for other in tasks:
                            other.stop.set()
                self._end(task)
        except BaseException as error:  # a stopped cell too: or the page would go on to say that it collects
            self._say(str(error) or "Stopped.", alert=True, about=tasks[0].label if len(tasks) == 1 else "")
            raise
        finally:
            for task in tasks:
                self._end(task)
            self._follow()
            self._push()
        where = self._labels_by_name()
        for task in tasks:
            part = done.get(task.label) or Collected(self.folder, {})
            line = "Stopped. " * task.stop.is_set() + told({task.label: part}, where=where, enough=enough)
            self._say(line, alert=bool(part.problems), about=task.label)
        if len(tasks) > 1:
            stopped = "Stopped. " * any(task.stop.is_set() for task in tasks)
            self._say(stopped + told(done, where=where, enough=enough), alert=bool(report.problems))

    def _collect_one(self, task: Task, report: Collected, *, alone: bool) -> Collected:
        part = Collected(self.folder, {})
        try:
            labels = {task.label: task.query}
            came = task.sourced().collect(labels, task.n, self._collection, progress=self._progress, stop=task.stop)
            merge(part, came)
        except TLCourseError as error:
            if alone:
                raise
            part.problems.append(str(error))
        merge(report, part)
        return part

    def _end(self, task: Task) -> None:
        if self._jobs.get(task.label) is task.stop:
            del self._jobs[task.label]

    def _take_in(self, given: Mapping[str, bytes], label: str, batch: Batch) -> None:
        """Take in files and say what came of them, and of those before in the same batch."""
        zips = {name: data for name, data in given.items() if name.lower().endswith(".zip")}
        loose = {name: data for name, data in given.items() if name not in zips}
        fresh = Collected(self.folder, {label: None})
        for part in [*([loose] if loose else []), *({name: data} for name, data in zips.items())]:
            try:
                came = Upload(part).collect([label], None, self._collection, progress=self._progress)
                came.passed_over = [(short(url), reason) for url, reason in came.passed_over]
                merge(fresh, came)
            except ImageSetError as error:  # such as a damaged zip: the other files are good all the same
                name = ", ".join(part)
                reason = str(error)
                reason = reason.partition(".zip ")[2] or reason  # of where it was unpacked nobody needs to know
                fresh.passed_over.append((name, reason))
                self._passed.append((label, name, reason))
        back = self._bring_back([reason for _, reason in fresh.passed_over], label)
        fresh.passed_over = [one for one in fresh.passed_over if twin_of(one[1]) not in back]
        self._passed = [one for one in self._passed if one[0] != label or twin_of(one[2]) not in back]
        merge(batch.report, fresh)
        batch.back += back
        batch.report.counts = {label: self.counts[label]}
        self._tell_of(batch, label)

    def _tell_of(self, batch: Batch, label: str) -> None:
        line = told({label: batch.report}, where=self._labels_by_name(), back=len(batch.back))
        self._say(line, alert=bool(batch.report.problems), about=label)

    def _batch(self, name: str, label: str) -> Batch:
        """The account of what is handed over under this name; only a few of the last are kept."""
        if name not in self._batches:
            for old in list(self._batches)[:-8]:
                del self._batches[old]
            self._batches[name] = Batch(Collected(self.folder, {label: None}))
        return self._batches[name]

    def _progress(self, news: Progress) -> None:
        if news.file_name:
            self._arrived[news.file_name] = len(self._arrived)
            self._so_far[news.label] += 1
        elif news.reason != STOPPED:
            self._passed.append((news.label, short(news.url), news.reason))
        for row in self._rows:
            if row.name == news.label and row.name in self._jobs and not self._jobs[row.name].is_set():
                row.news, row.troubled = f"{images_in_words(self._so_far[row.name], 'new')} so far …", False
        self._push(every=_EVERY)

    def _bring_back(self, reasons: Iterable[str], label: str) -> list[str]:
        """Restore the removed images that these reasons for passing one over name, as one step."""
        alike = {twin for reason in reasons if (twin := twin_of(reason))}
        if not alike:
            return []
        with self._collection.editing() as images, images.together():
            back = [one.file_name for one in images.dropped if one.file_name in alike]
            for name in back:
                images.restore(name, why="handed over again")
                images.relabel(name, label, why="handed over again", new_label=True)
        return back
