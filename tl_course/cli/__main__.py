"""``python -m tl_course.cli``."""

import sys

from tl_course.cli import main

sys.exit(main())
