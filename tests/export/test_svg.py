"""SVG: read by ElementTree, and drawn by Qt."""

import base64
import io
import json
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from napari_slicemap.export.content.figure import Figure
from napari_slicemap.export.writers import find_writer
from napari_slicemap.export.writers.contract import PictureContract
from napari_slicemap.render.drawings import Bar, Rim, Shape, Text
from napari_slicemap.render.picture import Picture

SVG = "{http://www.w3.org/2000/svg}"
OURS = "{urn:napari-slicemap:figure:1}"
HREF = "{http://www.w3.org/1999/xlink}href"


def svg_picture(path):
    root = ET.parse(path).getroot()
    (image,) = root.iter(f"{SVG}image")
    head, _, coded = image.get(HREF).partition(",")
    assert head == "data:image/png;base64"
    with Image.open(io.BytesIO(base64.b64decode(coded, validate=True))) as png:
        pixels = np.asarray(png)
    assert (image.get("width"), image.get("height")) == (str(pixels.shape[1]), str(pixels.shape[0]))
    assert root.get("viewBox") == f"0 0 {pixels.shape[1]} {pixels.shape[0]}"
    stated = root.find(f".//{OURS}pixelSizeUm")
    assert (stated is None) == (root.get("data-pixel-size-um") is None)
    if stated is None:
        return pixels, None
    assert stated.text == root.get("data-pixel-size-um")
    return pixels, float(stated.text)


def svg_provenance(path):
    found = ET.parse(path).getroot().find(f".//{OURS}provenance")
    return None if found is None else json.loads(found.text)


DRAWINGS = (
    Shape(((20.5, 30.5), (80.5, 30.5), (80.5, 70.5)), True, "#ffff00", 2),
    Shape(((100, 20), (150, 60)), False, "#00ffff", 3),
    Bar(120, 100, 60, 5, "#ffffff", Rim(2, "#000000", 0.75)),
    Text("20 µm <&> \x00", 120, 95, 60, 14, "#ff00ff", Rim(2, "#000000", 0.75)),
)


def qt_drawn(path, shape):
    """What Qt makes of it, in its own size of one px to a px."""
    from qtpy.QtGui import QImage, QPainter
    from qtpy.QtSvg import QSvgRenderer

    renderer = QSvgRenderer(str(path))
    assert renderer.isValid()
    image = QImage(shape[1], shape[0], QImage.Format.Format_RGB888)
    image.fill(0)
    painter = QPainter(image)
    renderer.render(painter)
    painter.end()
    raw = np.frombuffer(image.constBits().asstring(image.sizeInBytes()), np.uint8)
    return raw.reshape(shape[0], image.bytesPerLine())[:, : 3 * shape[1]].reshape(shape[0], shape[1], 3)


class TestSvg(PictureContract):
    writer_class = type(find_writer("svg"))
    read = staticmethod(svg_picture)
    read_provenance = staticmethod(svg_provenance)

    def drawn(self, writer, path, plain, **fields):
        stamped = np.full_like(plain, 9)
        figure = Figure(Picture.of(stamped), 0.5, plain=Picture.of(plain), drawings=DRAWINGS, **fields)
        writer.write(path, figure, writer.Options())
        return ET.parse(path).getroot()

    def test_drawings_are_elements_and_not_pixels(self, writer, tmp_path):
        plain = self.picture(140, 200, 3)
        root = self.drawn(writer, tmp_path / "f.svg", plain, name="map <7>")
        np.testing.assert_array_equal(svg_picture(tmp_path / "f.svg")[0], plain)
        (polygon,), (line,) = root.iter(f"{SVG}polygon"), root.iter(f"{SVG}polyline")
        assert polygon.get("points") == "20.5,30.5 80.5,30.5 80.5,70.5"
        assert (polygon.get("stroke"), polygon.get("stroke-width"), polygon.get("fill")) == ("#ffff00", "2", "none")
        assert line.get("points") == "100,20 150,60"
        rim, bar = root.iter(f"{SVG}rect")
        assert [bar.get(key) for key in ("x", "y", "width", "height", "fill")] == ["120", "100", "60", "5", "#ffffff"]
        assert [rim.get(key) for key in ("x", "y", "width", "height")] == ["118", "98", "64", "9"]
        assert [text.text for text in root.iter(f"{SVG}text")] == ["20 µm <&> \N{REPLACEMENT CHARACTER}"] * 2
        assert root.find(f"{SVG}title").text == "map <7>"

    def test_qt_draws_them_in_their_place(self, writer, tmp_path, qapp):
        plain = np.zeros((140, 200, 3), np.uint8)
        self.drawn(writer, tmp_path / "f.svg", plain)
        found = qt_drawn(tmp_path / "f.svg", plain.shape)
        assert (found[30, 30:70] == (255, 255, 0)).all()
        assert (found[101:104, 122:178] == 255).all()
        assert found[101:104, 183:].max() == 0
        pink = np.abs(found[82:96, 120:180].astype(int) - (255, 0, 255)).max(axis=-1) < 90
        assert pink.sum() > 30

    @pytest.mark.parametrize(("dpi", "width"), [(300, "16.93333333mm"), (72, "70.55555556mm")])
    def test_its_size_is_that_of_print(self, writer, tmp_path, dpi, width):
        self.written(writer, tmp_path / "f.svg", self.picture(10, 200, 3), dpi=dpi)
        assert ET.parse(tmp_path / "f.svg").getroot().get("width") == width

    @pytest.mark.parametrize("option", [{"dpi": 0}, {"dpi": "inf"}, {"compress_level": 10}])
    def test_other_options_are_refused(self, writer, option):
        with pytest.raises(ValueError, match=next(iter(option))):
            writer.Options.model_validate(option)
