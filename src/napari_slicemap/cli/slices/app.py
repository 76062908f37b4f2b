"""The group ``slicemap slices``."""

from __future__ import annotations

import typer

from . import align, auto_exclude, exchange, generate, interpolate, quality, rehoming, report, show, stack, stamping

slices = typer.Typer(
    name="slices",
    no_args_is_help=True,
    rich_markup_mode="rich",
    # the tools that laboratories have spell their options with underscores
    context_settings={
        "help_option_names": ["-h", "--help"],
        "token_normalize_func": lambda token: token.replace("_", "-"),
    },
    help="Decide slice by slice: make the table, score, align, exclude, interpolate, stack, report.\n\n"
    "Every command that stamps the table takes [bold]--config IN[/bold] and writes [bold]OUT[/bold], or changes the "
    "table with [bold]--in-place[/bold]. A chain of them: [bold]generate[/bold] → [bold]quality[/bold] → "
    "[bold]rehoming[/bold] → [bold]align[/bold] → [bold]auto-exclude[/bold] → [bold]interpolate[/bold] → "
    "[bold]finalise[/bold] → [bold]stack[/bold] → [bold]report[/bold].",
)

slices.command("generate")(generate.generate)
slices.command("show")(show.show)
slices.command("diff")(show.diff)
slices.command("stamp")(stamping.stamp)
slices.command("exclude")(stamping.exclude)
slices.command("quality")(quality.quality)
slices.command("rehoming")(rehoming.rehoming)
slices.command("align")(align.align)
slices.command("auto-exclude")(auto_exclude.auto_exclude)
slices.command("interpolate")(interpolate.interpolate)
slices.command("finalise")(interpolate.finalise)
slices.command("stack")(stack.stack)
slices.command("report")(report.report)
slices.command("export")(exchange.export_table)
slices.command("import")(exchange.import_table)
