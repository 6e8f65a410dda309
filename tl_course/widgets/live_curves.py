"""Curves that grow while a network trains, with pause, stop and keep-the-best; each click is a method."""

import base64
import html
import io
import math
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tl_course.errors import TLCourseError
from tl_course.models.history import History
from tl_course.widgets.busy import hear_widgets
from tl_course.widgets.look import Page, looks

if TYPE_CHECKING:
    from tl_course.widgets.live_callback import LiveCallback

__all__ = ["LiveCurves", "Run"]

AXES = ("epoch", "seconds", "pictures")
MOST = 400  # points of a run's training loss; with more, every other one goes
EVERY = 0.2  # seconds between two messages to the page
QUIET = 10.0  # seconds between two epochs that a screen reader is told of
_LOSSES = {"train_loss": "training loss", "valid_loss": "validation loss"}
_FALLING = ("loss", "error", "perplexity", "mse", "mae")  # scores that are better the lower they are


@dataclass
class Run:
    """One named run of a `LiveCurves`: its record, and where it is."""

    name: str
    history: History
    score: str = "valid_accuracy"  # the column of the history that says how good an epoch was
    state: str = "done"  # or "training", "paused", "stopped", "interrupted"
    planned: int = 0  # epochs
    stopping: bool = False
    best: int | None = None  # the row of `history` with the best score after an epoch
    points: list[list[float | None]] = field(default_factory=list)  # epochs, seconds, pictures, smoothed training loss
    every: int = 1  # batches between two points; by count, not by time, so that a run of milliseconds has its curve too
    sent: list[int] = field(default_factory=lambda: [-1, -1])  # points and rows; -1: the page does not know this run

    def value(self, row: int = -1) -> float:
        """The score of an epoch; NaN where it has none."""
        return self.history.epochs[row].get(self.score, math.nan)

    def better(self, row: int, than: int) -> bool:
        """Whether one row of the history has a better score than another; with the same, the lower loss decides."""
        sign = -1 if any(word in self.score for word in _FALLING) else 1
        merits = [(sign * self.value(i), -self.history.epochs[i].get("valid_loss", math.inf)) for i in (row, than)]
        return merits[0] > merits[1]

    def told(self, start: Sequence[int]) -> dict[str, Any]:
        """What the page has to know, with points and rows from these indices on."""
        columns = (*AXES, "train_loss", "valid_loss", self.score)
        rows = [[_sound(row.get(name)) for name in columns] for row in self.history.epochs[start[1] :]]
        return {
            "name": self.name, "state": self.state, "planned": self.planned, "best": self.best,
            "from": list(start), "points": self.points[start[0] :], "rows": rows,
        }  # fmt: skip


class LiveCurves(Page):
    """Loss and score of training runs as they train, one over the other, in the notebook and as a plain object.

    Show it as the value of a cell before something trains. Runs come from fastai callbacks, of any `Learner`::

        live = LiveCurves()
        learn.fit_one_cycle(4, cbs=live.callback("first try"))

    What is clicked on the page while a cell trains is done at once; so is what another thread calls. In an executed
    notebook, and once the kernel is gone, a still picture of the curves is in its place.

    Parameters
    ----------
    histories : mapping of str to History, optional
        Earlier runs to show beside those to come.
    x : {"epoch", "seconds", "pictures"}
        What the curves go by: passes over the training pictures, seconds of training, or pictures seen.
    keep_best : bool
        At the end of each fit, however it ends, bring back the weights of the epoch with the best validation score of
        the run. They are kept in memory, as one copy of the model, so that this can be switched until then.
    """

    _esm, _css = looks("live_curves")
    _may_ask = {"pause": set(), "resume": set(), "stop": set(), "set_x": {"x"}, "set_keep_best": {"on"}}  # noqa: RUF012

    def __init__(
        self, histories: Mapping[str, History] | None = None, *, x: str = "epoch", keep_best: bool = False
    ) -> None:
        self._lock = threading.RLock()  # clicks come in a thread of their own
        self._go = threading.Event()
        self._go.set()
        self._runs: dict[str, Run] = {}
        self._running: Run | None = None
        self._x, self._keep_best = _axis(x), bool(keep_best)
        self._sent = self._spoke = 0.0
        super().__init__()
        for name, history in (histories or {}).items():
            self.add(name, history)
        self.on_msg(self._message)

    # ---- looking -------------------------------------------------------------------------------------------------

    @property
    def histories(self) -> dict[str, History]:
        """The record of each run by its name, as `tl_course.plots.curves` takes them."""
        return {name: run.history for name, run in self._runs.items()}

    @property
    def training(self) -> str | None:
        """The name of the run that trains now."""
        return self._running.name if self._running else None

    @property
    def paused(self) -> bool:
        """Whether training waits, or will after the present batch."""
        return not self._go.is_set()

    @property
    def x(self) -> str:
        """What the curves go by; can be set."""
        return self._x

    @x.setter
    def x(self, x: str) -> None:
        self._x = _axis(x)
        self._push()

    @property
    def keep_best(self) -> bool:
        """Whether the best weights are brought back at the end of a fit; can be set, also while it trains."""
        return self._keep_best

    @keep_best.setter
    def keep_best(self, on: bool) -> None:
        self._keep_best = bool(on)
        self._push()

    def set_x(self, x: str) -> None:
        """Let the curves go by "epoch", "seconds" or "pictures"."""
        self.x = x

    def set_keep_best(self, on: bool) -> None:
        """Bring the best weights back at the end of a fit, or leave those of the last epoch."""
        self.keep_best = on

    # ---- runs ----------------------------------------------------------------------------------------------------

    def callback(self, name: str) -> "LiveCallback":
        """A fastai callback that shows the fits it is given to as one run of this name.

        The same callback in several fits, as of gradual unfreezing, goes on with the run. A new one of the same name
        takes the place of the earlier run as soon as it trains; another name keeps both.
        """
        from tl_course.widgets.live_callback import LiveCallback

        return LiveCallback(self, Run(str(name), History(str(name))))

    def add(self, name: str, history: History) -> None:
        """Show a run that has been recorded before, such as that of a frozen head."""
        self._runs[str(name)] = Run(str(name), history)
        self._push()

    # ---- while it trains -----------------------------------------------------------------------------------------

    def pause(self) -> None:
        """Wait after the present batch, without computing, until `resume` or `stop`."""
        if self._running is None:
            self._say("Nothing trains, so there is nothing to pause.")
            return
        self._go.clear()
        self._say(f"{self._running.name} pauses.")

    def resume(self) -> None:
        """Go on after a pause; and let runs that were stopped train again when they are fitted again."""
        for run in self._runs.values():
            run.stopping = False
        was_paused = self.paused
        self._go.set()
        if self._running is not None:
            self._running.state = "training"
            self._say(f"{self._running.name} goes on." if was_paused else f"{self._running.name} trains.")

    def stop(self) -> None:
        """End the run after the present epoch, as if no more had been asked for; a pause ends too.

        Further fits with the same callback end before they begin, as gradual unfreezing has them, until `resume`.
        """
        run = self._running
        if run is None:
            self._say("Nothing trains, so there is nothing to stop.")
            return
        run.stopping = True
        run.state = "training"
        self._go.set()
        self._say(f"{run.name} stops after this epoch.")

    # ---- what the callback says ----------------------------------------------------------------------------------

    def _began(self, run: Run, *, epochs: int) -> None:
        with self._lock:
            if self._runs.get(run.name) is not run:
                self._runs[run.name] = run
            if run.stopping:
                return
            rows = run.history.epochs
            run.planned = (int(rows[-1]["epoch"]) if rows else 0) + epochs
            run.state = "training"
            self._running = run
        self._spoke = time.monotonic()
        self._say(f"{run.name} trains.")

    def _point(self, run: Run, point: list[float]) -> None:
        with self._lock:
            run.points.append([_sound(value) for value in point])
        self._push(soon=True)

    def _held(self, run: Run) -> None:
        run.state = "paused"
        self._push()
        while not self._go.wait(EVERY):
            hear_widgets()

    def _epoch_ended(self, run: Run) -> bool:
        """Whether it is the best so far."""
        rows = run.history.epochs
        if not rows:
            return False
        best = not math.isnan(run.value()) and (run.best is None or run.better(-1, run.best))
        if best:
            run.best = len(rows) - 1
        if time.monotonic() - self._spoke > QUIET:
            self._spoke = time.monotonic()
            self._say(f"{run.name}: {_in_words(run, short=True)}.")
        else:
            self._push(soon=True)
        return best

    def _ended(self, run: Run, state: str, *, back: bool) -> None:
        with self._lock:
            run.state, self._running = state, None
            self._go.set()
        how = {"done": "has trained", "stopped": "was stopped", "interrupted": "was interrupted"}[state]
        told = f"{run.name} {how}: {_in_words(run, short=True)}." if run.history.epochs else f"{run.name} {how}."
        if back and run.best is not None:
            last = run.best == len(run.history.epochs) - 1
            best = "this" if last else f"epoch {run.history.epochs[run.best]['epoch']:g}, whose weights are back"
            told += f" The best was {best}."
        self._say(told)
        self._renew_still(at_once=True)  # a headless run is over before there is a calm moment

    # ---- the page ------------------------------------------------------------------------------------------------

    def _push(self, *, soon: bool = False) -> None:
        """Send what is new; with `soon`, unless something was sent just now: then the next message has it."""
        with self._lock:
            now = time.monotonic()
            if soon and now - self._sent < EVERY:
                return
            self._sent = now
            self.send({"state": self._told(), "runs": [self._news(run) for run in self._runs.values()]})

    def _news(self, run: Run) -> dict[str, Any]:
        anew = min(run.sent) < 0
        news = run.told([0, 0] if anew else run.sent) | {"anew": anew}
        if thin := len(run.points) > MOST:
            run.points = run.points[1::2]
            run.every *= 2
        run.sent = [len(run.points), len(run.history.epochs)]
        return news | {"thin": thin}

    def _told(self) -> dict[str, Any]:
        scores = {run.score for run in self._runs.values()} or {"valid_accuracy"}
        return {
            "x": self._x,
            "score": _spoken(scores.pop()) if len(scores) == 1 else "score",
            "keep_best": self._keep_best,
            "training": self.training,
            "paused": self.paused,
            "stopping": bool(self._running and self._running.stopping),
            **self._said(),
        }

    def _message(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        asked = dict(content) if isinstance(content, dict) else {}
        do = asked.pop("do", None)
        if do == "show":  # a page that has just been opened, or has missed something
            with self._lock:
                for run in self._runs.values():
                    run.sent = [-1, -1]
                self._push()
            return
        self._shown(lambda: self._method(do, asked)(**asked))

    # ---- without a kernel ----------------------------------------------------------------------------------------

    def _still(self) -> dict[str, str]:
        lines = [f"{name}: {_in_words(run)}" for name, run in self._runs.items() if run.history.epochs]
        if not lines:
            lines = ["Nothing has trained here yet."]
        score = next((run.score for run in self._runs.values()), "valid_accuracy")
        figures = [self._drawn(column) for column in dict.fromkeys(("valid_loss", score))]
        words = "".join(f"<li>{html.escape(line)}</li>" for line in lines)
        side_by_side = "display:flex;flex-wrap:wrap;align-items:flex-start;gap:8px"
        page = f"<div style='{side_by_side}'>{''.join(figures)}</div><ul>{words}</ul>"
        return {"text/html": page, "text/plain": "\n".join(lines)}

    def _drawn(self, column: str) -> str:
        from tl_course import plots

        histories = {
            name: history
            for name, history in self.histories.items()
            if any(self._x in row and column in row for row in history.epochs)
        }
        if not histories:
            return ""
        data = io.BytesIO()
        plots.curves(histories, x=self._x, y=column).savefig(data, format="png", dpi=90)
        alt = html.escape(f"{_spoken(column)} by {self._x} of {', '.join(histories)}", quote=True)
        source = f"data:image/png;base64,{base64.b64encode(data.getvalue()).decode()}"
        return f"<img src='{source}' alt='{alt}' style='flex:1 1 300px;min-width:0;max-width:560px'>"


def _axis(x: str) -> str:
    if x not in AXES:
        raise TLCourseError(f"Curves do not go by {x!r}; they go by {', '.join(AXES)}.")
    return x


def _sound(value: float | None) -> float | None:
    """A number that JSON has."""
    return value if value is not None and math.isfinite(value) else None


def _spoken(column: str) -> str:
    return _LOSSES.get(column) or column.removeprefix("valid_").replace("_", " ")


def _in_words(run: Run, *, short: bool = False) -> str:
    """The last row; in short without losses where there is a score."""
    row = run.history.epochs[-1]
    scored = run.score in row and run.score != "valid_loss"
    said = [f"epoch {row['epoch']:.3g}"]
    if not (short and scored):
        said += [f"{words} {row[name]:.3f}" for name, words in _LOSSES.items() if name in row]
    if scored:
        form = f"{row[run.score]:.1%}" if run.score == "valid_accuracy" else f"{row[run.score]:.3f}"
        said.append(f"{_spoken(run.score)} {form}")
    return ", ".join([*said, f"{row['seconds']:.1f} s"])
