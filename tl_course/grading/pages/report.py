"""Pages that a person reads: what happened to each submission, and the frame of any such page."""

from collections.abc import Mapping
from html import escape
from typing import Any

from tl_course.core.names import printable

__all__ = ["POLICY", "page", "points", "to_page"]

# Nothing that a student wrote into a page may run, fetch or send anything where it is opened.
POLICY = (
    '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
    "style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'\">"
)
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
{policy}
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; font: 15px/1.45 system-ui, sans-serif; }}
body {{ max-width: 80rem; margin: 2rem auto; padding: 0 1rem; }}
{style}
</style>
<h1>{title}</h1>
<p>{summary}</p>
{body}
</html>
"""
_STYLE = """table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .35rem .7rem; border-bottom: 1px solid #8884; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.look, td.rejected, td.failed { white-space: nowrap; }
th.list { width: 34%; }
ul { margin: 0; padding-left: 1.1rem; }
td.seconds::after { content: " s"; }
@media (max-width: 45rem) {
  thead { position: absolute; clip-path: inset(50%); }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid #8884; overflow-wrap: anywhere; }
  td { display: inline-block; padding: .1rem .7rem .1rem 0; border: 0; }
  td.number { text-align: left; white-space: normal; }
  td.list { display: block; }
  td:empty { display: none; }
  td.mended:not(:empty)::before { content: "mended:"; }
}
.look { color: light-dark(#9a4a00, #ffb070); }
.rejected, .failed { color: light-dark(#b00020, #ff8a8a); font-weight: 600; }"""
_HEAD = """<thead><tr><th>student</th><th>status</th><th class="number">points</th>
<th class="list">to have a look at</th><th class="list">mended</th><th class="number">time</th></tr></thead>"""
_ORDER = ("failed", "rejected", "look", "graded")
_WORDS = {"failed": "not graded", "rejected": "set aside", "look": "have a look", "graded": "graded"}


def page(title: str, summary: str, body: str, *, style: str) -> str:
    """A page of its own, without scripts; `title` and `summary` are text, `body` is HTML."""
    return _PAGE.format(policy=POLICY, title=escape(title), summary=escape(summary), body=body, style=style)


def to_page(
    assignment: str, submissions: list[dict[str, Any]], *, isolation: str, seconds: float, guarded: Mapping[str, str]
) -> str:
    """What became of each submission; what needs a person comes first. `guarded` tests shared the answers' process."""
    counts = {one: sum(submission["status"] == one for submission in submissions) for one in _ORDER}
    said = ", ".join(f"{count} {_WORDS[one]}" for one, count in counts.items() if count)
    how = "in bubblewrap" if isolation == "bwrap" else "WITHOUT isolation"
    ordered = sorted(submissions, key=lambda one: (_ORDER.index(one["status"]), one["student"]))
    rows = "\n".join(map(_row, ordered))
    return page(
        f"{assignment}: {len(submissions)} submissions",
        f"{said}. The last run took {seconds:.0f} s, {how}.",
        f"{_guarded(guarded)}<table>\n{_HEAD}\n<tbody>\n{rows}\n</tbody>\n</table>",
        style=_STYLE,
    )


def _guarded(guarded: Mapping[str, str]) -> str:
    if not guarded:
        return ""
    tests = _list([f"{test}: {why}." for test, why in guarded.items()])
    return f"<details><summary>Tests that share a process with answers: {len(guarded)}</summary>{tests}</details>\n"


def points(submission: dict[str, Any]) -> str:
    """Points given by tests, out of how many; what a person still has to give is said, not counted as nought."""
    known = {name: given for name, given in submission["marks"].items() if given is not None}
    if not submission["marks"]:
        return "none yet"
    missing = len(submission["marks"]) - len(known)
    text = f"{sum(known.values()):g} of {sum(submission['of'].values()):g}"
    left = sum(submission["of"][name] for name in submission["marks"] if name not in known)
    return text + (f" by tests, {left:g} from a person" if missing else "")


def _row(submission: dict[str, Any]) -> str:
    status = submission["status"]
    return (
        f'<tr><td>{escape(printable(submission["student"]))}</td><td class="{status}">{_WORDS[status]}</td>'
        f'<td class="number">{escape(points(submission))}</td><td class="list">{_list(submission["look"])}</td>'
        f'<td class="list mended">{_list(submission["mended"])}</td>'
        f'<td class="number seconds">{submission["seconds"]:.1f}</td></tr>'
    )


def _list(sentences: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{escape(printable(one))}</li>' for one in sentences)}</ul>" if sentences else ""
