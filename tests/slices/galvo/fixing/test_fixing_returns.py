"""From detection to fixed tiles: no line of the return is left in the part that is kept."""

from __future__ import annotations

import numpy as np
import pytest
import zarr
from fixing_cases import ome, write_array
from scipy import ndimage

from napari_slicemap.slices.galvo.decisions import find_returns, stamp_findings
from napari_slicemap.slices.galvo.fixing import plan_fix, run_fix
from napari_slicemap.slices.galvo.synthetic import make_tile
from napari_slicemap.slices.galvo.tile_slices import find_tile_slices

NAME, EXTRA, DEPTH = "mosaic_z07.ome.zarr", 30, 3
INFO = (
    """nx: {nx}\nny: {ny}\nn_repeat: 1\nwidth: 100.0\nheight: 100.0\nn_extra: {extra}\ntop_z: 0\nbottom_z: {bottom}\n"""
)


def tiles(contrast: float, seed: int, count: int = 6) -> list[np.ndarray]:
    """Tiles of one slice, ``(Z, A-lines, B-scans)``, with the return at the same A-lines in each."""
    rng = np.random.default_rng(seed)
    texture = 100 * np.exp(0.3 * ndimage.gaussian_filter(rng.normal(size=(300, 300)), 3) * 8)
    made = []
    for _ in range(count):
        aip = make_tile([texture], rng, EXTRA, contrast, layout=np.random.default_rng(seed)).aip
        made.append(np.stack([aip * fading for fading in (1, 0.9, 0.7)]))
    return made


def largest_step(volume: np.ndarray) -> float:
    """The largest step from one A-line to the next that B-scans share; A-lines come first but for Z."""
    log = np.log(np.maximum(volume.mean(axis=0), 1))
    return float(np.abs(np.median(np.diff(log, axis=0), axis=1)).max())


def fix(source, out) -> int:
    slices = find_tile_slices(source)
    findings = list(find_returns(slices, {}, source / "none"))
    rows = stamp_findings({}, findings, add=True)
    (found,) = plan_fix(slices, rows, {one.slice_id: one.record for one in findings}, source=source).fixes
    run_fix(plan_fix(slices, rows, {one.slice_id: one.record for one in findings}, source=source), out)
    again = list(find_returns(find_tile_slices(out), {}, source / "none"))
    assert [one.record.suggests_fix for one in again] == [False]  # it is at the end now
    return found.shift


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize(
    ("contrast", "seed", "around"),
    [
        pytest.param(-0.4, 1, False, id="dark"),
        pytest.param(0.5, 2, False, id="bright"),
        pytest.param(-0.4, 12, True, id="around the end"),
    ],
)
def test_mosaics_keep_no_line_of_the_return(tmp_path, axis, contrast, seed, around):
    made = tiles(contrast, seed)
    lines, scans = made[0].shape[1:]
    across = lines if axis == "x" else scans, scans if axis == "x" else lines
    picture = [one.transpose(0, 2, 1) if axis == "x" else one for one in made]
    whole = np.concatenate([np.concatenate(picture[:3], axis=2), np.concatenate(picture[3:], axis=2)], axis=1)
    # the last tiles are cut short along their A-lines
    cut = whole[:, :, : -lines // 3] if axis == "x" else whole[:, : -lines // 3]
    attributes = {**ome({"0": 1}), "galvo": {"axis": axis, "n_extra": EXTRA}}
    group = zarr.open_group(tmp_path / "in" / NAME, mode="w", zarr_format=2, attributes=attributes)
    write_array(group, "0", cut, chunks=(DEPTH, across[1], across[0]))
    shift = fix(tmp_path / "in", tmp_path / "out")
    assert (shift > 0, shift > lines - EXTRA) == (True, around)
    fixed = zarr.open_array(tmp_path / "out" / NAME / "0", mode="r")[...]
    assert fixed.shape == cut.shape
    edge, checked = abs(np.log(1 + contrast)), 0
    for row in range(0, fixed.shape[1] - across[1] + 1, across[1]):
        for column in range(0, fixed.shape[2] - across[0] + 1, across[0]):
            box = np.s_[:, row : row + across[1], column : column + across[0]]
            was, now = (one[box].transpose(0, 2, 1) if axis == "x" else one[box] for one in (cut, fixed))
            assert largest_step(now[:, : lines - EXTRA]) < edge / 2 < 0.7 * edge < largest_step(was)
            np.testing.assert_array_equal(now, np.roll(was, shift, axis=1))
            checked += 1
    assert checked == (4 if axis == "x" else 3)


@pytest.mark.parametrize("contrast", [-0.4, 0.5], ids=["dark", "bright"])
def test_raw_tiles_keep_no_line_of_the_return(tmp_path, contrast):
    made = tiles(contrast, 3, 4)
    lines, scans = made[0].shape[1:]
    for n, tile in enumerate(made):
        folder = tmp_path / "in" / f"tile_x{n % 2:02d}_y{n // 2:02d}_z07"
        folder.mkdir(parents=True)
        (folder / "info.txt").write_text(INFO.format(nx=lines - EXTRA, ny=scans, extra=EXTRA, bottom=DEPTH - 1))
        (folder / "image_00000.bin").write_bytes(tile.astype("<f4").tobytes(order="F"))
    assert fix(tmp_path / "in", tmp_path / "out") > 0
    for n, tile in enumerate(made):
        file = tmp_path / "out" / f"tile_x{n % 2:02d}_y{n // 2:02d}_z07" / "image_00000.bin"
        fixed = np.fromfile(file, "<f4").reshape(tile.shape, order="F")
        edge = abs(np.log(1 + contrast))
        assert largest_step(fixed[:, : lines - EXTRA]) < edge / 2 < 0.7 * edge < largest_step(tile)
