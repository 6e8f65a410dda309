"""An executed notebook as one HTML file that needs nothing else: no network, no kernel."""

import copy
import logging
from typing import Any

__all__ = ["to_html"]

# nbconvert's lab page without the scripts that it fetches from the net (RequireJS, MathJax, Mermaid, widget manager).
_TEMPLATE = """{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""


def to_html(notebook: Any, *, title: str) -> str:
    """A self-contained page of an executed notebook, with each widget shown by the static picture in its output."""
    from nbconvert.exporters.html import HTMLExporter
    from traitlets.config import Config

    notebook = copy.deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    notebook.metadata["title"] = title
    priority = ["text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain"]
    silent = logging.getLogger("tl_course.notebooks.page")
    silent.setLevel(logging.ERROR)
    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        raw_template=_TEMPLATE, config=Config(NbConvertBase={"display_data_priority": priority}), log=silent
    )
    page, _ = exporter.from_notebook_node(notebook)
    return str(page)
