"""Mosaics cut from one scene at known offsets, brought back into one space."""

from __future__ import annotations

import json
import shutil
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from builders import pixels, write_ome_zarr, write_tiff
from napari_slicemap.errors import FileFormatError, PlanError, TileReadError, UnknownNameError
from napari_slicemap.images.ome_zarr.zarr_chunks import ChunkFiles
from napari_slicemap.images.region import Window
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.aligning import align as align_module
from napari_slicemap.slices.aligning import planes as planes_module
from napari_slicemap.slices.aligning.align import Alignment, align_mosaics, plan_alignment
from napari_slicemap.slices.aligning.planes import PlaneRows, runs
from napari_slicemap.slices.choice import choose_slices
from napari_slicemap.slices.volumes import SliceVolume, find_volumes

SIZE_UM = 10.0
HEIGHT, WIDTH = 40, 50
# where each slice was cut from the scene: (x, y), px; ids with gaps
CUTS = {"00": (30, 30), "02": (37, 22), "03": (12, 41), "07": (33, 33), "100": (58, 9)}


def scene(depth: int = 3, dtype: Any = np.uint16) -> np.ndarray:
    return pixels(1, (depth, 130, 140), dtype)


def mosaics(folder: Path, cuts: Mapping[str, tuple[int, int]] = CUTS, depth: int = 3, **options: Any) -> Path:
    """A mosaic of each slice, all of its depth in each chunk."""
    said = {"axes": "zyx", "pixel_size": (SIZE_UM, SIZE_UM), "chunks": (depth, 16, 16), **options}
    for slice_id, (x, y) in cuts.items():
        data = scene(depth)[:, y : y + HEIGHT, x : x + WIDTH]
        write_ome_zarr(folder / f"mosaic_grid_3d_z{slice_id}.ome.zarr", data, **said)
    return folder


def shifts(path: Path, cuts: Mapping[str, tuple[float, float]] = CUTS, *, px_only: bool = False) -> Path:
    """The step from each slice to the next."""
    steps = []
    for (fixed, at), (moving, to) in zip(list(cuts.items()), list(cuts.items())[1:], strict=False):
        dx, dy = to[0] - at[0], to[1] - at[1]
        mm = "" if px_only else f",{dx * SIZE_UM / 1000},{dy * SIZE_UM / 1000}"
        steps.append(f"{int(fixed)},{int(moving)}.0,{dx},{dy}{mm}")
    header = "fixed_id,moving_id,x_shift,y_shift" + ("" if px_only else ",x_shift_mm,y_shift_mm")
    path.write_text("\n".join([header, *steps]) + "\n")
    return path


def table(**used: Any) -> slice_config.SliceRows:
    """Rows by id (``z03=False``); a text is why the slice is excluded automatically."""
    rows: slice_config.SliceRows = OrderedDict()
    for name, use in used.items():
        slice_id = name.removeprefix("z")
        reason = use if isinstance(use, str) else ""
        rows[slice_id] = {
            "slice_id": slice_id,
            "use": bool(use),
            "auto_excluded": bool(reason),
            "auto_exclude_reason": reason,
            "notes": "" if use else "calibration_slice",
        }
    return rows


def on_canvas(alignment: Alignment, slice_id: str) -> np.ndarray:
    """What should come out: the scene where the slice saw it, at the place in the canvas where it lies."""
    first = CUTS["00"]
    x, y = CUTS[slice_id]
    canvas = alignment.canvas
    made = np.zeros((3, *canvas.shape), np.uint16)
    top, left = y - first[1] - canvas.y0, x - first[0] - canvas.x0
    made[:, top : top + HEIGHT, left : left + WIDTH] = scene()[:, y : y + HEIGHT, x : x + WIDTH]
    return made


def stored(path: Path) -> np.ndarray:
    """Full resolution by zarr-python."""
    return np.asarray(zarr.open_array(path / "0", mode="r")[0, 0])


def files(folder: Path) -> dict[str, bytes]:
    return {str(one.relative_to(folder)): one.read_bytes() for one in sorted(folder.rglob("*")) if one.is_file()}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Mosaics and their shifts, not to be changed."""
    folder = tmp_path_factory.mktemp("run")
    mosaics(folder / "mosaics")
    shifts(folder / "shifts_xy.csv")
    return folder


@pytest.fixture
def own(run: Path, tmp_path: Path) -> Path:
    """A copy, to change."""
    return Path(shutil.copytree(run, tmp_path / "own"))


# --- pixels --------------------------------------------------------------------------------------------------------
def test_a_scene_cut_at_known_places_comes_back(run: Path, tmp_path: Path) -> None:
    done = align_mosaics(find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path / "aligned")
    # in the frame of slice 00: from x −18 (slice 03) to 28 + 50 (slice 100), from y −21 (100) to 11 + 40 (03)
    assert done.canvas == Window(-18, 78, -21, 51)
    assert done.shifts["100"] == (28.0, -21.0)
    assert not done.failed
    assert list(done.written) == list(CUTS)
    for slice_id, path in done.written.items():
        assert path == tmp_path / "aligned" / f"mosaic_grid_3d_z{slice_id}.ome.zarr"
        np.testing.assert_array_equal(stored(path), on_canvas(done, slice_id))
    # where two slices saw the same, they now agree px by px
    both = [stored(done.written[one]) for one in ("00", "07")]
    seen = (both[0] > 0) & (both[1] > 0)
    assert seen.sum() > 3 * 30 * 40
    np.testing.assert_array_equal(both[0][seen], both[1][seen])


def test_the_aligned_slices_are_found_again(run: Path, tmp_path: Path) -> None:
    done = align_mosaics(find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path / "aligned")
    again = find_volumes(tmp_path / "aligned")
    assert list(again) == list(CUTS)
    for volume in again.values():
        assert volume.shape == (3, *done.canvas.shape)
        assert (volume.pixel_size_um, volume.z_step_um) == (SIZE_UM, 1.0)


def test_shifts_between_pixels(tmp_path: Path) -> None:
    """A smooth scene sampled half a pixel off comes back within what linear interpolation loses."""
    y, x = np.mgrid[0:90, 0:90]

    def sampled(x0: float, y0: float) -> np.ndarray:
        return 1000 + 400 * np.sin((x[:HEIGHT, :WIDTH] + x0) / 6) * np.cos((y[:HEIGHT, :WIDTH] + y0) / 7)

    cuts = {"01": (0.0, 0.0), "02": (7.5, -3.25), "03": (1.3, 6.6)}
    for slice_id, cut in cuts.items():
        data = sampled(*cut)[None].astype(np.float32)
        write_ome_zarr(
            tmp_path / "m" / f"m_z{slice_id}.ome.zarr",
            data,
            axes="zyx",
            pixel_size=(SIZE_UM, SIZE_UM),
            chunks=(1, 16, 16),
        )
    done = align_mosaics(find_volumes(tmp_path / "m"), shifts(tmp_path / "s.csv", cuts), tmp_path / "out")
    canvas = done.canvas
    ideal = (
        1000
        + 400 * np.sin(np.arange(canvas.x0, canvas.x1) / 6)[None] * np.cos(np.arange(canvas.y0, canvas.y1) / 7)[:, None]
    )
    for path in done.written.values():
        found = stored(path)[0]
        inner = found[2:-2, 2:-2] > 0
        for _ in range(2):  # px at the slice's edge take the edge's value
            inner = inner & np.roll(inner, 1, 0) & np.roll(inner, -1, 0) & np.roll(inner, 1, 1) & np.roll(inner, -1, 1)
        apart = np.abs(found - ideal)[2:-2, 2:-2][inner]
        assert inner.sum() > 1000
        # h²/8 times the second derivatives: 400 · (1/36 + 1/49) / 8
        assert apart.max() < 400 * (1 / 36 + 1 / 49) / 8 + 0.01


def test_section_images_are_aligned(tmp_path: Path) -> None:
    for slice_id, (x, y) in CUTS.items():
        write_tiff(tmp_path / "s" / f"section_{slice_id}.tif", scene()[0, y : y + HEIGHT, x : x + WIDTH])
    done = align_mosaics(
        find_volumes(tmp_path / "s"), shifts(tmp_path / "s.csv"), tmp_path / "out", resolution_um=SIZE_UM
    )
    again = find_volumes(tmp_path / "out")
    assert list(again) == list(CUTS)
    assert again["07"].path.name == "section_07_z07.ome.zarr"
    assert again["07"].pixel_size_um == SIZE_UM
    np.testing.assert_array_equal(again["07"].read(), on_canvas(done, "07")[:1])


# --- which slices --------------------------------------------------------------------------------------------------
def test_only_slices_to_use_are_aligned(run: Path, tmp_path: Path) -> None:
    rows = table(z00=False, z02=True, z03="noisy cluster (3 consecutive)", z07=True, z050=True)
    done = align_mosaics(find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path / "out", rows)
    assert list(done.written) == ["02", "07"]
    assert done.choice.left_out == {
        "00": "use is false: calibration_slice",
        "03": "auto_excluded: noisy cluster (3 consecutive)",
        "050": "there is no image of it",
        "100": "it is not in the slice table",
    }
    # the first slice is left out, and the others lie where they lay
    assert done.shifts == {"02": (7.0, -8.0), "07": (3.0, 3.0)}
    assert done.canvas == Window(3, 57, -8, 43)
    np.testing.assert_array_equal(stored(done.written["07"]), on_canvas(done, "07"))
    assert find_volumes(tmp_path / "out").keys() == {"02", "07"}
    assert done.choice.lines()[0] == "used: 2 of 6 slices (02, 07)"


def test_a_table_with_other_zeros_means_the_same_slices(run: Path) -> None:
    rows = table(z0000=True, z100=True, z0002=False)
    choice = choose_slices(find_volumes(run / "mosaics"), rows)
    assert list(choice.used) == ["00", "100"]
    assert choice.left_out["02"].startswith("use is false")


def test_slices_without_a_shift_are_left_out_unless_strict(run: Path, tmp_path: Path) -> None:
    known = {one: CUTS[one] for one in ("00", "02", "03", "07")}
    path = shifts(tmp_path / "some.csv", known)
    volumes = find_volumes(run / "mosaics")
    plan = plan_alignment(volumes, path)
    assert list(plan.choice.used) == list(known)
    assert plan.choice.left_out == {"100": f"{path}: slice 100 is not in it"}
    with pytest.raises(UnknownNameError, match="unknown slice '100'"):
        align_mosaics(volumes, path, tmp_path / "out", strict=True)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        pytest.param(table(z00=False, z02=False), "excluded: 00, 02 .use is false", id="all excluded"),
        pytest.param(table(), "excluded: 00, 02–03, 07, 100 .it is not in the slice table", id="empty table"),
    ],
)
def test_nothing_to_align(run: Path, tmp_path: Path, rows: Any, message: str) -> None:
    with pytest.raises(PlanError, match=f"no slice is left to align .*{message}"):
        align_mosaics(find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path / "out", rows)
    assert not (tmp_path / "out").exists()


# --- sizes ---------------------------------------------------------------------------------------------------------
def test_pixel_sizes_that_differ_are_named(own: Path, tmp_path: Path) -> None:
    write_ome_zarr(own / "mosaics" / "odd_z200.ome.zarr", scene()[:, :9, :9], axes="zyx", pixel_size=(12.0, 12.0))
    with pytest.raises(PlanError, match=r"odd_z200.ome.zarr states 12 µm/px, and .*z00.ome.zarr 10; they must be the"):
        plan_alignment(find_volumes(own / "mosaics"), shifts(own / "s.csv", {**CUTS, "200": (0, 0)}))


def test_a_pixel_size_that_is_not_known(tmp_path: Path) -> None:
    volumes = find_volumes(mosaics(tmp_path / "m", unit=""))
    path = shifts(tmp_path / "s.csv")
    with pytest.raises(PlanError, match=r"z00.ome.zarr does not state its pixel size.*give the resolution"):
        plan_alignment(volumes, path)
    plan = plan_alignment(volumes, path, resolution_um=5.0)
    assert plan.shifts["100"] == (56.0, -42.0)
    assert plan.position_um == (-180.0, -210.0)
    in_px = plan_alignment(volumes, shifts(tmp_path / "px.csv", px_only=True))
    assert (in_px.shifts["100"], in_px.pixel_size_um, in_px.position_um) == ((28.0, -21.0), None, None)


@pytest.mark.parametrize(
    ("resolution", "message"),
    [
        pytest.param(5.0, r"z00.ome.zarr states 10 µm/px, but 5 were given", id="another than stated"),
        pytest.param(0.0, "0 µm/px were stated, expected a number above 0", id="nothing"),
        pytest.param(float("nan"), "nan µm/px were stated, expected", id="no number"),
    ],
)
def test_a_resolution_that_cannot_be(run: Path, resolution: float, message: str) -> None:
    with pytest.raises(PlanError, match=message):
        plan_alignment(find_volumes(run / "mosaics"), run / "shifts_xy.csv", resolution_um=resolution)


def test_a_canvas_that_cannot_be_meant(run: Path, tmp_path: Path) -> None:
    path = shifts(tmp_path / "s.csv", {**CUTS, "100": (2_000_000, 0)})
    with pytest.raises(PlanError, match=r"s.csv: the slices would lie on a canvas of \d+ × \d+ px; check the shifts"):
        plan_alignment(find_volumes(run / "mosaics"), path)


# --- what is written -----------------------------------------------------------------------------------------------
def test_what_an_aligned_slice_says(run: Path, tmp_path: Path) -> None:
    from ome_zarr.io import parse_url
    from ome_zarr.reader import Reader
    from ome_zarr_models.v05 import Image

    done = align_mosaics(find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path / "out")
    group = zarr.open_group(done.written["03"], mode="r")
    (dataset, *_) = Image.from_zarr(group).ome_attributes.multiscales[0].datasets
    scale, translation = dataset.coordinateTransformations
    assert scale.scale == [1.0, 1.0, 1.0, SIZE_UM, SIZE_UM]
    assert translation.translation == [0.0, 0.0, 0.0, -210.0, -180.0]
    assert group.attrs["napari_slicemap"]["provenance"]["aligned"] == {
        "slice_id": "03",
        "source": "mosaic_grid_3d_z03.ome.zarr",
        "file": "mosaic_grid_3d_z03.ome.zarr",
        "shift_px": [-18.0, 11.0],
        "left_px": 0,
        "top_px": 32,
    }
    location = parse_url(done.written["03"])
    assert location is not None
    (image,) = Reader(location)()
    np.testing.assert_array_equal(image.data[0].compute()[0, 0], on_canvas(done, "03"))


def test_the_record_and_the_same_bytes(run: Path, own: Path, tmp_path: Path) -> None:
    rows = table(z00=False, z02=True, z03=True, z07=True)
    align_mosaics(find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path / "a", rows)
    align_mosaics(find_volumes(own / "mosaics"), own / "shifts_xy.csv", tmp_path / "b", rows, workers=3)
    first = files(tmp_path / "a")
    assert files(tmp_path / "b") == first
    record = json.loads(first["alignment.json"])
    assert record["canvas"] == {"x0_px": -18, "y0_px": -8, "width_px": 75, "height_px": 59}
    assert record["pixel_size_um"] == SIZE_UM
    assert [(one["slice_id"], one["left_px"], one["top_px"]) for one in record["slices"]] == [
        ("02", 25, 0),
        ("03", 0, 19),
        ("07", 21, 11),
    ]
    assert record["left_out"] == {"00": "use is false: calibration_slice", "100": "it is not in the slice table"}


def test_progress_ends_when_all_is_done(run: Path, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    align_mosaics(
        find_volumes(run / "mosaics"),
        run / "shifts_xy.csv",
        tmp_path / "out",
        workers=2,
        on_progress=lambda done, total: told.append((done, total)),
    )
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert told[-1] == (5 * 3 * 72, 5 * 3 * 72)


# --- folders -------------------------------------------------------------------------------------------------------
def test_a_folder_that_holds_something_is_left_alone(run: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(PlanError, match=r"holds something already \(notes.txt\); --force replaces it"):
        align_mosaics(find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_that_was_cut_short_leaves_nothing_to_the_next(run: Path, tmp_path: Path) -> None:
    volumes, path, out = find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path / "out"

    def stop(done: int, total: int) -> None:
        if done > total / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        align_mosaics(volumes, path, out, on_progress=stop)
    (out / f".slicemap-{'0' * 32}.zarr").mkdir()  # as a run leaves behind that was killed
    assert not (out / "alignment.json").exists()
    done = align_mosaics(volumes, path, out, table(z00=True, z02=True), force=True)
    assert {one.name for one in out.iterdir()} == {"alignment.json", *(one.name for one in done.written.values())}
    assert find_volumes(out).keys() == {"00", "02"}


def test_force_takes_away_what_lies_on_another_canvas(run: Path, tmp_path: Path) -> None:
    volumes, path, out = find_volumes(run / "mosaics"), run / "shifts_xy.csv", tmp_path / "out"
    align_mosaics(volumes, path, out)
    (out / "notes.txt").write_text("mine")
    done = align_mosaics(volumes, path, out, table(z00=True, z02=True), force=True)
    assert sorted(one.name for one in out.iterdir()) == [
        "alignment.json",
        "mosaic_grid_3d_z00.ome.zarr",
        "mosaic_grid_3d_z02.ome.zarr",
        "notes.txt",
    ]
    np.testing.assert_array_equal(stored(done.written["02"]), on_canvas(done, "02"))


@pytest.mark.parametrize(
    "text",
    ['{"version": 1}', '{"slices": [{"file": "../../precious.ome.zarr"}]}', '{"slices": [{"file": "precious"}]}', "[]"],
)
def test_a_record_that_is_none_of_ours_removes_nothing(run: Path, tmp_path: Path, text: str) -> None:
    for precious in (tmp_path / "precious.ome.zarr", tmp_path / "a" / "out" / "precious"):
        precious.mkdir(parents=True)
    out = tmp_path / "a" / "out"
    (out / "alignment.json").write_text(text)
    with pytest.raises(FileFormatError, match=r"alignment.json: it is no record of an alignment; move it away"):
        align_mosaics(find_volumes(run / "mosaics"), run / "shifts_xy.csv", out, force=True)
    assert (tmp_path / "precious.ome.zarr").is_dir()
    assert (out / "precious").is_dir()


@pytest.mark.parametrize("out", ["mosaics", "mosaics/../mosaics", "shifts_xy.csv"])
def test_the_mosaics_are_never_written_over(own: Path, out: str) -> None:
    before = files(own)
    with pytest.raises(PlanError, match=r"the folder of the mosaics|is a file"):
        align_mosaics(find_volumes(own / "mosaics"), own / "shifts_xy.csv", own / out, force=True)
    assert files(own) == before


# --- what goes wrong -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize("workers", [1, 3])
def test_a_slice_that_cannot_be_read_keeps_no_other(own: Path, tmp_path: Path, workers: int) -> None:
    (own / "mosaics" / "mosaic_grid_3d_z03.ome.zarr" / "0" / "c" / "0" / "1" / "1").write_bytes(b"torn")
    done = align_mosaics(find_volumes(own / "mosaics"), own / "shifts_xy.csv", tmp_path / "out", workers=workers)
    assert list(done.written) == ["00", "02", "07", "100"]
    assert list(done.failed) == ["03"]
    assert "mosaic_grid_3d_z03.ome.zarr" in done.failed["03"]
    # nothing of it is left, and the others lie as if it were there
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == [
        "alignment.json",
        *sorted(path.name for path in done.written.values()),
    ]
    np.testing.assert_array_equal(stored(done.written["07"]), on_canvas(done, "07"))
    record = json.loads((tmp_path / "out" / "alignment.json").read_text("utf-8"))
    assert [one["slice_id"] for one in record["slices"]] == ["00", "02", "07", "100"]
    assert list(record["failed"]) == ["03"]


def test_a_mosaic_whose_size_is_not_known_stops_all(own: Path, tmp_path: Path) -> None:
    (own / "mosaics" / "mosaic_grid_3d_z03.ome.zarr" / "0" / "zarr.json").unlink()
    with pytest.raises(TileReadError, match=r"mosaic_grid_3d_z03.ome.zarr"):
        align_mosaics(find_volumes(own / "mosaics"), own / "shifts_xy.csv", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- each chunk once -----------------------------------------------------------------------------------------------
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stored chunks, as they are decoded."""
    seen: list[str] = []
    original = ChunkFiles._decoded

    def counted(self: ChunkFiles, file: str, inner: int) -> Any:
        seen.append(file)
        return original(self, file, inner)

    monkeypatch.setattr(ChunkFiles, "_decoded", counted)
    return seen


# rows of one column of `tall` that are held: those decoded together, and those of two bands
PER_COLUMN = 1067 + 2 * 512


def tall(folder: Path, sides: Sequence[int] = (9, 1300, 40), chunks: Sequence[int] = (9, 97, 31)) -> Path:
    """Mosaics of several bands and rows of chunks, which do not end together."""
    for slice_id in ("00", "01"):
        path = folder / f"m_z{slice_id}.ome.zarr"
        write_ome_zarr(path, pixels(int(slice_id), tuple(sides)), axes="zyx", chunks=tuple(chunks))
    return folder


@pytest.mark.parametrize("step", [(3, 5), (2.25, -7.5)], ids=["whole", "between pixels"])
def test_each_stored_chunk_is_decoded_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: tuple[float, float]
) -> None:
    volumes = find_volumes(tall(tmp_path / "m"))
    path = shifts(tmp_path / "s.csv", {"00": (0, 0), "01": step}, px_only=True)
    monkeypatch.setattr(align_module, "_CHUNK", 64)  # several bands
    seen = decoded(monkeypatch)
    align_mosaics(volumes, path, tmp_path / "out")
    chunks = [str(one) for one in (tmp_path / "m").glob("*/0/c/*/*/*")]
    assert len(chunks) == 2 * 14 * 2
    assert sorted(seen) == sorted(chunks)


def test_little_memory_costs_decoding_but_no_pixel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volumes = find_volumes(tall(tmp_path / "m"))
    path = shifts(tmp_path / "s.csv", {"00": (0, 0), "01": (2.25, 3)}, px_only=True)
    align_mosaics(volumes, path, tmp_path / "whole")
    monkeypatch.setattr(align_module, "BUDGET", 9 * PER_COLUMN * 40 * 2 // 3)
    assert runs(volumes["00"], align_module.BUDGET) == [range(3), range(3, 6), range(6, 9)]
    seen = decoded(monkeypatch)
    align_mosaics(volumes, path, tmp_path / "parts")
    assert len(seen) == 3 * len(set(seen))
    assert files(tmp_path / "parts") == files(tmp_path / "whole")


def test_rows_are_given_up_as_the_bands_go_down(tmp_path: Path) -> None:
    volume = find_volumes(tall(tmp_path / "m"))["00"]
    rows = PlaneRows(volume, [range(9)])
    whole, step = volume.read(), volume.image.info.chunk_shape[0]
    assert step == 1067, "small chunks are read together"
    for top in range(0, 1300, 50):
        np.testing.assert_array_equal(rows.read(4, max(top - 1, 0), top + 50), whole[4, max(top - 1, 0) : top + 50])
        assert rows._held.shape[1] <= step + 51
    np.testing.assert_array_equal(rows.read(8, 10, 20), whole[8, 10:20])  # from the top again


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        pytest.param(planes_module.BUDGET, [range(9)], id="all at once"),
        pytest.param(1, [range(z, z + 1) for z in range(9)], id="not even one plane"),
        pytest.param(9 * PER_COLUMN * 40 * 2, [range(9)], id="just enough"),
        pytest.param(9 * PER_COLUMN * 40 * 2 - 1, [range(4), range(4, 9)], id="one byte too little"),
    ],
)
def test_runs(tmp_path: Path, budget: int, expected: list[range]) -> None:
    volume = SliceVolume("00", tall(tmp_path / "m") / "m_z00.ome.zarr")
    assert runs(volume, budget) == expected
