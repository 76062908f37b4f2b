"""``slicemap register``: refined positions in a project folder of their own, and the acquisition left as it is."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from maps.tile_grids import cut, ground, off_by, true_corners, write_tiles
from napari_slicemap.dataset import open_dataset
from napari_slicemap.files import sha256
from napari_slicemap.rois.roi import Roi
from napari_slicemap.rois.table import RoiTable

from .conftest import Shell

NOMINAL = true_corners(3, 2, jitter=0)
TRUE = true_corners(3, 2)
UNIT = 0.5


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two maps in stage µm: tiles of "m" overlap, and "alone" is a single tile. Nobody writes to it."""
    folder, tiles = tmp_path_factory.mktemp("registered") / "run", cut(ground(160, 230), TRUE)
    write_tiles(folder, tiles, NOMINAL * UNIT, ("x_um", "y_um"), UNIT)
    return write_tiles(folder, tiles[:1], [(7.25, 8.5)], ("x_um", "y_um"), UNIT, "alone")


def files_of(folder: Path) -> dict[str, str]:
    return {file.relative_to(folder).as_posix(): sha256(file) for file in folder.rglob("*") if file.is_file()}


def windows(path: Path, map_id: str = "m") -> list[tuple[int, int]]:
    return [(tile.window.x0, tile.window.y0) for tile in open_dataset(path).maps[map_id].placement.tiles]


def test_refined_positions_go_into_a_project_of_their_own(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    before, out = files_of(run), tmp_path / "out"
    code, said, noted = slicemap("register", run, "-o", out)
    assert code == 0, noted
    assert said.startswith("map m: 7 of 7 pairs trusted; tiles moved by ")
    assert "map alone: no two tiles overlap by enough to be compared; left as it is" in said
    assert noted == f"written: {out / 'slicemap.toml'}\n"
    assert files_of(run) == before
    assert set(files_of(out)) == {"slicemap.toml", "registration.csv", "maps/m.json", "maps/alone.json"}

    assert np.abs(off_by(windows(run), TRUE)).max() > 2
    assert np.abs(off_by(windows(out), TRUE)).max() <= 1
    assert open_dataset(out).positions["alone"][0].center_um == (7.25, 8.5)
    code, said, _ = slicemap("info", out, "--json")
    assert [one["id"] for one in json.loads(said)["maps"]] == ["alone", "m"]
    assert json.loads(said)["problems"] == []

    record = json.loads((out / "maps" / "m.json").read_text())["registration"]
    assert (record["channel"], record["pairs"], record["trusted_pairs"]) == ("C0", 7, 7)
    assert "registration" not in json.loads((out / "maps" / "alone.json").read_text())
    with (out / "registration.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["map_id"], row["trusted"]) for row in rows] == [("m", "true")] * 7
    shift = float(rows[0]["shift_x_px"]), float(rows[0]["shift_y_px"])
    assert shift == pytest.approx(TRUE[1] - TRUE[0] - (NOMINAL[1] - NOMINAL[0]), abs=0.1)


def test_the_same_run_writes_the_same_bytes(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    for name, workers in (("a", 1), ("b", 3)):
        assert slicemap("register", run, "-o", tmp_path / name, "--workers", workers)[0] == 0
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def test_what_is_there_is_only_replaced_when_asked_to(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    slicemap("register", run, "-o", out)
    before = files_of(out)
    code, _, noted = slicemap("register", run, "-o", out)
    assert (code, noted) == (2, f"slicemap: {out / 'maps' / 'alone.json'} is there already; --force replaces it\n")
    assert files_of(out) == before
    # taken further: nothing is left to move, and a map that was not refined stays as it was written
    code, said, _ = slicemap("register", out, "-o", out, "--force", "--json")
    assert code == 0
    facts = {one["id"]: one for one in json.loads(said)["maps"]}
    assert facts["m"]["largest_move_px"] < 0.1
    assert files_of(out)["maps/alone.json"] == before["maps/alone.json"]
    (out / "maps" / "other.json").write_text("{}")
    code, _, noted = slicemap("register", run, "-o", out, "--force")
    assert code == 2
    assert "other.json is of no map of run" in noted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("--max-shift", "5 parsecs and a bit"), "write a length such as 20um or 30px", id="no length"),
        pytest.param(("--max-shift", "0px"), "expected more than 0", id="no shift"),
        pytest.param(("--max-shift", "-3um"), "expected more than 0", id="below 0"),
        pytest.param(("--z", "top"), "--z is 'top'; write the number of a plane, max or mean", id="no plane"),
        pytest.param(("--maps", "x"), "unknown map 'x'", id="no map"),
        pytest.param(("--channel", "CD3"), "unknown channel 'CD3'", id="no channel"),
    ],
)
def test_what_is_asked_for_wrongly(
    slicemap: Shell, run: Path, tmp_path: Path, words: tuple[str, str], message: str
) -> None:
    code, _, noted = slicemap("register", run, "-o", tmp_path / "out", *words)
    assert code == 2
    assert message in noted
    assert not (tmp_path / "out").exists()


def test_where_it_cannot_go(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    assert "is the acquisition's own folder; choose another" in slicemap("register", run, "-o", run)[2]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "slicemap.toml").write_text('data = "elsewhere"\n')
    assert "slicemap.toml is there already" in slicemap("register", run, "-o", tmp_path / "other")[2]
    (tmp_path / "file").write_text("")
    assert "cannot be written to" in slicemap("register", run, "-o", tmp_path / "file" / "out")[2]


def test_a_dry_run_and_one_that_finds_nothing_write_nothing(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    code, said, noted = slicemap("register", run, "-o", out, "--dry-run")
    assert (code, noted) == (0, "dry run: nothing was written\n")
    assert "7 of 7 pairs trusted" in said
    code, said, noted = slicemap("register", run, "-o", out, "--maps", "alone")
    assert (code, noted) == (1, "nothing could be refined; nothing was written\n")
    assert said == "map alone: no two tiles overlap by enough to be compared; left as it is\n"
    # in µm and in px: 0.4 px are too few
    for shift in ("200nm", "0.4px", "0.2"):
        code, said, _ = slicemap("register", run, "-o", out, "--maps", "m", "--max-shift", shift)
        assert "7 of 7" not in said
    assert not out.exists()


def test_what_was_stated_is_kept(slicemap: Shell, run: Path, tmp_path: Path) -> None:
    home, out = tmp_path / "home", tmp_path / "deep" / "out"
    assert slicemap("init", run, "-o", home, "--name", "block 12", "--stage-y", "down")[0] == 0
    RoiTable([Roi(map_id="m", x_min=1, x_max=5, y_min=1, y_max=5)]).write(home / "rois.csv")
    with (home / "slicemap.toml").open("a") as stream:
        stream.write('overlap = "first"\n[map_slices]\nm = "03"\n')
    (home / "masks").mkdir()
    code, _, noted = slicemap("register", home, "-o", out)
    assert code == 0
    assert "note: ROIs on maps stay where they are" in noted
    old, new = open_dataset(home), open_dataset(out)
    assert new.places.data == run.resolve()
    assert (new.name, new.stage_y_stated, new.project.overlap) == ("block 12", True, "first")
    assert new.maps["m"].slice_id == "03"
    assert (new.rois, new.profiles) == (old.rois, old.profiles)
    assert new.places.found("masks").resolve() == home.resolve() / "masks"
    assert new.problems == []


def test_what_is_stated_on_the_way_in_is_kept_too(slicemap: Shell, tmp_path: Path) -> None:
    """Stage y grows upwards: the project says so, and tiles lie as they were cut."""
    write_tiles(tmp_path / "run", cut(ground(160, 230), TRUE), NOMINAL * (UNIT, -UNIT), ("x_um", "y_um"))
    code, _, noted = slicemap(
        "register", tmp_path / "run", "-o", tmp_path / "out", "--stage-y", "up", "--pixel-size", "500nm"
    )
    assert code == 0, noted
    assert open_dataset(tmp_path / "out").stage_y == "up"
    assert np.abs(off_by(windows(tmp_path / "out"), TRUE)).max() <= 1


def test_tiles_with_nothing_in_common_may_lie_the_other_way_round(slicemap: Shell, tmp_path: Path) -> None:
    write_tiles(tmp_path / "run", cut(ground(160, 230), TRUE[[0, 3]]), NOMINAL[[3, 0]] * UNIT, ("x_um", "y_um"), UNIT)
    code, _, noted = slicemap("register", tmp_path / "run", "-o", tmp_path / "out")
    assert code == 1
    assert "? stage direction is not stated: stage y is taken to grow downwards on the map; --stage-y up" in noted
    assert slicemap("register", tmp_path / "run", "-o", tmp_path / "out", "--stage-y", "up")[0] == 0


def test_help_teaches(slicemap: Shell) -> None:
    said = slicemap("register", "--help")[1]
    for word in ("registration.csv", "--max-shift", "exit code is 1"):
        assert word in said


def test_maps_with_nothing_to_compare_share_a_line_and_few_trusted_pairs_are_pointed_out(
    slicemap: Shell, tmp_path: Path
) -> None:
    # most tiles of "m" lie in another order than stated: next to nothing fits
    tiles = cut(ground(160, 230), TRUE)
    folder = write_tiles(tmp_path / "run", tiles, NOMINAL[[0, 1, 4, 2, 5, 3]] * UNIT, ("x_um", "y_um"), UNIT)
    for name in ("alone", "apart"):
        write_tiles(folder, tiles[:1], [(7.25, 8.5)], ("x_um", "y_um"), UNIT, name)
    _, said, wrong = slicemap("register", folder, "-o", tmp_path / "out", "--dry-run")
    assert "maps alone, apart: no two tiles overlap by enough to be compared; left as they are" in said.splitlines()
    assert "map m: 0 of 7 pairs trusted; left as it is" in said
    assert "1 of 7 pairs agree, as many as would by chance" in wrong
    assert "most pairs are not trusted: do tiles lie about where files (or --grid, " in said
