"""PNG, JPEG and BMP files as planes: decoded whole, as their formats ask for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .format_tools import copied, describe, named, refuse_changed, refuse_pipe, shared_chunk
from .image import ImageInfo, file_state
from .plane import Chunks

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.ImageFile import ImageFile as Opened

    from .cache import Allocate

_KIND = "a PNG, JPEG or BMP image"
_MOST_PX = 2**29
"""Of a picture, which is held in memory whole while it is decoded."""
_CHUNK_PX = 2**25
"""Of a chunk: nearly every picture is one, so that it is decoded once."""
_CHANNELS = {"L": ("C0",), "LA": ("C0", "A"), "RGB": ("R", "G", "B"), "RGBA": ("R", "G", "B", "A")}
_AS_PLAIN = {"1": "L", "L": "L", "LA": "LA", "RGBA": "RGBA"}
"""Mode of the file → how it is decoded; what is not listed (CMYK, palettes) becomes RGB."""


@dataclass(frozen=True)
class PictureImage:
    """The picture of a PNG, JPEG or BMP file, grey or in colour, of 8 or 16 bits.

    Channels are ``C0`` (grey) or ``R``, ``G``, ``B``, and ``A`` where there is one. Pixels lie as they are stored: a
    note that a camera was held upright turns nothing. The resolution that such files state is that of print and
    screen, and no pixel size.

    Parameters
    ----------
    path : Path
        The file.
    """

    path: Path

    @cached_property
    def info(self) -> ImageInfo:
        """Metadata, read from the file's header at the first use.

        Raises
        ------
        TileReadError
            Naming the file, if it is missing, no such picture, or too large to be decoded.
        """
        with named(self.path, _KIND):
            refuse_pipe(self.path)
            return self._describe()

    @property
    def key(self) -> Hashable:
        """Of the file as it is now."""
        return "picture", self.path, *file_state(self.path)

    def chunks(self, channel: int, t: int, z: int) -> Chunks:
        """Give the chunks of one plane; see :class:`~napari_slicemap.images.image.ImageFile`."""
        info, key = self.info, self.key
        with named(self.path, _KIND):
            refuse_changed(self.path, info, self._describe())
        if not 0 <= channel < info.shape[1] or t or z:
            raise IndexError(f"{self.path}: there is no channel {channel} at t = {t}, z = {z}")
        rows = info.chunk_shape[0]

        def read(places: Sequence[tuple[int, int]], allocate: Allocate) -> list[NDArray[Any]]:
            with named(self.path, _KIND):
                plane = shared_chunk(self.path, key, self._decoded)[..., channel]
            return [copied(plane[row * rows : (row + 1) * rows], allocate) for row, _ in places]

        return Chunks(key, info.chunk_shape, read)

    def _describe(self) -> ImageInfo:
        with _opened(self.path) as picture:
            deep = _deep_mode(self.path)
            names = _CHANNELS[deep or _plain_mode(picture)]
            width, height = picture.size
        shape = (height, width, len(names))
        chunk_shape = min(height, max(1, _CHUNK_PX // width)), width
        return describe("YXS", shape, np.dtype(np.uint16 if deep else np.uint8), chunk_shape, names)

    def _decoded(self) -> NDArray[Any]:
        """Decode all of it: uint8 or uint16 ``(H, W, C)``."""
        _, count, _, height, width = self.info.shape
        with _opened(self.path) as picture:
            if _deep_mode(self.path):
                import imagecodecs

                # Pillow would cut colours of 16 bits down to 8
                pixels = np.asarray(imagecodecs.png_decode(self.path.read_bytes()))
            else:
                pixels = np.asarray(picture.convert(_plain_mode(picture)))
        # a colour that counts as transparent comes as a further channel, which the header does not announce
        return pixels.reshape(height, width, -1)[..., :count]


@contextmanager
def _opened(path: Path) -> Iterator[Opened]:
    """Open a picture; its header is read, and its size is held against what can be decoded."""
    from PIL import BmpImagePlugin, JpegImagePlugin, PngImagePlugin

    with path.open("rb") as stream:
        start = stream.read(8)
    kinds: dict[bytes, Callable[[Path], Opened]] = {
        b"\x89PNG": PngImagePlugin.PngImageFile,
        b"\xff\xd8\xff": JpegImagePlugin.JpegImageFile,
        b"BM": BmpImagePlugin.BmpImageFile,
    }
    kind = next((kind for magic, kind in kinds.items() if start.startswith(magic)), None)
    if kind is None:
        raise ValueError("it begins like none of them")
    with kind(path) as picture:
        width, height = picture.size
        if width * height > _MOST_PX:
            raise ValueError(
                f"its {width} × {height} px are too many to be decoded at once (at most {_MOST_PX}); "
                "make it a tiled TIFF"
            )
        if getattr(picture, "is_animated", False):
            raise ValueError("it is a movie; a single picture is expected")
        yield picture


def _plain_mode(picture: Opened) -> str:
    """Say as what a picture is decoded, by one of the keys of `_CHANNELS`."""
    if picture.mode in {"P", "PA"}:
        return "RGBA" if "transparency" in picture.info else "RGB"
    return _AS_PLAIN.get(picture.mode, "RGB")


def _deep_mode(path: Path) -> str | None:
    """Say which channels a PNG file of 16 bits has; ``None`` for any other file."""
    with path.open("rb") as stream:
        start = stream.read(26)
    deep = start.startswith(b"\x89PNG") and start[24] == 16
    return {0: "L", 2: "RGB", 4: "LA", 6: "RGBA"}.get(start[25]) if deep else None
