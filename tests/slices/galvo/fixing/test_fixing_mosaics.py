"""Fixed mosaics: every pixel, every file, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import zarr
from fixing_cases import EXTRA, fixed_slowly, hashes, ome, pixels, plan_of, same_bytes, times, write_array
from zarr.codecs import BloscCodec, BytesCodec, ShardingCodec, TransposeCodec

from napari_slicemap.errors import PlanError, TileReadError
from napari_slicemap.slices.galvo.fixing import plan_undo, run_fix, run_undo

SHAPE, CHUNKS = (5, 27, 41), (3, 10, 12)  # the last tiles are cut short along both axes, and in depth
NAME = "mosaic_z03.ome.zarr"
LZ4 = {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}


def write(path: Path, dtype: str, axes: str = "zyx", version: int = 3, **options) -> np.ndarray:
    """A mosaic of which one tile is missing, and one is stored though nothing is in it."""
    extra = (1,) * (len(axes) - 3)
    data = pixels(extra + SHAPE, dtype)
    chunks = extra + CHUNKS
    data[..., :10, 12:24] = 0
    data[..., 10:20, :12] = 0
    group = zarr.open_group(path, mode="w", zarr_format=version, attributes={**ome({"0": 1}, axes, version), "own": 1})
    array = write_array(group, "0", data, chunks=chunks, **options)
    with zarr.config.set({"array.write_empty_chunks": True}):
        again = zarr.open_array(path / "0", mode="r+")
        again[..., 10:20, :12] = data[..., 10:20, :12]
    assert "shards" in options or array.nchunks_initialized == array.nchunks - 2
    return data


V2 = {"version": 2, "chunk_key_encoding": {"name": "v2", "separator": "/"}}
CASES = [
    pytest.param("<f4", {**V2, "compressors": LZ4}, id="v2, blosc, float32"),
    pytest.param(">f4", {**V2, "compressors": None, "order": "F"}, id="v2, plain, big-endian float32, Fortran order"),
    pytest.param(">u2", {"version": 2, "chunk_key_encoding": {"name": "v2", "separator": "."}}, id="v2, zstd, dots"),
    pytest.param("<i2", {}, id="v3, zstd, int16"),
    pytest.param("<f8", {"compressors": None}, id="v3, plain, float64"),
    pytest.param("<f2", {"compressors": BloscCodec(cname="zstd", typesize=2)}, id="v3, blosc, float16"),
    pytest.param("<f4", {"serializer": BytesCodec(endian="big")}, id="v3, big-endian in the files"),
    pytest.param("<f4", {"filters": TransposeCodec(order=(2, 1, 0))}, id="v3, transposed"),
    pytest.param("<u1", {"chunk_key_encoding": {"name": "v2", "separator": "."}}, id="v3, names as in v2"),
    pytest.param("<f4", {"shards": (6, 20, 24)}, id="v3, shards"),
    pytest.param("<f4", {"axes": "tczyx"}, id="v3, five axes"),
]


@pytest.mark.parametrize("axis", ["x", "y"])
@pytest.mark.parametrize(("dtype", "options"), CASES)
def test_a_fix_rolls_each_tile_and_undo_brings_every_byte_back(tmp_path, dtype, options, axis):
    source = tmp_path / "mosaics"
    path = source / NAME
    data = write(path, dtype, **options)
    before, changed = hashes(source), times(source)
    run_fix(plan_of(source, axis=axis), tmp_path / "fixed")
    fixed = zarr.open_array(tmp_path / "fixed" / NAME / "0", mode="r")
    along = data.ndim - (1 if axis == "x" else 2)
    same_bytes(fixed[...], fixed_slowly(data, fixed.chunks, along, 5))
    made = {name for name in hashes(tmp_path / "fixed" / NAME) if not name.startswith(".galvo_fix/")}
    assert made == set(hashes(path))  # what was not stored is not stored now
    assert fixed.metadata == zarr.open_array(path / "0", mode="r").metadata
    said = zarr.open_group(tmp_path / "fixed" / NAME, mode="r").attrs.asdict()
    assert said.pop("galvo") == {"fixed": {"shift": 5, "n_extra": EXTRA, "axis": axis}}
    assert said == zarr.open_group(path, mode="r").attrs.asdict()
    run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")
    assert hashes(tmp_path / "undone") == before
    assert (hashes(source), times(source)) == (before, changed)


NOWHERE = np.uint64(2**64 - 1)


def table(file: Path, shards: tuple[int, ...], location: str) -> np.ndarray:
    """Where each chunk of a shard lies in its file: ``(chunk, (offset, bytes))``."""
    size = 16 * int(np.prod([n // m for n, m in zip(shards, CHUNKS, strict=True)]))
    raw = file.read_bytes()
    found = raw[:size] if location == "start" else raw[-size - 4 : -4]  # a checksum follows it
    return np.frombuffer(found, "<u8").reshape(-1, 2)


@pytest.mark.parametrize("location", ["start", "end"])
@pytest.mark.parametrize("shards", [(6, 20, 24), (3, 30, 48)])
def test_shards_keep_their_order_and_their_gaps(tmp_path, shards, location):
    path = tmp_path / "mosaics" / NAME
    data = pixels(SHAPE, "<u2")
    data[:, :10, :12] = 0
    data[:3, 20:, 12:24] = 0
    sharding = ShardingCodec(chunk_shape=CHUNKS, index_location=location)
    write_array(None, path, data, chunks=shards, serializer=sharding, compressors=None, dimension_names=["z", "y", "x"])
    before = hashes(path)
    run_fix(plan_of(path.parent, axis="x"), tmp_path / "fixed")
    fixed = zarr.open_array(tmp_path / "fixed" / NAME, mode="r")
    same_bytes(fixed[...], fixed_slowly(data, CHUNKS, 2, 5))
    assert fixed.attrs["galvo"]["fixed"]["shift"] == 5
    for name in before:
        if name.startswith("c/"):
            was, now = (table(one / name, shards, location) for one in (path, tmp_path / "fixed" / NAME))
            np.testing.assert_array_equal(was == NOWHERE, now == NOWHERE)  # what is missing stays so
            np.testing.assert_array_equal(np.argsort(was[:, 0]), np.argsort(now[:, 0]))
    run_undo(plan_undo(tmp_path / "fixed" / NAME), tmp_path / "undone")
    assert hashes(tmp_path / "undone" / NAME) == before


def test_chunks_of_a_shard_beyond_the_end_of_the_array_stay(tmp_path):
    path = tmp_path / "mosaics" / NAME
    data = pixels((3, 20, 48), "<u2")
    write_array(None, path, data, chunks=CHUNKS, shards=(3, 20, 48), dimension_names=["z", "y", "x"])
    said = json.loads((path / "zarr.json").read_text())
    (path / "zarr.json").write_text(json.dumps({**said, "shape": [3, 20, 36]}))
    before = hashes(path)
    run_fix(plan_of(path.parent, shift=10, axis="x"), tmp_path / "fixed")  # around the end
    fixed = zarr.open_array(tmp_path / "fixed" / NAME, mode="r")
    same_bytes(fixed[...], fixed_slowly(data, CHUNKS, 2, 10)[..., :36])
    run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")
    assert hashes(tmp_path / "undone" / NAME) == before


def test_a_bare_array_is_fixed_and_comes_back(tmp_path):
    path = tmp_path / NAME
    data = pixels(SHAPE, "<f4")
    write_array(None, path, data, chunks=CHUNKS, zarr_format=2, compressors=LZ4)
    (path / ".zattrs").unlink()
    before = hashes(path)
    run_fix(plan_of(path, axis="y"), tmp_path / "out")
    same_bytes(zarr.open_array(tmp_path / "out" / NAME, mode="r")[...], fixed_slowly(data, CHUNKS, 1, 5))
    run_undo(plan_undo(tmp_path / "out"), tmp_path / "undone")
    assert hashes(tmp_path / "undone" / NAME) == before


# --- coarser levels ------------------------------------------------------------------------------------------------
def means(data: np.ndarray, factors: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    """The mean of each cell, one after the other."""
    made = np.zeros(shape)
    for place in np.ndindex(*shape):
        cell = data[tuple(slice(n * factor, (n + 1) * factor) for n, factor in zip(place, factors, strict=True))]
        known = cell.astype(float)[~np.isnan(cell.astype(float))]
        made[place] = known.mean() if known.size else np.nan
    return made.astype(data.dtype) if data.dtype.kind == "f" else np.rint(made).astype(data.dtype)


def write_levels(path: Path, data: np.ndarray, levels: dict[str, tuple[int, ...]], version: int = 3, shards=None):
    scales = {"0": 1.0} | {name: data.shape[2] / shape[2] for name, shape in levels.items()}
    attributes = {**ome(scales, version=version), "galvo": {"axis": "x", "n_extra": EXTRA}}
    group = zarr.open_group(path, mode="w", zarr_format=version, attributes=attributes)
    keys = V2["chunk_key_encoding"] if version == 2 else None
    write_array(group, "0", data, chunks=CHUNKS, chunk_key_encoding=keys)
    for n, (name, shape) in enumerate(levels.items()):
        level = np.full(shape, 7 + n, data.dtype)
        level[:, :6, :6] = 0
        write_array(group, name, level, chunks=(3, 6, 6), chunk_key_encoding=keys, shards=shards)
    labels = group.create_group("labels/cells")
    write_array(labels, "0", pixels((5, 9, 9), "<u4"), chunks=(5, 9, 9), chunk_key_encoding=keys)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize(
    ("dtype", "levels"),
    [
        pytest.param("<u2", {"1": (5, 14, 21), "2": (5, 7, 11)}, id="halves, rounded up"),
        pytest.param("<f4", {"1": (5, 13, 20), "s/2": (5, 6, 10)}, id="halves, cut off"),
        pytest.param("<i2", {"1": (2, 9, 13)}, id="in depth too, by other factors"),
    ],
)
def test_coarser_levels_are_made_of_the_fixed_pixels(tmp_path, dtype, levels, version):
    path = tmp_path / "mosaics" / NAME
    rng = np.random.default_rng(1)
    data = rng.integers(-900 if dtype != "<u2" else 0, 900, SHAPE).astype(dtype)
    data[:, :10, 12:24] = 0
    if dtype == "<f4":
        data[:, 12:20, 3] = np.nan
        data[1, 20:, 24:34] = np.nan
    write_levels(path, data, levels, version)
    before = hashes(path)
    run_fix(plan_of(path.parent), tmp_path / "fixed")
    fixed = zarr.open_group(tmp_path / "fixed" / NAME, mode="r")
    assert {name for name, _ in fixed.members()} >= {"0", "labels", ".galvo_fix"}  # without a warning
    full = fixed_slowly(data, CHUNKS, 2, 5)
    same_bytes(np.asarray(fixed["0"]), full)
    for n, (name, shape) in enumerate(levels.items(), start=1):
        factors = tuple(max(1, round(size / other)) for size, other in zip(SHAPE, shape, strict=True))
        np.testing.assert_array_equal(np.asarray(fixed[name]), means(full, factors, shape))
        assert fixed[name].metadata == zarr.open_array(path / name, mode="r").metadata
        same_bytes(np.asarray(fixed[f".galvo_fix/{n}"]), np.asarray(zarr.open_array(path / name, mode="r")))
    same_bytes(np.asarray(fixed["labels/cells/0"]), np.asarray(zarr.open_array(path / "labels/cells/0", mode="r")))
    run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")
    assert hashes(tmp_path / "undone" / NAME) == before


@pytest.mark.parametrize("shards", [None, (3, 12, 12)], ids=["chunks", "shards"])
def test_coarser_chunks_are_stored_where_they_were_or_hold_something(tmp_path, shards):
    path = tmp_path / "mosaics" / NAME
    data = np.zeros(SHAPE, "<u2")
    data[:, :10, :12] = pixels((5, 10, 12), "<u2")
    write_levels(path, data, {"1": (5, 14, 21)}, shards=shards)
    run_fix(plan_of(path.parent), tmp_path / "fixed")
    level = zarr.open_array(tmp_path / "fixed" / NAME / "1", mode="r")
    np.testing.assert_array_equal(level[...], means(fixed_slowly(data, CHUNKS, 2, 5), (1, 2, 2), (5, 14, 21)))
    stored = {name for name in hashes(path) if name.startswith("1/c/")}
    # the first had nothing in it, and was not stored; all others were, and have nothing in them now
    added = set() if shards else {"1/c/0/0/0", "1/c/1/0/0"}
    assert not added & stored
    assert {name for name in hashes(tmp_path / "fixed" / NAME) if name.startswith("1/c/")} == stored | added
    data[:, :10, :12] = 0
    write_levels(tmp_path / "empty" / NAME, data, {"1": (5, 14, 21)}, shards=shards)
    run_fix(plan_of(tmp_path / "empty"), tmp_path / "nothing")
    assert {name for name in hashes(tmp_path / "nothing" / NAME) if name.startswith("1/c/")} == stored


def test_levels_that_were_made_since_are_made_of_what_was_before(tmp_path):
    path = tmp_path / "mosaics" / NAME
    data = np.random.default_rng(3).integers(0, 900, SHAPE).astype("<u2")
    write_levels(path, data, {"1": (5, 14, 21)})
    run_fix(plan_of(path.parent), tmp_path / "fixed")
    group = zarr.open_group(tmp_path / "fixed" / NAME, mode="r+")
    group.attrs["ome"] = ome({"0": 1, "1": 2, "2": 4}, version=3)["ome"]
    write_array(group, "2", means(np.asarray(group["0"]), (1, 4, 4), (5, 7, 11)), chunks=(3, 6, 6))
    run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")
    undone = zarr.open_group(tmp_path / "undone" / NAME, mode="r")
    same_bytes(np.asarray(undone["0"]), data)
    same_bytes(np.asarray(undone["1"]), np.asarray(zarr.open_array(path / "1", mode="r")))
    np.testing.assert_array_equal(np.asarray(undone["2"]), means(data, (1, 4, 4), (5, 7, 11)))
    assert len(undone.attrs["ome"]["multiscales"][0]["datasets"]) == 3
    assert "fixed" not in undone.attrs["galvo"]


def test_a_level_of_no_whole_factor_is_refused(tmp_path):
    path = tmp_path / "mosaics" / NAME
    write_levels(path, pixels(SHAPE, "<u2"), {"1": (5, 27, 25)})
    with pytest.raises(ValueError, match="1: it has 25 px where the full resolution has 41"):
        run_fix(plan_of(path.parent), tmp_path / "fixed")
    assert not (tmp_path / "fixed").exists()


# --- metadata --------------------------------------------------------------------------------------------------------
def plain(path: Path, version: int, consolidated: bool, **attributes) -> Path:
    group = zarr.open_group(
        path, mode="w", zarr_format=version, attributes={**ome({"0": 1}, "zyx", version), **attributes}
    )
    keys = V2["chunk_key_encoding"] if version == 2 else None
    write_array(group, "0", pixels((2, 10, 12), "<f4"), chunks=(2, 10, 12), chunk_key_encoding=keys)
    if consolidated:
        zarr.consolidate_metadata(path)
    return path


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def test_consolidated_metadata_say_it_too(tmp_path, version):
    path = plain(tmp_path / "mosaics" / NAME, version, True, galvo={"axis": "y", "n_extra": 3, "by": "us"})
    before = hashes(path)
    run_fix(plan_of(path.parent, n_extra=None), tmp_path / "fixed")
    said = zarr.open_group(tmp_path / "fixed" / NAME, mode="r", use_consolidated=True).attrs["galvo"]
    expected = {"axis": "y", "n_extra": 3, "by": "us", "fixed": {"shift": 5, "n_extra": 3, "axis": "y"}}
    assert (
        said == zarr.open_group(tmp_path / "fixed" / NAME, mode="r", use_consolidated=False).attrs["galvo"] == expected
    )
    if version == 2:  # where older readers look
        said = json.loads((tmp_path / "fixed" / NAME / ".zmetadata").read_text())
        assert said["metadata"][".zattrs"]["galvo"] == expected
    run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")
    assert hashes(tmp_path / "undone" / NAME) == before


@pytest.mark.parametrize("version", [2, 3])
def test_metadata_come_back_as_they_were_spelt(tmp_path, version):
    path = plain(tmp_path / "mosaics" / NAME, version, False)
    file = path / (".zattrs" if version == 2 else "zarr.json")
    file.write_bytes(json.dumps(json.loads(file.read_bytes()), indent=7).replace("\n", "\r\n").encode())
    before = hashes(path)
    run_fix(plan_of(path.parent, axis="x"), tmp_path / "fixed")
    run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")
    assert hashes(tmp_path / "undone" / NAME) == before


@pytest.mark.parametrize("version", [2, 3])
def test_what_was_noted_in_the_meantime_stays(tmp_path, version):
    path = plain(tmp_path / "mosaics" / NAME, version, False)
    before = zarr.open_group(path, mode="r").attrs.asdict()
    run_fix(plan_of(path.parent, axis="x"), tmp_path / "fixed")
    zarr.open_group(tmp_path / "fixed" / NAME, mode="r+").attrs["seen"] = "yes"
    run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")
    assert zarr.open_group(tmp_path / "undone" / NAME, mode="r").attrs.asdict() == {**before, "seen": "yes"}


def test_a_fix_is_the_same_each_time(tmp_path):
    path = tmp_path / "mosaics" / NAME
    write_levels(path, pixels(SHAPE, "<u2"), {"1": (5, 14, 21)})
    run_fix(plan_of(path.parent), tmp_path / "one", workers=1)
    run_fix(plan_of(path.parent), tmp_path / "other", workers=4)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "other")
    assert str(tmp_path) not in "".join(file.read_text() for file in (tmp_path / "one").rglob("*.json"))


# --- what is refused -------------------------------------------------------------------------------------------------
def test_a_chunk_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / "mosaics" / NAME
    write(path, "<f4")
    chunk = path / "0" / "c" / "0" / "0" / "0"
    plan = plan_of(path.parent, axis="x")
    chunk.write_bytes(chunk.read_bytes()[:40])
    before = hashes(path)
    with pytest.raises(TileReadError, match=r"c/0/0/0: cannot be read as a chunk"):
        run_fix(plan, tmp_path / "fixed")
    assert not (tmp_path / "fixed" / NAME).exists()
    assert hashes(path) == before


def test_a_level_outside_the_image_is_refused(tmp_path):
    path = plain(tmp_path / "mosaics" / NAME, 3, False)
    group = zarr.open_group(path, mode="r+")
    said = group.attrs.asdict()["ome"]
    said["multiscales"][0]["datasets"].append({"path": "../../elsewhere"})
    group.attrs["ome"] = said
    with pytest.raises(TileReadError, match=r"'../../elsewhere' does not lie in it"):
        run_fix(plan_of(path.parent, axis="x"), tmp_path / "fixed")


def test_what_a_fixed_mosaic_keeps_is_not_trusted(tmp_path):
    path = tmp_path / "mosaics" / NAME
    write_levels(path, pixels(SHAPE, "<u2"), {"1": (5, 14, 21)})
    run_fix(plan_of(path.parent), tmp_path / "fixed")
    group = zarr.open_group(tmp_path / "fixed" / NAME / ".galvo_fix", mode="r+")
    group.attrs["levels"] = {"1": "../../../elsewhere"}
    with pytest.raises(TileReadError, match="does not lie in it"):
        run_undo(plan_undo(tmp_path / "fixed"), tmp_path / "undone")


def test_a_link_in_a_mosaic_is_refused(tmp_path):
    path = plain(tmp_path / "mosaics" / NAME, 3, False)
    (path / "more").symlink_to(tmp_path)
    with pytest.raises(PlanError, match=r"more is a link; only what lies in mosaic_z03.ome.zarr itself"):
        run_fix(plan_of(path.parent, axis="x"), tmp_path / "fixed")
