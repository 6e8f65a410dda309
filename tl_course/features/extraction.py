"""Frozen features: each picture once through a pretrained backbone, and the vector kept by the picture's content.

On a CPU the backbone runs in ONNX Runtime, on a GPU in torch with channels-last memory and mixed precision. Pictures
are decoded in threads while the backbone works on the batch before.
"""

import hashlib
import json
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tl_course.core import image_io
from tl_course.core.caches import tidy
from tl_course.core.devices import cores, pick_device
from tl_course.core.files import cache_dir, hold, sha256_of
from tl_course.core.progress import Bar
from tl_course.errors import ImageSetError
from tl_course.features.backbones import Backbone, create, onnx_model
from tl_course.features.vector_store import Kept

if TYPE_CHECKING:
    from PIL import Image
    from torch import nn

__all__ = ["GLIMPSE", "PREPROCESSING", "Features", "extract", "fingerprint", "glimpses", "kept_vectors"]

Array = NDArray[np.float32]
_BATCH = {"cpu": 2, "cuda": 64}  # on a CPU larger batches are no faster and need more memory: 4 need 50 MB more
_CROP = 0.8  # of the picture's width and height, in all views but the first
_WRITTEN = 16  # vectors at a time: each time waits for the disk

PREPROCESSING = 3
"""To be raised whenever the same file comes to other numbers on its way to a backbone: decoding
(`tl_course.core.image_io`, `tl_course.core.image_depth`), resizing, views, normalisation. Vectors from before are then
not taken for those of now."""

GLIMPSE = 40
"""Side in pixels of what is kept of each image besides: small, grey, squeezed to a square (`glimpses`)."""


@dataclass(frozen=True)
class Features:
    """Vectors of pictures, in the pictures' order.

    Attributes
    ----------
    vectors : array of shape (n, backbone.dim), float32
        A row a picture; a row of NaN where the picture could not be read.
    failed : dict of int to str
        Why, by the index of each picture that could not be read.
    """

    vectors: Array
    failed: dict[int, str]


def extract(
    sources: "Sequence[Path | str | Image.Image]",
    backbone: Backbone,
    *,
    device: str = "auto",
    hashes: Sequence[str] | None = None,
    body: "Callable[[], nn.Module] | None" = None,
    loading: AbstractContextManager[object] | None = None,
    progress: bool = True,
) -> Features:
    """The backbone's vector of each picture, from the cache where the same picture has been through it before.

    Parameters
    ----------
    sources : sequence of paths or PIL pictures
        Vectors of files are kept in the user's cache directory; those of PIL pictures are not.
    backbone : Backbone
        What to run, and how pictures are prepared for it.
    device : {"auto", "cpu", "cuda"}
        Where to run it.
    hashes : sequence of str, optional
        SHA-256 of each file where the caller knows it (an `ImageSet` does); computed otherwise.
    body : function that gives a torch module, optional
        The network itself where it is not timm's own: a backbone that has been fine-tuned.
    loading : context manager, optional
        Entered while the backbone is loaded, where it has to be: ``history.timing("loading")`` says what that took.
    progress : bool
        Show a bar where somebody may look (see `tl_course.core.progress`).

    Returns
    -------
    Features
        With ``vectors`` of shape (len(sources), backbone.dim). An unreadable picture is named in ``failed`` and costs
        nothing else.
    """
    device = pick_device(device)
    vectors = np.full((len(sources), backbone.dim), np.nan, np.float32)
    failed: dict[int, str] = {}
    keys: dict[int, str] = {}
    for i, source in enumerate(sources):
        if isinstance(source, str | Path):
            try:
                keys[i] = hashes[i] if hashes else sha256_of(Path(source))
            except OSError as error:
                failed[i] = f"{source}: {error.strerror}"
    with kept_vectors(backbone, device) as store, kept_glimpses() as looks:
        known = store.read(set(keys.values()))
        for i, key in keys.items():
            if key in known:
                vectors[i] = known[key]
        todo = [i for i in range(len(sources)) if i not in failed and keys.get(i) not in known]
        if todo:
            unwritten: dict[str, Array] = {}
            glimpsed: dict[str, NDArray[np.uint8]] = {}
            with Bar(f"features from {backbone.name}", len(todo), show=progress) as bar:
                with loading or nullcontext():
                    run = _runner(backbone, device, body)
                for batch, arrays, seen in _decoded(sources, todo, backbone, failed, _BATCH[device], bar):
                    vectors[batch] = fresh = np.mean([run(view) for view in arrays], axis=0)
                    unwritten |= {keys[i]: vector for i, vector in zip(batch, fresh, strict=True) if i in keys}
                    glimpsed |= {keys[i]: glimpse for i, glimpse in zip(batch, seen, strict=True) if i in keys}
                    if len(unwritten) >= _WRITTEN:
                        store.write(unwritten)
                        unwritten.clear()
            store.write(unwritten)
            looks.write(glimpsed)
    if todo:
        tidy()
    return Features(vectors, failed)


def _decoded(
    sources: "Sequence[Path | str | Image.Image]",
    todo: list[int],
    backbone: Backbone,
    failed: dict[int, str],
    size: int,
    bar: Bar,
) -> Iterator[tuple[list[int], Array, list[NDArray[np.uint8]]]]:
    """Batches of (indices, prepared pictures (views, m, 3, side, side), glimpses); meanwhile the next are decoded."""
    batches = [todo[start : start + size] for start in range(0, len(todo), size)]
    lead = ceil(cores() / size)  # batches, so that each core has a picture to decode
    with ThreadPoolExecutor(cores()) as pool:

        def submit(batch: list[int]) -> "list[Future[tuple[Array, NDArray[np.uint8]]]]":
            return [pool.submit(_views, sources[i], backbone) for i in batch]

        ahead = deque(submit(batch) for batch in batches[:lead])
        for number, batch in enumerate(batches):
            current = ahead.popleft()
            if number + lead < len(batches):
                ahead.append(submit(batches[number + lead]))
            good, arrays, seen = [], [], []
            for i, future in zip(batch, current, strict=True):
                try:
                    array, glimpse = future.result()
                    arrays.append(array)
                    seen.append(glimpse)
                    good.append(i)
                except ImageSetError as error:
                    failed[i] = str(error)
            if good:
                yield good, np.stack(arrays, axis=1), seen
            bar.update(len(batch))


def prepare(source: "Path | str | Image.Image", backbone: Backbone) -> Array:
    """One picture as the backbone wants it: the whole picture, resized to a square, as (3, side, side) float32."""
    return _square(image_io.load(source, size=backbone.picture_size), backbone)


def _views(source: "Path | str | Image.Image", backbone: Backbone) -> tuple[Array, NDArray[np.uint8]]:
    """As many views of one picture as the backbone asks for, as (views, 3, side, side) float32, and its glimpse."""
    side = backbone.picture_size
    picture = image_io.load(source, size=side if backbone.views == 1 else ceil(side / _CROP))
    width, height = picture.size
    across, down = width * (1 - _CROP), height * (1 - _CROP)
    boxes = [(0.0, 0.0, float(width), float(height))] + [
        (x * across, y * down, width - (1 - x) * across, height - (1 - y) * down)
        for x, y in ((0.5, 0.5), (0, 0), (1, 0), (0, 1), (1, 1))
    ]
    return np.stack([_square(picture, backbone, box) for box in boxes[: backbone.views]]), _glimpse(picture)


def _square(picture: "Image.Image", backbone: Backbone, box: tuple[float, float, float, float] | None = None) -> Array:
    """`picture`, or what is in the `box` of it, resized to a square and scaled, as (3, side, side) float32."""
    from PIL import Image

    side = backbone.picture_size
    picture = picture.resize((side, side), Image.Resampling[backbone.interpolation.upper()], box)
    mean, std = (np.reshape(values, (3, 1, 1)).astype(np.float32) for values in (backbone.mean, backbone.std))
    array = np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1), np.float32)
    array *= 1 / (255 * std)
    array -= mean / std
    return array


def _runner(backbone: Backbone, device: str, body: "Callable[[], nn.Module] | None") -> Callable[[Array], Array]:
    """The backbone as a function from prepared pictures (m, 3, side, side) to vectors (m, dim)."""
    if device == "cpu" and (model := onnx_model(backbone, body)):
        return _in_onnx_runtime(model)
    return _in_torch(body() if body else create(backbone.name, pooling=backbone.pooling), device)


def _in_onnx_runtime(model: bytes | Path) -> Callable[[Array], Array]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = cores()
    options.enable_mem_pattern = False  # planning memory ahead saves no time here, and takes 50 MB
    # Waiting threads that spin would take the cores from the threads that decode.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return lambda arrays: np.asarray(session.run(None, {"pictures": arrays})[0])


def _in_torch(body: "nn.Module", device: str) -> Callable[[Array], Array]:
    import torch

    body = body.eval().to(device).to(memory_format=torch.channels_last)

    def run(arrays: Array) -> Array:
        batch = torch.from_numpy(arrays).to(device, memory_format=torch.channels_last)
        # On a GPU in float16, autocast's choice there: those of Colab and Kaggle have fast units for it.
        with torch.inference_mode(), torch.autocast(device, enabled=device == "cuda"):
            return np.asarray(body(batch).float().cpu().numpy())

    return run


# ---- what is kept ----------------------------------------------------------------------------------------------------


def fingerprint(backbone: Backbone, device: str) -> str:
    """What vectors of the same file depend on, besides the device's last bits: equal texts, equal vectors.

    Also on Pillow, whose decoders and filters change from version to version, and on timm, which makes the network.
    """
    return _digest(_CROP, device, version("timm"), backbone.to_json())


def kept_vectors(backbone: Backbone, device: str) -> Kept:
    """The vectors that are kept of one backbone."""
    hold(cache_dir("backbones").joinpath(backbone.key))
    views = f"-{backbone.views}-views" if backbone.views > 1 else ""
    name = f"{backbone.key}-{backbone.picture_size}{views}-{device}"
    return Kept(name, fingerprint(backbone, device), shape=(backbone.dim,), dtype="float32")


def kept_glimpses() -> Kept:
    """The glimpses that are kept."""
    return Kept("glimpses", _digest(GLIMPSE), shape=(GLIMPSE, GLIMPSE), dtype="uint8")


def glimpses(sources: Sequence[Path], *, hashes: Sequence[str]) -> NDArray[np.uint8]:
    """A small grey version of each image file, squeezed to a square, as (n, 40, 40) uint8; 0 where it cannot be read.

    They come with features, and are computed here where they are not kept. `hashes` are as in `extract`.
    """
    out = np.zeros((len(sources), GLIMPSE, GLIMPSE), np.uint8)
    with kept_glimpses() as kept, ThreadPoolExecutor(cores()) as pool:
        known = kept.read(set(hashes))
        missing = [i for i, key in enumerate(hashes) if key not in known]

        def look(i: int) -> NDArray[np.uint8] | None:
            try:
                return _glimpse(image_io.load(sources[i], size=4 * GLIMPSE))
            except ImageSetError:
                return None

        fresh = {hashes[i]: seen for i, seen in zip(missing, pool.map(look, missing), strict=True) if seen is not None}
        kept.write(fresh)
    for i, key in enumerate(hashes):
        if (seen := known.get(key, fresh.get(key))) is not None:
            out[i] = seen
    return out


def _glimpse(picture: "Image.Image") -> NDArray[np.uint8]:
    from PIL import Image

    small = picture.resize((GLIMPSE, GLIMPSE), Image.Resampling.BOX, reducing_gap=2.0)
    return np.asarray(small.convert("L"))


def _digest(*told: object) -> str:
    import PIL

    text = json.dumps([PREPROCESSING, PIL.__version__, *told], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
