"""The command line: what it prints, where, and how it ends. Run as a person or a script runs it."""

import csv
import json
import runpy
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers import Answer, Request, Server

from tl_course import Classifier, ImageSet
from tl_course.cli import main
from tl_course.cli.doctor import examine
from tl_course.core.versions import conflict
from tl_course.errors import ModelError
from tl_course.features import Backbone


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tl_course.cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def test_train_save_and_predict(birds: ImageSet, model: Classifier, tmp_path: Path) -> None:
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


def test_a_person_gets_sentences(birds: ImageSet, model: Classifier, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", str(birds.root)]) == 0
    said = capsys.readouterr().out
    assert "accuracy" in said
    assert "by cross-validation" in said


def test_suspects_are_a_table_that_can_be_read_whatever_files_are_called(
    class_folders: Callable[..., Path], backbone: Backbone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = class_folders(bird=3, forest=3)
    for path in sorted(folder.rglob("*.jpg")):
        path.rename(path.with_name(f"a;b,{path.name}"))
    assert main(["suspects", str(folder), "--csv", str(tmp_path / "table.csv"), "--json"]) == 0
    suspects = json.loads(capsys.readouterr().out)["suspects"]
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6 and suspects[0]["neighbours"]
    for column in ("neighbours", "kinds"):
        assert [json.loads(row[column]) for row in rows] == [one[column] for one in suspects]
    for n in ("0", "-3"):
        assert main(["suspects", str(folder), "--n", n]) == 1
        assert f"{n} pictures cannot be listed" in capsys.readouterr().err


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


def test_the_angle_from_which_a_door_is_open_can_be_chosen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    counts = []
    for threshold in ("1", "110"):
        drawn = ["images", "render", "doors", str(tmp_path / threshold), "--n", "6", "--size", "32"]
        assert main([*drawn, "--threshold", threshold, "--json"]) == 0
        splits = json.loads(capsys.readouterr().out)["counts"]
        counts.append(sum(splits.get("open", {}).values()))
    assert counts[0] >= 3 > counts[1]
    assert main(["images", "render", "birds", str(tmp_path / "birds"), "--n", "6", "--threshold", "30"]) == 1
    assert "knows no threshold" in capsys.readouterr().err


def test_doctor_names_the_backbones_here(capsys: pytest.CaptureFixture[str]) -> None:
    done = run("doctor", "--json")
    assert done.returncode == 0
    report = json.loads(done.stdout)
    assert report["ok"]
    assert "tf_efficientnet_lite0" in report["backbones"]
    assert main(["doctor"]) == 0
    assert "Lessons can run here" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("fastai", "fastcore", "fasttransform", "bad"),
    [
        ("2.8.7", "1.14.5", "0.0.2", ""),  # Kaggle
        ("2.8.8", "2.2.41", "0.0.2", ""),  # Colab
        ("2.8.11", "2.2.41", "0.0.5", ""),
        ("2.10.0", "3.0", "1.0", ""),
        ("2.8.7", "2.0.0", "0.0.2", "fastcore"),
        ("2.8.8", "1.14.6", "0.0.2", "fastcore"),
        ("2.8.10.dev1", "1.9", "0.0.2", "fastcore"),
        ("2.8.10", "2.2.41", "0.0.3", "fasttransform"),
    ],
)
def test_packages_of_fastai_that_do_not_fit_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fastai: str, fastcore: str, fasttransform: str, bad: str
) -> None:
    versions = {"fastai": fastai, "fastcore": fastcore, "fasttransform": fasttransform}
    for name, version in versions.items():
        (tmp_path / f"{name}-{version}.dist-info").mkdir()
        (tmp_path / f"{name}-{version}.dist-info" / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert conflict() is None or bad
    if bad:
        with pytest.raises(ModelError, match=f"fastai {fastai} does not work with {bad} {versions[bad]}.*pip install"):
            runpy.run_module("tl_course.training.learners")
        assert not examine().ok


def test_without_what_runs_notebooks_its_extra_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("papermill", "nbclient", "nbconvert", "nbformat"):
        monkeypatch.setitem(sys.modules, name, None)
    assert main(["run", "01_birds"]) == 1
    said = capsys.readouterr().err
    assert "papermill, nbclient, nbconvert, nbformat are missing" in said and "pip install 'tl-course[run]'" in said


@pytest.mark.slow
def test_run_fails_where_a_lesson_fails(tmp_path: Path) -> None:
    import nbformat

    lesson = tmp_path / "broken.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0", id="a")]), lesson)
    done = run("run", lesson, "--out", tmp_path / "out", "--json")
    assert done.returncode == 1
    assert not json.loads(done.stdout)["ok"]
    assert "1 / 0" in done.stderr
    assert "ZeroDivisionError" in done.stderr


@pytest.mark.slow
def test_cuda_is_refused_where_there_is_none(birds: ImageSet, backbone: Backbone) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU here")
    done = run("train", birds.root, "--device", "cuda")
    assert done.returncode == 1
    assert "no GPU that torch can use here" in done.stderr


def collection(server: Server, photos: Path) -> dict[str, Any]:
    """Routes of a server that offers real photos as Openverse would (https://api.openverse.org/v1/, "Image")."""

    def search(request: Request) -> Answer:
        names = sorted(path.name for path in (photos / request.query["q"]).glob("*.jpg"))[:40]
        results = [
            {
                "id": name,
                "title": name,
                "url": f"{server.url}/{request.query['q']}/{name}",
                "foreign_landing_url": f"https://example.org/photo/{name}",
                "creator": "A. Photographer",
                "license": "by",
                "license_version": "4.0",
                "license_url": "https://creativecommons.org/licenses/by/4.0/",
                "provider": "flickr",
                "source": "flickr",
                "mature": False,
            }
            for name in (names if request.query.get("page", "1") == "1" else [])
        ]
        body = {"result_count": len(names), "page_count": 1, "page_size": 40, "page": 1, "results": results}
        return Answer(json.dumps(body).encode(), headers={"Content-Type": "application/json"})

    def photo(request: Request) -> Answer:
        return Answer((photos / request.path.lstrip("/")).read_bytes(), headers={"Content-Type": "image/jpeg"})

    return {"/v1/images/": search, "/cat/": photo, "/dog/": photo}


@pytest.mark.slow
def test_collect_pack_open_and_train_in_a_row(photos: Path, backbone: Backbone, tmp_path: Path) -> None:
    mine, zipped = tmp_path / "pets", tmp_path / "pets.zip"
    with Server() as server:
        server.routes |= collection(server, photos / "cats_dogs")
        api = f"{server.url}/v1/images/"
        collected = run("images", "collect", mine, "kitten=cat", "dog", "--api", api, "--n", "20", "--json")
        assert collected.returncode == 0, collected.stderr
        values = json.loads(collected.stdout)
        assert values["counts"] == {"kitten": 20, "dog": 20}
        assert values["complete"] and not values["problems"]

        packed = json.loads(run("images", "pack", mine, zipped, "--json").stdout)
        server.routes["/pets.zip"] = zipped.read_bytes()
        opened = ImageSet.open(f"{server.url}/pets.zip", sha256=packed["sha256"])
        assert {(one.license, one.creator) for one in opened} == {("CC-BY-4.0", "A. Photographer")}
        trained = run("train", f"{server.url}/pets.zip", "--json")
    assert trained.returncode == 0, trained.stderr
    assert json.loads(trained.stdout)["cross_validated_accuracy"] > 0.9


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
def test_collect_takes_folders_zips_and_drawn_pictures(class_folders: Callable[..., Path], tmp_path: Path) -> None:
    folder = class_folders(bird=5, forest=5, size=96)
    assert run("images", "collect", tmp_path / "mine", "--source", folder).returncode == 0
    ImageSet.open(class_folders(into="more", owl=3, size=96)).pack(tmp_path / "more.zip")
    assert run("images", "collect", tmp_path / "mine", "owl", "--source", tmp_path / "more.zip").returncode == 0
    done = run("images", "collect", tmp_path / "mine", "bird", "--source", "rendered", "--n", "7")
    assert done.returncode == 0, done.stderr
    assert "bird 7" in done.stdout
    assert ImageSet.open(tmp_path / "mine").labels == ["bird", "forest", "owl"]


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        (["cat", "--source", "folder"], "Give its path"),
        (["cat", "--source", "nowhere"], "no such folder"),
        (["--source", "openverse"], "Say which you want"),
        (["cat", "--n", "0", "--source", "openverse"], "1 to"),
        (["mug", "--source", "rendered", "--n", "3"], "bird"),
        (["cat", "--source", "web", "--api", "http://127.0.0.1:9/"], "Leave it out"),
    ],
)
def test_what_cannot_be_collected_is_said_in_one_sentence(
    words: list[str], advice: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["images", "collect", str(tmp_path / "mine"), *words]) == 1
    assert advice in capsys.readouterr().err


@pytest.mark.slow
def test_collecting_where_nobody_answers_names_what_works(tmp_path: Path) -> None:
    api = "http://127.0.0.1:9/v1/images/"
    done = run("images", "collect", tmp_path / "mine", "cat", "--api", api, "--n", "3", "--json")
    assert done.returncode == 1
    (problem,) = json.loads(done.stdout)["problems"]
    assert problem.startswith("openverse: ")
    assert "rendered" in problem and "Traceback" not in done.stderr
