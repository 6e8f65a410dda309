"""A network in two: the frozen part, which each view of a picture need pass but once, and the part that learns."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import fx, nn

from tl_course.core.devices import half_precision
from tl_course.core.progress import Bar

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    from fastai.data.core import DataLoaders

if TYPE_CHECKING:
    from fastai.learner import Learner

__all__ = ["halves", "kept"]


@contextmanager
def kept(learn: "Learner", views: int) -> Iterator[None]:
    """While a ``with`` block lasts, the Learner trains only what learns, on what the frozen part makes of each picture.

    That is computed once for each of `views` differently augmented copies of a picture; passes over the pictures take
    them in turn. With as many views as epochs nothing is lost but, on a device made for half precision, some digits.

    Parameters
    ----------
    learn : Learner
        Of a body and a head, made by `tl_course.training.learners.learner`.
    views : int
    """
    body, head = learn.model
    if not any(not parameter.requires_grad for parameter in body.parameters()):
        yield
        return
    frozen, learns = halves(body)
    if next(frozen.parameters(), None) is None:  # only batch norm is frozen, all over the network
        yield
        return
    net, dls = learn.model, learn.dls
    pictures = dls.train.new(shuffle=False, drop_last=False, bs=max(dls.bs, dls.valid.bs))  # quicker
    with Bar("through the frozen part", views * pictures.n + dls.valid.n) as bar:
        with learn.recording.counting():
            passes = [_pass(frozen, pictures, bar) for _ in range(views)]
            train = _Kept([inputs for inputs, _ in passes], passes[0][1])
        inputs, targets = _pass(frozen, dls.valid, bar)
    learn.dls = DataLoaders.from_dsets(train, _Kept([inputs], targets), bs=dls.bs, num_workers=0, device=dls.device)
    learn.model = type(net)(learns, head)
    try:
        yield
    finally:
        learn.model, learn.dls = net, dls


class _Kept:
    """A data set of tensors with targets, of each of which there are several views; taken in turn."""

    def __init__(self, views: list[torch.Tensor], targets: torch.Tensor) -> None:
        self.views, self.targets = views, targets
        self._taken = [0] * len(targets)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, i: int) -> tuple[torch.Tensor, torch.Tensor]:
        view = self.views[self._taken[i] % len(self.views)]
        self._taken[i] += 1
        return view[i].float(), self.targets[i]


@torch.no_grad()
def _pass(net: nn.Module, pictures: Any, bar: Bar) -> tuple[torch.Tensor, torch.Tensor]:
    """What `net` makes of all the pictures, in half precision where the device is made for it; and their targets."""
    net.to(memory_format=torch.channels_last).eval()
    plain = (tuple(tensor.as_subclass(torch.Tensor) for tensor in batch) for batch in pictures)
    made, targets = [], []
    with half_precision(pictures.device.type):
        for inputs, labels in plain:
            made.append(net(inputs))
            targets.append(labels)
            bar.update(len(labels))
    return torch.cat(made), torch.cat(targets)


class _Tracer(fx.Tracer):
    """Follows a timm model, but not into what timm says cannot be followed."""

    def __init__(self) -> None:
        from timm.models import get_notrace_functions, get_notrace_modules

        super().__init__(autowrap_functions=tuple(get_notrace_functions()))  # type: ignore[no-untyped-call]
        self._leaves = tuple(get_notrace_modules())  # type: ignore[no-untyped-call]

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, self._leaves) or super().is_leaf_module(m, module_qualified_name)


def halves(net: nn.Module) -> tuple[nn.Module, nn.Module]:
    """`net` as two networks, one after the other: none of the parameters of the first learns.

    The cut is as late as possible, where a single tensor passes from layer to layer. Both share their parameters with
    `net`, and behave as `net` does in evaluation: batch norm as it is, no dropout.

    Parameters
    ----------
    net : torch module
        Parameters that learn have ``requires_grad``.

    Returns
    -------
    frozen, learning : torch modules
        ``learning(frozen(x))`` is ``net(x)``.
    """
    modes = {module: module.training for module in net.modules()}
    net = nn.Sequential(net)  # of one input, whatever options `forward` has
    graph = _Tracer().trace(net.eval())
    for module, training in modes.items():
        module.training = training
    nodes = [node for node in graph.nodes if node.op not in ("get_attr", "output")]
    (output,) = (node for node in graph.nodes if node.op == "output")
    learns = [i for i, node in enumerate(nodes) if _learns(net, node)]
    place, passed = _cut(nodes, min(learns, default=len(nodes)))
    first, second = fx.Graph(), fx.Graph()
    copies: dict[fx.Node, fx.Node] = {}
    for node in nodes[:place]:
        _copy(node, first, copies)
    first.output(copies[passed])
    copies = {passed: second.placeholder("kept")}
    for node in nodes[place:]:
        _copy(node, second, copies)
    second.output(copies[output.args[0]])
    return fx.GraphModule(net, first), fx.GraphModule(net, second)


def _learns(net: nn.Module, node: fx.Node) -> bool:
    used = [argument for argument in node.all_input_nodes if argument.op == "get_attr"]
    parameters = [net.get_parameter(str(argument.target)) for argument in used if _is_parameter(net, argument)]
    if node.op == "call_module":
        parameters += net.get_submodule(str(node.target)).parameters()
    return any(parameter.requires_grad for parameter in parameters)


def _is_parameter(net: nn.Module, node: fx.Node) -> bool:
    value: object = net
    for name in str(node.target).split("."):
        value = getattr(value, name)
    return isinstance(value, nn.Parameter)


def _cut(nodes: list[fx.Node], latest: int) -> tuple[int, fx.Node]:
    """The last place up to `latest` that one value alone passes, and that value."""
    for place in range(latest, 1, -1):
        before = set(nodes[:place])
        passing = {node for node in before if any(user not in before for user in node.users)}
        if len(passing) == 1:
            return place, passing.pop()
    return 1, nodes[0]  # the picture itself


def _copy(node: fx.Node, graph: fx.Graph, copies: dict[fx.Node, fx.Node]) -> None:
    for argument in node.all_input_nodes:
        if argument.op == "get_attr" and argument not in copies:
            copies[argument] = graph.node_copy(argument)
    copies[node] = graph.node_copy(node, copies.__getitem__)
