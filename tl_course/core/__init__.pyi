from .devices import cores as cores
from .devices import pick_device as pick_device
from .files import cache_dir as cache_dir
from .image_io import load as load

__all__ = ["cache_dir", "cores", "load", "pick_device"]
