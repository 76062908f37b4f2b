"""What a reviewer decides: slices left out, put back in, stamped."""

from __future__ import annotations

import copy
from collections import OrderedDict
from typing import Any

import pytest

from napari_slicemap.errors import FileFormatError, PlanError, UnknownNameError
from napari_slicemap.slices.generate import new_table
from napari_slicemap.slices.review import exclude_first, exclude_slices, stamp_slices, use_slices
from napari_slicemap.slices.slice_config import SliceRows, is_used, stamp_many


@pytest.fixture
def rows() -> SliceRows:
    stamps: dict[str, dict[str, Any]] = {
        "01": {"use": False, "notes": "manually_excluded; torn"},
        "02": {"auto_excluded": True, "auto_exclude_reason": "noisy cluster (3 consecutive)"},
        "03": {"notes": "seen"},
    }
    return stamp_many(new_table(["00", "01", "02", "03"], exclude_first=0), stamps)


def changed(before: SliceRows, after: SliceRows) -> dict[str, dict[str, Any]]:
    cells = {one: {k: v for k, v in row.items() if v != before[one].get(k)} for one, row in after.items()}
    return {one: new for one, new in cells.items() if new}


@pytest.mark.parametrize(
    ("decide", "expected"),
    [
        pytest.param(
            lambda rows: exclude_slices(rows, ["3", "000"]),
            {
                "00": {"use": False, "notes": "manually_excluded"},
                "03": {"use": False, "notes": "seen; manually_excluded"},
            },
            id="left out",
        ),
        pytest.param(
            lambda rows: exclude_slices(rows, ["00"], "folded"), {"00": {"use": False, "notes": "folded"}}, id="why"
        ),
        pytest.param(lambda rows: exclude_slices(rows, ["00"], ""), {"00": {"use": False}}, id="without a word"),
        pytest.param(lambda rows: exclude_slices(rows, ["01"]), {}, id="left out already"),
        pytest.param(lambda rows: exclude_slices(rows, []), {}, id="none named"),
        pytest.param(
            lambda rows: exclude_first(rows, 2),
            {
                "00": {"use": False, "notes": "calibration_slice"},
                "01": {"notes": "manually_excluded; torn; calibration_slice"},
            },
            id="the first two",
        ),
        pytest.param(lambda rows: use_slices(rows, ["1"]), {"01": {"use": True, "notes": "torn"}}, id="back in"),
        pytest.param(
            lambda rows: use_slices(rows, ["1"], "looked again"),
            {"01": {"use": True, "notes": "torn; looked again"}},
            id="back in, and why",
        ),
        pytest.param(
            lambda rows: use_slices(rows, ["02"]),
            {"02": {"auto_excluded": False, "auto_exclude_reason": ""}},
            id="back in after auto-exclude",
        ),
        pytest.param(lambda rows: use_slices(rows, ["03"]), {}, id="in already"),
        pytest.param(
            lambda rows: stamp_slices(rows, ["00", "3"], {"galvo_fix": "yes", "notes": "new"}, "more"),
            {"00": {"galvo_fix": True, "notes": "new; more"}, "03": {"galvo_fix": True, "notes": "new; more"}},
            id="stamped, the note after the notes",
        ),
        pytest.param(lambda rows: stamp_slices(rows, ["03"], {"notes": ""}), {"03": {"notes": ""}}, id="emptied"),
        pytest.param(
            lambda rows: stamp_slices(rows, ["03"], {}, "kept"), {"03": {"notes": "seen; kept"}}, id="a note alone"
        ),
    ],
)
def test_decisions(rows, decide, expected):
    before = copy.deepcopy(rows)
    made = decide(rows)
    assert changed(before, made) == expected
    assert rows == before, "the table given is not changed"
    assert list(made) == list(rows)


def test_put_back_in_means_in_use(rows):
    assert all(is_used(row) for row in use_slices(rows, list(rows)).values())


def test_the_first_ones_are_those_of_the_lowest_numbers(rows):
    made = exclude_first(OrderedDict(reversed(rows.items())), 1)
    assert [one for one, row in made.items() if row["notes"].endswith("calibration_slice")] == ["00"]
    assert list(made) == ["03", "02", "01", "00"], "the order of the rows stays"


def test_a_table_of_few_columns_gets_no_more_than_it_needs():
    rows = OrderedDict((one, {"slice_id": one, "use": one != "02"}) for one in ("01", "02"))
    assert set(use_slices(rows, ["02"])["02"]) == {"slice_id", "use"}
    assert set(exclude_slices(rows, ["01"])["02"]) == {"slice_id", "use", "notes"}
    rows["01"]["auto_excluded"] = True
    assert use_slices(rows, ["01"])["01"] == {"slice_id": "01", "use": True, "auto_excluded": False}


def test_a_column_must_be_meant(rows):
    with pytest.raises(UnknownNameError, match="unknown column 'qualty_score'"):
        stamp_slices(rows, ["00"], {"qualty_score": "0.5"})
    made = stamp_slices(rows, ["00"], {"block": "12"}, new_columns=True)
    assert [row["block"] for row in made.values()] == ["12", "", "", ""]
    assert stamp_slices(made, ["01"], {"block": "13"})["01"]["block"] == "13", "it is in the table now"


@pytest.mark.parametrize(
    ("decide", "error", "says"),
    [
        pytest.param(lambda rows: exclude_slices(rows, ["9"]), UnknownNameError, "'09'.*there is 00", id="left out"),
        pytest.param(lambda rows: use_slices(rows, ["9"]), UnknownNameError, "'09'.*there is 00", id="put back"),
        pytest.param(lambda rows: stamp_slices(rows, ["9"], {}), UnknownNameError, "'09'.*there is 00", id="stamped"),
        pytest.param(lambda rows: use_slices(rows, ["z9"]), FileFormatError, "digits only", id="no id"),
        pytest.param(lambda rows: exclude_first(rows, 5), PlanError, "first 5 slices", id="too many"),
        pytest.param(
            lambda rows: stamp_slices(rows, ["00"], {"use": "maybe"}),
            FileFormatError,
            "slice 00: use is 'maybe'",
            id="value",
        ),
        pytest.param(
            lambda rows: stamp_slices(rows, ["00"], {"slice_id": "01"}),
            FileFormatError,
            "renames no slice",
            id="renamed",
        ),
    ],
)
def test_what_cannot_be_done_is_said(rows, decide, error, says):
    with pytest.raises(error, match=says):
        decide(rows)
