"""What is done for one item, wherever it is done."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from ...dataset import Dataset
from ...errors import PlanError
from ...files import FileModel, json_safe
from ...render.picture import Picture
from ...render.profile import Profile
from ..choosing.items import ExportItem
from ..content.making import content_of
from ..content.movie import Movie
from ..content.pixels import PixelData
from ..plan import ExportPlan
from ..records.provenance import (
    embedded_item_part,
    embedded_run_part,
    item_part,
    origin_of,
    output_part,
    run_part,
    sidecar_path,
    sidecar_text,
    token,
)
from ..records.shared_record import cell_line
from ..writers import find_writer
from .cancelling import checked
from .resume import mark_path, mark_text
from .runner import Texts


@dataclass(frozen=True)
class Opened:
    """A dataset that goes to another process by its path, and is opened there once.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    key : str
        The same for all that share it.
    """

    dataset: Dataset
    key: str = field(default_factory=lambda: uuid.uuid4().hex)

    def __reduce__(self) -> tuple[Any, ...]:
        return _opened, (self.key, *self.dataset.__reduce__())


_there: dict[str, Opened] = {}
_opening = threading.Lock()


def _opened(key: str, reopen: Callable[..., Dataset], arguments: tuple[Any, ...]) -> Opened:
    with _opening:
        if key not in _there:
            _there.clear()  # one run at a time: an earlier one's dataset may have changed since
            _there[key] = Opened(reopen(*arguments), key)
        return _there[key]


@dataclass(frozen=True)
class Recipe:
    """What all items of a run share.

    Parameters
    ----------
    plan : ExportPlan
        How.
    profile : Profile
        The profile as it was found: later edits do not reach the run.
    options : FileModel
        The writer's, validated.
    opened : Opened
        The dataset.
    levels : mapping of str to int
        Item → the stored level that it must be made from, where an output is repeated.
    """

    plan: ExportPlan
    profile: Profile
    options: FileModel
    opened: Opened
    levels: Mapping[str, int] = field(default_factory=dict)

    def __reduce__(self) -> tuple[Any, ...]:
        # without what was worked out here: another process says which versions it has itself
        return Recipe, (self.plan, self.profile, self.options, self.opened, self.levels)

    @cached_property
    def run_part(self) -> dict[str, Any]:
        """What the records of all items share."""
        return run_part(self.plan, self.profile, self.opened.dataset)

    @cached_property
    def embedded_part(self) -> dict[str, Any]:
        """What the records embedded in all outputs share."""
        return embedded_run_part(self.plan, self.profile, self.opened.dataset)

    @cached_property
    def token_part(self) -> str:
        """What all tokens share."""
        return json.dumps([self.embedded_part, json_safe(self.options)], ensure_ascii=False)

    def token(self, item: ExportItem) -> str:
        """Give the token of an item as things are now."""
        return token(self.token_part, origin_of(item, self.plan, self.opened.dataset))


def make(recipe: Recipe, item: ExportItem, path: Path) -> dict[str, Any]:
    """Render one item while it is written to `path`; give what its result should carry, and its record."""
    dataset = recipe.opened.dataset
    # before anything is read: a source that changes meanwhile makes the output one to be made anew
    origin = origin_of(item, recipe.plan, dataset)
    writer = find_writer(recipe.plan.format)
    content: Any = content_of(item, recipe.plan, recipe.profile, dataset, writer.takes)
    _check_level(recipe, item, content.level)
    content = _stoppable(content, {**recipe.embedded_part, **embedded_item_part(origin, dataset)})
    writer.write(path, content, recipe.options)
    # only now: what could not be read is known once all was painted
    return {
        "warnings": list(content.warnings),
        "shape": content.shape,
        "token": token(recipe.token_part, origin),
        "provenance": item_part(origin, content),
    }


def _stoppable(content: Any, provenance: Mapping[str, Any]) -> Any:
    """Give what a writer takes, with its record, such that being written it stops where that is wanted."""
    if isinstance(content, Movie):
        return replace(content, figure=checked(content.figure), provenance=provenance)
    if isinstance(content, PixelData):
        read = checked(content.source.read)
        return replace(content, source=replace(content.source, read=read, provenance=provenance), provenance=provenance)
    plain = None if content.plain is None else _stoppable_picture(content.plain)
    return replace(content, picture=_stoppable_picture(content.picture), plain=plain, provenance=provenance)


def _stoppable_picture(picture: Picture) -> Picture:
    return replace(picture, paint=checked(picture.paint))


def _check_level(recipe: Recipe, item: ExportItem, level: int) -> None:
    if (wanted := recipe.levels.get(item.item_id, level)) != level:
        had = "the tiles" if wanted == 1 else f"the stored level 1/{wanted}"
        has = "the tiles" if level == 1 else f"the stored level 1/{level}"
        raise PlanError([f"{item.stem} was made from {had}, but would now be made from {has}; see `slicemap levels`"])


_ITS_OWN = ("token", "provenance")


def _carried(metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in metadata.items() if key not in _ITS_OWN}


def describe(
    recipe: Recipe, output: Path, temporary: Path, metadata: Mapping[str, Any]
) -> tuple[dict[str, Any], Texts]:
    """Write the sidecar and the mark of a finished output."""
    part = output_part(output, temporary)
    texts = {
        sidecar_path(output): sidecar_text({**recipe.run_part, **metadata["provenance"]}, part),
        mark_path(output): mark_text(metadata["token"], part, warnings=metadata["warnings"]),
    }
    return _carried(metadata), texts


def describe_cell(output: Path, temporary: Path, metadata: Mapping[str, Any]) -> tuple[dict[str, Any], Texts]:
    """Write the line of a finished cell crop in the record that many of them share."""
    part = {**metadata["provenance"], "token": metadata["token"], "output": output_part(output, temporary)}
    return {**_carried(metadata), **cell_line(part)}, {}
