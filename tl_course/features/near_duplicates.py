"""Which images are copies of one photo: mirrored, turned, brightened, recompressed, resized, or cropped a little.

Features or coarse pixels propose pairs, and small grey pixels decide: one image is looked for in the other, at every
place where it may have been cut from, whatever its brightness and contrast (normalised cross correlation: Lewis 1995,
"Fast normalized cross-correlation"). Two photos of one thing, taken one after the other, agree as features but not as
pixels. What is proposed and where the line runs was chosen by measuring: ``benchmarks/copies.py`` makes copies of
photos of eleven sets, and looks for them.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tl_course.core.devices import cores

__all__ = ["find_copies"]

NEAR = 0.7  # cosine of features from which on pixels are compared: crops lie above, whatever their pixels look like
COARSE = 8  # pixels of the side at which all images are compared, in all orientations
LIKE = 0.85  # correlation there from which on pixels are compared
MOST = 6  # images that are compared with each one, the likeliest first, for either reason
GLANCE = 0.75  # correlation at half the size from which on it is looked at closely
COPY = 0.86  # correlation of their details from which on two images are copies: in photos that are none it is below .82
CROPPED = 0.15  # of its width and height, at most, may be missing from an image
FLAT = 1.0  # standard deviation of grey, of 255, below which an image shows nothing that could be compared
WHOLE = 0.95  # correlation of all of them that copies have as well
BROAD = 7  # pixels: what is broader is no detail, such as that a door is darker than its wall
FAINT = 3.0  # levels of grey, of 255: the contrast below which details count less and less
PLAIN = 0.02  # share of an image, at least, in which contrast is above that: a wall or sky is like any other

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Proposals = dict[tuple[int, int], set[int]]  # orientations of the second, by the pair

_USUAL = (0, 1)  # as it is, and mirrored: where only features say that two images are alike


def find_copies(
    glimpses: NDArray[np.uint8],
    hashes: Sequence[str],
    vectors: Array | None = None,
    *,
    apart: NDArray[np.bool_] | None = None,
) -> Indices:
    """Pairs (n_pairs, 2) of indices, the smaller first, of images that are copies of each other.

    Parameters
    ----------
    glimpses : array of shape (n, 40, 40), uint8
        As `tl_course.features.extraction.glimpses` gives them.
    hashes : sequence of n str
        SHA-256 of each file: the same files are copies, whatever they show.
    vectors : array of shape (n, dim), float32, optional
        Their features. Without them, copies that were cropped by more than a twentieth are not found.
    apart : array of shape (n,), bool, optional
        Only pairs of one for which it is true and one for which it is not, such as of two splits.
    """
    grey, detail, busy = soft_and_detail(glimpses)
    unit = None if vectors is None else vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    sides = np.zeros(len(grey), bool) if apart is None else apart
    once = {(digest or str(i), bool(side)): i for i, (digest, side) in enumerate(zip(hashes, sides, strict=True))}
    seen = np.zeros(len(grey), bool)
    seen[list(once.values())] = True  # one of those that are the same file stands for all
    seen &= (grey.std(axis=(1, 2)) >= FLAT) & (busy >= PLAIN)
    first, second = np.flatnonzero(seen), np.flatnonzero(seen)
    if apart is not None:
        first, second = np.flatnonzero(seen & apart), np.flatnonzero(seen & ~apart)
    proposed: Proposals = {}
    with threadpool_limits(1), ThreadPoolExecutor(cores()) as pool:
        steps = range(0, len(first), 512) if len(second) else range(0)
        for found in pool.map(lambda start: _proposals(grey, unit, first[start : start + 512], second), steps):
            for pair, orientations in found.items():
                proposed.setdefault(pair, set()).update(orientations)
        pairs = sorted(proposed)
        likeness = list(pool.map(lambda pair: likeness_of(grey, detail, pair, proposed[pair]), pairs))
    copied = {pair for pair, like in zip(pairs, likeness, strict=True) if like >= COPY} | _same_files(hashes, apart)
    return np.array(sorted(copied), np.int64).reshape(-1, 2)


def _same_files(hashes: Sequence[str], apart: NDArray[np.bool_] | None) -> set[tuple[int, int]]:
    """Pairs by which all files that are the same hang together."""
    found = set()
    last: dict[tuple[str, bool], int] = {}
    for i, digest in enumerate(hashes):
        side = bool(apart[i]) if apart is not None else False
        before = last.get((digest, side if apart is None else not side))
        if digest and before is not None:
            found.add((before, i))
        last[digest, side] = i
    return found


def _proposals(grey: Array, unit: Array | None, rows: Indices, columns: Indices) -> Proposals:
    """Pairs of one of `rows` and one of `columns` that may be copies, each pair once."""
    mine = _normalised(_shrunk(grey[rows], COARSE).reshape(len(rows), -1))
    theirs = _shrunk(grey[columns], COARSE)
    best = np.full((len(rows), len(columns)), -1, np.float32)
    orientation = np.zeros(best.shape, np.int8)
    for number in range(8):
        turned = _turned(theirs, number).reshape(len(columns), -1)
        likeness = mine @ _normalised(turned).T
        orientation[likeness > best] = number
        np.maximum(best, likeness, out=best)
    found: Proposals = {}
    for i, j in _likeliest(best, rows, columns, LIKE):
        found.setdefault(_pair(rows[i], columns[j]), set()).add(
            int(orientation[i, j]) if rows[i] < columns[j] else _back(int(orientation[i, j]))
        )
    if unit is not None:
        for i, j in _likeliest(unit[rows] @ unit[columns].T, rows, columns, NEAR):
            found.setdefault(_pair(rows[i], columns[j]), set()).update(_USUAL)
    return found


def _likeliest(likeness: Array, rows: Indices, columns: Indices, least: float) -> Iterator[tuple[int, int]]:
    """The places of the largest values of each row that are not less than `least`."""
    likeness[rows[:, None] == columns] = -1
    if likeness.shape[1] > MOST:
        least_of_row = np.partition(likeness, -MOST, axis=1)[:, -MOST]
        chosen = likeness >= np.maximum(least_of_row, least)[:, None]
    else:
        chosen = likeness >= least
    yield from ((int(i), int(j)) for i, j in np.argwhere(chosen))


def _pair(i: np.int64, j: np.int64) -> tuple[int, int]:
    return (int(i), int(j)) if i < j else (int(j), int(i))


def likeness_of(grey: Array, detail: Array, pair: tuple[int, int], orientations: set[int]) -> float:
    """How well the details of two images agree, the second turned in some ways; 0 where the rest says no."""
    one, other = pair
    glance = _halved(grey[one])
    close = [each for each in orientations if _best_match(glance, _halved(_turned(grey[other], each))) >= GLANCE]
    close = [each for each in close if _best_match(grey[one], _turned(grey[other], each)) >= WHOLE]
    return max((_best_match(detail[one], _turned(detail[other], each)) for each in close), default=0.0)


def _best_match(one: Array, other: Array) -> float:
    """The highest correlation of either image, made smaller, with a window of the other."""
    side = len(one)
    best = -1.0
    for size in range(side, side - round(CROPPED * side) - 1, -1):
        for large, small in ((one, other), (other, one)) if size < side else ((one, other),):
            windows = np.lib.stride_tricks.sliding_window_view(large, (size, size)).reshape(-1, size * size)
            template = _normalised(_shrunk(small[None], size).reshape(1, -1))[0]
            mean = windows.mean(axis=1)
            spread = np.sqrt(np.maximum(np.einsum("ij,ij->i", windows, windows) - size * size * mean**2, 0))
            spread = np.maximum(spread, FLAT * size)  # a flat corner is like any other
            best = max(best, float((windows @ template / spread).max()))
    return best


def soft_and_detail(glimpses: NDArray[np.uint8]) -> tuple[Array, Array, Array]:
    """Images blurred a little, so that half a pixel makes no difference; their details, and the share that has any.

    Details count strong or faint alike.

    Details are what is left without the mean around each pixel, divided by the contrast there: otherwise the outline of
    a dark door in a light wall would count for more than all that is on it.
    """
    soft = _blurred(glimpses.astype(np.float32), np.array([0.25, 0.5, 0.25], np.float32))
    around = np.full(BROAD, 1 / BROAD, np.float32)
    detail = soft - _blurred(soft, around)
    contrast = np.sqrt(_blurred(detail**2, around))
    busy = np.asarray((contrast > FAINT).mean(axis=(1, 2)), np.float32)
    return soft, np.asarray(20 * detail / (contrast + FAINT), np.float32), busy


def _blurred(images: Array, weights: Array) -> Array:
    """Images with the weighted mean around each pixel in its place; their edges go on."""
    reach = len(weights) // 2
    side = images.shape[-1]
    padded = np.pad(images, ((0, 0), (reach, reach), (reach, reach)), mode="edge")
    rows = sum(weight * padded[:, i : i + side] for i, weight in enumerate(weights))
    return np.asarray(sum(weight * rows[:, :, i : i + side] for i, weight in enumerate(weights)), np.float32)


def _normalised(rows: Array) -> Array:
    """Each row without its mean, at length 1: then products are correlations."""
    rows = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6), np.float32)


@lru_cache(maxsize=64)
def _shares(side: int, size: int) -> Array:
    """How much each of `side` pixels counts for each of `size`, as (size, side)."""
    edges, pixels = np.linspace(0, side, size + 1), np.arange(side)
    share = np.clip(np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels), 0, 1)
    return np.asarray(share / share.sum(axis=1, keepdims=True), np.float32)


def _shrunk(images: Array, size: int) -> Array:
    """Square images (n, side, side) at a smaller size, each pixel the mean of what it covers."""
    if size == images.shape[-1]:
        return images
    share = _shares(images.shape[-1], size)
    return np.asarray(share @ images @ share.T, np.float32)


def _halved(image: Array) -> Array:
    half: Array = _shrunk(image[None], len(image) // 2)[0]
    return half


def _turned(images: Array, number: int) -> Array:
    """Images in one of eight orientations: 1 mirrored, 2 upside down, 3 turned by half, 4 to 7 by a quarter."""
    if number >= 4:
        images = images.swapaxes(-1, -2)
    if number & 1:
        images = images[..., ::-1]
    if number & 2:
        images = images[..., ::-1, :]
    return np.asarray(images, np.float32)


def _back(number: int) -> int:
    """The orientation that takes an image back: but for the two turns by a quarter, its own."""
    return {5: 6, 6: 5}.get(number, number)
