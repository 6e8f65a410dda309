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

    fastai 2.8.6 and 2.8.7 allow fastcore 2 and break with it, with a `KeyError` from inside: fastai issue 4154.
    """
    fastai, fastcore = installed("fastai"), installed("fastcore")
    if fastai and fastcore and (_numbers(fastai) >= (2, 8, 8)) != (_numbers(fastcore) >= (2,)):
        return (
            f"fastai {fastai} does not work with fastcore {fastcore}: fastai before 2.8.8 needs fastcore before 2, "
            "later ones need fastcore 2. Run: python -m pip install --upgrade fastai fastcore, then restart the kernel."
        )
    return None


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.match(r"[\d.]*", text)[0].strip(".").split(".") if part)  # type: ignore[index]
