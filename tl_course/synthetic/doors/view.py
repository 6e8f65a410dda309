"""A pinhole camera for scenes of flat faces, and the light in two rooms with an opening between them.

Space is in metres: x to the right, y up, z towards the viewer. The wall with the opening lies in the plane z = 0, its
far side at z = -`Wall.thick`. Each face is seen through the homography between it and the picture; the nearest face
wins a pixel. Light is worked out afterwards, for every pixel at its place in space, so that what shines through a gap
falls where it must.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from tl_course.synthetic.engine.brushes import Array, Colour, smoothstep

__all__ = ["Camera", "Face", "Lamp", "Wall", "box", "camera_at", "cylinder", "moved", "picture", "point", "swatch"]


def point(x: float, y: float, z: float) -> Array:
    """A place or a direction (3,)."""
    return np.array([x, y, z], dtype=np.float64)


@dataclass(frozen=True)
class Camera:
    """Where the camera stands (3,), its axes (3, 3: right, down, forward, a row each) and its focal length in sides."""

    place: Array
    axes: Array
    focal: float

    def project(self, points: Array) -> tuple[Array, Array]:
        """Where in the picture points (n, 3) are seen, in units of its side (n, 2), and how deep they lie (n,)."""
        seen = (np.asarray(points, dtype=np.float64) - self.place) @ self.axes.T
        depth = seen[:, 2]
        return 0.5 + self.focal * seen[:, :2] / np.where(np.abs(depth) < 1e-6, 1e-6, depth)[:, None], depth


def camera_at(place: Array, target: Array, *, focal: float, roll: float = 0.0) -> Camera:
    """A camera that looks at `target`, turned by `roll` degrees about its axis."""
    forward = (target - place) / np.linalg.norm(target - place)
    right = np.cross(forward, point(0, 1, 0))
    right /= np.linalg.norm(right)
    down = np.cross(forward, right)
    c, s = np.cos(np.radians(roll)), np.sin(np.radians(roll))
    return Camera(place, np.stack([c * right + s * down, c * down - s * right, forward]), focal)


@dataclass
class Face:
    """A flat rectangle with a texture.

    Attributes
    ----------
    corner, along, down
        Its top left corner, and its edges to the top right and to the bottom left (3,).
    texture
        (h, w, 3) or (h, w, 4) bytes; where the alpha is below a half there is nothing, in layer "solid".
    repeat
        How often the texture is laid across and down.
    hole
        Left, top, right and bottom of a hole, as shares of the face.
    layer
        "solid"; "shadow" darkens and "glass" covers what lies behind by the texture's alpha.
    glow
        How much light it gives by itself.
    leaf
        Whether it belongs to a door's leaf, which stands in the opening and so gets light of both rooms.
    """

    corner: Array
    along: Array
    down: Array
    texture: Array
    repeat: tuple[float, float] = (1.0, 1.0)
    hole: tuple[float, float, float, float] | None = None
    layer: str = "solid"
    glow: float = 0.0
    leaf: bool = False


def swatch(colour: Colour) -> Array:
    """A texture of a single colour."""
    return (np.clip(np.asarray(colour, dtype=np.float32), 0, 1) * 255).astype(np.uint8).reshape(1, 1, -1)


def box(low: Colour, high: Colour, colour: Colour, front: Array | None = None) -> list[Face]:
    """An upright box between two corners, in one colour, perhaps with a texture in front."""
    (x0, y0, z0), (x1, y1, z1) = low, high
    plain = swatch(colour)
    wide, deep, tall = point(x1 - x0, 0, 0), point(0, 0, z1 - z0), point(0, y0 - y1, 0)
    return [
        Face(point(x0, y1, z1), wide, tall, plain if front is None else front),
        Face(point(x0, y1, z0), deep, tall, plain),
        Face(point(x1, y1, z1), -deep, tall, plain),
        Face(point(x0, y1, z0), wide, deep, plain),
        Face(point(x0, y0, z0), wide, deep, plain),
    ]


def cylinder(foot: Array, radius: float, height: float, colour: Colour, *, flare: float = 1.0,
             lid: Colour | None = None, sides: int = 14) -> list[Face]:  # fmt: skip
    """An upright cylinder, wider at its top by the factor `flare`; `lid` is the colour one sees from above."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    ring = np.stack([np.cos(angle), np.zeros_like(angle), np.sin(angle)], axis=-1) * radius
    faces = []
    for k in range(sides):
        # A rectangle as wide as the middle of the flared side: at this size nobody sees the difference.
        mean = (1 + flare) / 2
        bottom, top = foot + ring[k] * mean, foot + ring[k] * mean + point(0, height, 0)
        lean = (ring[k] + ring[k + 1]) / 2 * (flare - 1) / 2
        shade = 0.82 + 0.18 * np.cos(angle[k] - 2.2)
        faces.append(Face(top + lean, (ring[k + 1] - ring[k]) * mean, bottom - top - 2 * lean,
                          swatch(np.asarray(colour) * shade)))  # fmt: skip
    if lid is not None:
        n = 24
        at = (np.arange(n) + 0.5) / n * 2 - 1
        disc = np.zeros((n, n, 4), dtype=np.uint8)
        disc[..., :3] = swatch(lid)
        disc[..., 3] = 255 * (np.hypot(at[:, None], at[None]) < 1)
        r = radius * flare
        faces.append(Face(foot + point(-r, height * 0.97, -r), point(2 * r, 0, 0), point(0, 0, 2 * r), disc))
    return faces


def moved(faces: Sequence[Face], origin: Array, axes: Array) -> list[Face]:
    """Faces taken from a frame of their own to `origin` with `axes` (3, 3), a column each."""
    return [
        replace(face, corner=origin + axes @ face.corner, along=axes @ face.along, down=axes @ face.down)
        for face in faces
    ]


@dataclass(frozen=True)
class Lamp:
    """A light: where it is (3,), its colour times its strength at the door, and its radius, which softens shadows."""

    place: Array
    colour: Array
    radius: float


@dataclass(frozen=True)
class Wall:
    """The wall between the rooms, its opening from (0, 0) to (`wide`, `tall`), and what stands in it.

    `front` and `behind` are the light that comes from everywhere in the two rooms; `screens` are the leaves
    (corner, along, down), which throw shadows; `clear` is how far the opening is clear of them, 0 to 1.
    """

    wide: float
    tall: float
    thick: float
    front: Array
    behind: Array
    lamps: Sequence[Lamp]
    screens: Sequence[tuple[Array, Array, Array]] = field(default_factory=tuple)
    clear: float = 0.0


@dataclass(frozen=True)
class _Seen:
    """Faces as a camera sees them: their normals towards it, boxes in pixels (n, 2), and homographies (n, 3, 3).

    A homography takes the picture's (x, y, 1) to a face's shares times the nearness, (u, v, 1) / depth. A face that is
    seen from its edge or from behind the camera has an empty box.
    """

    normals: Array
    low: Array
    high: Array
    maps: Array


def _seen(camera: Camera, faces: Sequence[Face], side: int) -> _Seen:
    corner, along, down = (np.stack([getattr(face, name) for face in faces]) for name in ("corner", "along", "down"))
    normals = np.cross(down, along)
    normals /= np.linalg.norm(normals, axis=1, keepdims=True) + 1e-12
    normals *= np.where(np.einsum("ij,ij->i", normals, camera.place - corner) < 0, -1.0, 1.0)[:, None]
    corners = np.stack([corner, corner + along, corner + along + down, corner + down], axis=1)
    at, depth = camera.project(corners.reshape(-1, 3))
    at, depth = at.reshape(-1, 4, 2), depth.reshape(-1, 4)
    whole = np.all(depth > 0.02, axis=1).reshape(-1, 1)
    low = np.where(whole, np.clip(np.floor(at.min(axis=1) * side), 0, side), 0).astype(int)
    high = np.where(whole, np.clip(np.ceil(at.max(axis=1) * side) + 1, 0, side), side).astype(int)
    plane = np.stack([along, down, corner - camera.place], axis=-1)
    flat = np.less(np.abs(np.linalg.det(plane)), 1e-12)
    plane[flat] = np.eye(3)
    high[flat | (depth < 0.02).all(axis=1)] = 0
    rays = np.array([[1, 0, -0.5], [0, 1, -0.5], [0, 0, camera.focal]]) / camera.focal
    return _Seen(normals, low, high, (np.linalg.inv(plane) @ camera.axes.T @ rays).astype(np.float32))


def _look(face: Face, low: Array, high: Array, h: Array, near: Array) -> tuple[Array, Array, Array, Array] | None:
    """Where a face is the nearest so far: rows, columns, nearness and texels, flat; None where nowhere."""
    if (high <= low).any():
        return None
    side = np.float32(len(near))
    x = (np.arange(low[0], high[0], dtype=np.float32) + 0.5) / side
    y = (np.arange(low[1], high[1], dtype=np.float32) + 0.5) / side
    a, b, c = ((h[k, 0] * x)[None] + (h[k, 1] * y + h[k, 2])[:, None] for k in range(3))
    # A hair nearer wins, so that what lies in one plane keeps the order in which it was drawn.
    inside = (a >= 0) & (a <= c) & (b >= 0) & (b <= c) & (c > near[low[1] : high[1], low[0] : high[0]] * 1.00002)
    if face.hole:
        left, top, right, bottom = face.hole
        inside &= ~((a > left * c) & (a < right * c) & (b > top * c) & (b < bottom * c))
    index = np.flatnonzero(inside)
    if not len(index):
        return None
    rows, columns = np.divmod(index, inside.shape[1])
    a, b, c = a.ravel()[index], b.ravel()[index], c.ravel()[index]
    tall, wide = face.texture.shape[:2]
    i = (b / c * np.float32(face.repeat[1] * tall)).astype(np.int32) % tall
    j = (a / c * np.float32(face.repeat[0] * wide)).astype(np.int32) % wide
    texel = face.texture[i, j]
    rows, columns = rows + low[1], columns + low[0]
    if face.layer == "solid" and texel.shape[1] == 4:
        solid = texel[:, 3] > 127
        return rows[solid], columns[solid], c[solid], texel[solid, :3]
    return rows, columns, c, texel


def picture(camera: Camera, faces: Sequence[Face], wall: Wall, side: int, key: float = 0.20) -> Image.Image:
    """The scene as the camera sees it, exposed so that its middle tone comes near `key`; side x side pixels."""
    near = np.full((side, side), 1e-3, dtype=np.float32)
    owner = np.zeros((side, side), dtype=np.int32)
    skin = np.zeros((side, side, 3), dtype=np.uint8)
    seen = _seen(camera, faces, side)
    views = list(zip(faces, seen.low, seen.high, seen.maps, strict=True))
    for k, (face, low, high, h) in enumerate(views):
        if face.layer == "solid" and (found := _look(face, low, high, h, near)) is not None:
            rows, columns, c, texel = found
            near[rows, columns], owner[rows, columns], skin[rows, columns] = c, k, texel[:, :3]
    albedo = (np.arange(256, dtype=np.float32) / 255.0) ** 2  # the square stands for the display's gamma
    lit = albedo[skin]
    # One pixel of four stands for the block, except where others of the block show another face.
    half = (side + 1) // 2
    rows, columns = np.divmod(np.arange(half * half), half)
    light = _light(camera, faces, seen, wall, near, owner, (2 * rows, 2 * columns)).reshape(half, half, 3)
    light = light.repeat(2, axis=0).repeat(2, axis=1)[:side, :side]
    rows, columns = np.nonzero(owner != owner[::2, ::2].repeat(2, axis=0).repeat(2, axis=1)[:side, :side])
    light[rows, columns] = _light(camera, faces, seen, wall, near, owner, (rows, columns))
    lit *= light
    for face, low, high, h in views:
        if face.layer != "solid" and (found := _look(face, low, high, h, near)) is not None:
            rows, columns, _, texel = found
            share = texel[:, 3:] / np.float32(255.0)
            over = albedo[texel[:, :3]] * np.float32(face.glow) if face.layer == "glass" else np.float32(0.0)
            lit[rows, columns] = lit[rows, columns] * (1 - share) + over * share
    grey = lit[::4, ::4].mean(axis=-1)
    gain = (key / (np.exp(np.log(grey + 1e-3).mean()) + 0.3 * grey.mean() + 1e-4)) ** 0.75
    shown = np.sqrt(1.0 - np.exp(lit * np.float32(-1.7 * gain)))
    return Image.fromarray((shown * 255 + 0.5).astype(np.uint8))


def _light(camera: Camera, faces: Sequence[Face], seen: _Seen, wall: Wall, near: Array, owner: Array,
           where: tuple[Array, Array]) -> Array:  # fmt: skip
    """The light (n, 3) that falls on what is seen at some pixels (rows, columns)."""
    rows, columns = where
    at = (((np.arange(len(near)) + 0.5) / len(near) - 0.5) / camera.focal).astype(np.float32)
    axes, depth, whose = camera.axes.astype(np.float32), 1 / near[rows, columns], owner[rows, columns]
    x, y, z = (
        (at[columns] * axes[0, k] + at[rows] * axes[1, k] + axes[2, k]) * depth + np.float32(camera.place[k])
        for k in range(3)
    )
    nx, ny, nz = seen.normals.astype(np.float32)[whose].T

    # Light from everywhere: each room has its own, and some of it goes through where the opening is clear.
    leaf = np.array([face.leaf for face in faces])[whose]
    facing = 0.5 + 0.5 * nz
    beside = np.exp(-(((x - wall.wide / 2) / wall.wide) ** 2))
    spill = 0.8 * wall.clear * (1 - facing) * np.exp(-np.maximum(z, 0) / 0.7) * beside
    deep = np.exp(np.minimum(z + wall.thick, 0) / 0.8) * np.where(leaf, facing, facing * wall.clear * beside)
    front = np.where(z > -wall.thick, (1 - spill) * np.clip(1 + 0.5 * z * wall.clear / wall.thick, 0.4, 1), deep)
    front[leaf & (facing > 0.99)] = 1.0
    # Corners are darker.
    gap = np.where(np.abs(ny) > 0.9, np.abs(z + wall.thick * (z < -wall.thick)), np.maximum(y, 0))
    up = (0.80 + 0.20 * ny) * (1 - 0.38 * np.exp(-gap / 0.16))
    light = (front * up)[:, None] * wall.front.astype(np.float32)
    light += ((1 - front) * up)[:, None] * wall.behind.astype(np.float32)
    opening = (point(0, wall.tall, -wall.thick / 2), point(wall.wide, 0, 0), point(0, -wall.tall, 0))
    for lamp in wall.lamps:
        wx, wy, wz = (np.float32(lamp.place[k]) - axis for k, axis in enumerate((x, y, z)))
        far = wx * wx + wy * wy + wz * wz
        home = float(np.sum((lamp.place - point(wall.wide / 2, wall.tall / 2, 0)) ** 2))
        amount = np.maximum(wx * nx + wy * ny + wz * nz, 0) / np.sqrt(far) * np.minimum(home / far, 3.0)
        index = np.flatnonzero(amount > 0.02)
        place = np.stack([x[index], y[index], z[index]], axis=-1)
        way = np.stack([wx[index], wy[index], wz[index]], axis=-1)
        share, crosses = _through(place, way, lamp, opening)
        clear = np.where(crosses, share, np.float32(1.0))
        for screen in wall.screens:
            clear *= 1 - _through(place, way, lamp, screen)[0]
        light[index] += (amount[index] * clear)[:, None] * lamp.colour.astype(np.float32)
    glow = np.array([face.glow for face in faces], dtype=np.float32)[whose][:, None]
    return np.where(glow > 0, glow, light)


def _through(p: Array, way: Array, lamp: Lamp, frame: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """The share of a lamp that reaches places through a rectangle, and whether its plane lies between."""
    corner, along, down = frame
    wide, tall = float(np.linalg.norm(along)), float(np.linalg.norm(down))
    normal = np.cross(along, down) / (wide * tall)
    height = float(corner @ normal) - p @ normal.astype(np.float32)
    slope = way @ normal.astype(np.float32)
    t = height / np.where(np.abs(slope) < 1e-9, np.float32(1e-9), slope)
    crosses = (t > 1e-4) & (t < 1)
    t = np.where(crosses, t, np.float32(0.5))
    hit = p + t[:, None] * way - corner.astype(np.float32)
    u, v = hit @ (along / wide).astype(np.float32), hit @ (down / tall).astype(np.float32)
    inset = np.minimum(np.minimum(u, wide - u), np.minimum(v, tall - v))
    blur = lamp.radius * t / (1.02 - t) * 0.6 + 0.006
    return np.where(crosses, smoothstep(-1.0, 1.0, inset / blur), np.float32(0.0)), crosses
