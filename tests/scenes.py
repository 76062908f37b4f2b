"""Maps in memory, datasets on disk, and a slow, obvious renderer that the real one is held against."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile

from napari_slicemap import ChannelSettings, Fov, VirtualMap
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.acquisition import TilePosition
from napari_slicemap.images.fov import Annotation
from napari_slicemap.images.plane import Chunks
from napari_slicemap.maps.placement import place

SETTINGS = {
    "A": ChannelSettings("#ff0000", (0.0, 200.0)),
    # a lower limit below zero tells "no value" (dark) from the value 0 (not dark)
    "B": ChannelSettings("#00c040", (-50.0, 180.0), gamma=0.7),
}
RULES = ("last", "first", "nearest-centre", "blend")


# --- in memory ------------------------------------------------------------------------------------------------
@dataclass(frozen=True)
class ArrayPlane:
    """A plane ``(T, Z, Y, X)`` (or ``(Y, X)``) that lies in memory."""

    array: np.ndarray
    path: Path = Path("memory.tif")
    pixel_size_um: float | None = None

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (1,) * (4 - self.array.ndim) + self.array.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.array.dtype

    @property
    def key(self) -> Hashable:
        return id(self.array)

    def chunks(self, t: int, z: int) -> Chunks:
        plane = self.array.reshape(self.shape)[t, z]

        def read(places: Any, allocate: Any) -> list[np.ndarray]:
            made = []
            for row, column in places:
                part = plane[row * 5 : row * 5 + 5, column * 7 : column * 7 + 7]
                made.append(allocate(part.shape, part.dtype))
                made[-1][...] = part
            return made

        return Chunks((self.key, t, z), (5, 7), read)


@dataclass(frozen=True)
class BrokenPlane(ArrayPlane):
    """A plane whose file has gone bad."""

    def chunks(self, t: int, z: int) -> Chunks:
        raise TileReadError(f"{self.path}: cannot be read")


def make_fov(
    name: str,
    channels: Mapping[str, np.ndarray],
    *,
    masks: Mapping[str, np.ndarray] | None = None,
    annotations: Mapping[str, np.ndarray] | None = None,
    tables: Mapping[str, Path] | None = None,
    pixel_size_um: float | None = None,
    broken: bool = False,
) -> Fov:
    kind = BrokenPlane if broken else ArrayPlane
    return Fov(
        name=name,
        planes={c: kind(a, Path(f"{name}_{c}.tif"), pixel_size_um) for c, a in channels.items()},
        masks={m: ArrayPlane(a, Path(f"{name}_{m}.tif")) for m, a in (masks or {}).items()},
        annotations={
            n: Annotation(ArrayPlane(a, Path(f"{name}_{n}.tif")), (tables or {}).get(n))
            for n, a in (annotations or {}).items()
        },
    )


def make_map(
    tiles: Sequence[tuple[Fov, float, float]],
    *,
    missing: Sequence[tuple[str, float, float, int, int]] = (),
    map_id: str = "m",
    pixel_size_um: float | None = None,
) -> VirtualMap:
    """Place FOVs by their top-left corner in map px; `missing` are ``(name, x, y, width, height)`` not on disk."""
    positions = [
        TilePosition(map_id, fov.name, f"row of {fov.name}", origin_px=(x, y), pixel_size_um=fov.pixel_size_um)
        for fov, x, y in tiles
    ]
    positions += [
        TilePosition(map_id, name, f"row of {name}", origin_px=(x, y), size_px=(width, height))
        for name, x, y, width, height in missing
    ]
    return VirtualMap(place(map_id, positions, {fov.name: fov for fov, *_ in tiles}, pixel_size_um=pixel_size_um))


@dataclass(frozen=True)
class Tile:
    """A tile of the reference: where it lies (map px) and what it holds."""

    name: str
    x: int
    y: int
    channels: dict[str, np.ndarray]
    masks: dict[str, np.ndarray] = field(default_factory=dict)
    annotations: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def size(self) -> tuple[int, int]:
        height, width = next(iter(self.channels.values())).shape
        return width, height

    @property
    def fov(self) -> Fov:
        return make_fov(self.name, self.channels, masks=self.masks, annotations=self.annotations)


def map_of(tiles: Sequence[Tile]) -> VirtualMap:
    return make_map([(tile.fov, tile.x, tile.y) for tile in tiles])


# --- the reference --------------------------------------------------------------------------------------------
def reference_owner(tiles: Sequence[Tile], x: int, y: int, rule: str) -> int | None:
    """Which tile paints a pixel, by the words of rendering.md; the earlier one where two are equal."""
    there = [i for i, t in enumerate(tiles) if 0 <= x - t.x < t.size[0] and 0 <= y - t.y < t.size[1]]
    if not there:
        return None
    if rule == "last":
        return there[-1]
    if rule == "first":
        return there[0]
    if rule == "nearest-centre":
        return min(there, key=lambda i: _distance(tiles[i], x, y))
    return max(there, key=lambda i: _weight(tiles[i], x, y))


def _distance(tile: Tile, x: int, y: int) -> float:
    (w, h) = tile.size
    return (x + 0.5 - tile.x - w / 2) ** 2 + (y + 0.5 - tile.y - h / 2) ** 2


def _weight(tile: Tile, x: int, y: int) -> float:
    (w, h), i, j = tile.size, x - tile.x + 0.5, y - tile.y + 0.5
    return min(i, w - i) * min(j, h - j)


def reference_value(tiles: Sequence[Tile], channel: str, x: int, y: int, rule: str) -> float | None:
    """The raw value of a pixel: ``None`` where no tile lies, NaN where it has no value."""
    owner = reference_owner(tiles, x, y, rule)
    if owner is None:
        return None
    if rule != "blend":
        return float(tiles[owner].channels[channel][y - tiles[owner].y, x - tiles[owner].x])
    total = weight = 0.0
    for tile in tiles:
        if 0 <= x - tile.x < tile.size[0] and 0 <= y - tile.y < tile.size[1]:
            value = float(tile.channels[channel][y - tile.y, x - tile.x])
            if not math.isnan(value):
                total += _weight(tile, x, y) * value
                weight += _weight(tile, x, y)
    return total / weight if weight else math.nan


def reference_pixel(values: Mapping[str, float], settings: Mapping[str, ChannelSettings]) -> np.ndarray:
    """Composite one pixel in float64; 0–255, not rounded."""
    total = np.zeros(3)
    for name, one in settings.items():
        value, (low, high) = values[name], one.contrast_limits
        if not one.visible or math.isnan(value):
            continue
        if low == high:
            share = 1.0 if value > low else 0.0
        elif math.isinf(value):
            share = 1.0 if value > 0 else 0.0
        else:
            share = min(1.0, max(0.0, (value - low) / (high - low))) ** one.gamma
        total += share * np.array([int(one.color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return 255 * np.minimum(total, 1)


def reference_map(
    tiles: Sequence[Tile], settings: Mapping[str, ChannelSettings], d: int, rule: str
) -> tuple[np.ndarray, np.ndarray]:
    """The whole map: assemble by the overlap rule, average each cell, composite once; 0–255 and covered."""
    width = max(t.x + t.size[0] for t in tiles)
    height = max(t.y + t.size[1] for t in tiles)
    image = np.zeros((math.ceil(height / d), math.ceil(width / d), 3))
    covered = np.zeros(image.shape[:2], bool)
    for row in range(image.shape[0]):
        for column in range(image.shape[1]):
            cell = [
                (x, y)
                for y in range(row * d, min(height, (row + 1) * d))
                for x in range(column * d, min(width, (column + 1) * d))
            ]
            covered[row, column] = any(reference_owner(tiles, x, y, rule) is not None for x, y in cell)
            if covered[row, column]:
                means = {}
                for name in settings:
                    values = [reference_value(tiles, name, x, y, rule) for x, y in cell]
                    values = [v for v in values if v is not None and not math.isnan(v)]
                    means[name] = sum(values) / len(values) if values else math.nan
                image[row, column] = reference_pixel(means, settings)
    return image, covered


def tiles_from_seed(
    seed: int, boxes: Sequence[tuple[int, int, int, int]], *, dtype: str = "float32", nan: bool = False
) -> list[Tile]:
    """Fill boxes ``(x, y, width, height)`` with noise, blocky labels and, if asked, NaN; moved to start at 0, 0."""
    rng = np.random.default_rng(seed)
    left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
    made = []
    for number, (x, y, width, height) in enumerate(boxes):
        channels = {name: rng.uniform(0, 250, (height, width)).astype(dtype) for name in SETTINGS}
        if nan:
            for plane in channels.values():
                plane[rng.random(plane.shape) < 0.3] = np.nan
        labels = [
            np.kron(rng.integers(0, 3, (height // 3 + 1, width // 3 + 1)), np.ones((3, 3), int))[:height, :width]
            for _ in range(2)
        ]
        made.append(
            Tile(
                f"t{number}",
                x - left,
                y - top,
                channels,
                {"cell": labels[0].astype(np.uint16)},
                {"zone": labels[1].astype(np.uint8)},
            )
        )
    return made


# --- on disk --------------------------------------------------------------------------------------------------
PROFILES = {
    "version": 1,
    "default": "tissue",
    "profiles": {
        "tissue": {
            "channels": {
                "DAPI": {"color": "#4d7fff", "contrast_limits": [0, 1000]},
                "CD3": {"color": "#ff4d4d", "contrast_limits": [0, 800], "gamma": 0.8},
            },
            "masks": {"cell": {"mode": "outline", "color": "#ffff00"}},
        },
        "plain": {"channels": {"DAPI": {"color": "white", "contrast_limits": [0, 1000]}}},
        "absent": {"channels": {"CD4": {"color": "white", "contrast_limits": [0, 1000]}}},
    },
}
ROI_COLUMNS = "roi_id,name,fov,map_id,kind,x_min,x_max,y_min,y_max,geometry,profile,tags,comment,created_at,updated_at"
TRIANGLE = '{"type": "polygon", "closed": true, "points": [[10, 4], [34, 4], [10, 28]]}'
LINE = '{"type": "line", "closed": false, "points": [[10, 10], [20, 15]]}'
ROIS = [
    # id, name, fov, map, kind, box, geometry, tags
    ("r1", "Edge", "", "7", "rectangle", (30, 60, 5, 25), "", "tumour"),
    ("r2", "Edge", "", "7", "rectangle", (2, 12, 2, 12), "", ""),
    ("r3", "core", "a", "", "rectangle", (4, 20, 6, 16), "", "tumour"),
    ("r4", "tri", "", "7", "polygon", (10, 34, 4, 28), TRIANGLE, "shape"),
    ("r5", "scratch", "a", "", "line", (6, 24, 6, 19), LINE, "shape"),
    ("r6", "far", "a", "", "rectangle", (400, 420, 400, 410), "", ""),
    ("r7", "ragged", "a", "", "rectangle", (30, 60, 20, 50), "", ""),
]
MAP_WIDTH, MAP_HEIGHT, PIXEL_UM = 76, 32, 0.5


def descriptor(map_id: str, slice_id: str, fovs: Mapping[str, tuple[float, float]]) -> dict[str, Any]:
    """FOVs of 40 × 32 px at 0.5 µm, by their centre in stage µm."""
    return {
        "fovs": [
            {
                "name": name,
                "slideId": map_id,
                "centerPointMicrons": {"x": x, "y": y},
                "frameSizePixels": {"width": 40, "height": 32},
                "fovSizeMicrons": 40 * PIXEL_UM,
            }
            for name, (x, y) in fovs.items()
        ],
        "slice_id": slice_id,
    }


def write_dataset(folder: Path) -> Path:
    """Write an acquisition of five FOVs (40 × 32 px, two channels) and three maps.

    Map 7 holds a and b, 36 px apart (so 76 × 32 px, 4 px overlap); map 8 holds c and "gone", which is not on disk;
    map 9 holds d and belongs to an excluded slice. FOV e lies on no map and states no pixel size.
    """
    rng = np.random.default_rng(3)
    labels = np.zeros((32, 40), np.uint16)
    for number, (x, y) in enumerate([(5, 5), (20, 8), (34, 20)], 1):
        labels[y : y + 7, x : x + 6] = number
    for name in "abcde":
        (folder / name).mkdir(parents=True)
        for channel in ("DAPI", "CD3"):
            tifffile.imwrite(folder / name / f"{channel}.tif", rng.integers(0, 1200, (32, 40)).astype(np.uint16))
        (folder / "masks").mkdir(exist_ok=True)
        tifffile.imwrite(folder / "masks" / f"{name}_cell.tif", labels)
    (folder / "maps").mkdir()
    maps = {
        "7": descriptor("7", "07", {"a": (10.0, 8.0), "b": (28.0, 8.0)}),
        "8": descriptor("8", "08", {"c": (10.0, 8.0), "gone": (40.0, 8.0)}),
        "9": descriptor("9", "09", {"d": (10.0, 8.0)}),
    }
    for name, made in maps.items():
        (folder / "maps" / f"{name}.json").write_text(json.dumps(made))
    (folder / "profiles.json").write_text(json.dumps(PROFILES))
    (folder / "slice_config.csv").write_text("slice_id,use,notes\n07,true,\n08,true,\n09,false,folded\n")
    (folder / "cells.csv").write_text(
        "fov,label,X,Y,area,cell type\na,1,7.5,8.0,42,T\na,2,22.5,11.0,60,B\na,3,36.5,23.0,42,T\nb,1,7.5,8.0,10,B\n"
    )
    write_rois(folder / "rois.csv", ROIS)
    return folder


def write_rois(path: Path, rois: Sequence[tuple[Any, ...]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(ROI_COLUMNS.split(","))
        for roi_id, name, fov, map_id, kind, box, geometry, tags in rois:
            writer.writerow([roi_id, name, fov, map_id, kind, *box, geometry, "", tags, "", "", ""])
