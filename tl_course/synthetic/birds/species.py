"""Birds to draw: shapes by kind, and plumages in the manner of well-known species.

A plumage names a colour for each part of a bird and the marks it wears. A part without a colour takes its neighbour's:
``head``, ``wing`` and ``rump`` that of ``upper``, ``breast`` that of ``under``, ``tail`` that of ``quill``.
"""

from dataclasses import dataclass, field

__all__ = ["PLUMAGES", "SHAPES", "Plumage", "Shape"]


@dataclass(frozen=True)
class Shape:
    """Proportions of a kind of bird, with the length of the body (about breast to vent) as 1.

    `deep` and `wide` are half the body's height and width, `head` is the head's radius; `bill` is length, depth at the
    base and hook (below 0 curves down, above 0 is a duck's spoon); `tail` is length, width and fork (above 0 forked,
    below 0 rounded); `wing` is the reach and chord of a spread wing and how pointed it is; `pitch` is the range of the
    body's slope in degrees when perched; `poses` says where it is met, more often what is named more often.
    """

    deep: float
    wide: float
    head: float
    bill: tuple[float, float, float]
    tail: tuple[float, float, float]
    wing: tuple[float, float, float]
    legs: float = 0.20
    neck: float = 0.0
    eye: float = 0.225
    pitch: tuple[float, float] = (15.0, 55.0)
    poses: tuple[str, ...] = ("perched", "perched", "perched", "perched", "flying")


SHAPES = {
    "tit": Shape(0.32, 0.29, 0.255, (0.12, 0.05, 0.0), (0.50, 0.13, 0.05), (0.95, 0.46, 0.3), eye=0.19),
    "finch": Shape(0.32, 0.29, 0.240, (0.17, 0.085, -0.02), (0.55, 0.14, 0.10), (1.0, 0.46, 0.4)),
    "chat": Shape(0.34, 0.31, 0.235, (0.15, 0.035, 0.0), (0.48, 0.14, 0.0), (0.95, 0.48, 0.3), legs=0.30, eye=0.22),
    "wren": Shape(0.35, 0.32, 0.240, (0.20, 0.035, -0.03), (0.36, 0.13, -0.1), (0.75, 0.46, 0.1), legs=0.26),
    "warbler": Shape(0.27, 0.25, 0.205, (0.15, 0.035, 0.0), (0.52, 0.12, 0.05), (1.0, 0.42, 0.4), legs=0.24),
    "thrush": Shape(0.30, 0.28, 0.190, (0.19, 0.045, -0.01), (0.60, 0.16, 0.0), (1.1, 0.46, 0.4), legs=0.28),
    "wagtail": Shape(0.26, 0.24, 0.190, (0.16, 0.030, 0.0), (1.00, 0.10, 0.0), (1.0, 0.40, 0.5), 0.30, pitch=(0, 25)),
    "cardinal": Shape(0.30, 0.27, 0.220, (0.17, 0.105, -0.03), (0.80, 0.15, -0.05), (0.95, 0.48, 0.2)),
    "jay": Shape(0.28, 0.26, 0.200, (0.21, 0.065, -0.02), (0.75, 0.17, -0.1), (1.1, 0.52, 0.1), pitch=(10, 45)),
    "magpie": Shape(0.27, 0.25, 0.185, (0.22, 0.065, -0.02), (1.25, 0.16, -0.3), (1.0, 0.52, 0.1), 0.28),
    "crow": Shape(0.28, 0.26, 0.180, (0.28, 0.080, -0.03), (0.60, 0.19, -0.1), (1.4, 0.56, 0.2), 0.26, pitch=(10, 40)),
    "woodpecker": Shape(0.26, 0.25, 0.190, (0.27, 0.050, 0.0), (0.50, 0.14, -0.2), (1.1, 0.50, 0.2), 0.14,
                        pitch=(68, 84), poses=("clinging",)),
    "kingfisher": Shape(0.31, 0.29, 0.265, (0.58, 0.080, 0.0), (0.28, 0.12, -0.05), (0.85, 0.42, 0.2), 0.10,
                        pitch=(35, 65), poses=("perched", "perched", "perched", "flying")),
    "bee-eater": Shape(0.24, 0.22, 0.180, (0.32, 0.040, -0.07), (0.85, 0.10, -0.2), (1.15, 0.40, 0.7), 0.10,
                       pitch=(35, 65)),
    "dove": Shape(0.31, 0.29, 0.145, (0.12, 0.035, -0.02), (0.65, 0.18, -0.1), (1.25, 0.48, 0.5), 0.16, 0.10,
                  pitch=(5, 35)),
    "owl": Shape(0.36, 0.36, 0.345, (0.09, 0.080, -0.07), (0.36, 0.18, -0.1), (1.35, 0.62, 0.0), 0.10, eye=0.27,
                 pitch=(68, 80), poses=("perched", "perched", "perched", "flying")),
    "hawk": Shape(0.30, 0.29, 0.185, (0.13, 0.085, -0.08), (0.75, 0.18, -0.05), (1.45, 0.56, 0.1), 0.18, eye=0.25,
                  pitch=(50, 72), poses=("perched", "flying")),
    "parrot": Shape(0.28, 0.26, 0.235, (0.14, 0.150, -0.12), (0.85, 0.13, -0.5), (1.0, 0.46, 0.3), 0.10,
                    pitch=(48, 72)),
    "heron": Shape(0.25, 0.21, 0.120, (0.46, 0.055, 0.0), (0.30, 0.16, -0.1), (1.6, 0.60, 0.1), 0.95, 0.62,
                   pitch=(15, 40), poses=("wading", "wading", "wading", "flying")),
    "sandpiper": Shape(0.27, 0.25, 0.155, (0.40, 0.035, -0.03), (0.32, 0.14, 0.0), (1.1, 0.40, 0.8), 0.50, 0.10,
                       pitch=(2, 18), poses=("wading", "wading", "wading", "flying")),
    "gull": Shape(0.27, 0.25, 0.165, (0.22, 0.060, -0.03), (0.42, 0.20, -0.05), (1.75, 0.44, 0.7), 0.30, 0.06,
                  pitch=(2, 12), poses=("flying", "flying", "flying", "wading")),
    "swallow": Shape(0.22, 0.21, 0.165, (0.07, 0.035, 0.0), (0.95, 0.13, 0.75), (1.35, 0.34, 0.95), 0.08,
                     pitch=(25, 50), poses=("flying", "flying", "perched")),
    "duck": Shape(0.25, 0.27, 0.155, (0.25, 0.055, 0.03), (0.24, 0.16, -0.3), (1.1, 0.40, 0.6), 0.2, 0.16,
                  pitch=(-2, 6), poses=("swimming", "swimming", "swimming", "flying")),
    "hummingbird": Shape(0.24, 0.22, 0.205, (0.58, 0.022, -0.02), (0.50, 0.14, 0.15), (0.95, 0.34, 0.8), 0.04,
                         pitch=(35, 60), poses=("flying", "perched")),
}  # fmt: skip


@dataclass(frozen=True)
class Plumage:
    """What a species wears: its shape, a colour for each part, and its marks with their colours or strengths."""

    shape: str
    colours: dict[str, str]
    marks: dict[str, str] = field(default_factory=dict)
    crest: float = 0.0


def _wears(shape: str, colours: str, marks: str = "", crest: float = 0.0) -> Plumage:
    """Both texts are words of the form ``part=rrggbb``."""
    read = [dict(word.split("=") for word in text.split()) for text in (colours, marks)]
    return Plumage(shape, read[0], read[1], crest)


PLUMAGES = {
    "robin": _wears("chat", "upper=7d6a4c under=e6e0d0 breast=d8642a bill=2e2620 leg=6b4a38",
        "face=d8642a belly=efeae0"),
    "bluebird": _wears("chat", "upper=2f63b8 under=e8e6e2 breast=c26a3a quill=22406f bill=222222",
        "throat=c26a3a"),
    "redstart": _wears("chat", "upper=8b929c under=d98a4c breast=d2642c quill=5a5048 tail=c4552a",
        "face=1c1a1a throat=1c1a1a brow=f2f0ea rump=c4552a"),
    "blue tit": _wears("tit", "upper=7f9a4c under=ecd95a head=f2f2ee wing=4f7fb8 quill=3c5f92 tail=4a78b4 leg=5a6478",
        "cap=3f74c0 stripe=1e2c4a bar=f4f4ee collar=24355a bib=22304e"),
    "great tit": _wears("tit", "upper=6f8440 under=e8d548 head=17191c quill=46566c wing=6f8496 tail=4a5a70",
        "cheek=f4f4f0 bib=17191c tie=17191c bar=eef0ea"),
    "chickadee": _wears("tit", "upper=8b8880 under=e9e4d8 head=f4f2ec quill=4c4c50 edge=d8d8d4",
        "cap=16161a bib=16161a flank=d8b98e"),
    "goldcrest": _wears("tit", "upper=8a9450 under=d9d7b8 quill=4d4c38 edge=c8cc7a",
        "crown=f2a81c bar=f4f2e2 ring=efeedd"),
    "nuthatch": _wears("tit", "upper=6d8aa8 under=e8b27a head=f2efe6 quill=454f5c bill=3a4048",
        "cap=6d8aa8 stripe=16181c"),
    "long-tailed tit": _wears("wagtail", "upper=2c2a2c under=f0e9e4 head=f6f3ee quill=242224",
        "back=d39a9a stripe=1e1c1e flank=e0a8a4 edge=f2f0ec"),
    "goldfinch": _wears("finch", "upper=b08a5c under=efe8da head=f4f0e8 quill=16161a wing=1b1a1c bill=e8d8c4",
        "face=c8201e nape=17171a panel=f0c81c breastside=b98f60"),
    "bullfinch": _wears("finch", "upper=8d99a8 under=dd6a5c quill=1b1c26 tail=1a1b26 bill=1c1c1e",
        "cap=14151c bar=e4e4e2 rump=f4f4f2 belly=dd6a5c face=14151c"),
    "chaffinch": _wears("finch", "upper=7a5a44 under=d99a80 head=7e93ac quill=38332f bill=7d8ca0",
        "bar=f4f2ee face=6a4a3e belly=ece0d6 rump=8a9c60"),
    "greenfinch": _wears("finch", "upper=7f9440 under=a9b04c quill=4e5240 bill=e0c8b0",
        "panel=efd83a mask=4d5a2c"),
    "canary": _wears("finch", "upper=e8c832 under=f4e060 quill=c8a024 edge=f6efb0 bill=d8a08a leg=c89a86",
        ""),
    "american goldfinch": _wears("finch", "upper=eccb20 under=f2d634 quill=18181a wing=1c1b1c tail=1a1a1c bill=e59a58",
        "forehead=161618 bar=f4f2ea edge=efece0"),
    "indigo bunting": _wears("finch", "upper=2b58c4 under=3a6ed2 quill=243c78 bill=8c98a4",
        "mask=1d2f66"),
    "house sparrow": _wears("finch", "upper=8c5c36 under=cdc6ba head=8b8a86 quill=5a4430 edge=c49a6a bill=26241f",
        "cap=8a8984 stripe=7a4226 bib=1d1b1a cheek=d6d2c8 streaks=2e2218 bar=efe8dc"),
    "zebra finch": _wears("finch", "upper=9a9894 under=f0ece4 head=9b9fa4 quill=6c665e bill=e25424 leg=e08a4a",
        "cheek=c9712e tear=1a1a1a barred=2c2c2c spots=f2efe8 flank=a85c34"),
    "waxwing": _wears("cardinal", "upper=a8876c under=c9ab90 quill=4a4a50 tail=5a5c62 bill=2a2622",
        "mask=141214 throat=1c1816 bar=f2efe4 tip=f2cf2a", 0.5),
    "wren": _wears("wren", "upper=7f5636 under=c0a07a quill=6a462c bill=5a4a3c",
        "brow=e4d5b4 barred=4a3220 streaks=4e3422 wingbarred=3a2616"),
    "willow warbler": _wears("warbler", "upper=8b9160 under=eae6c0 quill=5f6144",
        "brow=eeeabf stripe=6a6c48"),
    "yellow warbler": _wears("warbler", "upper=b8b038 under=f0d838 quill=7c7a34 edge=e8dc5a",
        "streakbreast=b05a2c"),
    "song thrush": _wears("thrush", "upper=86694a under=efe6d2 quill=6f543a bill=6a5a44 leg=c49a86",
        "spots=3a2a1c breastwash=dcb880"),
    "blackbird": _wears("thrush", "upper=1b1a1c under=201e20 quill=161517 bill=eca01c leg=3a302c",
        "ring=eca01c"),
    "american robin": _wears("thrush", "upper=5b5a58 under=c4562a head=2a292a quill=454340 bill=d8b03c",
        "belly=c85e2e vent=f0eee8 ring=f2f0ea"),
    "starling": _wears("thrush", "upper=28303a under=262c38 quill=4a3c30 edge=a8865c bill=d8b83c leg=b0705a",
        "spots=e4d8bc backspots=d8c49c gloss=3a8a6a"),
    "oriole": _wears("thrush", "upper=f0b81c under=f4c42a quill=18171a wing=1a191c tail=1a191c bill=c4604c",
        "mask=1a181a bar=f0dc80"),
    "grey wagtail": _wears("wagtail", "upper=7d858e under=ecd63c quill=3a3c40 tail=2a2a2e",
        "brow=f2f2ee bib=1a1a1c edge=d8d8d4"),
    "pied wagtail": _wears("wagtail", "upper=3a3c40 under=f2f2f0 head=f4f4f2 quill=2c2c30",
        "cap=141416 bib=141416 edge=f0f0ee"),
    "cardinal": _wears("cardinal", "upper=b8242a under=d42a2a quill=8c2026 bill=e8662c leg=6a3a34",
        "mask=16100f", 1.0),
    "titmouse": _wears("cardinal", "upper=8590a0 under=eceae6 quill=69727f bill=22242a",
        "forehead=1e2024 flank=d8a07a", 0.9),
    "jay": _wears("jay", "upper=b08a7c under=c8a292 quill=1d1c20 tail=1b1a1e bill=26242a",
        "moustache=141416 panel=3f8ad8 rump=f2f0ee bar=f0eeea streakcap=2c2426"),
    "blue jay": _wears("jay", "upper=4a7cc4 under=d8dade quill=3a6cc0 bill=1c1c20",
        "collar=16181e cheek=e8e8ea throat=e6e6e8 bar=f4f4f4 wingbarred=16233c tailbarred=16233c", 0.8),
    "magpie": _wears("magpie", "upper=15161c under=f2f2f0 breast=14151a quill=1c3a6a tail=1c4a58",
        "shoulder=f4f4f2 throat=14151a gloss=2a7a9a"),
    "crow": _wears("crow", "upper=1c1c22 under=1e1e24 quill=17171d bill=1a1a1e leg=1c1c1e",
        "gloss=3c4a78"),
    "jackdaw": _wears("crow", "upper=2a2b32 under=34353c quill=1c1d24 iris=dfe4ea bill=1e1e22",
        "nape=8d9098 face=1a1a20"),
    "great spotted woodpecker": _wears("woodpecker", "upper=17171b under=ece2cc quill=1c1b1f bill=3a3a40",
        "cheek=f4f0e6 shoulder=f4f2ec wingbarred=f2efe6 nape=c8241e vent=cc2a22 cap=17171b moustache=17171b "
        "forehead=ead9b4"),
    "green woodpecker": _wears("woodpecker", "upper=7c9a3a under=c4ca98 quill=5f6e3a iris=e8eaf0",
        "cap=c82824 mask=1b1c1c rump=e8dc3a wingbarred=d8d8b0"),
    "kingfisher": _wears("kingfisher", "upper=1f8fb4 under=e07c2c head=2278a4 quill=1c6a96 bill=22201f leg=d8482c",
        "cheek=e07c2c throat=f4eee0 nape=f0eae0 back=36c4e0 spots_cap=7ad4ec"),
    "bee-eater": _wears("bee-eater", "upper=b0602c under=3aa8b8 breast=38a4b4 quill=3a8a7c wing=b8763a tail=3a8c84",
        "throat=f2d02a mask=161618 forehead=e8eef0 iris=b02020"),
    "wood pigeon": _wears(
        "dove", "upper=8d96a4 under=b8a4ac breast=b88c98 quill=5a616c tail=4a4f58 bill=e8b45c leg=c0504e",
        "neckpatch=f2f2ee gloss=5aa888 iris=ece6a0"),
    "collared dove": _wears("dove", "upper=bfae9c under=d6c8be quill=8f857a bill=3a3436 leg=b04a4c",
        "collar=22201f"),
    "white dove": _wears("dove", "upper=f2f0ee under=f6f4f2 quill=e9e6e4 bill=d8a89a leg=d0605c",
        ""),
    "tawny owl": _wears("owl", "upper=8a623e under=d8c09a quill=6e4c30 bill=d0c080 iris=2a1a12",
        "disc=c4a27c discring=4a321f streakbreast=4e351f streaks=3c2817 wingbarred=e2cda6 tailbarred=4a3422"),
    "little owl": _wears("owl", "upper=7c6448 under=e8decb quill=6b553d bill=d8cc8a iris=f0d02c",
        "disc=c9b79a discring=5a4632 streakbreast=6b4e34 backspots=efe6d4 wingbarred=e9dfcb"),
    "barn owl": _wears("owl", "upper=d8a860 under=f6f0e4 quill=cfa066 bill=e8d8c0 iris=1a1412",
        "disc=faf6ee discring=b88a50 backspots=7a7470 wingbarred=9a7a50"),
    "snowy owl": _wears("owl", "upper=f2f0ec under=f8f6f2 quill=efece6 bill=2a2828 iris=f2c81c",
        "disc=faf8f4 discring=b0a898 backspots=5a5450 barred=8a847c wingbarred=6a645e"),
    "kestrel": _wears("hawk", "upper=b8683a under=ead2ac head=8a97a6 quill=3a3030 tail=8f9aa6 bill=4a525c leg=ecc02c",
        "backspots=2a201c streakbreast=4e3826 moustache=3a3c44 tailtip=1d1d20 ring=ecc02c"),
    "sparrowhawk": _wears("hawk", "upper=5f6c7c under=efe4d8 quill=4a5462 bill=3a4048 leg=e8c43a iris=f0a81c",
        "barred=b8643c cheek=c07a52 tailbarred=2c323a wingbarred=39424e"),
    "buzzard": _wears("hawk", "upper=5f4630 under=b89a74 breast=6f5238 quill=4a3524 bill=3c3c40 leg=e0b83a",
        "streakbreast=4a3420 streaks=3a2a1c wingbarred=d8c4a4 tailbarred=3a2a1e"),
    "macaw": _wears("parrot", "upper=d4281e under=d62c22 quill=1f52b4 wing=e8b81e tail=c42a28 bill=ece4d4 iris=f0e8b0",
        "cheek=f6f2ec panel=2a8a52 rump=3a8ad0"),
    "lovebird": _wears("parrot", "upper=4a9a3a under=86b83c head=e8682a quill=2c6a34 bill=d8362a",
        "ring=f4f2ee throat=ec7a2e collar=e8c43a"),
    "budgerigar": _wears("parrot", "upper=58a83a under=6cc244 head=f2e24a quill=4a5040 edge=e8e070 bill=c8b87a",
        "streaks=22241c throat=f0e048 cheekspot=3a5ac0"),
    "blue parrot": _wears("parrot", "upper=2a66c8 under=f0b81e quill=22509a bill=1c1a1c iris=ecdf9a",
        "cheek=f2f2ea forehead=3a9a5a"),
    "grey heron": _wears(
        "heron", "upper=8d99a6 under=e4e5e6 head=f0f0ee quill=3a4048 bill=e0a83a leg=8a7a5a iris=f0d040",
        "stripe=1b1d24 streakbreast=2a2c34", 0.6),
    "egret": _wears("heron", "upper=f4f4f2 under=f8f8f6 quill=ecebe8 bill=26241f leg=2a2824 iris=f0dc50",
        "", 0.4),
    "sandpiper": _wears("sandpiper", "upper=86745c under=f2efe8 quill=5c4f40 edge=c8b898 bill=3a3430 leg=8a8a4a",
        "brow=efe9da streakbreast=8a7860 streaks=4a3e30"),
    "redshank": _wears("sandpiper", "upper=7c6a54 under=e6ded0 quill=5a4c3e bill=d0482c leg=e0502c",
        "spots=5a4838 ring=efe8da streaks=463828"),
    "oystercatcher": _wears("sandpiper", "upper=18181b under=f2f2f0 breast=18181b quill=1c1b1e bill=ee5a1c leg=d8848a",
        "bar=f4f4f2 ring=e8401c throat=18181b iris=d82a1c"),
    "gull": _wears(
        "gull", "upper=a9b4c0 under=f6f6f6 head=f6f6f4 quill=98a4b0 tail=f4f4f4 bill=ecb42c leg=e0a0a0 iris=ece8b0",
        "tip=1b1c20 neckpatch=f6f6f4"),
    "black-headed gull": _wears(
        "gull", "upper=b8c0ca under=f6f6f6 head=4a3026 quill=e4e6ea tail=f4f4f4 bill=8a2420 leg=a8302a",
        "tip=1c1c20 ring=f2f0ee"),
    "swallow": _wears("swallow", "upper=22305e under=efdfc8 quill=1c2440 tail=1a2240 bill=1c1c1e",
        "throat=a43a24 forehead=a43a24 collar=1f2a54 gloss=3a62c0"),
    "mallard": _wears(
        "duck", "upper=8e8578 under=c8c4bc head=1c6a44 breast=5e3524 quill=6a5e50 tail=e6e4e0 bill=d8c23c",
        "collar=f4f4f2 panel=3450a8 rump=1b1b1e gloss=2aa86a"),
    "mallard hen": _wears("duck", "upper=7c6244 under=b89a70 quill=5e4a34 edge=c8aa7c bill=b8743a",
        "streaks=3a2c1c spots=5a442c stripe=4a3826 panel=3450a8"),
    "tufted duck": _wears(
        "duck", "upper=1a1a1e under=f0f0ee head=1c1a28 breast=1a1a1e quill=201f22 bill=8fa4b8 iris=f0cc2c",
        "flank=f2f2f0 gloss=5a3a8a", 0.5),
    "hummingbird": _wears("hummingbird", "upper=3f8a4c under=d8d6c8 quill=3a3440 bill=1c1a1a",
        "throat=c02a5c gloss=5ad08a"),
    "rufous hummingbird": _wears("hummingbird", "upper=b8703a under=f0e4d4 quill=463a36 bill=1c1a1a",
        "throat=e0521c flank=c47a40 gloss=f0a040"),
}  # fmt: skip
