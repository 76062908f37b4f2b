"""What the images of slices must have in common, and what is wrong where they do not."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ...errors import PlanError
from ..volumes import SliceVolume

_EQUAL = 1e-5
"""Relative difference up to which sizes are the same: files round them."""


def common_pixel_size_um(volumes: Mapping[str, SliceVolume], stated: float | None = None) -> float | None:
    """Give the pixel size of all images, µm.

    Parameters
    ----------
    volumes : mapping of str to SliceVolume
        Slice id → image.
    stated : float, optional
        That of images that state none, µm.

    Returns
    -------
    float or None
        ``None`` if neither the images nor `stated` say it.

    Raises
    ------
    PlanError
        Naming images whose sizes differ, from one another or from `stated`, or where some state one and some none.
    TileReadError
        Naming a file that cannot be read.
    """
    return _common({one: volume.pixel_size_um for one, volume in volumes.items()}, volumes, stated, "µm/px")


def common_z_step_um(volumes: Mapping[str, SliceVolume], stated: float | None = None) -> float | None:
    """Give the distance of the planes of all images, µm; as :func:`common_pixel_size_um` does the pixel size."""
    return _common(
        {one: volume.z_step_um for one, volume in volumes.items()}, volumes, stated, "µm from plane to plane"
    )


def _common(
    sizes: Mapping[str, float | None], volumes: Mapping[str, SliceVolume], stated: float | None, unit: str
) -> float | None:
    if stated is not None and not (math.isfinite(stated) and stated > 0):
        raise PlanError([f"{stated:g} {unit} were stated, expected a number above 0"])
    known = {slice_id: size for slice_id, size in sizes.items() if size is not None}
    first, own = next(iter(known.items()), ("", None))
    if own is not None and stated is not None and not math.isclose(own, stated, rel_tol=_EQUAL):
        raise PlanError([f"{volumes[first].path} states {own:g} {unit}, but {stated:g} were given"])
    faults = [
        f"{volumes[one].path} states {size:g} {unit}, and {volumes[first].path} {own:g}; they must be the same"
        for one, size in known.items()
        if own is not None and not math.isclose(size, own, rel_tol=_EQUAL)
    ]
    if own is not None and stated is None:
        faults += [
            f"{volumes[one].path} does not state how many {unit}, and {volumes[first].path} states {own:g}"
            for one in sizes
            if one not in known
        ]
    if faults:
        raise PlanError(faults)
    return own if own is not None else stated
