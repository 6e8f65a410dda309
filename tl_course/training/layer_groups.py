"""The layers of a network in groups, from the first to the head: what is frozen, and at what rate the rest learns."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn

    from tl_course.models.history import History

__all__ = ["LayerGroup", "layer_groups", "learning"]


@dataclass(frozen=True)
class LayerGroup:
    """Layers that are frozen, or learn at one rate, together.

    Attributes
    ----------
    name : str
        What the network calls them, such as "blocks.5" or "conv_stem to bn1".
    parameters : int
        How many numbers they hold.
    rate : float
        The highest learning rate; 0 where they are frozen.
    """

    name: str
    parameters: int
    rate: float = 0.0


def layer_groups(body: "nn.Module") -> "dict[str, list[nn.Parameter]]":
    """The parameters of a timm model by group, from the first layers to the last, as timm itself divides them.

    A group is a stage of a convolutional network, or a block of a transformer, with what belongs to it.

    Raises
    ------
    AttributeError
        `body` is not a model of timm.
    """
    from timm.models import group_parameters

    parameters = dict(body.named_parameters())
    divided: Mapping[int, Sequence[str]] = group_parameters(body, body.group_matcher(coarse=True))  # type: ignore[operator]
    return {_name(divided[key]): [parameters[name] for name in divided[key]] for key in sorted(divided)}


def learning(history: "History") -> dict[str, list[LayerGroup]]:
    """Which groups learnt when, and at what rate: from a training run's record, for `tl_course.plots.network`.

    Returns
    -------
    dict of str to list of LayerGroup
        A stage such as "epoch 1" or "epochs 2 to 4", in which the same groups learnt, with the highest rates in it.
    """
    stages: list[tuple[float, float, dict[str, float]]] = []
    for epoch, rates in zip(history.column("epoch"), history.rates, strict=True):
        if not rates or epoch != int(epoch) or not epoch:
            continue
        if stages and [rate > 0 for rate in stages[-1][2].values()] == [rate > 0 for rate in rates.values()]:
            begun, _, before = stages[-1]
            stages[-1] = (begun, epoch, {name: max(before[name], rate) for name, rate in rates.items()})
        else:
            stages.append((epoch, epoch, dict(rates)))
    return {
        f"epoch {begun:.0f}" if begun == ended else f"epochs {begun:.0f} to {ended:.0f}": [
            LayerGroup(name, history.parameters[name], rate) for name, rate in rates.items()
        ]
        for begun, ended, rates in stages
    }


def _name(parameters: Sequence[str]) -> str:
    """What the modules of these parameters have in common, or else the first and the last of them."""
    first, *_, last = modules = [name.split(".")[:-1] or [name] for name in parameters] * 2
    common = 0
    while all(len(one) > common and one[common] == first[common] for one in modules):
        common += 1
    if common:
        return ".".join(first[:common])
    return f"{_stage(first)} to {_stage(last)}"


def _stage(module: Sequence[str]) -> str:
    return ".".join(module[:2]) if len(module) > 1 and module[1].isdigit() else module[0]
