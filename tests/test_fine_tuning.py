"""Training the network itself. Pictures are fed smaller than a lesson would, which changes nothing but the time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tl_course import Classifier, ImageSet, train
from tl_course.backbones import Backbone, create
from tl_course.errors import ModelError, TLCourseWarning
from tl_course.heads import Head
from tl_course.history import History

if TYPE_CHECKING:
    from torch import Tensor, nn

# torch and fastai are imported within the tests: that alone takes ten seconds, of which `make test-quick` needs none.
pytestmark = pytest.mark.slow


@pytest.fixture
def frozen(backbone: Backbone) -> Classifier:
    """A classifier for small pictures whose head knows nothing yet."""
    head = Head(np.zeros((2, backbone.dim), np.float32), np.zeros(2, np.float32))
    return Classifier(
        labels=["bird", "forest"],
        backbone=replace(backbone, input_size=64, picture_size=64),
        head=head,
        strategy="frozen",
        metrics={},
        history=History("frozen", stages={"fit": 1.0}),
    )


@pytest.fixture
def tune(frozen: Classifier, birds: ImageSet) -> Callable[..., Classifier]:
    from tl_course.fine_tuning import fine_tune

    def call(**options: Any) -> Classifier:
        return fine_tune(frozen, birds, birds.train, **{"epochs": 1, "device": "cpu", "seed": 0, **options})

    return call


def state(body: "nn.Module") -> "dict[str, Tensor]":
    return {name: tensor for name, tensor in body.state_dict().items() if tensor.is_floating_point()}


def test_it_learns(frozen: Classifier, tmp_path: Path) -> None:
    from tl_course.fine_tuning import fine_tune

    random = np.random.default_rng(0)
    for label, channel in (("bird", 0), ("forest", 1)):  # told apart by colour
        (tmp_path / "easy" / label).mkdir(parents=True)
        for number in range(20):
            noise = random.integers(0, 120, (64, 64, 3), dtype=np.uint8)
            noise[..., channel] += 120
            Image.fromarray(noise).save(tmp_path / "easy" / label / f"{number}.png")
    easy = ImageSet.open(tmp_path / "easy")
    model = fine_tune(frozen, easy, easy.train, epochs=6, device="cpu", seed=0)
    losses = model.history.column("train_loss")
    assert losses[-1] < losses[0]
    assert model.history.column("valid_accuracy")[-1] == 1
    assert model.evaluate(easy).accuracy == 1
    assert model.history.column("epoch") == [1, 2, 3, 4, 5, 6]
    assert model.history.column("seconds") == sorted(model.history.column("seconds"))
    assert model.history.column("seconds")[0] > 1.0  # the frozen head's fit counts
    assert np.isfinite(model.history.column("valid_loss")).all()


def test_early_layers_and_batch_norm_stay_as_they_were(tune: Callable[..., Classifier], frozen: Classifier) -> None:
    import torch

    model = tune()
    before, after = state(create()), state(model.body)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all(name.startswith(("blocks.4", "blocks.5", "blocks.6", "conv_head")) for name in changed)
    assert not any("bn" in name for name in changed)
    assert "conv_head.weight" in changed
    assert model.head.weight.any() and not frozen.head.weight.any()
    assert (model.strategy, frozen.strategy, frozen.body) == ("fine-tune", "frozen", None)
    assert model.backbone.key != frozen.backbone.key


def test_the_same_seed_gives_the_same_model(tune: Callable[..., Classifier]) -> None:
    import torch

    state_of_chance = torch.get_rng_state()
    first, again, other = tune(), tune(), tune(seed=1)
    assert first.backbone.key == again.backbone.key != other.backbone.key
    np.testing.assert_array_equal(first.head.weight, again.head.weight)
    assert torch.equal(torch.get_rng_state(), state_of_chance)


def test_measured_elsewhere_it_learns_from_all(
    tune: Callable[..., Classifier], frozen: Classifier, birds: ImageSet
) -> None:
    from tl_course.fine_tuning import fine_tune

    with pytest.raises(ModelError, match="none is left"):
        fine_tune(frozen, birds, list(birds), epochs=1, device="cpu", seed=0)
    model = fine_tune(frozen, birds, list(birds), epochs=1, device="cpu", seed=0, test=birds)
    assert model.metrics["n_train"] == len(birds)
    assert 0 <= model.history.column("valid_accuracy")[0] <= 1


def test_a_training_that_diverges_says_so(frozen: Classifier, birds: ImageSet) -> None:
    from tl_course.fine_tuning import fine_tune

    broken = replace(frozen, head=Head(frozen.head.weight, np.full(2, np.nan, np.float32)))
    with pytest.raises(ModelError, match="diverged"):
        fine_tune(broken, birds, birds.train, epochs=1, device="cpu", seed=0)


def test_from_scratch_learns_everything_and_names_what_it_left_out(
    birds: ImageSet, backbone: Backbone, tmp_path: Path
) -> None:
    import torch

    from tl_course.fine_tuning import from_scratch

    own = birds.copy_to(tmp_path / "own")
    spoilt = own.path(own.train[0])
    spoilt.write_bytes(spoilt.read_bytes()[:-200])
    small = replace(backbone, input_size=64, picture_size=64)
    history = History("scratch")
    with pytest.warns(TLCourseWarning, match=rf"1 picture.*{spoilt.name}"):
        model = from_scratch(own, own.train, small, history, epochs=1, device="cpu", seed=0)
    assert model.metrics["n_train"] == len(own.train) - 1
    assert model.history is history
    assert history.stages.keys() == {"scratch"}
    pretrained, trained = state(create()), state(model.body)
    assert not any(torch.equal(pretrained[name], trained[name]) for name in pretrained if "conv" in name)
    assert model.backbone.picture_size < backbone.picture_size


def test_train_gives_a_classifier_that_predicts_and_is_kept(
    birds: ImageSet, backbone: Backbone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = train(birds, strategy="fine-tune", epochs=1, progress=True)
    assert model.metrics["n_test"] == len(birds.valid)
    assert set(model.history.stages) == {"backbone", "features", "fit", "fine-tune", "test"}
    assert model.metrics["seconds"] == sum(model.history.stages.values())
    paths = [birds.path(picture) for picture in birds]
    assert Classifier.load(model.save(tmp_path / "model")).predict(paths) == model.predict(paths)
    assert not capsys.readouterr().out


@pytest.mark.parametrize(("name", "side"), [("convnext_atto", 64), ("vit_tiny_patch16_224", 224)])
def test_networks_without_batch_norm(name: str, side: int, birds: ImageSet, frozen: Classifier) -> None:
    import torch
    from torch import nn

    from tl_course.fine_tuning import learner

    body = create(name, pretrained=False)
    net = nn.Sequential(body, nn.Linear(body.num_features, 2))
    before = {key: value.clone() for key, value in state(body).items()}
    items = [(birds.path(picture), picture.label) for picture in birds][:8]
    sized = replace(frozen.backbone, input_size=side, picture_size=side)
    learn = learner(net, items, items[:2], ["bird", "forest"], sized, size=side, freeze_below=0.5)
    with learn.no_bar(), learn.no_logging():
        learn.fit(1, 1e-3)
    names = list(dict(body.named_parameters()))
    changed = {key for key, value in state(body).items() if not torch.equal(before[key], value)}
    assert changed and changed <= set(names[len(names) // 2 :])
    assert any("norm" in key for key in changed)
