"""The shell command that does what a plan says."""

from __future__ import annotations

import csv
import io
import shlex
from collections.abc import Iterable
from pathlib import Path

from ..errors import PlanError, listing
from ..render.scale_bar import ScaleBarStyle
from .plan import ContactSheet, ExportPlan, Select

_CHOICE = {"fov": "--fovs", "map": "--maps", "cell": "--cells", "fov-roi": "--rois", "map-roi": "--rois"}
_STACKS = {"time": "--stacks", "slices": "--slices"}


def shell_command(plan: ExportPlan, dataset_path: Path) -> str:
    """Write the ``slicemap export`` command that equals a plan.

    Parameters
    ----------
    plan : ExportPlan
        The plan.
    dataset_path : Path
        What the dataset was opened from.

    Returns
    -------
    str
        Quoted for a POSIX shell.

    Raises
    ------
    PlanError
        If the plan says what no option does; such a plan is to be saved, and given as ``--plan``.
    """
    _refuse_unsayable(plan)
    words = ["slicemap", "export", str(dataset_path)]
    chosen: dict[str, list[str]] = {}
    for select in plan.select:
        names = ["all"] if select.all else list(select.ids)
        if names:
            option = _STACKS[select.along] if select.kind == "stack" else _CHOICE[select.kind]
            chosen.setdefault(option, []).extend(names)
        if select.tags:
            chosen.setdefault("--tags", []).extend(select.tags)
        words += _select_options(select)
    for option, names in chosen.items():
        words += [option, join(dict.fromkeys(names))]
    words += _plan_options(plan)
    return shlex.join(words)


def _refuse_unsayable(plan: ExportPlan) -> None:
    """Refuse a plan of which a command would leave something out: it would not give the same bytes."""
    style = ScaleBarStyle(enabled=plan.scale_bar.enabled, length_um=plan.scale_bar.length_um)
    stacks = [s for s in plan.select if s.kind == "stack"]
    runs = [s for s in stacks if s.along == "slices"]
    unsayable = {
        "scale_bar": plan.scale_bar.enabled and plan.scale_bar != style,
        "clip (it differs between choices)": len({s.clip for s in plan.select if s.kind.endswith("roi")}) > 1,
        "roi (it differs between stacks)": len({s.roi for s in stacks}) > 1,
        "more than one stack along slices": len(runs) > 1,
        "the name of a stack": any(s.name != Select.model_fields["name"].default for s in runs),
        "contact_sheet": plan.contact_sheet.enabled
        and plan.contact_sheet != ContactSheet(enabled=True, columns=plan.contact_sheet.columns),
        "size_px (it differs between choices)": len({s.size_px for s in plan.select if s.kind == "cell"}) > 1,
    }
    if said := [name for name, there in unsayable.items() if there]:
        raise PlanError([f"the shell has no option for {listing(said)} of this plan; save the plan and use --plan"])


def join(names: Iterable[str]) -> str:
    """Join names by commas; a name that holds one is quoted, as in a CSV file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow(list(names))
    return out.getvalue()


def split(text: str) -> list[str]:
    """Split what :func:`join` joined; blanks around the commas do not count, and a line break is as good as one."""
    rows = csv.reader(io.StringIO(text, newline=""), skipinitialspace=True)
    return [name.strip() for row in rows for name in row if name.strip()]


def _select_options(select: Select) -> list[str]:
    words = ["--cell-query", select.query] if select.query else []
    if select.kind == "cell":
        words += ["--cell-size", str(select.size_px)]
    words += ["--stack-roi", select.roi] if select.roi else []
    return words + (["--clip", select.clip] if select.clip != "box" else [])


def _plan_options(plan: ExportPlan) -> list[str]:
    words = ["--profile", plan.profile] if plan.profile else []
    words += ["--format", plan.format]
    if plan.output_folder:
        words += ["--output-folder", plan.output_folder]
    if plan.target_pixel_size_um is not None:
        words += ["--target-pixel-size", f"{plan.target_pixel_size_um:.12g}"]
    elif plan.downsample != 1:
        words += ["--downsample", str(plan.downsample)]
    if plan.scale_bar.enabled:
        length = plan.scale_bar.length_um
        words += ["--scale-bar"] if length is None else ["--scale-bar-um", f"{length:.12g}"]
    for option, names in (("--masks", plan.overlays.masks), ("--annotations", plan.overlays.annotations)):
        words += [option, join(names)] if names else []
    words += ["--show-rois"] if plan.overlays.rois else []
    words += ["--overwrite", plan.overwrite] if plan.overwrite != "refuse" else []
    words += ["--on-missing", plan.on_missing] if plan.on_missing != "raise" else []
    words += ["--levels", plan.levels] if plan.levels != "exact" else []
    words += ["--include-excluded"] if plan.include_excluded else []
    for option, value, default in (
        ("--time", str(plan.t), "0"),
        ("--plane", str(plan.z), "0"),
        ("--background", plan.background, "#000000"),
        ("--channel-files", plan.channel_files, "merged"),
        ("--name", plan.name_template, "{stem}"),
        ("--title", plan.caption.title, ""),
    ):
        words += [option, value] if value != default else []
    words += ["--legend"] if plan.caption.legend else []
    if plan.contact_sheet.enabled:
        words += ["--contact-sheet", *(["--columns", str(n)] if (n := plan.contact_sheet.columns) else [])]
    for name, value in plan.options.items():
        words += ["--option", f"{name}={value}"]
    return words
