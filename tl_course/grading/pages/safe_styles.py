"""Styles from a student: those that stay in their place, under names that the page around them does not use."""

import re

from pygments.token import STANDARD_TYPES  # type: ignore[import-untyped]

__all__ = ["PREFIX", "SHEET", "class_name", "is_flat", "is_risky", "is_value", "plain_sheet", "plain_style", "prefixed",
           "within"]  # fmt: skip

PREFIX = "student-"
# What a style may say: nothing that moves a thing out of its place, and no address but one within the picture.
_PROPERTIES = re.compile(
    r"(background|background-color|color|opacity|visibility|display|contain|box-sizing|float|clear|vertical-align|hyphens"
    r"|(max-|min-)?(width|height)|(margin|padding)(-(top|right|bottom|left))?|overflow(-[xy]|-wrap)?|object-(fit|position)"
    r"|border(-(top|right|bottom|left))?(-(color|style|width|radius|collapse|spacing))?|border(-[a-z]+){2}-radius"
    r"|font(-(family|size|style|weight|variant|variant-numeric|stretch))?|line-height|letter-spacing|word-(break|wrap)"
    r"|text-(align|decoration(-[a-z]+)?|transform|anchor|overflow|rendering|wrap)|white-space|list-style(-type)?|tab-size"
    r"|flex(-(direction|wrap|flow|grow|shrink|basis))?|(row-|column-)?gap|(align|justify)-(items|content|self)|order"
    r"|grid(-template)?(-(columns|rows|auto-flow))?|table-layout|caption-side|empty-cells|image-rendering|aspect-ratio"
    r"|(fill|stroke|stop|flood)(-[a-z]+)*|clip-path|clip-rule|mask|marker(-[a-z]+)?|shape-rendering|paint-order"
    r"|dominant-baseline|alignment-baseline|baseline-shift|vector-effect|mix-blend-mode|color-scheme)"
)
_VALUE = re.compile(r"[\w#%.,/+\s!\"'()-]*")
_NEGATIVE = re.compile(r"(?<!\w)-\s*[\d.]")
_FUNCTION = re.compile(r"([\w-]*)\(")
_FUNCTIONS = {"rgb", "rgba", "hsl", "hsla", "repeat", "minmax", "fit-content", "min", "max", "light-dark", "var", "url"}
_FLAT = re.compile(
    r"\s*((color|background-color|font(-[a-z]+)?|text-[a-z]+|width|height|max-width)\s*:\s*[\w#%., ]*;?\s*)*"
)
SHEET = re.compile(r"<style\b[^>]*>(.*?)</style>", re.IGNORECASE | re.DOTALL)
_RULE = re.compile(r"\s*([\w.#:*][\w\s.#:>+~*,()-]*)\{([^{}]*)\}\s*")
_NAMED = re.compile(r"([.#])(-?[A-Za-z_][\w-]*)")
_WITHIN = re.compile(r"url\(\s*([\"']?)#([\w.-]+)\1\s*\)")
_CLASSES = re.compile(
    r"dataframe|data|blank|index_name|(row|col)_(heading|trim)|(row|col|level)\d+|anchor-link|highlight|mermaid|jp-Mermaid"
    r"|language-[\w+#.-]*|task-list-item(-checkbox)?|tex2jax_ignore|mathjax_ignore"
)
_COLOURED = frozenset(STANDARD_TYPES.values())  # the classes of code in colours
_RISKY_STYLE = re.compile(
    r"url\s*\(\s*[\"']?\s*(?![\s\"'#]|data:)|expression\s*\(|@import|behavior\s*:|-moz-binding|javascript:"
    r"|(?<![\w-])position\s*:\s*(fixed|absolute|sticky)",
    re.IGNORECASE,
)


def is_risky(style: str) -> bool:
    """Whether a style or a style sheet would fetch something, run something, or leave its place."""
    return bool(_RISKY_STYLE.search(style))


def is_flat(style: str) -> bool:
    """Whether a style only colours and sets text."""
    return bool(_FLAT.fullmatch(style))


def prefixed(name: str) -> str:
    """A name of the student's own, such that the page around it has no other."""
    return name if name.startswith(PREFIX) else f"{PREFIX}{name}"


def plain_style(value: str) -> str | None:
    """Those declarations of a style that are plain; the very same text where all are."""
    wanted = [one for one in value.split(";") if one.strip()]
    kept = [one for one in wanted if _is_plain(one)]
    return within(value if kept == wanted else ";".join(kept)) or None


def within(value: str) -> str:
    """With what is named of the same picture under the name that it has now."""
    return _WITHIN.sub(lambda found: f"url(#{prefixed(found[2])})", value)


def _is_plain(declaration: str) -> bool:
    name, colon, value = declaration.partition(":")
    return bool(colon and _PROPERTIES.fullmatch(name.strip().lower()) and is_value(value))


def is_value(value: str) -> bool:
    """Whether a value of a property has no address but one within the picture, and no length below nought."""
    return bool(
        _VALUE.fullmatch(_WITHIN.sub("url()", value))
        and not _NEGATIVE.search(value)
        and all(name.lower() in _FUNCTIONS for name in _FUNCTION.findall(value))
        and len(_WITHIN.findall(value)) == value.lower().count("url(")
    )


def plain_sheet(html: str, scope: str) -> str:
    """The style sheets in some HTML, if all that they say is plain: for what stands in an element of class `scope`."""
    rules = []
    for sheet in SHEET.findall(html):
        text = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL).strip()
        text = text.removeprefix("<![CDATA[").removesuffix("]]>").strip()
        at = 0
        while at < len(text):
            rule = _RULE.match(text, at)
            if rule is None or not all(_is_plain(one) for one in rule[2].split(";") if one.strip()):
                return ""
            selectors = [one.strip() for one in re.split(r",(?![^()]*\))", rule[1])]
            if not all(re.match(r"[\w.#:*]", one) for one in selectors):  # not `+ …`: what comes after the element
                return ""
            scoped = ", ".join(f".{scope} {_selector(one)}" if scope else _selector(one) for one in selectors)
            rules.append(f"{scoped} {{{within(rule[2])}}}")
            at = rule.end()
    return "\n".join(rules)


def _selector(selector: str) -> str:
    def renamed(found: re.Match[str]) -> str:
        return found[1] + (class_name(found[2]) if found[1] == "." else prefixed(found[2]))

    return _NAMED.sub(renamed, selector)


def class_name(name: str) -> str:
    """A class under the name that it may have: as it is, where it is one of pandas' tables or of code in colours."""
    return name if name in _COLOURED or _CLASSES.fullmatch(name) else prefixed(name)
