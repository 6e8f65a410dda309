"""What this machine can compute with: the device that is asked for, and the cores that there are."""

import ctypes
import gc
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tl_course.errors import TLCourseError

if TYPE_CHECKING:
    import torch

__all__ = ["cores", "give_back_memory", "half_precision", "pick_device"]


def cores() -> int:
    """Number of processor cores that this process may use; a container may allow fewer than there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def pick_device(wanted: str = "auto") -> str:
    """The device to compute on: "cpu" or "cuda".

    Parameters
    ----------
    wanted : {"auto", "cpu", "cuda"}
        "auto" takes a GPU where torch can use one. Where there is no sign of a GPU, torch is not even imported.

    Raises
    ------
    TLCourseError
        "cuda" is wanted and torch cannot use a GPU here, or the name is none of the three.
    """
    if wanted not in ("auto", "cpu", "cuda"):
        raise TLCourseError(f"There is no device {wanted!r}: choose auto, cpu or cuda.")
    if wanted == "cpu" or (wanted == "auto" and not (Path("/dev/nvidia0").exists() or shutil.which("nvidia-smi"))):
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if wanted == "cuda":
        raise TLCourseError(
            "There is no GPU that torch can use here. Leave out the device (or choose cpu), or in Colab and Kaggle "
            "switch the runtime's accelerator to a GPU."
        )
    return "cpu"


def half_precision(device: str) -> "torch.autocast":
    """Compute in half precision while a ``with`` block lasts, where the device is made for it.

    That takes about half the time and keeps two or three digits: good for what is not learning. Where a CPU is not made
    for it, nothing changes.

    Parameters
    ----------
    device : {"cpu", "cuda"}
    """
    import torch

    if device != "cpu":
        return torch.autocast(device, torch.float16)
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return torch.autocast("cpu", torch.bfloat16, enabled=bool(able.get("avx512_bf16") or able.get("amx_bf16")))


def give_back_memory() -> None:
    """Return what training has freed to the system: the C library of Linux keeps half a gigabyte of it otherwise."""
    gc.collect()
    with suppress(OSError, AttributeError):  # another system, another C library
        ctypes.CDLL("libc.so.6").malloc_trim(0)
