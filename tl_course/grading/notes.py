"""Names under which the parts of the grading write things down for each other."""

__all__ = [
    "ANSWER_CALLS",
    "CHANGED",
    "NONCE",
    "NOTES",
    "NO_INPUT",
    "ORIGINALS",
    "REFUSED",
    "RESTORED",
    "TOLD",
    "VALUE",
]

ANSWER_CALLS = "# what tests call is answered"  # in the place of a cell: see tl_course.grading.apart.answering
CHANGED = "tl_course.changed"  # in a cell's metadata: it was changed in what was handed in, and is put back
NONCE = "tl_course.nonce"  # in the metadata of a request to run a test, and of its answer: else it is another's
NOTES = "tl_course"  # in a cell's metadata: how it ended, and why
NO_INPUT = (  # what a student reads where an answer asked for something
    "Nobody is there to answer input() while this is graded. Give the value in the code, or have your function take it "
    "as an argument."
)
ORIGINALS = ".originals"  # in what becomes a folder of ``autograded``: notebooks before anything was taken out
RESTORED = "tl_course.restored"  # in the metadata of a kernel's answer: what was put back before the cell ran
REFUSED = "tl_course.refused"  # there too: why a test was not run, or its value is nobody's word
TOLD = "tl_course.told"  # there too: what a test, or its error, says to the student; each a dict of kinds of text
VALUE = "tl_course.value"  # in the metadata of a kernel's answer: the number, or kind of thing, that a test ended with
