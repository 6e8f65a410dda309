"""What all widgets share: a page that knows whether its kernel is there, and a still view for when it is not.

A widget is a plain Python object that derives from `Page`:

- ``_esm, _css = looks("name")`` joins ``look.js`` and ``name.js``, ``look.css`` and ``name.css``; other shared modules
  stand before the name, as in ``looks("camera", "name")``. Nothing comes from a CDN.
- ``_may_ask`` names the methods that a click may call, and what it may say with each; ``_message`` is given to `on_msg`
  and calls them through `_shown`, so that an error is a sentence on the page.
- ``_push`` sends the present state; ``_say`` says what was done, pushes, and renews the still view soon after.
- ``_still`` is the widget as HTML that needs nothing from elsewhere, and as text. A cell shows it as an output of its
  own below the page, which hides it for as long as it lives: so a notebook has one to show where no kernel is.

In ``name.js``, ``render`` ends with ``return mount({ model, el }, root, handlers, end)``. That alone lets the page say
"Not connected, run the cell again" and disable everything below `root` when the kernel has gone.
"""

import asyncio
import contextvars
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, ClassVar

import anywidget
import traitlets

from tl_course.errors import ImageSetError, TLCourseError
from tl_course.widgets.alive import tell_while_busy, working

__all__ = ["Page", "looks", "many"]

_HERE = Path(__file__).parent
_VIEW = "application/vnd.jupyter.widget-view+json"
_CALM = 1.5  # seconds without a click until the still view is renewed

# JupyterLab says "model not found" where the page cannot be had. (`.tlb` is the page; of an untrusted notebook neither
# the page is tried, nor is this rule read.)
_NO_ERROR = (
    "<style>.jp-OutputArea-child:not(:has(.tlb)):has(+ .jp-OutputArea-child .{name}) {{ display: none }}</style>"
)


class Page(anywidget.AnyWidget):
    """A widget whose page shows `_state`, asks for methods by name, and has a line for what was done or went wrong."""

    _state = traitlets.Dict().tag(sync=True)
    _still_name = traitlets.Unicode().tag(sync=True)  # the class of the still view's HTML element
    _may_ask: ClassVar[dict[str, set[str]]] = {}  # methods, and what the page may say with each
    _status, _alert, _times_said = "", False, 0
    _loop: asyncio.AbstractEventLoop | None = None  # of the kernel, once a cell has shown the page
    _renewing: asyncio.TimerHandle | None = None
    _last_still = ""

    def __init__(self, **traits: Any) -> None:
        self._asked = ""  # the page's last question whether somebody is there
        self._context = contextvars.copy_context()  # in which it was heard: there ipykernel finds whom to answer
        super().__init__(**traits)
        tell_while_busy(self)

    @traitlets.default("_still_name")
    def _new_name(self) -> str:
        return f"tl-still-{uuid.uuid4().hex[:12]}"

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
        self._renew_still()

    def _said(self) -> dict[str, Any]:
        """What was said last, as part of `_state`; the count lets the page tell a repetition from silence."""
        return {"status": self._status, "alert": self._alert, "said": self._times_said}

    def _shown(self, action: Callable[[], object]) -> bool:
        """Do what a click asked for; what goes wrong is said on the page, for a log is where no learner looks."""
        try:
            with working():
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
        may_ask = {**self._may_ask, "_ping": {"number"}}
        if not isinstance(do, str) or do not in may_ask or set(asked) - may_ask[do]:
            raise ImageSetError(f"The page asked for {do!r}, which is not done here. Run the cell again.")
        return getattr(self, do)  # type: ignore[no-any-return]

    # ---- whether somebody is there -------------------------------------------------------------------------------

    def _ping(self, number: str) -> None:
        self._asked, self._context = str(number), contextvars.copy_context()
        self.send({"alive": self._asked})

    def _tell_alive(self) -> None:
        """Say that the kernel is there, though busy; from any thread, as if where the page was last heard."""
        self._context.copy().run(self.send, {"alive": self._asked})

    # ---- without a kernel ----------------------------------------------------------------------------------------

    def _still(self) -> dict[str, str]:
        """The widget as it is now, by MIME type: "text/html" that needs nothing from elsewhere, and "text/plain"."""
        return {}

    def _repr_mimebundle_(self, **options: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        live, metadata = super()._repr_mimebundle_(**options) or ({}, {})
        return {**live, **self._still()}, metadata

    def _ipython_display_(self, **options: Any) -> None:
        """Show the page, and below it the still view, as an output of its own that can be renewed by itself.

        ipywidgets 7 shows every widget through this method, and knows nothing of MIME bundles.
        """
        from IPython.display import display

        with suppress(RuntimeError):  # no kernel: an interactive shell, or a test
            self._loop = asyncio.get_running_loop()
        data, metadata = self._repr_mimebundle_(**options) or ({}, {})
        # An element without content for whoever would show HTML rather than the page: GitHub, an untrusted notebook.
        live = {_VIEW: data.pop(_VIEW, None), "text/html": "<span></span>", "text/plain": type(self).__name__}
        if live[_VIEW] is not None:
            display(live, metadata=metadata, raw=True)  # type: ignore[no-untyped-call]
        display(self._as_output(data), raw=True, display_id=self._still_name)  # type: ignore[no-untyped-call]

    def _as_output(self, still: dict[str, Any]) -> dict[str, Any]:
        self._last_still = still.get("text/html", "")
        rule = _NO_ERROR.format(name=self._still_name)
        return {**still, "text/html": f'<div class="{self._still_name}">{rule}{self._last_still}</div>'}

    def _renew_still(self, *, at_once: bool = False) -> None:
        """Put the present still view into the notebook, once no click has come for a moment or else at once."""
        if self._loop is None:
            return
        if at_once:
            self._put_still()
        else:
            with suppress(RuntimeError):  # the kernel is shutting down
                self._loop.call_soon_threadsafe(self._renew_when_calm)

    def _renew_when_calm(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()
        if self._loop is not None:
            self._renewing = self._loop.call_later(_CALM, self._put_still)

    def _put_still(self) -> None:
        from IPython.display import update_display

        with suppress(Exception):  # a thread may be at work on what is shown: then the view before stays
            data, _ = self._repr_mimebundle_() or ({}, {})
            data.pop(_VIEW, None)
            if data.get("text/html", "") != self._last_still:
                update_display(self._as_output(data), raw=True, display_id=self._still_name)  # type: ignore[no-untyped-call]


def looks(*names: str) -> tuple[str, str]:
    """The module and the style sheet of a widget: what all share, then those of these names where there are any."""
    module, style = (
        "\n".join(
            file.read_text(encoding="utf-8")
            for name in ("look", *names)
            if (file := _HERE / f"{name}.{kind}").is_file()
        )
        for kind in ("js", "css")
    )
    return module, style


def many(n: int) -> str:
    """So many pictures, in words."""
    return f"{n} picture{'s' * (n != 1)}"
