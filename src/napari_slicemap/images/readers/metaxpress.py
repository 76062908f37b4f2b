"""Plates of MetaXpress (ImageXpress): one map a well, one FOV a site."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ...errors import FileFormatError, listing
from ..acquisition import Acquisition, ReadOptions, TilePosition
from ..fov import Fov
from ..labels import masks_and_annotations
from ..metaxpress.channels import PlateReading, Site
from ..metaxpress.plates import example_file, find_plates, read_plate

_NAMED = "<plate>_<well>_s<site>_w<wavelength>.tif"


class MetaXpress:
    """``TimePoint_<n>/[ZStep_<n>/]<plate>_<well>_s<site>_w<wavelength>[<GUID>].tif``, of one plate or several."""

    name = "metaxpress"
    summary = f"MetaXpress plates (folders TimePoint_<n> with files {_NAMED}), one or several"

    def detect(self, path: Path) -> str:
        """Say which image of the plate was found first, or where the plates are."""
        if not path.is_dir():
            return ""
        if found := example_file(path):
            return f"{found} is named as MetaXpress names its images"
        places = [plate.relative_to(path).as_posix() for plate in find_plates(path, alone=True)]
        return f"MetaXpress plate{'s' if len(places) > 1 else ''} in {listing(places, 3)}" if places else ""

    def read(self, path: Path, options: ReadOptions) -> Acquisition:
        """Sort the files by their names; one image of each site is opened for its position, and a few of each plate.

        A site lies where the stage was when its centre was imaged; which way stage y grows, nothing says. A channel
        of fewer planes than others (a projection, or one z step) is shown at each z, as MetaXpress itself writes it
        out; ``ZStep_0``, its projection, is a channel of its own where there are planes, too.
        """
        if not path.is_dir():
            raise FileFormatError(f"{path}: expected a folder of MetaXpress plates")
        problems: list[str] = []
        read = [PlateReading(read_plate(plate), problems) for plate in find_plates(path, alone=False)]
        sites = [site for plate, label in zip(read, _labels(path, read), strict=True) for site in plate.sites(label)]
        if not sites:
            raise FileFormatError(f"{path}: no folder TimePoint_<n> below it holds a file {_NAMED}")
        masks, annotations = masks_and_annotations(options, {site.name for site in sites}, problems)
        fovs = {
            site.name: Fov(
                name=site.name,
                planes=site.planes,
                stated_pixel_size_um=site.image.pixel_size_um if site.image else None,
                fallback_pixel_size_um=options.pixel_size_um,
                size_hint=site.image.size_px if site.image else None,
                masks=masks[site.name],
                annotations=annotations[site.name],
            )
            for site in sites
        }
        if len(fovs) < len(sites):
            raise FileFormatError(f"{path}: two of its plates have the same name, with their folders; open one of them")
        return Acquisition(
            layout=self.name,
            root=path,
            fovs=fovs,
            positions=_positions(path, sites, options.pixel_size_um, problems),
            cells=options.cell_table,
            cell_columns=options.cell_columns,
            problems=tuple(problems),
            stage_y_stated=False,
        )


def _labels(path: Path, plates: Sequence[PlateReading]) -> list[str]:
    """Name plates by their folders; a plate alone needs no name."""
    folders = [one.plate.path for one in plates]
    count = Counter(folder.name for folder in folders)
    if len(folders) == 1:
        return [""]
    return [folder.name if count[folder.name] == 1 else " ".join(folder.relative_to(path).parts) for folder in folders]


# --- where sites lie ----------------------------------------------------------------------------------------------
def _positions(
    path: Path, sites: Iterable[Site], pixel_size_um: float | None, problems: list[str]
) -> tuple[TilePosition, ...]:
    """Place the sites of each well where the stage was; a site that is alone in its well needs no position."""
    wells: dict[str, list[Site]] = defaultdict(list)
    for site in sites:
        wells[site.map_id].append(site)
    made: list[TilePosition] = []
    lost: dict[str, list[str]] = defaultdict(list)
    for map_id, own in wells.items():
        for site in own:
            center = site.image.stage_um if site.image else None
            size = site.image.pixel_size_um if site.image else None
            if len(own) > 1 and (center is None or not (size or pixel_size_um)):
                lacks = "stage position" if center is None else "pixel size"
                lost[lacks].append(site.name)
                continue
            center = center if size or pixel_size_um else None
            made.append(
                TilePosition(
                    map_id=map_id,
                    fov=site.name,
                    source=str(site.file),
                    center_um=center,
                    origin_px=None if center else (0.0, 0.0),
                    size_px=site.image.size_px if site.image else None,
                    pixel_size_um=size,
                )
            )
    for lacks, names in lost.items():
        problems.append(f"{path}: sites state no {lacks}, so as to lie on a map: {listing(names, 4)}")
    return tuple(made)
