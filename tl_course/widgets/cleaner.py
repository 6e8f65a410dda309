"""Find what is wrong in a data set and decide what is right; each click and key is a method with the same name."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from operator import index
from pathlib import Path
from typing import Any

from tl_course.cleaning.issues import KINDS, Suspect, Suspects
from tl_course.data.edit_log import Edit, last_step, last_undone_step
from tl_course.data.imageset import ImageSet, Picture
from tl_course.errors import ImageSetError, TLCourseError
from tl_course.widgets.cleaner_page import (
    ALL,
    ASKED,
    STATES,
    Accuracy,
    CleaningReport,
    baseline,
    described,
    reported,
    states,
    still,
    tallied,
    unranked,
)
from tl_course.widgets.look import Page, looks, many
from tl_course.widgets.thumbnails import Thumbnails

__all__ = ["Accuracy", "Cleaner", "CleaningReport"]

Which = Picture | Suspect | str
Several = Which | Iterable[Which] | None

MOST = 96  # pictures a page


class Cleaner(Page):
    """The pictures of a data set, most suspicious first, on a page in the notebook and as a plain object.

    Every decision is in the journal beside the set at once: it survives closing, and any later session can undo it.
    After each one the head trains anew on kept features, and ranking, tally and accuracy follow. The page that is shown
    keeps its order meanwhile; what comes after it is ranked anew when the page is turned, all of it by `retrain`.

    Methods that take pictures take one or several, by file name or as objects that have one; None means those that are
    selected, or else the one in focus. What is done to several at once is one step for `undo`.

    Parameters
    ----------
    images : ImageSet or path
        A set of one's own: one that is shared is not edited, and `ImageSet.copy_to` makes a copy.
    backbone : str or Path
        Whose features to look at: timm's name, or the folder of a classifier that you have trained and saved.
    device : {"auto", "cpu", "cuda"}
        Where to compute features that are not kept yet.
    page_size : int
        How many pictures a page shows, 1 to 96.

    Raises
    ------
    ImageSetError
        The set is shared, or cannot be opened.
    """

    _esm, _css = looks("picking", "cleaner")
    _may_ask = ASKED

    def __init__(
        self,
        images: ImageSet | str | Path,
        *,
        backbone: str | Path = "tf_efficientnet_lite0",
        device: str = "auto",
        page_size: int = 24,
    ) -> None:
        if not 1 <= page_size <= MOST:
            raise ImageSetError(f"{page_size} pictures a page were asked for; a page shows 1 to {MOST}.")
        self._images = images if isinstance(images, ImageSet) else ImageSet.open(images)
        self._images.check_editable()
        self._images.refresh()
        self.page_size = page_size
        self._thumbnails = Thumbnails(self._images.root, side=160)
        self._views = Thumbnails(self._images.root, side=640, keep=60)
        self._found = Suspects(self._images, backbone=backbone, device=device, progress=True)
        self._known: dict[str, Suspect] = {}  # the last that was said of a picture, dropped ones too
        self._ranked: list[Suspect] = []
        self._accuracy = Accuracy(math.nan, math.nan, math.nan, 0)
        self._trained_before: tuple[dict[str, Picture], float] = {}, math.nan
        self._tally: dict[str, int] = {}  # empty: to be counted
        self._filter = {"label": ALL, "split": ALL, "kind": ALL, "state": STATES[0]}
        self._order: list[str] = []
        self._stale = True  # something has been decided or ranked since it was ordered
        self._page = self._reached = 1  # pages up to the one reached keep their order
        self._focus, self._left = "", ""  # `_left` had the focus until a filter hid it
        self._selected: list[str] = []
        self._moved = self._chosen_anew = 0  # so that the page sees what the kernel did by itself
        self._asked_by_page = False
        super().__init__()
        self._follow()
        self._score()
        self._arrange()
        self._push()
        self._look_ahead()
        self.on_msg(self._message)

    # ---- looking -------------------------------------------------------------------------------------------------

    @property
    def images(self) -> ImageSet:
        """The data set as it is now."""
        return self._images

    @property
    def suspects(self) -> list[Suspect]:
        """All live pictures as ranked after the last edit, the most suspicious first."""
        return list(self._ranked)

    @property
    def tally(self) -> dict[str, int]:
        """How many pictures were looked at, relabelled, dropped, kept; how many are left, and suspicious among them."""
        self._tally = self._tally or tallied(self._states, self._ranked)
        return dict(self._tally)

    @property
    def accuracy(self) -> Accuracy:
        """Cross-validated; and on the validation split by its labels before any edit, before and now."""
        return self._accuracy

    @property
    def labels(self) -> list[str]:
        """Labels in the order of their digits, also those that no picture has any more."""
        return sorted({one.label for one in self._before.values()} | set(self._images.labels))

    @property
    def pages(self) -> int:
        """How many pages what the filter lets through fills."""
        return max(1, -(-len(self._order) // self.page_size))

    @property
    def focus(self) -> str:
        """File name of the picture in focus; empty where the filter lets none through."""
        return self._focus

    @property
    def selected(self) -> list[str]:
        """File names of the selected pictures."""
        return list(self._selected)

    def page(self, number: int | None = None) -> list[Suspect]:
        """Turn to a page, counted from 1, or the nearest that there is; its pictures are returned.

        What lies behind the pages that were shown is ranked anew first. With None nothing is turned.
        """
        if number is not None:
            try:
                number = index(number)
            except TypeError:
                raise ImageSetError(f"{number!r} is no page; there is 1 to {self.pages}.") from None
            if number > self._reached and self._stale:
                self._arrange(keep=self._reached)
            self._page = min(max(1, number), self.pages)
            self._reached = max(self._reached, self._page)
            self._unselect()
            self._left = ""
            self._go((self._on_page() or [""])[0])
            if self._asked_by_page:  # and will ask for these next: one journey less
                self._give("thumbnails", self._thumbnails(self._on_page()))
            self._push()
            self._look_ahead()
        return [self._known[name] for name in self._on_page()]

    def look(self, picture: Which) -> None:
        """Move the focus to a picture, and to its page."""
        name = self._name(picture)
        if not self._shown_of([name]):
            return
        self._left = ""
        self._page = self._order.index(name) // self.page_size + 1
        self._reached = max(self._reached, self._page)
        self._focus = name
        if not self._asked_by_page:  # the page is there already
            self._moved += 1
            self._push()

    def select(self, picture: Several = ()) -> None:
        """Select these pictures instead of those that were selected; none by default.

        All on this page: ``cleaner.select(cleaner.page())``.
        """
        self._selected = self._shown_of(self._names(picture))
        if not self._asked_by_page:
            self._chosen_anew += 1
            self._push()

    def filter(
        self, *, label: str | None = None, split: str | None = None, kind: str | None = None, state: str | None = None
    ) -> list[Suspect]:
        """Show only some of the pictures, ranked anew; what is None stays as it is, "all" lets all through.

        The focus stays on its picture, or comes back to it when a later filter shows it again.

        Parameters
        ----------
        label
            As it is now.
        split : {"train", "valid", "test", "all"}
        kind
            One of `tl_course.cleaning.issues.KINDS`.
        state : {"undecided", "relabelled", "dropped", "kept", "all"}

        Raises
        ------
        ImageSetError
            There is no such label, split, kind or state.
        """
        there = {"label": self.labels, "split": self._splits(), "kind": KINDS, "state": STATES}
        wanted = {"label": label, "split": split, "kind": kind, "state": state}
        for name, value in wanted.items():
            if value is not None and value not in (ALL, *there[name]):
                raise ImageSetError(f"{value!r} is no {name} to filter by; there is {', '.join(there[name])}, {ALL}.")
        self._refresh()
        self._filter |= {name: value for name, value in wanted.items() if value is not None}
        self._unselect()
        self._arrange()
        self._push()
        return self.page()

    # ---- deciding ------------------------------------------------------------------------------------------------

    def relabel(self, picture: Several, label: str, *, why: str = "", new_label: bool = False) -> None:
        """Give pictures another label, dropped ones too; the label that one has already keeps it.

        ``new_label=True`` allows a label that no picture has yet.
        """
        if label not in self.labels and not new_label:
            raise ImageSetError(
                f"{label!r} is no label of {self._images.name}, which has {self.labels}. Pass new_label=True if you "
                "mean to add it."
            )
        self._decide(picture, f"labelled {label!r}", self._labelling(label), why)

    def drop(self, picture: Several = None, *, why: str = "") -> None:
        """Take pictures out of the set; their files stay."""
        self._decide(picture, "dropped", self._images.drop, why)

    def keep(self, picture: Several = None, *, why: str = "") -> None:
        """Put on record that pictures are right as they are; dropped ones come back."""
        self._decide(picture, "kept", self._labelling(None), why)

    def restore(self, picture: Several = None, *, why: str = "") -> None:
        """Bring dropped pictures back, undecided or with the label that they were given."""
        names = self._names(picture)
        self._refresh()
        if not (gone := [name for name in names if self._states[name] == "dropped"]):
            raise ImageSetError("Only dropped pictures are restored. Undo takes any decision back.")
        self._decide(gone, "restored", self._images.restore, why)

    def undo(self) -> list[Edit]:
        """Take the last step back, of whichever session, and return the edits that did so.

        A step is undone whole, and nothing else is. Where two clean one set at a time, the last may be the other's.
        """
        return self._back_or_forth(self._images.undo(), "undo", "Undone")

    def redo(self) -> list[Edit]:
        """Do again what was undone last, of whichever session, and return the edits that did so."""
        return self._back_or_forth(self._images.redo(), "redo", "Done again")

    def retrain(self) -> None:
        """Read the journal again, rank everything anew, and turn to the first page."""
        self._refresh()
        self._left = ""
        self._score()
        self._arrange()
        self.page(1)
        self._say("Ranked anew.")

    def report(self) -> CleaningReport:
        """What was changed so far, in whichever session, and what it did to the accuracy."""
        self._refresh()
        return reported(self._images, self._before, self._states, self._accuracy)

    # ---- underneath ----------------------------------------------------------------------------------------------

    def _decide(self, picture: Several, done: str, edit: Callable[..., None], why: str) -> None:
        names = self._names(picture)
        if not names:
            raise ImageSetError("There is no picture to decide on: none is selected, and the filter lets none through.")
        self._images.refresh()
        try:
            with self._images.together():
                for name in names:
                    one, known = self._images[name], self._known.get(name)
                    kind, reason = (known.kind, known.reason) if known and known.kind else ("", "")
                    edit(one, why=why or reason, kind=kind)
        finally:
            self._follow()
            self._unselect()
        self._advance(names)
        self._say(f"{names[0] if len(names) == 1 else many(len(names))} {done}.")
        self._catch_up()

    def _labelling(self, label: str | None) -> Callable[..., None]:
        def edit(one: Picture, **led: str) -> None:
            self._images.restore(one, **led)
            if label in (None, one.label):
                self._images.keep(one, **led)
            else:
                self._images.relabel(one, label, **led, new_label=True)

        return edit

    def _back_or_forth(self, done: list[Edit], what: str, said: str) -> list[Edit]:
        self._follow()
        if not done:
            self._say(f"Nothing is left to {what}.")
            return done
        name = done[-1].file_name
        hidden = not self._passes(name)
        if not hidden and name not in self._order:  # an earlier session's: it has to be seen
            self._order.insert((self._page - 1) * self.page_size, name)
        if name in self._order:
            self._page = self._order.index(name) // self.page_size + 1
            self._reached = max(self._reached, self._page)
            self._go(name)
        names = list(dict.fromkeys(edit.file_name for edit in done))
        what = name if len(names) == 1 else many(len(names))
        about = []
        if len(names) == 1:
            about = [self._states.get(name, "")]
            about += [repr(self._images[name].label)] * (about != ["dropped"])
        if hidden and name not in self._order:
            about.append("the filter hides it" if len(names) == 1 else "the filter hides some")
        told = f" ({', '.join(about)})" if about else ""
        self._say(f"{said}: {what}{told}.")
        if said.startswith("Done"):
            self._unselect()
            self._advance(names)
        elif self._asked_by_page and len(names) > 1:  # so that another key can decide on the same ones
            self._selected = [name for name in self._on_page() if name in names]
            self._chosen_anew += 1
        self._catch_up()
        return done

    def _catch_up(self) -> None:
        """Train and rank after what was decided is on the page already."""
        self._score()
        self._push()

    def _refresh(self) -> None:
        """See what another cleaner, or anyone, wrote into the journal."""
        self._images.refresh()
        if len(self._images.journal) != self._followed:
            self._follow()
            self._score()

    def _follow(self) -> None:
        """What the journal says now."""
        journal = self._images.journal
        self._followed = len(journal)
        self._back, self._forth = bool(last_step(journal)), bool(last_undone_step(journal))
        self._before = baseline(self._images)
        self._states = states(self._images, self._before)
        self._tally, self._stale = {}, True
        self._labels = {one.file_name: one.label for one in [*self._images, *self._images.dropped]}

    def _score(self) -> None:
        with suppress(TLCourseError):  # nothing to compare, such as when all are dropped: the page says what is left
            self._ranked = self._found.rank()
            self._known |= {one.file_name: one for one in self._ranked}
            self._tally, self._stale = {}, True
        self._known |= unranked(self._images, self._known)
        test = {name: one.label for name, one in self._before.items() if one.split == "valid"}
        if self._trained_before[0] != self._before:
            train = {name: one.label for name, one in self._before.items() if one.split == "train"}
            self._trained_before = self._before, self._found.tried(train, test)
        now = self._found.tried({one.file_name: one.label for one in self._images.train}, test)
        self._accuracy = Accuracy(self._found.accuracy, self._trained_before[1], now, len(test))

    def _passes(self, name: str) -> bool:
        known, wanted = self._known[name], self._filter
        return (
            wanted["state"] in (ALL, self._states[name])
            and wanted["label"] in (ALL, self._labels[name])
            and wanted["split"] in (ALL, known.split)
            and wanted["kind"] in (ALL, *known.kinds)
        )

    def _arrange(self, keep: int = 0) -> None:
        """Order what passes the filter, the most suspicious first, behind the first `keep` pages."""
        kept = self._order[: keep * self.page_size]
        there = set(kept)
        ranked = [one.file_name for one in self._ranked if self._states[one.file_name] != "dropped"]
        ranked += [one.file_name for one in self._images.dropped]  # these come last
        self._order = kept + [name for name in ranked if name not in there and self._passes(name)]
        self._stale = False
        if keep:
            return
        for name in (self._left, self._focus):
            if name in self._order:
                self._page = self._order.index(name) // self.page_size + 1
                self._go(name)
                self._left = ""
                break
        else:
            self._left = self._left or self._focus
            self._page = 1
            self._go(self._order[0] if self._order else "")
        self._reached = self._page

    def _look_ahead(self) -> None:
        """Have the next page's thumbnails ready when it is turned to."""
        self._thumbnails.prepare(self._on_page(self._page + 1))

    def _on_page(self, number: int = 0) -> list[str]:
        number = number or self._page
        return self._order[(number - 1) * self.page_size : number * self.page_size]

    def _go(self, name: str) -> None:
        self._focus = name
        self._moved += 1

    def _advance(self, names: Sequence[str]) -> None:
        """Focus on the next undecided picture of the page; the page does so by itself where it asked."""
        shown = self._on_page()
        at = max((shown.index(name) for name in names if name in shown), default=-1)
        if (following := [name for name in shown[at + 1 :] + shown[: at + 1] if self._states[name] == STATES[0]]) and (
            at >= 0
        ):
            self._left = ""
            self._focus = following[0]
            self._moved += not self._asked_by_page

    def _unselect(self) -> None:
        self._selected = []
        self._chosen_anew += not self._asked_by_page  # the page did so by itself

    def _name(self, picture: Which) -> str:
        name = getattr(picture, "file_name", picture)
        if not isinstance(name, str):
            raise ImageSetError(f"{picture!r} is no picture: give one, or its name as in .file_name.")
        return self._images[name].file_name

    def _names(self, picture: Several) -> list[str]:
        if picture is None:
            return self.selected or ([self._focus] if self._focus else [])
        several = [picture] if isinstance(picture, str) or not isinstance(picture, Iterable) else picture
        return list(dict.fromkeys(self._name(one) for one in several))

    def _shown_of(self, names: list[str]) -> list[str]:
        """These names where the filter shows them; an ImageSetError where it hides one."""
        hidden = set(names).difference(self._order)
        if hidden and not self._asked_by_page:  # the page asked before it knew of the filter
            raise ImageSetError(f"The filter hides {min(hidden)!r}. Widen it first: cleaner.filter(state='all').")
        return [name for name in names if name not in hidden]

    def _splits(self) -> list[str]:
        there = {one.split for one in self._before.values()}
        return [split for split in ("train", "valid", "test") if split in there]

    def _push(self) -> None:
        """Show the present state."""
        shown = [self._known[name] for name in self._on_page()]
        accuracy = {name: None if math.isnan(value) else value for name, value in vars(self._accuracy).items()}
        self._state = {
            "title": self._images.root.name,
            "labels": self.labels,
            "splits": self._splits(),
            "kinds": list(KINDS),
            "states": list(STATES),
            "filter": dict(self._filter),
            "page": self._page,
            "pages": self.pages,
            "count": len(self._order),
            "pictures": described(shown, self._labels, self._before, self._states),
            "focus": self._focus,
            "moved": self._moved,
            "selected": self.selected,
            "chosen": self._chosen_anew,
            "tally": self.tally,
            "accuracy": accuracy,
            "undo": self._back,
            "redo": self._forth,
            **self._said(),
        }

    # ---- what the page asks for ----------------------------------------------------------------------------------

    def _message(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        asked = dict(content) if isinstance(content, dict) else {}
        self._asked_by_page = True
        self._shown(lambda: self._obey(asked.pop("do", None), asked))
        self._asked_by_page = False

    def _obey(self, do: object, asked: dict[str, Any]) -> None:
        if do in ("thumbnails", "view") and isinstance(asked.get("names"), list):
            names = [str(name) for name in asked["names"][: MOST if do == "thumbnails" else 1]]
            self._give(do, (self._thumbnails if do == "thumbnails" else self._views)(names))
            return
        answer = self._method(do, asked)(**asked)
        if isinstance(answer, CleaningReport):
            self.send({"report": answer._repr_html_()})

    def _give(self, what: str, made: dict[str, bytes]) -> None:
        self.send({what: list(made)}, list(made.values()))

    # ---- without a kernel ----------------------------------------------------------------------------------------

    def _still(self) -> dict[str, str]:
        shown = [self._known[name] for name in self._on_page()[:8]]
        pictures = described(shown, self._labels, self._before, self._states)
        return still(self._images.name, pictures, self._thumbnails, self.tally, self._accuracy)
