"""What a table decides in a few words, and what differs between two tables."""

import pytest

from napari_slicemap.slices.summary import compare, flags, summarise


def rows(**columns):
    """``rows(use={"00": True})``: slices and columns are those that are named."""
    ids = dict.fromkeys(one for cells in columns.values() for one in cells)
    return {one: {"slice_id": one, **{name: cells.get(one) for name, cells in columns.items()}} for one in ids}


TABLE = rows(
    use={"00": False, "01": True, "03": True, "04": True, "05": False, "08": True},
    auto_excluded={"03": True, "04": True, "05": True},
    auto_exclude_reason={"03": "noisy cluster (3 consecutive)", "04": "noisy cluster (3 consecutive)"},
    notes={"00": "calibration_slice"},
)


def test_a_summary_groups_what_is_left_out_by_reason():
    summary = summarise(TABLE)
    assert summary.total == 6
    assert summary.used == ("01", "08")
    assert dict(summary.reasons) == {
        "use is false: calibration_slice": ("00",),
        "auto_excluded: noisy cluster (3 consecutive)": ("03", "04"),
        "use is false; auto_excluded": ("05",),
    }
    assert summary.gaps == (("02", "02"), ("06", "07"))
    assert summary.lines == [
        "used: 2 of 6 slices (01, 08)",
        "excluded: 00 (use is false: calibration_slice)",
        "excluded: 03–04 (auto_excluded: noisy cluster (3 consecutive))",
        "excluded: 05 (use is false; auto_excluded)",
        "not in the table: 02, 06–07",
    ]


def test_a_summary_tells_what_was_made_of_its_neighbours():
    methods = {"05": "zmorph", "08": "zmorph", "11": "average"}
    use = dict.fromkeys(["05", "06", "08", "11"], False) | {"06": True}
    made = rows(use=use, interpolated=dict.fromkeys(methods, True), interpolation_method_used=methods)
    summary = summarise(made)
    assert summary.interpolated_lines == ["05, 08 (zmorph)", "11 (average)"]
    assert "interpolated: 05, 08 (zmorph)" in summary.lines
    assert summary.as_data()["interpolated"][1] == {"method": "average", "slices": ("11",)}


def test_an_empty_table_has_a_summary():
    assert summarise({}).lines == ["used: 0 of 0 slices"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param({"use": True}, [], id="nothing"),
        pytest.param({"galvo_fix": True, "rehomed": True}, ["galvo_fix", "rehomed"], id="two"),
        pytest.param({"rehomed": True, "rehoming_reliable": True}, ["rehomed"], id="reliable"),
        pytest.param({"rehomed": True, "rehoming_reliable": False}, ["rehomed (not reliable)"], id="unreliable"),
        pytest.param({"rehomed": False, "rehoming_reliable": False}, [], id="not-rehomed"),
        pytest.param(
            {"interpolated": True, "interpolation_method_used": "zmorph"}, ["interpolated (zmorph)"], id="method"
        ),
        pytest.param(
            {"interpolation_failed": True, "interpolation_fallback_reason": "low_overlap_ncc"},
            ["interpolation_failed (low_overlap_ncc)"],
            id="reason",
        ),
    ],
)
def test_flags_say_what_was_stamped(row, expected):
    assert flags(row) == expected


BEFORE = rows(use={"00": True, "01": True, "02": True}, quality_score={"00": 0.5, "01": None})


@pytest.mark.parametrize(
    ("after", "lines"),
    [
        pytest.param(BEFORE, [], id="equal"),
        pytest.param({one: dict(reversed(row.items())) for one, row in BEFORE.items()}, [], id="order-of-columns"),
        pytest.param(
            rows(use={"00": False, "01": True, "02": True}, quality_score={"00": 0.5, "01": 0.25}),
            ["slice 00: use true → false", "slice 01: quality_score (empty) → 0.250"],
            id="cells",
        ),
        pytest.param(
            rows(use={"00": True, "02": True, "07": False}, quality_score={"00": 0.5}),
            ["slice 01: only in the first", "slice 07: only in the second"],
            id="slices",
        ),
        pytest.param(
            rows(use={"00": True, "01": True, "02": True}, notes={"01": "x"}),
            [
                "column only in the first: quality_score",
                "column only in the second: notes",
                "slice 00: quality_score 0.500 → (empty)",
                "slice 01: notes (empty) → x",
            ],
            id="columns",
        ),
        pytest.param(dict(reversed(BEFORE.items())), ["the slices come in another order"], id="order-of-slices"),
        pytest.param({}, [f"slice 0{n}: only in the first" for n in range(3)], id="header-only"),
    ],
)
def test_two_tables_are_compared_cell_by_cell(after, lines):
    found = compare(BEFORE, after)
    assert found.lines == lines
    assert bool(found) == bool(lines)
