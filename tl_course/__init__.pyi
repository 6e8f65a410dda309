from . import (
    cleaning,
    core,
    data,
    exercises,
    features,
    models,
    net,
    notebooks,
    plots,
    sources,
    synthetic,
    training,
    widgets,
)
from .data.imageset import ImageSet as ImageSet
from .models.classifier import Classifier as Classifier
from .models.history import History as History
from .training.trainer import train as train

__version__: str
__all__ = [
    "Classifier",
    "History",
    "ImageSet",
    "cleaning",
    "core",
    "data",
    "exercises",
    "features",
    "models",
    "net",
    "notebooks",
    "plots",
    "sources",
    "synthetic",
    "train",
    "training",
    "widgets",
]
