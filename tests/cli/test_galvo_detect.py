"""``slicemap galvo detect``: from tiles to a stamped table and the numbers behind it."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_slicemap.sample import make_sample
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.diagnostics import write_diagnostics
from napari_slicemap.slices.galvo import inspect_slice
from napari_slicemap.slices.slice_config import CANONICAL_COLUMNS
from napari_slicemap.slices.table_file import open_table
from oct_slices import EXTRA, SHIFT, make_tiles, write_mosaic, write_raw

from .conftest import Shell

DARK, CLEAN = make_tiles(rows=1), make_tiles(first=None, rows=1)
FAINT = make_tiles(change=-0.04, rows=1)
AT_THE_END = make_tiles(first=48, rows=1)
TABLE = "slice_id,use,galvo_fix,notes,mine\n04,true,,,d\n01,false,,torn,a\n02,true,,,b\n09,true,,,x\n"
"""Slice 03 is missing, and 09 has no tiles."""


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stored")
    for z, tiles in {"01": DARK, "02": CLEAN, "03": DARK, "04": AT_THE_END}.items():
        write_raw(folder / "raw", tiles, z)
        write_mosaic(folder / "mosaics" / f"m_z{z}.ome.zarr", tiles, "y")
    return folder


@pytest.fixture
def folder(stored: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("raw", "mosaics"):
        shutil.copytree(stored / name, tmp_path / name, copy_function=os.link)
    (tmp_path / "t0.csv").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(slicemap: Shell, *words: object, code: int = 0) -> tuple[str, str]:
    done, out, err = slicemap("galvo", "detect", *words)
    assert done == code, err
    return out, err


def cells(path: Path, column: str) -> dict[str, str]:
    with path.open(newline="", encoding="utf-8") as stream:
        return {row["slice_id"]: row[column] for row in csv.DictReader(stream)}


def numbers(folder: Path, slice_id: str) -> dict:
    return json.loads((folder / f"slice_{slice_id}.json").read_text())["galvo"]


def confidence(tiles: dict) -> str:
    return f"{inspect_slice([tiles[place] for place in sorted(tiles)], EXTRA).confidence:.3f}"


# --- what is written -----------------------------------------------------------------------------------------
@pytest.mark.parametrize("source", ["raw", "mosaics"])
def test_the_table_is_made_of_the_slices_found(slicemap: Shell, folder: Path, source: str) -> None:
    out, err = run(slicemap, source, "new/t.csv")
    table = folder / "new" / "t.csv"
    assert table.read_text().splitlines()[0] == ",".join(CANONICAL_COLUMNS)
    assert cells(table, "use") == dict.fromkeys(["01", "02", "03", "04"], "true")
    assert cells(table, "galvo_fix") == {"01": "true", "02": "false", "03": "true", "04": "false"}
    assert cells(table, "galvo_confidence") == {
        "01": confidence(DARK),
        "02": confidence(CLEAN),
        "03": confidence(DARK),
        "04": confidence(AT_THE_END),
    }
    assert [line.split()[:8] for line in out.splitlines()] == [
        ["slice", "confidence", "band", "shift", "decision", "by", "tiles", "background"],
        ["01", "1.000", "fix", "28", "fix", "detection", "3", "0"],
        ["02", confidence(CLEAN), "leave", out.splitlines()[2].split()[3], "leave", "detection", "3", "0"],
        ["03", "1.000", "fix", "28", "fix", "detection", "3", "0"],
        ["04", confidence(AT_THE_END), "fix", "(0)", "leave", "detection", "3", "0"],
    ]
    assert err.splitlines() == ["written: new/t.csv", "written: new/diagnostics"]
    found = numbers(folder / "new" / "diagnostics", "01")
    assert (found["shift"], found["axis"], found["decided_by"]) == (SHIFT, "x" if source == "raw" else "y", "detection")
    assert len(found["tiles"]) == 3


def test_one_mosaic(slicemap: Shell, folder: Path) -> None:
    run(slicemap, "mosaics/m_z03.ome.zarr", "t.csv")
    assert cells(folder / "t.csv", "galvo_fix") == {"03": "true"}


@pytest.mark.parametrize(
    ("words", "name"),
    [
        pytest.param(["t1.csv", "--config", "t0.csv"], "t1.csv", id="a new table"),
        pytest.param(["--config", "t0.csv", "--in-place"], "t0.csv", id="in place"),
        pytest.param(["--config", "t0.csv", "--in_place"], "t0.csv", id="with an underscore"),
    ],
)
def test_every_other_column_and_row_stays(slicemap: Shell, folder: Path, words: list[str], name: str) -> None:
    _, err = run(slicemap, "raw", *words)
    table = folder / name
    assert list(cells(table, "mine").items()) == [("04", "d"), ("01", "a"), ("02", "b"), ("09", "x")]
    assert cells(table, "notes")["01"] == "torn"
    assert cells(table, "galvo_fix") == {"04": "false", "01": "true", "02": "false", "09": ""}
    assert cells(table, "galvo_confidence")["09"] == ""
    assert "not in the table, so not looked at: slice 03\n" in err
    assert "in the table, but there are no tiles: slice 09\n" in err
    assert sorted(path.name for path in (folder / "diagnostics").glob("*.json")) == [
        f"slice_{one}.json" for one in ("01", "02", "04")
    ]
    trail = folder / "t0.audit.csv"
    if name == "t0.csv":
        with trail.open(newline="") as stream:
            lines = list(csv.DictReader(stream))
        assert {line["by"] for line in lines} == {"slicemap galvo detect"}
        assert {(line["slice_id"], line["column"]) for line in lines} == {
            (one, column) for one in ("01", "02", "04") for column in ("galvo_confidence", "galvo_fix")
        }
    else:
        assert (folder / "t0.csv").read_text() == TABLE
        assert not trail.exists()


def test_some_slices_only(slicemap: Shell, folder: Path) -> None:
    out, _ = run(slicemap, "raw", "t1.csv", "--config", "t0.csv", "--slices", "4", "--slices", "02,4")
    assert cells(folder / "t1.csv", "galvo_fix") == {"04": "false", "01": "", "02": "false", "09": ""}
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["04", "02"]


def test_nothing_but_a_report(slicemap: Shell, folder: Path) -> None:
    before = sorted(folder.rglob("*"))
    out, err = run(slicemap, "raw", "--report-only")
    assert len(out.splitlines()) == 5
    assert err == ""
    run(slicemap, "raw", "--report-only", "--config", "t0.csv")
    run(slicemap, "raw", "there/t.csv", "--report-only", "--diagnostics", "d")
    assert sorted(folder.rglob("*")) == before


def test_json(slicemap: Shell, folder: Path) -> None:
    out, _ = run(slicemap, "raw", "t1.csv", "--config", "t0.csv", "--json", "--diagnostics", "d")
    said = json.loads(out)
    assert (said["without_row"], said["without_tiles"]) == (["03"], ["09"])
    first = said["slices"][0]
    assert (first["slice_id"], first["fix"], first["shift"], first["by"]) == ("01", True, SHIFT, "detection")
    assert (first["band"], first["reviewed"], first["overridden"]) == ("fix", False, False)
    assert first["galvo"] == numbers(folder / "d", "01")


def test_options_say_how_to_look(slicemap: Shell, folder: Path) -> None:
    for z in ("01", "02"):
        shutil.rmtree(folder / "mosaics" / f"m_z{z}.ome.zarr")
        write_mosaic(folder / "mosaics" / f"m_z{z}.ome.zarr", FAINT, "y", galvo=None)
    found = inspect_slice([FAINT[place] for place in sorted(FAINT)], EXTRA, n_samples=2)
    assert 0.2 < found.confidence < 0.6
    words = ["--axis", "y", "--n-extra", EXTRA, "--slices", "1", "--samples", 2]
    run(slicemap, "mosaics", "a.csv", *words, "--threshold", 0.2)
    assert cells(folder / "a.csv", "galvo_fix")["01"] == "true"
    run(slicemap, "mosaics", "b.csv", *words)
    assert cells(folder / "b.csv", "galvo_fix")["01"] == "false"
    assert cells(folder / "b.csv", "galvo_confidence")["01"] == f"{found.confidence:.3f}"
    out, _ = run(slicemap, "mosaics", "c.csv", *words, "--min_intensity", 1000)
    assert out.splitlines()[1].split() == ["01", "0.000", "leave", "–", "leave", "detection", "0", "3"]


# --- a person's word -----------------------------------------------------------------------------------------
def test_the_reviewers_word_stays(slicemap: Shell, folder: Path) -> None:
    words = ["raw", "--config", "t0.csv", "--in-place"]
    run(slicemap, *words)
    assert slicemap("galvo", "decide", "01", "--reject", "--by", "anna", "--config", "t0.csv", "--in-place")[0] == 0
    assert slicemap("galvo", "decide", "4", "--shift", 31, "--by", "anna", "--config", "t0.csv", "--in-place")[0] == 0
    rows = slice_config.read(folder / "t0.csv")
    slice_config.write(folder / "t0.csv", slice_config.stamp(rows, "02", {"galvo_fix": True}))
    before = cells(folder / "t0.csv", "galvo_fix")
    for threshold in (0.6, 0.0, 1.0):
        out, err = run(slicemap, *words, "--threshold", threshold)
        assert cells(folder / "t0.csv", "galvo_fix") == before == {"04": "true", "01": "false", "02": "true", "09": ""}
    assert [line.split()[5:-2] for line in out.splitlines()[1:]] == [["anna"], ["the", "slice", "table"], ["anna"]]
    said = [line for line in err.splitlines() if "the reviewer's word stays" in line]
    assert [line.split(",", 1)[0] for line in said] == [
        f"slice {one}: the reviewer's word stays" for one in ("01", "02", "04")
    ]
    assert "leave (anna); detected: fix by 28 A-lines" in said[0]
    assert "fix by 31 A-lines (anna); detected: leave" in said[2]
    assert numbers(folder / "diagnostics", "04")["reviewer_shift"] == 31


def test_a_decision_is_put_back_where_the_table_does_not_have_it(slicemap: Shell, folder: Path) -> None:
    words = ["raw", "--config", "t0.csv", "--in-place"]
    run(slicemap, *words)
    slicemap("galvo", "decide", "01", "--reject", "--by", "anna", "--config", "t0.csv", "--in-place")
    rows = slice_config.read(folder / "t0.csv")
    slice_config.write(folder / "t0.csv", slice_config.stamp(rows, "01", {"galvo_fix": ""}))
    _, err = run(slicemap, *words)
    assert "slice 01: the table did not have what anna decided; it is put back\n" in err
    assert cells(folder / "t0.csv", "galvo_fix")["01"] == "false"
    assert numbers(folder / "diagnostics", "01")["decided_by"] == "anna"
    assert "put back" not in run(slicemap, *words)[1]
    slicemap("galvo", "decide", "01", "--withdraw", "--config", "t0.csv", "--in-place")
    run(slicemap, *words)
    assert cells(folder / "t0.csv", "galvo_fix")["01"] == "true"
    assert numbers(folder / "diagnostics", "01")["decided_by"] == "detection"


# --- an acquisition ------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def sampled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_sample(tmp_path_factory.mktemp("sample") / "s")


@pytest.fixture
def sample(sampled: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sampled, tmp_path / "s"))


@pytest.mark.parametrize("file", ["", "slicemap.toml"])
def test_the_table_of_an_acquisition_is_changed_in_place(slicemap: Shell, sample: Path, file: str) -> None:
    _, err = run(slicemap, sample / file)
    assert cells(sample / "slice_config.csv", "galvo_fix")["03"] == "true"
    assert numbers(sample / "diagnostics", "03")["shift"] == 28
    assert (sample / "slice_config.audit.csv").is_file()
    assert f"the raw tiles in {sample / 'raw_tiles'} are taken, not the mosaics" in err
    assert "there are no tiles: slice 00–02, 04–05" in err


def test_another_table_leaves_that_of_the_acquisition(slicemap: Shell, sample: Path, tmp_path: Path) -> None:
    before = (sample / "slice_config.csv").read_bytes()
    run(slicemap, sample, tmp_path / "new" / "t.csv")
    assert (sample / "slice_config.csv").read_bytes() == before
    assert not (sample / "diagnostics").exists()
    assert list(cells(tmp_path / "new" / "t.csv", "use")) == list(cells(sample / "slice_config.csv", "use"))
    assert numbers(tmp_path / "new" / "diagnostics", "03")["shift"] == 28


def test_an_acquisition_without_a_table_gets_one(slicemap: Shell, sample: Path) -> None:
    (sample / "slice_config.csv").unlink()
    run(slicemap, sample)
    assert cells(sample / "slice_config.csv", "galvo_fix") == {"03": "true"}


def test_the_project_says_where_things_are(slicemap: Shell, sample: Path) -> None:
    project = sample / "slicemap.toml"
    said = project.read_text().replace('raw_tiles = "raw_tiles"\n', 'diagnostics = "numbers"\n')
    project.write_text(said)
    _, err = run(slicemap, sample)
    assert numbers(sample / "numbers", "03")["tiles"][0]["name"] == "row 0, column 0"
    assert "are taken" not in err
    code, _, _ = slicemap(
        "galvo", "decide", "3", "--reject", "--by", "anna", "--config", sample / "slice_config.csv", "--in-place"
    )
    assert (code, numbers(sample / "numbers", "03")["decided_by"]) == (0, "anna")


def test_a_project_whose_tiles_are_gone(slicemap: Shell, sample: Path) -> None:
    for name in ("raw_tiles", "mosaics"):
        shutil.rmtree(sample / name)
    _, err = run(slicemap, sample, code=2)
    assert "raw_tiles is 'raw_tiles', but there is no such file or folder" in err


# --- what cannot be ------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("words", "says"),
    [
        pytest.param(["raw"], "no table to write to", id="no table"),
        pytest.param(["raw", "--config", "t0.csv"], "no table to write to", id="neither in place nor OUT"),
        pytest.param(["raw", "--in-place"], "--in-place changes the table named by --config", id="in place of nothing"),
        pytest.param(["raw", "t0.csv"], "t0.csv is there already; --force replaces it", id="OUT is there"),
        pytest.param(["nowhere", "t.csv"], "nowhere: there is no such file or folder", id="no source"),
        pytest.param(["t0.csv", "t.csv"], "it is a file, expected a folder", id="a file"),
        pytest.param(
            ["raw", "t.csv", "--slices", "1,77"],
            "tiles: unknown slice '77' (there is 01, 02, 03, 04)",
            id="unknown slice",
        ),
        pytest.param(["raw", "t.csv", "--config", "t0.csv", "-s", "9"], "unknown slice '09'", id="no tiles of it"),
        pytest.param(["raw", "t.csv", "--config", "t0.csv", "-s", "3"], "unknown slice '03'", id="no row of it"),
        pytest.param(["raw", "t.csv", "-s", "x"], "slice_id is 'x'", id="no slice"),
        pytest.param(["raw", "t.csv", "--n-extra", "60"], "60 A-lines and the return 60", id="all A-lines"),
        pytest.param(["mosaics", "t.csv", "--axis", "x", "--n-extra", "40"], "40 A-lines and the return 40", id="axis"),
        pytest.param(["raw", "t.csv", "--diagnostics", "t0.csv"], "t0.csv is a file, expected a folder", id="numbers"),
        pytest.param(["raw", "t.csv", "--config", "no.csv"], "no.csv", id="no such table"),
    ],
)
def test_errors_are_one_line_and_nothing_is_written(slicemap: Shell, folder: Path, words: list[str], says: str) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    out, err = run(slicemap, *words, code=2)
    assert out == ""
    assert says in err
    assert len(err.splitlines()) == 1
    assert err.startswith("slicemap: ")
    assert {path: path.read_bytes() for path in folder.iterdir() if path.is_file() and path.suffix != ".lock"} == before
    assert not (folder / "diagnostics").exists()


@pytest.mark.parametrize("words", [["--threshold", "1.5"], ["--axis", "z"], ["--samples", "0"], ["--n-extra", "0"]])
def test_values_that_cannot_be_are_refused(slicemap: Shell, folder: Path, words: list[str]) -> None:
    run(slicemap, "raw", "t.csv", *words, code=2)
    assert not (folder / "t.csv").exists()


def _cut_short(folder: Path) -> None:
    path = folder / "raw" / "tile_x00_y00_z04" / "image_00000.bin"
    content = path.read_bytes()
    path.unlink()  # it is a link to a file that other tests read
    path.write_bytes(content[:-100])


def _own_text(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        pytest.param(_cut_short, "tile_x00_y00_z04", id="a file that was cut short"),
        pytest.param(lambda f: _own_text(f / "raw/tile_x01_y00_z02/info.txt", "nx: 1"), "tile_x01_y00_z02", id="info"),
        pytest.param(
            lambda f: _own_text(f / "diagnostics/slice_02.json", '{"version": 1, '), "slice_02.json", id="numbers"
        ),
        pytest.param(
            lambda f: write_diagnostics(f / "diagnostics", "04", "galvo", {"shift": 3}),
            "slice_04.json: galvo",
            id="part",
        ),
        pytest.param(lambda f: _own_text(f / "t0.csv", "slice_id,galvo_fix\n01,perhaps\n"), "'perhaps'", id="table"),
        pytest.param(lambda f: _own_text(f / "t0.audit.csv", "mine"), "t0.audit.csv: it is no audit", id="trail"),
    ],
)
def test_what_is_broken_is_named_and_the_table_stays(slicemap: Shell, folder: Path, harm, says: str) -> None:
    harm(folder)
    before = (folder / "t0.csv").read_bytes()
    out, err = run(slicemap, "raw", "--config", "t0.csv", "--in-place", code=2)
    assert out == ""
    assert says in err
    assert len([line for line in err.splitlines() if line.startswith("slicemap: ")]) == 1
    assert "Traceback" not in err
    assert (folder / "t0.csv").read_bytes() == before


def test_diagnostics_that_cannot_be_written_leave_the_table(slicemap: Shell, folder: Path) -> None:
    (folder / "diagnostics" / "slice_04.json").mkdir(parents=True)
    _, err = run(slicemap, "raw", "--config", "t0.csv", "--in-place", code=2)
    assert "slice_04.json" in err
    assert (folder / "t0.csv").read_text() == TABLE
    (folder / "diagnostics" / "slice_04.json").rmdir()
    run(slicemap, "raw", "--config", "t0.csv", "--in-place")
    assert cells(folder / "t0.csv", "galvo_fix") == {"04": "false", "01": "true", "02": "false", "09": ""}


def test_while_one_detects_another_is_told(slicemap: Shell, folder: Path) -> None:
    with open_table("t0.csv", None, in_place=True):
        _, err = run(slicemap, "raw", "--config", "t0.csv", "--in-place", code=2)
    assert "t0.csv is being written by another command; wait until it ends" in err
    assert (folder / "t0.csv").read_text() == TABLE
    assert not (folder / "diagnostics").exists()


# --- an end at any time --------------------------------------------------------------------------------------
def kill_and_go_on(folder: Path, seconds: float) -> bool:
    """Kill a detection that writes again and again after a time, check what it left, and say whether it had begun."""
    words = ["raw", "--config", "t0.csv", "--in-place", "--samples", "1"]
    command = "import sys\nfrom napari_slicemap.cli import main\n" + "".join(
        f"sys.argv = ['slicemap', 'galvo', 'detect', *{words!r}, '--threshold', '{threshold}']\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert not stop.code\n"
        for threshold in (0.6, 0.0, 1.0, 0.6, 0.0, 1.0)
    )
    process = subprocess.Popen([sys.executable, "-c", command], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    begun = bool(process.stdout.read(1))
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    rows = slice_config.read(folder / "t0.csv")
    assert list(rows) == ["04", "01", "02", "09"]
    assert [row["mine"] for row in rows.values()] == ["d", "a", "b", "x"]
    return begun


def check_kills(slicemap: Shell, folder: Path, moments: list[float]) -> None:
    for seconds in moments:
        assert kill_and_go_on(folder, seconds)
        trail = folder / "t0.audit.csv"
        if trail.exists() and not trail.read_bytes().endswith(b"\n"):
            trail.rename(trail.with_suffix(".cut"))  # an end while a line was written: it is said, and nothing is lost
        run(slicemap, "raw", "--config", "t0.csv", "--in-place")
        assert cells(folder / "t0.csv", "galvo_fix") == {"04": "false", "01": "true", "02": "false", "09": ""}
        assert {numbers(folder / "diagnostics", one)["decided_by"] for one in ("01", "02", "04")} == {"detection"}


@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_an_end_at_any_time_leaves_a_table_that_can_be_read(slicemap: Shell, folder: Path) -> None:
    check_kills(slicemap, folder, [0.0, 0.02])


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="there is no SIGKILL")
def test_an_end_at_any_of_many_times(slicemap: Shell, folder: Path) -> None:
    check_kills(slicemap, folder, [0.007 * n for n in range(30)])
