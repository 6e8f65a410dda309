from .imageset import ImageSet as ImageSet
from .imageset import Picture as Picture
from .registry import dataset_names as dataset_names

__all__ = ["ImageSet", "Picture", "dataset_names"]
