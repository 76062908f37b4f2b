"""The help of commands."""

from __future__ import annotations

from napari_slicemap.cli.help_text import reflowed


def test_lines_of_a_paragraph_are_joined_and_headings_are_bold() -> None:
    doc = """Say one thing.

    It goes on
    and on.

    Examples
    --------
    [bold]slicemap x[/bold]

    [bold]slicemap y[/bold]
    """
    assert reflowed(doc).split("\n\n") == [
        "Say one thing.",
        "It goes on and on.",
        "[bold]Examples[/bold]",
        "[bold]slicemap x[/bold]",
        "[bold]slicemap y[/bold]",
    ]
