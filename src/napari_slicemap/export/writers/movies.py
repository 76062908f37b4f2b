"""GIF and MP4: frames over time, or over slices."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from ...files import FileModel, json_safe
from ..content.movie import Movie
from . import Takes


class MovieOptions(FileModel):
    """Options of movies.

    Parameters
    ----------
    fps : float, optional
        Frames per second; by default as long as each frame lasted. Slices have no times and need it.
    speed : float
        How many times faster than it happened.
    timestamps : bool
        Write the time of each frame, or its slice, into it.
    """

    fps: Annotated[float, Field(gt=0, le=1000)] | None = None
    speed: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    timestamps: bool = True


class GifOptions(MovieOptions):
    """Options of GIF: those of movies, and ``loop``: how often it is repeated, 0 for ever."""

    loop: Annotated[int, Field(ge=0, le=65535)] = 0


class Mp4Options(MovieOptions):
    """Options of MP4: those of movies, and ``quality``: 0 is lossless and large, 51 the worst."""

    quality: Annotated[int, Field(ge=0, le=51)] = 17


class GifWriter:
    """One palette for all frames; times are rounded to 10 ms without drift. The provenance is its comment."""

    name: ClassVar[str] = "gif"
    suffix: ClassVar[str] = ".gif"
    summary: ClassVar[str] = "animated GIF, 256 colours, in real time or by frames per second"
    takes: ClassVar[Takes] = "movie"
    folder: ClassVar[bool] = False
    largest_side: ClassVar[int] = 2**16 - 1
    Options: ClassVar[type[FileModel]] = GifOptions

    def write(self, path: Path, content: Movie, options: GifOptions) -> None:
        """Write the file; see :class:`Writer`."""
        from ..movies.gif_encoder import encode_gif

        delays = content.delays_ms(options.fps, options.speed)
        frames = content.frames(options.timestamps)
        with path.open("wb") as stream:
            content.tell(encode_gif(stream, frames, delays, loop=options.loop, comment=_comment(content)))


class Mp4Writer:
    """H.264, which needs the extra ``video``; odd sizes are made even by repeating the edge.

    The provenance is the comment among its metadata.
    """

    name: ClassVar[str] = "mp4"
    suffix: ClassVar[str] = ".mp4"
    summary: ClassVar[str] = "MP4 (H.264), in real time or by frames per second; needs the extra `video`"
    takes: ClassVar[Takes] = "movie"
    folder: ClassVar[bool] = False
    largest_side: ClassVar[int] = 2**14
    Options: ClassVar[type[FileModel]] = Mp4Options
    needs: ClassVar[Mapping[str, str]] = {"av": 'pip install "napari-slicemap[video]"'}

    def write(self, path: Path, content: Movie, options: Mp4Options) -> None:
        """Write the file; see :class:`Writer`."""
        from ..movies.mp4_encoder import encode_mp4

        delays = content.delays_ms(options.fps, options.speed)
        frames = content.frames(options.timestamps)
        encode_mp4(path, frames, delays, quality=options.quality, comment=_comment(content))


def _comment(movie: Movie) -> str:
    """Give the provenance as strict JSON in ASCII, the letters of a GIF's comment; ``""`` if there is none."""
    if not movie.provenance:
        return ""
    return json.dumps(json_safe(movie.provenance), ensure_ascii=True, allow_nan=False, separators=(",", ":"))
