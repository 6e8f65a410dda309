"""What the page of the data-set builder shows and may ask for: plain functions over labels and images."""

import base64
import html
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tl_course.data.imageset import Picture
from tl_course.sources.base import MOST
from tl_course.widgets.builder_labels import DRAWN, LONGEST_NAME, LONGEST_SEARCH, MENU, Row
from tl_course.widgets.builder_words import images_in_words, joined, kinds
from tl_course.widgets.thumbnails import Thumbnails

__all__ = ["ASKED", "ENOUGH", "PAGE", "advice", "counted", "on_page", "pages", "seen", "still"]

ENOUGH = 20  # images a label: 16 to train on, which frozen features can do with, and 4 to see how well it went
UNBALANCED = 3  # times as many images of one label as of another: then guessing the larger one looks like learning
PAGE = 24  # images shown at a time
_LISTED = 30  # names of what was passed over, for each reason

# What the page may ask for, and what it may say with it. Names that begin with "_" are the page's alone.
ASKED: dict[str, set[str]] = {
    "add_label": {"name"},
    "rename_label": {"old", "new"},
    "remove_label": {"name"},
    "set_source": {"label", "source", "n", "query", "where"},
    "collect": {"label"},
    "stop": {"label"},
    "_chunk": {"label", "name", "size", "offset", "batch"},
    "capture": {"label", "recording"},
    "remove": {"images"},
    "move": {"images", "label"},
    "undo": set(),
    "page": {"label", "number"},
    "train": set(),
    "stop_training": set(),
    "_predict": set(),
    "_large": {"name"},
    "_pack": set(),
    "_part": {"offset"},
}


def advice(counts: Mapping[str, int]) -> str:
    """What to do next, in one line."""
    if len(counts) < 2:
        return "Add a second label." if counts else "Add a label for each thing to tell apart: two or more."
    if missing := {label: ENOUGH - n for label, n in counts.items() if n < ENOUGH}:
        return joined([f"{n} more of '{label}'" for label, n in missing.items()]) + " to start."
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
    """What the page shows of labels, their images by label, what was passed over, and labels being collected."""
    skips: dict[str, list[tuple[str, str, str]]] = {}
    for one in passed:
        skips.setdefault(one[0], []).append(one)
    where = {one.file_name: label for label, images in found.items() for one in images}
    shown = []
    for row in rows:
        images = found.get(row.name, [])  # another thread may be renaming it
        row.page = min(row.page, pages(images))
        first = (row.page - 1) * PAGE + 1
        reasons = kinds(skips.get(row.name, []), where)
        shown.append(
            asdict(row)
            | {"id": row.id, "page": row.page, "news": row.news, "troubled": row.troubled}
            | {"count": len(images), "pages": pages(images), "busy": row.name in busy}
            | {"images": _described(on_page(images, row.page), row.name, first, len(images))}
            | {"skips": [[why, len(names), names[-_LISTED:]] for why, names in reasons.items()]}
        )
    menu = [{"name": name, "title": a, "where": b, "help": c} for name, (a, b, c) in MENU.items()]
    limits = {"most": MOST, "name": LONGEST_NAME, "search": LONGEST_SEARCH}
    return {"labels": shown, "sources": menu, "drawn": DRAWN, "enough": ENOUGH, "limits": limits}


def still(found: Mapping[str, list[Picture]], thumbnails: Thumbnails, advice: str) -> str:
    """Labels with some of their images as HTML that needs nothing from anywhere else."""
    parts = []
    for label, images in found.items():
        shown = images[:8]
        tags = "".join(
            f"<img src='data:image/jpeg;base64,{base64.b64encode(data).decode()}' alt='{html.escape(one['alt'])}' "
            "style='width:72px;height:72px;object-fit:cover;border-radius:4px;margin:0 4px 4px 0'>"
            for one, data in zip(
                _described(shown, label, 1, len(images)),
                thumbnails(one.file_name for one in shown).values(),
                strict=True,
            )
        )
        more = f" and {len(images) - len(shown)} more" if len(images) > len(shown) else ""
        parts.append(
            f"<p style='margin:.6em 0 .3em'><b>{html.escape(label)}</b> · {counted(len(images))}</p>"
            f"<div style='display:flex;flex-wrap:wrap;align-items:center'>{tags}<span>{more}</span></div>"
        )
    return f"<div>{''.join(parts)}<p>{html.escape(advice)}</p></div>"


def counted(n: int) -> str:
    """So many images, with a number even for none."""
    return images_in_words(n) if n else "0 images"


def pages(images: Sequence[Picture]) -> int:
    """How many pages they fill."""
    return max(1, -(-len(images) // PAGE))


def on_page(images: list[Picture], number: int) -> list[Picture]:
    """Those on one page, counted from 1."""
    return images[(number - 1) * PAGE : number * PAGE]


def _described(shown: Iterable[Picture], label: str, first: int, total: int) -> list[dict[str, str]]:
    """What the page needs to know of images: name, text for those who do not see it, and whom to thank."""
    return [
        {
            "name": one.file_name,
            "alt": f"{label}, image {place} of {total}" + (f", from {one.source}" if one.source else ""),
            "credit": ", ".join(filter(None, (one.extra.get("title"), one.creator, one.license))),
        }
        for place, one in enumerate(shown, start=first)
    ]
