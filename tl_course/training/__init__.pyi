from .callbacks import Recording as Recording
from .layer_groups import layer_groups as layer_groups
from .layer_groups import learning as learning
from .learners import classifier as classifier
from .learners import learner as learner
from .strategies import fine_tune as fine_tune
from .strategies import frozen as frozen
from .strategies import gradual as gradual
from .strategies import scratch as scratch
from .trainer import train as train
from .transfer_gains import benefits as benefits

__all__ = [
    "Recording",
    "benefits",
    "classifier",
    "fine_tune",
    "frozen",
    "gradual",
    "layer_groups",
    "learner",
    "learning",
    "scratch",
    "train",
]
