"""How fast, how big and how equal a backbone is on a CPU: filled graph in ONNX Runtime, its export there, torch itself.

    python benchmarks/backbone_runtimes.py [--backbone NAME] [--pooling gem] [--images 96]

Each way runs in a process of its own: seconds of CPU until the first vector (libraries, weights, the session), images a
second after that, the process's peak memory, and the largest difference from torch's vectors on the same random images.
The ways take turns, `--repeats` times; the fastest of each is printed.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

WAYS = ("graph", "export, first time", "export, again", "torch")


def measure(way: str, name: str, pooling: str, n: int, out: Path) -> dict[str, float]:
    import numpy as np

    from tl_course.features import Backbone, backbones, create, extraction
    from tl_course.features.onnx_models import shipped
    from tl_course.features.weights import PACKAGES

    body = None
    if name in PACKAGES:
        backbone = Backbone.get(name, pooling=pooling)
    else:  # without weights it is as fast
        import torch

        torch.manual_seed(0)
        backbone, body = Backbone.untrained(name, pooling=pooling), create(name, pretrained=False, pooling=pooling)
    if way == "graph" and not shipped(name):
        return {}
    if way.startswith("export"):
        backbones.shipped = lambda _: None  # type: ignore[assignment]
    if way == "torch":
        backbones.shipped, backbones.can_export = (lambda _: None), (lambda: False)  # type: ignore[assignment]
    side = backbone.picture_size
    images = np.random.default_rng(0).uniform(-1, 1, (n, 3, side, side)).astype(np.float32)
    before = cpu()
    run = extraction._runner(backbone, "cpu", (lambda: body) if body else None)
    run(images[:2])
    first = cpu() - before
    start, start_cpu = time.perf_counter(), cpu()
    vectors = np.concatenate([run(images[i : i + 2]) for i in range(0, n, 2)])
    seconds, used = time.perf_counter() - start, cpu() - start_cpu
    np.save(out, vectors)
    return {
        "first": first,
        "per_second": n / seconds,
        "cpu_ms": 1e3 * used / n,
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def cpu() -> float:
    return time.process_time() + sum(os.times()[2:4])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--pooling", default="avg")
    parser.add_argument("--images", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(json.dumps(measure(options.way, options.backbone, options.pooling, options.images, options.out)))
        return

    import numpy as np

    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    gaps: dict[str, float] = {}
    for _ in range(options.repeats):
        with tempfile.TemporaryDirectory() as folder:
            for way in WAYS:
                cache = f"{folder}/{way.partition(',')[0]}"  # torch is not to find the export
                environment = os.environ | {"TL_COURSE_CACHE": cache, "PYTHONWARNINGS": "ignore"}
                command = [sys.executable, __file__, *sys.argv[1:], "--way", way, "--out", f"{folder}/{way}.npy"]
                done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
                if found := json.loads(done.stdout.splitlines()[-1]):
                    runs[way].append(found)
            theirs = np.load(f"{folder}/torch.npy")
            gaps = {way: float(np.abs(np.load(f"{folder}/{way}.npy") - theirs).max()) for way in WAYS if runs[way]}
    print(f"{options.backbone}, {options.pooling} pooling, {options.images} images")
    print(f"{'way':20} {'first, CPU s':>12} {'images/s':>9} {'CPU ms/image':>13} {'peak MB':>8} {'max |diff|':>11}")
    for way in WAYS:
        if found := runs[way]:
            print(
                f"{way:20} {min(r['first'] for r in found):12.2f} {max(r['per_second'] for r in found):9.1f}"
                f" {min(r['cpu_ms'] for r in found):13.1f} {max(r['memory'] for r in found):8.0f} {gaps[way]:11.1e}"
            )


if __name__ == "__main__":
    main()
