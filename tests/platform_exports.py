"""Exports of submissions in the shape that each platform's documentation, or source, gives them."""

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from unicodedata import normalize

ZOE = normalize("NFD", "Zoë Åkerström")  # as macOS writes it

ROSTER = """id,first_name,last_name,email,lms_user_id,username,SID,github_username,group
ada,Ada,Lovelace,ada@uni.edu,501,alove,1001,ada-l,red
bob,Bob,Brown,bob@uni.edu,502,b_brown,1002,bobby,red
zoe,Zoë,Åkerström,zoe@uni.edu,503,zakers,1003,zoe,blue
dee,Dee,Dee,dee@uni.edu,504,ddee,1004,deedee,
"""


def zipped(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """A zip of `files`; names are flagged as UTF-8 where they are not ASCII."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def canvas(ada: str, bob: str, zoe: str) -> dict[str, str | bytes]:
    return {
        "lovelaceada_501_9001_demo.ipynb": ada,
        "brownbob_LATE_502_9002_demo-1.ipynb": bob,
        "åkerströmzoë_503_9003_my demo.ipynb": zoe,
        "åkerströmzoë_503_9004_data.csv": "1,2",
    }


def moodle(ada: str, bob: str, zoe: str) -> dict[str, str | bytes]:
    return {
        "Ada Lovelace_77001_assignsubmission_file_/demo.ipynb": ada,
        "Bob Brown_77002_assignsubmission_file_/sub/demo.ipynb": bob,
        f"{ZOE}_77003_assignsubmission_file_demo.ipynb": zoe,
    }


def blackboard(ada: str, bob: str, zoe: str) -> dict[str, str | bytes]:
    files: dict[str, str | bytes] = {}
    told = (
        ("alove", "Ada Lovelace", "2026-10-01-09-30-00", ada),
        ("b_brown", "Bob Brown", "2026-09-30-08-00-00", "an earlier attempt"),
        ("b_brown", "Bob Brown", "2026-10-01-20-00-05", bob),
        ("zakers", "Zoë Åkerström", "2026-10-01-09-31-00", zoe),
    )
    for login, name, time, content in told:
        start = f"Demo_1_{login}_attempt_{time}"
        files[f"{start}_demo.ipynb"] = content
        files[f"{start}.txt"] = (
            f"Name: {name} ({login})\nAssignment: Demo 1\nDate Submitted: Thursday, October 1, 2026 9:30:00 AM CEST\n"
            "Current Grade: Needs Grading\n\nSubmission Field:\nName: Dee Dee (ddee)\n\nComments:\n"
            "There are no student comments for this assignment.\n\nFiles:\n\tOriginal filename: demo.ipynb\n"
            f"\tFilename: {start}_demo.ipynb\n"
        )
    return files


def brightspace(ada: str, bob: str, zoe: str) -> dict[str, str | bytes]:
    return {
        "index.html": "<html>",
        "397063-255 - Ada Lovelace - Oct 1, 2026 930 AM/demo.ipynb": ada,
        "397064-255 - Bob Brown - Sep 30, 2026 1105 AM/demo.ipynb": "an earlier attempt",
        "397064-255 - Bob Brown - Oct 1, 2026 801 PM/demo.ipynb": bob,
        f"397065-255 - {ZOE} - 1 October, 2026 1230/demo.ipynb": zoe,
    }


def github(ada: str, bob: str, zoe: str) -> dict[str, str | bytes]:
    return {
        "demo-submissions/demo-ada-l/demo.ipynb": ada,
        "demo-submissions/demo-ada-l/.git/config": "[core]",
        "demo-submissions/demo-bobby/demo.ipynb": bob,
        "demo-submissions/demo-zoe/demo.ipynb": zoe,
    }


def gradescope(ada: str, bob: str, zoe: str) -> dict[str, str | bytes]:
    def entry(number: int, time: str, *people: tuple[str, str, str]) -> str:
        lines = [f"  - :name: {name}\n    :sid: {json.dumps(sid)}\n    :email: {email}" for name, sid, email in people]
        return (
            f"submission_{number}:\n  :submitters:\n"
            + "\n".join(lines)
            + f"\n  :created_at: {time}\n  :score: 0.0\n  :status: processed\n  :history: []\n"
        )

    metadata = (
        entry(11, "2026-10-01 00:30:00.123456000 -07:00", ("Ada Lovelace", "1001", "ada@uni.edu"))
        + entry(12, "2026-10-01 20:00:05.000000000 Z", ("Bob Brown", "1002", "bob@uni.edu"))
        + entry(13, "2026-10-01 07:31:00.000000000 Z", ("Zoë Åkerström", "", "zoe@uni.edu"))
    )
    return {
        "assignment_99_export/submission_metadata.yml": metadata,
        "assignment_99_export/submission_11/demo.ipynb": ada,
        "assignment_99_export/submission_12/demo.ipynb": bob,
        "assignment_99_export/submission_13/demo.ipynb": zoe,
    }


EXPORTS = {
    "canvas": canvas,
    "moodle": moodle,
    "blackboard": blackboard,
    "brightspace": brightspace,
    "github": github,
    "gradescope": gradescope,
}
