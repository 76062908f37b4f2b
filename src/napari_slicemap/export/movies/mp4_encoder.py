"""MP4 (H.264) through PyAV, with the time of every frame."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import PlanError
from .frames import Frames, checked_size, frame_of_size

if TYPE_CHECKING:
    from numpy.typing import NDArray

LARGEST_SIDE = 16384
"""The most px that a side may have for the encoder."""
_TICKS = 90_000
"""Of the movie's clock, in a second: the usual one of MP4."""
_THREADS = 4
"""Always so many, as the encoder's threads decide on its bytes."""
_BT709 = 1


def encode_mp4(
    path: str | Path, frames: Frames, delays_ms: Sequence[float], *, quality: int = 17, comment: str = ""
) -> None:
    """Write a movie as MP4: H.264, 4:2:0, colours as BT.709, no date.

    Parameters
    ----------
    path : path-like
        An existing or new file; it is written over.
    frames : Frames
        uint8 ``(H, W, 3)``, asked for one after the other. H.264 at 4:2:0 needs even sizes: an odd one grows by
        one px, which repeats the last row or column.
    delays_ms : sequence of float
        How long each frame is shown, ms: kept to 1/90 ms each, at least that long, without drift.
    quality : int
        The encoder's constant rate factor: 0 (without loss but for the halved colour) to 51 (worst).
    comment : str
        Text to embed among the metadata; without NUL.

    Raises
    ------
    PlanError
        If the extra ``video`` is not installed.
    ValueError
        If the frames are too large, or frames, delays or quality are not as stated.
    """
    av = _av()
    height, width = size = checked_size(frames, delays_ms)
    if max(size) > LARGEST_SIDE:
        raise ValueError(f"frames of {width} × {height} px; MP4 holds at most {LARGEST_SIDE} px a side")
    if not 0 <= quality <= 51:
        raise ValueError(f"the quality is {quality}, expected 0 (best) to 51")
    starts = _starts(delays_ms)
    # without the versions of the libraries, which are no part of the movie
    plain = {"fflags": "+bitexact", "movflags": "+faststart"}
    with av.open(str(path), "w", format="mp4", container_options=plain) as container:
        if comment:
            container.metadata["comment"] = comment
        stream = _stream(container, height + height % 2, width + width % 2, quality)
        convert = _converter(av)
        durations = dict(zip(starts[:-1], np.diff(starts).tolist(), strict=True))
        for number, start in enumerate(starts[:-1]):
            frame = convert(_even(frame_of_size(frames, number, size)))
            frame.pts, frame.time_base = start, Fraction(1, _TICKS)
            _mux(container, stream.encode(frame), durations)
        _mux(container, stream.encode(None), durations)


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise PlanError(['MP4 needs the package av: pip install "napari-slicemap[video]"']) from error
    return av


def _starts(delays_ms: Sequence[float]) -> list[int]:
    """Give the ticks at which frames start, and that at which the last one ends; no two are the same."""
    made = [0]
    for end in np.cumsum(delays_ms) * (_TICKS / 1000):
        made.append(max(made[-1] + 1, int(np.floor(end + 0.5))))
    return made


def _stream(container: Any, height: int, width: int, quality: int) -> Any:
    from av.video.reformatter import ColorRange, Colorspace

    # frames that look ahead are stored out of order, and then the last one in the file, not in time, ends the movie
    stream = container.add_stream("libx264", options={"crf": str(quality), "preset": "medium", "bf": "0"})
    stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
    context = stream.codec_context
    context.time_base = stream.time_base = Fraction(1, _TICKS)
    context.thread_count = _THREADS
    context.color_range, context.colorspace = ColorRange.MPEG, Colorspace.ITU709
    context.color_primaries = context.color_trc = _BT709
    return stream


def _converter(av: Any) -> Any:
    """Give what turns RGB ``(H, W, 3)`` into a frame of the movie, with the same bits on every processor."""
    from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

    reformatter = VideoReformatter()
    exact = Interpolation.BICUBIC | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INP

    def convert(frame: NDArray[np.uint8]) -> Any:
        return reformatter.reformat(
            av.VideoFrame.from_ndarray(frame, format="rgb24"),
            format="yuv420p",
            dst_colorspace=Colorspace.ITU709,
            dst_color_range=ColorRange.MPEG,
            interpolation=exact,
            threads=1,
        )

    return convert


def _even(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width, _ = frame.shape
    return np.ascontiguousarray(np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge"))


def _mux(container: Any, packets: Iterable[Any], durations: dict[int, int]) -> None:
    for packet in packets:
        packet.duration = durations[packet.pts]  # else the last frame would last as long as the one before
        container.mux(packet)
