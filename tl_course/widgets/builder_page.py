"""What the page of the data-set builder shows and may ask for: plain functions over labels and pictures."""

import base64
import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tl_course.errors import ImageSetError
from tl_course.imageset import Picture
from tl_course.rendered import SETS
from tl_course.sources import Collected
from tl_course.widgets.look import many
from tl_course.widgets.thumbnails import Thumbnails

__all__ = [
    "ASKED", "DRAWN", "ENOUGH", "MENU", "PAGE", "Arriving", "Row", "advice", "handed_over",
    "merge", "on_page", "pages", "plain", "seen", "short", "still", "told",
]  # fmt: skip

ENOUGH = 20  # pictures a label: 16 to train on, which frozen features can do with, and 4 to see how well it went
UNBALANCED = 3  # times as many pictures of one label as of another: then guessing the larger one looks like learning
PAGE = 24  # pictures shown at a time
MAX_UPLOAD = 256 * 2**20  # bytes of a file from the browser

DRAWN = [label for labels in SETS.values() for label in labels]
MENU = {  # what the page calls a source, what its free field asks for, and what it says beside
    "rendered": ("Drawn pictures", "", f"Drawn by the course: {', '.join(DRAWN)}"),
    "openverse": ("Openverse", "", "Openly licensed photos, with credit"),
    "commons": ("Wikimedia Commons", "", "Openly licensed photos, with credit"),
    "web": ("Web search", "", "Whatever the web shows, under any licence"),
    "public": ("Public sets", "", "Well-known sets of photos"),
    "folder": ("Folder", "Path of a folder", "In it a folder for each label, beside this notebook's kernel"),
    "pack": ("Pack (zip)", "Path or address of a zip", "Such as your instructor's"),
}

# What the page may ask for, and what it may say with it.
ASKED: dict[str, set[str]] = {
    "add_label": {"name"},
    "rename_label": {"old", "new"},
    "remove_label": {"name"},
    "set_source": {"label", "source", "n", "query", "where"},
    "collect": {"label"},
    "stop": {"label"},
    "_chunk": {"label", "name", "size", "offset"},  # of an upload: no method of its own
    "capture": {"label", "recording"},
    "remove": {"picture"},
    "move": {"picture", "label"},
    "undo": set(),
    "page": {"label", "number"},
    "save": set(),
}


_ids = count(1)


@dataclass
class Row:
    """A label, and how its pictures are collected; `page` and `id` are the page's own and not kept."""

    name: str
    source: str
    n: int
    query: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        self.page = 1
        self.id = next(_ids)


class Arriving:
    """Files on their way from the browser, in parts because Jupyter closes the connection on long messages."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], bytearray] = {}

    def add(self, label: str, name: str, size: int, offset: int, data: bytes) -> bytes | None:
        """Take the next part of a file, and return the file once it is whole."""
        if size > MAX_UPLOAD:
            raise ImageSetError(
                f"{name} has {size / 2**20:,.0f} MB, and the page takes {MAX_UPLOAD // 2**20}. Put it beside the "
                "notebook and choose 'Pack (zip)' as the source."
            )
        part = self._parts.pop((label, name), bytearray()) if offset else bytearray()
        if len(part) != offset or offset + len(data) > size:
            raise ImageSetError(f"{name} did not arrive whole. Add it once more.")
        part += data
        if len(part) < size:
            self._parts[label, name] = part
            return None
        return bytes(part)


def handed_over(files: Mapping[str, bytes | str | Path] | Iterable[str | Path] | str | Path) -> dict[str, bytes]:
    """The bytes of files by name, read where paths are given; an ImageSetError where that fails."""
    if isinstance(files, Mapping):
        given = list(files.items())
    else:
        paths = [Path(one) for one in ([files] if isinstance(files, str | Path) else files)]
        given = [(path.name, path) for path in paths]
    found: dict[str, bytes] = {}
    for name, one in given:
        try:
            data = Path(one).expanduser().read_bytes() if isinstance(one, str | Path) else bytes(memoryview(one))
        except OSError as error:
            raise ImageSetError(f"{one} cannot be read: {error.strerror}. Nothing was added.") from None
        except TypeError:
            raise ImageSetError(
                f"{name} is neither a path nor the bytes of a file. Hand over paths, or bytes by name: "
                "{'a.jpg': data}."
            ) from None
        found[name if name not in found else f"{len(found)}/{name}"] = data  # files of two folders may share a name
    return found


def advice(counts: Mapping[str, int]) -> str:
    """What to do next, in one line."""
    if len(counts) < 2:
        return "Add a second label." if counts else "Add a label for each thing to tell apart: two or more."
    if missing := {label: ENOUGH - n for label, n in counts.items() if n < ENOUGH}:
        listed = [f"{n} more of '{label}'" for label, n in missing.items()]
        return f"{', '.join(listed[:-1])}{' and ' * (len(listed) > 1)}{listed[-1]} to start."
    most, least = max(counts.values()), min(counts.values())
    if most >= UNBALANCED * least:
        few = min(counts, key=lambda label: counts[label])
        return f"Enough to start, but unbalanced: {most} to {least}. Collect more of '{few}'."
    return "Enough to start: train now, collect more where it errs."


def seen(
    rows: Sequence[Row],
    found: Mapping[str, list[Picture]],
    passed: Iterable[tuple[str, str, str]],
    busy: Collection[str],
) -> dict[str, Any]:
    """What the page shows of labels, their pictures by label, what was passed over, and labels being collected."""
    skips: dict[str, dict[str, list[str]]] = {}
    for label, name, reason in passed:
        kind = "like one that is there" if "the same picture as " in reason else reason
        skips.setdefault(label, {}).setdefault(kind, []).append(name)
    shown = []
    for row in rows:
        pictures = found.get(row.name, [])  # another thread may be renaming it
        row.page = min(row.page, pages(pictures))
        first = (row.page - 1) * PAGE + 1
        shown.append(
            asdict(row)
            | {"id": row.id, "page": row.page}
            | {"count": len(pictures), "pages": pages(pictures), "busy": row.name in busy}
            | {"pictures": _described(on_page(pictures, row.page), row.name, first, len(pictures))}
            | {"skips": [[why, len(names), names[-3:]] for why, names in skips.get(row.name, {}).items()]}
        )
    menu = [{"name": name, "title": a, "where": b, "help": c} for name, (a, b, c) in MENU.items()]
    return {"labels": shown, "sources": menu, "enough": ENOUGH}


def still(found: Mapping[str, list[Picture]], thumbnails: Thumbnails, advice: str) -> str:
    """Labels with some of their pictures as HTML that needs nothing from anywhere else."""
    parts = []
    for label, pictures in found.items():
        shown = pictures[:8]
        images = "".join(
            f"<img src='data:image/jpeg;base64,{base64.b64encode(data).decode()}' alt='{html.escape(one['alt'])}' "
            "style='width:72px;height:72px;object-fit:cover;border-radius:4px;margin:0 4px 4px 0'>"
            for one, data in zip(
                _described(shown, label, 1, len(pictures)),
                thumbnails(picture.file_name for picture in shown).values(),
                strict=True,
            )
        )
        more = f" and {len(pictures) - len(shown)} more" if len(pictures) > len(shown) else ""
        parts.append(
            f"<p style='margin:.6em 0 .3em'><b>{html.escape(label)}</b> · {many(len(pictures))}</p>"
            f"<div style='display:flex;flex-wrap:wrap;align-items:center'>{images}<span>{more}</span></div>"
        )
    return f"<div>{''.join(parts)}<p>{html.escape(advice)}</p></div>"


def plain(label: str) -> str:
    """A label without stray spaces and line ends."""
    if not (name := " ".join(label.split())):
        raise ImageSetError("A label needs a name, such as 'cat'.")
    return name


def pages(pictures: Sequence[Picture]) -> int:
    """How many pages they fill."""
    return max(1, -(-len(pictures) // PAGE))


def on_page(pictures: list[Picture], number: int) -> list[Picture]:
    """Those on one page, counted from 1."""
    return pictures[(number - 1) * PAGE : number * PAGE]


def _described(shown: Iterable[Picture], label: str, first: int, total: int) -> list[dict[str, str]]:
    """What the page needs to know of pictures: name, text for those who do not see it, and whom to thank."""
    return [
        {
            "name": one.file_name,
            "alt": f"{label}, picture {place} of {total}" + (f", from {one.source}" if one.source else ""),
            "credit": ", ".join(filter(None, (one.extra.get("title"), one.creator, one.license))),
        }
        for place, one in enumerate(shown, start=first)
    ]


def short(url: str) -> str:
    """What to call a picture that was passed over: its file's name, or the number of its frame."""
    if url.startswith("upload:"):
        return url.rsplit("#", 1)[0].rpartition("/")[2]
    last = url.partition("?")[0].rstrip("/").rpartition("/")[2] or url
    return f"frame {int(frame) + 1}" if url.startswith("camera:") and (frame := last.partition("#")[2]) else last


def merge(into: Collected, part: Collected) -> None:
    """Add one account of collecting to another."""
    into.counts |= part.counts
    into.kept += part.kept
    into.passed_over += part.passed_over
    into.problems += part.problems


def told(report: Collected, counts: Mapping[str, int]) -> str:
    """What came of collecting, in a line."""
    now = ", ".join(f"'{label}' has {counts.get(label, 0)}" for label in report.wanted)
    kept, passed = len(report.kept), len(report.passed_over)
    line = f"{kept} new picture{'s' * (kept != 1)}: {now}." + f" {passed} passed over." * bool(passed)
    return " ".join([line, *(problem.rstrip(".") + "." for problem in report.problems)])
