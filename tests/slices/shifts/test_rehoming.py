"""Steps that the tissue did not make: which are found, what takes their place, and that nothing else is touched."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_slicemap.errors import FileFormatError, PlanError
from napari_slicemap.slices.shifts import read_shifts, write_shifts
from napari_slicemap.slices.shifts.rehoming import Rehoming, detect_rehoming, stamp_rehoming, unlisted
from napari_slicemap.slices.shifts.rehoming_files import (
    describe_rehoming,
    output_paths,
    rehoming_report,
    write_rehoming,
)

FOV = 0.875


def table(x, y=None, ids=None) -> pd.DataFrame:
    """Steps in mm."""
    ids = list(range(len(x) + 1)) if ids is None else ids
    y = [0.0] * len(x) if y is None else y
    return pd.DataFrame({"fixed_id": ids[:-1], "moving_id": ids[1:], "x_shift_mm": x, "y_shift_mm": y})


def lengths(found: Rehoming, axis: int = 0) -> list[float]:
    return [step.length[axis] for step in found.shifts.steps]


def changed(found: Rehoming) -> list[tuple[str, int, str]]:
    return [(one.axis, int(one.fixed_id), one.cause) for one in found.corrections]


# --- pass 1 --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("step", "tiles", "rest"),
    [
        pytest.param(0.885, 1, 0.01, id="one tile"),
        pytest.param(-0.865, -1, 0.01, id="one tile back"),
        pytest.param(1.74, 2, -0.01, id="two tiles"),
        pytest.param(-1.76, -2, -0.01, id="two tiles back"),
        pytest.param(0.9187, 1, 0.0437, id="just inside 5 %"),
        pytest.param(0.9188, 0, 0.9188, id="just outside 5 %"),
        pytest.param(-0.8312, 0, -0.8312, id="outside, on the other side"),
        pytest.param(1.7063, 2, -0.0437, id="the margin is of one tile, not of N"),
        pytest.param(0.91875, 0, 0.91875, id="5 % itself is outside"),
        pytest.param(0.04, 0, 0.04, id="no tile at all"),
        pytest.param(0.44, 0, 0.44, id="half a tile"),
    ],
)
@pytest.mark.parametrize("axis", [0, 1], ids=["x", "y"])
def test_multiples_of_the_tile(step, tiles, rest, axis):
    steps = [0.01, 0.02, step, 0.01]
    shifts = table(steps, [0.03] * 4) if axis == 0 else table([0.03] * 4, steps)
    found = detect_rehoming(shifts, tile_fov_mm=FOV)
    assert lengths(found, axis) == [0.01, 0.02, rest, 0.01], "decimals stay decimals"
    assert lengths(found, 1 - axis) == [0.03] * 4
    assert [one.tiles for one in found.corrections] == ([tiles] if tiles else [])
    assert [slice_id for slice_id, rehomed in found.rehomed.items() if rehomed] == (["03"] if tiles else [])


def test_without_a_field_of_view_there_is_no_pass_1():
    found = detect_rehoming(table([0.01, 0.885, 0.01]))
    assert lengths(found) == [0.01, 0.885, 0.01]
    assert found.reliable == {"01": True, "02": False, "03": True}


# --- pass 2 --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param([0.01, 0.02, 0.9, -0.88, 0.03, 0.04], [0.01, 0.02, 0.02, 0.03, 0.03, 0.04], id="in the middle"),
        pytest.param([0.9, -0.88, 0.03, 0.05, 0.07], [0.03, 0.04, 0.03, 0.05, 0.07], id="at the start"),
        pytest.param([0.01, 0.03, 0.05, -0.9, 0.88], [0.01, 0.03, 0.05, 0.04, 0.05], id="at the end"),
        pytest.param([0.02, 0.9, -0.55, 0.04], [0.02, 0.03, 0.03, 0.04], id="|sum| just under 0.4 of the larger"),
        pytest.param([0.02, 0.9, -0.54, 0.04], [0.02, 0.9, -0.54, 0.04], id="|sum| of 0.4 of the larger: a jump"),
        pytest.param([0.02, 0.55, -0.9, 0.04], [0.02, 0.03, 0.03, 0.04], id="the larger comes second"),
        pytest.param([0.02, 0.54, -0.9, 0.04], [0.02, 0.54, -0.9, 0.04], id="the larger comes second: a jump"),
        pytest.param([0.02, 0.9, 0.02, -0.9, 0.04], [0.02, 0.9, 0.02, -0.9, 0.04], id="not next to each other"),
        pytest.param([0.02, 0.5, -0.5, 0.04], [0.02, 0.5, -0.5, 0.04], id="no longer than the limit"),
        pytest.param([0.02, 0.4, -0.55, 0.04], [0.02, 0.03, 0.03, 0.04], id="one of them below the limit"),
        pytest.param([0.02, 0.9, -0.9, 0.9, 0.04], [0.02, 0.02, 0.03, 0.9, 0.04], id="three in a row: the first two"),
        pytest.param([0.02, 0.9, -0.7, 0.7, 0.04], [0.02, 0.9, 0.03, 0.04, 0.04], id="three: those that cancel best"),
        pytest.param(
            [0.02, 0.9, -0.9, 0.8, -0.8, 0.04], [0.02, 0.02, 0.02, 0.04, 0.04, 0.04], id="two glitches in a row"
        ),
        pytest.param(
            [0.01, 0.7, 0.9, -0.9, -0.8, 0.03, 0.03],
            [0.01, 0.7, 0.01, 0.03, -0.8, 0.03, 0.03],
            id="jumps beside it are not taken for the median",
        ),
        pytest.param(
            [0.01, 0.03, 0.6, 0.7, 0.9, -0.9, 0.6, 0.7],
            [0.01, 0.03, 0.6, 0.7, 0.02, 0.02, 0.6, 0.7],
            id="no ordinary step near: all of them",
        ),
        pytest.param([0.9, -0.9], [0.9, -0.9], id="no ordinary step anywhere"),
        pytest.param([0.9], [0.9], id="one step"),
    ],
)
@pytest.mark.parametrize("axis", [0, 1], ids=["x", "y"])
def test_glitches(before, after, axis):
    still = [0.001] * len(before)
    found = detect_rehoming(table(before, still) if axis == 0 else table(still, before))
    assert lengths(found, axis) == after
    assert lengths(found, 1 - axis) == still
    moved = [n for n, (was, becomes) in enumerate(zip(before, after, strict=True)) if was != becomes]
    assert changed(found) == [("xy"[axis], n, "glitch") for n in moved]


def test_a_glitch_along_both_axes():
    found = detect_rehoming(table([0.01, 0.9, -0.9, 0.03], [0.02, -0.7, 0.7, 0.04]))
    assert lengths(found, 0) == [0.01, 0.02, 0.02, 0.03]
    assert lengths(found, 1) == [0.02, 0.03, 0.03, 0.04]
    assert changed(found) == [("x", 1, "glitch"), ("x", 2, "glitch"), ("y", 1, "glitch"), ("y", 2, "glitch")]
    assert found.corrections[0].taken_from == ("00 → 01", "03 → 04")


def test_tiles_go_first():
    found = detect_rehoming(table([0.01, 1.475, -0.6, 0.03]), tile_fov_mm=FOV)
    assert changed(found) == [], "0.6 mm more than a tile is neither a multiple nor cancelled"
    found = detect_rehoming(table([0.01, 0.885, -0.865, 0.03]), tile_fov_mm=FOV)
    assert lengths(found) == [0.01, 0.01, 0.01, 0.03], "both are multiples, so no glitch is left"
    assert {cause for _, _, cause in changed(found)} == {"tiles"}


def test_half_a_glitch_that_looks_like_tiles_leaves_the_other_half_in_doubt():
    steps = [0.01, 0.86, -0.7, 0.03]
    found = detect_rehoming(table(steps), tile_fov_mm=FOV)
    assert lengths(found) == [0.01, -0.015, -0.7, 0.03]
    assert found.reliable == {"01": True, "02": True, "03": False, "04": True}
    assert lengths(detect_rehoming(table(steps))) == [0.01, 0.02, 0.02, 0.03]


def test_a_missing_pair_parts_the_run():
    shifts = table([0.01, 0.9, 0.02, -0.9, 0.03]).drop(index=2)
    found = detect_rehoming(shifts)
    assert changed(found) == [], "the two are not in a row: 02 → 03 is missing"
    shifts = table([0.01, 0.03, 0.5, 0.9, -0.9, 0.05]).drop(index=2)
    assert lengths(detect_rehoming(shifts)) == [0.01, 0.03, 0.05, 0.05, 0.05], "only 05 → 06 is near"


def test_rows_may_stand_in_any_order():
    shifts = table([0.01, 0.02, 0.9, -0.88, 0.03, 0.04])
    mixed = detect_rehoming(shifts.iloc[[3, 0, 5, 2, 1, 4]])
    assert lengths(mixed) == [0.03, 0.01, 0.04, 0.02, 0.02, 0.03]
    assert mixed.corrections == detect_rehoming(shifts).corrections


planted = st.lists(st.tuples(st.integers(-40, 40), st.integers(-3, 3)), min_size=1, max_size=15)


@settings(max_examples=80, deadline=None)
@given(x=planted, y=planted)
def test_planted_multiples_are_recovered(x, y):
    size = min(len(x), len(y))
    true = [[drift / 1000 for drift, _ in steps[:size]] for steps in (x, y)]
    seen = [[(drift + tiles * 875) / 1000 for drift, tiles in steps[:size]] for steps in (x, y)]
    found = detect_rehoming(table(*seen), tile_fov_mm=FOV)
    assert [lengths(found, 0), lengths(found, 1)] == true
    counts = {(one.axis, int(one.fixed_id)): one.tiles for one in found.corrections}
    for axis, steps in (("x", x), ("y", y)):
        assert [counts.get((axis, n), 0) for n in range(size)] == [tiles for _, tiles in steps[:size]]
    assert all(found.reliable.values())


# --- the file ------------------------------------------------------------------------------------------------
HEADER = "fixed_id,moving_id,x_shift,y_shift,x_shift_mm,y_shift_mm"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_nothing_to_do_changes_no_byte(tmp_path):
    text = f'{HEADER},by\n0.0,1.0,1.50,-3,0.00150,-3e-3,"a, b"\n1.0,2.0,2,0,.002,0.0,\n'
    source = write(tmp_path / "in.csv", text)
    found = detect_rehoming(source, tile_fov_mm=FOV)
    write_shifts(tmp_path / "out.csv", found.shifts)
    assert (tmp_path / "out.csv").read_bytes() == source.read_bytes()
    assert found.corrections == ()
    assert not any(found.rehomed.values())


def test_only_the_cells_of_a_correction_change(tmp_path):
    source = write(
        tmp_path / "in.csv",
        f"{HEADER},by\n0.0,1.0,10.0,-20.00,0.010,-0.020,a\n1.0,2.0,885,7.50,0.885,0.0075,b\n2.0,3.0,1e1,0,1e-2,0,c\n",
    )
    write_shifts(tmp_path / "out.csv", detect_rehoming(source, tile_fov_mm=FOV).shifts)
    assert (tmp_path / "out.csv").read_text() == (
        f"{HEADER},by\n0.0,1.0,10.0,-20.00,0.010,-0.020,a\n1.0,2.0,10.0,7.50,0.01,0.0075,b\n2.0,3.0,1e1,0,1e-2,0,c\n"
    )
    assert read_shifts(tmp_path / "out.csv") is not None


def test_px_keep_the_scale_of_their_row():
    shifts = table([0.01, 0.9, -0.9, 0.02]).assign(x_shift=[4.0, 360.0, -450.0, 8.0], y_shift=0.0)
    found = detect_rehoming(shifts)
    assert [step.px[0] for step in found.shifts.steps] == [4.0, 6.0, 7.5, 8.0]
    assert lengths(found) == [0.01, 0.015, 0.015, 0.02]


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        pytest.param(None, ["1", "0", "1"], id="the column is added"),
        pytest.param(["true", "false", "yes"], ["true", "false", "yes"], id="what is right stays as it is written"),
        pytest.param(["1", "1", ""], ["1", "0", "1"], id="what is not is made anew"),
    ],
)
def test_the_column_reliable(flags, expected):
    shifts = table([0.3, 0.4, 0.1], [0.4, 0.4, 0.0])
    found = detect_rehoming(shifts if flags is None else shifts.assign(reliable=flags))
    assert [step.cells["reliable"] for step in found.shifts.steps] == expected
    assert found.reliable == {"01": True, "02": False, "03": True}, "the length of the step counts, over both axes"
    assert found.shifts.columns[-1] == "reliable"


def test_shifts_without_mm_are_refused(tmp_path):
    source = write(tmp_path / "in.csv", "fixed_id,moving_id,x_shift,y_shift\n0,1,900,0\n")
    with pytest.raises(FileFormatError, match=r"in\.csv: no column x_shift_mm, y_shift_mm"):
        detect_rehoming(source)


def test_lengths_that_are_none_are_refused_together():
    with pytest.raises(PlanError) as error:
        detect_rehoming(table([0.1]), tile_fov_mm=0, max_shift_mm=float("nan"))
    assert len(error.value.faults) == 2


# --- the table of slices, and the report -----------------------------------------------------------------------
def test_the_moving_slice_is_stamped():
    found = detect_rehoming(table([0.01, 0.885, 0.7, 0.01], ids=[1, 2, 3, 5, 9]), tile_fov_mm=FOV)
    rows = OrderedDict((one, {"slice_id": one, "use": True}) for one in ("01", "02", "03", "5", "20"))
    stamped = stamp_rehoming(rows, found)
    assert {one: (row["rehomed"], row["rehoming_reliable"]) for one, row in stamped.items()} == {
        "01": (None, None),
        "02": (False, True),
        "03": (True, True),
        "5": (False, False),
        "20": (None, None),
    }
    assert rows["03"] == {"slice_id": "03", "use": True}, "the table given is not changed"
    assert unlisted(rows, found) == ["09"]
    assert stamp_rehoming(stamped, found) == stamped
    assert list(stamp_rehoming({}, found, add=True)) == ["01", "02", "03", "05", "09"]


def test_the_report_lists_every_correction(tmp_path):
    found = detect_rehoming(table([0.01, 0.9, -0.9, 0.03, 0.8], [0, 0, 0, 1.76, 0]), tile_fov_mm=FOV)
    made = write_rehoming(found, tmp_path / "new" / "shifts.csv", tmp_path / "new" / "report.json")
    assert json.loads((tmp_path / "new" / "report.json").read_text()) == made == rehoming_report(found)
    assert [list(one.values()) for one in made["corrections"]] == [
        ["x", "01", "02", "tiles", 0.9, 0.025, 1, 1],
        ["x", "02", "03", "tiles", -0.9, -0.025, 1, -1],
        ["y", "03", "04", "tiles", 1.76, 0.01, 1, 2],
    ]
    assert (made["rehomed"], made["unreliable"]) == (["02", "03", "04"], ["05"])
    glitch = rehoming_report(detect_rehoming(table([0.01, 0.9, -0.9, 0.03])))["corrections"][0]
    assert glitch == {
        "axis": "x",
        "fixed_id": "01",
        "moving_id": "02",
        "cause": "glitch",
        "before_mm": 0.9,
        "after_mm": 0.02,
        "pass": 2,
        "taken_from": ("00 → 01", "03 → 04"),
    }


def test_it_is_said_in_words():
    found = detect_rehoming(table([0.01, 0.885, 0.03, -0.7, 0.69, 0.6], [0] * 6), tile_fov_mm=FOV)
    assert describe_rehoming(found) == [
        "01 → 02: x 0.885 mm is now 0.01 mm: +1 tile taken off",
        "03 → 04: x -0.7 mm is now 0.02 mm: glitch, now the median of 01 → 02, 02 → 03",
        "04 → 05: x 0.69 mm is now 0.03 mm: glitch, now the median of 02 → 03",
        "05 → 06: x 0.6 mm, y 0 mm, not reliable: longer than 0.5 mm",
        "3 of 6 steps corrected, 1 not reliable",
    ]


def test_no_file_takes_the_place_of_another(tmp_path):
    shifts, out, config = (tmp_path / name for name in ("s.csv", "t.csv", "c.csv"))
    assert output_paths(shifts, out) == (tmp_path / "s_rehomed.csv", tmp_path / "rehoming_report.json")
    (tmp_path / "rehoming_report.json").touch()
    with pytest.raises(PlanError, match="--force replaces it"):
        output_paths(shifts, out)
    assert output_paths(shifts, out, force=True)
    for clash in (
        {"shifts_out": shifts},
        {"report": out},
        {"report": config},
        {"shifts_out": out.parent / "." / "t.csv"},
    ):
        with pytest.raises(PlanError, match="by this command already"):
            output_paths(shifts, out, **clash, config=config, force=True)
    with pytest.raises(PlanError, match="by this command already"):
        output_paths(shifts, out, tmp_path / "x", tmp_path / "x")
