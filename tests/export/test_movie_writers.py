"""GIF and MP4 by the contract of all writers of movies, played by other libraries."""

from __future__ import annotations

import json
import sys
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from napari_slicemap import ExportPlan
from napari_slicemap.errors import PlanError
from napari_slicemap.export.content.making import lacking
from napari_slicemap.export.run import prepare
from napari_slicemap.export.writers import find_writer
from napari_slicemap.export.writers.contract import FoundMovie, MovieContract

av = pytest.importorskip("av", reason="MP4 needs the extra video")


class TestGif(MovieContract):
    writer_class = type(find_writer("gif"))
    # halves of transparent pixels and the letters share 256 colours with the rest
    colour_error = 0.5

    @staticmethod
    def read(path):
        frames, delays = [], []
        with Image.open(path) as image:
            assert image.format == "GIF"
            for number in range(image.n_frames):
                image.seek(number)
                frames.append(np.asarray(image.convert("RGB")))
                delays.append(float(image.info["duration"]))
        return FoundMovie(np.stack(frames), tuple(delays))

    @staticmethod
    def read_provenance(path):
        with Image.open(path) as image:
            comment = image.info.get("comment")
        return None if comment is None else json.loads(comment.decode("ascii"))

    @pytest.mark.parametrize("loop", [0, 3])
    def test_loops_by_choice(self, writer, tmp_path, loop):
        self.written(writer, tmp_path, self.movie(self.scene(3)), fps=5, loop=loop)
        with Image.open(tmp_path / "f.gif") as image:
            assert image.info["loop"] == loop

    def test_frames_too_short_for_viewers_are_told_of(self, writer, tmp_path):
        movie = self.movie(self.scene(3), (0.0, 0.001, 0.002))
        self.written(writer, tmp_path, movie)
        assert any("below 20 ms" in warning for warning in movie.warnings)

    def test_thousands_of_colours_come_near(self, writer, tmp_path):
        y, x = np.mgrid[:120, :160]
        frames = np.stack([np.stack([y + shift, x, (x + y) // 2], axis=-1).astype(np.uint8) for shift in (0, 20, 40)])
        found = self.written(writer, tmp_path, self.movie(frames), fps=5)
        assert np.abs(found.frames.astype(int) - frames).mean() < 6


class TestMp4(MovieContract):
    writer_class = type(find_writer("mp4"))
    options: ClassVar = {"quality": 5}
    delay_error_ms = 0.05
    colour_error = 3.0
    even = True

    @staticmethod
    def read(path):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            assert stream.codec_context.name == "h264"
            end = float(stream.duration * stream.time_base)
            found = [
                (frame.to_ndarray(format="rgb24"), float(frame.pts * frame.time_base)) for frame in container.decode()
            ]
        starts = [start for _, start in found]
        assert starts[0] == 0
        delays = np.diff([*starts, end]) * 1000
        return FoundMovie(np.stack([frame for frame, _ in found]), tuple(delays.tolist()))

    @staticmethod
    def read_provenance(path):
        with av.open(str(path)) as container:
            comment = container.metadata.get("comment")
        return None if comment is None else json.loads(comment)


# --- before anything runs -----------------------------------------------------------------------------------------
def plan_of(folder, kind, **fields):
    select = (
        {"kind": "stack", "along": "slices", "ids": ["7", "8"]} if kind == "slices" else {"kind": kind, "all": True}
    )
    return ExportPlan.model_validate({"select": [select], "output_folder": str(folder), "on_missing": "mark", **fields})


def test_a_package_that_is_not_installed_is_a_fault_of_the_plan(dataset, tmp_path, monkeypatch):
    plan = plan_of(tmp_path / "out", "fov", format="mp4")
    prepare(plan, dataset)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(PlanError, match=r'mp4 needs the package av: pip install "napari-slicemap\[video\]"'):
        prepare(plan, dataset)
    assert not (tmp_path / "out").exists()


def test_other_formats_need_nothing_more(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    assert {name for name in ("png", "gif", "mp4", "ome-tiff", "svg") if lacking(find_writer(name))} == {"mp4"}


@pytest.mark.parametrize("name", ["gif", "mp4"])
def test_slices_need_fps(dataset, tmp_path, name):
    with pytest.raises(PlanError, match="slices have no times; give fps"):
        prepare(plan_of(tmp_path / "out", "slices", format=name), dataset)
    prepare(plan_of(tmp_path / "out", "slices", format=name, options={"fps": 2}), dataset)
