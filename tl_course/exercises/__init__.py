"""Questions with check, hint and solution; those of the lessons and assignments; students' variants."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
