"""PDF: read and drawn by PDFium."""

import json
import re

import numpy as np
import pypdfium2 as pdfium
import pytest

from napari_slicemap.errors import PlanError
from napari_slicemap.export.content.figure import Figure
from napari_slicemap.export.writers import find_writer, pdf
from napari_slicemap.export.writers.contract import PictureContract
from napari_slicemap.render.drawings import Bar, Rim, Shape, Text
from napari_slicemap.render.picture import Picture

IMAGE = 3


def pdfium_picture(path):
    with pdfium.PdfDocument(path) as document:
        assert len(document) == 1
        page = document[0]
        (image,) = [one for one in page.get_objects() if one.type == IMAGE]
        pixels = image.get_bitmap().to_numpy()[..., ::-1]
        stated = re.match(r"1 px = (\S+) µm", document.get_metadata_dict()["Subject"])
        page.close()
    return with_mask(path, pixels.copy()), float(stated[1]) if stated else None


def with_mask(path, pixels):
    """The mask that goes with the image, by the bytes of the file: PDFium gives an image without it."""
    import zlib

    raw = path.read_bytes()
    found = re.search(rb"/SMask (\d+) 0 R", raw)
    if found is None:
        return pixels
    start = raw.index(b"\n%s 0 obj\n" % found[1])
    head = raw[start : raw.index(b"stream\n", start)]
    assert b"/ColorSpace /DeviceGray" in head
    alpha = zlib.decompressobj().decompress(raw[raw.index(b"stream\n", start) + 7 :])
    return np.dstack([pixels, np.frombuffer(alpha, np.uint8).reshape(pixels.shape[:2])])


def pdfium_provenance(path):
    with pdfium.PdfDocument(path) as document:
        if document.count_attachments() == 0:
            return None
        attached = document.get_attachment(0)
        assert attached.get_name() == "provenance.json"
        return json.loads(bytes(attached.get_data()))


def rasterised(path, dpi=300):
    with pdfium.PdfDocument(path) as document:
        page = document[0]
        made = page.render(scale=dpi / 72, fill_color=(255, 255, 255, 255)).to_numpy()[..., ::-1].astype(int)
        page.close()
    return made


DRAWINGS = (
    Shape(((50, 50), (200, 50), (200, 150)), True, "#ffff00", 4),
    Bar(250, 250, 120, 10, "#ffffff", Rim(3, "#000000", 0.75)),
    Text("20 µm", 260, 240, 90, 30, "#ff00ff", Rim(3, "#000000", 0.75)),
)


class TestPdf(PictureContract):
    writer_class = type(find_writer("pdf"))
    read = staticmethod(pdfium_picture)
    read_provenance = staticmethod(pdfium_provenance)

    @pytest.mark.parametrize("samples", [3, 4])
    def test_what_is_drawn_of_it_is_the_picture(self, writer, tmp_path, samples):
        # 24 px are a whole number of points at 300 dpi: each px of the raster is then one of the picture
        image = np.kron(self.picture(12, 15, samples), np.ones((25, 20, 1), np.uint8))
        self.written(writer, tmp_path / "f.pdf", image)
        share = image[..., 3:] / 255 if samples == 4 else 1.0
        expected = image[..., :3] * share + 255 * (1 - share)
        found = rasterised(tmp_path / "f.pdf")
        assert found.shape == (300, 300, 3)
        assert np.abs(found - expected).mean() < 2

    def test_a_jpeg_in_it_is_nearly_the_picture(self, writer, tmp_path):
        y, x = np.mgrid[:300, :300]
        image = np.stack([y * 255 // 299, x * 255 // 299, (x + y) * 255 // 598, 255 - 0 * x], -1).astype(np.uint8)
        for part in (image[..., :3], image):
            figure = Figure(Picture.of(part), 0.5)
            writer.write(tmp_path / "f.pdf", figure, writer.Options(image="jpeg", quality=95))
            found, _ = self.read(tmp_path / "f.pdf")
            assert b"/DCTDecode" in (tmp_path / "f.pdf").read_bytes()
            assert 0 < np.abs(found.astype(int) - part).mean() < 3

    def test_drawings_are_vectors_and_not_pixels(self, writer, tmp_path):
        plain = np.zeros((300, 400, 3), np.uint8)
        figure = Figure(Picture.of(plain + 9), 0.5, plain=Picture.of(plain), drawings=DRAWINGS, name="a <b> \ud800 µ")
        writer.write(tmp_path / "f.pdf", figure, writer.Options())
        np.testing.assert_array_equal(pdfium_picture(tmp_path / "f.pdf")[0], plain)
        found = rasterised(tmp_path / "f.pdf")
        assert (found[50, 60:190] == (255, 255, 0)).all()
        assert (found[252:258, 252:368] == 255).all()
        assert found[252:258, 376:].max() == 0
        assert (np.abs(found[210:245, 255:355] - (255, 0, 255)).max(axis=-1) < 40).sum() > 100
        with pdfium.PdfDocument(tmp_path / "f.pdf") as document:
            page = document[0]
            text = page.get_textpage()
            assert "20 µm" in text.get_text_range().replace("μ", "µ")
            text.close()
            page.close()
            assert document.get_metadata_dict()["Title"] == "a <b> \N{REPLACEMENT CHARACTER} µ"
        assert b"DejaVuSans" in (tmp_path / "f.pdf").read_bytes(), "the font is embedded"

    @pytest.mark.parametrize("samples", [3, 4])
    def test_the_tables_of_objects_point_to_them(self, writer, tmp_path, samples):
        figure = Figure(Picture.of(self.picture(30, 40, samples)), 0.5, provenance={"a": 1}, drawings=DRAWINGS)
        writer.write(tmp_path / "f.pdf", figure, writer.Options())
        raw, found = (tmp_path / "f.pdf").read_bytes(), {}
        at = int(raw.rpartition(b"startxref")[2].split()[0])
        while at:
            table, _, trailer = raw[at : raw.index(b"%%EOF", at)].partition(b"trailer")
            assert table.startswith(b"xref\n0 ")
            number, here = 0, {}
            for parts in (line.split() for line in table.splitlines()[1:]):
                if len(parts) == 2:
                    number = int(parts[0])
                else:
                    here |= {number: int(parts[0])} if parts[2] == b"n" else {}
                    number += 1
            assert max(here) == int(re.search(rb"/Size (\d+)", trailer)[1]) - 1
            found = {**here, **found}
            previous = re.search(rb"/Prev (\d+)", trailer)
            at = int(previous[1]) if previous else 0
        assert list(range(1, max(found) + 1)) == sorted(found)
        for number, place in found.items():
            assert raw[place:].startswith(b"%d 0 obj" % number)
        assert b"/application#2Fjson" in raw

    @pytest.mark.parametrize(("dpi", "points"), [(300, (96, 72)), (100, (288, 216)), (72, (400, 300))])
    def test_the_page_is_as_large_as_in_print(self, writer, tmp_path, dpi, points):
        self.written(writer, tmp_path / "f.pdf", self.picture(300, 400, 3), dpi=dpi)
        with pdfium.PdfDocument(tmp_path / "f.pdf") as document:
            page = document[0]
            width, height = page.get_size()
            page.close()
        assert (width, height) == pytest.approx(points)
        measure = re.search(rb"/Measure.*?/X.*?/C (\S+)", (tmp_path / "f.pdf").read_bytes(), re.DOTALL)
        assert float(measure[1]) * width == pytest.approx(400 * 0.5, rel=1e-6), "µm across the page"

    def test_no_measure_without_a_pixel_size(self, writer, tmp_path):
        self.written(writer, tmp_path / "f.pdf", self.picture(30, 40, 3), None)
        assert b"/Measure" not in (tmp_path / "f.pdf").read_bytes()

    def test_a_page_that_cannot_be_is_refused_with_what_would_do(self, writer, tmp_path):
        wide = Figure(self.on_demand((1, 60_001, 3), []), 0.5)
        with pytest.raises(PlanError, match=r"set options\.dpi to 301"):
            writer.write(tmp_path / "f.pdf", wide, writer.Options())
        writer.write(tmp_path / "f.pdf", wide, writer.Options(dpi=301))
        assert pdfium_picture(tmp_path / "f.pdf")[0].shape == (1, 60_001, 3)

    def test_a_file_that_cannot_be_is_refused(self, writer, tmp_path, monkeypatch):
        monkeypatch.setattr(pdf, "_LARGEST_FILE", 1000)
        with pytest.raises(PlanError, match="more than its format holds"):
            self.written(writer, tmp_path / "f.pdf", self.picture(30, 40, 3))

    @pytest.mark.parametrize(
        "option", [{"dpi": 0}, {"dpi": 2401}, {"image": "png"}, {"quality": 0}, {"compress_level": 10}]
    )
    def test_other_options_are_refused(self, writer, option):
        with pytest.raises(ValueError, match=next(iter(option))):
            writer.Options.model_validate(option)
