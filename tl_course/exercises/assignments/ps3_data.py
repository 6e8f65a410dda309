"""A museum's doors for the assignment ps3_doors: each student's own, what is known of them, and who knows it."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

from tl_course.errors import GradingError
from tl_course.exercises.variants import draw_variant, generator

if TYPE_CHECKING:
    from tl_course.data.imageset import ImageSet
    from tl_course.exercises.variants import Variant

__all__ = ["Guard", "closeness", "edits_so_far", "my_doors", "my_ratings", "my_variant", "net_gain"]

OPENS_AT = 20  # degrees: the rule by which the pictures are labelled
UNSURE = 5  # degrees beside it, within which no eye is blamed


def my_variant(student: str) -> "Variant":
    """Doors of a student's own: an eighth of the labels to learn from is wrong, and some pictures show no door."""
    more: dict[str, Any] = {"valid": 0.25, "wrong_labels": 0.12, "off_topic": ("patterns", 0.05)}
    return draw_variant("ps3_doors", student, pool="doors", n=160, **more)


class Guard:
    """Goes back to doors and measures how far they stand open: to so many in one night, to each as often as asked."""

    def __init__(self, variant: "Variant", visits: int = 45) -> None:
        self._variant, self._been, self.visits = variant, set[str](), visits

    def measure(self, file_name: str) -> float | None:
        """The angle in degrees, 0.0 for a door that is shut; None where there is no door."""
        if file_name not in self._variant.truth:
            raise GradingError(f"The guard knows no picture {file_name!r}. Pictures are named as in .file_name.")
        if len(self._been | {file_name}) > self.visits:
            raise GradingError(f"It is morning: the guard has been to {self.visits} doors. Choose them with care, and "
                               "run the cell again, from its first line on.")  # fmt: skip
        self._been.add(file_name)
        known = self._variant.truth[file_name]
        return None if known["true_label"] is None else float(known["angle"])


def edits_so_far(images: "ImageSet") -> dict[str, str]:
    """What was done to the training pictures in a cleaner: "open", "closed" or "drop" by file name."""
    now = {one.file_name: one.label for one in images}
    before = {one.file_name: one.label for one in images.original if one.split == "train"}
    return {name: now.get(name, "drop") for name, label in before.items() if now.get(name) != label}


def my_doors(variant: "Variant", n: int = 30) -> dict[str, float]:
    """The measured angles of `n` of the doors, by file name; half of them are neither shut nor wide open."""
    angles = {name: known["angle"] for name, known in variant.truth.items() if known["true_label"] is not None}
    names = generator("ps3_doors:doors", variant.student).permutation(sorted(angles)).tolist()
    ajar = [name for name in names if 12 < angles[name] < 48][: n // 2]
    others = [name for name in names if name not in ajar][: n - len(ajar)]
    return {name: float(angles[name]) for name in sorted(ajar + others)}


def my_ratings(variant: "Variant", n: int = 40) -> dict[str, list[str]]:
    """What three people called the same `n` doors. One pair is clearly closer about "open" than the others."""
    random = generator("ps3_doors:ratings", variant.student)
    while True:
        angles = random.choice([0, 0, 0, 12, 18, 24, 30, 40, 60], n)
        limits = zip(("Ada", "Ben", "Cleo"), random.permutation([18, 22, 38]), strict=True)
        said = {who: ["open" if seen >= limit else "closed" for seen in angles + random.normal(0, 9, n)]
                for who, limit in limits}  # fmt: skip
        third, second, first = sorted(closeness(said).values())
        if third < second < first - 0.06:
            return said


def net_gain(variant: "Variant", edits: Any) -> float:
    """The share of the wrong labels that `edits` mends, less what was right before and is wrong or gone after them."""
    gain = 0
    edits = {str(name): str(to) for name, to in edits.items()} if isinstance(edits, Mapping) else {}
    for one in variant.pictures:
        known, to = variant.truth[one.file_name], edits.get(one.file_name, one.label)
        if one.split == "train" and known["true_label"] is not None and to != one.label:
            blamed = to == "drop" or abs(known["angle"] - OPENS_AT) > UNSURE
            gain += (to == known["true_label"]) - (one.label == known["true_label"] and blamed)
    return gain / len(variant.wrong_labels)


def closeness(said: Mapping[str, Sequence[str]]) -> dict[frozenset[str], float]:
    """How far each two people agree on "open": twice what both call so, by how often the one does plus the other."""
    doors = {who: {door for door, label in enumerate(said[who]) if label == "open"} for who in said}
    return {
        frozenset((a, b)): 2 * len(doors[a] & doors[b]) / (len(doors[a]) + len(doors[b]))
        for a, b in combinations(doors, 2)
    }
