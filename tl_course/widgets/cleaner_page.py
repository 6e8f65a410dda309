"""What the page of the cleaner shows and may ask for: plain functions over suspects, labels and the journal."""

import base64
import html
import math
from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tl_course.cleaning.issues import KINDS, Suspect
from tl_course.data.edit_log import WHOLE_LABEL, Edit, replay, standing
from tl_course.data.imageset import ImageSet, Picture
from tl_course.widgets.look import many
from tl_course.widgets.thumbnails import Thumbnails

__all__ = [
    "ALL", "ASKED", "STATES", "Accuracy", "CleaningReport", "accuracy_in_words", "baseline", "described", "reported",
    "states", "still", "tallied", "unranked",
]  # fmt: skip

ALL = "all"
STATES = ("undecided", "relabelled", "dropped", "kept")
SHOWN_NEIGHBOURS = 8
BRIEFLY = {
    "label": "label doubted", "off-topic": "off-topic", "duplicate": "there twice", "leak": "also in the other split",
    "odd": "odd",
}  # fmt: skip

# What the page may ask for, and what it may say with it.
ASKED: dict[str, set[str]] = {
    "relabel": {"picture", "label"},
    "drop": {"picture"},
    "keep": {"picture"},
    "restore": {"picture"},
    "undo": set(),
    "redo": set(),
    "page": {"number"},
    "filter": {"label", "split", "kind", "state"},
    "select": {"picture"},
    "look": {"picture"},
    "retrain": set(),
    "report": set(),
}


@dataclass(frozen=True)
class Accuracy:
    """How well the labels can be learnt, as shares of pictures; nan where there is nothing to measure on.

    Attributes
    ----------
    cross_validated : float
        Of all pictures by their labels as they are now. It rises when doubtful pictures are dropped, right or wrong:
        it tells how consistent the labels are, not how true.
    before, now : float
        Of the validation pictures by their labels before any edit, from a head trained on the training pictures as
        they were, and as they are now. No edit of a validation picture changes what is measured.
    pictures : int
        How many validation pictures these are.
    """

    cross_validated: float
    before: float
    now: float
    pictures: int


@dataclass(frozen=True)
class CleaningReport:
    """What cleaning changed, and what it did to the accuracy.

    Attributes
    ----------
    name : str
        Of the data set.
    relabelled : dict of (str, str) to int
        How many pictures went from one label to another.
    dropped, kept : dict of str to int
        How many of each label, as it was before.
    kinds : dict of str to int
        How many of the decisions each kind of suspicion led to; "" for pictures that nothing spoke against.
    left : int
        Pictures that nobody decided on.
    validation : int
        Validation pictures among those that were relabelled or dropped.
    accuracy : Accuracy
    """

    name: str
    relabelled: dict[tuple[str, str], int]
    dropped: dict[str, int]
    kept: dict[str, int]
    kinds: dict[str, int]
    left: int
    validation: int
    accuracy: Accuracy

    def rows(self) -> list[tuple[str, str, int]]:
        """What was done, to which label, how often."""
        return [
            *(("relabelled", f"{was} → {to}", n) for (was, to), n in sorted(self.relabelled.items())),
            *(("dropped", label, n) for label, n in sorted(self.dropped.items())),
            *(("kept", label, n) for label, n in sorted(self.kept.items())),
        ]

    def lines(self) -> list[str]:
        """What the table of `rows` does not say."""
        decided = sum(n for _, _, n in self.rows())
        why = ", ".join(f"{kind or 'no suspicion'} {n}" for kind, n in self.kinds.items())
        lines = [f"{many(decided)} decided on{f' ({why})' * bool(why)}, {self.left} not looked at yet."]
        lines.append(accuracy_in_words(self.accuracy))
        if self.validation:
            were = "was" if self.validation == 1 else "were"
            lines.append(
                f"{many(self.validation)} of the validation split {were} relabelled or dropped. That changes the "
                "set, but not the measure: it goes by the labels before any edit."
            )
        return lines

    def __str__(self) -> str:
        table = [f"  {what:<11} {label:<24} {n:>5}" for what, label, n in self.rows()]
        return "\n".join([f"Cleaning {self.name}", *table, *self.lines()])

    def _repr_markdown_(self) -> str:
        def cell(text: str) -> str:
            return html.escape(text).replace("|", "\\|")

        table = [f"| {what} | {cell(label)} | {n} |" for what, label, n in self.rows()]
        head = ["| what | label | pictures |", "|---|---|---:|"] if table else []
        return "\n".join(
            [f"**Cleaning {cell(self.name)}**", "", *head, *table, "", *(f"- {cell(one)}" for one in self.lines())]
        )

    def _repr_html_(self) -> str:
        table = "".join(
            f"<tr><td>{what}</td><td>{html.escape(label)}</td><td style='text-align:right'>{n}</td></tr>"
            for what, label, n in self.rows()
        )
        head = "<thead><tr><th>what</th><th>label</th><th>pictures</th></tr></thead>"
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self.lines())
        return (
            f"<div><p><b>Cleaning {html.escape(self.name)}</b></p>"
            + (f"<table>{head}<tbody>{table}</tbody></table>" if table else "")
            + f"{lines}</div>"
        )


def baseline(images: ImageSet) -> dict[str, Picture]:
    """The pictures before any decision on one of them, by name: but with labels as renamed."""
    whole = replay(edit for edit in standing(images.journal) if edit.kind == WHOLE_LABEL)
    return {
        one.file_name: replace(one, label=whole.labels[one.file_name]) if one.file_name in whole.labels else one
        for one in images.original
        if one.file_name not in whole.dropped
    }


def states(images: ImageSet, before: Mapping[str, Picture]) -> dict[str, str]:
    """What was decided on each picture: one of `STATES`, by name."""
    looked: set[str] = set()
    for edit in _decisions(images):
        if edit.action == "restore":
            looked.discard(edit.file_name)
        else:
            looked.add(edit.file_name)
    found = {
        one.file_name: "relabelled"
        if one.file_name in before and one.label != before[one.file_name].label
        else ("kept" if one.file_name in looked else "undecided")
        for one in images
    }
    return found | dict.fromkeys((one.file_name for one in images.dropped), "dropped")


def _decisions(images: ImageSet) -> list[Edit]:
    return [edit for edit in standing(images.journal) if edit.action != "note" and edit.kind != WHOLE_LABEL]


def unranked(images: ImageSet, known: Container[str]) -> dict[str, Suspect]:
    """Stand-ins for pictures not `known` yet, such as those dropped before, with what the journal says of them."""
    missing = [one for one in [*images, *images.dropped] if one.file_name not in known]
    led = {edit.file_name: edit for edit in standing(images.journal) if edit.action == "drop"} if missing else {}
    found = {}
    for one in missing:
        kind, reason, drop = "", "", led.get(one.file_name)
        if drop is not None and drop.kind in KINDS:
            kind, reason = drop.kind, drop.why
        elif drop is not None:
            reason = f"dropped: {drop.why or 'why is not on record'}"
        kinds = (kind,) if kind else ()
        found[one.file_name] = Suspect(one.file_name, one.label, one.split, 0.0, kind, reason, "", 0.0, (), kinds=kinds)
    return found


def tallied(state: Mapping[str, str], suspects: Iterable[Suspect]) -> dict[str, int]:
    """How many pictures were looked at, and what came of it; of those left, how many are suspicious."""
    counts = Counter(state.values())
    return {
        "looked_at": sum(counts.values()) - counts["undecided"],
        **{name: counts[name] for name in STATES[1:]},
        "left": counts["undecided"],
        "suspicious": sum(bool(one.kind) and state.get(one.file_name) == "undecided" for one in suspects),
    }


def accuracy_in_words(accuracy: Accuracy) -> str:
    """One line, for the page and the report."""
    if math.isnan(accuracy.now) or math.isnan(accuracy.before):
        return "There are too few pictures, or none to validate on, to measure an accuracy."
    right = [round(share * accuracy.pictures) for share in (accuracy.before, accuracy.now)]
    return (
        f"Accuracy on the {many(accuracy.pictures)} of the validation split, by their labels before any edit: "
        f"{accuracy.before:.1%} before ({right[0]} right), {accuracy.now:.1%} now ({right[1]} right)."
    )


def reported(
    images: ImageSet, before: Mapping[str, Picture], state: Mapping[str, str], accuracy: Accuracy
) -> CleaningReport:
    """The account of everything that was decided, in whichever session."""
    labels = {one.file_name: one.label for one in images}
    decided = [before[name] for name, what in state.items() if what != "undecided" and name in before]
    led = {edit.file_name: edit.kind for edit in _decisions(images)}
    kinds = Counter(led[one.file_name] if led.get(one.file_name) in KINDS else "" for one in decided)

    def count(what: str) -> list[Picture]:
        return [one for one in decided if state[one.file_name] == what]

    return CleaningReport(
        name=images.name,
        relabelled=dict(Counter((one.label, labels[one.file_name]) for one in count("relabelled"))),
        dropped=dict(Counter(one.label for one in count("dropped"))),
        kept=dict(Counter(one.label for one in count("kept"))),
        kinds={kind: kinds[kind] for kind in (*KINDS, "") if kinds[kind]},
        left=sum(what == "undecided" for what in state.values()),
        validation=sum(one.split == "valid" for one in (*count("relabelled"), *count("dropped"))),
        accuracy=accuracy,
    )


def described(
    suspects: Iterable[Suspect], labels: Mapping[str, str], before: Mapping[str, Picture], state: Mapping[str, str]
) -> list[dict[str, Any]]:
    """What the page needs to know of pictures; `labels` are those of now, by name."""
    return [
        {
            "name": one.file_name,
            "label": labels[one.file_name],
            "was": before[one.file_name].label if one.file_name in before else labels[one.file_name],
            "split": one.split,
            "state": state[one.file_name],
            "score": round(one.score, 3),
            "kind": one.kind,
            "reason": one.reason,
            "brief": " · ".join(BRIEFLY[kind] for kind in one.kinds),
            "predicted": one.predicted,
            "confidence": round(one.confidence, 3),
            "neighbours": [[name, labels[name]] for name in one.neighbours[:SHOWN_NEIGHBOURS] if name in labels],
        }
        for one in suspects
    ]


def still(
    name: str, pictures: Sequence[Mapping[str, Any]], thumbnails: Thumbnails, tally: Mapping[str, int],
    accuracy: Accuracy,
) -> dict[str, str]:  # fmt: skip
    """How far cleaning is and some pictures, by MIME type: as text, and as HTML that needs nothing from elsewhere."""
    lines = [
        f"Cleaner of {name!r}: {tally['looked_at']} looked at, {tally['left']} left, {tally['suspicious']} of them "
        "suspicious.",
        accuracy_in_words(accuracy),
    ]
    named = [f"  {one['name']}: {one['label']}, {one['state']}. {one['reason']}" for one in pictures]
    made = thumbnails(one["name"] for one in pictures)
    parts = []
    for one in pictures:
        data = base64.b64encode(made[one["name"]]).decode() if one["name"] in made else ""
        about = html.escape(f"{one['label']}, {one['state']}")
        parts.append(
            "<div style='width:150px;font-size:12px;line-height:1.35'>"
            f"<img src='data:image/jpeg;base64,{data}' alt='{about}' "
            "style='width:150px;height:112px;object-fit:contain;background:#8882;border-radius:4px;margin:0'>"
            f"<b>{html.escape(one['label'])}</b> · {html.escape(one['state'])}<br>{html.escape(one['reason'])}</div>"
        )
    said = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    shown = f"<div>{said}<div style='display:flex;flex-wrap:wrap;gap:8px'>{''.join(parts)}</div></div>"
    return {"text/html": shown, "text/plain": "\n".join(lines + named)}
