"""Answers to the questions of ps3_doors, and what student "ada" gets for each."""

_RULE = """
def by_rule(angles, threshold):
    return {n: "drop" if a is None else ("closed", "open")[a >= threshold] for n, a in angles.items()}
"""
_AGREEMENT = """
def agreement_on(first, second, label):
    one = {i for i, said in enumerate(first) if said == label}
    two = {i for i, said in enumerate(second) if said == label}
    return len(one & two) / ((len(one) + len(two)) / 2) if one or two else math.nan
"""
_PAIRS = """
from itertools import combinations
shares = {two: agreement_on(*[ratings[who] for who in two], "open") for two in combinations(ratings, 2)}
"""
_NIGHT = """
guard, edits = Guard(variant), {}
for one in %s:
    angle = guard.measure(one.file_name)
    edits[one.file_name] = "drop" if angle is None else "open" if angle >= 20 else "closed"
"""
_BLANK = "...  # your code here"

# By the grade_id of the answer cell: what stands in it, and what student "ada" gets for it, test by test. What one cell
# is worth depends on none of the others. For another student the same answers to "edits" may earn more or less.
ANSWERS: dict[str, list[tuple[str, dict[str, float]]]] = {
    "found_at": [
        (
            "def found_at(ranked, wrong, k):\n    hits = set(ranked[:k]) & set(wrong)\n"
            "    return [len(hits) / min(k, len(ranked)), len(hits) / len(wrong)]",
            {"found_at_right": 3},
        ),
        (
            "import numpy as np\n\n\ndef found_at(ranked, wrong, k):\n    hit = np.isin(ranked[:k], list(wrong))\n"
            "    return hit.mean(), hit.sum() / len(wrong)",
            {"found_at_right": 3},
        ),
        (  # a k beyond the list
            "def found_at(ranked, wrong, k):\n    found = sum(n in wrong for n in ranked[:k])\n"
            "    return found / k, found / len(wrong)",
            {"found_at_right": 2.5},
        ),
        (  # recall of what is in the list only
            "def found_at(ranked, wrong, k):\n    found = sum(n in wrong for n in ranked[:k])\n"
            "    return found / len(ranked[:k]), found / sum(n in wrong for n in ranked)",
            {"found_at_right": 2},
        ),
        (
            "def found_at(ranked, wrong, k):\n    found = sum(n in wrong for n in ranked[:k])\n"
            "    return found / len(wrong), found / len(ranked[:k])",
            {"found_at_right": 1},
        ),
        (
            "def found_at(ranked, wrong, k):\n    return sum(n in wrong for n in ranked[:k]) / len(ranked[:k])",
            {"found_at_right": 1},
        ),
        (
            "def found_at(ranked, wrong, k):\n    found = sum(n in wrong for n in ranked[:k])\n"
            "    return found / len(ranked), found / k",
            {"found_at_right": 0},
        ),
        ("def found_at(ranked, wrong, k):\n    return len(wrong[:k]) / k", {"found_at_right": 0}),
        (f'def found_at(ranked, wrong, k):\n    """Precision and recall."""\n    {_BLANK}', {"found_at_right": 0}),
    ],
    "rule": [
        (
            _RULE + "moved = {name for name, angle in doors.items() if 20 <= angle < 40}",
            {"rule_right": 2, "moved_right": 2},
        ),
        (  # a loop, and the names typed one by one
            "def by_rule(angles, threshold):\n    for name in list(angles):\n        if angles[name] is None:\n"
            "            angles[name] = 'drop'\n        elif angles[name] < threshold:\n"
            "            angles[name] = 'closed'\n        else:\n            angles[name] = 'open'\n"
            "    return angles\n\n\nmoved = []\nfor name in doors:\n"
            "    if by_rule(dict(doors), 20)[name] == 'open' and by_rule(dict(doors), 40)[name] == 'closed':\n"
            "        moved.append(name)",
            {"rule_right": 2, "moved_right": 2},
        ),
        (  # beyond the threshold, not from it on
            _RULE.replace(">=", ">") + "moved = [n for n in doors if by_rule(doors, 20)[n] != by_rule(doors, 40)[n]]",
            {"rule_right": 1.5, "moved_right": 2},
        ),
        (  # the threshold is always 20, so nothing moves
            _RULE.replace(">= threshold", ">= 20")
            + "moved = [n for n in doors if by_rule(doors, 20)[n] != by_rule(doors, 40)[n]]",
            {"rule_right": 1, "moved_right": 0},
        ),
        (  # a door that is shut is taken for none; one of the moved forgotten
            _RULE.replace("a is None", "not a") + "moved = [n for n, a in doors.items() if 20 <= a < 40][1:]",
            {"rule_right": 1.5, "moved_right": 1.5},
        ),
        (  # all doors that are open by the looser rule
            _RULE + "moved = [n for n, a in doors.items() if a >= 20]",
            {"rule_right": 2, "moved_right": 0},
        ),
        (
            _RULE + "moved = sum(20 <= a < 40 for a in doors.values())",
            {"rule_right": 2, "moved_right": 0},
        ),
        (
            "def by_rule(angles, threshold):\n    return ['open' if a >= threshold else 'closed' for a in angles]\n\n\n"
            "moved = by_rule(doors, 20) != by_rule(doors, 40)",
            {"rule_right": 0, "moved_right": 0},
        ),
        (
            f"def by_rule(angles, threshold):\n    {_BLANK}\n\n\nmoved = ...\n{_BLANK}",
            {"rule_right": 0, "moved_right": 0},
        ),
    ],
    "edits": [
        (_NIGHT % "ranked[:45]", {"edits_right": 4}),
        (  # ranked anew after each page of fifteen, as in the cleaner
            "with TemporaryDirectory() as folder:\n    mine = variant.images(f'{folder}/mine')\n"
            "    again = Suspects(mine)\n"
            "    guard, edits = Guard(variant), {}\n    while len(edits) < guard.visits:\n"
            "        todo = [one for one in again.rank() if one.split == 'train' and one.file_name not in edits][:15]\n"
            "        for one in todo:\n            angle = guard.measure(one.file_name)\n"
            "            edits[one.file_name] = 'drop' if angle is None else 'open' if angle >= 20 else 'closed'\n"
            "            if edits[one.file_name] == 'drop':\n                mine.drop(one.file_name)\n"
            "            else:\n                mine.relabel(one.file_name, edits[one.file_name])",
            {"edits_right": 4},
        ),
        (_NIGHT % "ranked[:15]", {"edits_right": 2.5}),  # gave up early
        (_NIGHT % "[one for one in ranked if one.kind == 'off-topic']", {"edits_right": 1}),  # dropped, nothing mended
        (  # goes on until the guard goes home, and never drops
            "guard, edits = Guard(variant), {}\nfor one in ranked:\n"
            "    edits[one.file_name] = 'open' if (guard.measure(one.file_name) or 0) >= 20 else 'closed'",
            {"edits_right": 3},
        ),
        (  # unseen: the machine has the last word
            "edits = {one.file_name: one.predicted for one in ranked if one.kind == 'label'}\n"
            "edits |= {one.file_name: 'drop' for one in ranked[:8]}",
            {"edits_right": 1},
        ),
        ("edits = {one.file_name: 'drop' for one in ranked[:45]}", {"edits_right": 0}),  # thrown out unseen
        ("edits = {one.file_name: 'bird' for one in ranked[:8]}", {"edits_right": 0}),
        ("edits = [one.file_name for one in ranked[:45]]", {"edits_right": 0}),
        (f"guard = Guard(variant)\nedits = ...\n{_BLANK}", {"edits_right": 0}),
    ],
    "agreement": [
        (
            _AGREEMENT + _PAIRS + "best = max(shares, key=shares.get)\nclosest = [*best, round(shares[best], 2)]",
            {"agreement_right": 2, "closest_right": 1},
        ),
        (  # nobody says it
            _AGREEMENT.replace(" if one or two else math.nan", "")
            + _PAIRS
            + "best = max(shares, key=shares.get)\nclosest = (best[1], best[0], shares[best])",
            {"agreement_right": 1.5, "closest_right": 1},
        ),
        (  # of what either says; the pair that agrees least
            "def agreement_on(first, second, label):\n    both = sum(a == b == label for a, b in zip(first, second))\n"
            "    return both / sum(label in two for two in zip(first, second))\n"
            + _PAIRS
            + "closest = (*min(shares, key=shares.get), 2 * min(shares.values()) / (1 + min(shares.values())))",
            {"agreement_right": 0.5, "closest_right": 0.5},
        ),
        (  # whatever the label
            "def agreement_on(first, second, label):\n    same = [a == b for a, b in zip(first, second)]\n"
            "    return sum(same) / len(same)\n"
            + _PAIRS
            + "closest = (*max(shares, key=shares.get), max(shares.values()))",
            {"agreement_right": 0.25, "closest_right": 0},
        ),
        (  # always about open
            _AGREEMENT.replace("== label", "== 'open'") + "closest = ('Ada', 'Ben')",
            {"agreement_right": 1.5, "closest_right": 0},
        ),
        (  # kappa, as in lesson 03
            "def agreement_on(first, second, label):\n    n = len(first)\n"
            "    agreed = sum(a == b for a, b in zip(first, second)) / n\n"
            "    chance = sum(first.count(x) * second.count(x) for x in {*first}) / n**2\n"
            "    return (agreed - chance) / (1 - chance)\n" + _PAIRS + "closest = max(shares, key=shares.get)",
            {"agreement_right": 0, "closest_right": 0},
        ),
        (
            f"def agreement_on(first, second, label):\n    {_BLANK}\n\n\nclosest = ...\n{_BLANK}",
            {"agreement_right": 0, "closest_right": 0},
        ),
    ],
    "model_card": [
        (
            "def model_card(metrics, rule):\n    acc, n = metrics['accuracy'], metrics['n']\n"
            "    base = metrics['guessing']\n"
            "    lines = ['# Doors', '', '## The rule', '', rule, '', '## How good it is', '',\n"
            "             f'- accuracy: {acc}', f'- pictures: {n}', f'- always the same answer: {base}', '',\n"
            "             '## Where it fails', '', 'Glass doors, and doors seen from the side.']\n"
            "    return '\\n'.join(lines)",
            {"model_card_right": 2},
        ),
        (
            "def model_card(metrics, rule):\n    a, b = [round(100 * metrics[x]) for x in ('accuracy', 'guessing')]\n"
            "    return (f'## Where it fails\\nIt has never seen a photo of a door.\\n\\n## The rule\\n{rule}\\n\\n'\n"
            "            f'## How good it is\\n{a} % of {metrics[\"n\"]} pictures, by guessing {b} %.')",
            {"model_card_right": 2},
        ),
        (  # without what guessing would get
            "def model_card(metrics, rule):\n    return (f'## The rule\\n{rule}\\n## How good it is\\n'\n"
            '            f\'{metrics["accuracy"]:.0%} of {metrics["n"]} pictures\\n\'\n'
            "            '## Where it fails\\nDoors that are only a little open.')",
            {"model_card_right": 0.5},
        ),
        (  # typed by hand
            "def model_card(metrics, rule):\n    return f'## The rule\\n{rule}\\n## How good it is\\n'"
            " + '85 % of 40 pictures, guessing 52 %\\n## Where it fails\\nDoors that are only a little open.'",
            {"model_card_right": 0.5},
        ),
        (  # to be continued
            "def model_card(metrics, rule):\n    return f'''## The rule\n{rule}\n## How good it is\n{metrics}\n"
            "## Where it fails\n...'''",
            {"model_card_right": 1.5},
        ),
        ("def model_card(metrics, rule):\n    return f'{rule} {metrics}'", {"model_card_right": 0}),
        ("def model_card(metrics, rule):\n    print(rule, metrics)", {"model_card_right": 0}),
        (f"def model_card(metrics, rule):\n    {_BLANK}", {"model_card_right": 0}),
    ],
}
