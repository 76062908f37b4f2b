"""What every writer of pictures promises."""

from __future__ import annotations

import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from ...errors import TileReadError
from ...render.picture import Picture
from ..content.figure import Figure
from . import Writer
from .contract_base import STATED, UNREADABLE, SizedContract

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BANDS = "napari_slicemap.render.picture._BAND_PIXELS"


class PictureContract(SizedContract):
    """What each writer of pictures promises. A subclass names its writer, and reads files back with another library."""

    takes = "picture"
    lossless: ClassVar[bool] = True
    """Whether every pixel comes back as it was."""
    keeps_alpha: ClassVar[bool] = True
    """Whether transparency comes back; else the figure's background shows."""

    @staticmethod
    def read(path: Path) -> tuple[NDArray[np.uint8], float | None]:
        """Give ``(H, W, 3 or 4)`` uint8 pixels and the pixel size in µm (``None`` if the file states none)."""
        raise NotImplementedError

    def read_size(self, path: Path) -> float | None:
        """Give the size of a px in µm; ``None`` if the output states none."""
        return self.read(path)[1]

    def small(self, size: float | None = 0.5, provenance: Mapping[str, Any] | None = None) -> Figure:
        """Give noise."""
        return Figure(Picture.of(self.picture(60, 70, 3)), size, provenance=provenance or {}, name="a <b> \0&")

    def unreadable(self) -> Figure:
        """Give a picture whose lower part cannot be painted."""

        def paint(top: int, bottom: int) -> NDArray[np.uint8]:
            if bottom > 2000:
                raise TileReadError(UNREADABLE)
            return np.zeros((bottom - top, 700, 3), np.uint8)

        return Figure(Picture((9000, 700, 3), paint), 0.5)

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
        found, _ = self.written(writer, self.place(writer, tmp_path), image)
        self.check(found, image)

    def test_smooth_pictures_come_back_nearly_as_they_were(self, writer: Writer, tmp_path: Path) -> None:
        """A format that loses detail keeps what has little of it."""
        y, x = np.mgrid[:301, :403]
        image = np.stack([y * 255 // 300, x * 255 // 402, (x + y) * 255 // 702], axis=-1).astype(np.uint8)
        found, _ = self.written(writer, self.place(writer, tmp_path), image)
        assert np.abs(found.astype(int) - image).mean() < (1e-9 if self.lossless else 3)

    def test_transparent_pixels_keep_their_colour(self, writer: Writer, tmp_path: Path) -> None:
        """Alpha of 0 does not wipe out what lies below it; without alpha the background shows."""
        image = self.picture(9, 9, 4)
        image[..., 3] = 0
        found, _ = self.written(writer, self.place(writer, tmp_path), image)
        self.check(found, image)
        if not self.keeps_alpha:
            assert found.max() <= 8

    def test_memory_that_is_not_contiguous_or_writable_will_do(self, writer: Writer, tmp_path: Path) -> None:
        """A view of an image is an image."""
        image = self.picture(20, 30, 3)[::2, ::-1]
        image.setflags(write=False)
        found, _ = self.written(writer, self.place(writer, tmp_path), image)
        self.check(found, image)

    # --- bytes and memory -----------------------------------------------------------------------------------------
    @pytest.mark.parametrize("samples", [3, 4])
    def test_bands_of_any_height_give_the_same_bytes(
        self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, samples: int
    ) -> None:
        """How much is painted at once changes nothing."""
        image, path = self.picture(701, 900, samples), self.place(writer, tmp_path)
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
        picture, path = self.on_demand(shape, asked), self.place(writer, tmp_path)
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
        path, peaks = self.place(writer, tmp_path), []
        writer.write(path, Figure(self.on_demand((10, 10, 3), []), 0.5), writer.Options())  # imports what it needs
        for height in (2000, 8000):
            tracemalloc.start()
            writer.write(path, Figure(self.on_demand((height, 3000, 3), []), 0.5), writer.Options())
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[1] < peaks[0] + 16 * 2**20  # how far threads run ahead differs from run to run

    def test_what_fails_in_a_late_band_fails_as_it_is(
        self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An error comes through while others are underway, and no thread stays behind."""
        monkeypatch.setattr(_BANDS, 1)
        self.test_what_fails_while_it_is_read_fails_as_it_is(writer, tmp_path)

    @pytest.mark.parametrize("samples", [3, 4])
    def test_the_same_figure_gives_the_same_bytes(self, writer: Writer, tmp_path: Path, samples: int) -> None:
        """With and without transparency."""
        figure = Figure(Picture.of(self.picture(60, 70, samples)), 0.5, provenance=STATED, name="n")
        paths = [self.write(writer, self.place(writer, tmp_path, name), figure) for name in ("one", "two")]
        assert len({self.digest(path) for path in paths}) == 1
