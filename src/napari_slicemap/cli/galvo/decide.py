"""``slicemap galvo decide``: a person's word, which stays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..slices.options import Force, InPlace, NewTable, RequiredConfig, note, split_ids
from .options import Diagnostics

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...slices.galvo.record import GalvoRecord


def decide(
    ids: Annotated[str, typer.Argument(metavar="IDS", help="Slices, separated by commas.", show_default=False)],
    config: RequiredConfig,
    out: NewTable = None,
    in_place: InPlace = False,
    accept: Annotated[bool, typer.Option("--accept", help="They are to be fixed.")] = False,
    reject: Annotated[bool, typer.Option("--reject", help="They are to be left as they are.")] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take back what a person decided; the next detection decides.")
    ] = False,
    shift: Annotated[
        int | None,
        typer.Option(
            help="A-lines to roll by; the detected shift, or the likeliest, if not given. Alone, it means --accept.",
            min=0,
            metavar="N",
            show_default=False,
        ),
    ] = None,
    text: Annotated[str, typer.Option("--note", help="Added to the notes of each.", show_default=False)] = "",
    by: Annotated[
        str | None,
        typer.Option(help="Who decides; the user's name if not given.", metavar="NAME", show_default=False),
    ] = None,
    diagnostics: Diagnostics = None,
    force: Force = False,
) -> None:
    """Say whether slices are to be fixed, and by which shift: a detection leaves that alone.

    The table gets [bold]galvo_fix[/bold]; the shift and the name go to the diagnostics, and with
    [bold]--in-place[/bold] the change to the audit trail.

    Examples
    --------
    [bold]slicemap galvo decide 03,17 --accept --config slice_config.csv --in-place[/bold]

    [bold]slicemap galvo decide 05 --shift 31 --note "seen in the mosaic" --config t1.csv t2.csv[/bold]

    [bold]slicemap galvo decide 03 --withdraw --config slice_config.csv --in-place[/bold]
    """
    from getpass import getuser

    from ...errors import PlanError
    from ...slices.galvo.run import decide_galvo_slices
    from .source import diagnostics_of

    fix = _asked(accept, reject, withdraw, shift)
    chosen = split_ids([ids])
    if not chosen:
        raise PlanError(["no slices named; give IDS, such as 03,17"])
    target = config if in_place or out is None else out
    made = decide_galvo_slices(
        config,
        chosen,
        out,
        fix=fix,
        by=getuser() if by is None else by,
        shift=shift,
        note=text,
        in_place=in_place,
        force=force,
        known=diagnostics or diagnostics_of(config),
        diagnostics=diagnostics or diagnostics_of(target),
    )
    for one, record in made.records.items():
        typer.echo(f"slice {one}: {_said(made.before[one], made.rows[one], record)}")
    note(
        f"slice {one}: the table did not have what {who} decided; it is put back" for one, who in made.put_back.items()
    )
    note([f"written: {target}"])


def _asked(accept: bool, reject: bool, withdraw: bool, shift: int | None) -> bool | None:
    """Say what is asked for: fix, leave, or ``None`` to take back what was decided."""
    from ...errors import PlanError

    given = [name for name, is_given in (("accept", accept), ("reject", reject), ("withdraw", withdraw)) if is_given]
    if len(given) > 1:
        raise PlanError([f"{' and '.join(f'--{one}' for one in given)} are given; use one of them"])
    if shift is not None and (reject or withdraw):
        raise PlanError([f"--shift is given with --{given[0]}; it goes with --accept"])
    if not given and shift is None:
        raise PlanError(["nothing is decided; give --accept, --reject, --withdraw or --shift N"])
    return None if withdraw else not reject


def _said(before: Mapping[str, Any], row: Mapping[str, Any], record: GalvoRecord | None) -> str:
    from ...slices.galvo.decisions import FIX, standing
    from .detect import decision_words

    stands = standing(row, record)
    words = decision_words(stands.fix)
    if stands.fix:
        words += f" by {stands.shift} A-lines"
    elif stands.fix is None:
        words = "nobody has decided; the next detection will"
    if stands.overridden and record is not None:
        found = f"fix by {record.shift} A-lines" if record.suggests_fix else "leave"
        words += f"; detected: {found}"
    was = before.get(FIX)
    return words if was == row.get(FIX) else f"{words} (before: {decision_words(was)})"
