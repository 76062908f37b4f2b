"""``slicemap profiles``: list the profiles of an acquisition, and take them from and to files of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ..render.profile import Profile, ProfileBook

profiles = typer.Typer(
    name="profiles",
    no_args_is_help=True,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
    help="List profiles, and take them from and to OME-Zarr (omero) and marker sets of UELer.",
)

_Dataset = Annotated[
    Path, typer.Argument(help="Acquisition folder or file, or slicemap.toml.", metavar="DATASET", show_default=False)
]


@profiles.command("list")
def list_profiles(
    dataset: _Dataset,
    json: Annotated[bool, typer.Option("--json", help="Print JSON for programs instead of text.")] = False,
) -> None:
    """Say of each profile how it shows its channels; the default one is marked.

    Example: [bold]slicemap profiles list my_run[/bold]
    """
    from ..dataset import open_dataset
    from ..files import to_json

    book = open_dataset(dataset).profiles
    if json:
        typer.echo(to_json(book))
        return
    if not book.names:
        typer.echo("no profiles; slicemap init makes one")
        return
    default = book.get_default()
    for name in book.names:
        marked = " (default)" if default is not None and default.name == name else ""
        typer.echo(f"{name}{marked}")
        typer.echo("\n".join(_lines(book[name])))


def _lines(profile: Profile) -> list[str]:
    width = max(map(len, profile.channels))
    said = []
    for name, one in profile.channels.items():
        low, high = one.contrast_limits
        gamma = f"  gamma {one.gamma:g}" if one.gamma != 1 else ""
        said.append(f"  {name:<{width}}  {one.color}  {low:g} to {high:g}{gamma}{'' if one.visible else '  hidden'}")
    said += [f"  mask {name}: {one.mode}, {one.color}" for name, one in profile.masks.items()]
    return said + [f"  annotation {name}: alpha {one.alpha:g}" for name, one in profile.annotations.items()]


@profiles.command("export")
def export_profiles(
    dataset: _Dataset,
    out: Annotated[
        Path | None,
        typer.Argument(
            help="A JSON file; widget_states.json is UELer's, any other gets an omero block.",
            metavar="OUT",
            show_default=False,
        ),
    ] = None,
    profile: Annotated[
        str, typer.Option("--profile", "-p", help="Which one; the default profile if not given.", show_default=False)
    ] = "",
    into: Annotated[
        Path | None,
        typer.Option(
            "--into",
            help="An OME-Zarr image (0.4 or 0.5) that is to be shown so; all else in its metadata stays.",
            metavar="IMAGE.zarr",
            show_default=False,
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file, or marker sets of the same names, that are there.")
    ] = False,
) -> None:
    """Write a profile as an omero block of OME-Zarr, or all profiles as marker sets of UELer.

    What the format has no word for is told. A widget_states.json that is there keeps all else that is in it.

    Examples
    --------
    [bold]slicemap profiles export my_run tissue.json --profile tissue[/bold]

    [bold]slicemap profiles export my_run --into image.ome.zarr[/bold]

    [bold]slicemap profiles export my_run my_run/.UELer/widget_states.json[/bold]
    """
    from ..dataset import open_dataset
    from ..errors import PlanError
    from ..render.marker_sets import FILE_NAME, write_marker_sets
    from ..render.omero import write_into_image, write_omero

    if (out is None) == (into is None):
        raise PlanError(["name one: OUT, a file to write, or --into, an image that is to be shown so"])
    book = open_dataset(dataset).profiles
    if out is not None and out.name == FILE_NAME:
        one = _chosen(book, profile)
        chosen = _book_of(one) if profile else book
        told, target, what = write_marker_sets(out, chosen, replace=force), out, f"{len(chosen.names)} profiles"
    elif out is not None:
        if out.exists() and not force:
            raise PlanError([f"{out} is there already; --force replaces it"])
        one = _chosen(book, profile)
        told, target, what = write_omero(out, one), out, f"profile {one.name}"
    elif into is not None:
        one = _chosen(book, profile)
        told, target, what = write_into_image(into, one), into, f"profile {one.name}"
    for line in told:
        typer.echo(line, err=True)
    typer.echo(f"{what} written to {target}")


def _chosen(book: ProfileBook, name: str) -> Profile:
    from ..errors import PlanError

    found = book[name] if name else book.get_default()
    if found is None:
        raise PlanError(["there are no profiles; slicemap init makes one"])
    return found


def _book_of(profile: Profile) -> ProfileBook:
    from ..render.profile import ProfileBook

    return ProfileBook().with_profile(profile)


@profiles.command("import")
def import_profiles(
    dataset: _Dataset,
    source: Annotated[
        Path,
        typer.Argument(
            help="An OME-Zarr image, a JSON file of an omero block, widget_states.json, or profiles.json.",
            metavar="FILE",
            show_default=False,
        ),
    ],
    name: Annotated[str, typer.Option("--name", help="What to call the profile, if it is one.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Replace profiles of the same name; otherwise they are left as they are.")
    ] = False,
) -> None:
    """Take profiles from a file into the acquisition's profiles.json.

    Examples
    --------
    [bold]slicemap profiles import my_run image.ome.zarr --name "as in OMERO"[/bold]

    [bold]slicemap profiles import my_run my_run/.UELer/widget_states.json --replace[/bold]
    """
    from ..dataset import open_dataset
    from ..errors import PlanError, listing
    from ..render.profile_exchange import read_profiles

    opened = open_dataset(dataset)
    found = read_profiles(source)
    taken = list(found.profiles)
    if name:
        if len(taken) != 1:
            raise PlanError([f"--name names one profile, and {source} holds {len(taken)}"])
        taken = [taken[0].model_copy(update={"name": name})]
    book, counts = _merged(opened.profiles, taken, replace)
    if book != opened.profiles:
        book.write(opened.places.written("profiles"))
    for problem in found.problems:
        typer.echo(problem, err=True)
    for one in taken:
        if strange := [channel for channel in one.channels if channel not in opened.channels]:
            typer.echo(f"profile {one.name}: there is no channel {listing(strange)} in {opened.name}", err=True)
    kept = f", {counts['kept']} of known names left as they are (--replace takes them)" if counts["kept"] else ""
    typer.echo(f"{counts['new']} new, {counts['replaced']} replaced, {counts['same']} as they were{kept}")


def _merged(book: ProfileBook, taken: list[Profile], replace: bool) -> tuple[ProfileBook, dict[str, int]]:
    counts = dict.fromkeys(("new", "replaced", "same", "kept"), 0)
    for one in taken:
        known = one.name in book.names
        what = "new" if not known else "same" if book[one.name] == one else "replaced" if replace else "kept"
        counts[what] += 1
        if what in ("new", "replaced"):
            book = book.with_profile(one)
    return book, counts
