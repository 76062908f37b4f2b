"""The group ``slicemap galvo``."""

from __future__ import annotations

import typer

from . import decide, detect, evaluate, fix, report

galvo = typer.Typer(
    name="galvo",
    no_args_is_help=True,
    rich_markup_mode="rich",
    # the tools that laboratories have spell their options with underscores
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
    help="Find the mirror's return in the tiles of a scanner, decide, and move it to where it is cut off.\n\n"
    "[bold]detect[/bold] looks at some tiles of each slice and stamps the slice table; [bold]decide[/bold] is a "
    "person's word, which stays; [bold]fix[/bold] writes new tiles as the table says, and [bold]undo[/bold] takes "
    "that back, byte for byte; [bold]report[/bold] is a page to look at; [bold]evaluate[/bold] measures how far all "
    "this can be trusted.",
)

galvo.command("detect")(detect.detect)
galvo.command("decide")(decide.decide)
galvo.command("fix")(fix.fix)
galvo.command("undo")(fix.undo)
galvo.command("report")(report.report)
galvo.command("evaluate")(evaluate.evaluate)
