"""Widgets over plain objects: whatever a click does is a method with the same name."""

from tl_course.widgets.cleaner import Cleaner
from tl_course.widgets.consistency import Consistency
from tl_course.widgets.dataset_builder import DatasetBuilder
from tl_course.widgets.live_curves import LiveCurves
from tl_course.widgets.try_it import TryIt

__all__ = ["Cleaner", "Consistency", "DatasetBuilder", "LiveCurves", "TryIt"]
