"""Answers to the questions of ps2_cats_and_dogs, and what student "ada" gets for each."""

# Answers to each question by its cell, with what the tests after it should give. Each stands for itself.
ANSWERS: dict[str, list[tuple[str, dict[str, float]]]] = {
    "freeze": [
        (  # right: only what is batch norm leaves training mode
            "def freeze_body(model, head):\n"
            "    of_head = {id(one) for one in head.parameters()}\n"
            "    for one in model.parameters():\n"
            "        one.requires_grad = id(one) in of_head\n"
            "    for module in model.modules():\n"
            "        if isinstance(module, (torch.nn.BatchNorm1d, torch.nn.BatchNorm2d)):\n"
            "            module.eval()",
            {"q1_freeze": 3},
        ),
        (  # right, and returns the model
            "def freeze_body(model, head):\n"
            "    model = model.eval()\n"
            "    for name, one in model.named_parameters():\n"
            "        one.requires_grad_(False)\n"
            "    for one in head.parameters():\n"
            "        one.requires_grad_(True)\n"
            "    return model",
            {"q1_freeze": 3},
        ),
        (  # half right: batch norms drift
            "def freeze_body(model, head):\n    model.requires_grad_(False)\n    head.requires_grad_(True)",
            {"q1_freeze": 1.5},
        ),
        (  # a head that comes frozen stays so
            "def freeze_body(model, head):\n"
            "    model.eval()\n"
            "    inside = [id(one) for one in head.parameters()]\n"
            "    for one in model.parameters():\n"
            "        if id(one) not in inside:\n"
            "            one.requires_grad = False",
            {"q1_freeze": 2},
        ),
        (  # takes the last two parameters for the head, whatever the head is
            "def freeze_body(model, head):\n"
            "    model.eval()\n"
            "    model.requires_grad_(False)\n"
            "    for one in list(model.parameters())[-2:]:\n"
            "        one.requires_grad_(True)",
            {"q1_freeze": 2},
        ),
        ("def freeze_body(model, head):\n    model.eval()", {"q1_freeze": 0}),
        ("def freeze_body(model, head):\n    model.eval()\n    model.requires_grad_(False)", {"q1_freeze": 0}),
        ("def freeze_body(model, head):\n    model.freeze()\n    head.unfreeze()", {"q1_freeze": 0}),
        ("def freeze_body(model, head):\n    ...  # your code here", {"q1_freeze": 0}),
    ],
    "rates": [
        (
            "def make_optimizer(body, head, head_rate, factor):\n"
            "    groups = [*layer_groups(body).values(), list(head.parameters())]\n"
            "    n = len(groups)\n"
            "    return torch.optim.Adam(\n"
            '        [{"params": some, "lr": head_rate / factor ** (n - 1 - i)} for i, some in enumerate(groups)]\n'
            "    )",
            {"q2_rates": 3},
        ),
        (  # right: the head in another place, one after the other
            "def make_optimizer(body, head, head_rate, factor):\n"
            "    optimizer = torch.optim.AdamW(head.parameters(), lr=head_rate, weight_decay=0.1)\n"
            "    names = list(layer_groups(body))\n"
            "    for steps, name in enumerate(names[::-1], start=1):\n"
            "        group = {'params': layer_groups(body)[name], 'lr': head_rate * factor**-steps}\n"
            "        optimizer.add_param_group(group)\n"
            "    return optimizer",
            {"q2_rates": 3},
        ),
        (  # the wrong way round
            "def make_optimizer(body, head, head_rate, factor):\n"
            "    groups = [*layer_groups(body).values(), list(head.parameters())]\n"
            "    return torch.optim.SGD([{'params': g, 'lr': head_rate / factor**i} for i, g in enumerate(groups)])",
            {"q2_rates": 1.5},
        ),
        (  # without the head
            "def make_optimizer(body, head, head_rate, factor):\n"
            "    groups = list(layer_groups(body).values())[::-1]\n"
            "    return torch.optim.SGD(\n"
            "        [{'params': g, 'lr': head_rate / factor ** (i + 1)} for i, g in enumerate(groups)]\n"
            "    )",
            {"q2_rates": 1.5},
        ),
        (  # two rates only
            "def make_optimizer(body, head, head_rate, factor):\n"
            "    slow = {'params': body.parameters(), 'lr': head_rate / factor}\n"
            "    return torch.optim.SGD([slow, {'params': head.parameters(), 'lr': head_rate}])",
            {"q2_rates": 1.5},
        ),
        (  # one rate
            "def make_optimizer(body, head, head_rate, factor):\n"
            "    return torch.optim.SGD([*body.parameters(), *head.parameters()], lr=head_rate)",
            {"q2_rates": 0},
        ),
        (
            "def make_optimizer(body, head, head_rate, factor):\n"
            "    return torch.optim.SGD(head.parameters(), lr=head_rate)",
            {"q2_rates": 0},
        ),
        (
            "def make_optimizer(body, head, head_rate, factor):\n"
            "    return [head_rate / factor**i for i in range(len(layer_groups(body)) + 1)][::-1]",
            {"q2_rates": 0},
        ),
        ("def make_optimizer(body, head, head_rate, factor):\n    ...  # your code here", {"q2_rates": 0}),
    ],
    "schedule": [
        (
            "def plan(groups, epochs, head_epochs):\n"
            "    n = [1] * head_epochs + list(range(2, epochs + 2))\n"
            "    return [groups[max(0, len(groups) - n[epoch]) :] for epoch in range(epochs)]",
            {"q3_schedule": 3},
        ),
        (  # right, in another order and another container
            "def plan(groups, epochs, head_epochs):\n"
            "    waiting = list(groups)\n"
            "    learning = [waiting.pop()]\n"
            "    for epoch in range(epochs):\n"
            "        if epoch >= head_epochs and waiting:\n"
            "            learning.append(waiting.pop())\n"
            "        yield tuple(learning)",
            {"q3_schedule": 3},
        ),
        (  # the head alone for one epoch, whatever was asked
            "def plan(groups, epochs, head_epochs):\n    return [groups[-n:] for n in range(1, epochs + 1)]",
            {"q3_schedule": 2},
        ),
        (  # groups[-0:] is everything
            "def plan(groups, epochs, head_epochs):\n    return [groups[-n:] for n in range(epochs)]",
            {"q3_schedule": 1},
        ),
        (  # one at a time
            "def plan(groups, epochs, head_epochs):\n"
            "    n = [min(len(groups), max(1, 2 + e - head_epochs)) for e in range(epochs)]\n"
            "    return [[groups[-k]] for k in n]",
            {"q3_schedule": 1.5},
        ),
        (  # the same, and runs out of groups
            "def plan(groups, epochs, head_epochs):\n"
            "    return [[groups[-1 - max(0, 1 + e - head_epochs)]] for e in range(epochs)]",
            {"q3_schedule": 1},
        ),
        (  # from the wrong end
            "def plan(groups, epochs, head_epochs):\n    return [groups[:n] for n in range(1, epochs + 1)]",
            {"q3_schedule": 0},
        ),
        ("def plan(groups, epochs, head_epochs):\n    return [groups] * epochs", {"q3_schedule": 0}),
        ("def plan(groups, epochs, head_epochs):\n    ...  # your code here", {"q3_schedule": 0}),
    ],
    "three_benefits": [
        (  # right, by hand, rounded as it would be typed
            "import numpy as np\n\n\n"
            "def read(run):\n"
            "    a = run.column('valid_accuracy')\n"
            "    steps = run.column('step')\n"
            "    return a[0], (a[1] - a[0]) / (steps[1] - steps[0]), (a[-1] + a[-2]) / 2\n\n\n"
            "pairs = np.array([read(one) for one in transfer]) - np.array([read(one) for one in scratch])\n"
            "half = 2.78 * pairs.std(axis=0, ddof=1) / 5**0.5\n"
            "start, slope, level = pairs.mean(axis=0)\n"
            "gains = {'start': round(start, 2), 'slope': round(slope, 4), 'level': round(level, 2)}\n"
            "sure = [name for name, m, h in zip(gains, pairs.mean(axis=0), half) if m - h > 0]",
            {"q4_benefits": 3},
        ),
        (  # right, with the names that the course has for them
            "gains = {one.name: one.difference for one in benefits(transfer, scratch)}\n"
            "sure = {one.name for one in benefits(transfer, scratch) if one.positive}",
            {"q4_benefits": 3},
        ),
        (  # all that is above zero is sure
            "measured = benefits(transfer, scratch)\n"
            "gains = {'start': measured.start.difference, 'slope': measured.slope.difference}\n"
            "gains['level'] = measured.asymptote.difference\n"
            "sure = ['start', 'slope', 'level']",
            {"q4_benefits": 2},
        ),
        (  # those that are not sure
            "gains = {one.name: one.difference for one in benefits(transfer, scratch)}\n"
            "sure = [one.name for one in benefits(transfer, scratch) if not one.positive]",
            {"q4_benefits": 2.5},
        ),
        (  # the wrong way round
            "gains = {one.name: one.difference for one in benefits(scratch, transfer)}\n"
            "sure = [one.name for one in benefits(transfer, scratch) if one.positive]",
            {"q4_benefits": 2},
        ),
        (  # the slope of an epoch
            "m = benefits(transfer, scratch)\n"
            "steps = transfer[0].epochs[1]['step'] - 1\n"
            "gains = {'start': m.start.difference, 'slope': m.slope.difference * steps}\n"
            "gains['level'] = m.asymptote.difference\n"
            "sure = [one.name for one in m if one.positive]",
            {"q4_benefits": 2},
        ),
        (  # in percent
            "gains = {one.name: 100 * one.difference for one in benefits(transfer, scratch)}\nsure = 'start'",
            {"q4_benefits": 1},
        ),
        ("gains = {'start': 0.3, 'slope': 0.02, 'level': 0.5}\nsure = ['start', 'level']", {"q4_benefits": 0}),
        (  # those of dan
            "gains = {'start': 0.10, 'slope': 0.0011, 'level': 0.23}\nsure = ['start', 'level']",
            {"q4_benefits": 0},
        ),
        ("gains = [one.difference for one in benefits(transfer, scratch)]\nsure = []", {"q4_benefits": 0}),
        ("gains = ...\nsure = ...\n...  # your code here", {"q4_benefits": 0}),
    ],
    "few_pictures": [
        (
            "def draws(images, n, seeds):\n"
            "    found = []\n"
            "    for seed in seeds:\n"
            "        model = train(images.subset(n, seed=seed))\n"
            "        found.append(model.metrics['accuracy'])\n"
            "    return found\n\n\n"
            "curve = {}\n"
            "for n in [4, 8, 16, 32, 64]:\n"
            "    accuracies = draws(images, n, [0, 1, 2, 3, 4])\n"
            "    curve[n] = round(sum(accuracies) / 5, 3)",
            {"q5_draws": 2, "q5_curve": 2},
        ),
        (  # right, with other means
            "import numpy as np\n\n\n"
            "def draws(images, n, seeds):\n"
            "    models = (train(images.subset(n, seed=int(s))) for s in seeds)\n"
            "    return np.array([m.evaluate(images, split='valid').accuracy for m in models])\n\n\n"
            "curve = {str(n): draws(images, n, range(5)).mean() for n in (64, 32, 16, 8, 4)}",
            {"q5_draws": 2, "q5_curve": 2},
        ),
        (  # the seed of train(), which draws no pictures
            "def draws(images, n, seeds):\n"
            "    return [train(images.subset(n), seed=seed).metrics['accuracy'] for seed in seeds]\n\n\n"
            "curve = {n: 100 * sum(draws(images, n, range(5))) / 5 for n in (4, 8, 16)}",
            {"q5_draws": 1, "q5_curve": 0},
        ),
        (  # percent; and one draw of each, which is no mean
            "def draws(images, n, seeds):\n"
            "    return [100 * train(images.subset(n, seed=s)).metrics['accuracy'] for s in seeds]\n\n\n"
            "curve = {n: draws(images, n, [0])[0] / 100 for n in (4, 8, 16, 32, 64)}",
            {"q5_draws": 1, "q5_curve": 1},
        ),
        (  # the mean at once; and the best of five
            "def accuracies(n):\n"
            "    return [train(images.subset(n, seed=s)).metrics['accuracy'] for s in range(5)]\n\n\n"
            "def draws(images, n, seeds):\n"
            "    found = [train(images.subset(n, seed=s)).metrics['accuracy'] for s in seeds]\n"
            "    return sum(found) / len(found)\n\n\n"
            "curve = {n: max(accuracies(n)) for n in (4, 8, 16)}",
            {"q5_draws": 1, "q5_curve": 0},
        ),
        (  # always the same pictures, not those that are given; no more than three numbers
            "mine = images\n\n\n"
            "def draws(images, n, seeds):\n"
            "    return [train(mine.subset(n, seed=seed)).metrics['accuracy'] for seed in seeds]\n\n\n"
            "curve = {n: sum(draws(images, n, range(5))) / 5 for n in (4, 8, 16)}",
            {"q5_draws": 1, "q5_curve": 1},
        ),
        (  # all the pictures; and the numbers of bob
            "def draws(images, n, seeds):\n"
            "    return [train(images, seed=seed).metrics['accuracy'] for seed in seeds]\n\n\n"
            "curve = {4: 0.787, 8: 0.863, 16: 0.91, 32: 0.927, 64: 0.95}",
            {"q5_draws": 0, "q5_curve": 0},
        ),
        (
            "def draws(images, n, seeds):\n    ...  # your code here\n\n\ncurve = ...\n...  # your code here",
            {"q5_draws": 0, "q5_curve": 0},
        ),
    ],
}
