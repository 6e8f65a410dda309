"""A trained classifier: predicts, is measured, is saved to a folder and loaded from one.

Whatever the strategy, a classifier is a backbone and a linear head. A frozen one holds a few kilobytes of its own and
names its backbone; a fine-tuned one holds its backbone's weights too.
"""

import hashlib
import platform
import warnings
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from tl_course import __version__
from tl_course.core.image_io import SUFFIXES
from tl_course.core.names import nfc
from tl_course.errors import ImageSetError, ModelError, TLCourseWarning
from tl_course.features.backbones import Backbone, create
from tl_course.features.extraction import extract
from tl_course.models.files import WEIGHTS, read_model, what_is_no_model, write_model
from tl_course.models.heads import Head
from tl_course.models.history import History

if TYPE_CHECKING:
    from PIL import Image
    from torch import nn

    from tl_course.data.imageset import ImageSet

__all__ = ["Classifier", "Evaluation", "Prediction", "backbone_and_body", "score", "trained_backbone"]

_FORMAT = 1
_INVOLVED = ("timm", "torch", "onnxruntime", "scikit-learn")  # whose versions are written down with a model


@dataclass(frozen=True)
class Prediction:
    """What a classifier says of one picture.

    Attributes
    ----------
    source : str
        The file's path, or "picture 1" for a PIL picture.
    label : str
        The most probable label.
    confidence : float
        Its probability, 0 to 1.
    probabilities : dict of str to float
        The probability of each label; they add up to 1.
    """

    source: str
    label: str
    confidence: float
    probabilities: dict[str, float]

    def __str__(self) -> str:
        return f"{self.source}: {self.label} ({self.confidence:.1%})"


@dataclass(frozen=True)
class Evaluation:
    """How a classifier did on pictures whose labels are known.

    Attributes
    ----------
    accuracy : float
        Share of pictures that were given their label, 0 to 1.
    balanced_accuracy : float
        The mean over the labels of the share of each label's pictures that were given it, 0 to 1.
    log_loss : float
        Mean of minus the logarithm of the probability given to the right label, in nats.
    confusion : list of lists of int
        Row: the label it has; column: the label it was given; both in the classifier's order.
    n : int
        Number of pictures.
    """

    accuracy: float
    balanced_accuracy: float
    log_loss: float
    confusion: list[list[int]]
    n: int


def score(probabilities: NDArray[np.float32], targets: NDArray[np.int64]) -> Evaluation:
    """Measure probabilities of shape (n, n_labels) against the index of each picture's label, of shape (n,)."""
    k = probabilities.shape[1]
    confusion = np.zeros((k, k), int)
    np.add.at(confusion, (targets, probabilities.argmax(axis=1)), 1)
    seen = confusion.sum(axis=1)
    right = probabilities[np.arange(len(targets)), targets]
    return Evaluation(
        accuracy=float(np.trace(confusion) / confusion.sum()),
        balanced_accuracy=float(np.mean(np.diag(confusion)[seen > 0] / seen[seen > 0])),
        log_loss=float(-np.log(np.clip(right, 1e-7, None)).mean()),
        confusion=confusion.tolist(),
        n=len(targets),
    )


@dataclass
class Classifier:
    """A backbone with a linear head that tells `labels` apart.

    Made by `tl_course.train` or `Classifier.load`.

    Attributes
    ----------
    labels : list of str
        In the order of the head's rows.
    backbone : Backbone
        With the preprocessing that goes with it.
    head : Head
    strategy : str
        "frozen", "fine-tune", "gradual" or "scratch".
    metrics : dict
        What was measured when it was trained, ready for JSON.
    history : History
        The record of the training.
    body : torch module or None
        The backbone's own network where it has been fine-tuned.
    """

    labels: list[str]
    backbone: Backbone
    head: Head
    strategy: str
    metrics: dict[str, Any]
    history: History
    body: "nn.Module | None" = field(default=None, repr=False)

    def predict(
        self,
        sources: "str | Path | Image.Image | Iterable[str | Path | Image.Image]",
        *,
        device: str = "auto",
        progress: bool = True,
    ) -> list[Prediction]:
        """Predict the label of pictures.

        Parameters
        ----------
        sources : path, PIL picture, or several of them
            A folder stands for all the picture files in it, however deep.
        device : {"auto", "cpu", "cuda"}
        progress : bool
            Show a bar where somebody may look (see `tl_course.core.progress`).

        Returns
        -------
        list of Prediction
            One a picture, in order. Pictures that cannot be read are left out and named in a `TLCourseWarning`.

        Raises
        ------
        ImageSetError
            Not one picture could be read.
        """
        listed = _listed(sources)
        features = extract(listed, self.backbone, device=device, body=self._body(), progress=progress)
        if features.failed:
            reasons = "; ".join(features.failed.values())
            if len(features.failed) == len(listed):
                raise ImageSetError(f"No picture to predict could be read. {reasons}")
            warnings.warn(f"Left out {len(features.failed)} of {len(listed)}: {reasons}", TLCourseWarning, stacklevel=2)
        return [
            Prediction(
                source=str(source) if isinstance(source, str | Path) else f"picture {i + 1}",
                label=self.labels[int(row.argmax())],
                confidence=float(row.max()),
                probabilities=dict(zip(self.labels, map(float, row), strict=True)),
            )
            for i, (source, row) in enumerate(zip(listed, self.head.probabilities(features.vectors), strict=True))
            if i not in features.failed
        ]

    def evaluate(
        self, images: "ImageSet", *, split: str | None = None, device: str = "auto", progress: bool = True
    ) -> Evaluation:
        """Measure the classifier on a data set, or on one split ("train", "valid") of it.

        Raises
        ------
        ModelError
            The set has a label that the classifier does not know, or no picture in the split.
        """
        chosen = [picture for picture in images if split in (None, picture.split)]
        if unknown := sorted({picture.label for picture in chosen} - set(self.labels)):
            raise ModelError(
                f"{images.name} has the label{'s' * (len(unknown) > 1)} {', '.join(map(repr, unknown))}, which this "
                "model was not trained on. It "
                f"knows {', '.join(map(repr, self.labels))}. Rename the label, or train with pictures of it."
            )
        if not chosen:
            raise ModelError(
                f"{images.name} has no picture{f' in the split {split!r}' if split else ''} to measure on."
            )
        features = extract(
            [images.path(picture) for picture in chosen],
            self.backbone,
            device=device,
            hashes=[picture.sha256 for picture in chosen],
            body=self._body(),
            progress=progress,
        )
        good = [i for i in range(len(chosen)) if i not in features.failed]
        if features.failed:
            warnings.warn(f"Left out: {'; '.join(features.failed.values())}", TLCourseWarning, stacklevel=2)
        if not good:
            raise ModelError(f"None of the {len(chosen)} pictures of {images.name} could be read.")
        targets = np.array([self.labels.index(chosen[i].label) for i in good])
        return score(self.head.probabilities(features.vectors[good]), targets)

    def save(self, folder: str | Path, *, card: str = "") -> Path:
        """Write the classifier into `folder`: ``model.safetensors`` and ``config.json``, nothing that runs code.

        A model that is there already is replaced at one stroke: whatever happens meanwhile, `load` finds the old one
        or the new one, whole. A folder with anybody's work in it is not touched. A `card` in Markdown goes with it as
        ``README.md``, where Hugging Face's hub looks for model cards.

        Raises
        ------
        ModelError
            `folder` holds something else, or cannot be written.
        """
        target = _folder(folder)
        tensors = {"head.weight": self.head.weight, "head.bias": self.head.bias}
        if self.body is not None:
            tensors |= {f"body.{name}": tensor.cpu().numpy() for name, tensor in self.body.state_dict().items()}
        config = {
            "format": _FORMAT,
            "id": uuid4().hex,
            "labels": self.labels,
            "strategy": self.strategy,
            "backbone": self.backbone.to_json(),
            "metrics": self.metrics,
            "history": self.history.to_json(),
            "versions": _versions(),
        }
        try:
            if target.exists() and (foreign := what_is_no_model(target)):
                raise ModelError(f"{target} is there already and {foreign}. Choose another folder.")
            write_model(target, tensors, config, card=card)
        except OSError as error:
            kept = ""
            with suppress(OSError):
                kept = " The model that was there is kept." if (target / WEIGHTS).exists() else ""
            raise ModelError(f"The model cannot be saved in {target}: {error.strerror or error}.{kept}") from error
        return target

    @classmethod
    def load(cls, folder: str | Path) -> "Classifier":
        """Load a classifier that `save` wrote. No code that came with it is run.

        Raises
        ------
        ModelError
            There is no saved model in `folder`, it is damaged, or it comes from a newer version of the package.
        BackboneError
            It stands on a backbone whose weights cannot be had here.
        """
        path = _folder(folder)
        try:
            tensors, config = read_model(path)
            if config["format"] > _FORMAT:
                raise ModelError(f"{path} was saved by a newer version of tl-course. Upgrade: pip install -U tl-course")
            backbone = Backbone.from_json(config["backbone"])
            model = cls(
                labels=[nfc(label) for label in config["labels"]],
                backbone=backbone,
                head=Head(tensors.pop("head.weight"), tensors.pop("head.bias")),
                strategy=config["strategy"],
                metrics=config["metrics"],
                history=History(**config["history"]),
            )
        except FileNotFoundError as error:
            raise ModelError(f"{path} holds no saved model: there is no {Path(error.filename).name}.") from error
        except NotADirectoryError as error:
            raise ModelError(f"{path} is no folder. Give the one that the model was saved in.") from error
        except OSError as error:
            raise ModelError(f"The model in {path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise ModelError(f"The model in {path} is damaged ({error}). Save it again, or train it again.") from error
        if tensors:
            model.body = _body_from(backbone, tensors)
        elif (here := Backbone.get(backbone.name, pooling=backbone.pooling)).key != backbone.key:
            raise ModelError(
                f"The model in {path} was trained on {backbone.weights}; here is {here.weights}. Install the "
                "former, or train again."
            )
        return model

    def _body(self) -> "Any":
        return (lambda: self.body) if self.body is not None else None

    def __str__(self) -> str:
        measured = f", accuracy {self.metrics['accuracy']:.3f}" if "accuracy" in self.metrics else ""
        return f"{self.strategy} classifier of {', '.join(self.labels)} on {self.backbone.name}{measured}"

    __repr__ = __str__  # the fields hold every weight of the head


def backbone_and_body(
    name: str | Path, *, views: int | None = None, pooling: str | None = None
) -> "tuple[Backbone, nn.Module | None]":
    """A backbone by timm's name, or that of a saved classifier by its folder; and its network, where it is its own.

    `views` and `pooling` are those that it is to have, where they are to be others than its own.

    Raises
    ------
    BackboneError
        timm does not know it, or its weights cannot be had here.
    ModelError
        There is no saved model in the folder, or it is damaged or of another pooling; or `name` is neither of the two.
    """
    if not isinstance(name, str | Path):
        raise ModelError(
            f"A {type(name).__name__} is no backbone: give timm's name of one, or the folder of a classifier that you "
            "have saved: model.save('my_model'), then backbone='my_model'."
        )
    if isinstance(name, str) and "/" not in name and "\\" not in name and not Path(name).is_dir():
        backbone, body = Backbone.get(name, pooling="avg" if pooling is None else pooling), None
    else:
        model = Classifier.load(name)
        backbone, body = model.backbone, model.body
        if pooling not in (None, backbone.pooling):
            raise ModelError(f"The model in {name} was trained with pooling {backbone.pooling!r}, and keeps it.")
    return backbone if views is None else replace(backbone, views=views), body


def trained_backbone(backbone: Backbone, body: "nn.Module") -> Backbone:
    """`backbone` as it is after training `body`: the same preprocessing, weights of its own."""
    digest = hashlib.sha256(b"" if backbone.pooling == "avg" else backbone.pooling.encode())
    for name, tensor in sorted(body.state_dict().items()):
        digest.update(name.encode())
        digest.update(tensor.cpu().numpy().tobytes())
    return replace(backbone, key=f"trained-{digest.hexdigest()[:16]}", weights=f"trained from {backbone.key}")


def _folder(given: str | Path) -> Path:
    """The folder that somebody means, as far as it can be one."""
    try:
        folder = Path(given).expanduser()
    except RuntimeError as error:
        raise ModelError(f"{given} is no folder: there is no user of that name here.") from error
    if "\0" in str(folder):
        raise ModelError(f"{str(given)!r} can be no folder's name.")
    return folder


def _versions() -> dict[str, str]:
    found = {"python": platform.python_version(), "tl-course": __version__}
    for name in _INVOLVED:
        with suppress(PackageNotFoundError):  # it came from a checkout, or under another name (onnxruntime-gpu)
            found[name] = version(name)
    return found


def _body_from(backbone: Backbone, tensors: dict[str, Any]) -> "nn.Module":
    import torch

    body = create(backbone.name, pretrained=False, pooling=backbone.pooling)
    try:
        body.load_state_dict({key.removeprefix("body."): torch.from_numpy(value) for key, value in tensors.items()})
    except RuntimeError as error:
        raise ModelError(f"The weights in the model do not fit {backbone.name}: {str(error)[:200]}") from error
    return body.eval()


def _listed(sources: Any) -> "Sequence[Path | Image.Image]":
    from PIL import Image

    if isinstance(sources, str | Path | Image.Image):
        sources = [sources]
    listed: list[Path | Image.Image] = []
    for source in sources:
        if isinstance(source, Image.Image):
            listed.append(source)
        elif (path := Path(source).expanduser()).is_dir():
            found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            if not found:
                raise ImageSetError(f"There is no picture in the folder {path}.")
            listed += found
        else:
            listed.append(path)
    if not listed:
        raise ImageSetError("There is no picture to predict: give a file, a folder or a PIL picture.")
    return listed
