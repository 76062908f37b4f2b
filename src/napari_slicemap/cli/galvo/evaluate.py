"""``slicemap galvo evaluate``: how far the detection can be trusted, measured on tiles whose return is known."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..slices.options import AsJson, Force, note

if TYPE_CHECKING:
    from ...slices.galvo.evaluation import Evaluation
    from ...slices.galvo.textures import Textures

_FIGURES, _CURVES = "galvo_evaluation.json", "galvo_roc.svg"
_SAMPLE = "tissue of the sample, drawn by a program"
_WIDTH = 110


def evaluate(
    textures: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="TEXTURES",
            help="Images of tissue, or folders of them; the sample's if none is named.",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help=f"For {_FIGURES} and {_CURVES}.", metavar="FOLDER", show_default=False),
    ] = None,
    tiles: Annotated[int, typer.Option(help="Tiles to make; half of them have a return.", min=2)] = 2000,
    slices: Annotated[int, typer.Option(help="Slices of fifteen tiles to make.", min=2)] = 1000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same tiles.", min=0)] = 1,
    disturbed: Annotated[
        bool, typer.Option("--disturbed", help="Put edges, vessels and stripes beside the returns, too.")
    ] = False,
    threshold: Annotated[float, typer.Option(help="Confidence at which a return counts as found.", min=0, max=1)] = 0.6,
    workers: Annotated[
        int | None, typer.Option(help="Processes; one per processor if not given.", min=1, show_default=False)
    ] = None,
    force: Force = False,
    as_json: AsJson = False,
) -> None:
    """Measure how well the return is found, beside the plain formula: hits, false alarms, errors of the shift.

    Tiles are made of images of tissue: in half of them the mirror flies back somewhere, brighter or darker by 5 to
    60 %; the others have edges, gradients, vessels or stripes instead. The same images and seed give the same figures.

    Examples
    --------
    [bold]slicemap galvo evaluate[/bold] (with tissue of the sample)

    [bold]slicemap galvo evaluate sections/ --out evaluation[/bold] (with your own)
    """
    from ...files import to_json, write_text
    from ...slices.galvo.evaluation import evaluate as measure
    from ...slices.galvo.roc_picture import roc_svg
    from ...slices.galvo.textures import read_textures
    from ..slices.progress import progress

    _check_targets(out, force)
    read = read_textures(textures) if textures else _of_the_sample()
    note(f"left out: {one}" for one in read.left_out)
    with progress("making and measuring tiles") as tell:
        found = measure(
            read.pixels,
            tiles,
            slices,
            seed,
            disturbed=disturbed,
            threshold=threshold,
            workers=workers or _processors(),
            on_progress=tell,
        )
    data = {**found.as_data(), "textures": read.names if textures else _SAMPLE, "left_out": read.left_out}
    source = f"{len(read.names)} images" if textures else _SAMPLE
    typer.echo(to_json(data) if as_json else "\n".join(_lines(found, source)))
    if out is not None:
        write_text(out / _FIGURES, to_json(data) + "\n")
        write_text(out / _CURVES, roc_svg(found))
        note(f"written: {out / name}" for name in (_FIGURES, _CURVES))


def _check_targets(out: Path | None, force: bool) -> None:
    from ...errors import PlanError
    from ...slices.places import why_no_folder

    if out is None:
        return
    faults = [why] if (why := why_no_folder(out)) else []
    if not force:
        faults += [f"{one} is there already; --force replaces it" for one in _targets(out) if one.exists()]
    if faults:
        raise PlanError(faults)


def _targets(out: Path) -> list[Path]:
    return [out / name for name in (_FIGURES, _CURVES)]


def _of_the_sample() -> Textures:
    """Draw the sample, and read its tiles but for those of slice 03, which have a band by design."""
    import tempfile

    from ...sample import make_sample
    from ...slices.galvo.textures import read_textures

    with tempfile.TemporaryDirectory() as scratch:
        drawn = make_sample(Path(scratch) / "sample")
        return read_textures([one for one in sorted(drawn.glob("s*_r*c*/*.tif")) if "s03_" not in one.parent.name])


def _processors() -> int:
    import os

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _lines(found: Evaluation, source: str) -> Iterator[str]:
    """Say what was made, then the figures beside what they should be, then what was taken for a return."""
    yield f"textures: {source}"
    yield f"tiles: {found.tiles}, {found.background} of them left out as background; slices: {found.slices} of 15 tiles"
    yield f"seed {found.seed}, threshold {found.threshold:g}" + (", disturbed" if found.disturbed else "")
    yield ""
    yield from _table(_aims(found))
    yield ""
    yield from _table(_alarms(found))


def _table(columns: Mapping[str, Sequence[str]]) -> Iterator[str]:
    from ..slices.text_table import table_lines

    for row in table_lines(columns, _WIDTH):
        yield from row


def _aims(found: Evaluation) -> dict[str, list[str]]:
    aims = found.aims
    columns = {
        "figure": [one.what for one in aims],
        "measured": [_percent(one.value) for one in aims],
        "aim": [f"{'≥' if one.at_least else '≤'} {100 * one.target:g} %" for one in aims],
        "met": [{True: "yes", False: "no", None: "–"}[one.met] for one in aims],
        "plain formula": ["" if one.plain is None else _percent(one.plain) for one in aims],
        "of": [str(one.count) for one in aims],
    }
    # the aims are for returns that nothing else lies beside
    return {name: cells for name, cells in columns.items() if not (found.disturbed and name in ("aim", "met"))}


def _alarms(found: Evaluation) -> dict[str, list[str]]:
    from ...slices.galvo.evaluation import OWN, PLAIN

    own, plain = found.of_tiles[OWN].clean, found.of_tiles[PLAIN].clean
    return {
        "clean tiles with": ["nothing else" if name == "none" else name for name in own],
        "false alarms": [_percent(one.false_alarms) for one in own.values()],
        "plain formula": [_percent(one.false_alarms) for one in plain.values()],
        "of": [str(one.clean) for one in own.values()],
    }


def _percent(part: float) -> str:
    return "–" if math.isnan(part) else f"{100 * part:.1f} %"
