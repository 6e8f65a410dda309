"""Strategies on the networks of the course, untrained and fed small pictures, which changes nothing but the time."""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tl_course import Classifier, ImageSet, train
from tl_course.errors import ModelError, TLCourseWarning
from tl_course.features.backbones import DEFAULT, Backbone, create
from tl_course.models import History
from tl_course.models.heads import Head
from tl_course.training.layer_groups import LayerGroup, layer_groups, learning

if TYPE_CHECKING:
    from fastai.learner import Learner
    from torch import Tensor

# torch and fastai are imported within the tests: that alone takes ten seconds, of which `make test-quick` needs none.
pytestmark = pytest.mark.slow

SMALLEST = {  # of each family: side of the pictures
    "test_efficientnet": 64,
    "tf_efficientnet_lite0": 64,
    "test_resnet": 64,
    "vgg11": 32,
    "mobilenetv3_small_050": 64,
    "test_convnext": 64,
    "test_vit": 160,
}


@pytest.fixture(scope="module")
def easy(tmp_path_factory: pytest.TempPathFactory) -> ImageSet:
    """Told apart by colour."""
    root, random = tmp_path_factory.mktemp("easy"), np.random.default_rng(0)
    for label, channel in (("bird", 0), ("forest", 1)):
        (root / label).mkdir()
        for number in range(20):
            noise = random.integers(0, 120, (64, 64, 3), dtype=np.uint8)
            noise[..., channel] += 120
            Image.fromarray(noise).save(root / label / f"{number}.png")
    return ImageSet.open(root)


@pytest.fixture
def make(easy: ImageSet) -> "Callable[..., Learner]":
    def call(images: ImageSet = easy, **options: Any) -> "Learner":
        from tl_course.training import learner

        return learner(images, **{"backbone": "test_efficientnet", "pretrained": False, "size": 64, **options})

    return call


def state(learn: "Learner") -> "dict[str, Tensor]":
    return {name: tensor.clone() for name, tensor in learn.model.state_dict().items()}


def moved(before: "dict[str, Tensor]", learn: "Learner") -> set[str]:
    return {name for name, tensor in learn.model.state_dict().items() if not tensor.equal(before[name])}


@pytest.mark.parametrize("strategy", ["frozen", "fine_tune", "gradual", "scratch"])
@pytest.mark.parametrize("backbone", SMALLEST)
def test_what_is_frozen_stays_bit_for_bit_and_the_rest_learns_at_the_stated_rate(
    backbone: str, strategy: str, make: "Callable[..., Learner]", monkeypatch: pytest.MonkeyPatch
) -> None:
    import timm
    from torch import nn

    from tl_course.training import strategies

    if backbone.startswith("vgg"):  # its last layers hold a hundred million numbers
        monkeypatch.setattr(timm, "create_model", partial(timm.create_model, mlp_ratio=0.01))
    learn = make(backbone=backbone, size=SMALLEST[backbone])
    body = learn.model[0]
    names = {parameter: f"0.{name}" for name, parameter in body.named_parameters()}
    groups = {name: {names[parameter] for parameter in some} for name, some in layer_groups(body).items()}
    norms = {
        f"0.{name}.{key}"
        for name, module in body.named_modules()
        if isinstance(module, nn.modules.batchnorm._BatchNorm)
        for key in module.state_dict()
    }
    before = state(learn)
    history = getattr(strategies, strategy)(learn, 2, rate=1e-2)
    rates = history.rates[-1]
    assert list(rates) == [*groups, "head"] == list(history.parameters)
    last = [name for name in groups if rates[name]]
    if strategy == "frozen":
        assert last == []
    elif strategy == "scratch":
        assert last == list(groups)
    else:
        assert last and last == list(groups)[-len(last) :] != list(groups)
        assert rates["head"] == pytest.approx(1e-2, rel=0.3)  # of so few steps none is at the very top of the cycle
        ladder = [rates[name] for name in (*last, "head")]
        assert [high / low for low, high in pairwise(ladder)] == pytest.approx([2.6] * len(last))
    learns = {"1.weight", "1.bias"}.union(*(groups[name] for name in last))
    if strategy == "scratch":
        assert moved(before, learn) - norms == learns - norms
        assert bool(moved(before, learn) & norms) == bool(norms)
    else:
        assert moved(before, learn) == learns - norms
    assert not any(parameter.requires_grad for name, parameter in body.named_parameters() if f"0.{name}" not in learns)


def test_the_record_shows_what_was_unfrozen_when(make: "Callable[..., Learner]") -> None:
    from tl_course.training import gradual

    stages = learning(gradual(make(), 2))
    assert list(stages) == ["epoch 1", "epoch 2", "epoch 3"]
    assert [[group.name for group in stage if group.rate] for stage in stages.values()] == [
        ["head"],
        ["blocks.4 to bn2", "head"],
        ["blocks.3.0", "blocks.4 to bn2", "head"],
    ]
    assert stages["epoch 1"][-1] == LayerGroup("head", 2 * 256 + 2, pytest.approx(3e-3, rel=0.3))


@pytest.mark.parametrize("strategy", ["frozen", "fine_tune", "gradual", "scratch"])
def test_it_learns_and_is_recorded_from_before_the_first_step(
    strategy: str, make: "Callable[..., Learner]", easy: ImageSet
) -> None:
    from tl_course.training import classifier, strategies

    learn = make()
    with learn.no_bar(), learn.no_logging():
        assert learn.validate()[1] == 0.5
    history = getattr(strategies, strategy)(learn, 4, rate=3e-3)
    epochs = [0, 0.5, 1, 2, 3, 4, *([5] if strategy in ("fine_tune", "gradual") else [])]  # one is for the head
    assert history.column("epoch") == epochs
    assert history.column("step") == [0, 1, *(2 * epoch for epoch in epochs[2:])]
    assert history.column("pictures") == [16 * step for step in history.column("step")]
    assert history.column("seconds") == sorted(history.column("seconds"))
    assert history.column("valid_accuracy")[0] == 0.5
    assert history.column("train_loss")[-1] < history.column("train_loss")[2]
    with learn.no_bar(), learn.no_logging():
        assert learn.validate()[1] == history.column("valid_accuracy")[-1]
    assert len(history.epochs) == len(epochs) == len(history.rates)
    model = classifier(learn)
    if strategy != "scratch":  # whose batch norm has not seen enough yet
        assert history.column("valid_accuracy")[-1] == 1
        assert model.evaluate(easy).accuracy == 1
    assert model.strategy == strategy.replace("_", "-")


def test_kept_views_teach_what_the_pictures_themselves_would(make: "Callable[..., Learner]", easy: ImageSet) -> None:
    """Of a single batch and without augmentation, the steps are those of plain fastai."""
    import torch
    from fastai.torch_core import no_random

    from tl_course.training import fine_tune

    ours, plain = (make(easy.subset(20), augment=False) for _ in range(2))
    before = state(ours)
    fine_tune(ours, 3, freeze_epochs=0, groups=2, rate=1e-2)
    plain.freeze_to(-3)
    for module in plain.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.requires_grad_(False)
    with no_random(0), plain.no_bar(), plain.no_logging():
        plain.fit_one_cycle(3, [1e-2 / 2.6 ** (6 - i) for i in range(7)])
    assert moved(before, plain) == moved(before, ours)
    losses = [learn.recording.history.column("valid_loss") for learn in (ours, plain)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    assert losses[0][-1] < losses[0][0] - 0.005


@pytest.mark.parametrize(("groups", "copies"), [(2, 2), (6, 4)])
def test_what_follows_a_frozen_part_learns_from_two_copies_of_each_picture_and_a_whole_network_from_all(
    groups: int, copies: int, make: "Callable[..., Learner]", easy: ImageSet
) -> None:
    from tl_course.training import fine_tune

    altered: Counter[bytes] = Counter()

    def counted(picture: Image.Image) -> Image.Image:
        altered[picture.tobytes()] += 1
        return picture

    learn = make(augment=counted)
    assert len(layer_groups(learn.model[0])) == 6
    altered.clear()
    fine_tune(learn, 4, freeze_epochs=0, groups=groups)
    assert set(altered.values()) == {copies} and len(altered) == len(easy.train)


def test_augmentation_is_on_off_or_a_function_of_ones_own(make: "Callable[..., Learner]") -> None:
    asked = []

    def darker(picture: Image.Image) -> Image.Image:
        asked.append(picture.size)
        return picture.point(lambda value: value // 2)

    def batches(**options: Any) -> "Sequence[Tensor]":
        train = make(**options).dls.train.new(shuffle=False, drop_last=False)
        return [next(iter(train))[0].as_subclass(__import__("torch").Tensor) for _ in range(2)]

    one, other = batches(augment=False)
    assert one.equal(other)
    lit, again = batches(augment=True)
    assert not lit.equal(again)
    dark, _ = batches(augment=darker)
    assert dark.mean() < one.mean() and asked
    with pytest.raises(ModelError, match="returned nothing"):
        batches(augment=lambda picture: None)


def test_the_same_seed_gives_the_same_model(make: "Callable[..., Learner]") -> None:
    import torch

    from tl_course.training import classifier, fine_tune

    state_of_chance = torch.get_rng_state()
    keys = []
    for seed in (0, 0, 1):
        learn = make(seed=seed)
        fine_tune(learn, 1)
        keys.append(classifier(learn).backbone.key)
    assert keys[0] == keys[1] != keys[2]
    assert torch.equal(torch.get_rng_state(), state_of_chance)


def test_the_other_route_a_model_of_ones_own_is_transferred(
    make: "Callable[..., Learner]", easy: ImageSet, birds: ImageSet, tmp_path: Path
) -> None:
    """Trained on one set, saved, and used for another: the new model carries the weights with it."""
    from tl_course.training import classifier, learner, scratch

    learn = make()
    scratch(learn, 1)
    source = classifier(learn).save(tmp_path / "source")
    target = train(birds, backbone=source)
    assert target.backbone.key == Classifier.load(source).backbone.key
    assert target.backbone.picture_size == 64
    kept = target.save(tmp_path / "target")
    source.rename(tmp_path / "gone")
    paths = [birds.path(picture) for picture in birds]
    assert Classifier.load(kept).predict(paths) == target.predict(paths)
    again = learner(birds, backbone=kept)
    for (name, one), other in zip(
        learn.model[0].state_dict().items(), again.model[0].state_dict().values(), strict=True
    ):
        assert one.equal(other), name
    doubled = train(birds, backbone=kept, augment=Image.Image.copy, copies=1)
    assert doubled.backbone == target.backbone and not np.array_equal(doubled.head.weight, target.head.weight)
    with pytest.raises(ModelError, match="no saved model"):
        train(birds, backbone=str(tmp_path / "source"))


def test_measured_elsewhere_it_learns_from_all(make: "Callable[..., Learner]", easy: ImageSet, tmp_path: Path) -> None:
    learn = make(test=easy)
    assert len(learn.dls.train_ds) == len(easy) and len(learn.dls.valid_ds) == 20


def test_a_training_that_diverges_says_so(make: "Callable[..., Learner]") -> None:
    from tl_course.training import frozen

    learn = make(head=Head(np.zeros((2, 256), np.float32), np.full(2, np.nan, np.float32)))
    with pytest.raises(ModelError, match="diverged"):
        frozen(learn, 1)


@pytest.mark.parametrize("strategy", ["fine_tune", "gradual"])
def test_a_share_of_the_way_is_kept(strategy: str, make: "Callable[..., Learner]") -> None:
    from tl_course.training import strategies

    all_the_way, back, start = make(), make(), state(make())
    for learn, keep in ((all_the_way, 1.0), (back, 0.25)):
        getattr(strategies, strategy)(learn, 1, freeze_epochs=0, rate=1e-2, keep=keep)
    end, between = state(all_the_way), state(back)
    for name in moved(start, all_the_way):
        assert between[name].numpy() == pytest.approx((0.75 * start[name] + 0.25 * end[name]).numpy(), abs=1e-6)


def test_more_groups_than_there_are_are_refused(make: "Callable[..., Learner]") -> None:
    from tl_course.training import fine_tune

    with pytest.raises(ModelError, match="has 6 groups"):
        fine_tune(make(), 1, groups=7)


def test_a_spoilt_picture_is_named_and_left_out(
    make: "Callable[..., Learner]", birds: ImageSet, tmp_path: Path
) -> None:
    own = birds.copy_to(tmp_path / "own")
    spoilt = own.path(own.train[0])
    spoilt.write_bytes(spoilt.read_bytes()[:-200])
    with pytest.warns(TLCourseWarning, match=rf"1 picture.*{spoilt.name}"):
        learn = make(own)
    assert len(learn.dls.train_ds) == len(own.train) - 1


@pytest.mark.parametrize("strategy", ["fine-tune", "gradual"])
def test_train_gives_a_classifier_that_predicts_and_is_kept(
    strategy: str, birds: ImageSet, backbone: Backbone, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    model = train(birds, strategy=strategy, epochs=2, progress=True)
    assert model.metrics["n_test"] == len(birds.valid)
    assert set(model.history.stages) == {"loading", "features", "fit", "pictures", strategy, "test"}
    assert model.metrics["seconds"] == pytest.approx(
        sum(model.history.stages.values()) - model.metrics["loading_seconds"]
    )
    assert model.history.column("epoch")[-1] == 2
    pretrained = create(DEFAULT).state_dict()
    assert model.body is not None
    changed = {name for name, tensor in model.body.state_dict().items() if not torch.equal(tensor, pretrained[name])}
    assert changed and not any("bn" in name for name in changed)
    paths = [birds.path(picture) for picture in birds]
    assert Classifier.load(model.save(tmp_path / "model")).predict(paths) == model.predict(paths)
    assert not capsys.readouterr().out
    assert isinstance(model.history, History)


def test_the_best_weights_come_back_though_each_fit_trained_another_part(make: "Callable[..., Learner]") -> None:
    from tl_course.training import fine_tune, frozen
    from tl_course.widgets import LiveCurves

    live, learn = LiveCurves(keep_best=True), make()
    shown = live.callback("both")
    frozen(learn, 1, rate=1.0, cbs=[shown])
    best, loss = state(learn), learn.loss_func
    learn.loss_func = lambda scores, targets: -loss(scores, targets)  # the second fit unlearns
    accuracies = fine_tune(learn, 1, freeze_epochs=0, rate=1.0, cbs=[shown]).column("valid_accuracy")
    assert accuracies[-1] < accuracies[-2]
    assert moved(best, learn) == set()
