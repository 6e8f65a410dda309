"""The headless runner, tried on small notebooks that go wrong in all the ways that lessons do."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from tl_course.core import cores
from tl_course.errors import LessonError
from tl_course.notebooks import files, find_lessons, lab, open_lab, parse_parameters, run_lessons, runner
from tools.clean_notebooks import clean, faults

pytestmark = pytest.mark.slow  # nearly every test starts a kernel

PARAMETERS = 'source = "rendered"  # a=b\nseed: int = 1'


def write(path, *cells, budget=None, parameters=PARAMETERS, tags=()):
    """Write a notebook: a cell tagged `parameters`, then code cells; `tags` are those of the last."""
    notebook = nbformat.v4.new_notebook()
    notebook.metadata.kernelspec = {"name": "someone-elses", "display_name": "Someone else's", "language": "python"}
    if budget is not None:
        notebook.metadata.tl_course = {"budget": budget}
    notebook.cells = [nbformat.v4.new_markdown_cell("# A lesson"), nbformat.v4.new_code_cell(parameters)]
    notebook.cells[1].metadata.tags = ["parameters"]
    notebook.cells += [nbformat.v4.new_code_cell(cell) for cell in cells]
    notebook.cells[-1].metadata.tags = notebook.cells[-1].metadata.get("tags", []) + list(tags)
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    return path


def started_by(marker):
    """Processes whose environment has the marker: everything that a test's run has started, wherever it hangs now."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TLC_TEST") == marker and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return [process for process in found if process.pid != os.getpid()]


@pytest.fixture
def marker(monkeypatch):
    name = f"{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setenv("TLC_TEST", name)
    yield name
    for process in started_by(name):
        process.kill()


PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"  # one white pixel
WIDGET = """
from IPython.display import display
display({"application/vnd.jupyter.widget-view+json": {"model_id": "x", "version_major": 2, "version_minor": 0},
         "application/javascript": "alert(1)",
         "text/html": "<b>a still picture</b>", "text/plain": "Widget()"}, raw=True)
import ipywidgets
ipywidgets.IntSlider()
"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """One call over several lessons: what went well and what went wrong."""
    folder = tmp_path_factory.mktemp("a folder {with braces}")
    kernels = folder / "jupyter" / "kernels" / "python3"
    kernels.mkdir(parents=True)
    (kernels / "kernel.json").write_text(
        json.dumps({"argv": ["/bin/false"], "display_name": "x", "language": "python"})
    )
    good = write(
        folder / "good.ipynb",
        "from tl_course.notebooks.results import record\nimport os, sys, numpy as np\n"
        "record(accuracy=0.5, seed=seed, python=sys.executable, here=os.getcwd())",
        WIDGET,
        "block = b'x' * 300_000_000\nimport matplotlib\nrecord(figures=str(matplotlib.get_backend()))",
        "record(accuracy=np.float32(0.9375), source=source)",
        budget={"seconds": 600, "memory_mb": 3000, "accuracy": 0.9},
    )
    write(folder / "fails.ipynb", "def f():\n    return 1 / 0", "# here\nf()")
    write(folder / "dies.ipynb", "import os", "os._exit(0)")
    write(folder / "asks.ipynb", "name = input('Your name? ')")
    write(folder / "expected.ipynb", "1 / 0", tags=["raises-exception"])
    write(
        folder / "wasteful.ipynb",
        "from tl_course.notebooks.results import record\nrecord(accuracy=0.5)",
        budget={"seconds": 0.5, "memory_mb": 1, "accuracy": 0.9},
    )
    write(folder / "silent.ipynb", "1", budget={"accuracy": 0.9})
    long = folder / ("d" * 100)
    long.mkdir()
    names = ["good", "fails", "dies", "asks", "expected", "wasteful", "silent"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("JUPYTER_PATH", str(folder / "jupyter"))
        patch.setenv("MPLBACKEND", "agg")
        patch.setattr(tempfile, "tempdir", str(long))  # longer than a socket's path may be
        report = run_lessons(
            [good, *(f"{name}.ipynb" for name in names[1:])],
            parameters={"seed": 7},
            source=Path("my photos"),
            out="out",
        )
    report.out = folder / "out"
    return report


def by_name(report, name):
    return next(run for run in report.lessons if run.name == name)


def test_a_lesson_that_passes_is_recorded_measured_and_kept(runs):
    run = by_name(runs, "good")
    assert run.ok, str(run)
    assert run.records == {
        "accuracy": 0.9375,
        "seed": 7,
        "python": sys.executable,
        "here": str(runs.out.parent),
        "figures": "module://matplotlib_inline.backend_inline",
        "source": "my photos",
    }
    assert 300 < run.peak_mb < 1000
    assert run.seconds > 0.5 and run.notes == []
    executed = nbformat.read(runs.out / "good.ipynb", as_version=4)
    assert executed.cells[2].metadata.tags == ["injected-parameters"]


def test_html_copy_loads_nothing_and_shows_the_still_picture_of_a_widget(runs):
    page = (runs.out / "good.html").read_text(encoding="utf-8")
    assert "<b>a still picture</b>" in page
    assert "accuracy: 0.9375" in page
    assert "Widget()</pre>" not in page and "<script" not in page
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)\s*=\s*[\"']?(?!data:)[^\"'>\s]*", page)
    assert not re.findall(r"url\([\"']?https?:|@import|\bimport\s.*https?:", page)


def test_a_failing_cell_shows_its_source_and_error(runs):
    run = by_name(runs, "fails")
    assert run.problems == ["cell 4 of 4 failed with ZeroDivisionError: division by zero"]
    assert run.error["source"] == "# here\nf()" and "\x1b" not in run.error["traceback"]
    text = str(runs)
    assert "    # here\n    f()\n" in text and "return 1 / 0" in text
    executed = nbformat.read(runs.out / "fails.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].ename == "ZeroDivisionError"


def test_dead_kernels_and_questions_are_failures_that_name_their_cell(runs):
    dies, asks = by_name(runs, "dies"), by_name(runs, "asks")
    assert (
        dies.error["ename"] == "DeadKernelError" and dies.error["source"] == "os._exit(0)" and dies.error["cell"] == 3
    )
    assert "out of memory, or the cell ended it" in dies.problems[0]
    assert asks.error["ename"] == "StdinNotImplementedError"


def test_an_error_that_a_lesson_shows_on_purpose_is_no_failure(runs):
    assert by_name(runs, "expected").ok


SHOWS = {
    # A cell that goes on although something failed, and what must be said about it; None where nothing has failed.
    """class Broken:
    def _repr_mimebundle_(self, **_):
        raise AttributeError("'VBox' object has no attribute '_repr_mimebundle_'")
display(Broken())""": "AttributeError: 'VBox' object has no attribute '_repr_mimebundle_'",
    """class Shy:
    def _ipython_display_(self):
        raise ValueError("not today")
display(Shy())""": "ValueError: not today",
    "try:\n    1 / 0\nexcept ZeroDivisionError:\n    traceback.print_exc()": "ZeroDivisionError: division by zero",
    "try:\n    {}['a b']\nexcept KeyError:\n    print(traceback.format_exc())": "KeyError: 'a b'",
    "try:\n    [][1]\nexcept IndexError:\n    text = traceback.format_exc()\ntext": "IndexError: list index",
    "HTML('<pre>' + html.escape(text).replace(' ', '&nbsp;').replace('\\n', '<br>') + '</pre>')": "IndexError: list",
    """def f():
    raise OSError('in a thread')
thread = threading.Thread(target=f)
thread.start()
thread.join()""": "OSError: in a thread",
    "import logging\nlogging.warning('%d', 'x')": "TypeError: %d format",
    "!python -c 'import nothing_of_this_name'": "ModuleNotFoundError: No module named",
    "caught = widgets.Output()\nwith caught:\n    1 % 0": "ZeroDivisionError: ",
    "@widgets.interact(x=3)\ndef f(x):\n    raise ValueError(f'at {x}')": "ValueError: at 3",
    "button = widgets.Button()\nbutton.on_click(lambda _: [].pop())\nbutton.click()": "IndexError: pop from empty list",
    "note = widgets.HTML()\nwidgets.VBox([note])": None,
    "note.value = f'<pre>{text}</pre>'": "IndexError: list index out of range",
    "sys.stderr.write('Traceback (most recent')\nprint('between', flush=True)\n"
    "print(' call last):\\n  File \"x\", line 3\\nOSError: in pieces', file=sys.stderr)": "OSError: in pieces",
    "print('Read a Traceback (most recent call last) from its end. No Error is a shame.', file=sys.stderr)": None,
    "Markdown('`Traceback (most recent call last):` is how it begins.')": None,
    "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n    print('ZeroDivisionError:', error)": None,
    "print(text)\nclear_output()": None,
    # The last: what fails when the cell is over, and the notebook too.
    """def late():
    time.sleep(0.1)
    raise OSError('late')
threading.Thread(target=late).start()""": "OSError: late",
}


def test_errors_and_tracebacks_in_any_output_fail_a_lesson_that_went_on(tmp_path):
    imports = (
        "import html, sys, threading, time, traceback\nimport ipywidgets as widgets\n"
        "from IPython.display import HTML, Markdown, clear_output"
    )
    path = write(tmp_path / "shows.ipynb", imports, *SHOWS)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source = 'Traceback (most recent call last):\n  File "x", line 3\nValueError: in a text'
    on_purpose = nbformat.v4.new_code_cell("print(text)\ndisplay(Broken())\n1 / 0")
    on_purpose.metadata.tags = ["raises-exception"]
    notebook.cells.insert(-1, on_purpose)
    nbformat.write(notebook, path)
    (run,) = run_lessons([path], out=tmp_path / "out").lessons
    assert not run.ok and run.error["stopped"] is False
    assert run.error["cell"] == 3 and run.error["source"] == next(iter(SHOWS)) and run.error["traceback"]
    said = {int(re.match(r"cell (\d+) of 24 shows an error: ", problem)[1]): problem for problem in run.problems}
    assert len(said) == len(run.problems), "each once"
    for number, cell in enumerate(notebook.cells[3:], start=4):
        expected = SHOWS.get(cell.source)
        assert (number not in said) if expected is None else expected in said.get(number, ""), cell.source


def test_pages_show_pasted_images_under_any_spelling_and_the_text_of_missing_ones(tmp_path, monkeypatch):
    kept, other = {"image/png": PNG}, {"image/png": "bm8="}
    cells = [
        ("![blank](attachment:my%20photo.png)", {"my photo.png": kept, "other.png": other}),
        ("![bracketed](<attachment:my photo (1).png>)", {"my photo (1).png": kept}),
        ("![encoded](attachment:my%20photo.png)", {"my%20photo.png": kept}),
        ("![twice](attachment:my%2520photo.png)", {"my%20photo.png": kept}),
        ("![umlaut](attachment:T%C3%BCr%5B1%5D.png)", {"Tu\u0308r[1].png": kept}),
        ("![amp](attachment:R&D.png 'title')", {"R&D.png": kept}),
        ('<img alt="html" src="attachment:my photo.png" width="30">', {"my photo.png": kept}),
        ("![drawing](attachment:d.svg)", {"d.svg": {"image/svg+xml": PNG}}),
        ("![gone & away](attachment:nowhere.png)", {"my photo.png": kept}),
        ("![empty](attachment:e.png)", {"e.png": {}}),
        ("![](attachment:no%20name.png)", None),
    ]
    path = write(tmp_path / "a_photo.ipynb", "1")
    notebook = nbformat.read(path, as_version=4)
    for source, attachments in cells:
        notebook.cells.append(nbformat.v4.new_markdown_cell(source))
        if attachments is not None:
            notebook.cells[-1].attachments = attachments
    nbformat.write(notebook, path)
    report = run_lessons([path, write(tmp_path / "b_next.ipynb", "2")], out=tmp_path / "out")
    assert report.ok
    page = (tmp_path / "out" / "a_photo.html").read_text(encoding="utf-8")
    assert page.count(PNG) == 8 and "attachment:" not in page
    for alternative in ("blank", "bracketed", "encoded", "twice", "umlaut", "amp", "html", "drawing"):
        assert f'alt="{alternative}"' in page
    for text in ("gone &amp; away", "empty", "no name.png"):
        assert f"<em>{text} (this image is missing)</em>" in page


def test_a_page_that_cannot_be_made_costs_neither_the_other_lessons_nor_the_report(tmp_path, monkeypatch):
    def only_the_second(notebook, *, title):
        if title == "a":
            raise RecursionError("too deep")
        return "a page"

    monkeypatch.setattr(runner, "to_html", only_the_second)
    report = run_lessons([write(tmp_path / "a.ipynb", "1"), write(tmp_path / "b.ipynb", "2")], out=tmp_path / "out")
    assert report.lessons[0].problems == ["ran, but no page could be made of it: RecursionError: too deep"]
    assert report.lessons[0].html is None and report.lessons[1].ok
    assert [run["html"] for run in json.loads((tmp_path / "out" / "report.json").read_text("utf-8"))["lessons"]] == [
        *(None, str(tmp_path / "out" / "b.html"))
    ]


def test_broken_budgets_fail_in_plain_words_and_time_is_only_said(runs):
    run = by_name(runs, "wasteful")
    (slow,) = run.notes
    assert re.match(r"was slow: \d+ s, where a quiet machine of two cores takes 0.5 s. This machine: \d+ cores, ", slow)
    assert f"wasteful {slow}" in str(runs).splitlines()
    memory, accuracy = run.problems
    assert memory.startswith("held ") and memory.endswith("its budget is 1 MB")
    assert accuracy == "reached an accuracy of 0.500; its budget asks for 0.9"
    assert by_name(runs, "silent").problems == ["recorded no accuracy; its budget asks for at least 0.9"]


WORK = """
import random
from PIL import Image, ImageFilter
for _ in range({}):
    image = Image.effect_noise((400, 400), 60).filter(ImageFilter.GaussianBlur(3)).resize((900, 900))
    words = sorted((str(random.random()) for _ in range(20_000)), key=hash)
"""


def test_cpu_seconds_are_held_against_the_machine_on_an_overloaded_one_too(tmp_path):
    """What a run reports as CPU seconds and factor is a budget that a busy machine keeps, and double work breaks."""
    path = write(tmp_path / "measured.ipynb", WORK.format(60), budget={"cpu_seconds": 1000})
    (run,) = run_lessons([path], out=tmp_path / "out").lessons
    assert run.ok and run.factor and run.cpu_seconds > 1
    budget = {"cpu_seconds": run.cpu_seconds / run.factor}
    lessons = [write(tmp_path / f"{n}.ipynb", WORK.format(n), budget=budget) for n in (60, 120)]
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(cores())]
    try:
        report = run_lessons(lessons, out=tmp_path / "out", enforce_budgets=True)
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()
    once, twice = report.lessons
    assert once.ok, once.problems
    (problem,) = twice.problems
    assert re.match(r"used \d+ CPU seconds, where \d+ are expected .*; 1.5 times as many are allowed$", problem)
    assert once.busy_elsewhere > 0.3 * cores() and report.to_json()["cores"] == cores()


def test_a_child_that_has_ended_counts_with_its_cpu_seconds(tmp_path):
    burn = "import time\nwhile time.process_time() < 2: pass"
    ended = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])"
    left = f"subprocess.Popen([sys.executable, '-c', {burn!r}], start_new_session=True).wait()"
    (run,) = run_lessons([write(tmp_path / "a.ipynb", ended, left)], out=tmp_path / "out").lessons
    assert run.ok and 4 < run.cpu_seconds < 8


def test_a_machine_that_cannot_be_measured_fails_no_learner_but_whoever_enforces(tmp_path, monkeypatch):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "torch.py").write_text("raise ImportError('no torch today')")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path / "broken"), *sys.path]))
    path = write(tmp_path / "a.ipynb", "import os\nprint(os.environ['TL_COURSE_CACHE'])", budget={"cpu_seconds": 50})
    (run,) = run_lessons([path], out=tmp_path / "out").lessons
    assert run.ok and run.factor is None
    (run,) = run_lessons([path], out=tmp_path / "out", enforce_budgets=True).lessons
    assert run.problems == [
        "could not be held to its CPU seconds: this machine's speed is not known (ImportError: no torch today)"
    ]
    printed = nbformat.read(run.notebook, as_version=4).cells[-1].outputs[0].text
    assert printed.strip() != os.environ["TL_COURSE_CACHE"], "a first run is what a budget is for"


def test_report_as_table_and_json(runs):
    assert not runs.ok
    lines = runs.table().splitlines()
    assert lines[0].split() == [
        *("lesson", "result", "seconds", "CPU", "s", "factor", "peak", "MB", "accuracy", "look", "at")
    ]
    assert "passed" in lines[1] and "0.938" in lines[1] and lines[1].endswith(str(Path("out/good.html")))
    assert "FAILED" in lines[2]
    kept = json.loads((runs.out / "report.json").read_text(encoding="utf-8"))
    assert [run["ok"] for run in kept["lessons"]] == [True, False, False, False, True, False, False]
    assert kept["versions"]["papermill"] and kept["ok"] is False
    assert kept == json.loads(json.dumps(runs.to_json()))


STUBBORN = """
import ctypes, signal, subprocess, sys, time
subprocess.Popen(["sleep", "600"], start_new_session=True)
subprocess.Popen(["sh", "-c", "sleep 600 & exit"])
print("on its way", flush=True)
time.sleep(600)
"""


def test_a_cell_past_its_limit_fails_and_its_processes_go(tmp_path, marker):
    report = run_lessons([write(tmp_path / "slow.ipynb", STUBBORN)], out=tmp_path / "out", cell_timeout=2)
    assert report.lessons[0].problems == [
        "cell 3 of 3 failed with CellTimeoutError: this cell was not done after 2 s, the limit for a cell"
    ]
    assert "on its way" in (tmp_path / "out" / "slow.html").read_text(encoding="utf-8")
    assert started_by(marker) == []


def test_a_lesson_past_its_limit_fails_even_where_nothing_answers(tmp_path, marker, monkeypatch):
    monkeypatch.setattr(runner, "GRACE", 1)
    cells = [
        "import os, signal, subprocess",
        "subprocess.Popen(['sleep', '600'])\nos.kill(os.getppid(), signal.SIGSTOP)",
    ]
    report = run_lessons([write(tmp_path / "stuck.ipynb", *cells)], out=tmp_path / "out", timeout=5)
    assert "the lesson was not done after 5 s" in report.lessons[0].problems[0]
    assert started_by(marker) == []
    assert nbformat.read(tmp_path / "out" / "stuck.ipynb", as_version=4).cells[2].execution_count


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_stopping_the_command_leaves_no_process_behind(tmp_path, marker, number):
    write(tmp_path / "slow.ipynb", f"open('going', 'w').close()\n{STUBBORN}" if number != signal.SIGKILL else
          "open('going', 'w').close()\nimport time; time.sleep(600)", budget={"cpu_seconds": 1000})  # fmt: skip
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"  # ignored in the background
    code = f"{heard}; from tl_course.notebooks import run_lessons; run_lessons(['slow.ipynb'])"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment, stderr=subprocess.PIPE)
    wait_for((tmp_path / "going").exists)
    assert len(started_by(marker)) >= 4  # with what measures the machine's speed beside it
    command.send_signal(number)
    _, stderr = command.communicate(timeout=20)
    assert command.returncode == {signal.SIGINT: -2, signal.SIGTERM: 143, signal.SIGKILL: -9}[number], stderr
    wait_for(lambda: not started_by(marker), seconds=5 if number == signal.SIGKILL else 0.5)


def wait_for(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": {"sead": 3}}, r"a has no parameter 'sead'. Did you mean 'seed'\? There are: source, seed."),
        ({"lessons": ["b.ipynb"]}, "There is no notebook b.ipynb"),
        ({"lessons": ["nonsense"]}, "There is no lesson 'nonsense' in lessons. There are: 01_birds, 02_cats, 02_dogs."),
        ({"lessons": ["02"]}, "could be any of 02_cats, 02_dogs"),
        ({"lessons": ["plain.ipynb"], "source": "x"}, "plain has no parameter 'source'. There are: none."),
        ({"lessons": ["odd.ipynb"]}, "The budget of odd says minutes = 3"),
        ({"lessons": ["broken.ipynb"]}, "broken.ipynb is not a notebook that can be read"),
        ({"lessons": ["a.ipynb", "sub/a.ipynb"]}, "have the same name"),
        ({"out": "."}, "would overwrite a.ipynb itself"),
        ({"out": "a.ipynb/out"}, "Results cannot be written to"),
    ],
)
def test_what_cannot_be_run_is_refused_before_anything_runs(tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(runner, "_watched", lambda *_: pytest.fail("a lesson was started"))
    for name in ("a", "sub/a", "lessons/01_birds", "lessons/02_cats", "lessons/02_dogs"):
        write(tmp_path / f"{name}.ipynb", "1")
    write(tmp_path / "plain.ipynb", "1", parameters="")
    write(tmp_path / "odd.ipynb", "1", budget={"minutes": 3})
    (tmp_path / "broken.ipynb").write_text("{")
    with pytest.raises(LessonError, match=message):
        run_lessons(**{"lessons": ["a.ipynb"], **options})


def test_device_is_for_the_lessons_that_have_one_and_budgets_can_be_left_aside(tmp_path, monkeypatch):
    used = {"errors": [], "seconds": 100, "cpu_seconds": 10, "busy_elsewhere": 0, "peak_bytes": 10**9}
    monkeypatch.setattr(runner, "_watched", lambda *_: used)
    with_device = write(tmp_path / "a.ipynb", "1", parameters="device = 'auto'", budget={"memory_mb": 900})
    lessons = [with_device, write(tmp_path / "b.ipynb", "1")]
    report = run_lessons(lessons, device="cpu", out=tmp_path / "out", enforce_budgets=False)
    assert report.ok
    assert [run.parameters for run in report.lessons] == [{"device": "cpu"}, {}]
    assert [run.ok for run in run_lessons(lessons, out=tmp_path / "out").lessons] == [False, True]


def test_lessons_are_found_here_then_where_the_package_came_from(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(files, "SHIPPED", tmp_path / "package" / "lessons")
    monkeypatch.setattr(files, "checkout", lambda: None)
    with pytest.raises(LessonError, match="There are no lessons here"):
        find_lessons()
    shipped = write(tmp_path / "package/lessons/01_birds.ipynb", "1")
    assert find_lessons() == find_lessons("01") == [shipped]
    write(tmp_path / "lessons/01_birds.ipynb", "1")
    write(tmp_path / "lessons/02_cats.ipynb", "1")
    assert find_lessons() == [Path("lessons/01_birds.ipynb"), Path("lessons/02_cats.ipynb")]
    assert find_lessons(["02", "02_cats"]) == [Path("lessons/02_cats.ipynb")]


def test_parameters_from_a_command_line():
    pairs = ["n=3", "lr=1e-3", "flip=true", "none=None", "source=../my photos", "text='007'", "eq=a=b", "labels=['no']"]
    assert parse_parameters(pairs) == {
        "n": 3,
        "lr": 0.001,
        "flip": True,
        "none": None,
        "source": "../my photos",
        "text": "007",
        "eq": "a=b",
        "labels": ["no"],
    }
    with pytest.raises(LessonError, match="name=value"):
        parse_parameters(["seed 3"])


def test_lab_opens_the_checkouts_lessons_and_copies_shipped_ones_without_overwriting(tmp_path, monkeypatch, capsys):
    commands, settings = [], []

    def become(command, environment):
        commands.append(command[1:])
        settings.append(Path(environment["JUPYTER_CONFIG_PATH"].split(os.pathsep)[0]))

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(lab, "_become", become)
    for module in (files, lab):
        monkeypatch.setattr(module, "SHIPPED", tmp_path / "package" / "lessons")
    monkeypatch.setattr(files, "checkout", lambda: None)
    write(tmp_path / "package/lessons/01_birds.ipynb", "1")
    write(tmp_path / "package/lessons/02_cats.ipynb", "1")
    mine = tmp_path / "tl-course-lessons" / "02_cats.ipynb"
    mine.parent.mkdir()
    mine.write_text("my work")
    monkeypatch.setattr(os, "geteuid", lambda: 1000, raising=False)
    open_lab("01")
    assert commands == [["-m", "jupyterlab", str(Path("tl-course-lessons/01_birds.ipynb"))]]
    page = json.loads((settings[0] / "labconfig" / "page_config.json").read_text())
    assert page["disabledExtensions"] == {"@jupyter/nbgrader": True}  # its menus are for instructors
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    open_lab("01")
    assert commands.pop() == [*commands[0], "--allow-root"]
    assert mine.read_text() == "my work" and mine.with_name("01_birds.ipynb").exists()
    assert "Copied 1 " in capsys.readouterr().err
    write(tmp_path / "lessons/01_birds.ipynb", "1")
    open_lab()
    assert commands[1][2] == "lessons"


def test_cleaning_takes_out_what_a_run_left_and_keeps_what_the_author_wrote(tmp_path):
    path = write(tmp_path / "used.ipynb", "x=1\nx", budget={"seconds": 9})
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.widgets = {}
    cell = notebook.cells[-1]
    cell.outputs, cell.execution_count = [nbformat.v4.new_output("stream", text="hi")], 3
    cell.metadata.update(scrolled=True, nbgrader={"grade": False})
    cell.id = notebook.cells[0].id
    path.write_text(json.dumps(notebook))
    found = "\n".join(faults(path))
    for fault in (
        "kernel in its metadata",
        "stray metadata: widgets",
        "cell 2 has outputs",
        "cell 2 has an execution count",
        "cell 2 has no id of its own",
        "cell 2 has stray metadata: scrolled",
        "code cell 0 is not tagged 'install'",
        "not formatted",
    ):
        assert fault in found
    assert clean(path) is True
    assert faults(path, lesson=False) == []
    assert clean(path) is False
    cleaned = nbformat.read(path, as_version=4)
    assert cleaned.metadata.tl_course == {"budget": {"seconds": 9}}
    assert cleaned.cells[-1].metadata == {"nbgrader": {"grade": False}} and cleaned.cells[-1].source == "x = 1\nx"
