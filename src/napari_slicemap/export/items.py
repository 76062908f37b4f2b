"""From a plan and a dataset to the list of things to write: a pure function; a dry run stops here."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from ..dataset import Dataset
from ..errors import PlanError, SlicemapError, UnknownNameError, listing
from ..files import FileModel, distinct_stems, safe_stem
from ..images.region import Region
from ..rois.roi import Points, Roi
from .plan import ExportPlan, Select

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray


ItemKind = Literal["fov", "fov-roi", "map-roi", "cell", "map", "stack", "sheet"]


class ExportItem(FileModel):
    """One thing to write.

    Parameters
    ----------
    item_id : str
        ``<kind>:<stem>``, unique in the plan.
    kind : str
        As in :class:`Select`, or ``sheet``.
    stem : str
        File name without suffix.
    fov, map_id : str
        The FOV, or (`fov` empty) the map.
    region : Region or None
        FOV px or map px; ``None`` for the whole.
    shape : tuple of (float, float)
        Vertices to clip to, px of the frame; empty for the whole box.
    upright : bool
        `shape` are the four corners of a rotated box that is turned upright: the first edge becomes the top.
    channels : tuple of str
        The channels of the profile to show; empty for all of them.
    members : tuple of ExportItem
        What a sheet shows, or the frames of a stack along slices.
    roi_id : str
        The ROI behind it.
    label : int or None
        The cell behind it.
    downsample : int
        Size of an output px in source px.
    pixel_size_um : float or None
        Size of a source px, µm.
    """

    item_id: str
    kind: ItemKind
    stem: str
    fov: str = ""
    map_id: str = ""
    region: Region | None = None
    shape: Points = ()
    upright: bool = False
    channels: tuple[str, ...] = ()
    members: tuple[ExportItem, ...] = ()
    roi_id: str = ""
    label: int | None = None
    downsample: int = 1
    pixel_size_um: float | None = None

    @property
    def output_pixel_size_um(self) -> float | None:
        """Size of an output px, µm: the source's times the downsampling, once."""
        return None if self.pixel_size_um is None else self.pixel_size_um * self.downsample


@dataclass(frozen=True)
class Resolution:
    """What a plan comes to.

    Parameters
    ----------
    items : tuple of ExportItem
        What would be written.
    left_out : tuple of str
        What was chosen but is left out, with the reason.
    """

    items: tuple[ExportItem, ...]
    left_out: tuple[str, ...]


def resolve(plan: ExportPlan, dataset: Dataset) -> Resolution:
    """List the items of a plan. Reads tables and metadata, no pixels, and writes nothing.

    Parameters
    ----------
    plan : ExportPlan
        What is asked for.
    dataset : Dataset
        What there is.

    Returns
    -------
    Resolution

    Raises
    ------
    PlanError
        Listing every fault: names that do not exist, ROIs on nothing, pixel sizes that do not fit.
    """
    faults: list[str] = []
    items: list[ExportItem] = []
    left_out: dict[str, None] = {}
    for select in plan.select:
        try:
            drafts = list(_drafts(select, dataset))
        except PlanError as error:
            faults += error.faults
            continue
        except SlicemapError as error:
            faults.append(str(error))
            continue
        for draft in drafts:
            if reason := _excluded(draft, dataset, plan):
                left_out.setdefault(reason)
            else:
                items += _scaled(draft, plan, dataset, faults)
    if faults:
        raise PlanError(list(dict.fromkeys(faults)))
    stems = distinct_stems([item.stem for item in items])
    named = (
        item.model_copy(update={"stem": stem, "item_id": f"{item.kind}:{stem}"})
        for item, stem in zip(items, stems, strict=True)
    )
    return Resolution(tuple(named), tuple(left_out))


def _drafts(select: Select, dataset: Dataset) -> Iterator[ExportItem]:
    if select.kind == "fov":
        for name in _known("FOV", select, dataset.fovs):
            yield ExportItem(item_id="", kind="fov", stem=safe_stem(name), fov=name)
    elif select.kind == "map":
        for map_id in _known("map", select, dataset.maps):
            yield ExportItem(item_id="", kind="map", stem=f"map_{safe_stem(map_id)}", map_id=map_id)
    elif select.kind == "cell":
        yield from _cells(select, dataset)
    else:
        for roi in _chosen_rois(select, dataset):
            yield _roi_item(roi, select)


def _known(kind: str, select: Select, there: dict[str, Any]) -> list[str]:
    """Give the names chosen, each once; all that do not exist are told at once."""
    names = list(there) if select.all else list(dict.fromkeys(select.ids))
    if strangers := [name for name in names if name not in there]:
        raise PlanError([str(UnknownNameError(kind, name, there)) for name in strangers])
    return names


def _chosen_rois(select: Select, dataset: Dataset) -> list[Roi]:
    wanted = select.kind.removesuffix("-roi")
    chosen: dict[str, Roi] = {}
    faults: list[str] = []
    for name in select.ids:
        try:
            found = dataset.rois.find(name)
        except UnknownNameError as error:
            faults.append(str(error))
            continue
        for roi in found:
            chosen[roi.roi_id] = roi
            if roi.on != wanted:
                where = f"is on {roi.on} {roi.fov or roi.map_id}" if roi.on else "names neither a FOV nor a map"
                faults.append(f"ROI {roi.label} {where}, so it is no {select.kind}")
    if faults:
        raise PlanError(faults)
    for roi in dataset.rois:
        if (select.all or set(select.tags) & set(roi.tags)) and roi.on == wanted:
            chosen[roi.roi_id] = roi
    if not chosen:
        raise PlanError([f"no {select.kind} fits the choice; the dataset has {len(dataset.rois)} ROIs"])
    return list(chosen.values())


def _roi_item(roi: Roi, select: Select) -> ExportItem:
    where = safe_stem(roi.fov) if roi.fov else f"map_{safe_stem(roi.map_id)}"
    return ExportItem(
        item_id="",
        kind=select.kind,
        stem=f"{where}_roi_{safe_stem(roi.label)}",
        fov=roi.fov,
        map_id="" if roi.fov else roi.map_id,
        region=roi.region,
        shape=roi.points if select.clip == "polygon" and roi.kind != "line" else (),
        roi_id=roi.roi_id,
    )


# --- cells ----------------------------------------------------------------------------------------------------
def _cells(select: Select, dataset: Dataset) -> Iterator[ExportItem]:
    table = dataset.cells
    if table is None:
        raise PlanError([f"dataset {dataset.name} has no cell table; name it as `cells` in slicemap.toml"])
    chosen = _chosen_cells(select, table, dataset)
    if chosen.empty:
        raise PlanError([f"no cell fits the choice; the table has {len(table)} cells"])
    half = select.size_px // 2
    for fov, label, x, y in zip(chosen["fov"], chosen["label"], chosen["x"], chosen["y"], strict=True):
        # the centroid's pixel goes to the middle of the square
        x0, y0 = math.floor(x + 0.5) - half, math.floor(y + 0.5) - half
        yield ExportItem(
            item_id="",
            kind="cell",
            stem=f"{safe_stem(fov)}_cell_{label}",
            fov=fov,
            region=Region(x0, x0 + select.size_px, y0, y0 + select.size_px),
            label=int(label),
        )


def _chosen_cells(select: Select, table: pd.DataFrame, dataset: Dataset) -> pd.DataFrame:
    mask = np.full(len(table), select.all)
    faults: list[str] = []
    for wanted in select.ids:
        try:
            mask |= _cell_mask(wanted, table, dataset)
        except PlanError as error:
            faults += error.faults
    if faults:
        raise PlanError(faults)
    if select.query:
        mask |= query_cells(table, select.query)
    chosen = table[mask]
    if strangers := sorted(set(chosen["fov"]) - set(dataset.fovs)):
        raise PlanError([f"the cell table names FOVs that do not exist: {listing(strangers, 5)}"])
    return chosen


def _cell_mask(wanted: str, table: pd.DataFrame, dataset: Dataset) -> NDArray[np.bool_]:
    if wanted in dataset.fovs:
        return np.asarray(table["fov"] == wanted)
    fov, _, label = wanted.rpartition(":")
    if fov not in dataset.fovs:
        raise PlanError([str(UnknownNameError("FOV", fov or wanted, dataset.fovs))])
    found = np.asarray((table["fov"] == fov) & (table["label"].astype(str) == label))
    if not found.any():
        raise PlanError([f"FOV {fov} has no cell {label} in the cell table"])
    return found


_LONGEST_QUERY = 1000  # longer ones are no conditions that people write, and may nest too deeply to be run
_SAFE_NODES = (
    ast.Expression, ast.BoolOp, ast.And, ast.Or, ast.UnaryOp, ast.Not, ast.USub, ast.UAdd, ast.BinOp, ast.Add,
    ast.Sub, ast.Mult, ast.Div, ast.Mod, ast.Compare, ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt,
    ast.GtE, ast.In, ast.NotIn, ast.Name, ast.Load, ast.Constant, ast.List, ast.Tuple, ast.BitAnd, ast.BitOr,
    ast.Invert,
)  # fmt: skip


def query_cells(table: pd.DataFrame, query: str) -> NDArray[np.bool_]:
    """Say for which cells a condition holds.

    Parameters
    ----------
    table : pandas.DataFrame
        The cell table.
    query : str
        Comparisons of columns with values, joined by and, or, not; such as ``"area > 50 and fov == 'r2c3'"``.
        Column names that are no words go in backticks.

    Returns
    -------
    ndarray of bool, one for each cell

    Raises
    ------
    PlanError
        If it is no such condition, or names a column that does not exist. Calls and attributes are refused: a
        plan is data, and must not run code.
    """
    columns = f"(columns: {listing(map(str, table.columns))})"
    condition, quoted = _checked(query.strip())
    if strangers := [name for name in quoted if name not in table.columns]:
        raise PlanError([f"query {query!r}: no column {listing(strangers)} {columns}"])
    try:
        # with empty scopes no name but a column's means anything
        found = table.rename(columns=quoted).eval(condition, engine="python", local_dict={}, global_dict={})
    except (NameError, KeyError, TypeError, ValueError, AttributeError, SyntaxError, NotImplementedError) as error:
        raise PlanError([f"query {query!r}: {error} {columns}"]) from None
    holds = np.asarray(found)
    if holds.dtype != bool:
        raise _no_condition(query)
    return np.broadcast_to(holds, len(table))


def _checked(query: str) -> tuple[str, dict[str, str]]:
    """Give a condition free of code, and the word that stands in it for each column named in backticks.

    The text given back is made from what was checked, so that nothing else can run.
    """
    quoted: dict[str, str] = {}

    def as_word(found: re.Match[str]) -> str:
        return found[0] if found[1] is None else quoted.setdefault(found[1], f"quoted_{len(quoted)}_")

    # texts in quotes are matched first: a backtick inside one quotes no column
    words = re.sub(r"""'[^']*'|"[^"]*"|`([^`]*)`""", as_word, query)
    try:
        tree = ast.parse(words, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise _no_condition(query) from None
    if len(query) > _LONGEST_QUERY or not all(isinstance(node, _SAFE_NODES) for node in ast.walk(tree)):
        raise _no_condition(query)
    return ast.unparse(tree), quoted


def _no_condition(query: str) -> PlanError:
    asked = query if len(query) <= _LONGEST_QUERY else f"{query[:60]}…"
    return PlanError([f"query {asked!r}: expected comparisons such as area > 50 and label in [1, 2]"])


# --- exclusion and scale ------------------------------------------------------------------------------------------
def _excluded(item: ExportItem, dataset: Dataset, plan: ExportPlan) -> str:
    """Say why an item is left out: its slice is not to be used; ``""`` if it stays."""
    owner = dataset.maps.get(item.map_id) if item.map_id else dataset.map_of(item.fov)
    if plan.include_excluded or owner is None or dataset.is_used(owner.slice_id):
        return ""
    return f"slice {owner.slice_id} is excluded ({dataset.why_excluded(owner.slice_id)})"


def _scaled(item: ExportItem, plan: ExportPlan, dataset: Dataset, faults: list[str]) -> list[ExportItem]:
    """Fill in pixel size and downsampling; a fault is noted and the item dropped."""
    try:
        size = pixel_size_um(item, dataset)
        downsample = plan.downsample
        if plan.target_pixel_size_um is not None:
            downsample = _whole_multiple(plan.target_pixel_size_um, size, item)
    except PlanError as error:
        faults += error.faults
        return []
    except SlicemapError:
        # the item itself will fail, by name; the others must not
        return [item.model_copy(update={"downsample": plan.downsample})]
    return [item.model_copy(update={"downsample": downsample, "pixel_size_um": size})]


def pixel_size_um(item: ExportItem, dataset: Dataset) -> float | None:
    """Give the size of a source px of an item, µm; ``None`` where unknown."""
    if item.fov:
        return dataset.fovs[item.fov].pixel_size_um if item.fov in dataset.fovs else None
    return dataset.maps[item.map_id].base_pixel_size_um() if item.map_id in dataset.maps else None


def _whole_multiple(target: float, size: float | None, item: ExportItem) -> int:
    if size is None:
        raise PlanError([f"{item.stem}: its pixel size is unknown, so {target:g} µm/px cannot be made"])
    factor = max(1, round(target / size))
    if abs(factor * size - target) > 0.01 * target:
        raise PlanError(
            [f"{item.stem}: {target:g} µm/px is no whole multiple of {size:g} µm/px; the nearest is {factor * size:g}"]
        )
    return factor
