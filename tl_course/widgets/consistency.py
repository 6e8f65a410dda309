"""How consistently are the labels given? Ambiguous pictures, twice, shuffled; each key is a method of the same name."""

import base64
import html
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import traitlets

from tl_course.cleaning.agreement import (
    ANSWERS,
    CANNOT_TELL,
    NEITHER,
    Answer,
    ConsistencyReport,
    append_answer,
    consistency,
    order_for,
    read_answers,
)
from tl_course.cleaning.issues import Suspects
from tl_course.data.edit_log import append_line
from tl_course.data.imageset import ImageSet, Picture
from tl_course.errors import ImageSetError
from tl_course.widgets.look import Page, looks
from tl_course.widgets.thumbnails import Thumbnails

__all__ = ["Consistency"]

SERIES = "series"  # the key of the lines that say which pictures are asked
FEW = 12  # where nobody says how many
MOST = 200
BESIDES = {"neither": NEITHER, "cannot_tell": CANNOT_TELL}  # what can be answered besides labels, by method
ASKED = {
    "answer": {"label", "place"},
    "neither": {"place"},
    "cannot_tell": {"place"},
    "undo": set(),
    "set_person": {"who"},
    "set_rule": {"text"},
}


class Consistency(Page):
    """Label the most ambiguous pictures twice, one at a time, and see how far you agree with yourself and with others.

    Answers change no label: they go at once to ``answers.jsonl`` beside the data set, and whoever opens the set later
    goes on where they were. All people are asked about the same pictures, each in an order of their own; one that has
    been dropped from the set is passed over. Where no label fits, `neither` counts as one more label; `cannot_tell`
    sets the image aside (`tl_course.cleaning.agreement` says how both count). The rule by which labels are given is in
    view, and in ``rule.md``.

    Parameters
    ----------
    images : ImageSet or path
        A set of one's own: one that is shared is not written into.
    n : int, optional
        Go on with the newest series of the `n` most ambiguous pictures, 2 to 200, or begin one where there is none.
        None goes on with the newest series of all, and begins one of 12 pictures where there is none.
    who : str
        Whose answers these are; anything that tells people apart.
    rule : str, optional
        The rule in words; as it was where None.
    pictures : iterable of pictures or file names, optional
        Those to ask about, instead of the most ambiguous ones: always a new series, even of the same pictures.
    anew : bool
        Begin a new series of the most ambiguous pictures; the answers of those before stay on record.
    backbone, device : str or Path
        What finds the most ambiguous ones (`tl_course.cleaning.issues.Suspects`).

    Raises
    ------
    ImageSetError
        The set is shared, cannot be written, or has too few pictures or labels.
    """

    _esm, _css = looks("consistency")
    _may_ask = ASKED
    _view = traitlets.Bytes().tag(sync=True)

    def __init__(
        self,
        images: ImageSet | str | Path,
        *,
        n: int | None = None,
        who: str = "",
        rule: str | None = None,
        pictures: Iterable[Picture | str] | None = None,
        anew: bool = False,
        backbone: str | Path = "tf_efficientnet_lite0",
        device: str = "auto",
    ) -> None:
        if n is not None and not 2 <= n <= MOST:
            raise ImageSetError(f"{n} pictures were asked for; between 2 and {MOST} can be shown.")
        self._images = images if isinstance(images, ImageSet) else ImageSet.open(images)
        self._images.check_editable()
        if len(self._images.labels) < 2:
            raise ImageSetError(
                f"{self._images.name} has one label: there is nothing to decide. Add pictures of another."
            )
        self._path = self._images.root / ANSWERS
        self._views = Thumbnails(self._images.root, side=512, keep=60)
        self._thumbnails = Thumbnails(self._images.root, side=128)
        self.who = _plain(who)
        live = {picture.file_name for picture in self._images}
        series = None
        if pictures is not None:
            series = self._begin(self._named(pictures), None)
        elif not anew:
            fitting = (one for one in _read_series(self._path) if n in (None, one.n))
            series = next((one for one in fitting if len(live.intersection(one.pictures)) > 1), None)
        if series is None:
            series = self._begin(self._chosen(n or FEW, backbone, device), n or FEW)
        self._series = series
        self.pictures = [name for name in series.pictures if name in live]
        if rule is not None and rule.strip() != self.rule:
            self._images.write_rule(rule)
        super().__init__()
        self._push()
        self.on_msg(self._message)

    # ---- looking -------------------------------------------------------------------------------------------------

    @property
    def labels(self) -> list[str]:
        """Labels in the order of their digits."""
        return self._images.labels

    @property
    def rule(self) -> str:
        """The rule by which labels are given."""
        return self._images.rule

    @property
    def answers(self) -> list[Answer]:
        """What everybody answered about these pictures and did not take back, in order."""
        asked = set(self.pictures)
        return [one for one in read_answers(self._path) if one.series == self._series.name and one.file_name in asked]

    @property
    def next(self) -> str | None:
        """The file name of the picture that is asked about; None when all were answered twice."""
        left = self._left()
        return left[0][0] if left else None

    def report(self) -> ConsistencyReport:
        """Everybody beside themselves and beside each other, with the pictures on which one contradicted oneself."""
        return consistency(self.answers)

    # ---- answering -----------------------------------------------------------------------------------------------

    def answer(self, label: str) -> None:
        """Say what the picture is; the next one comes."""
        left = self._left()
        if not left:
            raise ImageSetError("All pictures were answered twice. See report(), or begin once more with anew=True.")
        if label not in (*self.labels, *BESIDES.values()):
            raise ImageSetError(f"{label!r} is no label of {self._images.name}, which has {self.labels}.")
        name, time = left[0]
        append_answer(
            self._path, Answer(who=self.who, file_name=name, time=time, label=label, series=self._series.name)
        )
        self._say(f"{label}." if len(left) > 1 else f"{label}. That was the last one.")

    def neither(self) -> None:
        """Say that no label fits the picture; the next one comes."""
        self.answer(NEITHER)

    def cannot_tell(self) -> None:
        """Set the picture aside, as one cannot tell what it shows; the next one comes."""
        self.answer(CANNOT_TELL)

    def undo(self) -> Answer | None:
        """Take back this person's last answer and ask again; None where there is none."""
        mine = [one for one in self.answers if one.who == self.who]
        if not mine:
            self._say("Nothing is left to undo.")
            return None
        last = mine[-1]
        taken_back = Answer(
            who=self.who, file_name=last.file_name, time=last.time, label="", series=self._series.name, undoes=last.id
        )
        append_answer(self._path, taken_back)
        self._say(f"Taken back: {last.label}.")
        return last

    def set_person(self, who: str) -> None:
        """Go on as another person, where they were."""
        self.who = _plain(who)
        self._say(f"Now {self.who or 'without a name'}.")

    def set_rule(self, text: str) -> None:
        """Write down the rule by which labels are given."""
        self._images.write_rule(text)
        self._say("The rule is kept in rule.md.")

    # ---- underneath ----------------------------------------------------------------------------------------------

    def _left(self) -> list[tuple[str, int]]:
        done = {(one.file_name, one.time) for one in self.answers if one.who == self.who}
        # The order of the whole series, so that it stays what it was when a picture is dropped.
        order = order_for(self._series.pictures, self.who)
        return [asked for asked in order if asked[0] in self.pictures and asked not in done]

    def _chosen(self, n: int, backbone: str | Path, device: str) -> list[str]:
        found = Suspects(self._images, backbone=backbone, device=device, progress=True).rank()
        good = [one for one in found if one.kind not in ("odd", "duplicate", "leak")] or found
        return [one.file_name for one in sorted(good, key=lambda one: (one.margin, one.file_name))[:n]]

    def _named(self, pictures: Iterable[Picture | str]) -> list[str]:
        names = list(dict.fromkeys(self._images[p if isinstance(p, str) else p.file_name].file_name for p in pictures))
        if not 2 <= len(names) <= MOST:
            raise ImageSetError(f"{len(names)} pictures were named; between 2 and {MOST} can be shown.")
        return names

    def _begin(self, names: list[str], n: int | None) -> "_Series":
        series = _Series(Answer(who="", file_name="", time=0, label="").id, names, n)
        line = json.dumps({SERIES: series.name, "pictures": names, "n": n}, ensure_ascii=False)
        try:
            append_line(self._path, line)
        except OSError as error:
            raise ImageSetError(f"{self._path} could not be written: {error.strerror}. Make room.") from None
        return series

    def _push(self) -> None:
        left, total = self._left(), 2 * len(self.pictures)
        place = total - len(left)
        report = self.report()
        self._view = self._views([left[0][0]]).get(left[0][0], b"") if left else b""
        self._state = {
            "folder": self._images.name,
            "who": self.who,
            "people": sorted({one.who for one in self.answers} - {""}),
            "labels": self.labels,
            "besides": {method: label for method, label in BESIDES.items() if label not in self.labels},
            "place": place,
            "total": total,
            "rule": self.rule,
            "report": [] if left else report.lines(),  # not before: it would sway who is still answering
            "contradictions": [] if left else self._contradictions(report),
            **self._said(),
        }

    def _contradictions(self, report: ConsistencyReport) -> list[dict[str, str]]:
        found = report.contradictions.get(self.who, [])[:24]
        small = self._thumbnails(name for name, _, _ in found)
        return [
            {
                "first": first,
                "second": second,
                "src": _source(small[name]),
            }
            for name, first, second in found
        ]

    # ---- what the page asks for ----------------------------------------------------------------------------------

    def _message(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        asked = dict(content) if isinstance(content, dict) else {}
        self._shown(lambda: self._obey(asked.pop("do", None), asked))

    def _obey(self, do: object, asked: dict[str, Any]) -> None:
        method = self._method(do, asked)
        if "place" in ASKED.get(str(do), ()) and asked.pop("place", None) != self._state["place"]:
            return  # a key that was held down, for a picture that nobody has seen yet
        method(**asked)

    # ---- without a kernel ----------------------------------------------------------------------------------------

    def _still(self) -> dict[str, str]:
        left = len(self._left())
        lines = [
            f"Consistency of {self._images.name!r}: {left} of {2 * len(self.pictures)} left.",
            *self._state["report"],
        ]
        shown = [(one["src"], f"first {one['first']}, then {one['second']}") for one in self._state["contradictions"]]
        if self._view:
            shown = [(_source(self._view), " or ".join(self.labels) + "?")]
        images = "".join(
            f"<figure style='margin:0 8px 8px 0'><img src='{source}' alt='{html.escape(words)}' "
            f"style='max-width:{256 if self._view else 128}px;border-radius:4px'>"
            f"<figcaption>{html.escape(words)}</figcaption></figure>"
            for source, words in shown
        )
        rule = f"<p><b>Rule:</b> {html.escape(self.rule)}</p>" if self.rule else ""
        page = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
        return {
            "text/html": f"<div>{page}{rule}<div style='display:flex;flex-wrap:wrap'>{images}</div></div>",
            "text/plain": "\n".join(lines),
        }


def _source(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"


def _plain(who: str) -> str:
    if not isinstance(who, str):
        raise ImageSetError(f"{who!r} is no name: give it as text, such as who='Ada'.")
    return " ".join(who.encode(errors="replace").decode().split())[:60]  # half a character cannot be written down


class _Series(NamedTuple):
    """Pictures that are asked about together."""

    name: str
    pictures: list[str]
    n: int | None  # how many of the most ambiguous ones they were to be; None where they were named


def _read_series(path: Path) -> Iterator[_Series]:
    """All that were begun, the newest first."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except OSError:
        return
    for line in reversed(lines):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(record, dict) and SERIES in record and isinstance(record.get("pictures"), list):
            names = [str(name) for name in record["pictures"]]
            yield _Series(str(record[SERIES]), names, record.get("n", len(names)))
