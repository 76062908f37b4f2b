"""Pictures (PNG, JPEG, BMP), each read compared with the array that was written, or with another decoder's."""

from __future__ import annotations

import pickle
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from builders import pixels
from napari_slicemap.errors import FileFormatError, TileReadError
from napari_slicemap.images import picture
from napari_slicemap.images.cache import ChunkCache
from napari_slicemap.images.image import ImagePlane
from napari_slicemap.images.opening import open_image
from napari_slicemap.images.picture import PictureImage
from napari_slicemap.images.plane import read_window
from napari_slicemap.images.region import Window


def read_all(image: PictureImage) -> np.ndarray:
    """All pixels, ``(H, W, C)``."""
    _, count, _, y, x = image.info.shape
    planes = [read_window(ImagePlane(image, k, count), 0, 0, Window(0, x, 0, y)) for k in range(count)]
    return np.stack(planes, -1)


def write_picture(path: Path, data: np.ndarray, **options: Any) -> Path:
    Image.fromarray(data).save(path, **options)
    return path


@pytest.mark.parametrize(
    ("channels", "names"),
    [
        pytest.param(1, ("C0",), id="grey"),
        pytest.param(2, ("C0", "A"), id="grey and alpha"),
        pytest.param(3, ("R", "G", "B"), id="colour"),
        pytest.param(4, ("R", "G", "B", "A"), id="colour and alpha"),
    ],
)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_png_of_8_and_16_bits(tmp_path: Path, channels: int, names: tuple[str, ...], dtype: Any) -> None:
    data = pixels(1, (20, 24, channels), dtype)
    path = tmp_path / "a.PNG"
    path.write_bytes(imagecodecs.png_encode(data[..., 0] if channels == 1 else data))
    image = open_image(path)
    assert isinstance(image, PictureImage)
    assert (image.info.shape, image.info.dtype) == ((1, channels, 1, 20, 24), dtype)
    assert (image.info.channel_names, image.info.pixel_size_um) == (names, None)
    np.testing.assert_array_equal(read_all(pickle.loads(pickle.dumps(image))), data)


@pytest.mark.parametrize(
    ("mode", "ending", "decoded"),
    [
        pytest.param("1", ".png", "L", id="black and white"),
        pytest.param("P", ".png", "RGB", id="palette"),
        pytest.param("L", ".bmp", "L", id="grey bmp"),
        pytest.param("RGB", ".bmp", "RGB", id="colour bmp"),
        pytest.param("L", ".jpg", "L", id="grey jpeg"),
        pytest.param("RGB", ".jpeg", "RGB", id="colour jpeg"),
        pytest.param("CMYK", ".jpg", "RGB", id="printed colours"),
    ],
)
def test_other_kinds_are_as_pillow_shows_them(tmp_path: Path, mode: str, ending: str, decoded: str) -> None:
    made = Image.fromarray(pixels(2, (20, 24, 3), np.uint8)).convert(mode)
    made.save(tmp_path / f"a{ending}", dpi=(300, 300))
    with Image.open(tmp_path / f"a{ending}") as again:
        expected = np.atleast_3d(np.asarray(again.convert(decoded)))
    image = PictureImage(tmp_path / f"a{ending}")
    np.testing.assert_array_equal(read_all(image), expected)
    assert image.info.pixel_size_um is None  # 300 dpi is how large it is to be printed


def test_palettes_with_a_transparent_colour(tmp_path: Path) -> None:
    data = pixels(3, (20, 24), np.uint8) % 4
    made = Image.fromarray(data).convert("P")
    made.save(tmp_path / "a.png", transparency=0)
    assert PictureImage(tmp_path / "a.png").info.channel_names == ("R", "G", "B", "A")
    np.testing.assert_array_equal(read_all(PictureImage(tmp_path / "a.png"))[..., 3] == 0, data == 0)


def test_a_picture_held_sideways_lies_as_it_is_stored(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    write_picture(tmp_path / "a.jpg", pixels(4, (20, 24), np.uint8), exif=exif)
    assert PictureImage(tmp_path / "a.jpg").info.shape[3:] == (20, 24)


@given(rows=st.integers(1, 20), y=st.integers(0, 19), height=st.integers(1, 20))
def test_windows_over_chunks_of_any_height(tmp_path: Path, rows: int, y: int, height: int) -> None:
    data = pixels(5, (20, 24), np.uint8)
    path = write_picture(tmp_path / "a.png", data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(picture, "_CHUNK_PX", rows * 24)
        window = Window(3, 20, y, min(20, y + height))
        made = read_window(ImagePlane(PictureImage(path)), 0, 0, window, ChunkCache())
    np.testing.assert_array_equal(made, data[window.y0 : window.y1, 3:20])


def test_the_channels_are_decoded_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image = PictureImage(write_picture(tmp_path / "a.png", pixels(6, (20, 24, 3), np.uint8)))
    calls: list[Path] = []
    decoded = PictureImage._decoded
    monkeypatch.setattr(PictureImage, "_decoded", lambda self: (calls.append(self.path), decoded(self))[1])
    read_all(image)
    assert len(calls) == 1


def header(width: int, height: int) -> bytes:
    """A PNG file whose header claims a size, and that ends there."""
    said = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = [struct.pack(">I", len(one) - 4) + one + struct.pack(">I", zlib.crc32(one)) for one in (said, data)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "it begins like none of them", id="empty"),
        pytest.param(b"GIF89a", "it begins like none of them", id="gif"),
        pytest.param(b"\x89PNG\r\n\x1a\n", "", id="png cut short"),
        pytest.param(b"\xff\xd8\xff", "", id="jpeg cut short"),
        pytest.param(b"BM", "", id="bmp cut short"),
        pytest.param(header(2**30, 2**30), r"1073741824 × 1073741824 px are too many .*tiled TIFF", id="bomb"),
        pytest.param(header(0, 5), "not identified", id="no pixel"),
    ],
)
def test_what_is_no_picture(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(TileReadError, match=rf"a\.png: cannot be read as a PNG, JPEG or BMP image \(.*{message}"):
        _ = PictureImage(tmp_path / "a.png").info


def test_a_movie(tmp_path: Path) -> None:
    frames = [Image.fromarray(pixels(n, (20, 24), np.uint8)) for n in (1, 2)]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(TileReadError, match="it is a movie"):
        _ = PictureImage(tmp_path / "a.png").info


def test_pixels_cut_short(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.jpg", pixels(7, (200, 240), np.uint8))
    path.write_bytes(path.read_bytes()[:9000])
    assert PictureImage(path).info.shape == (1, 1, 1, 200, 240)
    with pytest.raises(TileReadError, match=r"a\.jpg: cannot be read as a PNG, JPEG or BMP image \(.*truncated"):
        read_all(PictureImage(path))


def test_a_changed_file_is_refused(tmp_path: Path) -> None:
    path = write_picture(tmp_path / "a.png", pixels(8, (20, 24), np.uint8))
    image = PictureImage(path)
    assert image.info.shape[3:] == (20, 24)
    write_picture(path, pixels(8, (24, 20), np.uint8))
    with pytest.raises(TileReadError, match="the file has changed"):
        read_all(image)


def test_pages_are_of_tiff_files(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"a\.png: series and page are of TIFF files"):
        open_image(tmp_path / "a.png", page=1)
