"""Contact sheets: which items share one."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ...images.fov import SAME_PIXEL_SIZE
from ..plan import ExportPlan
from .items import ExportItem


def on_sheets(items: Sequence[ExportItem], plan: ExportPlan) -> tuple[list[ExportItem], list[str]]:
    """Put items on contact sheets, in order.

    Parameters
    ----------
    items : sequence of ExportItem
        What a sheet is to show.
    plan : ExportPlan
        How many go on one.

    Returns
    -------
    sheets : list of ExportItem
        With the items as their members.
    faults : list of str
        Why they cannot be on one sheet: it has one scale, so all need one pixel size.
    """
    faults = [f"{item.stem}: a stack is no picture for a contact sheet" for item in items if item.kind == "stack"]
    sizes = [item.output_pixel_size_um for item in items]
    known = [size for size in sizes if size is not None]
    if known and (len(known) < len(sizes) or max(known) / min(known) - 1 > SAME_PIXEL_SIZE):
        odd = next(item for item, size in zip(items, sizes, strict=True) if size is None or size != sizes[0])
        faults.append(
            f"{odd.stem} would have another pixel size than {items[0].stem}, and a contact sheet has one scale; "
            "give target_pixel_size_um"
        )
    columns = plan.contact_sheet.columns or math.ceil(math.sqrt(min(len(items), plan.contact_sheet.rows**2)))
    each = columns * plan.contact_sheet.rows
    sheets = []
    for start in range(0, len(items), each):
        members = tuple(
            item.model_copy(update={"item_id": f"{item.kind}:{item.stem}"}) for item in items[start : start + each]
        )
        stem = "contact_sheet" if len(items) <= each else f"contact_sheet_{start // each + 1}"
        sheets.append(
            ExportItem(
                item_id="",
                kind="sheet",
                stem=stem,
                members=members,
                downsample=1,
                pixel_size_um=members[0].output_pixel_size_um,
            )
        )
    return sheets, faults
