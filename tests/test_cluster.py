"""Grading on a Dask cluster: the marks of `--jobs`, whatever happens to a worker."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from demo_course import SHOUT, SQUARE, answered, hand_in, make_course, source_notebook

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}


def grading(course: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "tl_course.cli", "grade", "demo", "--course", str(course), "--json", *words],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT,
    )  # fmt: skip


def graded(running: "subprocess.Popen[str]") -> dict[str, object]:
    out, said = running.communicate(timeout=300)
    assert running.returncode == 0, said
    reports = json.loads(out)["submissions"]
    return {report["student"]: (report["marks"], report["status"], report["mended"]) for report in reports}


def hide_bubblewrap() -> None:
    os.environ["PATH"] = "/nowhere"


def test_a_cluster_gives_the_marks_of_jobs_though_workers_are_killed_and_none_without_isolation_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distributed = pytest.importorskip("distributed")
    from tl_course.grading.course import assign

    monkeypatch.setenv("TL_COURSE_CACHE", str(tmp_path / "cache"))
    ENVIRONMENT["TL_COURSE_CACHE"] = str(tmp_path / "cache")
    course = make_course(tmp_path / "course")
    for number in range(10):
        answers = {"shout": SHOUT} | ({"square": SQUARE} if number % 3 else {})
        folder = hand_in(course, f"s{number}", answered(course, **answers))
        (folder / "beside.txt").write_text(str(number))
    (course / "submitted" / "s1" / "demo" / "link").symlink_to("/etc/hostname")
    here = tmp_path / "here"
    shutil.copytree(course, here, symlinks=True)
    records = course / "reports" / "demo" / "students"
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, memory_limit=0, dashboard_address=":0") as cluster:
        running = grading(course, "--cluster", cluster.scheduler_address)
        for count in (2, 5):  # one worker is killed, later the other
            while running.poll() is None and len(list(records.glob("*.json"))) < count:
                time.sleep(0.01)
            os.kill(cluster.workers[count % 2].pid, signal.SIGKILL)
        there = graded(running)
        assert there == graded(grading(here, "--jobs", "2"))
        assert all((course / "autograded" / student / "demo" / "beside.txt").is_file() for student in there)
        assert not any((course / "reports" / "demo" / "cache").glob("*")), "the workers rehearse, not who asks them"
        kept = tmp_path / "cache" / "grading"
        assert len(list(kept.iterdir())) == 1, "one bundle a machine"

        nbformat.write(source_notebook("import json"), course / "source" / "demo" / "demo.ipynb")
        assign("demo", course=course)
        with distributed.Client(cluster) as client:
            client.run(hide_bubblewrap)
        refused = grading(course, "--cluster", cluster.scheduler_address)
        _, said = refused.communicate(timeout=120)
        assert refused.returncode == 1 and "has no isolation, so no submission is run there" in said
        assert not list(records.glob("*.json")), "nothing is graded where there is no isolation"
