"""Files of AFMs: their numbers in nm, pixel size, times, and what is wrong with those that are broken."""

from __future__ import annotations

import pickle
import random
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import tifffile

from napari_slicemap.errors import DatasetNotFoundError, FileFormatError, SlicemapError, UnknownNameError
from napari_slicemap.images.stack.afm import NOT_READ, SUFFIXES, open_scan, read_afm
from napari_slicemap.images.stack.afm.image import AfmImage
from napari_slicemap.images.stack.jpk import open_h5_jpk, read_h5_jpk
from napari_slicemap.images.stack.reading import read_stack

from .afm_files import (
    WRITERS,
    gwy_image,
    gwy_object,
    jpk_tags,
    numbers,
    write_asd,
    write_gwy,
    write_ibw,
    write_jpk,
    write_topostats,
    write_wsxm,
)


@pytest.mark.parametrize(
    ("code", "bits", "factor", "base"),
    [
        pytest.param(0x1, 12, -1.0 / 4096, 0.0, id="0 to 1 V"),
        pytest.param(0x2, 12, -2.5 / 4096, 0.0, id="0 to 2.5 V"),
        pytest.param(0x4, 14, -5.0 / 16384, 0.0, id="0 to 5 V, 14 bits"),
        pytest.param(0x10000, 12, -2.0 / 4096, 1.0, id="±1 V"),
        pytest.param(0x20000, 12, -5.0 / 4096, 2.5, id="±2.5 V"),
        pytest.param(0x40000, 12, -10.0 / 4096, 5.0, id="±5 V"),
    ],
)
@pytest.mark.parametrize("version", [0, 1, 2])
def test_asd(tmp_path: Path, version: int, code: int, bits: int, factor: float, base: float) -> None:
    stored, phase = numbers(3, 4, 5), numbers(3, 4, 5)[::-1]
    stated = {"version": version, "code": code, "bits": bits}
    path = write_asd(tmp_path / "a.asd", stored, kinds=("TP", "PH"), second=phase, **stated)
    stack = read_afm(path)
    volts = stored.astype(float) * factor + base
    np.testing.assert_allclose(stack.data, volts * 20, rtol=1e-12, atol=1e-12)
    assert (stack.channel, stack.pixel_size_nm, stack.provenance["acquisition"]["unit"]) == ("TP", 2.0, "nm")
    np.testing.assert_array_equal(stack.times_s, [0, 0.5, 1])
    second = read_afm(path, "PH")
    np.testing.assert_allclose(second.data, (phase * factor + base) * -4, rtol=1e-12, atol=1e-12)
    assert second.provenance["acquisition"]["unit"] == "deg"
    np.testing.assert_allclose(read_afm(write_asd(path, stored, kinds=("ER", ""), **stated)).data, volts * -3)


def test_asd_without_frame_time(tmp_path: Path) -> None:
    assert np.isnan(read_afm(write_asd(tmp_path / "a.asd", frame_ms=0.0)).times_s).all()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"version": 9}, "version 9 of .asd", id="version"),
        pytest.param({"code": 5}, "range of its converter is 0x5", id="range"),
        pytest.param({"bits": 40}, "numbers are of 40 bits", id="bits"),
        pytest.param({"kinds": ("XX", "")}, r"data are of kind \[7\], expected TP, ER, PH", id="kind"),
        pytest.param({"kinds": ("", "")}, r"data are of kind \[\]", id="no channel"),
        pytest.param({"frames": 2**30}, "1073741824 frames of 5 × 4 px, which take", id="too many frames"),
        pytest.param({"frames": -1}, "-1 frames", id="no frame"),
        pytest.param({"size": (-5, -4)}, "frames of -5 × -4 px", id="negative size"),
        pytest.param({"frames": 4}, "ends within frame 3|which take", id="a frame too few"),
        pytest.param({"size_nm": (10, 10)}, "2 × 2.5 nm; only square", id="not square"),
        pytest.param({"size_nm": (0, 0)}, "expected lengths above 0", id="no size"),
        pytest.param({"z": (0.0, 2.0)}, "TP is scaled by 0 nm/V", id="scaled by nothing"),
        pytest.param({"z": (float("nan"), 2.0)}, "TP is scaled by nan nm/V", id="scaled by NaN"),
    ],
)
def test_asd_that_is_wrong(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_asd(tmp_path / "a.asd", **changes)
    with pytest.raises(FileFormatError, match=rf"a\.asd: .*({message})"):
        read_afm(path)


def test_jpk(tmp_path: Path) -> None:
    path = write_jpk(tmp_path / "a.jpk")
    with tifffile.TiffFile(path) as file:
        retrace, trace = (page.asarray().astype(float) for page in file.pages[1:])
    stack = read_afm(path)
    np.testing.assert_allclose(stack.data[0], (trace * 2 + 5)[::-1], rtol=1e-12)
    assert (stack.channel, stack.provenance["acquisition"]) == ("height_trace", {"unit": "nm", "format": "jpk"})
    assert stack.pixel_size_nm == pytest.approx(3)
    np.testing.assert_allclose(read_afm(path, "height_retrace").data[0], (retrace * 2 + 5)[::-1], rtol=1e-12)
    with pytest.raises(UnknownNameError, match=r"there is height_retrace, height_trace"):
        read_afm(path, "phase_trace")


def test_jpk_channels_that_share_a_name(tmp_path: Path) -> None:
    stored = {("slope", 2): numbers(1, 4, 5)[0], ("slope", 3): numbers(1, 4, 5)[0] + 1}
    scan = open_scan(write_jpk(tmp_path / "a.jpk", stored))
    assert [one.name for one in scan.channels] == ["slope_retrace (1)", "slope_retrace"]
    assert scan.default == "slope_retrace (1)"
    np.testing.assert_allclose(scan.channels[1].frame(0) - scan.channels[0].frame(0), 2)


def test_jpk_in_the_units_that_are_no_lengths_and_not_scaled(tmp_path: Path) -> None:
    plain = [(0x8090, "s", 0, "raw", True), (0x80A3, "s", 0, "NullScaling", True)]
    raw = [tag for tag in jpk_tags("a", 0) if tag[0] < 0x8080] + [
        (0x8080, "i", 1, 1, True),
        (0x8081, "s", 0, "raw", True),
    ]
    path = write_jpk(
        tmp_path / "a.jpk",
        {("volts", 0): numbers(1, 4, 5)[0], ("a", 0): numbers(1, 4, 5)[0]},
        tags=[jpk_tags("volts", 0, 0.5, 1.0, "V"), [*raw, *plain]],
    )
    volts, own = open_scan(path).channels
    assert (volts.unit, own.unit) == ("V", "")
    np.testing.assert_array_equal(volts.frame(0), numbers(1, 4, 5)[0][::-1] * 0.5 + 1)
    np.testing.assert_array_equal(own.frame(0), numbers(1, 4, 5)[0][::-1])


def _without(code: int) -> list[Any]:
    return [tag for tag in jpk_tags("height", 0) if tag[0] != code]


@pytest.mark.parametrize(
    ("tags", "changes", "message"),
    [
        pytest.param(_without(0x8050), {}, "tag 0x8050 is None, expected text", id="no name"),
        pytest.param(_without(0x80D4), {}, "tag 0x80d4 is None, expected a number", id="no factor"),
        pytest.param(jpk_tags("height", 0, float("nan")), {}, "tag 0x80d4 is nan", id="NaN"),
        pytest.param(jpk_tags("height", 0, 0.0), {}, "scaled by 0", id="scaled by nothing"),
        pytest.param(_without(0x80C0), {}, "tag 0x80c0 is None", id="a scaling without name"),
        pytest.param(
            [*_without(0x8081), (0x8081, "s", 0, "other", True)],
            {},
            "none of its 2 scalings is called 'other'",
            id="slot",
        ),
        pytest.param(
            [*_without(0x80D3), (0x80D3, "s", 0, "Cubic", True)],
            {},
            "scaling 'Cubic', expected LinearScaling",
            id="cubic",
        ),
        pytest.param(None, {"size_px": (50000, 50000)}, "which take", id="huge"),
        pytest.param(None, {"size_px": (4, 4), "size_m": (1e-9, 1e-9)}, r"page 2 is \(4, 5\)", id="size"),
        pytest.param(None, {"size_m": (1e-9, 2e-9)}, "only square ones", id="not square"),
    ],
)
def test_jpk_that_is_wrong(tmp_path: Path, tags: list[Any] | None, changes: dict[str, Any], message: str) -> None:
    stored = {("height", 0): numbers(1, 4, 5)[0]} if tags else None
    path = write_jpk(tmp_path / "a.jpk", stored, tags=[tags] if tags else None, **changes)
    with pytest.raises(FileFormatError, match=rf"a\.jpk: .*{message}"):
        read_afm(path)


def test_jpk_page_that_is_not_where_it_is_said_to_be(tmp_path: Path) -> None:
    path = write_jpk(tmp_path / "a.jpk")
    with tifffile.TiffFile(path) as file:
        second, third = file.pages[1].offset, file.pages[2].offset
    content = bytearray(path.read_bytes())
    at = content.index(struct.pack(">I", third), second)
    content[at : at + 4] = struct.pack(">I", 2**31)
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=r"a\.jpk: page 2 is said to be at byte 2147483648, and is not there"):
        read_afm(path)


@pytest.mark.parametrize("dtype", ["<i2", "<f4", "<f8"])
@pytest.mark.parametrize("suffix", [".top", ".stp"])
def test_wsxm(tmp_path: Path, suffix: str, dtype: str) -> None:
    stored = (numbers(1, 4, 5)[0] - 300).astype(dtype)
    stack = read_afm(write_wsxm(tmp_path / f"a{suffix}", stored))
    np.testing.assert_allclose(stack.data[0], np.arange(20).reshape(4, 5) * (5.95 / 19), rtol=1e-9)
    assert (stack.channel, stack.pixel_size_nm) == ("height", 2.0)
    with pytest.raises(UnknownNameError, match="unknown channel 'phase'"):
        read_afm(tmp_path / f"a{suffix}", "phase")


def test_wsxm_without_data_type_is_of_16_bits_and_flat_is_flat(tmp_path: Path) -> None:
    path = write_wsxm(tmp_path / "a.top", np.full((4, 5), 9, "<i2"), **{"Image Data Type": None})
    np.testing.assert_array_equal(read_afm(path).data, np.zeros((1, 4, 5)))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"X Amplitude": None}, "no line 'X Amplitude'", id="no width"),
        pytest.param({"Number of rows": "many"}, "Number of rows is 'many'", id="no number"),
        pytest.param({"Number of rows": "999999999"}, "which take", id="huge"),
        pytest.param({"Number of rows": "0"}, "5 × 0 px", id="none"),
        pytest.param({"Z Amplitude": "3 V"}, "Z Amplitude: .*only topography", id="volts"),
        pytest.param({"Z Amplitude": "3"}, "Z Amplitude: .*no unit", id="no unit"),
        pytest.param({"Y Amplitude": "40 nm"}, "only square", id="not square"),
        pytest.param(
            {"Image Data Type": "long"}, "Image Data Type is 'long', expected short, float, double", id="type"
        ),
    ],
)
def test_wsxm_that_is_wrong(tmp_path: Path, changes: dict[str, str | None], message: str) -> None:
    path = write_wsxm(tmp_path / "a.top", **changes)
    with pytest.raises(FileFormatError, match=rf"a\.top: .*{message}"):
        read_afm(path)


def test_topostats(tmp_path: Path) -> None:
    more = {"image_original": numbers(1, 4, 5)[0], "other": np.zeros((3, 3)), "text": np.array(b"a")}
    path = write_topostats(tmp_path / "a.topostats", **more)
    with h5py.File(path) as file:
        np.testing.assert_array_equal(read_afm(path).data[0], file["image"][()])
    assert [one.name for one in open_scan(path).channels] == ["image", "image_original"]
    assert read_afm(path).pixel_size_nm == 1.5


@pytest.mark.parametrize(
    ("image", "size", "message"),
    [
        pytest.param(np.zeros((2, 3, 4)), 1.5, "has no image", id="no image"),
        pytest.param(None, None, "pixel_to_nm_scaling is None", id="no size"),
        pytest.param(None, "1 nm", "pixel_to_nm_scaling is .*expected a number", id="text"),
        pytest.param(None, -1.5, "expected lengths above 0", id="negative"),
    ],
)
def test_topostats_that_is_wrong(tmp_path: Path, image: Any, size: Any, message: str) -> None:
    path = write_topostats(tmp_path / "a.topostats", image, size)
    with pytest.raises(FileFormatError, match=rf"a\.topostats: .*{message}"):
        read_afm(path)


def test_gwy(tmp_path: Path) -> None:
    path = write_gwy(tmp_path / "a.gwy")
    scan = open_scan(path)
    assert [(one.name, one.unit) for one in scan.channels] == [("channel 0", "deg"), ("Height", "nm")]
    stack = read_afm(path)
    assert (stack.channel, stack.pixel_size_nm) == ("Height", pytest.approx(2))
    np.testing.assert_allclose(stack.data, numbers(1, 4, 5), rtol=1e-12)
    np.testing.assert_allclose(read_afm(path, "channel 0").data, numbers(1, 4, 5), rtol=1e-12)


def _deep(depth: int) -> bytes:
    return gwy_object("a", {"b": ("o", _deep(depth - 1))} if depth else {})


def _image(**changes: Any) -> dict[str, Any]:
    return {"/0/data": gwy_image(numbers(1, 4, 5)[0], **changes)}


@pytest.mark.parametrize(
    ("components", "message"),
    [
        pytest.param({}, "holds no image", id="no image"),
        pytest.param({"/0/data": ("s", "text")}, "holds no image", id="no object"),
        pytest.param(_image(xres=None), "/0/data: xres is None, expected int", id="no width"),
        pytest.param(_image(yres=("i", 3)), "20 numbers, expected 5 × 3", id="other height"),
        pytest.param(_image(xres=("i", -5), yres=("i", -4)), "-5 × -4 px", id="negative"),
        pytest.param(_image(xres=("i", 2**31 - 1)), "which take", id="huge"),
        pytest.param(_image(data=("s", "many")), "data is 'many', expected numbers", id="no numbers"),
        pytest.param(_image(xreal=("d", 0.0)), "expected lengths above 0", id="no size"),
        pytest.param(_image(xreal=("d", float("nan"))), "expected lengths above 0", id="NaN"),
        pytest.param(_image(si_unit_xy=None), "is measured in px, expected m", id="no unit"),
        pytest.param({"a": ("o", _deep(40))}, "more than 16 deep", id="deep"),
    ],
)
def test_gwy_that_is_wrong(tmp_path: Path, components: dict[str, Any], message: str) -> None:
    path = write_gwy(tmp_path / "a.gwy", components)
    with pytest.raises(FileFormatError, match=rf"a\.gwy: .*{message}"):
        read_afm(path)


@pytest.mark.parametrize("order", ["<", ">"])
def test_ibw(tmp_path: Path, order: str) -> None:
    planes = {"HeightTrace": numbers(1, 4, 5)[0] * 1e-9, "PhaseTrace": numbers(1, 4, 5)[0] + 0.5, "a": np.ones((4, 5))}
    path = write_ibw(tmp_path / "a.ibw", {"PhaseRetrace": planes["PhaseTrace"] + 1, **planes}, order=order)
    stack = read_afm(path)
    assert (stack.channel, stack.pixel_size_nm) == ("HeightTrace", pytest.approx(2))
    np.testing.assert_allclose(stack.data, numbers(1, 4, 5), rtol=1e-12)
    phase = read_afm(path, "PhaseTrace")
    np.testing.assert_array_equal(phase.data[0], planes["PhaseTrace"])
    assert phase.provenance["acquisition"]["unit"] == ""


def test_ibw_of_whole_numbers_and_without_labels(tmp_path: Path) -> None:
    path = write_ibw(tmp_path / "a.ibw", {"x": numbers(1, 4, 5)[0]}, labelled=False, layers=0)
    np.testing.assert_array_equal(read_afm(path, "channel 0").data, numbers(1, 4, 5))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"version": 2}, "no Igor binary wave of version 5", id="version"),
        pytest.param({"kind": 5}, "numbers are of type 0x5", id="complex"),
        pytest.param({"depth": 2}, "images have 2 planes each", id="four axes"),
        pytest.param({"width": -5, "height": -4}, "-5 × -4 px", id="negative"),
        pytest.param({"layers": 2**30}, "which take", id="huge"),
        pytest.param({"note_bytes": -40}, "states sizes below 0", id="negative note"),
        pytest.param({"note_bytes": 4000}, "ends within the names", id="long note"),
        pytest.param({"units": (b"s", b"m")}, "axes are in b's' and b'm', expected m", id="no lengths"),
        pytest.param({"steps": (2e-9, 3e-9)}, "only square", id="not square"),
        pytest.param({"steps": (0.0, 0.0)}, "expected lengths above 0", id="no size"),
    ],
)
def test_ibw_that_is_wrong(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    path = write_ibw(tmp_path / "a.ibw", **changes)
    with pytest.raises(FileFormatError, match=rf"a\.ibw: .*{message}"):
        read_afm(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_what_is_cut_off_or_no_such_file(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix.upper()}"
    with pytest.raises(DatasetNotFoundError):
        read_afm(path)
    for content in (b"", b"WSxM file\r\nSxM Image file\r\nImage header size: 0\r\n", b"\xff" * 400):
        path.write_bytes(content)
        with pytest.raises(FileFormatError, match=f"a{suffix.upper()}"):
            read_afm(path)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_flipped_bytes_give_numbers_or_a_named_error(tmp_path: Path, suffix: str) -> None:
    path = WRITERS[suffix](tmp_path / f"a{suffix}")
    whole, chance = path.read_bytes(), random.Random(suffix)
    for _ in range(60):
        broken = bytearray(whole)
        for _ in range(chance.choice((1, 3))):
            broken[chance.randrange(min(len(whole), 3000))] = chance.randrange(256)
        path.write_bytes(bytes(broken[: chance.choice((len(whole), chance.randrange(len(whole))))]))
        try:
            told = f"{path.name} has {read_afm(path).data.size} px"
        except SlicemapError as error:
            told = str(error)
        assert path.name in told


@pytest.mark.parametrize("suffix", NOT_READ)
def test_files_that_are_not_read_say_what_to_do(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"a{suffix}").touch()
    for read in (read_stack, read_afm):
        with pytest.raises(FileFormatError, match=rf"a{suffix}: \{suffix} files are not read; export"):
            read(tmp_path / f"a{suffix}")
    (tmp_path / "a.xyz").touch()
    with pytest.raises(FileFormatError, match=r"\.xyz is none of \.asd"):
        read_afm(tmp_path / "a.xyz")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_scans_read_frame_by_frame_what_stacks_hold(tmp_path: Path, suffix: str) -> None:
    path = WRITERS[suffix](tmp_path / f"a{suffix}")
    scan, stack = pickle.loads(pickle.dumps(open_scan(path))), read_stack(path)
    for t, frame in enumerate(stack.data):
        np.testing.assert_array_equal(scan.channel().frame(t), frame)
    with AfmImage(path).chunks(0, 0, 0) as chunks:
        assert chunks.shape == stack.data.shape[1:]


# --- real files, held against what other readers read in them -------------------------------------------
@pytest.mark.parametrize(
    ("file", "channel", "shape", "pixel_size_nm"),
    [
        pytest.param("asd_sample_0.asd", "TP", (32, 200, 200), 0.5, id="asd"),
        pytest.param("sample_0.jpk", "height_trace", (1, 256, 256), 1.2770176335964876, id="jpk"),
        pytest.param("sample_0.jpk-qi-image", "height_trace", (1, 100, 100), 5, id="jpk-qi-image"),
        pytest.param("sample_0_1.topostats", "image", (1, 64, 64), 1.97601171875, id="topostats"),
        pytest.param("sample_0.top", "height", (1, 512, 512), 0.9765625, id="top"),
    ],
)
def test_real_files(real_data: Path, file: str, channel: str, shape: tuple[int, ...], pixel_size_nm: float) -> None:
    stack = read_stack(real_data / "afm" / file)
    assert (stack.channel, stack.data.shape) == (channel, shape)
    assert stack.pixel_size_nm == pytest.approx(pixel_size_nm, rel=1e-12)
    assert stack.provenance["acquisition"]["unit"] == "nm"


def test_real_asd(real_data: Path) -> None:
    path = real_data / "afm" / "asd_sample_0.asd"
    stack = read_stack(path)
    np.testing.assert_array_equal(stack.times_s, range(32))
    content = path.read_bytes()
    for t in (0, 31):
        start = 174 + t * (32 + 2 * 200 * 200)
        stored = np.frombuffer(content, "<i2", 200 * 200, start + 32)
        extension, gain = struct.unpack_from("<ff", content, 157)
        np.testing.assert_allclose(stack.data[t].ravel(), stored * (-9.99 / 4096 * (extension * gain)), rtol=1e-12)


def test_real_top_is_as_its_conversion_factor_says(real_data: Path) -> None:
    path = real_data / "afm" / "sample_0.top"
    stored = np.frombuffer(path.read_bytes()[2996:], "<i2").reshape(512, 512).astype(float)
    # 13.6 nm/V over the 20 V of a 16-bit converter
    expected = (stored - stored.min()) * 13.6 * 20 / 65536
    np.testing.assert_allclose(read_stack(path).data[0], expected, rtol=2e-6)


@pytest.mark.parametrize("channel", ["height_trace", "phase_retrace"])
def test_real_video_frame_by_frame(real_data: Path, channel: str) -> None:
    path = real_data / "afm" / "sample_0.h5-jpk"
    scan, stack = pickle.loads(pickle.dumps(open_h5_jpk(path))), read_h5_jpk(path, channel)
    assert scan.shape == stack.data.shape
    assert scan.pixel_size_nm == stack.pixel_size_nm
    assert scan.times_s == tuple(stack.times_s)
    assert scan.channel(channel).unit == stack.provenance["acquisition"]["unit"]
    for t in (0, 3):
        np.testing.assert_array_equal(scan.channel(channel).frame(t), stack.data[t])
