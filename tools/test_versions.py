"""Install sets of versions into fresh environments, and run the quick tests and lesson 01 in each.

    python tools/test_versions.py [SET ...] [--python 3.12] [--keep]

Sets: ``oldest`` that the bounds in pyproject.toml allow and ``locked``, on each Python from 3.11 that is here;
``colab`` and ``kaggle``, from tests/versions/, on the Python that they have. There the course is installed as a student
does it, on top of what is there: where that would replace anything, the set has failed. Needs uv, an index and, for as
long as it runs, about 8 GB of disk for each set; CI runs it on a schedule (`make test-versions`), not on every change.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOSTS = ROOT / "tests" / "versions"
SETS = ("oldest", "locked", "colab", "kaggle")
FIRST_PYTHON, LAST_PYTHON = 11, 19  # 3.11 to 3.18
TOOLS = ["pytest>=8.3", "pytest-xdist>=3.6", "packaging>=24", "pyyaml>=6.0.2", "ruff>=0.9"]
UV = [sys.executable, "-m", "uv"]


class StepError(Exception):
    """A step went wrong: which, and what it said last."""


def pythons() -> dict[str, str]:
    """Interpreters from 3.11 on this machine, on the path or among pyenv's: version -> path."""
    found = {}
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    for minor in range(FIRST_PYTHON, LAST_PYTHON):
        for python in [f"python3.{minor}", *map(str, pyenv.glob(f"3.{minor}.*/bin/python"))]:
            asked = [python, "-c", "import sys, venv; print(sys.version_info[1])"]
            if shutil.which(python) and run(asked, check=False).stdout.strip() == str(minor):  # a shim may lead nowhere
                found[f"3.{minor}"] = python
    return found


def run(
    command: list[str], *, check: bool = True, cwd: Path = ROOT, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run a command without this checkout on Python's path; what it says is kept."""
    inherited = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        command, cwd=cwd, env=inherited | environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    if check and done.returncode:
        raise StepError(f"{' '.join(command[:6])} …\n{done.stdout[-3000:]}")
    return done


def install(name: str, environment: Path) -> str:
    """Install the set and the course; what installing the course adds to a host, in words."""
    python = ["--python", str(environment / "bin" / "python")]
    pip = [*UV, "pip", "install", "--no-config", *python]
    if name == "locked":
        run([*pip, "--requirement", "requirements.lock"])
        run([*pip, "--no-deps", "."])
        return ""
    if name == "oldest":
        # Wheels only: on a newer Python, the oldest version that was built for it.
        lowest = ["--resolution", "lowest-direct", "--only-binary", ":all:", "--extra", "run", "--extra", "weights"]
        run([*pip, *lowest, "--requirement", "pyproject.toml"])
        run([*pip, *TOOLS])
        run([*pip, "--no-deps", "."])
        return ""
    run([*pip, "--requirement", str(HOSTS / f"{name}.txt")])
    would = run([*pip, "--dry-run", "."]).stdout
    if replaced := re.findall(r"^ [-~] (\S+)", would, re.MULTILINE):
        raise StepError(f"installing the course would replace {', '.join(replaced)}")
    run([*pip, "."])
    added = len(re.findall(r"^ \+ ", would, re.MULTILINE))
    run([*pip, ".[run]", *TOOLS])  # Kaggle's nbconvert goes here: what runs a lesson headless is not for students there
    return f"adds {added} packages, replaces none; "


def test(environment: Path, work: Path, pytest: list[str]) -> str:
    """Run the quick tests and lesson 01; the last word of both."""
    here = {"TL_COURSE_CACHE": str(work / "cache"), "PATH": f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    python = str(environment / "bin" / "python")
    quick = [python, "-m", "pytest", "-n", "2", "--dist", "loadscope", "-q", "-m", "not slow and not browser", *pytest]
    done = run([*quick, "-p", "no:cacheprovider", f"--basetemp={work / 'tests'}"], check=False, **here)
    print(done.stdout[-6000:], flush=True)
    command = [str(environment / "bin" / "tl-course"), "run", "01_birds", "--source", "rendered", "--out", str(work)]
    lesson = run(command, check=False, cwd=work, **here)
    print(lesson.stdout[-2000:], flush=True)
    told = json.loads((work / "report.json").read_text()) if (work / "report.json").is_file() else {}
    accuracy = [one.get("records", {}).get("accuracy") for one in told.get("lessons", [])]
    words = f"{done.stdout.strip().splitlines()[-1].strip('= ')}; lesson 01 accuracy {accuracy}"
    if done.returncode or lesson.returncode:
        raise StepError(words)
    return words


def main() -> int:
    """Test the sets that are asked for; a line for each, and exit status 1 where one failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", metavar="SET", default=SETS, help=", ".join(SETS))
    parser.add_argument("--python", help="only on this one, as 3.12")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "tl-course-versions")
    parser.add_argument("--keep", action="store_true", help="leave the environments where they are")
    parser.add_argument("--pytest", nargs="*", default=[], help="what else to hand to pytest")
    options = parser.parse_args()
    lines, failed = [], False
    there = pythons()
    for name in options.sets:
        host = HOSTS / f"{name}.txt"
        own = re.findall(r"python (3\.\d+)", host.read_text("utf-8")) if host.is_file() else list(there)
        for version in own:
            if version not in there or options.python not in (None, version):
                lines.append(
                    f"{name} on Python {version}: not run, " + ("not asked for" if version in there else "not here")
                )
                continue
            work = options.folder / f"{name}-{version}"
            shutil.rmtree(work, ignore_errors=True)
            work.mkdir(parents=True)
            start = time.monotonic()
            try:
                run([*UV, "venv", "--no-project", "--quiet", "--python", there[version], str(work / "environment")])
                said = install(name, work / "environment") + test(work / "environment", work, options.pytest)
            except StepError as error:
                failed, said = True, f"FAILED: {error}"
            lines.append(f"{name} on Python {version}: {said} ({time.monotonic() - start:.0f} s)")
            print(lines[-1], flush=True)
            if not options.keep:
                shutil.rmtree(work, ignore_errors=True)
    print("", *lines, sep="\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
