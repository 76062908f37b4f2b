"""``slicemap process``: the frames of a stack, processed and written as data and as an animation."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from .lengths import length_in

if TYPE_CHECKING:
    from ..export.running.runner import ExportResult
    from ..images.stack.processing import ProcessingStep, Progress


# --- the words of the command line --------------------------------------------------------------------------------
class ProcessCommand(TyperCommand):
    """Takes several names after one ``--export``, as in ``--export tif npz h5``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the words of the command line."""
        return super().parse_args(ctx, gathered(args))


def gathered(words: Sequence[str]) -> list[str]:
    """Join the names that follow ``--export`` by commas: up to the next option, or to what can only be a file."""
    made: list[str] = []
    rest = list(words)
    while rest and rest[0] != "--":
        word = rest.pop(0)
        if word == "--export" or word.startswith("--export="):
            names = [word.removeprefix("--export").removeprefix("=")]
            while rest and not rest[0].startswith("-") and not any(sign in rest[0] for sign in (".", "/", os.sep)):
                names.append(rest.pop(0))
            word = f"--export={','.join(filter(None, names))}"
        made.append(word)
    return made + rest


def _list_steps(wanted: bool) -> None:
    if wanted:
        typer.echo(steps_table())
        raise typer.Exit


def steps_table() -> str:
    """Write the processing steps that there are, with their parameters, as text."""
    from ..images.stack.steps import steps

    lines = []
    for step in steps().values():
        lines.append(f"{step.name:<22}{step.step_type:<8}{step.summary}")
        for name, field in step.Parameters.model_fields.items():
            lines.append(f"    {f'{name}={field.default}':<26}{field.description or ''}")
    return "\n".join(lines)


def process(
    input: Annotated[  # noqa: A002
        Path, typer.Argument(help="Stack: .h5-jpk, .npz, .h5, .ome.tif …", show_default=False)
    ],
    processing: Annotated[
        str, typer.Option(help="Steps, such as 'remove_plane; gaussian_filter:sigma=2.0'.", show_default=False)
    ] = "",
    processing_file: Annotated[Path | None, typer.Option(help="Steps from a .toml or .json file instead.")] = None,
    export: Annotated[
        list[str] | None,
        typer.Option(help="Data formats: tif, npz, h5. Separate names by spaces or commas.", metavar="NAMES"),
    ] = None,
    make_gif: Annotated[bool, typer.Option("--make-gif", help="Write an animated GIF, too.")] = False,
    output_folder: Annotated[Path, typer.Option("--output-folder", "-o", help="Where to.")] = Path("output"),
    output_name: Annotated[str, typer.Option(help="Stem of the files; that of the input if not given.")] = "",
    channel: Annotated[str, typer.Option(help="Which channel of the input; its topography if not given.")] = "",
    scale_bar_nm: Annotated[
        float,
        typer.Option(
            help="GIF: length of the scale bar, nm or with its unit; 0: none.",
            parser=length_in("nm"),
            metavar="LENGTH",
        ),
    ] = 100,
    zmin: Annotated[str, typer.Option(help="GIF: value shown darkest: a number, auto, p1.")] = "auto",
    zmax: Annotated[str, typer.Option(help="GIF: value shown brightest: a number, auto, p99.")] = "auto",
    fps: Annotated[
        float | None, typer.Option(help="GIF: frames per second; the real times of the frames if not given.")
    ] = None,
    cmap: Annotated[str, typer.Option(help="GIF: colour map.")] = "afmhot",
    timestamps: Annotated[bool, typer.Option("--timestamps/--no-timestamps", help="GIF: draw the times.")] = True,
    raw: Annotated[
        bool, typer.Option("--raw", help="Write the frames as they were before any step; no step is run.")
    ] = False,
    overwrite: Annotated[str, typer.Option(help="Files that are there: refuse, overwrite or rename.")] = "refuse",
    json: Annotated[bool, typer.Option("--json", help="Print results as JSON.")] = False,
    list_steps: Annotated[
        bool, typer.Option("--list-steps", callback=_list_steps, is_eager=True, help="Print the steps and exit.")
    ] = False,
) -> None:
    """Process the frames of a stack, and write them as data (OME-TIFF, NPZ, HDF5) and as an animated GIF.

    Steps run in order; a mask step leaves px out of what later steps measure, until `clear`.

    The same steps on the same data give the same bytes; the record beside each file says when each step was done.

    Examples
    --------
    [bold]slicemap process scan.h5-jpk --processing "remove_plane; row_median_align" --export tif npz[/bold]

    [bold]slicemap process scan.npz --processing "gaussian_filter:sigma=2.0" --make-gif --zmin p1 --zmax p99[/bold]

    [bold]slicemap process --list-steps[/bold]
    """
    from ..errors import PlanError
    from ..export.stacks.process import prepare, run
    from ..export.stacks.process_plan import ProcessPlan

    faults: list[str] = []
    steps = _steps(processing, processing_file, faults)
    formats = _formats(export, make_gif, faults)
    style = {"scale_bar_nm": scale_bar_nm, "zmin": zmin, "zmax": zmax, "draw_ts": timestamps, "fps": fps, "cmap": cmap}
    data = {
        "source": input,
        "channel": channel,
        "processing": steps,
        "formats": formats,
        "output_folder": output_folder,
        "output_name": output_name,
        "raw": raw,
        "overwrite": overwrite,
        "gif": style,
    }
    try:
        plan = ProcessPlan.of(data)
    except PlanError as error:
        raise PlanError([*faults, *error.faults]) from None
    prepared = prepare(plan, faults)
    with _progress() as tell:
        results = run(prepared, on_progress=tell)
    _say(results, json)


def _steps(text: str, file: Path | None, faults: list[str]) -> list[ProcessingStep]:
    from ..errors import PlanError, SlicemapError
    from ..images.stack.processing import parse_processing, read_processing

    if text and file is not None:
        faults.append("--processing and --processing-file are given; use one of them")
        return []
    try:
        if file is not None:
            return read_processing(file)
        return parse_processing(text) if text else []
    except PlanError as error:
        faults += error.faults
    except (SlicemapError, OSError) as error:
        faults.append(str(error))
    return []


def _formats(export: Sequence[str] | None, make_gif: bool, faults: list[str]) -> list[str]:
    """Give the formats; where they are wrong, one that is right, so that the other options are checked, too."""
    from ..export.stacks.bundles import bundle_formats
    from .plan_options import split

    names = [{"hdf5": "h5"}.get(name, name) for name in split(export or [])]
    made = ["gif"] * make_gif
    try:
        made = [*bundle_formats(names), *made]
    except ValueError as error:
        faults.append(f"--export: {error}")
    else:
        if not names and (export or not make_gif):
            faults.append("nothing to write; use --export with tif, npz or h5, or --make-gif")
    return made or ["npz"]


# --- saying how it goes -------------------------------------------------------------------------------------------
@contextmanager
def _progress() -> Iterator[Callable[[Progress], None]]:
    """Show a progress bar on a terminal; a line for each step elsewhere."""
    from rich.console import Console
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    with Bar(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("processing", total=None)

        def tell(progress: Progress) -> None:
            done = (progress.place - 1) * progress.frames + progress.frame
            bar.update(task, description=progress.name, completed=done, total=progress.steps * progress.frames)
            if progress.frame == progress.frames and not console.is_terminal:
                typer.echo(f"step {progress.step} {progress.name}: done", err=True)

        yield tell


def _say(results: Sequence[ExportResult], as_json: bool) -> None:
    from ..files import to_json

    failed = sum(not result.ok for result in results)
    counts = {"ok": len(results) - failed, "failed": failed}
    if as_json:
        typer.echo(to_json({"counts": counts, "results": [_row(result) for result in results]}))
    else:
        for result in results:
            if result.ok:
                typer.echo(f"wrote {result.output_path}")
            else:
                typer.echo(f"failed {result.output_path}: {result.error}", err=True)
        for warning in dict.fromkeys(text for result in results for text in result.metadata.get("warnings", [])):
            typer.echo(f"  note: {warning}", err=True)
        typer.echo(f"{counts['ok']} written, {failed} failed")
    if failed:
        raise typer.Exit(1)


def _row(result: ExportResult) -> dict[str, Any]:
    return {
        "item_id": result.item_id,
        "ok": result.ok,
        "output": result.output_path,
        "error": result.error,
        "warnings": result.metadata.get("warnings", []),
        "seconds": round(result.seconds, 3),
        "bytes": result.bytes,
    }
