"""Every odd slice table through the shell: shown, or refused in one line that names file and place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from slices.odd_tables import ACCEPTED, REFUSED

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import Shell


def written(folder: Path, text: str | bytes) -> Path:
    path = folder / "slice_config.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted(slicemap: Shell, tmp_path: Path, name: str) -> None:
    text, rows = ACCEPTED[name]
    code, out, err = slicemap("slices", "show", written(tmp_path, text))
    used = sum(row["use"] for row in rows)
    assert code == 0, err
    assert f"used: {used} of {len(rows)} slices" in out
    assert re.findall(r"^(\d+) ", out, re.MULTILINE) == [row["slice_id"] for row in rows]


@pytest.mark.parametrize("name", REFUSED)
def test_refused(slicemap: Shell, tmp_path: Path, name: str) -> None:
    text, message = REFUSED[name]
    path = written(tmp_path, text)
    code, out, err = slicemap("slices", "show", path)
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert err.startswith(f"slicemap: {path}")
    assert re.search(message, err)
    assert re.search(r"line \d|header|the file is empty", err), "it is not said where"


STAMPING = [
    pytest.param(("stamp", "--slice", "0", "--note", "x"), id="stamp"),
    pytest.param(("exclude", "0"), id="exclude"),
    pytest.param(("finalise", "."), id="finalise"),
]


@pytest.mark.parametrize("words", STAMPING)
@pytest.mark.parametrize("name", ["semicolons", "Latin-1", "id twice", "use unknown", "short row", "empty file"])
def test_a_refused_table_is_not_written_over(
    slicemap: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = written(tmp_path, REFUSED[name][0])
    before = path.read_bytes()
    code, out, err = slicemap("slices", *words, "--config", path, "--in-place")
    assert (code, out) == (2, "")
    assert re.search(REFUSED[name][1], err)
    assert path.read_bytes() == before
    assert not path.with_name("slice_config.audit.csv").exists()


def test_a_table_of_100_000_rows(slicemap: Shell, tmp_path: Path) -> None:
    lines = [f"{n:02d},{'false' if n % 1000 == 7 else 'true'},note {n}" for n in range(100_000)]
    path = written(tmp_path, "\n".join(["slice_id,use,notes", *lines]))
    code, out, err = slicemap("slices", "show", path, "--excluded")
    assert code == 0, err
    assert "used: 99900 of 100000 slices" in out
    assert "99007" in out
    path = written(tmp_path, "\n".join(["slice_id,use,notes", *lines, "100000,true"]))
    code, out, err = slicemap("slices", "show", path)
    assert (code, out) == (2, "")
    assert f"{path}, line 100002: 2 cells, expected 3" in err
