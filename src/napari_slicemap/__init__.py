"""napari-slicemap: see thousands of microscope tiles as one map, decide, mark and export.

The names below are the public headless API. They are loaded when first used: importing the package loads no napari,
Qt, pandas or dask.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .dataset import Dataset as Dataset
    from .dataset import open_dataset as open_dataset
    from .export.convert.plan import ConvertPlan as ConvertPlan
    from .export.convert.run import convert_dataset as convert_dataset
    from .export.plan import ExportPlan as ExportPlan
    from .export.repeat import repeat_export as repeat_export
    from .export.run import ExportReport as ExportReport
    from .export.run import run_export as run_export
    from .export.running.runner import ExportResult as ExportResult
    from .export.running.runner import JobItem as JobItem
    from .export.running.runner import JobRunner as JobRunner
    from .export.stacks.bundles import export_bundles as export_bundles
    from .export.stacks.gif import export_gif as export_gif
    from .images.config_frames import MetaData as MetaData
    from .images.config_frames import OutputParameters as OutputParameters
    from .images.config_frames import save_config_frames as save_config_frames
    from .images.fov import Fov as Fov
    from .images.region import Region as Region
    from .images.stack.hdf5_bundle import load_h5_bundle as load_h5_bundle
    from .images.stack.hdf5_bundle import save_h5_bundle as save_h5_bundle
    from .images.stack.image_stack import ImageStack as ImageStack
    from .images.stack.npz_bundle import load_npz_bundle as load_npz_bundle
    from .images.stack.npz_bundle import save_npz_bundle as save_npz_bundle
    from .images.stack.ome_tiff_bundle import load_ome_tiff_stack as load_ome_tiff_stack
    from .images.stack.ome_tiff_bundle import save_ome_tiff_stack as save_ome_tiff_stack
    from .images.stack.processing import apply_steps as apply_steps
    from .images.stack.reading import read_stack as read_stack
    from .maps.registration import register_map as register_map
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
    from .slices.galvo import GalvoScore as GalvoScore
    from .slices.galvo import detect_galvo_for_slice as detect_galvo_for_slice
    from .slices.galvo import detect_galvo_shift as detect_galvo_shift
    from .slices.galvo import fix_galvo_shift as fix_galvo_shift
    from .slices.galvo import galvo_artifact_score as galvo_artifact_score
    from .slices.quality import QualityResult as QualityResult
    from .slices.quality import assess_slice_quality as assess_slice_quality
    from .slices.shifts import build_cumulative_shifts as build_cumulative_shifts

_HOME = {
    "AnnotationOverlay": "render.overlays",
    "ChannelSettings": "render.channels",
    "ConvertPlan": "export.convert.plan",
    "Dataset": "dataset",
    "ExportPlan": "export.plan",
    "ExportReport": "export.run",
    "ExportResult": "export.running.runner",
    "Fov": "images.fov",
    "GalvoScore": "slices.galvo",
    "ImageStack": "images.stack.image_stack",
    "JobItem": "export.running.runner",
    "JobRunner": "export.running.runner",
    "MaskOverlay": "render.overlays",
    "MetaData": "images.config_frames",
    "OutputParameters": "images.config_frames",
    "Profile": "render.profile",
    "QualityResult": "slices.quality",
    "Region": "images.region",
    "Roi": "rois.roi",
    "RoiOverlay": "render.overlays",
    "RoiTable": "rois.table",
    "ScaleBar": "render.scale_bar",
    "VirtualMap": "render.virtual_map",
    "apply_steps": "images.stack.processing",
    "assess_slice_quality": "slices.quality",
    "build_cumulative_shifts": "slices.shifts",
    "compute_scale_bar": "render.scale_bar",
    "convert_dataset": "export.convert.run",
    "detect_galvo_for_slice": "slices.galvo",
    "detect_galvo_shift": "slices.galvo",
    "export_bundles": "export.stacks.bundles",
    "export_gif": "export.stacks.gif",
    "fix_galvo_shift": "slices.galvo",
    "galvo_artifact_score": "slices.galvo",
    "load_h5_bundle": "images.stack.hdf5_bundle",
    "load_npz_bundle": "images.stack.npz_bundle",
    "load_ome_tiff_stack": "images.stack.ome_tiff_bundle",
    "open_dataset": "dataset",
    "read_stack": "images.stack.reading",
    "register_map": "maps.registration",
    "render_fov_to_array": "render.fov",
    "repeat_export": "export.repeat",
    "run_export": "export.run",
    "save_config_frames": "images.config_frames",
    "save_h5_bundle": "images.stack.hdf5_bundle",
    "save_npz_bundle": "images.stack.npz_bundle",
    "save_ome_tiff_stack": "images.stack.ome_tiff_bundle",
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
