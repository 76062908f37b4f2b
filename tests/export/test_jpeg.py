"""JPEG: strips that are encoded apart and joined are the same as the whole."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from napari_slicemap.export.content.figure import Figure
from napari_slicemap.export.writers import find_writer, jpeg_encoder
from napari_slicemap.export.writers.contract import PictureContract
from napari_slicemap.render.picture import Picture


def pillow_jpeg(path):
    with Image.open(path) as image:
        assert image.format == "JPEG"
        exif = image.getexif()
        pixels = np.asarray(image)
        if 0x011A not in exif:
            assert image.info["jfif_unit"] == 0
            return pixels, None
        assert (exif[0x0128], exif[0x011A]) == (3, exif[0x011B])
        size = 10_000 / float(exif[0x011A])
        if image.info.get("jfif_unit"):
            dpi = image.info["jfif_density"][0] * {1: 1, 2: 2.54}[image.info["jfif_unit"]]
            assert 25_400 / dpi == pytest.approx(size, rel=1e-3), "JFIF and EXIF say the same"
        return pixels, size


def jpeg_provenance(path):
    with Image.open(path) as image:
        said = b"".join(content for marker, content in image.applist if marker == "COM")
    return json.loads(said) if said else None


class TestJpeg(PictureContract):
    writer_class = type(find_writer("jpg"))
    lossless = False
    keeps_alpha = False
    read = staticmethod(pillow_jpeg)
    read_provenance = staticmethod(jpeg_provenance)

    @pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
    @pytest.mark.parametrize(("height", "width"), [(1, 1), (15, 17), (701, 903), (1601, 130)])
    @pytest.mark.parametrize("quality", [30, 95])
    def test_strips_joined_are_the_whole(self, writer, tmp_path, monkeypatch, subsampling, height, width, quality):
        monkeypatch.setattr(jpeg_encoder, "_STRIP_BYTES", 2**16)
        image = self.picture(height, width, 3) // 4 + 90
        found, _ = self.written(writer, tmp_path / "f.jpg", image, quality=quality, subsampling=subsampling)
        whole = io.BytesIO()
        Image.fromarray(image).save(whole, "JPEG", quality=quality, subsampling=subsampling)
        if subsampling == "4:4:4":
            np.testing.assert_array_equal(found, np.asarray(Image.open(whole)))
        else:  # where colour is coarser, the decoder smooths it over the border of a strip as it likes
            assert np.abs(found.astype(int) - np.asarray(Image.open(whole))).mean() < 0.5

    def test_very_wide_rows_do_not_overflow_the_restart_interval(self, writer, tmp_path):
        image = np.tile(self.picture(24, 100, 3), (1, 655, 1))
        found, _ = self.written(writer, tmp_path / "f.jpg", image, quality=100)
        assert np.abs(found.astype(int) - image).mean() < 2

    def test_a_transparent_figure_shows_its_background(self, writer, tmp_path):
        image = np.zeros((32, 32, 4), np.uint8)
        image[:16, :, :] = 255
        path = tmp_path / "f.jpg"
        writer.write(path, Figure(Picture.of(image), None, background="#ff8000"), writer.Options())
        found, _ = self.read(path)
        assert np.abs(found[:16].astype(int) - 255).max() < 8
        assert np.abs(found[16:].astype(int) - (255, 128, 0)).max() < 8

    def test_more_than_one_comment_is_needed_for_a_long_provenance(self, writer, tmp_path):
        stated = {"sources": [f"plane_{n}.tif" for n in range(9000)]}
        path = tmp_path / "f.jpg"
        writer.write(path, Figure(Picture.of(self.picture(8, 8, 3)), 0.5, provenance=stated), writer.Options())
        with Image.open(path) as image:
            assert sum(marker == "COM" for marker, _ in image.applist) > 1
        assert jpeg_provenance(path) == stated

    def test_a_resolution_of_31_bits_is_exact(self, writer, tmp_path):
        for size in (0.39, 1 / 3, 5e-6, 1e5):
            assert self.written(writer, tmp_path / "f.jpg", self.picture(8, 8, 3), size)[1] == pytest.approx(
                size, rel=1e-9
            )

    @pytest.mark.parametrize(
        ("option", "value"), [("quality", 0), ("quality", 101), ("subsampling", "4:1:1"), ("background", "red")]
    )
    def test_other_options_are_refused(self, writer, option, value):
        with pytest.raises(ValueError, match=option):
            writer.Options.model_validate({option: value})

    def test_better_quality_is_larger_and_nearer(self, writer, tmp_path):
        image, sizes, errors = self.picture(200, 200, 3), [], []
        for quality in (10, 60, 100):
            found, _ = self.written(writer, tmp_path / "f.jpg", image, quality=quality)
            sizes.append((tmp_path / "f.jpg").stat().st_size)
            errors.append(np.abs(found.astype(int) - image).mean())
        assert sizes == sorted(sizes)
        assert errors == sorted(errors, reverse=True)
