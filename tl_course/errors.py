"""The one family of errors and the one warning that the package raises.

Every message says what happened, where, and what to do next. In a notebook only the message is shown: a mistake of the
learner's never ends in a traceback through the package.
"""

__all__ = [
    "BackboneError",
    "CacheError",
    "FetchError",
    "GradingError",
    "ImageSetError",
    "LessonError",
    "ModelError",
    "TLCourseError",
    "TLCourseWarning",
]


class TLCourseError(Exception):
    """Base of every error that this package raises on purpose; its text is written for the person at the keyboard."""

    def _render_traceback_(self) -> list[str]:
        """Lines that IPython shows instead of a traceback (its hook for exceptions that render themselves)."""
        return [f"\x1b[31m{type(self).__name__}\x1b[0m: {self}"]


class ImageSetError(TLCourseError):
    """A data set cannot be opened, read or edited as asked."""


class FetchError(TLCourseError):
    """Something on the network cannot be had, or was refused.

    `passing` tells whether trying again later may help.
    """

    def __init__(self, reason: str, *, passing: bool = False) -> None:
        super().__init__(reason)
        self.passing = passing


class BackboneError(TLCourseError):
    """A pretrained backbone, or its weights, cannot be had here."""


class ModelError(TLCourseError):
    """A model cannot be trained, saved, loaded or asked for a prediction as wanted."""


class CacheError(TLCourseError):
    """The cache cannot be freed as asked."""


class LessonError(TLCourseError):
    """A lesson cannot be run headless, or did not keep to its budget."""


class GradingError(TLCourseError):
    """An assignment cannot be handed out or graded as asked."""


class TLCourseWarning(UserWarning):
    """Something was skipped or mended, nothing is lost, and the learner should know."""
