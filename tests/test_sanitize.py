"""What of a student's is shown in formgrader and in the feedback: honest text as it is, and nothing that acts."""

import base64
import io
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output, new_raw_cell
from payloads import EVIL, HONEST, SVG, texts

pytest.importorskip("nbgrader")
from nbconvert.exporters.html import HTMLExporter

from tl_course.grading.pages.sanitize import sanitize

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()


class Acting(HTMLParser):
    """Finds what a browser would run, fetch, or send somewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "iframe", "object", "embed", "form", "button", "textarea", "meta", "base", "link", "math"):
            self.found.append(tag)
        self.found += [value for name, value in attrs if name == "id" and value in ("why", "statusmessage")]
        for name, value in attrs:
            plain = re.sub(r"[\x00-\x20]", "", value or "").lower()
            if name.startswith(("on", "data-")) or name in ("srcdoc", "srcset", "poster"):
                self.found.append(name)
            if re.match(r"(java|vb)script:|data:text|.*formgrader|.*%2f", plain) and name in ("href", "src"):
                self.found.append(plain)
            if (name == "src" and not re.match(r"data:(image|audio|video)/|fig\.png$", plain)) or EVIL in plain:
                self.found.append(plain)
            if name == "style" and re.search(r"url\((?!#)|position:", plain):
                self.found.append(plain)


def shown(notebook: NotebookNode) -> str:
    """As formgrader shows it, without the page around it."""
    exporter = HTMLExporter(template_name="basic", extra_template_basedirs=[])
    page, _ = exporter.from_notebook_node(notebook)
    return str(page)


def cleaned(*cells: NotebookNode, **options: Any) -> tuple[NotebookNode, list[str], list[str]]:
    notebook = new_notebook(cells=list(cells))
    done = sanitize(notebook, files=["fig.png"], **options)
    return notebook, done.look, done.mended


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_stays_as_it_was_typed(text: str) -> None:
    notebook, look, mended = cleaned(new_markdown_cell(text))
    assert (notebook.cells[0].source, look, mended) == (text, [], [])


@pytest.mark.parametrize("number", range(len(texts("x"))))
@pytest.mark.parametrize("kind", ["markdown", "raw", "text/html", "text/markdown", "text/latex"])
def test_nothing_of_an_attack_acts_and_a_person_is_told(kind: str, number: int) -> None:
    attack = texts(kind)[number]
    if kind in ("markdown", "raw"):
        cell = (new_markdown_cell if kind == "markdown" else new_raw_cell)(attack)
    else:
        cell = new_code_cell("x", outputs=[new_output("display_data", data={kind: attack})])
    cell.metadata["nbgrader"] = {"grade_id": "why"}
    notebook, look, mended = cleaned(cell)
    acting = Acting()
    acting.feed(shown(notebook))
    assert not acting.found
    if kind == "markdown" and "# why" not in attack:
        assert [line for line in look + mended if line.startswith("why: ")]


def test_of_a_picture_in_svg_nothing_acts_and_one_of_matplotlib_is_all_there() -> None:
    from matplotlib.figure import Figure

    figure = Figure()
    axes = figure.subplots(1, 2)
    axes[0].plot([1, 2], label="a < b")
    axes[1].imshow([[1, 2], [3, 4]])
    drawn = io.StringIO()
    figure.savefig(drawn, format="svg")
    outputs = [new_output("display_data", data={"image/svg+xml": svg}) for svg in [drawn.getvalue(), *SVG]]
    notebook, look, _ = cleaned(new_code_cell("x", outputs=outputs))
    kept, *others = [output.data.get("image/svg+xml", "") for output in notebook.cells[0].outputs]
    for tag in ("path", "use", "image", "clipPath", "g"):
        assert kept.count(f"<{tag} ") == drawn.getvalue().count(f"<{tag} "), tag
    assert "stroke-linejoin: round" in kept and len(others) == len(SVG)
    acting = Acting()
    acting.feed("".join(others))
    assert not acting.found and "script" not in "".join(others)
    assert "a script" in look[0] and "an event handler (onload)" in look[0] and "an animation" in look[0]


def test_tables_of_pandas_keep_their_colours_and_libraries_are_no_attack() -> None:
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a < b": [1.5, -2.0]})
    styled = (
        '<style>#T_1_row0_col0 { background-color: #023858; }</style><table id="T_1"><tr>'
        '<td id="T_1_row0_col0" class="data row0 col0">1.5</td></tr></table>'
    )
    plotly = "<div><script>window.PlotlyConfig = {}</script><div class='plotly-graph-div'></div></div>"
    outputs = [new_output("display_data", data={"text/html": html}) for html in (table._repr_html_(), styled, plotly)]
    notebook, look, mended = cleaned(new_code_cell("x", outputs=outputs))
    first, second, third = (output.data["text/html"] for output in notebook.cells[0].outputs)
    assert 'class="dataframe"' in first and "a &lt; b" in first and "vertical-align: top" in first
    assert "#student-T_1_row0_col0 { background-color: #023858; }" in second and 'id="student-T_1_row0_col0"' in second
    assert "script" not in third
    assert look == [] and mended == ["cell 1: not shown: what only runs as a script of plotly."]


def test_pasted_images_are_found_by_any_spelling_and_one_that_is_lost_stops_nothing() -> None:
    found = new_markdown_cell("![one](attachment:my%20photo.png)", attachments={"my photo.png": {"image/png": PNG}})
    lost = new_markdown_cell("![the graph](attachment:lost.png) and more")
    no_image = new_markdown_cell("x", attachments={"a.html": {"text/html": "<script>"}, "b.png": {"image/png": '"<x>'}})
    notebook, look, _ = cleaned(found, lost, no_image)
    page = shown(notebook)
    assert f"data:image/png;base64,{PNG}" in page and 'alt="the graph"' in page
    assert notebook.cells[0].source == found.source and "attachments" not in notebook.cells[2]
    assert "cell 3: taken out of the text: an attachment of type text/html." in look


def test_what_a_template_would_write_as_it_stands_is_plain() -> None:
    size = {
        "image/png": {"width": "1 onerror=alert(1)", "height": 5},
        "width": 99_999,
        "filenames": {"image/png": f"{EVIL}/x"},
    }
    cell = new_code_cell("x", metadata={"tags": ['"><script>', "ok"], "transient": {"remove_source": True}})
    cell.outputs = [
        new_output("display_data", data={"image/png": PNG}, metadata=size | {"isolated": True, "width": 99_999}),
        new_output("stream", text="\x1b[31mred\x1b[0m \x1b[38mx\x1b]0;OWNED\x07\x1b[2J"),
        new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "IntSlider()"}),
    ]
    notebook = new_notebook(cells=[cell])
    cell.execution_count = "<script>"
    done = sanitize(notebook)
    kept = notebook.cells[0]
    assert kept.outputs[0].metadata == {"image/png": {"height": 5}}
    assert kept.outputs[1].text == "\x1b[31mred\x1b[0m x"
    assert kept.outputs[2].data == {"text/plain": "IntSlider()"}
    assert (kept.metadata, kept.execution_count, done.look) == ({"tags": ["ok"]}, None, [])
    shown(notebook)


def test_what_takes_a_parser_for_ever_is_shown_as_it_was_typed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tl_course.grading.pages.sanitize._SECONDS", 0.3)
    deep = new_code_cell("x", outputs=[new_output("display_data", data={"text/html": "<div>" * 200_000})])
    notebook, look, _ = cleaned(new_markdown_cell("![a](" * 20_000), deep)
    assert notebook.cells[0].source.startswith('<div class="tex2jax_ignore')
    assert "cannot be read" in look[0] and "nested too deeply" in look[1]
    monkeypatch.setattr("tl_course.grading.pages.sanitize._ALTOGETHER", 0.1)
    monkeypatch.setattr("tl_course.grading.pages.sanitize._LEAST", 0.05)
    _, look, _ = cleaned(*(new_markdown_cell("[x](" * 1_500) for _ in range(3)), new_markdown_cell("*x*"))
    assert len(look) > 1 and not [line for line in look if line.startswith("cell 4")]


def test_the_instructors_own_text_is_not_touched() -> None:
    text = '<iframe src="https://example.org/film"></iframe>'
    notebook, look, _ = cleaned(new_markdown_cell(text), trusted={text})
    assert (notebook.cells[0].source, look) == (text, [])
