"""Collecting pictures from a slow and faulty server: ours beside one after another.

    python benchmarks/collecting.py

A server in a process of its own hands out photo-like pictures (640 x 480, about 80 KB each), every answer 50 ms late;
of the requests 5 % end in an error 500 or in half a picture, in turns. The rows, each run in a process of its own with
an empty folder, the rows taking turns:

ours             `Source.collect` as it is
one connection   the same with one connection and one picture under way at a time
plain loop       what a notebook would do: urllib, Pillow, three tries without a pause, nothing checked or written down
"""

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

from reporting import RESULTS, machine, table, write

sys.path.insert(0, str(Path(__file__).parents[1]))

ROWS = {
    "ours": "tl-course, as it is",
    "one connection": "tl-course, one after another",
    "plain loop": "urllib and Pillow, one after another",
}
LATENCY = 0.05  # seconds a request
FAULTS = 0.05
PACKAGES = ("httpx2", "pillow", "imagehash", "tenacity")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", type=int, default=300, help="(300)")
    parser.add_argument("--runs", type=int, default=3, help="(3)")
    parser.add_argument("--out", type=Path, default=RESULTS / "collecting.json")
    options = parser.parse_args()
    command = [sys.executable, __file__, "serve", str(options.pictures)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin
        assert server.stdout
        url, bytes_each = server.stdout.readline().split()
        runs: dict[str, list[dict[str, Any]]] = {row: [] for row in ROWS}
        for number in range(options.runs):
            for row in ROWS:
                runs[row].append(measured(row, url, options.pictures))
                print(f"run {number + 1}, {row}: {runs[row][-1]['seconds']:.1f} s", file=sys.stderr)
        server.stdin.close()  # it ends with us
    report = {
        "pictures": options.pictures,
        "bytes_each": int(bytes_each),
        "latency": LATENCY,
        "faults": FAULTS,
        "rows": {row: summary(found) for row, found in runs.items()},
    } | machine(*PACKAGES)
    print(in_words(report))
    write(report, options.out)


def measured(row: str, url: str, n: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        command = [sys.executable, __file__, row, url, str(n), str(Path(folder) / "pictures")]
        environment = os.environ | {"TL_COURSE_CACHE": folder}
        start = time.perf_counter()
        done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
        return json.loads(done.stdout) | {"process_seconds": time.perf_counter() - start}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "seconds": statistics.median(run["seconds"] for run in runs),
        "process_seconds": statistics.median(run["process_seconds"] for run in runs),
        "runs": [round(run["seconds"], 2) for run in runs],
        "kept": [run["kept"] for run in runs],
    }


def in_words(report: dict[str, Any]) -> str:
    rows = report["rows"]
    ours = rows["ours"]["seconds"]
    return (
        f"{report['pictures']} pictures of {report['bytes_each'] / 1000:.0f} KB, {report['latency'] * 1000:.0f} ms a "
        f"request, {report['faults']:.0%} faults, {report['cores']} cores; medians of {len(rows['ours']['runs'])} runs"
        "\n\n"
    ) + table(
        [
            {
                "": row,
                "kept": min(found["kept"]),
                "collecting": f"{found['seconds']:.1f} s",
                "process": f"{found['process_seconds']:.1f} s",
                "ours is faster": "" if row == "ours" else f"{found['seconds'] / ours:.1f} x",
                "what": ROWS[row],
            }
            for row, found in rows.items()
        ]
    )


# ---- the rows --------------------------------------------------------------------------------------------------------


def ours(url: str, n: int, folder: Path) -> int:
    from tl_course.data.collection import Candidate
    from tl_course.net.http_client import Client
    from tl_course.sources import Source

    class Local(Source):
        name = "local"
        help = "the server beside"
        trusted = (url,)

        def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
            for number in range(n):
                yield Candidate(label=label, url=f"{url}/{number}.jpg", license="CC0-1.0", creator="numpy")

    return len(Local().collect(["noise"], n, folder).kept)


def one_connection(url: str, n: int, folder: Path) -> int:
    from tl_course.net import http_client
    from tl_course.sources import base

    http_client.CONNECTIONS = base.CONNECTIONS = base._AT_ONCE = 1
    return ours(url, n, folder)


def plain_loop(url: str, n: int, folder: Path) -> int:
    from PIL import Image

    folder.mkdir()
    kept = 0
    for number in range(n):
        for _ in range(3):
            try:
                with urllib.request.urlopen(f"{url}/{number}.jpg", timeout=10) as answer:
                    image = Image.open(io.BytesIO(answer.read())).convert("RGB")
            except (OSError, HTTPException):
                continue
            image.thumbnail((640, 640))
            image.save(folder / f"{number}.jpg", quality=90)
            kept += 1
            break
    return kept


def run(row: str, url: str, n: int, folder: Path) -> None:
    import numpy as np
    from PIL import Image

    import tl_course.sources.base  # noqa: F401
    from tl_course.data.collection import prepare

    # Importing libraries, some of them with the first picture, counts in the process's seconds and not in the row's:
    # a notebook does it once.
    first = io.BytesIO()
    Image.fromarray(np.zeros((96, 96, 3), np.uint8)).save(first, "JPEG")
    prepare(first.getvalue())
    function = {"ours": ours, "one connection": one_connection, "plain loop": plain_loop}[row]
    start = time.perf_counter()
    kept = function(url, n, folder)
    print(json.dumps({"seconds": time.perf_counter() - start, "kept": kept}))


# ---- the server ------------------------------------------------------------------------------------------------------


def photo(number: int) -> bytes:
    """A picture that compresses like a photo: smooth shapes, finer ones over them, and a little noise."""
    import numpy as np
    from PIL import Image

    random = np.random.default_rng(number)
    layers = []
    for cells, strength in ((8, 160), (40, 60), (160, 30)):
        coarse = random.integers(0, 256, (cells * 3 // 4, cells, 3), dtype=np.uint8)
        layer = Image.fromarray(coarse).resize((640, 480), Image.Resampling.BICUBIC)
        layers.append((np.asarray(layer, dtype=float) - 128) * strength / 255)
    pixels = sum(layers) + 128 + random.normal(0, 6, (480, 640, 1))
    file = io.BytesIO()
    Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


def serve(count: int) -> None:
    """Serve until stdin ends. Every 20th request fails, however many there are at a time."""
    import threading
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
    from itertools import count as counter

    pictures = {f"/{number}.jpg": photo(number) for number in range(count)}
    requests = counter(1)
    every = round(1 / FAULTS)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            data = pictures[self.path]
            time.sleep(LATENCY)
            number = next(requests)
            if number % (2 * every) == 0:
                self.send_error(500)
                return
            self.send_response(200)
            self.send_header("Content-Type", "image/jpeg")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            if number % every == 0:
                data, self.close_connection = data[: len(data) // 2], True
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            pass

    # with its own 5, some of the connections that come at once wait a second
    ThreadingHTTPServer.request_queue_size = 128
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    mean = sum(map(len, pictures.values())) // count
    print(f"http://127.0.0.1:{server.server_address[1]}", mean, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(int(sys.argv[2]))
    elif sys.argv[1:2] and sys.argv[1] in ROWS:
        run(sys.argv[1], sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
    else:
        main()
