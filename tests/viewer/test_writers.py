"""What napari saves through the plugin: ROIs as OME-TIFF, layers as bundles."""

from __future__ import annotations

import json

import h5py
import numpy as np
import ome_types
import pytest
import tifffile
from napari.layers import Image, Labels, Shapes

from napari_slicemap import ImageStack, load_h5_bundle, load_npz_bundle, save_h5_bundle, save_npz_bundle
from napari_slicemap.errors import SlicemapError
from napari_slicemap.images.region import Grid
from napari_slicemap.viewer.files.reading import read_bundle
from napari_slicemap.viewer.files.saving_layers import write_h5_bundle, write_npz_bundle
from napari_slicemap.viewer.files.saving_rois import write_rois

PLUGIN = "napari-slicemap"
UM = {"scale": (0.65, 0.65), "units": ("um", "um")}
MOVIE = {"scale": (0.5, 0.65, 0.65), "units": ("s", "um", "um")}


def values(shape=(3, 6, 5), dtype=np.uint16, seed=0):
    return np.random.default_rng(seed).integers(0, 60_000, shape).astype(dtype)


def tuples(*layers):
    """As napari hands layers to a writer."""
    return [layer.as_layer_data_tuple() for layer in layers]


def keys_of_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {key: file[key] for key in file.files}


def keys_of_h5(path):
    """Give the arrays by the names that NPZ has for them."""
    found = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, one: found.update({name.replace("/", "__"): one[()]}) if hasattr(one, "dtype") else None
        )
        return {**found, "pixel_size_nm": file.attrs["pixel_size_nm"], "channel": file.attrs["channel"]}


each_format = pytest.mark.parametrize(
    ("write", "suffix", "keys_of"),
    [
        pytest.param(write_npz_bundle, ".npz", keys_of_npz, id="npz"),
        pytest.param(write_h5_bundle, ".h5", keys_of_h5, id="h5"),
    ],
)


# --- layers -----------------------------------------------------------------------------------------------------
@each_format
def test_images_and_labels_become_frames_steps_and_masks(tmp_path, write, suffix, keys_of):
    movie, median, mask = values(), values(dtype=np.float64, seed=1), values(dtype=np.uint8, seed=2) > 30
    (path,) = write(
        str(tmp_path / f"run.1{suffix}"),
        tuples(
            Image(movie, name="DAPI", translate=(7, 1, 1), **MOVIE),
            Image(median, name="median", **MOVIE),
            Labels(mask.astype(int) * 4, name="cells"),
        ),
    )
    assert path == str(tmp_path / f"run.1{suffix}")
    found = keys_of(path)
    for key, array in {"data": movie, "processed__step_1_median": median, "masks__cells": mask}.items():
        np.testing.assert_array_equal(found[key], array)
        assert found[key].dtype == array.dtype
    np.testing.assert_array_equal(found["timestamps"], [7.0, 7.5, 8.0])
    assert found["pixel_size_nm"] == 650.0
    assert found["channel"] == "DAPI"


@pytest.mark.parametrize(
    ("scale", "units", "nanometres"),
    [
        pytest.param((0.65, 0.65), ("um", "um"), 650.0, id="µm"),
        pytest.param((1.953125, 1.953125), ("nm", "nm"), 1.953125, id="nm"),
        pytest.param((0.01, 0.01), ("mm", "mm"), 10_000.0, id="mm"),
    ],
)
def test_a_picture_is_one_frame_of_any_unit_of_length(tmp_path, scale, units, nanometres):
    picture = values((6, 5))
    write_npz_bundle(str(tmp_path / "one.npz"), tuples(Image(picture, name="p", scale=scale, units=units)))
    found = keys_of_npz(tmp_path / "one.npz")
    np.testing.assert_array_equal(found["data"], picture[None])
    assert found["pixel_size_nm"] == pytest.approx(nanometres, rel=1e-12)
    assert np.isnan(found["timestamps"]).all()


@pytest.mark.parametrize(
    ("save", "load", "suffix"),
    [
        pytest.param(save_npz_bundle, load_npz_bundle, ".npz", id="npz"),
        pytest.param(save_h5_bundle, load_h5_bundle, ".h5", id="h5"),
    ],
)
def test_a_bundle_that_is_opened_and_saved_is_the_same_file(tmp_path, save, load, suffix):
    """Also where layers have more frames than the data, whose times are unequal and names odd."""
    before = [{"timestamp": time, "line_rate": 3} for time in (0.0, 1.5, 2.0, 7.25)]
    stack = ImageStack(
        values().astype(np.float32),
        1.1,
        "height_trace",
        before[:3],
        {"raw": values((4, 6, 5)).astype(np.float32), "step_2_crop/50%": values((3, 2, 2)).astype(np.float32)},
        {"step_1_bright": values((4, 6, 5)) > 30_000},
        {"frame_metadata_before_edit": before},
        {"processing": {"steps": [{"index": 1, "name": "mask"}]}},
    )
    first = save(tmp_path / f"first{suffix}", stack)
    layers = [{"image": Image, "labels": Labels}[kind](data, **meta) for data, meta, kind in read_bundle(str(first))]
    write = write_npz_bundle if suffix == ".npz" else write_h5_bundle
    write(str(tmp_path / f"second{suffix}"), tuples(*layers))
    assert (tmp_path / f"second{suffix}").read_bytes() == first.read_bytes()
    # and with what somebody made of it in napari
    made = Image(values(seed=5).astype(np.float32), name="smooth", scale=layers[0].scale, units=layers[0].units)
    write(str(tmp_path / f"third{suffix}"), tuples(made, *layers))
    third = load(tmp_path / f"third{suffix}")
    np.testing.assert_array_equal(third.data, stack.data)
    assert list(third.processed) == ["raw", "step_2_crop/50%", "step_3_smooth"]
    assert third.provenance == stack.provenance


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        pytest.param(
            [Image(values(), name="A")],
            r'layer A: its pixel size is unknown.*layer\.units = \("um", "um"\)',
            id="no unit",
        ),
        pytest.param(
            [Image(values(), name="A", scale=(1, 1, 2), units=("s", "um", "um"))],
            "layer A: its px are 2000 × 1000 nm",
            id="px that are not square",
        ),
        pytest.param(
            [Image(values(), name="A", **MOVIE), Image(values(), name="B", scale=(1, 1, 1), units=("s", "um", "um"))],
            "layers A and B have px of 650 and 1000 nm",
            id="two pixel sizes",
        ),
        pytest.param(
            [Image(values(), name="A", **MOVIE), Labels(np.ones((6, 5), int), name="B")],
            "layer B is 1 × 6 × 5, layer A 3 × 6 × 5",
            id="other frames",
        ),
        pytest.param(
            [Image(values(), name="A", **MOVIE), Labels(np.arange(90).reshape(3, 6, 5), name="B")],
            "layer B tells 89 labels apart",
            id="labels of many things",
        ),
        pytest.param([Image(values((2, 3, 6, 5)), name="A")], "layer A has 4 axes, 2 × 3 × 6 × 5", id="too many axes"),
        pytest.param([Image(values((6, 5, 3), np.uint8), name="A", rgb=True, **UM)], "layer A holds colours", id="rgb"),
        pytest.param(
            [Image([values((6, 6)), values((3, 3))], name="A", multiscale=True, **UM)],
            "layer A is a pyramid",
            id="pyramid",
        ),
        pytest.param(
            [Image(values(), name="A", scale=(1, 1, 1), units=("um", "um", "um"))],
            "layer A: its first axis is a length, micrometer",
            id="planes",
        ),
    ],
)
def test_layers_that_are_no_stack_are_refused_in_words(tmp_path, layers, message):
    path = tmp_path / "run.npz"
    with pytest.raises(SlicemapError, match=message) as caught:
        write_npz_bundle(str(path), tuples(*layers))
    assert not isinstance(caught.value, ValueError), "napari would take it for there being no writer"
    assert not path.exists()


# --- through the viewer -----------------------------------------------------------------------------------------
def select(viewer, *names):
    viewer.layers.selection = {viewer.layers[name] for name in names}


def saved(viewer, path):
    return viewer.layers.save(str(path), selected=True, plugin=PLUGIN)


def through_the_dialog(viewer, monkeypatch, path, entry):
    """File ▸ Save Selected Layer(s)..., with a name and a type chosen."""
    monkeypatch.setattr("napari._qt.qt_viewer.QFileDialog.getSaveFileName", lambda *_, **__: (str(path), entry))
    viewer.window._qt_viewer._save_layers_dialog(selected=True)


def test_layers_are_saved_from_the_viewer_and_maps_are_not(session, tmp_path, monkeypatch):
    viewer = session.viewer
    place = {"scale": (1, 0.65, 0.65), "units": ("pixel", "um", "um")}
    viewer.add_image(values(), name="mine", **place)
    viewer.add_labels(np.ones((3, 6, 5), int), name="mask", **place)
    select(viewer, "mine", "mask")
    assert saved(viewer, tmp_path / "run.h5") == [str(tmp_path / "run.h5")]
    found = keys_of_h5(tmp_path / "run.h5")
    np.testing.assert_array_equal(found["data"], values())
    assert found["masks__mask"].all()
    through_the_dialog(viewer, monkeypatch, tmp_path / "run", "Slice map frames and masks as NPZ bundle (*.npz)")
    np.testing.assert_array_equal(keys_of_npz(tmp_path / "run.npz")["data"], values())
    for names in (["DAPI"], ["mine", "CD45"], ["mine", "cell (mask)"]):
        select(viewer, *names)
        with pytest.raises(SlicemapError, match=rf"layer {names[-1].split()[0]}.* shows a map.*Batch export"):
            saved(viewer, tmp_path / "map.npz")
    assert not (tmp_path / "map.npz").exists()


def test_selected_rois_are_saved_as_the_microscope_left_them(session, tmp_path, monkeypatch):
    """One under the name given, several under names of their own, all where none is selected; each with its record."""
    viewer, dataset = session.viewer, session.dataset
    viewer.layers["DAPI"].contrast_limits = (0, 10)  # what is seen does not count
    viewer.layers["CD3"].visible = False
    select(viewer, "ROIs")
    roi = next(one for one in dataset.rois if one.name == "ROI_001")
    session.marking.select([roi.roi_id])
    path = tmp_path / "new" / "cortex.ome.tif"
    for _ in range(2):  # napari has asked whether the file may be written over
        assert saved(viewer, path) == [str(path)]
    written = tifffile.imread(path)
    one = dataset.maps[roi.map_id]
    wanted = one.read_stack(list(dataset.profiles["tissue"].channels), roi.region.window(), Grid(1))
    np.testing.assert_array_equal(written, wanted)
    pixels = ome_types.from_tiff(path).images[0].pixels
    assert [channel.name for channel in pixels.channels] == ["DAPI", "CD45", "CD3"]
    assert pixels.physical_size_x == pytest.approx(0.65)
    record = json.loads((path.parent / "cortex.ome.tif.provenance.json").read_text())
    assert record["item"]["roi_id"] == roi.roi_id
    assert record["profile"]["name"] == "tissue"

    session.marking.select([])
    through_the_dialog(viewer, monkeypatch, tmp_path / "by hand", "Slice map ROIs as OME-TIFF (*.ome.tif)")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "by_hand_ROI_001.ome.tif"), written)
    names = [f"all_{name}.ome.tif" for name in ("ROI_001", "ROI_002", "ROI_003")]
    assert saved(viewer, tmp_path / "all") == [str(tmp_path / name) for name in names]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / names[0]), written)
    with pytest.raises(SlicemapError, match="already holds all_ROI_001"):  # nobody was asked about these
        saved(viewer, tmp_path / "all.ome.tif")
    session.marking.select([roi.roi_id])
    (tmp_path / "a_b.ome.tif").touch()
    with pytest.raises(SlicemapError, match=r"already holds a_b\.ome\.tif"):  # nor about this
        saved(viewer, tmp_path / "a b.ome.tif")


def test_rois_that_are_not_saved_are_named_and_the_others_are_written(session, tmp_path, monkeypatch):
    viewer, told = session.viewer, []
    monkeypatch.setattr("napari_slicemap.viewer.files.saving_rois.show_warning", told.append)
    select(viewer, "ROIs")
    session.set_slices({"01": {"slice_id": "01", "use": False}})
    assert saved(viewer, tmp_path / "x.ome.tif") == [str(tmp_path / "x_ROI_003.ome.tif")]
    assert told == ["Not all ROIs were saved.\nslice 01 is excluded (use is false)"]
    session.marking.select([one.roi_id for one in session.rois if one.map_id == "01"])
    with pytest.raises(SlicemapError, match="nothing to export: slice 01 is excluded"):
        saved(viewer, tmp_path / "y.ome.tif")

    session.set_slices(None)
    session.marking.select([])
    files = list(session.dataset.path.rglob(f"{next(one.fov for one in session.rois if one.fov)}/*.tif*"))
    assert files
    for file in files:
        file.write_bytes(b"")
    with pytest.raises(SlicemapError, match=r"Not all ROIs could be saved\.\nfov-roi:z_ROI_003: "):
        saved(viewer, tmp_path / "z.ome.tif")
    assert (tmp_path / "z_ROI_001.ome.tif").exists()
    assert not (tmp_path / "z_ROI_003.ome.tif").exists()

    # layers without any
    data, meta, _ = viewer.layers["ROIs"].as_layer_data_tuple()
    viewer.add_layer(Shapes([np.zeros((3, 3))], shape_type="polygon", name="mine", units=meta["units"]))
    select(viewer, "mine")
    with pytest.raises(SlicemapError, match=r"layer mine holds no ROIs of an open dataset.*layer ROIs"):
        saved(viewer, tmp_path / "n.ome.tif")
    select(viewer, "ROIs")
    session.remove_rois([roi.roi_id for roi in session.rois])
    with pytest.raises(SlicemapError, match="there is no ROI to save yet"):
        saved(viewer, tmp_path / "n.ome.tif")
    session.dataset = None  # as when it is closed, and somebody kept the layer
    with pytest.raises(SlicemapError, match="layer ROIs holds no ROIs of an open dataset"):
        write_rois(str(tmp_path / "n.ome.tif"), data, meta)
    assert not (tmp_path / "n.ome.tif").exists()
