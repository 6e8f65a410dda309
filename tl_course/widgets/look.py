"""What all widgets share: their looks, their page's code, and how they say what was done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from tl_course.errors import ImageSetError, TLCourseError

__all__ = ["Page", "looks", "many"]

_HERE = Path(__file__).parent


class Page(anywidget.AnyWidget):
    """A widget whose page shows `_state`, asks for methods by name, and has a line for what was done or went wrong."""

    _state = traitlets.Dict().tag(sync=True)
    _may_ask: ClassVar[dict[str, set[str]]] = {}  # methods, and what the page may say with each
    _status, _alert, _times_said = "", False, 0

    @property
    def status(self) -> str:
        """What was said last."""
        return self._status

    def _push(self) -> None:
        """Show the present state."""
        raise NotImplementedError

    def _say(self, text: str, *, alert: bool = False) -> None:
        self._status, self._alert = text, alert
        self._times_said += 1
        self._push()

    def _said(self) -> dict[str, Any]:
        """What was said last, as part of `_state`; the count lets the page tell a repetition from silence."""
        return {"status": self._status, "alert": self._alert, "said": self._times_said}

    def _shown(self, action: Callable[[], object]) -> bool:
        """Do what a click asked for; what goes wrong is said on the page, for a log is where no learner looks."""
        try:
            action()
        except TLCourseError as error:
            self._say(str(error), alert=True)
        except Exception as error:
            told = f"{type(error).__name__}: {error}"
            self._say(f"That did not work ({told}). What was done before is safe.", alert=True)
        else:
            return True
        return False

    def _method(self, do: object, asked: dict[str, Any]) -> Callable[..., Any]:
        """The method that the page asks for, if it may, with what it says."""
        if not isinstance(do, str) or do not in self._may_ask or set(asked) - self._may_ask[do]:
            raise ImageSetError(f"The page asked for {do!r}, which is not done here. Run the cell again.")
        return getattr(self, do)  # type: ignore[no-any-return]


def looks(name: str) -> tuple[str, str]:
    """The module and the style sheet of a widget: what all share, then ``name.js`` and ``name.css``."""
    module, style = (
        "\n".join((_HERE / f"{part}.{kind}").read_text(encoding="utf-8") for part in ("look", name))
        for kind in ("js", "css")
    )
    return module, style


def many(n: int) -> str:
    """So many pictures, in words."""
    return f"{n} picture{'s' * (n != 1)}"
