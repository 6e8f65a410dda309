"""Build a data set by searching, uploading, photographing and sorting; each click is a method with the same name."""

import io
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from tl_course.core import image_io
from tl_course.errors import ImageSetError
from tl_course.widgets.builder_collecting import CollectingSession
from tl_course.widgets.builder_files import LARGEST_DOWNLOAD, Arriving, Zip
from tl_course.widgets.builder_page import ASKED, ENOUGH, PAGE, counted, seen, still
from tl_course.widgets.builder_session import TRAINING
from tl_course.widgets.look import Page, looks
from tl_course.widgets.thumbnails import Thumbnails

__all__ = ["ENOUGH", "DatasetBuilder"]

_LARGE = 1024  # pixels of the longer side of an image that is enlarged
_TRAINING = -1  # what is said is about training; a positive number is a label's row, 0 is all the rest


class DatasetBuilder(CollectingSession, Page):
    """A data set in the making, on a page in the notebook and as a plain object.

    Everything is on disk at once: the folder is a data set that `ImageSet.open` reads at any moment, and the same
    folder opened again goes on where it was left. Errors are raised where a method is called, and shown in a line
    where a click called it.

    Parameters
    ----------
    folder
        A new one, one that was collected into before, or any data set of one's own.
    labels
        Labels to begin with. A label that is renamed or removed later does not come back when the cell runs again.
    n
        How many images each label shall have: a whole number from 1 to 10,000.
    source
        Where they come from unless something else is chosen: a name in `tl_course.sources.SOURCES`. Labels that
        "rendered" does not have begin with "openverse".

    Attributes
    ----------
    model : Classifier or None
        The one that `train` made last.

    Raises
    ------
    ImageSetError
        The folder cannot be made or read, there is no such source, or a label or number is none.
    """

    _esm, _css = looks(
        "picking", "camera", "builder_fields", "builder_camera", "builder_gallery", "builder_enlarged", "builder_label",
        "builder_training", "dataset_builder",
    )  # fmt: skip
    _may_ask = ASKED

    def __init__(
        self, folder: str | Path, *, labels: Iterable[str] = (), n: int = 30, source: str = "rendered"
    ) -> None:
        self._about: ContextVar[str] = ContextVar("about", default="")  # the label that the page asked something of
        self._news_of = 0  # the row that was spoken of last
        self._shown_at = 0.0
        self._arriving = Arriving()
        self._zip: Zip | None = None
        super().__init__(folder, labels=labels, n=n, source=source)
        self._thumbnails = Thumbnails(self.folder)
        self._enlarged = Thumbnails(self.folder, side=_LARGE, keep=12)
        Page.__init__(self)
        self._push()
        self.on_msg(self._message)

    # ---- what is said and shown ----------------------------------------------------------------------------------

    def _say(self, text: str, *, alert: bool = False, about: str = "") -> None:
        about = about or self._about.get()
        self._news_of = _TRAINING if about == TRAINING else 0
        for row in self._rows:
            if row.name == about:
                row.news, row.troubled, self._news_of = text, alert, row.id
        Page._say(self, text, alert=alert)

    def _push(self, every: float = 0.0) -> None:
        """Show the present state, or leave it to a later call if that was done less than `every` seconds ago."""
        with self._pushing:
            if time.monotonic() - self._shown_at >= every:
                found = self._found()
                state = seen(self._rows, found, self._passed, self._jobs)
                now = {one.file_name: label for label, images in found.items() for one in images}
                state |= {"training": self._trainer.seen(now), "about": self._news_of, "advice": self.advice}
                self._state = state | self._said() | {"folder": self.folder.name, "path": str(self.folder)}
                self._shown_at = time.monotonic()

    def _aside(self, action: Callable[[], object], *, about: str = "") -> None:
        def run() -> None:
            self._about.set(about)
            self._shown(action)

        threading.Thread(target=run, daemon=True).start()

    # ---- what the page asks for ----------------------------------------------------------------------------------

    def _message(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        asked = dict(content) if isinstance(content, dict) else {}
        ack, do = asked.pop("ack", None), asked.pop("do", None)
        label = asked.get("old" if do == "rename_label" else "label")
        label = TRAINING if do in ("train", "stop_training") else label
        token = self._about.set(label if isinstance(label, str) and do != "move" else "")
        answers: list[tuple[dict[str, Any], list[bytes]]] = []
        try:
            good = self._shown(lambda: answers.append(self._obey(do, asked, [bytes(one) for one in buffers])))
        finally:
            self._about.reset(token)
        answer, data = answers[0] if answers else ({}, [])
        if ack is not None or answer:
            self.send({"ack": ack, "good": good} | answer, data)

    def _obey(self, do: object, asked: dict[str, Any], buffers: list[bytes]) -> tuple[dict[str, Any], list[bytes]]:
        """Do what the page asks for, and return what to answer."""
        if do == "thumbnails" and isinstance(asked.get("names"), list):
            made = self._thumbnails(str(name) for name in asked["names"][: 10 * PAGE])
            return {"thumbnails": list(made)}, list(made.values())
        method = self._method(do, asked)
        if do in ("collect", "train"):
            method(**asked, wait=False)
        elif do == "_chunk":
            method(**asked, data=b"".join(buffers))
        elif do == "capture":
            method(**asked, frame=b"".join(buffers))
        elif do == "_predict":
            return self._predict(b"".join(buffers)), []
        elif do in ("_large", "_part"):
            return {}, [method(**asked)]
        else:
            method(**asked)
        return {}, []

    def _chunk(self, label: str, name: str, size: int, offset: int, batch: str, data: bytes) -> None:
        self._row(label)
        handed = self._batch(f"files:{batch}", label)
        try:
            whole = self._arriving.add(label, name, size, offset, data)
        except ImageSetError as error:
            self._passed.append((label, name, str(error)))
            handed.report.passed_over.append((name, str(error)))
            raise
        if whole is not None:
            self._take_in({name: whole}, label, handed)

    def _predict(self, data: bytes) -> dict[str, Any]:
        found = self.predict(image_io.load(io.BytesIO(data)))
        return {"label": found.label, "probabilities": found.probabilities}

    def _large(self, name: str) -> bytes:
        for data in self._enlarged([name]).values():
            return data
        raise ImageSetError(f"There is no image {name!r}.")

    def _pack(self) -> None:
        self._aside(self._pack_for_page)

    def _pack_for_page(self) -> None:
        try:
            self._zip = Zip(self.pack())
        except BaseException:
            self.send({"zip": None})
            raise
        large = self._zip.size > LARGEST_DOWNLOAD
        self.send({"zip": {"name": self._zip.path.name, "size": self._zip.size, "large": large}})
        if large:
            self._say(
                f"{self._zip.path} has {self._zip.size / 2**20:,.0f} MB, too much for a page to hand on. It lies "
                "there: download it in the list of files."
            )

    def _part(self, offset: int) -> bytes:
        if self._zip is None:
            raise ImageSetError("Nothing is packed yet: press 'Download zip'.")
        return self._zip.part(offset)

    # ---- without a kernel ----------------------------------------------------------------------------------------

    def _still(self) -> dict[str, str]:
        lines = [f"DatasetBuilder {self.folder.name!r}: {self.advice}"]
        lines += [f"  {label}: {counted(n)}" for label, n in self.counts.items()]
        page = still(self._found(), self._thumbnails, self.advice)
        return {"text/html": page, "text/plain": "\n".join(lines)}
