"""Texts from templates: the same values give the same text, and what is not given is an error."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment, Template


def template(path: Path) -> Template:
    """Open a template; text put into it is escaped, and ``px`` writes a length.

    Parameters
    ----------
    path : Path
        The file, with others that it includes beside it.
    """
    return _environment(path.parent).get_template(path.name)


@cache
def _environment(folder: Path) -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    made = Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals["px"] = _px
    return made


def _px(length: float) -> str:
    """Write a length to a tenth of a px, without digits that say nothing."""
    return f"{length:.1f}".removesuffix(".0")
