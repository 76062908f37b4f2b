"""Draws what auto-exclude decides on made-up correlations."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from napari_slicemap.slices.exclusion import MIN_RUN, THRESHOLD, noisy_runs

_MISSING = 18  # a gap in the ids
_LOW = {7: 0.22, 11: 0.31, 12: 0.12, 13: 0.27, 14: 0.19, 17: 0.25, 19: 0.3, 20: 0.21}
_USED, _OUT, _LIMIT = "#4477aa", "#ee7733", "#444444"


def draw(folder: Path) -> None:
    """Draw ``slice-exclusion.png`` into `folder`."""
    rng = np.random.default_rng(5)
    values = {n: _LOW.get(n, float(0.78 + 0.06 * rng.standard_normal())) for n in range(1, 25) if n != _MISSING}
    out = {int(one) for run in noisy_runs({f"{n:02d}": v for n, v in values.items()}) for one in run.slice_ids}
    figure = Figure(figsize=(8, 3), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.axvspan(min(out) - 0.5, max(out) + 0.5, color=_OUT, alpha=0.15, lw=0)
    axes.hlines(THRESHOLD, 0.2, 24.8, color=_LIMIT, ls="--", lw=1)
    for chosen, colour, hatch in (([n for n in values if n not in out], _USED, ""), (sorted(out), _OUT, "//")):
        heights = [values[n] for n in chosen]
        axes.bar(chosen, heights, width=0.7, color=colour, hatch=hatch, edgecolor="white")
    axes.text(25.0, THRESHOLD, f"threshold {THRESHOLD}", va="center", color=_LIMIT, fontsize=9)
    notes = {
        7: ("alone", 0.22),
        sum(out) / len(out): (f"{len(out)} in a row (≥ {MIN_RUN}):\nleft out", 0.45),
        18.5: ("18 is missing:\nno row of three", 0.45),
    }
    for x, (text, y) in notes.items():
        axes.text(x, y + 0.03, text, ha="center", va="bottom", fontsize=8)
    axes.set(xlabel="slice", ylabel="correlation with\nthe slice before", ylim=(0, 1), xlim=(0.2, 28))
    axes.set_xticks(range(2, 25, 2), [f"{n:02d}" for n in range(2, 25, 2)])
    axes.spines[["top", "right"]].set_visible(False)
    # no software name and date, so that the same picture is the same file
    figure.savefig(folder / "slice-exclusion.png", metadata={"Software": None})
