"""Where pictures come from. Every source is used alike: ``Openverse().collect(["cat", "dog"], 40, "my_pets")``."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
