"""Real viewers on the sample acquisition, and leaks that fail the test."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

napari = pytest.importorskip("napari", reason="the viewer's tests need napari and a Qt binding")


@pytest.fixture(scope="session")
def sample_made(tmp_path_factory):
    from napari_slicemap.sample import make_sample

    return make_sample(tmp_path_factory.mktemp("made") / "sample")


@pytest.fixture
def sample(sample_made, tmp_path) -> Path:
    """A copy of the sample acquisition that the test may write to."""
    return Path(shutil.copytree(sample_made, tmp_path / "sample"))


@pytest.fixture
def viewer(make_napari_viewer):
    """A shown viewer, large enough for its docks: without being shown it has no pixels."""
    made = make_napari_viewer(show=True)
    made.window._qt_window.resize(1280, 800)
    return made


@pytest.fixture
def session(viewer, sample):
    from napari_slicemap.viewer.session import session_of

    one = session_of(viewer)
    one.open(sample)
    return one
