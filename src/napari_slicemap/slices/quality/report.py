"""What was found of a run's quality, on record: numbers per slice, and a report of the run as HTML and JSON."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from ...errors import PlanError
from ...files import write_json
from ..diagnostics import write_diagnostics
from ..reports.page import Page, Plot, Table, Thumbnail, write_page
from ..slice_config import is_used, why_excluded
from ..slice_values import number_of
from .pipeline import SliceQuality
from .score import NO_DATA

PART = "quality"
"""Of ``slice_<id>.json``."""
HTML_NAME, JSON_NAME = "quality_report.html", "quality_report.json"
_VERSION = 1


@dataclass(frozen=True)
class QualitySettings:
    """What was asked for.

    Parameters
    ----------
    sample_depth : int
        Planes compared.
    min_quality : float or None
        The least score of a slice that is used.
    exclude_first : int
        So many of the first slices are calibration slices.
    detect_calibration : bool
        Whether those that are far thicker are, too.

    Raises
    ------
    PlanError
        If the least score is none that a slice can have.
    """

    sample_depth: int
    min_quality: float | None
    exclude_first: int
    detect_calibration: bool

    def __post_init__(self) -> None:
        if self.min_quality is not None and not 0 <= self.min_quality <= 1:
            raise PlanError([f"--min-quality is {self.min_quality}, expected a number from 0 to 1"])

    @property
    def data(self) -> dict[str, Any]:
        """Fit for JSON."""
        return vars(self).copy()


# --- numbers ---------------------------------------------------------------------------------------------------
def quality_numbers(quality: SliceQuality) -> dict[str, Any]:
    """Give all that was found of a slice, fit for strict JSON."""
    depth, height, width = quality.shape
    step = quality.z_step_um
    result = quality.result
    return {
        "score": result.score,
        "ssim": result.ssim,
        "edge": result.edge,
        "variance": result.variance,
        "calibration": quality.calibration,
        "has_data": math.sqrt(quality.variance) >= NO_DATA,
        "thickness_planes": depth,
        "thickness_um": None if step is None else depth * step,
        "tissue_depth_planes": quality.tissue_depth,
        "tissue_depth_um": None if step is None else quality.tissue_depth * step,
        "height_px": height,
        "width_px": width,
        "sampled_planes": list(quality.planes),
        "mean_of_planes": list(quality.means),
        "variance_of_planes": list(quality.variances),
        "variance_of_sample": quality.variance,
        "not_finite_px": quality.not_finite,
        "edge_correlation": quality.edge,
        "neighbours": {
            slice_id: {
                "planes": list(found.planes),
                "ssim_of_planes": list(found.ssim),
                "ssim": fmean(found.ssim),
                "variance_of_sample": found.variance,
            }
            for slice_id, found in quality.comparisons.items()
        },
    }


def write_quality_diagnostics(folder: str | os.PathLike[str], qualities: Mapping[str, SliceQuality]) -> list[Path]:
    """Put the numbers of each slice into its ``slice_<id>.json``, part ``"quality"``; other parts stay.

    Raises
    ------
    FileFormatError
        If there is a file of that name that is none of these.
    """
    return [write_diagnostics(folder, one, PART, quality_numbers(found)) for one, found in qualities.items()]


def quality_data(
    qualities: Mapping[str, SliceQuality], rows: Mapping[str, Mapping[str, Any]], settings: QualitySettings
) -> dict[str, Any]:
    """Give the report of a run, fit for strict JSON.

    Parameters
    ----------
    qualities : mapping of str to SliceQuality
        Slice id → what was found.
    rows : mapping of str to mapping
        The table as stamped; a slice that it lacks counts as used.
    settings : QualitySettings
        What was asked for.
    """
    own = {number_of(slice_id): row for slice_id, row in rows.items()}
    slices = {}
    for slice_id, quality in qualities.items():
        row = own.get(number_of(slice_id), {})
        slices[slice_id] = {"use": is_used(row), "why_not": why_excluded(row), **quality_numbers(quality)}
    scores = [one["score"] for one in slices.values() if not one["calibration"]]
    least = settings.min_quality
    return {
        "version": _VERSION,
        "settings": settings.data,
        "summary": {
            "slices": len(slices),
            "used": sum(one["use"] for one in slices.values()),
            "calibration": [name for name, one in slices.items() if one["calibration"]],
            "without_data": [name for name, one in slices.items() if not one["calibration"] and not one["has_data"]],
            "below_min_quality": [
                name
                for name, one in slices.items()
                if least is not None and not one["calibration"] and round(one["score"], 3) < least
            ],
            "score_mean": fmean(scores),
            "score_least": min(scores),
            "score_most": max(scores),
        },
        "slices": slices,
    }


# --- the report ------------------------------------------------------------------------------------------------
def write_quality_report(
    folder: str | os.PathLike[str],
    qualities: Mapping[str, SliceQuality],
    rows: Mapping[str, Mapping[str, Any]],
    settings: QualitySettings,
) -> tuple[Path, Path]:
    """Write ``quality_report.html`` and ``quality_report.json``, in the place of those that are there.

    Parameters
    ----------
    folder : path-like
        Made where it does not exist.
    qualities, rows, settings
        As for :func:`quality_data`.

    Returns
    -------
    tuple of Path
        Both files.
    """
    data = quality_data(qualities, rows, settings)
    html, json = Path(folder) / HTML_NAME, Path(folder) / JSON_NAME
    write_page(html, _page(data, {slice_id: quality.thumbnail for slice_id, quality in qualities.items()}))
    write_json(json, data)
    return html, json


_METRICS: tuple[tuple[str, str, Callable[[dict[str, Any]], float | None]], ...] = (
    ("Quality score", "score", lambda one: one["score"]),
    ("SSIM with neighbours", "SSIM", lambda one: one["ssim"]),
    ("Agreement of edges", "edge", lambda one: one["edge"]),
    ("Agreement of variance", "variance", lambda one: one["variance"]),
    ("Tissue depth", "planes", lambda one: None if one["calibration"] else one["tissue_depth_planes"]),
    ("Thickness", "planes", lambda one: one["thickness_planes"]),
)


def _page(data: Mapping[str, Any], thumbnails: Mapping[str, bytes]) -> Page:
    slices = data["slices"]
    ids, used = tuple(slices), tuple(one["use"] for one in slices.values())
    least = data["settings"]["min_quality"]
    plots = [
        Plot(
            title,
            axis,
            ids,
            tuple(value(one) for one in slices.values()),
            used,
            limit=least if axis == "score" else None,
            limit_label="least quality" if axis == "score" and least is not None else "",
        )
        for title, axis, value in _METRICS
    ]
    pictures = [
        Thumbnail(slice_id, png, f"{slices[slice_id]['score']:.3f}", slices[slice_id]["use"])
        for slice_id, png in thumbnails.items()
        if png
    ]
    return Page("Quality of slices", _facts(data), tuple(plots), tuple(pictures), _table(slices, used))


def _facts(data: Mapping[str, Any]) -> dict[str, str]:
    settings, summary = data["settings"], data["summary"]
    least = settings["min_quality"]
    return {
        "Slices used": f"{summary['used']} of {summary['slices']}",
        "Mean score": f"{summary['score_mean']:.3f} ({summary['score_least']:.3f} to {summary['score_most']:.3f})",
        "Least quality asked for": "none" if least is None else f"{least:g}",
        "Below it": ", ".join(summary["below_min_quality"]) or "none",
        "Calibration slices": ", ".join(summary["calibration"]) or "none",
        "Without data": ", ".join(summary["without_data"]) or "none",
        "Planes compared": str(settings["sample_depth"]),
        "Score": "0.5 · SSIM + 0.3 · edge + 0.2 · variance",
    }


def _table(slices: Mapping[str, dict[str, Any]], used: tuple[bool, ...]) -> Table:
    columns = (
        "slice",
        "use",
        "score",
        "SSIM",
        "edge",
        "variance",
        "tissue depth",
        "thickness",
        "neighbours",
        "why not",
    )
    rows = tuple(
        (
            slice_id,
            "yes" if one["use"] else "no",
            *(f"{one[name]:.3f}" for name in ("score", "ssim", "edge", "variance")),
            "" if one["calibration"] else f"{one['tissue_depth_planes']:.1f}",
            str(one["thickness_planes"]),
            ", ".join(one["neighbours"]),
            one["why_not"],
        )
        for slice_id, one in slices.items()
    )
    return Table(columns, rows, used)
