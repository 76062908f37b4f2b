"""The formats of data, by the contract of all writers of pixels and by what is their own, read by other libraries."""

from __future__ import annotations

import json
import math
from typing import ClassVar

import h5py
import numpy as np
import ome_zarr_models
import pytest
import tifffile
import zarr
from ome_zarr.io import parse_url
from ome_zarr.reader import Reader

from builders import write_csv
from images.ome_schema import valid_ome
from napari_slicemap import load_h5_bundle, load_npz_bundle, open_dataset
from napari_slicemap.errors import FileFormatError, PlanError
from napari_slicemap.export.content.pixels import PixelData
from napari_slicemap.export.writers import find_writer
from napari_slicemap.export.writers.contract import FoundPixels, PixelContract
from napari_slicemap.images.opening import open_image
from napari_slicemap.images.source import ImageSource


def known_times(times):
    return None if all(math.isnan(time) for time in times) else tuple(times)


def of_ome_xml(path, data):
    """Read what OME-XML says by ome-types, after the schema."""
    pixels = valid_ome(path).images[0].pixels
    assert data.shape == tuple(getattr(pixels, f"size_{axis}") for axis in "tczyx")
    for axis in "xyz":
        assert getattr(pixels, f"physical_size_{axis}_unit").value == "µm"
    assert pixels.physical_size_x == pixels.physical_size_y
    times = [math.nan] * pixels.size_t
    for plane in pixels.planes:
        if plane.delta_t is not None:
            assert plane.delta_t_unit.value == "s"
            assert plane.the_c or plane.the_z or math.isnan(times[plane.the_t])
            times[plane.the_t] = plane.delta_t
    return FoundPixels(
        data,
        tuple(channel.name for channel in pixels.channels),
        pixels.physical_size_x,
        pixels.physical_size_z,
        known_times(times),
    )


class TestOmeTiff(PixelContract):
    writer_class = type(find_writer("ome-tiff"))
    holds_labels = False
    written_as: ClassVar = {"bool": "uint8"}

    @staticmethod
    def read(path):
        with tifffile.TiffFile(path) as tif:
            assert tif.is_ome
            pages = np.stack([page.asarray() for page in tif.pages])
            shape = tif.series[0].get_shape(squeeze=False)[:5]
        return of_ome_xml(path, pages.reshape(shape))

    @staticmethod
    def read_provenance(path):
        with tifffile.TiffFile(path) as tif:
            tag = tif.pages[0].tags[65000]
            assert tag.dtype == 7
            return json.loads(tag.value)

    def small_buffers(self, monkeypatch):
        monkeypatch.setattr("napari_slicemap.images.tiff.ome_tiff._HELD", 2**20)
        return super().small_buffers(monkeypatch)

    @pytest.mark.parametrize("compression", ["deflate", "zstd", "lzw", "none"])
    def test_every_compression_and_tile_is_lossless(self, writer, tmp_path, compression):
        data = self.noise((1, 1, 1, 300, 200))
        found = self.written(writer, tmp_path, ImageSource.of(data, ("a",)), compression=compression, tile=64)
        self.check(found, data)
        with tifffile.TiffFile(tmp_path / "f.ome.tif") as tif:
            assert tif.pages[0].tile == (64, 64)

    @pytest.mark.parametrize("pyramid", [True, False])
    def test_levels_by_choice(self, writer, tmp_path, pyramid):
        data = self.noise((1, 1, 1, 1100, 40))
        self.check(self.written(writer, tmp_path, ImageSource.of(data, ("a",)), pyramid=pyramid), data)
        with tifffile.TiffFile(tmp_path / "f.ome.tif") as tif:
            assert len(tif.series[0].levels) == (3 if pyramid else 1)

    def test_the_position_is_in_stage_um(self, writer, tmp_path):
        source = ImageSource.of(self.noise((1, 1, 1, 8, 8)), ("a",), pixel_size_um=0.5, position_um=(1250.25, -3.5))
        path = self.write(writer, self.place(writer, tmp_path), PixelData(source))
        (plane,) = valid_ome(path).images[0].pixels.planes
        assert (plane.position_x, plane.position_y) == (1250.25, -3.5)


class OmeZarr(PixelContract):
    writer_class = type(find_writer("ome-zarr"))
    written_as: ClassVar = {"bool": "uint8"}

    @staticmethod
    def attributes(path):
        """The attributes, after the schema; those of 0.5 lie under ``ome``."""
        group = zarr.open_group(path, mode="r")
        own = dict(group.attrs)
        return own.get("ome", own), own.get("napari_slicemap", {})

    @classmethod
    def read(cls, path):
        found = ome_zarr_models.open_ome_zarr(zarr.open_group(path, mode="r"))
        assert found.ome_zarr_version == cls.options["version"]
        nodes = list(Reader(parse_url(path))())
        stated, own = cls.attributes(path)
        multiscale = stated["multiscales"][0]
        units = {axis["name"]: axis.get("unit") for axis in multiscale["axes"]}
        scale = dict(zip("tczyx", multiscale["datasets"][0]["coordinateTransformations"][0]["scale"], strict=True))
        assert scale["x"] == scale["y"]
        data = np.asarray(nodes[0].data[0])
        labels = {}
        if "labels" in zarr.open_group(path, mode="r"):
            group = zarr.open_group(path / "labels", mode="r")
            for name in (group.attrs.get("ome") or group.attrs)["labels"]:
                one = cls.attributes(path / "labels" / name)[0]
                array = group[f"{name}/0"][...]
                assert len(array) == len(data)
                assert (array == array[:1]).all()
                labels[one["multiscales"][0]["name"]] = array[0, 0]
        times = own.get("times_s")
        return FoundPixels(
            data,
            tuple(channel["label"] for channel in stated["omero"]["channels"]),
            scale["x"] if units["x"] == units["y"] == "micrometer" else None,
            scale["z"] if units["z"] == "micrometer" else None,
            None if times is None else tuple(math.nan if time is None else time for time in times),
            labels,
        )

    @classmethod
    def read_provenance(cls, path):
        return cls.attributes(path)[1].get("provenance")

    def small_buffers(self, monkeypatch):
        return {**super().small_buffers(monkeypatch), "chunk": 256}

    @pytest.mark.parametrize("compression", ["zstd", "lz4", "none"])
    def test_every_compression_and_chunk_is_lossless(self, writer, tmp_path, compression):
        data = self.noise((1, 1, 1, 300, 200))
        options = {**self.options, "compression": compression, "chunk": 64}
        self.check(self.written(writer, tmp_path, ImageSource.of(data, ("a",)), **options), data)
        assert zarr.open_array(tmp_path / "f.ome.zarr" / "0", mode="r").chunks[-2:] == (64, 64)

    def test_channels_look_as_in_the_profile(self, writer, tmp_path):
        look = {"a": {"color": "#ff8000", "contrast_limits": [5, 90], "gamma": 0.5, "visible": False}}
        source = ImageSource.of(self.noise((1, 2, 1, 8, 8)), ("a", "b"), settings=look)
        path = self.write(writer, self.place(writer, tmp_path), PixelData(source))
        (one, other), own = self.attributes(path)[0]["omero"]["channels"], self.attributes(path)[1]
        assert (one["color"], one["window"]["start"], one["window"]["end"]) == ("FF8000", 5, 90)
        assert (one["active"], other["active"]) == (False, True)
        assert own["gamma"] == {"a": 0.5}


class TestOmeZarr05(OmeZarr):
    options: ClassVar = {"version": "0.5"}


class TestOmeZarr04(OmeZarr):
    options: ClassVar = {"version": "0.4"}


del OmeZarr  # it is no test of its own


def as_tczyx(array, axes):
    return array if axes == "TCZYX" else array[:, None, None]


def known(number):
    return None if math.isnan(number) else float(number)


def um(pixel_size_nm):
    return None if math.isnan(pixel_size_nm) else float(pixel_size_nm) / 1000


def unescaped(name):
    for escape, sign in (("%2F", "/"), ("%5C", "\\"), ("%25", "%")):
        name = name.replace(escape, sign)
    return name


def with_z(array):
    return array if array.ndim == 3 else array[None]


class TestNpz(PixelContract):
    writer_class = type(find_writer("npz"))

    @staticmethod
    def read(path):
        with np.load(path, allow_pickle=False) as file:
            found = dict(file)
        assert found["channel"] == ", ".join(found["channels"])
        return FoundPixels(
            as_tczyx(found["data"], found["axes"]),
            tuple(found["channels"].tolist()),
            um(found["pixel_size_nm"]),
            known(found["z_step_um"]),
            known_times(found["timestamps"].tolist()),
            {
                unescaped(key.removeprefix("labels__")): with_z(array)
                for key, array in found.items()
                if key.startswith("labels__")
            },
        )

    @staticmethod
    def read_provenance(path):
        with np.load(path, allow_pickle=False) as file:
            return json.loads(str(file["provenance_json"]))

    def test_one_plane_opens_as_a_stack(self, writer, tmp_path):
        check_stack(self, writer, tmp_path, load_npz_bundle)

    def test_float32_by_choice(self, writer, tmp_path):
        check_float32(self, writer, tmp_path)


class TestHdf5(PixelContract):
    writer_class = type(find_writer("h5"))

    @staticmethod
    def read(path):
        with h5py.File(path) as file:
            attributes = dict(file.attrs)
            size = um(attributes["pixel_size_nm"])
            stated = file["data"].attrs.get("element_size_um")
            if size is None:
                assert stated is None
            else:
                assert stated[1:].tolist() == [pytest.approx(size, rel=1e-12)] * 2
                assert stated[0] == (known(attributes["z_step_um"]) or 1.0)
            # by the name of each, in the order they were made
            labels = {unescaped(name): with_z(array[...]) for name, array in file["labels"].items()}
            return FoundPixels(
                as_tczyx(file["data"][...], attributes["axes"]),
                tuple(attributes["channels"]),
                size,
                known(attributes["z_step_um"]),
                known_times(file["timestamps"][...].tolist()),
                labels,
            )

    @staticmethod
    def read_provenance(path):
        with h5py.File(path) as file:
            return json.loads(file["provenance_json"][()])

    def test_one_plane_opens_as_a_stack(self, writer, tmp_path):
        check_stack(self, writer, tmp_path, load_h5_bundle)

    def test_float32_by_choice(self, writer, tmp_path):
        check_float32(self, writer, tmp_path)


def check_stack(contract, writer, folder, load):
    """Frames of one channel and one plane are what the loaders of stacks take."""
    data = contract.noise((4, 1, 1, 12, 9))
    times = (0.0, 0.5, 2.0, math.nan)
    source = ImageSource.of(
        data, ("height µm",), pixel_size_um=0.0025, times_s=times, labels=contract.masks((1, 12, 9), "m")
    )
    path = contract.write(writer, contract.place(writer, folder), PixelData(source, provenance={"made": ["so", 1]}))
    stack = load(path)
    np.testing.assert_array_equal(stack.data, data[:, 0, 0], strict=True)
    assert stack.pixel_size_nm == pytest.approx(2.5, rel=1e-15)
    assert stack.channel == "height µm"
    np.testing.assert_array_equal(stack.times_s, times)
    assert stack.provenance == {"made": ["so", 1]}
    # a stack needs a size, and none was invented
    unknown = contract.write(writer, folder / f"u{writer.suffix}", PixelData(ImageSource.of(data, ("a",))))
    with pytest.raises(FileFormatError, match=r"pixel size|pixel_size"):
        load(unknown)


def check_float32(contract, writer, folder):
    """Pixels become 32-bit floats, and those that do not fit are told by name."""
    data = contract.noise((1, 2, 1, 12, 9))
    found = contract.written(writer, folder, ImageSource.of(data, ("a", "b")), dtype="float32")
    np.testing.assert_array_equal(found.data, data.astype(np.float32), strict=True)
    data = np.array([0.0, 1e300]).reshape(1, 1, 1, 1, 2)
    with pytest.raises(PlanError, match="image big: a number is too large for float32; dtype = source keeps it"):
        contract.written(writer, folder, ImageSource.of(data, ("a",), name="big"), dtype="float32")


class TestTiffJson(PixelContract):
    writer_class = type(find_writer("tif-json"))
    holds_labels = False
    bounded = False
    written_as: ClassVar = {"bool": "uint8"}
    holds_half_characters = False

    @staticmethod
    def parts(path):
        (image,) = path.glob("*.ome.tiff")
        names = {image.name, image.name.replace(".ome.tiff", ".metadata.json"), "metadata.json"}
        assert {one.name for one in path.iterdir()} == names
        own, last = (json.loads((path / name).read_text()) for name in sorted(names - {image.name}))
        assert own == last
        return image, own

    @classmethod
    def read(cls, path):
        image, stated = cls.parts(path)
        with tifffile.TiffFile(image) as tif:
            assert tif.is_bigtiff
            shape = tuple(int(tif.ome_metadata.split(f'Size{axis}="')[1].split('"')[0]) for axis in "TCZYX")
            data = np.stack([page.asarray() for page in tif.pages]).reshape(shape)
        found = of_ome_xml(image, data)
        assert stated["axes"] == "TCZYX"
        assert stated["PhysicalSizeX"] == found.pixel_size_um
        assert stated["Channel"]["Name"] == list(found.channels)
        return found

    @classmethod
    def read_provenance(cls, path):
        notes = cls.parts(path)[1]["notes"]
        return notes["provenance"] if notes else None

    def test_the_position_is_in_stage_um(self, writer, tmp_path):
        source = ImageSource.of(self.noise((1, 2, 1, 8, 8)), ("a", "b"), pixel_size_um=0.5, position_um=(12.25, -3.5))
        path = self.write(writer, self.place(writer, tmp_path), PixelData(source))
        planes = valid_ome(self.parts(path)[0]).images[0].pixels.planes
        assert [(plane.position_x, plane.position_y) for plane in planes] == [(12.25, -3.5)] * 2


# --- our own readers ----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "options", "within"),
    [
        pytest.param("ome-tiff", {}, "", id="ome-tiff"),
        pytest.param("ome-zarr", {"version": "0.5"}, "", id="ome-zarr 0.5"),
        pytest.param("ome-zarr", {"version": "0.4"}, "", id="ome-zarr 0.4"),
        pytest.param("h5", {}, "data", id="h5"),
        pytest.param("tif-json", {}, "t.ome.tiff", id="tif-json"),
    ],
)
def test_what_is_written_opens_here(tmp_path, name, options, within):
    writer, shape = find_writer(name), (2, 3, 2, 20, 24)
    data = PixelContract.noise(shape)
    source = ImageSource.of(
        data,
        ("DAPI", "CD3", "µ"),
        name="t",
        pixel_size_um=0.325,
        z_step_um=2.0,
        times_s=(0.0, 1.5),
        labels=PixelContract.masks((2, 20, 24), "cell"),
    )
    path = PixelContract.place(writer, tmp_path, "t")
    writer.write(path, PixelData(source), writer.Options.model_validate(options))
    info = open_image(path / within if within else path).info
    assert info.pixel_size_um == pytest.approx(0.325, rel=1e-12)
    assert info.shape == shape
    write_csv(tmp_path / "tiles.csv", ("path", "map_id", "x_px", "y_px"), [(f"{path.name}/{within}", "m", 0, 0)])
    dataset = open_dataset(tmp_path)
    (fov,) = dataset.fovs.values()
    assert fov.pixel_size_um == pytest.approx(0.325, rel=1e-12)
    assert fov.shape == shape
    for t in range(2):
        found = fov.read(list(fov.planes), t=t, z=1)
        np.testing.assert_array_equal(found, data[t, :, 1])
