"""From the options of ``slicemap export`` to plans."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..dataset import Dataset
    from ..export.plan import ExportPlan

_TAKEN_OVER = (
    "profile",
    "downsample",
    "overwrite",
    "on_missing",
    "levels",
    "include_excluded",
    "channel_files",
    "name_template",
    "background",
)


def build_plans(given: dict[str, Any], file: Path | None, dataset: Dataset) -> list[ExportPlan]:
    """Make plans of the options given on the command line, one for each format, over a plan file if there is one.

    Parameters
    ----------
    given : dict
        Option name → value, only those given.
    file : Path or None
        A plan file.
    dataset : Dataset
        To tell ROIs on FOVs from ROIs on maps.

    Returns
    -------
    list of ExportPlan

    Raises
    ------
    PlanError
        If the options do not make a plan.
    """
    import pydantic

    from ..errors import PlanError
    from ..export.plan import ExportPlan
    from ..files import explain

    data: dict[str, Any] = {} if file is None else ExportPlan.read(file).model_dump(exclude_defaults=True)
    if {"downsample", "target_pixel_size"} & set(given):  # either one takes the place of both in the plan file
        data = {name: value for name, value in data.items() if name not in ("downsample", "target_pixel_size_um")}
    for name in _TAKEN_OVER:
        if name in given:
            data[name] = given[name]
    for name in ("t", "z"):
        if name in given:
            number = given[name].isdecimal() and len(given[name]) < 20
            data[name] = int(given[name]) if number else given[name]
    if "target_pixel_size" in given:
        data["target_pixel_size_um"] = given["target_pixel_size"]
    if "output_folder" in given:
        data["output_folder"] = str(given["output_folder"])
    _refuse_idle(given)
    selects = _selects(given, dataset)
    if selects:
        data["select"] = selects
    if not data.get("select"):
        raise PlanError(
            ["nothing was chosen; use --fovs, --rois, --maps, --cells, --stacks, --slices (each takes `all`) or --plan"]
        )
    data["scale_bar"] = {**_plain(data.get("scale_bar")), **_scale_bar(given)}
    data["overlays"] = {**_plain(data.get("overlays")), **_overlays(given)}
    data["caption"] = {**_plain(data.get("caption")), **{k: given[k] for k in ("title", "legend") if k in given}}
    data["contact_sheet"] = {**_plain(data.get("contact_sheet")), **_contact_sheet(given)}
    formats = list(dict.fromkeys(split(given["format"]))) if "format" in given else [data.get("format", "png")]
    options = {**data.get("options", {}), **_format_options(given.get("option"))}
    try:
        plans = [ExportPlan.model_validate({**data, "format": name}) for name in formats]
    except pydantic.ValidationError as error:
        raise PlanError([explain(error, ExportPlan)]) from None
    return [plan.model_copy(update={"options": one}) for plan, one in zip(plans, _shared(options, plans), strict=True)]


def _shared(options: dict[str, Any], plans: Sequence[ExportPlan]) -> list[dict[str, Any]]:
    """Give each of several formats those options that it has; what none has is left in, to be refused by name."""
    from ..export.writers import find_writer

    if len(plans) == 1:
        return [options]
    known = [set(find_writer(plan.format).Options.model_fields) for plan in plans]
    every = set().union(*known)
    return [{name: value for name, value in options.items() if name in one or name not in every} for one in known]


def save(plans: Sequence[ExportPlan], path: Path) -> None:
    """Write the plan to a file; several get their format into their names.

    Raises
    ------
    FileFormatError
        If the suffix is neither that of TOML nor of JSON.
    """
    for plan in plans:
        name = path if len(plans) == 1 else path.with_name(f"{path.stem}.{plan.format}{path.suffix}")
        plan.write(name)


def _refuse_idle(given: dict[str, Any]) -> None:
    """Refuse options that would change nothing, because what they go with was not given."""
    from ..errors import PlanError

    pairs = {
        "clip": ({"rois", "tags"}, "--clip goes with --rois or --tags"),
        "cell_size": ({"cells", "cell_query"}, "--cell-size goes with --cells or --cell-query"),
        "stack_roi": ({"stacks", "slices"}, "--stack-roi goes with --stacks or --slices"),
    }
    idle = [said for name, (wanted, said) in pairs.items() if name in given and not wanted & set(given)]
    if idle:
        raise PlanError([f"{said}; a plan file says it for each choice" for said in idle])


def _plain(value: Any) -> dict[str, Any]:
    return dict(value) if value else {}


def _contact_sheet(given: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"enabled": given["contact_sheet"]} if "contact_sheet" in given else {}
    return made | ({"enabled": True, "columns": given["columns"]} if "columns" in given else {})


def _scale_bar(given: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"enabled": given["scale_bar"]} if "scale_bar" in given else {}
    return made | ({"enabled": True, "length_um": given["scale_bar_um"]} if "scale_bar_um" in given else {})


def _overlays(given: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {name: split(given[name]) for name in ("masks", "annotations") if name in given}
    return made | ({"rois": given["show_rois"]} if "show_rois" in given else {})


def _format_options(pairs: Sequence[str] | None) -> dict[str, Any]:
    from ..errors import PlanError

    made = {}
    for pair in pairs or ():
        name, equals, value = pair.partition("=")
        if not equals:
            raise PlanError([f"--option {pair}: expected name=value, such as compression=lzw"])
        made[name] = value
    return made


def split(values: Sequence[str]) -> list[str]:
    """Split names given with commas or by repeating an option."""
    from ..export.shell import split as split_text

    return [name for value in values for name in split_text(value)]


def _selects(given: dict[str, Any], dataset: Dataset) -> list[dict[str, Any]]:
    selects: list[dict[str, Any]] = []
    for option, kind in (("fovs", "fov"), ("maps", "map")):
        if option in given:
            selects.append({"kind": kind, **_ids(given[option])})
    selects += _roi_selects(given, dataset)
    if "cells" in given or "cell_query" in given:
        ids = _ids(given.get("cells", []))
        size = {"size_px": given["cell_size"]} if "cell_size" in given else {}
        selects.append({"kind": "cell", **ids, "query": given.get("cell_query", ""), **size})
    for option, along in (("stacks", "time"), ("slices", "slices")):
        if option in given:
            selects.append({"kind": "stack", "along": along, "roi": given.get("stack_roi", ""), **_ids(given[option])})
    return selects


def _ids(values: Sequence[str]) -> dict[str, Any]:
    names = split(values)
    return {"all": True} if names == ["all"] else {"ids": names}


def _roi_selects(given: dict[str, Any], dataset: Dataset) -> list[dict[str, Any]]:
    """Sort ROIs into those on FOVs and those on maps: people ask for ROIs, a plan keeps the two apart."""
    from ..errors import PlanError

    if not {"rois", "tags"} & set(given):
        return []
    names, tags = split(given.get("rois", [])), split(given.get("tags", []))
    every = names == ["all"]
    chosen = [roi for roi in dataset.rois if every or set(tags) & set(roi.tags)]
    chosen += [] if every else [roi for name in names for roi in dataset.rois.find(name)]
    if homeless := [roi.label for roi in chosen if not roi.on]:
        raise PlanError([f"ROI {name} names neither a FOV nor a map; it cannot be exported" for name in homeless])
    if not chosen:
        raise PlanError([f"no ROI fits the choice; the dataset has {len(dataset.rois)} ROIs"])
    clip = {"clip": given["clip"]} if "clip" in given else {}
    return [
        {"kind": f"{on}-roi", "ids": list(dict.fromkeys(roi.roi_id for roi in chosen if roi.on == on)), **clip}
        for on in ("fov", "map")
        if any(roi.on == on for roi in chosen)
    ]
