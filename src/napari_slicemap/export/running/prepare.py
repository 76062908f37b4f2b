"""From a plan to what can be run: every check, all faults at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from ...dataset import Dataset
from ...errors import PlanError
from ...render.profile import Profile
from ..choosing.items import ExportItem
from ..choosing.resolve import Resolution, resolve
from ..content.making import faults_of
from ..plan import ExportPlan
from ..records.shared_record import read_runs
from ..writers import Writer, find_writer
from .checks import (
    checked_options,
    chosen_profile,
    folder_faults,
    map_faults,
    name_faults,
    noted,
    output_folder,
    side_faults,
    space_faults,
)
from .outputs import Target, choose_targets
from .results import earlier_rows
from .work import Opened, Recipe

MANY_CELLS = 100
"""From so many cell crops on, a run has one record for all of them."""


@dataclass(frozen=True)
class Prepared:
    """A plan that passed every check.

    Parameters
    ----------
    plan : ExportPlan
        The plan.
    resolution : Resolution
        Its items.
    recipe : Recipe
        What they share: plan, profile as found now, options, dataset.
    writer : Writer
        Of the format.
    folder : Path
        Where to.
    targets : tuple of Target
        One for each item: its file, and whether an earlier run has done it.
    resume : bool
        Whether what an earlier run has done is taken up.
    """

    plan: ExportPlan
    resolution: Resolution
    recipe: Recipe
    writer: Writer
    folder: Path
    targets: tuple[Target, ...]
    resume: bool = False

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The file of each item."""
        return tuple(target.output for target in self.targets)

    @cached_property
    def shares_record(self) -> bool:
        """Whether the items are so many cell crops that they share one record."""
        items = self.resolution.items
        return len(items) >= MANY_CELLS and all(item.kind == "cell" for item in items)

    def left(self) -> list[tuple[ExportItem, Target]]:
        """Give the items that are still to be done, and where they go."""
        pairs = zip(self.resolution.items, self.targets, strict=True)
        return [(item, target) for item, target in pairs if target.done is None]

    def choose_targets(self) -> tuple[Target, ...]:
        """Choose the files by what is there now; see :func:`~.outputs.choose_targets`."""
        recipe = self.recipe if self.resume else None
        items, suffix = self.resolution.items, self.writer.suffix
        return tuple(choose_targets(items, suffix, self.folder, self.plan.overwrite, recipe))


def prepare(plan: ExportPlan, dataset: Dataset, *, resume: bool = False) -> Prepared:
    """Check everything that can be checked before anything runs. Writes nothing.

    Parameters
    ----------
    plan : ExportPlan
        What is asked for.
    dataset : Dataset
        What there is.
    resume : bool
        Take up what an earlier run into the same folder has done.

    Returns
    -------
    Prepared

    Raises
    ------
    PlanError
        Listing all faults at once.
    """
    faults: list[str] = []
    profile = noted(faults, lambda: chosen_profile(plan, dataset))
    resolution = noted(faults, lambda: resolve(plan, dataset))
    faults += name_faults(plan, profile, dataset)
    if resolution is not None:
        faults += map_faults(resolution, dataset)
    return prepare_items(plan, dataset, profile, resolution, faults, resume=resume)


def prepare_items(
    plan: ExportPlan,
    dataset: Dataset,
    profile: Profile | None,
    resolution: Resolution | None,
    faults: Sequence[str] = (),
    *,
    resume: bool = False,
    levels: Mapping[str, int] | None = None,
) -> Prepared:
    """Check what concerns items that are known already; see :func:`prepare`.

    Parameters
    ----------
    plan, dataset
        How, and from what.
    profile : Profile or None
        The profile; ``None`` where a fault says why there is none.
    resolution : Resolution or None
        The items; likewise.
    faults : sequence of str
        What was found wrong before.
    resume : bool
        As for :func:`prepare`.
    levels : mapping of str to int, optional
        Item → the stored level that it must be made from.

    Returns
    -------
    Prepared

    Raises
    ------
    PlanError
        Listing all faults at once.
    """
    faults = list(faults)
    writer = noted(faults, lambda: find_writer(plan.format))
    options = noted(faults, lambda: checked_options(writer, plan)) if writer else None
    folder = output_folder(plan, dataset)
    faults += folder_faults(folder)
    noted(faults, lambda: earlier_rows(folder))
    noted(faults, lambda: read_runs(folder))
    if resolution is not None and writer is not None:
        faults += faults_of(resolution.items, plan, writer)
        faults += side_faults(resolution.items, writer, dataset)
    made: Prepared | None = None
    if writer is not None and options is not None and profile is not None and resolution is not None:
        recipe = Recipe(plan, profile, options, Opened(dataset), levels or {})
        made = Prepared(plan, resolution, recipe, writer, folder, (), resume)
        targets = noted(faults, made.choose_targets)
        made = None if targets is None else replace(made, targets=targets)
    if resolution is not None:
        todo = [item for item, _ in made.left()] if made else resolution.items
        faults += space_faults(todo, folder, dataset)
    if faults or made is None:
        raise PlanError(list(dict.fromkeys(faults)))
    return made
