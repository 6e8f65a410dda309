"""An executed notebook as one HTML file that needs nothing else: no network, no kernel."""

import copy
import html
import logging
import re
import unicodedata
from collections.abc import Mapping
from functools import cache, wraps
from typing import Any
from urllib.parse import unquote

__all__ = ["canonical_name", "to_html"]

# nbconvert's lab page without the scripts that it fetches from the net (RequireJS, MathJax, Mermaid, widget manager).
_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""
_NAMED = "text/x-attachment"
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
_SRC = re.compile(r"""(\bsrc\s*=\s*)(["'])attachment:(.*?)\2""", re.IGNORECASE | re.DOTALL)
_ALT = re.compile(r"""\balt\s*=\s*(["'])(.*?)\1""", re.IGNORECASE | re.DOTALL)


def to_html(notebook: Any, *, title: str) -> str:
    """A self-contained page of an executed notebook, with each widget shown by the static picture in its output."""
    from traitlets.config import Config

    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["title"] = title
    priority = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain"]
    silent = logging.getLogger("tl_course.notebooks.page")
    silent.setLevel(logging.ERROR)
    exporter = _exporter()(
        raw_template=_TEMPLATE, config=Config(NbConvertBase={"display_data_priority": priority}), log=silent
    )
    page, _ = exporter.from_notebook_node(notebook)
    return str(page)


@cache
def _exporter() -> Any:
    """The exporter of nbconvert, with images pasted into text cells found as Jupyter finds them."""
    from nbconvert.exporters.html import HTMLExporter

    class Exporter(HTMLExporter):
        @wraps(HTMLExporter.markdown2html)  # which also keeps its mark, for Jinja to hand over the context
        def markdown2html(self, context: Any, source: str) -> str:
            # nbconvert compares names letter by letter, and gives the whole page up where one is not found. It is
            # handed every name back instead, and what they stand for is put in afterwards, into images of HTML too.
            around = {"cell": {"attachments": _Names()}, "resources": context.get("resources", {})}
            attachments = context.get("cell", {}).get("attachments") or {}
            return _with_attachments(str(super().markdown2html(around, source)), attachments)

    return Exporter


class _Names(dict[str, dict[str, str]]):
    """Attachments as nbconvert asks for them: there is one of every name, and its data is the name."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> dict[str, str]:
        return {_NAMED: name}


def _with_attachments(page: str, attachments: Mapping[str, Any]) -> str:
    """`page` with attached images in place of their names; one that is missing leaves its alternative text."""
    known = {canonical_name(name): bundle for name, bundle in attachments.items()}

    def replace(image: re.Match[str]) -> str:
        tag = image[0].replace(f"data:{_NAMED};base64,", "attachment:")
        source = _SRC.search(tag)
        if source is None:
            return tag
        name = html.unescape(source[3])
        data = _data(attachments.get(name) or known.get(canonical_name(name)))
        if data is not None:
            return f'{tag[: source.start()]}{source[1]}"{html.escape(data)}"{tag[source.end() :]}'
        alternative = _ALT.search(tag)
        text = (alternative[2] if alternative else "") or html.escape(unquote(name))
        return f"<em>{text} (this image is missing)</em>"

    return _IMAGE.sub(replace, page)


def _data(bundle: Any) -> str | None:
    """The image of an attachment as an address; the one without loss, where there are several."""
    if not isinstance(bundle, Mapping):
        return None
    images = {kind: data for kind, data in bundle.items() if kind.startswith("image/") and data}
    order = [kind for kind in ("image/svg+xml", "image/png", "image/jpeg") if kind in images] or list(images)
    return f"data:{order[0]};base64,{''.join(images[order[0]]).strip()}" if order else None


def canonical_name(name: str) -> str:
    """One spelling for all under which a name may stand in a link: encoded once, twice or not, accents apart or not."""
    while (plain := unquote(name)) != name:
        name = plain
    return unicodedata.normalize("NFC", name).strip()
