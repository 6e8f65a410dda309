"""Reading what an answer returned, as a number or a list of things; a sentence says what it is where it is neither."""

import inspect
import math
from collections.abc import Generator, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from tl_course.exercises import NotYet, attempted, brief, running

__all__ = ["as_list", "as_number", "as_numbers", "is_close", "is_rounded"]

_MOST = 10_000  # things that are read of an answer, which may go on for ever


def as_number(value: Any, *, what: str = "Your function returned") -> float:
    """A finite number: Python's, NumPy's or torch's, but no text, no truth value, nothing in brackets.

    Raises
    ------
    NotYet
        It is something else; `what` begins the sentence.
    """
    attempted(value)
    said = f"{what} {brief(value)}"
    shape = getattr(value, "shape", None)
    if isinstance(shape, tuple) and not shape and hasattr(value, "item"):
        value = value.item()
    if isinstance(value, str | bytes):
        raise NotYet(f"{said}, which is text. Return the number itself: no quotes, no str(), no f-string.")
    if isinstance(value, bool):
        raise NotYet(f"{said}, which is a truth value. A number is wanted.")
    if inspect.isroutine(value) or inspect.isclass(value):
        raise NotYet(f"{said}, which has yet to be called: with ( ) after its name. A number is wanted.")
    if isinstance(value, Generator):
        raise NotYet(f"{said}. A single number is wanted: return in the place of yield, or sum(…) around it.")
    if shape or isinstance(value, Iterable):
        raise NotYet(f"{said}. A single number is wanted: none in brackets, and not several.")
    try:
        number = float(value)
    except OverflowError:
        raise NotYet(f"{said}. That is too large a number to go on with.") from None
    except (TypeError, ValueError):
        raise NotYet(f"{said}. A number is wanted.") from None
    if not math.isfinite(number):
        raise NotYet(f"{what} {number}, which is no number that one can go on with. Was something divided by 0?")
    return number


def as_numbers(value: Any, *, wanted: str, n: int | None = None) -> list[float]:
    """Finite numbers in an order: a list, a tuple, an array, a generator.

    Raises
    ------
    NotYet
        It has no order, is not `n` long, or holds something else; `wanted` says what it should be.
    """
    listed = as_list(value, wanted=wanted)
    if n is not None and len(listed) != n:
        raise NotYet(f"{wanted} Yours returned {brief(value)}.")
    if any(one is None for one in listed):
        raise NotYet(f"{wanted} Among yours is None, which is nothing: was something not found?")
    return [as_number(one, what=f"{wanted} Among yours is") for one in listed]


def as_list(value: Any, *, wanted: str) -> list[Any]:
    """What is in an answer that has an order: a list, a tuple, an array, a column of a table, a generator.

    Raises
    ------
    NotYet
        It is text, a number, a table, a dict or a set, or has no end; `wanted` says what it should be.
    """
    attempted(value)
    if isinstance(value, str | bytes | AbstractSet | Mapping) or not isinstance(value, Iterable):
        raise NotYet(f"{wanted} Yours returned {brief(value)}.")
    if getattr(value, "shape", None) == () or hasattr(value, "columns"):  # a table would give its columns' names
        raise NotYet(f"{wanted} Yours returned {brief(value)}.")
    with running():
        listed = list(islice(value, _MOST + 1))
    if len(listed) > _MOST:
        raise NotYet(f"{wanted} Yours returned {brief(value)}, which goes on and on.")
    return listed


def is_close(got: float, wanted: float, *, within: float = 5e-4) -> bool:
    """Whether two numbers differ by `within` at most: by default, as far as three decimals tell."""
    return abs(got - wanted) <= within


def is_rounded(got: Sequence[float], wanted: Sequence[float]) -> bool:
    """Whether the numbers are those that were wanted, all rounded to the same number of decimals, 1 to 8."""
    pairs = list(zip(got, wanted, strict=True)) if len(got) == len(wanted) and any(got) else []
    return any(pairs and all(abs(one - round(right, digits)) < 1e-12 for one, right in pairs) for digits in range(1, 9))
