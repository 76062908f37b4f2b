"""The help of commands, from their docstrings."""

from __future__ import annotations

import inspect

import typer


def reflow(app: typer.Typer) -> None:
    """Let the help of every command fill the width of the terminal: rich would keep the docstring's line ends."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.help = reflowed(command.callback.__doc__ or "")


def reflowed(docstring: str) -> str:
    """Join the lines of each paragraph, and make underlined headings bold."""
    made = []
    for paragraph in inspect.cleandoc(docstring).split("\n\n"):
        heading, *rest = paragraph.split("\n", 2)
        if rest and set(rest[0]) == {"-"}:
            made.append(f"[bold]{heading}[/bold]")
            paragraph = rest[1] if len(rest) > 1 else ""
        made += [paragraph.replace("\n", " ")] if paragraph else []
    return "\n\n".join(made)
