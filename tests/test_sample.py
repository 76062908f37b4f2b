"""The sample acquisition: what it promises to whoever opens it, and that the committed copy is the generator's."""

import csv
import math
import re
import subprocess
import sys
import uuid
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import tifffile
import zarr
from PIL import Image
from scipy import ndimage

from napari_slicemap import open_dataset, sample
from napari_slicemap.errors import SlicemapError
from napari_slicemap.files import read_json
from napari_slicemap.sample import FolderNotEmptyError, cached_sample, make_sample

COMMITTED = Path(__file__).parents[1] / "sample_data"
CHANNELS = ("DAPI", "CD3", "CD45")
SLICES = tuple(f"{n:02d}" for n in range(6))
FOVS = tuple(f"s{s}_r{r}c{c}" for s, r, c in product(SLICES, range(2), range(3)))
MOSAIC = "mosaics/mosaic_grid_3d_z03.ome.zarr"
RAW_TILES = tuple(f"tile_x{x:02d}_y{y:02d}_z03" for x, y in product(range(2), range(2)))
TEXT = (".toml", ".csv", ".json", ".txt")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return make_sample(tmp_path_factory.mktemp("made") / "sample")


def files_of(folder):
    """Every file but the README and the inside of the mosaic, whose file layout is zarr's own affair."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return {name for name in found if not name.startswith(MOSAIC) and name != "README.md"}


def assert_same_content(one, other):
    assert files_of(one) == files_of(other)
    for name in sorted(files_of(one)):
        if name.endswith(".tif"):
            np.testing.assert_array_equal(tifffile.imread(one / name), tifffile.imread(other / name), name)
        else:
            assert (one / name).read_bytes() == (other / name).read_bytes(), name
    a, b = (zarr.open_group(folder / MOSAIC, mode="r") for folder in (one, other))
    assert dict(a.attrs) == dict(b.attrs)
    np.testing.assert_array_equal(a["0"][:], b["0"][:])


def pixels(folder, fov, channel):
    return tifffile.imread(folder / fov / f"{channel}.tif").astype(float)


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def origins(folder, slice_id):
    """The rule of placement, written out again: FOV → (x, y) of its corner, map px."""
    fovs = read_json(folder / "maps" / f"{slice_id}.json")["fovs"]
    px = fovs[0]["fovSizeMicrons"] / fovs[0]["frameSizePixels"]["width"]
    corner = {fov["name"]: [fov["centerPointMicrons"][k] - 64 * px for k in "xy"] for fov in fovs}
    least = [min(at[k] for at in corner.values()) for k in (0, 1)]
    return {
        name: tuple(math.floor(round((at[k] - least[k]) / px, 6) + 0.5) for k in (0, 1)) for name, at in corner.items()
    }


# --- as a whole --------------------------------------------------------------------------------------------
def test_the_folder_is_returned_and_small(made):
    assert made.name == "sample"
    assert sum(path.stat().st_size for path in made.rglob("*")) < 3_000_000


def test_a_seed_gives_the_same_pixels_and_texts_each_time(made, tmp_path):
    """Here in a folder that is there and empty, named by text; how far it is, is told."""
    told = []
    again = make_sample(str(tmp_path), on_progress=lambda *one: told.append(one))
    assert_same_content(again, made)
    assert told == [(done, 6) for done in range(1, 7)]


def test_another_seed_gives_another_block_of_the_same_files(made, tmp_path):
    other = make_sample(tmp_path / "other", seed=8)
    assert files_of(other) == files_of(made)
    assert not np.array_equal(pixels(other, FOVS[0], "DAPI"), pixels(made, FOVS[0], "DAPI"))
    assert rows_of(other / "rois.csv")[0]["roi_id"] != rows_of(made / "rois.csv")[0]["roi_id"]


def test_the_committed_copy_is_what_the_generator_makes(made):
    assert (COMMITTED / "README.md").is_file()
    assert_same_content(COMMITTED, made)


def test_texts_are_utf_8_with_plain_line_ends(made):
    for name in files_of(made):
        if name.endswith(TEXT):
            text = (made / name).read_bytes().decode("utf-8")
            assert text.endswith("\n"), name
            assert "\r" not in text, name


def test_it_opens_as_a_dataset(made):
    dataset = open_dataset(made)
    assert dataset.problems == []
    assert dataset.name == "Sample block"
    assert tuple(dataset.fovs) == FOVS
    assert set(dataset.channels) == set(CHANNELS)
    assert tuple(dataset.maps) == SLICES
    assert [dataset.is_used(slice_id) for slice_id in SLICES] == [False] + 5 * [True]
    assert list(dataset.profiles.names) == ["tissue", "T cells"]
    assert dataset.profiles.default == "tissue"
    for name in dataset.profiles.names:
        dataset.profiles[name].check(dataset.channels, "sample")
    assert len(dataset.cells) == len(rows_of(made / "cells.csv"))


# --- tiles -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fov", FOVS)
def test_every_tiff_opens_and_is_what_it_should_be(made, fov):
    images = {made / fov / f"{channel}.tif": np.uint16 for channel in CHANNELS}
    images |= {made / "masks" / f"{fov}_cell.tif": np.uint16, made / "annotations" / f"{fov}_zone.tif": np.uint8}
    for path, dtype in images.items():
        with tifffile.TiffFile(path) as tif:
            page = tif.pages[0]
            assert (len(tif.pages), page.shape, page.dtype) == (1, (128, 128), dtype), path
            assert page.compression == tifffile.COMPRESSION.ADOBE_DEFLATE
            assert not {"DateTime", "Software", "ImageDescription"} & set(page.tags.keys())
            own = page.asarray()
        with Image.open(path) as image:
            np.testing.assert_array_equal(np.asarray(image), own)


def test_channels_use_a_12_bit_scale_above_a_dark_level(made):
    for channel in CHANNELS:
        values = np.stack([pixels(made, fov, channel) for fov in FOVS])
        assert values.max() <= 4095
        assert 2000 < np.quantile(values, 0.9999) < 3800
        assert 60 < np.quantile(values, 0.001) < 110


@pytest.mark.parametrize("slice_id", SLICES)
def test_a_descriptor_names_every_tile_of_its_slice(made, slice_id):
    root = read_json(made / "maps" / f"{slice_id}.json")
    assert [fov["name"] for fov in root["fovs"]] == [name for name in FOVS if name.startswith(f"s{slice_id}")]
    for fov in root["fovs"]:
        assert fov.keys() == {"name", "slideId", "centerPointMicrons", "frameSizePixels", "fovSizeMicrons"}
        assert fov["slideId"] == slice_id
        assert fov["frameSizePixels"] == {"width": 128, "height": 128}
        assert fov["fovSizeMicrons"] == pytest.approx(128 * 0.65)


@pytest.mark.parametrize("slice_id", SLICES)
@pytest.mark.parametrize("channel", CHANNELS)
def test_tiles_fit_together_where_the_stage_says_and_nowhere_else(made, slice_id, channel):
    at = origins(made, slice_id)
    pairs = [((r, c), (r, c + 1)) for r in range(2) for c in range(2)] + [((0, c), (1, c)) for c in range(3)]
    for (ra, ca), (rb, cb) in pairs:
        a, b = f"s{slice_id}_r{ra}c{ca}", f"s{slice_id}_r{rb}c{cb}"
        dx, dy = at[b][0] - at[a][0], at[b][1] - at[a][1]
        stated = overlap_correlation(made, a, b, channel, dx, dy)
        # one px too far along the seam; the blurred slice hardly changes over one px
        moved = overlap_correlation(made, a, b, channel, dx + 3 * (ra != rb), dy + 3 * (ca != cb))
        assert stated > 0.95, (a, b)
        assert moved < stated - 0.02, (a, b)


def overlap_correlation(folder, a, b, channel, dx, dy):
    """Correlate what two tiles both show if `b` lies (dx, dy) px from `a`."""
    first, second = pixels(folder, a, channel), pixels(folder, b, channel)
    x, y = slice(max(dx, 0), min(128, 128 + dx)), slice(max(dy, 0), min(128, 128 + dy))
    shared = second[y.start - dy : y.stop - dy, x.start - dx : x.stop - dx]
    return np.corrcoef(first[y, x].ravel(), shared.ravel())[0, 1]


def test_the_stage_is_off_the_grid_by_up_to_a_pixel(made):
    offsets = np.array([list(origins(made, slice_id).values()) for slice_id in SLICES])
    nominal = np.array([(115 * c, 115 * r) for r, c in product(range(2), range(3))])
    off = offsets - nominal
    assert np.abs(off).max() <= 2
    assert len(np.unique(off)) > 1


def test_slice_02_is_out_of_focus(made):
    for channel in CHANNELS:
        detail = {s: np.mean([ndimage.laplace(pixels(made, f, channel)).var() for f in on(s)]) for s in SLICES}
        assert detail["02"] < 0.2 * min(detail["01"], detail["04"])


def on(slice_id):
    return [fov for fov in FOVS if fov.startswith(f"s{slice_id}")]


@pytest.mark.parametrize("channel", CHANNELS)
def test_slice_03_has_a_galvo_band_in_every_tile(made, channel):
    profile = {s: np.mean([pixels(made, fov, channel).mean(0) for fov in on(s)], axis=0) for s in ("01", "03")}
    ratio = {s: p[70:80].mean() / np.concatenate([p[60:70], p[80:90]]).mean() for s, p in profile.items()}
    assert 0.6 < ratio["03"] < 0.8
    assert 0.85 < ratio["01"] < 1.15
    band = profile["03"]
    assert band[70] / band[69] < 0.82
    assert band[79] / band[80] < 0.82


# --- cells, zones, ROIs ------------------------------------------------------------------------------------
def test_cells_are_the_labels_of_the_masks(made):
    rows = rows_of(made / "cells.csv")
    assert list(rows[0]) == ["fov", "label", "X", "Y", "area", "mean_DAPI", "mean_CD3", "mean_CD45"]
    assert len(rows) > 1000
    for fov in FOVS:
        labels = tifffile.imread(made / "masks" / f"{fov}_cell.tif")
        own = [row for row in rows if row["fov"] == fov]
        assert [int(row["label"]) for row in own] == list(range(1, labels.max() + 1))
        index = np.arange(1, labels.max() + 1)
        assert [int(row["area"]) for row in own] == np.bincount(labels.ravel())[1:].tolist()
        y, x = np.array(ndimage.center_of_mass(np.ones(labels.shape), labels, index)).T
        np.testing.assert_allclose([float(row["X"]) for row in own], x, atol=0.0051)
        np.testing.assert_allclose([float(row["Y"]) for row in own], y, atol=0.0051)
        assert 0 <= min(x.min(), y.min()) <= max(x.max(), y.max()) < 128
        for channel in CHANNELS:
            mean = ndimage.mean(pixels(made, fov, channel), labels, index)
            np.testing.assert_allclose([float(row[f"mean_{channel}"]) for row in own], mean, atol=0.051)


def test_t_cells_cluster_in_the_t_zone(made):
    share = {zone: [] for zone in (1, 2)}
    for row in rows_of(made / "cells.csv"):
        zones = tifffile.imread(made / "annotations" / f"{row['fov']}_zone.tif")
        zone = zones[round(float(row["Y"])), round(float(row["X"]))]
        if zone:
            share[zone].append(float(row["mean_CD3"]) > 600)
    assert np.mean(share[1]) > 4 * np.mean(share[2])


def test_zones_have_names_and_colours(made):
    zones = set()
    for fov in FOVS:
        table = rows_of(made / "annotations" / f"{fov}_zone.csv")
        assert [(row["label"], row["name"]) for row in table] == [("1", "T zone"), ("2", "follicle")]
        assert all(re.fullmatch("#[0-9a-f]{6}", row["color"]) for row in table)
        zones |= set(np.unique(tifffile.imread(made / "annotations" / f"{fov}_zone.tif")))
    assert zones == {0, 1, 2}


def test_rois_lie_on_two_tiles_on_a_map_and_on_a_fov(made):
    dataset = open_dataset(made)
    rows = list(dataset.rois)
    found = [(roi.name, roi.kind, roi.map_id, roi.fov) for roi in rows]
    assert found == [
        ("ROI_001", "rectangle", "01", ""),
        ("ROI_002", "polygon", "01", ""),
        ("ROI_003", "rectangle", "", "s04_r0c1"),
    ]
    assert all(uuid.UUID(roi.roi_id).version == 4 for roi in rows)
    assert {roi.created_at for roi in rows} == {"2024-05-14T09:30:00Z"}
    assert {roi.profile for roi in rows} <= set(dataset.profiles.names)
    one = rows[0]
    touched = [
        name
        for name, (x, y) in origins(made, "01").items()
        if x < one.x_max and one.x_min < x + 128 and y < one.y_max and one.y_min < y + 128
    ]
    assert touched == ["s01_r0c2", "s01_r1c2"]


def test_the_slice_table_is_canonical(made):
    rows = rows_of(made / "slice_config.csv")
    assert [(row["slice_id"], row["use"]) for row in rows] == [(s, "true" if s > "00" else "false") for s in SLICES]
    assert rows[0]["notes"] == "calibration_slice"
    assert len(rows[0]) == 14
    assert all(value == "" for row in rows[1:] for name, value in row.items() if name not in ("slice_id", "use"))


# --- raw OCT tiles -----------------------------------------------------------------------------------------
def read_raw(folder):
    lines = (folder / "info.txt").read_text().splitlines()
    info = {key: float(value) for key, value in (line.split(": ") for line in lines)}
    shape = (int(info["bottom_z"] - info["top_z"] + 1), int(info["nx"] + info["n_extra"]), int(info["ny"]))
    file = folder / "image_00000.bin"
    assert file.stat().st_size == 4 * math.prod(shape)
    return info, np.fromfile(file, "<f4").reshape(shape, order="F")


@pytest.mark.parametrize("name", RAW_TILES)
def test_a_raw_tile_holds_the_return_band_inside(made, name):
    info, volume = read_raw(made / "raw_tiles" / name)
    assert volume.shape == (6, 60, 48)
    assert info["n_extra"] == 12
    assert 60 < volume.mean() < 120
    profile = volume.mean(axis=(0, 2))
    steps = np.abs(np.diff(np.log(profile)))
    assert sorted(np.argsort(steps)[-2:] + 1) == [20, 32]
    # rolled by (N - n_extra - b), the band lies at the end, where it is cut off
    fixed = np.roll(profile, 60 - 12 - 20)
    assert 0.55 < fixed[48:].mean() / fixed[:48].mean() < 0.75
    assert np.abs(np.diff(np.log(fixed[:48]))).max() < 0.25


def test_raw_tiles_lie_side_by_side(made):
    assert sorted(path.name for path in (made / "raw_tiles").iterdir()) == sorted(RAW_TILES)
    info = {name: read_raw(made / "raw_tiles" / name)[0] for name in RAW_TILES}
    first, right, below = (info[f"tile_{at}_z03"] for at in ("x00_y00", "x01_y00", "x00_y01"))
    step_mm = first["width"] / 1000
    assert right["stage_x_pos_mm"] - first["stage_x_pos_mm"] == pytest.approx(step_mm, abs=2e-5)
    assert below["stage_y_pos_mm"] - first["stage_y_pos_mm"] == pytest.approx(step_mm, abs=2e-5)


def test_a_chunk_of_the_mosaic_is_a_raw_tile(made):
    group = zarr.open_group(made / MOSAIC, mode="r")
    level = group["0"]
    assert (level.shape, level.chunks, level.dtype) == ((6, 96, 120), (6, 48, 60), np.float32)
    multiscale = group.attrs["multiscales"][0]
    assert [(axis["name"], axis["unit"]) for axis in multiscale["axes"]] == [(name, "micrometer") for name in "zyx"]
    assert multiscale["datasets"][0]["coordinateTransformations"] == [{"type": "scale", "scale": [3.5, 1.3, 1.3]}]
    assert group.attrs["galvo"] == {"axis": "x", "n_extra": 12}
    for x, y in product(range(2), range(2)):
        _, volume = read_raw(made / "raw_tiles" / f"tile_x{x:02d}_y{y:02d}_z03")
        chunk = level[:, 48 * y : 48 * (y + 1), 60 * x : 60 * (x + 1)]
        np.testing.assert_array_equal(chunk, volume.transpose(0, 2, 1))


# --- where it is written -----------------------------------------------------------------------------------
def test_a_folder_that_holds_something_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FolderNotEmptyError, match=re.escape(str(tmp_path))) as caught:
        make_sample(tmp_path)
    assert isinstance(caught.value, SlicemapError)
    assert isinstance(caught.value, FileExistsError)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_is_refused(tmp_path):
    (tmp_path / "mine.txt").write_text("keep")
    with pytest.raises(FolderNotEmptyError, match=r"mine\.txt: expected an absent or empty folder"):
        make_sample(tmp_path / "mine.txt")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: folder / name)
    return folder / "napari-slicemap"


def test_the_cached_sample_is_made_once(cache, monkeypatch, made):
    first = cached_sample()
    assert first.parent == cache
    assert first.name.startswith("sample-")
    assert_same_content(first, made)
    monkeypatch.setattr(sample, "make_sample", lambda folder: pytest.fail("made again"))
    assert cached_sample() == first
    assert [path.name for path in cache.iterdir()] == [first.name]


def test_a_cached_sample_that_fails_leaves_nothing_half_made(cache, monkeypatch):
    def fail(folder, **_):
        folder.mkdir()
        (folder / "half.txt").write_text("half")
        raise OSError("disk full")

    monkeypatch.setattr(sample, "make_sample", fail)
    with pytest.raises(OSError, match="disk full"):
        cached_sample()
    assert list(cache.iterdir()) == []


def test_another_process_may_be_faster(cache, monkeypatch, made):
    def slow(folder, **_):
        folder.mkdir()
        (folder / "mine").touch()
        rival = cache / folder.name
        rival.mkdir()
        (rival / "theirs").touch()
        return folder

    monkeypatch.setattr(sample, "make_sample", slow)
    found = cached_sample()
    assert [path.name for path in found.iterdir()] == ["theirs"]
    assert list(cache.iterdir()) == [found]


def test_importing_the_module_is_cheap():
    heavy = "scipy zarr tifffile pandas shapely napari qtpy"
    code = f"import sys, napari_slicemap.sample; print(*(set({heavy!r}.split()) & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
