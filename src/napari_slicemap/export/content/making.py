"""What an item is made into before a writer takes it: a picture, frames, or the pixels themselves."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from typing import ClassVar, Protocol, runtime_checkable

from ...dataset import Dataset
from ...render.profile import Profile
from ..choosing.items import ExportItem
from ..plan import ExportPlan
from ..writers import Takes, Writer
from .figure import render_item
from .movie import film_item
from .pixels import read_item
from .sheet import render_sheet


class Content(Protocol):
    """What the three have in common, and a record of them needs."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the picture ``(H, W, 3 or 4)``, the movie ``(T, H, W, 3)`` or the pixels ``(T, C, Z, Y, X)``."""

    @property
    def pixel_size_um(self) -> float | None:
        """Of an output px, µm."""

    @property
    def level(self) -> int:
        """Downsampling of the stored level that it was made from; 1 where the tiles themselves were read."""

    @property
    def missing(self) -> tuple[str, ...]:
        """What could not be read; complete once it was written."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What the reader of the output should know; complete once it was written."""

    @property
    def provenance(self) -> Mapping[str, object]:
        """How it was made: what a writer embeds."""


@runtime_checkable
class NeedsPackages(Protocol):
    """A writer whose format needs packages that may not be installed; such a writer has this member as well."""

    needs: ClassVar[Mapping[str, str]]
    """Name of a module → how to install it."""


def content_of(item: ExportItem, plan: ExportPlan, profile: Profile, dataset: Dataset, takes: Takes) -> Content:
    """Make of an item what a writer takes; see :func:`faults_of` for what cannot be made.

    Raises
    ------
    SlicemapError
        Naming what could not be read, found or drawn.
    """
    if takes == "pixels":
        return read_item(item, plan, profile, dataset)
    if takes == "movie":
        return film_item(item, plan, profile, dataset)
    if item.kind == "sheet":
        return render_sheet(item, plan, profile, dataset)
    return render_item(item, plan, profile, dataset)


def faults_of(items: tuple[ExportItem, ...], plan: ExportPlan, writer: Writer) -> list[str]:
    """List what a plan asks of a format that it cannot hold."""
    faults = lacking(writer)
    kinds = {item.kind for item in items}
    if "stack" in kinds and writer.takes == "picture":
        faults.append(f"{writer.name} holds one picture, and a stack is many; choose a format of movies or data")
    if "sheet" in kinds and writer.takes != "picture":
        faults.append(f"a contact sheet is a picture; {writer.name} is for movies or data")
    if writer.takes != "pixels":
        faults += [
            f"{axis} = all: {writer.name} shows one at a time; choose one, or a format of data"
            for axis, value in (("t", plan.t), ("z", plan.z))
            if value == "all"
        ]
    elif any(item.upright for item in items):
        faults.append(f"clip = upright makes new pixels, and {writer.name} is for data; clip to box or polygon")
    if plan.t == "all" and any(item.kind == "stack" and item.members for item in items):
        faults.append("t = all: a stack along slices shows one time point")
    if plan.z == "all" and any(item.kind == "stack" and item.members for item in items):
        faults.append("z = all: a stack along slices has its slices along z; choose one plane, max or mean")
    if "fps" in writer.Options.model_fields and plan.options.get("fps") is None:
        faults += [
            f"{item.stem}: slices have no times; give fps"
            for item in items
            if item.kind == "stack" and len(item.members) > 1
        ]
    return faults


def lacking(writer: Writer) -> list[str]:
    """List the packages that a format needs and that are not installed, each with how to install it."""
    needs = writer.needs if isinstance(writer, NeedsPackages) else {}
    return [f"{writer.name} needs the package {name}: {how}" for name, how in needs.items() if find_spec(name) is None]
