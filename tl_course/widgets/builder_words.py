"""What came of collecting, in words."""

import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from tl_course.sources.base import Collected

__all__ = ["STOPPED", "first_three", "images_in_words", "joined", "kinds", "merge", "short", "told", "twin_of"]

STOPPED = "stopped"  # the reason where an image was on its way when somebody pressed "Stop": it was not passed over
_TWIN = re.compile(r"the same (?:picture|image) as (.+)$")


def merge(into: Collected, part: Collected) -> None:
    """Add one account of collecting to another."""
    into.counts |= part.counts
    into.kept += part.kept
    into.passed_over += [(name, reason) for name, reason in part.passed_over if reason != STOPPED]
    into.problems += part.problems
    into.interrupted |= part.interrupted


def told(
    reports: Mapping[str, Collected], *, where: Mapping[str, str], back: int = 0, enough: Collection[str] = ()
) -> str:
    """What came, by label, in a line: what is new, what was passed over and why, and what went wrong.

    `where` is the label that each image has now, by file name; `back` is how many removed ones came back; labels in
    `enough` had as many as they shall have from the start.
    """
    new = {label: len(report.kept) for label, report in reports.items()}
    total = sum(new.values())
    labels = [label for label in new if new[label]] if total else list(new)
    if len(labels) > 1 and total:
        listed = [f"{new[label]} for '{label}'" for label in labels]
        line = f"{images_in_words(total, 'new')}: {joined(listed)}."
    elif labels:
        names = [f"'{label}'" for label in labels]
        line = f"{images_in_words(total, 'new')} for {joined(names)}."
    else:
        line = "No new images."
    if back:
        line += f" {images_in_words(back)} that had been removed {'is' if back == 1 else 'are'} back."
    if full := [f"'{label}'" for label in enough if not new.get(label)]:
        line += f" {joined(full)} {'has' if len(full) == 1 else 'have'} as many as asked for: ask for more."
    passed = [(label, name, reason) for label, report in reports.items() for name, reason in report.passed_over]
    found = kinds([one for one in passed if one[2] != STOPPED], where)
    if number := sum(len(names) for names in found.values()):
        several = len(found) > 1
        reasons = [
            f"{f'{len(names)} ' * several}{why.partition(' (')[0]} ({first_three(names)})"
            for why, names in list(found.items())[:3]
        ]
        line += f" {number} passed over: {'; '.join(reasons)}{'; …' * (len(found) > 3)}."
    problems = [problem for report in reports.values() for problem in report.problems]
    return " ".join([line, *(problem.rstrip(".") + "." for problem in problems)])


def kinds(passed: Sequence[tuple[str, str, str]], where: Mapping[str, str]) -> dict[str, list[str]]:
    """Names of what was passed over, by reason, the commonest first; `passed` are labels, names and reasons."""
    found: dict[str, list[str]] = {}
    for label, name, reason in passed:
        why = reason
        if twin := twin_of(reason):
            there = where.get(twin)
            why = f"already under '{there}'" if there else "removed before"
            why = "already there" if there == label else why
        found.setdefault(why, []).append(short(name))
    order = Counter({reason: len(names) for reason, names in found.items()})
    return {reason: found[reason] for reason, _ in order.most_common()}


def twin_of(reason: str) -> str:
    """The image that a reason says is there already; empty where it says something else."""
    found = _TWIN.search(reason)
    return found[1] if found else ""


def images_in_words(n: int, kind: str = "") -> str:
    """So many images: "1 image", "12 new images", "No new images"."""
    return f"{n or 'No'} {kind}{' ' * bool(kind)}image{'s' * (n != 1)}"


def short(url: str) -> str:
    """What to call an image that was passed over: its file's name, or the number of its frame."""
    if url.startswith("upload:"):
        return url.rsplit("#", 1)[0].rpartition("/")[2]
    last = url.partition("?")[0].rstrip("/").rpartition("/")[2] or url
    return f"frame {int(frame) + 1}" if url.startswith("camera:") and (frame := last.partition("#")[2]) else last


def first_three(names: Sequence[str]) -> str:
    """The first three of some names, and a sign where there are more."""
    return ", ".join(names[:3]) + ", …" * (len(names) > 3)


def joined(texts: Sequence[str]) -> str:
    """Phrases as a sentence lists them: "a", "a and b", "a, b and c"."""
    return f"{', '.join(texts[:-1])}{' and ' * (len(texts) > 1)}{texts[-1]}"
