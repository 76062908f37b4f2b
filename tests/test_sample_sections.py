"""The sample run of serial sections: what it promises, and that what was planted can be found by plain means."""

import csv
import json
import subprocess
import sys

import numpy as np
import pytest
import zarr
from ome_zarr_models.v04.image import Image
from skimage.metrics import structural_similarity
from typer.testing import CliRunner

from napari_slicemap import open_dataset
from napari_slicemap.cli.app import app
from napari_slicemap.sample import FolderNotEmptyError
from napari_slicemap.sample_sections import make_sections_sample
from napari_slicemap.slices.volumes import find_volumes

IDS = tuple(f"{n:02d}" for n in range(16) if n != 8)
STEPS_X = (1, 2, 1, 0, 2, 1, 1, 2, 0, 1, 1, 2, 1, 0, 1)  # px, without what was planted
STEPS_Y = (0, -1, 0, -1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 0, -1)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return make_sections_sample(tmp_path_factory.mktemp("made") / "run")


@pytest.fixture(scope="module")
def mosaics(run):
    return {one: zarr.open_group(run / "mosaics" / f"mosaic_z{one}.ome.zarr", mode="r")["0"][:] for one in IDS}


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def shifts(run):
    with (run / "shifts_xy.csv").open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def z_correlation(run, slice_id):
    path = run / "pairs" / f"slice_z{slice_id}" / "pairwise_registration_metrics.json"
    return json.loads(path.read_text(encoding="utf-8"))["metrics"]["z_correlation"]["value"]


def overlap(mosaics, one, other):
    """Cut two mosaics to the part of the block that both show."""
    n, m = int(one), int(other)
    y, x = (sum(steps[:m]) - sum(steps[:n]) for steps in (STEPS_Y, STEPS_X))
    a, b = mosaics[one].astype(float), mosaics[other].astype(float)
    height, width = a.shape[1] - abs(y), a.shape[2] - abs(x)
    a = a[:, max(y, 0) :, max(x, 0) :][:, :height, :width]
    return a, b[:, max(-y, 0) :, max(-x, 0) :][:, :height, :width]


# --- as a whole ------------------------------------------------------------------------------------------------
def test_the_folder_is_small_and_says_what_is_in_it(run):
    assert sum(path.stat().st_size for path in run.rglob("*")) < 4_000_000
    assert sorted(path.name for path in run.iterdir()) == [
        "README.txt",
        "mosaics",
        "pairs",
        "profiles.json",
        "shifts_xy.csv",
        "slicemap.toml",
        "tiles.csv",
    ]
    said = (run / "README.txt").read_text(encoding="utf-8")
    assert all(word in said for word in ("slice 00", "slice 05", "slice 08", "slices 11-13", "1.28 mm", "0.8 mm"))


def test_another_seed_gives_other_pixels_of_the_same_files(run, tmp_path):
    other = contents(make_sections_sample(tmp_path / "other", seed=8))
    mine = contents(run)
    assert other.keys() == mine.keys()
    pixels = "mosaics/mosaic_z01.ome.zarr/0/0/1/1"
    assert other[pixels] != mine[pixels]
    assert other["shifts_xy.csv"] == mine["shifts_xy.csv"]


def test_a_folder_that_holds_something_is_refused(run):
    with pytest.raises(FolderNotEmptyError, match="expected an absent or empty folder"):
        make_sections_sample(run)


# --- mosaics ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("slice_id", IDS)
def test_every_mosaic_is_valid_ome_zarr(run, slice_id):
    group = zarr.open_group(run / "mosaics" / f"mosaic_z{slice_id}.ome.zarr", mode="r")
    multiscale = Image.from_zarr(group).attributes.multiscales[0]
    assert [(axis.name, axis.unit) for axis in multiscale.axes] == [(name, "micrometer") for name in "zyx"]
    assert multiscale.datasets[0].coordinateTransformations[0].scale == [20, 20, 20]
    planes = 10 if slice_id == "00" else 6
    assert (group["0"].shape, group["0"].chunks) == ((planes, 150, 190), (planes, 64, 64))
    assert group["0"].dtype == np.uint16


def test_slices_are_found_by_their_names(run):
    found = find_volumes(run / "mosaics")
    assert tuple(found) == IDS
    assert {one.pixel_size_um for one in found.values()} == {one.z_step_um for one in found.values()} == {20.0}


def test_what_lies_beside_a_single_gap_is_alike_but_has_moved(mosaics):
    for before, after in (("04", "06"), ("07", "09")):
        a, b = overlap(mosaics, before, after)
        likeness = np.corrcoef(a[-1].ravel(), b[0].ravel())[0, 1]
        moved = np.corrcoef(a[-1][:, :-1].ravel(), b[0][:, 1:].ravel())[0, 1]
        assert 0.95 < likeness < moved, (before, after)


def test_mosaics_meet_where_the_stage_was_and_nowhere_else(mosaics):
    last, first = mosaics["01"][-1].astype(float), mosaics["02"][0].astype(float)
    fits = {
        (dy, dx): np.corrcoef(last[8 + dy : 140 + dy, 8 + dx : 180 + dx].ravel(), first[8:140, 8:180].ravel())[0, 1]
        for dy in range(-6, 7)
        for dx in range(-6, 7)
    }
    assert max(fits, key=fits.get) == (STEPS_Y[1], STEPS_X[1])


def test_the_blurred_slice_is_the_least_like_its_neighbours(mosaics):
    def likeness(one):
        near = [IDS[at] for at in (IDS.index(one) - 1, IDS.index(one) + 1) if 0 < at < len(IDS)]
        pairs = [overlap(mosaics, one, other) for other in near]
        return np.mean([structural_similarity(a[3], b[3], data_range=2500) for a, b in pairs])

    scores = {one: likeness(one) for one in IDS[1:]}
    assert min(scores, key=scores.get) == "05"


# --- the stage and the pairs -----------------------------------------------------------------------------------
def test_the_log_says_what_the_stage_did_and_three_things_more(run):
    rows = shifts(run)
    assert [(row["fixed_id"], row["moving_id"]) for row in rows] == [(str(n), str(n + 1)) for n in range(15)]
    extra = {
        (row["moving_id"], axis): float(row[f"{axis}_shift"]) - true[n]
        for n, row in enumerate(rows)
        for axis, true in (("x", STEPS_X), ("y", STEPS_Y))
    }
    assert {key: px for key, px in extra.items() if px} == {("3", "x"): 64, ("10", "y"): 40, ("11", "y"): -40}
    for row in rows:
        for axis in "xy":
            assert float(row[f"{axis}_shift_mm"]) == pytest.approx(float(row[f"{axis}_shift"]) * 0.02)


def test_pairs_fit_but_for_three_in_a_row(run):
    values = {one: z_correlation(run, one) for one in IDS[1:]}
    assert sorted(path.name for path in (run / "pairs").iterdir()) == [f"slice_z{one}" for one in IDS[1:]]
    assert [one for one, value in values.items() if value < 0.4] == ["11", "12", "13"]
    assert min(value for value in values.values() if value >= 0.4) > 0.9


def test_it_opens_as_a_dataset(run):
    dataset = open_dataset(run)
    assert dataset.problems == []
    assert tuple(dataset.maps) == IDS
    assert {one.base_pixel_size_um() for one in dataset.maps.values()} == {20.0}
    assert dataset.slices is None


# --- the command -----------------------------------------------------------------------------------------------
def test_the_command_makes_the_same_bytes_and_info_knows_them(run, tmp_path):
    made = tmp_path / "run"
    done = CliRunner().invoke(app, ["sample", "--sections", str(made)])
    assert done.exit_code == 0, done.output
    assert contents(made) == contents(run)
    facts = CliRunner().invoke(app, ["info", str(made), "--json"])
    assert json.loads(facts.output)["counts"]["slices"] == 15


def test_importing_the_module_is_cheap():
    heavy = "scipy zarr tifffile pandas shapely napari qtpy"
    code = f"import sys, napari_slicemap.sample_sections; print(*(set({heavy!r}.split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
