"""The instant head: the same as scikit-learn's, honest folds, clear refusals."""

import numpy as np
import pytest

from tl_course.errors import ModelError
from tl_course.models.heads import fit_head, folds_of, logistic_regression


def blobs(n: int, labels: int, *, dim: int = 20, apart: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    targets = np.arange(n) % labels
    return (rng.normal(size=(labels, dim))[targets] * apart + rng.normal(size=(n, dim))).astype(np.float32), targets


@pytest.mark.parametrize("strength", [0.01, 1.0])
def test_it_is_scikit_learns_logistic_regression(strength: float) -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, targets = blobs(90, 3)
    ours = logistic_regression(vectors, targets, 3, strength=strength)
    theirs = LogisticRegression(C=strength, max_iter=1000, tol=1e-8).fit(vectors, targets)
    np.testing.assert_allclose(ours.probabilities(vectors), theirs.predict_proba(vectors), atol=2e-3)


def test_fewer_pictures_than_dimensions_give_the_head_that_all_dimensions_give() -> None:
    vectors, targets = blobs(40, 3, dim=300, apart=0.3)
    vectors[7] = vectors[4]  # a copy, which spans nothing of its own
    fitted = fit_head(vectors, targets)
    plain = logistic_regression(vectors, targets, 3, strength=fitted.strength)
    others = np.random.default_rng(1).normal(size=(50, 300)).astype(np.float32)
    assert fitted.head.weight.shape == (3, 300)
    np.testing.assert_allclose(fitted.head.probabilities(others), plain.probabilities(others), atol=2e-3)


def test_balanced_labels_count_the_same_as_in_scikit_learn() -> None:
    from sklearn.linear_model import LogisticRegression

    vectors, targets = blobs(90, 3, apart=0.3)
    vectors, targets = vectors[np.r_[0:90:3, 1:60:3, 2:20:3]], np.repeat([0, 1, 2], [30, 20, 6])
    fitted = fit_head(vectors, targets, balanced=True)
    theirs = LogisticRegression(C=fitted.strength, class_weight="balanced", max_iter=1000, tol=1e-8)
    wanted = theirs.fit(vectors, targets).predict_proba(vectors)
    np.testing.assert_allclose(fitted.head.probabilities(vectors), wanted, atol=2e-3)
    assert (
        fitted.head.probabilities(vectors)[:, 2].sum()
        > fit_head(vectors, targets).head.probabilities(vectors)[:, 2].sum()
    )


def test_the_strength_with_the_least_cross_validated_loss_is_taken() -> None:
    fitted = fit_head(*blobs(60, 2, apart=0.3))
    assert fitted.search[fitted.strength] == min(fitted.search.values())
    assert fitted.strength < max(fitted.search), "noise should be met with a strong penalty"


def test_probabilities_that_were_cross_validated_are_worse_than_those_that_were_fitted() -> None:
    vectors, targets = blobs(60, 2, dim=200, apart=0.2)
    fitted = fit_head(vectors, targets)
    fitted_right = (fitted.head.probabilities(vectors).argmax(1) == targets).mean()
    held_out_right = (fitted.out_of_fold.argmax(1) == targets).mean()
    assert fitted_right > held_out_right
    np.testing.assert_allclose(fitted.out_of_fold.sum(axis=1), 1, rtol=1e-5)


def test_pictures_of_one_scene_are_never_on_two_sides() -> None:
    targets = np.array([0, 1] * 30)
    groups = [f"scene {i // 3}" for i in range(60)]
    fold_of = folds_of(targets, groups, folds=5, seed=3)
    assert all(len({int(fold_of[i]) for i in range(60) if groups[i] == name}) == 1 for name in groups)
    for fold in range(5):
        assert 4 <= (fold_of == fold).sum() <= 20
        assert set(targets[fold_of == fold]) == {0, 1}


def test_another_seed_draws_other_folds_and_the_same_seed_the_same() -> None:
    targets, groups = np.array([0, 1] * 20), [str(i) for i in range(40)]
    assert (folds_of(targets, groups, seed=1) == folds_of(targets, groups, seed=1)).all()
    assert (folds_of(targets, groups, seed=1) != folds_of(targets, groups, seed=2)).any()


def test_too_little_to_learn_from_is_refused() -> None:
    vectors, targets = blobs(10, 2)
    with pytest.raises(ModelError, match="at least two labels"):
        fit_head(vectors, np.zeros(10, int))
    with pytest.raises(ModelError, match="at least two pictures"):
        fit_head(vectors, np.array([0] * 9 + [1]))
    with pytest.raises(ModelError, match="at least two pictures"):
        fit_head(vectors, targets, groups=["one scene"] * 10)
