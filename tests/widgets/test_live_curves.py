"""Live curves without a browser: any Learner is followed, held, ended; a page hears each thing once."""

import _thread
import signal
import threading
import time
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
import torch
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy, error_rate, mae
from torch import nn

from tl_course.errors import TLCourseError
from tl_course.models import History
from tl_course.training import Recording
from tl_course.widgets import LiveCurves, live_curves


class Slow(Callback):
    """Batches that take so long."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds

    def before_batch(self) -> None:
        time.sleep(self.seconds * self.training)


class Whole:
    """What a page knows: as live_curves.js puts it together."""

    def __init__(self, live: LiveCurves) -> None:
        self.live, self.messages, self.runs = live, [], {}
        live.send = self.hear  # type: ignore[method-assign]
        live._handle_custom_msg({"do": "show"}, [])

    def hear(self, message: dict[str, Any], buffers: object = None) -> None:
        self.messages.append((time.monotonic(), message))
        for news in message["runs"]:
            if news["anew"]:
                self.runs[news["name"]] = {"points": [], "rows": []}
            run = self.runs[news["name"]]
            assert [len(run["points"]), len(run["rows"])] == news["from"], "nothing twice, nothing missed"
            run["points"] += news["points"]
            run["rows"] += news["rows"]
            if news["thin"]:
                run["points"] = run["points"][1::2]
            run["state"] = news["state"]


@pytest.fixture
def learner() -> Callable[..., Learner]:
    def make(*, metrics: Any = accuracy, cbs: Any = None, n: int = 64, regress: bool = False) -> Learner:
        random = torch.Generator().manual_seed(0)
        x = torch.randn(n, 4, generator=random)
        y = x.sum(1, keepdim=True) if regress else (x.sum(1) > 0).long()
        items = list(zip(x, y, strict=True))
        dls = DataLoaders.from_dsets(items, items[: n // 2], bs=8, device="cpu", num_workers=0)
        torch.manual_seed(0)
        loss = nn.MSELoss() if regress else nn.CrossEntropyLoss()
        learn = Learner(dls, nn.Linear(4, 1 if regress else 2), loss_func=loss, metrics=metrics, cbs=cbs)
        learn.logger = lambda row: None
        return learn

    return make


def test_runs_of_any_learner_are_followed(learner: Callable[..., Learner]) -> None:
    live = LiveCurves()
    page = Whole(live)
    learn = learner()
    there = list(learn.cbs)
    callback = live.callback("mine")
    learn.fit(2, lr=0.1, cbs=callback)
    learn.fit(1, lr=0.1, cbs=callback)
    learner().fit(1, cbs=live.callback("other"))
    assert list(learn.cbs) == there, "the Learner is left as it was"
    assert live.training is None
    assert [row["epoch"] for row in live.histories["mine"].epochs] == [0, 1 / 8, 1, 2, 3]
    assert [row["pictures"] for row in live.histories["mine"].epochs] == [0, 8, 64, 128, 192]
    assert list(page.runs) == list(live.histories) == ["mine", "other"]
    last = live.histories["mine"].epochs[-1]
    columns = ("epoch", "seconds", "pictures", "train_loss", "valid_loss", "valid_accuracy")
    assert page.runs["mine"]["rows"][-1] == [last[name] for name in columns]
    assert f"{live.histories['other'].epochs[-1]['valid_accuracy']:.1%}" in live.status

    learner().fit(1, cbs=live.callback("mine"))
    assert len(live.histories["mine"].epochs) == 3, "the same name anew takes the place of the run before"


def test_the_record_of_a_learner_that_keeps_one_is_shown(learner: Callable[..., Learner]) -> None:
    history = History("fine-tune")
    live = LiveCurves({"before": History("frozen", [{"epoch": 1, "seconds": 2.0, "valid_accuracy": 0.5}])})
    learner(cbs=Recording(history)).fit(2, cbs=live.callback("now"))
    assert live.histories["now"] is history
    assert [row["epoch"] for row in history.epochs] == [0, 1 / 8, 1, 2], "each row once"
    assert list(live.histories) == ["before", "now"]


@pytest.mark.parametrize(
    ("metrics", "column"), [(error_rate, "valid_accuracy"), (mae, "valid_mae"), (None, "valid_loss")]
)
def test_other_metrics_have_their_own_names(learner: Callable[..., Learner], metrics: Any, column: str) -> None:
    live = LiveCurves(keep_best=True)
    learn = learner(metrics=metrics, regress=metrics is mae)
    learn.fit(3, lr=0.01, cbs=live.callback("run"))
    rows = live.histories["run"].epochs
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    best = (max if column == "valid_accuracy" else min)(row[column] for row in rows)
    loss, *scores = learn.validate()
    now = {"valid_accuracy": lambda: 1 - scores[0], "valid_mae": lambda: scores[0], "valid_loss": lambda: loss}[
        column
    ]()
    assert now == pytest.approx(best, abs=1e-6)
    assert live_curves._spoken(column) in live._repr_mimebundle_()[0]["text/plain"]


def test_the_best_weights_come_back(learner: Callable[..., Learner]) -> None:
    class Ruin(Callback):
        order = 99

        def after_epoch(self) -> None:
            weights.append(self.learn.model.weight.detach().clone())
            self.learn.model.weight.data.neg_()

    for keep in (True, False):
        weights: list[torch.Tensor] = []
        live = LiveCurves()
        live.keep_best = keep
        learn = learner(cbs=Ruin())
        learn.fit(4, lr=0.05, cbs=live.callback("run"))
        scores = [(row["valid_accuracy"], -row["valid_loss"]) for row in live.histories["run"].epochs[2:]]
        best = scores.index(max(scores))
        assert best < 3, "or this shows nothing"
        assert torch.equal(learn.model.weight.detach(), weights[best] if keep else -weights[-1])
        assert (f"epoch {best + 1}, whose weights are back" in live.status) == keep


def test_stop_ends_the_run_and_what_would_follow(learner: Callable[..., Learner]) -> None:
    live = LiveCurves()
    live.stop()
    assert "Nothing trains" in live.status
    learn, callback = learner(cbs=Slow(0.01)), live.callback("run")
    threading.Timer(0.15, live.stop).start()
    learn.fit(50, cbs=callback)
    epochs = live.histories["run"].epochs
    assert 1 <= epochs[-1]["epoch"] < 40 and epochs[-1]["epoch"] == int(epochs[-1]["epoch"]), "a whole epoch"
    assert "was stopped" in live.status
    n = len(epochs)
    before = learn.model.weight.detach().clone()
    learn.fit(2, cbs=callback)
    assert len(epochs) == n and torch.equal(learn.model.weight, before)
    live.resume()
    learn.fit(1, cbs=callback)
    assert len(epochs) == n + 1


def test_a_pause_holds_training_and_its_clock_at_no_cost(learner: Callable[..., Learner]) -> None:
    live = LiveCurves()
    page = Whole(live)
    training = threading.Thread(target=learner(cbs=Slow(0.005)).fit, args=(4,), kwargs={"cbs": live.callback("run")})
    began = time.monotonic()
    training.start()
    while live.training is None:
        time.sleep(0.01)
    live.pause()
    while page.runs["run"]["state"] != "paused":
        time.sleep(0.01)
    messages, used = len(page.messages), time.process_time()
    time.sleep(0.8)
    assert live.paused and training.is_alive()
    assert len(page.messages) == messages
    assert time.process_time() - used < 0.2
    live.resume()
    training.join(10)
    assert live.histories["run"].epochs[-1]["epoch"] == 4
    assert live.histories["run"].epochs[-1]["seconds"] < time.monotonic() - began - 0.8, "it counts no pause"


def test_an_interrupt_ends_a_pause_and_the_training(learner: Callable[..., Learner]) -> None:
    live = LiveCurves()
    page = Whole(live)

    def interrupt() -> None:
        while live.training is None:
            time.sleep(0.01)
        live.pause()
        while page.runs["run"]["state"] != "paused":
            time.sleep(0.01)
        _thread.interrupt_main()

    learn = learner(cbs=Slow(0.01))
    there = list(learn.cbs)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # where tests run in the background it is ignored
    threading.Thread(target=interrupt).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            learn.fit(50, cbs=live.callback("run"))
    finally:
        signal.signal(signal.SIGINT, before)
    assert live.training is None and not live.paused
    assert page.runs["run"]["state"] == "interrupted" and "was interrupted" in live.status
    assert list(learn.cbs) == there
    learn.fit(1, cbs=live.callback("again"))
    assert live.histories["again"].epochs[-1]["epoch"] == 1


def test_the_page_hears_little_and_seldom(learner: Callable[..., Learner], monkeypatch: pytest.MonkeyPatch) -> None:
    live = LiveCurves()
    page = Whole(live)
    began = time.monotonic()
    learner(cbs=Slow(0.002)).fit(30, cbs=live.callback("run"))
    took = time.monotonic() - began
    assert len(page.messages) <= 5 * took + 4

    monkeypatch.setattr(live_curves, "EVERY", 0.0)
    monkeypatch.setattr(live_curves, "MOST", 20)
    run = live_curves.Run("long", History("long"))
    live._runs["long"] = run
    for n in range(1, 500):
        if n % run.every == 0:
            live._point(run, [n, n, n, 1.0])
    assert page.runs["long"]["points"] == run.points and len(run.points) <= 21
    steps = [point[0] for point in run.points]
    assert steps == list(range(run.every, 500, run.every)), "evenly, to the end"


def test_a_run_of_milliseconds_is_drawn_whole(learner: Callable[..., Learner]) -> None:
    live = LiveCurves()
    early = Whole(live)
    learn = learner()
    learn.fit(3, cbs=live.callback("fast"))
    batches = 3 * len(learn.dls.train)
    assert len(early.runs["fast"]["points"]) == batches and early.runs["fast"]["rows"][-1][0] == 3
    late = Whole(live)  # a page that is drawn when all is over
    assert late.runs == early.runs and early.runs["fast"]["points"][-1][0] == 3
    assert "fast: epoch 3" in live._still()["text/plain"]


def test_what_cannot_be_asked_for_is_refused() -> None:
    live = LiveCurves()
    with pytest.raises(TLCourseError, match="epoch, seconds, pictures"):
        live.x = "parsecs"
    live._handle_custom_msg({"do": "set_x", "x": "pictures"}, [])
    assert live.x == "pictures"
    live._handle_custom_msg({"do": "set_keep_best", "on": True}, [])
    assert live.keep_best
    live._handle_custom_msg({"do": "callback", "name": "x"}, [])
    assert "not done here" in live.status


def test_without_a_kernel_a_still_picture_remains(learner: Callable[..., Learner]) -> None:
    live = LiveCurves()
    assert "Nothing has trained" in live._repr_mimebundle_()[0]["text/html"]
    learner().fit(1, cbs=live.callback("a < b"))
    shown = live._repr_mimebundle_()[0]
    assert "application/vnd.jupyter.widget-view+json" in shown
    assert shown["text/html"].count("data:image/png;base64,") == 2
    assert "a &lt; b: epoch 1, training loss" in shown["text/html"] and "http" not in shown["text/html"]


TRAIN = """import torch, warnings
warnings.simplefilter('ignore')
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy
items = [(torch.randn(4), torch.tensor(i % 2)) for i in range(16)]
dls = DataLoaders.from_dsets(items, items, bs=8, device='cpu', num_workers=0)
learn = Learner(dls, torch.nn.Linear(4, 2), loss_func=torch.nn.CrossEntropyLoss(), metrics=accuracy)
learn.fit(2, cbs=live.callback('mine'))"""


@pytest.mark.slow
def test_an_executed_notebook_holds_the_last_figure() -> None:
    from nbclient import NotebookClient

    cells = ["from tl_course.widgets import LiveCurves\nlive = LiveCurves()\nlive", TRAIN]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    NotebookClient(notebook, timeout=120).execute()
    # A cell that takes long on a busy machine says so in an output of its own.
    page, still = (
        one
        for one in notebook.cells[0].outputs
        if one.data.get("text/html", "").startswith(("<span>", '<div class="tl-still'))
    )
    assert "application/vnd.jupyter.widget-view+json" in page.data and page.data["text/html"] == "<span></span>"
    assert still.data["text/html"].count("data:image/png;base64,") == 2
    assert "mine: epoch 2" in still.data["text/plain"]


HEAR = """import time
from tl_course.widgets import LiveCurves
from tl_course.widgets.busy import hear_widgets
live = LiveCurves()
print('comm', live.comm.comm_id, flush=True)
for _ in range(200):
    time.sleep(0.05)
    hear_widgets()
    if live.x == 'pictures':
        break
print('heard' if live.x == 'pictures' else 'deaf')"""


@pytest.mark.slow
def test_where_there_are_no_subshells_a_busy_kernel_listens() -> None:
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel()
    try:
        client.execute(HEAR)
        said = ""
        while "comm" not in said:
            message = client.get_iopub_msg(timeout=30)
            said = message["content"].get("text", "")
        data = {"method": "custom", "content": {"do": "set_x", "x": "pictures"}}
        client.shell_channel.send(client.session.msg("comm_msg", {"comm_id": said.split()[1], "data": data}))
        client.execute("print('and after it', live.x)")  # waits for its turn, and has it
        texts = []
        while not any("after it" in text for text in texts):
            texts.append(client.get_iopub_msg(timeout=30)["content"].get("text", ""))
        assert "heard" in "".join(texts).split()
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
