"""On a Dask cluster: lessons with what they leave, and the marks of `--jobs`, whatever happens to a worker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from demo_course import SHOUT, SQUARE, answered, hand_in, make_course, source_notebook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]


@pytest.fixture(scope="module")
def machines_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def cluster(machines_cache: Path) -> Iterator[Any]:
    """Two workers, which have an environment of their own."""
    distributed = pytest.importorskip("distributed")
    options: dict[str, Any] = {"threads_per_worker": 1, "memory_limit": 0, "dashboard_address": ":0"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TL_COURSE_CACHE", str(machines_cache))
        patch.setenv("WHERE_IT_RUNS", "on the cluster")
        with distributed.LocalCluster(n_workers=2, **options) as cluster:
            yield cluster


@pytest.fixture
def started(cluster: Any, machines_cache: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts a command as a person would beside the cluster."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "TL_COURSE_CACHE": str(machines_cache)}
    environment.pop("WHERE_IT_RUNS")

    def start(*words: object) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "tl_course.cli", *map(str, words), "--json"]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    return start


def graded(running: "subprocess.Popen[str]") -> dict[str, object]:
    out, said = running.communicate(timeout=300)
    assert running.returncode == 0, said
    reports = json.loads(out)["submissions"]
    return {report["student"]: (report["marks"], report["status"], report["mended"]) for report in reports}


def hide_bubblewrap() -> None:
    os.environ["PATH"] = "/nowhere"


def test_lessons_run_on_the_workers_and_what_they_leave_comes_back(
    cluster: Any, started: Callable[..., "subprocess.Popen[str]"], tmp_path: Path
) -> None:
    record = "import os\nfrom tl_course.notebooks.results import record\n"
    record += "record(where=os.environ.get('WHERE_IT_RUNS'), seed=seed)"
    for name, last in {"fine": "print('all of it')", "broken": "1 / 0"}.items():
        cells = [nbformat.v4.new_code_cell(source) for source in ("seed = 1", record, last)]
        cells[0].metadata.tags = ["parameters"]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    lessons = [tmp_path / "fine.ipynb", tmp_path / "broken.ipynb"]
    out = tmp_path / "out"
    running = started("run", *lessons, "--cluster", cluster.scheduler_address, "--param", "seed=7", "--out", out)
    said, problems = running.communicate(timeout=300)
    assert running.returncode == 1, problems
    fine, broken = json.loads(said)["lessons"]
    assert (fine["name"], fine["problems"], broken["name"]) == ("fine", [], "broken")
    assert fine["records"] == broken["records"] == {"where": "on the cluster", "seed": 7}
    assert "ZeroDivisionError" in broken["problems"][0]
    assert "all of it" in (out / "fine.html").read_text("utf-8") and "all of it" in Path(fine["notebook"]).read_text(
        "utf-8"
    )
    assert {path.name for path in out.iterdir()} == {
        "fine.ipynb", "fine.html", "broken.ipynb", "broken.html", "report.json"
    }  # fmt: skip


def test_a_cluster_gives_the_marks_of_jobs_though_workers_are_killed_and_none_without_isolation_is_used(
    cluster: Any, started: Callable[..., "subprocess.Popen[str]"], machines_cache: Path, tmp_path: Path
) -> None:
    import distributed

    from tl_course.grading.course import assign

    course = make_course(tmp_path / "course")
    for number in range(10):
        answers = {"shout": SHOUT} | ({"square": SQUARE} if number % 3 else {})
        folder = hand_in(course, f"s{number}", answered(course, **answers))
        (folder / "beside.txt").write_text(str(number))
    (course / "submitted" / "s1" / "demo" / "link").symlink_to("/etc/hostname")
    here = tmp_path / "here"
    shutil.copytree(course, here, symlinks=True)
    records = course / "reports" / "demo" / "students"
    there_words = ("grade", "demo", "--course", course, "--cluster", cluster.scheduler_address)
    running = started(*there_words)
    for count in (2, 5):  # one worker is killed, later the other
        while running.poll() is None and len(list(records.glob("*.json"))) < count:
            time.sleep(0.01)
        os.kill(cluster.workers[count % 2].pid, signal.SIGKILL)
    there = graded(running)
    assert there == graded(started("grade", "demo", "--course", here, "--jobs", "2"))
    assert all((course / "autograded" / student / "demo" / "beside.txt").is_file() for student in there)
    assert not any((course / "reports" / "demo" / "cache").glob("*")), "the workers rehearse, not who asks them"
    assert len(list((machines_cache / "grading").iterdir())) == 1, "one bundle a machine"

    nbformat.write(source_notebook("import json"), course / "source" / "demo" / "demo.ipynb")
    assign("demo", course=course)
    with distributed.Client(cluster) as client:
        client.run(hide_bubblewrap)
    refused = started(*there_words)
    _, said = refused.communicate(timeout=120)
    assert refused.returncode == 1 and "has no isolation, so no submission is run there" in said
    assert not list(records.glob("*.json")), "nothing is graded where there is no isolation"
