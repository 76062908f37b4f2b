"""``slicemap info``: what is in an acquisition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import TileReadError
from .way_in import Grid, Layout, Order, Overlap, PixelSize, Serpentine, StageY, Tiles, stated

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..render.virtual_map import VirtualMap

_MOST_MAPS = 12
"""That have a line of their own in the text; JSON has them all."""


def info(
    path: Annotated[Path, typer.Argument(help="Acquisition folder or file, or slicemap.toml.", show_default=False)],
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
    pixel_size: PixelSize = None,
    stage_y: StageY = None,
    layout: Layout = None,
    tiles: Tiles = None,
    overlap: Overlap = None,
    grid: Grid = None,
    order: Order = None,
    serpentine: Serpentine = False,
) -> None:
    """Say what is in an acquisition, by what it was recognised, and what its files do not state.

    Example: [bold]slicemap info my_acquisition --json[/bold]

    Example: [bold]slicemap info my_tiles --tiles 'tile_{index}.tif' --grid 5x8 --overlap 10%[/bold]
    """
    from ..dataset import open_dataset
    from ..files import to_json

    known = stated(pixel_size, stage_y, layout, tiles, overlap, grid, order, serpentine)
    facts = describe(open_dataset(path, **known))
    typer.echo(to_json(facts) if json else _text(facts))


def describe(dataset: Dataset) -> dict[str, Any]:
    """Gather the facts of a dataset.

    Parameters
    ----------
    dataset : Dataset
        As opened. The first FOV that can be read is opened for its dtype, and each whose pixel size no table states;
        pixels are not read.

    Returns
    -------
    dict
        Fit for JSON.

    Raises
    ------
    TileReadError
        If no FOV can be read; those that cannot, where others can, are among the problems.
    FileFormatError
        If the cell table is wrong.
    """
    cells = dataset.cells
    dtype, sizes, unreadable = _image_facts(dataset)
    return {
        "name": dataset.name,
        "path": dataset.path.resolve(),
        "layout": dataset.layout,
        "recognised": dataset.why,
        "project_file": dataset.file,
        "counts": {
            "slices": len(dataset.slice_ids),
            "maps": len(dataset.maps),
            "fovs": len(dataset.fovs),
            "channels": len(dataset.channels),
            "rois": len(dataset.rois),
            "cells": 0 if cells is None else len(cells),
        },
        "slices": [
            {"id": one, "used": dataset.is_used(one), "why_excluded": dataset.why_excluded(one)}
            for one in dataset.slice_ids
        ],
        "maps": [_map_facts(one, dataset) for one in dataset.maps.values()],
        "fovs": list(dataset.fovs),
        "fovs_without_map": [name for name in dataset.fovs if dataset.map_of(name) is None],
        "channels": list(dataset.channels),
        "dtype": dtype,
        "pixel_size_um": sizes[0] if len(sizes) == 1 else sizes or None,
        "stage_y": dataset.stage_y,
        "masks": sorted({name for fov in dataset.distinct_fovs for name in fov.masks}),
        "annotations": sorted({name for fov in dataset.distinct_fovs for name in fov.annotations}),
        "cell_table": dataset.cells_path,
        "cell_columns": [] if cells is None else list(cells.columns),
        "profiles": dataset.profiles.names,
        "rois": [roi.label for roi in dataset.rois],
        "missing": [asdict(one) for one in dataset.missing],
        "problems": [*dataset.problems, *unreadable],
    }


def _image_facts(dataset: Dataset) -> tuple[str | None, list[float], list[str]]:
    """Give dtype, the different pixel sizes, and what could not be read; that none can is an error."""
    dtype: str | None = None
    sizes: set[float] = set()
    failures: dict[str, TileReadError] = {}
    for fov in dataset.fovs.values():
        try:
            dtype = str(fov.dtype)
            break
        except TileReadError as error:
            failures[fov.name] = error
    if failures and dtype is None:
        raise next(iter(failures.values()))
    for fov in dataset.distinct_fovs:
        try:
            if (size := fov.pixel_size_um) is not None:
                sizes.add(float(f"{size:.9g}"))  # quotients such as 499.2 / 1280 differ in their last digits
        except TileReadError as error:
            failures.setdefault(fov.name, error)
    return dtype, sorted(sizes), [str(failure) for failure in failures.values()]


def _map_facts(one: VirtualMap, dataset: Dataset) -> dict[str, Any]:
    height, width = one.shape
    return {
        "id": one.map_id,
        "slice_id": one.slice_id,
        "fovs": one.fov_names,
        "missing_fovs": [name for name in one.fov_names if name not in dataset.fovs],
        "width_px": width,
        "height_px": height,
        "pixel_size_um": one.base_pixel_size_um(),
        "bounds_um": one.placement.bounds_um,
    }


def _text(facts: dict[str, Any]) -> str:
    counts = facts["counts"]
    size = facts["pixel_size_um"]
    lines = [
        f"{facts['name']}  ({facts['layout']}: {facts['recognised']})",
        _row("slices", counts["slices"], _use(facts["slices"])),
        _row("maps", counts["maps"], ""),
        *_map_lines(facts["maps"]),
        _row("FOVs", counts["fovs"], _without_map(facts)),
        _row("channels", counts["channels"], ", ".join(facts["channels"])),
        _row("dtype", facts["dtype"] or "-", ""),
        _row("pixel size", "unknown" if size is None else size, _size_hint(size)),
        _row("masks", len(facts["masks"]), ", ".join(facts["masks"])),
        _row("annotations", len(facts["annotations"]), ", ".join(facts["annotations"])),
        _row("cells", counts["cells"], str(facts["cell_table"] or "no cell table")),
        _row("profiles", len(facts["profiles"]), ", ".join(facts["profiles"]) or "none; `slicemap init` makes one"),
        _row("ROIs", counts["rois"], ", ".join(facts["rois"][:8])),
        *(f"? {one['what']} is not stated: {one['meanwhile']}; {one['option']} states it" for one in facts["missing"]),
        *(f"! {problem}" for problem in facts["problems"]),
    ]
    return "\n".join(line.rstrip() for line in lines)


def _use(slices: Sequence[dict[str, Any]]) -> str:
    excluded = [f"{one['id']} ({one['why_excluded']})" for one in slices if not one["used"]]
    return f"excluded: {', '.join(excluded)}" if excluded else "all used" if slices else ""


def _row(what: str, value: object, more: str) -> str:
    return f"  {what:<12}{value!s:<8} {more}"


def _map_lines(maps: Sequence[dict[str, Any]]) -> list[str]:
    """Write a line for each map; the rest of a long list in one."""
    lines = [_map_line(one) for one in maps[:_MOST_MAPS]]
    if rest := maps[_MOST_MAPS:]:
        fovs = sum(len(one["fovs"]) for one in rest)
        widths, heights = (sorted(one[side] for one in rest) for side in ("width_px", "height_px"))
        sides = " × ".join(
            f"{low}" if low == high else f"{low}–{high}"
            for low, high in ((widths[0], widths[-1]), (heights[0], heights[-1]))
        )
        gone = sum(len(one["missing_fovs"]) for one in rest)
        missing = f", {gone} FOVs not on disk" if gone else ""
        lines.append(f"    and {len(rest)} more, to {rest[-1]['id']}: {fovs} FOVs, {sides} px{missing}")
    return lines


def _map_line(one: dict[str, Any]) -> str:
    missing = f", not on disk: {', '.join(one['missing_fovs'])}" if one["missing_fovs"] else ""
    count = f"{len(one['fovs'])} FOV{'s' * (len(one['fovs']) != 1)}"
    return f"    {one['id']:<12} {count}, {one['width_px']} × {one['height_px']} px{missing}"


def _without_map(facts: dict[str, Any]) -> str:
    names = facts["fovs_without_map"]
    return f"{len(names)} on no map: {', '.join(names[:5])}" if names else ""


def _size_hint(size: object) -> str:
    if size is None:  # what states it is told beneath, with all else that is missing
        return ""
    return "µm/px" + (" (they differ)" if isinstance(size, list) else "")
