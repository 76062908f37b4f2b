"""OME-TIFF files, sets of files and folders as datasets."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.sax.saxutils import escape

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import pixels, write_tiff
from napari_slicemap import open_dataset
from napari_slicemap.errors import FileFormatError, SlicemapError, TileReadError
from napari_slicemap.images.readers import find_reader
from napari_slicemap.images.readers.ome_tiff import OmeTiff
from napari_slicemap.images.source import ImageSource
from napari_slicemap.images.tiff.ome_files import read_ome_file
from napari_slicemap.images.tiff.ome_images import plane_number
from napari_slicemap.images.tiff.ome_tiff import write_ome_tiff

from .reader_contract import ReaderContract, options

SIZE = (9, 12)
HEAD = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"'


def write_image(path: Path, data: np.ndarray, axes: str = "CYX", **said: Any) -> Path:
    """One image by tifffile's own writer of OME-XML."""
    path.parent.mkdir(parents=True, exist_ok=True)
    known: dict[str, Any] = {"axes": axes, "Name": path.name.split(".")[0], **said}
    tifffile.imwrite(path, data, ome=True, metadata=known, photometric="minisblack")
    return path


def stage(x: float, y: float, planes: int, unit: str = "µm") -> dict[str, list[Any]]:
    return {
        "PositionX": [x] * planes,
        "PositionY": [y] * planes,
        "PositionXUnit": [unit] * planes,
        "PositionYUnit": [unit] * planes,
    }


def image_xml(
    number: int,
    sizes: Mapping[str, int],
    where: Sequence[tuple[Mapping[str, int], str, str]] = (({}, "", ""),),
    order: str = "XYCZT",
    **said: str,
) -> str:
    """An Image whose planes lie where `where` says: attributes of TiffData, UUID, file name."""
    stated = "".join(f' Size{axis}="{sizes.get(axis, 1)}"' for axis in "XYCZT")
    more = "".join(f' {key}="{value}"' for key, value in said.items())
    parts = ""
    for attributes, uuid, file in where:
        own = "".join(f' {key}="{value}"' for key, value in attributes.items())
        parts += f'<TiffData{own}>{f"""<UUID FileName="{file}">{uuid}</UUID>""" if file else ""}</TiffData>'
    return (
        f'<Image ID="Image:{number}" Name="tile {number}"><Pixels ID="Pixels:{number}" DimensionOrder="{order}" '
        f'Type="uint16"{stated}{more}>{parts}</Pixels></Image>'
    )


def document(*images: str, uuid: str = "") -> str:
    own = f' UUID="{uuid}"' if uuid else ""
    return f'<?xml version="1.0" encoding="UTF-8"?>{HEAD}{own}>{"".join(images)}</OME>'


def write_pages(path: Path, pages: Sequence[np.ndarray], xml: str) -> Path:
    stored = xml.encode()
    with tifffile.TiffWriter(path) as tif:
        for number, page in enumerate(pages):
            tif.write(page, description=stored if number == 0 else None, metadata=None, contiguous=False)
    return path


class TestOmeTiff(ReaderContract):
    reader = OmeTiff()
    images_opened = 2

    def build(self, root: Path) -> Path:
        for number in (0, 1):
            write_image(
                root / f"tile_{number}.ome.tif",
                pixels(number, (2, *SIZE)),
                Channel={"Name": ["DNA", "Actin"]},
                PhysicalSizeX=0.5,
                PhysicalSizeY=0.5,
                Plane=stage(100.0 + 6 * number, 50.0, 2),
            )
        return root

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        return tifffile.imread(root / f"{fov}.ome.tif")[("DNA", "Actin").index(channel)]

    def test_a_missing_image_fails_its_own_fov_only(self, tmp_path: Path) -> None:
        before = self.read(tmp_path).fovs
        (tmp_path / "tile_0.ome.tif").write_text("not an image")
        np.testing.assert_array_equal(before["tile_1"].read(["DNA"])[0], self.image_of(tmp_path, "tile_1", "DNA"))
        with pytest.raises(TileReadError, match=r"^FOV tile_0: .*tile_0\.ome\.tif: cannot be read as a TIFF image"):
            before["tile_0"].read()
        again = OmeTiff().read(tmp_path, options(tmp_path))
        assert list(again.fovs) == ["tile_1"]
        assert "tile_0.ome.tif: cannot be read as an OME-TIFF file" in again.problems[0]

    def test_what_the_files_say(self, tmp_path: Path) -> None:
        made = self.read(tmp_path)
        fov = made.fovs["tile_1"]
        assert (fov.shape, fov.channels, fov.pixel_size_um) == ((1, 2, 1, *SIZE), ("DNA", "Actin"), 0.5)
        one, two = made.positions
        assert (one.map_id, one.fov, one.center_um) == (tmp_path.name, "tile_0", (100.0, 50.0))
        assert (two.center_um, two.size_px, two.pixel_size_um) == ((106.0, 50.0), (12, 9), 0.5)
        assert made.stage_y_stated is False
        assert open_dataset(tmp_path).maps[tmp_path.name].shape == (9, 24)


# --- which files -------------------------------------------------------------------------------------------------
def test_a_folder_of_folders_is_a_map_each(tmp_path: Path) -> None:
    for slide in ("s1", "s2"):
        for number in (0, 1):
            write_image(tmp_path / slide / f"tile_{number}.ome.tif", pixels(number, SIZE), "YX", Plane=stage(6, 9, 1))
    write_image(tmp_path / "exports" / "figure.ome.tif", pixels(3, SIZE), "YX")
    skipped = frozenset({tmp_path / "exports"})
    made = OmeTiff().read(tmp_path, options(tmp_path, skip=skipped, pixel_size_um=0.5))
    assert [(one.map_id, one.fov) for one in made.positions] == [
        ("s1", "s1 tile_0"),
        ("s1", "s1 tile_1"),
        ("s2", "s2 tile_0"),
        ("s2", "s2 tile_1"),
    ]


def test_a_single_image_needs_no_position(tmp_path: Path) -> None:
    path = write_image(tmp_path / "slide.ome.tif", pixels(1, SIZE), "YX", PhysicalSizeX=0.5, PhysicalSizeY=0.5)
    dataset = open_dataset(path)
    assert dataset.maps["slide"].shape == SIZE
    assert dataset.problems == []


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("a.ome.tif", True, id="by its name"),
        pytest.param("A.OME.TIFF", True, id="in capitals"),
        pytest.param("a.tif", True, id="by its beginning"),
        pytest.param("a.png", False, id="of another kind"),
    ],
)
def test_detecting_a_file(tmp_path: Path, name: str, found: bool) -> None:
    write_image(tmp_path / "own.ome.tif", pixels(1, SIZE), "YX").rename(tmp_path / name)
    assert bool(OmeTiff().detect(tmp_path / name)) is found


def test_a_plain_tiff_file_is_not_recognised(tmp_path: Path) -> None:
    assert OmeTiff().detect(write_tiff(tmp_path / "a.tif", pixels(1, SIZE))) == ""


# --- planes ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("big", [False, True], ids=["classic", "BigTIFF"])
def test_axes_times_and_z_of_a_pyramid(tmp_path: Path, big: bool) -> None:
    data, path = pixels(5, (2, 3, 2, 32, 48)), tmp_path / "a.ome.tif"
    known = {
        "axes": "TZCYX",
        "Channel": {"Name": ["a", "b"]},
        "PhysicalSizeX": 390,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 390,
        "PhysicalSizeYUnit": "nm",
        "PhysicalSizeZ": 2.5,
        "TimeIncrement": 30,
    }
    with tifffile.TiffWriter(path, bigtiff=big) as tif:
        tif.write(data, subifds=1, tile=(16, 16), metadata=known, photometric="minisblack")
        tif.write(data[..., ::2, ::2], subfiletype=1, tile=(16, 16))
    (fov,) = OmeTiff().read(path, options(path)).fovs.values()
    assert (fov.shape, fov.z_step_um, fov.times_s) == ((2, 2, 3, 32, 48), 2.5, (0.0, 30.0))
    assert fov.pixel_size_um == pytest.approx(0.39)
    for t, z in ((0, 0), (1, 0), (1, 2)):
        np.testing.assert_array_equal(fov.read(t=t, z=z), data[t, z])


@given(order=st.permutations("CZT"), sizes=st.tuples(*[st.integers(1, 4)] * 3), data=st.data())
def test_planes_are_counted_as_numpy_counts_them(order: list[str], sizes: tuple[int, int, int], data: Any) -> None:
    at = tuple(data.draw(st.integers(0, size - 1)) for size in sizes)
    slowest = [("CZT".index(axis)) for axis in reversed(order)]
    expected = np.ravel_multi_index([at[axis] for axis in slowest], [sizes[axis] for axis in slowest])
    assert plane_number("".join(order), sizes, at) == expected


@pytest.mark.parametrize("planar", ["contig", "separate"])
def test_colours_of_rgb_are_channels(tmp_path: Path, planar: str) -> None:
    data, path = pixels(2, (*SIZE, 3)).astype(np.uint8), tmp_path / "a.ome.tif"
    stored = data if planar == "contig" else np.moveaxis(data, 2, 0)
    axes = "YXS" if planar == "contig" else "SYX"
    tifffile.imwrite(path, stored, ome=True, photometric="rgb", planarconfig=planar, metadata={"axes": axes})
    (fov,) = OmeTiff().read(path, options(path)).fovs.values()
    assert fov.channels == ("R", "G", "B")
    np.testing.assert_array_equal(fov.read(), np.moveaxis(data, 2, 0))


def test_series_are_fovs_and_colours_settings(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as tif:
        for number in range(3):
            channel = {"Name": ["a", "b"], "Color": [-16776961, 0x00FF00FF]}
            metadata = {"axes": "CYX", "Name": "same/name", "Channel": channel}
            tif.write(pixels(number, (2, *SIZE)), metadata=metadata, photometric="minisblack")
    made = OmeTiff().read(path, options(path))
    assert list(made.fovs) == ["a 1", "a 2", "a 3"]
    assert made.channel_settings == {"a": {"color": "#ff0000"}, "b": {"color": "#00ff00"}}
    for number, fov in enumerate(made.fovs.values()):
        np.testing.assert_array_equal(fov.read(), pixels(number, (2, *SIZE)))
    assert "3 images state no stage position" in made.problems[0]


# --- sets of files -----------------------------------------------------------------------------------------------
def write_set(root: Path) -> Path:
    """Two images of two channels; the channels of each lie in two files, which all describe the set."""
    files = {f"c{c}": [pixels(10 * c + image, SIZE) for image in (0, 1)] for c in (0, 1)}
    images = [
        image_xml(
            image,
            {"X": 12, "Y": 9, "C": 2},
            [({"FirstC": c, "IFD": image, "PlaneCount": 1}, f"urn:uuid:{c}", f"c{c}.ome.tif") for c in (0, 1)],
        )
        for image in (0, 1)
    ]
    for c, pages in enumerate(files.values()):
        write_pages(root / f"c{c}.ome.tif", pages, document(*images, uuid=f"urn:uuid:{c}"))
    return root


@pytest.mark.parametrize("opened", ["folder", "c0.ome.tif", "c1.ome.tif"])
def test_a_set_is_opened_once(tmp_path: Path, opened: str) -> None:
    path = write_set(tmp_path) if opened == "folder" else write_set(tmp_path) / opened
    made = OmeTiff().read(path, options(path))
    assert list(made.fovs) == ["tile 0", "tile 1"]
    for image, fov in enumerate(made.fovs.values()):
        np.testing.assert_array_equal(fov.read(), [pixels(image, SIZE), pixels(10 + image, SIZE)])


def test_a_missing_file_fails_its_planes_only(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "c0.ome.tif").unlink()
    made = OmeTiff().read(tmp_path, options(tmp_path))
    assert "files of its set are missing: c0.ome.tif" in made.problems[0]
    fov = made.fovs["tile 1"]
    np.testing.assert_array_equal(fov.read(["C1"])[0], pixels(11, SIZE))
    with pytest.raises(TileReadError, match=r"^FOV tile 1: .*c0\.ome\.tif: there is no such file"):
        fov.read(["C0"])


def test_a_file_of_a_set_that_was_renamed_knows_itself(tmp_path: Path) -> None:
    write_set(tmp_path)
    (tmp_path / "c0.ome.tif").rename(tmp_path / "a.ome.tif")
    made = OmeTiff().read(tmp_path, options(tmp_path))
    np.testing.assert_array_equal(made.fovs["tile 0"].read(["C0"])[0], pixels(0, SIZE))


@pytest.mark.parametrize("opened", ["folder", "set.companion.ome", "z1.ome.tif"])
def test_a_companion_file_describes_files_that_do_not(tmp_path: Path, opened: str) -> None:
    binary = f'{HEAD} UUID="urn:uuid:x"><BinaryOnly MetadataFile="set.companion.ome" UUID="urn:uuid:y"/></OME>'
    for z in (0, 1):
        write_pages(tmp_path / f"z{z}.ome.tif", [pixels(z, SIZE)], binary)
    where = [({"FirstZ": z}, f"urn:uuid:{z}", f"sub\\z{z}.ome.tif") for z in (0, 1)]
    xml = document(image_xml(0, {"X": 12, "Y": 9, "Z": 2}, where))
    (tmp_path / "set.companion.ome").write_text(xml, encoding="utf-8")
    path = tmp_path if opened == "folder" else tmp_path / opened
    assert find_reader(path)[0].name == "ome-tiff"
    made = OmeTiff().read(path, options(path))
    (fov,) = made.fovs.values()
    np.testing.assert_array_equal([fov.read(z=z)[0] for z in (0, 1)], [pixels(0, SIZE), pixels(1, SIZE)])
    assert made.problems == ()
    (tmp_path / "set.companion.ome").unlink()
    with pytest.raises(FileFormatError, match=r"described by set\.companion\.ome, which is missing"):
        OmeTiff().read(tmp_path, options(tmp_path))


# --- positions ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("x", "unit", "said"),
    [
        pytest.param("1.5", "mm", 1500.0, id="millimetres"),
        pytest.param("1.5", "reference frame", "1.5' in 'reference frame'", id="no unit of length"),
        pytest.param("1.5", None, "'reference frame'", id="no unit"),
        pytest.param("nan", "µm", "'nan' in 'µm'", id="not finite"),
    ],
)
def test_positions_have_a_unit(tmp_path: Path, x: str, unit: str | None, said: float | str) -> None:
    own = "" if unit is None else f' PositionXUnit="{unit}" PositionYUnit="{unit}"'
    plane = f'<Plane TheC="0" TheT="0" TheZ="0" PositionX="{x}" PositionY="{x}"{own}/>'
    xml = document(image_xml(0, {"X": 12, "Y": 9}).replace("</Pixels>", f"{plane}</Pixels>"))
    found = read_ome_file(write_pages(tmp_path / "a.ome.tif", [pixels(0, SIZE)], xml))
    if isinstance(said, float):
        assert found.images[0].position_um == (said, said)
    else:
        assert found.images[0].position_um is None
        assert said in found.problems[0]


def test_positions_are_used_once_the_pixel_size_is_known(tmp_path: Path) -> None:
    for number in (0, 1):
        write_image(tmp_path / f"tile_{number}.ome.tif", pixels(number, SIZE), "YX", Plane=stage(6 * number, 9, 1))
    dataset = open_dataset(tmp_path)
    assert (list(dataset.maps), [one.field for one in dataset.missing]) == ([], ["pixel_size_um"])
    assert "2 images state no pixel size that could be used" in dataset.problems[0]
    stated = open_dataset(tmp_path, pixel_size_um="500 nm")
    assert (stated.maps[tmp_path.name].shape, stated.problems) == ((9, 24), [])


def test_our_own_files_state_the_centre_of_the_first_px(tmp_path: Path) -> None:
    path = tmp_path / "a.ome.tif"
    source = ImageSource.of(pixels(0, (1, 1, 1, *SIZE)), ("a",), pixel_size_um=0.5, position_um=(100.0, 50.0))
    write_ome_tiff(path, source)
    (position,) = OmeTiff().read(path, options(path)).positions
    assert position.center_um == (100 + 0.5 * 11 / 2, 50 + 0.5 * 8 / 2)


# --- what is wrong -----------------------------------------------------------------------------------------------
SIZES = {"X": 12, "Y": 9}


@pytest.mark.parametrize(
    ("image", "said"),
    [
        pytest.param(image_xml(0, {**SIZES, "T": 0}), "SizeT is '0', expected a whole number of 1", id="no time"),
        pytest.param(image_xml(0, {**SIZES, "Z": 10**12}), "SizeZ is '1000000000000'", id="planes without end"),
        pytest.param(image_xml(0, {**SIZES, "Z": 9999, "T": 9999}), "99980001 planes", id="too many planes"),
        pytest.param(image_xml(0, SIZES, order="XYCZ"), "DimensionOrder is 'XYCZ'", id="order"),
        pytest.param(image_xml(0, SIZES).replace("uint16", "complex"), "Type is 'complex'", id="type"),
        pytest.param(image_xml(0, SIZES, where=()), "it has no TiffData", id="no pixels"),
        pytest.param(image_xml(0, SIZES, [({"FirstC": 3}, "", "")]), "FirstC is '3'", id="beyond its channels"),
        pytest.param(image_xml(0, {"X": 13, "Y": 9}), "says 13 × 9 px, but its first page holds 12 × 9 px", id="size"),
        pytest.param('<Image ID="Image:0" Name="tile 0"/>', "it has no Pixels", id="nothing"),
    ],
)
def test_an_image_that_makes_no_sense_is_left_out_by_name(tmp_path: Path, image: str, said: str) -> None:
    path = write_pages(tmp_path / "a.ome.tif", [pixels(0, SIZE)], document(image, image_xml(1, SIZES)))
    made = OmeTiff().read(path, options(path))
    assert list(made.fovs) == ["tile 1"]
    assert made.problems[0].startswith(f"{path}: image 0 (tile 0): ")
    assert said in made.problems[0]
    np.testing.assert_array_equal(made.fovs["tile 1"].read()[0], pixels(0, SIZE))


def test_pixels_that_are_not_square_have_no_known_size(tmp_path: Path) -> None:
    xml = document(image_xml(0, SIZES, PhysicalSizeX="1", PhysicalSizeY="2", PhysicalSizeZ="-3"))
    path = write_pages(tmp_path / "a.ome.tif", [pixels(0, SIZE)], xml)
    made = OmeTiff().read(path, options(path))
    assert "its pixels are 1 × 2 µm" in made.problems[0]
    assert (made.fovs["tile 0"].pixel_size_um, made.fovs["tile 0"].z_step_um) == (None, None)


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        pytest.param({"X": 12, "Y": 9, "C": 2}, "page 1 does not exist", id="too few channels"),
        pytest.param({"X": 12, "Y": 9, "Z": 2}, "page 1 does not exist", id="too few pages"),
    ],
)
def test_pages_that_are_not_what_is_said_fail_by_name(tmp_path: Path, sizes: dict[str, int], said: str) -> None:
    path = write_pages(tmp_path / "a.ome.tif", [pixels(0, SIZE)], document(image_xml(0, sizes)))
    (fov,) = OmeTiff().read(path, options(path)).fovs.values()
    with pytest.raises(TileReadError, match=rf"^FOV tile 0: .*a\.ome\.tif: .*{said}"):
        fov.read(z=sizes.get("Z", 1) - 1)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        pytest.param(pixels(1, (9, 13)), "13 × 9 px of uint16", id="size"),
        pytest.param(np.zeros(SIZE, np.uint8), "12 × 9 px of uint8", id="type"),
    ],
)
def test_a_file_of_a_set_that_is_not_what_is_said_fails_alone(tmp_path: Path, page: np.ndarray, said: str) -> None:
    write_set(tmp_path)
    tifffile.imwrite(tmp_path / "c1.ome.tif", np.stack([page, page]), metadata=None)
    fov = OmeTiff().read(tmp_path, options(tmp_path)).fovs["tile 0"]
    np.testing.assert_array_equal(fov.read(["C0"])[0], pixels(0, SIZE))
    with pytest.raises(TileReadError, match=rf"c1\.ome\.tif: page 0 holds {said}.* says 12 × 9 px of uint16"):
        fov.read(["C1"])


def test_a_plane_in_no_file_is_named(tmp_path: Path) -> None:
    xml = document(image_xml(0, {**SIZES, "Z": 3}, [({"IFD": 0}, "", ""), ({"IFD": 1, "FirstZ": 2}, "", "")]))
    path = write_pages(tmp_path / "a.ome.tif", [pixels(0, SIZE), pixels(2, SIZE)], xml)
    (fov,) = OmeTiff().read(path, options(path)).fovs.values()
    np.testing.assert_array_equal(fov.read(z=2)[0], pixels(2, SIZE))
    with pytest.raises(TileReadError, match="no file holds the plane of channel 0, t = 0, z = 1"):
        fov.read(z=1)


@pytest.mark.parametrize("text", ["<OME><Image", "<SVG/>", "", HEAD + "/>"], ids=["cut", "other", "none", "empty"])
def test_a_description_that_is_none(tmp_path: Path, text: str) -> None:
    path = write_pages(tmp_path / "a.ome.tif", [pixels(0, SIZE)], text)
    with pytest.raises(FileFormatError, match=r"a\.ome\.tif: cannot be read as an OME-TIFF file"):
        OmeTiff().read(path, options(path))


@settings(max_examples=25)
@given(
    key=st.sampled_from(
        ["SizeX", "SizeZ", "IFD", "FirstT", "PlaneCount", "PhysicalSizeX", "DeltaT", "PositionY", "Color"]
    ),
    value=st.sampled_from(["", "-1", "nan", "inf", "1e400", "9" * 30, "٣", "0x10", "µ", "1.5"])
    | st.text("0123456789.-e", max_size=6),
)
def test_any_metadata_is_read_or_named(tmp_path_factory: pytest.TempPathFactory, key: str, value: str) -> None:
    root = ET.fromstring(document(image_xml(0, SIZES, PhysicalSizeX="1", PhysicalSizeY="1")))
    pixel = root[0][0]
    ET.SubElement(pixel, "Channel", Color="1")
    ET.SubElement(
        pixel, "Plane", TheT="0", DeltaT="1", PositionX="1", PositionY="1", PositionXUnit="mm", PositionYUnit="mm"
    )
    holder = next((one for one in root.iter() if key in one.attrib), pixel[0])
    holder.set(key, value)
    path = write_pages(
        tmp_path_factory.mktemp("any") / "a.ome.tif", [pixels(0, SIZE)], ET.tostring(root, encoding="unicode")
    )
    said = str(path)
    try:
        made = [fov.read()[0] for fov in OmeTiff().read(path, options(path)).fovs.values()]
    except SlicemapError as error:
        made, said = [], str(error)
    assert str(path) in said
    for one in made:
        np.testing.assert_array_equal(one, pixels(0, SIZE))


# --- imaging mass cytometry --------------------------------------------------------------------------------------
def mcd_file(root: Path, *, name: str = "slide_s0_a2_ac", size: tuple[int, int] = (12, 9), low: float = 200.0) -> Path:
    """An image of 12 × 9 px, and what the slide's MCD-XML says of its second acquisition."""
    corners = [(100.0, low), (100.0 + 2 * size[0], low), (100.0, low - 2 * size[1])]
    points = "".join(
        f"<ROIPoint><AcquisitionROIID>7</AcquisitionROIID><SlideXPosUm>{x}</SlideXPosUm><SlideYPosUm>{y}</SlideYPosUm>"
        "</ROIPoint>"
        for x, y in corners
    )
    shots = "".join(f"<AblationDistanceBetweenShots{axis}>2</AblationDistanceBetweenShots{axis}>" for axis in "XY")
    said = (
        f'<MCDSchema xmlns="http://www.fluidigm.com/IMC/MCDSchema_V2_0.xsd"><Acquisition><ID>2</ID>{shots}'
        f"<AcquisitionROIID>7</AcquisitionROIID><MaxX>12</MaxX><MaxY>9</MaxY></Acquisition>{points}</MCDSchema>"
    )
    kept = f"<OriginalMetadata><Key>MCD-XML</Key><Value>{escape(said)}</Value></OriginalMetadata>"
    notes = f"<StructuredAnnotations><XMLAnnotation><Value>{kept}</Value></XMLAnnotation></StructuredAnnotations>"
    xml = document(image_xml(0, SIZES).replace("tile 0", name), notes)
    return write_pages(root / f"{name}.ome.tif", [pixels(0, SIZE)], xml)


@pytest.mark.parametrize(
    ("changes", "center", "size"),
    [
        pytest.param({}, (112.0, 191.0), 2.0, id="as it is"),
        pytest.param({"size": (13, 8)}, (113.0, 192.0), 2.0, id="drawn a shot larger"),
        pytest.param({"size": (12, 20)}, None, 2.0, id="region of another size"),
        pytest.param({"low": -200.0}, None, 2.0, id="not on the slide"),
        pytest.param({"name": "slide_s0_a3_ac"}, None, None, id="another acquisition"),
        pytest.param({"name": "image"}, None, None, id="named otherwise"),
    ],
)
def test_positions_and_sizes_of_mcd_xml(
    tmp_path: Path, changes: dict[str, Any], center: tuple[float, float] | None, size: float | None
) -> None:
    path = mcd_file(tmp_path, **changes)
    made = OmeTiff().read(path, options(path))
    (position,), (fov,) = made.positions, made.fovs.values()
    assert (position.center_um, fov.pixel_size_um) == (center, size)
    assert (made.stage_y, made.stage_y_stated) == (("up", True) if center else ("down", False))


def test_mcd_xml_beside_positions_of_other_microscopes(tmp_path: Path) -> None:
    mcd_file(tmp_path)
    write_image(tmp_path / "other.ome.tif", pixels(1, SIZE), "YX", Plane=stage(5, 6, 1))
    made = OmeTiff().read(tmp_path, options(tmp_path, pixel_size_um=0.5))
    assert [(one.fov, one.center_um) for one in made.positions] == [("other", (5.0, 6.0))]
    assert made.stage_y == "down"
    assert "1 image states no stage position" in made.problems[0]


# --- real data ---------------------------------------------------------------------------------------------------
def test_imaging_mass_cytometry(real_data: Path) -> None:
    root = real_data / "imc" / "analysis" / "ometiff"
    made = OmeTiff().read(root, options(root))
    assert len(made.fovs) == 15
    for name, fov in made.fovs.items():
        (path,) = fov.sources()
        with tifffile.TiffFile(path) as tif:
            described = ET.fromstring(tif.pages.first.description).findall(".//{*}Channel")
            np.testing.assert_array_equal(fov.read(), tif.asarray())
        expected = [channel.get("Name") for channel in described]
        assert list(fov.channels) == expected
        assert path.name == f"{name}.ome.tiff"
        assert fov.pixel_size_um == 1
    assert (made.problems, made.stage_y) == ((), "up")


def test_imaging_mass_cytometry_lies_where_its_tables_say(real_data: Path) -> None:
    root = real_data / "imc" / "analysis" / "ometiff"
    positions = {one.fov: one for one in OmeTiff().read(root, options(root)).positions}
    with (real_data / "imc" / "steinbock" / "images.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == len(positions) == 15
    for row in rows:
        slide = Path(row["source_file"]).stem
        made = positions[f"{slide}_s0_a{row['acquisition_id']}_ac"]
        sides = [[float(row[f"acquisition_{at}_{axis}_um"]) for at in ("start", "end")] for axis in "xy"]
        assert made.map_id == slide
        assert made.center_um == tuple(sum(side) / 2 for side in sides)
