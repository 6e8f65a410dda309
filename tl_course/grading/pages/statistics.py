"""A page for the teacher on how an assignment went: marks, questions, wrong answers, what changed, marks over time."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

import nbformat

from tl_course.core.files import atomic_path
from tl_course.core.names import printable_lines
from tl_course.errors import GradingError
from tl_course.exercises.protocol import SHOWN
from tl_course.grading.batch.history import Run, runs
from tl_course.grading.batch.marks import is_test
from tl_course.grading.course import needs_nbgrader, titles
from tl_course.grading.gradebook import open_gradebook
from tl_course.grading.pages.item_statistics import Item, changes, common, items, nameless, totals
from tl_course.grading.pages.report import page

__all__ = ["report"]

_BINS = 10  # of the distribution
_SHOWN = 200  # changes on the page
_RUNS = 30  # of the last runs
_WRONG = 3  # answers that are shown of each question
_LONGEST = 1500  # letters of such an answer
_SURE = 30  # students, below which discrimination is a hint at most
_WEAK = 0.2


def report(name: str, *, course: Path) -> tuple[Path, dict[str, Any]]:
    """Write the page ``reports/NAME/statistics.html``; returns its path and the numbers on it.

    Marks are those in the gradebook, also what a person gave; what tests gave over time is from the runs of
    `tl-course grade`.

    Raises
    ------
    GradingError
        Nothing of this assignment has been graded.
    """
    needs_nbgrader()
    marks, of = _marks(course, name)
    if not marks:
        raise GradingError(f"Nothing of {name} has been graded: run `tl-course grade {name}` first.")
    headings: dict[tuple[str, str], str] = {}
    for path in sorted((course / "release" / name).glob("*.ipynb")):
        headings |= {(path.stem, cell): title for cell, title in titles(nbformat.read(path, 4)).items()}
    many = len({notebook for notebook, _ in of}) > 1
    keys = {about: "/".join(about) if many else about[1] for about in of}
    named = {student: {keys[about]: value for about, value in given.items()} for student, given in marks.items()}
    points = {keys[about]: value for about, value in of.items()}
    table = items(named, points)
    shares, incomplete = totals(named, points)
    past = runs(course / "reports" / name)
    changed = changes(past[-2].marks, past[-1].marks) if len(past) > 1 else []
    wrong = _Wrong(course, name, marks, of)
    about_of = {key: about for about, key in keys.items()}
    body = _html(
        students=len(marks),
        bins=_bins(shares),
        incomplete=incomplete,
        items=table,
        unmarked=[item.name for item in table if item.difficulty is None],
        hints={item.name: _hint(item) for item in table},
        headings={keys[about]: title for about, title in headings.items() if about in keys},
        wrong=[{"name": item.name} | found for item in table if (found := wrong.of_question(about_of[item.name]))],
        past=list(_means(past[-_RUNS:])),
        fresh=len(past[-1].marks.keys() - past[-2].marks.keys()) if len(past) > 1 else 0,
        changed=changed,
    )
    middle = f"mean {fmean(shares):.0%}, median {median(shares):.0%}" if shares else "nobody has all marks yet"
    spread = f", standard deviation {100 * stdev(shares):.0f} points of a hundred" if len(shares) > 1 else ""
    summary = f"{len(marks):,} submission{'s' * (len(marks) != 1)}: {middle}{spread}."
    target = course / "reports" / name / "statistics.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as part:
        text = page(f"{name}: how it went", summary, body, style=_STYLE)
        part.write_text(text, encoding="utf-8", errors="backslashreplace")
    return target, {
        "submissions": len(marks),
        "incomplete": incomplete,
        "mean": fmean(shares) if shares else None,
        "median": median(shares) if shares else None,
        "questions": [vars(item) for item in table],
        "changed": [vars(change) for change in changed],
    }


def _marks(course: Path, name: str) -> tuple[dict[str, dict[tuple[str, str], float | None]], dict[Any, float]]:
    """Points by student and (notebook, cell), and what each cell is out of, in one query."""
    from nbgrader.api import Assignment, Grade, GradeCell, Notebook, Student, SubmittedAssignment, SubmittedNotebook

    marks: dict[str, dict[tuple[str, str], float | None]] = {}
    of: dict[Any, float] = {}
    with open_gradebook(course) as gradebook:
        about = (Student.id, Notebook.name, GradeCell.name, GradeCell.max_score)
        given = (Grade.auto_score, Grade.manual_score, Grade.extra_credit, Grade.needs_manual_grade)
        rows = (
            gradebook.db.query(*about, *given)
            .select_from(Grade)
            .join(GradeCell, GradeCell.id == Grade.cell_id)
            .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
            .join(Notebook, Notebook.id == SubmittedNotebook.notebook_id)
            .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
            .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
            .join(Student, Student.id == SubmittedAssignment.student_id)
            .filter(Assignment.name == name)
            .order_by(Student.id)
        )
        for student, notebook, cell, most, auto, manual, extra, unsure in rows:
            points = auto if manual is None else manual
            known = None if unsure or points is None else float(points) + float(extra or 0)
            marks.setdefault(student, {})[notebook, cell] = known
            of[notebook, cell] = float(most)
    places = _places(course, name)
    return marks, dict(sorted(of.items(), key=lambda pair: places.get(pair[0], (len(places),))))


def _places(course: Path, name: str) -> dict[tuple[str, str], tuple[int, ...]]:
    """Where in the assignment a cell stands."""
    found: dict[tuple[str, str], tuple[int, ...]] = {}
    for path in sorted((course / "release" / name).glob("*.ipynb")):
        for cell in nbformat.read(path, 4).cells:
            if about := cell.metadata.get("nbgrader"):
                found[path.stem, about["grade_id"]] = (len(found),)
    return found


class _Wrong:
    """What was answered, and what the test said, where a question has not got all of its points."""

    def __init__(self, course: Path, name: str, marks: dict[str, dict[Any, float | None]], of: dict[Any, float]):
        self.said: dict[Any, list[str]] = {}
        self.answers: dict[Any, Counter[str]] = {}
        self.sources: dict[str, str] = {}
        for student, given in marks.items():
            for path in sorted((course / "autograded" / student / name).glob("*.ipynb")):
                answer = ""
                for cell in nbformat.read(path, 4).cells:
                    about = cell.metadata.get("nbgrader", {})
                    question = path.stem, about.get("grade_id")
                    if about.get("solution"):
                        answer = cell.source
                    points = given.get(question)
                    if question in of and is_test(cell) and points is not None and points < of[question]:
                        self.said.setdefault(question, []).append(_said(cell))
                        plain = nameless(answer)
                        self.sources.setdefault(plain, answer)
                        self.answers.setdefault(question, Counter())[plain] += 1

    def of_question(self, question: Any) -> dict[str, Any]:
        """The commonest sentences and answers, and how many answers there are; empty where there are none."""
        if not (said := self.said.get(question)):
            return {}
        given = self.answers[question].most_common(_WRONG)
        alike = [(self.sources[plain], n) for plain, n in given if n > 1 or len(said) <= _WRONG]
        return {"n": len(said), "said": common(said), "answers": alike}


def _said(cell: Any) -> str:
    """What a test said: its error, or the sentence that its author wrote for the student."""
    for output in cell.outputs:
        if output.output_type == "error":
            return f"{output.ename}: {output.evalue}".strip().removesuffix(":")
        if output.get("metadata", {}).get(SHOWN):
            text = output.get("text") or output.get("data", {}).get("text/plain", "")
            return "".join(text).strip()
    return "fewer points, and nothing said"


# --- the page ---------------------------------------------------------------------------------------------------------


def _bins(shares: list[float]) -> list[dict[str, Any]]:
    counts = [0] * _BINS
    for share in shares:
        counts[min(_BINS - 1, max(0, int(share * _BINS + 1e-9)))] += 1
    most = max(counts) or 1
    return [
        {"from": 100 * n // _BINS, "to": 100 * (n + 1) // _BINS, "n": count, "height": 8 * count / most}
        for n, count in enumerate(counts)
    ]


def _hint(item: Item) -> str:
    """Why a question is worth a look."""
    if item.difficulty is None:
        return ""
    if item.discrimination is not None and item.discrimination < _WEAK:
        return f"who does well elsewhere does {'hardly better' if item.discrimination >= 0 else 'worse'} here"
    if item.difficulty < _WEAK:
        return "few have it"
    return "nearly all have it" if item.difficulty > 0.95 else ""


def _means(past: Iterable[Run]) -> Iterator[tuple[Run, float | None]]:
    """Mean share of the points that tests gave, after each run."""
    for run in past:
        shares = []
        for given in run.marks.values():
            known = {cell: points for cell, points in given.items() if points is not None}
            if of := sum(run.of.get(cell, 0) for cell in known):
                shares.append(sum(known.values()) / of)
        yield run, fmean(shares) if shares else None


def _html(**values: Any) -> str:
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["shown"] = printable_lines
    environment.filters["share"] = lambda value: "" if value is None else f"{value:.0%}"
    environment.filters["when"] = lambda at: f"{at[:10]} {at[11:16]} UTC"
    environment.filters["mark"] = lambda value: "none" if value is None else f"{value:g}"
    environment.filters["count"] = lambda n, what: f"{n:,} {what}{'' if n == 1 else 's'}"
    return environment.from_string(_TEMPLATE).render(**values, shown=_SHOWN, sure=_SURE, longest=_LONGEST)


_TEMPLATE = """
{% macro bar(share) %}
<div class="track"><div class="bar" style="width:{{ '%.0f' | format(100 * (share or 0)) }}%"></div></div>
{% endmacro %}
<h2>Marks</h2>
<p>Students by their share of all points, in percent.
{% if incomplete %}{{ incomplete | count("submission") }} without all marks yet left out.{% endif %}
{% if unmarked %}Nobody has a mark yet of {{ unmarked | join(", ") }}, whose points are not counted.{% endif %}</p>
<div class="columns">
{% for bin in bins %}
<div class="column"><span>{{ bin.n or "" }}</span>
<div class="bar" style="height:{{ '%.2f' | format(bin.height) }}rem"></div>
<small>{{ bin.from }} to {{ bin.to }}</small></div>
{% endfor %}
</div>
<h2>Questions</h2>
<p>Difficulty is the mean share of the points: the higher, the easier. Discrimination is the correlation of a question's
points with those of all others (item-rest): above .4, who does well elsewhere does well here too; below .2, look at the
question, its text and its test (Ebel and Frisbie, <i>Essentials of Educational Measurement</i>, 1991).
{% if students < sure %}With fewer than {{ sure }} students, take it as a hint at most.{% endif %}</p>
<div class="wide"><table>
<thead><tr><th>question</th><th class="number">points</th><th class="number">difficulty</th><th></th>
<th class="number">discrimination</th><th class="number">all points</th><th class="number">none</th>
<th class="number">no mark yet</th><th>look, because</th></tr></thead>
<tbody>
{% for item in items %}
<tr><td>{{ headings.get(item.name) or item.name }}{% if headings.get(item.name) %}<br><small>{{ item.name }}</small>
{% endif %}</td><td class="number">{{ item.points | mark }}</td><td class="number">{{ item.difficulty | share }}</td>
<td>{{ bar(item.difficulty) }}</td>
<td class="number">{% if item.discrimination is not none %}{{ "%.2f" | format(item.discrimination) }}{% endif %}</td>
<td class="number">{{ item.full }}</td><td class="number">{{ item.none }}</td>
<td class="number">{{ item.missing or "" }}</td><td>{{ hints[item.name] }}</td></tr>
{% endfor %}
</tbody></table></div>
<h2>Commonest wrong answers</h2>
{% for question in wrong %}
<details{% if loop.index <= 3 %} open{% endif %}>
<summary>{{ question.name }}: {{ question.n | count("answer") }} without all points</summary>
<table class="said"><tbody>
{% for text, n in question.said %}
<tr><td class="number">{{ n }}</td><td>{{ text | shown }}</td></tr>
{% endfor %}
</tbody></table>
{% if question.answers %}
<p>Answers that are the same but for names and comments:</p>
<div class="answers">
{% for source, n in question.answers %}
<figure><figcaption>{{ n | count("student") }}</figcaption><pre>{{ source[:longest] | shown }}</pre></figure>
{% endfor %}
</div>
{% else %}
<p>No two answers are the same.</p>
{% endif %}
</details>
{% else %}
<p>There are none.</p>
{% endfor %}
{% if past %}
<h2>Since the last run</h2>
{% if past | length > 1 %}
<p>{{ past[-2][0].at | when }} to {{ past[-1][0].at | when }}: {{ fresh | count("student") }} graded for the first time,
{{ changed | length | count("mark") }} of tests changed.
{% if changed | length > shown %}The first {{ shown }} are shown.{% endif %}</p>
{% if changed %}
<div class="wide"><table>
<thead><tr><th>student</th><th>question</th><th class="number">before</th><th class="number">now</th></tr></thead>
<tbody>
{% for change in changed[:shown] %}
<tr><td>{{ change.student | shown }}</td><td>{{ change.question }}</td>
<td class="number">{{ change.before | mark }}</td><td class="number">{{ change.now | mark }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}
{% else %}
<p>There has been one run only.</p>
{% endif %}
<h2>Over time</h2>
<div class="wide"><table>
<thead><tr><th>run</th><th class="number">students</th><th class="number">mean by tests</th><th></th></tr></thead>
<tbody>
{% for run, mean in past %}
<tr><td>{{ run.at | when }}</td><td class="number">{{ run.marks | length }}</td>
<td class="number">{{ mean | share }}</td>
<td>{{ bar(mean) }}</td></tr>
{% endfor %}
</tbody></table></div>
{% endif %}
"""
_STYLE = """h2 { border-top: 1px solid #8884; padding-top: 1rem; }
table { border-collapse: collapse; }
th, td { text-align: left; vertical-align: top; padding: .3rem .7rem; border-bottom: 1px solid #8884; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
.said td.number { white-space: nowrap; overflow-wrap: normal; }
.wide { overflow-x: auto; }
.bar { background: light-dark(#2f6db5, #7db4f0); border-radius: 2px; }
.track { width: 8rem; background: #8882; border-radius: 2px; margin-top: .3rem; }
.track .bar { height: .8rem; }
.columns { display: flex; gap: .3rem; align-items: end; max-width: 44rem; }
.column { flex: 1; display: flex; flex-direction: column; align-items: center; font-size: 13px; min-width: 0; }
.column .bar { width: 100%; }
summary { cursor: pointer; font-weight: 600; padding: .4rem 0; overflow-wrap: anywhere; }
.said td { overflow-wrap: anywhere; white-space: pre-wrap; }
.answers { display: grid; grid-template-columns: repeat(auto-fit, minmax(18rem, 1fr)); gap: 1rem; }
figure { margin: 0; min-width: 0; }
pre { margin: .2rem 0 1rem; padding: .6rem .8rem; background: #8881; white-space: pre-wrap; overflow-wrap: anywhere;
  font-size: 13px; max-height: 22rem; overflow-y: auto; }"""
