"""Stacks for the tests of what is done with them."""

from __future__ import annotations

from typing import Any

import numpy as np

from napari_slicemap.images.stack.image_stack import ImageStack

STEP = "step_1_subtract/plane 50%"
MASK = "step_2_Maske_größer_als"
BEFORE = [{"timestamp": time, "frame_pixel_size_nm": 1.5} for time in (0.0, 1.5, 2.0, 7.25, 8.0)]


def frames(count: int = 4, shape: tuple[int, int] = (6, 5), seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(3, 2, (count, *shape))


def processed_stack(**changes: Any) -> ImageStack:
    """A stack of four frames, the last of five taken away; raw and the first step have all five."""
    known: dict[str, Any] = {
        "data": frames(),
        "pixel_size_nm": 1.5,
        "channel": "Höhe_trace",
        "frame_metadata": BEFORE[:4],
        "processed": {"raw": frames(5, seed=1), STEP: frames(5, seed=2), "step_3_crop": frames(4, (3, 2), seed=3)},
        "masks": {MASK: frames(5, seed=4) > 3},
        "state_backups": {"frame_metadata_before_edit": BEFORE},
        "provenance": {"acquisition": {"unit": "nm"}, "processing": {"steps": [{"index": 1, "name": "subtract"}]}},
    }
    return ImageStack(**{**known, **changes})


def plain_stack(**changes: Any) -> ImageStack:
    """A stack that nothing was done to."""
    known: dict[str, Any] = {
        "data": frames(),
        "pixel_size_nm": 1.5,
        "channel": "height_trace",
        "frame_metadata": BEFORE[:4],
    }
    return ImageStack(**{**known, **changes})
