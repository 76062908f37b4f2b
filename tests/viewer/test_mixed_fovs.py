"""FOVs without a map on one canvas: of other pixel sizes and channels, each as it is."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("napari", reason="the viewer's tests need napari and a Qt binding")

from builders import pixels, write_tiff
from napari_slicemap import ExportPlan, open_dataset
from napari_slicemap.render.starter import spread, starter_profiles
from napari_slicemap.viewer.docks.batch_export.where import Labour
from napari_slicemap.viewer.docks.batch_export.work import check, told_of_check
from napari_slicemap.viewer.map_layer import VirtualMapLayer
from napari_slicemap.viewer.pages import pages_of

NEGATIVE = pixels(1, (20, 24), np.float32) - 5
COUNTS = pixels(2, (10, 10))


def mixed(root, second_um):
    """A FOV of 0.5 µm/px with one channel, and one of another pixel size with another."""
    for name, data, size in (("a1/force.tif", NEGATIVE, 0.5), ("a2/DAPI.tif", COUNTS, second_um)):
        tags = {} if size is None else {"resolution": (1 / size, 1 / size), "metadata": {"unit": "um"}}
        write_tiff(root / name, data, imagej=True, **tags)
    return open_dataset(root, layout="fov-folders")


def test_a_channel_that_a_page_lacks_is_dark_and_no_fault(tmp_path):
    dataset = mixed(tmp_path, 1.0)
    layer = VirtualMapLayer(dataset, starter_profiles(spread(dataset.fovs, dataset.distinct_fovs))[0])
    force, counts = (np.asarray(layer.channel_layers[name].data[0]) for name in ("force", "DAPI"))
    np.testing.assert_array_equal(force[0], NEGATIVE)
    assert np.isnan(force[1]).all(), "0 would be bright where the limits are negative"
    assert not counts[0].any()
    np.testing.assert_array_equal(counts[1, :, :20], COUNTS.repeat(2, axis=0).repeat(2, axis=1))
    assert [layer.has(number, "force") for number in (0, 1)] == [True, False]
    assert layer.missing.reasons(0, ["force", "DAPI"]) == {}
    assert not np.asarray(layer.stripes_layer.data[0]).any()
    composite = np.asarray(layer.composite_layer.data[0])
    assert composite[1, :, :20].any()
    assert not composite[1, :, 20:].any()


@pytest.mark.parametrize(
    ("second_um", "canvas_um", "scale", "shape"),
    [
        pytest.param(0.5, 0.5, 1.0, (2, 20, 24), id="alike"),
        pytest.param(1.0, 0.5, 2.0, (2, 20, 24), id="coarser"),
        pytest.param(0.25, 0.25, 1.0, (2, 40, 48), id="finer"),
        pytest.param(10.0, None, 1.0, (2, 20, 24), id="too far apart: their own pixels"),
        pytest.param(None, None, 1.0, (2, 20, 24), id="unknown: their own pixels"),
    ],
)
def test_fovs_share_a_canvas_in_micrometres(tmp_path, second_um, canvas_um, scale, shape):
    pages = pages_of(mixed(tmp_path, second_um))
    assert pages.pixel_size_um == (canvas_um and pytest.approx(canvas_um))
    assert pages.pages[1].scale == pytest.approx(scale)
    assert pages.shape == shape
    assert pages.units[1] == ("pixel" if canvas_um is None else "micrometer")


@pytest.mark.parametrize(
    ("profile", "ids", "said"),
    [
        pytest.param(
            "auto",
            ["a1", "a2"],
            ["2 items of 2 cannot be drawn by profile 'auto': fov:a1 has no DAPI; profile 'auto force' fits it"],
            id="all channels",
        ),
        pytest.param(
            "auto force",
            ["a1", "a2"],
            ["1 item of 2 cannot be drawn by profile 'auto force': fov:a2 has no force; profile 'auto DAPI' fits it"],
            id="of the other one",
        ),
        pytest.param("auto DAPI", ["a2"], [], id="fits"),
    ],
)
def test_the_dock_says_beforehand_which_profile_fits(tmp_path, profile, ids, said):
    dataset = mixed(tmp_path, 1.0)
    for one in starter_profiles(spread(dataset.fovs, dataset.distinct_fovs)):
        dataset.profiles = dataset.profiles.with_profile(one)
    plan = ExportPlan(select=[{"kind": "fov", "ids": ids}], profile=profile, output_folder=str(tmp_path / "out"))
    found = check(plan, dataset, Labour())
    assert list(found.misfits) == said
    assert set(said) <= set(told_of_check(found))
