"""Which FOV each image of a collection is, and where it lies: what OME-Zarr has no place for.

A collection is a group of several images (``bioformats2raw.layout`` 3); this stands in its attributes, under
``napari_slicemap``; an image that stands alone has the same in its own, under ``collection``.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from ...errors import FileFormatError
from ...files import FileModel
from .groups import group_attributes
from .metadata import OWN

_Name = Annotated[str, Field(min_length=1)]


class CollectionImage(FileModel):
    """One image of a collection.

    Parameters
    ----------
    fov : str
        Name of the FOV.
    map_id : str
        The map that it lies on; empty where it lies on none.
    slice_id : str
        The slice that the map belongs to; empty where the map id is the slice id.
    center_um : tuple of float, optional
        Centre ``(x, y)``, stage µm; on a map, either this or `origin_px`.
    origin_px : tuple of float, optional
        Top-left corner ``(x, y)``, map px.
    """

    fov: _Name
    map_id: str = ""
    slice_id: str = ""
    center_um: tuple[float, float] | None = None
    origin_px: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        stated = sum(place is not None for place in (self.center_um, self.origin_px))
        if stated != (1 if self.map_id else 0):
            expected = "one of center_um and origin_px" if self.map_id else "no place without a map_id"
            raise ValueError(f"FOV {self.fov}: expected {expected}")
        return self


class Collection(FileModel):
    """The images of a collection.

    Parameters
    ----------
    version : 1
        Of this format.
    stage_y : "down" or "up", optional
        Which way stage y grows as seen on the maps; ``None`` where nobody has said.
    unfinished : bool
        Whether images are still to be written.
    images : dict of str to CollectionImage
        By path within the collection.
    """

    version: Literal[1] = 1
    stage_y: Literal["down", "up"] | None = None
    unfinished: bool = False
    images: dict[_Name, CollectionImage]

    @model_validator(mode="after")
    def _fovs_differ(self) -> Self:
        counts = Counter(image.fov for image in self.images.values())
        if twice := [name for name, count in counts.items() if count > 1]:
            raise ValueError(f"FOV {twice[0]} stands twice")
        return self

    def attributes(self) -> dict[str, Any]:
        """Give the attributes of the group, fit for strict JSON; what is not stated is left out."""
        images = {path: image.model_dump(mode="json", exclude_defaults=True) for path, image in self.images.items()}
        made: dict[str, Any] = {"version": self.version, "stage_y": self.stage_y}
        return {OWN: made | ({"unfinished": True} if self.unfinished else {}) | {"images": images}}

    @classmethod
    def read(cls, folder: Path) -> Collection | None:
        """Read what stands in the attributes of a group; ``None`` where it has nothing of the kind.

        Raises
        ------
        FileFormatError
            Naming the group and the key that is wrong.
        FileNotFoundError
            If the folder is no Zarr group.
        """
        own = group_attributes(folder).get(OWN)
        if not isinstance(own, dict) or "images" not in own:
            return None
        return cls.from_data(own, f"{folder}, attribute {OWN}")

    @classmethod
    def of_image(cls, folder: Path) -> Collection | None:
        """Read what an image that stands alone says of its place (``collection``); ``None`` where it says nothing.

        Raises
        ------
        FileFormatError
            Naming the image and the key that is wrong.
        FileNotFoundError
            If the folder is no Zarr group.
        """
        own = group_attributes(folder).get(OWN)
        if not isinstance(own, dict) or "collection" not in own:
            return None
        where = f"{folder}, attribute {OWN}.collection"
        made = cls.from_data(own["collection"], where)
        if len(made.images) != 1:
            raise FileFormatError(f"{where}: expected one image, found {len(made.images)}")
        return made
