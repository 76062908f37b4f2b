"""``slicemap register``: where tiles lie, refined from what they show where they overlap."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .way_in import Grid, Layout, Order, Overlap, PixelSize, Serpentine, StageY, Tiles, stated

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..maps.registration import Registration


def register(
    path: Annotated[Path, typer.Argument(help="Acquisition folder or file, or slicemap.toml.", show_default=False)],
    project_folder: Annotated[
        Path,
        typer.Option("--project-folder", "-o", help="Where the refined positions go; the acquisition stays as it is."),
    ],
    channel: Annotated[
        str | None, typer.Option(help="What is compared; the first channel if not given.", show_default=False)
    ] = None,
    t: Annotated[int, typer.Option(help="Time point that is compared.", min=0)] = 0,
    z: Annotated[str, typer.Option(help="Plane that is compared: a number, max or mean.")] = "0",
    max_shift: Annotated[
        str | None,
        typer.Option(
            "--max-shift",
            help="How far two neighbours may be off, such as 20um or 30px; as far as they overlap if not given.",
        ),
    ] = None,
    maps: Annotated[
        list[str] | None, typer.Option(help="Which maps, separated by commas; all of them if not given.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Pairs compared at a time; one for each core, up to 8, if not given.", min=1)
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and write nothing.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace descriptors and a project file that are there.")
    ] = False,
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
    """Refine where tiles lie from what neighbours show where they overlap.

    Neighbours are compared at every shift that is allowed; pairs that fit much better at one shift than at any other
    are trusted, and the places of all tiles follow from them. The project folder gets slicemap.toml, a descriptor of
    each map, and registration.csv with what was found for each pair; open it in the place of the acquisition.
    If nothing can be refined, nothing is written, and the exit code is 1.

    Example: [bold]slicemap register my_run --project-folder refined --max-shift 20um[/bold]

    Example: [bold]slicemap register my_tiles -o refined --tiles 'tile_{index}.tif' --grid 5x8 --overlap 10%[/bold]
    """
    from ..dataset import open_dataset
    from ..errors import PlanError
    from ..maps.registration import register_map
    from ..registered import RegisteredProject
    from .plan_options import split
    from .slices.progress import progress

    known = stated(pixel_size, stage_y, layout, tiles, overlap, grid, order, serpentine)
    dataset = open_dataset(path, **known)
    target = RegisteredProject(dataset, project_folder, force=force)
    plane: Any = z if z in ("max", "mean") else int(z) if z.isdecimal() else None
    if plane is None:
        raise PlanError([f"--z is {z!r}; write the number of a plane, max or mean"])
    found: dict[str, Registration] = {}
    for map_id in split(maps) if maps else dataset.maps:
        one = dataset.maps[map_id]
        shift = None if max_shift is None else _in_px(max_shift, map_id, one.base_pixel_size_um())
        with progress(f"map {map_id}") as tell:
            found[map_id] = register_map(
                one.placement,
                dataset.positions[map_id],
                channel=channel,
                t=t,
                z=plane,
                max_shift_px=shift,
                workers=workers or min(8, os.cpu_count() or 1),
                on_progress=tell,
            )
    refined = any(one.refined for one in found.values())
    written = target.write(found) if refined and not dry_run else []
    _say(dataset, found, written, json, dry_run)
    if not refined:
        raise typer.Exit(1)


def _in_px(text: str, map_id: str, pixel_size_um: float | None) -> float:
    """Read a length in px, or in µm as anywhere else.

    Raises
    ------
    PlanError
        If it is no length above 0, or is in µm and the map has no pixel size.
    """
    from ..errors import PlanError
    from ..units import length_um

    number = text.strip().removesuffix("px")
    try:
        if number != text.strip():
            shift = float(number)
        else:
            shift = length_um(text) / pixel_size_um if pixel_size_um else float("nan")
    except ValueError:
        raise PlanError([f"--max-shift is {text!r}; write a length such as 20um or 30px"]) from None
    if shift != shift:
        raise PlanError([f"--max-shift is {text!r}, but map {map_id} has no pixel size; write it in px, such as 30px"])
    if not 0 < shift < float("inf"):
        raise PlanError([f"--max-shift is {text!r}; expected more than 0"])
    return shift


def _say(
    dataset: Dataset, found: Mapping[str, Registration], written: list[Path], as_json: bool, dry_run: bool
) -> None:
    from ..files import to_json

    if as_json:
        facts = [_facts(one) for one in found.values()]
        typer.echo(to_json({"maps": facts, "written": [file.as_posix() for file in written]}))
    else:
        for line in _text(found):
            typer.echo(line)
    for one in found.values():
        for problem in one.problems:
            typer.echo(f"! {problem}", err=True)
    if not any(one.refined for one in found.values()):
        typer.echo("nothing could be refined; nothing was written", err=True)
        # neighbours that were taken to lie elsewhere have nothing in common
        for lacking in dataset.missing:
            if lacking.field != "pixel_size_um" and any(one.pairs for one in found.values()):
                typer.echo(f"? {lacking.what} is not stated: {lacking.meanwhile}; {lacking.option} states it", err=True)
    elif dry_run:
        typer.echo("dry run: nothing was written", err=True)
    else:
        moved = {map_id for map_id, one in found.items() if one.refined}
        if any(roi.map_id in moved for roi in dataset.rois if not roi.fov):
            typer.echo("note: ROIs on maps stay where they are, while tiles under them have moved", err=True)
        typer.echo(f"written: {written[-1]}", err=True)


def _text(found: Mapping[str, Registration]) -> Iterator[str]:
    """Tell of each map that has something to compare, and of all others in one line."""
    from ..errors import listing

    for one in found.values():
        if one.pairs:
            yield from _lines(one)
    if alone := [one.map_id for one in found.values() if not one.pairs]:
        maps, they = ("map", "it is") if len(alone) == 1 else ("maps", "they are")
        yield f"{maps} {listing(alone, 6)}: no two tiles overlap by enough to be compared; left as {they}"


def _lines(one: Registration) -> list[str]:
    from ..errors import listing

    moved = "left as it is"
    if one.refined:
        moved = f"tiles moved by {one.median_move_px:.1f} px (median), {one.largest_move_px:.1f} px at most"
        moved += f"; pairs agree to {one.rms_px:.2f} px"
    lines = [f"map {one.map_id}: {len(one.trusted)} of {len(one.pairs)} pairs trusted; {moved}"]
    if one.refined and one.stayed:
        lines.append(f"  placed by their neighbours only: {listing(one.stayed)}")
    if len(one.trusted) < len(one.pairs) / 2:
        lines.append(
            "  most pairs are not trusted: do tiles lie about where files (or --grid, --order, --serpentine) put them?"
        )
    return lines


def _facts(one: Registration) -> dict[str, Any]:
    return {
        "id": one.map_id,
        "refined": one.refined,
        "pairs": len(one.pairs),
        "trusted_pairs": len(one.trusted),
        "rms_px": one.rms_px,
        "median_move_px": one.median_move_px,
        "largest_move_px": one.largest_move_px,
        "stayed": one.stayed,
        "problems": one.problems,
    }
