"""``python -m tl_course.notebooks FOLDER``: the process of one notebook, started by `run_lessons`."""

import sys
from pathlib import Path

# jsonschema, which nbformat imports, looks for this package to check addresses, of which a notebook has none; where it
# is installed, compiling its grammar takes longer than all the other imports together.
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

from tl_course.notebooks.process import main  # noqa: E402 - only now

main(Path(sys.argv[1]))
