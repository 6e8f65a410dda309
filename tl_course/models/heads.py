"""The instant head: a linear classifier on frozen features, its strength chosen by cross-validation.

It is multinomial logistic regression as scikit-learn has it, solved by the same SciPy routine; a test holds the two
together. The few lines are our own because importing scikit-learn takes longer than everything done here.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tl_course.core.progress import Bar
from tl_course.errors import ModelError

__all__ = ["FittedHead", "Head", "fit_head", "folds_of", "logistic_regression", "softmax"]

Array = NDArray[np.float32]
Indices = NDArray[np.int64]

# Inverse regularisation strengths to choose from: below them hardly anything is learnt, above them nothing changes.
_STRENGTHS = (0.01, 0.1, 1.0, 10.0)


@dataclass(frozen=True)
class Head:
    """A linear classifier: ``softmax(vectors @ weight.T + bias)``.

    Attributes
    ----------
    weight : array of shape (n_labels, dim), float32
    bias : array of shape (n_labels,), float32
    """

    weight: Array
    bias: Array

    def probabilities(self, vectors: Array) -> Array:
        """Probabilities of shape (n, n_labels) for vectors of shape (n, dim)."""
        return softmax(vectors @ self.weight.T + self.bias)


@dataclass(frozen=True)
class FittedHead:
    """A head and what its cross-validation saw.

    Attributes
    ----------
    head : Head
        Fitted on all the vectors.
    strength : float
        The inverse regularisation strength that was chosen (scikit-learn's ``C``).
    search : dict of float to float
        Mean cross-validated log loss (nats a picture) of each strength tried.
    out_of_fold : array of shape (n, n_labels), float32
        Probabilities for each picture from a head that had not seen it, at the chosen strength.
    """

    head: Head
    strength: float
    search: dict[float, float]
    out_of_fold: Array


def softmax(scores: Array) -> Array:
    """Rows of scores to rows of probabilities."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_head(
    vectors: Array,
    targets: Indices,
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    balanced: bool = False,
) -> FittedHead:
    """Logistic regression whose strength is the one with the least cross-validated log loss.

    Log loss, not accuracy, because it also rewards honest probabilities: those of the head are used to rank pictures.

    Parameters
    ----------
    vectors : array of shape (n, dim), float32
    targets : array of shape (n,), int
        Index of each picture's label, 0 to n_labels - 1, each present.
    groups : sequence of str, optional
        Pictures of one group (the same scene, the same source photo) are never on both sides of a fold.
    folds : int
        Fewer are used where a label has fewer groups.
    seed : int
        Shuffles the folds.
    balanced : bool
        Each label counts the same in the loss however many pictures it has (scikit-learn's ``class_weight="balanced"``;
        King and Zeng 2001, "Logistic regression in rare events data"). For balanced accuracy where labels are uneven;
        probabilities are then those of a world in which labels are equally frequent.

    Raises
    ------
    ModelError
        There is a single label, or a label with a single group, which cannot be cross-validated.
    """
    from threadpoolctl import threadpool_limits

    n, n_labels = len(targets), int(targets.max()) + 1
    if n_labels < 2:
        raise ModelError("A classifier needs pictures of at least two labels to learn from; there is one.")
    fold_of = folds_of(targets, groups if groups is not None else [str(i) for i in range(n)], folds=folds, seed=seed)
    counts = np.bincount(targets, minlength=n_labels)
    weights = (n / (n_labels * counts))[targets] if balanced else np.ones(n)
    search: dict[float, float] = {}
    guesses: dict[float, Array] = {}
    n_folds = int(fold_of.max()) + 1
    with (
        threadpool_limits(1),  # the matrices are small: more threads wait for each other longer than they compute
        Bar("cross-validating", len(_STRENGTHS) * n_folds + 1, unit="heads") as bar,
    ):
        inputs, middle, axes = _spanned(vectors)

        def fitted(chosen: NDArray[np.bool_], strength: float) -> Head:
            return logistic_regression(
                inputs[chosen], targets[chosen], n_labels, strength=strength, weights=weights[chosen]
            )

        for strength in _STRENGTHS:
            out = guesses[strength] = np.zeros((n, n_labels), np.float32)
            for fold in range(n_folds):
                held_out = fold_of == fold
                out[held_out] = fitted(~held_out, strength).probabilities(inputs[held_out])
                bar.update()
            losses = -np.log(np.clip(out[np.arange(n), targets], 1e-7, None))
            search[strength] = float(np.average(losses, weights=weights))
        best = min(search, key=search.__getitem__)
        head = fitted(np.ones(n, bool), best)
        weight: Array = head.weight @ axes
        bias: Array = head.bias - weight @ middle
        return FittedHead(Head(weight, bias), best, search, guesses[best])


def _spanned(vectors: Array) -> tuple[Array, Array, Array]:
    """(inputs (n, d), middle (dim,), axes (d, dim)): ``vectors == middle + inputs @ axes``, d < n, axes orthonormal.

    Penalised weights never leave the span of the vectors (the representer theorem), so that a head fitted to `inputs`
    is the one that would be fitted to `vectors`, several times sooner where there are fewer pictures than dimensions.
    """
    n, dim = vectors.shape
    if n >= dim:
        return vectors, np.zeros(dim, np.float32), np.eye(dim, dtype=np.float32)
    middle = vectors.mean(axis=0)
    centred = (vectors - middle).astype(np.float64)
    squares, left = np.linalg.eigh(centred @ centred.T)
    kept = squares > squares[-1] * 1e-10  # copies of a picture, and the middle itself, span nothing
    scale, left = np.sqrt(squares[kept]), left[:, kept]
    return (left * scale).astype(np.float32), middle, ((left / scale).T @ centred).astype(np.float32)


def logistic_regression(
    vectors: Array,
    targets: Indices,
    n_labels: int,
    *,
    strength: float,
    weights: NDArray[np.floating] | None = None,
    start: Head | None = None,
    tolerance: float = 2.2e-9,
) -> Head:
    """The head that minimises ``strength * (summed log loss) + (sum of squared weights) / 2``; biases are free.

    Parameters
    ----------
    vectors : array of shape (n, dim), float32
    targets : array of shape (n,), int
    n_labels : int
    strength : float
        Inverse regularisation strength, as scikit-learn's ``C``.
    weights : array of shape (n,), optional
        How much each picture's loss counts; 1 if not given.
    start : Head, optional
        Where to begin: a head for nearly the same data saves most of the work.
    tolerance : float
        Ends where a step lowers the loss by less than this share of it.
    """
    from scipy.optimize import minimize

    n, dim = vectors.shape
    shape = (n_labels, dim + 1)
    inputs = np.hstack([vectors, np.ones((n, 1), np.float32)])
    wanted = np.eye(n_labels, dtype=np.float32)[targets]
    counted = np.ones(n, np.float32) if weights is None else weights.astype(np.float32)

    def loss_and_gradient(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        current = flat.reshape(shape).astype(np.float32)
        guesses = softmax(inputs @ current.T)
        loss = -(counted * np.log(np.clip(guesses[wanted > 0], 1e-30, None))).sum(dtype=np.float64)
        penalised = current.copy()
        penalised[:, -1] = 0
        gradient = strength * ((counted[:, None] * (guesses - wanted)).T @ inputs) + penalised
        return float(strength * loss + (penalised**2).sum() / 2), gradient.ravel().astype(np.float64)

    begin = np.zeros(shape) if start is None else np.hstack([start.weight, start.bias[:, None]])
    options = {"maxiter": 200, "ftol": tolerance}
    found = minimize(loss_and_gradient, begin.ravel(), jac=True, method="L-BFGS-B", options=options)
    best = found.x.reshape(shape).astype(np.float32)
    return Head(np.ascontiguousarray(best[:, :-1]), best[:, -1].copy())


def folds_of(targets: Indices, groups: Sequence[str], *, folds: int = 5, seed: int = 0) -> Indices:
    """The fold (0 to `folds` - 1) in which each picture is held out: groups stay whole, labels are spread evenly.

    Raises
    ------
    ModelError
        A label has a single group.
    """
    names = np.unique(np.asarray(groups), return_inverse=True)[1]
    for target in np.unique(targets):
        folds = min(folds, len(np.unique(names[targets == target])))
    if folds < 2:
        raise ModelError("Each label needs at least two pictures, of different scenes, to learn from. Add some.")
    members: dict[int, list[int]] = {}
    for i in np.random.default_rng(seed).permutation(len(targets)).tolist():
        members.setdefault(int(names[i]), []).append(i)
    fold_of = np.zeros(len(targets), np.int64)
    labels: list[int] = targets.tolist()
    filled = [[0] * (max(labels) + 1) for _ in range(folds)]  # lists: for single numbers they are faster than arrays
    total = [0] * folds
    for group in sorted(members.values(), key=len, reverse=True):  # the largest first, each to where it is missed most
        counts = Counter(labels[i] for i in group).items()
        fold = min(range(folds), key=lambda f: (sum(filled[f][label] * n for label, n in counts), total[f]))
        fold_of[group] = fold
        total[fold] += len(group)
        for label, n in counts:
            filled[fold][label] += n
    return fold_of
