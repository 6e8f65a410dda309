"""Coats painted on what the renderer saw of a mammal, and the hair that stands out from it."""

from dataclasses import dataclass

import numpy as np

from tl_course.synthetic.birds.plumage import rgb
from tl_course.synthetic.engine.brushes import Array, Canvas, Rng, blend, smoothstep
from tl_course.synthetic.engine.surface import Seen
from tl_course.synthetic.mammals.body import Posed
from tl_course.synthetic.mammals.head import tip_of
from tl_course.synthetic.mammals.mammals import Breed, Coat

__all__ = ["FURRY", "Paints", "choose_paints", "comb", "bristly", "paint_mammal"]

FURRY = ("body", "leg", "paw", "tail", "head", "jaw", "lip", "ear", "ruff", "mane")


@dataclass(frozen=True)
class Paints:
    """The colours (3,) of one animal, and what makes its marks its own: waves in space (6, 4), a share of white."""

    base: Array
    under: Array
    second: Array
    pattern: str
    iris: Array
    leather: Array
    skin: Array
    waves: Array
    white: float
    leathery: bool


def choose_paints(rng: Rng, breed: Breed, coat: Coat) -> Paints:
    """The colours of one animal of a breed in a coat."""
    shift = rng.normal(0, 0.02, 3)
    base, under, second = (
        np.clip(rgb(c) * (1 + rng.normal(0, 0.07)) + shift, 0.03, 1).astype(np.float32)
        for c in (coat.base, coat.under, coat.second)
    )
    waves = np.column_stack([rng.normal(0, 1.0, (6, 3)), rng.uniform(0, 2 * np.pi, 6)])
    leather = rgb(str(rng.choice(breed.leather)))
    if breed.name == "elephant":
        leather = base
    return Paints(base, under, second, coat.pattern, rgb(str(rng.choice(breed.irises))), leather,
                  np.asarray(blend(rgb("d99a8f"), base, 0.25 if base.mean() > 0.4 else 0.6)), waves,
                  float(rng.uniform(0, 1)), breed.fur == 0)  # fmt: skip


def _field(paints: Paints, local: Array, cells: float) -> Array:
    """A smooth random field through space (p,), of deviation about 1."""
    phase = local @ (paints.waves[:, :3].T * cells).astype(np.float32) + paints.waves[:, 3].astype(np.float32)
    return np.asarray(np.sin(phase).sum(axis=1) / np.sqrt(3.0), dtype=np.float32)


def paint_mammal(seen: Seen, parts: list[str], breed: Breed, paints: Paints, fine: Array) -> tuple[Array, Array]:
    """Colour (p, 3) and gloss (p,) of every covered pixel; `fine` is noise at each pixel."""
    colour = np.zeros((len(seen.part), 3), dtype=np.float32)
    gloss = np.full(len(seen.part), 0.03 if breed.fur else 0.08, dtype=np.float32)
    for index, name in enumerate(parts):
        here = seen.part == index
        if not here.any():
            continue
        local = seen.local[here]
        if name in ("body", "leg", "paw", "tail"):
            colour[here] = _body(local, name, breed, paints)
        elif name in ("head", "jaw", "lip", "ruff", "mane"):
            colour[here] = _head(local, name, breed, paints)
        elif name == "ear":
            colour[here] = _ear(local, breed, paints)
        elif name == "eye":
            colour[here], gloss[here] = _eye(local, breed, paints), 0.25
        elif name in ("mouth", "nostril"):
            colour[here] = 0.45 * rgb("3a2623") + 0.15 * paints.leather
        else:
            colour[here] = {"inner": paints.skin, "nose": paints.leather, "tongue": rgb("d8747a"),
                            "horn": rgb("cdbf9f"), "hoof": rgb("3c332c")}[name]  # fmt: skip
            if name == "inner":
                colour[here] *= (0.62 + 0.3 * np.abs(local[:, 1]))[:, None]
            gloss[here] = 0.4 if name in ("nose", "tongue") else 0.05
    if breed.fur:
        colour *= (1.0 + 0.06 * fine)[:, None]
    else:
        colour *= (1.0 + 0.03 * fine - 0.07 * smoothstep(0.55, 1.0, np.abs(_field(paints, seen.local, 14.0))))[:, None]
    return colour, gloss


def _lay(colour: Array, over: Array, share: Array) -> None:
    colour += (over - colour) * np.clip(share, 0.0, 1.0)[:, None]


def _body(local: Array, name: str, breed: Breed, paints: Paints) -> Array:
    x, y, z = local.T
    deep = breed.body[0]
    p = paints.pattern
    colour = np.tile(paints.base, (len(x), 1)).astype(np.float32)
    wobble = 0.25 * _field(paints, local, 6.0)
    low = smoothstep(-0.35, -0.95, z / deep + 0.3 * wobble) if name == "body" else np.zeros_like(x)
    far = smoothstep(0.4, 0.55, x + 0.05 * wobble) if name == "body" else np.zeros_like(x)
    _lay(colour, paints.under, np.maximum(low, 0.7 * far))
    feet = np.ones_like(x) if name == "paw" else smoothstep(-deep - 0.12, -deep - 0.3, z) if name == "leg" else 0 * x
    if p == "tabby":
        along = z * 1.4 if name == "leg" else x + 0.25 * np.abs(z) + 0.6 * (name == "tail") * z
        bands = smoothstep(0.05, 0.7, np.sin(along * 46 + 2.6 * wobble * 4) + 0.3 * wobble)
        _lay(colour, paints.second, 0.75 * bands * (1 - 0.75 * low))
        if name == "body":
            _lay(colour, paints.second, 0.7 * smoothstep(0.10, 0.04, np.abs(y)) * smoothstep(0.4, 0.8, z / deep))
    elif p == "points":
        share = {"tail": 1.0, "paw": 1.0}.get(name, 0.0)
        _lay(colour, paints.second, 0.95 * np.maximum(share, feet))
    elif p == "patched":
        _lay(colour, paints.second, smoothstep(0.15, 0.35, _field(paints, local, 4.2)))
        if paints.white < 0.4:
            _lay(colour, rgb("c47f3e"), smoothstep(0.3, 0.5, _field(paints, local[:, (1, 2, 0)] + 3.0, 4.5)))
    elif p == "bicolour":
        front = smoothstep(0.18, 0.32, x + 0.15 * wobble - 0.35 * (z / deep + 0.3) - 0.1 + 0.2 * paints.white)
        _lay(colour, paints.second, np.maximum.reduce([low, front * (name == "body"), feet]))
    elif p == "spotted":
        _lay(colour, paints.second, 0.9 * smoothstep(0.55, 0.75, _field(paints, local, 17.0)))
    elif p == "saddle":
        _lay(
            colour,
            paints.second,
            smoothstep(-0.1, 0.25, z / deep + 0.5 * wobble) * (name in ("body", "tail")) * smoothstep(0.62, 0.4, x),
        )
    return colour


def _head(local: Array, name: str, breed: Breed, paints: Paints) -> Array:
    x, y, z = local.T
    p = paints.pattern
    out = np.abs(y)
    tip = tip_of(breed)
    colour = np.tile(paints.base, (len(x), 1)).astype(np.float32)
    wobble = 0.25 * _field(paints, local, 2.2)
    gap = np.sqrt(
        ((x - tip[0]) / (0.5 + 0.7 * breed.muzzle[0])) ** 2 + (y / 0.62) ** 2 + ((z - tip[2] + 0.05) / 0.42) ** 2
    )
    muzzle = np.maximum(smoothstep(1.15, 0.75, gap + 0.2 * wobble), 1.0 if name in ("lip", "jaw") else 0.0)
    below = smoothstep(-0.45, -0.75, z + 0.1 * wobble)
    if name == "mane":
        return np.asarray(colour * 0.45)
    _lay(colour, paints.under, np.maximum(0.85 * muzzle, below))
    if p == "tabby":
        brow = (
            smoothstep(0.1, 0.6, np.sin(out * 17 - 0.8 + wobble)) * smoothstep(0.30, 0.50, z) * smoothstep(-0.4, 0.0, x)
        )
        cheek = (
            smoothstep(0.1, 0.6, np.sin((z + 0.35 * out) * 15)) * smoothstep(0.5, 0.72, out) * smoothstep(0.35, 0.1, z)
        )
        back = smoothstep(0.2, 0.7, np.sin(x * 13)) * smoothstep(0.0, -0.2, x)
        _lay(colour, paints.second, 0.75 * np.maximum.reduce([brow, cheek, back]) * (1 - muzzle))
    elif p == "points":
        mask = smoothstep(1.75, 1.05, gap + 0.3 * wobble)
        _lay(colour, paints.second, 0.95 * np.maximum(mask, muzzle))
    elif p == "patched":
        _lay(colour, paints.second, smoothstep(0.1, 0.3, _field(paints, local, 1.5)) * (1 - muzzle))
        if paints.white < 0.4:
            _lay(colour, rgb("c47f3e"), smoothstep(0.3, 0.5, _field(paints, local[:, (1, 2, 0)], 1.6)) * (1 - muzzle))
    elif p == "bicolour":
        blaze = smoothstep(0.10, 0.0, out - 0.06 - 0.22 * paints.white - 0.30 * np.clip(-z + 0.1, 0, 1)) * smoothstep(
            -0.1, 0.2, x
        )
        _lay(colour, paints.second, np.maximum.reduce([muzzle, below, blaze * (paints.white > 0.25)]))
    elif p == "spotted":
        _lay(colour, paints.second, 0.8 * smoothstep(0.6, 0.8, _field(paints, local, 5.0)) * (1 - muzzle))
    elif p == "saddle":
        _lay(colour, paints.second, 0.8 * smoothstep(1.3, 0.9, gap + 0.2 * wobble) + 0.5 * smoothstep(0.5, 0.8, z))
    around = _near_eyes(local, breed)
    _lay(colour, 0.35 * paints.base + 0.02, 0.5 * smoothstep(1.5, 1.05, around))
    return colour


def bristly(seen: Seen, parts: list[str], breed: Breed) -> Array:
    """Which covered pixels (p,) are not right beside an eye or the nose, so that hair may start there."""
    far = np.ones(len(seen.part), dtype=bool)
    face = np.flatnonzero(np.isin(np.array(parts)[seen.part], ("head", "lip")))
    local = seen.local[face]
    nose = tip_of(breed) + np.array([0.0, 0.0, 0.4 * breed.muzzle[2]], dtype=np.float32)
    reach = 0.12 + 1.5 * breed.nose[0]
    far[face] = (_near_eyes(local, breed) > 1.5) & (((local - nose) ** 2).sum(axis=1) > reach**2)
    return far


def _near_eyes(local: Array, breed: Breed) -> Array:
    """How far points of the head are from the nearer eye, in radii of the eye."""
    size, out, up = breed.eyes
    a, e = np.radians(out), np.radians(up)
    way = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)], dtype=np.float32)
    on = way / np.linalg.norm(way / np.asarray(breed.skull))
    return np.asarray(
        np.sqrt(((np.column_stack([local[:, 0], np.abs(local[:, 1]), local[:, 2]]) - on) ** 2).sum(axis=1)) / size
    )


def _ear(local: Array, breed: Breed, paints: Paints) -> Array:
    t, across, _ = local.T
    colour = np.tile(paints.base, (len(t), 1)).astype(np.float32)
    if paints.pattern in ("points", "saddle"):
        _lay(colour, paints.second, 0.9 * smoothstep(0.0, 0.3, t))
    elif paints.pattern in ("patched", "spotted"):
        _lay(colour, paints.second, np.full(len(t), 0.85 if paints.white > 0.3 else 0.0))
    elif paints.pattern == "tabby":
        _lay(colour, paints.second, 0.35 + 0.4 * smoothstep(0.7, 1.0, t))
    return np.asarray(colour * (0.92 - 0.18 * smoothstep(0.6, 1.0, np.abs(across)))[:, None])


def _eye(local: Array, breed: Breed, paints: Paints) -> Array:
    _, side, up = local.T
    r = np.hypot(side, up)
    wide = {"slit": 0.16 + 0.22 * paints.white, "bar": 0.55}.get(breed.pupil, 0.58)
    tall = {"slit": 0.66, "bar": 0.25}.get(breed.pupil, 0.58)
    pupil = np.hypot(side / wide, up / tall)
    iris = paints.iris * (1.12 - 0.5 * smoothstep(0.3, 0.9, r) + 0.25 * smoothstep(0.3, -0.6, up))[:, None]
    colour = iris + (rgb("0a0908") - iris) * smoothstep(1.08, 0.92, pupil)[:, None]
    # Lids meet at the corners, the inner one a little lower.
    lid = np.abs(up - 0.10 * side) - breed.almond * (1.0 - np.clip(side, -1, 1) ** 2) ** 0.6
    edge = np.maximum(smoothstep(-0.16, -0.04, lid), smoothstep(0.84, 0.94, r))[:, None]
    colour = colour * (1 - edge) + rgb("1d1613") * edge
    glint = smoothstep(0.26, 0.16, np.hypot(side + 0.22, up - 0.34))[:, None]
    return np.asarray(colour + (1.6 - colour) * glint)


def comb(canvas: Canvas, rng: Rng, seen: Seen, corner: tuple[int, int], furry: Array, lit: Array, posed: Posed, *,
         scale: float, centre: tuple[float, float], breed: Breed) -> None:  # fmt: skip
    """Hair over the picture: short strokes in the colours that are there, which stand out at the edges."""
    rng = np.random.default_rng(rng.integers(2**63))  # how many strokes there are depends on the size of the picture
    at = np.flatnonzero(furry)
    if not breed.fur or len(at) < 20:
        return
    n = int(min(1500, len(at) / 14, 60 + len(at) / 20))
    edge = at[(seen.normal[at, 1] < 0.42)]
    chosen = rng.choice(at, n)
    if len(edge):
        chosen = np.concatenate([chosen, rng.choice(edge, n // 4)])
    rows, columns = np.nonzero(seen.mask)
    x, y = columns[chosen] + corner[0], rows[chosen] + corner[1]
    head = seen.part[chosen] >= posed.sheets.index(next(s for s in posed.sheets if s.part == "head"))

    def pixel(name: str) -> Array:
        place = posed.places[name][0]
        return np.array([centre[0] + scale * place[0], centre[1] - scale * place[2]])

    from_nose = np.stack([x, y], axis=-1) - pixel("muzzle")
    to_tail = pixel("tail") - pixel("head")
    flow = np.where(head[:, None], from_nose / (np.linalg.norm(from_nose, axis=1, keepdims=True) + 1e-6),
                    0.6 * to_tail / (np.linalg.norm(to_tail) + 1e-6) + [0.0, 0.55])  # fmt: skip
    flow = flow + 0.7 * np.stack([seen.normal[chosen, 0], -seen.normal[chosen, 2]], axis=-1)
    angle = np.arctan2(flow[:, 1], flow[:, 0]) + rng.normal(0, 0.25 + 0.7 * breed.curl, len(chosen))
    near = np.where(head, posed.radius / 0.24 * 0.75, 1.0)
    length = scale * (0.30 * breed.fur + 0.010) * near * rng.uniform(0.6, 1.4, len(chosen))
    tone = lit[chosen] * rng.normal(1.0, 0.075, (len(chosen), 1))
    side = canvas.side
    canvas.leaves(x / side, y / side, length / side, angle, tone, slim=0.13 if breed.curl < 1 else 0.4)
