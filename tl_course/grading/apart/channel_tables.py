"""Arrays, tensors, tables and images as lists of plain values, and back; by libraries that are loaded already."""

import sys
from contextlib import suppress
from datetime import date, timedelta
from typing import Any

__all__ = ["is_scalar", "pack", "unpack"]

_KINDS = "?biufcUSMm"  # of NumPy's dtypes: no objects, no fields
_MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV", "LAB", "I", "F", "I;16")
_EXTENDED = ("Int8", "Int16", "Int32", "Int64", "UInt8", "UInt16", "UInt32", "UInt64", "Float32", "Float64",
             "boolean", "string")  # fmt: skip
_TENSORS = ("float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
            "complex64", "complex128")  # fmt: skip


_SCALARS = (int, float, complex, str, bytes, date, timedelta)  # those of Python's that others are made of


class _TooSpecialError(Exception):
    pass


def is_scalar(value: Any) -> bool:
    """Whether it is a number, text or time of NumPy's or pandas' own, which are also Python's."""
    return type(value).__module__.partition(".")[0] in ("numpy", "pandas") and isinstance(value, _SCALARS)


def pack(value: Any) -> list[Any] | None:
    """What `unpack` makes it from: a word, and plain values. None for what is of no such library, or too special."""
    try:
        for name, packing in _PACK:
            if name in sys.modules and (packed := packing(value)) is not None:
                return packed
    except _TooSpecialError:
        pass
    return None


def unpack(kind: str, *parts: Any) -> Any:
    """The value that was packed so.

    Raises
    ------
    Exception
        Of any kind, where nothing was packed so.
    """
    return _UNPACK[kind](*parts)


# ---- NumPy -----------------------------------------------------------------------------------------------------------


def _pack_numpy(value: Any) -> list[Any] | None:
    import numpy as np

    if isinstance(value, np.dtype) and value.kind in _KINDS and value.names is None:
        return ["dtype", value.str]
    if isinstance(value, np.generic) and value.dtype.kind in _KINDS:
        return ["number", value.dtype.str, value.tobytes()]
    if not isinstance(value, np.ndarray) or isinstance(value, np.ma.MaskedArray):
        return None
    if value.dtype.kind == "O":
        return ["objects", list(value.shape), list(value.flat)]
    if value.dtype.kind in _KINDS:
        return ["array", value.dtype.str, list(value.shape), np.ndarray.tobytes(value)]
    return None


def _dtype(text: str) -> Any:
    import numpy as np

    dtype = np.dtype(str(text))
    if dtype.kind not in _KINDS or dtype.names is not None or dtype.subdtype is not None:
        raise ValueError(text)
    return dtype


def _array(dtype: str, shape: list[int], data: bytes) -> Any:
    import numpy as np

    made = _dtype(dtype)
    if not made.itemsize:  # of empty texts
        return np.zeros(_shape(shape, 1 << 20), made)
    return np.frombuffer(bytearray(data), made).reshape(_shape(shape, len(data)))


def _objects(shape: list[int], values: list[Any]) -> Any:
    import numpy as np

    array = np.empty(len(values), object)
    for place, value in enumerate(values):
        array[place] = value
    return array.reshape(_shape(shape, len(values)))


def _number(dtype: str, data: bytes) -> Any:
    import numpy as np

    made = _dtype(dtype)
    return np.frombuffer(data, made)[0] if made.itemsize else made.type()


def _shape(shape: list[int], most: int) -> tuple[int, ...]:
    size = 1
    for length in shape:
        if type(length) is not int or length < 0:
            raise ValueError(shape)
        size *= length
    if size > most or len(shape) > 32:
        raise ValueError(shape)
    return tuple(shape)


# ---- torch -----------------------------------------------------------------------------------------------------------


def _pack_torch(value: Any) -> list[Any] | None:
    import torch

    if isinstance(value, torch.dtype | torch.device):
        return ["torch", type(value).__name__, str(value).removeprefix("torch.")]
    if not isinstance(value, torch.Tensor) or value.layout != torch.strided:
        return None
    name = str(value.dtype).removeprefix("torch.")
    if name not in _TENSORS or value.is_quantized:
        return None
    plain = value.detach().cpu().contiguous().resolve_conj().resolve_neg()
    data = plain.view(torch.int16) if name == "bfloat16" else plain
    kept = [bool(value.requires_grad), isinstance(value, torch.nn.Parameter)]
    return ["tensor", name, list(value.shape), data.numpy().tobytes(), *kept]


def _tensor(name: str, shape: list[int], data: bytes, learns: bool, is_parameter: bool) -> Any:
    import torch

    if name not in _TENSORS:
        raise ValueError(name)
    dtype = getattr(torch, name)
    shape = list(_shape(shape, len(data) + 1))
    tensor = torch.frombuffer(bytearray(data), dtype=dtype).reshape(shape) if data else torch.empty(shape, dtype=dtype)
    if is_parameter:
        return torch.nn.Parameter(tensor, requires_grad=bool(learns))
    return tensor.requires_grad_(bool(learns))


def _torch(kind: str, name: str) -> Any:
    import torch

    if kind == "device":
        return torch.device(str(name))
    if kind != "dtype" or not isinstance(found := getattr(torch, str(name)), torch.dtype):
        raise ValueError(name)
    return found


# ---- pandas ----------------------------------------------------------------------------------------------------------


def _pack_pandas(value: Any) -> list[Any] | None:
    import pandas as pd

    if value is pd.NaT or value is pd.NA:
        return ["nothing", "NaT" if value is pd.NaT else "NA"]
    if isinstance(value, pd.Timestamp):
        return ["moment", value.asm8, value.tz and str(value.tz)]
    if isinstance(value, pd.Timedelta):
        return ["span", value.asm8]
    if isinstance(value, pd.DataFrame):
        columns = [_column(value.iloc[:, place].array) for place in range(value.shape[1])]
        packed = ["frame", columns, _index(value.index), _index(value.columns)]
    elif isinstance(value, pd.Series):
        packed = ["series", _column(value.array), _index(value.index), value.name]
    elif isinstance(value, pd.Index):
        packed = ["index", _index(value)]
    else:
        return None
    return packed


def _column(values: Any) -> list[Any]:
    """The values of a column and how to make them."""
    import pandas as pd

    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return ["category", _index(dtype.categories), values.codes, bool(dtype.ordered)]
    if isinstance(dtype, pd.DatetimeTZDtype):
        return ["zoned", values.astype("datetime64[ns, UTC]").tz_localize(None).to_numpy(), dtype.unit, str(dtype.tz)]
    if str(dtype) in _EXTENDED:
        return ["extended", str(dtype), values.astype(object).tolist()]
    array = values.to_numpy() if pd.api.types.is_extension_array_dtype(dtype) else values.to_numpy(copy=False)
    known = str(dtype) if str(dtype) == "str" else ""  # pandas 3
    if array.dtype.kind not in _KINDS + "O":
        raise _TooSpecialError
    return ["plain", known, array]


def _index(index: Any) -> list[Any]:
    import pandas as pd

    if isinstance(index, pd.RangeIndex):
        return ["range", index.start, index.stop, index.step, index.name]
    if isinstance(index, pd.MultiIndex):
        return ["tuples", list(index), list(index.names)]
    return ["values", _column(index.array), index.name, getattr(index, "freqstr", None)]


def _made_column(kind: str, *parts: Any) -> Any:
    import pandas as pd

    if kind == "category":
        return pd.Categorical.from_codes(parts[1], _made_index(*parts[0]), ordered=bool(parts[2]))
    if kind == "zoned":
        unit = parts[1] if parts[1] in ("s", "ms", "us", "ns") else "ns"
        return pd.DatetimeIndex(parts[0]).tz_localize("UTC").tz_convert(str(parts[2])).as_unit(unit).array
    if kind == "extended" and parts[0] in _EXTENDED:
        return pd.array(parts[1], dtype=parts[0])
    if kind == "plain":
        return pd.array(parts[1], dtype="str") if parts[0] == "str" else parts[1]
    raise ValueError(kind)


def _made_index(kind: str, *parts: Any) -> Any:
    import pandas as pd

    if kind == "range":
        return pd.RangeIndex(*map(int, parts[:3]), name=parts[3])
    if kind == "tuples":
        return pd.MultiIndex.from_tuples(parts[0], names=parts[1])
    made = pd.Index(_made_column(*parts[0]), name=parts[1])
    if parts[2] and isinstance(made, pd.DatetimeIndex | pd.TimedeltaIndex):
        with suppress(ValueError):  # it is not so spaced
            made = type(made)(made, freq=str(parts[2]), name=parts[1])
    return made


def _frame(columns: list[Any], index: list[Any], names: list[Any]) -> Any:
    import pandas as pd

    rows = _made_index(*index)
    made = pd.DataFrame({place: pd.Series(_made_column(*one), rows) for place, one in enumerate(columns)}, index=rows)
    made.columns = _made_index(*names)
    return made


def _series(column: list[Any], index: list[Any], name: Any) -> Any:
    import pandas as pd

    return pd.Series(_made_column(*column), _made_index(*index), name=name)


def _nothing(which: str) -> Any:
    import pandas as pd

    return {"NaT": pd.NaT, "NA": pd.NA}[which]


def _moment(value: Any, zone: str | None) -> Any:
    import pandas as pd

    made = pd.Timestamp(value)
    return made.tz_localize("UTC").tz_convert(str(zone)) if zone else made


def _span(value: Any) -> Any:
    import pandas as pd

    return pd.Timedelta(value)


# ---- PIL -------------------------------------------------------------------------------------------------------------


def _pack_pil(value: Any) -> list[Any] | None:
    from PIL import Image

    if not isinstance(value, Image.Image) or value.mode not in _MODES:
        return None
    return ["image", value.mode, list(value.size), value.tobytes(), value.getpalette() if value.mode == "P" else None]


def _image(mode: str, size: list[int], data: bytes, palette: list[int] | None) -> Any:
    from PIL import Image

    if mode not in _MODES:
        raise ValueError(mode)
    image = Image.frombytes(mode, _shape(size, 8 * len(data)), data)  # type: ignore[arg-type]
    if palette is not None:
        image.putpalette([int(one) for one in palette])
    return image


_PACK = (("numpy", _pack_numpy), ("torch", _pack_torch), ("pandas", _pack_pandas), ("PIL", _pack_pil))
_UNPACK: dict[str, Any] = {
    "dtype": _dtype, "number": _number, "array": _array, "objects": _objects, "tensor": _tensor, "torch": _torch,
    "frame": _frame, "series": _series, "index": lambda index: _made_index(*index), "nothing": _nothing,
    "moment": _moment, "span": _span, "image": _image,
}  # fmt: skip
