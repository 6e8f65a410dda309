"""Lessons on the workers of a Dask cluster, each in a process of its own there; what they leave comes back."""

import json
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from tl_course.core.clusters import connected
from tl_course.core.devices import cores
from tl_course.core.files import atomic_path
from tl_course.errors import LessonError
from tl_course.notebooks.files import find_lessons
from tl_course.notebooks.report import Report
from tl_course.notebooks.runner import run_lessons

__all__ = ["run_on_cluster"]


def run_on_cluster(
    lessons: Iterable[str | Path] = (), *, cluster: str, out: str | Path | None = None, **options: Any
) -> Report:
    """`run_lessons`, with the lessons side by side on a Dask cluster; paths in `options` mean what they mean there.

    A notebook travels by itself, without what lies beside it. One whose worker dies is run by another one, once.

    Raises
    ------
    LessonError
        As `run_lessons`; or there is no such scheduler, or workers were lost with a lesson twice.
    """
    paths = find_lessons(lessons)
    folder = Path(out if out is not None else "runs")
    report = Report(device=options.get("device", "auto"), out=folder)
    with connected(cluster, workers=min(len(paths), cores()), error=LessonError) as client:
        send = [(path.name, path.read_bytes(), options) for path in paths]
        futures = [client.submit(_run_here, *one, pure=False, retries=1) for one in send]
        folder.mkdir(parents=True, exist_ok=True)
        for path, future in zip(paths, futures, strict=True):
            try:
                done, files = future.result()
            except LessonError:
                raise
            except Exception as problem:
                raise LessonError(f"{path.stem} did not come back from the cluster: {problem}") from problem
            for name, content in files.items():
                with atomic_path(folder / name) as part:
                    part.write_bytes(content)
            places = {"notebook": folder / done.notebook.name, "html": done.html and folder / done.html.name}
            report.lessons.append(replace(done, **places))
            with atomic_path(folder / "report.json") as part:
                part.write_text(json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return report


def _run_here(name: str, notebook: bytes, options: dict[str, Any]) -> tuple[Any, dict[str, bytes]]:
    with tempfile.TemporaryDirectory(prefix="tl-lesson-") as work:
        path, out = Path(work) / name, Path(work) / "out"
        path.write_bytes(notebook)
        (run,) = run_lessons([path], out=out, **options).lessons
        return run, {file.name: file.read_bytes() for file in out.iterdir() if file.name != "report.json"}
