"""What is put into a file about the figure, besides its pixels."""

from __future__ import annotations

import json

from ..content.figure import Figure

KEYWORD = "napari-slicemap"
"""Under which formats with named texts hold the provenance."""

DESCRIPTION = "napari-slicemap"
"""What files say they were made by."""


def provenance_text(figure: Figure) -> str:
    """Give a figure's provenance as strict JSON in ASCII, which any format holds; ``""`` if it has none."""
    if not figure.provenance:
        return ""
    return json.dumps(figure.provenance, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
