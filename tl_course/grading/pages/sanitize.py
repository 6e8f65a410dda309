"""A student's notebook, made such that nothing of it runs, fetches or fakes where a person opens it.

Text that stays text is left as it was written: a cell is only rewritten where it would be shown as something that the
white list of `safe_html` does not have. Judged is what formgrader and the feedback make of it, for they read Markdown
with the same parser.
"""

import json
import re
import signal
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import monotonic
from types import FrameType
from typing import Any

from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.filters.strings import strip_files_prefix
from nbformat import NotebookNode

from tl_course.exercises.protocol import SHOWN
from tl_course.grading.notes import CHANGED, NOTES
from tl_course.grading.pages.safe_html import (
    IMAGES,
    TOO_DEEP,
    Cleaned,
    clean_html,
    clean_svg,
    image_data,
    parsed,
    risky_math,
    wrapped,
)
from tl_course.grading.pages.safe_styles import is_flat
from tl_course.notebooks.page import canonical_name

__all__ = ["Sanitized", "plain_text", "sanitize"]

_MOST_LINES = 12  # of what is told
_SECONDS, _ALTOGETHER = 5.0, 20.0  # in which a text, and all texts of a notebook, must have been read
_LEAST = 0.2  # seconds that a text has, however long those before it took
_LARGEST = 10_000  # pixels that an image is shown with
_UNREADABLE = "Markdown that cannot be read"
_PAGE_IDS = ("notebook", "notebook-container", "statusmessage", "toggle_names", "main", "MathJax_Message")
_ESCAPE = re.compile(  # of a terminal: colours are kept, all else that begins so goes
    r"\x1b\[(?P<colour>[\d;]*)m|\x1b\[[0-?]*[ -/]*[@-~]|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\Z)|\x1b[ -/]*[0-~]?", re.DOTALL
)
_CONTROL = re.compile(r"[\x00-\x07\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f-\x9f]|\x1b(?!\[[\d;]*m)")
_COLOUR = re.compile(r"(?:(?:[34]8;5;\d{1,3}|[34]8;2(?:;\d{1,3}){3}|(?![34]8)\d{1,3}|)(?:;|$))*")
_TAG = re.compile(r"</?[a-z][a-z0-9]*(?:\s+(?P<attributes>(?:[a-z][a-z-]*=\"[^\"<>&\\]*\"\s*)*))?\s*/?>", re.IGNORECASE)
_STYLED = re.compile(r"\bstyle=\"([^\"]*)\"", re.IGNORECASE)
_PLAIN_METADATA = {"tags", "collapsed", "scrolled", "deletable", "editable", "nbgrader", NOTES, CHANGED}
# Of libraries whose figures are interactive by a script of their own: not to see them so is nobody's fault.
_LIBRARIES = {
    "plotly": ("plotly",), "bokeh": ("bokeh", "bk-root"), "altair": ("vega",), "scikit-learn": ("sk-container-id",),
    "folium": ("leaflet",), "matplotlib's animation": ("animation/jshtml", "_anim_img"), "tqdm": ("tqdm",),
    "IPython": ("youtube.com/embed", "player.vimeo.com"), "shap": ("shap.", "SHAP"), "widgets": ("jupyter-widgets",),
}  # fmt: skip
_QUIET = {  # left out without a word: what is shown in their place says the same
    "application/vnd.jupyter.widget-view+json", "application/vnd.jupyter.widget-state+json", "application/pdf",
    "application/vnd.dataresource+json", "application/vnd.google.colaboratory.intrinsic+json",
}  # fmt: skip


@dataclass
class Sanitized:
    """What was done to a notebook.

    Attributes
    ----------
    look : list of str
        What was taken out, cell by cell, in sentences: it has no business in homework.
    mended : list of str
        What is not shown though it does no harm.
    """

    look: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)


def sanitize(notebook: NotebookNode, *, trusted: Collection[str] = (), files: Collection[str] = ()) -> Sanitized:
    """Take out of a notebook, in place, whatever could act where it is opened.

    Parameters
    ----------
    notebook : NotebookNode
    trusted : collection of str
        Sources of text cells that are the instructor's own: they stay as they are.
    files : collection of str
        Names of what was handed in beside it.
    """
    done = Sanitized()
    _left[:] = [_ALTOGETHER]
    names = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    given = [str(name) for name in names if name]
    reserved = {*_PAGE_IDS, *given, *(f"{name}{more}" for name in given for more in ("-comment", "_extra_credit"))}
    for number, (cell, name) in enumerate(zip(notebook.cells, names, strict=True), 1):
        where = name or f"cell {number}"
        found = Cleaned("")
        _clean_metadata(cell)
        if cell.cell_type == "code":
            cell.execution_count = _number(cell.get("execution_count"))
            cell.outputs = [kept for output in cell.outputs if (kept := _output(output, found, reserved, done, where))]
        else:
            attached = _attachments(cell, found)
            if cell.source not in trusted:
                clean = _markdown if cell.cell_type == "markdown" else _raw
                cell.source = clean(cell.source, found, attached=attached, files=files, reserved=reserved)
            if cell.cell_type == "markdown":
                _name_attachments(cell)
        what = "what it shows" if cell.cell_type == "code" else "the text"
        if found.taken:
            done.look.append(f"{where}: taken out of {what}: {', '.join(sorted(found.taken))}.")
        if found.absent:
            done.mended.append(f"{where}: not shown: {', '.join(sorted(found.absent))}.")
    if len(done.look) > _MOST_LINES:
        rest = len(done.look) - _MOST_LINES
        done.look[_MOST_LINES:] = [f"From {rest} more cells the like was taken out."]
    return done


# --- text -------------------------------------------------------------------------------------------------------------


class _Renderer(IPythonRenderer):
    """nbconvert's, which also notes what HTML there is and which attachments are asked for."""

    def __init__(self, attached: Mapping[str, str]) -> None:
        self.html: list[str] = []
        known = _Attached(attached)
        self.asked = known.asked
        super().__init__(escape=False, attachments=known)

    def block_html(self, html: str) -> str:
        self.html.append(html)
        return super().block_html(html)

    def inline_html(self, html: str) -> str:
        self.html.append(html)
        return super().inline_html(html)

    def block_mermaidjs(self, code: str) -> str:
        self.html.append(code)  # nbconvert does not escape it
        return super().block_mermaidjs(code)


class _Attached(dict[str, dict[str, str]]):
    """Attachments as nbconvert asks for them, by whatever spelling of their names; one that is missing is empty."""

    def __init__(self, attached: Mapping[str, str]) -> None:
        super().__init__()
        self._known = {canonical_name(name): address for name, address in attached.items()}
        self.asked: list[str] = []

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> dict[str, str]:
        self.asked.append(name)
        kind, _, data = self._known.get(canonical_name(name), "data:image/png;base64,")[5:].partition(";base64,")
        return {kind: data}


def _rendered(source: str, attached: Mapping[str, str]) -> tuple[str, _Renderer]:
    renderer = _Renderer(attached)
    return str(strip_files_prefix(MarkdownWithMath(renderer=renderer).render(source))), renderer


def _markdown(
    source: str, found: Cleaned, *, attached: Mapping[str, str] | None = None, files: Collection[str] = (),
    reserved: Collection[str] = (),
) -> str:  # fmt: skip
    """The source as it is, where all that is made of it is plain; otherwise the HTML that is made of it, cleaned."""
    source = _text(source)
    try:
        with _in_time():
            shown, renderer = _rendered(source, attached or {})
    except Exception:  # what the parser does not stand, formgrader's does not either
        found.taken.add(_UNREADABLE)
        return _typed(source)
    cleaned = clean_html(shown, files=files, attached=attached, reserved=reserved)
    lost = attached is None and renderer.asked  # what code shows has no attachments, and nbconvert would give up
    found.taken |= cleaned.taken
    found.absent |= cleaned.absent
    if TOO_DEEP in cleaned.taken:
        return _typed(source)
    if risky_math(cleaned.html):
        found.taken.add("mathematics with links or styles")
    elif not lost and all(map(_is_plain_html, renderer.html)) and parsed(shown) == parsed(cleaned.html):
        return source
    # As one block of HTML, which ends at an empty line, and which Markdown leaves alone.
    block = f"<div>{wrapped(cleaned.html)}</div>"
    block = re.sub(r"\n(?=\s*?\n)", "&#10;", re.sub(r"\r\n?|[\v\f\x85\u2028\u2029]", "\n", block)).strip()
    again, _ = _rendered(block, {})
    return block if parsed(again) == parsed(block) else _typed(source)


def _is_plain_html(text: str) -> bool:
    """Whether each tag is written such that everybody reads it alike, and no style does more than to colour."""
    styles = [style for tag in _TAG.finditer(text) for style in _STYLED.findall(tag["attributes"] or "")]
    return "<" not in _TAG.sub("", text) and all(map(is_flat, styles))


_left = [_ALTOGETHER]  # seconds


class _TooLongError(Exception):
    pass


@contextmanager
def _in_time() -> Iterator[None]:
    """Give a parser up that takes for ever: some text takes it a time that grows with its square, or worse."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def give_up(number: int, frame: FrameType | None) -> None:
        raise _TooLongError

    before, began = signal.signal(signal.SIGALRM, give_up), monotonic()
    signal.setitimer(signal.ITIMER_REAL, min(_SECONDS, max(_left[0], _LEAST)))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        _left[0] -= monotonic() - began


def _typed(source: str) -> str:
    """Text such that it is shown as it was typed."""
    letters = re.sub(r"[^\w .,]", lambda letter: f"&#{ord(letter[0])};", source)
    return f'<div class="tex2jax_ignore mathjax_ignore"><pre>{letters}</pre></div>'


def _raw(source: str, found: Cleaned, *, reserved: Collection[str] = (), **_: Any) -> str:
    source = _text(source)
    cleaned = clean_html(source, reserved=reserved)
    found.taken |= cleaned.taken
    if parsed(source) == parsed(cleaned.html) and not risky_math(source):
        return source
    return wrapped(cleaned.html)


def _attachments(cell: NotebookNode, found: Cleaned) -> dict[str, str]:
    """The images that were pasted into a cell, as addresses by name; what is none is taken out of the cell."""
    kept = NotebookNode()
    addresses = {}
    given = cell.pop("attachments", None)
    for name, bundle in given.items() if isinstance(given, Mapping) else ():
        for kind, data in bundle.items() if isinstance(bundle, Mapping) else ():
            cleaned = image_data(str(kind).lower(), data)
            found.taken |= cleaned.taken
            if cleaned.html:
                kept.setdefault(name, NotebookNode())[kind.lower()] = cleaned.html
                addresses[name] = f"data:{kind.lower()};base64,{cleaned.html}"
            elif not str(kind).startswith("image/"):
                found.taken.add(f"an attachment of type {str(kind)[:40]}")
    if kept:
        cell.attachments = kept
    return addresses


def _name_attachments(cell: NotebookNode) -> None:
    """Make all names fit: nbconvert compares them letter by letter, and gives a page up where one is missing."""
    kept = cell.get("attachments", NotebookNode())
    try:
        with _in_time():
            asked = _rendered(cell.source, {})[1].asked
    except Exception:  # a cell of the instructor's, which nobody can show
        return
    known = {canonical_name(name): bundle for name, bundle in kept.items()}
    for name in dict.fromkeys(asked):
        if name not in kept:
            kept[name] = known.get(canonical_name(name)) or NotebookNode({"image/png": ""})
    if kept:
        cell.attachments = kept


# --- outputs ----------------------------------------------------------------------------------------------------------


def _output(
    output: NotebookNode, found: Cleaned, reserved: Collection[str], done: Sanitized, where: str
) -> NotebookNode | None:
    kind = output.get("output_type")
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return NotebookNode(output_type="stream", name=name, text=plain_text(output.get("text", "")))
    if kind == "error":
        said = [plain_text(output.get(name, "")) for name in ("ename", "evalue")]
        lines = output.get("traceback")
        traceback = [plain_text(line) for line in lines] if isinstance(lines, list) else []
        return NotebookNode(output_type="error", ename=said[0], evalue=said[1], traceback=traceback)
    if kind not in ("display_data", "execute_result"):
        return None
    data = output.get("data")
    given = {str(kind): value for kind, value in data.items()} if isinstance(data, Mapping) else {}
    within = Cleaned("")
    kept = _bundle(given, within, reserved)
    library = next((name for name, signs in _LIBRARIES.items() if _is_of(given, signs)), None) if within.taken else None
    if library:
        within.absent.add(f"what only runs as a script of {library}")
    else:
        found.taken |= within.taken
    found.absent |= within.absent
    if not kept:
        left = ", ".join(sorted(given)) or "nothing"
        kept = NotebookNode({"text/plain": f"[Left out: {plain_text(left)}]"}) if given else NotebookNode()
    clean = NotebookNode(output_type=kind, data=kept, metadata=_image_metadata(output.get("metadata")))
    if kind == "execute_result":
        clean.execution_count = _number(output.get("execution_count"))
    return clean


def _bundle(given: Mapping[str, Any], found: Cleaned, reserved: Collection[str]) -> NotebookNode:
    kept = NotebookNode()
    for kind, value in given.items():
        if kind == "text/plain":
            kept[kind] = plain_text(value)
        elif kind == "text/html":
            cleaned = clean_html(_text(value), reserved=reserved)
            found.taken |= cleaned.taken
            found.absent |= cleaned.absent
            kept[kind] = wrapped(cleaned.html)
        elif kind == "text/markdown":
            kept[kind] = _markdown(value, found, reserved=reserved)
        elif kind == "text/latex":
            if risky_math(text := _text(value)):
                found.taken.add("mathematics with links or styles")
            else:
                kept[kind] = re.sub(r"<(?=[A-Za-z/!?])", r"\\lt ", plain_text(text))
        elif kind == "image/svg+xml":
            cleaned = clean_svg(_text(value))
            found.taken |= cleaned.taken
            if cleaned.html:
                kept[kind] = cleaned.html
        elif kind in IMAGES:
            if image := image_data(kind, value).html:
                kept[kind] = image
        elif kind == "application/json":
            kept[kind] = json.loads(json.dumps(value, default=str))
        elif "javascript" in kind or kind.startswith("text/vnd") or kind == "application/xhtml+xml":
            found.taken.add("a script" if "javascript" in kind else f"an output of type {kind[:40]}")
        elif kind not in _QUIET and not any(shown in given for shown in ("text/html", "image/png", "text/plain")):
            found.absent.add(f"an output of type {kind[:40]}")
    return kept


def _is_of(given: Mapping[str, Any], signs: Iterable[str]) -> bool:
    text = " ".join(given) + " ".join(str(value) for kind, value in given.items() if "html" in kind or "script" in kind)
    return any(sign in text for sign in signs)


def _image_metadata(metadata: Any) -> NotebookNode:
    """Of an output: how large an image is shown. What else there is, pages would write into their tags as it stands."""
    kept = NotebookNode()
    for name, value in metadata.items() if isinstance(metadata, Mapping) else ():
        is_size = name in ("width", "height") and isinstance(value, int | float) and not isinstance(value, bool)
        is_size = is_size and 0 < value <= _LARGEST
        is_choice = (name, value) in (("needs_background", "light"), ("needs_background", "dark"))
        if is_size or is_choice or (name in ("unconfined", SHOWN) and value is True):
            kept[name] = value
        elif name == "alt" and isinstance(value, str):
            kept[name] = plain_text(value)
        elif name in (*IMAGES, "image/svg+xml") and isinstance(value, Mapping):
            kept[name] = _image_metadata(value)
    return kept


def _clean_metadata(cell: NotebookNode) -> None:
    for name in set(cell.metadata) - _PLAIN_METADATA:  # nothing that hides a cell, names its id or has it trusted
        del cell.metadata[name]
    if "tags" in cell.metadata:
        tags = cell.metadata.tags if isinstance(cell.metadata.tags, list) else []
        cell.metadata.tags = [tag for tag in tags if isinstance(tag, str) and re.fullmatch(r"[\w.-]{1,60}", tag)]


def _number(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(value: Any) -> str:
    """As text that a file can hold."""
    text = "".join(map(str, value)) if isinstance(value, list) else str(value)
    return text.encode("utf-8", "replace").decode("utf-8")


def plain_text(value: Any) -> str:
    """Text of a terminal, with its colours and without whatever else it could tell a terminal to do."""
    text = _ESCAPE.sub(_colour, _text(value))
    return _CONTROL.sub("", text)


def _colour(escape: re.Match[str]) -> str:
    codes = escape["colour"]
    return escape[0] if codes is not None and _COLOUR.fullmatch(codes) else ""
