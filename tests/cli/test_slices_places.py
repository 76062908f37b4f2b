"""``slicemap slices``: what is read is never written over, and where nothing can be written is said before the work."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from builders import write_ome_zarr
from napari_slicemap.slices.places import why_no_file, why_no_folder

Shell = Callable[..., tuple[int, str, str]]
SHIFTS = "fixed_id,moving_id,x_shift_mm,y_shift_mm\n0,1,0.01,0\n1,2,0.02,0\n2,3,0.01,0\n"
TABLE = "slice_id,use\n00,true\n"
FRAGMENT = (
    "slice_id,method,method_used,fallback_reason,interpolation_failed,output_path\n02,zmorph,,low_overlap_ncc,true,\n"
)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    texts = {"shifts_xy.csv": SHIFTS, "t.csv": TABLE, "slice_z02_manifest.csv": FRAGMENT, "file.txt": "somebody's\n"}
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "folder").mkdir()
    pixels = np.random.default_rng(1).integers(0, 999, (2, 24, 24), "uint16")
    for slice_id in ("00", "01", "02"):
        write_ome_zarr(tmp_path / "mosaics" / f"m_z{slice_id}.ome.zarr", pixels, axes="zyx", pixel_size=(10.0, 10.0))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes | None]:
    """All that is there, but for locks."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.suffix != ".lock"
    }


REFUSED = {
    "a table over the shifts it is made of": (
        "generate shifts_xy.csv shifts_xy.csv --force",
        "shifts_xy.csv is read by this command; name another file for the slice table",
    ),
    "a table over the shifts to correct": (
        "rehoming shifts_xy.csv ./folder/../shifts_xy.csv --force",
        "shifts_xy.csv is read by this command; name another file for the slice table",
    ),
    "a table over a fragment": (
        "finalise slice_z02_manifest.csv slice_z02_manifest.csv -c t.csv --force",
        "slice_z02_manifest.csv is read by this command; name another file for the slice table",
    ),
    "shifts over a folder": (
        "rehoming shifts_xy.csv r.csv --shifts-out folder --force",
        "folder is a folder, expected",
    ),
    "a report over a folder": (
        "rehoming shifts_xy.csv r.csv --report folder --force",
        "folder is a folder, expected a",
    ),
    "a report in a file": ("rehoming shifts_xy.csv r.csv --report file.txt/r.json", "file.txt is a file, expected a"),
    "scores in a file": ("quality mosaics q.csv --diagnostics file.txt", "file.txt is a file, expected a folder"),
    "a page in a file": ("quality mosaics q.csv --report file.txt/deep", "file.txt is a file, expected a folder"),
    "a table in a file": ("generate mosaics file.txt/deep/t.csv", "file.txt is a file, expected a folder"),
    "a file for a folder": ("quality t.csv q.csv", "t.csv: it is a file, expected a folder"),
    "a table that is not there": ("show gone.csv", "gone.csv: no such file or directory"),
    "a folder in a file": ("align mosaics shifts_xy.csv file.txt/out", "file.txt/out: not a directory"),
}


@pytest.mark.parametrize(("words", "message"), REFUSED.values(), ids=REFUSED)
def test_nothing_is_written(slicemap: Shell, folder: Path, words: str, message: str) -> None:
    before = contents(folder)
    code, out, err = slicemap("slices", *words.split())
    assert (code, out) == (2, "")
    [line] = [one for one in err.splitlines() if "graphics card" not in one]
    assert line.startswith("slicemap: ")
    assert message in line
    assert contents(folder) == before


def test_places_that_are_there_or_can_be_made(folder: Path) -> None:
    for place in ("folder", "new", "new/deep"):
        assert why_no_folder(Path(place)) == ""
    for place in ("file.txt", "new.txt", "folder/new.txt", "new/deep.txt"):
        assert why_no_file(Path(place)) == ""


def test_an_id_of_very_many_digits_is_refused(slicemap: Shell, folder: Path) -> None:
    (folder / "long.csv").write_text(f"slice_id,use\n{'9' * 5000},true\n")
    (folder / "long_shifts.csv").write_text(SHIFTS + f"3,{'9' * 5000},0.01,0\n")
    for words in (("show", "long.csv"), ("generate", "mosaics", "g.csv", "--exclude", "9" * 19)):
        code, _, err = slicemap("slices", *words)
        assert (code, "expected no more than 18 digits" in err) == (2, True)
    code, _, err = slicemap("slices", "generate", "long_shifts.csv", "g.csv")
    assert (code, "long_shifts.csv, line 5: moving_id: " in err) == (2, True)
    assert not (folder / "g.csv").exists()


def test_slices_that_are_not_stamped_are_told_in_short(slicemap: Shell, folder: Path) -> None:
    code, _, err = slicemap("slices", "rehoming", "shifts_xy.csv", "r.csv", "-c", "t.csv")
    assert code == 0
    assert "not in the table, so not stamped: slice 01–03\n" in err


def test_a_disk_that_is_full_is_told_with_the_folder(
    slicemap: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(folder / ".slicemap-0123.zarr"))

    before = contents(folder)
    monkeypatch.setattr("napari_slicemap.slices.stacking.stack.write_ome_zarr", full)
    code, out, err = slicemap("slices", "stack", "mosaics", "s.ome.zarr")
    assert (code, out, err) == (2, "", f"slicemap: {folder}: no space left on device\n")
    assert contents(folder) == before


def test_an_interruption_is_one_line(slicemap: Shell, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = contents(folder)
    monkeypatch.setattr("napari_slicemap.slices.quality.scan_quality", interrupted)
    code, out, err = slicemap("slices", "quality", "mosaics", "q.csv")
    assert (code, out, err.splitlines()[-1]) == (130, "", "slicemap: interrupted")
    assert contents(folder) == before


def test_an_interruption_before_the_work_is_one_line(slicemap: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_slicemap.cli.app.main", interrupted)
    assert slicemap("slices", "show", "t.csv") == (130, "", "slicemap: interrupted\n")
