"""Questions of the assignment ps3_doors, "A label is a decision"."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tl_course.exercises import NotYet, Question, attempted
from tl_course.exercises.assignments.ps3_data import closeness

if TYPE_CHECKING:
    from tl_course.exercises.variants import Variant

__all__ = ["q1", "q2", "q4", "q5", "question_closest", "question_edits", "question_moved"]


# ---- 1: what is a ranking worth? -------------------------------------------------------------------------------------


def _check_found_at(answer: Callable[..., Any]) -> str:
    names, wrong = [f"{letter}.jpg" for letter in "abcdefghij"], {"a.jpg", "c.jpg", "d.jpg", "i.jpg", "j.jpg"}
    as_wanted: list[tuple[bool, ...]] = []
    for k, precision, recall in ((4, 3 / 4, 3 / 5), (2, 1 / 2, 1 / 5), (10, 5 / 10, 5 / 5)):
        got = attempted(answer(list(names), set(wrong), k))
        one, two = (float(attempted(x)) for x in [*([got] if isinstance(got, int | float) else got), math.nan][:2])
        as_wanted.append((_close(one, precision), _close(two, recall), _close(one, recall) and _close(two, precision)))
        if _close(one, 100 * precision) and _close(two, 100 * recall):
            raise NotYet("As shares between 0 and 1, please: no percent.", share=0.5)
    first, second, swapped = (all(each) for each in zip(*as_wanted, strict=True))
    if first and second:
        return "Right. The longer you look, the more you have found, and the less each look brings."
    if swapped:
        raise NotYet("Both numbers are there, in the wrong order: precision comes first.", share=0.5)
    if first or second:
        lacking = "recall, the share of all the wrong ones that was found" if first else "precision, the share of looks"
        raise NotYet(f"One of the two is right. Now the other: {lacking}.", share=0.5)
    raise NotYet("With 3 wrong labels among the first 4, and 5 in all, precision is 0.75 and recall is 0.60.")


def _close(one: float, two: float) -> bool:
    return abs(one - two) < 0.006


q1 = Question(
    _check_found_at,
    hints=[
        "Those looked at are names[:k]. How many of them are in wrong?",
        "Precision divides that number by how many were looked at, recall by how many wrong ones there are in all.",
        "And if k is 50 and there are but 10 pictures? Then 10 were looked at: len(names[:k]).",
    ],
)


# ---- 2: a rule, and what it decides ----------------------------------------------------------------------------------


def _check_by_rule(answer: Callable[..., Any]) -> str:
    angles = {"a.jpg": 71.3, "b.jpg": 0.0, "c.jpg": None, "d.jpg": 24.5, "e.jpg": 9.1}
    wanted = dict(zip(angles, ("open", "closed", "drop", "open", "closed"), strict=True))
    got = attempted(answer(dict(angles), 20))
    if not isinstance(got, Mapping):
        raise NotYet(f"Return a dict of labels by file name; your function returned {type(got).__name__}.")
    if off := [name for name in wanted if str(got.get(name)) != wanted[name]]:
        said = f"{off[0]}, measured at {angles[off[0]]}, should be {wanted[off[0]]!r}; your function says "
        raise NotYet(f"{said}{got.get(off[0])!r}.", share=0.5 if len(off) == 1 else 0.0)
    return "Right. A rule that a function can follow, people can follow too."


q2 = Question(
    _check_by_rule,
    hints=[
        "Three cases: no angle at all, an angle below the threshold, an angle from the threshold on.",
        "A door that is shut has the angle 0.0, which Python takes for False. Ask `angle is None` for what is no door.",
        'Go through angles.items(), and write "drop", "open" or "closed" into a new dict under the name.',
    ],
)


def question_moved(doors: Mapping[str, float]) -> Question:
    """Which doors change their label? Right is a list without a wrong name; whether one is missing, it does not say."""

    def check(answer: Any) -> str:
        if isinstance(answer, int | float | str):
            raise NotYet("The file names, please, as a list: who reads your answer wants to look at those doors.")
        names = sorted({str(name) for name in answer})
        if not names or not doors.keys() >= {*names}:
            raise NotYet(f"Some of your {len(doors)} doors were wanted, by their file names.")
        if still := [name for name in names if not 20 <= doors[name] < 40]:
            same = f"{len(still)} of these {len(names)} are called the same by both rules, such as {still[0]}, at "
            raise NotYet(f"{same}{doors[still[0]]} degrees.", share=0.5 if len(still) <= len(names) / 4 else 0.0)
        return f"Each of these {len(names)} does change its label. Are they all that do?"

    ways = ["A door changes its label if it is open by the one rule and closed by the other."]
    return Question(check, hints=[*ways, "So it stands open by at least 20 degrees, and by less than 40."])


# ---- 3: clean it -----------------------------------------------------------------------------------------------------


def question_edits(variant: "Variant") -> Question:
    """Edits of a student's own set. Right are those that can be made, and drop nothing but all that is no door."""
    splits, junk = {one.file_name: one.split for one in variant.pictures}, {*variant.off_topic}

    def check(answer: Any) -> str:
        if not isinstance(answer, Mapping) or not answer:
            raise NotYet('Edits are a dict with a word for each file name: {"017.jpg": "open", "052.jpg": "drop"}.')
        edits = {str(name): str(to) for name, to in answer.items()}
        if strange := [*(edits.keys() - splits), *(set(edits.values()) - {"open", "closed", "drop"})]:
            raise NotYet(f"{min(strange)!r} is none of your pictures, or is neither 'open' nor 'closed' nor 'drop'.")
        dropped = {name for name, to in edits.items() if to == "drop"}
        share = 0.5 if len(dropped & junk) >= len(junk) / 2 and len(dropped - junk) <= 3 else 0.0
        if judges := sorted(name for name in edits if splits[name] != "train"):
            raise NotYet(f"{judges[0]} is there to validate on. Let it be: edit training pictures.", share=share)
        if doors := len(dropped - junk):
            raise NotYet(f"{doors} of those that you drop show a door. If its label is wrong, mend it.", share=share)
        if missing := len(junk - dropped):
            raise NotYet(f"{missing} training pictures that show no door are still in.", share=share)
        return "All that shows no door is out, and your edits can be made. Whether the right labels were mended?"

    return Question(
        check,
        hints=[
            "Where should the guard go? To the pictures in `ranked`, from the first one on.",
            "guard.measure(name) is None where there is no door: drop it. Otherwise the rule says what to call it.",
            "for one in ranked[: guard.visits]: measure one.file_name, and write the word into edits.",
        ],
    )


# ---- 4: do people keep to the rule? ----------------------------------------------------------------------------------


def _check_agreement_on(answer: Callable[..., Any]) -> str:
    first, second = ["open"] * 6 + ["closed"] * 34, ["open"] * 3 + ["closed"] * 36 + ["open"]
    got = float(attempted(answer(list(first), list(second), "open")))
    told = f"One says “open” of 6 doors, the other of 4, both of 3: 0.60 was wanted, your function says {got:.2f}"
    if _close(got, 36 / 40):
        raise NotYet(f"{told}. That is the share of doors on which they agree, by whatever label.", share=0.25)
    if any(_close(got, share) for share in (3 / 6, 3 / 4, 3 / 7)):
        raise NotYet(f"{told}. You have what both say; now divide by what each says on average.", share=0.5)
    if not _close(got, 6 / 10):
        raise NotYet(f"{told}.")
    return "Right. These two call 36 of 40 doors the same, and yet they hardly share a notion of “open”."


q4 = Question(
    _check_agreement_on,
    hints=[
        "Count three things: how often the first says the label, how often the second does, how often both do.",
        "Twice the doors that both call so, divided by how often the one says it plus how often the other does.",
        'If nobody ever says it, that would divide by 0. Then return float("nan"): there is nothing to agree on.',
    ],
)


def question_closest(ratings: Mapping[str, Sequence[str]]) -> Question:
    """Two people and their number: right is the number of these two. Whether others are closer, it does not say."""
    shares = closeness(ratings)

    def check(answer: Any) -> str:
        one, two, number = (attempted(part) for part in answer)
        if (share := shares.get(frozenset((str(one), str(two))))) is None:
            raise NotYet(f"Two of {', '.join(ratings)} were wanted; you named {one!r} and {two!r}.")
        if not _close(float(number), share):
            raise NotYet(f"How far {one} and {two} agree on “open”, as a share between 0 and 1, is not {number!r}.")
        return f"So far do {one} and {two} agree on “open”. Do any two agree more?"

    ways = ["There are three pairs of people. Call agreement_on for each of them, and take the highest."]
    return Question(check, hints=[*ways, 'For one pair: agreement_on(ratings["Ada"], ratings["Ben"], "open").'])


# ---- 5: the card -----------------------------------------------------------------------------------------------------


def _check_model_card(answer: Callable[..., Any]) -> str:
    rule = "A window is open if a cat has been seen to come in."
    card = attempted(answer({"accuracy": 0.862, "n": 58, "guessing": 0.534}, rule))
    if not isinstance(card, str):
        raise NotYet(f"Return the card as text; your function returned {type(card).__name__}.")
    said = {title.strip(): " ".join(text.split()) for title, _, text in (s.partition("\n") for s in card.split("## "))}
    if missing := [title for title in ("The rule", "How good it is", "Where it fails") if title not in said]:
        raise NotYet(f"The card lacks: {', '.join(missing)}. Each is a line that begins with “## ”.")
    if rule not in said["The rule"]:
        raise NotYet("“The rule” should be the one that your function is given.", share=0.5)
    told = [float(x.replace(",", ".")) for x in re.findall(r"\d+(?:[.,]\d+)?", said["How good it is"])]
    there = {name: any(abs(x - share) < 0.75 or abs(100 * x - share) < 0.75 for x in told)
             for name, share in (("accuracy", 86.2), ("guessing", 53.4))} | {"n": 58 in told}  # fmt: skip
    if missing := [name for name, found in there.items() if not found]:
        wants = f"“How good it is” lacks of what your function was given: {', '.join(missing)}."
        raise NotYet(wants, share=0.5)
    if len(said["Where it fails"].replace("...", "").split()) < 5:
        raise NotYet("“Where it fails”: a reader who was not here needs a whole sentence.", share=0.5)
    return "A card whose numbers come from the measurement, and not from memory."


q5 = Question(
    _check_model_card,
    hints=[
        "An f-string puts numbers into text: f\"{metrics['accuracy']:.0%} of {metrics['n']} pictures\".",
        "Three lines that begin with ##: ## The rule, ## How good it is, ## Where it fails.",
        "The second section says three numbers: the accuracy, of how many pictures, and what guessing would reach.",
    ],
)
