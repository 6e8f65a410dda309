"""Try a classifier on a picture of one's own."""

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_course import pictures
from tl_course.errors import TLCourseError

if TYPE_CHECKING:
    from PIL import Image

    from tl_course.models import Classifier, Prediction

__all__ = ["TryIt"]


class TryIt:
    """An upload button and the classifier's answer; without a live kernel, a still picture of the last answer.

    Parameters
    ----------
    model : Classifier
    source : path or PIL picture, optional
        What to show an answer for before anything is uploaded.
    """

    def __init__(self, model: "Classifier", source: "str | Path | Image.Image | None" = None) -> None:
        import ipywidgets

        self.model = model
        self.prediction: Prediction | None = None
        self._answer = ipywidgets.HTML()
        self._button = ipywidgets.FileUpload(accept="image/*", multiple=False, description="Choose a picture")
        self._button.layout.width = "14em"
        self._button.observe(self._uploaded, names="value")
        self._box = ipywidgets.VBox([self._button, self._answer])
        self._still = ""
        if source is not None:
            self.predict(source)

    def predict(self, source: "str | Path | Image.Image") -> "Prediction":
        """Predict one picture and show it with the probability of each label.

        Raises
        ------
        ImageSetError
            The picture cannot be read.
        """
        picture = pictures.load(source)
        (self.prediction,) = self.model.predict(picture)
        self._show(_card(picture, self.prediction))
        return self.prediction

    def _uploaded(self, change: Any) -> None:
        value = change["new"]
        files = list(value.values()) if isinstance(value, dict) else list(value)  # ipywidgets 7 and 8
        if not files:
            return
        file = io.BytesIO(bytes(files[-1]["content"]))
        file.name = files[-1].get("name") or files[-1]["metadata"]["name"]  # an error names it
        try:
            self.predict(pictures.load(file))
        except TLCourseError as error:
            self._show(f"<p role='alert'>{html.escape(str(error))}</p>")

    def _show(self, still: str) -> None:
        self._still = self._answer.value = still

    def _repr_mimebundle_(self, **options: Any) -> dict[str, Any]:
        bundle = self._box._repr_mimebundle_(**options) or {}
        live = bundle[0] if isinstance(bundle, tuple) else bundle
        note = "<p><i>Run this lesson in Jupyter to try a picture of your own here.</i></p>"
        said = str(self.prediction) if self.prediction else "no picture yet"
        return {**live, "text/html": self._still + note, "text/plain": f"TryIt: {said}"}


def _card(picture: "Image.Image", prediction: "Prediction") -> str:
    """The picture with a bar for each label, as HTML that needs nothing from anywhere else."""
    small = picture.copy()
    small.thumbnail((224, 224))
    data = io.BytesIO()
    small.save(data, "JPEG", quality=85)
    rows = "".join(
        f"<tr><td style='text-align:right;padding-right:.6em'>{html.escape(label)}</td>"
        "<td style='width:12em;text-align:left'>"
        f"<div style='background:#0072B2;height:1em;width:{share:.1%}'></div></td>"
        f"<td style='text-align:right;padding-left:.6em'>{share:.1%}</td></tr>"
        for label, share in sorted(prediction.probabilities.items(), key=lambda item: -item[1])
    )
    image = base64.b64encode(data.getvalue()).decode()
    alt = html.escape(f"a picture that the model calls {prediction.label}", quote=True)
    return (
        "<div style='display:flex;flex-wrap:wrap;gap:1em;align-items:center'>"
        f"<img src='data:image/jpeg;base64,{image}' alt='{alt}'>"
        f"<table style='border-collapse:collapse'>{rows}</table></div>"
    )
