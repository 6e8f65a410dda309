"""How fast this machine is at the kinds of work that lessons consist of, while they run.

A process of its own does a fixed, short piece of such work every few seconds, as long as lessons run: convolutions of
the backbone's kind forward and backward, an image drawn, blurred, encoded and decoded, and plain Python. It is judged
by its CPU seconds, not by the clock: waiting for a core that others hold costs none. Whatever does make a core slower,
such as its other hyperthread, a full memory bus or a low clock rate, slows a lesson and the pieces beside it alike.
"""

import io
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from statistics import median
from typing import IO, Self

from tl_course.notebooks.files import environment

__all__ = ["REFERENCE", "Speed", "piece_of_work"]

REFERENCE = 0.075
"""CPU seconds of one piece on the machine whose factor is 1: two cores of an AMD EPYC 9004 (Zen 4) with nothing else to
do, beside lesson 01. ``python benchmarks/machine_speed.py`` measures it anew."""

PAUSE = 2.0
"""Seconds between two pieces: they take some three hundredths of one core."""

LEAST = 5
"""Pieces that a factor is founded on: one alone may meet an interrupt, or caches that are still cold."""


class Speed:
    """The machine's factor, measured while a ``with`` block lasts: 1 is the reference machine, 2 one half as fast.

    Where it is not `wanted` nothing is measured: the work itself takes 0.6 GB and some seconds to load PyTorch.
    """

    def __init__(self, *, wanted: bool = True) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._pieces: list[float] = []
        self._said = b""
        self._changed = threading.Condition()
        self._ended = not wanted

    def __enter__(self) -> Self:
        if self._ended:
            return self
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tl_course.notebooks.speed"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # One thread: several would also measure how long they wait for each other.
            env=environment() | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
            start_new_session=True,
        )
        assert self._process.stdout is not None
        threading.Thread(target=self._listen, args=(self._process.stdout,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    @property
    def n(self) -> int:
        """How many pieces have been done so far."""
        return len(self._pieces)

    def factor(self, *, since: int = 0, wait: bool = False) -> float | None:
        """CPU seconds of a piece in relation to the reference, in the middle (median) of all those from `since` on.

        None if they are too few to say; with `wait` it is waited until there are enough, as long as any come.
        """
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._ended or self.n >= since + LEAST)
            pieces = self._pieces[since:]
        return median(pieces) / REFERENCE if len(pieces) >= LEAST else None

    @property
    def trouble(self) -> str:
        """Why nothing could be measured: the last line that the process left."""
        return self._said.decode("utf-8", "replace").strip()

    def _listen(self, stdout: IO[bytes]) -> None:
        for line in stdout:
            with self._changed:
                try:
                    self._pieces.append(float(line))
                except ValueError:
                    self._said = line
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()


def piece_of_work() -> Callable[[], float]:
    """A function that does one piece of work and returns the CPU seconds which that took."""
    parts = (_convolutions(), _images(), _plain_python)

    def work() -> float:
        started = time.process_time()
        for part in parts:
            part()
        return time.process_time() - started

    return work


def _convolutions() -> Callable[[], None]:
    """A forward pass, and a step of training, of a small network made of the default backbone's kind of blocks."""
    import torch
    from torch import nn

    def block(into: int, out: int, stride: int) -> nn.Module:
        """MobileNet's inverted residual block, without its shortcut."""
        inside = into * 6
        return nn.Sequential(
            *(nn.Conv2d(into, inside, 1, bias=False), nn.BatchNorm2d(inside), nn.ReLU6()),
            *(nn.Conv2d(inside, inside, 3, stride, 1, groups=inside, bias=False), nn.BatchNorm2d(inside), nn.ReLU6()),
            *(nn.Conv2d(inside, out, 1, bias=False), nn.BatchNorm2d(out)),
        )

    torch.manual_seed(0)
    torch.set_num_threads(1)
    net = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), block(16, 24, 2), block(24, 40, 2), block(40, 80, 2), block(80, 80, 1)
    )
    whole, small = torch.rand(1, 3, 288, 288), torch.rand(4, 3, 96, 96)

    def work() -> None:
        net.eval()
        with torch.no_grad():
            net(whole)
        net.train()
        net(small).square().mean().backward()
        net.zero_grad()

    return work


def _images() -> Callable[[], None]:
    """An image is drawn, blurred, written as JPEG, read again, scaled and normalised."""
    import numpy as np
    from PIL import Image, ImageDraw, ImageFilter

    noise = np.random.default_rng(0).integers(0, 256, (288, 288, 3), dtype=np.uint8)

    def work() -> None:
        image = Image.fromarray(noise)
        draw = ImageDraw.Draw(image)
        for x in range(0, 200, 4):
            draw.ellipse((x, x, x + 40, x + 60), fill=(x, 255 - x, 90))
        file = io.BytesIO()
        image.filter(ImageFilter.GaussianBlur(1.5)).save(file, "JPEG")
        again = np.asarray(Image.open(file).resize((224, 224), Image.Resampling.BICUBIC), dtype=np.float32) / 255
        (again - again.mean((0, 1))) / again.std((0, 1))

    return work


def _plain_python() -> None:
    counts: dict[int, int] = {}
    for number in range(50_000):
        counts[number % 997] = counts.get(number % 997, 0) + number % 7
    sorted(counts, key=str)


def _main() -> None:
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    work = piece_of_work()
    work()  # what is done once, such as choosing how to compute a convolution, is not measured
    while True:
        print(work(), flush=True)
        time.sleep(PAUSE)


def _end_with_the_parent() -> None:
    """Standard input closes when the process that started this one is gone, however it went."""
    os.read(0, 1)  # not through Python's buffer, which a process that ends meanwhile cannot lock
    os._exit(0)


if __name__ == "__main__":
    _main()
