"""HTML and SVG from a student, through a white list (nh3, which is the ammonia crate of Rust): nothing runs or fetches.

A style sheet is kept if all of it is plain, and names and classes get a prefix, so that neither reaches what surrounds
it on the page. What a picture needs (gradients, clips, glyphs that are used again) is kept in SVG.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree as ET

import nh3

from tl_course.grading.pages.safe_styles import (
    PREFIX,
    SHEET,
    class_name,
    is_risky,
    is_value,
    plain_sheet,
    plain_style,
    prefixed,
    within,
)  # fmt: skip

__all__ = ["IMAGES", "TOO_DEEP", "Cleaned", "clean_html", "clean_svg", "image_data", "parsed", "risky_math", "wrapped"]

IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp", "image/bmp"})

_SVG = {
    "svg", "g", "path", "rect", "circle", "ellipse", "line", "polyline", "polygon", "text", "tspan", "defs", "use",
    "symbol", "clipPath", "mask", "linearGradient", "radialGradient", "stop", "pattern", "marker", "image",
}  # fmt: skip
_TAGS = (set(nh3.ALLOWED_TAGS) - {"map", "area"}) | _SVG | {
    "font", "section", "progress", "meter", "audio", "video", "source", "input", "label", "tfoot", "big",
}  # fmt: skip
_WITHOUT_CONTENT = {
    "script", "style", "title", "desc", "metadata", "template", "noscript", "iframe", "object", "embed", "applet",
    "frameset", "noembed", "noframes", "textarea", "select", "xmp", "plaintext",
}  # fmt: skip
_ADDRESSES = {"href", "src"}
_ATTRIBUTES = {
    "*": {"id", "class", "style", "title", "lang", "dir", "align", "valign", "hidden", "role", "aria-label", "width",
          "height"},
    "a": {"href"}, "img": {"src", "alt"}, "audio": {"src", "controls"}, "video": {"src", "controls"},
    "source": {"src", "type"}, "input": {"checked"}, "progress": {"value", "max"},
    "meter": {"value", "min", "max", "low", "high", "optimum"}, "details": {"open"},
    "ol": {"start", "type", "reversed"},
    "font": {"color", "size", "face"}, "time": {"datetime"}, "data": {"value"}, "col": {"span"}, "colgroup": {"span"},
    "table": {"border", "cellpadding", "cellspacing", "bgcolor"}, "tr": {"bgcolor"},
    "td": {"colspan", "rowspan", "bgcolor", "nowrap"}, "th": {"colspan", "rowspan", "scope", "bgcolor", "nowrap"},
}  # fmt: skip
_DRAWN = {
    "viewBox", "version", "preserveAspectRatio", "xmlns", "d", "x", "y", "x1", "y1", "x2", "y2", "cx", "cy", "r", "rx",
    "ry", "dx", "dy", "fx", "fy", "points", "transform", "rotate", "fill", "fill-opacity", "fill-rule", "stroke",
    "stroke-width", "stroke-opacity", "stroke-linecap", "stroke-linejoin", "stroke-miterlimit", "stroke-dasharray",
    "stroke-dashoffset", "opacity", "color", "clip-path", "clip-rule", "clipPathUnits", "mask", "maskUnits",
    "maskContentUnits", "offset", "stop-color", "stop-opacity", "gradientUnits", "gradientTransform", "spreadMethod",
    "patternUnits", "patternContentUnits", "patternTransform", "marker-start", "marker-mid", "marker-end",
    "markerWidth", "markerHeight", "markerUnits", "refX", "refY", "orient", "font-family", "font-size", "font-style",
    "font-weight", "text-anchor", "dominant-baseline", "alignment-baseline", "baseline-shift", "letter-spacing",
    "textLength",
    "lengthAdjust", "visibility", "shape-rendering", "image-rendering", "text-rendering", "vector-effect", "href",
}  # fmt: skip

_HEADINGS = re.compile(r"h[1-6]")
_DATA = re.compile(r"data:([a-z]+/[\w.+-]+);base64,([A-Za-z0-9+/=\s]*)", re.IGNORECASE)
_SVG_DATA = re.compile(r"data:image/svg\+xml(?:;charset=[\w-]+|;utf-?8)?(;base64)?,(.*)", re.IGNORECASE | re.DOTALL)
_NESTING = re.compile(r"<(/?)([a-z][a-z0-9]*)", re.IGNORECASE)
_UNCLOSED = {"p", "li", "td", "th", "tr", "dt", "dd", "br", "hr", "img", "input", "wbr", "col", "source", "option"}
_DEEPEST = 300  # elements within each other; deeper ones take parsers a time that grows with the square
_FILE = re.compile(r"[^/\\?#:%]+(/[^/\\?#:%]+)*")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_INVISIBLE = re.compile(r"[\x00-\x20\x7f-\xa0\u200b-\u200f\u2028-\u202f\ufeff]")
_MACROS = re.compile(
    r"\\(href|url|require|class|cssId|style|html\w*|data|includegraphics|unicode|mmlToken|action|texttip|mathtip|toggle"
    r"|Tip|bbox\s*\[[^\]]*[:;(]|special|input|write|openin|def\s*\\csname|csname)(?![A-Za-z])|\\bbox\s*\[[^\]]*[:;(]"
)

# What is told of what is taken out: its kind, in a plain phrase. What is not here goes without a word.
_SUSPECTS = {
    "script": "a script", "iframe": "a frame", "frame": "a frame", "frameset": "a frame",
    "object": "an embedded object", "embed": "an embedded object",
    "applet": "an embedded object", "form": "a form", "button": "a form",
    "textarea": "a form", "select": "a form", "base": "a base address", "meta": "a meta element",
    "link": "a linked file", "foreignObject": "HTML within SVG", "portal": "a frame", "dialog": "a dialog",
    "template": "a template", "math": "MathML", "marquee": "moving text", "slot": "a template", "noscript": "a script",
}  # fmt: skip
TOO_DEEP = "HTML that is nested too deeply"
WEB_IMAGE = "an image on the web"
_MOVING = re.compile(r"<(animate\w*|set|handler|discard)\b", re.IGNORECASE)  # which the reader does not let through
_ON_PAGE = re.compile(r"<\s*(?:body|html|frameset)\b[^>]*?\bon\w+\s*=", re.IGNORECASE)


@dataclass
class Cleaned:
    """What was made of some HTML.

    Attributes
    ----------
    html : str
    taken : set of str
        What was taken out and has no business in homework, in phrases such as "a script".
    absent : set of str
        What is not shown though it does no harm: an image on the web.
    """

    html: str
    taken: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)


def clean_html(html: str, *, files: Collection[str] = (), attached: Mapping[str, str] | None = None,
               reserved: Collection[str] = ()) -> Cleaned:  # fmt: skip
    """HTML without whatever could run, fetch, navigate by itself, or reach beyond its place on a page.

    Parameters
    ----------
    html : str
    files : collection of str
        Names of files that lie beside the page: images among them are shown, others may be linked to.
    attached : mapping of str to str, optional
        Attachments of the cell, as addresses (``data:``) by name.
    reserved : collection of str
        Ids that the page around it uses.
    """
    if _is_too_deep(html):
        return Cleaned("", {TOO_DEEP})
    census = _census(html)
    policy = _Policy(files, attached or {}, reserved, census)
    body = policy.cleaner().clean(html)
    scope = f"{PREFIX}{zlib.crc32(html.encode('utf-8', 'replace')):08x}"
    if sheet := plain_sheet(html, scope):
        body = f'<div class="{scope}"><style>{sheet}</style>{body}</div>'
    return Cleaned(body, census.taken, census.absent)


def clean_svg(svg: str) -> Cleaned:
    """A picture in SVG, as XML that stands alone; empty where it is none."""
    svg = re.sub(r"^\s*(<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE[^>\[]*>|\s)*", "", svg, flags=re.DOTALL)
    if _is_too_deep(svg):
        return Cleaned("", {TOO_DEEP})
    census = _census(svg)
    policy = _Policy((), {}, (), census)
    sheet = plain_sheet(svg, "")
    body = policy.cleaner().clean(svg).replace("&nbsp;", "\u00a0").strip()
    body = re.sub(r"^<svg\b", '<svg xmlns:xlink="http://www.w3.org/1999/xlink"', body)
    try:
        root = ET.fromstring(body)
    except ET.ParseError:
        return Cleaned("", census.taken | {"a picture that is no SVG"}, census.absent)
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
        named = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}  # `href` alone does as well
        element.attrib.clear()
        element.attrib.update(named)
    if root.tag != "svg":
        return Cleaned("", census.taken | {"a picture that is no SVG"}, census.absent)
    root.set("xmlns", "http://www.w3.org/2000/svg")
    if sheet:
        style = ET.Element("style")
        style.text = sheet
        root.insert(0, style)
    return Cleaned(ET.tostring(root, encoding="unicode"), census.taken, census.absent)


def image_data(kind: str, data: Any) -> Cleaned:
    """The base64 of an image, empty if it is none of a kind that only shows; SVG is cleaned."""
    text = re.sub(r"\s", "", "".join(data) if isinstance(data, list) else str(data))
    if kind == "image/svg+xml":
        return _svg_data(text)
    return Cleaned(text if kind in IMAGES and re.fullmatch(r"[A-Za-z0-9+/]*={0,2}", text) else "")


def _svg_data(text: str) -> Cleaned:
    try:
        cleaned = clean_svg(base64.b64decode(text).decode("utf-8", "replace"))
    except (binascii.Error, ValueError):
        return Cleaned("")
    cleaned.html = base64.b64encode(cleaned.html.encode()).decode()
    return cleaned


def wrapped(html: str) -> str:
    """Cleaned HTML in a box that nothing in it shows beyond, if it has styles or pictures; no mathematics if risky."""
    marks = " tex2jax_ignore mathjax_ignore" if risky_math(html) else ""
    boxed = "style" in html or "<svg" in html
    if not marks and not boxed:
        return html
    style = ' style="contain:paint;overflow:auto"' if boxed else ""
    return f'<div class="{PREFIX}box{marks}"{style}>{html}</div>'


def risky_math(text: str) -> bool:
    """Whether what MathJax would set as mathematics can make links, styles or ids, or load something."""
    return bool(_MACROS.search(text))


def parsed(html: str) -> list[Any]:
    """The tags and texts of HTML in their order, to compare by: however it is written, as far as it does not matter."""
    parser = _Events()
    parser.feed(html)
    parser.close()
    return parser.found


def _is_too_deep(html: str) -> bool:
    depth = 0
    for closing, tag in _NESTING.findall(html):
        if tag.lower() not in _UNCLOSED:
            depth = max(0, depth - 1) if closing else depth + 1
        if depth > _DEEPEST:
            return True
    return False


class _Events(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[Any] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, sorted((name, value or "") for name, value in attrs)))
        if tag in ("br", "hr", "img", "input", "wbr", "col", "source"):
            self.found.append(("/", tag))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        self.found.append(("/", tag))

    def handle_data(self, data: str) -> None:
        self.found += [word for word in data.split() if word]

    def handle_comment(self, data: str) -> None:
        self.found.append(("comment", data))

    def handle_decl(self, decl: str) -> None:
        self.found.append(("declaration", decl))

    def handle_pi(self, data: str) -> None:
        self.found.append(("instruction", data))

    def unknown_decl(self, data: str) -> None:
        self.found.append(("unknown", data))


class _Census:
    """What is in some HTML, as a browser reads it, that will be taken out."""

    def __init__(self) -> None:
        self.taken: set[str] = set()
        self.absent: set[str] = set()

    def attribute(self, tag: str, name: str, value: str) -> str:
        plain = _INVISIBLE.sub("", value).lower()
        if name.startswith("on"):
            self.taken.add(f"an event handler ({name[:20]})")
        elif name == "style" and is_risky(value):
            self.taken.add("a style that fetches or moves things")
        elif name in ("href", "src", "action", "formaction", "data", "poster", "background", "srcset", "from", "to"):
            scheme = _SCHEME.match(plain)
            if scheme and scheme[1] in ("http", "https") and tag in ("img", "image", "audio", "video", "source"):
                self.absent.add(WEB_IMAGE)
            elif scheme and scheme[1] not in ("http", "https", "mailto", "data", "attachment"):
                self.taken.add(f"a link to {scheme[1][:20]}:")
            elif plain.startswith("data:") and not re.match(r"data:(image|audio|video)/", plain):
                self.taken.add("a link to data:")
            elif "formgrader" in unquote(plain) or (not scheme and re.search(r"%2f|%5c|%2e|\\", plain)):
                self.taken.add("a link into formgrader")
        elif name == "srcdoc":
            self.taken.add("a frame")
        elif name.startswith("data-"):
            self.taken.add("a control of the page around it")
        return value


_EVERY = {"href", "src", "action", "formaction", "data", "poster", "background", "srcset", "srcdoc", "style", "from",
          "to",
          "data-toggle", "data-target", "data-link", "data-dismiss"}  # fmt: skip
_ALL_TAGS = _TAGS | _SUSPECTS.keys() | {"style", "title", "desc"}


def _census(html: str) -> _Census:
    census = _Census()
    reader = nh3.Cleaner(
        tags=_ALL_TAGS, clean_content_tags=set(), attributes={"*": _EVERY}, generic_attribute_prefixes={"on"},
        attribute_filter=census.attribute, link_rel=None,
        url_schemes={"http", "https", "mailto", "data", "javascript", "vbscript", "file", "blob", "ftp", "about", "ws",
                     "filesystem", "view-source", "chrome", "livescript", "mhtml", "jar", "attachment", "tel"},
    )  # fmt: skip
    read = reader.clean(html)
    for tag, phrase in _SUSPECTS.items():
        if re.search(rf"<{tag}[\s>/]", read, re.IGNORECASE):
            census.taken.add(phrase)
    for sheet in SHEET.findall(read):
        if is_risky(sheet):
            census.taken.add("a style that fetches or moves things")
    if _MOVING.search(html):
        census.taken.add("an animation")
    if _ON_PAGE.search(html):
        census.taken.add("an event handler")
    return census


class _Policy:
    """What an attribute may be."""

    def __init__(
        self, files: Collection[str], attached: Mapping[str, str], reserved: Collection[str], census: _Census
    ) -> None:
        self._files, self._attached, self._reserved, self._census = files, attached, set(reserved), census

    def cleaner(self) -> nh3.Cleaner:
        attributes = {tag: set(names) for tag, names in _ATTRIBUTES.items()}
        for tag in _SVG:
            attributes[tag] = attributes.get(tag, set()) | _DRAWN
        return nh3.Cleaner(
            tags=_TAGS, clean_content_tags=_WITHOUT_CONTENT, attributes=attributes, attribute_filter=self.attribute,
            link_rel=None, url_schemes={"http", "https", "mailto", "data", "attachment"},
            set_tag_attribute_values={"input": {"type": "checkbox", "disabled": ""}},
        )  # fmt: skip

    def attribute(self, tag: str, name: str, value: str) -> str | None:
        if name in _ADDRESSES:
            return self._link(value) if tag == "a" else self._source(tag, value)
        if name == "id":
            free = _HEADINGS.fullmatch(tag) and value not in self._reserved and not value.startswith(PREFIX)
            return value if free else prefixed(value)
        if name == "class":
            return " ".join(map(class_name, value.split())) or None
        if name == "style":
            return plain_style(value)
        if (
            tag in _SVG
            and "(" in value
            and name not in ("title", "aria-label", "transform")
            and "Transform" not in name
        ):
            return within(value) if is_value(value) else None
        return value

    def _link(self, value: str) -> str | None:
        plain = _INVISIBLE.sub("", value)
        if plain != value.strip() or "formgrader" in unquote(unquote(plain)).lower():
            return None
        if value.startswith("#") or value.lower().startswith(("http:", "https:", "mailto:")):
            return value
        return value if self._is_there(value) else None

    def _source(self, tag: str, value: str) -> str | None:
        if tag == "use" or value.startswith("#"):
            return f"#{prefixed(value[1:])}" if re.fullmatch(r"#[\w.-]+", value) else None
        if found := _SVG_DATA.fullmatch(value):
            if tag == "image":
                return None
            plain = unquote(found[2])
            cleaned = _svg_data(plain if found[1] else base64.b64encode(plain.encode()).decode())
            self._census.taken |= cleaned.taken
            return f"data:image/svg+xml;base64,{cleaned.html}" if cleaned.html else None
        if found := _DATA.fullmatch(value):
            kind = found[1].lower()
            fits = kind in IMAGES if tag in ("img", "image") else kind.startswith(("audio/", "video/"))
            return value if fits else None
        if value.lower().startswith("attachment:"):
            return self._attached.get(value.partition(":")[2])
        if tag == "img" and self._is_there(value):
            return value if re.fullmatch(r"\.(png|jpe?g|gif|webp|bmp)", PurePosixPath(value).suffix.lower()) else None
        return None

    def _is_there(self, value: str) -> bool:
        name = unquote(value)
        return bool(_FILE.fullmatch(name)) and ".." not in name.split("/") and name.removeprefix("./") in self._files
