"""``slicemap layouts``: what can be opened."""

from __future__ import annotations

import typer


def layouts() -> None:
    """List the layouts that can be opened, in the order in which a folder is held against them.

    [bold]--layout NAME[/bold] takes one, whatever the folder looks like.

    Example: [bold]slicemap layouts[/bold]
    """
    from ..images.readers import readers

    known = readers()
    width = max(map(len, known))
    for name, reader in known.items():
        typer.echo(f"{name:<{width}}  {reader.summary}")
