"""tl-course: a JupyterLab course and teaching kit on transfer learning.

The names below are the ones a lesson needs first. They are looked up when first used, so that ``import tl_course``
stays quick and nothing heavy is loaded before it is needed.
"""

import os
import warnings

import lazy_loader

from tl_course.core.progress import watch
from tl_course.data.registry import register_provider

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

# torch's threads wait for each other by spinning unless they are told not to before torch is imported. On a machine
# that others use too (a class's server, a laptop with a browser open) that made an epoch ten times longer. With GNU's
# OpenMP they still spin for the few microseconds that are quicker than falling asleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# ONNX Runtime reports its use to Microsoft from version 1.29 on unless told not to before it is imported. A course does
# not report on its students.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

# fastai and timm use what torch has begun to deprecate; a learner can do nothing about it, and would meet a red box.
warnings.filterwarnings("ignore", message=r"`torch\.jit\.\w+` is deprecated", category=FutureWarning)


register_provider("tl_course.synthetic.datasets")
watch()  # in a notebook, what takes long is to say so
