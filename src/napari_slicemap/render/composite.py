"""From channel intensities to colour: the obvious numpy way, which faster ones are held against."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .channels import ChannelSettings, rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray


def composite(stack: NDArray[Any], settings: Sequence[ChannelSettings]) -> NDArray[np.uint8]:
    """Add up the channels in colour, as napari does with additive layers.

    ``n = clip((v − lo) / (hi − lo), 0, 1) ** gamma`` for each channel, ``rgb = clip(Σ n · colour, 0, 1)``,
    then ``round(255 · rgb)``.

    Parameters
    ----------
    stack : ndarray, (C, H, W)
        Intensities, any real dtype. NaN is shown as 0, infinities are clipped.
    settings : sequence of ChannelSettings
        One for each channel. Invisible channels add nothing.

    Returns
    -------
    ndarray of uint8, (H, W, 3)
    """
    total = np.zeros((*stack.shape[-2:], 3))
    for plane, one in zip(stack, settings, strict=True):
        if one.visible:
            total += normalise(plane, one)[..., None] * np.array(rgb(one.color))
    made: NDArray[np.uint8] = np.rint(255 * np.clip(total, 0, 1)).astype(np.uint8)
    return made


def normalise(plane: NDArray[Any], settings: ChannelSettings) -> NDArray[np.float64]:
    """Map intensities to 0–1 by the contrast limits and gamma.

    Parameters
    ----------
    plane : ndarray, (H, W)
        Intensities, any real dtype.
    settings : ChannelSettings
        Of the channel.

    Returns
    -------
    ndarray of float64, (H, W)
    """
    low, high = settings.contrast_limits
    values = plane.astype(np.float64)
    if high == low:
        stepped: NDArray[np.float64] = (values > low).astype(np.float64)
        return stepped
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):  # beyond all numbers is beyond the limits
        scaled = np.clip((values - low) / (high - low), 0, 1) ** settings.gamma
    return np.nan_to_num(scaled, nan=0.0)
