"""A bar on the terminal while a command works."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Show how much is done, on a terminal only; the bar goes when the work is over.

    Parameters
    ----------
    what : str
        What is being done, such as ``"aligning"``.

    Yields
    ------
    callable
        To be told ``(done, total)``.
    """
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
