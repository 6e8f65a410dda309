"""The cache: what is in it is known, freed by age and size, and nothing else is ever touched."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.drawn import jpeg
from tl_course import ImageSet
from tl_course.cli import main
from tl_course.core import caches
from tl_course.core.caches import KINDS, bytes_meant, contents, prune, readable
from tl_course.data.archives import pack
from tl_course.errors import CacheError

HEX = "0123456789abcdef" * 4


def put(path: Path, n: int, *, days: float = 0) -> Path:
    """A file of `n` bytes, or a folder with one, that was used some days ago."""
    file = path / "cat" / "a.jpg" if not path.suffix else path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x" * n)
    os.utime(path, (time.time() - days * caches.DAY,) * 2)
    return path


def ours(cache: Path, *, days: float = 100) -> dict[str, Path]:
    """One of each kind; each is larger than the one before."""
    export = put(cache / "backbones" / "resnet18.a1_in1k" / "288-torch-2.9.0+cpu.onnx", 200)
    put(export.with_suffix(".sha256"), 0)
    put(cache / "collected" / "cats_dogs", 600 - 5)
    put(cache / "collected" / "cats_dogs" / "collected.jsonl", 5)
    made = {
        "features": put(cache / "features" / "resnet18.a1_in1k-288-cpu-0123456789ab.sqlite", 100),
        "backbones": export.parent,
        "downloads": put(cache / "downloads" / f"{HEX}.zip", 300),
        "zips": put(cache / "packs" / HEX, 400),
        "drawn": put(cache / "rendered" / "cats_dogs-200-0-256-0123456789ab", 500),
        "collected": cache / "collected" / "cats_dogs",
        "lookalikes": put(cache / "suspects" / f"{HEX}.npz", 700),
        "uploads": put(cache / "uploads" / f"{HEX}.zip", 800),
        "assignments": put(cache / "grading" / HEX, 900),
    }
    for path in made.values():
        os.utime(path, (time.time() - days * caches.DAY,) * 2)
    return made


def foreign(cache: Path) -> list[Path]:
    """What a person may have in a folder that also serves as cache, under names that come near."""
    elsewhere = put(cache.parent / "elsewhere" / "thesis.txt", 10).parent
    (cache / "packs").mkdir(parents=True, exist_ok=True)
    (cache / "packs" / ("f" * 64)).symlink_to(elsewhere)
    (cache / "suspects").mkdir(exist_ok=True)
    (cache / "suspects" / f"{'e' * 64}.npz").symlink_to(elsewhere / "thesis.txt")
    names = [
        "thesis.txt", ".bashrc", "birds/a.jpg", "features/mine.sqlite", "features/2024-cpu.sqlite", "features/a/b.txt",
        "backbones/mine/model.onnx", "backbones/mine/model.json", "backbones/yours/backbone.onnx",
        "backbones/both/backbone.json", "backbones/both/notes.txt", "downloads/holiday.zip", "downloads/film.part",
        "packs/my set/cat/a.jpg", f"packs/{HEX[:32]}/a.jpg", f"packs/{'d' * 64}", "rendered/my-set/a.jpg",
        "rendered/birds-1-2-3/a.jpg", "collected/stamps/a.jpg", f"suspects/{HEX}.npz.bak", "suspects/list.csv",
        "uploads/home.zip", ".X.part", "packs/.hidden.part", "tl-course/other.txt",
    ]  # fmt: skip
    files = [cache / name for name in names]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("dear to someone")
        os.utime(file, (0, 0))
    return [*files, elsewhere / "thesis.txt"]


def test_only_what_is_the_caches_own_is_listed_and_removed(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, others = ours(cache), foreign(cache)
    assert {one.kind: one.path for one in contents()} == made
    assert {one.kind: one.bytes for one in contents()} == {kind: 100 * i for i, kind in enumerate(KINDS, start=1)}
    assert main(["cache", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["folder"] == str(cache) and told["bytes"] == 4500
    assert told["kinds"][0] == {"kind": "features", "n": 1, "bytes": 100}
    assert main(["cache", "prune", "--all", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["freed_bytes"], told["left_bytes"], len(told["removed"])) == (4500, 0, len(KINDS))
    assert not any(path.exists() for path in made.values())
    assert [file for file in others if not file.exists() or file.read_text()[:1] not in "dx"] == []
    assert contents() == []


def test_what_was_not_used_for_long_goes_then_what_was_used_longest_ago(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sets = [
        put(cache / "packs" / (letter * 64), 100, days=days)
        for letter, days in zip("abcde", (200, 50, 40, 5, 0), strict=True)
    ]
    assert main(["cache", "prune", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert f"100 bytes  zips, unused for 200 days: {sets[0]}" in said
    assert "100 bytes would be freed; nothing was removed; 400 bytes left." in said
    assert all(path.exists() for path in sets)
    assert main(["cache", "prune"]) == 0
    assert [path.exists() for path in sets] == [False, True, True, True, True]
    assert main(["cache", "prune", "--days", "45", "--max-size", "250", "--kind", "drawn"]) == 0
    assert [path.exists() for path in sets] == [False, True, True, True, True]
    assert main(["cache", "prune", "--max-size", "0.3KB"]) == 0
    assert [path.exists() for path in sets] == [False, False, True, True, True]
    assert main(["cache", "--json", "prune", "--days", "7"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["freed_bytes"] == 100
    assert [path.exists() for path in sets] == [False, False, False, True, True]
    assert main(["cache"]) == 0
    assert "200 bytes  zips: unpacked zips of images (2)" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong", [["--kind", "cats"], ["--days", "-1"], ["--days", "nan"], ["--max-size", "-1"], ["--max-size", "much"]]
)
def test_what_cannot_be_meant_is_refused_and_nothing_goes(cache: Path, wrong: list[str]) -> None:
    made = ours(cache)
    assert main(["cache", "prune", *wrong]) == 1
    assert all(path.exists() for path in made.values())


def test_sizes_are_read_and_written_as_people_do() -> None:
    sizes = {"5GB": 5 * 10**9, "300 mb": 3 * 10**8, "1.5k": 1500, "0": 0, "2GiB": 2 * 10**9, "7": 7}
    assert {text: bytes_meant(text) for text in sizes} == sizes
    assert [readable(n) for n in (0, 999, 1500, 14e6, 3.21e9)] == ["0 bytes", "999 bytes", "1.5 KB", "14 MB", "3.2 GB"]
    with pytest.raises(CacheError, match="is no size"):
        bytes_meant("a lot")


OPENED = """
import sys
from tl_course import ImageSet
images = ImageSet.open(sys.argv[1])
print(images.root, flush=True)
sys.stdin.readline()
print(len([images.path(one).read_bytes() for one in images]))
"""


def test_a_set_that_another_process_reads_stays(cache: Path, tmp_path: Path) -> None:
    pack(
        {f"{label}/{n}.jpg": jpeg(n + 9 * (label == "cat")) for label in ("cat", "dog") for n in range(3)},
        tmp_path / "a.zip",
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", OPENED, str(tmp_path / "a.zip")], cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert reader.stdout is not None
    root = Path(reader.stdout.readline().strip())
    done = prune(days=0)
    assert [one.path for one in done.in_use] == [root] and "in use, so it stays" in str(done)
    assert reader.communicate("\n")[0] == "6\n"
    assert [one.path for one in prune(days=0).removed] == [root]
    assert len(ImageSet.open(tmp_path / "a.zip")) == 6, "it is made again"


def test_the_cache_is_bounded_by_itself(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack(
        {f"{label}/{n}.jpg": jpeg(n + 9 * (label == "cat")) for label in ("cat", "dog") for n in range(3)},
        tmp_path / "a.zip",
    )
    old, used, new = (
        put(cache / "packs" / (letter * 64), 900, days=days) for letter, days in (("a", 100), ("b", 9), ("c", 0.5))
    )
    left = put(cache / "packs" / f".{'e' * 64}.{HEX[:32]}.part", 10, days=2)
    under_way = put(cache / "packs" / f".{'f' * 64}.{HEX[:32]}.part", 10, days=0)
    mine = ImageSet.open(tmp_path / "a.zip").root
    assert [path.exists() for path in (old, used, new, mine, left, under_way)] == [False, True, True, True, False, True]
    monkeypatch.setattr(caches, "BOUND", 1000)
    shutil.rmtree(mine)
    ImageSet.open(tmp_path / "a.zip")
    assert used.exists(), "it looks once a day"
    os.utime(cache / "tl-course-tidied.json", (0, 0))
    shutil.rmtree(mine)
    ImageSet.open(tmp_path / "a.zip")
    assert [path.exists() for path in (used, new, mine)] == [False, True, True], "what was used today stays"


def test_what_is_used_is_marked_as_used(cache: Path, tmp_path: Path) -> None:
    pack(
        {f"{label}/{n}.jpg": jpeg(n + 9 * (label == "cat")) for label in ("cat", "dog") for n in range(3)},
        tmp_path / "a.zip",
    )
    ImageSet.open(tmp_path / "a.zip")
    (entry,) = contents()
    os.utime(entry.path, (0, 0))
    ImageSet.open(tmp_path / "a.zip")
    assert time.time() - entry.path.stat().st_mtime < 60
