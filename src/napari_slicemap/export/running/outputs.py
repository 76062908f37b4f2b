"""Where each item goes, and which of them an earlier run has done already."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import PlanError, listing
from ..choosing.items import ExportItem
from ..plan import Overwrite
from ..records.shared_record import read_marks
from .resume import Earlier, Mark
from .work import Recipe


@dataclass(frozen=True)
class Target:
    """Where an item goes.

    Parameters
    ----------
    output : Path
        The file.
    done : Mark or None
        What an earlier run said of it, where it need not be made anew.
    """

    output: Path
    done: Mark | None = None


def choose_targets(
    items: Sequence[ExportItem], suffix: str, folder: Path, overwrite: Overwrite, recipe: Recipe | None
) -> list[Target]:
    """Choose the file of each item.

    Parameters
    ----------
    items : sequence of ExportItem
        The items.
    suffix : str
        Of the files.
    folder : Path
        Where to; it need not exist.
    overwrite : "refuse", "overwrite" or "rename"
        What to do about files that are there.
    recipe : Recipe or None
        To take up what an earlier run has done by it; ``None`` for making everything anew.

    Returns
    -------
    list of Target

    Raises
    ------
    PlanError
        If files are there that are to be left alone.
    FileFormatError
        If what earlier runs have left cannot be read.
    """
    there = set(os.listdir(folder)) if folder.is_dir() else set()  # noqa: PTH208 - names
    found = [Target(folder / f"{item.stem}{suffix}") for item in items]
    ours: Callable[[Path], bool] = lambda _: False  # noqa: E731
    if recipe is not None:
        earlier = Earlier(folder, read_marks(folder))
        search = _Search(earlier, suffix, there, recipe)
        found = [search.taken_up(item, target.output) for item, target in zip(items, found, strict=True)]
        # an output that is to be made anew may take the place of its old self, but not where names are kept apart
        ours = earlier.was_begun if overwrite == "rename" else earlier.is_ours
    foreign = [one.output for one in found if one.done is None and one.output.name in there and not ours(one.output)]
    if foreign and overwrite == "refuse":
        names = listing([output.name for output in foreign], 3)
        raise PlanError([f"{folder} already holds {names}; choose another folder, or overwrite or rename"])
    return _renamed(found, set(foreign), suffix, there) if overwrite == "rename" else found


@dataclass(frozen=True)
class _Search:
    """Looks for what an earlier run has made of an item, under its name or under one that it was given instead."""

    earlier: Earlier
    suffix: str
    there: set[str]
    recipe: Recipe

    def taken_up(self, item: ExportItem, output: Path) -> Target:
        candidate, number, token = output, 2, ""
        while candidate.name in self.there:
            token = token or self.recipe.token(item)
            if mark := self.earlier.standing(candidate, token):
                return Target(candidate, mark)
            if self.earlier.was_begun(candidate):
                return Target(candidate)
            candidate, number = _numbered(output, self.suffix, number), number + 1
        return Target(output)


def _numbered(output: Path, suffix: str, number: int) -> Path:
    return output.with_name(f"{output.name.removesuffix(suffix)}_{number}{suffix}")


def _renamed(targets: Sequence[Target], foreign: set[Path], suffix: str, there: set[str]) -> list[Target]:
    """Give the files that would take the place of others a name of their own."""
    made: list[Target] = []
    taken = {target.output.name for target in targets if target.output not in foreign}
    for target in targets:
        candidate, number = target.output, 2
        while target.output in foreign and (candidate.name in there or candidate.name in taken):
            candidate, number = _numbered(target.output, suffix, number), number + 1
        taken.add(candidate.name)
        made.append(Target(candidate, target.done))
    return made
