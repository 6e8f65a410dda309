"""Data of a student's own for an assignment: drawn by the student's id, so that a neighbour's numbers do not fit it.

The pictures are some of those that ship with the course: they are drawn once, and their features are shared by all
variants. What differs is which of them a student gets, what they are called, and which labels are wrong.

The truth follows from the id too, by this very module, which students have. It is hidden well enough to make one's own
work less trouble than another's; what must be hidden belongs into hidden tests, drawn there by a seed of their own.
"""

import hashlib
import os
import shutil
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tl_course.data.archives import new_folder
from tl_course.data.imageset import ImageSet
from tl_course.data.splits import VALID_SHARE
from tl_course.data.table import METADATA, Picture, table_text
from tl_course.errors import GradingError
from tl_course.synthetic.datasets import dataset_folder

if TYPE_CHECKING:
    import numpy as np

__all__ = ["GRADED_STUDENT", "REHEARSAL", "Variant", "draw_variant", "generator", "plain_id", "student_id"]

GRADED_STUDENT = "TL_COURSE_STUDENT"  # in the environment: whose submission is graded, whatever its notebook says
REHEARSAL = "TL_COURSE_REHEARSAL"  # in the environment: the solution runs, and its cache is kept for all submissions
_made: set[Path] = set()  # folders of variants, by this process


@dataclass(frozen=True)
class Variant:
    """A student's own set of pictures, before it is written anywhere.

    Attributes
    ----------
    assignment, student : str
    pictures : list of Picture
        Their names tell nothing; their labels are those that the student sees.
    truth : dict of str to dict
        By file name: ``true_label`` (None for what is off-topic), and what else the course knows of a picture it drew,
        such as a door's ``angle`` in degrees.
    """

    assignment: str
    student: str
    pictures: list[Picture]
    truth: dict[str, dict[str, Any]]
    _files: list[Path]

    @property
    def wrong_labels(self) -> list[str]:
        """Names of the pictures whose label was made wrong, sorted; not those that are off-topic."""
        return sorted(
            one.file_name for one in self.pictures if self.truth[one.file_name]["true_label"] not in (one.label, None)
        )

    @property
    def off_topic(self) -> list[str]:
        """Names of the pictures that show something else, sorted."""
        return sorted(name for name, known in self.truth.items() if known["true_label"] is None)

    def images(self, into: str | Path | None = None) -> ImageSet:
        """The set as a folder, ``ASSIGNMENT_STUDENT`` if not named. One that is there is opened, with its edits."""
        folder = Path(into or f"{self.assignment}_{self.student}").absolute()
        if os.environ.get(GRADED_STUDENT) and folder not in _made:  # what was handed in may be anybody's
            shutil.rmtree(folder, ignore_errors=True)
        _made.add(folder)
        if not (folder / METADATA).exists():
            with new_folder(folder) as part:
                for picture, file in zip(self.pictures, self._files, strict=True):
                    shutil.copyfile(file, part / picture.file_name)
                (part / METADATA).write_text(table_text(self.pictures), encoding="utf-8", newline="")
        return ImageSet.open(folder)


def student_id(typed: str = "") -> str:
    """Whose work this is: who handed it in, where it is graded; otherwise what the student typed.

    Case, and blanks around it, do not matter.

    Raises
    ------
    GradingError
        Nothing was typed.
    """
    name = plain_id(os.environ.get(GRADED_STUDENT) or str(typed or ""))
    if not name:
        raise GradingError("Whose work is this? Write your id between the quotes of STUDENT, as your course has it.")
    return name


def plain_id(typed: str) -> str:
    """A student's id as ids are compared: without blanks around it, in small letters, one code for each letter."""
    return unicodedata.normalize("NFC", typed).strip().casefold()


def generator(assignment: str, student: str) -> "np.random.RandomState":
    """Random numbers that follow from an assignment and a student, on every machine alike."""
    import numpy as np

    digest = hashlib.sha256(f"{assignment}:{student_id(student)}".encode()).digest()
    # The newer Generator may draw otherwise with another version of NumPy; this one is promised to stay.
    return np.random.RandomState(int.from_bytes(digest[:4], "big"))


def draw_variant(
    assignment: str,
    student: str,
    *,
    pool: str,
    n: int,
    labels: Sequence[str] | None = None,
    valid: float = VALID_SHARE,
    wrong_labels: float = 0.0,
    off_topic: tuple[str, float] | None = None,
) -> Variant:
    """Draw a student's own set of `n` pictures from one that ships with the course.

    Each of the pool's labels, or of those in `labels`, gets about as many pictures; how many exactly is the student's
    own too. Wrong labels, and what is off-topic, are among the training pictures only: validation can be trusted.

    Parameters
    ----------
    assignment, student : str
        What the set follows from.
    pool : str
        Name of a set that ships.
    n : int
        Pictures, those that are off-topic not counted.
    valid : float
        Share of them to validate on.
    wrong_labels : float
        Share of each label's training pictures that get another one.
    off_topic : (str, float), optional
        Name of another set that ships, and how many of its pictures are mixed in, as a share of `n`.

    Raises
    ------
    GradingError
        There is no student, or the pool is too small.
    """
    who = student_id(student)
    random = generator(assignment, who)
    source = _pool(pool)
    names = list(labels or source.labels)
    drawn: list[_Drawn] = []
    for label, count in zip(names, _spread(n, len(names), random), strict=True):
        there = [one for one in source if one.label == label]
        if count > len(there):
            raise GradingError(f"{pool} has too few pictures of {label} for a variant of {n}.")
        picked = [there[index] for index in random.permutation(len(there))[:count]]
        held_back = round(valid * count)
        wrong = round(wrong_labels * (count - held_back))
        for place, one in enumerate(picked):
            given = label
            if held_back <= place < held_back + wrong:
                others = [name for name in names if name != label]
                given = others[random.randint(len(others))]
            drawn.append(_Drawn(source, one, given, "valid" if place < held_back else "train", label))
    if off_topic is not None:
        elsewhere = _pool(off_topic[0])
        drawn += [
            _Drawn(elsewhere, elsewhere[int(index)], names[random.randint(len(names))], "train", None)
            for index in random.permutation(len(elsewhere))[: round(off_topic[1] * n)]
        ]
    pictures, truth, files = [], {}, []
    for place, index in enumerate(random.permutation(len(drawn))):
        one = drawn[index]
        row = replace(one.picture, file_name=f"{place:03}.jpg", label=one.label, split=one.split, url="")
        pictures.append(row)
        truth[row.file_name] = one.of.truth[one.picture.file_name] | {"true_label": one.true_label}
        files.append(one.of.path(one.picture))
    return Variant(assignment, who, pictures, truth, files)


class _Drawn(NamedTuple):
    of: ImageSet
    picture: Picture
    label: str
    split: str
    true_label: str | None


@cache
def _pool(name: str) -> ImageSet:
    images = ImageSet.open(dataset_folder(name))  # not what is called so in the folder that a student works in
    if os.environ.get(REHEARSAL):
        from tl_course.features.backbones import Backbone
        from tl_course.features.extraction import extract

        extract([images.path(one) for one in images], Backbone.get(), hashes=[one.sha256 for one in images])
    return images


def _spread(n: int, labels: int, random: "np.random.RandomState") -> list[int]:
    """`n` in as many parts as there are labels, each within a tenth of an equal one."""
    about = n / labels
    parts = [round(about + random.uniform(-0.1, 0.1) * about) for _ in range(labels - 1)]
    return [*parts, n - sum(parts)]
