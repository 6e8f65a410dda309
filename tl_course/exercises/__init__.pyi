from .question import NotYet as NotYet
from .question import Question as Question
from .question import Result as Result
from .question import attempted as attempted
from .question import brief as brief
from .question import folder_for_answer as folder_for_answer
from .question import running as running
from .variants import Variant as Variant
from .variants import draw_variant as draw_variant

__all__ = [
    "NotYet",
    "Question",
    "Result",
    "Variant",
    "attempted",
    "brief",
    "draw_variant",
    "folder_for_answer",
    "running",
]
