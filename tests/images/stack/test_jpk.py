"""``.h5-jpk`` videos, held against the numbers in the file as h5py alone gives them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from napari_slicemap.errors import FileFormatError, UnknownNameError
from napari_slicemap.images.stack.jpk import read_h5_jpk
from napari_slicemap.images.stack.reading import read_stack

CHANNELS = ["amplitude", "error", "height", "measuredHeight", "phase"]


@pytest.fixture
def video(real_data: Path) -> Path:
    return real_data / "afm" / "sample_0.h5-jpk"


def make_video(path: Path, width: int = 3, height: int = 2, frames: int = 4) -> Path:
    """A small file in JPK's layout: one height channel in m."""
    with h5py.File(path, "w") as file:
        measurement = file.create_group("Measurement_000")
        grid = {"ilength": width, "jlength": height, "ulength": width * 2e-9, "vlength": height * 2e-9}
        for key, value in grid.items():
            measurement.attrs[f"position-pattern.grid.{key}"] = value
        channel = measurement.create_group("Channel_000")
        channel["Height"] = np.arange(width * height * frames, dtype=np.int32).reshape(-1, frames)
        channel["thumbnail"] = np.zeros((4, 1), np.int32)
        scaling = {"multiplier": 1e-9, "offset": 5e-9, "unit.unit": np.bytes_(b"m")}
        for key, value in scaling.items():
            channel.attrs[f"net-encoder.scaling.{key}"] = value
        channel.attrs["channel.name"], channel.attrs["retrace"] = np.bytes_(b"height"), np.bytes_(b"false")
        measurement["meta-data/start-times"] = 10_000 + np.array([[0], [500], [1250], [1500]][:frames])
        measurement["meta-data/end-times"] = 10_000 + np.array([[400], [900], [1400], [1900]][:frames])
    return path


def test_real_times_sizes_and_metadata(video: Path) -> None:
    stack = read_h5_jpk(video)
    assert (stack.data.shape, stack.data.dtype, stack.channel) == ((4, 128, 128), np.float64, "height_trace")
    assert stack.pixel_size_nm == 150 / 128
    np.testing.assert_array_equal(stack.times_s, [0, 3.275, 6.55, 9.825])
    assert stack.frame_metadata[1] == {
        "timestamp": 3.275,
        "frame_pixel_size_nm": 150 / 128,
        "frame_duration_s": 3.262,
        "start_epoch_ms": 1748439721823,
    }
    assert stack.name == "sample_0"


@pytest.mark.parametrize("direction", ["trace", "retrace"])
@pytest.mark.parametrize("name", [name for name in CHANNELS if name != "measuredHeight"])
def test_every_channel_in_its_unit(video: Path, name: str, direction: str) -> None:
    stack = read_h5_jpk(video, f"{name}_{direction}")
    with h5py.File(video) as file:
        (group,) = (
            one
            for key, one in file["Measurement_000"].items()
            if key.startswith("Channel_")
            and one.attrs["channel.name"] == name.encode()
            and (one.attrs["retrace"] == b"true") == (direction == "retrace")
        )
        (stored,) = (one[()] for key, one in group.items() if key != "thumbnail")
        factor, offset, unit = (
            group.attrs[f"net-encoder.scaling.{key}"] for key in ("multiplier", "offset", "unit.unit")
        )
    nm = 1e9 if unit == b"m" else 1
    # the lowest row comes first in the file, as its positions say
    expected = (stored * factor + offset).T.reshape(4, 128, 128)[:, ::-1] * nm
    np.testing.assert_allclose(stack.data, expected, rtol=1e-12, atol=1e-12)
    assert stack.provenance["acquisition"]["unit"] == ("nm" if nm > 1 else unit.decode())


def test_rows_go_down_as_y_does(video: Path) -> None:
    with h5py.File(video) as file:
        y = file["Measurement_000/Position_Values"][:, 1].reshape(128, 128)
    assert (np.diff(y[:, 0]) > 0).all()


def test_unknown_channel_lists_those_there_are(video: Path) -> None:
    with pytest.raises(UnknownNameError) as caught:
        read_h5_jpk(video, "measuredheight_trace")
    both = [f"{name}_{way}" for name in CHANNELS for way in ("retrace", "trace")]
    assert caught.value.available == sorted(set(both) - {"measuredHeight_retrace"})
    assert "sample_0.h5-jpk" in str(caught.value)


def test_small_file_in_full(tmp_path: Path) -> None:
    stack = read_stack(str(make_video(tmp_path / "a.b.h5-jpk")))
    first = np.array([[12, 16, 20], [0, 4, 8]]) + 5
    np.testing.assert_allclose(stack.data, [first + frame for frame in range(4)])
    assert stack.pixel_size_nm == pytest.approx(2)
    np.testing.assert_array_equal(stack.times_s, [0, 0.5, 1.25, 1.5])
    assert [one["frame_duration_s"] for one in stack.frame_metadata] == [0.4, 0.4, 0.15, 0.4]
    assert stack.name == "a.b"


def test_rows_read_in_more_than_one_band(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_video(tmp_path / "a.h5-jpk", 3, 5)
    whole = read_h5_jpk(path).data
    monkeypatch.setattr("napari_slicemap.images.stack.jpk._BAND_PX", 24)
    np.testing.assert_array_equal(read_h5_jpk(path).data, whole)


def test_times_that_are_not_stated_are_unknown(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.h5-jpk")
    with h5py.File(path, "a") as file:
        del file["Measurement_000/meta-data"]
    assert np.isnan(read_h5_jpk(path).times_s).all()


def test_durations_that_are_not_stated_leave_the_times(tmp_path: Path) -> None:
    path = make_video(tmp_path / "a.h5-jpk")
    with h5py.File(path, "a") as file:
        del file["Measurement_000/meta-data/end-times"]
    stack = read_h5_jpk(path)
    np.testing.assert_array_equal(stack.times_s, [0, 0.5, 1.25, 1.5])
    assert {one["frame_duration_s"] for one in stack.frame_metadata} == {None}


def attribute(key: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        place, _, name = key.rpartition(" ")
        if value is None:
            del file["Measurement_000" + place].attrs[name]
        else:
            file["Measurement_000" + place].attrs[name] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(attribute(" position-pattern.grid.ulength", None), "grid.ulength is None", id="no size"),
        pytest.param(attribute(" position-pattern.grid.vlength", 5e-9), "pixels are 2 × 2.5 nm", id="oblong pixels"),
        pytest.param(attribute(" position-pattern.grid.ilength", 4), r"expected numbers \(8, frames\)", id="width"),
        pytest.param(
            attribute("/Channel_000 net-encoder.scaling.multiplier", None), "multiplier is None", id="no scaling"
        ),
        pytest.param(attribute("/Channel_000 net-encoder.scaling.unit.unit", 3), "unit.unit is .*3", id="unit"),
        pytest.param(attribute("/Channel_000 channel.name", None), "channel.name is None", id="channel without name"),
        pytest.param(lambda file: file.move("Measurement_000", "a"), "0 measurements", id="no measurement"),
        pytest.param(lambda file: file.create_group("Measurement_001"), "2 measurements", id="two measurements"),
        pytest.param(
            lambda file: file.create_dataset("Measurement_000/Channel_000/More", data=1),
            "holds Height, More, expected one dataset",
            id="two datasets",
        ),
    ],
)
def test_faults_name_the_file(tmp_path: Path, change: Callable[[Any], None], message: str) -> None:
    path = make_video(tmp_path / "a.h5-jpk")
    with h5py.File(path, "a") as file:
        change(file)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_h5_jpk(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize("times", [np.arange(3), np.arange(4.0)], ids=["too few", "floats"])
def test_times_that_are_not_those_of_the_frames(tmp_path: Path, times: np.ndarray) -> None:
    path = make_video(tmp_path / "a.h5-jpk")
    with h5py.File(path, "a") as file:
        del file["Measurement_000/meta-data/start-times"]
        file["Measurement_000/meta-data/start-times"] = times
    with pytest.raises(FileFormatError, match=r"start-times is .* expected one time for 4 frames"):
        read_h5_jpk(path)


def test_cut_off(tmp_path: Path, video: Path) -> None:
    path = Path(shutil.copy(video, tmp_path / "a.h5-jpk"))
    path.write_bytes(video.read_bytes()[:100_000])
    with pytest.raises(FileFormatError, match=r"cannot be read as a \.h5-jpk video"):
        read_h5_jpk(path)
