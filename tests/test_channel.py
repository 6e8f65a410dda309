"""What an answer can tell the process of its tests: plain values, and nothing else, however it is written."""

import collections
import contextlib
import datetime as dt
import pickle
import random
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from tl_course.grading.apart import channel
from tl_course.grading.apart.channel import Described, RefusedError, decode, encode

Pair = collections.namedtuple("Pair", "left right")
Word = collections.namedtuple("Word", "text count")


class Loud(str):
    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = str.__hash__


VALUES = [
    None, True, ..., 0, -1, 2**70, -(2**63), 1.5, float("inf"), "é\ud800", b"x", bytearray(b"y"), 1 + 2j,
    [1, [2, (3, {4})]], {"a": {1: frozenset({2})}}, range(2, 9, 3), slice(1, None), Fraction(1, 3), Decimal("1.20"),
    Path("a/b"), collections.Counter("aab"), collections.OrderedDict(b=1, a=2), collections.deque([1, 2]), Pair(1, 2),
    dt.datetime(2026, 1, 2, 3, tzinfo=dt.UTC), dt.date(2026, 1, 2), dt.time(3, 4), dt.timedelta(1, 2, 3),
    np.float32(2.5), np.int8(3), np.bool_(True), np.datetime64("2026-01-02"), np.dtype("<f4"), torch.float16,
    pd.Timestamp("2026-01-02", tz="Europe/Berlin"), pd.NaT, pd.Timedelta("1D"),
]  # fmt: skip
FRAME = pd.DataFrame(
    {
        "n": [1, 2],
        "text": ["x", None],
        "when": pd.to_datetime(["2026-01-02", None]),
        "there": pd.to_datetime(["2026-01-02", "2026-01-03"]).tz_localize("Europe/Berlin"),
        "kind": pd.Categorical(["u", "v"], ordered=True),
        "whole": pd.array([1, None], dtype="Int64"),
    },
    index=pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["one", "two"]),
)


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_plain_value_arrives_as_it_was(value: Any) -> None:
    got = decode(encode(value))
    assert got is value or (repr(got) == repr(value) and (got == value or value is pd.NaT))
    assert type(got).__name__ == type(value).__name__


def test_arrays_tables_tensors_and_images_arrive_as_they_were() -> None:
    array = np.arange(6, dtype=">i2").reshape(2, 3).T
    for value in (array, np.array(["a", None], object), np.zeros((0, 3)), np.array("x"), np.array(["", ""])):
        np.testing.assert_array_equal(decode(encode(value)), value, strict=True)
    pd.testing.assert_frame_equal(decode(encode(FRAME)), FRAME)
    counts = FRAME.groupby("n").size()
    pd.testing.assert_series_equal(decode(encode(counts)), counts)
    parameter = torch.nn.Parameter(torch.eye(2, dtype=torch.bfloat16))
    got = decode(encode(parameter))
    assert isinstance(got, torch.nn.Parameter) and torch.equal(got, parameter)
    image = Image.effect_noise((5, 4), 50).convert("P")
    assert decode(encode(image)).convert("RGB").tobytes() == image.convert("RGB").tobytes()


def test_what_is_a_kind_of_text_or_number_arrives_as_text_or_number() -> None:
    assert type(decode(encode([Loud("x")]))[0]) is str
    assert decode(encode({1: 2}.items())) == {1: 2}.items()
    assert decode(encode(collections.UserList([1]))) == [1] and decode(encode(Word("x", 3))).count == 3
    function = encode(Word("x", len), lambda _, final: Described(0, {}) if final else None)
    with pytest.raises(RefusedError, match="own method"):  # or a test that counts would ask the answer
        decode(function, lambda *_: len)


def test_what_holds_itself_or_is_too_deep_or_too_large_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "MOST_BYTES", 1 << 20)  # what doubles itself reaches the usual 64 MB in half a minute
    itself: list[Any] = []
    itself.append(itself)
    deep: list[Any] = []
    for _ in range(1000):
        deep = [deep]
    doubled: Any = "x"
    for _ in range(60):
        doubled = [doubled, doubled]
    for value in (itself, deep, doubled, bytes((1 << 20) + 1), object(), len, np.zeros(2, "i4,f8")):
        with pytest.raises(RefusedError):
            encode(value)


def test_bytes_of_any_kind_give_plain_values_or_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is written is changed in thousands of ways; nothing is unpickled, and nothing else is raised."""
    monkeypatch.setattr(pickle, "loads", lambda *_: pytest.fail("pickle"))
    monkeypatch.setattr(pickle, "Unpickler", lambda *_: pytest.fail("pickle"))
    chance = random.Random(0)
    written = [encode(value) for value in [*VALUES, FRAME, np.arange(3), torch.zeros(2), Image.new("RGB", (2, 2))]]
    hostile = [
        b"",
        b"l" + bytes([255] * 8),
        b"#" + encode(["_dtype", "O"])[1:],
        b"\x80\x05K\x01.",
        b"@" + encode([1, {}]),
    ]
    hostile += [b"#" + encode(["array", "O", [1], bytes(8)])[1:], b"#" + encode(["array", "<f8", [-1], bytes(8)])[1:]]
    hostile += [b"#" + encode(["number", "<U100000000", b""])[1:], b"n" + encode(["x", "__class__ = 1"]) + bytes(8)]
    for data in hostile:
        with pytest.raises(RefusedError):
            decode(data)
    for _ in range(5000):
        changed = bytearray(chance.choice(written))
        for _ in range(chance.randint(1, 4)):
            changed[chance.randrange(len(changed))] = chance.randrange(256)
        with contextlib.suppress(RefusedError):
            decode(bytes(changed))
