"""The data-set builder without a browser: its methods, and the messages that a page would send."""

import io
import json
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tl_course import ImageSet
from tl_course.data.collection import Candidate
from tl_course.errors import FetchError, ImageSetError, ModelError
from tl_course.net.http_client import Client
from tl_course.sources import Source, named
from tl_course.widgets import DatasetBuilder
from tl_course.widgets.builder_page import ENOUGH, PAGE


def drawn(seed: int, size: tuple[int, int] = (160, 120)) -> Image.Image:
    """A picture that a perceptual hash tells from those of other seeds."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def encoded(image: Image.Image, kind: str = "PNG") -> bytes:
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def files(n: int, first: int = 0) -> dict[str, bytes]:
    return {f"{number}.png": encoded(drawn(number)) for number in range(first, first + n)}


def said(builder: DatasetBuilder, do: str, *buffers: bytes, **what: Any) -> dict[str, Any]:
    """Send what the page would send, and return what the page would see then."""
    builder._handle_custom_msg({"do": do, **what}, [memoryview(data) for data in buffers])
    return dict(builder._state)


def zipped(given: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for name, data in given.items():
            packed.writestr(f"inner/{name}", data)
    return archive.getvalue()


def until(good: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not good():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def builder(tmp_path: Path) -> DatasetBuilder:
    return DatasetBuilder(tmp_path / "doors", labels=["open", "closed"])


class Broken(Source):
    """A source that gives two pictures and then refuses."""

    name = "broken"
    help = "refuses"

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        for number in (100, 101):
            yield Candidate(label=label, url=f"broken:{number}", data=encoded(drawn(number)), source=self.name)
        raise FetchError("HTTP 429 (Too Many Requests)")


class Slow(Source):
    name = "slow"
    help = "never ends"
    online = False

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        for number in range(200, 10**6):
            time.sleep(0.01)
            yield Candidate(label=label, url=f"slow:{number}", data=encoded(drawn(number)), source=self.name)


def test_pictures_of_a_folder_come_with_their_labels(class_folders: Callable[..., Path], tmp_path: Path) -> None:
    folder = class_folders(open=4, shut=3, size=80)
    builder = DatasetBuilder(tmp_path / "doors", labels=["open", "closed"])
    builder.set_source("open", "folder", where=str(folder), n=4)
    builder.set_source("closed", "folder", where=str(folder), n=3)
    with pytest.raises(ImageSetError, match="'open', 'shut'"):
        builder.collect("closed")
    assert builder._state["alert"] and "Called there" in builder.status
    builder.set_source("closed", query="shut")
    report = builder.collect()
    assert report.complete and builder.counts == {"open": 4, "closed": 3}
    assert {p.label for p in ImageSet.open(tmp_path / "doors")} == {"open", "closed"}
    assert builder.advice == f"{ENOUGH - 4} more of 'open' and {ENOUGH - 3} more of 'closed' to start."


def test_files_and_zips_are_taken_in_and_bad_ones_are_named(builder: DatasetBuilder) -> None:
    given = (
        files(2) | {"notes.txt": b"no picture"} | {"more.zip": zipped(files(3, first=10)), "torn.zip": b"PK\x03\x04"}
    )
    report = builder.upload(given, "open")
    assert builder.counts == {"open": 5, "closed": 0}
    assert {name for name, _ in report.passed_over} == {"notes.txt", "torn.zip"}
    assert dict(builder.passed_over)["notes.txt"]
    assert dict(builder.passed_over)["torn.zip"].startswith("cannot be unpacked"), "and not where it lay meanwhile"


def test_what_is_handed_over_again_is_named_and_what_was_removed_comes_back(builder: DatasetBuilder) -> None:
    given = files(1) | {"more.zip": zipped(files(2, first=10))}
    builder.upload(given, "open")
    report = builder.upload(given, "closed")
    assert builder.counts == {"open": 3, "closed": 0} and not report.kept
    assert {name for name, _ in report.passed_over} == {"0.png", "10.png", "11.png"}
    assert "3 passed over: already under 'open' (0.png" in builder.status
    assert all("the same picture as open/" in why for _, why in builder.passed_over), "a reason that can be understood"
    for picture in builder.images[:2]:
        builder.remove(picture)
    report = builder.upload(given, "closed")
    assert builder.counts == report.counts | {"open": 1} == {"open": 1, "closed": 2}
    assert "2 images that had been removed are back" in builder.status
    builder.undo()
    assert builder.counts == {"open": 1, "closed": 0}


def test_files_are_handed_over_by_path_too(builder: DatasetBuilder, tmp_path: Path) -> None:
    for number, name in enumerate(("a/one.png", "b/one.png", "two.png", "more.zip")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(drawn(number)) if name != "more.zip" else zipped(files(2, first=10)))
    builder.upload([tmp_path / "a" / "one.png", str(tmp_path / "b" / "one.png")], "open")
    assert builder.counts["open"] == 2
    builder.upload({"2.png": tmp_path / "two.png"}, "open")
    builder.upload(tmp_path / "more.zip", "open")
    assert builder.counts["open"] == 5
    with pytest.raises(ImageSetError, match=r"gone\.png cannot be read"):
        builder.upload([tmp_path / "gone.png"], "open")
    with pytest.raises(ImageSetError, match=r"2\.png is neither a path nor"):
        builder.upload({"2.png": drawn(2)}, "open")  # type: ignore[dict-item]


def test_a_still_camera_gives_one_picture(builder: DatasetBuilder) -> None:
    scene = drawn(1, (640, 480))
    assert builder.capture("open", scene, recording="a")
    assert builder.capture("open", encoded(scene, "JPEG"), recording="a") == ""
    moved = scene.copy()
    ImageDraw.Draw(moved).rectangle((300, 100, 500, 400), fill="white")
    assert builder.capture("open", moved, recording="a")
    assert builder.counts["open"] == 2
    assert "same picture" in dict(builder.passed_over)["frame 2"]
    assert len({p.split for p in builder.images}) == 1, "one scene, one split"
    assert builder._state["labels"][0]["skips"] == [["already there", 1, ["frame 2"]]]
    with pytest.raises(ImageSetError, match="no label 'ajar'"):
        builder.capture("ajar", scene)


def test_sorting_is_undone_step_by_step(builder: DatasetBuilder) -> None:
    builder.upload(files(4), "open")
    first, second, *_ = builder.page("open")
    builder.move(first, "closed")
    builder.remove(second.file_name)
    assert builder.counts == {"open": 2, "closed": 1}
    builder.remove_label("open")
    assert builder.counts == {"closed": 1}
    assert len(builder.undo()) == 2, "a label comes back in one step"
    assert builder.counts == {"closed": 1, "open": 2}
    builder.rename_label("open", "ajar")
    assert builder.counts == {"closed": 1, "ajar": 2}
    builder.undo()
    assert builder.counts == {"closed": 1, "open": 2}
    builder.undo()
    builder.undo()
    assert builder.counts == {"closed": 0, "open": 4}
    assert builder.undo() == [] and "Nothing" in builder.status


def test_an_empty_label_that_was_removed_comes_back_before_older_edits(builder: DatasetBuilder) -> None:
    builder.upload(files(2), "open")
    builder.remove(builder.images[0])
    builder.set_source("closed", "folder", where="/some/where")
    builder.remove_label("closed")
    assert builder.undo() == [] and builder.counts == {"open": 1, "closed": 0}
    assert builder._state["labels"][1]["where"] == "/some/where"
    assert len(builder.undo()) == 1 and builder.counts["open"] == 2
    builder.remove_label("closed")
    builder.remove(builder.images[0])
    assert len(builder.undo()) == 1 and builder.counts == {"open": 2}, "what came last goes first"


def test_the_same_folder_goes_on_where_it_was_left(builder: DatasetBuilder) -> None:
    builder.upload(files(3) | {"bad.jpg": b"no"}, "open")
    builder.rename_label("closed", "shut")
    builder.add_label("ajar")
    builder.set_source("ajar", "folder", where="/some/where", n=7)
    builder.remove(builder.images[0])
    again = DatasetBuilder(builder.folder, labels=["open", "closed", "gone"])
    assert again.counts == {"open": 2, "shut": 0, "ajar": 0, "gone": 0}, "a renamed label does not come back"
    row = again._state["labels"][2]
    assert (row["source"], row["where"], row["n"]) == ("folder", "/some/where", 7)
    assert [name for name, _ in again.passed_over] == ["bad.jpg"]
    assert len(again.undo()) == 1 and again.counts["open"] == 3


def test_a_damaged_memory_of_labels_loses_no_picture(builder: DatasetBuilder) -> None:
    builder.upload(files(2), "open")
    (builder.folder / "builder.json").write_text('{"labels": [{"na')
    assert DatasetBuilder(builder.folder).counts == {"open": 2}


def test_a_source_that_fails_says_why_and_what_works(builder: DatasetBuilder) -> None:
    report = builder.collect("open", 5, Broken())
    assert builder.counts["open"] == 2 and not report.complete
    assert "429" in builder.status and "Without it there are" in builder.status
    assert builder._state["alert"]
    with pytest.raises(ImageSetError, match="giraffe"):
        builder.collect("open", source="rendered", query="giraffe")
    builder.set_source("open", "folder")
    with pytest.raises(ImageSetError, match=r"path of a folder.*set_source\('open', 'folder', where="):
        builder.collect("open")
    with pytest.raises(ImageSetError, match=r"builder\.upload"):
        builder.collect("open", source="upload")
    with pytest.raises(ImageSetError, match="1 to 10,000 images: give a whole number, not 0"):
        builder.collect("open", 0)
    assert not builder._state["labels"][0]["busy"]


def test_a_source_may_be_a_path_or_a_name(
    builder: DatasetBuilder, class_folders: Callable[..., Path], tmp_path: Path
) -> None:
    folder = class_folders(open=4, shut=3, size=80)
    builder.collect("open", 2, source=str(folder))
    builder.collect("closed", 2, source=folder, query="shut")
    assert builder.counts == {"open": 2, "closed": 2}
    ImageSet.open(folder).pack(tmp_path / "packed.zip")
    builder.collect("open", 3, source=str(tmp_path / "packed.zip"))
    assert builder.counts["open"] == 3
    with pytest.raises(ImageSetError, match="Did you mean 'openverse'"):
        builder.collect("open", source="opnverse")


@pytest.mark.slow
def test_collecting_aside_can_be_stopped(builder: DatasetBuilder) -> None:
    report = builder.collect("open", 10_000, Slow(), wait=False)
    with pytest.raises(ImageSetError, match="being collected"):
        builder.remove_label("open")
    deadline = time.monotonic() + 30
    while builder.counts["open"] < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert builder._state["labels"][0]["busy"]
    builder.move(builder.page("open")[0], "closed")
    builder.stop("open")
    while builder._state["labels"][0]["busy"] and time.monotonic() < deadline:
        time.sleep(0.02)
    while "Stopped" not in builder.status and time.monotonic() < deadline:
        time.sleep(0.02)
    assert "Stopped" in builder.status
    assert builder.counts == {"open": len(report.kept) - 1, "closed": 1}
    assert sum(builder.counts.values()) == len(ImageSet.open(builder.folder))


@pytest.mark.slow
def test_each_label_is_stopped_by_itself(builder: DatasetBuilder) -> None:
    builder.set_source("open", n=10_000)
    builder.set_source("closed", n=2)
    report = builder.collect(source=Slow(), wait=False)
    until(lambda: builder.counts["open"] > 0)
    builder.stop("open")
    until(lambda: "Stopped." in builder.status)
    assert builder.counts["closed"] == 2, "it was not closed that was stopped"
    assert not report.complete


@pytest.mark.slow
def test_a_new_name_is_not_taken_back_while_it_is_collected_for(builder: DatasetBuilder) -> None:
    builder.upload(files(1), "open")
    builder.rename_label("open", "ajar")
    builder.collect("ajar", 10_000, Slow(), wait=False)
    until(lambda: builder.counts["ajar"] > 1)
    with pytest.raises(ImageSetError, match="'ajar' are being collected"):
        builder.undo()
    builder.remove(builder.page("ajar")[0])
    assert len(builder.undo()) == 1, "sorting goes on meanwhile"
    builder.stop()
    until(lambda: "Stopped." in builder.status)
    n = builder.counts["ajar"]
    builder.undo()
    assert builder.counts == {"open": 1, "ajar": n - 1, "closed": 0}, "what came later has its name from the start"
    assert not any(row["busy"] for row in builder._state["labels"])


@pytest.mark.parametrize("n", [0, -3, 2.5, 30.0, "", "12", "twelve", None, True, 10_001, 10**30, float("nan"), [5]])
def test_a_bad_number_is_refused_and_changes_nothing(builder: DatasetBuilder, tmp_path: Path, n: Any) -> None:
    before = builder._state["labels"]
    if n is not None:  # which means: as it is
        with pytest.raises(ImageSetError, match="1 to 10,000 images: give a whole number"):
            builder.set_source("open", "folder", n=n, where="/elsewhere")
        with pytest.raises(ImageSetError, match="1 to 10,000"):
            builder.collect("open", n)
    with pytest.raises(ImageSetError, match="1 to 10,000"):
        DatasetBuilder(tmp_path / "new", n=n)
    assert builder._state["labels"] == before and not (tmp_path / "new").exists()
    builder.set_source("open", n=np.int64(7))
    assert builder._state["labels"][0]["n"] == 7


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "needs a name"), (" \n\t ", "needs a name"), ("\u200b\u200d", "needs a name"), (5, "is no label"),
        (None, "is no label"), ("open", "a label 'open' already"), ("  open\n", "a label 'open' already"),
        ("OPEN", "differs in case or blanks only"), ("o" * 81, "at most 80 characters"),
        ("a\x00b", "cannot be seen"), ("abc\u202egpj", "cannot be seen"), ("half \ud83d", "cannot be seen"),
    ],
)  # fmt: skip
def test_what_is_no_label_is_refused(builder: DatasetBuilder, name: Any, says: str) -> None:
    for call in (lambda: builder.add_label(name), lambda: builder.rename_label("closed", name)):
        with pytest.raises(ImageSetError, match=says):
            call()
    with pytest.raises(ImageSetError, match=r"\w"):
        DatasetBuilder(builder.folder.with_name("other"), labels=["open", "ajar", name])
    assert builder.labels == ["open", "closed"]


def test_odd_labels_that_are_labels_are_kept_as_they_are(builder: DatasetBuilder) -> None:
    odd = ["a/b", "..", "CON", "🚪🏽", "باب مفتوح", "Tür", "<b>&amp;", "0", "o" * 80, "a\\b", "ünï\u0301"]
    for number, name in enumerate(odd):
        builder.add_label(name)
        builder.upload(files(1, first=10 * number), builder.labels[-1])
    builder.rename_label("open", "Open")  # its own name, written otherwise
    assert builder.labels == ["Open", "closed", *odd[:-1], "ünḯ"]
    images = ImageSet.open(builder.folder)
    assert sorted(images.labels) == sorted(builder.labels[2:])
    assert all(images.path(image).resolve().is_relative_to(builder.folder.resolve()) for image in images)
    assert DatasetBuilder(builder.folder).labels == builder.labels


def test_a_damaged_row_keeps_its_label(builder: DatasetBuilder) -> None:
    rows = [{"name": "open", "n": -3, "source": "gone", "query": None}, {"name": "closed", "n": "many"}, {"name": 5}, 7]
    (builder.folder / "builder.json").write_text(json.dumps({"labels": rows[:3], "given": ["open", None]}))
    again = DatasetBuilder(builder.folder, n=12, source="commons")
    assert [(row["name"], row["source"], row["n"]) for row in again._state["labels"]] == [
        ("open", "commons", 12), ("closed", "commons", 12)
    ]  # fmt: skip
    (builder.folder / "builder.json").write_text(json.dumps({"labels": rows[3:], "given": []}))
    assert DatasetBuilder(builder.folder).labels == []


def handed(builder: DatasetBuilder, given: dict[str, bytes], label: str, batch: str) -> list[str]:
    """Files that are dropped onto a label, one message each, and what was said after each."""
    news = []
    for name, data in given.items():
        state = said(builder, "_chunk", data, label=label, name=name, size=len(data), offset=0, batch=batch)
        news.append(next(row["news"] for row in state["labels"] if row["name"] == label))
    return news


def test_what_is_said_to_have_come_is_what_came(builder: DatasetBuilder, class_folders: Callable[..., Path]) -> None:
    news = handed(builder, files(12), "open", "first")
    assert [line.split(" for ")[0] for line in news] == ["1 new image", *(f"{n} new images" for n in range(2, 13))]
    again = files(2) | files(10, first=20) | {"a.txt": b"no"}
    assert handed(builder, again, "open", "second")[-1].startswith(
        "10 new images for 'open'. 3 passed over: 2 already there (0.png, 1.png); 1 not a picture"
    )
    assert handed(builder, files(1), "closed", "third") == [
        "No new images for 'closed'. 1 passed over: already under 'open' (0.png)."
    ]
    assert builder._state["labels"][1]["skips"] == [["already under 'open'", 1, ["0.png"]]], "in the label's own panel"
    builder.remove(builder.images[0])
    builder.upload(files(30), "closed")
    assert builder.status.startswith("8 new images for 'closed'. 1 image that had been removed is back. 21 passed over")

    folder = class_folders(open=40, shut=3, size=80)
    builder.add_label("ajar")
    builder.collect("ajar", 12, source=folder, query="open")
    assert builder.status == "12 new images for 'ajar'."
    builder.collect("ajar", 13, source=folder, query="open")
    assert builder.status == "1 new image for 'ajar'."
    builder.collect("ajar", 13, source=folder, query="open")
    assert builder.status == "No new images for 'ajar'. 'ajar' has as many as asked for: ask for more."
    for label, query in (("ajar", "open"), ("closed", "shut")):
        builder.set_source(label, "folder", where=str(folder), query=query, n=14 if label == "ajar" else 9)
    builder.remove_label("open")
    builder.collect()
    assert builder.status == "1 new image for 'ajar'. 'closed' has as many as asked for: ask for more."
    builder.set_source("closed", n=20)
    builder.collect(n=15)
    assert builder.status.startswith("4 new images: 3 for 'closed' and 1 for 'ajar'. folder: closed has 12 of 15")

    frames = [drawn(900 + number, (640, 480)) for number in (1, 1, 2, 3)]
    for frame in frames:
        builder.capture("ajar", frame, recording="r")
    assert builder.status == "3 new images for 'ajar'. 1 passed over: already there (frame 2)."


def test_several_are_moved_and_removed_in_one_step(builder: DatasetBuilder) -> None:
    builder.upload(files(6), "open")
    one, two, three, four, *_ = builder.images
    builder.move([one, two.file_name, one], "closed")
    assert builder.counts == {"open": 4, "closed": 2} and builder.status == "2 images moved to 'closed'."
    builder.remove(image.file_name for image in (one, three))
    assert builder.counts == {"open": 3, "closed": 1} and builder.status == "2 images removed. Undo brings them back."
    builder.move([two, four], "closed")
    assert builder.status == "1 image moved to 'closed'."
    builder.move(two, "closed")
    assert builder.status == "All are in 'closed' already."
    for images in ([], "none.jpg", [four, "none.jpg"], [four, 5], 5, [None]):
        with pytest.raises(ImageSetError, match=r"image|picture"):
            builder.move(images, "open")  # type: ignore[arg-type]
        with pytest.raises(ImageSetError, match=r"image|picture"):
            builder.remove(images)  # type: ignore[arg-type]
    assert builder.counts == {"open": 2, "closed": 2}, "all or none"
    steps = [len(builder.undo()) for _ in range(3)]
    assert steps == [1, 2, 2] and builder.counts == {"open": 6, "closed": 0} and builder.undo() == []
    said(builder, "move", images=[one.file_name, two.file_name], label="closed")
    said(builder, "remove", images=[one.file_name, two.file_name])
    assert builder.counts == {"open": 4, "closed": 0}


def test_a_zip_is_packed_beside_and_spares_what_is_there(
    builder: DatasetBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ImageSetError, match=r"no (pictures|images)"):
        builder.pack()
    builder.upload(files(3), "open")
    (tmp_path / "doors.zip").write_bytes(b"the one that somebody else made")
    path = builder.pack()
    assert path == tmp_path / "doors 2.zip" and "3 images" in builder.status
    assert len(ImageSet.open(path)) == 3
    builder.move(builder.images[0], "closed")
    assert builder.pack() == path, "its own is replaced"
    assert ImageSet.open(path).labels == ["closed", "open"]
    assert DatasetBuilder(builder.folder).pack() == path, "and so is one that is the same"
    assert builder.pack(str(tmp_path / "mine.zip")).name == "mine.zip"
    assert (tmp_path / "doors.zip").read_bytes() == b"the one that somebody else made"

    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(builder, "send", lambda content, buffers=None: sent.append((content, list(buffers or []))))
    said(builder, "_part", offset=0, ack=1)
    assert not sent[-1][0]["good"], "nothing was asked for"
    said(builder, "_pack")
    until(lambda: any("zip" in content for content, _ in sent))
    (zipped,) = [content["zip"] for content, _ in sent if "zip" in content]
    assert zipped == {"name": "doors 2.zip", "size": path.stat().st_size, "large": False}
    said(builder, "_part", offset=0, ack=2)
    assert sent[-1][1] == [path.read_bytes()]
    for offset in (-1, zipped["size"], "x", None):
        said(builder, "_part", offset=offset, ack=3)
        assert not sent[-1][0]["good"]


def test_too_little_to_train_on_is_said_and_what_to_do(builder: DatasetBuilder) -> None:
    with pytest.raises(ImageSetError, match=r"no (pictures|images)"):
        builder.train()
    builder.upload(files(4), "open")
    with pytest.raises(ImageSetError, match="images of two labels"):
        builder.train()
    builder.upload(files(2, first=50), "closed")
    with pytest.raises(ImageSetError, match="2 of 'closed': it takes 3 of each label"):
        builder.train()
    builder.remove_label("closed")
    builder.add_label("closed")
    for number in range(9):
        builder.capture("closed", drawn(100 + number, (320, 240)), recording="r")
    with pytest.raises(ImageSetError, match=r"'closed' show too few scenes.*Record it some more times"):
        builder.train()
    training = builder._state["training"]
    assert training["trouble"] and "too few scenes" in training["text"] and not training["busy"]
    with pytest.raises(ModelError, match=r"builder\.train\(\)"):
        builder.predict(drawn(1))


@pytest.mark.slow
@pytest.mark.usefixtures("backbone")
def test_training_gives_a_model_and_says_how_good_it_is(
    builder: DatasetBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def coloured(seed: int, colour: tuple[int, int, int]) -> bytes:
        return encoded(Image.blend(drawn(seed), Image.new("RGB", (160, 120), colour), 0.6))

    builder.upload({f"{n}.png": coloured(n, (220, 30, 30)) for n in range(6)}, "open")
    builder.upload({f"{n}.png": coloured(n, (30, 30, 220)) for n in range(100, 106)}, "closed")
    builder.add_label("ajar")  # empty: it takes no part
    model = builder.train()
    assert model is not None and model is builder.model and model.labels == ["closed", "open"]
    assert "of 12 images that it had not learned from" in builder.status
    assert "With so few images that means little" in builder.status
    training = builder._state["training"]
    assert training["text"] == builder.status and not training["stale"] and training["labels"] == model.labels
    assert builder.predict(Image.open(io.BytesIO(coloured(999, (220, 30, 30))))).label == "open"

    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(builder, "send", lambda content, buffers=None: sent.append(content))
    said(builder, "_predict", coloured(998, (30, 30, 220)), ack=1)
    assert sent[-1]["good"] and sent[-1]["label"] == "closed"
    assert sum(sent[-1]["probabilities"].values()) == pytest.approx(1)
    said(builder, "_predict", b"no image", ack=2)
    assert not sent[-1]["good"] and builder._state["alert"]

    builder.move(builder.page("open")[0], "closed")
    assert builder._state["training"]["stale"]
    broken = builder.images.path(builder.page("open")[0])
    said(builder, "train")
    until(lambda: builder.model is not model, 60)
    until(lambda: "Right on" in builder._state["training"]["text"])
    assert not builder._state["training"]["stale"] and not builder._state["training"]["busy"]
    broken.write_bytes(b"damaged meanwhile")
    builder.train()
    assert "image" in builder.status and builder.model is not None


@pytest.mark.slow
@pytest.mark.usefixtures("backbone")
def test_training_can_be_stopped(builder: DatasetBuilder) -> None:
    builder.upload(files(30), "open")
    builder.upload(files(30, first=50), "closed")
    assert builder.train(wait=False) is None
    with pytest.raises(ModelError, match="under way"):
        builder.train()
    until(lambda: builder._state["training"]["done"] > 0, 60)
    builder.move(builder.images[0], "closed")  # sorting goes on meanwhile
    said(builder, "stop_training")
    until(lambda: builder._state["training"]["text"] == "Stopped.", 60)
    assert builder.model is None and not builder._state["training"]["busy"]


def test_advice_leads_to_a_set_to_train_on(tmp_path: Path) -> None:
    builder = DatasetBuilder(tmp_path / "birds")
    assert "two or more" in builder.advice
    builder.add_label("bird")
    assert builder.advice == "Add a second label."
    builder.add_label("forest")
    builder.upload(files(3 * ENOUGH), "bird")
    builder.upload(files(ENOUGH - 1, first=500), "forest")
    assert builder.advice == "1 more of 'forest' to start."
    builder.upload(files(1, first=600), "forest")
    assert "unbalanced: 60 to 20" in builder.advice
    builder.upload(files(1, first=601), "forest")
    assert builder.advice.startswith("Enough to start: train now")
    assert len(builder.page("bird", 3)) == 60 - 2 * PAGE
    assert builder.page("bird", 99) == builder.page("bird", 3)


def test_what_the_page_sends_calls_the_methods(builder: DatasetBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[dict[str, Any], list[bytes]]] = []
    monkeypatch.setattr(builder, "send", lambda content, buffers=None: sent.append((content, list(buffers or []))))
    picture = encoded(drawn(7, (900, 900)), "PNG")
    parts = [picture[at : at + 9000] for at in range(0, len(picture), 9000)]
    assert len(parts) > 2
    for number, part in enumerate(parts):
        said(
            builder,
            "_chunk",
            part,
            ack=number,
            label="open",
            name="a.png",
            size=len(picture),
            offset=number * 9000,
            batch="b",
        )
        assert builder.counts["open"] == (number == len(parts) - 1), "taken in as soon as it is whole"
    assert [content for content, _ in sent] == [{"ack": n, "good": True} for n in range(len(parts))]
    state = said(builder, "_chunk", b"", ack=99, label="open", name="large.zip", size=300 * 2**20, offset=0, batch="b")
    assert sent[-1][0] == {"ack": 99, "good": False}
    assert "large.zip has 300 MB" in dict(builder.passed_over)["large.zip"]

    (shown,) = state["labels"][0]["images"]
    assert shown["alt"] == "open, image 1 of 1, from upload"
    said(builder, "thumbnails", names=[shown["name"], "../../secret.jpg"])
    (content, buffers) = sent[-1]
    assert content["thumbnails"] == [shown["name"]]
    assert max(Image.open(io.BytesIO(buffers[0])).size) <= 128

    state = said(builder, "move", images=[shown["name"]], label="closed")
    assert [row["count"] for row in state["labels"]] == [0, 1]
    said(builder, "capture", encoded(drawn(8), "JPEG"), label="open", recording="r")
    said(builder, "rename_label", old="open", new="ajar")
    said(builder, "add_label", name="  new \n one ")
    assert builder.counts == {"ajar": 1, "closed": 1, "new one": 0}
    json.dumps(builder._state)


@pytest.mark.parametrize(
    "message",
    [
        {"do": "close"},
        {"do": "_remember"},
        {"do": ["undo"]},
        {"do": "save"},
        {},
        {"do": "add_label", "name": "open"},
        {"do": "add_label", "name": 5},
        {"do": "add_label"},
        {"do": "collect", "label": "ajar"},
        {"do": "collect", "label": "open", "wait": True},
        {"do": "collect", "label": "open", "n": 2},
        {"do": "move", "images": ["open/none.jpg"], "label": "closed"},
        {"do": "page", "label": "open", "number": "x"},
        {"do": "set_source", "label": "open", "n": 0},
        {"do": "_chunk", "label": "open", "name": "a", "size": 10, "offset": 5, "batch": "b", "ack": 1},
        {"do": "capture", "label": "open", "recording": "r", "ack": 2},
    ],
)
def test_a_message_that_makes_no_sense_is_answered_in_a_line(builder: DatasetBuilder, message: dict[str, Any]) -> None:
    builder.upload(files(1), "open")
    builder._handle_custom_msg(message, [])
    assert builder._state["status"] == builder.status != ""
    assert builder._state["alert"] or "passed over" in builder.status
    assert builder.counts == {"open": 1, "closed": 0}


def test_without_a_kernel_a_still_picture_remains(builder: DatasetBuilder) -> None:
    builder.upload(files(10), "open")
    builder.add_label("<b>ajar</b>")
    data, _ = builder._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in data
    page = data["text/html"]
    assert page.count("data:image/jpeg;base64,") == 8 and "and 2 more" in page
    assert "<b>ajar" not in page and "&lt;b&gt;ajar" in page
    assert builder.advice.replace("'", "&#x27;").replace("<", "&lt;").replace(">", "&gt;") in page
    lines = ["  open: 10 images", "  closed: 0 images", "  <b>ajar</b>: 0 images"]
    assert data["text/plain"].splitlines()[1:] == lines


@pytest.mark.usefixtures("small_sets")
def test_drawn_pictures_are_collected_where_there_are_some(tmp_path: Path) -> None:
    builder = DatasetBuilder(tmp_path / "mine", labels=["bird", "tram"], n=2)
    assert [row["source"] for row in builder._state["labels"]] == ["rendered", "openverse"]
    with pytest.raises(ImageSetError, match="no source"):
        DatasetBuilder(tmp_path / "mine", source="nowhere")
    builder.collect("bird", source=named("rendered"))
    assert builder.counts["bird"] == 2
