"""Lengths on the command line: a number in the option's own unit, or text with a unit."""

from __future__ import annotations

from collections.abc import Callable

import typer

_UM = {"nm": 1e-3, "µm": 1.0, "mm": 1e3}


def length_in(unit: str) -> Callable[[str | float], float]:
    """Give what reads a length for an option whose plain numbers are in a unit.

    Parameters
    ----------
    unit : "nm", "µm" or "mm"
        Of numbers without one, and of what is given.

    Returns
    -------
    callable
        Reads ``"0.5 mm"``, ``"500um"`` or ``"0.5"``; what is no length is a ``typer.BadParameter``.
    """

    def read(written: str | float) -> float:
        from ..units import length_um

        text = str(written).strip()
        try:
            length = length_um(text)
        except ValueError:
            raise typer.BadParameter(
                f"{text!r} is not a length; write a number in {unit} or text such as '390 nm'"
            ) from None
        plain = not text or text[-1] in "0123456789."
        # quotients such as 20 nm / (0.001 µm per nm) differ in their last digits
        return length if plain else float(f"{length / _UM[unit]:.12g}")

    read.__name__ = "length"
    return read
