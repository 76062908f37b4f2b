"""One slice table for all: what the viewer greys, what `export` takes, and what `slices stack` takes."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
import tifffile
import zarr
from napari.components import ViewerModel

from napari_slicemap.cli import main
from napari_slicemap.sample_sections import make_sections_sample
from napari_slicemap.slices import slice_config
from napari_slicemap.viewer.session import session_of

PLANES = 6
IDS = [f"{n:02d}" for n in range(16) if n != 8]
OUT = {"00", "05", "11", "12", "13"}
NOISY = {"auto_excluded": True, "auto_exclude_reason": "noisy cluster (3 consecutive)"}


@pytest.fixture(scope="module")
def sections(tmp_path_factory):
    """A run whose table leaves out slices by hand and automatically; 14 was excluded, and is in again."""
    run = make_sections_sample(tmp_path_factory.mktemp("made") / "run")
    rows = {one: {"slice_id": one, "use": one not in ("00", "05")} for one in IDS}
    stamps = {"00": {"notes": "calibration_slice"}, "05": {"notes": "blurred"}, "14": {**NOISY, "auto_excluded": False}}
    stamped = slice_config.stamp_many(rows, {**stamps, **dict.fromkeys(("11", "12", "13"), NOISY)})
    slice_config.write(run / "slice_config.csv", stamped)
    return run


@pytest.fixture
def shell(monkeypatch, capsys):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["slicemap", *map(str, words)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        said = capsys.readouterr()
        assert not code, said.err
        return said.out

    return run


def greyed(run):
    """Slice ids of the pages that the veil covers."""
    viewer = ViewerModel()
    session = session_of(viewer)
    session.open(run)
    pages = [session.map_layer.page(n) for n in range(len(session.dataset.maps))]
    assert [page.map.slice_id for page in pages] == IDS
    if "excluded slices" not in viewer.layers:
        return set()
    return {pages[round(shape[0, 0])].map.slice_id for shape in viewer.layers["excluded slices"].data}


def maps_exported(run, out, shell):
    """Slice ids of the maps that are written."""
    shell("export", run, "--maps", "all", "--downsample", 8, "--output-folder", out / "maps")
    records = [json.loads(path.read_text("utf-8")) for path in (out / "maps").glob("*.provenance.json")]
    return {record["item"]["map_id"] for record in records}


def exported_along(run, out, shell):
    """Slice ids of the planes of a stack along slices."""
    shell("export", run, "--slices", "all", "--format", "ome-tiff", "--downsample", 8, "--output-folder", out / "along")
    (film,) = (out / "along").glob("*.ome.tif")
    (record,) = (out / "along").glob("*.provenance.json")
    members = [one["map_id"] for one in json.loads(record.read_text("utf-8"))["item"]["members"]]
    with tifffile.TiffFile(film) as stored:
        series = stored.series[0]
        assert series.shape[series.axes.index("Z")] == len(members)
    return members


def stacked(run, out, shell):
    """Slice ids of what `slices stack` takes, told by its record, and by the planes that are not empty."""
    words = ("slices", "stack", run / "mosaics", out / "stack.ome.zarr", "--config", run / "slice_config.csv", "--json")
    record = json.loads(shell(*words))
    pixels = zarr.open_array(out / "stack.ome.zarr" / "0", mode="r")[0, 0]
    taken = [one["slice_id"] for one in record["slices"]]
    first = int(taken[0])
    lit = np.flatnonzero(pixels.reshape(-1, PLANES, *pixels.shape[1:]).any(axis=(1, 2, 3)))
    assert [f"{n + first:02d}" for n in lit] == taken
    return taken


@pytest.mark.usefixtures("qapp")
def test_viewer_export_and_stack_go_by_one_table(sections, tmp_path, shell):
    shell("init", sections, "--force")
    used = [one for one in IDS if one not in OUT]
    assert greyed(sections) == OUT
    assert maps_exported(sections, tmp_path, shell) == set(used)
    assert exported_along(sections, tmp_path, shell) == used
    assert stacked(sections, tmp_path, shell) == used
    shell("slices", "exclude", "14", "--config", sections / "slice_config.csv", "--in-place")
    used.remove("14")
    assert greyed(sections) == OUT | {"14"}
    assert exported_along(sections, tmp_path / "again", shell) == used
    assert stacked(sections, tmp_path / "again", shell) == used
