"""What every writer of movies promises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest

from ...errors import StackError, TileReadError
from ...render.picture import Picture, opaque
from ..content.figure import Figure
from ..content.movie import Movie
from . import Writer
from .contract_base import UNREADABLE, WriterContract

if TYPE_CHECKING:
    from numpy.typing import NDArray

_TIMES = (0.0, 0.5, 1.25, 1.29, 4.0)


@dataclass(frozen=True)
class FoundMovie:
    """What a library that is not the writer's found in a movie.

    Parameters
    ----------
    frames : ndarray of uint8, (T, H, W, 3)
        As they are shown.
    delays_ms : tuple of float
        How long each frame is shown, ms.
    """

    frames: NDArray[np.uint8]
    delays_ms: tuple[float, ...]


class MovieContract(WriterContract):
    """What each writer of movies promises: they can be played in real time. A subclass reads back with another library.

    Its options are at least ``fps``, ``speed`` and ``timestamps``.
    """

    takes = "movie"
    delay_error_ms: ClassVar[float] = 10.0
    """How far a frame may be shown too long or too short, ms."""
    colour_error: ClassVar[float] = 0.0
    """How far the channels of a px may be off on average, of 255, in frames of few colours."""
    even: ClassVar[bool] = False
    """Whether odd sizes grow by one px, which repeats the edge."""

    # --- what a subclass has ------------------------------------------------------------------------------------
    @staticmethod
    def read(path: Path) -> FoundMovie:
        """Read a movie."""
        raise NotImplementedError

    # --- tools --------------------------------------------------------------------------------------------------
    def small(self, size: float | None = 0.5, provenance: Mapping[str, Any] | None = None) -> Movie:
        """Give three frames."""
        return self.movie(self.scene(3), (0.0, 0.1, 0.2), size=size, provenance=provenance or {})

    def unreadable(self) -> Movie:
        """Give a movie whose third frame cannot be painted."""
        made = self.movie(self.scene(40), tuple(float(number) for number in range(40)))

        def figure(number: int) -> Figure:
            if number == 2:
                raise TileReadError(UNREADABLE)
            return made.figure(number)

        return Movie(made.name, 40, figure, made.labels, made.times_s, 0.5, "#000000")

    @staticmethod
    def scene(count: int, height: int = 64, width: int = 96) -> NDArray[np.uint8]:
        """Give bands of colour with a light square that moves: ``(T, H, W, 3)``."""
        frames = np.zeros((count, height, width, 3), np.uint8)
        frames[:, : height // 2] = 150, 30, 0
        frames[:, height // 2 :] = 20, 60, 140
        for number, frame in enumerate(frames):
            frame[height // 2 : height // 2 + 8, 2 * number % (width - 8) : 2 * number % (width - 8) + 8] = 230
        return frames

    @staticmethod
    def movie(
        frames: NDArray[np.uint8],
        times: tuple[float, ...] | None = None,
        labels: Sequence[str] = (),
        size: float | None = 0.5,
        provenance: Mapping[str, Any] | None = None,
        background: str = "#000000",
    ) -> Movie:
        """Give frames ``(T, H, W, 3 or 4)`` as a movie called ``film``."""
        return Movie(
            name="film",
            count=len(frames),
            figure=lambda number: Figure(Picture.of(frames[number]), size),
            labels=tuple(labels or [""] * len(frames)),
            times_s=times,
            pixel_size_um=size,
            background=background,
            provenance=provenance or {},
        )

    def written(self, writer: Writer, folder: Path, movie: Movie, **options: Any) -> FoundMovie:
        """Write a movie, and read it back."""
        return self.read(self.write(writer, self.place(writer, folder), movie, **options))

    def shown(self, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Give what is expected back of frames."""
        height, width = frames.shape[1:3]
        grown = ((0, 0), (0, height % 2), (0, width % 2), (0, 0))
        return np.pad(frames, grown, mode="edge") if self.even else frames

    def check(self, found: FoundMovie, frames: NDArray[np.uint8]) -> None:
        """Hold what was read against what was written."""
        expected = self.shown(frames)
        assert found.frames.shape == expected.shape
        for shown, wanted in zip(found.frames, expected, strict=True):
            assert np.abs(shown.astype(int) - wanted).mean() <= self.colour_error

    def check_delays(self, found: FoundMovie, delays_ms: Sequence[float]) -> None:
        """Hold the delays against the real ones, each and all of them together: errors do not add up."""
        assert len(found.delays_ms) == len(delays_ms)
        for shown, wanted in zip(found.delays_ms, delays_ms, strict=True):
            assert abs(shown - wanted) <= self.delay_error_ms
        assert abs(sum(found.delays_ms) - sum(delays_ms)) <= self.delay_error_ms

    # --- frames ---------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        "shape",
        [
            pytest.param((64, 96), id="even"),
            pytest.param((65, 97), id="odd"),
            pytest.param((40, 200), id="wide"),
            pytest.param((16, 16), id="small"),
        ],
    )
    def test_frames_come_back(self, writer: Writer, tmp_path: Path, shape: tuple[int, int]) -> None:
        """Each frame is there, of its size, and shows what it should."""
        frames = self.scene(5, *shape)
        self.check(self.written(writer, tmp_path, self.movie(frames, _TIMES), timestamps=False), frames)

    def test_frames_that_are_alike_are_kept(self, writer: Writer, tmp_path: Path) -> None:
        """No frame is dropped, nor made one with its neighbour."""
        frames = np.repeat(self.scene(1), 7, axis=0)
        found = self.written(writer, tmp_path, self.movie(frames), fps=5)
        self.check(found, frames)
        self.check_delays(found, [200.0] * 7)

    def test_one_frame_is_a_movie(self, writer: Writer, tmp_path: Path) -> None:
        """It needs no time, known or not."""
        for number, times in enumerate((None, (7.0,), (float("nan"),))):
            frames = self.scene(1)
            path = self.place(writer, tmp_path, str(number))
            found = self.read(self.write(writer, path, self.movie(frames, times), timestamps=False))
            self.check(found, frames)
            assert found.delays_ms[0] > 0

    @pytest.mark.parametrize("background", ["#000000", "#ff8000"])
    def test_transparent_frames_lie_on_the_background(self, writer: Writer, tmp_path: Path, background: str) -> None:
        """Movies have no alpha."""
        frames = np.concatenate([self.scene(3), np.full((3, 64, 96, 1), 255, np.uint8)], axis=-1)
        frames[:, 20:40, :, 3], frames[:, 40:, 50:, 3] = 0, 128
        found = self.written(writer, tmp_path, self.movie(frames, background=background), fps=5)
        self.check(found, np.stack([opaque(frame, background) for frame in frames]))

    def test_frames_are_told_of(self, writer: Writer, tmp_path: Path) -> None:
        """What is known of single frames is known of the movie, once."""
        frames, movie = self.scene(3), self.movie(self.scene(3))

        def figure(number: int) -> Figure:
            return Figure(Picture.of(frames[number]), 0.5, notes=("of all", f"of {number}"))

        movie = Movie("film", 3, figure, movie.labels, None, 0.5, "#000000")
        self.written(writer, tmp_path, movie, fps=5)
        assert movie.warnings == ("of all", "of 0", "of 1", "of 2")

    # --- times ----------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        ("times", "options", "delays"),
        [
            pytest.param(_TIMES, {}, [500.0, 750.0, 40.0, 2710.0, 2710.0], id="real time"),
            pytest.param(_TIMES, {"speed": 2.0}, [250.0, 375.0, 20.0, 1355.0, 1355.0], id="twice as fast"),
            pytest.param(_TIMES, {"fps": 8.0}, [125.0] * 5, id="fps instead of times"),
            pytest.param(None, {"fps": 30.0}, [1000 / 30] * 5, id="fps without times"),
            pytest.param((0.0, float("nan"), 1.0, 1.0, 0.5), {"fps": 3.0}, [1000 / 3] * 5, id="fps, times of no use"),
        ],
    )
    def test_frames_are_shown_as_long_as_they_lasted(
        self,
        writer: Writer,
        tmp_path: Path,
        times: tuple[float, ...] | None,
        options: dict[str, Any],
        delays: list[float],
    ) -> None:
        """By their times, or by frames per second; errors do not add up."""
        found = self.written(writer, tmp_path, self.movie(self.scene(5), times), **options)
        self.check_delays(found, delays)

    @pytest.mark.parametrize(
        ("times", "message"),
        [
            pytest.param(None, "film: 5 of 5 frames have no time .*give fps", id="none"),
            pytest.param(
                (0.0, 1.0, float("nan"), 2.0, 3.0), r"film: 1 of 5 .*\(first: 2\); give fps", id="one unknown"
            ),
            pytest.param((0.0, 1.0, 1.0, 2.0, 3.0), "film: the times do not increase .*give fps", id="standing still"),
        ],
    )
    def test_without_times_it_says_what_to_give(
        self, writer: Writer, tmp_path: Path, times: tuple[float, ...] | None, message: str
    ) -> None:
        """No speed is invented."""
        with pytest.raises(StackError, match=message):
            self.written(writer, tmp_path, self.movie(self.scene(5), times))

    @pytest.mark.parametrize("option", [{"fps": 0}, {"fps": -1}, {"speed": 0}, {"fps": float("inf")}])
    def test_no_speed_is_refused(self, writer: Writer, option: dict[str, float]) -> None:
        """Frames that are shown for ever, or for no time."""
        with pytest.raises(ValueError, match=next(iter(option))):
            writer.Options.model_validate(option)

    # --- text -----------------------------------------------------------------------------------------------------
    @pytest.mark.parametrize(
        ("times", "labels"),
        [
            pytest.param((0.0, 0.5, 1.0), (), id="times"),
            pytest.param(None, ("07", "08", "long name 12"), id="slices"),
        ],
    )
    @pytest.mark.parametrize("shape", [(64, 150), (121, 131)])
    def test_times_or_slices_are_written_into_the_frames(
        self,
        writer: Writer,
        tmp_path: Path,
        times: tuple[float, ...] | None,
        labels: tuple[str, ...],
        shape: tuple[int, int],
    ) -> None:
        """They differ from frame to frame, and lie within the frame, which stays as it is elsewhere."""
        frames = np.full((3, *shape, 3), 60, np.uint8)
        found = self.written(writer, tmp_path, self.movie(frames, times, labels), fps=5)
        assert found.frames.shape == self.shown(frames).shape
        changed = np.abs(found.frames.astype(int) - 60).max(axis=-1) > 60
        assert all(frame.any() for frame in changed)
        assert (changed[0] != changed[2]).any()
        written = changed.any(axis=0)
        assert not written[0].any() and not written[:, 0].any(), "the text touches the edge"  # noqa: PT018
        assert not written[shape[0] // 2 :].any() and not written[:, -1].any(), "the text leaves its corner"  # noqa: PT018

    def test_text_that_does_not_fit_is_told_of(self, writer: Writer, tmp_path: Path) -> None:
        """It is left out whole."""
        frames = self.scene(3, 16, 16)
        movie = self.movie(frames, None, ("a slice", "of a long", "long name"))
        self.check(self.written(writer, tmp_path, movie, fps=5), frames)
        (told,) = (one for one in movie.warnings if "does not fit" in one)
        assert "16 × 16 px" in told

    def test_text_can_be_left_out(self, writer: Writer, tmp_path: Path) -> None:
        """By the option."""
        frames = self.scene(5)
        found = self.written(writer, tmp_path, self.movie(frames, _TIMES), timestamps=False)
        self.check(found, frames)
