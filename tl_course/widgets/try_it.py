"""Try a classifier on pictures of one's own: files, what is dropped or pasted, and a camera, live."""

import base64
import html
import io
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import traitlets

from tl_course.core import image_io
from tl_course.errors import ImageSetError
from tl_course.widgets.builder_files import Arriving
from tl_course.widgets.look import Page, looks

if TYPE_CHECKING:
    from PIL import Image

    from tl_course.models.classifier import Classifier, Prediction

__all__ = ["TryIt"]

SIDE = 448  # pixels of the longer side of the picture that is shown
BARS = 12  # labels with a bar; of more, the most probable ones


class TryIt(Page):
    """A classifier's answer to pictures of one's own, on a page in the notebook and as a plain object.

    Choose a file, drop a photo anywhere on the page, paste one, or let the camera look: then each of its frames is
    answered, as many a second as the machine manages, always the newest. Without a live kernel, the last answer is
    shown.

    Parameters
    ----------
    model : Classifier or path
        Whose answers to show: a classifier, or the folder of one that was saved.
    source : path or PIL picture, optional
        What to show an answer for before anything is handed over.

    Raises
    ------
    ModelError
        There is no saved model in the folder, or it is damaged.
    """

    _esm, _css = looks("camera", "try_it")
    _may_ask = {"_chunk": {"name", "size", "offset"}, "see": set(), "stop": set()}  # noqa: RUF012
    _view = traitlets.Bytes().tag(sync=True)

    def __init__(self, model: "Classifier | str | Path", source: "str | Path | Image.Image | None" = None) -> None:
        if isinstance(model, str | Path):
            from tl_course.models.classifier import Classifier

            model = Classifier.load(model)
        self.model = model
        self.prediction: Prediction | None = None
        self._picture: Image.Image | None = None
        self._name = ""
        self._milliseconds = 0.0  # that the model took for the last answer
        self._arriving = Arriving()
        super().__init__()
        if source is not None:
            self.predict(source)
        else:
            self._push()
        self.on_msg(self._message)

    def predict(self, source: "str | Path | Image.Image", *, name: str = "") -> "Prediction":
        """Predict one picture, show it, and show the probability of each label.

        Parameters
        ----------
        source
            A path or a PIL picture.
        name
            What to call it on the page; the file's name by default.

        Raises
        ------
        ImageSetError
            The picture cannot be read.
        """
        answer = self._answer(image_io.load(source))
        self._name = name or (Path(source).name if isinstance(source, str | Path) else "picture")
        self._show()
        self._say(f"{self._name}: {answer.label}, {answer.confidence:.1%}.")
        return answer

    def see(self, frame: "bytes | Image.Image") -> "Prediction":
        """Predict one frame of a camera; the bars follow, the picture on the page does not until `stop`."""
        answer = self._answer(image_io.load(frame))
        self._name = "camera"
        self._push()
        return answer

    def stop(self) -> None:
        """Let the camera's last frame stand as the picture."""
        if self._picture is not None and self.prediction is not None:
            self._show()
            self._say(f"{self._name}: {self.prediction.label}, {self.prediction.confidence:.1%}.")

    # ---- underneath ----------------------------------------------------------------------------------------------

    def _answer(self, picture: "Image.Image") -> "Prediction":
        began = time.perf_counter()
        (answer,) = self.model.predict(picture)
        self._milliseconds = 1000 * (time.perf_counter() - began)
        self.prediction, self._picture = answer, picture
        return answer

    def _show(self) -> None:
        self._view = _jpeg(self._picture) if self._picture is not None else b""

    def _rows(self) -> list[tuple[str, float]]:
        if self.prediction is None:
            return []
        return sorted(self.prediction.probabilities.items(), key=lambda row: -row[1])

    def _push(self) -> None:
        rows = self._rows()
        self._state = {
            "name": self._name,
            "rows": [[label, round(share, 4)] for label, share in rows[:BARS]],
            "more": max(0, len(rows) - BARS),
            "milliseconds": round(self._milliseconds),
            **self._said(),
        }

    def _message(self, _: object, content: object, buffers: Sequence[Any]) -> None:
        asked = dict(content) if isinstance(content, dict) else {}
        ack, do = asked.pop("ack", None), asked.pop("do", None)
        if do in ("_chunk", "see"):
            data = b"".join(bytes(buffer) for buffer in buffers)
            given = {"data" if do == "_chunk" else "frame": data}
        else:
            given = {}
        good = self._shown(lambda: self._method(do, asked)(**asked, **given))
        if ack is not None:
            self.send({"ack": ack, "good": good})

    def _chunk(self, name: str, size: int, offset: int, data: bytes) -> None:
        """Take in the next part of a file from the browser, and predict it once it is whole."""
        if size == 0:
            raise ImageSetError(f"{name} is empty. Choose a picture, such as a JPEG or PNG.")
        if (whole := self._arriving.add("", name, size, offset, data)) is None:
            return
        file = io.BytesIO(whole)
        file.name = name  # an error names it
        self.predict(image_io.load(file), name=name)

    # ---- without a kernel ----------------------------------------------------------------------------------------

    def _still(self) -> dict[str, str]:
        if self.prediction is None or self._picture is None:
            words = "TryIt: no picture yet. Run the cell to try one of your own."
            return {"text/html": f"<p>{words}</p>", "text/plain": words}
        rows = self._rows()
        bars = "".join(
            f"<tr><td style='text-align:right;padding-right:.6em'>{html.escape(label)}</td>"
            "<td style='width:12em;text-align:left'>"
            f"<div style='background:#0072B2;height:1em;width:{share:.1%}'></div></td>"
            f"<td style='text-align:right;padding-left:.6em'>{share:.1%}</td></tr>"
            for label, share in rows[:BARS]
        )
        source = base64.b64encode(_jpeg(self._picture, side=224)).decode()
        alt = html.escape(f"a picture that the model calls {self.prediction.label}", quote=True)
        told = f"{html.escape(self._name)}{f', with {len(rows) - BARS} more labels' * (len(rows) > BARS)}"
        return {
            "text/html": (
                "<div style='display:flex;flex-wrap:wrap;gap:1em;align-items:center'>"
                f"<figure style='margin:0'><img src='data:image/jpeg;base64,{source}' alt='{alt}'>"
                f"<figcaption>{told}</figcaption></figure>"
                f"<table style='border-collapse:collapse'>{bars}</table></div>"
            ),
            "text/plain": f"TryIt: {self._name}: {self.prediction.label} ({self.prediction.confidence:.1%})",
        }


def _jpeg(picture: "Image.Image", *, side: int = SIDE) -> bytes:
    small = picture.copy()
    small.thumbnail((side, side))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=85)
    return data.getvalue()
