"""``slicemap slices interpolate`` and ``finalise``: missing slices made or left, and the table that says so."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import zarr
from scipy.ndimage import gaussian_filter

from builders import write_ome_zarr, write_tiff
from napari_slicemap.slices import slice_config

USED = ("01", "03", "05", "08")


def plane(shift: int, seed: int = 0) -> np.ndarray:
    """Smooth tissue, shifted sideways by whole px."""
    blobs = gaussian_filter(np.random.default_rng(seed).uniform(0, 1, (80, 140)), 4)
    blobs = np.clip((blobs - np.median(blobs)) / blobs.std(), 0, None) * 400
    return np.rint(20 + blobs[:, 20 + shift : 100 + shift]).astype(np.uint16)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """02 is excluded by the table, 04 is lost, 06 and 07 are lost in a row; 05 looks like none of the others."""
    monkeypatch.chdir(tmp_path)
    for slice_id, data in {
        "01": plane(0),
        "02": plane(30, 9),
        "03": plane(6),
        "05": plane(0, 5),
        "08": plane(3),
    }.items():
        path = tmp_path / "aligned" / f"mosaic_z{slice_id}.ome.zarr"
        write_ome_zarr(path, np.stack([data, data]), axes="zyx", pixel_size=(2.0, 2.0))
    (tmp_path / "t.csv").write_text(
        "slice_id,use,notes\n01,true,\n02,false,torn\n03,true,\n05,true,see photo\n08,true,\n"
    )
    return tmp_path


@pytest.fixture
def run(slicemap):
    def words(*given: object, code: int = 0) -> tuple[str, str]:
        done, out, err = slicemap("slices", *given)
        assert done == code, err
        return out, err

    return words


def test_single_missing_slices_are_made_or_left_and_longer_gaps_are_told(run, folder):
    out, err = run("interpolate", "aligned", "made", "--config", "t.csv")
    lines = out.splitlines()
    assert lines[0] == "used: 4 of 5 slices (01, 03, 05, 08)"
    assert lines[1] == "excluded: 02 (use is false: torn)"
    assert lines[2].startswith("slice 02 (use is false: torn): zmorph, from 01 and 03, NCC ")
    assert lines[3].startswith("slice 04 (there is no image of it): left, ")
    assert lines[4] == "1 interpolated, 1 left by a gate"
    assert err.splitlines() == [
        "slices 06 to 07: 2 in a row are missing between 05 and 08; left",
        "written: made, 2 fragments",
    ]
    assert sorted(path.name for path in (folder / "made").iterdir()) == [
        "slice_z02_interpolated.ome.zarr",
        "slice_z02_interpolation.json",
        "slice_z02_manifest.csv",
        "slice_z04_interpolation.json",
        "slice_z04_manifest.csv",
    ]
    found = np.asarray(zarr.open_group(folder / "made" / "slice_z02_interpolated.ome.zarr", mode="r")["0"])[0, 0]
    assert (found[0] == plane(0)).all()
    assert (found[1] == plane(6)).all()


def test_slices_can_be_made_apart_and_finalised_together(run, folder):
    run("interpolate", "aligned", "together", "--config", "t.csv", "--workers", "2")
    for slice_id in ("04", "2"):
        out, _ = run("interpolate", "aligned", "apart", "--config", "t.csv", "--slices", slice_id)
        assert f"slice {slice_id.zfill(2)} (" in out
    names = sorted(path.relative_to("together") for path in Path("together").rglob("*") if path.is_file())
    assert names == sorted(path.relative_to("apart") for path in Path("apart").rglob("*") if path.is_file())
    assert all((Path("together") / name).read_bytes() == (Path("apart") / name).read_bytes() for name in names)


def test_finalise_writes_the_final_table_beside_the_first(run, folder):
    (folder / "tables").mkdir()
    (folder / "t.csv").rename(folder / "tables" / "t.csv")
    run("interpolate", "aligned", "made", "--config", "tables/t.csv")
    out, err = run("finalise", "made", "--config", "tables/t.csv", "--expect", "02,04")
    reason = json.loads(Path("made/slice_z04_interpolation.json").read_text())["fallback_reason"]
    assert out.splitlines()[:3] == [
        "slice 02: interpolated (zmorph)",
        f"slice 04: left, {reason}",
        "used: 4 of 6 slices (01, 03, 05, 08)",
    ]
    assert "slice 04: it was not in the table; its row says use false" in err
    assert "written: tables/slice_config_final.csv" in err
    rows = slice_config.read("tables/slice_config_final.csv")
    said = {one: (row["use"], row["interpolated"], row["interpolation_failed"]) for one, row in rows.items()}
    unasked = dict.fromkeys(USED, (True, None, None))
    assert said == OrderedDict(sorted((unasked | {"02": (False, True, False), "04": (False, False, True)}).items()))
    assert (rows["02"]["notes"], rows["05"]["notes"]) == ("torn", "see photo")
    assert rows["04"]["interpolation_fallback_reason"] == reason
    assert slice_config.read("tables/t.csv").keys() == {"01", "02", "03", "05", "08"}, "the first table stays"


def test_finalise_tells_which_fragments_are_missing(run, folder):
    run("interpolate", "aligned", "made", "--config", "t.csv", "--slices", "02")
    _, err = run("finalise", "made", "--config", "t.csv")
    assert "missing singly, and no fragment says what came of it: slice 04" in err.splitlines()


def test_finalise_in_place_and_as_json(run, folder):
    run("interpolate", "aligned", "made", "--config", "t.csv", "--slices", "02")
    out, _ = run("finalise", "made", "--config", "t.csv", "--in-place", "--json")
    assert json.loads(out)["slices"] == {"02": "interpolated (zmorph)"}
    assert slice_config.read("t.csv")["02"]["interpolated"] is True
    assert ",02,interpolated,,true,slicemap slices finalise" in (folder / "t.audit.csv").read_text()


def test_nothing_was_to_be_interpolated(run, folder):
    Path("none").mkdir()
    out, _ = run("finalise", "none", "out.csv", "-c", "t.csv")
    assert out.splitlines()[0] == "no slice was to be interpolated"
    assert Path("out.csv").read_text() == Path("t.csv").read_text()


def test_interpolate_as_json(run, folder):
    out, _ = run("interpolate", "aligned", "made", "-c", "t.csv", "--json")
    said = json.loads(out)
    assert said["used"] == list(USED)
    assert said["left_out"] == {"02": "use is false: torn"}
    assert said["longer_gaps"] == [{"first": "06", "last": "07", "before": "05", "after": "08"}]
    assert [one["slice_id"] for one in said["slices"]] == ["02", "04"]
    assert said["slices"][0] == json.loads(Path("made/slice_z02_interpolation.json").read_text())


@pytest.mark.parametrize("method", ["average", "weighted"])
def test_section_images_and_plain_methods(run, folder, method):
    for number, data in {1: plane(0), 3: plane(6)}.items():
        write_tiff(folder / "sections" / f"image_{number:04d}.tif", data)
    out, _ = run("interpolate", "sections", "made", "--method", method)
    assert f"slice 0002 (there is no image of it): {method}, from 0001 and 0003" in out
    found = np.asarray(zarr.open_group(folder / "made" / "slice_z0002_interpolated.ome.zarr", mode="r")["0"])[0, 0, 0]
    np.testing.assert_array_equal(found, np.rint((plane(0) + plane(6).astype(float)) / 2))


REFUSED = {
    "a slice that is there": (("interpolate", "aligned", "made", "--slices", "03"), "slice 03: it is there and used"),
    "no method": (("interpolate", "aligned", "made", "--method", "cubic"), "unknown interpolation method 'cubic'"),
    "no slice id": (("interpolate", "aligned", "made", "--slices", "x"), "slice_id is 'x', expected digits only"),
    "no folder": (("interpolate", "lost", "made"), "lost: there is no such folder"),
    "into the folder of the slices": (("interpolate", "aligned", "aligned"), "aligned is the folder of the slices"),
    "no table": (("finalise", "aligned"), "Missing option '--config'"),
    "no fragments": (("finalise", "lost", "-c", "t.csv"), "lost: there is no such folder or file of fragments"),
    "a fragment is missing": (("finalise", "aligned", "-c", "t.csv", "--expect", "02"), "slice 02 has no fragment"),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_wrong_requests_change_nothing(run, folder, words, said):
    before = sorted(str(path) for path in folder.rglob("*"))
    out, err = run(*words, code=2)
    assert said in err
    assert out == ""
    after = sorted(str(path) for path in folder.rglob("*") if not path.name.endswith(".lock"))
    assert before == after


def test_a_malformed_fragment_leaves_no_table(run, folder):
    run("interpolate", "aligned", "made", "-c", "t.csv")
    Path("made/slice_z04_manifest.csv").write_text("slice_id,method\n04,zmorph\n")
    _, err = run("finalise", "made", "-c", "t.csv", code=2)
    assert "slice_z04_manifest.csv, line 1: no column method_used" in err
    assert not Path("slice_config_final.csv").exists()


def test_a_slice_that_cannot_be_read_fails_alone(run, folder):
    for chunk in Path("aligned/mosaic_z05.ome.zarr").rglob("*"):
        if chunk.is_file() and not chunk.name.startswith(("zarr", ".z")):
            chunk.write_bytes(b"no chunk")
    out, err = run("interpolate", "aligned", "made", "-c", "t.csv", code=1)
    assert "1 interpolated" in out
    assert "failed 04: " in err
    assert "mosaic_z05.ome.zarr" in err


def test_help_teaches(run):
    for command, word in (("interpolate", "--slices 05"), ("finalise", "slice_config_final.csv")):
        out, _ = run(command, "--help")
        assert word in " ".join(out.split())
