"""Masks in formats that have no place for them."""

from __future__ import annotations

from ...errors import listing
from ..content.pixels import PixelData


def tell_of_masks(content: PixelData, format_name: str) -> None:
    """Note which masks were asked for and are not in the file.

    Parameters
    ----------
    content : PixelData
        What was written; its warnings get a line if it has masks.
    format_name : str
        Of the format that has no place for masks.
    """
    if content.source.labels:
        names = listing(content.source.labels)
        content.tell(f"{format_name} holds no masks, so {names} is left out; ome-zarr, npz and h5 hold masks")
