from .automatic import lesson_images as lesson_images
from .base import Collected as Collected
from .base import Progress as Progress
from .base import Source as Source
from .local import Camera as Camera
from .local import Folder as Folder
from .local import Pack as Pack
from .local import Rendered as Rendered
from .local import Upload as Upload
from .menu import SOURCES as SOURCES
from .menu import named as named
from .menu import source_of as source_of
from .open_collections import Commons as Commons
from .open_collections import Openverse as Openverse
from .public import Public as Public
from .web import Web as Web

__all__ = [
    "Camera",
    "Collected",
    "Commons",
    "Folder",
    "Openverse",
    "Pack",
    "Progress",
    "Public",
    "Rendered",
    "SOURCES",
    "Source",
    "Upload",
    "Web",
    "lesson_images",
    "named",
    "source_of",
]
