"""OME-Zarr: one image, a folder or collection of images, a plate."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import FileFormatError, PlacementError, SlicemapError, listing
from ..acquisition import Acquisition, Missing, ReadOptions, TilePosition
from ..fov import Fov
from ..image import ImagePlane
from ..labels import masks_and_annotations
from ..ome_zarr.described_image import OmeZarrImage, describe_image
from ..ome_zarr.listing import Listed, Listing, list_images
from ..tiles.names import TileNames, TileOverlap

_Point = tuple[float, float]
_ORIGIN = (0.0, 0.0)
_NO_PLACES = Missing(
    "place of the fields in their well",
    "they are put side by side, row by row",
    "--layout ome-zarr --grid 2x3 (with --overlap, --order, --serpentine)",
    "tiles",
)


class OmeZarr:
    """``<image>.zarr``; a folder or collection of images; ``<plate>.zarr/<row>/<column>/<field>``."""

    name = "ome-zarr"
    summary = "OME-Zarr (*.zarr): an image, a folder or collection of images, or a plate"

    def detect(self, path: Path) -> str:
        """Say what the attributes of the group speak of; no array is opened."""
        name = path.absolute().name
        try:
            found = list_images(path)
        except SlicemapError:
            return f"{name} is a Zarr group, whose attributes cannot be read"
        return "" if found is None or not found.images else found.described(name)

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Read the metadata of each image; no array is opened."""
        try:
            found = list_images(path)
        except OSError as error:
            raise FileFormatError(f"{path}: {error.strerror or error}") from None
        problems = [] if found is None else list(found.problems)
        if found is None or not found.images:
            why = problems[0] if problems else "expected an OME-Zarr image, collection or plate, or a folder of images"
            raise FileFormatError(f"{path}: {why}")
        images = _images(found.images, problems)
        names = {image.listed.fov for image in images}
        masks, annotations = masks_and_annotations(options, names, problems)
        fovs = {
            image.listed.fov: Fov(
                name=image.listed.fov,
                planes=image.planes(),
                stated_pixel_size_um=image.said.pixel_size_um,
                like=image.like,
                fallback_pixel_size_um=options.pixel_size_um,
                size_hint=image.said.size_px,
                masks={**image.said.masks, **masks[image.listed.fov]},
                annotations=annotations[image.listed.fov],
            )
            for image in images
        }
        up = _stage_up(images)
        positions, missing = _positions(found, images, up, options, problems)
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=positions,
            stage_y="up" if up else found.stage_y,
            stage_y_stated=up or found.stage_y_stated,
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            missing=missing,
            channel_settings=_settings(images),
        )


@dataclass(frozen=True)
class _Image:
    """An image, and what it says of itself; one whose metadata cannot be read is taken to be like another."""

    listed: Listed
    said: OmeZarrImage
    like: str = ""

    def planes(self) -> dict[str, ImagePlane]:
        channels = self.said.channels
        return {name: ImagePlane(self.said.image, n, channels) for n, name in enumerate(channels)}

    def at(self, center_um: _Point | None, origin_px: _Point | None, slice_id: str = "") -> TilePosition:
        return TilePosition(
            map_id=self.listed.map_id,
            fov=self.listed.fov,
            source=str(self.listed.folder),
            center_um=center_um,
            origin_px=origin_px,
            size_px=self.said.size_px,
            slice_id=slice_id,
        )


def _images(listed: Sequence[Listed], problems: list[str]) -> list[_Image]:
    """Read what each image says; what is wrong with one of several is told when its pixels are read, too."""
    said: dict[Listed, OmeZarrImage] = {}
    failures: dict[Listed, SlicemapError] = {}
    for one in listed:
        try:
            said[one] = describe_image(one.folder, problems)
        except SlicemapError as error:
            failures[one] = error
    if not said:
        raise next(iter(failures.values()))
    problems += map(str, failures.values())
    first = next(iter(said.values()))
    return [
        _Image(one, said[one]) if one in said else _Image(one, first.elsewhere(one.folder), str(first.image.path))
        for one in listed
    ]


def _settings(images: Sequence[_Image]) -> dict[str, Mapping[str, Any]]:
    """Give how each channel is shown: as the first image says that has it."""
    made: dict[str, Mapping[str, Any]] = {}
    for image in images:
        for name, settings in image.said.settings.items():
            if settings:
                made.setdefault(name, settings)
    return made


# --- where they lie ------------------------------------------------------------------------------------------
def _stage_up(images: Sequence[_Image]) -> bool:
    """Say whether stage y points up: whether it does so for all images that say where they lie."""
    return {image.said.stage_up for image in images if image.said.first_px_um is not None} == {True}


def _positions(
    found: Listing, images: Sequence[_Image], up: bool, options: ReadOptions, problems: list[str]
) -> tuple[tuple[TilePosition, ...], tuple[Missing, ...]]:
    maps: dict[str, list[_Image]] = defaultdict(list)
    for image in images:
        if image.listed.map_id:
            maps[image.listed.map_id].append(image)
    if lost := [one for one in images if one.said.stage_up and not up and one.listed.stated is None]:
        names = listing(one.listed.fov for one in lost)
        problems.append(f"{lost[0].listed.folder.parent}: stage y of {names} points up, and that of others does not")
    made: list[TilePosition] = []
    for own in maps.values():
        centers = _centers(own, up, options.pixel_size_um)
        if found.wells and len(centers) < sum(not image.like for image in own):
            made += _in_grid(own, centers, options.tiles or TileNames(), problems)
        else:
            alone = found.slices or len(images) == 1
            made += [place for image in own if (place := _place(image, centers, alone=alone))]
    gridded = any(place.origin_px and len(maps[place.map_id]) > 1 for place in made)
    return tuple(made), (_NO_PLACES,) if found.wells and gridded and options.tiles is None else ()


def _place(image: _Image, centers: Mapping[str, _Point], *, alone: bool) -> TilePosition | None:
    """Place an image as its collection or itself says; one that is a map of its own needs no saying."""
    stated, center = image.listed.stated, centers.get(image.listed.fov)
    if stated is not None:
        return image.at(stated.center_um, stated.origin_px, stated.slice_id)
    if center is not None or alone:
        return image.at(center, None if center else (0.0, 0.0))
    return None


def _centers(own: Sequence[_Image], up: bool, fallback_um: float | None) -> dict[str, _Point]:
    """Give the centres, stage µm, of the images that say where they lie among those they share a map with.

    No translation is one of zero, which writers leave out; but most files without one say nothing of the stage, so it
    counts for a single image, and only where others are translated. An image whose stage y points up, beside others
    whose does not, has no place among them.
    """
    corners = {
        image.listed.fov: image.said.first_px_um or _ORIGIN
        for image in own
        if not image.like and image.said.stage_up == up
    }
    if all(corner == _ORIGIN for corner in corners.values()):
        return {}
    at_origin = [name for name, corner in corners.items() if corner == _ORIGIN]
    made = {}
    for image in own:
        name, size = image.listed.fov, image.said.pixel_size_um or fallback_um
        if size is not None and name in corners and (len(at_origin) == 1 or name not in at_origin):
            (x, y), (width, height) = corners[name], image.said.size_px
            down = (height - 1) / 2 * size
            made[name] = x + (width - 1) / 2 * size, y - down if up else y + down
    return made


def _in_grid(
    own: Sequence[_Image], centers: Mapping[str, _Point], tiles: TileNames, problems: list[str]
) -> list[TilePosition]:
    """Put the fields of a well side by side."""
    if centers:
        lost = listing(image.listed.fov for image in own if image.listed.fov not in centers and not image.like)
        problems.append(
            f"{own[0].listed.folder.parent}: {lost} state no place, so all fields of {own[0].listed.map_id} are put "
            "in a grid"
        )
    if tiles.rows is None and tiles.columns is None:
        tiles = tiles.model_copy(update={"columns": math.ceil(math.sqrt(len(own)))})
    overlap = TileOverlap.parse(tiles.overlap)
    try:
        across, down = (overlap.step(max(image.said.size_px[axis] for image in own)) for axis in (0, 1))
        cells = [tiles.cell(number, len(own)) for number in range(len(own))]
    except ValueError as error:
        raise PlacementError(f"map {own[0].listed.map_id}: {error}") from None
    return [image.at(None, (column * across, row * down)) for image, (row, column) in zip(own, cells, strict=True)]
