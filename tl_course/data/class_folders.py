"""Labels by folders: which folders are labels, which are splits, and when that cannot be said for certain.

The rules are written down in `tl_course.data.layouts`, which decides when they are used.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from tl_course.core.names import label_named, nfc
from tl_course.data.listing import Folder, Skipped, masks_in
from tl_course.data.splits import SPLITS, split_named, split_within
from tl_course.data.table import Picture

__all__ = ["Reading", "Unclear", "by_class_folder", "label_at", "says_nothing", "split_of_path", "splits_among"]

# Words that say nothing about what the images in a folder show, and so are no labels.
_CONTAINERS = (
    "images?|imgs?|data|datasets?|jpegimages|jpe?g|png|files|docs?|documentation|figures?|figs?|assets|screenshots?|previews?"
    "|thumbnails?|thumbs|samples?|examples?|unlabell?ed|unsorted|results?|outputs?|plots?|backups?|tmp|temp|duplicates?"
)
_NO_LABEL = re.compile("(new|untitled) folder.*|to[-_ ]?(sort|do)|node_modules|v?env|site-packages", re.IGNORECASE)
_MEDIA = f"{_CONTAINERS}|photos?|pics?|pictures?|parts?|batch(es)?"
_PARTS = "parts?|batch(es)?|folds?|chunks?|shards?|sessions?|volumes?|days?|runs?"
_WHEN = re.compile(r"[1-9]\d\d[A-Z_]{5}|(photos from )?(19|20)\d\d([-_. ]?\d\d){0,2}", re.IGNORECASE)
_MASKS = "masks?|annotations?|segmentations?|groundtruth|gt|labels|trimaps?"

_UNLABELLED = frozenset({"unknown", "unlabeled", "unlabelled"})


class Unclear(Exception):  # noqa: N818  it becomes an ImageSetError
    """What a folder means cannot be said for certain: what was seen, and what to do."""

    def __init__(self, seen: str, advice: str) -> None:
        super().__init__(f"{seen}. {advice}")


@dataclass
class Reading:
    """How a folder was understood, in words, and what that gives."""

    how: str
    pictures: list[Picture] = field(default_factory=list)
    listed: list[Picture] = field(default_factory=list)  # all rows of a table, whether their files can be used or not
    skipped: list[Skipped] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def by_class_folder(root: Folder) -> Reading | None:
    """Label images by the folder they lie in; None where no image lies in a folder that could be a label.

    Raises
    ------
    Unclear
        The folders can be read in more than one way.
    """
    if not root.filled:
        return None
    splits = splits_among(root.filled)
    if splits:
        return _inside_splits(root, splits)
    classes = root.filled
    if all(says_nothing(folder.name, _MEDIA) and not folder.filled for folder in classes):
        return None
    _check_words(classes)
    below = {inner: (folder, split) for folder in classes for inner, split in _splits_below(folder, classes).items()}
    if not below:
        _check(classes)
        return _reading("class folders", root, {folder: (folder, "") for folder in classes})
    in_order = sorted(below, key=lambda inner: SPLITS.index(below[inner][1]))
    how = f"class folders with {_named(inner.name for inner in in_order)} inside each"
    return _reading(how, root, below | {folder: (folder, "") for folder in classes})


def splits_among(folders: Sequence[Folder]) -> dict[Folder, str]:
    """Those of the folders that are splits, with the split: "train", or "flowers_train" beside "flowers_test"."""
    if found := {folder: split for folder in folders if (split := split_named(folder.name))}:
        return found
    by_rest: defaultdict[tuple[str, ...], dict[Folder, str]] = defaultdict(dict)
    for folder in folders:
        split, rest = split_within(folder.name)
        if split:
            by_rest[rest][folder] = split
    several = [of_rest for of_rest in by_rest.values() if len(set(of_rest.values())) > 1]
    return several[0] if len(several) == 1 else {}


def label_at(folder: Folder) -> str:
    """How to say that a folder, and those that lie as deep, are the labels."""
    return f'label_from=r"^{"[^/]+/" * (folder.path.count("/") - 1)}(?P<label>[^/]+)/"'


def split_of_path(name: str, label: str) -> str:
    """The split of the folders that a file lies in, where one of them is a split and not the label itself."""
    folders = (part for part in name.split("/")[:-1] if label_named(part).casefold() != label.casefold())
    return next(filter(None, map(split_named, folders)), "")


def says_nothing(name: str, words: str = _CONTAINERS) -> bool:
    """Whether a folder's name only says that something lies in it ("images", "img_part_2")."""
    split, rest = split_within(name)
    if _NO_LABEL.fullmatch(name.strip()):
        return True
    return not split and bool(rest) and all(re.fullmatch(words, word) for word in rest)


# ---- folders of splits -----------------------------------------------------------------------------------------------


def _inside_splits(root: Folder, splits: dict[Folder, str]) -> Reading | None:
    others = [folder for folder in root.filled if folder not in splits]
    inner = _unwrapped({folder: _undoubled(folder, split) for folder, split in splits.items()})
    labelled = {folder: place for folder, place in inner.items() if _holds_classes(place)}
    if not labelled and not others:
        return None
    labels = {folder: {label_named(one.name) for one in place.filled} for folder, place in labelled.items()}
    for place in labelled.values():
        _check_words(place.filled)
        _check(place.filled)
        for folder in place.filled:
            _splits_below(folder, place.filled, allowed=False)
    classes = _classes_beside(splits, labels, others)
    known = _labels_to_train_on(splits, labels)
    assigned: dict[Folder, tuple[Folder | None, str]] = dict.fromkeys(others, (None, ""))
    assigned |= {folder: (folder, "") for folder in classes}
    reasons = {
        folder: f"lies in {folder.path}, beside {_named(one.name for one in labelled)}: it has no split and no label"
        for folder in others
        if folder not in classes
    }
    for folder, split in splits.items():
        assigned[folder] = (None, split)
        for one in inner[folder].filled if folder in labelled else ():
            is_known = known is None or split == "train" or _name(one) in known
            assigned[one] = (one if is_known else None, split)
            if not is_known:
                like = next((name for name in known or () if name.casefold() == _name(one).casefold()), "")
                told = f"where it is called {like!r} to train on" if like else "and there is no such folder to train on"
                reasons[one] = f"lies in {one.path}, {told}"
        if folder not in labelled:
            reasons[folder] = f"lies in no class folder: {folder.path} has none"
    in_order = sorted(labelled, key=lambda folder: SPLITS.index(splits[folder]))
    how = "class folders inside " + _named(
        f"{folder.name}/" + f" ({splits[folder]})" * (folder.name != splits[folder]) for folder in in_order
    )
    return _reading(how + " and beside" * bool(classes), root, assigned, reasons)


def _labels_to_train_on(splits: Mapping[Folder, str], labels: Mapping[Folder, set[str]]) -> set[str] | None:
    """The labels in folders to train on; None where there is no such folder.

    Raises
    ------
    Unclear
        The other folders have none of them.
    """
    train = [names for folder, names in labels.items() if splits[folder] == "train"]
    rest = [names for folder, names in labels.items() if splits[folder] != "train" and names - _UNLABELLED]
    if train and rest and not set().union(*train) & set().union(*rest):
        raise Unclear(
            f"the folders inside {_named(folder.name for folder in labels)} have no name in common",
            "Give each label's folder the same name in every split.",
        )
    return set().union(*train) if train else None


def _undoubled(folder: Folder, split: str) -> Folder:
    """Where a split's class folders lie: some archives have ``training_set/training_set/``, some ``train/images/``."""
    while len(folder.filled) == 1:
        (only,) = folder.filled
        wraps = split_named(only.name) == split or only.name == folder.name or says_nothing(only.name)
        if not wraps or (folder.images and not only.filled):
            break
        folder = only
    return folder


def _unwrapped(inner: dict[Folder, Folder]) -> dict[Folder, Folder]:
    """Inside a folder that all splits have and that holds all there is, such as ``train/pets/cat``."""
    names = {place.filled[0].name if len(place.filled) == 1 and not place.images else "" for place in inner.values()}
    only = {folder: place.filled[0] for folder, place in inner.items()} if len(names) == 1 and "" not in names else {}
    return only if only and all(place.filled and not place.images for place in only.values()) else inner


def _holds_classes(place: Folder) -> bool:
    return any(not says_nothing(folder.name, _MEDIA) or folder.filled for folder in place.filled)


def _classes_beside(
    splits: Mapping[Folder, str], labels: Mapping[Folder, set[str]], others: list[Folder]
) -> list[Folder]:
    """Which of the folders beside splits are class folders themselves; the rest belongs to no split.

    Raises
    ------
    Unclear
        A split's name beside other folders of images may be a label.
    """
    if not others:
        return []
    names = {label_named(folder.name) for folder in others}
    if labels and "train" not in {splits[folder] for folder in labels} and all(one <= names for one in labels.values()):
        _check(others)
        return others
    known = set().union(*labels.values())
    common = len(labels) > 1 and set.intersection(*labels.values())
    copies = all(
        folder.filled and not folder.images
        and (known | set(map(_name, splits))).issuperset(label_named(one.name) for one in folder.filled)
        for folder in others
    )  # fmt: skip
    if common or (labels and (copies or all(says_nothing(folder.name) for folder in others))):
        return []
    splits_seen, others_seen = _named(folder.name for folder in splits), _named(folder.name for folder in others)
    _check_masks([*splits, *others])
    _check_words([*splits, *others])
    is_a_label, it = ("is a label", "it is not, move it, or them,")
    if len(splits) > 1:
        is_a_label, it = ("are labels", "they are not, move them, or the others,")
    raise Unclear(
        f"images lie in {splits_seen}, which is what a part to train or test on is called, and in {others_seen}",
        f"If {splits_seen} {is_a_label} like the others, say so: {label_at(others[0])}. If {it} elsewhere.",
    )


# ---- checks ----------------------------------------------------------------------------------------------------------


def _check(classes: Sequence[Folder]) -> None:
    """Raise `Unclear` where folders that would be labels may be something else."""
    _check_masks(classes)
    names = [folder.name for folder in classes]
    inside = {folder: _seen_through(folder) for folder in classes}
    known = set(map(label_named, names))
    for folder, place in inside.items():
        below = [one.name for one in place.filled]
        if below and not place.images and set(map(label_named, below)) <= known - {label_named(folder.name)}:
            raise Unclear(
                f"{folder.name}/ holds folders called like those beside it, {_named(below)}: it may be a copy of the "
                "set, or a label",
                f"If it is a label, say so: {label_at(folder)}. If not, move it elsewhere.",
            )
    if len(classes) > 1 and (odd := [name for name in names if says_nothing(name)] or _numbered_parts(names)):
        others = _named(name for name in names if name not in odd)
        sets = [folder.name for folder, place in inside.items() if len(place.filled) > 1 and not place.images]
        said, if_so = ("says", "it is a label") if len(odd) == 1 else ("say", "they are labels")
        raise Unclear(
            f"the name{'s' * (len(odd) > 1)} {_named(odd)}{f', beside {others},' * bool(others)} {said} nothing about "
            "what is shown",
            f"If the folders in {sets[0]} are the labels, open {sets[0]} itself."
            if len(sets) == 1
            else f"If {if_so}, say so: {label_at(classes[0])}. If not, move what is no label elsewhere, or add a "
            "metadata.csv with the columns file_name and label.",
        )
    if holders := [folder for folder, place in inside.items() if len(place.filled) > 1 and not place.images]:
        deeper = [one for folder in holders for one in inside[folder].filled]
        inner = [one.name for one in deeper]
        rename = (
            f" If {_few(names)} are splits, call them train, valid and test." if len(set(inner)) < len(inner) else ""
        )
        raise Unclear(
            f"{_named(folder.name for folder in holders)} {_hold(holders)} no images but folders of images, "
            f"{_named(inner)}: either may be the labels",
            f"Say which: {label_at(holders[0])} for {_few(names)}, {label_at(deeper[0])} for {_few(inner)}.{rename}",
        )


def _numbered_parts(names: Sequence[str]) -> list[str]:
    """The names, where they are parts of something that differ in their numbers alone ("HAM_part_1", "fold 2").

    So do the folders of cameras and phones, which say when an image was taken ("100APPLE", "2024-05-01").
    """
    if all(map(_WHEN.fullmatch, names)):
        return list(names)
    words = {split_within(name)[1] for name in names}
    alike = len(words) == 1 and any(re.fullmatch(_PARTS, word) for word in next(iter(words)))
    return list(names) if alike else []


def _seen_through(folder: Folder) -> Folder:
    while len(folder.filled) == 1 and not folder.images:
        (folder,) = folder.filled
    return folder


def _hold(folders: Sequence[Folder]) -> str:
    return "holds" if len(folders) == 1 else "hold"


def _check_masks(folders: Sequence[Folder]) -> None:
    masks = [folder for folder in folders if _is_mask(split_within(folder.name)[1])]
    images = [folder for folder in folders if says_nothing(folder.name, _MEDIA) or split_named(folder.name)]
    if masks and images:
        deeper = [folder.name for folder in images if folder.filled]
        raise Unclear(
            f"{_named(f.name for f in images)} beside {_named(f.name for f in masks)} looks like a set for "
            "segmentation or detection: there an image has no single label",
            f"If the folders in {deeper[0]} are the labels, open {deeper[0]} itself."
            if deeper
            else "A classifier needs one label for each image: put those of each label into a folder named after it.",
        )


def _is_mask(words: Sequence[str]) -> bool:
    others = f"{_MASKS}|{_CONTAINERS}|class|object"
    return any(re.fullmatch(_MASKS, word) for word in words) and all(re.fullmatch(others, word) for word in words)


def _check_words(classes: Sequence[Folder]) -> None:
    """Folders such as train_cat, train_dog, test_cat: two things in one name."""
    within = {folder: split_within(folder.name) for folder in classes}
    of_rest: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
    for split, rest in within.values():
        of_rest[rest] |= {split} - {""}
    both = sum(len(splits) > 1 for splits in of_rest.values()) > 1
    if len(classes) > 1 and (both or all(split and rest for split, rest in within.values())):
        first = next(folder for folder, (split, _) in within.items() if split)
        sign = next(iter(re.findall(r"^[^\W_]+?([-_ .])", first.name)), "")
        pattern = (
            f"^{'[^/]+/' * (first.path.count('/') - 1)}(?P<split>[a-z]+){sign.replace('.', '[.]')}(?P<label>[^/]+)/"
        )
        told = f' or label_from=r"{pattern}" if both are in it' if sign else ""
        raise Unclear(
            f"the names {_named(folder.name for folder in classes)} seem to hold a split and a label in one",
            f"Say how to read {first.name!r}: {label_at(first)} if all of it is the label,{told or ' or rename them'}.",
        )


def _splits_below(folder: Folder, classes: Sequence[Folder], *, allowed: bool = True) -> dict[Folder, str]:
    """The split folders inside a class folder, where all that it holds lies in such, and each class has them."""
    inside = folder.filled
    found = {one: split for one in inside if (split := split_named(one.name))}
    if not found:
        return {}
    if any(one.filled for one in found):
        sets = [one.name for one in classes if any(split_named(inner.name) for inner in one.filled)]
        raise Unclear(
            f"inside {_named(sets)} lie {_named(one.name for one in found)} with folders of images: a set of its own, "
            "where a label was expected",
            "Open the one that you mean.",
        )
    wholly = all(c.filled and not c.images and all(split_named(one.name) for one in c.filled) for c in classes)
    if not (allowed and wholly and len(classes) > 1):
        raise Unclear(
            f"some images lie in {_named(one.path for one in found)}, which is what a part to train or test on is "
            "called, and some do not",
            f"If it belongs to the label {folder.name!r}, give it another name. If it is a split, make it one for each "
            "label: the usual way is train/LABEL/ and test/LABEL/.",
        )
    return found


# ---- the outcome -----------------------------------------------------------------------------------------------------


def _reading(
    how: str,
    root: Folder,
    assigned: Mapping[Folder, tuple[Folder | None, str]],
    reasons: Mapping[Folder, str] | None = None,
) -> Reading:
    """Every image with the label and the split of the innermost folder that has them; all else by name, and why not."""
    reasons = reasons or {}
    reading = Reading(how)
    spellings: defaultdict[str, set[str]] = defaultdict(set)
    level = {place.path.rstrip("/").rpartition("/")[0] for place, (label, _) in assigned.items() if label is place}
    waiting: list[tuple[Folder, Folder | None, str, str]] = [(root, None, "", "lies in no class folder")]
    while waiting:
        folder, label, split, reason = waiting.pop()
        if folder in assigned:
            label, split = assigned[folder]
        reason = reasons.get(folder, reason)
        if folder is not root and not folder.total:
            if label is None and folder.path.rstrip("/").rpartition("/")[0] in level:
                reading.skipped.append((folder.path, "a class folder without a picture"))
            elif folder.files or label is None:
                reading.skipped.append((folder.path, "a folder without a picture"))
            continue
        if label is not None and label_named(label.name):
            spellings[label_named(label.name)].add(label.name)
            masks = masks_in(folder)
            reading.pictures += [
                Picture(name, label=label_named(label.name), split=split) for name in folder.images if name not in masks
            ]
            reading.skipped += masks.items()
        else:
            reading.skipped += [(name, reason) for name in folder.images]
        if folder is not root:
            images = set(folder.images)
            reading.skipped += [(name, "not a picture file") for name in folder.files if name not in images]
        waiting.extend((one, label, split, reason) for one in reversed(folder.folders))
    for label_name, names in spellings.items():
        if len({nfc(name) for name in names}) > 1:
            few = _named(map(repr, sorted(names)))
            reading.remarks.append(f"the folders {few} differ only in blanks at the ends; all are {label_name!r}")
    return reading


def _name(folder: Folder) -> str:
    return label_named(folder.name)


def _named(names: Iterable[str]) -> str:
    """A few names in a sentence."""
    few = list(dict.fromkeys(names))
    if len(few) > 4:
        return f"{', '.join(few[:3])} and {len(few) - 3} more"
    return " and ".join(filter(None, (", ".join(few[:-1]), *few[-1:])))


def _few(names: Sequence[str]) -> str:
    few = list(dict.fromkeys(names))
    return ", ".join(few[:2]) + ", …" * (len(few) > 2)
