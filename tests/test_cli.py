"""The command line: what it prints, where, and how it ends. Run as a person or a script runs it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tl_course import ImageSet
from tl_course.backbones import Backbone
from tl_course.cli import main


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tl_course.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_train_save_and_predict(birds: ImageSet, backbone: Backbone, tmp_path: Path) -> None:
    trained = run("train", birds.root, "--test", birds.root, "--out", tmp_path / "deep/model", "--json")
    assert trained.returncode == 0, trained.stderr
    values = json.loads(trained.stdout)
    wanted = {"accuracy", "balanced_accuracy", "seconds", "n_train", "n_test", "labels", "backbone", "strategy"}
    assert wanted <= set(values)
    assert values["n_train"] == values["n_test"] == 40
    assert values["accuracy"] > 0.9
    predicted = run("predict", tmp_path / "deep/model", birds.path(birds[0]), birds.root, "--json")
    assert predicted.returncode == 0, predicted.stderr
    predictions = json.loads(predicted.stdout)["predictions"]
    assert len(predictions) == 41
    assert predictions[0]["file"] == str(birds.path(birds[0]))


def test_a_person_gets_sentences(birds: ImageSet, backbone: Backbone, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(birds.root)]) == 0
    said = capsys.readouterr().out
    assert "accuracy" in said
    assert "by cross-validation" in said


def test_a_mistake_ends_with_one_sentence_and_status_1(tmp_path: Path) -> None:
    done = run("train", tmp_path / "nowhere")
    assert done.returncode == 1
    assert not done.stdout
    assert done.stderr.startswith("tl-course: ")
    assert "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_skips_are_warned_of_beside_the_json(birds: ImageSet, backbone: Backbone, tmp_path: Path) -> None:
    own = birds.copy_to(tmp_path / "own")
    (own.root / "metadata.csv").unlink()
    (own.root / "bird" / "notes.jpg").write_text("this is text")
    done = run("images", "info", own.root, "--json")
    assert json.loads(done.stdout)["skipped"][0]["file_name"] == "bird/notes.jpg"
    assert "notes.jpg" in done.stderr


def test_images_are_drawn_packed_and_opened_again(tmp_path: Path) -> None:
    assert main(["images", "render", "birds", str(tmp_path / "set"), "--n", "6", "--size", "48"]) == 0
    done = run("images", "pack", tmp_path / "set", tmp_path / "set.zip", "--json")
    assert len(json.loads(done.stdout)["sha256"]) == 64
    info = json.loads(run("images", "info", tmp_path / "set.zip", "--json").stdout)
    assert info["n"] == 6
    assert sum(sum(splits.values()) for splits in info["counts"].values()) == 6


def test_doctor_names_the_backbones_here() -> None:
    done = run("doctor", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["ok"]
    assert "tf_efficientnet_lite0" in report["backbones"]
    assert "Lessons can run here" in run("doctor").stdout


def test_run_fails_where_a_lesson_fails(tmp_path: Path) -> None:
    import nbformat

    lesson = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0", id="a")]), lesson)
    done = run("run", lesson, "--out", tmp_path / "out", "--json")
    assert done.returncode == 1
    assert not json.loads(done.stdout)["ok"]
    assert "1 / 0" in done.stderr
    assert "ZeroDivisionError" in done.stderr


def test_cuda_is_refused_where_there_is_none(birds: ImageSet, backbone: Backbone) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = run("train", birds.root, "--device", "cuda")
    assert done.returncode == 1
    assert "no GPU that torch can use here" in done.stderr
