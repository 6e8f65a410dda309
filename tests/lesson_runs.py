"""A lesson run from top to bottom by a command of its own, with the network cut."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any


def without_network() -> list[str]:
    """Words to put before a command so that it sees no network interface; none where this machine has no way to."""
    for words in (["unshare", "--map-root-user", "--net"], ["bwrap", "--dev-bind", "/", "/", "--unshare-net"]):
        if (
            shutil.which(words[0])
            and subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
        ):
            return words
    return []


def run_lesson(name: str, out: Path, *options: str, before: list[str], enforced: bool = False) -> dict[str, Any]:
    budgets = "--enforce-budgets" if enforced else "--no-budgets"
    command = [*before, sys.executable, "-m", "tl_course.cli", "run", name, "--out", str(out), budgets, "--json"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lesson: dict[str, Any] = json.loads(done.stdout)["lessons"][0]
    return lesson


def written_to_stderr(lesson: dict[str, Any]) -> list[dict[str, Any]]:
    """Outputs of the executed lesson that a notebook shows in red."""
    notebook = json.loads(Path(lesson["notebook"]).read_text("utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    return [output for output in outputs if output.get("name") == "stderr"]
