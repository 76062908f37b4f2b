"""The score of a slice, held against scikit-image and scipy, written out once more."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from skimage.metrics import structural_similarity

from napari_slicemap.errors import StackError
from napari_slicemap.slices.quality import CPU, QualityResult, assess_slice_quality, sample_planes
from napari_slicemap.slices.quality.plane import edge_agreement, plane_of, ssim
from napari_slicemap.slices.quality.tissue import tissue_depth

Volume = np.ndarray


# --- the plain way ---------------------------------------------------------------------------------------------
def stretched(plane: np.ndarray) -> np.ndarray:
    plane = plane.astype(np.float64)
    return (plane - plane.min()) / np.ptp(plane) if np.ptp(plane) else np.zeros(plane.shape)


def common(*planes: np.ndarray) -> list[np.ndarray]:
    height, width = (min(sizes) for sizes in zip(*(plane.shape for plane in planes), strict=True))
    return [plane[:height, :width] for plane in planes]


def edges(plane: np.ndarray) -> np.ndarray:
    magnitude = np.hypot(ndimage.sobel(plane, 0), ndimage.sobel(plane, 1))
    return magnitude / magnitude.max()


def plainly(volume: Volume, before: Volume | None, after: Volume | None, sample_depth: int = 5) -> list[float]:
    """Score, SSIM, edge and variance as the formulas are written."""
    own, *neighbours = (one.astype(np.float64) for one in (volume, before, after) if one is not None)
    planes = list(dict.fromkeys(np.linspace(0, len(own) - 1, min(sample_depth, len(own))).astype(int)))
    similar, variances = [], []
    for other in neighbours:
        shared = [z for z in planes if z < len(other)]
        pairs = [[stretched(one) for one in common(own[z], other[z])] for z in shared]
        similar.append(np.mean([structural_similarity(*pair, win_size=7, data_range=1.0) for pair in pairs]))
        variances.append(other[shared].var())
    middle, *others = common(*(one[len(one) // 2] for one in (own, *neighbours)))
    edge = np.corrcoef(edges(middle).ravel(), edges(np.mean(others, axis=0)).ravel())[0, 1]
    parts = [max(0.0, np.mean(similar)), max(0.0, edge)]
    parts.append(min(1.0, 2 / (1 + abs(math.log(own[planes].var() / np.mean(variances))))))
    return [0.5 * parts[0] + 0.3 * parts[1] + 0.2 * parts[2], *parts]


def numbers(result: QualityResult) -> list[float]:
    return [result.score, result.ssim, result.edge, result.variance]


# --- volumes ---------------------------------------------------------------------------------------------------
def tissue(seed: int = 0, shape: tuple[int, int, int] = (9, 60, 80), change: float = 0.2) -> Volume:
    """The same tissue for every seed, with a change of its own."""
    base = ndimage.gaussian_filter(np.random.default_rng(99).normal(size=(40, 120, 130)), (1, 3, 3))
    own = ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=(40, 120, 130)), (1, 2, 2))
    mixed = base / base.std() + change * own / own.std()
    depth, height, width = shape
    return (1000 + 200 * mixed)[:depth, :height, :width]


KNOWN = [
    pytest.param((tissue(1), tissue(2), tissue(3)), {}, id="both neighbours"),
    pytest.param((tissue(1), None, tissue(3)), {}, id="first slice"),
    pytest.param((tissue(1), tissue(2), None), {}, id="last slice"),
    pytest.param(tuple(tissue(n).astype(np.uint16) for n in range(3)), {}, id="uint16"),
    pytest.param(tuple(tissue(n).astype(np.float32) for n in range(3)), {}, id="float32"),
    pytest.param(tuple(tissue(n).astype(">f4") for n in range(3)), {}, id="big-endian"),
    pytest.param(tuple(tissue(n) > 1000 for n in range(3)), {}, id="bool"),
    pytest.param(tuple((tissue(n) - 1000).astype(np.int16) for n in range(3)), {}, id="negative numbers"),
    pytest.param(tuple(tissue(n) / 1e5 for n in range(3)), {}, id="small numbers"),
    pytest.param(tuple(tissue(n) + 1e7 for n in range(3)), {}, id="far from zero"),
    pytest.param(tuple(tissue(n, (1, 50, 50)) for n in range(3)), {}, id="one plane"),
    pytest.param(tuple(tissue(n, (3, 50, 50)) for n in range(3)), {}, id="fewer planes than sampled"),
    pytest.param(tuple(tissue(n) for n in range(3)), {"sample_depth": 1}, id="one plane sampled"),
    pytest.param(tuple(tissue(n) for n in range(3)), {"sample_depth": 9}, id="all planes sampled"),
    pytest.param((tissue(1), tissue(2, (7, 60, 80)), tissue(3, (12, 60, 80))), {}, id="other depths"),
    pytest.param((tissue(1), tissue(2, (9, 57, 83)), tissue(3, (9, 64, 78))), {}, id="other heights and widths"),
    pytest.param((tissue(1), tissue(2, (9, 61, 80)), None), {}, id="larger neighbour"),
    pytest.param(tuple(tissue(n, (5, 7, 7)) for n in range(3)), {}, id="one window"),
    pytest.param((tissue(1), 3 * tissue(2), 5 * tissue(3)), {}, id="other variance"),
    pytest.param((tissue(1), -tissue(2), -tissue(3)), {}, id="negative SSIM"),
    pytest.param(tuple(tissue(n, (2, 40, 3 * 130))[:, :, :130] for n in range(3)), {}, id="two planes"),
]


@pytest.mark.parametrize(("volumes", "options"), KNOWN)
def test_it_is_what_scikit_image_and_scipy_give(volumes: tuple[Volume, ...], options: dict[str, int]) -> None:
    np.testing.assert_allclose(
        numbers(assess_slice_quality(*volumes, **options)), plainly(*volumes, **options), atol=1e-6
    )


def test_planes_of_many_bands_are_put_together_without_loss() -> None:
    volumes = [ndimage.zoom(tissue(n, (1, 120, 130)), (1, 5, 7), order=1) + 1e5 for n in range(3)]
    assert len(list(CPU.bands(*volumes[0].shape[1:]))) > 5
    np.testing.assert_allclose(numbers(assess_slice_quality(*volumes)), plainly(*volumes), atol=1e-9)


@given(
    sizes=st.lists(st.tuples(st.integers(1, 8), st.integers(7, 20), st.integers(7, 20)), min_size=2, max_size=3),
    seed=st.integers(0, 99),
    sample_depth=st.integers(1, 9),
)
def test_any_shapes(sizes: list[tuple[int, int, int]], seed: int, sample_depth: int) -> None:
    rng = np.random.default_rng(seed)
    own, before, *after = (rng.integers(0, 500, size).astype(np.uint16) for size in sizes)
    given_ = (own, before, after[0] if after else None)
    found = assess_slice_quality(*given_, sample_depth)
    np.testing.assert_allclose(numbers(found), plainly(*given_, sample_depth), atol=1e-6)
    assert all(0 <= part <= 1 for part in numbers(found))


# --- what it means ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "float64"])
@pytest.mark.parametrize("neighbours", ["before", "after", "both"])
def test_identical_neighbours_give_one(dtype: str, neighbours: str) -> None:
    volume = (tissue() / 10).astype(dtype)
    before = None if neighbours == "after" else volume.copy()
    after = None if neighbours == "before" else volume.copy()
    assert assess_slice_quality(volume, before, after) == QualityResult(1.0, 1.0, 1.0, 1.0)


def test_a_neighbour_that_only_goes_on_is_identical() -> None:
    volume = tissue(shape=(9, 50, 60))
    assert assess_slice_quality(volume, tissue(shape=(12, 55, 60)), tissue(shape=(9, 50, 70))).ssim == 1.0


WORSE = [
    pytest.param(
        [lambda one, s=s: one + np.random.default_rng(7).normal(0, s, one.shape) for s in (20, 60, 200)], id="noise"
    ),
    pytest.param([lambda one, s=s: ndimage.gaussian_filter(one, (0, s, s)) for s in (2, 4, 8)], id="blur"),
    pytest.param([lambda one, s=s: np.roll(one, (s, s), (1, 2)) for s in (1, 2, 4)], id="shift"),
]


@pytest.mark.parametrize("spoilt", WORSE)
def test_more_of_it_scores_less(spoilt: list) -> None:
    neighbours = tissue(2), tissue(3)
    scores = [assess_slice_quality(make(tissue(1)), *neighbours).score for make in (lambda one: one, *spoilt)]
    assert all(more > less + 0.01 for more, less in pairwise(scores)), scores


NOTHING = [
    pytest.param(np.zeros((3, 20, 20)), id="zeros"),
    pytest.param(np.full((3, 20, 20), 77, np.uint16), id="constant"),
    pytest.param(np.full((3, 20, 20), np.nan), id="not a number"),
    pytest.param(5 + 1e-7 * np.random.default_rng(0).random((3, 20, 20)), id="deviates by less than 1e-6"),
]


@pytest.mark.parametrize("empty", NOTHING)
def test_no_data_scores_nothing(empty: Volume) -> None:
    volume = tissue(shape=(3, 20, 20))
    assert assess_slice_quality(empty, volume, volume) == QualityResult(0, 0, 0, 0)
    assert assess_slice_quality(empty, empty, None) == QualityResult(0, 0, 0, 0)


@pytest.mark.parametrize("empty", NOTHING[:3])
def test_beside_no_data_no_part_is_known(empty: Volume) -> None:
    found = assess_slice_quality(tissue(shape=(3, 20, 20)), empty, None)
    assert (found.edge, found.variance) == (0, 0)
    assert found.ssim < 0.1


@pytest.mark.parametrize("hole", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_counts_as_the_smallest_px(hole: float) -> None:
    holed, filled = tissue(1), tissue(1)
    holed[:, 10:20, 30:40] = hole
    for z, plane in enumerate(filled):
        plane[10:20, 30:40] = np.delete(holed[z].ravel(), np.flatnonzero(~np.isfinite(holed[z]))).min()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for own, other in ((holed, filled), (holed.astype("f4"), filled.astype("f4"))):
            assert assess_slice_quality(own, tissue(2), tissue(3)) == assess_slice_quality(other, tissue(2), tissue(3))
    plane = plane_of(holed[0], CPU)
    assert plane.filled == 100


def test_the_statistics_of_windows_need_not_be_kept() -> None:
    a, b = tissue(1)[0], tissue(2)[0]
    kept = ssim(plane_of(a, CPU), plane_of(b, CPU), CPU)
    assert ssim(plane_of(a, CPU, keep=False), plane_of(b, CPU, keep=False), CPU) == kept


def test_edges_that_are_all_alike_agree_with_nothing() -> None:
    flat = np.zeros((20, 20))
    assert edge_agreement(flat, [tissue()[0, :20, :20]], CPU) == 0.0
    assert edge_agreement(tissue()[0, :20, :20], [flat + 5, flat], CPU) == 0.0


# --- which planes ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("depth", "count", "planes"),
    [
        pytest.param(40, 5, (0, 9, 19, 29, 39), id="forty"),
        pytest.param(5, 5, (0, 1, 2, 3, 4), id="as many as there are"),
        pytest.param(3, 5, (0, 1, 2), id="fewer"),
        pytest.param(1, 5, (0,), id="one"),
        pytest.param(40, 1, (0,), id="one asked for"),
        pytest.param(40, 2, (0, 39), id="first and last"),
    ],
)
def test_sampled_planes(depth: int, count: int, planes: tuple[int, ...]) -> None:
    assert sample_planes(depth, count) == planes


@pytest.mark.parametrize(
    ("variances", "depth"),
    [
        pytest.param((4.0, 4.0, 4.0), 21.0, id="all of it"),
        pytest.param((0.0, 0.0, 0.0), 0.0, id="none of it"),
        pytest.param((1.0, 0.0, 0.0), 1 + 10 * (1 - 1 / math.e), id="fades between planes"),
        pytest.param((0.0, 1.0, 0.0), 11 + 10 * (1 - 1 / math.e), id="begins below the surface"),
        pytest.param((1.0, 0.01, 1.0), 21.0, id="deeper again"),
    ],
)
def test_tissue_depth(variances: tuple[float, ...], depth: float) -> None:
    assert tissue_depth((0, 10, 20), variances) == pytest.approx(depth)


# --- what is refused -------------------------------------------------------------------------------------------
REFUSED = [
    pytest.param((tissue(), None, None), "the slice before it, the one after, or both", id="no neighbour"),
    pytest.param((tissue()[0], tissue(), None), r"volume: shape \(60, 80\)", id="a plane"),
    pytest.param((tissue(), tissue()[None], None), r"before: shape \(1, 9, 60, 80\)", id="four dimensions"),
    pytest.param((tissue(), None, tissue() * 1j), "after: .* complex128", id="complex"),
    pytest.param((tissue()[:, :0], tissue(), None), r"volume: shape \(9, 0, 80\)", id="no px"),
    pytest.param((tissue()[:, :6], tissue(), None), "volume and before have 6 × 80 px in common", id="below a window"),
    pytest.param((tissue(), None, tissue()[:, :, :5]), "volume and after have 60 × 5 px", id="too little in common"),
]


@pytest.mark.parametrize(("volumes", "message"), REFUSED)
def test_refused(volumes: tuple[Volume, ...], message: str) -> None:
    with pytest.raises(StackError, match=message):
        assess_slice_quality(*volumes)


def test_a_sample_of_no_planes_is_refused() -> None:
    with pytest.raises(ValueError, match="sample_depth 0"):
        assess_slice_quality(tissue(), tissue(), None, 0)
