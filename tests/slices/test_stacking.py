"""Slices at their depth, gaps where they are left out."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from hypothesis import given
from hypothesis import strategies as st

from builders import pixels, write_ome_zarr, write_tiff
from napari_slicemap.errors import FileFormatError, PlanError, TileReadError
from napari_slicemap.images.ome_zarr.zarr_chunks import ChunkFiles
from napari_slicemap.slices.aligning import planes as planes_module
from napari_slicemap.slices.slice_config import SliceRows
from napari_slicemap.slices.stacking import stack as stack_module
from napari_slicemap.slices.stacking.plan import plan_stack
from napari_slicemap.slices.stacking.stack import stack_slices
from napari_slicemap.slices.volumes import SliceVolume, find_volumes

IDS = ("02", "03", "05", "08")


def volume_of(slice_id: str, depth: int = 4, dtype: Any = np.uint16) -> np.ndarray:
    return pixels(int(slice_id), (depth, 21, 34), dtype) | 1


def slices(
    folder: Path, ids: tuple[str, ...] = IDS, name: str = "slice_z{}.ome.zarr", depth: int = 4, **options: Any
) -> OrderedDict[str, SliceVolume]:
    said = {"axes": "zyx", "pixel_size": (10.0, 10.0), "chunks": (depth, 8, 8), **options}
    for slice_id in ids:
        write_ome_zarr(folder / name.format(slice_id), volume_of(slice_id, depth), **said)
    return find_volumes(folder)


def rows(**said: Mapping[str, Any] | bool) -> SliceRows:
    """Rows by id: whether to use it, or what else it says."""
    made: SliceRows = OrderedDict()
    for name, row in said.items():
        slice_id = name.removeprefix("z")
        values = {"use": row} if isinstance(row, bool) else dict(row)
        made[slice_id] = {"slice_id": slice_id, "use": True, **values}
    return made


INTERPOLATED = {"use": False, "interpolated": True, "notes": "torn"}


def stored(path: Path) -> np.ndarray:
    """Full resolution by zarr-python."""
    return np.asarray(zarr.open_array(path / "0", mode="r")[0, 0])


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


# --- what lies where -----------------------------------------------------------------------------------------------
def test_every_slice_at_its_depth(tmp_path: Path) -> None:
    done = stack_slices(slices(tmp_path / "s"), tmp_path / "stack.ome.zarr")
    found = stored(tmp_path / "stack.ome.zarr")
    assert found.shape == done.shape == (7 * 4, 21, 34)
    for number in range(2, 9):
        part = found[(number - 2) * 4 :][:4]
        slice_id = f"{number:02}"
        expected = volume_of(slice_id) if slice_id in IDS else np.zeros_like(part)
        np.testing.assert_array_equal(part, expected)
    assert done.lines() == ["used: 4 of 4 slices (02–03, 05, 08)", "gaps: 04, 06–07 (4 planes each are 0)"]


def test_excluded_slices_leave_a_gap(tmp_path: Path) -> None:
    table = rows(
        z02={"use": False, "notes": "calibration_slice"},
        z03=True,
        z05={"auto_excluded": True, "auto_exclude_reason": "noisy cluster (3 consecutive)"},
        z06=True,
        z08=True,
    )
    done = stack_slices(slices(tmp_path / "s"), tmp_path / "stack.ome.zarr", table)
    found = stored(tmp_path / "stack.ome.zarr")
    assert list(done.choice.used) == ["03", "08"]
    assert done.choice.left_out == {
        "02": "use is false: calibration_slice",
        "05": "auto_excluded: noisy cluster (3 consecutive)",
        "06": "there is no image of it",
    }
    assert len(found) == 6 * 4
    np.testing.assert_array_equal(found[:4], volume_of("03"))
    assert not found[4:20].any()
    np.testing.assert_array_equal(found[20:], volume_of("08"))


@pytest.mark.parametrize(
    ("thickness", "planes", "kept"),
    [
        pytest.param(6.0, 6, 4, id="room to spare"),
        pytest.param(4.0, 4, 4, id="as deep"),
        pytest.param(3.4, 3, 3, id="deeper slices are cut"),
        pytest.param(0.6, 1, 1, id="one plane"),
    ],
)
def test_the_thickness_says_how_much_room_each_has(tmp_path: Path, thickness: float, planes: int, kept: int) -> None:
    done = stack_slices(slices(tmp_path / "s"), tmp_path / "stack.ome.zarr", slice_thickness_um=thickness)
    found = stored(tmp_path / "stack.ome.zarr")
    assert (done.planes_per_slice, len(found)) == (planes, 7 * planes)
    for slice_id in IDS:
        own = found[(int(slice_id) - 2) * planes :][:planes]
        np.testing.assert_array_equal(own[:kept], volume_of(slice_id)[:kept])
        assert not own[kept:].any()
    said = "\n".join(done.lines())
    assert (f"cut: 02–03, 05, 08: {planes} of 4 planes" in said) == (planes < 4)
    assert ("shallow: 02–03, 05, 08: 4 planes where there is room for 6; the rest is 0" in said) == (planes > 4)


def test_slices_of_unlike_depth(tmp_path: Path) -> None:
    slices(tmp_path / "s", ("02", "03"))
    volumes = slices(tmp_path / "s", ("04",), depth=6)
    with pytest.raises(PlanError, match="slice 04 has 6 planes, and slice 02 4; state the slice thickness"):
        plan_stack(volumes)
    stack_slices(volumes, tmp_path / "stack.ome.zarr", slice_thickness_um=4.0)
    found = stored(tmp_path / "stack.ome.zarr")
    np.testing.assert_array_equal(found[8:], volume_of("04", 6)[:4])


def test_section_images(tmp_path: Path) -> None:
    for slice_id in IDS:
        write_tiff(tmp_path / "s" / f"section_{slice_id}.tif", volume_of(slice_id)[0])
    done = stack_slices(
        find_volumes(tmp_path / "s"), tmp_path / "stack.ome.zarr", slice_thickness_um=200.0, resolution_um=6.5
    )
    assert (done.planes_per_slice, done.z_step_um, done.pixel_size_um) == (1, 200.0, 6.5)
    found = stored(tmp_path / "stack.ome.zarr")
    assert found.shape == (7, 21, 34)
    for slice_id in IDS:
        np.testing.assert_array_equal(found[int(slice_id) - 2], volume_of(slice_id)[0])


@pytest.mark.parametrize(
    ("first", "last", "ids", "depth"),
    [
        pytest.param("00", None, ["02", "03", "05", "08"], 9, id="from a slice that is not there"),
        pytest.param("3", "6", ["03", "05"], 4, id="both"),
        pytest.param(None, "10", ["02", "03", "05", "08"], 9, id="behind the last"),
        pytest.param("05", "05", ["05"], 1, id="one slice"),
    ],
)
def test_where_the_stack_begins_and_ends(
    tmp_path: Path, first: str | None, last: str | None, ids: list[str], depth: int
) -> None:
    plan = plan_stack(slices(tmp_path / "s", depth=1), first=first, last=last)
    assert (list(plan.choice.used), plan.shape[0]) == (ids, depth)
    begin = int(first or 2)
    assert plan.starts == {one: int(one) - begin for one in ids}
    outside = {"02": "it lies before slice 03, where the stack begins"} if first == "3" else {}
    assert {**outside, **plan.choice.left_out} == plan.choice.left_out


@given(
    ids=st.lists(st.integers(0, 300), min_size=1, max_size=8, unique=True),
    depth=st.integers(1, 9),
    thickness=st.one_of(st.none(), st.floats(0.6, 20)),
)
def test_no_two_slices_share_a_plane(ids: list[int], depth: int, thickness: float | None) -> None:
    class Known(SliceVolume):
        shape = (depth, 5, 5)
        dtype = np.dtype(np.uint8)
        pixel_size_um, z_step_um = None, 1.0

    names = [f"{one:02}" for one in ids]
    plan = plan_stack({one: Known(one, Path(one)) for one in names}, slice_thickness_um=thickness)
    filled = [z for one in names for z in plan.planes_of(one)]
    assert len(filled) == len(set(filled))
    assert set(filled) <= set(range(plan.shape[0]))
    assert plan.shape[0] == (max(ids) - min(ids) + 1) * plan.planes_per_slice
    for number, name in zip(ids, names, strict=True):
        assert plan.planes_of(name).start == (number - min(ids)) * plan.planes_per_slice


# --- interpolated slices -------------------------------------------------------------------------------------------
def test_interpolated_slices_are_taken_whatever_use_says(tmp_path: Path) -> None:
    volumes = slices(tmp_path / "s")
    made = slices(tmp_path / "i", ("04", "05"), "slice_z{}_interpolated.ome.zarr")
    other = 65535 - volume_of("05")
    write_ome_zarr(tmp_path / "j" / "slice_z05_interpolated.ome.zarr", other, axes="zyx", pixel_size=(10.0, 10.0))
    made["05"] = find_volumes(tmp_path / "j")["05"]
    table = rows(z02=True, z03=True, z04=INTERPOLATED, z05={**INTERPOLATED, "auto_excluded": True}, z08=False)
    done = stack_slices(volumes, tmp_path / "stack.ome.zarr", table, interpolated=made)
    assert list(done.choice.used) == ["02", "03", "04", "05"]
    assert done.interpolated == ("04", "05")
    assert done.choice.left_out == {"08": "use is false"}
    found = stored(tmp_path / "stack.ome.zarr")
    np.testing.assert_array_equal(found[8:12], volume_of("04"))
    np.testing.assert_array_equal(found[12:16], other)
    assert [line for line in done.lines() if "interpolated" in line] == ["interpolated: 04–05"]


def test_interpolated_slices_are_not_taken_unasked(tmp_path: Path) -> None:
    plan = plan_stack(slices(tmp_path / "s"), rows(z02=True, z03=True, z04=INTERPOLATED, z05=INTERPOLATED))
    assert list(plan.choice.used) == ["02", "03"]
    for slice_id in ("04", "05"):
        assert plan.choice.left_out[slice_id] == (
            "use is false: torn; it is interpolated, but no folder of interpolated images was given"
        )


def test_an_interpolated_slice_whose_image_is_missing(tmp_path: Path) -> None:
    made = slices(tmp_path / "i", ("04",), "slice_z{}_interpolated.ome.zarr")
    volumes = slices(tmp_path / "s")
    with pytest.raises(PlanError, match=r"slice 06 is interpolated, but has no interpolated image \(there is 04\)"):
        plan_stack(volumes, rows(z02=True, z04=INTERPOLATED, z06=INTERPOLATED), interpolated=made)
    with pytest.raises(PlanError, match="only a slice table says which slices are interpolated"):
        plan_stack(volumes, interpolated=made)


# --- what does not go together -------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("other", "message"),
    [
        pytest.param(
            {"data": pixels(1, (4, 22, 34))}, "slice 09 has 34 × 22 px, and slice 02 34 × 21; align", id="size"
        ),
        pytest.param(
            {"data": pixels(1, (4, 21, 34), np.uint8)}, "slice 09 holds uint8 px, and slice 02 uint16", id="dtype"
        ),
        pytest.param(
            {"pixel_size": (9.0, 9.0)}, r"z09.ome.zarr states 9 µm/px, and .*z02.ome.zarr 10", id="pixel size"
        ),
        pytest.param({"unit": ""}, "z09.ome.zarr does not state how many µm", id="nothing stated"),
    ],
)
def test_slices_that_differ_are_named(tmp_path: Path, other: dict[str, Any], message: str) -> None:
    slices(tmp_path / "s")
    said = {"data": pixels(1, (4, 21, 34)), "axes": "zyx", "pixel_size": (10.0, 10.0), **other}
    write_ome_zarr(tmp_path / "s" / "slice_z09.ome.zarr", said.pop("data"), **said)
    with pytest.raises(PlanError, match=message):
        stack_slices(find_volumes(tmp_path / "s"), tmp_path / "stack.ome.zarr")
    assert not (tmp_path / "stack.ome.zarr").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        pytest.param(
            {"rows": rows(z02=False)}, PlanError, "no slice is left to stack .excluded: 02 .use is", id="none left"
        ),
        pytest.param(
            {"first": "09"}, PlanError, r"08 \(it lies before slice 09, where the stack begins", id="all before"
        ),
        pytest.param({"first": "x"}, FileFormatError, "'x'", id="no id"),
        pytest.param(
            {"slice_thickness_um": 0.2}, PlanError, "0.2 µm is no room for a plane: planes are 1 µm", id="thin"
        ),
        pytest.param({"slice_thickness_um": 1e300}, PlanError, "check the slice thickness and the ids", id="thick"),
        pytest.param({"last": "9" * 18}, PlanError, "planes each.; check the slice thickness and the ids", id="far"),
        pytest.param({"slice_thickness_um": -1.0}, PlanError, "thickness is -1 µm, expected a number", id="negative"),
        pytest.param({"z_step_um": 2.0}, PlanError, "states 1 µm from plane to plane, but 2 were given", id="z step"),
    ],
)
def test_what_cannot_be_stacked(tmp_path: Path, options: dict[str, Any], error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        plan_stack(slices(tmp_path / "s"), **options)


def test_a_thickness_needs_the_distance_of_planes(tmp_path: Path) -> None:
    volumes = slices(tmp_path / "s", unit="")
    with pytest.raises(PlanError, match="do not state the distance of their planes; give the z step"):
        plan_stack(volumes, slice_thickness_um=30.0)
    plan = plan_stack(volumes, slice_thickness_um=30.0, z_step_um=5.0)
    assert (plan.planes_per_slice, plan.z_step_um, plan.pixel_size_um) == (6, 5.0, None)


# --- the file ------------------------------------------------------------------------------------------------------
def test_what_a_stack_says(tmp_path: Path) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader
    from ome_zarr_models.v05 import Image

    path = tmp_path / "new" / "stack.ome.zarr"
    stack_slices(slices(tmp_path / "s", ("02", "04")), path, rows(z02=True, z04=True, z05=False))
    group = zarr.open_group(path, mode="r")
    (dataset,) = Image.from_zarr(group).ome_attributes.multiscales[0].datasets
    assert dataset.coordinateTransformations[0].scale == [1.0, 1.0, 1.0, 10.0, 10.0]
    assert group.attrs["napari_slicemap"]["provenance"]["stacked"] == {
        "planes_per_slice": 4,
        "slices": [
            {"slice_id": one, "source": f"slice_z{one}.ome.zarr", "interpolated": False, "first_plane": z, "planes": 4}
            for one, z in (("02", 0), ("04", 8))
        ],
        "left_out": {"05": "use is false"},
    }
    location = parse_url(path)
    assert location is not None
    (image,) = Reader(location)()
    np.testing.assert_array_equal(image.data[0].compute()[0, 0, 8:], volume_of("04"))


def test_the_same_slices_are_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        stack_slices(slices(tmp_path / name), tmp_path / f"{name}1" / "stack.ome.zarr")
    first = files(tmp_path / "a1")
    assert files(tmp_path / "b1") == first


def test_progress_ends_when_all_is_done(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    stack_slices(slices(tmp_path / "s"), tmp_path / "a.ome.zarr", on_progress=lambda *said: told.append(said))
    assert told[-1] == (16 * 21, 16 * 21)


@pytest.mark.parametrize(
    ("out", "message"),
    [
        pytest.param("stack", r"stack: a stack is an OME-Zarr image; name it stack.ome.zarr", id="another name"),
        pytest.param("there.ome.zarr", r"there.ome.zarr is there already; --force replaces it", id="there already"),
        pytest.param("s.zarr/slice_z03.ome.zarr", "is, or holds, slice_z03.ome.zarr, an image of", id="a slice"),
        pytest.param("s.zarr", "is, or holds, slice_z02.ome.zarr, an image of", id="the folder of slices"),
    ],
)
def test_where_a_stack_cannot_go(tmp_path: Path, out: str, message: str) -> None:
    (tmp_path / "there.ome.zarr").mkdir()
    volumes = slices(tmp_path / "s.zarr")
    before = files(tmp_path)
    with pytest.raises(PlanError, match=message):
        stack_slices(volumes, tmp_path / out, force=not out.startswith("there"))
    assert files(tmp_path) == before


def test_a_stack_does_not_take_the_place_of_a_slice_that_is_left_out(tmp_path: Path) -> None:
    volumes = slices(tmp_path / "s")
    before = files(tmp_path)
    with pytest.raises(PlanError, match=r"is, or holds, slice_z08\.ome\.zarr, an image of a slice; name another"):
        stack_slices(volumes, volumes["08"].path, last="05", force=True)
    with pytest.raises(PlanError, match=r"is, or holds, slice_z02\.ome\.zarr, an image of a slice; name another"):
        stack_slices(volumes, volumes["02"].path, rows(z02=False, z03=True), force=True)
    assert files(tmp_path) == before


def test_force_replaces_a_stack(tmp_path: Path) -> None:
    volumes, out = slices(tmp_path / "s"), tmp_path / "stack.ome.zarr"
    stack_slices(volumes, out)
    stack_slices(volumes, out, last="03", force=True)
    assert len(stored(out)) == 8


def test_a_slice_that_cannot_be_read_leaves_the_old_stack(tmp_path: Path) -> None:
    volumes, out = slices(tmp_path / "s"), tmp_path / "stack.ome.zarr"
    stack_slices(volumes, out, last="03")
    before = files(out)
    (tmp_path / "s" / "slice_z05.ome.zarr" / "0" / "c" / "0" / "0" / "0").write_bytes(b"torn")
    with pytest.raises(TileReadError, match=r"slice_z05.ome.zarr"):
        stack_slices(volumes, out, force=True)
    assert files(out) == before
    assert sorted(one.name for one in tmp_path.iterdir()) == ["s", "stack.ome.zarr"]


@pytest.mark.parametrize("thickness", [None, 3.0], ids=["whole", "cut"])
def test_each_stored_chunk_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thickness: float | None
) -> None:
    for slice_id in ("00", "02"):
        data = pixels(int(slice_id), (4, 1300, 40))
        write_ome_zarr(tmp_path / "s" / f"slice_z{slice_id}.ome.zarr", data, axes="zyx", chunks=(4, 97, 31))
    monkeypatch.setattr(stack_module, "_CHUNK", 64)  # several bands
    seen: list[str] = []
    original = ChunkFiles._decoded

    def counted(self: ChunkFiles, file: str, inner: int) -> Any:
        seen.append(file)
        return original(self, file, inner)

    monkeypatch.setattr(ChunkFiles, "_decoded", counted)
    stack_slices(find_volumes(tmp_path / "s"), tmp_path / "out.ome.zarr", slice_thickness_um=thickness)
    chunks = [str(one) for one in (tmp_path / "s").glob("*/0/c/*/*/*")]
    assert len(chunks) == 2 * 14 * 2
    assert sorted(seen) == sorted(chunks)
    found = stored(tmp_path / "out.ome.zarr")
    planes = 4 if thickness is None else 3
    np.testing.assert_array_equal(found[-planes:], pixels(2, (4, 1300, 40))[:planes])


@pytest.mark.parametrize("thickness", [None, 2.0], ids=["whole", "cut"])
def test_little_memory_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, thickness: float | None
) -> None:
    volumes = slices(tmp_path / "s")
    stack_slices(volumes, tmp_path / "a" / "stack.ome.zarr", slice_thickness_um=thickness)
    monkeypatch.setattr(planes_module, "BUDGET", 1)
    stack_slices(volumes, tmp_path / "b" / "stack.ome.zarr", slice_thickness_um=thickness)
    assert files(tmp_path / "b") == files(tmp_path / "a")
