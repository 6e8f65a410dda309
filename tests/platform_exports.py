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
        "Bob Brown_77002_assignsubmission_file_/demo.ipynb": bob,
        "Bob Brown_77002_assignsubmission_file_/data/sizes.csv": "1,2",
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
        "397064-255 - Bob Brown- Oct 1, 2026 801 PM/demo.ipynb": bob,
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

# What each platform lets a teacher export of marks, and what of it comes back, with 5 points for ada and 2 for zoe.
TEMPLATES = {
    "canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,Essay (70),demo (71),Final Score\n"
        ",,,,,,Manual Posting,(read only)\n"
        "    Points Possible,,,,,5,9,(read only)\n"
        '"Åkerström, Zoë",503,1003,zakers,A,3,1,50\n'
        '"Brown, Bob",502,1002,b_brown,A,,,\n'
        "\"=cmd|' /C calc'!A0\",501,1001,alove,A,4,,\n"
        '"Student, Test",999,,x1,A,,,\n'
    ),
    "moodle": (
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (grade),Feedback comments\n"
        "Participant 77001,Ada Lovelace,ada@uni.edu,Submitted,,9.00,-,\n"
        "Participant 77002,Bob Brown,bob@uni.edu,Submitted,,9.00,-,=keep\n"
        "Participant 77003,Zoë Åkerström,zoe@uni.edu,Submitted,1.00,9.00,-,\n"
    ),
    "blackboard": (
        '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"demo [Total Pts: 9 Score] |8812"\t'
        '"Other [Total Pts: 5 Score] |8"\n'
        '"Lovelace"\t"Ada"\t"alove"\t"1001"\t""\t"1"\n"Brown"\t"Bob"\t"b_brown"\t"1002"\t""\t"2"\n'
        '"Åkerström"\t"Zoë"\t"zakers"\t"1003"\t"Needs Grading"\t"3"\n'
    ),
    "brightspace": (
        "OrgDefinedId,Username,Last Name,First Name,Email,demo Points Grade <Numeric MaxPoints:9 Weight:100>,"
        "Other Points Grade <Numeric MaxPoints:5>,End-of-Line Indicator\n"
        "#1001,#alove,Lovelace,Ada,ada@uni.edu,,1,#\n#1002,#b_brown,Brown,Bob,bob@uni.edu,,,#\n"
        "#1003,#zakers,Åkerström,Zoë,zoe@uni.edu,,,#\n"
    ),
}  # fmt: skip
FILLED = {
    "canvas": (
        "Student,ID,SIS User ID,SIS Login ID,Section,demo (71)\n"
        ",,,,,Manual Posting\n"
        "    Points Possible,,,,,9\n"
        '"Åkerström, Zoë",503,1003,zakers,A,2\n'
        '"Brown, Bob",502,1002,b_brown,A,\n'
        "'=cmd|' /C calc'!A0,501,1001,alove,A,5\n"
        '"Student, Test",999,,x1,A,\n'
    ),
    "moodle": (
        "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (grade),Feedback comments\n"
        "Participant 77001,Ada Lovelace,ada@uni.edu,Submitted,5,9.00,-,\n"
        "Participant 77002,Bob Brown,bob@uni.edu,Submitted,,9.00,-,=keep\n"
        "Participant 77003,Zoë Åkerström,zoe@uni.edu,Submitted,2,9.00,-,\n"
    ),
    "blackboard": (
        '"Last Name"\t"First Name"\t"Username"\t"Student ID"\t"demo [Total Pts: 9 Score] |8812"\n'
        '"Lovelace"\t"Ada"\t"alove"\t"1001"\t"5"\n"Brown"\t"Bob"\t"b_brown"\t"1002"\t""\n'
        '"Åkerström"\t"Zoë"\t"zakers"\t"1003"\t"2"\n'
    ),
    "brightspace": (
        "OrgDefinedId,Username,Last Name,First Name,Email,demo Points Grade <Numeric MaxPoints:9 Weight:100>,"
        "End-of-Line Indicator\n"
        "#1001,#alove,Lovelace,Ada,ada@uni.edu,5,#\n#1002,#b_brown,Brown,Bob,bob@uni.edu,,#\n"
        "#1003,#zakers,Åkerström,Zoë,zoe@uni.edu,2,#\n"
    ),
}
MADE = {  # from the roster alone
    "moodle": "ID number,Email address,Username,demo\n1001,ada@uni.edu,alove,5\n1003,zoe@uni.edu,zakers,2\n",
    "brightspace": ("OrgDefinedId,Username,demo Points Grade,End-of-Line Indicator\n1001,alove,5,#\n1003,zakers,2,#\n"),
    "github": (
        "assignment_name,assignment_url,starter_code_url,github_username,roster_identifier,student_repository_name,"
        "student_repository_url,submission_timestamp,points_awarded,points_available\n"
        "demo,,,ada-l,,,,,5,9\ndemo,,,zoe,,,,,2,9\n"
    ),
    "gradescope": (
        "Name,SID,Email,Total Score,Max Points\nAda Lovelace,1001,ada@uni.edu,5,9\nZoë Åkerström,1003,zoe@uni.edu,2,9\n"
    ),
}
