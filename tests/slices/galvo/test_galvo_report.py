"""The report of what was found and decided."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import replace
from functools import partial
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from napari_slicemap.errors import FileFormatError, PlanError, TileReadError
from napari_slicemap.slices import slice_config
from napari_slicemap.slices.diagnostics import write_diagnostics
from napari_slicemap.slices.galvo.decisions import decide, find_returns, stamp_findings
from napari_slicemap.slices.galvo.fixing import plan_fix, run_fix
from napari_slicemap.slices.galvo.record import Applied, read_record, write_record
from napari_slicemap.slices.galvo.report_pictures import band_png
from napari_slicemap.slices.galvo.reporting import write_galvo_report
from napari_slicemap.slices.galvo.tile_slices import TileSlices, find_tile_slices
from oct_slices import FIRST, SHIFT, make_tiles, write_mosaic, write_raw

OUTLINE = (255, 140, 0)
TABLE = "slice_id,use,notes\n01,true,\n02,true,\n03,false,torn <b>\n04,true,\n05,true,\n"


class Page(HTMLParser):
    """The cells of the table, the pictures, and all other text of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.pictures: list[tuple[str, Image.Image]] = []
        self.text = ""
        self._cell = False
        self.feed(path.read_text(encoding="utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._cell = True
        elif tag == "img":
            source = str(dict(attrs)["src"]).removeprefix("data:image/png;base64,")
            self.pictures.append((str(dict(attrs)["alt"]), Image.open(io.BytesIO(base64.b64decode(source)))))

    def handle_endtag(self, tag: str) -> None:
        self._cell = self._cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._cell:
            self.rows[-1][-1] += data
        else:
            self.text += data

    def row(self, slice_id: str) -> dict[str, str]:
        """The cells of a slice that say something, by column."""
        found = next(row for row in self.rows if row[0] == slice_id)
        return {name: cell for name, cell in zip(self.rows[0], found, strict=True) if cell}


@pytest.fixture
def slices(tmp_path: Path) -> TileSlices:
    """Slice 01 has a return, 02 and 03 none, and 04 is background; of 05 there are no tiles."""
    columns = [(0, column) for column in range(3)]
    for slice_id, first, empty in (("01", FIRST, []), ("02", None, []), ("03", None, []), ("04", FIRST, columns)):
        tiles = make_tiles(first, rows=1, columns=3, seed=int(slice_id), empty=empty)
        write_mosaic(tmp_path / "mosaics" / f"mosaic_z{slice_id}.ome.zarr", tiles)
    return find_tile_slices(tmp_path / "mosaics")


@pytest.fixture
def table(tmp_path: Path, slices: TileSlices) -> Path:
    """A table after detection, and after a person asked for a fix of slice 02."""
    path, folder = tmp_path / "slice_config.csv", tmp_path / "diagnostics"
    path.write_text(TABLE, encoding="utf-8")
    rows = slice_config.read(path)
    found = list(find_returns(slices, rows, folder))
    rows = stamp_findings(rows, found)
    records = {one.slice_id: one.record for one in found}
    rows, records["02"] = decide(rows, "02", records["02"], fix=True, shift=7, note="seen", by="Ada")
    records["01"] = records["01"].model_copy(update={"applied": Applied(shift=SHIFT, path="/data/fixed/z01.ome.zarr")})
    for slice_id, record in records.items():
        write_record(folder, slice_id, record)
    slice_config.write(path, rows)
    return path


def test_a_page_says_what_was_found_and_decided(table: Path, slices: TileSlices, tmp_path: Path) -> None:
    out = tmp_path / "pages" / "galvo.html"
    told: list[tuple[int, int]] = []
    made = write_galvo_report(table, out, slices, on_progress=lambda done, total: told.append((done, total)))
    page = Page(out)
    first = page.row("01")
    assert {name: first[name] for name in ("decision", "by", "detection", "tiles that agree", "fixed")} == {
        "decision": "fix",
        "by": "detection",
        "detection": "fix",
        "tiles that agree": "3 of 3",
        "fixed": "by 28: z01.ome.zarr",
    }
    assert first["shift of a fix"] == first["shift found"] == first["likeliest shift"] == "28"
    assert min(float(first[name]) for name in ("confidence", "contrast", "sharpness", "anomaly")) > 0.8
    second = page.row("02")
    assert (second["decision"], second["by"], second["shift of a fix"]) == ("fix", "Ada (override)", "7")
    assert (second["shift found"], second["reviewer's shift"], second["notes"]) == ("0", "7", "seen")
    assert page.row("03")["notes"] == "torn <b>"
    assert page.row("04")["tiles that agree"] == "0 of 0, 3 background"
    assert page.row("05") == {"slice_id": "05"}
    assert "threshold 0.6" in page.text
    assert made.lines == (
        "fix: 01–02",
        "leave: 03–04",
        "not decided: 05",
        "against the detection: 02",
        "fixed: 01",
        "still to fix: 02",
    )
    assert made.notes == ("not looked at: 05", "slice 04: all of its tiles are background")
    assert all(note in page.text for note in made.notes)
    assert told == [(done, 4) for done in range(1, 5)]


def test_each_slice_has_pictures_before_and_after(table: Path, slices: TileSlices, tmp_path: Path) -> None:
    write_galvo_report(table, tmp_path / "galvo.html", slices)
    page = Page(tmp_path / "galvo.html")
    assert [alt for alt, _ in page.pictures] == [*["Slice 01"] * 2, *["Slice 02"] * 2, *["Slice 03, excluded"] * 2]
    before, after = (picture for _, picture in page.pictures[:2])
    # 60 A-lines along x in 96 px, of which 20 to 31 are the return's
    assert outlined(before) == [(32, 50)]
    assert outlined(after) == [(77, 95)]
    assert "rolled by 28" in page.text
    assert "likeliest, rolled by" in page.text


def outlined(picture: Image.Image) -> list[tuple[int, int]]:
    """First and last column of each outlined band."""
    full = (np.asarray(picture) == OUTLINE).all(axis=(0, 2)).nonzero()[0]
    return list(zip(full[::2].tolist(), full[1::2].tolist(), strict=True))


def test_a_band_may_wrap_and_go_down() -> None:
    plane = np.arange(60.0 * 30).reshape(60, 30)
    across = Image.open(io.BytesIO(band_png(plane, 50, 20, along_x=True, side_px=60)))
    assert (across.size, outlined(across)) == ((60, 30), [(0, 9), (50, 59)])
    down = Image.open(io.BytesIO(band_png(plane, 10, 20, along_x=False, side_px=120)))
    assert (down.size, outlined(down.transpose(Image.Transpose.TRANSPOSE))) == ((60, 120), [(20, 59)])


def test_the_twin_is_for_programs(table: Path, slices: TileSlices, tmp_path: Path) -> None:
    write_galvo_report(table, tmp_path / "galvo.html", slices, json_file=tmp_path / "twin.json")
    data = json.loads((tmp_path / "twin.json").read_text(encoding="utf-8"))
    assert data["version"] == 1
    one, two, *_, five = data["slices"]
    assert (one["slice_id"], one["galvo_fix"], one["shift"], one["by"], one["agreeing_tiles"]) == (
        "01",
        True,
        28,
        "detection",
        3,
    )
    assert (two["overridden"], two["shift"], two["record"]["decided_by"]) == (True, 7, "Ada")
    assert (five["galvo_fix"], five["record"]) == (None, None)
    assert not (tmp_path / "galvo.json").exists()


def test_the_same_gives_the_same_bytes(table: Path, slices: TileSlices, tmp_path: Path) -> None:
    written = []
    for name in "ab":
        write_galvo_report(table, tmp_path / name / "galvo.html", slices)
        written.append([(tmp_path / name / file).read_bytes() for file in ("galvo.html", "galvo.json")])
    assert written[0] == written[1]


def test_without_tiles_there_are_no_pictures(table: Path, slices: TileSlices, tmp_path: Path) -> None:
    made = write_galvo_report(table, tmp_path / "galvo.html")
    assert Page(tmp_path / "galvo.html").pictures == []
    assert made.notes == ("not looked at: 05",)
    del slices["02"]
    made = write_galvo_report(table, tmp_path / "galvo.html", slices, force=True)
    assert made.notes[:2] == ("not looked at: 05", "no tiles: 02")


def test_tiles_that_are_not_those_of_the_diagnostics_are_named(table: Path, slices: TileSlices, tmp_path: Path) -> None:
    def lost() -> Any:
        raise TileReadError("tile 0: the disc is gone")

    def changed(slice_id: str, **values: Any) -> None:
        slices[slice_id] = replace(
            slices[slice_id], tiles=tuple(replace(one, **values) for one in slices[slice_id].tiles)
        )

    changed("01", open=lost)
    changed("02", name="of another grid")
    changed("03", open=partial(np.ones, (1, 20, 20)))
    made = write_galvo_report(table, tmp_path / "galvo.html", slices)
    assert made.notes[1] == "slice 01: tile 0: the disc is gone"
    assert made.notes[2].startswith(f"slice 02: {slices['02'].path} has no tile row 0, column ")
    assert made.notes[3].endswith("has 20 A-lines, and the diagnostics say 60")


@pytest.mark.parametrize("kind", ["mosaic", "raw"])
def test_fixed_tiles_are_not_shown_as_if_they_were_scanned_so(
    table: Path, slices: TileSlices, tmp_path: Path, kind: str
) -> None:
    if kind == "raw":
        write_raw(tmp_path / "raw", make_tiles(rows=1, columns=3, seed=1), "01")
        slices = find_tile_slices(tmp_path / "raw")
        record = read_record(tmp_path / "diagnostics", "01")
        assert record is not None
        named = tuple(
            one.model_copy(update={"name": tile.name})
            for one, tile in zip(record.tiles, slices["01"].tiles, strict=True)
        )
        write_record(tmp_path / "diagnostics", "01", record.model_copy(update={"tiles": named}))
    assert not any(note.startswith("slice 01") for note in write_galvo_report(table, tmp_path / "a.html", slices).notes)
    run_fix(plan_fix(slices, {}, {}, only=["01"], shift=SHIFT), tmp_path / "fixed")
    made = write_galvo_report(table, tmp_path / "b.html", find_tile_slices(tmp_path / "fixed"))
    assert [note for note in made.notes if note.startswith("slice 01")] == [
        f"slice 01: the tiles in {find_tile_slices(tmp_path / 'fixed')['01'].path} are fixed already; "
        "name those that they were made of"
    ]


def test_nothing_is_replaced_unless_forced(table: Path, tmp_path: Path) -> None:
    out = tmp_path / "galvo.html"
    write_galvo_report(table, out)
    with pytest.raises(PlanError) as refused:
        write_galvo_report(table, out)
    assert refused.value.faults == [
        f"{out.with_suffix(end)} is there already; --force replaces it" for end in (".html", ".json")
    ]
    write_galvo_report(table, out, force=True)
    with pytest.raises(PlanError, match="slice table itself"):
        write_galvo_report(table, table, force=True)
    with pytest.raises(PlanError, match="both the page and its JSON"):
        write_galvo_report(table, tmp_path / "one.json")
    with pytest.raises(PlanError, match="is a folder"):
        write_galvo_report(table, tmp_path)


def test_diagnostics_that_are_none_are_an_error(table: Path, tmp_path: Path) -> None:
    write_diagnostics(tmp_path / "diagnostics", "05", "galvo", {"shift": "far"})
    with pytest.raises(FileFormatError, match=r"slice_05\.json: galvo"):
        write_galvo_report(table, tmp_path / "galvo.html")
    assert not (tmp_path / "galvo.html").exists()


def test_a_table_without_slices_makes_a_page(tmp_path: Path) -> None:
    table = tmp_path / "empty.csv"
    table.write_text("slice_id,use\n", encoding="utf-8")
    made = write_galvo_report(table, tmp_path / "galvo.html")
    assert made.lines == ()
    assert "0, 0 of them looked at" in Page(tmp_path / "galvo.html").text
    assert read_record(tmp_path / "diagnostics", "01") is None
