"""What every test shares: where the real data is, and a napari that keeps its hands off the user's settings."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# before napari is imported anywhere: tests must neither read nor write the settings of whoever runs them
os.environ.setdefault("NAPARI_CONFIG", str(Path(tempfile.mkdtemp(prefix="slicemap-napari-")) / "settings.yaml"))
os.environ.setdefault("SLICEMAP_STATE", tempfile.mkdtemp(prefix="slicemap-state-"))

# a fixed seed and no deadline: a slow CI machine is no failure, and every run tests the same cases
settings.register_profile(
    "house",
    deadline=None,
    derandomize=True,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
# `make proof`: other cases in each run, and many more of them
settings.register_profile("full", settings.get_profile("house"), derandomize=False, max_examples=400)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data, or skip."""
    stated = os.environ.get("SLICEMAP_TEST_DATA")
    folder = Path(stated) if stated else _REPOSITORY.parent / "shared" / "data"
    if not (folder / "README.md").is_file():
        pytest.skip(f"the real data is not at {folder}; set SLICEMAP_TEST_DATA to its folder")
    return folder.resolve()
