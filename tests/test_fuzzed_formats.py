"""A damaged file gives an error that names it, or a right answer: nothing hangs, crashes, or turns to zeros unseen."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from numcodecs import Blosc

pytest.importorskip("resource", reason="neither computing time nor memory can be bounded here")

from builders import pixels, read_chunk, steinbock, write_ome_zarr, write_tiff, write_zarr
from damage import damaged, json_damage, line_damage, xml_damage
from fuzzed_files import DESCRIBED, IMAGES, TABLES, TREES, described_by, description_of
from fuzzing import Bench, Subject, limits
from hostile import tiff
from napari_slicemap import open_dataset
from napari_slicemap.errors import FileFormatError, TileReadError
from napari_slicemap.images.ome_zarr.zarr_image import ZarrImage
from napari_slicemap.images.region import Window

FEW = int(os.environ.get("SLICEMAP_FUZZ", "6"))
"""Cases of each file and each way; acceptance asks for 500."""
COUNTS = [pytest.param(FEW, id="few"), pytest.param(60, id="many", marks=pytest.mark.slow)]

pytestmark = pytest.mark.timeout(1200)
_MOST_TOLD = 5


def subjects(which: list[Subject]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("subject", [pytest.param(one, id=one.name) for one in which])


@subjects([*TABLES, *TREES, *IMAGES])
@pytest.mark.parametrize("count", COUNTS)
def test_damaged_bytes(real_data: Path, tmp_path: Path, subject: Subject, count: int) -> None:
    bench = Bench.of(subject, real_data, tmp_path)
    found = {number: bench.fault(damaged(bench.raw, subject.name, number)) for number in range(count)}
    faults = [f"{number}: {fault}" for number, fault in found.items() if fault]
    assert not faults, f"{len(faults)} faults, such as {faults[:_MOST_TOLD]}"


def hold(bench: Bench, made: st.SearchStrategy[bytes], count: int) -> None:
    """Let nothing go wrong in so many cases."""

    @settings(max_examples=count)
    @given(made)
    def check(raw: bytes) -> None:
        assert bench.fault(raw) == ""

    check()


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize(
    ("subject", "ways"),
    [
        *(pytest.param(one, line_damage, id=one.name) for one in TABLES),
        *(pytest.param(one, json_damage, id=one.name) for one in TREES),
    ],
)
def test_damaged_words(
    real_data: Path, tmp_path: Path, subject: Subject, ways: Callable[[bytes], st.SearchStrategy[bytes]], count: int
) -> None:
    bench = Bench.of(subject, real_data, tmp_path)
    hold(bench, ways(bench.raw), count)


@subjects(DESCRIBED)
@pytest.mark.parametrize("count", COUNTS)
def test_damaged_descriptions(real_data: Path, tmp_path: Path, subject: Subject, count: int) -> None:
    (tmp_path / "set").mkdir()
    bench = Bench.of(subject, real_data, tmp_path / "set")
    xml = description_of(bench.raw, tmp_path)
    hold(bench, xml_damage(xml).map(lambda made: described_by(bench.raw, made, tmp_path)), count)


# --- what was found, case by case -----------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        pytest.param({"compression": 8, "count": 2**31}, "cut short", id="a strip larger than its file"),
        pytest.param({"compression": 8, "offset": 0}, "2560 bytes at 0", id="a strip without an offset"),
        pytest.param({"compression": 8, "count": 0}, "0 bytes at 4096", id="a strip without bytes"),
    ],
)
def test_a_damaged_table_of_strips_is_neither_believed_nor_taken_for_empty(
    tmp_path: Path, changes: dict[str, int], says: str
) -> None:
    tiff(**changes)(tmp_path / "a.tif")
    fov = next(iter(open_dataset(tmp_path / "a.tif").fovs.values()))
    with limits(), pytest.raises(TileReadError, match=says) as caught:
        fov.read_window(fov.channels, Window(0, 8, 0, 8))
    assert not isinstance(caught.value.__cause__, MemoryError)


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_chunks_by_other_names_are_not_taken_for_never_written(tmp_path: Path, zarr_format: int) -> None:
    write_zarr(tmp_path / "a.zarr", pixels(1), chunks=(10, 12), zarr_format=zarr_format)
    file = tmp_path / "a.zarr" / (".zarray" if zarr_format == 2 else "zarr.json")
    said = json.loads(file.read_text())
    if zarr_format == 2:
        said["dimension_separator"] = "/"
    else:
        said["chunk_key_encoding"]["configuration"] = {"separator": "."}
    file.write_text(json.dumps(said))
    with pytest.raises(TileReadError, match=r"names its chunks as .*0.0', of which none is there, but '.*' is"):
        read_chunk(ZarrImage(tmp_path / "a.zarr"), 0, 0, 0, 0, 0)


def test_an_array_of_which_chunks_are_there_has_the_others_empty(tmp_path: Path) -> None:
    write_zarr(tmp_path / "a.zarr", pixels(1), chunks=(10, 12), zarr_format=2)
    (tmp_path / "a.zarr" / "0.0").unlink()
    assert not read_chunk(ZarrImage(tmp_path / "a.zarr"), 0, 0, 0, 0, 0)[:10, :12].any()


def test_a_chunk_is_decoded_anew_when_the_metadata_changes(tmp_path: Path) -> None:
    write_zarr(tmp_path / "a.zarr", pixels(1, (2, 20, 24)), chunks=(2, 20, 24), zarr_format=2)
    file = tmp_path / "a.zarr" / ".zarray"
    before = read_chunk(ZarrImage(tmp_path / "a.zarr"), 0, 0, 0, 0, 0)
    file.write_text(json.dumps(json.loads(file.read_text()) | {"dtype": ">u2"}))
    after = read_chunk(ZarrImage(tmp_path / "a.zarr"), 0, 0, 0, 0, 0)
    assert np.array_equal(after, before.byteswap())


@pytest.mark.parametrize("shape", [(2**20, 20, 24), (2**24, 1, 1, 20, 24)], ids=["channels", "time points"])
def test_more_channels_or_time_points_than_any_image_has(tmp_path: Path, shape: tuple[int, ...]) -> None:
    axes = "cyx" if len(shape) == 3 else "tczyx"
    write_ome_zarr(tmp_path / "a.ome.zarr", pixels(1, (2,) * (len(shape) - 2) + (20, 24)), axes=axes)
    (file,) = (tmp_path / "a.ome.zarr").rglob("*/zarr.json")
    file.write_text(json.dumps(json.loads(file.read_text()) | {"shape": shape}))
    with (
        limits(),
        pytest.raises(TileReadError, match=rf"it states {shape[0]} (channels|time points), and an image has"),
    ):
        _ = ZarrImage(tmp_path / "a.ome.zarr").info


def test_blosc_is_held_to_the_size_of_a_chunk_before_it_takes_memory(tmp_path: Path) -> None:
    write_zarr(tmp_path / "a.zarr", pixels(1, (2, 20, 24)), chunks=(2, 20, 24), zarr_format=2, compressors=Blosc())
    chunk = tmp_path / "a.zarr" / "0.0.0"
    raw = bytearray(chunk.read_bytes())
    raw[4:8] = (2**31 - 1).to_bytes(4, "little")
    chunk.write_bytes(raw)
    with limits(), pytest.raises(TileReadError, match="it holds 2147483647 bytes of pixels, expected 1920"):
        read_chunk(ZarrImage(tmp_path / "a.zarr"), 0, 0, 0, 0, 0)


def test_a_name_too_long_for_any_file_is_one_that_is_not_there(tmp_path: Path) -> None:
    table = steinbock(tmp_path) / "images.csv"
    table.write_text(table.read_text().replace("slide1_001.tiff", "9" * 400))
    fovs = open_dataset(tmp_path).fovs
    assert fovs["slide1_002"].read().any()
    with pytest.raises(TileReadError, match="999"):
        fovs["9" * 400].read()


def test_an_image_whose_place_is_stated_in_part_is_said_to_be_on_no_map(tmp_path: Path) -> None:
    table = steinbock(tmp_path) / "images.csv"
    header, first, second = table.read_text().splitlines()
    cells = second.split(",")
    cells[header.split(",").index("acquisition_end_y_um")] = ""
    table.write_text("\n".join([header, first, ",".join(cells)]) + "\n")
    (problem,) = open_dataset(tmp_path).problems
    assert problem == f"{table}, line 3: acquisition_end_y_um not stated; the image is on no map"


def mist(folder: Path, *lines: str) -> Path:
    for n in (1, 2, 3):
        write_tiff(folder / f"t_{n}.tif", pixels(n))
    (folder / "global-positions-1.txt").write_text("\n".join(lines) + "\n")
    return folder


def test_two_tiles_on_a_line_are_not_read_as_one(tmp_path: Path) -> None:
    first, second = (f"file: t_{n}.tif; corr: 1.0; position: ({9 * n}, 0); grid: (0, 0);" for n in (1, 2))
    with pytest.raises(FileFormatError, match=r"global-positions-1.txt, line 1: .* is no position"):
        open_dataset(mist(tmp_path, first[:20] + second, second))


def test_images_that_a_file_of_positions_lost_are_told(tmp_path: Path) -> None:
    lines = [f"file: t_{n}.tif; corr: 1.0; position: ({9 * n}, 0); grid: (0, 0);" for n in (1, 3)]
    problems = open_dataset(mist(tmp_path, *lines)).problems
    assert problems == [f"{tmp_path}: 1 of its images have no position and are left out: t_2.tif"]


def test_a_description_nested_too_deeply_is_said_in_words(tmp_path: Path) -> None:
    text = "<MetaData>" + "<a>" * 5000 + "</a>" * 5000 + "</MetaData>"
    tifffile.imwrite(tmp_path / "a.tif", pixels(1), description=text, software="MetaSeries", metadata=None)
    with pytest.raises(TileReadError, match=r"a\.tif: cannot be read as a TIFF image \(what it says is nested too"):
        open_dataset(tmp_path / "a.tif").fovs["a"].read()
