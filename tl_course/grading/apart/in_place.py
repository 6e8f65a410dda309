"""What an answer changes in place: told by its process, and done to the test's own things by that of the test."""

import sys
import types
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from tl_course.grading.apart.channel import RefusedError, Returned

__all__ = ["ATOMS", "change", "copied", "reachable", "watch"]

ATOMS = (str, bytes, int, float, complex, type, types.ModuleType, types.BuiltinFunctionType)

_Compare = Callable[[], list[tuple[Any, str, Any]]]


_IsRecord = Callable[[Any], bool]


def watch(parts: Any, places: Mapping[int, Returned], number: int, is_record: _IsRecord) -> list[_Compare]:
    """Ways to tell, afterwards, what has changed in lists, dicts, sets, arrays, tables and networks among `parts`.

    Only of what came with the message of this number: `places` says what did. Attributes of things are told too, where
    both sides know their class (`is_record`).
    """
    found: list[_Compare] = []
    seen: set[int] = set()
    left = list(parts)
    while left:
        thing = left.pop()
        if id(thing) in seen or isinstance(thing, ATOMS):
            continue
        seen.add(id(thing))
        record = is_record(thing)
        left += [*_parts_of(thing), *(vars(thing).values() if record else ())]
        place = places.get(id(thing))
        if place and place[0] == number and (compare := _attributes(thing) if record else _comparing(thing)):
            found.append(compare)
    return found


def _parts_of(thing: Any) -> list[Any]:
    """What else may be changed through a thing: what lists and the like hold, the numbers of a network."""
    if isinstance(thing, dict):
        return list(thing.values())
    if isinstance(thing, list | tuple | deque):
        return list(thing)
    torch: Any = sys.modules.get("torch")
    if torch and isinstance(thing, torch.nn.Module):
        return [*thing.children(), *thing.parameters(recurse=False), *thing.buffers(recurse=False)]
    return []


def _comparing(thing: Any) -> _Compare | None:
    """A function that says what has changed in `thing` since now: nothing, or the place and all that is there."""
    numpy, torch, pandas = (sys.modules.get(name) for name in ("numpy", "torch", "pandas"))
    if isinstance(thing, list | deque):
        items = list(thing)
        return lambda: [] if _same(items, list(thing)) else [(thing, "list", list(thing))]
    if isinstance(thing, dict):
        keys, values = list(thing), list(thing.values())
        return lambda: (
            [] if _same(keys, list(thing)) and _same(values, list(thing.values())) else [(thing, "dict", dict(thing))]
        )
    if isinstance(thing, set | bytearray):
        copy = thing.copy()
        word = "set" if isinstance(thing, set) else "bytearray"
        return lambda: [] if copy == thing else [(thing, word, thing.copy())]
    if torch and isinstance(thing, torch.Tensor):
        learns, number, kept = thing.requires_grad, thing._version, thing.detach().clone()
        return lambda: (
            []
            if (thing.requires_grad, thing._version) == (learns, number) and torch.equal(kept, thing.detach())
            else [(thing, "tensor", thing.detach().clone().requires_grad_(thing.requires_grad))]
        )
    if torch and isinstance(thing, torch.nn.Module):
        training = thing.training
        return lambda: [] if thing.training is training else [(thing, "training", bool(thing.training))]
    if numpy and isinstance(thing, numpy.ndarray):
        data = list(thing.flat) if thing.dtype.hasobject else thing.tobytes()
        return lambda: (
            []
            if (_same(data, list(thing.flat)) if thing.dtype.hasobject else data == thing.tobytes())
            else [(thing, "array", thing.copy())]
        )
    if pandas and isinstance(thing, pandas.DataFrame | pandas.Series):
        table = thing.copy()
        return lambda: [] if _alike(table, thing) else [(thing, "table", thing.copy())]
    return None


def _attributes(thing: Any) -> _Compare:
    before = dict(vars(thing))

    def compare() -> list[tuple[Any, str, Any]]:
        now = dict(vars(thing))
        same = list(before) == list(now) and _same(list(before.values()), list(now.values()))
        return [] if same else [(thing, "attributes", now)]

    return compare


def _same(some: list[Any], others: list[Any]) -> bool:
    return len(some) == len(others) and all(one is other for one, other in zip(some, others, strict=True))


def _alike(table: Any, other: Any) -> bool:
    about = "columns" if table.ndim == 2 else "name"
    one, two = getattr(table, about), getattr(other, about)
    same = one.equals(two) if about == "columns" else one == two
    return bool(same and table.index.equals(other.index) and table.equals(other))


def reachable(parts: Any, is_record: _IsRecord) -> set[int]:
    """The ids of `parts` and of all that may be changed through them."""
    found: set[int] = set()
    left = list(parts)
    while left:
        thing = left.pop()
        if id(thing) not in found:
            found.add(id(thing))
            left += [*_parts_of(thing), *(vars(thing).values() if is_record(thing) else ())]
    return found


def copied(mine: Any, word: str) -> Any:
    """What `change` needs to undo what it will do to `mine`."""
    if word == "attributes":
        return dict(getattr(mine, "__dict__", {}))
    if isinstance(mine, deque):
        return list(mine)
    if word == "training":
        return getattr(mine, "training", None)
    if word == "tensor" and hasattr(mine, "detach"):
        return mine.detach().clone().requires_grad_(mine.requires_grad)
    return mine.copy() if hasattr(mine, "copy") else None


def change(mine: Any, word: str, now: Any) -> None:
    """Make of `mine` what is told of it; nothing, where that is of another kind.

    Raises
    ------
    RefusedError
        There is no such kind.
    """
    if word not in _CHANGE:
        raise RefusedError("What was sent is no change.")
    _CHANGE[word](mine, now)


def _change_list(mine: Any, now: Any) -> None:
    if isinstance(mine, list | deque) and type(now) is list:
        mine.clear()
        mine.extend(now)


def _change_dict(mine: Any, now: Any) -> None:
    if isinstance(mine, dict) and type(now) is dict:
        mine.clear()
        mine.update(now)


def _change_set(mine: Any, now: Any) -> None:
    if isinstance(mine, set) and type(now) is set:
        mine.clear()
        mine.update(now)


def _change_bytes(mine: Any, now: Any) -> None:
    if isinstance(mine, bytearray) and type(now) is bytearray:
        mine[:] = now


def _change_array(mine: Any, now: Any) -> None:
    if type(now).__name__ == "ndarray" and type(mine) is type(now) and mine.shape == now.shape:
        mine[...] = now.astype(mine.dtype)


def _change_tensor(mine: Any, now: Any) -> None:
    import torch

    if isinstance(mine, torch.Tensor) and isinstance(now, torch.Tensor) and mine.shape == now.shape:
        with torch.no_grad():
            mine.copy_(now)
        if mine.is_leaf:
            mine.requires_grad_(now.requires_grad)


def _change_training(mine: Any, now: Any) -> None:
    import torch

    if isinstance(mine, torch.nn.Module):
        mine.training = now is True


def _change_table(mine: Any, now: Any) -> None:
    import pandas as pd

    if type(mine) is type(now) and isinstance(mine, pd.DataFrame | pd.Series):
        type(mine).__init__(mine, now)


_CHANGE: dict[str, Callable[[Any, Any], None]] = {
    "list": _change_list, "dict": _change_dict, "set": _change_set, "bytearray": _change_bytes, "array": _change_array,
    "tensor": _change_tensor, "training": _change_training, "table": _change_table,
}  # fmt: skip
