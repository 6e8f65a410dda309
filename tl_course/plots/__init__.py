"""Figures from data sets, predictions and histories: plain matplotlib, returned for the notebook to show."""

from tl_course.plots.answers import confusion, feature_map, thresholds
from tl_course.plots.grids import contact_sheet, heat, picture_grid, predictions
from tl_course.plots.look import COLOURS
from tl_course.plots.networks import network
from tl_course.plots.runs import curves, data_efficiency, three_benefits

__all__ = [
    "COLOURS", "confusion", "contact_sheet", "curves", "data_efficiency", "feature_map", "heat", "network",
    "picture_grid", "predictions", "three_benefits", "thresholds",
]  # fmt: skip
