"""What importing the package loads, in a fresh interpreter each time."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import napari_slicemap

HEAVY = ("napari", "qtpy", "PyQt5", "PyQt6", "PySide2", "PySide6", "vispy", "superqt", "magicgui", "pandas", "dask")
GUI = HEAVY[:9]


def loaded_by(code: str) -> set[str]:
    """The top-level packages in ``sys.modules`` after `code`."""
    script = f"{code}\nimport json, sys; print(json.dumps(sorted({{m.partition('.')[0] for m in sys.modules}})))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = loaded_by("import napari_slicemap")
    assert "napari_slicemap" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_every_public_name_exists_and_loads_nothing_heavy() -> None:
    loaded = loaded_by(
        "import napari_slicemap as n\n"
        "for name in n.__all__:\n"
        "    assert getattr(n, name) is not None, name\n"
        "assert set(n.__all__) <= set(dir(n))"
    )
    assert loaded.isdisjoint(HEAVY)


@pytest.mark.parametrize("name", napari_slicemap.__all__)
def test_a_public_name_loads_by_itself(name: str) -> None:
    """No name leans on another one having been imported before it."""
    assert loaded_by(f"from napari_slicemap import {name}").isdisjoint(GUI)


def test_the_command_line_loads_no_gui() -> None:
    assert loaded_by("from napari_slicemap.cli.app import main").isdisjoint(HEAVY)


def test_public_names_of_the_house() -> None:
    wanted = {
        "open_dataset",
        "Dataset",
        "Fov",
        "ChannelSettings",
        "Profile",
        "render_fov_to_array",
        "VirtualMap",
        "Roi",
    }
    wanted |= {"RoiTable", "compute_scale_bar", "ExportPlan", "run_export", "JobItem", "JobRunner", "Region"}
    wanted |= {"assess_slice_quality", "build_cumulative_shifts"}
    assert wanted <= set(napari_slicemap.__all__)


def test_an_unknown_name() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'open_datset'"):
        _ = napari_slicemap.open_datset


def test_the_version() -> None:
    assert napari_slicemap.__version__.count(".") == 2
