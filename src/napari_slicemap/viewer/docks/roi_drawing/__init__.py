"""The ROI drawing dock: tools, the table of ROIs, and ways in and out."""

from .dock import RoiDrawingDock as RoiDrawingDock
