"""What is alike among pictures, whatever they are called: neighbours, twins and scenes; and what looks odd by itself.

All of it follows from features and files, none of it from labels, so that no edit changes it. Of a large set it is kept
in the user's cache directory.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path
from typing import TypeVar
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from tl_course.core.devices import cores
from tl_course.core.files import atomic_path, cache_dir, touch
from tl_course.core.image_io import load
from tl_course.core.progress import Bar
from tl_course.features.extraction import glimpses
from tl_course.features.near_duplicates import find_copies

__all__ = ["Lookalikes", "compact", "look", "merged"]

DIMENSIONS = 128  # principal components that are looked at: ten times faster than all, and no worse on planted errors
SAMPLE = 4096  # pictures that they are found from; the others are only projected
PAIRS = 2**22  # whose cosines are in memory at a time, in each thread
NEIGHBOURS = 15
MIN_SIDE, MAX_ASPECT = 32, 4.0  # pixels; width by height
GONE = "the file cannot be read any more"

LARGE = 1000  # pictures from which on what was found is kept
KEPT = 20  # sets
VERSION = 3  # of what is kept: to be raised whenever something else would be found

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Part = TypeVar("Part")


@dataclass(frozen=True)
class Lookalikes:
    """What `look` finds among n pictures.

    Attributes
    ----------
    twins : array of shape (n_pairs, 2), int
        Pairs that are the same picture, or nearly so.
    scenes : array of shape (n,), int
        The same number for what must never be on two sides of a split: given groups, those of twins made one.
    near, nearness : arrays of shape (n, k), int and float32
        The k nearest pictures of other scenes, the nearest first, and their cosines, 0 at least.
    odd : array of shape (n,), str
        What is odd about the picture's shape or content, in words; empty where nothing is.
    """

    twins: Indices
    scenes: Indices
    near: Indices
    nearness: Array
    odd: NDArray[np.str_]


def look(
    unit: Array,
    components: Array,
    paths: Sequence[Path],
    groups: Sequence[str],
    *,
    hashes: Sequence[str],
    of_what: str,
    progress: bool = True,
) -> Lookalikes:
    """What is alike, from `compact` features and from pixels.

    Parameters
    ----------
    unit, components : arrays of shape (n, dim) and (n, d), float32
        As `compact` gives them.
    paths : sequence of n paths
    groups : sequence of n str
        Pictures that are known to show the same scene have the same one.
    hashes : sequence of n str
        SHA-256 of each file.
    of_what : str
        What features are computed by. Where that, `hashes` and `groups` are the same, what was kept is right.
    progress : bool
        Show a bar where somebody may look (see `tl_course.core.progress`).
    """
    if len(paths) < LARGE:  # as quickly found again
        return _look(unit, components, paths, groups, hashes, progress)
    folder = cache_dir("suspects")
    told = "\n".join([str(VERSION), of_what, *hashes, *groups])
    path = folder / f"{sha256(told.encode(errors='surrogatepass')).hexdigest()}.npz"
    with suppress(OSError, EOFError, ValueError, KeyError, BadZipFile), np.load(path) as kept:
        touch(path)
        return Lookalikes(**{field.name: kept[field.name] for field in fields(Lookalikes)})
    looked = _look(unit, components, paths, groups, hashes, progress)
    if GONE not in looked.odd:
        with suppress(OSError):
            with atomic_path(path) as part, part.open("wb") as file:
                np.savez(file, allow_pickle=False, **vars(looked))
            for old in sorted(folder.glob("*.npz"), key=lambda one: one.stat().st_mtime)[:-KEPT]:
                old.unlink()
    return looked


def _look(
    unit: Array,
    components: Array,
    paths: Sequence[Path],
    groups: Sequence[str],
    hashes: Sequence[str],
    progress: bool,
) -> Lookalikes:
    with (
        Bar("comparing", len(paths), show=progress) as bar,
        ThreadPoolExecutor(1) as beside,  # one: Python waits for itself here, while what follows computes
    ):

        def oddity(path: Path) -> str:
            bar.update()
            return _oddity(path)

        odd = beside.submit(lambda: [oddity(path) for path in paths])
        twins = find_copies(glimpses(paths, hashes=hashes), hashes, unit)
        scenes = merged(groups, twins)
        near, nearness = _neighbours(components, scenes)
        return Lookalikes(twins, np.array(scenes, np.int64), near, nearness, np.array(odd.result(), str))


def compact(vectors: Array) -> tuple[Array, Array]:
    """Vectors (n, dim) at length 1, and their components (n, d), scaled so that one strength suits every set."""
    if not len(vectors):
        return vectors, vectors
    unit = _of_length_1(vectors)
    middle = unit.mean(0)
    # Subspace iteration: nothing here depends on a rotation of the components, so their span is all that is wanted.
    random = np.random.default_rng(0)
    basis = random.normal(size=(vectors.shape[1], min(DIMENSIONS, *vectors.shape))).astype(np.float32)
    some = (unit if len(unit) <= SAMPLE else unit[random.choice(len(unit), SAMPLE, replace=False)]) - middle
    with threadpool_limits(1):
        for _ in range(6):
            basis = np.linalg.qr(some.T @ (some @ basis))[0]
        components = unit @ basis - middle @ basis
    size = np.sqrt((components**2).sum(1).mean() / vectors.shape[1])
    return unit, np.ascontiguousarray(components / max(float(size), 1e-12), np.float32)


def _of_length_1(vectors: Array) -> Array:
    length = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    return np.asarray(vectors / np.maximum(length, 1e-12)[:, None], np.float32)


def _with_all(vectors: Array, use: Callable[[int, Array], Part]) -> list[Part]:
    """What `use(first row, cosines)` makes of the cosines of all pictures with all, some rows at a time."""
    unit = _of_length_1(vectors)
    rows = max(1, PAIRS // max(len(unit), 1))
    with threadpool_limits(1), ThreadPoolExecutor(cores()) as pool:
        return list(pool.map(lambda first: use(first, unit[first : first + rows] @ unit.T), range(0, len(unit), rows)))


def _neighbours(vectors: Array, groups: Sequence[int]) -> tuple[Indices, Array]:
    """For each picture its nearest of other scenes (n, k), and how near they are: cosines, 0 at least."""
    n = len(vectors)
    k = min(NEIGHBOURS, n - 1)
    if k < 1:
        return np.zeros((n, 0), np.int64), np.zeros((n, 0), np.float32)
    count = max(n // 64, k)
    members: dict[int, list[int]] = {}
    for i, group in enumerate(groups):
        members.setdefault(group, []).append(i)

    def use(first: int, cosines: Array) -> tuple[Indices, Array]:
        for i in range(len(cosines)):
            cosines[i, members[groups[first + i]]] = -1
        # The k-th largest of `count` maxima over many columns each: at least k cosines reach it, and hardly more.
        maxima = cosines[:, : n // count * count].reshape(len(cosines), -1, count).max(1)
        least = np.partition(maxima, -k, axis=1)[:, -k]
        row, column = np.divmod(np.flatnonzero(cosines >= least[:, None]), n)
        order = np.lexsort((-cosines[row, column], row))
        best = order[np.searchsorted(row, np.arange(len(cosines)))[:, None] + np.arange(k)]
        return column[best], cosines[row, column][best]

    index, nearness = zip(*_with_all(vectors, use), strict=True)
    return np.concatenate(index), np.concatenate(nearness).clip(0)


def merged(groups: Sequence[str], twins: Indices) -> list[int]:
    """Groups of pictures as numbers, those of twins made one."""
    first: dict[str, int] = {}
    leader = [first.setdefault(group, i) for i, group in enumerate(groups)]

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for a, b in twins.tolist():
        leader[find(a)] = find(b)
    return [find(i) for i in range(len(leader))]


def _oddity(path: Path) -> str:
    """What is odd about a picture's shape or content, judged by its header unless it is suspiciously short."""
    try:
        with Image.open(path) as image:
            width, height = image.size
    except (OSError, ValueError):  # its features are kept, and its file has changed or gone since
        return GONE
    if min(width, height) < MIN_SIDE:
        return f"tiny: {width} x {height} pixels"
    if max(width, height) > MAX_ASPECT * min(width, height):
        return f"a strip: {width} x {height} pixels"
    if path.stat().st_size < 0.05 * width * height:  # few bytes for so many pixels: there can be little to see
        small = load(path, size=32).resize((32, 32)).convert("L")
        if np.asarray(small, np.float32).std() < 4:
            return "blank"
    return ""
