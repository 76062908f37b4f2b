"""The contract of readers of files that say themselves what they hold: a broken one is no FOV, and told."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from napari_slicemap.errors import TileReadError

from .reader_contract import ReaderContract, options


class ToldFilesContract(ReaderContract):
    """Without its header, nobody knows a file's channels: so it is left out, where others open."""

    def test_a_missing_image_fails_its_own_fov_only(self, tmp_path: Path) -> None:
        path = self.build(tmp_path)
        fovs = self.reader.read(path, options(path)).fovs
        broken, whole = fovs
        before = fovs[whole].read()
        (source,) = fovs[broken].sources()
        self.spoil(source)
        made = self.reader.read(path, options(path))
        assert list(made.fovs) == [whole]
        np.testing.assert_array_equal(made.fovs[whole].read(), before)
        (problem,) = made.problems
        assert re.match(rf"{re.escape(str(source))}: .*cannot be read as {self.kind} .*; left out", problem)
        with pytest.raises(TileReadError, match=f"^FOV {broken}: .*cannot be read as {self.kind}"):
            fovs[broken].read()
