"""What every source of pictures has in common: one call that collects, and an account of what came of it."""

import threading
import time
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, TypeVar

from tl_course.data.collection import NEAR, Candidate, Collection, PassedOver, Prepared, prepare
from tl_course.data.imageset import ImageSet
from tl_course.errors import FetchError, ImageSetError
from tl_course.net.http_client import CONNECTIONS, Client

__all__ = ["Collected", "Progress", "Source", "kind_of"]

MAX_PICTURE = 20 * 2**20  # bytes
MOST = 10_000  # pictures a label
_AT_ONCE = 256  # pictures under way, of which CONNECTIONS are fetched at a time
_GLANCE = 0.2  # seconds between two looks at whether to stop
_PARTING = 0.5  # seconds in which what has come already is kept when somebody stops, and a source is let go
_ELSEWHERE = ". Without it there are: rendered pictures, a folder or zip that is here, files of your own, the camera."
_PATIENCE = 120.0  # seconds for one picture, however slowly its server drips
_LOST = 24  # pictures in a row that could not be reached: then it is not the pictures

T = TypeVar("T")


@dataclass(frozen=True)
class Progress:
    """One picture was kept (`file_name`) or passed over (`reason`). `counts` is how many each label has by now."""

    label: str
    url: str
    file_name: str
    reason: str
    counts: Mapping[str, int]


@dataclass
class Collected:
    """What came of collecting.

    Attributes
    ----------
    folder : Path
        Where the data set lies.
    counts : dict of str to int
        Pictures that each label asked for has now.
    wanted : dict of str to int or None
        How many each should have; None for all that the source has.
    kept : list of str
        File names of the pictures that are new.
    passed_over : list of (str, str)
        What was not kept, by its address or name, and why.
    problems : list of str
        Why labels stayed short, a line each; empty where all went well.
    interrupted : bool
        Whether it was ended before its time: by `stop`, Ctrl-C, or a notebook's stop button.
    """

    folder: Path
    wanted: dict[str, int | None]
    counts: dict[str, int] = field(default_factory=dict)
    kept: list[str] = field(default_factory=list)
    passed_over: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Whether each label has as many pictures as it should."""
        return not self.problems and all(self.counts[label] >= (n or 1) for label, n in self.wanted.items())

    @property
    def images(self) -> ImageSet:
        """The data set; an ImageSetError where it holds nothing."""
        return ImageSet.open(self.folder)

    def __str__(self) -> str:
        counts = ", ".join(f"{label} {n}" for label, n in self.counts.items())
        new = f"{len(self.kept)} new pictures" if self.kept or not self.complete else "Nothing was missing"
        lines = [f"{new} in {self.folder} ({counts})"]
        kinds: defaultdict[str, list[str]] = defaultdict(list)
        for name, reason in self.passed_over:
            kinds[kind_of(reason)].append(name)
        for reason, names in sorted(kinds.items(), key=lambda item: -len(item[1])):
            few = ", ".join(name.rpartition("/")[2] or name for name in names[:3])
            lines.append(f"passed over {len(names)} ({reason}): {few}{', …' * (len(names) > 3)}")
        stopped = ["Stopped. What came is kept, and the same call goes on from there."] * self.interrupted
        return "\n".join(lines + self.problems + stopped)


class Source(ABC):
    """Where pictures come from.

    A subclass says what it is called and how to find candidates; fetching, checking, deduplicating and writing down
    are the same for all.
    """

    name: ClassVar[str]
    help: ClassVar[str]
    online: ClassVar[bool] = True  # whether it needs the internet
    endless: ClassVar[bool] = True  # whether it can be asked for any number of pictures
    at_once: ClassVar[int] = 2 * CONNECTIONS  # pictures; none lies idle while others are decoded or wait for a try
    near: ClassVar[int] = NEAR  # bits of 64; see Collection.add
    trusted: Sequence[str] = ()  # addresses that the user named
    skipped: Sequence[tuple[str, str]] = ()  # what it has and cannot offer, and why

    @abstractmethod
    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """Candidates for `label`, the most fitting first, found one page after the other as they are asked for.

        Raises
        ------
        FetchError
            The source does not answer or refuses; what it gave before stays good.
        """

    def labels(self) -> list[str]:
        """Labels that the source brings with it; empty where it can be asked for anything."""
        return []

    def check(self, query: str) -> None:
        """Raise an `ImageSetError` where the source cannot have what `query` asks for, before anything is fetched."""
        return

    def collect(
        self,
        labels: Iterable[str] | Mapping[str, str] | None,
        n: int | None,
        into: str | Path | Collection,
        *,
        progress: Callable[[Progress], None] | None = None,
        stop: threading.Event | None = None,
    ) -> Collected:
        """Collect until each label has `n` pictures.

        Running it again goes on where it was interrupted, and tops up what was removed since. Whatever the network
        does, this returns; what went wrong is in the answer.

        Parameters
        ----------
        labels
            Names of the labels, or a mapping from each to what to search for (``{"open": "open door"}``). None for
            all that the source brings with it.
        n
            How many pictures each label shall have, counting those that are there; None for all there are, from
            sources that have an end.
        into
            The folder of the data set, new or not.
        progress
            Called for every picture that is kept or passed over.
        stop
            Ends the collecting within a second when it is set. Ctrl-C and a notebook's stop button do the same: what
            came is kept, and the account is given as ever, with `Collected.interrupted`.

        Raises
        ------
        ImageSetError
            What is asked for makes no sense, or the folder cannot be written.
        """
        queries = self._queries(labels, n)
        for query in queries.values():
            self.check(query)
        collection = into if isinstance(into, Collection) else Collection.at(into)
        report = Collected(collection.folder, dict.fromkeys(queries, n), passed_over=list(self.skipped))
        with Client(trusted=self.trusted) as client:
            run = _Run(self, collection, client, report, progress or _ignore, stop or threading.Event())
            for label, query in queries.items():
                if problem := run.fill(label, query, n):
                    report.problems.append(f"{self.name}: {problem}")
                if report.interrupted:
                    break
        with suppress(ImageSetError):
            _ = collection.images  # writes the table, where there is anything
        with suppress(OSError):
            collection.folder.rmdir()  # nothing came, and nothing was there
        counts = collection.counts()
        report.counts = {label: counts[label] for label in queries}
        return report

    def _queries(self, labels: Iterable[str] | Mapping[str, str] | None, n: int | None) -> dict[str, str]:
        if isinstance(labels, str):
            labels = [labels]
        if labels is None:
            labels = self.labels()
            if not labels:
                raise ImageSetError(f"The source {self.name!r} brings no labels of its own. Say which you want.")
        pairs = labels.items() if isinstance(labels, Mapping) else ((label, label) for label in labels)
        queries = {" ".join(label.split()): " ".join(query.split()) for label, query in pairs}
        if not queries or not all(label and query for label, query in queries.items()):
            raise ImageSetError("Pictures are collected for labels. Name at least one, such as 'cat', and none empty.")
        if n is None and self.endless:
            raise ImageSetError(f"The source {self.name!r} has no end. Say how many pictures each label shall have.")
        if n is not None and not 1 <= n <= MOST:
            raise ImageSetError(f"{n} pictures a label were asked for; 1 to {MOST:,} can be had.")
        return queries


@dataclass
class _Run:
    """One call of `Source.collect`."""

    source: Source
    collection: Collection
    client: Client
    report: Collected
    progress: Callable[[Progress], None]
    stop: threading.Event
    failure: str = ""

    def fill(self, label: str, query: str, n: int | None) -> str:
        """Bring one label to `n` pictures and return why it has fewer, if it has.

        Only as many are fetched at a time as are missing, and they are taken in the order in which the source named
        them. So the same answers give the same set, however long each picture takes. The source is asked in a thread of
        its own, so that what it has found is shown, and a wish to stop is heard, while it looks for more.
        """
        self.failure = ""
        under_way: deque[tuple[Candidate, Future[Prepared]]] = deque()
        candidates = self._candidates(label, query)
        finder, pool = _Threads(1), _Threads(self.source.at_once)
        try:
            return self._fill(label, n, under_way, partial(finder.submit, next, candidates, None), pool)
        except KeyboardInterrupt:
            self.report.interrupted = True
            self.collection.reopen()  # it may have struck amid the bookkeeping for a picture
            return ""
        finally:
            pool.close()
            self.report.interrupted |= self.stop.is_set() and self._missing(label, n) > 0
            if self.report.interrupted:
                self._keep_what_came(under_way)
            wait([finder.submit(candidates.close)], timeout=_PARTING)  # lets go of a camera
            finder.close()

    def _fill(
        self,
        label: str,
        n: int | None,
        under_way: "deque[tuple[Candidate, Future[Prepared]]]",
        find: "Callable[[], Future[Candidate | None]]",
        pool: "_Threads",
    ) -> str:
        finding: Future[Candidate | None] | None = None
        more, lost = True, 0
        until = time.monotonic() + _PATIENCE
        while not self.stop.is_set() and (missing := self._missing(label, n)) > 0:
            if more and finding is None and len(under_way) < min(missing, _AT_ONCE):
                finding = find()
            if finding is None and not under_way:
                if self.failure:
                    return self.failure + _ELSEWHERE
                return "" if n is None else f"{label} has {n - missing} of {n}, and no more came"
            first: list[Future[Any]] = [under_way[0][1]] if under_way else []
            wait(first + [finding] * (finding is not None), timeout=_GLANCE, return_when=FIRST_COMPLETED)  # type: ignore[list-item]
            if finding is not None and finding.done():
                candidate, finding = finding.result(), None
                more = candidate is not None
                if candidate is not None:
                    if not under_way:
                        until = time.monotonic() + _PATIENCE
                    under_way.append((candidate, pool.submit(self._obtain, candidate)))
            elif first and (first[0].done() or time.monotonic() > until):
                reason = self._take(*under_way.popleft())
                until = time.monotonic() + _PATIENCE
                lost = lost + 1 if reason and reason.again else 0
                if lost >= _LOST:
                    return f"{lost} pictures in a row could not be fetched (the last: {reason}){_ELSEWHERE}"
        return ""

    def _keep_what_came(self, under_way: "deque[tuple[Candidate, Future[Prepared]]]") -> None:
        """Take the pictures that are there already, behind one that is not."""
        until = time.monotonic() + _PARTING
        for candidate, future in under_way:
            if future.done() and not future.cancelled() and time.monotonic() < until:
                self._take(candidate, future)

    def _missing(self, label: str, n: int | None) -> int:
        return _AT_ONCE if n is None else n - self.collection.counts()[label]

    def _candidates(self, label: str, query: str) -> Generator[Candidate, None, None]:
        asked = set()
        try:
            for candidate in self.source.search(label, query, self.client):
                if candidate.url not in asked and not self.collection.knows(candidate.url):
                    asked.add(candidate.url)
                    yield candidate
        except FetchError as error:
            self.failure = str(error)
        except (ArithmeticError, LookupError, TypeError, ValueError) as error:
            self.failure = f"answered with something that makes no sense here ({type(error).__name__})"

    def _obtain(self, candidate: Candidate) -> Prepared:
        """Runs in a thread of the pool."""
        if candidate.data is not None:
            return prepare(candidate.data)
        try:
            found = self.client.fetch(candidate.url, limit=MAX_PICTURE)
        except FetchError as error:
            raise PassedOver(str(error), again=error.passing) from None
        if found.is_page:
            raise PassedOver("a web page in place of a picture")
        return prepare(found.content)

    def _take(self, candidate: Candidate, future: Future[Prepared]) -> PassedOver | None:
        name, reason = "", None
        try:
            name = self.collection.add(candidate, self._result(future), near=self.source.near)
            self.report.kept.append(name)
        except PassedOver as error:
            reason = error
            self.collection.pass_over(candidate, reason)
            self.report.passed_over.append((candidate.url, str(reason)))
        counts = self.collection.counts()
        self.progress(Progress(candidate.label, candidate.url, name, str(reason or ""), counts))
        return reason

    def _result(self, future: "Future[Prepared]") -> Prepared:
        """What a thread made of a picture, if it has."""
        if not future.done():
            raise PassedOver(f"not there after {_PATIENCE:.0f} s", again=True)
        try:
            return future.result()
        except (MemoryError, ArithmeticError, LookupError, TypeError, ValueError) as error:
            raise PassedOver(f"could not be read ({type(error).__name__})") from None


class _Threads:
    """Threads that do what is submitted. Unlike those of an executor they keep no interpreter from ending."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._started = 0
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, function: Callable[..., T], *arguments: Any) -> "Future[T]":
        """Have it done by the next thread that is free."""
        future: Future[T] = Future()
        context = copy_context()  # who looks at the progress of what is done

        def job() -> None:
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(context.run(function, *arguments))
                except BaseException as error:  # it is raised where the result is asked for
                    future.set_exception(error)

        self._jobs.put(job)
        if self._started < self._most:
            self._started += 1
            threading.Thread(target=self._work, daemon=True).start()
        return future

    def _work(self) -> None:
        while job := self._jobs.get():
            job()

    def close(self) -> None:
        """Begin nothing more, and wait for nobody."""
        with suppress(Empty):
            while True:
                self._jobs.get_nowait()
        for _ in range(self._started):
            self._jobs.put(None)


def kind_of(reason: str) -> str:
    """A reason without the one picture that it names: "the same picture" of "the same picture as cat/…"."""
    kind, picture, _ = reason.partition(" picture as ")
    return kind + " picture" * bool(picture)


def _ignore(_: Progress) -> None:
    """What is told of progress where nobody listens."""
