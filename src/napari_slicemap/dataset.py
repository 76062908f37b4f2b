"""The acquisition as opened: FOVs, maps, slices, profiles, ROIs and cells together."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, overload

import pydantic

from .errors import FileFormatError, PlanError, TileReadError, UnknownNameError, listing
from .files import explain, read_json
from .images.acquisition import Acquisition, Missing, StageY, TilePosition
from .images.cache import ChunkCache
from .images.cells import read_cells
from .images.fov import SAME_PIXEL_SIZE, Fov
from .images.readers import find_acquisition
from .images.tiles.fov_table import FovTable
from .images.tiles.position_table import PositionTable
from .maps.descriptor import read_descriptors
from .maps.placement import place
from .project import PROJECT_FILE, Places, Project, find_project, is_zarr, write_project
from .render.profile import ProfileBook, profiles_from_marker_sets
from .render.starter import spread, starter_profiles, stated_profiles
from .render.stored import StoredLevels
from .render.virtual_map import VirtualMap
from .rois.ground import Ground
from .rois.interchange import read_rois
from .rois.table import RoiTable
from .rois.ueler import read_roi_manager
from .slices import slice_config
from .slices.slice_values import number_of

if TYPE_CHECKING:
    import pandas as pd

T = TypeVar("T")
D = TypeVar("D")
_UELER = ".UELer"
_LEVELS_BYTES = 2**27
_PIXEL_SIZE = Missing(
    "pixel size", "lengths are in px, and there is no scale bar", "--pixel-size 390nm", "pixel_size_um"
)
_STAGE_Y = Missing(
    "stage direction", "stage y is taken to grow downwards on the map", "--stage-y up (or down)", "stage_y"
)


class Named(Mapping[str, T]):
    """A mapping by name whose missing names are told with those that exist.

    Parameters
    ----------
    kind : str
        What it holds, for messages.
    items : mapping of str to T
        The content.
    """

    def __init__(self, kind: str, items: Mapping[str, T]) -> None:
        self.kind, self._items = kind, items

    def __repr__(self) -> str:
        return f"<{len(self)} {self.kind}s: {listing(self)}>"

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __contains__(self, name: object) -> bool:
        return name in self._items

    def __getitem__(self, name: str) -> T:
        if name not in self._items:
            raise UnknownNameError(self.kind, name, self)
        return self._items[name]

    @overload
    def get(self, name: str, /) -> T | None: ...

    @overload
    def get(self, name: str, /, default: T) -> T: ...

    @overload
    def get(self, name: str, /, default: D) -> T | D: ...

    def get(self, name: str, /, default: Any = None) -> Any:
        """Give the item, or something else where there is none; no message is put together for that."""
        return self._items.get(name, default)


class Dataset:
    """One acquisition as opened. Use :func:`open_dataset` to get one.

    Parameters
    ----------
    path : Path
        What was opened.
    places : Places
        Where its parts are.
    file : Path or None
        The project file.
    acquisition : Acquisition
        What a reader gave.
    why : str
        What the reader recognised.
    """

    def __init__(self, path: Path, places: Places, file: Path | None, acquisition: Acquisition, why: str) -> None:
        self.path, self.places, self.file = path, places, file
        self.project = places.project
        self.layout, self.why = acquisition.layout, why
        self.problems: list[str] = [*places.absent(), *acquisition.problems]
        self.cache = ChunkCache()
        # levels are shown again and again, but by few chunks at a time: they need not fill the memory meant for tiles
        self._levels_cache = ChunkCache(_LEVELS_BYTES)
        self._acquisition = acquisition
        positions = self._positions()
        fovs = _with_stated_sizes(acquisition.fovs, positions)
        self.fovs: Named[Fov] = Named("FOV", fovs)
        self._table = fovs if isinstance(fovs, FovTable) else None
        self.maps: Named[VirtualMap] = Named("map", self._maps(positions))
        self.profiles = self._profiles()
        self.rois = self._rois()
        self.slices = self._slices()

    def __repr__(self) -> str:
        return f"<Dataset {self.name}: {len(self.fovs)} FOVs, {len(self.maps)} maps, {self.layout}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # another process opens the same path again: what is on disk is what counts
        return partial(open_dataset, project=self.project), (self.path.absolute(),)

    @property
    def name(self) -> str:
        """The project's name, else that of the data."""
        data = self.places.data
        folder = data.is_dir() and not is_zarr(data)  # whose name may hold dots
        return self.project.name or (data.name if folder else data.stem.removesuffix(".ome"))

    @property
    def stage_y(self) -> StageY:
        """Which way stage y grows as seen on the map."""
        return self.project.stage_y or self._acquisition.stage_y

    @property
    def stage_y_stated(self) -> bool:
        """Whether the files or the project file say which way stage y grows."""
        return self.project.stage_y is not None or self._acquisition.stage_y_stated

    @property
    def positions(self) -> Mapping[str, Sequence[TilePosition]]:
        """Where FOVs lie as files state it, by map, in painting order."""
        return self._positions_of

    @cached_property
    def missing(self) -> tuple[Missing, ...]:
        """What neither the files nor the project file state; the first FOV that can be read is opened for it."""
        found = list(self._acquisition.missing)
        if not self._states_pixel_size():
            found.append(_PIXEL_SIZE)
        # all tiles of a map are placed alike
        stage = any(tiles[0].center_um is not None for tiles in self._positions_of.values())
        if stage and not self.stage_y_stated:
            found.append(_STAGE_Y)
        return tuple(found)

    def _states_pixel_size(self) -> bool:
        for fov in self.fovs.values():
            try:
                return fov.pixel_size_um is not None
            except TileReadError:
                continue
        return True

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """Every channel that a FOV has, in order of appearance."""
        return tuple(dict.fromkeys(name for fov in self.distinct_fovs for name in fov.channels))

    @cached_property
    def distinct_fovs(self) -> Sequence[Fov]:
        """FOVs that together have every channel, mask, annotation and pixel size that any of them has.

        A few of those of a table that lists very many, else all of them.
        """
        return list(self.fovs.values()) if self._table is None else self._table.distinct()

    @cached_property
    def cells(self) -> pd.DataFrame | None:
        """The cell table (see :func:`napari_slicemap.images.cells.read_cells`), or ``None``.

        Raises
        ------
        FileFormatError
            Naming file, line and column.
        """
        path = self._acquisition.cells
        return None if path is None else read_cells(path, self._acquisition.cell_columns)

    @property
    def cells_path(self) -> Path | None:
        """The cell table's file."""
        return self._acquisition.cells

    @property
    def slices(self) -> Mapping[str, dict[str, Any]] | None:
        """The slice table, slice id → row; ``None`` where there is none."""
        return self._slice_rows

    @slices.setter
    def slices(self, rows: Mapping[str, dict[str, Any]] | None) -> None:
        before = getattr(self, "_slice_rows", None)
        self._slice_rows = rows
        if before is None or rows is None or rows.keys() != before.keys():
            # maps of thousands of FOVs ask, and most by another padding than the table's
            self._id_of_number = {number_of(one): one for one in rows or ()}

    @property
    def slice_ids(self) -> list[str]:
        """Ids of the slices: those of the table, then those that only maps have."""
        listed = list(self.slices) if self.slices is not None else []
        return list(dict.fromkeys(listed + [self._table_id(one.slice_id) for one in self.maps.values()]))

    def is_used(self, slice_id: str) -> bool:
        """Say whether a slice is to be used; one that is not in the table is."""
        row = self._slice_row(slice_id)
        return row is None or slice_config.is_used(row)

    def why_excluded(self, slice_id: str) -> str:
        """Say why a slice is not to be used, or ``""``."""
        row = self._slice_row(slice_id)
        return "" if row is None or slice_config.is_used(row) else slice_config.why_excluded(row)

    def _slice_row(self, slice_id: str) -> Mapping[str, Any] | None:
        return None if self.slices is None else self.slices.get(self._table_id(slice_id))

    def _table_id(self, slice_id: str) -> str:
        """Give the id that the slice table has for a slice: "9" is its "09"; a slice that it lacks keeps its own."""
        if self.slices is None or slice_id in self.slices or not slice_id.isdecimal():
            return slice_id
        return self._id_of_number.get(number_of(slice_id), slice_id)

    def reload_slices(self) -> None:
        """Read the slice table anew, because something else wrote it.

        Raises
        ------
        FileFormatError
            Naming the file and line, if it is no slice table; the one read before stays.
        """
        self.slices = self._slices()

    def map_of(self, fov: str) -> VirtualMap | None:
        """Give the first map that a FOV lies on."""
        return self._map_by_fov.get(fov)

    @cached_property
    def _map_by_fov(self) -> dict[str, VirtualMap]:
        made: dict[str, VirtualMap] = {}
        for one in self.maps.values():
            for name in one.fov_names:
                made.setdefault(name, one)
        return made

    # --- parts ------------------------------------------------------------------------------------------
    def _positions(self) -> Sequence[TilePosition]:
        """Give descriptors where there are any, else what the layout itself says."""
        files = sorted(self.places.found("maps").glob("*.json"))
        files = files or sorted((self.places.data_folder / _UELER / "maps").rglob("*.json"))
        if not files:
            return self._acquisition.positions
        found = read_descriptors(files)
        self.problems += found.problems
        return found.positions

    def _maps(self, positions: Sequence[TilePosition]) -> dict[str, VirtualMap]:
        self._positions_of = _by_map(positions)
        return {map_id: self._placed(map_id) for map_id in self._positions_of}

    def _placed(self, map_id: str, pixel_size_um: float | None = None) -> VirtualMap:
        tiles = self._positions_of[map_id]
        slice_id = self.project.map_slices.get(map_id) or tiles[0].slice_id or map_id
        placement = place(
            map_id, tiles, self.fovs, stage_y=self.stage_y, slice_id=slice_id, pixel_size_um=pixel_size_um
        )
        stored = None
        if pixel_size_um is None:  # levels are kept of the map's own grid only
            folder = self.places.written("cache") / "levels"
            stored = StoredLevels(folder, placement, self.project.overlap, self._levels_cache)
        return VirtualMap(placement, self.cache, stored)

    def map_at(self, map_id: str, pixel_size_um: float) -> VirtualMap:
        """Give a map on a grid of another pixel size (µm), so that maps can be shown side by side.

        Raises
        ------
        UnknownNameError
            If there is no such map.
        """
        size = self.maps[map_id].base_pixel_size_um()
        if size is not None and abs(size / pixel_size_um - 1) <= SAME_PIXEL_SIZE:
            return self.maps[map_id]
        return self._placed(map_id, pixel_size_um)

    def _profiles(self) -> ProfileBook:
        path = self.places.saved("profiles")
        if path is not None:
            return ProfileBook.read(path)
        widgets = self.places.data_folder / _UELER / "widget_states.json"
        if not widgets.is_file():
            return self._stated_profiles()
        state = read_json(widgets)
        if not isinstance(state, dict):
            raise FileFormatError(f"{widgets}: expected an object with marker_sets")
        return profiles_from_marker_sets(state, widgets)

    def _stated_profiles(self) -> ProfileBook:
        """Show channels as their files say, if these say it of all."""
        stated = self._acquisition.channel_settings
        try:
            found = stated_profiles(self.distinct_fovs, stated) if stated else []
        except FileFormatError as error:
            self.problems.append(f"{self.places.data}: {error}")
            found = []
        book = ProfileBook()
        for one in found:
            book = book.with_profile(one)
        return book

    def _rois(self) -> RoiTable:
        path = self.places.saved("rois")
        if path is not None:
            return RoiTable.read(path)
        manager = self.places.data_folder / _UELER / "roi_manager.csv"
        if manager.is_file():
            return read_roi_manager(manager)
        return RoiTable() if self._acquisition.roi_file is None else self._rois_beside(self._acquisition.roi_file)

    def _rois_beside(self, file: Path) -> RoiTable:
        """Take what another tool left with the images; without it, they can still be looked at."""
        ground = Ground({name: one.placement for name, one in self.maps.items()}, self.fovs)
        try:
            found = read_rois(file, ground.frames())
        except FileFormatError as error:
            self.problems.append(str(error))
            return RoiTable()
        self.problems += found.problems
        return RoiTable(found.rois)

    def _slices(self) -> Mapping[str, dict[str, Any]] | None:
        path = self.places.saved("slice_config")
        return None if path is None else slice_config.read(path)


def open_dataset(path: str | os.PathLike[str], *, project: Project | None = None, **stated: Any) -> Dataset:
    """Open an acquisition; pixels stay on disk until they are asked for.

    Parameters
    ----------
    path : path-like
        A folder or file of any layout that a reader knows, or a ``slicemap.toml`` that points to one.
    project : Project, optional
        To take instead of the project file.
    **stated
        What the files do not state, by its name in the project file, such as ``pixel_size_um="390 nm"`` or
        ``stage_y="up"``; it goes before what the project file says.

    Returns
    -------
    Dataset

    Raises
    ------
    DatasetNotFoundError
        If there is nothing there, or nothing that a reader recognises.
    PlanError
        If what is stated is nothing that a project file can say.
    FileFormatError, PlacementError, TileReadError
        Naming the file, row or FOV that is wrong.
    """
    path = Path(path)
    found, home, file = find_project(path)
    return _open(path, Places(_with(project or found, stated), home), file)


def _with(project: Project, stated: Mapping[str, Any]) -> Project:
    """Put what a user states over what the project file says."""
    if not stated:
        return project
    try:
        return Project.model_validate({**project.model_dump(exclude_unset=True), **stated})
    except pydantic.ValidationError as error:
        raise PlanError([explain(error, Project)]) from None


def _open(path: Path, places: Places, file: Path | None) -> Dataset:
    data, reader, why = find_acquisition(places.data, _layout(places.project))
    if data != places.data:
        places = Places(places.project.model_copy(update={"data": _relative(data, places.home)}), places.home)
    return Dataset(path, places, file, reader.read(places.data, places.read_options()), why)


def _by_map(positions: Sequence[TilePosition]) -> Mapping[str, Sequence[TilePosition]]:
    if isinstance(positions, PositionTable):
        return positions.by_map()
    made: dict[str, list[TilePosition]] = defaultdict(list)
    for position in positions:
        made[position.map_id].append(position)
    return dict(made)


def _layout(project: Project) -> str | None:
    """Give the reader that the project names; whoever says how names are to be read has tiles that are named."""
    tiles = project.tiles
    named = tiles is not None and (tiles.pattern or tiles.rows is not None or tiles.columns is not None)
    return project.layout or ("tile-files" if named else None)


def _with_stated_sizes(fovs: Mapping[str, Fov], positions: Iterable[TilePosition]) -> Mapping[str, Fov]:
    """Let FOVs know the size and pixel size that a table or descriptor states for them."""
    if isinstance(positions, PositionTable):  # its reader told them already
        return fovs
    made = dict(fovs)
    for position in positions:
        fov = made.get(position.fov)
        if fov is not None:
            made[position.fov] = replace(
                fov,
                size_hint=fov.size_hint or position.size_px,
                stated_pixel_size_um=fov.stated_pixel_size_um or position.pixel_size_um,
            )
    return made


def init_dataset(
    path: str | os.PathLike[str],
    *,
    project_folder: str | os.PathLike[str] | None = None,
    name: str = "",
    stage_y: str | None = None,
    pixel_size: float | str | None = None,
    profile: str = "auto",
    force: bool = False,
    **stated: Any,
) -> list[Path]:
    """Write ``slicemap.toml`` for an acquisition, and profiles and ROIs where there are none yet.

    Parameters
    ----------
    path : path-like
        The acquisition's folder or ``tiles.csv``.
    project_folder : path-like, optional
        Where the project file goes; beside the data by default.
    name : str
        What to call the dataset.
    stage_y : "down" or "up", optional
        Which way stage y grows as seen on the map; the layout's own by default.
    pixel_size : float or str, optional
        µm, or text with a unit; for images that state none.
    profile : str
        Name of the starter profile.
    force : bool
        Replace a project file that is there.
    **stated
        More of what the project file can say, such as ``layout`` or ``tiles``.

    Returns
    -------
    list of Path
        The files written.

    Raises
    ------
    PlanError
        If the folder holds a project file already, or cannot be written to.
    SlicemapError
        If the acquisition cannot be opened.
    """
    old, home, found = find_project(path)
    if found is not None and project_folder is None and not force:
        raise PlanError([f"{found} is there already; --force replaces it"])
    data = Places(old, home).data
    beside = home if found is not None else Places(old, home).data_folder
    folder = (beside if project_folder is None else Path(project_folder)).resolve()
    file = folder / PROJECT_FILE
    if file.exists() and not force:
        raise PlanError([f"{file} is there already; --force replaces it"])
    _make_writable(folder)
    told = _with(Project(), {key: stated[key] for key in ("layout", "tiles") if key in stated})
    data, reader, _ = find_acquisition(data, _layout(told))
    known = {"name": name, "data": _relative(data, folder), "layout": reader.name}
    project = _with(Project(), {"stage_y": stage_y, "pixel_size_um": pixel_size} | stated | known)
    # opened before anything is written: a project file that opens nothing would help nobody
    dataset = _open(data, Places(project, folder), None)
    written = _write_parts(dataset, profile)
    if dataset.stage_y_stated:
        project = project.model_copy(update={"stage_y": dataset.stage_y})
    write_project(project, file)
    return [file, *written]


def _make_writable(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PlanError([f"{folder} cannot be made ({error.strerror}); choose another --project-folder"]) from None
    if not os.access(folder, os.W_OK):
        raise PlanError([f"{folder} cannot be written to; choose where the project file goes with --project-folder"])


def _relative(data: Path, folder: Path) -> str:
    try:
        return Path(os.path.relpath(data, folder)).as_posix()
    except ValueError:  # another drive on Windows
        return data.as_posix()


def _write_parts(dataset: Dataset, profile: str) -> list[Path]:
    """Write the starter (or imported) profiles and imported ROIs, where no file of ours holds them yet."""
    places, written = dataset.places, []
    if places.saved("profiles") is None:
        book = dataset.profiles
        if not book.profiles:
            for one in starter_profiles(spread(dataset.fovs, dataset.distinct_fovs), profile):
                book = book.with_profile(one)
        book.write(places.written("profiles"))
        written.append(places.written("profiles"))
    if places.saved("rois") is None and len(dataset.rois):
        dataset.rois.write(places.written("rois"))
        written.append(places.written("rois"))
    return written
