"""The picture of quality: a run with four slices that something is wrong with, and what their scores say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from napari_slicemap.slices.quality import QualityResult, assess_slice_quality

SLICES, SIDE, LEAST = 24, 160, 0.65
SCORE, LOW, PARTS = "#0b5fa5", "#c2410c", {"ssim": "#7c3aed", "edge": "#0f766e", "variance": "#9aa3ad"}
SPOILT = {5: "out of focus", 10: "shifted", 15: "partly lost", 20: "noise"}


def draw(folder: Path) -> None:
    """Write ``slice-quality.png``."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    run = _run()
    found = [
        assess_slice_quality(one, run[n - 1] if n else None, run[n + 1] if n + 1 < SLICES else None)
        for n, one in enumerate(run)
    ]
    figure = plt.figure(figsize=(10, 4.6), dpi=100, layout="constrained")
    rows = figure.subfigures(2, 1, height_ratios=(1, 1.9))
    shown = [4, *sorted(SPOILT)]
    for axes, n in zip(rows[0].subplots(1, len(shown)), shown, strict=True):
        _picture(axes, run[n][0], n, found[n])
    _scores(rows[1].subplots(), found)
    figure.savefig(folder / "slice-quality.png", metadata={"Software": None})
    plt.close(figure)


def _run() -> list[np.ndarray]:
    """Sections through one block (Z, Y, X) of one plane each; some are spoilt."""
    noise = np.random.default_rng(3)
    block = ndimage.gaussian_filter(noise.normal(size=(SLICES, SIDE, SIDE)), (4, 3, 3))
    y, x = np.mgrid[-1 : 1 : SIDE * 1j, -1 : 1 : SIDE * 1j]
    tissue = (y / 0.8) ** 2 + (x / 0.9) ** 2 < 1
    sections = tissue * (1 + 0.35 * block / block.std()).clip(0.1)
    sections += noise.normal(0, 0.02, sections.shape)
    sections[5] = ndimage.gaussian_filter(sections[5], 4)
    sections[10] = np.roll(sections[10], (9, 12), (0, 1))
    sections[15][:, 36:112] = 0
    sections[20] += noise.normal(0, 0.5, sections[20].shape)
    return [section[None] for section in sections]


def _picture(axes: Any, plane: np.ndarray, n: int, found: QualityResult) -> None:
    axes.imshow(plane, cmap="gray", vmin=0, vmax=2)
    axes.set_title(f"{n:02d}: {SPOILT.get(n, 'as it should be')}", fontsize=9)
    axes.set_xlabel(f"score {found.score:.3f}", fontsize=9, color=LOW if found.score < LEAST else SCORE)
    axes.set_xticks([])
    axes.set_yticks([])


def _scores(axes: Any, found: list[QualityResult]) -> None:
    ids = range(SLICES)
    for part, color in PARTS.items():
        label = "SSIM" if part == "ssim" else part
        axes.plot(ids, [getattr(one, part) for one in found], color=color, lw=1, label=label)
    scores = np.array([one.score for one in found])
    low = scores < LEAST
    axes.plot(ids, scores, "o", color=SCORE, ms=6, label="score")
    axes.plot(np.flatnonzero(low), scores[low], "o", color="white", mec=LOW, mew=2, ms=7, label="left out")
    axes.axhline(LEAST, color=LOW, ls="--", lw=1)
    axes.text(-0.4, LEAST, f"--min-quality {LEAST:g}", color=LOW, fontsize=8, va="top")
    axes.set(
        xlabel="slice", xticks=list(ids), xlim=(-0.6, SLICES - 0.4), ylim=(-0.2, 1.05), yticks=[0, 0.25, 0.5, 0.75, 1]
    )
    axes.tick_params(labelsize=8)
    axes.legend(fontsize=8, ncols=5, loc="lower left")
