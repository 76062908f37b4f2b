"""The picture of rehoming: steps before and after, and where this puts the slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from napari_slicemap.slices.shifts import Rehoming, Shifts, build_cumulative_shifts, detect_rehoming, shifts_of

FOV_MM, SLICES = 0.875, 28
BEFORE, AFTER, TILES, GLITCH = "#9aa3ad", "#0b5fa5", "#c2410c", "#7c3aed"


def draw(folder: Path) -> None:
    """Write ``slice-shifts.png``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    seen = shifts_of(_seen())
    found = detect_rehoming(seen, tile_fov_mm=FOV_MM)
    figure, axes = plt.subplots(2, 2, figsize=(10, 5.2), dpi=100, sharex=True, layout="constrained")
    for row, axis in enumerate("xy"):
        _steps(axes[row, 0], axis, seen, found)
        _places(axes[row, 1], axis, seen, found.shifts)
    axes[0, 0].set_title("step to each slice", fontsize=10)
    axes[0, 1].set_title("where each slice lies: the sum of the steps", fontsize=10)
    for lowest in axes[1]:
        lowest.set_xlabel("slice")
    axes[0, 0].legend(fontsize=8, loc="lower left")
    axes[0, 1].legend(fontsize=8, loc="upper left")
    figure.savefig(folder / "slice-shifts.png", metadata={"Software": None})
    plt.close(figure)


def _seen() -> pd.DataFrame:
    """Steps of a slow drift, and what the stage and the grid of tiles made of them, mm."""
    noise = np.random.default_rng(4)
    x = noise.normal(0.02, 0.015, SLICES - 1).round(4)
    y = noise.normal(-0.015, 0.015, SLICES - 1).round(4)
    for step, tiles in ((6, 1), (17, -2)):
        x[step] += tiles * FOV_MM
    x[22] += 0.62  # nothing explains this one
    for axis, step, jump in ((x, 11, 0.65), (y, 4, -0.7), (y, 19, 1.1)):
        axis[step] += jump
        axis[step + 1] -= jump - 0.03
    ids = range(SLICES)
    return pd.DataFrame({"fixed_id": ids[:-1], "moving_id": ids[1:], "x_shift_mm": x, "y_shift_mm": y})


def _steps(axes: Any, axis: str, seen: Shifts, found: Rehoming) -> None:
    number = "xy".index(axis)
    before, after = ([step.length[number] for step in one.in_order] for one in (seen, found.shifts))
    ids = [int(step.moving_id) for step in seen.in_order]
    axes.axhspan(-found.max_shift_mm, found.max_shift_mm, color="#eef2f6", label="at most max_shift_mm")
    axes.plot(ids, before, "o-", color=BEFORE, ms=4, lw=1, label="before")
    axes.plot(ids, after, ".-", color=AFTER, ms=5, lw=1.2, label="after")
    for cause, colour, mark in (("tiles", TILES, "s"), ("glitch", GLITCH, "D")):
        of_cause = [one for one in found.corrections if (one.axis, one.cause) == (axis, cause)]
        at, lengths = [int(one.moving_id) for one in of_cause], [one.before_mm for one in of_cause]
        name = "whole tiles (pass 1)" if cause == "tiles" else "glitch (pass 2)"
        axes.plot(at, lengths, mark, color=colour, ms=8, mfc="none", mew=1.6, label=name if number == 0 else None)
    for slice_id, reliable in found.reliable.items():
        if not reliable and abs(after[ids.index(int(slice_id))]) > found.max_shift_mm:
            where = (int(slice_id), after[ids.index(int(slice_id))])
            axes.annotate("kept, not reliable", where, (-8, 6), textcoords="offset points", ha="center", fontsize=8)
    axes.set_ylabel(f"{axis}, mm")
    axes.set_ylim(-2.1, 1.4)


def _places(axes: Any, axis: str, seen: Shifts, corrected: Shifts) -> None:
    for shifts, colour, name in ((seen, BEFORE, "before"), (corrected, AFTER, "after")):
        places = build_cumulative_shifts(shifts, range(SLICES), 1000.0)  # px of 1 mm
        axes.plot(list(places), [place["xy".index(axis)] for place in places.values()], ".-", color=colour, label=name)
    axes.set_ylabel(f"{axis}, mm")
