"""Which notebook of a submission counts, in whatever wrapping, form and encoding it comes; and what is set aside."""

import io
import json
import os
import zipfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from demo_course import SHOUT, SQUARE, cell_of, released_notebook
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

pytest.importorskip("nbgrader")
from tl_course.grading.submissions.repair import Rejected, check_id, examine

WHY = "Weil es so schön ist, daß man\u2019s lässt."


def notebook(**answers: str) -> NotebookNode:
    made = released_notebook()
    for name, source in answers.items():
        made.cells[cell_of(made, name)].source = source
    return made


FULL = notebook(square=SQUARE, shout=SHOUT, why=WHY)
HALF = notebook(square=SQUARE)
BLANK = notebook()


def text(made: NotebookNode | dict[str, Any]) -> bytes:
    return json.dumps(made, ensure_ascii=False).encode()


def packed(*, how: int = zipfile.ZIP_DEFLATED, **files: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def named(*names: str, content: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return buffer.getvalue()


def locked(archive: bytes) -> bytes:
    """With the bits set that say that its files need a password."""
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        where = archive.index(mark) + at
        archive = archive[:where] + bytes([archive[where] | 1]) + archive[where + 1 :]
    return archive


def examined(folder: Path, files: dict[str, bytes]) -> Any:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return examine(folder, released_notebook(), "demo")


def answers(made: NotebookNode) -> dict[str, str]:
    return {name: made.cells[cell_of(made, name)].source for name in ("square", "shout", "why")}


WHOLE, RIGHT = answers(FULL), text(FULL)
FOUND: dict[str, tuple[dict[str, bytes], str]] = {  # what lies there, and what is said of it
    "as it should": ({"demo.ipynb": RIGHT}, ""),
    "a folder deeper": ({"demo/demo.ipynb": RIGHT}, "demo/demo.ipynb"),
    "three folders deeper, another name": ({"a/b/c/final.ipynb": RIGHT}, "a/b/c/final.ipynb"),
    "in a zip": ({"hw.zip": packed(demo__demo=b"", **{"demo.ipynb": RIGHT})}, "hw.zip/demo.ipynb"),
    "in a folder of a zip, from a Mac": (
        {"hw.ZIP": packed(**{"hw__demo.ipynb": RIGHT, "__MACOSX__hw__._demo.ipynb": b"\x00\x05\x16\x07"})},
        "hw.ZIP/hw/demo.ipynb",
    ),
    "a zip that is called a notebook": ({"demo.ipynb.zip": packed(**{"demo.ipynb": RIGHT})}, "demo.ipynb.zip"),
    "in capitals": ({"DEMO.IPYNB": RIGHT}, "DEMO.IPYNB"),
    "as a text": ({"demo.ipynb.txt": RIGHT}, "demo.ipynb.txt"),
    "as JSON, with other JSON": ({"demo.json": RIGHT, "labels.json": b'{"a": 1}'}, "demo.json"),
    "a second download": ({"demo (1).ipynb": RIGHT}, "demo (1).ipynb"),
    "the copy of an untouched one": ({"demo.ipynb": text(BLANK), "demo-Copy1.ipynb": RIGHT}, "demo-Copy1.ipynb was"),
    "a copy without ids of an untouched one": (
        {"demo.ipynb": text(BLANK), "x.ipynb": text({**FULL, "cells": [{**c, "metadata": {}} for c in FULL.cells]})},
        "x.ipynb was graded",
    ),
    "untouched, and the right one in a zip": (
        {"demo.ipynb": text(BLANK), "mine.zip": packed(**{"demo.ipynb": RIGHT})},
        "mine.zip/demo.ipynb was graded",
    ),
    "two alike": ({"demo (1).ipynb": RIGHT, "demo (2).ipynb": RIGHT}, "demo (1).ipynb"),
    "a draft beside it": ({"demo.ipynb": RIGHT, "draft.ipynb": text(HALF)}, "draft.ipynb"),
    "something else beside it": ({"demo.ipynb": RIGHT, "play.ipynb": text(nbformat.v4.new_notebook())}, ""),
    "checkpoints and litter": (
        {"demo.ipynb": RIGHT, ".ipynb_checkpoints/demo-checkpoint.ipynb": text(HALF), "._demo.ipynb": b"\x00\x05"},
        "",
    ),
    "its own name in a folder, a draft beside it": (
        {"final/demo.ipynb": RIGHT, "draft.ipynb": text(HALF)},
        "final/demo.ipynb was graded, and beside it lies another that is worked on: draft.ipynb",
    ),
    "a zip of data beside it": ({"demo.ipynb": RIGHT, "data.zip": packed(**{"a.csv": b"1"})}, ""),
    "a zip with names that lead out of it": (
        {"hw.zip": packed(**{"demo.ipynb": RIGHT, "..__..__evil.py": b"", "__etc__evil": b""})},
        "hw.zip/demo.ipynb",
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_the_notebook_that_was_worked_on_is_found(name: str, tmp_path: Path) -> None:
    files, said = FOUND[name]
    found = examined(tmp_path, files)
    assert answers(found.notebook) == WHOLE
    told = " ".join(found.mended + found.look)
    assert said in told and bool(told) == bool(said)
    assert not any("evil" in path or path.endswith(".ipynb") for path in found.files)


ASKED: dict[str, tuple[dict[str, bytes], str]] = {
    "nothing": ({}, "files: none"),
    "something else": ({"answers.docx": b"PK", "hw.py": b"1"}, r"files: answers\.docx, hw\.py"),
    "two of other names": ({"a.ipynb": RIGHT, "b.ipynb": text(HALF)}, r"notebooks there: a\.ipynb, b\.ipynb"),
    "untouched, and two others": (
        {"demo.ipynb": text(BLANK), "a.ipynb": RIGHT, "b.ipynb": text(HALF)},
        "as it was handed out, and several others are worked on",
    ),
    "broken, and another": ({"demo.ipynb": RIGHT[:-200], "copy.ipynb": RIGHT}, r"there is also copy\.ipynb"),
    "cut off": ({"demo.ipynb": RIGHT[:-200]}, r"is no JSON: .*\(it ends too early\)"),
    "empty": ({"demo.ipynb": b" \n"}, "is empty"),
    "a web page": ({"demo.ipynb": b"\n<!DOCTYPE html><html>"}, "a web page"),
    "a merge": ({"demo.ipynb": b"<<<<<<< HEAD\n" + RIGHT}, "merge by git"),
    "a comma too many": ({"demo.ipynb": RIGHT[:-1] + b",}"}, "is no JSON"),
    "an archive of another kind": ({"hw.rar": b"Rar!"}, r"hw\.rar is an archive that is not looked into"),
    "a zip with a password": ({"hw.zip": locked(packed(**{"demo.ipynb": RIGHT}))}, "locked with a password"),
    "half a zip": ({"hw.zip": packed(**{"demo.ipynb": RIGHT})[:-30]}, "no zip that can be read"),
    "a zip packed otherwise": ({"hw.zip": packed(how=zipfile.ZIP_LZMA, **{"demo.ipynb": RIGHT})}, "not read here"),
    "a zip of a bomb": ({"hw.zip": packed(**{"demo.ipynb": bytes(60 << 20)})}, "63 MB, and at most 52"),
    "a zip of too many files": ({"hw.zip": named(*map(str, range(50_000)), content=b"")}, "too many files"),
    "a zip in a zip": ({"hw.zip": packed(**{"hw.zip": packed(**{"demo.ipynb": RIGHT})})}, r"files: .*hw\.zip/hw\.zip"),
    "far too many": ({f"{number}.ipynb": RIGHT for number in range(30)}, "There are 30 notebooks"),
    "millions of parts": ({"demo.ipynb": b"[" + b"[]," * 2_000_000 + b"0]"}, "more parts than any notebook"),
    "a name that would forge a line": ({"a\nzoe: 0 of 9\x1b.ipynb": b"{"}, r"a\\nzoe: 0 of 9\\x1b\.ipynb is no JSON"),
    "nested too deeply": ({"demo.ipynb": b"[" * 5000 + b"]" * 5000}, "nested too deeply"),
    "a number of a million digits": ({"demo.ipynb": b'{"cells": ' + b"7" * 1_000_000 + b"}"}, "no list of cells"),
}


@pytest.mark.parametrize("name", ASKED)
def test_what_cannot_be_told_is_asked_about(name: str, tmp_path: Path) -> None:
    files, said = ASKED[name]
    with pytest.raises(Rejected, match=said) as caught:
        examined(tmp_path, files)
    assert " Ask " in str(caught.value) and str(caught.value).isprintable() and len(str(caught.value)) < 400


def test_an_untouched_one_alone_is_told_apart_from_one_beside_which_the_answers_may_lie(tmp_path: Path) -> None:
    alone = examined(tmp_path / "a", {"demo.ipynb": text(BLANK)})
    assert alone.look == [] and "nothing was answered" in alone.mended[0]
    for name in ("hw.py", "answers.docx", "demo.rar", "mine.ipynb"):
        beside = examined(tmp_path / name, {"demo.ipynb": text(BLANK), name: b"{"})
        assert f"are the answers in {name}" in beside.look[0]


def test_files_beside_the_notebook_have_the_names_that_it_knows_them_by(tmp_path: Path) -> None:
    found = examined(tmp_path / "a", {"demo/demo.ipynb": RIGHT, "demo/data/a.csv": b"1", "notes.txt": b"2"})
    assert sorted(found.files) == ["data/a.csv", "notes.txt"]
    found = examined(tmp_path / "b", {"hw.zip": packed(**{"x__demo.ipynb": RIGHT, "x__data__a.csv": b"1"})})
    assert list(found.files) == ["data/a.csv"] and found.files["data/a.csv"].read(9) == b"1"
    (tmp_path / "b" / "link").symlink_to("/etc")
    os.mkfifo(tmp_path / "b" / "pipe")
    assert examined(tmp_path / "b", {}).left_out == ["link, pipe are links or no files, or too deep, and left out."]


def each(change: Callable[[dict[str, Any], int], object]) -> bytes:
    """The notebook as JSON, with something done to each of its cells."""
    made = json.loads(RIGHT)
    for number, cell in enumerate(made["cells"]):
        change(cell, number)
    return text(made)


def as_version_3() -> bytes:
    cells = [
        {"cell_type": cell.cell_type, "metadata": cell.metadata, "input": cell.source, "outputs": []}
        if cell.cell_type == "code" else
        {"cell_type": cell.cell_type, "metadata": cell.metadata, "source": cell.source.splitlines(keepends=True)}
        for cell in FULL.cells
    ]  # fmt: skip
    return text({"nbformat": 3, "nbformat_minor": 0, "metadata": {"name": ""}, "worksheets": [{"cells": cells}]})


FORMS = {
    "ids that are numbers": each(lambda cell, number: cell.update(id=number)),
    "ids that are null": each(lambda cell, _: cell.update(id=None)),
    "ids that are blank": each(lambda cell, _: cell.update(id="")),
    "ids with blanks": each(lambda cell, number: cell.update(id=f"cell {number}")),
    "ids of 65 letters": each(lambda cell, number: cell.update(id=f"{number:065}")),
    "ids that are all the same": each(lambda cell, _: cell.update(id="a")),
    "no ids": each(lambda cell, _: cell.pop("id")),
    "no outputs": each(lambda cell, _: cell.pop("outputs", None)),
    "outputs that are null": each(lambda cell, _: cell.update(outputs=None)),
    "an output of 5,000 digits": RIGHT.replace(b'"outputs": []', b'"outputs": [' + b"7" * 5000 + b"]"),
    "outputs that are none": each(lambda cell, _: cell.update(outputs=[{"output_type": "x"}, 7, None])),
    "outputs of text": each(lambda cell, _: cell.update(outputs=[])),
    "no counts": each(lambda cell, _: cell.pop("execution_count", None)),
    "counts that are text": each(lambda cell, _: cell.update(execution_count="*")),
    "metadata that are odd": each(lambda cell, _: cell["metadata"].update(collapsed="x", tags="a", scrolled=3)),
    "attachments that are odd": each(lambda cell, _: cell.update(attachments={"a": 1, "b": {"c": 2}})),
    "lines": each(lambda cell, _: cell.update(source=cell["source"].splitlines(keepends=True))),
    "fields that nobody knows": each(lambda cell, _: cell.update(color="red")),
    "a newer version": text({**FULL, "nbformat_minor": 99}),
    "an older version": text({**FULL, "nbformat_minor": 0}),
    "a version that is text": text({**FULL, "nbformat": "4"}),
    "no version": text({key: value for key, value in FULL.items() if not key.startswith("nbformat")}),
    "metadata that are no object": text({**FULL, "metadata": []}),
    "version 3": as_version_3(),
    "not a number": RIGHT.replace(b'"execution_count": null', b'"execution_count": NaN'),
    "a mark of bytes": b"\xef\xbb\xbf" + RIGHT,
    "zeros at the end": RIGHT + b"\n\x00\x00\x00",
    "UTF-16": RIGHT.decode().encode("utf-16"),
    "UTF-16 without a mark": RIGHT.decode().encode("utf-16-le"),
    "UTF-16, the other way": b"\xfe\xff" + RIGHT.decode().encode("utf-16-be"),
    "UTF-32": RIGHT.decode().encode("utf-32"),
    "Windows-1252": RIGHT.decode().encode("cp1252"),
    "all letters escaped": json.dumps(FULL).encode(),
}


@pytest.mark.parametrize("name", FORMS)
def test_what_jupyter_reads_past_is_mended(name: str, tmp_path: Path) -> None:
    found = examined(tmp_path, {"demo.ipynb": FORMS[name]})
    assert answers(found.notebook) == WHOLE
    assert ["It is not written in UTF-8" in said for said in found.look] == ([True] if name == "Windows-1252" else [])
    ids = [cell.id for cell in found.notebook.cells]
    assert len(set(ids)) == len(ids)
    nbformat.validate(found.notebook)


def test_pictures_that_were_pasted_stay_with_the_answer_and_come_back_where_they_were_lost(tmp_path: Path) -> None:
    picture = {"my photo (2).png": {"image/png": "aGk="}}
    made = json.loads(RIGHT)
    cell = made["cells"][cell_of(FULL, "why")]
    link = "![](attachment:my%20photo%20(2).png)"
    cell |= {"cell_type": "raw", "source": link, "attachments": picture}
    found = examined(tmp_path / "a", {"demo.ipynb": text(made)})
    kept = found.notebook.cells[cell_of(found.notebook, "why")]
    assert (kept.cell_type, kept.source, kept.attachments) == ("markdown", link, picture)
    assert found.mended == ["why was a raw cell and is a markdown cell again."]

    del cell["attachments"]
    lost = examined(tmp_path / "b", {"demo.ipynb": text(made)})
    assert lost.look == ["The picture my photo (2).png is missing in why: it was not handed in with it."]
    made["cells"][0]["attachments"] = picture
    back = examined(tmp_path / "c", {"demo.ipynb": text(made)})
    assert back.notebook.cells[cell_of(back.notebook, "why")].attachments == picture
    assert "had got lost in why" in " ".join(back.mended) and not back.look


def test_hundreds_of_cells_of_shuffled_letters_are_compared_in_bounded_work(tmp_path: Path) -> None:
    made = deepcopy(FULL)
    letters = "def square(x): return shout(math) is close 0123456789 \n" * 40
    made.cells = [new_code_cell(letters[number % 53 :] + letters[::-1][: number * 7]) for number in range(999)]
    assert "were missing" in examined(tmp_path, {"demo.ipynb": text(made)}).look[-1]


@pytest.mark.parametrize(
    "student",
    ["b" * 240, "é" * 110, "a\x1b]0;owned\x07", "two\nlines", "\udcff", "a\u202eb", "a*", " a", "x\u0085", "\u200b"],
)
def test_an_id_that_nbgrader_or_a_terminal_cannot_show_is_set_aside(student: str) -> None:
    with pytest.raises(Rejected, match="Rename the folder") as caught:
        check_id(student)
    assert str(caught.value).isprintable() and len(str(caught.value)) < 200
    check_id("Ünal O'Brien-Smith, 張 (3)")
