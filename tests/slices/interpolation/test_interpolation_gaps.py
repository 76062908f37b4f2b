"""Which slices are missing, and which can be made."""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import pytest

from napari_slicemap.errors import PlanError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.interpolation import find_gaps, gaps_of, single_missing
from napari_slicemap.slices.volumes import SliceVolume


def volumes(*ids: str) -> OrderedDict[str, SliceVolume]:
    return OrderedDict((one, SliceVolume(one, Path(f"mosaic_z{one}.ome.zarr"))) for one in ids)


def rows(*used: str, **out: str) -> slice_config.SliceRows:
    """Slices to use, and others (``z03="why"``): auto_excluded for a reason, or use false."""
    made = OrderedDict((one, {"slice_id": one, "use": True}) for one in used)
    for name, why in out.items():
        one = name[1:]
        auto = {"use": True, "auto_excluded": True, "auto_exclude_reason": why}
        made[one] = {"slice_id": one} | (auto if why else {"use": False})
    return OrderedDict(sorted(made.items()))


CASES = {
    "nothing is missing": (("00", "01", "02"), None, [], []),
    "one is missing": (("00", "02"), None, [("01", "00", "02", "there is no image of it")], []),
    "very many in a row are left": (("00", "99999999"), None, [], [("01", "99999998")]),
    "two in a row are left": (("00", "03"), None, [], [("01", "02")]),
    "one of four digits": (("0098", "0100"), None, [("0099", "0098", "0100", "there is no image of it")], []),
    "past a hundred": (("99", "101"), None, [("100", "99", "101", "there is no image of it")], []),
    "ids that sort otherwise as text": (("99", "101", "9", "11"), None, [("10",), ("100",)], [("12", "98")]),
    "nothing around it": (("05",), None, [], []),
    "nothing at all": ((), None, [], []),
    "two gaps with one slice between": (("00", "02", "04"), None, [("01", "00", "02"), ("03", "02", "04")], []),
    "one that the table does not use": (("00", "01", "02"), rows("00", "02", z01=""), [("01", "00", "02")], []),
    "one that is excluded automatically": (
        ("00", "01", "02"),
        rows("00", "02", z01="noisy"),
        [("01", "00", "02", "auto_excluded: noisy")],
        [],
    ),
    "one that the table has not": (("00", "01", "02"), rows("00", "02"), [("01", "00", "02")], []),
    "one to use without an image": (("00", "02"), rows("00", "01", "02"), [("01", "00", "02")], []),
    "an excluded one beside a lost one": (("00", "01", "03"), rows("00", "03", z01=""), [], [("01", "02")]),
    "ids padded otherwise in the table": (("000", "002"), rows("00", "01", "02"), [("01", "000", "002")], []),
    "excluded at the end": (("00", "01", "02"), rows("00", "01", z02=""), [], []),
}


@pytest.mark.parametrize(("there", "table", "single", "longer"), CASES.values(), ids=CASES.keys())
def test_gaps(there, table, single, longer):
    found = find_gaps(volumes(*there), table)
    made = [(gap.slice_id, gap.before.slice_id, gap.after.slice_id, gap.why) for gap in found.single]
    assert [one[: len(wanted)] for one, wanted in zip(made, single, strict=True)] == single
    assert [(gap.first, gap.last) for gap in found.longer] == longer


def test_a_longer_gap_in_words():
    (longer,) = find_gaps(volumes("03", "07")).longer
    assert longer.line() == "slices 04 to 06: 3 in a row are missing between 03 and 07; left"


def test_gaps_are_chosen_by_number():
    found = find_gaps(volumes("00", "02", "04", "07"))
    assert [gap.slice_id for gap in gaps_of(found, ["3"])] == ["03"]
    assert [gap.slice_id for gap in gaps_of(found, ["03", "001"])] == ["01", "03"]


def test_each_slice_that_is_no_single_gap_is_named():
    found = find_gaps(volumes("00", "02", "04", "07"))
    with pytest.raises(PlanError) as caught:
        gaps_of(found, ["01", "02", "05", "09"])
    assert caught.value.faults == [
        "slice 02: it is there and used; only missing slices are interpolated",
        "slice 05: it is one of 2 in a row that are missing; only single slices are interpolated",
        "slice 09: there is no slice on both sides of it",
    ]


def test_what_a_table_misses_singly():
    assert single_missing(rows("01", "03", "04", "08", "10", z02="", z05="", z09="noisy")) == ["02", "09"]
    assert single_missing(rows("10", "08", "99", "101")) == ["09", "100"]
    assert single_missing({}) == []
