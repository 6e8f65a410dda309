"""Which pictures are for training and which for validation: drawn once, the same on every machine, without leaks."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import Protocol

__all__ = ["SPLITS", "VALID_SHARE", "draw_splits", "groups_of", "split_named", "split_within"]

SPLITS = ("train", "valid", "test")
VALID_SHARE = 0.2

_WORDS = {
    "train": ("train", "training", "trn", "trainval", "trainvalid"),
    "valid": ("valid", "validation", "validate", "val", "dev", "development"),
    "test": ("test", "testing", "tst", "eval", "evaluation", "holdout", "heldout", "unseen"),
}
_SPLIT_OF = {word: split for split, words in _WORDS.items() for word in words}
_THING = "sets?|data|datasets?|images?|imgs?|photos?|pics?|pictures?|splits?|folder|dir"
_SAYS_NOTHING = re.compile(  # beside the word for a split
    f"{_THING}|part|batch|samples?|small|full|my|new|old|final|all|original|cropped|resized|public|private|stage|of|px?|x"
    "|(un)?label(l?ed|s)?|annotations?|metadata|jpe?g|png|csv"
)

_ROBOFLOW = re.compile(r"(.+)\.rf\.[0-9A-Za-z]{16,}")
_WORD = "copy|kopie|copie|copia"
_COPY = re.compile(rf"(.+?)(?: -)? (?:{_WORD})(?: \d+| \(\d+\))?|(?:{_WORD}) (?:of|von|de|di) (.+)", re.IGNORECASE)


class Splittable(Protocol):
    """What has to be known about a picture."""

    @property
    def file_name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def split(self) -> str: ...
    @property
    def source(self) -> str: ...
    @property
    def url(self) -> str: ...
    @property
    def sha256(self) -> str: ...


def split_named(text: str) -> str:
    """The split that a name means and nothing else ("val", "Test_Set", "train2017"); empty where that is not certain.

    Beside the word for a split only words that say nothing about what is shown may stand, and numbers: "test_images" is
    one, "test tube" is none. The words are those of Hugging Face's ``datasets`` and some more; "eval" is "test" there.
    """
    split, rest = split_within(text)
    return split if all(map(_SAYS_NOTHING.fullmatch, rest)) else ""


def split_within(text: str) -> tuple[str, tuple[str, ...]]:
    """The split whose word stands in a name ("flowers_train"), and the other words; an empty split where none does."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text.strip())  # trainLabels
    text = re.sub(r"\b(hold|held)[\W_]?out(?![a-z])", "holdout", text.lower().replace("_", " "))
    splits, rest = [], []
    for word in re.findall(r"[^\W\d_]+", text):
        plain = re.sub(f"(?<=[a-z])({_THING})$", "", word)  # trainset
        if found := _SPLIT_OF.get(word) or _SPLIT_OF.get(plain):
            splits.append(found)
        else:
            rest.append(word)
    named = set(splits)
    if named == {"train", "valid"}:  # what Pascal VOC calls trainval
        named = {"train"}
    return (named.pop() if len(named) == 1 else ""), tuple(rest)


def draw_splits(pictures: Sequence[Splittable], *, valid: float = VALID_SHARE) -> list[str]:
    """Give a split to each picture that has none; those that have one keep it.

    About the share `valid` of each label goes to "valid", chosen by hash and so independent of file order. Pictures
    from one source photo (the same `url`, or else the same path or address in `source`, up to a ``#``) stay together,
    and so do pictures with the same bytes, and those whose names say that they are copies: a crop of a training photo
    in the validation split would flatter the model. Where pictures have their splits but none is "valid", it is drawn
    from "train". Each label with two or more such groups ends up in both splits, unless splits that were there before
    make it impossible.
    """
    given = [picture.split for picture in pictures]
    if "valid" not in given:
        given = ["" if split == "train" else split for split in given]
    members = _groups(pictures)

    have: Counter[str] = Counter()  # pictures in valid, by label
    total: Counter[str] = Counter()  # pictures in train and valid, by label
    groups_of: Counter[str] = Counter()
    undecided: list[tuple[str, list[int], Counter[str]]] = []
    result = list(given)
    for key, indices in members.items():
        known = next((given[index] for index in indices if given[index]), "")
        labels = Counter(pictures[index].label for index in indices)
        for index in indices:
            result[index] = given[index] or known
        groups_of.update(labels.keys())
        if not known:
            undecided.append((key, indices, labels))
        for index in indices:
            total[pictures[index].label] += result[index] != "test"
            have[pictures[index].label] += result[index] == "valid"

    target = {label: max(1, round(valid * n)) if groups_of[label] > 1 else 0 for label, n in total.items()}
    training = {label: count - have[label] for label, count in total.items()}
    undecided.sort(key=lambda group: hashlib.sha256(group[0].encode("utf-8", "surrogateescape")).digest())

    def to_valid(group: tuple[str, list[int], Counter[str]]) -> None:
        for index in group[1]:
            result[index] = "valid"
        have.update(group[2])
        for label, count in group[2].items():
            training[label] -= count

    left = []
    for group in undecided:
        if all(have[label] + count <= target[label] and training[label] > count for label, count in group[2].items()):
            to_valid(group)
        else:
            left.append(group)
    for label in sorted(target):  # labels whose every group is larger than that share: the smallest one has to do
        if target[label] and not have[label]:
            fits = [
                group
                for group in left
                if label in group[2] and all(training[each] > count for each, count in group[2].items())
            ]
            if fits:
                to_valid(min(fits, key=lambda group: len(group[1])))
    return [split or "train" for split in result]


def groups_of(pictures: Sequence[Splittable]) -> list[str]:
    """A name for each picture; pictures with the same name show one scene and must never be on two sides of a split."""
    names = [""] * len(pictures)
    for name, indices in _groups(pictures).items():
        for index in indices:
            names[index] = name
    return names


def _groups(pictures: Sequence[Splittable]) -> dict[str, list[int]]:
    """Indices of the pictures that must stay together, by a key that does not depend on their order."""
    origins = [_origin(picture) for picture in pictures]
    count_of = Counter(picture.label for picture in pictures)
    shared = Counter((picture.label, origin) for picture, origin in zip(pictures, origins, strict=True))
    # What all pictures of a label have in common is a collection ("kaggle/cats"), not a photo; unless a "#" says that
    # they are parts of one scene, as the first frames of a camera are.
    scenes = {origin for picture, origin in zip(pictures, origins, strict=True) if "#" in picture.url}
    collections = {origin for (label, origin), count in shared.items() if count == count_of[label] > 1} - scenes

    originals = _originals(pictures)
    leader = list(range(len(pictures)))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    first: dict[str, int] = {}
    for index, (picture, origin) in enumerate(zip(pictures, origins, strict=True)):
        keys = [f"sha256:{picture.sha256}"] if picture.sha256 else []
        if original := originals.get(picture.file_name):
            keys.append(f"copy of:{original}")
        for key in [*keys, *([origin] if origin and origin not in collections else [])]:
            leader[find(index)] = find(first.setdefault(key, index))

    by_leader: defaultdict[int, list[int]] = defaultdict(list)
    for index in range(len(pictures)):
        by_leader[find(index)].append(index)
    return {min(_key(pictures[index]) for index in indices): indices for indices in by_leader.values()}


def _originals(pictures: Sequence[Splittable]) -> dict[str, str]:
    """A name for the photo that a file is a copy of, where its own name leaves no doubt, by file name.

    Roboflow calls what it makes of ``a.jpg`` ``a_jpg.rf.HASH.jpg``, each time with another hash, in any split folder.
    What a file manager calls "a copy.jpg" or "a - Copy (2).jpg" is one where there is an ``a.jpg`` in its folder too. A
    mere number, as in "a (1).jpg", says nothing: browsers call all that they save so, and cameras count.
    """
    there = {picture.file_name for picture in pictures}
    found = {}
    for picture in pictures:
        path = PurePosixPath(picture.file_name)
        if made := _ROBOFLOW.fullmatch(path.stem):
            found[picture.file_name] = f"{picture.label}/{made[1]}"
        elif made := _COPY.fullmatch(path.stem):
            original = str(path.with_name((made[1] or made[2]) + path.suffix))
            if original in there:
                found[picture.file_name] = found[original] = original
    return found


def _key(picture: Splittable) -> str:
    return picture.sha256 or _origin(picture)


def _origin(picture: Splittable) -> str:
    for text in (picture.url, picture.source if "/" in picture.source else ""):
        if origin := text.split("#", 1)[0].strip():
            return origin
    return ""
