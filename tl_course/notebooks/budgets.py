"""What a lesson may cost and has to reach: the budget in its metadata, and whether a run kept it.

``seconds`` and ``cpu_seconds`` are what a first run takes on the reference machine (`tl_course.notebooks.speed`), with
nothing else to do there. A slow or busy machine is nobody's mistake, so time by the clock is only ever said. CPU
seconds are held, where that is asked for, against the speed of the machine as it was during the run.
"""

from collections.abc import Mapping
from typing import Any

from tl_course.errors import LessonError

__all__ = ["budget_of", "problems_of", "slowness_of"]

KEYS = ("seconds", "cpu_seconds", "memory_mb", "accuracy")

MARGIN = 1.5
"""How many times its CPU seconds, by the machine's factor, a lesson may use: more than they were seen to vary between
quiet and overloaded machines (`benchmarks/machine_speed.py`), less than a lesson that does its work twice."""

SLOW = 1.3
"""From how many times its seconds on a lesson is called slow."""


def budget_of(notebook: Any, name: str) -> dict[str, float]:
    """The budget in a notebook's metadata: ``seconds``, ``cpu_seconds``, ``memory_mb`` at most, ``accuracy`` at least.

    Raises
    ------
    LessonError
        If it has another key, or what is no number.
    """
    budget = dict(notebook.metadata.get("tl_course", {}).get("budget", {}))
    for key, value in budget.items():
        if key not in KEYS or isinstance(value, bool) or not isinstance(value, int | float):
            raise LessonError(
                f"The budget of {name} says {key} = {value!r}. A budget has numbers for {', '.join(KEYS)} only."
            )
    return budget


def problems_of(
    budget: Mapping[str, float],
    measured: Mapping[str, Any],
    records: Mapping[str, Any],
    *,
    enforce: bool | None,
    trouble: str = "",
) -> list[str]:
    """In which ways the budget was not kept, of those that `enforce` asks for.

    Parameters
    ----------
    measured
        ``cpu_seconds``, ``factor`` and ``peak_mb``, as in `LessonRun`.
    records
        What the lesson recorded.
    enforce
        As `enforce_budgets` of `run_lessons`.
    trouble
        Why the machine's speed could not be measured, if it could not.
    """
    if enforce is False:
        return []
    problems = []
    if enforce and "cpu_seconds" in budget:
        if measured["factor"] is None:
            problems.append(f"could not be held to its CPU seconds: this machine's speed is not known ({trouble})")
        elif _wasteful(budget, measured):
            problems.append(f"used {_used(budget, measured)}; {MARGIN:g} times as many are allowed")
    peak_mb = measured["peak_mb"]
    if peak_mb > budget.get("memory_mb", float("inf")):
        problems.append(f"held {peak_mb:.0f} MB of memory; its budget is {budget['memory_mb']:g} MB")
    if "accuracy" in budget:
        accuracy = records.get("accuracy")
        if isinstance(accuracy, bool) or not isinstance(accuracy, int | float):
            problems.append(f"recorded no accuracy; its budget asks for at least {budget['accuracy']:g}")
        elif accuracy < budget["accuracy"]:
            problems.append(f"reached an accuracy of {accuracy:.3f}; its budget asks for {budget['accuracy']:g}")
    return problems


def slowness_of(budget: Mapping[str, float], measured: Mapping[str, Any], *, cores: int) -> str | None:
    """One line about a lesson that took longer than it should, and on what machine; None if it did not.

    Parameters
    ----------
    measured
        ``seconds``, ``cpu_seconds``, ``factor`` and ``busy_elsewhere``, as in `LessonRun`.
    cores
        How many there are.
    """
    reasons = []
    if measured["seconds"] > budget.get("seconds", float("inf")) * SLOW:
        reasons.append(f"{measured['seconds']:.0f} s, where a quiet machine of two cores takes {budget['seconds']:g} s")
    if _wasteful(budget, measured):
        reasons.append(_used(budget, measured))
    if not reasons:
        return None
    factor = measured["factor"]
    speed = "its speed unknown" if factor is None else f"each {factor:.2f} times as slow as the reference"
    busy = f"{cores} core{'s' * (cores != 1)}, {measured['busy_elsewhere']:.1f} of them busy with other work"
    return f"was slow: {'; '.join(reasons)}. This machine: {busy}, {speed}."


def _wasteful(budget: Mapping[str, float], measured: Mapping[str, Any]) -> bool:
    """Whether more CPU seconds were used than the budget and this machine's speed explain."""
    if measured["factor"] is None or "cpu_seconds" not in budget:
        return False
    return bool(measured["cpu_seconds"] > budget["cpu_seconds"] * measured["factor"] * MARGIN)


def _used(budget: Mapping[str, float], measured: Mapping[str, Any]) -> str:
    here = budget["cpu_seconds"] * measured["factor"]
    return (
        f"{measured['cpu_seconds']:.0f} CPU seconds, where {here:.0f} are expected "
        f"({budget['cpu_seconds']:g} by a factor of {measured['factor']:.2f} for this machine)"
    )
