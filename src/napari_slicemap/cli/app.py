"""The ``slicemap`` command: puts the groups together and says errors in one line."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..errors import PlanError, SlicemapError
from . import convert, export, info, init, layouts, levels, process, register, sample, view
from .galvo import galvo
from .help_text import reflow
from .profiles import profiles
from .rois import rois
from .slices import slices

app = typer.Typer(
    name="slicemap",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="See the tiles of an acquisition as maps, and hand out figures that can be repeated.\n\n"
    "First steps: [bold]slicemap sample DIR[/bold] makes a small acquisition to try, "
    "[bold]slicemap layouts[/bold] lists what can be opened, "
    "[bold]slicemap info DIR[/bold] says what is in it, [bold]slicemap view DIR[/bold] shows it in napari, "
    "[bold]slicemap export DIR --maps all[/bold] writes pictures.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"slicemap {version('napari-slicemap')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Take the options of the command as a whole."""


app.command("info")(info.info)
app.command("init")(init.init)
app.command("layouts")(layouts.layouts)
app.command("export")(export.export)
app.command("convert")(convert.convert)
app.command("process", cls=process.ProcessCommand)(process.process)
app.command("levels")(levels.levels)
app.command("register")(register.register)
app.add_typer(slices)
app.add_typer(galvo)
app.add_typer(rois)
app.add_typer(profiles)
app.command("view")(view.view)
app.command("sample")(sample.sample)
reflow(app)
reflow(slices)
reflow(galvo)
reflow(rois)
reflow(profiles)


_INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def main() -> None:
    """Run ``slicemap``: exit code 0 if all is done, 1 if some items failed, 2 if the request was wrong."""
    try:
        app()
    except SystemExit as end:
        if end.code == _INTERRUPTED:
            _say("interrupted")
        raise
    except PlanError as error:
        for fault in error.faults:
            _say(fault)
        raise SystemExit(2) from None
    except (SlicemapError, OSError) as error:
        _say(_in_words(error))
        raise SystemExit(2) from None


def _in_words(error: SlicemapError | OSError) -> str:
    """Say which file the system refused, and why; errors of our own say it themselves."""
    if isinstance(error, SlicemapError) or not error.strerror:
        return str(error)
    # of a rename, the second name is the one that was asked for
    named = error.filename if error.filename2 is None else error.filename2
    if named is None:
        return error.strerror
    path = Path(str(named))
    # a temporary file is nothing that was asked for
    place = path.parent if path.name.startswith(".slicemap-") else path
    return f"{place}: {error.strerror[0].lower()}{error.strerror[1:]}"


def _say(fault: str) -> None:
    """Print one line of error, even where the reader of our output has gone."""
    try:
        print(f"slicemap: {' '.join(fault.split())}", file=sys.stderr)  # noqa: T201
    except BrokenPipeError:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115, PTH123
