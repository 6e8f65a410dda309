"""Versions of packages that are installed and do not work together, though each allows the other."""

import re
from importlib.metadata import PackageNotFoundError, version

__all__ = ["conflict", "installed"]


def installed(name: str) -> str | None:
    """The version of a package, or None where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def conflict() -> str | None:
    """What does not work together here and how to mend it, in words; None where all is well.

    fastai 2.8.6 and 2.8.7 allow fastcore 2 and break with it, with a `KeyError` from inside (fastai issue 4154). Before
    2.8.11 it allows fasttransform 0.0.3, with which its resizing ends in a `RecursionError`.
    """
    fastai, fastcore, fasttransform = map(installed, ("fastai", "fastcore", "fasttransform"))
    if not fastai:
        return None
    mend = "Run: python -m pip install --upgrade fastai fastcore fasttransform, then restart the kernel."
    if fastcore and (_numbers(fastai) >= (2, 8, 8)) != (_numbers(fastcore) >= (2,)):
        return (
            f"fastai {fastai} does not work with fastcore {fastcore}: fastai before 2.8.8 needs fastcore before 2, "
            f"later ones need fastcore 2. {mend}"
        )
    if fasttransform and _numbers(fastai) < (2, 8, 11) and _numbers(fasttransform) >= (0, 0, 3):
        return (
            f"fastai {fastai} does not work with fasttransform {fasttransform}: fastai before 2.8.11 needs "
            f"fasttransform before 0.0.3. {mend}"
        )
    return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.match(r"[\d.]*", text)[0].strip(".").split(".") if part)  # type: ignore[index]
