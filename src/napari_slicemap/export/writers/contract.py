"""What every writer of pictures promises, as tests: a package that adds a format inherits :class:`WriterContract`.

It needs pytest. In the tests of such a package::

    class TestBmp(WriterContract):
        writer_class = BmpWriter
        lossless = True
        keeps_alpha = False

        @staticmethod
        def read(path):
            ...  # with a library that is not the writer's: pixels, and the pixel size in µm

        @staticmethod
        def read_provenance(path):
            ...  # the mapping, or None
"""

from __future__ import annotations

import hashlib
import threading
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from ...errors import TileReadError
from ...files import FileModel
from ...render.picture import Picture
from ..figure import Figure
from . import Writer

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BANDS = "napari_slicemap.render.picture._BAND_PIXELS"
_STATED: dict[str, Any] = {
    "item": {"fov": "a <b> & 'c' \"d\"", "region": [0, 1.5, -2, 3e-7], "none": None, "yes": True},
    "names": ["µm", "切片", "tab\tline\nend\r\0\x1b", "half \ud800", "]]>", "-->", "\U0001f52c"],
    "": {},
}


class WriterContract:
    """What each writer promises. A subclass names its writer, and reads files back with another library."""

    writer_class: ClassVar[type[Any]]
    lossless: ClassVar[bool] = True
    """Whether every pixel comes back as it was."""
    keeps_alpha: ClassVar[bool] = True
    """Whether transparency comes back; else the figure's background shows."""

    @staticmethod
    def read(path: Path) -> tuple[NDArray[np.uint8], float | None]:
        """Give ``(H, W, 3 or 4)`` uint8 pixels and the pixel size in µm (``None`` if the file states none)."""
        raise NotImplementedError

    @staticmethod
    def read_provenance(path: Path) -> dict[str, Any] | None:
        """Give what was embedded, ``None`` if nothing was."""
        raise NotImplementedError

    @pytest.fixture
    def writer(self) -> Writer:
        """Make the writer."""
        made: Writer = self.writer_class()
        return made

    @staticmethod
    def picture(height: int, width: int, samples: int, seed: int = 0) -> NDArray[np.uint8]:
        """Make noise: a shift by one px shows."""
        return np.random.default_rng(seed).integers(0, 256, (height, width, samples), dtype=np.uint8)

    def written(
        self, writer: Writer, path: Path, image: NDArray[np.uint8], size: float | None = 0.5, **options: Any
    ) -> tuple[NDArray[np.uint8], float | None]:
        """Write an image, and read it back."""
        writer.write(path, Figure(Picture.of(image), size), writer.Options.model_validate(options))
        return self.read(path)

    def shown(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give what is expected back of an image: on black, where the format has no alpha."""
        if self.keeps_alpha or image.shape[-1] == 3:
            return image
        made: NDArray[np.uint8] = np.rint(image[..., :3] * (image[..., 3:] / 255.0)).astype(np.uint8)
        return made

    def check(self, found: NDArray[np.uint8], image: NDArray[np.uint8]) -> None:
        """Hold what was read against what was written."""
        expected = self.shown(image)
        assert found.dtype == np.uint8
        assert found.shape == expected.shape
        if self.lossless:
            np.testing.assert_array_equal(found, expected)

    @staticmethod
    def on_demand(shape: tuple[int, int, int], asked: list[tuple[int, int]]) -> Picture:
        """Make a picture whose pixels exist only when they are asked for; it notes the rows that were."""
        x = np.arange(shape[1])[:, None] * (3, 5, 7, 0)[: shape[2]]

        def paint(top: int, bottom: int) -> NDArray[np.uint8]:
            asked.append((top, bottom))
            rows = np.arange(top, bottom)[:, None, None]
            made: NDArray[np.uint8] = ((x + 11 * rows) % 251).astype(np.uint8)
            return made

        return Picture(shape, paint)

    @staticmethod
    def digest(path: Path) -> str:
        """Hash a file."""
        return hashlib.sha256(path.read_bytes()).hexdigest()

    # --- pixels ---------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        "shape",
        [
            pytest.param((1, 1, 3), id="one pixel"),
            pytest.param((1, 1, 4), id="one pixel with alpha"),
            pytest.param((1, 40, 3), id="one row"),
            pytest.param((40, 1, 3), id="one column"),
            pytest.param((3, 4, 3), id="a shape that could be channels first"),
            pytest.param((4, 4, 4), id="RGBA that could be anything"),
            pytest.param((37, 53, 3), id="RGB"),
            pytest.param((37, 53, 4), id="RGBA"),
            pytest.param((700, 900, 3), id="several strips"),
        ],
    )
    def test_pixels_come_back(self, writer: Writer, tmp_path: Path, shape: tuple[int, int, int]) -> None:
        """Pixels, shape and type are as written."""
        image = self.picture(*shape)
        found, _ = self.written(writer, tmp_path / f"f{writer.suffix}", image)
        self.check(found, image)

    def test_smooth_pictures_come_back_nearly_as_they_were(self, writer: Writer, tmp_path: Path) -> None:
        """A format that loses detail keeps what has little of it."""
        y, x = np.mgrid[:301, :403]
        image = np.stack([y * 255 // 300, x * 255 // 402, (x + y) * 255 // 702], axis=-1).astype(np.uint8)
        found, _ = self.written(writer, tmp_path / f"f{writer.suffix}", image)
        assert np.abs(found.astype(int) - image).mean() < (1e-9 if self.lossless else 3)

    def test_transparent_pixels_keep_their_colour(self, writer: Writer, tmp_path: Path) -> None:
        """Alpha of 0 does not wipe out what lies below it; without alpha the background shows."""
        image = self.picture(9, 9, 4)
        image[..., 3] = 0
        found, _ = self.written(writer, tmp_path / f"f{writer.suffix}", image)
        self.check(found, image)
        if not self.keeps_alpha:
            assert found.max() <= 8

    def test_memory_that_is_not_contiguous_or_writable_will_do(self, writer: Writer, tmp_path: Path) -> None:
        """A view of an image is an image."""
        image = self.picture(20, 30, 3)[::2, ::-1]
        image.setflags(write=False)
        found, _ = self.written(writer, tmp_path / f"f{writer.suffix}", image)
        self.check(found, image)

    def test_a_file_that_is_there_is_written_over_whole(self, writer: Writer, tmp_path: Path) -> None:
        """Nothing of a longer file before it stays."""
        path, image = tmp_path / f"f{writer.suffix}", self.picture(5, 5, 3)
        path.write_bytes(b"x" * 10**6)
        found, _ = self.written(writer, path, image)
        assert found.shape == image.shape
        assert path.stat().st_size < 10**5

    # --- size -----------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("size", [0.39, 0.325, 1.0, 2 / 3, 12.0, 0.001])
    def test_the_pixel_size_comes_back(self, writer: Writer, tmp_path: Path, size: float) -> None:
        """µm per px are stated in the format's own way."""
        _, found = self.written(writer, tmp_path / f"f{writer.suffix}", self.picture(5, 5, 3), size)
        assert found == pytest.approx(size, rel=1e-5)

    def test_an_unknown_pixel_size_is_not_invented(self, writer: Writer, tmp_path: Path) -> None:
        """No size in, no size out."""
        _, found = self.written(writer, tmp_path / f"f{writer.suffix}", self.picture(5, 5, 3), None)
        assert found is None

    @pytest.mark.parametrize("size", [5e-6, 1e5])
    def test_no_pixel_size_is_too_odd_to_be_written(self, writer: Writer, tmp_path: Path, size: float) -> None:
        """Rather no size than a wrong one."""
        image = self.picture(5, 5, 3)
        found, stated = self.written(writer, tmp_path / f"f{writer.suffix}", image, size)
        assert found.shape == image.shape
        assert stated is None or stated == pytest.approx(size, rel=0.05)

    # --- provenance -----------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        "stated",
        [
            pytest.param(_STATED, id="all kinds of text"),
            pytest.param({"sources": ["plane.tif"] * 30_000}, id="long"),
        ],
    )
    def test_the_provenance_comes_back(self, writer: Writer, tmp_path: Path, stated: dict[str, Any]) -> None:
        """How a figure was made is in the file."""
        path, image = tmp_path / f"f{writer.suffix}", self.picture(5, 7, 3)
        writer.write(path, Figure(Picture.of(image), 0.5, provenance=stated, name="a <b> \0&"), writer.Options())
        assert self.read_provenance(path) == stated
        self.check(self.read(path)[0], image)

    def test_no_provenance_is_none(self, writer: Writer, tmp_path: Path) -> None:
        """Nothing in, nothing out."""
        path = tmp_path / f"f{writer.suffix}"
        writer.write(path, Figure(Picture.of(self.picture(5, 7, 3)), 0.5), writer.Options())
        assert self.read_provenance(path) is None

    # --- bytes and memory -----------------------------------------------------------------------------------------
    @pytest.mark.parametrize("samples", [3, 4])
    def test_the_same_figure_gives_the_same_bytes(self, writer: Writer, tmp_path: Path, samples: int) -> None:
        """No time, no random number and no path is in a file."""
        figure = Figure(Picture.of(self.picture(60, 70, samples)), 0.5, provenance=_STATED, name="n")
        paths = [tmp_path / f"{name}{writer.suffix}" for name in ("one", "two")]
        for path in paths:
            writer.write(path, figure, writer.Options())
        assert len({self.digest(path) for path in paths}) == 1

    @pytest.mark.parametrize("samples", [3, 4])
    def test_bands_of_any_height_give_the_same_bytes(
        self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: int
    ) -> None:
        """How much is painted at once changes nothing."""
        image, path = self.picture(701, 900, samples), tmp_path / f"f{writer.suffix}"
        digests = set()
        for pixels in (2**24, 900 * 389, 900 * 13, 1):
            monkeypatch.setattr(_BANDS, pixels)
            found, _ = self.written(writer, path, image)
            digests.add(self.digest(path))
        assert len(digests) == 1
        self.check(found, image)

    @pytest.mark.parametrize("shape", [(1, 5000, 3), (1001, 333, 4), (997, 1, 3), (3001, 701, 3)])
    def test_a_picture_is_painted_once_from_the_top_in_bands(
        self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int, int]
    ) -> None:
        """Each row is asked for once, and never many at a time."""
        monkeypatch.setattr(_BANDS, 2**19)
        asked: list[tuple[int, int]] = []
        picture, path = self.on_demand(shape, asked), tmp_path / f"f{writer.suffix}"
        writer.write(path, Figure(picture, 0.5), writer.Options())
        assert [top for top, _ in asked] == [0, *(bottom for _, bottom in asked[:-1])]
        assert asked[-1][1] == shape[0]
        assert max(bottom - top for top, bottom in asked) * shape[1] <= 2**19
        self.check(self.read(path)[0], picture.array())

    def test_memory_does_not_grow_with_the_picture(
        self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Four times the rows, which are 54 MB more, take no more memory."""
        monkeypatch.setattr(_BANDS, 2**17)
        path, peaks = tmp_path / f"f{writer.suffix}", []
        writer.write(path, Figure(self.on_demand((10, 10, 3), []), 0.5), writer.Options())  # imports what it needs
        for height in (2000, 8000):
            tracemalloc.start()
            writer.write(path, Figure(self.on_demand((height, 3000, 3), []), 0.5), writer.Options())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] + 4 * 2**20

    def test_what_fails_while_it_is_painted_fails_as_it_is(
        self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An error comes through, and no thread stays behind."""
        monkeypatch.setattr(_BANDS, 1)

        def paint(top: int, bottom: int) -> NDArray[np.uint8]:
            if top > 2000:
                raise TileReadError("FOV x: cannot be read")
            return np.zeros((bottom - top, 700, 3), np.uint8)

        with pytest.raises(TileReadError, match="FOV x: cannot be read"):
            writer.write(tmp_path / "f", Figure(Picture((9000, 700, 3), paint), 0.5), writer.Options())
        assert not [one for one in threading.enumerate() if one.name.startswith("slicemap-write")]

    # --- what it says of itself -----------------------------------------------------------------------------------
    def test_unknown_options_are_refused(self, writer: Writer) -> None:
        """An option that does not exist is named."""
        assert issubclass(writer.Options, FileModel)
        with pytest.raises(ValueError, match="no_such_option"):
            writer.Options.model_validate({"no_such_option": 1})

    def test_it_says_what_it_is(self, writer: Writer) -> None:
        """Name, suffix, one line about it, what it takes and how large that may be."""
        assert writer.name == writer.name.lower()
        assert writer.suffix.startswith(".")
        assert writer.summary
        assert "\n" not in writer.summary
        assert (writer.takes, writer.folder) == ("picture", False)
        assert writer.largest_side >= 2**15
