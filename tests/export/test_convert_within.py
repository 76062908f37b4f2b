"""Conversions that are stopped within an image: they go on there, and nothing that is done is read again."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr

from builders import tile_table
from napari_slicemap import open_dataset
from napari_slicemap.errors import TileReadError
from napari_slicemap.export.convert import prepare, unfinished
from napari_slicemap.export.convert import run as converting
from napari_slicemap.export.convert.plan import ConvertPlan
from napari_slicemap.export.convert.run import convert_dataset
from napari_slicemap.images.ome_zarr import checkpoints as ome_zarr_checkpoints
from napari_slicemap.images.ome_zarr import levels as ome_zarr_levels
from napari_slicemap.images.ome_zarr import writer as ome_zarr_writer

BANDS = 4
TILES = {"a.tif": (0, 0), "b.tif": (24, 0), "c.tif": (0, 32), "d.tif": (24, 32)}
MAPS = ConvertPlan.model_validate({"kind": "map", "options": {"chunk": 16}})
FOVS = ConvertPlan.model_validate({"ids": ["a", "b"], "options": {"chunk": 16}})


@pytest.fixture(autouse=True)
def checkpoint_after_each_band(monkeypatch):
    """Bands of 16 rows, a checkpoint after each, and a disk that is not waited for."""
    monkeypatch.setattr(ome_zarr_writer, "_COARSEST", 8)
    monkeypatch.setattr(ome_zarr_levels, "_STRIP_CHUNKS", 1)
    monkeypatch.setattr(ome_zarr_checkpoints, "INTERVAL_BYTES", 1)
    monkeypatch.setattr(ome_zarr_checkpoints, "_SHARE", 0)
    monkeypatch.setattr(os, "fsync", lambda _: None)


@pytest.fixture
def run(tmp_path):
    """A map of 56 × 64 px, of four tiles."""
    return tile_table(tmp_path / "run", TILES, shape=(32, 32)).parent


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out.ome.zarr"


@pytest.fixture
def reads(monkeypatch):
    """What is read of the source, top row by top row; a place for what is to happen at some band."""
    seen, when, read_image = [], {}, converting.read_image

    def watched(task, *args):
        pixels = read_image(task, *args)

        def read(t, c, z, top, bottom):
            if (task.path, top) in when:
                when.pop((task.path, top))()
            seen.append((task.path, top))
            return pixels.source.read(t, c, z, top, bottom)

        return converting.replace(pixels, source=converting.replace(pixels.source, read=read))

    monkeypatch.setattr(converting, "read_image", watched)
    return seen, when


def stop():
    raise KeyboardInterrupt


def fail():
    raise TileReadError("b.tif: the disk is away")


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def left(out):
    """What lies hidden beside an output or in it."""
    return sorted(path.name for path in [*out.parent.glob(f".{out.name}*"), *out.glob(".*")])


def drafts(out):
    return [*out.parent.rglob(".*.draft")]


@pytest.mark.parametrize(
    ("plan", "path"), [pytest.param(MAPS, "m1", id="one image"), pytest.param(FOVS, "b", id="one of several")]
)
@pytest.mark.parametrize("how", [stop, fail], ids=["stopped", "a tile cannot be read for a while"])
def test_it_goes_on_at_the_band(run, out, tmp_path, reads, plan, path, how):
    seen, when = reads
    path = path if plan is FOVS else next(iter(open_dataset(run).maps))
    when[path, 16] = how
    if how is stop:
        with pytest.raises(KeyboardInterrupt):
            convert_dataset(open_dataset(run), out, plan, runner="serial")
    else:
        report = convert_dataset(open_dataset(run), out, plan, runner="serial")
        assert [result.error for result in report.results if not result.ok] == ["b.tif: the disk is away"]
    assert (out / path).exists() is False
    report = convert_dataset(open_dataset(run), out, plan, runner="serial")
    assert report.counts["failed"] == 0
    assert len(seen) == len(set(seen))
    assert len([one for one in seen if one[0] == path]) == (BANDS if plan is MAPS else 2)
    assert left(out) == []
    convert_dataset(open_dataset(run), tmp_path / "whole.ome.zarr", plan, runner="serial")
    assert contents(out) == contents(tmp_path / "whole.ome.zarr")


def test_what_was_cancelled_goes_on(run, out, reads):
    seen, _ = reads
    report = convert_dataset(open_dataset(run), out, MAPS, cancel=lambda: len(seen) >= 3)
    assert report.counts["cancelled"] == 1
    assert not out.exists()
    assert convert_dataset(open_dataset(run), out, MAPS).counts["ok"] == 1
    assert len(seen) == BANDS


def test_a_done_band_that_is_spoiled_meanwhile_is_found_and_then_made_anew(run, out, reads):
    seen, when = reads
    (map_id,) = open_dataset(run).maps
    when[map_id, 32] = stop
    with pytest.raises(KeyboardInterrupt):
        convert_dataset(open_dataset(run), out, MAPS)
    (draft,) = drafts(out)
    zarr.open_array(draft / "image.zarr" / "0")[0, 0, 0, 3, 4] += np.uint16(1)
    (result,) = convert_dataset(open_dataset(run), out, MAPS).results
    assert "rows 0 to 15: they read back otherwise" in result.error
    assert left(out) == []
    assert convert_dataset(open_dataset(run), out, MAPS).counts["ok"] == 1
    assert len(seen) == 2 * BANDS


def test_tiles_that_were_told_of_are_told_of_again(run, out, reads):
    seen, when = reads
    tifffile.imwrite(run / "a.tif", np.zeros((32, 32), np.uint16))
    (run / "a.tif").write_bytes((run / "a.tif").read_bytes()[:-700])
    (map_id,) = open_dataset(run).maps
    when[map_id, 48] = stop  # below the tile
    plan = MAPS.model_copy(update={"on_missing": "mark"})
    with pytest.raises(KeyboardInterrupt):
        convert_dataset(open_dataset(run), out, plan)
    (result,) = convert_dataset(open_dataset(run), out, plan).results
    assert any("a.tif" in warning for warning in result.metadata["warnings"])
    assert len(seen) == BANDS


def test_other_software_begins_anew(run, out, reads, monkeypatch):
    seen, when = reads
    (map_id,) = open_dataset(run).maps
    when[map_id, 32] = stop
    with pytest.raises(KeyboardInterrupt):
        convert_dataset(open_dataset(run), out, MAPS)
    monkeypatch.setattr(unfinished, "version", lambda name: "99")
    assert convert_dataset(open_dataset(run), out, MAPS).counts["ok"] == 1
    assert len(seen) == 2 + BANDS


@pytest.mark.parametrize("plan", [MAPS, FOVS], ids=["one image", "several"])
def test_an_image_that_was_read_back_and_not_yet_named_is_not_lost(run, out, reads, plan, monkeypatch):
    """Killed while the finished image was made durable: then it lies where no name tells what it is."""
    seen, _ = reads
    move_to, kept = unfinished.UnfinishedImage.move_to, out.parent / "kept"

    def kill(self, folder):
        move_to(self, folder)
        shutil.copytree(out.parent, kept, ignore=lambda *_: {"kept"})
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(unfinished.UnfinishedImage, "move_to", kill)
        with pytest.raises(KeyboardInterrupt):
            convert_dataset(open_dataset(run), out, plan, runner="serial")
    # as it was when it was killed
    for path in out.parent.iterdir():
        if "out.ome.zarr" in path.name:
            shutil.rmtree(path)
    for path in kept.iterdir():
        if "out.ome.zarr" in path.name:
            path.rename(out.parent / path.name)
    before = list(seen)
    report = convert_dataset(open_dataset(run), out, plan, runner="serial")
    assert report.counts["ok"] == len(report.results)
    assert not set(before) & set(seen[len(before) :])
    assert left(out) == []


def test_room_that_is_taken_already_is_not_asked_for_twice(run, out, reads, monkeypatch):
    _, when = reads
    (map_id,) = open_dataset(run).maps
    when[map_id, 48] = stop
    with pytest.raises(KeyboardInterrupt):
        convert_dataset(open_dataset(run), out, MAPS)
    (draft,) = drafts(out)
    needed = 56 * 64 * 2 * 4 // 3
    taken = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
    usage = shutil._ntuple_diskusage
    monkeypatch.setattr(prepare.shutil, "disk_usage", lambda _: usage(0, 0, max(1, needed - taken + 1)))
    assert convert_dataset(open_dataset(run), out, MAPS).counts["ok"] == 1


# --- killed ---------------------------------------------------------------------------------------------------
_CONVERT = """
import sys
from napari_slicemap import open_dataset
from napari_slicemap.export.convert.plan import ConvertPlan
from napari_slicemap.export.convert.run import convert_dataset
from napari_slicemap.images.ome_zarr import checkpoints as ome_zarr_checkpoints
from napari_slicemap.images.ome_zarr import levels as ome_zarr_levels
from napari_slicemap.images.ome_zarr import writer as ome_zarr_writer

ome_zarr_writer._COARSEST, ome_zarr_levels._STRIP_CHUNKS = 8, 1
ome_zarr_checkpoints.INTERVAL_BYTES, ome_zarr_checkpoints._SHARE = 1, 0
dataset, plan = open_dataset(sys.argv[1]), ConvertPlan.model_validate_json(sys.argv[3])
print("begun", flush=True)
convert_dataset(dataset, sys.argv[2], plan, runner="serial")
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
@pytest.mark.parametrize("plan", [MAPS, FOVS], ids=["one image", "several"])
def test_killed_at_any_moment(run, out, tmp_path, plan):
    convert_dataset(open_dataset(run), tmp_path / "whole.ome.zarr", plan)
    wanted, moments, held = contents(tmp_path / "whole.ome.zarr"), random.Random(1), 0
    for _ in range(2):
        longest = 0.0  # the first time as soon as there is a draft
        while not killed(run, out, plan, moments.uniform(0, longest)):
            held += bool(drafts(out))
            longest += 0.2  # or a slow machine would never come to the end
        assert contents(out) == wanted
        assert left(out) == []
        shutil.rmtree(out)
    assert held > 1


def killed(run: Path, out: Path, plan: ConvertPlan, seconds: float) -> bool:
    """Convert, and kill that some seconds after an image was begun; say whether it came to its end."""
    words = [sys.executable, "-c", _CONVERT, str(run), str(out), plan.model_dump_json()]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        while process.poll() is None and not drafts(out):
            time.sleep(0.001)
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
    return process.returncode == 0
