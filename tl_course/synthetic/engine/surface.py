"""A small renderer for curved sheets: lofts and feathers are sampled densely, and the nearest sample wins each pixel.

Shading is deferred: what comes back says, for every pixel that is covered, which sheet is seen there, its normal and
the sheet's own coordinates. Plumage is then painted on those few pixels only.
Space is x to the right, y towards the viewer, z up.
"""

from dataclasses import dataclass

import numpy as np

from tl_course.synthetic.engine.brushes import Array

__all__ = ["Seen", "Sheets", "box_blur", "frame", "loft", "render", "turn"]


@dataclass
class Sheets:
    """Sheets of one make: `points` (k, m, n, 3) in space and `local` (k, m, n, 3), the coordinates paint goes by.

    `fuzz` ruffles the outline; `solid` sheets are closed tubes from `loft`, whose far side is not drawn.
    """

    part: str
    points: Array
    local: Array
    fuzz: float = 0.0
    solid: bool = False


@dataclass
class Seen:
    """What a renderer saw on a tile: flat arrays over the covered pixels, in reading order.

    `mask` (h, w) says which pixels they are; `part` (p,) indexes the sheets given and `sheet` (p,) the one of its k;
    `normal` (p, 3) faces the viewer; `local` (p, 3) are the sheet's own coordinates; `depth` (p,) grows towards
    the viewer.
    """

    mask: Array
    part: Array
    sheet: Array
    normal: Array
    local: Array
    depth: Array


def turn(axis: str, degrees: float) -> Array:
    """Rotation matrix (3, 3) about x, y or z."""
    i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    matrix = np.eye(3, dtype=np.float32)
    matrix[i, i], matrix[i, j], matrix[j, i], matrix[j, j] = c, -s, s, c
    return matrix


def frame(forward: Array, up: Array) -> Array:
    """Rotation whose columns are a forward, a side and an up axis, as near to those given as right angles allow."""
    f = forward / np.linalg.norm(forward)
    side = np.cross(up, f)
    side = side / (np.linalg.norm(side) + 1e-9)
    return np.stack([f, side, np.cross(f, side)], axis=-1).astype(np.float32)


def loft(centres: Array, heights: Array, widths: Array, *, around: int = 32) -> Array:
    """A tube (m, around, 3) of elliptical rings that stand across a path `centres` (m, 3) in the plane of x and z."""
    tangent = np.gradient(centres, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    side = np.array([0.0, 1.0, 0.0], dtype=np.float32)
    up = np.cross(tangent, side)
    up /= np.linalg.norm(up, axis=1, keepdims=True) + 1e-9
    angle = np.linspace(0, 2 * np.pi, around, dtype=np.float32)
    ring_up = (heights[:, None] * np.cos(angle))[..., None] * up[:, None]
    ring_side = (widths[:, None] * np.sin(angle))[..., None] * side
    return np.asarray(centres[:, None] + ring_up + ring_side, dtype=np.float32)


def box_blur(field: Array, radius: int) -> Array:
    """Mean of a field (h, w, …) over squares of 2 `radius` + 1 pixels, edges repeated."""
    for axis in (0, 1):
        pad = [(0, 0)] * field.ndim
        pad[axis] = (radius + 1, radius)
        total = np.cumsum(np.pad(field, pad, mode="edge"), axis=axis, dtype=np.float32)
        width = 2 * radius + 1
        ahead = [slice(None)] * field.ndim
        behind = [slice(None)] * field.ndim
        ahead[axis], behind[axis] = slice(width, None), slice(None, -width)
        field = (total[tuple(ahead)] - total[tuple(behind)]) / width
    return field


def render(sheets: list[Sheets], *, scale: float, centre: tuple[float, float], shape: tuple[int, int],
           fuzz: Array, gap: float | None = None) -> Seen:  # fmt: skip
    """Rasterise sheets by dense sampling and a sorted depth buffer.

    Parameters
    ----------
    scale
        Pixels to a unit of space.
    centre
        Pixel (x, y) of the origin.
    shape
        Rows and columns of the tile.
    fuzz
        Random shifts in pixels, by which sheets with ``fuzz`` above 0 are ruffled.
    gap
        Where given: how far (in units of space) a single pixel must lie behind those on either side of it to be taken
        for a hole between two samples and closed. Overlapping smooth bodies show such holes; feathers hide them.
    """
    rows, columns = shape
    dense = 1.12 if gap is None else 0.98  # samples to a pixel: fewer where holes are closed
    flats, depths, names, offsets, grids, normals = [], [], [], [0], [], []
    for batch in sheets:
        seen = batch.points[..., (0, 2, 1)] * np.float32(scale)
        nu = _samples(np.diff(seen[..., :2], axis=1), 1, dense)
        nv = _samples(np.diff(seen[..., :2], axis=2), 2, dense)
        normals.append(_normals(batch.points))
        channels = [seen[..., 0] + centre[0], centre[1] - seen[..., 1], seen[..., 2]]
        if batch.solid:  # tubes have normals that point inwards
            channels.append(normals[-1][..., 1])
        x, y, z, *inward = _stretched(_stretched(np.stack(channels).astype(np.float32), nu, axis=2), nv, axis=3)
        keep = (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
        if inward:
            keep &= inward[0] < 0.1
        at = np.flatnonzero(keep)
        flats.append(y.ravel()[at].astype(np.int32) * columns + x.ravel()[at].astype(np.int32))
        depths.append(z.ravel()[at])
        names.append(offsets[-1] + at)
        offsets.append(offsets[-1] + keep.size)
        grids.append((nu, nv))
    flat, depth, name = np.concatenate(flats), np.concatenate(depths), np.concatenate(names)
    low, high = float(depth.min()), float(depth.max())
    level = ((depth - low) * (65535.0 / (high - low + 1e-6))).astype(np.uint16)
    order = np.argsort(level, kind="stable")
    nearest = np.full(rows * columns, -1, dtype=np.int64)
    nearest[flat[order]] = order
    grid = np.where(nearest < 0, -1, name[nearest]).reshape(rows, columns)
    near = None if gap is None else np.where(nearest < 0, -np.inf, depth[nearest]).reshape(rows, columns)
    grid = _closed(grid, near, scale * (gap or 0.0))
    grid = _ruffled(grid, np.asarray(offsets), np.array([batch.fuzz > 0 for batch in sheets]), fuzz)
    mask = grid >= 0
    ids = grid[mask]
    part = np.searchsorted(np.asarray(offsets), ids, side="right") - 1
    seen_all = np.empty((len(ids), 7), dtype=np.float32)
    sheet = np.empty(len(ids), dtype=np.int32)
    for index, (batch, (nu, nv)) in enumerate(zip(sheets, grids, strict=True)):
        here = part == index
        if here.any():
            k, (u, v) = _split(ids[here] - offsets[index], nu, nv)
            values = np.concatenate([normals[index], batch.local, batch.points[..., 1:2]], axis=-1)
            seen_all[here] = _gather(values, k, u, v)
            sheet[here] = k
    normal = seen_all[:, :3] / (np.linalg.norm(seen_all[:, :3], axis=1, keepdims=True) + 1e-9)
    normal = np.where(normal[:, 1:2] >= 0, normal, -normal)
    return Seen(mask, part, sheet, normal, seen_all[:, 3:6], seen_all[:, 6])


def _closed(grid: Array, near: Array | None, gap: float) -> Array:
    """Fill pixels between two covered ones that are empty, or by depth `near` more than `gap` behind both."""
    for axis in (0, 1):
        before, after = np.roll(grid, 1, axis), np.roll(grid, -1, axis)
        hole = grid < 0
        if near is not None:  # what is empty lies infinitely far behind
            hole = np.minimum(np.roll(near, 1, axis), np.roll(near, -1, axis)) > near + gap
        hole &= (before >= 0) & (after >= 0)
        grid = np.where(hole, before, grid)
        if near is not None:
            near = np.where(hole, np.roll(near, 1, axis), near)
    return grid


def _ruffled(grid: Array, offsets: Array, soft: Array, fuzz: Array) -> Array:
    """Swap pixels of soft sheets, and of the air beside them, with near neighbours."""
    rows, columns = grid.shape
    steps = np.resize(np.rint(fuzz).astype(np.int32), 2 * grid.size + 1)
    y = np.clip(np.arange(rows)[:, None] + steps[: grid.size].reshape(grid.shape), 0, rows - 1)
    x = np.clip(np.arange(columns) + steps[grid.size + 1 :].reshape(grid.shape), 0, columns - 1)
    other = grid[y, x]
    yields = np.append(soft, True)  # the last entry is the air

    def may(ids: Array) -> Array:
        return np.asarray(yields[np.where(ids < 0, len(soft), np.searchsorted(offsets, ids, side="right") - 1)])

    return np.where(may(grid) & may(other), other, grid)


def _samples(steps: Array, axis: int, dense: float) -> int:
    longest = float(np.sqrt((steps**2).sum(-1)).sum(axis=axis).max())
    return int(np.clip(np.ceil(longest * dense) + 2, 3, 2000))


def _stretched(values: Array, to: int, axis: int) -> Array:
    """Linear interpolation along an axis; without BLAS, whose sums depend on how many threads it has."""
    at = np.linspace(0, values.shape[axis] - 1, to, dtype=np.float32)
    low = np.minimum(at.astype(np.intp), values.shape[axis] - 2)
    share = (at - low).reshape([-1 if k == axis else 1 for k in range(values.ndim)])
    first = values.take(low, axis=axis)
    step = np.diff(values, axis=axis).take(low, axis=axis)
    step *= share
    step += first
    return np.asarray(step)


def _split(ids: Array, nu: int, nv: int) -> tuple[Array, tuple[Array, Array]]:
    rest, v = np.divmod(ids, nv)
    k, u = np.divmod(rest, nu)
    return k, (u / np.float32(nu - 1), v / np.float32(nv - 1))


def _normals(points: Array) -> Array:
    a, b = np.moveaxis(np.gradient(points, axis=2), -1, 0), np.moveaxis(np.gradient(points, axis=1), -1, 0)
    # Spelt out: np.cross takes three times as long on small sheets.
    cross = np.stack([a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]], axis=-1)
    return np.asarray(cross / (np.linalg.norm(cross, axis=-1, keepdims=True) + 1e-12), dtype=np.float32)


def _gather(values: Array, k: Array, u: Array, v: Array) -> Array:
    _, m, n, _ = values.shape
    u, v = u.astype(np.float32) * (m - 1), v.astype(np.float32) * (n - 1)
    i, j = np.minimum(u.astype(np.intp), m - 2), np.minimum(v.astype(np.intp), n - 2)
    fu, fv = (u - i)[:, None], (v - j)[:, None]
    top = values[k, i, j] * (1 - fv) + values[k, i, j + 1] * fv
    return np.asarray(top * (1 - fu) + (values[k, i + 1, j] * (1 - fv) + values[k, i + 1, j + 1] * fv) * fu)
