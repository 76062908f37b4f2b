"""Frames with their configuration: a BigTIFF and two JSON files."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pydantic
import pytest
import tifffile

from napari_slicemap.errors import PlanError
from napari_slicemap.images.config_frames import MetaData, OutputParameters, save_config_frames

from .ome_schema import valid_ome

FULL: dict[str, Any] = {
    "axes": "TYX",
    "notes": ["laser off", ["first", "second µ"]],
    "TimeIncrement": 50.0,
    "TimeIncrementUnit": "ms",
    "PhysicalSizeX": 65.5,
    "PhysicalSizeXUnit": "nm",
    "PhysicalSizeY": 65.5,
    "PhysicalSizeYUnit": "nm",
    "Channel": {"Name": ['<a> & "µ" {x}']},
    "exposure_s": 0.05,
    "laser": {"power": [1, 2]},
    "objective": "60×",
}


def frames(shape: tuple[int, ...] = (5, 20, 30), dtype: str = "uint16") -> np.ndarray:
    return np.random.default_rng(1).integers(0, 100, shape).astype(dtype)


def test_all_that_is_known(tmp_path):
    output = OutputParameters(output_path=tmp_path / "new" / "folder", output_name="run_0.5nm.final")
    path = save_config_frames(MetaData(**FULL), frames(), output)
    assert path == tmp_path / "new" / "folder" / "run_0.5nm.final.ome.tiff"
    assert sorted(one.name for one in path.parent.iterdir()) == [
        "metadata.json",
        "run_0.5nm.final.metadata.json",
        "run_0.5nm.final.ome.tiff",
    ]
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff
        assert tif.series[0].axes == "TYX"
        np.testing.assert_array_equal(tif.asarray(), frames())
        assert "laser off" not in tif.ome_metadata
    ome = valid_ome(path)
    pixels = ome.images[0].pixels
    assert ome.images[0].name == "run_0.5nm.final"
    assert (pixels.time_increment, pixels.time_increment_unit.value) == (50.0, "ms")
    assert (pixels.physical_size_x, pixels.physical_size_x_unit.value) == (65.5, "nm")
    assert pixels.channels[0].name == '<a> & "µ" {x}'
    kept = {entry.k: entry.value for entry in ome.structured_annotations[0].value.ms}
    assert kept == {"exposure_s": "0.05", "laser": '{"power": [1, 2]}', "objective": "60×"}
    for name in ("metadata.json", "run_0.5nm.final.metadata.json"):
        found = json.loads((path.parent / name).read_text("utf-8"))
        assert {key: value for key, value in found.items() if value is not None} == FULL
        assert MetaData(**found) == MetaData(**FULL)


@pytest.mark.parametrize(
    ("axes", "shape", "stored"),
    [
        ("YX", (20, 30), (1, 1, 1, 20, 30)),
        ("TYX", (5, 20, 30), (5, 1, 1, 20, 30)),
        ("TCYX", (5, 20, 30), (5, 1, 1, 20, 30)),
        ("TCZYX", (5, 20, 30), (5, 1, 1, 20, 30)),
        ("ZYX", (5, 20, 30), (1, 1, 5, 20, 30)),
        ("TCYX", (5, 2, 20, 30), (5, 2, 1, 20, 30)),
        ("CTYX", (2, 5, 20, 3), (5, 2, 1, 20, 3)),
        ("TCZYX", (5, 2, 3, 20, 30), (5, 2, 3, 20, 30)),
    ],
)
def test_axes(tmp_path, axes, shape, stored):
    data = frames(shape)
    path = save_config_frames(MetaData(axes=axes), data, OutputParameters(output_path=tmp_path, output_name="run"))
    pixels = valid_ome(path).images[0].pixels
    assert (pixels.size_t, pixels.size_c, pixels.size_z, pixels.size_y, pixels.size_x) == stored
    np.testing.assert_array_equal(tifffile.imread(path).reshape(data.shape), data)


@pytest.mark.parametrize(("dtype", "stored"), [("bool", "uint8"), ("int64", "float64"), ("float16", "float32")])
def test_types(tmp_path, dtype, stored):
    data = frames(dtype=dtype)
    path = save_config_frames(MetaData(axes="TYX"), data, OutputParameters(output_path=tmp_path, output_name="run"))
    found = tifffile.imread(path)
    assert found.dtype == stored
    np.testing.assert_array_equal(found, data)


@pytest.mark.parametrize(
    ("metadata", "data", "message"),
    [
        ({"axes": "TYX"}, frames((2, 3, 4, 5)), r"frames run: their shape is \(2, 3, 4, 5\), and the axes TYX are 3"),
        ({"axes": "CZYX"}, frames(), r"the axes CZYX are 4"),
        ({"axes": "TYX"}, frames((0, 4, 5)), "there are no pixels"),
        ({"axes": "TYX"}, np.zeros((2, 4, 5), complex), "OME-TIFF holds no pixels of type complex128"),
        ({"axes": "TCYX", "Channel": {"Name": ["a"]}}, frames((2, 2, 4, 5)), "the metadata do not fit"),
    ],
)
def test_what_does_not_fit(tmp_path, metadata, data, message):
    with pytest.raises(PlanError, match=message):
        save_config_frames(MetaData(**metadata), data, OutputParameters(output_path=tmp_path, output_name="run"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"axes": "TXY"}, "'TXY', expected some of TZCYX"),
        ({"axes": "TTYX"}, "'TTYX', expected some of TZCYX"),
        ({"axes": "QYX"}, "'QYX', expected some of TZCYX"),
        ({"PhysicalSizeX": 0}, "greater than 0"),
        ({"TimeIncrement": float("nan")}, "finite number"),
        ({"PhysicalSizeXUnit": "feet"}, "unknown unit 'feet'"),
        ({"TimeIncrementUnit": "nm"}, "unknown unit 'nm'"),
    ],
)
def test_metadata_that_cannot_be(changes, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        MetaData(**{"axes": "TYX", **changes})


@pytest.mark.parametrize("unit", ["um", "µm", "\N{GREEK SMALL LETTER MU}m"])
def test_micrometres_by_any_name(tmp_path, unit):
    config = MetaData(axes="TYX", PhysicalSizeX=0.5, PhysicalSizeXUnit=unit)
    path = save_config_frames(config, frames(), OutputParameters(output_path=tmp_path, output_name="run"))
    assert valid_ome(path).images[0].pixels.physical_size_x_unit.value == "µm"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\\b", "a\0b"])
def test_names_that_are_none(tmp_path, name):
    with pytest.raises(pydantic.ValidationError, match="is no name of a file"):
        OutputParameters(output_path=tmp_path, output_name=name)


def test_texts_that_xml_cannot_hold(tmp_path):
    config = MetaData(axes="TYX", Channel={"Name": ["a\x00b"]}, remark="c\x01d")
    path = save_config_frames(config, frames(), OutputParameters(output_path=tmp_path, output_name="run"))
    assert valid_ome(path).images[0].pixels.channels[0].name == "a\N{REPLACEMENT CHARACTER}b"
    assert json.loads((tmp_path / "metadata.json").read_text("utf-8"))["remark"] == "c\x01d"


def test_same_frames_same_bytes_other_frames_other_identifier(tmp_path):
    config = MetaData(**FULL)
    made = [
        save_config_frames(config, data, OutputParameters(output_path=tmp_path / name, output_name="run"))
        for name, data in (("a", frames()), ("b", frames()), ("c", frames() + 1))
    ]
    assert made[0].read_bytes() == made[1].read_bytes()
    assert valid_ome(made[0]).uuid != valid_ome(made[2]).uuid


def test_json_is_strict(tmp_path):
    config = MetaData(axes="TYX", notes=[float("nan")], gain=np.float32(2))
    save_config_frames(config, frames(), OutputParameters(output_path=tmp_path, output_name="run"))
    found = json.loads((tmp_path / "run.metadata.json").read_text("utf-8"))
    assert (found["notes"], found["gain"]) == ([None], 2.0)
