"""The three benefits, on curves whose start, slope and asymptote are known."""

import json

import numpy as np
import pytest

from tl_course.errors import TLCourseError
from tl_course.models import History
from tl_course.training.transfer_gains import Benefits, benefits

STEPS = 10  # an epoch


def run(*scores: float, start: float | None = None) -> History:
    """A run with a score for each whole epoch, and one from right after the first step."""
    given = {0.0: 0.111} | ({} if start is None else {1 / STEPS: start}) | dict(enumerate(scores, 1))
    rows = [
        {"epoch": float(epoch), "step": epoch * STEPS, "pictures": epoch * STEPS * 16.0, "valid_accuracy": score}
        for epoch, score in given.items()
    ]
    return History("scratch", rows)


def saturating(level: float, epochs: int = 8, rate: float = 0.6) -> History:
    return run(*(level - (level - 0.5) * np.exp(-rate * (e - 0.1)) for e in range(1, epochs + 1)), start=0.5)


def test_each_benefit_is_what_the_curves_were_made_with() -> None:
    found = benefits([run(0.9, 0.92, 0.93, start=0.7)], [run(0.55, 0.6, 0.61, start=0.5)])
    assert found.start.transfer == 0.7
    assert found.start.difference == pytest.approx(0.2)
    assert found.slope.transfer == pytest.approx(0.2 / 9)  # from step 1 to step 10
    assert found.slope.difference == pytest.approx(0.15 / 9)
    assert found.asymptote.difference == pytest.approx(0.32)
    assert found.slope.unit == "valid_accuracy a step"


def test_without_the_first_step_the_start_is_before_it_and_early_may_be_longer() -> None:
    found = benefits([run(0.5, 0.9)], [run(0.3, 0.4)], early=1.5)
    assert found.start.transfer == 0.111
    assert found.start.transfer_how == ("before the first step",)
    assert found.slope.transfer == pytest.approx((0.7 - 0.111) / 15)


def test_a_curve_is_fitted_only_where_the_fit_deserves_it() -> None:
    """A clean curve that nears its level; noise; a clean one whose level lies far beyond what was seen; few points."""
    near, noise = saturating(0.8, rate=0.35), run(*[0.66, 0.74] * 4, 0.7, start=0.7)
    far, short = saturating(0.9, rate=0.1), saturating(0.8, epochs=3)
    found = benefits([near, noise, far, short], [saturating(0.7)] * 4).asymptote
    assert found.transfer_how == ("fitted curve", *("mean of the last third",) * 3)
    assert found.transfer_runs[0] == pytest.approx(0.8, abs=1e-4)
    assert near.epochs[-1]["valid_accuracy"] < 0.785
    assert found.transfer_runs[1] == pytest.approx((0.66 + 0.74 + 0.7) / 3)
    assert found.transfer_runs[3] == short.epochs[-1]["valid_accuracy"]


def test_the_interval_is_students_over_pairs_and_welchs_where_there_are_none() -> None:
    """By hand: differences .1, .2, .3 have a standard error of .1/√3, and t of 2 degrees of freedom is 4.3027."""
    transfer = [run(0.9, start=s) for s in (0.6, 0.8, 0.7)]
    scratch = [run(0.9, start=s) for s in (0.5, 0.6, 0.4)]
    paired = benefits(transfer, scratch).start
    assert (paired.low, paired.high) == pytest.approx(
        (0.2 - 4.3027 * 0.1 / 3**0.5, 0.2 + 4.3027 * 0.1 / 3**0.5), abs=1e-4
    )
    assert not paired.positive
    assert str(paired) == "+0.20 ± 0.25"
    # scipy.stats.ttest_ind([.6, .8], [.5, .6, .4], equal_var=False).confidence_interval()
    welch = benefits(transfer[:2], scratch)
    assert not welch.paired
    assert (welch.start.low, welch.start.high) == pytest.approx((-0.39770, 0.79770), abs=1e-4)


def test_seeds_that_all_agree_leave_no_doubt_and_one_run_leaves_all() -> None:
    agreed = benefits(
        [run(0.9, start=0.6 + d) for d in (0, 0.1, 0.2)], [run(0.7, start=0.4 + d) for d in (0, 0.1, 0.2)]
    )
    assert (agreed.start.low, agreed.start.high) == pytest.approx((0.2, 0.2))
    assert agreed.start.positive
    assert str(agreed.start) == "+0.20 ± 0.00"
    alone = benefits(run(0.9, start=0.6), run(0.7, start=0.4))
    assert (alone.start.low, alone.start.high, alone.start.positive) == (None, None, False)
    assert "One run proves nothing" in str(alone)


def test_the_table_says_what_it_rests_on_and_everything_is_json() -> None:
    found = benefits(
        [saturating(0.95), saturating(0.93)], [run(0.5, 0.6, 0.7, start=0.4), run(0.5, 0.6, 0.7, start=0.45)]
    )
    assert isinstance(found, Benefits)
    text = str(found)
    assert [line.split()[0] for line in text.splitlines()[1:4]] == ["start", "slope", "asymptote"]
    assert "95% confidence, over 2 seeds" in text
    assert "Asymptote of transfer: fitted curve (2 of 2 runs)." in text
    assert "Asymptote of scratch: mean of the last third (2 of 2 runs)." in text
    assert "The runs lasted 3 to 8 epochs" in text
    assert json.loads(json.dumps(found.to_json()))["asymptote"]["transfer"] == found.asymptote.transfer
    assert list(found.to_dataframe().index) == ["start", "slope", "asymptote"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (History("frozen", [{"epoch": 1.0, "valid_accuracy": 0.9}]), "Run 2 of transfer .frozen.*solved in one go"),
        (History("scratch", [{"epoch": e, "valid_accuracy": 0.9} for e in (1.0, 2.0)]), "start is not known. Train it"),
        (History("scratch", [{"epoch": e, "valid_accuracy": 0.9} for e in (0.0, 1.0)]), "no steps written down"),
        (History("scratch", [{"epoch": 0.0, "train_loss": 1.0}]), "pictures to validate on"),
        (run(float("nan"), start=0.5), "not a number"),
        (run(0.9, start=0.5), "early=2 has to lie within"),
    ],
)
def test_a_record_without_a_curve_is_named_with_what_to_do(bad: History, said: str) -> None:
    good = run(0.8, 0.9, start=0.6)
    with pytest.raises(TLCourseError, match=said):
        benefits([good, bad], [good, good], early=2.0)


def test_nothing_and_losses_are_refused() -> None:
    with pytest.raises(TLCourseError, match="no run of scratch"):
        benefits([run(0.9)], [])
    with pytest.raises(TLCourseError, match="less is better"):
        benefits([run(0.9)], [run(0.9)], y="valid_loss")
