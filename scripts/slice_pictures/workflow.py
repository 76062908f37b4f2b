"""The picture of the chain: what each step takes and writes, and which slices are in after it.

The chain is run on the sample sections, by ``docs/examples/slices.sh``, and the squares are what its tables say.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from napari_slicemap.sample_sections import make_sections_sample
from napari_slicemap.slices import slice_config

SCRIPT = Path(__file__).parents[2] / "docs" / "examples" / "slices.sh"
IDS = [f"{n:02d}" for n in range(16)]
_BOX, _SQUARES = 4.3, 11.6  # width of a box, and where the squares begin
USED, MADE, GREY = "#2b6ca3", "#e08a1e", "#8a8f96"

# step, what it reads besides the table, the table it writes, what it says in it
STEPS = (
    ("generate", "mosaics/", "t0.csv", "slice 00 is for calibration"),
    ("quality", "mosaics/", "t1.csv", "quality_score; below the limit: out"),
    ("rehoming", "shifts_xy.csv", "t2.csv", "rehomed, rehoming_reliable; corrected shifts"),
    ("align", "mosaics/, shifts", None, "→ aligned/: one canvas for all that are in"),
    ("auto-exclude", "pairs/", "t3.csv", "auto_excluded: 3 in a row do not fit"),
    ("interpolate", "aligned/", None, "→ interpolated/: single gaps, one fragment each"),
    ("finalise", "interpolated/", "slice_config_final.csv", "interpolated, …_method_used, …_reason"),
    ("stack", "aligned/, interpolated/", None, "→ stack.ome.zarr: each slice at its depth"),
    ("report", "diagnostics/, mosaics/", None, "→ report.html: every flag and reason"),
)


def draw(folder: Path) -> None:
    """Write ``slice-workflow.png``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    with tempfile.TemporaryDirectory() as scratch:
        tables = _tables(Path(scratch))
    figure, axes = plt.subplots(figsize=(12.4, 5.4), dpi=110)
    for row, (step, source, table, said) in enumerate(STEPS):
        _step(axes, row, step, source, said)
        if table:
            _squares(axes, row, table, tables[table])
    _frame(axes)
    figure.savefig(folder / "slice-workflow.png", metadata={"Software": None}, bbox_inches="tight", pad_inches=0.15)
    plt.close(figure)


def _tables(scratch: Path) -> dict[str, dict[str, str]]:
    """Run the chain; table → slice id → ``in``, ``out`` or ``made``."""
    run, out = make_sections_sample(scratch / "run"), scratch / "out"
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run([SCRIPT, run, out], check=True, capture_output=True, env={**os.environ, "PATH": path})
    names = [table for _, _, table, _ in STEPS if table]
    return {name: {one: _state(row) for one, row in slice_config.read(out / name).items()} for name in names}


def _state(row: dict[str, Any]) -> str:
    if row.get("interpolated"):
        return "made"
    return "in" if slice_config.is_used(row) else "out"


def _step(axes: Any, row: int, step: str, source: str, said: str) -> None:
    """Draw the box of a step, what goes into it, and what it says."""
    from matplotlib.patches import FancyBboxPatch

    box = FancyBboxPatch(
        (0, row - 0.3), _BOX, 0.6, boxstyle="round,pad=0,rounding_size=0.12", fc="#eef2f6", ec="#4a5560"
    )
    axes.add_patch(box)
    axes.text(_BOX / 2, row, step, ha="center", va="center", fontsize=10.5, weight="bold")
    axes.annotate("", (0, row), (-0.55, row), arrowprops={"arrowstyle": "-|>", "color": GREY})
    axes.text(-0.65, row, source, ha="right", va="center", fontsize=9, color="#3d444b", family="monospace")
    axes.text(_SQUARES + 10.2, row, said, ha="left", va="center", fontsize=9.5)
    if row + 1 < len(STEPS):
        axes.annotate(
            "", (_BOX / 2, row + 0.7), (_BOX / 2, row + 0.3), arrowprops={"arrowstyle": "-|>", "color": "#4a5560"}
        )


def _squares(axes: Any, row: int, name: str, states: dict[str, str]) -> None:
    """Draw a square per slice: filled if in, empty if out, a dot where the table has no row."""
    from matplotlib.patches import Rectangle

    for n, slice_id in enumerate(IDS):
        x, state = _SQUARES + 0.64 * n, states.get(slice_id)
        if state is None:
            axes.plot(x, row, ".", color=GREY, markersize=3)
            continue
        colour = {"in": USED, "made": MADE, "out": "none"}[state]
        edge = GREY if state == "out" else colour
        axes.add_patch(Rectangle((x - 0.24, row - 0.24), 0.48, 0.48, fc=colour, ec=edge, lw=1))
        if state == "out":
            axes.plot([x - 0.24, x + 0.24], [row + 0.24, row - 0.24], color=GREY, lw=1)
    axes.text(_BOX + 0.25, row, name, ha="left", va="center", fontsize=9, color="#3d444b", family="monospace")


def _frame(axes: Any) -> None:
    for n, slice_id in enumerate(IDS):
        axes.text(_SQUARES + 0.64 * n, -0.62, slice_id, ha="center", va="center", fontsize=8, color="#3d444b")
    axes.set(xlim=(-5.8, 31.4), ylim=(len(STEPS) - 0.1, -0.95))
    axes.axis("off")
    below = len(STEPS) - 0.3
    for x, colour, edge, words in (
        (_SQUARES, USED, USED, "in"),
        (_SQUARES + 1.6, "none", GREY, "out, with a reason"),
        (_SQUARES + 7.2, MADE, MADE, "interpolated"),
    ):
        axes.plot(x, below, "s", mfc=colour, mec=edge, markersize=9)
        axes.text(x + 0.4, below, words, va="center", fontsize=9)


if __name__ == "__main__":
    draw(Path(__file__).parents[2] / "docs" / "images")
