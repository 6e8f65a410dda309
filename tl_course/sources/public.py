"""Well-known sets of pictures, read from the beginning of their archives and no further than is needed."""

import difflib
import hashlib
import tarfile
import warnings
from collections import Counter
from collections.abc import Collection as SomeOf
from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from tl_course.core.image_io import SUFFIXES
from tl_course.data.collection import Candidate
from tl_course.errors import FetchError, ImageSetError, TLCourseWarning
from tl_course.net.download import Download, nearby
from tl_course.net.http_client import Client
from tl_course.sources.base import MAX_PICTURE, Source

__all__ = ["SETS", "Public", "PublicSet"]

MAX_UNPACKED = 16 * 2**30  # bytes
MAX_WAITING = 2**26  # bytes of pictures that wait for others to come before them
_HEAD_START = 10  # pictures of one kind that come before it has to wait for other kinds
_AT_ONCE = 2**18  # bytes that are read from an archive at a time

_Found = tuple[str, str, bytes]  # a picture in an archive: its kind, its name, its bytes


@dataclass(frozen=True)
class PublicSet:
    """A set of pictures in one ``tar.gz``, as its authors publish it.

    `kinds` are the finest labels, by the label that holds them all; a file in the archive is called after its kind,
    with a number behind it ("Maine_Coon_7.jpg").
    """

    title: str
    creator: str
    page: str
    license: str
    license_url: str
    url: str
    md5: str
    kinds: Mapping[str, tuple[str, ...]]

    def asked_for(self, query: str) -> tuple[str, ...]:
        """The kinds that a query means, however it is written ("maine coon"); an ImageSetError if none."""
        known: dict[str, tuple[str, ...]] = {_plain(kind): (kind,) for kinds in self.kinds.values() for kind in kinds}
        known |= {_plain(label): kinds for label, kinds in self.kinds.items()}
        if _plain(query) not in known:
            close = difflib.get_close_matches(_plain(query), known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"It has {' and '.join(self.kinds)}, and kinds of these."
            raise ImageSetError(f"{self.title} has no {query!r}. {hint}")
        return known[_plain(query)]


_CATS = """Abyssinian Bengal Birman Bombay British_Shorthair Egyptian_Mau Maine_Coon Persian Ragdoll Russian_Blue
Siamese Sphynx"""
_DOGS = """american_bulldog american_pit_bull_terrier basset_hound beagle boxer chihuahua english_cocker_spaniel
english_setter german_shorthaired great_pyrenees havanese japanese_chin keeshond leonberger miniature_pinscher
newfoundland pomeranian pug saint_bernard samoyed scottish_terrier shiba_inu staffordshire_bull_terrier wheaten_terrier
yorkshire_terrier"""

SETS = {
    "oxford-iiit-pet": PublicSet(
        title="Oxford-IIIT Pet",
        creator="Parkhi, Vedaldi, Zisserman, Jawahar (2012)",
        page="https://www.robots.ox.ac.uk/~vgg/data/pets/",
        license="CC-BY-SA-4.0",
        license_url="https://creativecommons.org/licenses/by-sa/4.0/",
        url="https://www.robots.ox.ac.uk/~vgg/data/pets/data/images.tar.gz",
        md5="5c4f3ee8e5d25df40f4fd59a7f44e54c",
        kinds={"cat": tuple(_CATS.split()), "dog": tuple(_DOGS.split())},
    )
}


class Public(Source):
    """Pictures of a well-known set; of Oxford-IIIT Pet, "cat", "dog" or one of 37 breeds ("Maine Coon").

    The archive is read while it comes, and left as soon as there are enough pictures. What has come stays in the cache:
    the next label, and the next run, read that first and fetch only what lies behind it. When all of it has come, its
    MD5 is checked. Places that ``TL_COURSE_DATA`` and ``TL_COURSE_MIRROR`` name are looked at before the internet, for
    ``oxford-iiit-pet/images.tar.gz`` and ``images.tar.gz``.

    So that "cat" does not come out as a collection of Abyssinians, no breed has more than 10 pictures and a third of
    those so far. What is over waits until others have come or the archive ends, 64 MB of pictures at most.

    Parameters
    ----------
    name
        The set.
    api
        Another address of the same archive, such as a mirror; it may lie on a private network.

    Attributes
    ----------
    url : str
        Where the archive is asked for if there is no copy nearby.
    """

    name = "public"
    help = "a well-known set: Oxford-IIIT Pet, cats and dogs of 37 breeds"

    def __init__(self, name: str = "oxford-iiit-pet", *, api: str | None = None) -> None:
        if name not in SETS:
            raise ImageSetError(f"There is no public set {name!r} here. There is: {', '.join(SETS)}.")
        self._set = SETS[name]
        self.url = api or self._set.url
        file_name = self._set.url.rpartition("/")[2]
        copies = [*nearby(f"{name}/{file_name}"), *nearby(file_name)]
        self._places = [*copies, self.url]
        self.trusted = [place for place in [*copies, api] if place and "://" in place]

    def labels(self) -> list[str]:
        """The labels that the set divides into. The kinds within them can be asked for too."""
        return list(self._set.kinds)

    def check(self, query: str) -> None:
        """See `Source.check`."""
        self._set.asked_for(query)

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """See `Source.search`."""
        return self._from_anywhere(label, self._set.asked_for(query), client)

    def _from_anywhere(self, label: str, kinds: SomeOf[str], client: Client) -> Iterator[Candidate]:
        reasons = []
        for place in self._places:
            try:
                with closing(self._pictures(place, client)) as pictures:
                    wanted = ((kind, name, data) for kind, name, data in pictures if kind in kinds)
                    for kind, name, data in _in_turns(wanted) if len(kinds) > 1 else wanted:
                        yield self._candidate(label, kind, name, data)
                return
            except (FetchError, OSError) as error:
                reasons.append(f"{place}: {error}")
            if "://" not in place:  # it is there, so it was meant to be used
                warnings.warn(f"Passed over a copy nearby. {reasons[-1]}.", TLCourseWarning, stacklevel=2)
        raise FetchError("; ".join(reasons), passing=True)

    def _candidate(self, label: str, kind: str, name: str, data: bytes) -> Candidate:
        its = self._set
        return Candidate(
            label=label,
            url=f"{its.url}/{name}",  # the same, whichever copy was read
            data=data,
            source=f"{self.name}:{its.title}",
            creator=its.creator,
            license=its.license,
            license_url=its.license_url,
            page=its.page,
            title=kind.replace("_", " "),
        )

    def _pictures(self, place: str, client: Client) -> Generator[_Found, None, None]:
        """Kind, name and bytes of all pictures of an archive in its order; a FetchError where it is damaged."""
        file = Download(client, place) if "://" in place else Path(place).open("rb")  # noqa: SIM115  (here it is)
        with file:
            unpacked = 0
            try:
                with tarfile.open(fileobj=file, mode="r|gz", bufsize=_AT_ONCE) as archive:  # type: ignore[call-overload]
                    for member in archive:
                        unpacked += member.size
                        if unpacked > MAX_UNPACKED:
                            raise FetchError(f"unpacks to more than {MAX_UNPACKED / 2**30:.0f} GB, so given up")
                        path = PurePosixPath(member.name)
                        kind = path.stem.rpartition("_")[0]
                        safe = member.isreg() and not path.is_absolute() and ".." not in path.parts
                        if safe and kind and path.suffix.lower() in SUFFIXES and member.size <= MAX_PICTURE:
                            yield kind, str(path), archive.extractfile(member).read()
            except (tarfile.TarError, EOFError, ValueError) as error:
                self._refuse(file, f"no tar.gz, or a damaged one ({error})")
            whole = file.finish() if isinstance(file, Download) else Path(place)
            with whole.open("rb") as archive_file:
                found = hashlib.file_digest(archive_file, "md5").hexdigest()
            if found != self._set.md5:
                self._refuse(file, f"not the archive it should be: its MD5 is {found}, and should be {self._set.md5}")

    def _refuse(self, file: object, reason: str) -> None:
        if isinstance(file, Download):
            file.forget()
        raise FetchError(reason)


def _in_turns(pictures: Iterator[_Found]) -> Iterator[_Found]:
    """The pictures in their order, except that a kind which is ahead of the others waits."""
    given: Counter[str] = Counter()
    waiting: list[_Found] = []
    try:
        for picture in pictures:
            waiting.append(picture)
            while turn := _next(waiting, given):
                waiting.remove(turn)
                given[turn[0]] += 1
                yield turn
    except FetchError:
        yield from waiting
        raise
    yield from waiting


def _next(waiting: list[_Found], given: Counter[str]) -> _Found | None:
    if sum(len(data) for *_, data in waiting) > MAX_WAITING:
        return waiting[0]
    most = _HEAD_START + given.total() / 3
    return next((picture for picture in waiting if given[picture[0]] < most), None)


def _plain(text: str) -> str:
    return " ".join(text.replace("_", " ").lower().split())
