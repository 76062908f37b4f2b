"""What napari finds: manifest, reader, sample data, menu."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import npe2
import pytest
from app_model.types import Action
from napari._app_model import get_app_model

from napari_slicemap.viewer.contributions import get_reader, read_acquisition

ROOT = Path(__file__).parents[2]


def manifest():
    return npe2.PluginManifest.from_distribution("napari-slicemap")


def test_the_installed_manifest_is_the_one_at_the_top_level():
    installed = distribution("napari-slicemap").entry_points.select(group="napari.manifest")
    module, _, name = next(iter(installed)).value.partition(":")
    assert (module, name) == ("napari_slicemap", "napari.yaml")
    top = npe2.PluginManifest.from_file(ROOT / "napari.yaml")
    assert top.contributions == manifest().contributions


def test_every_menu_can_be_contributed_to():
    from napari._app_model.constants import MenuId

    allowed = {menu.value for menu in MenuId.contributables()}
    own = {submenu.id for submenu in manifest().contributions.submenus or []}
    assert set(manifest().contributions.menus) <= allowed | own


def test_batch_export_is_in_the_io_utilities_menu(viewer):
    found = [
        item.command.id
        for item in get_app_model().menus.get_menu("napari/file/io_utilities")
        if hasattr(item, "command")
    ]
    assert "napari-slicemap.show_batch_export" in found
    assert isinstance(get_app_model().registered_actions["napari-slicemap.show_batch_export"], Action)
    get_app_model().commands.execute_command("napari-slicemap.show_batch_export").result()
    assert "Batch export (napari-slicemap)" in viewer.window.dock_widgets


def test_a_dataset_folder_opens_as_when_it_is_dropped_on_the_window(viewer, sample):
    viewer.window._qt_viewer._qt_open([str(sample)], stack=False, plugin="napari-slicemap")
    names = [layer.name for layer in viewer.layers]
    assert names == ["DAPI", "CD45", "CD3", "cell (mask)", "excluded slices", "ROIs"]


def test_the_sample_opens_from_the_menu(viewer, monkeypatch, tmp_path):
    monkeypatch.setattr("platformdirs.user_cache_path", lambda *_, **__: tmp_path / "cache")
    viewer.open_sample("napari-slicemap", "slice-map")
    assert "DAPI" in viewer.layers
    assert list((tmp_path / "cache").iterdir())


def test_without_a_viewer_the_reader_gives_layers(sample, monkeypatch):
    monkeypatch.setattr("napari.current_viewer", lambda: None)
    found = read_acquisition(str(sample))
    assert [meta["name"] for _, meta, _ in found] == ["DAPI", "CD45", "CD3", "cell (mask)"]


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        pytest.param("slicemap.toml", True, id="project file"),
        pytest.param("cells.csv", False, id="another table"),
        pytest.param("masks", True, id="a folder of images"),
        pytest.param("", True, id="the folder"),
        pytest.param("nowhere", False, id="not there"),
    ],
)
def test_the_reader_takes_what_is_an_acquisition(sample, name, ours):
    assert (get_reader(str(sample / name)) is not None) is ours


def test_several_paths_are_left_to_others(sample):
    assert get_reader([str(sample), str(sample)]) is None


def test_a_broken_project_file_says_so_when_opened(sample):
    (sample / "slicemap.toml").write_text('version = 1\ncolour = "red"\n')
    reader = get_reader(str(sample / "slicemap.toml"))
    with pytest.raises(ValueError, match=r"slicemap\.toml: colour: unknown key"):
        reader(str(sample / "slicemap.toml"))
