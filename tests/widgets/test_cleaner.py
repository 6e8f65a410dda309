"""The cleaner without a browser: its methods, the journal they write, and the messages that a page would send."""

import io
import json
import math
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tl_course import ImageSet
from tl_course.cleaning.issues import Suspect
from tl_course.data.edit_log import standing
from tl_course.errors import ImageSetError
from tl_course.features import Backbone, extract
from tl_course.synthetic import render_dataset
from tl_course.widgets import Cleaner

N = 60


@pytest.fixture(scope="session")
def doors_folder(tmp_path_factory: pytest.TempPathFactory, known: Path) -> Path:
    """Rendered doors with flaws, whose features are known."""
    folder = tmp_path_factory.mktemp("rendered") / "doors"
    images = render_dataset(
        "doors", folder, n=N, seed=5, size=96, wrong_labels=0.1, off_topic=0.05, near_duplicates=0.05
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TL_COURSE_CACHE", str(known))
        extract([images.path(one) for one in images], Backbone.get(), hashes=[one.sha256 for one in images])
    return folder


@pytest.fixture
def doors(doors_folder: Path, tmp_path: Path, backbone: Backbone) -> ImageSet:
    shutil.copytree(doors_folder, tmp_path / "doors")
    return ImageSet.open(tmp_path / "doors", warn=False)


@pytest.fixture
def cleaner(doors: ImageSet) -> Cleaner:
    return Cleaner(doors, page_size=10)


def other(cleaner: Cleaner, name: str) -> str:
    return next(label for label in cleaner.labels if label != cleaner.images[name].label)


def told(cleaner: Cleaner, do: str, **what: Any) -> dict[str, Any]:
    """Send what the page would send, and return what the page would see then."""
    cleaner._handle_custom_msg({"do": do, **what}, [])
    return dict(cleaner._state)


def test_the_most_suspicious_come_first_a_page_at_a_time(cleaner: Cleaner) -> None:
    first = cleaner.page()
    assert [one.score for one in first] == sorted((one.score for one in cleaner.suspects), reverse=True)[:10]
    assert cleaner.focus == first[0].file_name
    assert cleaner.pages == N / 10
    assert cleaner.tally["left"] == N and cleaner.tally["looked_at"] == 0
    shown = cleaner._state["pictures"]
    assert [one["name"] for one in shown] == [one.file_name for one in first]
    assert shown[0]["reason"] == first[0].reason and len(shown[0]["neighbours"]) == 8
    assert len(json.dumps(cleaner._state)) < 20_000, "a page, whatever the set"


def test_decisions_are_in_the_journal_at_once(cleaner: Cleaner, doors: ImageSet) -> None:
    a, b, c, d = (one.file_name for one in cleaner.page()[:4])
    first = cleaner.page()[0]
    to = other(cleaner, a)
    cleaner.relabel(a, to)
    assert cleaner.focus == b, "on to the next one"
    cleaner.drop()
    cleaner.keep(c)
    cleaner.relabel(d, cleaner.images[d].label, why="the latch is in")
    assert cleaner.tally == cleaner.tally | {"looked_at": 4, "relabelled": 1, "dropped": 1, "kept": 2, "left": N - 4}
    journal = ImageSet.open(doors.root, warn=False).journal
    assert [(edit.action, edit.file_name) for edit in journal] == [
        ("relabel", a), ("drop", b), ("keep", c), ("keep", d)
    ]  # fmt: skip
    assert first.kind and (journal[0].kind, journal[0].why, journal[3].why) == (
        first.kind, first.reason, "the latch is in"
    )  # fmt: skip
    assert doors[a].label == to, "the set that was handed over is the one that is edited"
    with pytest.raises(ImageSetError, match="no label of doors"):
        cleaner.relabel(a, "ajar")
    cleaner.relabel(a, "ajar", new_label=True)
    assert cleaner.labels == ["ajar", "closed", "open"]
    cleaner.restore(b)
    assert cleaner.tally["dropped"] == 0 and cleaner.tally["left"] == N - 3
    with pytest.raises(ImageSetError, match="Only dropped"):
        cleaner.restore(b)


def test_several_are_one_step_which_a_later_session_undoes_and_redoes(cleaner: Cleaner, doors: ImageSet) -> None:
    names = [one.file_name for one in cleaner.page()]
    before = list(doors)
    cleaner.keep(names[9])
    cleaner.select(cleaner.page()[2:5])
    assert cleaner.selected == names[2:5]
    cleaner.drop()
    assert cleaner.selected == [] and cleaner.focus == names[5]
    cleaner.select(names[:2])
    cleaner.relabel(None, "open")

    later = Cleaner(doors.root, page_size=10)
    assert later.tally == cleaner.tally
    assert not set(names[2:5]) & {one.file_name for one in later.page()}, "decided ones are out of the way"
    assert len(later.undo()) == 2
    assert len(later.undo()) == 3
    assert {one.file_name for one in later.page()} >= set(names[2:5][:1]), "what comes back is seen"
    assert later.focus in names[2:5] and later.tally["dropped"] == 0
    assert len(later.redo()) == 3
    third = Cleaner(doors.root)
    assert len(third.redo()) == 2, "redo is on record too"
    assert third.redo() == [] and "Nothing is left to redo" in third.status
    assert third.tally == cleaner.tally | {"suspicious": third.tally["suspicious"]}
    assert [len(third.undo()) for _ in range(4)] == [2, 3, 1, 0]
    assert list(third.images) == before and third.tally["left"] == N
    third.redo()
    third.drop(names[0])
    assert third.redo() == [], "a new decision leaves nothing to redo"


def test_several_are_one_write_and_what_the_page_undoes_is_selected_again(
    cleaner: Cleaner, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [one.file_name for one in cleaner.page()]
    cleaner.keep(names[9])
    written: list[bytes] = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda to, data: (written.append(data), write(to, data))[1])
    cleaner.relabel(names[:4], "open")
    assert [data.count(b"\n") for data in written if b'"step"' in data] == [4], "a kill leaves all of it or nothing"
    monkeypatch.undo()
    assert len(cleaner.undo()) == 4 and cleaner.selected == [], "a lesson's undo leaves nothing selected"
    state = told(cleaner, "drop", picture=names[2:5])
    assert state["selected"] == [] and state["focus"] == names[5]
    state = told(cleaner, "undo")
    assert state["selected"] == names[2:5] and state["tally"]["dropped"] == 0
    assert state["status"] == "Undone: 3 pictures."
    assert told(cleaner, "relabel", picture=state["selected"], label="open")["selected"] == []
    assert told(cleaner, "undo")["selected"] == names[2:5]
    assert told(cleaner, "redo")["selected"] == []


def test_a_card_names_every_kind_of_suspicion_in_a_word_or_two(cleaner: Cleaner) -> None:
    shown = {one["name"]: one["brief"] for number in range(cleaner.pages) for one in cleaner_page(cleaner, number + 1)}
    for one in cleaner.suspects:
        assert len(shown[one.file_name].split(" · ")) == max(1, len(one.kinds))
        assert bool(shown[one.file_name]) == bool(one.kinds)


def cleaner_page(cleaner: Cleaner, number: int) -> list[dict[str, Any]]:
    cleaner.page(number)
    return list(cleaner._state["pictures"])


@pytest.mark.slow
def test_the_page_keeps_its_order_and_turning_it_skips_nobody(cleaner: Cleaner) -> None:
    seen = []
    for number in range(1, 20):
        shown = [one.file_name for one in cleaner.page(number)]
        if set(shown) & set(seen):
            break  # the last page again
        for place, name in enumerate(shown):
            assert [one.file_name for one in cleaner.page()] == shown
            if place % 3 == 0:
                cleaner.relabel(name, other(cleaner, name))
            elif place % 3 == 1:
                cleaner.drop(name)
        seen += shown
    assert sorted(seen) == sorted(one.file_name for one in cleaner.images.original)
    assert [one.file_name for one in cleaner.page(1)] == seen[:10], "one can turn back to what one did"
    cleaner.retrain()
    assert {cleaner._states[one.file_name] for one in cleaner.page()} == {"undecided"}


def test_filters_lose_neither_edits_nor_the_focus(cleaner: Cleaner) -> None:
    names = [one.file_name for one in cleaner.page()]
    cleaner.drop(names[0])
    cleaner.keep(names[1])
    cleaner.look(names[4])
    assert [one.file_name for one in cleaner.filter(state="dropped")] == names[:1]
    assert [one.file_name for one in cleaner.filter(state="kept")] == names[1:2]
    cleaner.filter(state="all")
    assert cleaner.focus == names[4], "it is back where it was"
    assert cleaner.tally["looked_at"] == 2
    for one in cleaner.filter(label="open", split="valid"):
        assert (one.label, one.split) == ("open", "valid")
    with pytest.raises(ImageSetError, match="no state to filter by; there is undecided"):
        cleaner.filter(state="gone")
    for name in names[2:]:
        cleaner.filter(state="all", kind="all")
        cleaner.drop(name)
    assert cleaner.filter(state="relabelled") == [] and cleaner.focus == ""
    with pytest.raises(ImageSetError, match="no picture to decide on"):
        cleaner.drop()


def test_the_filter_finds_every_kind_of_a_picture(cleaner: Cleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    name, rank = cleaner.page()[0].file_name, cleaner._found.rank

    def ranked() -> list[Suspect]:
        other = [replace(one, kind="odd", kinds=("odd",)) for one in rank() if one.file_name != name]
        return [replace(one, kind="label", kinds=("label", "leak")) for one in rank() if one.file_name == name] + other

    monkeypatch.setattr(cleaner._found, "rank", ranked)
    cleaner.retrain()
    for kind in ("label", "leak"):
        assert [one.file_name for one in cleaner.filter(kind=kind)] == [name]
    assert name not in [one.file_name for one in cleaner.filter(kind="odd")] and cleaner.pages == 6


def test_cleaning_the_validation_split_flatters_nobody(cleaner: Cleaner) -> None:
    start = cleaner.accuracy
    assert start.before == start.now and 0 < start.now < 1
    assert start.pictures == sum(one.split == "valid" for one in cleaner.images.original)
    for one in cleaner.filter(split="valid", state="all"):
        if one.predicted != one.label:
            cleaner.relabel(one, one.predicted)
        else:
            cleaner.drop(one)
    cleaner.keep([one for one in cleaner.images.valid if cleaner._states[one.file_name] == "undecided"])
    after = cleaner.accuracy
    assert (after.before, after.now, after.pictures) == (start.before, start.now, start.pictures)
    assert cleaner.report().validation == 10 and "not the measure" in str(cleaner.report())
    closed, opened = ([one for one in cleaner.images.train if one.label == label] for label in ("closed", "open"))
    cleaner.relabel(closed, "open")
    cleaner.relabel(opened, "closed")
    assert cleaner.accuracy.now == pytest.approx(1 - start.now) and cleaner.accuracy.before == start.before
    cleaner.drop([one for one in cleaner.images if one.label == "closed"])
    assert math.isnan(cleaner.accuracy.now), "with one label left there is nothing to learn"
    cleaner.undo()
    assert not math.isnan(cleaner.accuracy.now)


def test_the_report_tells_what_changed(cleaner: Cleaner) -> None:
    def kind(name: str) -> str:
        return next(one.kind for one in cleaner.suspects if one.file_name == name)

    a, b, c = (one.file_name for one in cleaner.page()[:3])
    sound = cleaner.suspects[-1]
    was, to = cleaner.images[a].label, other(cleaner, a)
    kinds = Counter([kind(sound.file_name)])
    cleaner.drop(sound, why="odd: whole label: a word that counts elsewhere")
    kinds[kind(a)] += 1
    cleaner.relabel(a, to)
    kinds[kind(b)] += 1
    cleaner.drop(b)
    kinds[kind(c)] += 1
    cleaner.keep(c)
    report = cleaner.report()
    assert report.relabelled == {(was, to): 1} and sum(report.dropped.values()) == 2 and sum(report.kept.values()) == 1
    assert report.kinds == kinds and len(kinds) > 1 and kinds[""] >= 1
    assert report.left == N - 4
    split = {one.file_name: one.split for one in cleaner.images.original}
    assert report.validation == sum(split[name] == "valid" for name in (a, b, sound.file_name))
    again = Cleaner(cleaner.images.root).report()
    assert (again.relabelled, again.kinds) == (report.relabelled, report.kinds), "also of earlier sessions"
    assert f"{was} → {to}" in str(report) and f"{report.accuracy.now:.1%} now" in str(report)
    assert "<table>" in report._repr_html_() and "| relabelled |" in report._repr_markdown_()
    cleaner.relabel(a, "<b>|x", new_label=True)
    page = cleaner.report()._repr_html_()
    assert "<b>|x" not in page and "&lt;b&gt;|x" in page


def test_a_shared_set_is_not_cleaned(doors: ImageSet, tmp_path: Path) -> None:
    doors.pack(tmp_path / "doors.zip")
    with pytest.raises(ImageSetError, match="copy_to"):
        Cleaner(tmp_path / "doors.zip")
    with pytest.raises(ImageSetError, match="1 to 96"):
        Cleaner(doors, page_size=0)


def test_two_cleaners_see_each_other(cleaner: Cleaner, doors: ImageSet) -> None:
    second = Cleaner(doors.root, page_size=10)
    a, b, c = (one.file_name for one in cleaner.page()[:3])
    cleaner.drop(a)
    second.relabel(b, other(second, b))
    assert second.tally["dropped"] == second.tally["relabelled"] == 1
    cleaner.keep(c)
    second.undo()
    cleaner.retrain()
    assert cleaner.tally == second.tally == cleaner.tally | {"looked_at": 2, "kept": 0}
    second.drop(a)
    assert len([edit for edit in doors.journal if edit.action == "drop"]) == 1, "dropped already"


def test_an_undo_takes_back_a_whole_step_of_one_cleaner(cleaner: Cleaner, doors: ImageSet) -> None:
    second = Cleaner(doors.root, page_size=10)
    names = [one.file_name for one in cleaner.page()]
    cleaner.drop(names[:3])
    second.relabel(names[3:5], "open")
    cleaner.drop(names[5:8])
    for one, expected in ((second, names[5:8]), (cleaner, names[3:5]), (second, names[:3]), (cleaner, [])):
        assert {edit.file_name for edit in one.undo()} == set(expected)
    for one, expected in ((second, names[:3]), (second, names[3:5]), (cleaner, names[5:8]), (second, [])):
        assert {edit.file_name for edit in one.redo()} == set(expected)
    assert cleaner.tally["dropped"] == 6 and second.report().dropped == cleaner.report().dropped


def test_a_later_session_knows_why_a_picture_was_dropped(cleaner: Cleaner, doors: ImageSet) -> None:
    first = cleaner.page()[0]
    sound = cleaner.suspects[-1]
    cleaner.drop(first)
    cleaner.drop(sound, why="no door")
    ImageSet.open(doors.root, warn=False).drop(cleaner.page()[1].file_name, kind="something else")
    later = Cleaner(doors.root)
    later.filter(state="dropped")
    told = {one["name"]: (one["kind"], one["reason"]) for one in later._state["pictures"]}
    assert told == {
        first.file_name: (first.kind, first.reason),
        sound.file_name: ("", "dropped: no door"),
        cleaner.page()[1].file_name: ("", "dropped: why is not on record"),
    }
    assert [one.file_name for one in later.filter(kind=first.kind)] == [first.file_name]
    later.keep(first)
    assert later.images.journal[-1].kind == first.kind


def test_what_the_filter_hides_is_not_selected_and_what_makes_no_sense_writes_nothing(cleaner: Cleaner) -> None:
    a, b = (one.file_name for one in cleaner.page()[:2])
    cleaner.drop(a)
    cleaner.filter(state="undecided")
    with pytest.raises(ImageSetError, match="Widen it first"):
        cleaner.select([a, b])
    assert cleaner.selected == []
    told(cleaner, "select", picture=[a, b])  # it was on its way while the filter changed
    assert cleaner.selected == [b]
    with pytest.raises(ImageSetError, match="is no label"):
        cleaner.relabel([b, a], "  ", new_label=True)
    for asked in (lambda: cleaner.page("2"), lambda: cleaner.drop(Path(b)), lambda: cleaner.keep([b, 5])):  # type: ignore[arg-type, list-item]
        with pytest.raises(ImageSetError, match="is no p"):
            asked()
    assert len(cleaner.images.journal) == 1 and cleaner.tally["dropped"] == 1
    cleaner.restore(a)
    assert cleaner.tally["dropped"] == 0, "by its name a hidden one can be decided on"


LOOP = """
import sys
from tl_course import ImageSet
from tl_course.widgets import Cleaner
cleaner = Cleaner(sys.argv[1])
cleaner._score = lambda: None  # the journal is what is looked at
names = sorted(one.file_name for one in cleaner.images.original)[int(sys.argv[2])::int(sys.argv[3])]
print("ready", flush=True)
for turn in range(int(sys.argv[4])):
    for name in names:
        label = "open" if cleaner.images[name].label == "closed" else "closed"
        print(f"{name} {label}", flush=True)
        cleaner.relabel(name, label)
"""


def looping(root: Path, *arguments: int, code: str = LOOP) -> subprocess.Popen[str]:
    command = [sys.executable, "-W", "ignore", "-c", code, str(root), *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)


@pytest.mark.slow
def test_two_processes_do_not_corrupt_a_set(doors: ImageSet) -> None:
    both = [looping(doors.root, part, 2, 2) for part in (0, 1)]
    outputs = [process.communicate(timeout=240)[0].split("\n")[1:-1] for process in both]
    images = ImageSet.open(doors.root)  # a damaged line would be warned of, and warnings are errors here
    assert len(images.journal) == 2 * N
    for output in outputs:
        mine = {line.split()[0] for line in output}
        assert [f"{one.file_name} {one.to}" for one in images.journal if one.file_name in mine] == output
    assert {one.file_name: one.label for one in images} == {one.file_name: one.label for one in doors}


STEPS = """
import sys
from tl_course.widgets import Cleaner
cleaner = Cleaner(sys.argv[1])
cleaner._score = lambda: None  # the journal is what is looked at
names = sorted(one.file_name for one in cleaner.images.original)[int(sys.argv[2])::2]
for turn in range(25):
    cleaner.keep(names[turn % 5::5])
    cleaner.undo()
    cleaner.drop(names[turn % 5::5])
    cleaner.undo()
    if turn % 2:
        cleaner.redo()
"""


@pytest.mark.slow
def test_two_processes_that_undo_take_back_whole_steps(doors: ImageSet) -> None:
    both = [looping(doors.root, part, code=STEPS) for part in (0, 1)]
    assert [process.wait(240) for process in both] == [0, 0]
    images = ImageSet.open(doors.root)
    by_id = {edit.id: edit for edit in images.journal}
    made: defaultdict[str, set[str]] = defaultdict(set)
    undone: defaultdict[str, set[str]] = defaultdict(set)
    for edit in images.journal:
        what, where = (made, edit.step) if not edit.undoes else (undone, edit.step)
        what[where].add(edit.undoes or edit.id)
    for taken in undone.values():
        if not by_id[min(taken)].undoes:
            assert taken == made[by_id[min(taken)].step], "a step whole, and nothing else"
    left = Counter(edit.step for edit in standing(images.journal))
    assert len(undone) > 50 and all(n == len(made[step]) for step, n in left.items())
    while images.undo():
        pass
    assert list(images) == list(doors)


@pytest.mark.slow
def test_killed_at_any_moment_only_the_edit_in_flight_is_lost(doors: ImageSet) -> None:
    asked: list[str] = []
    for seed in range(3):
        known = len(ImageSet.open(doors.root, warn=False).journal)
        process = looping(doors.root, 0, 1, 1000)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(random.Random(seed).uniform(0.2, 0.8))
        process.send_signal(signal.SIGKILL)
        asked = process.stdout.read().split("\n")[:-1]
        process.wait(60)
        images = ImageSet.open(doors.root, warn=False)
        done = [f"{edit.file_name} {edit.to}" for edit in images.journal[known:]]
        assert len(done) >= 1 and done == asked[: len(done)] and len(asked) - len(done) <= 1
        cleaner = Cleaner(doors.root)
        cleaner.undo()
        assert len(cleaner.images.journal) == known + len(done) + 1


GROUPS = """
import sys
from tl_course.widgets import Cleaner
cleaner = Cleaner(sys.argv[1])
cleaner._score = lambda: None  # the journal is what is looked at
names = sorted(one.file_name for one in cleaner.images.original)
print("ready", flush=True)
while True:
    for at in range(0, len(names), 5):
        cleaner.drop(names[at : at + 5])
    for at in range(0, len(names), 5):
        cleaner.restore(names[at : at + 5])
"""


@pytest.mark.slow
def test_killed_at_any_moment_no_group_is_half_decided(doors: ImageSet) -> None:
    for seed in range(2):
        process = looping(doors.root, code=GROUPS)
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
        time.sleep(random.Random(seed).uniform(0.2, 0.6))
        process.kill()
        process.wait(60)
        steps = Counter(edit.step for edit in ImageSet.open(doors.root, warn=False).journal)
        assert len(steps) > 1 and set(steps.values()) == {5}
        (doors.root / "edits.jsonl").unlink()


def test_what_the_page_sends_calls_the_methods(cleaner: Cleaner, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(cleaner, "send", lambda content, buffers=None: sent.append((content, list(buffers or []))))
    names = [one["name"] for one in cleaner._state["pictures"]]
    told(cleaner, "thumbnails", names=[*names, "../../secret.jpg"])
    content, buffers = sent[-1]
    assert content == {"thumbnails": names} and max(Image.open(io.BytesIO(buffers[0])).size) <= 160
    told(cleaner, "view", names=names)
    assert sent[-1][0] == {"view": names[:1]}
    told(cleaner, "look", picture=names[3])
    assert cleaner.focus == names[3]
    told(cleaner, "select", picture=names[:2])
    assert cleaner.selected == names[:2]
    state = told(cleaner, "drop", picture=names[:2])
    assert [one["state"] for one in state["pictures"][:3]] == ["dropped", "dropped", "undecided"]
    assert state["undo"] and not state["redo"] and state["selected"] == []
    assert told(cleaner, "undo")["redo"] and told(cleaner, "redo")["tally"]["dropped"] == 2
    assert told(cleaner, "page", number=2)["page"] == 2
    assert told(cleaner, "filter", state="dropped")["count"] == 2
    told(cleaner, "report")
    assert "Cleaning doors" in sent[-1][0]["report"]


@pytest.mark.parametrize(
    "message",
    [
        {"do": "close"},
        {"do": "_score"},
        {"do": ["drop"]},
        {},
        {"do": "relabel", "picture": "none.jpg", "label": "open"},
        {"do": "relabel", "picture": ["open/0001.jpg"], "label": "ajar"},
        {"do": "relabel", "picture": ["open/0001.jpg"], "label": "ajar", "new_label": True},
        {"do": "drop", "picture": [5]},
        {"do": "drop", "picture": ["../x.jpg"]},
        {"do": "page", "number": "x"},
        {"do": "filter", "state": "gone"},
        {"do": "filter", "order": "score"},
    ],
)
def test_a_message_that_makes_no_sense_is_answered_in_a_line(cleaner: Cleaner, message: dict[str, Any]) -> None:
    cleaner._handle_custom_msg(message, [])
    assert cleaner._state["alert"] and cleaner._state["status"] == cleaner.status != ""
    assert cleaner.images.journal == []


def test_without_a_kernel_a_still_picture_remains(cleaner: Cleaner) -> None:
    cleaner.drop()
    data, _ = cleaner._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    assert data["text/html"].count("data:image/jpeg;base64,") == 8 and "1 looked at" in data["text/html"]
    assert data["text/plain"].splitlines()[0].startswith("Cleaner of 'doors': 1 looked at, 59 left")
