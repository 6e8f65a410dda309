"""Mammals to draw: proportions by breed, and coats that cats and dogs share.

A breed is one `Breed` of numbers; `dataclasses.replace` makes the next from it. Whatever is drawn of a mammal
follows from its breed, its coat and its pose, so that a cat, a dog and a cow come from the same pencil.
"""

from dataclasses import dataclass, replace

__all__ = ["BREEDS", "COATS", "Breed", "Coat"]


@dataclass(frozen=True)
class Coat:
    """What a mammal wears: three colours (hexadecimal) and how they are laid out.

    `pattern` is one of plain, tabby, points, patched, bicolour, spotted and saddle; `second` is the colour of its
    marks, `under` that of belly, chest and muzzle.
    """

    base: str
    under: str
    second: str = "2a2522"
    pattern: str = "plain"


COATS = {
    "black": Coat("2b2826", "34302e"),
    "white": Coat("e9e4da", "f1ede5"),
    "grey": Coat("85878b", "a3a4a6"),
    "ginger": Coat("c68043", "e6c193"),
    "cream": Coat("dcc39a", "eee0c6"),
    "brown": Coat("6d4a30", "8d6a4b"),
    "brown tabby": Coat("957a5a", "cdb796", "3f3226", "tabby"),
    "grey tabby": Coat("96928c", "cfcac2", "45423f", "tabby"),
    "ginger tabby": Coat("d39b5e", "edd0a4", "a35a26", "tabby"),
    "points": Coat("dccbb0", "e6d9c4", "40322b", "points"),
    "patched": Coat("ebe5da", "f1ece3", "2e2825", "patched"),
    "black and white": Coat("2b2826", "efebe4", "efebe4", "bicolour"),
    "grey and white": Coat("7d7f84", "efebe4", "efebe4", "bicolour"),
    "ginger and white": Coat("bf7c42", "f1ebe0", "f1ebe0", "bicolour"),
    "spotted": Coat("dfd2ba", "ece4d4", "3a302a", "spotted"),
    "saddle": Coat("b98650", "d9b98a", "2c2623", "saddle"),
    "pink": Coat("e0aa9c", "ecbfb2", "c98d80"),
    "pink spotted": Coat("dba698", "ecbfb2", "3c3330", "patched"),
    "red fox": Coat("c26a2c", "f0e8da", "3b2a22", "points"),
}
SHARED = tuple(COATS)[:16]  # what cats and dogs are dealt alike


@dataclass(frozen=True)
class Breed:
    """Proportions of a mammal: of the head with the skull's radius as 1, of the body with its length as 1.

    Attributes
    ----------
    skull
        Half length, half width and half height.
    muzzle
        How far it stands out, its half width and its half height at the nose.
    drop, flews, stop
        How far the muzzle lies below the skull's middle, how far its lips hang, how broad it is where it begins.
    nose
        Half width and half height; `snout` makes a pig's disc of it, `leather` is its colour.
    eyes
        Radius, degrees to the side of straight ahead, degrees above it; 1 for `almond` leaves them round.
    pupil, irises
        "slit", "round" or "bar", and the colours to choose from.
    ears
        Their shape (pricked, round, long, floppy, button, side, fan), length, half width, degrees from the crown, lean.
    head, neck, body
        The head's radius; the neck's length and half depth; half depth and half width of the trunk.
    legs
        Length and half thickness; `hooves` for feet without paws.
    tail
        Length, half thickness and the degrees by which it is raised.
    fur
        Length of the hair, and `curl` for how far it is from lying straight.
    """

    name: str
    skull: tuple[float, float, float] = (1.0, 1.0, 0.92)
    muzzle: tuple[float, float, float] = (0.25, 0.40, 0.27)
    drop: float = 0.34
    flews: float = 0.0
    stop: float = 1.25
    nose: tuple[float, float] = (0.13, 0.10)
    snout: bool = False
    trunk: float = 0.0
    leather: tuple[str, ...] = ("2a2220",)
    eyes: tuple[float, float, float] = (0.27, 28.0, 10.0)
    almond: float = 0.8
    pupil: str = "round"
    irises: tuple[str, ...] = ("4a2c18", "2c1a10", "6b4522")
    ears: tuple[str, float, float, float, float] = ("pricked", 0.9, 0.45, 38.0, 14.0)
    horns: float = 0.0
    mane: bool = False
    ruff: float = 0.0
    whiskers: float = 0.0
    tongue: float = 0.0
    head: float = 0.24
    neck: tuple[float, float] = (0.14, 0.17)
    body: tuple[float, float] = (0.22, 0.19)
    legs: tuple[float, float] = (0.42, 0.062)
    hooves: bool = False
    tail: tuple[float, float, float] = (0.8, 0.045, 20.0)
    fur: float = 0.05
    curl: float = 0.15
    coats: tuple[str, ...] = SHARED
    poses: tuple[str, ...] = ("sitting", "sitting", "lying", "standing")


CAT = Breed(
    "shorthair",
    nose=(0.155, 0.115),
    leather=("cf8078", "b5655f", "3a2c2a", "8a5048"),
    eyes=(0.25, 27.0, 5.0),
    almond=0.70,
    pupil="slit",
    irises=("8e9150", "a5893f", "74895f", "a8743a", "7d9db2", "6b5a34"),
    ears=("pricked", 0.84, 0.50, 40.0, 16.0),
    whiskers=1.0,
    head=0.215,
)
DOG = Breed(
    "retriever",
    skull=(1.0, 0.86, 0.82),
    muzzle=(0.82, 0.36, 0.32),
    drop=0.30,
    flews=0.24,
    stop=1.3,
    nose=(0.23, 0.17),
    leather=("1d1918", "1d1918", "4a3028"),
    eyes=(0.165, 31.0, 12.0),
    almond=0.95,
    irises=("4a2c18", "2c1a10", "6b4522", "8a6030", "7d9db2"),
    ears=("floppy", 1.15, 0.40, 52.0, 0.0),
    whiskers=0.35,
    tongue=0.45,
    head=0.215,
    neck=(0.24, 0.17),
    legs=(0.56, 0.070),
    tail=(0.62, 0.055, 40.0),
)
# Stripes over pricked ears would make a cat of a dog for most of us.
PLAIN = tuple(name for name in SHARED if "tabby" not in name)
CATS = (
    CAT,
    replace(CAT, name="siamese", skull=(1.0, 0.90, 0.86), muzzle=(0.42, 0.33, 0.25),
            ears=("pricked", 1.12, 0.52, 48, 28), irises=("6f97bd", "86a9c6"), body=(0.19, 0.16),
            legs=(0.48, 0.05), fur=0.03, coats=("points", *SHARED[:6])),
    replace(CAT, name="persian", skull=(0.95, 1.1, 0.94), muzzle=(0.14, 0.40, 0.25), eyes=(0.27, 29, 2),
            almond=0.85, ruff=1.0, ears=("pricked", 0.6, 0.40, 50, 26), head=0.235, body=(0.25, 0.22),
            legs=(0.34, 0.08), tail=(0.7, 0.10, 20), fur=0.14),
    replace(CAT, name="sphynx", skull=(1.0, 0.92, 0.90), muzzle=(0.34, 0.36, 0.27), eyes=(0.27, 30, 2),
            almond=0.66, fur=0.0, ears=("pricked", 1.25, 0.66, 48, 30), body=(0.20, 0.17), legs=(0.45, 0.05),
            tail=(0.85, 0.025, 20), coats=("pink", "cream", "grey", "black", "grey and white", "black and white"),
            whiskers=0.2),
    replace(CAT, name="maine coon", muzzle=(0.40, 0.40, 0.32), ears=("pricked", 1.1, 0.44, 34, 8), ruff=0.8,
            body=(0.25, 0.21), tail=(0.95, 0.10, 20), fur=0.11),
    replace(CAT, name="kitten", skull=(1.0, 1.02, 0.95), muzzle=(0.16, 0.36, 0.24), eyes=(0.29, 29, -2),
            almond=0.85, head=0.30, ears=("pricked", 0.9, 0.46, 42, 18), legs=(0.34, 0.07),
            tail=(0.55, 0.045, 30), fur=0.06),
    replace(CAT, name="bengal", muzzle=(0.33, 0.37, 0.29), ears=("pricked", 0.8, 0.40, 42, 16), body=(0.21, 0.18),
            fur=0.03, legs=(0.47, 0.06), coats=("spotted", "brown tabby", "grey tabby", "ginger tabby")),
)  # fmt: skip
DOGS = (
    DOG,
    replace(DOG, name="shepherd", skull=(1.0, 0.84, 0.80), muzzle=(1.0, 0.30, 0.28), flews=0.1, legs=(0.58, 0.07),
            fur=0.07, ears=("pricked", 0.95, 0.36, 34, 6), tail=(0.75, 0.07, -10), coats=PLAIN),
    replace(DOG, name="pug", skull=(0.95, 1.0, 0.92), muzzle=(0.24, 0.46, 0.36), drop=0.36, flews=0.30,
            eyes=(0.21, 36, 4), nose=(0.21, 0.13), ears=("button", 0.62, 0.36, 52, 0), head=0.24,
            legs=(0.36, 0.07), tail=(0.3, 0.06, 120), fur=0.025, coats=PLAIN),
    replace(DOG, name="spaniel", muzzle=(0.72, 0.36, 0.31), flews=0.32, ears=("floppy", 1.65, 0.56, 66, 0),
            fur=0.10, curl=0.6, legs=(0.46, 0.08), tail=(0.4, 0.07, 40)),
    replace(DOG, name="poodle", muzzle=(0.95, 0.27, 0.25), flews=0.05, ears=("floppy", 1.2, 0.5, 58, 0), ruff=0.5,
            fur=0.08, curl=1.6, legs=(0.60, 0.09), tail=(0.35, 0.09, 80)),
    replace(DOG, name="hound", muzzle=(1.0, 0.33, 0.32), flews=0.42, ears=("floppy", 1.5, 0.44, 70, 0), fur=0.02,
            legs=(0.55, 0.06), tail=(0.7, 0.035, 60)),
    replace(DOG, name="terrier", muzzle=(0.66, 0.38, 0.34), flews=0.16, ears=("button", 0.75, 0.36, 40, 0),
            fur=0.09, curl=0.9, legs=(0.40, 0.08), tail=(0.35, 0.05, 85), head=0.24),
    replace(DOG, name="spitz", skull=(1.0, 0.96, 0.86), muzzle=(0.66, 0.27, 0.24), flews=0.04, ruff=1.0, fur=0.14,
            ears=("pricked", 0.6, 0.28, 32, 8), legs=(0.42, 0.08), tail=(0.5, 0.10, 125), head=0.235,
            body=(0.25, 0.22), coats=PLAIN),
    replace(DOG, name="dachshund", skull=(1.0, 0.80, 0.78), muzzle=(1.05, 0.28, 0.25), flews=0.10, head=0.19,
            ears=("floppy", 1.25, 0.46, 60, 0), fur=0.02, body=(0.17, 0.15), legs=(0.20, 0.055),
            tail=(0.55, 0.03, 30), tongue=0.2),
    replace(DOG, name="mastiff", skull=(1.0, 1.0, 0.86), muzzle=(0.62, 0.46, 0.42), flews=0.48,
            ears=("floppy", 1.0, 0.42, 56, 0), nose=(0.26, 0.18), body=(0.26, 0.24), legs=(0.52, 0.09), head=0.25,
            fur=0.02, coats=PLAIN),
)  # fmt: skip

HOOFED = Breed("hoofed", hooves=True, poses=("standing",), neck=(0.36, 0.17), muzzle=(1.2, 0.40, 0.36), drop=0.42,
               legs=(0.6, 0.05), eyes=(0.17, 62, 18), nose=(0.0, 0.0), almond=0.95, tail=(0.55, 0.03, -60),
               fur=0.02, skull=(1.0, 0.80, 0.82))  # fmt: skip
BREEDS: dict[str, tuple[Breed, ...]] = {
    "cat": CATS,
    "dog": DOGS,
    "bear": (Breed("bear", skull=(1.0, 1.05, 0.92), muzzle=(0.62, 0.36, 0.32), flews=0.1, nose=(0.22, 0.16),
                   eyes=(0.105, 32, 14), ears=("round", 0.50, 0.30, 48, 24), ruff=0.4, head=0.24,
                   neck=(0.2, 0.24), body=(0.30, 0.28), legs=(0.40, 0.12), tail=(0.08, 0.06, 0), fur=0.08,
                   coats=("brown", "black", "white", "cream", "grey", "ginger")),),
    "cow": (replace(HOOFED, name="cow", muzzle=(1.1, 0.50, 0.42), snout=True, leather=("c79a92", "55453f"),
                    horns=0.6, ears=("side", 0.9, 0.30, 68, 0), head=0.19, body=(0.29, 0.24), legs=(0.48, 0.065),
                    coats=("patched", "brown", "black", "ginger and white", "black and white", "cream")),),
    "elephant": (replace(HOOFED, name="elephant", skull=(1.0, 0.95, 1.05), muzzle=(0.30, 0.42, 0.40), trunk=1.0,
                         eyes=(0.10, 50, 2), ears=("fan", 1.35, 0.95, 78, 0), head=0.26, neck=(0.12, 0.26),
                         body=(0.34, 0.30), legs=(0.48, 0.11), tail=(0.4, 0.02, -60), fur=0.0,
                         coats=("grey", "brown", "cream")),),
    "fox": (replace(DOG, name="fox", skull=(1.0, 0.94, 0.82), muzzle=(0.80, 0.20, 0.19), stop=1.9, flews=0.0,
                    nose=(0.13, 0.10), eyes=(0.16, 34, 12), almond=0.7, irises=("b07a2a",),
                    ears=("pricked", 1.0, 0.44, 38, 14), ruff=0.6, legs=(0.42, 0.05), tail=(0.85, 0.12, -10),
                    fur=0.09, tongue=0.1, whiskers=0.5, coats=("red fox", "white", "grey", "ginger")),),
    "horse": (replace(HOOFED, name="horse", muzzle=(1.5, 0.34, 0.34), drop=0.62,
                      ears=("pricked", 0.66, 0.20, 26, 8), mane=True, head=0.17, neck=(0.50, 0.18),
                      body=(0.24, 0.20), legs=(0.70, 0.05), tail=(0.7, 0.07, -50),
                      coats=("brown", "black", "white", "ginger", "grey", "black and white")),),
    "monkey": (Breed("monkey", skull=(0.95, 0.92, 0.98), muzzle=(0.34, 0.42, 0.36), drop=0.40, nose=(0.12, 0.05),
                     eyes=(0.15, 22, 6), ears=("round", 0.55, 0.34, 86, 60), body=(0.20, 0.18), legs=(0.50, 0.05),
                     ruff=0.3, tail=(1.2, 0.03, 20), fur=0.07, leather=("a87a64", "6b4a3c"),
                     coats=("brown", "grey", "ginger", "black", "points"), poses=("sitting",)),),
    "mouse": (Breed("mouse", skull=(1.05, 0.84, 0.82), muzzle=(0.66, 0.16, 0.15), stop=2.6, nose=(0.10, 0.08),
                    eyes=(0.17, 48, 16), irises=("0e0b0a", "5a1c1c"), almond=1.0,
                    ears=("round", 0.98, 0.58, 48, 34), head=0.27, neck=(0.1, 0.22), body=(0.26, 0.24),
                    legs=(0.20, 0.045), tail=(1.1, 0.018, 0), whiskers=1.0, leather=("d29a94",), fur=0.05,
                    coats=("grey", "white", "brown", "cream", "black", "grey and white"),
                    poses=("sitting", "lying", "lying")),),
    "pig": (replace(HOOFED, name="pig", skull=(1.0, 0.92, 0.90), muzzle=(0.72, 0.34, 0.32), snout=True,
                    leather=("d08d84", "a8685f"), eyes=(0.11, 38, 18), ears=("button", 0.8, 0.42, 44, 0),
                    head=0.24, neck=(0.12, 0.24), body=(0.29, 0.26), legs=(0.28, 0.06), tail=(0.2, 0.02, 100),
                    fur=0.015, coats=("pink", "pink", "pink spotted", "black", "ginger"),
                    poses=("standing", "standing", "lying")),),
    "rabbit": (Breed("rabbit", skull=(1.05, 0.88, 0.90), muzzle=(0.30, 0.36, 0.32), nose=(0.10, 0.06),
                     leather=("d0958e",), eyes=(0.21, 58, 10), irises=("2a1810", "5a2020"), almond=0.95,
                     ears=("long", 1.9, 0.34, 24, 10), head=0.25, neck=(0.1, 0.2), body=(0.27, 0.24),
                     legs=(0.26, 0.055), tail=(0.12, 0.09, 40), whiskers=0.7, fur=0.07,
                     coats=("white", "grey", "brown", "cream", "black and white", "grey and white", "ginger"),
                     poses=("sitting", "lying")),),
    "sheep": (replace(HOOFED, name="sheep", muzzle=(0.90, 0.32, 0.30), ears=("side", 0.75, 0.24, 66, 0),
                      head=0.18, neck=(0.2, 0.2), body=(0.32, 0.30), legs=(0.38, 0.045), tail=(0.15, 0.06, -40),
                      fur=0.16, curl=2.5, ruff=0.8, coats=("white", "white", "cream", "brown", "black", "points"),
                      poses=("standing", "standing", "lying")),),
}  # fmt: skip
