"""What every reader of a layout keeps; its test class inherits this, and says how a small dataset is made."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import tifffile

from builders import pixels, write_tiff
from napari_slicemap.errors import TileReadError
from napari_slicemap.images.acquisition import Acquisition, ReadOptions
from napari_slicemap.images.readers import Reader, find_reader, readers


def options(root: Path, **changes: Any) -> ReadOptions:
    folder = root if root.is_dir() else root.parent
    skip = frozenset(folder / name for name in ("masks", "annotations", "maps"))
    base: dict[str, Any] = {"cells": folder / "cells.csv", "skip": skip}
    return ReadOptions(folder / "masks", folder / "annotations", **{**base, **changes})


class ReaderContract:
    """What every reader keeps; a new reader's test class inherits this and says how a small dataset is made."""

    reader: Reader
    stage_y = "down"
    images_opened = 1
    """TIFF files that reading may open: more only where each says itself where it lies."""
    kind = "a TIFF image"
    """What a spoiled image cannot be read as."""

    def spoil(self, source: Path) -> None:
        """Leave no image where one of a FOV's sources was."""
        source.write_text("not an image")

    def build(self, root: Path) -> Path:
        """Write a dataset of two FOVs and return what is to be opened."""
        raise NotImplementedError

    def image_of(self, root: Path, fov: str, channel: str) -> np.ndarray:
        """The pixels of a channel, read with tifffile."""
        raise NotImplementedError

    def read(self, root: Path, **changes: Any) -> Acquisition:
        path = self.build(root)
        return self.reader.read(path, options(path, **changes))

    def test_it_is_registered_by_its_name(self) -> None:
        assert type(readers()[self.reader.name]) is type(self.reader)
        assert self.reader.summary

    def test_it_recognises_its_own(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        assert self.reader.detect(path)
        found, why = find_reader(path)
        assert found.name == self.reader.name
        assert why == self.reader.detect(path)

    @pytest.mark.parametrize("what", ["nothing", "empty folder", "text", "binary", "strange csv"])
    def test_it_does_not_recognise_and_does_not_raise(self, tmp_path: Path, what: str) -> None:
        path = tmp_path / {"text": "a.txt", "binary": "a.csv", "strange csv": "b.csv"}.get(what, "folder")
        if what == "empty folder":
            path.mkdir()
        elif what != "nothing":
            path.write_bytes({"text": b"hello", "binary": b"\xff\xfe\x00\x01" * 9, "strange csv": b"a,b\n1,2\n"}[what])
        assert self.reader.detect(path) == ""

    def test_detecting_opens_no_image(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        with mock.patch.object(tifffile, "TiffFile", side_effect=AssertionError("an image was opened")):
            assert self.reader.detect(path)

    def test_reading_opens_no_more_images_than_it_must(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        with mock.patch.object(tifffile, "TiffFile", wraps=tifffile.TiffFile) as opened:
            self.reader.read(path, options(path))
        assert opened.call_count <= self.images_opened

    def test_what_it_gives(self, tmp_path: Path) -> None:
        made = self.read(tmp_path)
        assert made.layout == self.reader.name
        assert made.stage_y == self.stage_y
        assert made.problems == ()
        assert len(made.fovs) == 2
        assert all(name == fov.name for name, fov in made.fovs.items())
        assert {position.fov for position in made.positions} <= set(made.fovs)
        assert all(str(tmp_path) in position.source for position in made.positions)

    def test_the_pixels_are_tifffiles(self, tmp_path: Path) -> None:
        for name, fov in self.read(tmp_path).fovs.items():
            for channel in fov.channels:
                made = fov.read([channel])[0]
                np.testing.assert_array_equal(made, self.image_of(tmp_path, name, channel))

    def test_reading_twice_gives_the_same_in_the_same_order(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        one, two = (self.reader.read(path, options(path)) for _ in range(2))
        assert list(one.fovs) == list(two.fovs)
        assert [fov.channels for fov in one.fovs.values()] == [fov.channels for fov in two.fovs.values()]
        assert one.positions == two.positions

    def test_the_fallback_pixel_size_goes_to_images_that_state_none(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        plain = self.reader.read(path, options(path)).fovs
        told = self.reader.read(path, options(path, pixel_size_um=0.39)).fovs
        for name, fov in plain.items():
            assert told[name].pixel_size_um == (fov.pixel_size_um or 0.39)

    def test_masks_and_annotations_of_the_project(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        name, fov = next(iter(self.reader.read(path, options(path)).fovs.items()))
        labels = pixels(8, (fov.size_px[1], fov.size_px[0]))
        for folder in ("masks", "annotations"):
            write_tiff(tmp_path / folder / f"{name}_own.tif", labels)
        write_tiff(tmp_path / "masks" / "stranger_own.tif", labels)
        made = self.reader.read(path, options(path))
        for kind in ("mask", "annotation"):
            np.testing.assert_array_equal(made.fovs[name].read_labels(kind, "own", fov.bounds), labels)
        assert len(made.problems) == 1
        assert "stranger_own.tif: belongs to no FOV" in made.problems[0]

    def test_a_missing_image_fails_its_own_fov_only(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        names = list(self.reader.read(path, options(path)).fovs)
        before = self.reader.read(path, options(path)).fovs[names[1]].read()
        fovs = self.reader.read(path, options(path)).fovs
        for file in fovs[names[0]].sources():
            self.spoil(file)
        again = self.reader.read(path, options(path)).fovs
        np.testing.assert_array_equal(again[names[1]].read(), before)
        with pytest.raises(TileReadError, match=f"^FOV {re.escape(names[0])}: .*cannot be read as {self.kind}"):
            again[names[0]].read()

    def test_fovs_survive_pickling(self, tmp_path: Path) -> None:
        for fov in self.read(tmp_path).fovs.values():
            np.testing.assert_array_equal(pickle.loads(pickle.dumps(fov)).read(), fov.read())
