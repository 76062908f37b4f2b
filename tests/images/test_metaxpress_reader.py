"""Plates of MetaXpress as datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import pixels, write_tiff
from napari_slicemap import open_dataset
from napari_slicemap.errors import FileFormatError, SlicemapError, TileReadError
from napari_slicemap.images.opening import open_image
from napari_slicemap.images.readers.metaxpress import MetaXpress

from .reader_contract import ReaderContract, options

SIZE = (10, 14)
GUID = "1D5F8F51-A3E5-4358-AE51-A465AF87386F"
WAVES = ("DAPI", "FITC", "Cy5")


def description(*, wave: int = 1, site: int = 1, z: float = 100.0, second: int = 0, **changes: Any) -> bytes:
    stated: dict[str, tuple[str, Any]] = {
        "spatial-calibration-state": ("bool", "on"),
        "spatial-calibration-x": ("float", 1.5),
        "spatial-calibration-y": ("float", 1.5),
        "spatial-calibration-units": ("string", "um"),
        "image-name": ("string", f"Copy of {WAVES[wave - 1]}"),
        "_IllumSetting_": ("string", WAVES[wave - 1]),
        "acquisition-time-local": ("time", f"20240709 13:13:{second:02}.500"),
        "stage-position-x": ("float", 1000.0 + 18 * site),
        "stage-position-y": ("float", 500.0),
        "z-position": ("float", z),
    }
    for key, value in changes.items():
        name = next(one for one in stated if one.replace("-", "_") == key)
        stated[name] = (stated[name][0], value)
    props = "".join(
        f"<prop id={quoteattr(key)} type={quoteattr(kind)} value={quoteattr(str(value))}/>"
        for key, (kind, value) in stated.items()
        if value is not None
    )
    return f"<MetaData><PlaneInfo>{props}</PlaneInfo></MetaData>".encode()


def seed_of(well: str, site: int, wave: int, t: int, z: int) -> int:
    return (ord(well[0]) + int(well[1:])) * 10_000 + site * 1000 + wave * 100 + t * 10 + z


def write_site(
    plate: Path,
    well: str,
    site: int,
    wave: int,
    *,
    t: int = 1,
    z: int | None = None,
    copy_of: int | None = None,
    **said: Any,
) -> Path:
    """One image, named and placed as MetaXpress does; of `copy_of`, where it writes one out for several z steps."""
    folder = plate / f"TimePoint_{t}" / ("" if z is None else f"ZStep_{z}")
    step = (z or 0) if copy_of is None else copy_of
    data = pixels(seed_of(well, site, wave, t, step), SIZE)
    known = description(**{"wave": wave, "site": site, "z": 100.0 + 2.5 * step, "second": 20 * t + step, **said})
    return write_tiff(
        folder / f"9_{well}_s{site}_w{wave}.TIF", data, description=known, software="MetaSeries", metadata=None
    )


def write_htd(plate: Path, **changes: str) -> Path:
    rows = {"TimePoints": "1", "ZSeries": "FALSE", "ZSteps": "0", "Waves": "TRUE", "NWavelengths": "2", **changes}
    lines = ['"HTSInfoFile", Version 1.0', *(f'"{key}", {value}' for key, value in rows.items()), '"EndFile"']
    (plate / "9.HTD").write_bytes("\r\n".join([*lines, '"Description", "µm\x81"']).encode("latin-1"))
    return plate


def read(path: Path, **changes: Any) -> Any:
    return MetaXpress().read(path, options(path, **changes))


class TestMetaXpress(ReaderContract):
    reader = MetaXpress()
    images_opened = 3  # one a site, and one of the second wavelength for its name

    def build(self, root: Path) -> Path:
        for site in (1, 2):
            for wave in (1, 2):
                write_site(root, "B03", site, wave)
        return root

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        site, wave = int(fov[-1]), WAVES.index(channel) + 1
        return tifffile.imread(root / "TimePoint_1" / f"9_B03_s{site}_w{wave}.TIF")

    def test_what_the_files_say(self, tmp_path: Path) -> None:
        made = self.read(tmp_path)
        assert list(made.fovs) == ["B03 s1", "B03 s2"]
        fov = made.fovs["B03 s2"]
        assert (fov.shape, fov.channels, fov.pixel_size_um) == ((1, 2, 1, *SIZE), ("DAPI", "FITC"), 1.5)
        one, two = made.positions
        assert (one.map_id, one.fov, one.center_um) == ("B03", "B03 s1", (1018.0, 500.0))
        assert (two.center_um, two.size_px, two.pixel_size_um) == ((1036.0, 500.0), (14, 10), 1.5)
        assert made.stage_y_stated is False
        assert open_dataset(tmp_path).maps["B03"].shape == (10, 26)


# --- names -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "channel"),
    [
        pytest.param(f"my_plate_c07_s1_w2{GUID}.tif", "DAPI", id="guid"),
        pytest.param(f"my_plate_C07_s1_w2{'9' + GUID[1:]}.tif", "DAPI", id="guid that begins with a digit"),
        pytest.param("p_C07_s1_w12.TIFF", "DAPI", id="two digits"),
        pytest.param("p_C07_s1.tif", "DAPI", id="one wavelength"),
        pytest.param("p_C07_s1_w1_thumb.tif", "", id="thumbnail"),
        pytest.param(f"p_C07_s1_w1_thumb{GUID}.tif", "", id="thumbnail with guid"),
        pytest.param("C07_s1_w1.tif", "", id="no plate"),
        pytest.param("p_C07_s1_w1.png", "", id="no tiff"),
    ],
)
def test_names_of_files(tmp_path: Path, name: str, channel: str) -> None:
    write_site(tmp_path, "C07", 1, 1).rename(tmp_path / "TimePoint_1" / name)
    assert bool(MetaXpress().detect(tmp_path)) is bool(channel)
    if not channel:
        with pytest.raises(FileFormatError, match="holds a file <plate>_<well>_s<site>_w<wavelength>"):
            read(tmp_path)
    else:
        (fov,) = read(tmp_path).fovs.values()
        assert (fov.name, fov.channels) == ("C07 s1", (channel,))


def test_wavelengths_are_called_as_the_plate_says(tmp_path: Path) -> None:
    for wave in (1, 2, 3):
        write_site(tmp_path, "B03", 1, wave)
    write_htd(tmp_path, WaveName1='"DAPI"', WaveName2='"Actin, stained"', WaveName3='"DAPI"', NWavelengths="3")
    made = read(tmp_path)
    assert made.fovs["B03 s1"].channels == ("DAPI (w1)", "Actin, stained", "DAPI (w3)")
    assert "calls wavelength 2 Actin, stained, but its images say FITC" in made.problems[0]


def test_a_plate_that_holds_less_than_it_states(tmp_path: Path) -> None:
    write_site(tmp_path, "B03", 1, 1)
    write_htd(tmp_path, TimePoints="6", ZSeries="TRUE", ZSteps="3")
    (problem,) = read(tmp_path).problems
    assert problem.startswith(str(tmp_path / "9.HTD"))
    assert "1 of 6 time points and 0 of 3 z steps and 1 of 2 wavelengths" in problem


@pytest.mark.parametrize("content", [b"", b"\0\xff" * 99, b'"a' * 2000, b'"TimePoints", -1\n"WaveName1"'], ids=range(4))
def test_a_plate_file_that_says_nothing(tmp_path: Path, content: bytes) -> None:
    write_site(tmp_path, "B03", 1, 1)
    (tmp_path / "9.htd").write_bytes(content)
    made = read(tmp_path)
    assert (made.fovs["B03 s1"].channels, made.problems) == (("DAPI",), ())


# --- several plates ----------------------------------------------------------------------------------------------
def test_plates_below_a_folder(tmp_path: Path) -> None:
    for place in ("a/run", "b/c/d/run", "other"):
        write_site(tmp_path / place, "B03", 1, 1)
    assert MetaXpress().detect(tmp_path) == "MetaXpress plates in a/run, b/c/d/run, other"
    made = read(tmp_path)
    assert list(made.fovs) == ["a run B03 s1", "b c d run B03 s1", "other B03 s1"]
    assert [one.map_id for one in made.positions] == ["a run B03", "b c d run B03", "other B03"]
    (tmp_path / "exports").mkdir()
    assert MetaXpress().detect(tmp_path)
    write_tiff(tmp_path / "else" / "image.tif", pixels(1, SIZE))
    assert MetaXpress().detect(tmp_path) == ""


def test_plates_of_one_name_are_refused(tmp_path: Path) -> None:
    for place in ("a b/c", "a/b c", "d/c", "d/b c"):
        write_site(tmp_path / place, "B03", 1, 1)
    with pytest.raises(FileFormatError, match="two of its plates have the same name"):
        read(tmp_path)


# --- time points and z steps -------------------------------------------------------------------------------------
def test_time_points_and_when_they_were(tmp_path: Path) -> None:
    for t in (1, 2, 4):
        write_site(tmp_path, "B03", 1, 1, t=t, second=10 * t)
    (fov,) = read(tmp_path).fovs.values()
    assert (fov.shape[0], fov.times_s) == (3, (0.0, 10.0, 30.0))
    for t, folder in enumerate((1, 2, 4)):
        np.testing.assert_array_equal(fov.read(t=t)[0], pixels(seed_of("B03", 1, 1, folder, 0), SIZE))
    (tmp_path / "TimePoint_2" / "9_B03_s1_w1.TIF").write_text("no image")
    (again,) = read(tmp_path).fovs.values()
    np.testing.assert_array_equal(again.times_s, [0.0, np.nan, 30.0])


def test_planes_projections_and_what_was_written_out_for_each_step(tmp_path: Path) -> None:
    for z in (0, 1, 2, 3):
        write_site(tmp_path, "B03", 1, 1, z=z, second=z)
        write_site(tmp_path, "B03", 1, 2, z=z, copy_of=2)
    write_site(tmp_path, "B03", 1, 3, z=1)
    made = read(tmp_path)
    (fov,) = made.fovs.values()
    assert (fov.shape, fov.z_step_um) == ((1, 4, 3, *SIZE), 2.5)
    assert fov.channels == ("DAPI", "FITC", "Cy5", "DAPI (projection)")
    assert fov.plane("FITC").z_step_um is None
    for z in (0, 1, 2):
        steps = {"DAPI": (1, z + 1), "FITC": (2, 2), "Cy5": (3, 1), "DAPI (projection)": (1, 0)}
        expected = [pixels(seed_of("B03", 1, wave, 1, step), SIZE) for wave, step in steps.values()]
        np.testing.assert_array_equal(fov.read(list(steps), z=z), expected)
    assert made.problems == ()


def test_projections_beside_the_folders_of_z_steps(tmp_path: Path) -> None:
    write_site(tmp_path, "B03", 1, 1)
    write_site(tmp_path, "B03", 1, 2)
    for z in (1, 2):
        write_site(tmp_path, "B03", 1, 1, z=z)
    (fov,) = read(tmp_path).fovs.values()
    assert fov.channels == ("DAPI", "FITC", "DAPI (projection)")
    np.testing.assert_array_equal(fov.read(["DAPI (projection)"], z=1)[0], pixels(seed_of("B03", 1, 1, 1, 0), SIZE))


def test_steps_that_are_not_even_have_no_size(tmp_path: Path) -> None:
    for z in (1, 2, 4):
        write_site(tmp_path, "B03", 1, 1, z=z)
    (fov,) = read(tmp_path).fovs.values()
    assert (fov.shape[2], fov.z_step_um) == (3, None)


# --- what is wrong -----------------------------------------------------------------------------------------------
def test_missing_files_are_named_and_fail_alone(tmp_path: Path) -> None:
    for site in (1, 2):
        for t in (1, 2):
            for z in (1, 2):
                write_site(tmp_path, "B03", site, 1, t=t, z=z)
    (tmp_path / "TimePoint_2" / "ZStep_1" / "9_B03_s2_w1.TIF").unlink()
    made = read(tmp_path)
    assert made.problems == (f"{tmp_path}: 1 image is missing: B03 s2 w1 (TimePoint_2, ZStep_1)",)
    fov = made.fovs["B03 s2"]
    np.testing.assert_array_equal(fov.read(t=1, z=1)[0], pixels(seed_of("B03", 2, 1, 2, 2), SIZE))
    with pytest.raises(TileReadError, match=r"^FOV B03 s2: .*plane t = 1, z = 0 of DAPI is missing"):
        fov.read(t=1, z=0)


def test_a_wavelength_that_was_not_imaged_every_time(tmp_path: Path) -> None:
    for t in (1, 2):
        write_site(tmp_path, "B03", 1, 1, t=t)
    write_site(tmp_path, "B03", 1, 2, t=1)
    made = read(tmp_path)
    assert made.problems == (f"{tmp_path}: wavelength 2 was imaged at time point 1 only",)
    assert made.fovs["B03 s1"].plane("FITC").shape[0] == 2
    with pytest.raises(TileReadError, match="t = 1, z = 0 of FITC is missing"):
        made.fovs["B03 s1"].read(["FITC"], t=1)


def test_two_files_of_one_plane(tmp_path: Path) -> None:
    for end in ("", GUID):
        write_site(tmp_path, "B03", 1, 1).rename(tmp_path / "TimePoint_1" / f"9_B03_s1_w1{end}.tif")
    made = read(tmp_path)
    assert f"left out: 9_B03_s1_w1{GUID}.tif" in made.problems[0]


def test_the_next_file_says_where_a_site_lies_if_the_first_cannot_be_read(tmp_path: Path) -> None:
    path = TestMetaXpress().build(tmp_path)
    (tmp_path / "TimePoint_1" / "9_B03_s1_w1.TIF").write_text("no image")
    made = read(path)
    assert [one.center_um for one in made.positions] == [(1018.0, 500.0), (1036.0, 500.0)]
    assert "9_B03_s1_w1.TIF: cannot be read as a TIFF image" in made.problems[0]


def test_a_site_that_states_no_position_is_not_placed_beside_others(tmp_path: Path) -> None:
    write_site(tmp_path, "B03", 1, 1)
    write_site(tmp_path, "B03", 2, 1, stage_position_x=None)
    write_site(tmp_path, "B04", 1, 1, stage_position_y="nan")
    made = read(tmp_path)
    assert [(one.fov, one.center_um, one.origin_px) for one in made.positions] == [
        ("B03 s1", (1018.0, 500.0), None),
        ("B04 s1", None, (0.0, 0.0)),
    ]
    assert "sites state no stage position, so as to lie on a map: B03 s2" in made.problems[0]


def test_positions_are_used_once_the_pixel_size_is_known(tmp_path: Path) -> None:
    for site in (1, 2):
        write_site(tmp_path, "B03", site, 1, spatial_calibration_state="off")
    dataset = open_dataset(tmp_path)
    assert (list(dataset.maps), [one.field for one in dataset.missing]) == ([], ["pixel_size_um"])
    assert "sites state no pixel size, so as to lie on a map: B03 s1, B03 s2" in dataset.problems[0]
    assert open_dataset(tmp_path, pixel_size_um=1.5).maps["B03"].shape == (10, 26)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        pytest.param({}, 1.5, id="calibrated"),
        pytest.param({"spatial_calibration_units": "nm"}, 0.0015, id="other unit"),
        pytest.param({"spatial_calibration_state": "off"}, None, id="not calibrated"),
        pytest.param({"spatial_calibration_units": "pixel"}, None, id="no unit of length"),
        pytest.param({"spatial_calibration_x": -1.5, "spatial_calibration_y": -1.5}, None, id="below 0"),
        pytest.param({"spatial_calibration_y": 3}, "its pixels are 1.5 × 3 µm", id="not square"),
    ],
)
def test_pixel_sizes(tmp_path: Path, changes: dict[str, Any], size: float | str | None) -> None:
    path = write_site(tmp_path, "B03", 1, 1, **changes)
    made = read(tmp_path)
    if isinstance(size, str):
        assert size in made.problems[0]
        with pytest.raises(TileReadError, match=size):
            _ = open_image(path).info
    else:
        assert made.fovs["B03 s1"].pixel_size_um == pytest.approx(size)
        assert open_image(path).info.pixel_size_um == pytest.approx(size)


KEYS = ["spatial_calibration_x", "stage_position_x", "z_position", "acquisition_time_local", "_IllumSetting_"]


@settings(max_examples=25)
@given(
    key=st.sampled_from(KEYS),
    value=st.sampled_from(["", "nan", "1e999", "9" * 40, "٣", "on", "00010101 00:00:00.000"])
    | st.text("0123456789.-", max_size=5),
)
def test_any_metadata_is_read_or_named(tmp_path_factory: pytest.TempPathFactory, key: str, value: str) -> None:
    root = tmp_path_factory.mktemp("any")
    for t in (1, 2):
        write_site(root, "B03", 1, 1, t=t, **{key: value})
    said = str(root)
    try:
        (fov,) = open_dataset(root).fovs.values()
        made = [fov.read()[0]]
        assert fov.times_s in {None, (0.0, 20.0), (0.0, 0.0)}
    except SlicemapError as error:
        made, said = [], str(error)
    assert str(root) in said
    for one in made:
        np.testing.assert_array_equal(one, pixels(seed_of("B03", 1, 1, 1, 0), SIZE))


# --- real data ---------------------------------------------------------------------------------------------------
def test_real_plates(real_data: Path) -> None:
    dataset = open_dataset(real_data / "imagexpress")
    assert dataset.layout == "metaxpress"
    assert list(dataset.maps) == [
        "1697 C07",
        *(f"9987_Plate_{n} {well}" for n in (3434, 3435) for well in ("B02", "B03")),
    ]
    centers = {one.fov: one.center_um for one in read(real_data / "imagexpress").positions}
    for well in ("B02", "B03"):
        (x1, y1), (x2, y2) = (centers[f"9987_Plate_3434 {well} s{site}"] or (0, 0) for site in (1, 2))
        assert (x2 - x1, y2 - y1) == (pytest.approx(315, abs=0.11), 0)
    fov = dataset.fovs["9987_Plate_3434 B03 s2"]
    assert (fov.shape, fov.pixel_size_um, fov.z_step_um) == ((1, 4, 2, 256, 256), 1.3672, pytest.approx(3, abs=0.05))
    assert fov.channels == ("DAPI", "FITC", "Texas Red", "DAPI (projection)")
    folder = real_data / "imagexpress" / "ImageXpress_exported" / "9987_Plate_3434" / "TimePoint_1"
    for channel, wave, z, step in (("DAPI", 1, 1, 2), ("FITC", 2, 0, 1), ("DAPI (projection)", 1, 1, 0)):
        expected = tifffile.imread(folder / f"ZStep_{step}" / f"9987_B03_s2_w{wave}.TIF")
        np.testing.assert_array_equal(fov.read([channel], z=z)[0], expected)
    assert dataset.fovs["9987_Plate_3435 B02 s1"].times_s == (0.0, 30.029)
    assert dataset.fovs["1697 C07 s1"].channels == ("FITC", "Cy3", "Texas Red")
    assert dataset.fovs["1697 C07 s1"].pixel_size_um == 13.5504
