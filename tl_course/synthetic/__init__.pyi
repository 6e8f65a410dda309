from .datasets import dataset_folder as dataset_folder
from .doors.scene import draw_door as draw_door
from .rendering import render_dataset as render_dataset

__all__ = ["dataset_folder", "draw_door", "render_dataset"]
