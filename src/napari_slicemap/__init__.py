"""napari-slicemap: see thousands of microscope tiles as one map, decide, mark and export.

The names below are the public headless API. They are loaded when first used: importing the package loads no napari,
Qt, pandas or dask.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dataset import Dataset as Dataset
    from .dataset import open_dataset as open_dataset
    from .export.plan import ExportPlan as ExportPlan
    from .export.run import ExportReport as ExportReport
    from .export.run import run_export as run_export
    from .export.runner import ExportResult as ExportResult
    from .export.runner import JobItem as JobItem
    from .export.runner import JobRunner as JobRunner
    from .images.fov import Fov as Fov
    from .images.region import Region as Region
    from .render.channels import ChannelSettings as ChannelSettings
    from .render.fov import render_fov_to_array as render_fov_to_array
    from .render.overlays import AnnotationOverlay as AnnotationOverlay
    from .render.overlays import MaskOverlay as MaskOverlay
    from .render.overlays import RoiOverlay as RoiOverlay
    from .render.profile import Profile as Profile
    from .render.scale_bar import ScaleBar as ScaleBar
    from .render.scale_bar import compute_scale_bar as compute_scale_bar
    from .render.virtual_map import VirtualMap as VirtualMap
    from .rois.roi import Roi as Roi
    from .rois.table import RoiTable as RoiTable

_HOME = {
    "AnnotationOverlay": "render.overlays",
    "ChannelSettings": "render.channels",
    "Dataset": "dataset",
    "ExportPlan": "export.plan",
    "ExportReport": "export.run",
    "ExportResult": "export.runner",
    "Fov": "images.fov",
    "JobItem": "export.runner",
    "JobRunner": "export.runner",
    "MaskOverlay": "render.overlays",
    "Profile": "render.profile",
    "Region": "images.region",
    "Roi": "rois.roi",
    "RoiOverlay": "render.overlays",
    "RoiTable": "rois.table",
    "ScaleBar": "render.scale_bar",
    "VirtualMap": "render.virtual_map",
    "compute_scale_bar": "render.scale_bar",
    "open_dataset": "dataset",
    "render_fov_to_array": "render.fov",
    "run_export": "export.run",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("napari-slicemap")
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
