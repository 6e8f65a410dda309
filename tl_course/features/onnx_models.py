"""Backbones as ONNX models: the graph of some ships with the package and is filled with weights; others are exported.

A shipped graph needs neither the package `onnx` nor torch. Such a file is a protocol buffer, and two of those one after
the other are their union (https://protobuf.dev/programming-guides/encoding/#last-one-wins): what a graph lacks is
appended to it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tl_course.core.files import atomic_path, sha256_of

if TYPE_CHECKING:
    from torch import nn

__all__ = ["DESCRIPTION", "GRAPHS", "Graph", "can_export", "export", "is_whole", "shipped"]

GRAPHS = Path(__file__).with_name("graphs")
"""Where the graphs lie that ``tools/onnx_graphs.py`` has written."""

DESCRIPTION = ("input_size", "picture_size", "interpolation", "mean", "std", "dim")
"""What is written beside a graph, of what `tl_course.features.backbones.Backbone` tells."""

_PARITY = 1e-3  # of the largest entry of a vector: two runtimes never agree to the last bit

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Graph:
    """A network without its weights.

    Attributes
    ----------
    onnx : bytes
        The ONNX model of all but weights and pooling: input ``pictures`` (n, 3, h, w), output ``vectors`` (n, dim).
    description : dict
        What the network expects: `DESCRIPTION`.
    shapes : dict of str to tuple of int
        The tensors that it needs, in timm's order.
    """

    onnx: bytes
    description: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]

    def named(self, tensors: Sequence[Array]) -> dict[str, Array]:
        """Tensors that come in timm's order, by name; further ones (a classifier's) are left."""
        return dict(zip(self.shapes, tensors, strict=False))

    def fits(self, tensors: Mapping[str, Any]) -> bool:
        """Whether every tensor that the graph needs is there, in its shape."""
        return all(name in tensors and tuple(tensors[name].shape) == shape for name, shape in self.shapes.items())

    def filled(self, tensors: Mapping[str, Array], pooling: str) -> bytes:
        """The whole ONNX model: the graph with weights and a pooling, "avg" or "gem" (see `pooling.GeM`)."""
        parts = [_initializer(name, np.asarray(tensors[name], np.float32)) for name in self.shapes]
        if pooling == "gem":
            parts += [
                _initializer("smallest", np.array(1e-6, np.float32)),
                _node("Mul", ["maps", "maps"], "squares"),
                _node("GlobalAveragePool", ["squares"], "mean"),
                _node("Max", ["mean", "smallest"], "above"),
                _node("Sqrt", ["above"], "pooled"),
            ]
        else:
            parts += [_node("GlobalAveragePool", ["maps"], "pooled")]
        parts += [_node("Flatten", ["pooled"], "vectors")]
        return self.onnx + _field(7, b"".join(parts))  # ModelProto.graph


@cache
def shipped(name: str) -> Graph | None:
    """The graph of the backbone `name`, where it ships with the package."""
    path = GRAPHS / f"{name}.onnx"
    if not path.is_file():
        return None
    about = json.loads(path.with_suffix(".json").read_text("utf-8"))
    return Graph(
        onnx=path.read_bytes(),
        description={key: tuple(about[key]) if key in ("mean", "std") else about[key] for key in DESCRIPTION},
        shapes={key: tuple(shape) for key, shape in about["tensors"].items()},
    )


# ---- the wire format of protocol buffers, as far as onnx.proto needs it here -----------------------------------------


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, content: bytes) -> bytes:
    """A field that has a length: a text, bytes, or a message of its own."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _initializer(name: str, array: Array) -> bytes:
    """GraphProto.initializer: a TensorProto of dims, data_type FLOAT, name and raw_data."""
    dims = b"".join(_varint(1 << 3) + _varint(size) for size in array.shape)
    data = np.ascontiguousarray(array, "<f4").tobytes()
    return _field(5, dims + _varint(2 << 3) + _varint(1) + _field(8, name.encode()) + _field(9, data))


def _node(operator: str, inputs: Sequence[str], output: str) -> bytes:
    """GraphProto.node: a NodeProto of input, output and op_type."""
    named = b"".join(_field(1, name.encode()) for name in inputs) + _field(2, output.encode())
    return _field(1, named + _field(4, operator.encode()))


# ---- exporting other networks ----------------------------------------------------------------------------------------


def can_export() -> bool:
    """Whether the packages are here with which torch exports a network to ONNX: the extra ``onnx``."""
    return bool(find_spec("onnx") and find_spec("onnxscript"))


def export(model: "nn.Module", side: int, path: Path) -> Path:
    """Export `model` to the file `path`, checked against torch.

    Parameters
    ----------
    model : torch module
        (n, 3, side, side) pictures in, (n, dim) vectors out.
    side : int
        Of the pictures, in pixels.
    path : path
        A file with the SHA-256 of its bytes is written beside it, for `is_whole`.

    Raises
    ------
    RuntimeError
        torch cannot export it, or ONNX Runtime and torch do not agree on random pictures.
    """
    import warnings

    import onnxruntime
    import torch

    model = model.eval().float().cpu()
    with atomic_path(path) as part, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # both exporters announce their own plans at length
        _to_onnx(model, torch.zeros(2, 3, side, side), part)
        pictures = torch.rand(3, 3, side, side, generator=torch.Generator().manual_seed(0)) * 2 - 1
        session = onnxruntime.InferenceSession(part, providers=["CPUExecutionProvider"])
        theirs = model(pictures).numpy()
        gap = np.abs(session.run(None, {"pictures": pictures.numpy()})[0] - theirs).max() / (1 + np.abs(theirs).max())
        if not gap < _PARITY:
            raise RuntimeError(f"what ONNX Runtime makes of it differs from torch by {gap:.1%}")
    with atomic_path(path.with_suffix(".sha256")) as part:
        part.write_text(sha256_of(path))
    return path


def is_whole(path: Path) -> bool:
    """Whether `export` has written this file, and it has not been damaged since."""
    try:
        return path.with_suffix(".sha256").read_text() == sha256_of(path)
    except OSError:
        return False


def _to_onnx(model: "nn.Module", example: Any, path: Path) -> None:
    """Export with the exporter that takes one second where torch still has it, else with the one that takes eight."""
    import torch

    names: dict[str, Any] = {"input_names": ["pictures"], "output_names": ["vectors"]}
    try:
        torch.onnx.export(
            model, (example,), path, dynamo=False, opset_version=17, dynamic_axes={"pictures": {0: "n"}}, **names
        )
    except Exception:  # gone from torch, or an operator that it lacks
        shapes = ({0: torch.export.Dim("n")},)
        torch.onnx.export(model, (example,), path, dynamo=True, dynamic_shapes=shapes, external_data=False, **names)
