from .issues import Suspects as Suspects

__all__ = ["Suspects"]
