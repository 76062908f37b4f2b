"""``ImageStack``: what it refuses, and what its raw frames are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from napari_slicemap.errors import StackError
from napari_slicemap.images.stack.image_stack import ImageStack

from .stacks import BEFORE, frames, plain_stack, processed_stack


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"data": np.zeros((0, 4, 4)), "frame_metadata": []}, "no frames: data is", id="no frame"),
        pytest.param({"data": np.zeros((4, 0, 4))}, "no frames", id="no row"),
        pytest.param({"data": np.zeros((4, 4))}, r"data is float64 \(4, 4\), expected real numbers", id="two axes"),
        pytest.param({"data": frames().astype(complex)}, "data is complex128", id="complex"),
        pytest.param({"frame_metadata": BEFORE[:3]}, "3 frame metadata for 4 frames", id="metadata too few"),
        pytest.param({"frame_metadata": [None] * 4}, "frame 0 has the metadata None", id="metadata no mapping"),
        pytest.param({"pixel_size_nm": 0.0}, "pixel size is 0.0", id="pixel size zero"),
        pytest.param({"pixel_size_nm": np.nan}, "pixel size is nan", id="pixel size unknown"),
        pytest.param({"pixel_size_nm": "1"}, "pixel size is '1'", id="pixel size text"),
        pytest.param({"pixel_size_nm": True}, "pixel size is True", id="pixel size bool"),
        pytest.param({"channel": b"height"}, "channel is b'height'", id="channel bytes"),
        pytest.param({"channel": "a\0b"}, "channel is", id="channel with NUL"),
        pytest.param({"channel": "\ud800"}, "channel is", id="channel no UTF-8"),
        pytest.param({"processed": {"": frames()}}, "processed layer '': this is no name", id="layer without name"),
        pytest.param({"processed": {"\ud800": frames()}}, "this is no name", id="layer name no UTF-8"),
        pytest.param({"processed": {"raw": frames()[0]}}, "processed layer 'raw' is float64", id="layer of two axes"),
        pytest.param({"masks": {"m": frames()}}, "mask 'm' is float64 .* expected bool", id="mask of floats"),
    ],
)
def test_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StackError, match=message):
        plain_stack(**changes)


def test_layers_may_have_other_frames_and_sizes_than_the_data() -> None:
    shapes = {name: layer.shape for name, layer in processed_stack().processed.items()}
    assert list(shapes.values()) == [(5, 6, 5), (5, 6, 5), (4, 3, 2)]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        pytest.param("/a/run_0.5nm.final.npz", "run_0.5nm.final", id="dots"),
        pytest.param("video.ome.tif", "video", id="ome"),
        pytest.param("sample_0.h5-jpk", "sample_0", id="jpk"),
        pytest.param(None, "height_trace", id="no file"),
    ],
)
def test_name(path: str | None, name: str) -> None:
    assert plain_stack(file_path=path).name == name


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [
        pytest.param({"timestamp": 2}, 2.0, id="int"),
        pytest.param({"timestamp": np.float32(0.5)}, 0.5, id="numpy"),
        pytest.param({"timestamp": "0.5"}, 0.5, id="number as text"),
        pytest.param({}, np.nan, id="missing"),
        pytest.param({"timestamp": None}, np.nan, id="none"),
        pytest.param({"timestamp": np.nan}, np.nan, id="nan"),
        pytest.param({"timestamp": np.inf}, np.nan, id="infinite"),
        pytest.param({"timestamp": "at noon"}, np.nan, id="text"),
        pytest.param({"timestamp": True}, np.nan, id="bool"),
    ],
)
def test_times(stated: dict[str, Any], seconds: float) -> None:
    np.testing.assert_array_equal(plain_stack(data=frames(1), frame_metadata=[stated]).times_s, [seconds])


# --- raw -----------------------------------------------------------------------------------------------------
def is_bare(stack: ImageStack) -> bool:
    return not (stack.processed or stack.masks or stack.state_backups or stack.steps)


def test_raw_is_the_snapshot_with_the_metadata_from_before_the_edit() -> None:
    stack = processed_stack()
    raw = stack.raw()
    np.testing.assert_array_equal(raw.data, stack.processed["raw"])
    assert list(raw.frame_metadata) == BEFORE
    assert is_bare(raw)
    assert raw.provenance == {"acquisition": {"unit": "nm"}}
    np.testing.assert_array_equal(raw.raw().data, raw.data)  # and it is raw itself


def test_raw_without_an_edit_has_the_metadata_there_are() -> None:
    stack = processed_stack(processed={"raw": frames(seed=9), "step_1_a": frames()}, state_backups={})
    assert list(stack.raw().frame_metadata) == BEFORE[:4]
    np.testing.assert_array_equal(stack.raw().data, frames(seed=9))


def test_raw_of_what_nothing_was_done_to_is_the_data() -> None:
    stack = plain_stack()
    np.testing.assert_array_equal(stack.raw().data, stack.data)
    assert is_bare(stack.raw())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"processed": {"step_1_a": frames()}, "provenance": {}}, "was processed", id="a layer"),
        pytest.param({"processed": {}}, "was processed", id="a step on record"),
        pytest.param({"state_backups": {}}, "5 raw frames and metadata of 4", id="no metadata for its frames"),
    ],
)
def test_no_raw_frames_is_an_error(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(StackError, match=message):
        processed_stack(**changes).raw()
