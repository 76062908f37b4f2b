"""Interpolated slices as they are written: pixels, fragments and numbers, opened by others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import ome_zarr_models
import pytest
import zarr
from tissue import SHAPE, gap, motion, section, tissue, volume

from builders import write_ome_zarr
from napari_slicemap.errors import PlanError, UnknownNameError
from napari_slicemap.images.region import Window
from napari_slicemap.slices.fragments import read_fragments
from napari_slicemap.slices.interpolation import Gap, interpolate, interpolate_slices
from napari_slicemap.slices.interpolation.affine import power
from napari_slicemap.slices.interpolation.blend import average_parts
from napari_slicemap.slices.interpolation.planes import ncc
from napari_slicemap.slices.volumes import SliceVolume, find_volumes

PLANTED = motion(6, (6, -4))


@pytest.fixture
def moved(tmp_path: Path) -> Gap:
    """Mosaics of three planes, the slice after turned and shifted."""
    before = np.stack([tissue(noise=3) * part for part in (1.0, 0.95, 0.9)])
    after = np.stack([tissue(PLANTED, noise=3) * part for part in (0.9, 0.85, 0.8, 0.75)])
    return gap(volume(tmp_path, "03", before), volume(tmp_path, "05", after))


def made(folder: Path, slice_id: str = "04") -> np.ndarray:
    """The image, by zarr alone."""
    return np.asarray(zarr.open_group(folder / f"slice_z{slice_id}_interpolated.ome.zarr", mode="r")["0"])[0, 0]


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_planes_lead_from_the_slice_before_to_the_slice_after(moved, tmp_path):
    done, failed = interpolate_slices([moved], tmp_path / "out")
    assert failed == {}
    (one,) = done
    found = made(tmp_path / "out")
    assert (found.shape, found.dtype) == ((3, *SHAPE), np.uint16)
    assert one.morph is not None
    assert one.morph.pair is not None
    first = moved.before.read()[one.morph.pair.z_before]
    last = moved.after.read()[one.morph.pair.z_after]
    assert (found[0] == first).all(), "α = 0 is the slice before, bit by bit"
    assert (found[2] == last).all(), "α = 1 is the slice after, bit by bit"
    half = tissue(power(PLANTED, 0.5))
    inside = half > 100
    assert ncc(found[1], half, inside) > 0.99
    blurred = ncc((first.astype(float) + last) / 2, half, inside)
    assert blurred < 0.975, "a mean of two places is not as good"


def test_one_plane_lies_half_way(tmp_path):
    one = gap(section(tmp_path, "03", tissue()), section(tmp_path, "05", tissue(PLANTED)))
    interpolate_slices([one], tmp_path / "out")
    found = made(tmp_path / "out")
    assert found.shape == (1, *SHAPE)
    half = tissue(power(PLANTED, 0.5))
    assert ncc(found[0], half) > 0.998
    # and what it is, written out: both neighbours moved half of the way, by halves
    assert np.abs(found[0].astype(float) - half)[4:-4, 8:-8].mean() < 6


def test_borders_that_one_neighbour_does_not_cover_are_those_of_the_other(tmp_path):
    full = np.full(SHAPE, 500.0) + 0.5 * tissue()
    there = motion(shift=(9, 0))
    after = np.full(SHAPE, 500.0) + 0.5 * tissue(there)
    interpolate_slices([gap(section(tmp_path, "03", full), section(tmp_path, "05", after))], tmp_path / "out")
    assert made(tmp_path / "out")[0].min() > 480


def test_weighted_and_average(tmp_path):
    before = np.stack([tissue(seed=n) for n in (1, 2, 3)])
    after = np.stack([tissue(seed=n) for n in (4, 5, 6, 7)])
    one = gap(volume(tmp_path, "03", before), volume(tmp_path, "05", after))
    b, a = (side.read().astype(float) for side in (one.before, one.after))
    interpolate_slices([one], tmp_path / "weighted", "weighted")
    interpolate_slices([one], tmp_path / "average", "average")
    weighted = np.stack([b[2], (b[2] + a[0]) / 2, a[0]])
    np.testing.assert_array_equal(made(tmp_path / "weighted"), np.rint(weighted).astype(np.uint16))
    np.testing.assert_array_equal(made(tmp_path / "average"), np.rint((b + a[:3]) / 2).astype(np.uint16))
    for method in ("weighted", "average"):
        (fragment,) = read_fragments(tmp_path / method).values()
        assert (fragment.method, fragment.method_used, fragment.fallback_reason) == (method, method, "")


def test_float_pixels_stay_float_and_holes_stay_out(tmp_path):
    before, after = tissue() / 1000, tissue(seed=2) / 1000
    before[40:44, 60:66] = np.nan
    before[50:54, 60:66] = after[50:54, 60:66] = np.nan
    sides = (volume(tmp_path, "03", before, dtype=np.float32), volume(tmp_path, "05", after, dtype=np.float32))
    interpolate_slices([gap(*sides)], tmp_path / "out", "average")
    found = made(tmp_path / "out")[0]
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found[40:44, 60:66], after[40:44, 60:66].astype(np.float32))
    assert not found[50:54, 60:66].any(), "nothing is known there: 0, as in a canvas"
    np.testing.assert_allclose(found[:30], (before + after)[:30] / 2, rtol=1e-6)


def test_a_failed_gate_writes_no_image(tmp_path):
    noise = [np.random.default_rng(n).uniform(0, 1000, SHAPE) for n in (1, 2)]
    one = gap(section(tmp_path, "03", noise[0]), section(tmp_path, "05", noise[1]))
    (done,), failed = interpolate_slices([one], tmp_path / "out")
    assert sorted(tree(tmp_path / "out")) == ["slice_z04_interpolation.json", "slice_z04_manifest.csv"]
    assert (done.path, failed) == (None, {})
    assert (tmp_path / "out" / "slice_z04_manifest.csv").read_text() == (
        "slice_id,method,method_used,fallback_reason,interpolation_failed,output_path\n"
        "04,zmorph,,low_overlap_ncc,true,\n"
    )
    said = json.loads((tmp_path / "out" / "slice_z04_interpolation.json").read_text())
    assert (said["method_used"], said["fallback_reason"], said["output_path"]) == (None, "low_overlap_ncc", None)
    assert said["interpolation_failed"] is True
    assert said["zmorph"]["matrix"] is None
    assert done.line().startswith("slice 04 (there is no image of it): left, low_overlap_ncc, from 03 and 05, NCC ")


def test_what_is_written_beside_the_image(moved, tmp_path):
    (done,), _ = interpolate_slices([moved], tmp_path / "out")
    assert (tmp_path / "out" / "slice_z04_manifest.csv").read_text() == (
        "slice_id,method,method_used,fallback_reason,interpolation_failed,output_path\n"
        "04,zmorph,zmorph,,false,slice_z04_interpolated.ome.zarr\n"
    )
    said = json.loads((tmp_path / "out" / "slice_z04_interpolation.json").read_text())
    assert said["before"] == {"slice_id": "03", "file": "mosaic_z03.ome.zarr", "shape": [3, *SHAPE]}
    assert said["after"] == {"slice_id": "05", "file": "mosaic_z05.ome.zarr", "shape": [4, *SHAPE]}
    assert (said["interpolation_failed"], said["fallback_reason"], said["version"]) == (False, None, 1)
    assert len(said["zmorph"]["gates"]) == 6
    np.testing.assert_allclose(said["zmorph"]["matrix"], PLANTED[:2], atol=0.2)
    assert said == done.record()


def test_the_image_says_of_itself_what_its_neighbours_do_and_how_it_was_made(moved, tmp_path):
    interpolate_slices([moved], tmp_path / "out")
    path = tmp_path / "out" / "slice_z04_interpolated.ome.zarr"
    ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))
    attributes = zarr.open_group(path, mode="r").attrs
    (scale,) = attributes["ome"]["multiscales"][0]["datasets"][0]["coordinateTransformations"]
    assert scale["scale"][3:] == [5.0, 5.0]
    said = attributes["napari_slicemap"]["provenance"]["interpolated"]
    assert said == json.loads((tmp_path / "out" / "slice_z04_interpolation.json").read_text())
    found = find_volumes(tmp_path / "out")
    assert list(found) == ["04"]
    assert (found["04"].shape, found["04"].pixel_size_um) == ((3, *SHAPE), 5.0)


def test_the_bytes_are_the_same_again_and_with_more_threads(moved, tmp_path):
    gaps = [moved, Gap("06", moved.after, moved.before, "there is no image of it")]
    for name, workers in (("a", 1), ("b", 2)):
        done, _ = interpolate_slices(gaps, tmp_path / name, workers=workers)
        assert [one.gap.slice_id for one in done] == ["04", "06"]
    interpolate_slices(gaps, tmp_path / "b", force=True)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_planes_too_large_for_memory_give_the_same(moved, tmp_path, monkeypatch):
    interpolate_slices([moved], tmp_path / "held")
    monkeypatch.setattr(interpolate, "_IN_MEMORY", 0)
    monkeypatch.setattr(interpolate, "_BAND_BYTES", 1000)
    interpolate_slices([moved], tmp_path / "mapped")
    assert tree(tmp_path / "held") == tree(tmp_path / "mapped")


@pytest.mark.parametrize("in_memory", [pytest.param(2**28, id="memory"), pytest.param(0, id="files")])
def test_no_more_than_two_planes_are_held(moved, tmp_path, monkeypatch, in_memory):
    monkeypatch.setattr(interpolate, "_IN_MEMORY", in_memory)
    (tmp_path / "scratch").mkdir()
    planes = interpolate._Planes(tmp_path / "scratch")
    for parts in average_parts(moved):
        for part in parts * 2:
            np.testing.assert_array_equal(
                planes.window(part, Window(3, 60, 10, 20)), part.volume.read()[part.z, 10:20, 3:60]
            )
        assert len(planes._held) == 2
        assert len(list((tmp_path / "scratch").iterdir())) == (0 if in_memory else 2)


def test_force_takes_away_an_image_that_is_made_no_more(moved, tmp_path):
    interpolate_slices([moved], tmp_path / "out")
    with pytest.raises(PlanError, match=r"holds slice_z04_manifest.csv, .* already; --force replaces it"):
        interpolate_slices([moved], tmp_path / "out")
    noise = Gap("04", section(tmp_path, "13", tissue()), section(tmp_path, "15", 2000 - tissue()), moved.why)
    (done,), _ = interpolate_slices([noise], tmp_path / "out", force=True)
    assert done.fragment.interpolation_failed
    assert not (tmp_path / "out" / "slice_z04_interpolated.ome.zarr").exists()


def other(
    folder: Path, slice_id: str, shape: tuple[int, ...], dtype: Any = np.uint16, size: float = 5.0
) -> SliceVolume:
    path = folder / f"mosaic_z{slice_id}.ome.zarr"
    write_ome_zarr(path, np.ones(shape, dtype), axes="zyx", pixel_size=(size, size))
    return SliceVolume(slice_id, path)


def test_neighbours_that_do_not_go_together_are_all_named_and_nothing_is_written(tmp_path):
    plain = other(tmp_path, "00", (2, 20, 30))
    gaps = [
        Gap("01", plain, other(tmp_path, "02", (2, 20, 31)), ""),
        Gap("03", plain, other(tmp_path, "04", (2, 20, 30), np.float32), ""),
        Gap("05", plain, other(tmp_path, "06", (1, 20, 30), size=4.0), ""),
    ]
    with pytest.raises(PlanError) as caught:
        interpolate_slices(gaps, tmp_path / "out")
    said = "slice {}: mosaic_z00.ome.zarr and mosaic_z{}.ome.zarr differ in {}"
    assert caught.value.faults == [
        said.format("01", "02", "size in y and x (align them first): (20, 30) and (20, 31)"),
        said.format("03", "04", "type of pixels: uint16 and float32"),
        said.format("05", "06", "pixel size, µm: 5.0 and 4.0"),
    ]
    assert not (tmp_path / "out").exists()


def test_requests_that_make_no_sense(moved, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown interpolation method 'linear'"):
        interpolate_slices([moved], tmp_path / "out", "linear")
    with pytest.raises(PlanError, match="is the folder of the slices; name another to write to"):
        interpolate_slices([moved], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(PlanError, match="is a file; name a folder to write to"):
        interpolate_slices([moved], tmp_path / "file")


def test_a_neighbour_that_cannot_be_read_fails_its_slice_alone(moved, tmp_path):
    (tmp_path / "broken").mkdir()
    broken = volume(tmp_path / "broken", "07", np.stack([tissue()] * 3))
    for chunk in (path for path in broken.path.rglob("*") if path.is_file() and path.name[0].isdigit()):
        chunk.write_bytes(b"no chunk")
    told = []
    gaps = [Gap("06", moved.after, broken, ""), moved]
    done, failed = interpolate_slices(gaps, tmp_path / "out", on_progress=lambda *counts: told.append(counts))
    assert [one.gap.slice_id for one in done] == ["04"]
    assert list(failed) == ["06"]
    assert "mosaic_z07.ome.zarr" in failed["06"]
    assert told == [(1, 2), (2, 2)]
    assert not list((tmp_path / "out").glob("*z06*")), "no half of a slice"
