"""The pictures of the galvo return: what it is and what tells it from an edge of tissue, and how well it is found."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_slicemap.slices.galvo import fix_galvo_shift, galvo_artifact_score
from napari_slicemap.slices.galvo.plain import detect_plainly

LINES, EXTRA, COLUMNS, FIRST = 160, 40, 110, 70
BAND, SCORE, PLAIN = "#e08a1e", "#0b5fa5", "#9aa3ad"
PARTS = ("contrast", "sharpness", "anomaly", "score")


def draw(folder: Path) -> None:
    """Write ``galvo.png``, and ``galvo-roc.svg`` of tissue of the sample."""
    _tell_apart(folder)
    with tempfile.TemporaryDirectory() as scratch:
        words = [sys.executable, "-m", "napari_slicemap", "galvo", "evaluate", "--out", scratch]
        subprocess.run(words, check=True, capture_output=True)
        shutil.copyfile(Path(scratch) / "galvo_roc.svg", folder / "galvo-roc.svg")


def _tell_apart(folder: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    returned, edged = _with_return(), _with_edge()
    shift = galvo_artifact_score(returned, EXTRA).shift
    figure = plt.figure(figsize=(10, 4.8), dpi=90, layout="constrained")
    rows = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    scanned, rolled, clean = rows[0].subplots(1, 3)
    _picture(scanned, returned, "as scanned: the mirror flies back within the tile", FIRST)
    _picture(rolled, fix_galvo_shift(returned, shift, 0), f"rolled by {shift}: cut off with the return", LINES)
    _picture(clean, edged, "no return, but an edge of tissue")
    profiles, bars = rows[1].subplots(1, 2, width_ratios=(1, 1))
    _profiles(profiles, returned, edged)
    _bars(bars, returned, edged)
    figure.savefig(folder / "galvo.png", metadata={"Software": None})
    plt.close(figure)


def _tissue(seed: int, lines: int) -> np.ndarray:
    """Tissue with cells and fibres, (A-lines, B-scans), and speckle of 5 %."""
    rng = np.random.default_rng(seed)
    wide, fine = (ndimage.gaussian_filter(rng.normal(size=(lines, COLUMNS)), s, mode="wrap") for s in (14, 1.8))
    smooth = 100 * np.exp(0.2 * wide / wide.std() + 0.16 * fine / fine.std())
    return smooth * (1 + 0.05 * rng.standard_normal(smooth.shape))


def _with_return() -> np.ndarray:
    made = _tissue(1, LINES + EXTRA)
    # the same tissue once more, the other way and faster
    tissue = np.delete(made, np.arange(FIRST, FIRST + EXTRA), axis=0)
    made[FIRST : FIRST + EXTRA] = 0.72 * tissue[np.linspace(LINES - 1, 0, EXTRA).round().astype(int)]
    return made


def _with_edge() -> np.ndarray:
    made = _tissue(2, LINES + EXTRA)
    made[120:] *= 1.6
    return made


def _picture(axes: Any, aip: np.ndarray, title: str, first: int | None = None) -> None:
    from matplotlib.patches import Rectangle

    axes.imshow(aip.T, cmap="gray", vmin=30, vmax=220)
    if first is not None:
        axes.add_patch(Rectangle((first - 0.5, -0.5), EXTRA, COLUMNS, fc="none", ec=BAND, lw=2))
    axes.set_title(title, fontsize=9)
    axes.set_xlabel("A-lines", fontsize=8)
    axes.set_ylabel("B-scans", fontsize=8)
    axes.set(xticks=[], yticks=[])


def _profiles(axes: Any, returned: np.ndarray, edged: np.ndarray) -> None:
    axes.axvspan(FIRST, FIRST + EXTRA, color=BAND, alpha=0.18, lw=0)
    for edge in (FIRST, FIRST + EXTRA):
        axes.axvline(edge, color=BAND, lw=1.4)
    axes.plot(returned.mean(axis=1), color=SCORE, lw=1.3, label="with a return, between the two edges")
    axes.plot(edged.mean(axis=1), color=PLAIN, lw=1.3, label="with an edge of tissue")
    axes.set_xlabel("A-line", fontsize=9)
    axes.set_ylabel("mean over B-scans", fontsize=9)
    axes.set(xlim=(0, LINES + EXTRA - 1), ylim=(40, 245))
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=8, loc="upper left")


def _bars(axes: Any, returned: np.ndarray, edged: np.ndarray) -> None:
    """Draw the parts and the score of both tiles, and beside them what the plain formula says."""
    at = np.arange(len(PARTS) + 1)
    for by, colour, aip in ((-0.19, SCORE, returned), (0.19, PLAIN, edged)):
        found = galvo_artifact_score(aip, EXTRA)
        values = [*(getattr(found, part) for part in PARTS), detect_plainly(aip, EXTRA)[1]]
        bars = axes.bar(at + by, values, 0.36, color=colour)
        axes.bar_label(bars, fmt="%.2f", fontsize=7.5, padding=1)
    axes.axhline(0.6, color="#c2410c", ls="--", lw=1)
    axes.text(1.04, 0.615, "threshold 0.6", color="#c2410c", fontsize=8)
    axes.axvline(len(PARTS) - 0.5, color="#d5dae0", lw=1)
    axes.set_xticks(at, [*PARTS, "plain formula"], fontsize=9)
    axes.set(ylim=(0, 1.12), yticks=[0, 0.5, 1])
    axes.tick_params(axis="y", labelsize=8)


if __name__ == "__main__":
    draw(Path(__file__).parents[2] / "docs" / "images")
