from .backbones import Backbone as Backbone
from .backbones import available as available
from .backbones import create as create
from .extraction import Features as Features
from .extraction import extract as extract

__all__ = ["Backbone", "Features", "available", "create", "extract"]
