"""ROIs as OME-XML: what is written comes back, others read it, and it reads what others write."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import ome_types
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from images.ome_schema import valid_ome_xml
from napari_slicemap import open_dataset
from napari_slicemap.errors import FileFormatError, TileReadError
from napari_slicemap.rois.frames import Frame, Frames
from napari_slicemap.rois.ground import Ground
from napari_slicemap.rois.ome_rois import read_ome_rois, write_ome_rois
from napari_slicemap.rois.roi import Roi, roi_from_points
from scenes import write_dataset

MAPS = (Frame(map_id="00"), Frame(map_id="01"))
FRAMES = Frames(MAPS, MAPS[1])
SPACE = "http://www.openmicroscopy.org/Schemas/OME/2016-06"

words = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"], exclude_characters=";"), max_size=12).map(
    str.strip
)
number = st.floats(-1e6, 1e6)


def _box(x: float, y: float, width: float = 10.0, height: float = 5.0) -> list[tuple[float, float]]:
    return [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]


def _turned(x: float, y: float) -> list[tuple[float, float]]:
    return [(x, y), (x + 6, y + 8), (x + 2, y + 11), (x - 4, y + 3)]


shapes = st.one_of(
    st.tuples(st.just("rectangle"), st.builds(_box, number, number, st.floats(0.1, 99), st.floats(0.1, 99))),
    st.tuples(st.just("rotated-rectangle"), st.builds(_turned, number, number)),
    st.tuples(st.just("polygon"), st.lists(st.tuples(number, number), min_size=3, max_size=6)),
    st.tuples(st.just("line"), st.lists(st.tuples(number, number), min_size=2, max_size=5)),
)


@st.composite
def rois(draw: st.DrawFn) -> Roi:
    kind, points = draw(shapes)
    fields = {name: draw(words) for name in ("name", "comment", "profile")}
    frame = draw(st.sampled_from([*MAPS, Frame(fov="f 1"), Frame()]))
    try:
        made = roi_from_points(points, kind, **frame.fields)
    except ValueError:
        made = roi_from_points(_box(0, 0), "rectangle", **frame.fields)
    return Roi.model_validate(made.model_dump() | fields | {"tags": tuple(draw(st.lists(words, max_size=3)))})


@given(made=st.lists(rois(), max_size=4))
def test_what_is_written_comes_back(tmp_path: Path, made: list[Roi]) -> None:
    path = tmp_path / "r.ome.xml"
    write_ome_rois(path, made, FRAMES)
    found = read_ome_rois(path, FRAMES)
    assert (list(found.rois), found.problems) == (made, ())


def test_others_read_what_is_written(tmp_path: Path) -> None:
    opened = open_dataset(write_dataset(tmp_path / "run"))
    ground = Ground({name: one.placement for name, one in opened.maps.items()}, opened.fovs)
    fov, map_id = next(iter(opened.fovs)), next(iter(opened.maps))
    made = [
        roi_from_points(_box(1, 2), "rectangle", name="a", map_id=map_id, comment="seen"),
        roi_from_points(_turned(9, 2), "rotated-rectangle", name="b", fov=fov),
        roi_from_points([(0, 0), (3, 4)], "line", name="c", map_id=map_id),
        roi_from_points(_box(1, 2), "polygon", name="lost", map_id="nowhere"),
    ]
    path = tmp_path / "r.ome.xml"
    write_ome_rois(path, made, ground.frames())
    ome = valid_ome_xml(path)
    box, turned, line, lost = (roi.union[0] for roi in ome.rois)
    assert (box.x, box.y, box.width, box.height, box.text) == (1, 2, 10, 5, "a")
    assert turned.points == "9.0,2.0 15.0,10.0 11.0,13.0 5.0,5.0"
    assert (line.points, type(line).__name__, type(lost).__name__) == ("0.0,0.0 3.0,4.0", "Polyline", "Polygon")
    assert (ome.rois[0].name, ome.rois[0].description) == ("a", "seen")
    of_map, of_fov = ome.images
    assert (of_map.name, of_fov.name) == (f"map:{map_id}", fov)
    assert [ref.id for ref in of_map.roi_refs] == [ome.rois[0].id, ome.rois[2].id]
    height, width = opened.maps[map_id].placement.shape
    assert (of_map.pixels.size_x, of_map.pixels.size_y) == (width, height)
    assert (of_fov.pixels.size_x, of_fov.pixels.size_y) == opened.fovs[fov].size_px
    assert of_fov.pixels.physical_size_x == opened.fovs[fov].pixel_size_um
    assert list(read_ome_rois(path, ground.frames()).rois) == made


def write(folder: Path, rois: str, more: str = "", space: str = SPACE) -> Path:
    path = folder / "o.ome.xml"
    path.write_text(f'<?xml version="1.0"?><OME xmlns="{space}">{more}{rois}</OME>', "utf-8")
    return path


def union(shape: str, attributes: str = 'ID="ROI:0"', more: str = "") -> str:
    return f"<ROI {attributes}><Union>{shape}</Union>{more}</ROI>"


TURN = '<Transform A00="0" A01="-1" A02="100" A10="1" A11="0" A12="0"/>'
SHEAR = '<Transform A00="1" A01="0.5" A02="0" A10="0" A11="1" A12="0"/>'
EIGHTH = '<Transform A00="0.6" A01="-0.8" A02="0" A10="0.8" A11="0.6" A12="0"/>'
BOX = '<Rectangle ID="Shape:0" X="1" Y="2" Width="4" Height="6"'
SHAPES = [
    pytest.param(f"{BOX}/>", "rectangle", [(1, 2), (5, 2), (5, 8), (1, 8)], id="rectangle"),
    pytest.param(f"{BOX}>{TURN}</Rectangle>", "rectangle", [(92, 1), (98, 1), (98, 5), (92, 5)], id="quarter turn"),
    pytest.param(f"{BOX}>{SHEAR}</Rectangle>", "polygon", [(2, 2), (6, 2), (9, 8), (5, 8)], id="sheared"),
    pytest.param(
        f"{BOX}>{EIGHTH}</Rectangle>", "rotated-rectangle", [(-1, 2), (1.4, 5.2), (-3.4, 8.8), (-5.8, 5.6)], id="turned"
    ),
    pytest.param(
        f'{BOX} Transform="matrix(1 0 0 1 10 20)"/>', "rectangle", [(11, 22), (15, 22), (15, 28), (11, 28)], id="2013"
    ),
    pytest.param('<Polygon Points="0,0 4,0 4,4.5"/>', "polygon", [(0, 0), (4, 0), (4, 4.5)], id="polygon"),
    pytest.param('<Polyline Points="0,0  4,1"/>', "line", [(0, 0), (4, 1)], id="polyline"),
    pytest.param('<Line X1="0" Y1="1" X2="3" Y2="5"/>', "line", [(0, 1), (3, 5)], id="line"),
]


@pytest.mark.parametrize("space", [SPACE, "http://www.openmicroscopy.org/Schemas/OME/2013-06"])
@pytest.mark.parametrize(("shape", "kind", "points"), SHAPES)
def test_shapes_of_others(tmp_path: Path, shape: str, kind: str, points: list[tuple[float, float]], space: str) -> None:
    found = read_ome_rois(write(tmp_path, union(shape, 'ID="ROI:0" Name="n"'), space=space), FRAMES)
    (roi,) = found.rois
    assert (roi.kind, roi.name, roi.map_id, found.problems) == (kind, "n", "01", ())
    np.testing.assert_allclose(roi.points, points, atol=1e-12)


def test_an_ellipse_becomes_a_polygon_and_that_is_told(tmp_path: Path) -> None:
    path = write(tmp_path, union('<Ellipse X="10" Y="20" RadiusX="4" RadiusY="2"/>'))
    found = read_ome_rois(path, FRAMES)
    (roi,) = found.rois
    assert (roi.kind, found.problems) == (
        "polygon",
        (f"{path}: ROI ROI:0: its ellipse has become a polygon of 72 points",),
    )
    for x, y in roi.points:
        assert math.hypot((x - 10) / 4, (y - 20) / 2) == pytest.approx(1)
    assert (roi.x_min, roi.x_max) == pytest.approx((6, 14))


WRONG = [
    pytest.param('<Label X="1" Y="2" Text="here"/>', "a Label cannot be an ROI", id="label"),
    pytest.param('<Point X="1" Y="2"/>', "a Point cannot be an ROI", id="point"),
    pytest.param('<Mask X="1" Y="2" Width="3" Height="4"/>', "a Mask cannot be an ROI", id="mask"),
    pytest.param('<Rectangle X="1" Y="2" Width="3"/>', "its Height is None, expected a number", id="no height"),
    pytest.param('<Rectangle X="1" Y="2" Width="0" Height="1"/>', "the box is empty", id="empty"),
    pytest.param('<Rectangle X="nan" Y="2" Width="3" Height="1"/>', "box is empty|finite", id="nan"),
    pytest.param('<Polygon Points="1,2 3"/>', "its points are '1,2 3', expected pairs", id="points"),
    pytest.param("<Polygon/>", "its points are '', expected pairs", id="no points"),
    pytest.param('<Ellipse X="1" Y="2" RadiusX="-1" RadiusY="2"/>', "radii of -1 and 2 px", id="radius"),
    pytest.param('<Line X1="0" Y1="0" X2="1" Y2="1" Transform="skewX(3)"/>', "its transform is 'skewX", id="transform"),
    pytest.param("", "it has no shape", id="nothing"),
]


@pytest.mark.parametrize(("shape", "message"), WRONG)
def test_what_is_no_roi_is_told_and_the_others_come(tmp_path: Path, shape: str, message: str) -> None:
    found = read_ome_rois(write(tmp_path, union(shape) + union(f"{BOX}/>", 'ID="ROI:1"')), FRAMES)
    assert len(found.rois) == 1
    (problem,) = found.problems
    assert re.search(message, problem)


def test_an_roi_of_several_shapes_becomes_several(tmp_path: Path) -> None:
    path = write(tmp_path, union(f'{BOX}/><Point X="1" Y="1"/>{BOX}/>', 'ID="ROI:0" Name="cell"'))
    found = read_ome_rois(path, FRAMES)
    assert [roi.name for roi in found.rois] == ["cell 1", "cell 3"]
    assert len({roi.roi_id for roi in found.rois}) == 2
    assert len(found.problems) == 1


def image(name: str, ref: str = "ROI:0") -> str:
    return f'<Image ID="Image:0" Name="{name}"><ROIRef ID="{ref}"/></Image>'


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("map:07", ("", "07"), id="a map"),
        pytest.param("00", ("", "00"), id="a known map"),
        pytest.param("00.ome.tif", ("", "00"), id="its file"),
        pytest.param("elsewhere", ("", "01"), id="the default"),
    ],
)
def test_the_image_says_what_an_roi_is_on(tmp_path: Path, name: str, expected: tuple[str, str]) -> None:
    (roi,) = read_ome_rois(write(tmp_path, union(f"{BOX}/>"), image(name)), FRAMES).rois
    assert (roi.fov, roi.map_id) == expected


@pytest.mark.parametrize(
    ("images", "message"),
    [
        pytest.param(image("elsewhere"), "it is on the image 'elsewhere', which is no FOV or map here", id="other"),
        pytest.param(image("00", "ROI:9"), "does not say which map or FOV it is on", id="no reference"),
    ],
)
def test_an_roi_on_nothing_known_is_told(tmp_path: Path, images: str, message: str) -> None:
    found = read_ome_rois(write(tmp_path, union(f"{BOX}/>"), images), Frames(MAPS))
    assert found.rois == ()
    assert message in found.problems[0]


def test_tags_of_others_are_tags(tmp_path: Path) -> None:
    notes = (
        '<StructuredAnnotations><TagAnnotation ID="Annotation:1"><Value>a; b</Value></TagAnnotation>'
        '<CommentAnnotation ID="Annotation:2"><Value>no tag</Value></CommentAnnotation></StructuredAnnotations>'
    )
    refs = '<AnnotationRef ID="Annotation:1"/><AnnotationRef ID="Annotation:2"/><AnnotationRef ID="Annotation:3"/>'
    (roi,) = read_ome_rois(write(tmp_path, union(f"{BOX}/>", more=refs), notes), FRAMES).rois
    assert roi.tags == ("a, b",)


def test_rois_within_an_ome_tiff(tmp_path: Path) -> None:
    from ome_types import model

    shape = model.Polygon(points="1,1 5,1 5,4")
    pixels = model.Pixels(
        dimension_order="XYZCT", type="uint8", size_x=8, size_y=6, size_z=1, size_c=1, size_t=1, tiff_data_blocks=[{}]
    )
    roi = model.ROI(id="ROI:7", name="inside", union=[shape])
    ome = ome_types.OME(images=[model.Image(name="00", pixels=pixels, roi_refs=[{"id": "ROI:7"}])], rois=[roi])
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(path, np.zeros((6, 8), np.uint8), description=ome.to_xml(), metadata=None)
    (found,) = read_ome_rois(path, Frames(MAPS)).rois
    assert (found.name, found.kind, found.map_id, found.points) == ("inside", "polygon", "00", ((1, 1), (5, 1), (5, 4)))


def test_files_that_are_none(tmp_path: Path) -> None:
    plain, none = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(plain, np.zeros((6, 8), np.uint8))
    none.write_text("nothing")
    for path, error, message in (
        (plain, FileFormatError, "there is no OME-XML in it"),
        (none, TileReadError, "cannot be read as a TIFF image"),
        (write(tmp_path, "<ROI>"), FileFormatError, "this is no valid XML"),
    ):
        with pytest.raises(error, match=message):
            read_ome_rois(path, FRAMES)
    bomb = tmp_path / "c.ome.xml"
    entities = "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    bomb.write_text(f'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a0 "xxxxxxxxxx">{entities}]><OME>&a11;</OME>')
    with pytest.raises(FileFormatError, match="amplification"):
        read_ome_rois(bomb, FRAMES)
    (tmp_path / "d.ome.xml").write_text("<svg/>")
    with pytest.raises(FileFormatError, match="its root is 'svg', expected OME"):
        read_ome_rois(tmp_path / "d.ome.xml", FRAMES)


NOTE = (
    '<StructuredAnnotations><MapAnnotation ID="Annotation:0" Namespace="napari-slicemap/roi"><Value>'
    '<M K="kind">rectangle</M><M K="map_id">00</M></Value></MapAnnotation></StructuredAnnotations>'
)
GOOD = union(f"{BOX}>{SHEAR}</Rectangle>", more='<AnnotationRef ID="Annotation:0"/>')


@given(where=st.floats(0, 1, exclude_max=True), byte=st.integers(0, 255))
def test_a_broken_byte_gives_a_right_answer_or_a_named_error(tmp_path: Path, where: float, byte: int) -> None:
    path = write(tmp_path, GOOD, NOTE)
    raw = bytearray(path.read_bytes())
    raw[int(where * len(raw))] = byte
    path.write_bytes(raw)
    said: list[str] = []
    try:
        said += read_ome_rois(path, FRAMES).problems
    except FileFormatError as error:
        said.append(str(error))
    assert all(one.startswith(str(path)) for one in said)
