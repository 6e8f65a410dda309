"""The commands of ``tl-course`` that hand out, grade and give back assignments."""

import argparse
import json
from pathlib import Path
from typing import Any

from tl_course.cli.common import add_command, give

__all__ = ["add_grading"]

# Repeated here rather than imported: the help has to come at once.
PLATFORMS = ("canvas", "moodle", "blackboard", "brightspace", "github", "gradescope")


def add_grading(commands: Any, json_option: argparse.ArgumentParser) -> None:
    """Register the commands of grading."""
    course = argparse.ArgumentParser(add_help=False)
    course.add_argument("--course", metavar="DIR", default="assignments", help="the nbgrader course (./assignments)")
    one = add_command(commands, "assign", _assign, "make an assignment's version for students", course, json_option)
    one.add_argument("name", metavar="NAME", help="such as ps1_birds")
    _add_collect(commands, course, json_option)
    one = add_command(commands, "grade", _grade, "grade what was handed in: in parallel, isolated", course, json_option)
    one.add_argument("name", metavar="NAME", help="such as ps1_birds")
    one.add_argument("--jobs", type=int, metavar="N", help="submissions at a time (one for each core)")
    one.add_argument(
        "--isolation", choices=("auto", "bwrap", "container", "none"), default="auto", help="of each submission (auto)"
    )
    one.add_argument("--student", metavar="ID", help="only this one, even if nothing has changed")
    one.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="on a Dask cluster: its scheduler's address or file; local starts one",
    )
    one = add_command(
        commands, "feedback", _feedback, "write a page of marks and comments for each student", course, json_option
    )
    one.add_argument("name", metavar="NAME", help="such as ps1_birds")
    one.add_argument("--student", metavar="ID", help="only this one's")
    one = add_command(
        commands, "stats", _stats, "write a page on how an assignment went, question by question", course, json_option
    )
    one.add_argument("name", metavar="NAME", help="such as ps1_birds")
    one = add_command(
        commands, "alike", _alike, "list pairs of students whose answers are suspiciously alike", course, json_option
    )
    one.add_argument("name", metavar="NAME", help="such as ps1_birds")
    one = add_command(
        commands, "grades", _grades, "list all marks; one that is missing is left empty", course, json_option
    )
    one.add_argument("--csv", metavar="FILE", help="also write them as a table; with --for, where to")
    one.add_argument(
        "--for", dest="platform", choices=PLATFORMS, metavar="PLATFORM",
        help=f"write one assignment's as a platform imports them: {', '.join(PLATFORMS)}",
    )  # fmt: skip
    one.add_argument("--assignment", metavar="NAME", help="which, where there are several")
    one.add_argument("--template", metavar="FILE", help="what the platform exports, to be filled in")
    one.add_argument("--column", metavar="TITLE", help="what the assignment is called there (as here)")
    _add_roster(one)


def _add_collect(commands: Any, *parents: argparse.ArgumentParser) -> None:
    collect = add_command(
        commands, "collect", _collect, "collect what a platform lets you download into submitted/", *parents
    )
    collect.add_argument("name", metavar="NAME", help="such as ps1_birds")
    collect.add_argument("source", metavar="ARCHIVE", help="the zip, or folder, as the platform gives it")
    collect.add_argument(
        "--from", dest="platform", choices=PLATFORMS, metavar="PLATFORM",
        help=f"{', '.join(PLATFORMS)} (known by the names in it)",
    )  # fmt: skip
    _add_roster(collect)
    collect.add_argument(
        "--is", dest="known", action="append", default=[], metavar="WHAT=ID",
        help="whose a doubtful submission is; WHAT as it was listed; may be repeated",
    )  # fmt: skip
    collect.add_argument("--timezone", metavar="ZONE", help="of times without one, such as Europe/Berlin")
    collect.add_argument("--groups", action="store_true", help="what one hands in is the group's, by the column group")
    collect.add_argument("--replace", action="store_true", help="also replace where it is not certain what is newer")
    collect.add_argument("--dry-run", action="store_true", help="say what would be done, and change nothing")


def _add_roster(command: argparse.ArgumentParser) -> None:
    command.add_argument("--roster", metavar="FILE", help="the class list, as CSV (roster.csv in the course)")
    command.add_argument("--id", metavar="COLUMN", help="the roster's column with your ids (id, or else the login)")


def _collect(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from tl_course.errors import GradingError
    from tl_course.grading.platforms.collect import collect

    known = {}
    for text in options.known:
        what, _, student = text.rpartition("=")
        if not what or not student:
            raise GradingError(f"--is {text}: give what was listed and your id of the student: --is 'WHAT=ID'.")
        known[what] = student
    done = collect(
        options.name,
        Path(options.source),
        course=Path(options.course),
        roster=Path(options.roster) if options.roster else None,
        id_column=options.id,
        platform=options.platform,
        known=known,
        timezone=options.timezone,
        groups=options.groups,
        replace=options.replace,
        dry_run=options.dry_run,
    )
    give(options, asdict(done) | {"dry_run": options.dry_run}, done.summary(dry_run=options.dry_run))
    return 1 if done.doubtful else 0


def _assign(options: argparse.Namespace) -> int:
    from tl_course.grading.course import assign

    folder = assign(options.name, course=Path(options.course))
    give(
        options,
        {"folder": str(folder)},
        f"{folder}\nHand out what lies there; it has no solutions and no hidden tests.",
    )
    return 0


def _grade(options: argparse.Namespace) -> int:
    from tl_course.grading.batch.run import grade
    from tl_course.grading.pages.report import points

    batch = grade(
        options.name,
        course=Path(options.course),
        jobs=options.jobs,
        isolation=options.isolation,
        student=options.student,
        cluster=options.cluster,
        progress=not options.json,
    )
    lines = [f"isolation: {batch.isolation}; graded now: {len(batch.graded)} of {len(batch.submissions)}"]
    for one in batch.submissions:
        if one["status"] != "graded":
            lines += [f"{one['student']}: {points(one)}", *(f"  {sentence}" for sentence in one["look"])]
    lines.append(f"report: {batch.folder / 'report.html'}")
    values = {"isolation": batch.isolation, "graded": batch.graded, "seconds": round(batch.seconds, 2)}
    give(options, values | {"report": str(batch.folder), "submissions": batch.submissions}, "\n".join(lines))
    return 1 if any(one["status"] == "failed" for one in batch.submissions) else 0


def _feedback(options: argparse.Namespace) -> int:
    from tl_course.grading.course import feedback

    pages = feedback(options.name, course=Path(options.course), student=options.student)
    give(options, {"pages": [str(page) for page in pages]}, "\n".join(map(str, pages)))
    return 0


def _stats(options: argparse.Namespace) -> int:
    from tl_course.grading.pages.statistics import report

    page, numbers = report(options.name, course=Path(options.course))
    rows = [
        f"{item['name']}: difficulty {_number(item['difficulty'])}, discrimination {_number(item['discrimination'])}"
        for item in numbers["questions"]
    ]
    mean = f"mean {numbers['mean']:.0%}" if numbers["mean"] is not None else "nobody has all marks yet"
    lines = [f"submissions: {numbers['submissions']}, {mean}", *rows, str(page)]
    give(options, {"page": str(page)} | numbers, "\n".join(lines))
    return 0


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.2f}"


def _alike(options: argparse.Namespace) -> int:
    from tl_course.grading.similarity import report

    page, pairs = report(options.name, course=Path(options.course))
    lines = [f"{one.likeness:.0%}  {one.first}, {one.second}: {', '.join(one.cells)}" for one in pairs[:20]]
    lines.append(f"pairs for a person to look at: {len(pairs)}; {page}")
    found = [
        {"first": one.first, "second": one.second, "likeness": round(one.likeness, 3), "cells": list(one.cells)}
        for one in pairs
    ]
    give(options, {"page": str(page), "pairs": found}, "\n".join(lines))
    return 0


def _grades(options: argparse.Namespace) -> int:
    if options.platform:
        return _grades_for(options)
    from tl_course.grading.course import grades

    table = grades(course=Path(options.course))
    if options.csv:
        from tl_course.grading.platforms.export_marks import harmless

        table.map(lambda cell: harmless(cell) if isinstance(cell, str) else cell).to_csv(options.csv, index=False)
    rows = json.loads(table.to_json(orient="records"))
    table = table.astype({"score": float})  # also where all are missing: then they are left empty too
    text = table.to_string(index=False, na_rep="", float_format="{:g}".format) if rows else "No marks yet."
    give(options, {"grades": rows}, text)
    return 0


def _grades_for(options: argparse.Namespace) -> int:
    from dataclasses import asdict

    from tl_course.grading.platforms.export_marks import export_marks

    done = export_marks(
        options.platform,
        course=Path(options.course),
        assignment=options.assignment,
        template=Path(options.template) if options.template else None,
        roster=Path(options.roster) if options.roster else None,
        id_column=options.id,
        column=options.column,
        out=Path(options.csv) if options.csv else None,
    )
    give(options, asdict(done) | {"path": str(done.path)}, done.summary())
    return 0
