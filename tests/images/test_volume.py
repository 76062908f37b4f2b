"""Several planes at once: the pixels that zarr-python gives, whatever the chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import tifffile
import zarr

from napari_slicemap.errors import TileReadError
from napari_slicemap.images.ome_zarr.zarr_image import ZarrImage
from napari_slicemap.images.opening import open_image
from napari_slicemap.images.region import Window
from napari_slicemap.images.volume import read_planes

if TYPE_CHECKING:
    from pathlib import Path

VOLUME = np.random.default_rng(5).integers(0, 60_000, (11, 45, 70), dtype=np.uint16)
LAYOUTS = {
    "all depth in one chunk": {"chunks": (11, 16, 32)},
    "layers": {"chunks": (4, 45, 20)},
    "one plane": {"chunks": (1, 20, 20)},
    "one chunk": {"chunks": (11, 45, 70)},
    "Zarr 2": {"chunks": (5, 16, 16), "zarr_format": 2},
    "shards": {"chunks": (2, 8, 8), "shards": (8, 32, 32)},
    "not decoded here": {"chunks": (4, 16, 16), "filters": [zarr.codecs.TransposeCodec(order=(2, 0, 1))]},
}
WINDOWS = {"whole": None, "inner": Window(7, 55, 3, 44), "one px": Window(69, 70, 44, 45)}


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_planes_of_a_zarr_volume(layout: str, window: str, tmp_path: Path) -> None:
    array = zarr.create_array(tmp_path / "v.zarr", shape=VOLUME.shape, dtype=VOLUME.dtype, **LAYOUTS[layout])
    array[...] = VOLUME
    part = WINDOWS[window]
    rows, columns = (slice(None), slice(None)) if part is None else (slice(part.y0, part.y1), slice(part.x0, part.x1))
    z = [0, 10, 3, 3, 7]
    assert np.array_equal(read_planes(ZarrImage(tmp_path / "v.zarr", third="Z"), z, part), VOLUME[z][:, rows, columns])


def test_planes_of_channels_and_times(tmp_path: Path) -> None:
    data = np.random.default_rng(1).normal(size=(2, 3, 6, 20, 25)).astype(np.float32)
    zarr.create_array(tmp_path / "v.zarr", shape=data.shape, dtype=data.dtype, chunks=(1, 2, 4, 9, 9))[...] = data
    found = read_planes(open_image(tmp_path / "v.zarr"), [5, 0], channel=2, t=1)
    assert np.array_equal(found, data[1, 2, [5, 0]])


def test_planes_of_a_tiff(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", VOLUME, metadata={"axes": "ZYX"}, ome=True)
    assert np.array_equal(read_planes(open_image(tmp_path / "v.tif"), [9, 2]), VOLUME[[9, 2]])


def test_a_single_plane(tmp_path: Path) -> None:
    zarr.create_array(tmp_path / "v.zarr", shape=(45, 70), dtype="u2", chunks=(16, 16))[...] = VOLUME[0]
    assert np.array_equal(read_planes(open_image(tmp_path / "v.zarr"), [0]), VOLUME[:1])


def test_a_plane_that_is_not_there(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "v.tif", VOLUME, metadata={"axes": "ZYX"}, ome=True)
    with pytest.raises(TileReadError, match=r"v.tif: there is no plane 11; it has 11, counted from 0"):
        read_planes(open_image(tmp_path / "v.tif"), [0, 11])
