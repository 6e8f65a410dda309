"""Figures hold what they are said to show; what they look like is for eyes."""

from collections.abc import Callable

import matplotlib.style
import numpy as np
import pytest
from kernels import Kernel
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from tl_course import Classifier, ImageSet, plots
from tl_course.errors import TLCourseError
from tl_course.models import History, occlusion_map
from tl_course.models.classifier import Evaluation, Prediction
from tl_course.training import benefits
from tl_course.training.layer_groups import LayerGroup


@pytest.mark.slow
def test_a_contact_sheet_has_each_picture_under_its_label(birds: ImageSet) -> None:
    figure = plots.contact_sheet(birds, n=10, columns=4)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == 10
    assert {axis.get_title() for axis in shown} <= {"bird", "forest"}
    with pytest.raises(TLCourseError, match="no picture to show"):
        plots.picture_grid([])


def test_right_and_wrong_predictions_are_framed_apart(birds: ImageSet) -> None:
    path = str(birds.path(birds[0]))
    given = [Prediction(path, "bird", 0.9, {"bird": 0.9, "forest": 0.1})] * 2
    right, wrong = plots.predictions(given, truth=["bird", "forest"]).axes
    assert right.get_title() == "bird 90%"
    assert wrong.get_title() == "bird 90%, is forest"
    assert right.spines["top"].get_edgecolor() != wrong.spines["top"].get_edgecolor()


def test_the_confusion_matrix_shows_the_counts() -> None:
    figure = plots.confusion(Evaluation(0.8, 0.8, 0.4, [[7, 1], [3, 9]], 20), ["cat", "dog"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["7", "1", "3", "9"]


def test_curves_show_every_record_and_guessing() -> None:
    epochs = [{"epoch": i, "seconds": 2.0 * i, "valid_accuracy": 0.5 + 0.1 * i} for i in (1, 2, 3)]
    records = {"transfer": History("frozen", epochs[:1]), "scratch": History("scratch", epochs)}
    figure = plots.curves(records, chance=0.5)
    (axis,), (legend,) = figure.axes, figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["transfer", "scratch", "guessing"]
    np.testing.assert_allclose(axis.lines[1].get_xdata(), [2, 4, 6])


def runs(start: float, level: float, *, epochs: int = 6, seeds: int = 3, rate: float = 0.6) -> list[History]:
    """Saturating runs, 0.01 apart, with rows before training, after the first of ten steps, and after each epoch."""
    return [
        History(
            "fine-tune",
            [
                {
                    "epoch": e, "step": 10 * e, "pictures": 160 * e, "seconds": 2.0 * e + 0.1 * seed, "valid_loss": 1.0,
                    "valid_accuracy": level - (level - start) * np.exp(-rate * max(e - 0.1, 0)) - 0.01 * seed,
                }
                | ({"train_loss": 1 / e} if e >= 1 else {})
                for e in (0, 0.1, *range(1, epochs + 1))
            ],
        )
        for seed in range(seeds)
    ]  # fmt: skip


def test_curves_of_several_seeds_are_a_mean_and_a_band_as_far_as_all_go() -> None:
    records = {"transfer": runs(0.6, 0.95), "scratch": [*runs(0.5, 0.7), *runs(0.5, 0.7, epochs=4, seeds=1)]}
    figure = plots.curves(records, x="pictures")
    (axis,), (legend,) = figure.axes, figure.legends
    line, shorter = axis.lines
    np.testing.assert_allclose(line.get_ydata(), runs(0.6, 0.95)[1].column("valid_accuracy"))
    assert shorter.get_xdata().max() == 4 * 160
    band = axis.collections[0].get_paths()[0].vertices
    assert band[band[:, 0] == 960, 1].max() - band[band[:, 0] == 960, 1].min() == pytest.approx(0.02)
    assert legend.get_title().get_text() == "means of 3 to 4 runs, bands from lowest to highest"
    np.testing.assert_allclose(plots.curves(records, x="seconds").axes[0].lines[0].get_xdata()[-1], 12.1)
    np.testing.assert_allclose(plots.curves(records, x="epoch", y="train_loss").axes[0].lines[0].get_xdata()[0], 1)
    with pytest.raises(TLCourseError, match="no 'step' with 'valid_accuracy'"):
        plots.curves({"old": History("scratch", [{"epoch": 1.0, "valid_accuracy": 0.7}])}, x="step")


def test_runs_with_other_epochs_are_interpolated() -> None:
    one, other = ([{"epoch": e, "valid_loss": 10.0 + e} for e in epochs] for epochs in ((0.0, 2.0, 4.0), (1.0, 3.0)))
    line = plots.curves({"both": [History("a", one), History("b", other)]}, x="epoch", y="valid_loss").axes[0].lines[0]
    np.testing.assert_allclose(line.get_xydata(), [[1, 11], [2, 12], [3, 13]])


@pytest.mark.parametrize(
    ("transfer", "scratch"),
    [
        (runs(0.6, 0.95), runs(0.5, 0.7)),
        (runs(0.92, 0.99), runs(0.5, 0.6)),  # starts above all that scratch reaches
        (runs(0.951, 0.99), runs(0.95, 0.985)),  # hardly a gap
        (runs(0.5, 0.6), runs(0.6, 0.9)),  # transfer hurts
        (runs(0.5, 0.9, epochs=30), runs(0.5, 0.7, epochs=1)),
        (runs(0.6, 0.95, seeds=1), runs(0.5, 0.7, seeds=1)),
    ],
)
def test_the_three_benefits_are_drawn_where_they_are_and_nothing_covers_them(
    transfer: list[History], scratch: list[History]
) -> None:
    measured = benefits(transfer, scratch)
    figure = plots.three_benefits(transfer, scratch)
    axis = figure.axes[0]
    gaps = [(text.xyann[1], text.xy[1]) for text in axis.texts if text.get_gid() == "gap"]
    np.testing.assert_allclose(gaps, [(one.scratch, one.transfer) for one in (measured.start, measured.asymptote)])
    rises = [np.ptp(line.get_ydata()) / np.ptp(line.get_xdata()) for line in axis.lines if line.get_gid() == "slope"]
    np.testing.assert_allclose(rises, [slope / 16 for slope in (measured.slope.transfer, measured.slope.scratch)])

    texts = {text.get_gid(): text for text in axis.texts if text.get_gid() != "gap"}
    assert list(texts) == ["start", "asymptote", "slope"]
    for one in measured:
        said = texts[one.name].get_text().replace("\N{MINUS SIGN}", "-").replace("\n±", " ±")
        assert (str(one) if one.low is not None else "?") in said
        assert said.startswith(("lower", "flatter") if one.difference < 0 else ("higher", "steeper"))
    figure.draw_without_rendering()  # lays it out
    boxes = [text.get_window_extent() for text in texts.values()]
    for box in boxes:
        assert axis.get_window_extent().contains(box.x0, box.y0) and figure.bbox.contains(box.x1, box.y1)
        assert sum(box.overlaps(other) for other in boxes) == 1
        for line in axis.lines:
            assert not box.count_contains(axis.transData.transform(line.get_xydata()))
        for band in axis.collections:
            assert not any(box.count_contains(axis.transData.transform(path.vertices)) for path in band.get_paths())


LONG = "a name that is rather long"
VECTORS = np.random.default_rng(0).normal(size=(60, 9)).astype(np.float32)


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.curves({"transfer": runs(0.99, 1.0, epochs=0, seeds=1), "scratch": runs(0.5, 1.0)}, chance=0.5),
        lambda: plots.curves({"transfer": runs(0.4, 0.4, epochs=0, seeds=1), "scratch": runs(0.9, 0.1, seeds=1)}),
        lambda: plots.curves({f"{LONG} {n}": runs(0.1 * n, 0.9) for n in range(7)}, x="epoch", y="valid_loss"),
        lambda: plots.curves({LONG * 3: runs(0.5, 0.9)}, x="step", y="train_loss"),
        lambda: plots.data_efficiency({LONG: {1: [0.9, 1.0], 99: [1.0]}, "b": {1: [0], 99: [0.1]}}, chance=0.05),
        lambda: plots.feature_map({"one": VECTORS, "two": VECTORS[:, :3]}, ["bird", "forest", LONG] * 20),
        lambda: plots.three_benefits(runs(0.6, 0.95), runs(0.5, 0.7)),
    ],
)
def test_a_legend_covers_nothing_and_the_figure_is_a_light_card_in_any_style(draw: Callable[[], Figure]) -> None:
    with matplotlib.style.context("dark_background"):
        figure = draw()
        figure.draw_without_rendering()
        inks = {text.get_color() for text in figure.findobj(Text) if text.get_text()}
        assert figure.get_facecolor() == axes_colour(figure) == (1, 1, 1, 1)
        assert max(np.mean(to_rgb(ink)) for ink in inks) < 0.5
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert all(not box.overlaps(axis.get_tightbbox()) for axis in figure.axes)
    assert box.x0 >= 0 and box.x1 <= figure.bbox.x1 and box.y1 <= figure.bbox.y1


@pytest.mark.slow
def test_a_figure_of_the_readers_own_is_shown_after_one_of_the_course() -> None:
    kernel = Kernel()
    try:
        kernel.run("from tl_course import plots\nplots.feature_map({'a': __import__('numpy').eye(4)}, list('abab'))")
        shown = kernel.run("import matplotlib.pyplot as plt\nplt.plot([1, 2]);")
        assert any("image/png" in message["content"].get("data", {}) for message in shown)
    finally:
        kernel.close()


def axes_colour(figure: Figure) -> object:
    (colour,) = {axis.get_facecolor() for axis in figure.axes}
    return colour


def test_how_few_pictures_are_as_good_is_read_off_only_where_it_can_be() -> None:
    scratch = {10: [0.5, 0.5], 40: [0.55, 0.65], 160: [0.68, 0.72]}
    strategies = {"frozen": {10: [0.6, 0.6], 40: [0.75, 0.85], 160: [0.9]}, "scratch": scratch}
    figure = plots.data_efficiency(strategies, compare=("frozen", "scratch"))
    axis = figure.axes[0]
    assert [label.get_text() for label in axis.get_xticklabels()] == ["10", "40", "160"]
    np.testing.assert_allclose(axis.lines[1].get_ydata(), [0.5, 0.6, 0.7])
    (arrow,) = axis.texts
    np.testing.assert_allclose((arrow.xy, arrow.xyann), [(20, 0.7), (160, 0.7)])  # halfway from .6 to .8, in log
    assert "frozen with about 20 pictures is as good as scratch with 160" in figure.get_supxlabel()
    sure = plots.data_efficiency({"frozen": {10: [0.8], 160: [0.9]}, "scratch": scratch}, compare=("frozen", "scratch"))
    assert "with 10 or fewer" in sure.get_supxlabel()
    never = plots.data_efficiency(strategies, compare=("scratch", "frozen"))
    assert not never.axes[0].texts and not never.get_supxlabel()
    idle = plots.data_efficiency(strategies, compare=("frozen", "scratch"), chance=0.7)
    assert not idle.axes[0].texts and "scratch is no better than guessing" in idle.get_supxlabel()
    with pytest.raises(TLCourseError, match="no scores of gradual"):
        plots.data_efficiency(strategies, compare=("gradual", "scratch"))


def test_a_network_shows_what_is_frozen_and_how_fast_the_rest_learns() -> None:
    frozen = [LayerGroup("stem", 928, 0.0), LayerGroup("blocks", 1_234_567, 0.0), LayerGroup("head", 2562, 1e-3)]
    all_learn = [LayerGroup("stem", 928, 1e-5), LayerGroup("blocks", 1_234_567, 1e-4), LayerGroup("head", 2562, 1e-3)]
    figure = plots.network({"epoch 1": frozen, "epochs 2 to 4": all_learn})
    first, second = figure.axes
    assert (first.get_title("left"), second.get_title("left")) == ("epoch 1", "epochs 2 to 4")
    said = [text.get_text() for text in first.texts if "\n" in text.get_text()]
    assert said == ["928\nfrozen", "1.2 M\nfrozen", "2.6 k\nlr 0.001"]
    assert [bool(block.get_hatch()) for block in first.patches] == [True, True, False]
    assert first.patches[0].get_height() < first.patches[2].get_height() < first.patches[1].get_height()
    light = [sum(block.get_facecolor()[:3]) for block in second.patches]
    assert light == sorted(light, reverse=True) and len(set(light)) == 3
    assert [label.get_text() for label in second.get_xticklabels()] == ["stem", "blocks", "head"]
    with pytest.raises(TLCourseError, match="no groups"):
        plots.network([])


def test_a_feature_map_has_every_picture_once(model: Classifier) -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 30)).astype(np.float32)
    figure = plots.feature_map({"one": vectors, "two": vectors[:, :5]}, ["bird", "forest"] * 6)
    for axis in figure.axes:
        assert sum(len(points.get_offsets()) for points in axis.collections) == 12


def test_covering_what_the_answer_rests_on_weakens_it(model: Classifier, birds: ImageSet) -> None:
    picture = next(one for one in birds.train if one.label == "bird")
    values = occlusion_map(model, birds.path(picture), cells=4)
    assert values.shape == (4, 4)
    assert np.isfinite(values).all()
    assert values.max() > 0
    plots.heat([birds.path(picture)] * 2, [values] * 2)
