"""Pretrained backbones: which can be had here, what they expect, and the networks themselves.

A backbone is any image model of timm, by its timm name, without its classifier: a picture goes in, a vector comes out.
Weights are looked for in an installed weights package, then in timm's local caches, then on the hub.
"""

import difflib
import json
import warnings
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_course.core.files import atomic_path, cache_dir
from tl_course.core.progress import Bar
from tl_course.errors import BackboneError, TLCourseWarning
from tl_course.features.onnx_models import can_export, export, is_whole, shipped
from tl_course.features.weights import PACKAGES, cached_file, cached_names, origin, package_file, package_tensors

if TYPE_CHECKING:
    from torch import nn

__all__ = ["DEFAULT", "Backbone", "available", "create", "onnx_model"]

DEFAULT = "tf_efficientnet_lite0"
"""The backbone of the lessons: small, quick on a CPU, and its weights come as an ordinary Python package."""


@dataclass(frozen=True)
class Backbone:
    """A backbone as the rest of the package sees it: what to feed it, and how to run it.

    Attributes
    ----------
    name : str
        timm's name of the architecture (and, after a dot, of the weights).
    key : str
        Identifies the weights: equal keys, equal vectors. Names the cached export and the kept features.
    weights : str
        Where the weights came from, in words.
    input_size : int
        Side of the square picture it was pretrained on, in pixels.
    picture_size : int
        Side in pixels of the square that pictures are resized to for features. Nets that take any size see about a
        quarter more pixels than in training, because training crops made objects look larger than they do in whole
        pictures (Touvron et al. 2019, "Fixing the train-test resolution discrepancy", arXiv:1906.06423).
    interpolation : str
        "bilinear" or "bicubic".
    mean, std : tuple of 3 floats
        Each channel, scaled to 0..1, has `mean` taken off and is divided by `std`.
    dim : int
        Length of the vector.
    views : int
        How many views of each picture go through the backbone, 1 to 6; their vectors are averaged. The first is the
        whole picture, the second its middle, the others its corners, each 4/5 as wide and as high (multi-crop testing:
        Krizhevsky et al. 2012, "ImageNet classification with deep convolutional neural networks", section 4.1, which
        averages predictions). Six take six times as long.
    pooling : {"avg", "gem"}
        How what the network sees in all places becomes one vector: as the average, as in its pretraining, or as the
        generalised mean (`tl_course.features.pooling.GeM`), in which small things count for more. It is chosen in `get`
        and part of the key: do not replace it.
    """

    name: str
    key: str
    weights: str
    input_size: int
    picture_size: int
    interpolation: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    dim: int
    views: int = 1
    pooling: str = "avg"

    def __post_init__(self) -> None:
        if self.views not in range(1, 7):
            raise BackboneError(f"views is {self.views!r}: give how many views of each picture are averaged, 1 to 6.")

    @classmethod
    def get(cls, name: str = DEFAULT, *, pooling: str = "avg") -> "Backbone":
        """The pretrained backbone called `name`.

        Where its graph ships with the package and its weights are installed, this only looks; of another one the
        network is made, once, to see what it expects.

        Raises
        ------
        BackboneError
            timm does not know `name`, or its weights cannot be had here; the message names those that can. Or the
            network has no such pooling.
        """
        _check_pooling(pooling)
        key, weights = _key(name, pooling), origin(name)
        if (graph := shipped(name)) and package_file(name):
            return cls(name=name, key=key, weights=weights, pooling=pooling, **graph.description)
        kept = cache_dir("backbones", key) / f"timm-{version('timm')}.json"
        try:
            return cls.from_json(json.loads(kept.read_text("utf-8")))
        except (OSError, ValueError, KeyError, TypeError, BackboneError):
            with Bar(f"looking at {name}, this once"):
                backbone = _described(create(name, pooling=pooling), name, pooling, key=key, weights=weights)
        with suppress(OSError), atomic_path(kept) as part:  # a full disk costs time the next time, and no more
            part.write_text(json.dumps(backbone.to_json(), indent=1), encoding="utf-8")
        return backbone

    @classmethod
    def untrained(cls, name: str = DEFAULT, *, pooling: str = "avg") -> "Backbone":
        """The network called `name` before any training: what it expects is known, weights it has none.

        Raises
        ------
        BackboneError
            timm does not know `name`, or the network has no such pooling.
        """
        net = create(name, pretrained=False, pooling=pooling)
        return _described(net, name, pooling, key=f"untrained-{name}", weights="none")

    def to_json(self) -> dict[str, Any]:
        """All attributes, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Backbone":
        """The backbone that `to_json` described."""
        return cls(**{**values, "mean": _triple(values["mean"]), "std": _triple(values["std"])})


def available() -> dict[str, str]:
    """Backbones whose weights lie on this machine: name -> where they come from. Nothing is downloaded or imported."""
    found = {name: origin(name) for name in PACKAGES if package_file(name)}
    found.update({name: "local cache" for name in cached_names() if name not in found})
    return {name: where for name, where in found.items() if where}


def create(name: str = DEFAULT, *, pretrained: bool = True, pooling: str = "avg") -> "nn.Module":
    """The timm model called `name` without its classifier: (n, 3, h, w) pictures in, (n, dim) vectors out.

    Parameters
    ----------
    name : str
        Any image model of timm.
    pretrained : bool
        With weights, from wherever they can be had; otherwise with timm's random initialisation ("from scratch").
    pooling : {"avg", "gem"}
        As in `Backbone`.

    Raises
    ------
    BackboneError
        timm does not know `name`, its weights cannot be had here, or it has no such pooling.
    """
    _check_pooling(pooling)
    net = _created(name, pretrained=pretrained)
    if pooling == "gem":
        _pool(net, name)
    return net


def _check_pooling(pooling: str) -> None:
    if pooling not in ("avg", "gem"):
        raise BackboneError(f"There is no pooling {pooling!r}: choose avg or gem.")


def _pool(net: "nn.Module", name: str) -> None:
    """Give `net` another pooling in place of its average."""
    from timm.layers.adaptive_avgmax_pool import SelectAdaptivePool2d
    from torch.nn import AdaptiveAvgPool2d

    from tl_course.features.pooling import GeM

    pools: list[Any] = [module for module in net.modules() if isinstance(module, SelectAdaptivePool2d)]
    found = [module for module in pools if isinstance(module.pool, AdaptiveAvgPool2d)]
    if len(found) != 1:
        raise BackboneError(f"{name!r} does not end in a pooling that could be another: leave the pooling as it is.")
    found[0].pool = GeM()


def _created(name: str, *, pretrained: bool) -> "nn.Module":
    import timm

    if not timm.is_model(name):
        close = difflib.get_close_matches(name, timm.list_models(), n=3)
        hint = f" Did you mean {' or '.join(close)}?" if close else ""
        raise BackboneError(f"timm has no model called {name!r}.{hint} {_what_can_be_had()}")
    if not pretrained:
        return timm.create_model(name, num_classes=0)
    if file := package_file(name):
        return _from_package(name, file)
    if file := cached_file(name):
        return timm.create_model(name, pretrained=True, num_classes=0, pretrained_cfg_overlay={"file": str(file)})
    try:
        _reach_hub()
        return timm.create_model(name, pretrained=True, num_classes=0)
    except Exception as error:  # the hub's client, its transports and timm each raise their own kind
        reason = " ".join(str(error).split())[:200]
        raise BackboneError(
            f"The weights of {name!r} are not on this machine, and the hub did not give them ({reason}). "
            f"{_what_can_be_had()}"
        ) from error


def _reach_hub() -> None:
    """Raise at once where the hub does not answer: its own client tries again for most of a minute."""
    import urllib.error
    import urllib.request

    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        raise OSError("HF_HUB_OFFLINE is set")
    try:
        urllib.request.urlopen(urllib.request.Request(constants.ENDPOINT, method="HEAD"), timeout=5).close()
    except urllib.error.HTTPError:
        pass  # an answer, if not a kind one
    except urllib.error.URLError as error:
        raise OSError(f"no answer from {constants.ENDPOINT}: {error.reason}") from error


def _what_can_be_had() -> str:
    names = ", ".join(f"{name} ({where})" for name, where in available().items())
    more = 'More come with: pip install "tl-course[weights]"'
    return (
        f"Backbones that can be had here: {names}. {more}"
        if names
        else f"None can be had here without a network. {more}"
    )


def _key(name: str, pooling: str) -> str:
    """A folder name that changes when the weights do: the weights packages have versions, timm's tags never move."""
    safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
    where = origin(name)
    key = safe if where == "timm" else f"{safe}-{where.rsplit(' ', 1)[-1]}"
    return key if pooling == "avg" else f"{key}-{pooling}"


def _from_package(name: str, file: Path) -> "nn.Module":
    import timm
    import torch

    model = timm.create_model(name, num_classes=0)
    ours = [key for key in model.state_dict() if not key.endswith("num_batches_tracked")]
    theirs = map(torch.from_numpy, package_tensors(file))
    try:
        model.load_state_dict(dict(zip(ours, theirs, strict=False)), strict=False)
    except RuntimeError as error:
        raise BackboneError(
            f"The weights in the {origin(name)} do not fit timm {version('timm')}'s {name}: {str(error)[:200]}"
        ) from error
    return model


def _described(model: "nn.Module", name: str, pooling: str, *, key: str, weights: str) -> Backbone:
    config: dict[str, Any] = dict(vars(model)["pretrained_cfg"])
    side = int(config["input_size"][-1])
    larger = (config.get("test_input_size") or [round(side * 9 / 7 / 32) * 32])[-1]
    return Backbone(
        name=name,
        key=key,
        weights=weights,
        input_size=side,
        picture_size=side if config.get("fixed_input_size") else int(larger),
        interpolation="bicubic" if config["interpolation"] == "bicubic" else "bilinear",
        mean=_triple(config["mean"]),
        std=_triple(config["std"]),
        dim=int(vars(model).get("head_hidden_size") or vars(model)["num_features"]),
        pooling=pooling,
    )


def _triple(values: Iterable[float]) -> tuple[float, float, float]:
    red, green, blue = map(float, values)
    return red, green, blue


# ---- for ONNX Runtime ------------------------------------------------------------------------------------------------


def onnx_model(backbone: Backbone, body: "Callable[[], nn.Module] | None" = None) -> bytes | Path | None:
    """The backbone as an ONNX model: input ``pictures`` (n, 3, h, w) float32, output ``vectors`` (n, dim) float32.

    Parameters
    ----------
    backbone : Backbone
    body : function that gives a torch module, optional
        The network itself where it is not timm's own: a backbone that has been fine-tuned.

    Returns
    -------
    bytes, path or None
        Bytes where the network's graph ships with the package; the path of an export in the user's cache directory
        otherwise, of pictures of `backbone.picture_size`; None, after a `TLCourseWarning`, where there is no export.
    """
    graph, file = shipped(backbone.name.partition(".")[0]), package_file(backbone.name)
    if graph and file and not body:
        tensors = graph.named(package_tensors(file))
        if graph.fits(tensors):
            return graph.filled(tensors, backbone.pooling)
    path = cache_dir("backbones", backbone.key) / f"{backbone.picture_size}-torch-{version('torch')}.onnx"
    if is_whole(path):
        return path
    if not graph and not can_export():
        _slow(f'{backbone.name} runs in torch. ONNX Runtime is mostly quicker: pip install "tl-course[onnx]"')
        return None
    net = body() if body else create(backbone.name, pooling=backbone.pooling)
    state = net.state_dict()
    if graph and graph.fits(state):
        return graph.filled({name: state[name].float().cpu().numpy() for name in graph.shapes}, backbone.pooling)
    try:
        with Bar(f"exporting {backbone.name}, this once"):
            return export(net, backbone.picture_size, path)
    except Exception as error:  # of any kind: two exporters and a runtime have theirs
        reason = " ".join(str(error).split())[:200]
        _slow(f"{backbone.name} cannot be exported to ONNX ({reason}): it runs in torch, which takes longer.")
        return None


def _slow(why: str) -> None:
    warnings.warn(why, TLCourseWarning, stacklevel=4)
