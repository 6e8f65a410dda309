"""Writes the project's address into the README and the lessons, so that it stands in one place: ``make links``.

The address is `project.urls.Repository` in pyproject.toml. From it come the README's table of lessons with its badges
(between the two markers below), the line of links in the first text cell of each lesson, and the cell tagged
``install`` of each lesson and assignment. Running it twice changes nothing.
"""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from tl_course.core.files import atomic_path
from tl_course.errors import LessonError
from tl_course.notebooks.files import read_notebook

__all__ = ["BEGIN", "END", "MARK", "Lesson", "write_links"]

BEGIN, END = "<!-- lessons:begin -->", "<!-- lessons:end -->"
MARK = (
    "<!-- links -->"  # ends the line of links in a lesson: at its start, it would keep Markdown from reading the line
)

INSTALL = """\
# Brings the course to a machine that does not have it yet, as on Colab and Kaggle; elsewhere it does nothing.
import importlib.util

if importlib.util.find_spec("tl_course") is None:
    print("Installing the course; this takes a minute or so ...")
    %pip install --quiet "tl-course @ git+{address}"\
"""

HOSTS = {
    "Colab": (
        "https://colab.research.google.com/github/{slug}/blob/main/{path}",
        "https://colab.research.google.com/assets/colab-badge.svg",
    ),
    "Kaggle": (
        "https://kaggle.com/kernels/welcome?src={address}/blob/main/{path}",
        "https://kaggle.com/static/images/open-in-kaggle.svg",
    ),
    "Binder": (
        "https://mybinder.org/v2/gh/{slug}/main?urlpath=lab/tree/{path}",
        "https://mybinder.org/badge_logo.svg",
    ),
}


class Lesson:
    """One notebook of `lessons/`; its metadata says ``tl_course: {title, minutes, description}``."""

    def __init__(self, path: Path, address: str) -> None:
        self.path = path
        self.address = address
        self.notebook = read_notebook(path)
        self.about: dict[str, Any] = self.notebook.metadata.get("tl_course", {})
        missing = [key for key in ("title", "minutes") if key not in self.about]
        if missing:
            raise LessonError(
                f"{path} does not say its {' and '.join(missing)}. Add it to the notebook's metadata under "
                "'tl_course', such as {'title': 'Is it a bird?', 'minutes': 20}."
            )

    def hosts(self) -> dict[str, tuple[str, str]]:
        """The address of this lesson on each notebook host, and of that host's badge."""
        slug = self.address.removeprefix("https://github.com/")
        where = {"slug": slug, "address": self.address, "path": f"lessons/{self.path.name}"}
        return {host: (page.format(**where), badge) for host, (page, badge) in HOSTS.items()}

    def row(self) -> str:
        """This lesson's row in the README's table."""
        number = self.path.name.partition("_")[0].lstrip("0")
        badges = " ".join(f"[![Open in {host}]({badge})]({page})" for host, (page, badge) in self.hosts().items())
        title = f"[{number}. {self.about['title']}](lessons/{self.path.name})"
        return f"| {title} | {self.about.get('description', '')} | {self.about['minutes']} min | {badges} |"

    def write_links(self) -> bool:
        """Bring the line of links and the install cell up to date; True where that changed the file."""
        import nbformat

        text = next((cell for cell in self.notebook.cells if cell.cell_type == "markdown"), None)
        if text is None or not text.source.startswith("# "):
            raise LessonError(
                f"{self.path}: the first text cell has to start with the lesson's title, such as '# Birds'."
            )
        install = next((cell for cell in self.notebook.cells if "install" in cell.metadata.get("tags", [])), None)
        if install is None:
            raise LessonError(
                f"{self.path} has no cell tagged 'install'. Add an empty code cell with that tag at its start."
            )

        line = "Open in " + " · ".join(f"[{host}]({page})" for host, (page, _) in self.hosts().items()) + f" {MARK}"
        title, *rest = text.source.split("\n")
        if not any(old.endswith(MARK) for old in rest):
            rest = ["", line, *rest]
        new_text = "\n".join([title, *(line if old.endswith(MARK) else old for old in rest)])
        new_install = INSTALL.format(address=self.address)
        if (text.source, install.source) == (new_text, new_install):
            return False
        text.source, install.source = new_text, new_install
        with atomic_path(self.path) as part:
            nbformat.write(self.notebook, part)  # type: ignore[no-untyped-call]
        return True


def _write_install(path: Path, address: str) -> bool:
    """Bring the install cell of an assignment up to date; True where that changed the file."""
    import nbformat

    notebook = read_notebook(path)
    for cell in notebook.cells:
        if "install" in cell.metadata.get("tags", []) and cell.source != INSTALL.format(address=address):
            cell.source = INSTALL.format(address=address)
            with atomic_path(path) as part:
                nbformat.write(notebook, part)  # type: ignore[no-untyped-call]
            return True
    return False


def write_links(root: Path) -> list[Path]:
    """Bring README.md, every lesson and the assignments under `root` up to date with pyproject.toml.

    Returns
    -------
    list of Path
        The files that changed; empty where everything was the same already.

    Raises
    ------
    LessonError
        Where a marker, a lesson's title or its install cell is missing, or the address is not one on GitHub.
    """
    address: str = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", address):
        raise LessonError(
            f"'{address}' (pyproject.toml, project.urls.Repository) is not of the form https://github.com/OWNER/NAME, "
            "which Colab, Kaggle and Binder build their links from."
        )
    lessons = [Lesson(path, address) for path in sorted((root / "lessons").glob("*.ipynb"))]
    changed = [lesson.path for lesson in lessons if lesson.write_links()]
    changed += [
        path for path in sorted((root / "assignments/source").glob("*/*.ipynb")) if _write_install(path, address)
    ]

    readme = root / "README.md"
    text = readme.read_text("utf-8")
    for marker in (BEGIN, END):
        if text.count(marker) != 1:
            raise LessonError(
                f"{readme} has to hold the line {marker} exactly once, and holds it {text.count(marker)} times."
            )
    head, _, rest = text.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise LessonError(f"{readme}: {END} has to come after {BEGIN}.")
    table = [
        "| Lesson | What it is about | Takes | Open it in |",
        "|---|---|---|---|",
        *(lesson.row() for lesson in lessons),
    ]
    new = "\n".join([head + BEGIN, *table, END + tail])
    if new != text:
        with atomic_path(readme) as part:
            part.write_text(new, "utf-8")
        changed.append(readme)
    return changed


if __name__ == "__main__":
    try:
        files = write_links(Path.cwd())
    except LessonError as error:
        sys.exit(str(error))
    print("\n".join(f"changed {file}" for file in files) or "nothing to change")
