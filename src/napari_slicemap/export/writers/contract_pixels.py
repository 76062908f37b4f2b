"""What every writer of pixels promises."""

from __future__ import annotations

import math
import tracemalloc
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from ...errors import TileReadError
from ...images.source import ImageSource
from ..content.pixels import PixelData
from . import Writer
from .contract_base import UNREADABLE, SizedContract

if TYPE_CHECKING:
    from numpy.typing import NDArray

_BANDS = "napari_slicemap.images.source._BAND_BYTES"
_SHAPES = [
    pytest.param((1, 1, 1, 1, 1), id="one pixel"),
    pytest.param((1, 1, 1, 1, 40), id="one row"),
    pytest.param((1, 1, 1, 40, 1), id="one column"),
    pytest.param((1, 1, 1, 37, 53), id="one plane"),
    pytest.param((4, 1, 1, 9, 13), id="times"),
    pytest.param((1, 3, 1, 9, 13), id="channels, which might be colours"),
    pytest.param((1, 1, 5, 9, 13), id="planes"),
    pytest.param((2, 3, 4, 17, 19), id="all of them"),
    pytest.param((1, 2, 1, 1111, 1300), id="larger than a band and a tile"),
]


@dataclass(frozen=True)
class FoundPixels:
    """What a library that is not the writer's found in an output.

    Parameters
    ----------
    data : ndarray, (T, C, Z, Y, X)
        The pixels.
    channels : tuple of str
        Their names.
    pixel_size_um, z_step_um : float or None
        µm; ``None`` where the output states none.
    times_s : tuple of float or None
        Of each time point, s, NaN where one is unknown; ``None`` where none is known.
    labels : mapping of str to ndarray, (Z, Y, X)
        Masks by name.
    """

    data: NDArray[Any]
    channels: tuple[str, ...]
    pixel_size_um: float | None
    z_step_um: float | None
    times_s: tuple[float, ...] | None
    labels: Mapping[str, NDArray[Any]] = field(default_factory=dict)


class PixelContract(SizedContract):
    """What each writer of pixels promises. A subclass names its writer, and reads back with another library."""

    takes = "pixels"
    size_error = 1e-12
    holds_labels: ClassVar[bool] = True
    """Whether masks are in the output; else a warning names those that were asked for."""
    bounded: ClassVar[bool] = True
    """Whether memory stays the same however large the image is; else the summary says that it does not."""
    written_as: ClassVar[Mapping[str, str]] = {}
    """Type of pixels → the type that they become, where the format has no such type."""

    # --- what a subclass has ------------------------------------------------------------------------------------
    @staticmethod
    def read(path: Path) -> FoundPixels:
        """Read an output."""
        raise NotImplementedError

    def small_buffers(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        """Make everything small that bounds the memory, so that a test of it need not write a large image.

        Returns
        -------
        dict
            Options to write with, if some of them do so.
        """
        monkeypatch.setattr(_BANDS, 2**19)
        return {}

    # --- tools --------------------------------------------------------------------------------------------------
    def read_size(self, path: Path) -> float | None:
        """Give the size of a px in µm; ``None`` if the output states none."""
        return self.read(path).pixel_size_um

    def small(self, size: float | None = 0.5, provenance: Mapping[str, Any] | None = None) -> PixelData:
        """Give noise of two channels, with a mask where the format holds masks."""
        known: dict[str, Any] = {"labels": self.masks((1, 60, 70), "cell")} if self.holds_labels else {}
        source = ImageSource.of(self.noise((1, 2, 1, 60, 70)), ("a", "b"), name="n", pixel_size_um=size, **known)
        return PixelData(source, provenance=provenance or {})

    def unreadable(self) -> PixelData:
        """Give an image whose second channel cannot be read."""

        def read(t: int, c: int, z: int, top: int, bottom: int) -> NDArray[Any]:  # noqa: ARG001 - as a source reads
            if c:
                raise TileReadError(UNREADABLE)
            return np.zeros((bottom - top, 700), np.uint16)

        return PixelData(ImageSource("n", (1, 2, 1, 900, 700), np.dtype(np.uint16), ("a", "b"), read))

    @staticmethod
    def noise(shape: tuple[int, ...], dtype: str = "uint16", seed: int = 0) -> NDArray[Any]:
        """Make pixels of a type over its whole range: a shift by one px shows."""
        rng, kind = np.random.default_rng(seed), np.dtype(dtype)
        if kind.kind == "f":
            return (rng.normal(size=shape) * 1e4).astype(kind)
        if kind.kind == "b":
            return rng.integers(0, 2, shape).astype(kind)
        limits = np.iinfo(kind)
        return rng.integers(limits.min, limits.max, shape, kind, endpoint=True)

    @staticmethod
    def masks(shape: tuple[int, int, int], *names: str) -> dict[str, Callable[[int, int, int, int], NDArray[Any]]]:
        """Make masks ``(Z, Y, X)``, which differ from each other and from plane to plane."""

        def reader(number: int) -> Callable[[int, int, int, int], NDArray[Any]]:
            array = PixelContract.labels_of(shape, number)
            return lambda t, z, top, bottom: array[z, top:bottom]  # noqa: ARG005 - masks have no times

        return {name: reader(number) for number, name in enumerate(names)}

    @staticmethod
    def labels_of(shape: tuple[int, int, int], number: int) -> NDArray[np.int64]:
        """Give the array of the mask of a number."""
        return np.random.default_rng(100 + number).integers(0, 50, shape)

    def check(self, found: FoundPixels, data: NDArray[Any]) -> None:
        """Hold what was read against what was written."""
        kind = self.written_as.get(data.dtype.name, data.dtype.name)
        assert found.data.dtype.name == kind
        np.testing.assert_array_equal(found.data, data.astype(kind))

    def written(self, writer: Writer, folder: Path, source: ImageSource, **options: Any) -> FoundPixels:
        """Write an image, and read it back."""
        return self.read(self.write(writer, self.place(writer, folder), PixelData(source), **options))

    # --- pixels -------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("shape", _SHAPES)
    def test_pixels_come_back(self, writer: Writer, tmp_path: Path, shape: tuple[int, ...]) -> None:
        """Pixels and axes are as written."""
        data = self.noise(shape)
        names = tuple(f"c{number}" for number in range(shape[1]))
        found = self.written(writer, tmp_path, ImageSource.of(data, names))
        self.check(found, data)
        assert found.channels == names

    @pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "uint32", "float32", "float64", "bool"])
    def test_types_come_back(self, writer: Writer, tmp_path: Path, dtype: str) -> None:
        """The type is as written; NaN and infinities too."""
        data = self.noise((2, 1, 1, 33, 20), dtype)
        if data.dtype.kind == "f":
            data[0, 0, 0, :3, 0] = np.nan, np.inf, -np.inf
        self.check(self.written(writer, tmp_path, ImageSource.of(data, ("a",))), data)

    def test_a_view_is_an_image(self, writer: Writer, tmp_path: Path) -> None:
        """Memory need be neither contiguous, nor writable, nor in this machine's order of bytes."""
        data = self.noise((1, 1, 2, 40, 30)).astype(">u2")[..., ::2, ::-1]
        data.setflags(write=False)
        self.check(self.written(writer, tmp_path, ImageSource.of(data, ("a",))), data)

    # --- what is known --------------------------------------------------------------------------------------------
    @pytest.mark.parametrize("step", [None, 2.0, 1 / 3])
    def test_the_step_in_z_comes_back(self, writer: Writer, tmp_path: Path, step: float | None) -> None:
        """It is stated in µm, and not invented."""
        source = ImageSource.of(self.noise((1, 1, 3, 8, 8)), ("a",), pixel_size_um=0.5, z_step_um=step)
        found = self.written(writer, tmp_path, source)
        assert found.z_step_um == (None if step is None else pytest.approx(step, rel=self.size_error))
        assert found.pixel_size_um == 0.5

    @pytest.mark.parametrize(
        "times",
        [
            pytest.param((0.0, 0.1, 0.2), id="equal steps"),
            pytest.param((3.5, 4.0, 100.25), id="unequal steps"),
            pytest.param((0.0, math.nan, 3.0), id="one unknown"),
            pytest.param(None, id="none known"),
        ],
    )
    def test_times_come_back(self, writer: Writer, tmp_path: Path, times: tuple[float, ...] | None) -> None:
        """Each time point has its time in s, or none."""
        found = self.written(writer, tmp_path, ImageSource.of(self.noise((3, 2, 2, 8, 8)), ("a", "b"), times_s=times))
        if times is None:
            assert found.times_s is None
        else:
            assert found.times_s == pytest.approx(times, rel=1e-12, nan_ok=True)

    def test_names_of_channels_come_back(self, writer: Writer, tmp_path: Path) -> None:
        """Whatever they are written in."""
        names = ("µm", "切片/2", "<a> & \"b\" 'c'", "two  spaces ", "\U0001f52c")
        data = self.noise((1, 5, 1, 8, 8))
        found = self.written(writer, tmp_path, ImageSource.of(data, names, name='切片 <a> "b" &'))
        assert found.channels == names
        self.check(found, data)

    @pytest.mark.parametrize("depth", [1, 3])
    def test_masks_come_back_or_are_missed(self, writer: Writer, tmp_path: Path, depth: int) -> None:
        """They are in the output by name, or a warning names them."""
        names, shape = ("cell", "nucleus/β 1"), (depth, 30, 21)
        source = ImageSource.of(self.noise((2, 1, *shape)), ("a",), labels=self.masks(shape, *names))
        content = PixelData(source, notes=("noted before",))
        found = self.read(self.write(writer, self.place(writer, tmp_path), content))
        assert content.warnings[0] == "noted before"
        if self.holds_labels:
            assert tuple(found.labels) == names
            for number, name in enumerate(names):
                assert found.labels[name].dtype.kind in "iu"
                np.testing.assert_array_equal(found.labels[name], self.labels_of(shape, number))
            assert len(content.warnings) == 1
        else:
            assert not found.labels
            (told,) = content.warnings[1:]
            assert writer.name in told
            assert all(name in told for name in names)

    def test_no_mask_is_missed_where_there_is_none(self, writer: Writer, tmp_path: Path) -> None:
        """Nothing is said of masks that nobody asked for."""
        content = PixelData(ImageSource.of(self.noise((1, 1, 1, 8, 8)), ("a",)))
        self.write(writer, self.place(writer, tmp_path), content)
        assert content.warnings == ()

    # --- memory ---------------------------------------------------------------------------------------------------
    def test_bands_of_any_height_give_the_same_bytes(
        self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """How much is read at once changes nothing."""
        data, digests = self.noise((1, 2, 1, 1111, 640)), set()
        source = ImageSource.of(data, ("a", "b"), labels=self.masks((1, 1111, 640), "m") if self.holds_labels else {})
        for number, size in enumerate((2**26, 640 * 2 * 300, 1)):
            monkeypatch.setattr(_BANDS, size)
            path = self.write(writer, self.place(writer, tmp_path, str(number)), PixelData(source))
            digests.add(self.digest(path))
        assert len(digests) == 1
        self.check(self.read(path), data)

    def test_each_row_is_read_once(self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Every plane from the top, in bands."""
        options = self.small_buffers(monkeypatch)
        data, rows = self.noise((2, 2, 1, 1500, 300)), Counter[tuple[int, int, int, int]]()

        def read(t: int, c: int, z: int, top: int, bottom: int) -> NDArray[Any]:
            rows.update((t, c, z, row) for row in range(top, bottom))
            return data[t, c, z, top:bottom]

        source = ImageSource("n", (2, 2, 1, 1500, 300), data.dtype, ("a", "b"), read)
        found = self.written(writer, tmp_path, source, **options)
        assert set(rows.values()) == {1}
        assert len(rows) == 2 * 2 * 1500
        self.check(found, data)

    def test_memory_does_not_grow_with_the_image(
        self, writer: Writer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Four times the rows, which are 24 MB more, take hardly more memory; or the summary says so."""
        options = self.small_buffers(monkeypatch)

        def on_demand(height: int) -> PixelData:
            def read(t: int, c: int, z: int, top: int, bottom: int) -> NDArray[Any]:  # noqa: ARG001
                made: NDArray[Any] = (np.arange(top, bottom)[:, None] // 50 + np.arange(2000) // 100).astype(np.uint16)
                return made

            return PixelData(ImageSource("n", (1, 1, 1, height, 2000), np.dtype(np.uint16), ("a",), read))

        peaks = []
        for height in (10, 2000, 8000):  # the first one only imports what it takes
            path = self.place(writer, tmp_path, str(height))
            tracemalloc.start()
            self.write(writer, path, on_demand(height), **options)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        if self.bounded:
            assert peaks[2] < peaks[1] + 4 * 2**20
        else:
            assert "memory" in writer.summary
