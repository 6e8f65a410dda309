"""Questions 1 to 3 of assignment ps2, "What to freeze, and what it brings": which numbers learn, when, and how fast."""

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tl_course.exercises import NotYet, Question, attempted

if TYPE_CHECKING:
    from torch import nn
    from torch.optim import Optimizer

    from tl_course.exercises.variants import Variant

__all__ = ["freeze_question", "my_variant", "q1", "q2", "q3", "rates_question", "schedule_question"]


def my_variant(student: str) -> "Variant":
    """A student's own cats and dogs."""
    from tl_course.exercises.variants import draw_variant

    return draw_variant("ps2_cats_and_dogs", student, pool="cats_dogs", n=150, valid=0.4)


# ---- 1: freeze -------------------------------------------------------------------------------------------------------


def _small_network() -> "tuple[nn.Module, nn.Module]":
    from torch import nn

    body = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 16, 3, stride=2), nn.BatchNorm2d(16),
        nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
    )  # fmt: skip
    head = nn.Linear(16, 2)
    return nn.Sequential(body, head), head


def freeze_question(make: "Callable[[], tuple[nn.Module, nn.Module]]", size: int = 32) -> Question:
    """Does the head move in three steps of training, and nothing else? `make` returns a network and its head."""

    def check(answer: "Callable[[nn.Module, nn.Module], Any]") -> str:
        import torch

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            net, head = make()
            pictures, labels = torch.randn(8, 3, size, size), torch.arange(8) % 2
            net.train()
            settings = _settings(net)
            answer(net, head)
            blank = _settings(net) == settings
            before = {name: value.detach().clone() for name, value in net.state_dict().items()}
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for _ in range(3):
                loss = torch.nn.functional.cross_entropy(net(pictures), labels)
                if not loss.requires_grad:
                    attempted(... if blank else True)
                    raise NotYet("Now nothing learns, not even the head. A head that is frozen stays a guess.")
                optimizer.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
        moved = {name for name, value in net.state_dict().items() if not torch.equal(value, before[name])}
        parameters = dict(net.named_parameters())
        of_head = {name for name, one in parameters.items() if any(one is other for other in head.parameters())}
        body = {name for name in parameters if name not in of_head}
        if still := of_head - moved:
            raise NotYet(f"{len(still)} of the head's {len(of_head)} parameters did not move in three steps of "
                         "training. All of the head has to learn, however the network came.")  # fmt: skip
        if moving := body & moved:
            attempted(... if blank else True)
            raise NotYet(f"{len(moving)} of the body's {len(body)} parameters moved in three steps of training.")
        if any(name.endswith(("running_mean", "running_var")) for name in moved):
            raise NotYet(
                "The body's parameters stand still, and the head learns. But what the batch norms keep of the "
                "pictures (running_mean, running_var) still drifts: they must not be in training mode.", share=0.5,
            )  # fmt: skip
        return "The head learnt. Of the body not one bit changed, nor did what its batch norms keep."

    return Question(
        check,
        hints=[
            "Two things move in training: parameters, by the optimizer's steps, and the means and spreads that batch "
            "norms keep, with every batch that passes through in training mode.",
            "module.requires_grad_(False) freezes all parameters of a module, and (True) lets them learn. Which module "
            "first, which then?",
            "module.eval() switches a module, and all modules in it, out of training mode.",
        ],
    )


def _settings(net: "nn.Module") -> list[bool]:
    return [one.requires_grad for one in net.parameters()] + [module.training for module in net.modules()]


q1 = freeze_question(_small_network)


# ---- 2: rates --------------------------------------------------------------------------------------------------------


def rates_question(network: str, head_rate: float, factor: float) -> Question:
    """At what rates does an optimizer let the groups of a network of timm learn?"""

    def check(answer: "Callable[[nn.Module, nn.Module, float, float], Optimizer]") -> str:
        import timm
        from torch import nn

        from tl_course.training.layer_groups import layer_groups

        body = timm.create_model(network, pretrained=False, num_classes=0)
        head = nn.Linear(64, 2)
        optimizer = attempted(answer(body, head, head_rate, factor))
        if not hasattr(optimizer, "param_groups"):
            raise NotYet(f"Return an optimizer, such as torch.optim.SGD makes; yours is {type(optimizer).__name__}.")
        rate_of = {id(one): float(group["lr"]) for group in optimizer.param_groups for one in group["params"]}
        groups = [*layer_groups(body).values(), list(head.parameters())]
        missing = [sum(id(one) not in rate_of for one in group) for group in groups]
        if any(missing[:-1]):
            raise NotYet(f"{sum(missing[:-1])} parameters of the body are in no group of the optimizer.")
        got = [[rate_of[id(one)] for one in group if id(one) in rate_of] for group in groups]
        wanted = [head_rate / factor ** (len(groups) - 1 - i) for i in range(len(groups))]
        if _near(got[:-1], wanted[:-1]) and any(missing):
            raise NotYet("The body's rates are right, but the head is in no group of the optimizer.", share=0.5)
        if _near(got, wanted):
            return "Each group learns at its own rate, the head fastest, and none is left out."
        if _near(got, wanted[::-1]):
            raise NotYet("The steps are right, but the wrong way round: the first layers learn fastest.", share=0.5)
        flat = [rate for group in got for rate in group]
        if max(flat) - min(flat) < 1e-9 * max(flat):
            raise NotYet("All the groups learn at one rate.")
        if _near(got[-1:], wanted[-1:]) and max(flat) <= head_rate * (1 + 1e-6) and max(got[0]) < head_rate:
            raise NotYet("The head is right, and the first layers learn more slowly. But each group's rate should be "
                         "that of the group after it, divided by the factor.", share=0.5)  # fmt: skip
        raise NotYet("Other rates were asked for. The head, which is the last, learns at head_rate.")

    return Question(
        check,
        hints=[
            "layer_groups(body) is a dict from the first layers to the last; its values are lists of parameters. "
            "The head comes after them: it is one group more.",
            'torch.optim.SGD takes a list of dicts such as {"params": [...], "lr": 0.01}, one for each group.',
            "Go through [*layer_groups(body).values(), list(head.parameters())] from the end: the first rate is "
            "head_rate, and each step divides it by factor.",
        ],
    )


def _near(got: Sequence[Sequence[float]], wanted: Sequence[float]) -> bool:
    return len(got) == len(wanted) and all(
        bool(some) and all(abs(rate - right) <= 1e-6 * right for rate in some)
        for some, right in zip(got, wanted, strict=True)
    )


q2 = rates_question("resnet10t", 0.01, 2.0)


# ---- 3: gradual unfreezing -------------------------------------------------------------------------------------------


def schedule_question(groups: Sequence[str], epochs: int, head_epochs: int) -> Question:
    """Which groups learn in which epoch?"""

    def check(answer: Callable[[list[str], int, int], Iterable[Iterable[str]]]) -> str:
        plan = [attempted(one) for one in attempted(answer(list(groups), epochs, head_epochs))]
        if any(isinstance(one, str) for one in plan):
            raise NotYet("For each epoch a list was wanted, also where only one group learns: ['head'].")
        got = [{str(name) for name in one} for one in plan]
        if len(got) != epochs:
            raise NotYet(f"{epochs} epochs need {epochs} lists, one for each; your function gave {len(got)}.")
        counts = [min(len(groups), max(1, epoch - head_epochs + 2)) for epoch in range(epochs)]
        if got == [set(groups[-n:]) for n in counts]:
            return "The head first, alone, and then one group more with each epoch, as long as there are any."
        if head_epochs == 1 and got[1:] == [set(groups[-n:]) for n in range(1, epochs)]:
            raise NotYet(f"{len(got[0])} groups learn in the first epoch, and all is an epoch late from there. Is it "
                         "groups[-0:] that you take at first?", share=0.5)  # fmt: skip
        if got == [{groups[-n]} for n in counts]:
            raise NotYet("The order is right. But a group that has begun to learn goes on learning.", share=0.5)
        if got == [set(groups[:n]) for n in counts]:
            raise NotYet("You begin with the first layers. They have the least to learn: begin at the other end.")
        wrong = next(i for i, n in enumerate(counts) if got[i] != set(groups[-n:]))
        raise NotYet(f"Not so in epoch {wrong + 1}. How long does the head learn alone, and how many groups are there?")

    return Question(
        check,
        hints=[
            "How many groups learn in each epoch? Write the row of numbers down for an example.",
            "groups[-n:] are the last n of them: with n = 1 the head alone. Mind n = 0: groups[-0:] are all.",
            "In the first head_epochs epochs n is 1. In the next it is 2, then 3 …, and never more than len(groups).",
        ],
    )


q3 = schedule_question(["stem", "block 1", "block 2", "head"], 4, 1)
