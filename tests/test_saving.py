"""Saving a model over another: whatever fails or is killed meanwhile, there is a whole model at every moment."""

import errno
import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tl_course import Classifier
from tl_course.errors import ModelError
from tl_course.features import Backbone
from tl_course.models import History, classifier
from tl_course.models.heads import Head


def numbered(backbone: Backbone, number: int) -> Classifier:
    """A model in which the number stands everywhere, so that a mixture of two can be told."""
    head = Head(np.full((2, backbone.dim), number, np.float32), np.full(2, number, np.float32))
    return Classifier([f"a{number}", f"b{number}"], backbone, head, "frozen", {"number": number}, History("frozen"))


def number_of(folder: Path) -> int:
    model = Classifier.load(folder)
    number = int(model.metrics["number"])
    assert model.labels == [f"a{number}", f"b{number}"]
    assert (model.head.weight == number).all()
    assert (model.head.bias == number).all()
    return number


@contextmanager
def failing(patch: pytest.MonkeyPatch, owner: object, name: str, at: int) -> Iterator[None]:
    """The call number `at` of a function fails as on a full disk."""
    function, left = getattr(owner, name), at

    def called(*arguments: object, **options: object) -> object:
        nonlocal left
        left -= 1
        if left == 0:
            raise OSError(errno.ENOSPC, "No space left on device")
        return function(*arguments, **options)

    with patch.context() as here:
        here.setattr(owner, name, called)
        yield


@pytest.mark.parametrize(("owner", "name"), [(os, "fsync"), (Path, "replace"), (Path, "write_text")])
@pytest.mark.parametrize("kind", ["ours", "of an earlier version"])
def test_a_step_that_fails_leaves_the_model_that_was_there(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: object, name: str, kind: str
) -> None:
    folder = numbered(backbone, 1).save(tmp_path / "model", card="# One")
    if kind != "ours":  # whose weights do not know what they belong to
        save_file(load_file(folder / "model.safetensors"), folder / "model.safetensors")
    failures = 0
    while True:
        try:
            with failing(monkeypatch, owner, name, failures + 1):
                numbered(backbone, 2).save(folder, card="# Two")
            break
        except ModelError as error:
            said = str(error)
        failures += 1
        assert "No space left on device. The model that was there is kept." in said
        assert number_of(folder) == 1
        assert {file.name for file in folder.iterdir()} == {"model.safetensors", "config.json", "README.md"}
    assert failures >= 2
    assert number_of(folder) == 2
    assert json.loads((folder / "config.json").read_text())["metrics"] == {"number": 2}
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "model"}


def test_a_disk_that_is_full_in_the_middle_of_the_weights_loses_nothing(backbone: Backbone, tmp_path: Path) -> None:
    folder = numbered(backbone, 1).save(tmp_path / "model")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with pytest.raises(ModelError, match=r"cannot be saved .* kept"):
            numbered(backbone, 2).save(folder)
        with pytest.raises(ModelError, match="cannot be saved"):
            numbered(backbone, 2).save(tmp_path / "new")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert number_of(folder) == 1
    assert numbered(backbone, 3).save(tmp_path / "new").is_dir()


KILLING = """
import os, random, signal, sys, time
from pathlib import Path
from tests.test_saving import number_of, numbered
from tl_course.features import Backbone

folder, backbone, seen = Path(sys.argv[1]), Backbone.get(), set()
numbered(backbone, 1).save(folder)
for turn in range(80):
    worker = os.fork()
    if not worker:
        number = 1
        while True:
            numbered(backbone, number := number % 2 + 1).save(folder, card="# Another" * (number % 2))
    before = (folder / "model.safetensors").stat().st_ino
    while (folder / "model.safetensors").stat().st_ino == before:  # on a busy machine it may not have begun
        time.sleep(0.001)
    time.sleep(random.random() / 30)
    os.kill(worker, signal.SIGKILL)
    os.waitpid(worker, 0)
    seen.add(number_of(folder))
numbered(backbone, 3).save(folder)
assert number_of(folder) == 3
print(*sorted(seen), len(list(folder.glob(".*.part"))))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks what it kills")
@pytest.mark.usefixtures("backbone")
def test_a_killed_process_leaves_a_whole_model_at_every_moment(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KILLING, str(tmp_path / "model")],
        cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[:2] == ["1", "2"]


def test_what_is_nobodys_model_is_not_written_over(backbone: Backbone, tmp_path: Path) -> None:
    for name in ("README.md", "config.json"):
        folder = tmp_path / f"with {name}"
        folder.mkdir()
        (folder / name).write_text('{"port": 80}')
        with pytest.raises(ModelError, match="no saved model"):
            numbered(backbone, 1).save(folder)
        assert (folder / name).read_text() == '{"port": 80}'


@pytest.mark.parametrize("litter", [".DS_Store", "Thumbs.db", "desktop.ini", ".ipynb_checkpoints/a", ".gitattributes"])
def test_what_other_programs_leave_in_a_folder_hinders_nothing(backbone: Backbone, tmp_path: Path, litter: str) -> None:
    folder = numbered(backbone, 1).save(tmp_path / "model")
    (folder / litter).parent.mkdir(exist_ok=True)
    (folder / litter).write_text("theirs")
    assert number_of(numbered(backbone, 2).save(folder)) == 2
    assert (folder / litter).read_text() == "theirs"
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ModelError, match=r"holds more than a model: notes\.txt\."):
        numbered(backbone, 3).save(folder)
    assert number_of(folder) == 2


@pytest.mark.parametrize("wrong", ["a" * 300, "x\0y", "~nobody of this name/model", "file", "file/model", "loop/model"])
def test_what_can_be_no_folder_is_said_so(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("mine")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(ModelError):
        numbered(backbone, 1).save(wrong)
    with pytest.raises(ModelError) as raised:
        Classifier.load(wrong)
    assert "damaged" not in str(raised.value)
    assert "Errno" not in str(raised.value)


def test_the_file_of_a_model_is_not_its_folder(backbone: Backbone, tmp_path: Path) -> None:
    folder = numbered(backbone, 1).save(tmp_path / "model")
    with pytest.raises(ModelError, match=r"model\.safetensors is no folder\. Give the one"):
        Classifier.load(folder / "model.safetensors")


SAVING = """
import sys
from tests.test_saving import numbered
from tl_course.features import Backbone

for turn in range(60):
    numbered(Backbone.get(), turn % 2 + 1).save(sys.argv[1], card="# Another" * (turn % 2))
"""


def test_processes_that_save_in_one_place_do_not_hinder_each_other(backbone: Backbone, tmp_path: Path) -> None:
    folder = numbered(backbone, 1).save(tmp_path / "model")
    command, here = [sys.executable, "-c", SAVING, str(folder)], Path(__file__).parents[1]
    writers = [subprocess.Popen(command, cwd=here, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    while any(writer.poll() is None for writer in writers):
        assert number_of(folder) in (1, 2)
    assert [writer.communicate()[1] for writer in writers] == ["", ""]


def test_a_model_in_place_of_its_folder_is_no_backbone(backbone: Backbone) -> None:
    for wrong in (numbered(backbone, 1), None, 3):
        with pytest.raises(ModelError, match=r"is no backbone: .* model\.save"):
            classifier.backbone_and_body(wrong)  # type: ignore[arg-type]


def test_a_checkout_that_is_not_installed_saves_too(
    backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unknown(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(classifier, "version", unknown)
    folder = replace(numbered(backbone, 1), strategy="fine-tune").save(tmp_path / "model")
    assert set(json.loads((folder / "config.json").read_text())["versions"]) == {"python", "tl-course"}
