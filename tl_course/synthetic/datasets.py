"""Sets that the package draws itself, as folders: written where asked, or once into the cache under a lesson's name."""

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_course.core.caches import tidy
from tl_course.core.devices import cores
from tl_course.core.files import cache_dir, hold
from tl_course.core.progress import Bar
from tl_course.data.archives import new_folder
from tl_course.data.splits import VALID_SHARE, draw_splits
from tl_course.data.table import METADATA, TRUTH, Picture, table_text, truth_text
from tl_course.errors import ImageSetError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["SHIPPED", "address_of", "as_jpeg", "is_drawn", "render_folder", "dataset_folder", "dataset_names"]

SHIPPED: dict[str, Any] = {"n": 200, "seed": 0, "size": 256}  # what is drawn where a set is asked for by its name alone

_WORTH_A_PROCESS = 16  # pictures; fewer are drawn before another Python has started
_WORKER = """\
import sys
sys.path.append(sys.argv[1])
from tl_course.synthetic.datasets import _draw_from_arguments
_draw_from_arguments()
"""


def dataset_names() -> list[str]:
    """Names of the sets that ship with the course."""
    from tl_course.synthetic.drawing import SETS

    return list(SETS)


def dataset_folder(name: str, **options: int) -> Path:
    """The folder of a set that ships, drawn into the cache when it is first asked for (and again by newer brushes).

    `options` are those of `SHIPPED` that are to be others: `n`, `seed`, `size`.
    """
    chosen = SHIPPED | options
    target = _place_of(name, chosen)
    if not hold(target):
        render_folder(name, target, **chosen)
        hold(target)
        tidy()
    return target


def is_drawn(name: str) -> bool:
    """Whether `dataset_folder` finds the set in the cache, and so takes no time."""
    return hold(_place_of(name, SHIPPED))


def _place_of(name: str, options: Mapping[str, int]) -> Path:
    from tl_course.synthetic import drawing

    brushes = hashlib.sha256()
    for path in sorted(Path(drawing.__file__).parent.rglob("*.py")):
        brushes.update(path.read_bytes())
    return cache_dir("rendered") / "-".join([name, *map(str, options.values()), brushes.hexdigest()[:12]])


def address_of(name: str, index: int, scene: object, options: Mapping[str, Any]) -> str:
    """What stands for the address of a drawn picture, where `options` are those that it was drawn with.

    Near-duplicates share what stands before the "#", which keeps them in one split.
    """
    query = "&".join(f"{key}={value}" for key, value in options.items())
    return f"rendered:{name}?{query}&scene={scene}#{index}"


def as_jpeg(image: "Image.Image") -> bytes:
    """A drawn picture as it lies in a set's folder."""
    data = io.BytesIO()
    image.save(data, "JPEG", quality=90)
    return data.getvalue()


def render_folder(
    name: str,
    target: Path,
    *,
    n: int,
    seed: int,
    size: int,
    valid: float = VALID_SHARE,
    sound_valid: bool = False,
    **more: float,
) -> None:
    """Draw a set into a new folder with its ``metadata.csv`` and ``truth.jsonl``, on all cores there are.

    The share `valid` of the pictures is set aside for validation; with `sound_valid` none of these has a wrong label or
    is off-topic. `more` are the other options of `tl_course.synthetic.drawing.draw`: shares of flaws, and a threshold
    for doors. The pictures do not depend on the number of cores. The folder is there whole or not at all.

    Raises
    ------
    ImageSetError
        The set is unknown, an option is out of range, as `tl_course.synthetic.drawing.draw` says, or with `sound_valid`
        all pictures to validate on are off-topic.
    OSError
        The folder cannot be written.
    """
    from tl_course.synthetic.drawing import draw

    options: dict[str, Any] = {"seed": seed, "size": size, **more}
    draw(name, n, **options)  # refuses wrong options before anything is written
    if n < 1:
        raise ImageSetError("A set of 0 pictures cannot be drawn: ask for 1 or more.")
    if not 0.0 < valid < 1.0:
        raise ImageSetError(f"valid is {valid}: give the share of the pictures to validate on, such as {VALID_SHARE}.")
    with new_folder(target) as folder, Bar(f"drawing {name}", n) as bar:
        strides = max(1, min(cores(), 8, n // _WORTH_A_PROCESS))
        # Plain processes and no pool: a pool imports a learner's script or notebook anew, or forks its threads.
        with _helpers(folder, name, n, strides, options) as running:
            at_once = 1 + len(running)  # the others are about as far as this process
            records = _draw_stride(folder, name, n, 0, strides, options, lambda: bar.update(min(at_once, n - bar.n)))
            for process in running:
                process.wait()
        for first in range(1, strides):
            part = folder / _part(first)
            if part.exists():
                records += json.loads(part.read_text(encoding="utf-8"))
                part.unlink()
            else:  # the helper did not come through, so its share is drawn here
                records += _draw_stride(folder, name, n, first, strides, options)
        records.sort(key=lambda record: record["index"])

        table = [
            Picture(
                record["file_name"],
                label=record["label"],
                source="rendered",
                creator="tl-course",
                license="CC0-1.0",
                url=address_of(name, record["index"], record["truth"]["scene"], options),
                sha256=record["sha256"],
            )
            for record in records
        ]
        table = [replace(one, split=split) for one, split in zip(table, draw_splits(table, valid=valid), strict=True)]
        truth = {record["file_name"]: record["truth"] for record in records}
        if sound_valid:
            table = [_made_sound(one, truth, folder) if one.split == "valid" else one for one in table]
            if all(one.split != "valid" for one in table):  # or they would be drawn once more, without a judge's eye
                raise ImageSetError(
                    f"Of {n} pictures none is left to validate on that is not off-topic. Draw more of them, set more "
                    f"than {valid:g} aside (valid), or plant fewer that are off-topic."
                )
        (folder / METADATA).write_text(table_text(table), encoding="utf-8", newline="")
        (folder / TRUTH).write_text(truth_text(truth), encoding="utf-8", newline="")


def _made_sound(picture: Picture, truth: dict[str, Any], folder: Path) -> Picture:
    """A picture to validate on with the label that it should have; one that should have none is for training."""
    known = truth[picture.file_name]
    label = known["true_label"]
    if label is None:
        return replace(picture, split="train")
    if label == picture.label:
        return picture
    right = replace(picture, label=label, file_name=f"{label}/{Path(picture.file_name).name}")
    (folder / label).mkdir(exist_ok=True)
    (folder / picture.file_name).rename(folder / right.file_name)
    truth[right.file_name] = truth.pop(picture.file_name) | {"flaws": []}
    return right


@contextmanager
def _helpers(
    folder: Path, name: str, n: int, strides: int, options: dict[str, Any]
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that draw all strides but the first; none is left when the block has ended."""
    home = str(Path(__file__).parents[2])
    running: list[subprocess.Popen[bytes]] = []
    try:
        for first in range(1, strides) if sys.executable else ():
            arguments = json.dumps([str(folder), name, n, first, strides, options])
            try:
                process = subprocess.Popen(
                    [sys.executable, "-c", _WORKER, home, arguments],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
                )
            except OSError:  # a place that allows no further processes
                break
            running.append(process)
        yield running
    finally:
        for process in running:
            process.kill()
            process.wait()


def _draw_from_arguments() -> None:
    """What a helper process does: draw its stride, and leave the records beside the pictures when all is written."""
    folder, name, n, first, strides, options = json.loads(sys.argv[2])
    records = _draw_stride(Path(folder), name, n, first, strides, options)
    part = Path(folder) / _part(first)
    part.with_suffix(".part").write_text(json.dumps(records), encoding="utf-8")
    part.with_suffix(".part").replace(part)


def _part(first: int) -> str:
    return f".stride-{first}.json"


def _draw_stride(
    folder: Path,
    name: str,
    n: int,
    first: int,
    strides: int,
    options: dict[str, Any],
    drawn_one: Callable[[], object] = lambda: None,
) -> list[dict[str, Any]]:
    from tl_course.synthetic.drawing import draw_one

    records = []
    for index in range(first, n, strides):
        drawn = draw_one(name, index, **options)
        data = as_jpeg(drawn.image)
        path = folder / drawn.label / f"{index:04d}.jpg"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        records.append(
            {
                "index": index,
                "file_name": f"{drawn.label}/{path.name}",
                "label": drawn.label,
                "sha256": hashlib.sha256(data).hexdigest(),
                "truth": drawn.truth,
            }
        )
        drawn_one()
    return records
