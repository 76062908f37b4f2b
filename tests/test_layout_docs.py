"""``docs/layouts.md``: it tells of every layout, and each folder tree in it is recognised as what it is shown for."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from napari_slicemap.images.readers import find_reader, readers

PAGE = (Path(__file__).parent.parent / "docs" / "layouts.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## ([a-z-]+)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))

_IMAGE = {"multiscales": [{"axes": [], "datasets": []}]}
_PLATE = {"plate": {"wells": [{"path": "B/3"}]}}
_WELL = {"well": {"images": [{"path": "0"}, {"path": "1"}]}}
OME = {
    "image.ome.zarr/zarr.json": _IMAGE,
    "images/a.zarr/zarr.json": _IMAGE,
    "images/b.zarr/zarr.json": _IMAGE,
    "collection.zarr/zarr.json": {"bioformats2raw.layout": 3},
    "collection.zarr/OME/zarr.json": {"series": ["0", "1"]},
    "plate.zarr/zarr.json": _PLATE,
    "plate.zarr/B/3/zarr.json": _WELL,
}
"""What the groups of the trees say of themselves; the others say nothing."""


def trees(section: str) -> dict[str, list[str]]:
    """Read the folder trees of a section: the folder at the top of each → paths below it, folders with a slash."""
    made: dict[str, list[str]] = {}
    for block in re.findall(r"^```\n(.*?)^```", section, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            if re.fullmatch(r"\S+/", line):
                made[line.rstrip("/")] = own = []
            elif re.fullmatch(r"  \S+", line):
                own.append(line.strip())
    return made


CASES = [
    pytest.param(layout, top, paths, id=f"{layout} {top}")
    for layout, section in SECTIONS.items()
    for top, paths in trees(section).items()
]


@pytest.mark.parametrize(("layout", "top", "paths"), CASES)
def test_a_tree_is_recognised_as_its_layout(tmp_path: Path, layout: str, top: str, paths: list[str]) -> None:
    for path in paths:
        _make(tmp_path / top / path, OME.get(f"{top}/{path}", {}))
    reader, why = find_reader(tmp_path / top)
    assert reader.name == layout, why


def _make(path: Path, ome: dict[str, Any]) -> None:
    """Make a file that is empty, or a group of Zarr; of a folder alone, such a group in it."""
    if path.suffix == ".zarr":
        path /= "zarr.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    group = {"zarr_format": 3, "node_type": "group", "attributes": {"ome": ome}}
    path.write_text(json.dumps(group) if path.name == "zarr.json" else "")


def test_every_layout_has_a_row_in_both_tables_and_a_tree() -> None:
    names = sorted(readers())
    tables = re.findall(r"^\| layout \|.*?\n\|[-|]+\n(.*?)\n\n", PAGE, re.MULTILINE | re.DOTALL)
    assert len(tables) == 2
    for table in tables:
        assert sorted(re.findall(r"^\| \[?`([a-z-]+)`", table, re.MULTILINE)) == names
    assert sorted({case.values[0] for case in CASES}) == names


def test_the_command_lists_the_layouts_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    from napari_slicemap.cli.layouts import layouts

    layouts()
    told = [line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()]
    assert told == [[name, reader.summary] for name, reader in readers().items()]
