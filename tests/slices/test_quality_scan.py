"""The scores of a whole run: the same as slice by slice, each plane read once, every pair compared once."""

from __future__ import annotations

import shutil
import sys
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import tifffile
from scipy import ndimage

from builders import write_ome_zarr, write_tiff
from napari_slicemap.errors import PlanError, StackError, TileReadError
from napari_slicemap.slices.quality import (
    CPU,
    Arrays,
    QualityResult,
    SliceQualities,
    assess_slice_quality,
    calibration_slices,
    choose_arrays,
    find_gpu,
    pipeline,
    scan_quality,
)
from napari_slicemap.slices.volumes import SliceVolume, find_volumes

BASE = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(16, 60, 60)), (1, 2, 2))
BASE /= BASE.std()


def tissue(n: int, shape: tuple[int, int, int] = (6, 40, 44)) -> np.ndarray:
    own = ndimage.gaussian_filter(np.random.default_rng(n + 1).normal(size=BASE.shape), (1, 2, 2))
    depth, height, width = shape
    return np.round(1000 + 200 * BASE + 60 * own / own.std()).astype(np.uint16)[:depth, :height, :width]


def write_run(folder: Path, volumes: dict[int, np.ndarray]) -> dict[str, SliceVolume]:
    for n, volume in volumes.items():
        path = folder / f"mosaic_z{n:02d}.ome.zarr"
        write_ome_zarr(path, volume, axes="zyx", pixel_size=(10.0, 10.0), chunks=(volume.shape[0], 16, 16))
    return find_volumes(folder)


def one_by_one(volumes: dict[int, np.ndarray], sample_depth: int = 5) -> dict[str, QualityResult]:
    ids = sorted(volumes)
    around = [None, *ids, None]
    return {
        f"{n:02d}": assess_slice_quality(volumes[n], volumes.get(before), volumes.get(after), sample_depth)
        for before, n, after in zip(around, ids, around[2:], strict=False)
    }


def results(found: SliceQualities) -> dict[str, QualityResult]:
    return {slice_id: quality.result for slice_id, quality in found.items()}


RUNS = [
    pytest.param({n: tissue(n) for n in range(5)}, 5, id="five slices"),
    pytest.param({n: tissue(n) for n in (3, 4)}, 5, id="two"),
    pytest.param({n: tissue(n) for n in (1, 2, 9, 10)}, 5, id="a gap"),
    pytest.param({n: tissue(n, (5 + n % 3 * 4, 40, 44)) for n in range(6)}, 5, id="other depths"),
    pytest.param({n: tissue(n, (1 + n % 3, 40, 44)) for n in range(6)}, 4, id="few planes"),
    pytest.param({n: tissue(n, (6, 40 + n % 3, 44 - n % 2)) for n in range(5)}, 3, id="other heights and widths"),
    pytest.param({n: tissue(n).astype("f4") for n in range(3)}, 2, id="float32"),
]


@pytest.mark.parametrize(("volumes", "sample_depth"), RUNS)
def test_a_run_scores_as_its_slices_do(volumes: dict[int, np.ndarray], sample_depth: int, tmp_path: Path) -> None:
    run = write_run(tmp_path, volumes)
    expected = one_by_one(volumes, sample_depth)
    for workers in (1, 2, 5):
        found = scan_quality(run, sample_depth, exclude_first=0, workers=workers)
        assert list(found) == list(run)
        assert results(found) == expected


def test_where_memory_is_short_the_numbers_are_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path, {n: tissue(n) for n in range(4)})
    kept = scan_quality(run)
    monkeypatch.setattr(pipeline, "_KEPT_BYTES", 0)
    monkeypatch.setattr(pipeline, "_AHEAD_BYTES", 0)
    assert scan_quality(run, workers=4) == kept


def test_planes_are_read_once_and_pairs_compared_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    depths = {0: 15, 1: 8, 2: 8, 3: 7, 4: 8}
    run = write_run(tmp_path, {n: tissue(n, (depth, 40, 44)) for n, depth in depths.items()})
    read: Counter[tuple[str, int]] = Counter()
    compared: Counter[frozenset[int]] = Counter()
    planes, ssim = SliceVolume.planes, pipeline.ssim

    def count_planes(self: SliceVolume, z: Any, window: Any = None) -> np.ndarray:
        read.update((self.slice_id, n) for n in z)
        return planes(self, z, window)

    def count_pairs(a: Any, b: Any, arrays: Arrays) -> float:
        compared[frozenset((id(a.pixels), id(b.pixels)))] += 1
        kept.extend((a.pixels, b.pixels))
        return ssim(a, b, arrays)

    kept: list[Any] = []
    monkeypatch.setattr(SliceVolume, "planes", count_planes)
    monkeypatch.setattr(pipeline, "ssim", count_pairs)
    scan_quality(run, exclude_first=0, workers=2)
    assert set(read.values()) == {1}
    assert {z for slice_id, z in read if slice_id == "00"} == {0, 1, 3, 5, 7, 10, 14}  # own, the neighbour's, middle
    assert {z for slice_id, z in read if slice_id == "03"} == {0, 1, 3, 4, 5, 6}
    assert set(compared.values()) == {1}


def test_planes_are_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = write_run(tmp_path, {n: tissue(n) for n in range(12)})
    alive: list[weakref.ref[Any]] = []
    most = 0
    make = pipeline.plane_of

    def noted(*given: Any) -> Any:
        made = make(*given)
        alive.append(weakref.ref(made))
        return made

    def look(done: int, total: int) -> None:
        nonlocal most
        most = max(most, sum(one() is not None for one in alive))

    monkeypatch.setattr(pipeline, "plane_of", noted)
    scan_quality(run, exclude_first=0, workers=3, on_progress=look)
    assert len(alive) == 12 * 5
    assert 5 <= most <= 3 * 5


def test_progress_is_told(tmp_path: Path) -> None:
    run = write_run(tmp_path, {n: tissue(n) for n in range(5)})
    told: list[tuple[int, int]] = []
    scan_quality(run, workers=2, on_progress=lambda *said: told.append(said))
    assert told == [(n, 5) for n in range(1, 6)]


def test_section_images_are_scored_too(tmp_path: Path) -> None:
    sections = {n: tissue(n, (1, 40, 44)) for n in range(4)}
    for n, section in sections.items():
        write_tiff(tmp_path / f"image_{n:04d}.tif", section[0])
    found = scan_quality(find_volumes(tmp_path), exclude_first=0)
    assert list(results(found).values()) == list(one_by_one(sections).values())
    assert found["0002"].tissue_depth == 1.0


def test_all_numbers_are_kept(tmp_path: Path) -> None:
    volumes = {n: tissue(n, (9, 40, 44)).astype("f4") for n in range(3)}
    volumes[1][0, 3:5, 7] = np.nan
    found = scan_quality(write_run(tmp_path, volumes), exclude_first=0, thumbnails=True)["01"]
    filled = np.where(np.isfinite(volumes[1][0]), volumes[1][0], np.nanmin(volumes[1][0])).astype("f8")
    assert (found.shape, found.planes, found.not_finite) == ((9, 40, 44), (0, 2, 4, 6, 8), 2)
    assert (found.means[0], found.variances[0]) == pytest.approx((filled.mean(), filled.var()))
    assert found.variance == pytest.approx(np.stack([filled, *volumes[1][2::2].astype("f8")]).var())
    assert list(found.comparisons) == ["00", "02"]
    assert found.comparisons["00"].planes == found.planes
    assert found.comparisons["02"].variance == pytest.approx(volumes[2][::2].astype("f8").var())
    assert found.result.ssim == pytest.approx(np.mean([one.ssim for one in found.comparisons.values()]))
    assert found.thumbnail.startswith(b"\x89PNG")


# --- calibration slices ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("depths", "options", "found"),
    [
        pytest.param([6, 6, 6, 6], {}, ("00",), id="the first"),
        pytest.param([6, 6, 6, 6], {"exclude_first": 0}, (), id="none"),
        pytest.param([6, 6, 6, 6], {"exclude_first": 3}, ("00", "01", "02"), id="the first three"),
        pytest.param([10, 6, 6, 6], {"exclude_first": 0, "detect": True}, ("00",), id="a thick one"),
        pytest.param([9, 6, 6, 6], {"exclude_first": 0, "detect": True}, (), id="just not thick enough"),
        pytest.param([6, 6, 10, 6, 6], {"detect": True}, ("00", "02"), id="the first and a thick one"),
        pytest.param([6, 6, 6, 10, 6, 6], {"exclude_first": 0, "detect": True}, (), id="a thick one later on"),
        pytest.param([], {"detect": True}, (), id="no slices"),
    ],
)
def test_calibration_slices(depths: list[int], options: dict[str, Any], found: tuple[str, ...]) -> None:
    assert calibration_slices({f"{n:02d}": depth for n, depth in enumerate(depths)}, **options) == found


def test_a_calibration_slice_scores_nothing_and_is_no_neighbour(tmp_path: Path) -> None:
    volumes = {n: tissue(n) for n in range(5)}
    volumes[1] = tissue(1, (16, 40, 44))
    found = scan_quality(write_run(tmp_path, volumes), detect_calibration=True)
    assert [one for one, quality in found.items() if quality.calibration] == ["00", "01"]
    assert found["01"].result == QualityResult(0, 0, 0, 0)
    rest = {n: volumes[n] for n in (2, 3, 4)}
    assert {one: found[one].result for one in ("02", "03", "04")} == one_by_one(rest)
    assert list(found["02"].comparisons) == ["03"]


# --- what is refused -------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("count", "options"), [(1, {"exclude_first": 0}), (2, {}), (3, {"exclude_first": 9})])
def test_fewer_than_two_slices_cannot_be_compared(tmp_path: Path, count: int, options: dict[str, int]) -> None:
    with pytest.raises(PlanError, match="at least two"):
        scan_quality(write_run(tmp_path, {n: tissue(n) for n in range(count)}), **options)


def test_neighbours_with_too_little_in_common_are_named(tmp_path: Path) -> None:
    run = write_run(tmp_path, {0: tissue(0), 1: tissue(1, (6, 5, 44)), 2: tissue(2)})
    with pytest.raises(StackError, match=r"mosaic_z00\.ome\.zarr and .*mosaic_z01\.ome\.zarr have 5 × 44 px"):
        scan_quality(run, exclude_first=0)


@pytest.mark.parametrize("workers", [1, 3])
def test_an_image_that_cannot_be_read_is_named(tmp_path: Path, workers: int) -> None:
    run = write_run(tmp_path, {n: tissue(n) for n in range(8)})
    chunk = next(path for path in (tmp_path / "mosaic_z05.ome.zarr" / "0").rglob("0") if path.is_file())
    chunk.write_bytes(b"broken")
    with pytest.raises(TileReadError, match=r"mosaic_z05\.ome\.zarr"):
        scan_quality(run, workers=workers)


@pytest.mark.parametrize("options", [{"workers": 0}, {"sample_depth": 0}, {"exclude_first": -1}])
def test_numbers_out_of_range(tmp_path: Path, options: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        scan_quality(write_run(tmp_path, {n: tissue(n) for n in range(3)}), **options)


# --- a graphics card -------------------------------------------------------------------------------------------
class OnCard(np.ndarray):
    """An array that numpy gets at only through the stand-in module, as with one on a card."""

    def __array_function__(self, *given: Any) -> Any:
        raise TypeError("an array of the card was given to numpy")


def stand_in(cards: int = 1, broken: bool = False) -> ModuleType:
    """A module with the names of CuPy that are used, over numpy."""
    module: Any = ModuleType("cupy")

    def on_host(value: Any) -> Any:
        return value.view(np.ndarray) if isinstance(value, np.ndarray) else value

    def over(function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*given: Any, **options: Any) -> Any:
            assert all(isinstance(one, OnCard) for one in given if isinstance(one, np.ndarray) and one.ndim)
            said = {name: on_host(one) for name, one in options.items()}
            made = function(*map(on_host, given), **said)
            module.calls += 1
            return made.view(OnCard) if isinstance(made, np.ndarray) else made

        return run

    def asarray(pixels: Any, dtype: Any = None) -> Any:
        return np.asarray(on_host(pixels), dtype).view(OnCard)

    def count() -> int:
        if broken:
            raise RuntimeError("cudaErrorInsufficientDriver: too old")
        return cards

    names = ("isfinite", "where", "empty", "empty_like", "subtract", "add", "sqrt", "pad", "ones")
    vars(module).update({name: over(getattr(np, name)) for name in names})
    module.asarray, module.calls = asarray, 0
    runtime = SimpleNamespace(getDeviceCount=count, getDeviceProperties=lambda _: {"name": b"Stand-in 1"})
    module.cuda = SimpleNamespace(runtime=runtime)
    return module


def test_a_card_gives_the_same_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volumes = {n: tissue(n, (5 + n % 2, 40 + n % 3, 44)).astype(">f4") for n in range(5)}
    volumes[2][:, 4, 4] = np.inf
    run = write_run(tmp_path, volumes)
    module = stand_in()
    monkeypatch.setitem(sys.modules, "cupy", module)
    card = find_gpu()
    assert (card.module, card.name, card.whole) == (module, "GPU Stand-in 1", True)
    on_card = scan_quality(run, arrays=card, workers=2)
    assert module.calls > 100
    for slice_id, expected in scan_quality(run, arrays=CPU).items():
        found = on_card[slice_id].result
        for part in ("score", "ssim", "edge", "variance"):
            assert getattr(found, part) == pytest.approx(getattr(expected.result, part), abs=1e-9)


@pytest.mark.parametrize(
    ("module", "why"),
    [
        pytest.param(None, "CuPy is not installed", id="no CuPy"),
        pytest.param(stand_in(cards=0), "there is no card", id="no card"),
        pytest.param(stand_in(broken=True), "cudaErrorInsufficientDriver: too old", id="no driver"),
    ],
)
def test_without_a_card_the_processor_works(module: Any, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", module)
    arrays, said = choose_arrays(True)
    assert arrays is CPU
    assert why in said


def test_a_card_can_be_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cupy", stand_in())
    assert choose_arrays(False) == (CPU, "")


# --- sections of a brain ---------------------------------------------------------------------------------------
SECTIONS = range(15, 256)


def spoilt_sections(seed: int) -> dict[int, str]:
    """Twenty sections, no two of them neighbours, five for each way to spoil one."""
    rng = np.random.default_rng(seed)
    chosen = np.sort(rng.choice(SECTIONS, 20, replace=False))
    while np.diff(chosen).min() < 2:
        chosen = np.sort(rng.choice(SECTIONS, 20, replace=False))
    ways = [way for way in ("blurred", "moved", "partly lost", "another") for _ in range(5)]
    return dict(zip(rng.permutation(chosen).tolist(), ways, strict=True))


def spoil(way: str, n: int, source: Path) -> np.ndarray:
    section = tifffile.imread(source / f"image_{n:04d}.tif")
    if way == "blurred":
        return ndimage.gaussian_filter(section, 4)
    if way == "moved":
        return ndimage.shift(section, (12, 9), order=1)
    if way == "partly lost":
        section[:, 80:160] = 0
        return section
    further = n + 40 if (source / f"image_{n + 40:04d}.tif").is_file() else n - 40
    return tifffile.imread(source / f"image_{further:04d}.tif")


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(2, marks=pytest.mark.slow)])
def test_spoilt_sections_of_a_brain_score_low(real_data: Path, tmp_path: Path, seed: int) -> None:
    source, spoilt = real_data / "brain_sections", spoilt_sections(seed)
    for n in SECTIONS:
        name = f"image_{n:04d}.tif"
        if n in spoilt:
            write_tiff(tmp_path / name, spoil(spoilt[n], n, source))
        else:
            shutil.copyfile(source / name, tmp_path / name)
    found = scan_quality(find_volumes(tmp_path), exclude_first=0, workers=2)
    lowest = sorted(found, key=lambda one: found[one].result.score)[:40]
    assert len({int(one) for one in lowest} & set(spoilt)) >= 18
