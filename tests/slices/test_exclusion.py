"""Noisy clusters: runs found, stale decisions cleared, metrics read or refused by name."""

from __future__ import annotations

import json
import math
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, PlanError, UnknownNameError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.exclusion import METRICS_FILE, auto_exclude, noisy_runs, read_correlations
from napari_slicemap.slices.generate import new_table

if TYPE_CHECKING:
    from pathlib import Path

LOW, FINE = 0.1, 0.8


def correlations(text: str) -> dict[str, float | None]:
    """``"01- 02+ 03?"``: low, fine, unknown."""
    return {word[:-1]: {"-": LOW, "+": FINE, "?": None}[word[-1]] for word in text.split()}


def runs(found: dict[str, float | None], **options: Any) -> list[list[str]]:
    return [list(run.slice_ids) for run in noisy_runs(found, **options)]


# --- runs --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("01+ 02- 03- 04- 05+", [["02", "03", "04"]], id="three in a row"),
        pytest.param("01+ 02- 03- 04+", [], id="two are no cluster"),
        pytest.param("01- 02- 03- 04- 05-", [["01", "02", "03", "04", "05"]], id="all of them"),
        pytest.param("01- 02- 03- 04+ 05- 06- 07-", [["01", "02", "03"], ["05", "06", "07"]], id="two clusters"),
        pytest.param("01- 02- 04- 05-", [], id="a missing id breaks the row"),
        pytest.param("01- 02- 03? 04- 05-", [], id="an unknown correlation breaks the row"),
        pytest.param("12- 10- 11-", [["10", "11", "12"]], id="by number, in whatever order"),
        pytest.param("99- 100- 101-", [["99", "100", "101"]], id="over the hundred"),
        pytest.param("8- 009- 10-", [["8", "009", "10"]], id="however padded"),
        pytest.param("", [], id="none"),
    ],
)
def test_runs(text, expected):
    assert runs(correlations(text)) == expected


@pytest.mark.parametrize(
    ("values", "options", "expected"),
    [
        pytest.param([0.4, 0.4, 0.4], {}, [], id="at the threshold is not below"),
        pytest.param([0.39999, -0.2, -1.0], {}, [["00", "01", "02"]], id="below it"),
        pytest.param([0.5, 0.5, 0.9], {"threshold": 0.6, "min_run": 2}, [["00", "01"]], id="other limits"),
        pytest.param([0.9, 0.1, 0.9], {"min_run": 1}, [["01"]], id="single slices"),
        pytest.param([0.1, math.nan, 0.1, 0.1], {}, [], id="NaN is unknown"),
        pytest.param([0.1, -math.inf, 0.1], {}, [], id="infinity is unknown"),
    ],
)
def test_limits(values, options, expected):
    assert runs({f"{n:02d}": value for n, value in enumerate(values)}, **options) == expected


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"threshold": 1.5}, id="no correlation"),
        pytest.param({"threshold": math.nan}, id="NaN"),
        pytest.param({"min_run": 0}, id="no run"),
    ],
)
def test_limits_that_make_no_sense(options):
    with pytest.raises(PlanError, match="expected"):
        noisy_runs({"00": 0.1}, **options)


@given(
    known=st.dictionaries(st.integers(0, 25), st.sampled_from([LOW, FINE, None]), max_size=25),
    min_run=st.integers(1, 5),
)
def test_runs_are_those_that_a_slow_search_finds(known, min_run):
    def low(number: int) -> bool:
        value = known.get(number)
        return value is not None and value < 0.4

    expected = []
    for first in range(26):
        if low(first) and not low(first - 1):
            last = next(n for n in range(first, 27) if not low(n))
            expected.append([f"{n:02d}" for n in range(first, last)])
    found = runs({f"{number:02d}": value for number, value in known.items()}, min_run=min_run)
    assert found == [run for run in expected if len(run) >= min_run]


# --- the table ---------------------------------------------------------------------------------------------
def excluded(rows: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {one: row["auto_exclude_reason"] for one, row in rows.items() if row["auto_excluded"]}


def test_every_slice_is_decided():
    rows = new_table(["00", "01", "02", "03", "04"])
    found = auto_exclude(rows, correlations("01- 02- 03- 04+"))
    assert excluded(found.rows) == dict.fromkeys(["01", "02", "03"], "noisy cluster (3 consecutive)")
    assert [row["auto_excluded"] for row in found.rows.values()] == [False, True, True, True, False]
    assert (found.cleared, found.unmeasured) == ((), ("00",))
    assert [run.correlations for run in found.runs] == [(LOW, LOW, LOW)]
    others = [{k: v for k, v in row.items() if not k.startswith("auto")} for row in found.rows.values()]
    assert others == [{k: v for k, v in row.items() if not k.startswith("auto")} for row in rows.values()]


def test_again_with_the_same_changes_nothing(tmp_path):
    measured = correlations("01- 02- 03- 04+")
    once = auto_exclude(new_table(["00", "01", "02", "03", "04"]), measured)
    slice_config.write(tmp_path / "once.csv", once.rows)
    twice = auto_exclude(slice_config.read(tmp_path / "once.csv"), measured)
    slice_config.write(tmp_path / "twice.csv", twice.rows)
    assert (tmp_path / "once.csv").read_bytes() == (tmp_path / "twice.csv").read_bytes()
    assert twice.cleared == ()


def test_what_an_earlier_run_decided_is_cleared():
    rows = auto_exclude(new_table(["00", "01", "02", "03"]), correlations("01- 02- 03-")).rows
    found = auto_exclude(rows, correlations("01- 02+ 03?"))
    assert found.cleared == ("01", "02", "03")
    assert excluded(found.rows) == {}
    assert {row["auto_exclude_reason"] for row in found.rows.values()} == {""}
    assert found.unmeasured == ("00", "03")


def test_slices_left_out_by_hand_are_part_of_a_cluster():
    rows = new_table(["01", "02", "03"], exclude=["02"], exclude_first=0)
    found = auto_exclude(rows, correlations("01- 02- 03-"))
    assert list(excluded(found.rows)) == ["01", "02", "03"]
    assert [row["use"] for row in found.rows.values()] == [True, False, True]


def test_ids_match_by_number():
    rows = OrderedDict((one, {"slice_id": one, "use": True}) for one in ("001", "002", "003"))
    assert list(excluded(auto_exclude(rows, correlations("1- 02- 3-")).rows)) == ["001", "002", "003"]


def test_correlations_of_another_run_are_refused():
    with pytest.raises(UnknownNameError, match=r"correlations do not belong to: unknown slice '17'.*there is 00, 01"):
        auto_exclude(new_table(["00", "01"]), {"01": 0.5, "17": 0.5})


# --- the files ---------------------------------------------------------------------------------------------
def metrics(folder: Path, name: str, text: str | float) -> Path:
    path = folder / name / METRICS_FILE
    path.parent.mkdir(parents=True)
    stated = {"step_name": "pairwise_registration", "metrics": {"z_correlation": {"value": text, "unit": None}}}
    path.write_text(text if isinstance(text, str) else json.dumps(stated))
    return path


def test_files_are_read(tmp_path):
    metrics(tmp_path, "slice_z10", 0.5)
    metrics(tmp_path, "slice_z2_to_z01", -0.25)
    metrics(tmp_path, "slice_z03.registered", 1)
    metrics(tmp_path, "slice_z04", math.nan)
    metrics(tmp_path, "slice_z05", '{"metrics": {"z_correlation": {"value": null}, "other": {"value": NaN}}}')
    metrics(tmp_path, "other_z06", 0.5)
    (tmp_path / "slice_z07").mkdir()
    found = read_correlations(tmp_path)
    assert list(found.items()) == [("02", -0.25), ("03", 1.0), ("04", None), ("05", None), ("10", 0.5)]


def test_a_folder_goes_where_numbers_do(tmp_path):
    for number, value in enumerate((0.9, 0.1, 0.2, 0.3, 0.9)):
        metrics(tmp_path, f"slice_z{number:02d}", value)
    rows = new_table([f"{n:02d}" for n in range(5)])
    assert list(excluded(auto_exclude(rows, tmp_path).rows)) == ["01", "02", "03"]
    assert auto_exclude(rows, tmp_path) == auto_exclude(rows, read_correlations(tmp_path))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"metrics"', "no valid JSON", id="cut short"),
        pytest.param("[1]", "no metrics, expected metrics.z_correlation.value to be a number", id="no object"),
        pytest.param("{}", "no metrics,", id="no metrics"),
        pytest.param('{"metrics": {}}', "no metrics.z_correlation,", id="no correlation"),
        pytest.param('{"metrics": {"z_correlation": 0.5}}', "no metrics.z_correlation.value", id="no value"),
        pytest.param(
            '{"metrics": {"z_correlation": {"value": "0.5"}}}',
            "z_correlation.value is '0.5', expected a number",
            id="text",
        ),
        pytest.param('{"metrics": {"z_correlation": {"value": true}}}', "is True, expected a number", id="a yes"),
        pytest.param('{"metrics": {"z_correlation": {"value": 43}}}', "is 43, expected .* from -1 to 1", id="percent"),
        pytest.param('{"metrics": {"z_correlation": {"value": 1e999}}}', "is inf, expected", id="infinity"),
        pytest.param("[" * 100_000, "no valid JSON", id="nested too deeply"),
    ],
)
def test_wrong_files_are_named(tmp_path, text, says):
    metrics(tmp_path, "slice_z01", 0.5)
    path = metrics(tmp_path, "slice_z02", text)
    with pytest.raises(FileFormatError, match=says) as refused:
        read_correlations(tmp_path)
    assert str(path) in str(refused.value)


def test_two_folders_of_a_slice_are_refused(tmp_path):
    metrics(tmp_path, "slice_z01", 0.5)
    metrics(tmp_path, "slice_z01_old", 0.1)
    with pytest.raises(FileFormatError, match=r"slice_z01_old.*slice_z01.*keep one"):
        read_correlations(tmp_path)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        pytest.param("pairs", r"holds no slice_z<NN>\*/.*there is other", id="empty"),
        pytest.param("no", "no such", id="none"),
    ],
)
def test_folders_without_metrics_are_refused(tmp_path, name, says):
    (tmp_path / "pairs" / "other").mkdir(parents=True)
    with pytest.raises(DatasetNotFoundError, match=says):
        read_correlations(tmp_path / name)
