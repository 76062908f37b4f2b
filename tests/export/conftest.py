"""The dataset that the export tests hand out figures of."""

import pytest

from napari_slicemap import ExportPlan, open_dataset
from scenes import write_dataset


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A dataset on disk that no test may change."""
    return write_dataset(tmp_path_factory.mktemp("data") / "set")


@pytest.fixture
def dataset(folder):
    return open_dataset(folder)


@pytest.fixture
def plan(tmp_path):
    """Make a plan that writes into the test's own folder."""

    def make(*selects, **fields):
        return ExportPlan.model_validate({"output_folder": str(tmp_path / "out"), "select": selects, **fields})

    return make
