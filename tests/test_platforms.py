"""Collecting what platforms export, and writing the marks that they import."""

import json
import shutil
import stat
import zipfile
from pathlib import Path
from typing import Any

import pytest
from demo_course import SHOUT, SQUARE, WHY, answered, make_course
from platform_exports import EXPORTS, FILLED, MADE, ROSTER, TEMPLATES, zipped

pytest.importorskip("nbgrader")
from tl_course.cli import main
from tl_course.errors import GradingError
from tl_course.grading.platforms.collect import collect
from tl_course.grading.platforms.export_marks import export_marks
from tl_course.grading.submissions.submitted import Collected

TIMES = {  # when it was, in UTC, where the platform and the zone Europe/Berlin tell
    "blackboard": {
        "ada": "2026-10-01 07:30:00 UTC",
        "bob": "2026-10-01 18:00:05 UTC",
        "zoe": "2026-10-01 07:31:00 UTC",
    },
    "brightspace": {
        "ada": "2026-10-01 07:30:00 UTC",
        "bob": "2026-10-01 18:01:00 UTC",
        "zoe": "2026-10-01 10:30:00 UTC",
    },
    "gradescope": {
        "ada": "2026-10-01 07:30:00 UTC",
        "bob": "2026-10-01 20:00:05 UTC",
        "zoe": "2026-10-01 07:31:00 UTC",
    },
}


@pytest.fixture
def course(tmp_path: Path) -> Path:
    folder = tmp_path / "course"
    (folder / "source" / "demo").mkdir(parents=True)
    (folder / "source" / "demo" / "demo.ipynb").write_text("{}")
    (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    return folder


def take(course: Path, files: dict[str, str | bytes], **options: object) -> Collected:
    return collect("demo", zipped(course / "export.zip", files), course=course, **options)  # type: ignore[arg-type]


def handed_in(course: Path) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for path in sorted((course / "submitted").glob("*/demo/**/*")):
        if path.is_file():
            student, _, name = path.relative_to(course / "submitted").as_posix().split("/", 2)
            found.setdefault(student, {})[name] = path.read_text("utf-8")
    return found


# --- each platform ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("platform", EXPORTS)
@pytest.mark.parametrize("as_folder", [False, True])
def test_an_export_is_known_by_its_names_and_the_newest_attempt_counts(
    course: Path, platform: str, as_folder: bool
) -> None:
    source = zipped(course / "export.zip", EXPORTS[platform]("of ada", "of bob", "of zoe"))
    if as_folder:
        zipfile.ZipFile(source).extractall(course / "export")
        source = course / "export"
    done = collect("demo", source, course=course, timezone="Europe/Berlin")
    assert (done.platform, done.new, done.doubtful) == (platform, ["ada", "bob", "zoe"], [])
    assert done.absent == ["dee"]
    files = handed_in(course)
    for student in ("ada", "bob", "zoe"):
        (notebook,) = (content for name, content in files[student].items() if name.endswith(".ipynb"))
        assert notebook == f"of {student}"
    assert {student: theirs.get("timestamp.txt") for student, theirs in files.items()} == TIMES.get(
        platform, dict.fromkeys(files)
    )
    assert done.late == (["bob"] if platform == "canvas" else [])
    assert collect("demo", source, course=course, timezone="Europe/Berlin").unchanged == ["ada", "bob", "zoe"]
    assert handed_in(course) == files


@pytest.mark.parametrize("platform", ["blackboard", "brightspace"])
def test_a_time_without_a_zone_is_no_time(course: Path, platform: str) -> None:
    done = take(course, EXPORTS[platform]("a", "b", "c"))
    assert done.untimed == ["ada", "bob", "zoe"] and done.doubtful == []
    assert all("timestamp.txt" not in files for files in handed_in(course).values())
    (course / "submitted" / "zoe" / "demo" / "timestamp.txt").write_text("by hand")
    done = take(course, EXPORTS[platform]("a", "b", "c"), timezone="Europe/Berlin")  # the teacher tells it
    assert done.unchanged == ["ada", "bob", "zoe"]
    stamps = {student: files["timestamp.txt"] for student, files in handed_in(course).items()}
    assert stamps == TIMES[platform] | {"zoe": "by hand"}


def test_moodles_worksheet_tells_when_and_which_is_newer(course: Path) -> None:
    def worksheet(time: str) -> Path:
        path = course / "worksheet.csv"
        path.write_text(
            "Identifier,Full name,Username,Grade,Last modified (submission)\n"
            f'Participant 77001,Ada Lovelace,ada,,"Thursday, 1 October 2026, {time}"\n'
        )
        return path

    name = "Ada Lovelace_77001_assignsubmission_file_/demo.ipynb"
    take(course, {name: "first"}, roster=worksheet("9:30 AM"), timezone="Europe/Berlin")
    assert handed_in(course)["ada"] == {"demo.ipynb": "first", "timestamp.txt": "2026-10-01 07:30:00 UTC"}
    assert take(course, {name: "second"}, roster=worksheet("9:31 AM"), timezone="Europe/Berlin").newer == ["ada"]
    assert "newer, and stays" in take(course, {name: "first"}, roster=worksheet("9:30 AM")).doubtful[0][1]


def test_an_hour_that_comes_twice_is_no_certain_time(course: Path) -> None:
    take(course, {"D_alove_attempt_2026-10-25-02-30-00_demo.ipynb": "a"}, timezone="Europe/Berlin")
    assert handed_in(course) == {"ada": {"demo.ipynb": "a"}}
    with pytest.raises(GradingError, match="no time zone 'Berlin'"):
        take(course, {}, timezone="Berlin")


@pytest.mark.parametrize(
    ("name", "whose", "given"),
    [
        ("lovelaceada_501_9_demo.ipynb", "ada", "demo.ipynb"),
        ("lovelaceada_501_9_502_8_demo.ipynb", "ada", "502_8_demo.ipynb"),  # a file called so
        ("lovelaceada_501_9_2026_demo.ipynb", "ada", "2026_demo.ipynb"),
        ("lovelaceada_LATE_501_9_LATE_502_1_x.ipynb", "ada", "LATE_502_1_x.ipynb"),
        ("brownbob_502_1_demo-1.ipynb", "bob", "demo.ipynb"),  # the number is Canvas's
        ("eve_501_777_888_demo.ipynb", None, ""),  # eve calls herself eve_501
        ("lovelaceada_999_9_demo.ipynb", None, ""),  # another one of that name
        ("anon_x7Yz1_9_demo.ipynb", None, ""),
    ],
)
def test_whose_a_file_of_canvas_is(course: Path, name: str, whose: str | None, given: str) -> None:
    done = take(course, {name: "x", "deedee_504_1_demo.ipynb": "of dee"})
    files = handed_in(course)
    assert files.pop("dee") == {"demo.ipynb": "of dee"}
    assert files == ({whose: {given: "x"}} if whose else {})
    assert len(done.doubtful) == (0 if whose else 1)


def test_of_two_uploads_the_newest_counts_and_other_numbered_notebooks_stay(course: Path) -> None:
    files = {
        "lovelaceada_501_11_demo-2.ipynb": "new",
        "lovelaceada_501_10_demo.ipynb": "old",
        "lovelaceada_501_12_plan-1.ipynb": "one",
        "lovelaceada_501_13_plan-2.ipynb": "two",
    }
    done = take(course, files)
    assert sorted(handed_in(course)["ada"].values()) == ["new", "one", "two"]
    assert any("newest upload" in remark for remark in done.remarks)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        (["Demo_x_brown_attempt_2026-10-01-09-30-00_a.ipynb"], "Nobody on the roster has login brown"),
        ([f"1-2 - Ada Lovelace - 0{day}.10.2026 09 30/a.ipynb" for day in (1, 2)], "2 attempts"),
        ([f"{number}-2 - Ada Lovelace - Oct 1, 2026 930 AM/a.ipynb" for number in (1, 3)], "same time"),
        (["1-2 - Adam Smith - Oct 1, 2026 930 AM/a.ipynb"], "Nobody on the roster has name Adam Smith"),
        (["demo-ada-l/a.ipynb", "demo-bobby/a.ipynb", "other-zoe/a.ipynb"], "begins unlike the others"),
        (["demo-ada-l/a.ipynb", "demo-bobby-1/a.ipynb"], "ends with no GitHub name"),
    ],
)  # fmt: skip
def test_what_is_not_certain_is_asked_about(course: Path, names: list[str], why: str) -> None:
    certain = {name: "y" for name in names[:-1] if "demo-" in name}
    done = take(course, dict.fromkeys(names, "x"))
    assert len(done.doubtful) == 1 and why in done.doubtful[0][1], done.doubtful
    assert len(handed_in(course)) == len(certain)
    key = done.doubtful[0][0]
    if "--is" in done.doubtful[0][1]:
        assert take(course, dict.fromkeys(names, "x"), known={key: "dee"}).new == ["dee"]


def test_two_of_one_name_are_told_apart_by_the_teacher_only(course: Path) -> None:
    (course / "roster.csv").write_text('sep=;\nid;"Full, or other, name";Full name\ndoe1;;Jane Doe\ndoe2;;Jane Doe\n')
    files = {"7-1 - Jane Doe - Oct 1, 2026 930 AM/a.ipynb": "x", "8-1 - Jane Doe - Oct 1, 2026 931 AM/a.ipynb": "y"}
    done = take(course, files)
    assert not done.new and [key for key, _ in done.doubtful] == ["7-1 - Jane Doe", "8-1 - Jane Doe"]
    done = take(course, files, known={"7-1 - Jane Doe": "doe2", "8-1 - Jane Doe": "doe1"})
    assert done.new == ["doe1", "doe2"] and handed_in(course)["doe2"] == {"a.ipynb": "x"}
    with pytest.raises(GradingError, match="nobody is not on"):
        take(course, files, known={"7-1 - Jane Doe": "nobody"})
    with pytest.raises(GradingError, match="Nothing in the export is called 9-1"):
        take(course, files, known={"9-1": "doe1"})


def test_a_groups_work_is_collected_once_and_each_member_gets_the_mark(course: Path, marked: Path) -> None:
    done = take(course, {"red_LATE_502_1_demo.ipynb": "of red", "lovelaceada_501_2_demo.ipynb": "old"}, groups=True)
    assert not done.new and "nothing tells which is newest" in done.doubtful[0][1]
    both = {"redteam_LATE_500_1_demo.ipynb": "of red", "deedee_504_2_demo.ipynb": "of dee"}
    (course / "roster.csv").write_text(ROSTER.replace("red\n", "red team\n"), encoding="utf-8")
    done = take(course, both, groups=True)
    assert done.new == ["dee", "red team"] and done.late == ["red team"] and done.absent == ["zoe"]
    (course / "groups.csv").write_text("id,SID,group\nada,1,\neve,2,mallory\nmo,3,mallory\nx,4,../x\n")
    exported = export_marks("gradescope", course=marked, roster=course / "groups.csv", out=course / "out.csv")
    assert exported.marks == {"ada": 5, "eve": 9, "mo": 9} and exported.strangers == ["zoe"]
    assert "group '../x' cannot be used" in exported.remarks[0]


# --- again, and nothing is lost ---------------------------------------------------------------------------------------


def brown(time: str, content: str) -> dict[str, str | bytes]:
    return {f"Demo_b_brown_attempt_{time}_demo.ipynb": content}


def test_a_newer_attempt_takes_the_place_of_an_older_one_which_is_kept(course: Path) -> None:
    take(course, brown("2026-10-01-09-30-00", "first"))
    (course / "submitted" / "bob" / "demo" / "timestamp.txt").write_text("2026-10-01 07:30:00 UTC")  # by hand
    assert take(course, brown("2026-10-01-09-30-01", "second"), dry_run=True).newer == ["bob"]
    assert handed_in(course)["bob"]["demo.ipynb"] == "first"
    assert take(course, brown("2026-10-01-09-30-01", "second")).newer == ["bob"]
    assert handed_in(course)["bob"]["demo.ipynb"] == "second"
    (kept,) = (course / "downloaded" / "demo" / "replaced" / "bob").glob("*/demo.ipynb")
    assert kept.read_text() == "first"
    done = take(course, brown("2026-10-01-09-30-00", "first"))
    assert "newer, and stays" in done.doubtful[0][1] and handed_in(course)["bob"]["demo.ipynb"] == "second"


def test_what_was_changed_by_hand_or_has_no_time_is_replaced_only_when_told_to(course: Path) -> None:
    moodle = "Bob Brown_7_assignsubmission_file_/demo.ipynb"
    (course / "submitted" / "ada" / "demo").mkdir(parents=True)
    (course / "submitted" / "ada" / "demo" / "demo.ipynb").write_text("by hand")
    take(course, {moodle: "first"})
    both = {moodle: "second", "Ada Lovelace_8_assignsubmission_file_/demo.ipynb": "other"}
    done = take(course, both)
    assert not done.newer and ["by hand" in why for _, why in sorted(done.doubtful)] == [False, True]
    assert handed_in(course) == {"ada": {"demo.ipynb": "by hand"}, "bob": {"demo.ipynb": "first"}}
    assert take(course, both, replace=True).newer == ["ada", "bob"]
    kept = {path.read_text() for path in (course / "downloaded" / "demo" / "replaced").glob("*/*/demo.ipynb")}
    assert kept == {"by hand", "first"}


# --- archives that mean harm ------------------------------------------------------------------------------------------


def test_one_hostile_submission_is_left_out_and_the_others_are_taken(course: Path) -> None:
    files = EXPORTS["moodle"]("a", "b", "c")
    dee = "Dee Dee_77004_assignsubmission_file_"
    source = zipped(
        course / "export.zip",
        files
        | {
            f"{dee}/../../../evil.ipynb": "x",
            "/etc/evil": "x",
            f"{dee}/\x1b[2Jx.ipynb": "x",
            f"{dee}/timestamp.txt": "1970-01-01 00:00:00 UTC",
            f"{dee}/demo.ipynb": "of dee",
            f"{dee}/bomb.bin": b"\0" * (201 << 20),
        },
    )
    with zipfile.ZipFile(source, "a") as archive:
        link = zipfile.ZipInfo(f"{dee}/link.ipynb")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    done = collect("demo", source, course=course)
    assert done.new == ["ada", "bob", "dee", "zoe"]
    assert handed_in(course)["dee"] == {"demo.ipynb": "of dee"}
    assert len(done.doubtful) == 5 and not list(course.parent.rglob("evil*"))
    summary = done.summary()
    assert "\x1b" not in summary and "is a link" in summary and "larger than 200 MB" in summary
    assert "timestamp.txt of the student's own" in summary


def test_a_damaged_submission_stops_nobody(course: Path) -> None:
    source = zipped(course / "export.zip", EXPORTS["moodle"]("a" * 5000, "b", "c"))
    with zipfile.ZipFile(source) as archive:
        info = archive.infolist()[0]
    content = bytearray(source.read_bytes())
    content[info.header_offset + 30 + len(info.filename) + 3] ^= 0xFF
    source.write_bytes(content)
    done = collect("demo", source, course=course)
    assert done.new == ["bob", "zoe"] and "ada: it cannot be unpacked" in done.doubtful[0][1]


@pytest.mark.parametrize("content", [b"", b"Rar!\x1a\x07", b"PK\x03\x04 and no more"])
def test_what_is_no_zip_is_refused_in_a_sentence(course: Path, content: bytes) -> None:
    (course / "export.rar").write_bytes(content)
    with pytest.raises(GradingError, match="neither a folder nor a zip"):
        collect("demo", course / "export.rar", course=course)


def test_what_no_platform_writes_is_refused_and_so_is_what_two_may_have_written(course: Path) -> None:
    with pytest.raises(GradingError, match=r"Nothing in it is named as an export.*hello\.txt"):
        take(course, {"hello.txt": "x"})
    both = {"Demo_alove_attempt_2026-10-01-09-30-00_a.ipynb": "x", "lovelaceada_501_9_demo.ipynb": "x"}
    with pytest.raises(GradingError, match="blackboard or of canvas: say which, with --from"):
        take(course, both)
    assert take(course, both, platform="canvas").new == ["ada"]


# --- who is who -------------------------------------------------------------------------------------------------------

ROSTERS = {
    "canvas": "Student,ID,SIS User ID,SIS Login ID,Section,demo (77)\n    Points Possible,,,,,9\n"
    '"Lovelace, Ada",501,1001,ada,A,\n"Student, Test",900,,x,A,\n',
    "moodle": "Identifier;Full name;Email address;Status;Grade\nParticipant 77001;Ada Lovelace;ada;Submitted;-\n",
    "blackboard": 'Last Name\tFirst Name\tUsername\tStudent ID\nLovelace\tAda\tada\t1001\n',
    "brightspace": "OrgDefinedId,Username,Last Name,First Name,End-of-Line Indicator\n#1001,#ada,Lovelace,Ada,#\n",
    "github": '"identifier","github_username","github_id","name"\n"ada","ada-l","1",""\n',
    "gradescope": "First Name,Last Name,SID,Email,Sections\nAda,Lovelace,ada,ada@uni.edu,A\n",
}  # fmt: skip


@pytest.mark.parametrize("platform", ROSTERS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_roster_is_read_as_the_platform_exports_it(course: Path, platform: str, encoding: str) -> None:
    (course / "roster.csv").write_text(ROSTERS[platform], encoding=encoding)
    login = {"blackboard": "ada", "gradescope": "ada"}.get(platform)
    exported = {
        name.replace("alove", "ada"): content.replace("alove", "ada").replace('"1001"', '"ada"')
        if login and isinstance(content, str)
        else content
        for name, content in EXPORTS[platform]("of ada", "b", "c").items()
    }
    done = take(course, exported)
    assert done.new == ["ada"] and not done.absent, done


def test_rows_that_cannot_be_used_are_named(course: Path) -> None:
    (course / "roster.csv").write_bytes(
        "id,name\nada,Zoë\n../x,Eve\n,Nobody\nbob,One\nBOB,Two\n.git,Dot\n".encode("latin-1")
    )
    done = take(course, {"Zoë_1_assignsubmission_file_/a.ipynb": "x"})
    assert done.new == ["ada"] and done.absent == []
    text = "\n".join(done.remarks)
    for said in ("Windows-1252", "line 3", "line 4: no id", "lines 5, 6", "line 7"):
        assert said in text
    (course / "roster.csv").write_text("colour\nred\n")
    with pytest.raises(GradingError, match="no column that tells who is who"):
        take(course, {"Zoë_1_assignsubmission_file_/a.ipynb": "x"})
    (course / "roster.csv").unlink()
    with pytest.raises(GradingError, match="There is no class list"):
        take(course, {"Zoë_1_assignsubmission_file_/a.ipynb": "x"})


# --- marks, as platforms import them ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def marked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course whose gradebook has marks: 5 for ada, 2 for zoe, one missing for bob, and some for a stranger."""
    from tl_course.grading.gradebook import open_gradebook

    folder = tmp_path_factory.mktemp("marked")
    (folder / "roster.csv").write_text(ROSTER, encoding="utf-8")
    with open_gradebook(folder) as gradebook:
        gradebook.add_assignment("demo")
        gradebook.add_notebook("demo", "demo")
        gradebook.add_grade_cell("right", "demo", "demo", max_score=9, cell_type="code")
        for student, score in {"ada": 5.0, "zoe": 2.0, "bob": None, "mallory": 9.0}.items():
            gradebook.add_student(student)
            gradebook.add_submission("demo", student)
            grade = gradebook.find_grade("right", "demo", "demo", student)
            grade.auto_score, grade.needs_manual_grade = score, score is None
        gradebook.db.commit()
    return folder


def lines(path: Path, encoding: str = "utf-8") -> list[str]:
    return path.read_bytes().decode(encoding).replace("\r\n", "\n").splitlines()


@pytest.mark.parametrize("platform", TEMPLATES)
def test_marks_come_back_in_the_form_that_was_exported(marked: Path, tmp_path: Path, platform: str) -> None:
    encoding = "utf-16" if platform == "blackboard" else "utf-8-sig"
    (template := tmp_path / "export.csv").write_text(TEMPLATES[platform], encoding=encoding)
    done = export_marks(platform, course=marked, template=template, out=tmp_path / "out.csv")
    assert lines(done.path, encoding) == FILLED[platform].splitlines()
    assert done.marks == {"ada": 5, "zoe": 2} and done.strangers == ["mallory"] and not done.unmatched
    assert done.without == {"bob": "a person has to mark right", "dee": "nothing graded"}


@pytest.mark.parametrize("platform", MADE)
def test_marks_for_who_is_on_the_roster_where_no_template_is_needed(marked: Path, platform: str) -> None:
    done = export_marks(platform, course=marked)
    assert done.path == marked / "reports" / "demo" / f"{platform}.csv"
    assert lines(done.path) == MADE[platform].splitlines()
    summary = done.summary()
    assert ("Grades → Import → CSV file" in summary) == (platform == "moodle")
    for said in ("2 marks of demo", "bob (a person has to mark right)", "dee (nothing graded)", "mallory"):
        assert said in summary


def test_who_was_set_aside_is_not_said_to_wait_for_a_persons_mark(marked: Path) -> None:
    (report := marked / "reports" / "demo" / "report.json").parent.mkdir(parents=True, exist_ok=True)
    rejected = {"student": "bob", "status": "rejected", "look": ["demo.ipynb is no JSON.", "Ask for it again."]}
    report.write_text(json.dumps({"submissions": [rejected]}), encoding="utf-8")
    assert export_marks("moodle", course=marked).without == {
        "bob": "set aside: demo.ipynb is no JSON. Ask for it again.",
        "dee": "nothing graded",
    }


def test_what_is_amiss_with_a_template_is_said(marked: Path, tmp_path: Path) -> None:
    with pytest.raises(GradingError, match=r"canvas needs ids.*Gradebook → Export.*--template"):
        export_marks("canvas", course=marked)
    (template := tmp_path / "export.csv").write_text(
        "Student,ID,SIS Login ID,Section,Demo 1 (71),Demo 2 (72)\n    Points Possible,,,,10,9\n"
        '"Lovelace, Ada",501,alove,A,,\n"Else, Someone",599,else,A,7,\n'
    )
    with pytest.raises(GradingError, match=r"no column for 'demo'.*Demo 1 \(71\); Demo 2 \(72\)"):
        export_marks("canvas", course=marked, template=template)
    done = export_marks("canvas", course=marked, template=template, column="71", out=tmp_path / "out.csv")
    assert lines(done.path)[2:] == ['"Lovelace, Ada",501,alove,A,5', '"Else, Someone",599,else,A,7']
    assert done.unmatched == ["zoe"]
    text = "\n".join(done.remarks)
    assert "out of 10 points, and the marks are out of 9" in text and "Else, Someone is in the template" in text
    (course := tmp_path / "other.csv").write_text("id,email\nelse,e@uni.edu\n")
    done = export_marks("moodle", course=marked, roster=course, out=tmp_path / "out.csv")
    assert not done.marks and "No mark is of anybody on" in done.remarks[-1]
    with pytest.raises(GradingError, match=r"--assignment NAME\. There are marks of: demo"):
        export_marks("moodle", course=marked, assignment="other")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")
def test_six_platforms_are_collected_graded_and_marked_in_one_course(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    course = make_course(tmp_path / "course")
    full = json.dumps(answered(course, square=SQUARE, shout=SHOUT))
    asked = json.dumps(answered(course, square=SQUARE, shout=SHOUT, why=WHY))
    half = json.dumps(answered(course, square=SQUARE))

    def run(*words: object) -> dict[str, Any]:
        assert main([*map(str, words), "--course", str(course), "--json"]) == 0
        result: dict[str, Any] = json.loads(capsys.readouterr().out)
        return result

    rosters = {}
    for platform, export in EXPORTS.items():
        rosters[platform] = tmp_path / f"{platform}.csv"
        head, *rows = ROSTER.splitlines()
        rosters[platform].write_text("\n".join([head, *(f"{platform}-{row}" for row in rows)]), encoding="utf-8")
        source = zipped(tmp_path / f"{platform}.zip", export(full, asked, half))
        done = run("collect", "demo", source, "--roster", rosters[platform], "--timezone", "UTC")
        assert len(done["new"]) == 3 and not done["doubtful"]
    run("grade", "demo")
    for platform in EXPORTS:
        words = ["grades", "--for", platform, "--roster", rosters[platform]]
        if platform in TEMPLATES:
            (template := tmp_path / "export.csv").write_text(TEMPLATES[platform], encoding="utf-8")
            words += ["--template", template]
        done = run(*words)
        assert lines(Path(done["path"])) == (FILLED | MADE | FILLED)[platform].splitlines()
        assert done["without"][f"{platform}-bob"] == "a person has to mark why"
