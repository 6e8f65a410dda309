"""What lies in a folder, listed once: its folders, files and images, and what was passed over and why."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tl_course.core.image_io import SUFFIXES
from tl_course.core.names import nfc
from tl_course.errors import ImageSetError

__all__ = ["LITTER", "Folder", "Skipped", "few_of", "is_image_name", "list_folder", "masks_in", "shortened"]

LITTER = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini", "@eaDir", "$RECYCLE.BIN"})

_MASK = re.compile(r"(.+?)[-_ ]?masks?([-_ ]?\d+)?", re.IGNORECASE)  # beside the image that it is of

Skipped = tuple[str, str]  # a name relative to the folder, and the reason


@dataclass(eq=False)
class Folder:
    """A folder with all that lies in it; names of files are relative to the folder that was listed, with ``/``."""

    name: str  # its own name, as it is on the disk
    path: str = ""  # relative, with a "/" at the end; empty for the folder that was listed
    files: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)  # of these files, those that are called like images
    folders: list["Folder"] = field(default_factory=list)
    total: int = 0  # images in it and below

    @property
    def filled(self) -> list["Folder"]:
        """The folders directly in it that hold images, at any depth."""
        return [folder for folder in self.folders if folder.total]

    def walk(self) -> Iterator["Folder"]:
        """This folder and all below it, in the order of their names."""
        waiting = [self]
        while waiting:
            folder = waiting.pop()
            yield folder
            waiting.extend(reversed(folder.folders))

    def all_images(self) -> list[str]:
        """Names of the images in it and below."""
        return [name for folder in self.walk() for name in folder.images]

    def all_files(self) -> list[str]:
        """Names of the files in it and below."""
        return [name for folder in self.walk() for name in folder.files]

    def has(self, *names: str) -> bool:
        """Whether a file of one of these names lies directly in it."""
        return any(f"{self.path}{name}" in self.files for name in names)


def is_image_name(name: str) -> bool:
    """Whether a file is called like an image."""
    return PurePosixPath(name).suffix.lower() in SUFFIXES


def list_folder(root: Path, called: str = "") -> tuple[Folder, list[Skipped]]:
    """A folder with all that lies in it, and what was passed over and why.

    Folders that are links, and links that lead out of `root`, are not followed. Hidden files, and the litter of file
    managers, are left out without a word.

    Raises
    ------
    ImageSetError
        The folder itself cannot be read.
    """
    inside = os.path.realpath(root)
    top = Folder(nfc(root.name))
    skipped: list[Skipped] = []
    waiting, done = [top], []  # no recursion: a tree may be deeper than Python's stack
    while waiting:
        folder = waiting.pop()
        done.append(folder)
        try:
            with os.scandir(root / folder.path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            if folder is top:
                raise ImageSetError(f"The folder {called or root} cannot be read: {error.strerror}.") from None
            skipped.append((folder.path, f"the folder cannot be read ({error.strerror})"))
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.name in LITTER:
                continue
            if reason := _add(folder, entry, inside):
                skipped.append((_readable(folder.path + entry.name), reason))
        waiting.extend(reversed(folder.folders))
    for folder in reversed(done):  # the inner ones come after the outer ones
        folder.total = len(folder.images) + sum(inner.total for inner in folder.folders)
    return top, skipped


def masks_in(folder: Folder) -> dict[str, str]:
    """Images that are masks of others beside them, and why they are passed over."""
    stems = {PurePosixPath(name).stem for name in folder.images}
    found = {name: _MASK.fullmatch(PurePosixPath(name).stem) for name in folder.images if "mask" in name.lower()}
    return {name: f"a mask of {of[1]}, beside it" for name, of in found.items() if of and of[1] in stems}


def shortened(text: str, length: int = 120) -> str:
    """The text with its middle left out where it is longer than that."""
    return text if len(text) <= length else f"{text[: length // 3]} … {text[-length // 2 :]}"


def _add(folder: Folder, entry: "os.DirEntry[str]", inside: str) -> str:
    """Put what the entry is into the folder, or say why not."""
    name = folder.path + entry.name
    if _readable(name) != name:
        return "the name is not valid UTF-8; rename it"
    try:
        if entry.is_dir(follow_symlinks=False):
            folder.folders.append(Folder(entry.name, f"{name}/"))
            return ""
        if entry.is_symlink():
            if not entry.is_file():
                return "a link to a folder is not followed" if entry.is_dir() else "a link that leads nowhere"
            if os.path.commonpath([inside, os.path.realpath(entry.path)]) != inside:
                return "a link that leads out of the folder"
        elif not entry.is_file():
            return ""  # a device, a pipe
    except OSError as error:  # a link to itself, a network drive that went away
        return f"cannot be read ({error.strerror})"
    folder.files.append(name)
    if is_image_name(name):
        folder.images.append(name)
    return ""


def _readable(name: str) -> str:
    try:
        name.encode()
        return name
    except UnicodeEncodeError:
        return os.fsencode(name).decode(errors="backslashreplace")


def few_of(skipped: Sequence[Skipped]) -> str:
    """The first few of them with their reasons, to be put behind a count."""
    if not skipped:
        return ""
    few = "; ".join(f"{shortened(name)!r}: {shortened(reason, 240)}" for name, reason in skipped[:3])
    return f" ({few}{'; …' * (len(skipped) > 3)})"
