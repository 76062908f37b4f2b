"""``slicemap slices export`` and ``import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Shell

TABLE = "slice_id,use,auto_excluded,notes\n00,false,,first\n01,true,true,\n02,true,,\n"


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "slice_config.csv"
    path.write_text(TABLE)
    return path


def test_out_and_in_again(slicemap: Shell, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    assert slicemap("slices", "export", table, out)[:2] == (0, f"3 slices, 1 used, written to {out}\n")
    assert out.read_text() == "slice_id,use\n00,false\n01,false\n02,true\n"
    assert slicemap("slices", "export", table, out)[0] == 2
    assert slicemap("slices", "export", table, table, "--force")[0] == 2
    slicemap("slices", "export", table, out, "--used-only", "--columns", "notes", "--force")
    assert out.read_text() == "slice_id,use,notes\n02,true,\n"
    out.write_text("slice_id,use\n2,false\n")
    code, said, _ = slicemap("slices", "import", out, "--config", table, "--in-place")
    assert code == 0
    assert "slice 02: use true → false" in said
    assert table.read_text() == TABLE.replace("02,true", "02,false")
    assert "02,use,true,false,slicemap slices import" in table.with_name("slice_config.audit.csv").read_text()


def test_of_an_acquisition(slicemap: Shell, own: Path, tmp_path: Path) -> None:
    out = tmp_path / "p.csv"
    assert slicemap("slices", "export", own, out)[0] == 0
    assert out.read_text() == "slice_id,use\n07,true\n08,true\n09,false\n"
    (own / "slice_config.csv").unlink()
    code, said, err = slicemap("slices", "export", own, out, "--force")
    assert (code, said) == (0, f"3 slices, 3 used, written to {out}\n")
    assert "has no slice table; all its slices are used" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(("--columns", "colour"), "p.csv: unknown column 'colour'", id="column"),
        pytest.param((), "unknown slice '07' (there is 00, 01, 02); --add appends it", id="slice"),
    ],
)
def test_what_cannot_be_taken_is_told(
    slicemap: Shell, table: Path, tmp_path: Path, words: tuple[str, ...], message: str
) -> None:
    other = tmp_path / "p.csv"
    other.write_text("slice_id,use\n07,false\n")
    code, _, err = slicemap("slices", "import", other, "--config", table, "--in-place", *words)
    assert code == 2
    assert message in err
    assert table.read_text() == TABLE
