"""The page that gives credit: who made each picture, under which licence, and where it comes from."""

import html
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from urllib.parse import quote, urlsplit

from tl_course.data.table import Picture

__all__ = ["credits_html", "credits_markdown"]

_UNKNOWN = frozenset({"", "unstated", "unknown", "none", "n/a", "?"})
_NO_LICENSE = "No known licence"
_RULE = "The rule by which the labels were given"
_ADVICE = "Ask their makers before you pass these pictures on."

_STYLE = """
:root { color-scheme: light dark; --line: #8884; --dim: #666 }
@media (prefers-color-scheme: dark) { :root { --dim: #aaa } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h2 { font-size: 1.15rem; margin: 2.5rem 0 .5rem }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; vertical-align: baseline; padding: .3rem .8rem .3rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere }
th { font-weight: 600; white-space: nowrap }
.file { font: .8rem ui-monospace, monospace; color: var(--dim) }
.n { text-align: right }
"""


def credits_html(pictures: Iterable[Picture], *, rule: str = "") -> str:
    """The credits as a web page of its own, without scripts and without anything from elsewhere.

    Where there is a `rule` by which the labels were given, it is on the page too, word for word.

    What pictures say of their origin was written by strangers: it is shown as text, and only http and https are linked.
    """
    groups = _groups(pictures)
    out = [
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">""",
        f"<title>Picture credits</title>\n<style>{_STYLE}</style>\n<h1>Picture credits</h1>",
        f"<p>{_total(groups)}</p>",
        *(
            [f"<h2>{_RULE}</h2>", *(f"<p>{_text(line)}</p>" for line in rule.splitlines() if line.strip())]
            if rule
            else []
        ),
        '<table><thead><tr><th scope="col">Source</th><th scope="col">Licence</th>'
        '<th scope="col" class="n">Pictures</th></tr></thead>',
    ]
    for (source, name, link), group in groups.items():
        out.append(f'<tr><td>{_text(source)}<td>{_a(name, link)}<td class="n">{len(group)}</tr>')
    out.append("</table>")
    for (source, name, link), group in groups.items():
        out.append(f"<h2>{_text(source)}: {_a(name, link)}</h2>")
        if name == _NO_LICENSE:
            out.append(f"<p>{_ADVICE}</p>")
        out.append(
            '<table><thead><tr><th scope="col">Picture</th><th scope="col">By</th><th scope="col">File</th></tr>'
        )
        out.append("</thead>")
        for one in group:
            title = _a(_title(one), _page(one))
            out.append(f'<tr><td>{title}<td>{_text(one.creator)}<td class="file">{_text(one.file_name)}</tr>')
        out.append("</table>")
    return "\n".join(out) + "\n</html>\n"


def credits_markdown(pictures: Iterable[Picture], *, rule: str = "") -> str:
    """The credits as Markdown, with the `rule` of the labels where there is one.

    What strangers wrote is escaped, and only http and https are linked.
    """
    groups = _groups(pictures)
    said = [f"> {_escaped(line)}" if line.strip() else ">" for line in rule.splitlines()]
    out = ["# Picture credits", "", _total(groups), ""]
    out += [f"## {_RULE}", "", *said, ""] if rule else []
    out += ["| Source | Licence | Pictures |", "|---|---|---:|"]
    for (source, name, link), group in groups.items():
        out.append(f"| {_escaped(source)} | {_link(name, link)} | {len(group)} |")
    for (source, name, link), group in groups.items():
        out += ["", f"## {_escaped(source)}: {_link(name, link)}", ""]
        out += [_ADVICE, ""] * (name == _NO_LICENSE)
        for one in group:
            by = f" by {_escaped(one.creator)}" if one.creator.strip() else ""
            out.append(f"- {_link(_title(one), _page(one))}{by}, {_escaped(one.file_name)}")
    return "\n".join(out) + "\n"


_Group = tuple[str, str, str]  # source, licence, the licence's address


def _groups(pictures: Iterable[Picture]) -> dict[_Group, list[Picture]]:
    """Pictures by source and licence, the largest group first."""
    groups: defaultdict[_Group, list[Picture]] = defaultdict(list)
    for one in sorted(pictures, key=lambda picture: picture.file_name):
        known = one.license.strip().lower() not in _UNKNOWN
        link = _web(one.extra.get("license_url", "")) if known else ""
        groups[_origin(one), one.license.strip() if known else _NO_LICENSE, link].append(one)
    return dict(sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])))


def _origin(one: Picture) -> str:
    """What the source of a picture shares with that of others: "repository:a/picture.jpg" lies in "repository"."""
    text = one.source.strip()
    if _web(text):
        return urlsplit(text).netloc
    name, _, rest = text.partition(":")
    return (name if "/" in rest else text).partition("#")[0] or "Source not recorded"


def _total(groups: dict[_Group, list[Picture]]) -> str:
    counts: Counter[str] = Counter()
    for (_, name, _), group in groups.items():
        counts["known" if name != _NO_LICENSE else "unknown"] += len(group)
    text = f"{counts.total()} pictures: {counts['known']} under a licence that is known"
    return f"{text}, {counts['unknown']} under none that is known." if counts["unknown"] else f"{text}."


def _title(one: Picture) -> str:
    return one.extra.get("title", "").strip() or one.label


def _page(one: Picture) -> str:
    return _web(one.extra.get("page", "")) or _web(one.url) or _web(one.source)


def _web(text: str) -> str:
    """An address that may be linked, else nothing."""
    text = text.strip()
    try:
        parts = urlsplit(text)
    except ValueError:
        return ""
    if parts.scheme.lower() not in ("http", "https") or not parts.netloc or not text.isprintable():
        return ""
    return quote(text, safe="/:?#[]@!$&*+,;=%~-._")


def _plain(text: str) -> str:
    """One line, without control characters and without marks that turn the direction of writing."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _text(text: str) -> str:
    return html.escape(_plain(text))


def _a(text: str, link: str) -> str:
    return f'<a href="{html.escape(link)}" rel="nofollow noreferrer">{_text(text)}</a>' if link else _text(text)


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_{}\[\]()#+!|~>$-])", r"\\\1", _plain(text).replace("&", "&amp;").replace("<", "&lt;"))


def _link(text: str, link: str) -> str:
    return f"[{_escaped(text)}](<{link.replace('|', '%7C')}>)" if link else _escaped(text)
