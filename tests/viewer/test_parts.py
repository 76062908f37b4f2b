"""Menu, keys, profiles and settings: what the session can do, from the window."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from napari._app_model import get_app_model
from napari.settings import get_plugin_settings
from pydantic import ValidationError
from qtpy.QtCore import Qt
from qtpy.QtGui import QKeySequence, QShortcut

from napari_slicemap.errors import SlicemapError
from napari_slicemap.render.profile import ProfileBook
from napari_slicemap.viewer import commands
from napari_slicemap.viewer.desk import DOCKS, show_all_docks
from napari_slicemap.viewer.keys import ALL, WINDOW
from napari_slicemap.viewer.keys_dialog import KeysDialog
from napari_slicemap.viewer.profiles_dialog import ProfilesDialog
from napari_slicemap.viewer.settings import PLUGIN

DOCS = Path(__file__).parents[2] / "docs"
CONTROL, SHIFT = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier


def section(title: str) -> str:
    """Give what the docs say of a part of the window."""
    if title == "Galvo inspector":
        file, heading = DOCS / "galvo.md", "In napari"
    else:
        file, heading = DOCS / "napari.md", "Menu, keys, profiles, settings" if title == "Window" else title
    return re.split(r"^## ", file.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def press(viewer, qtbot, key, *modifiers):
    held = Qt.KeyboardModifier.NoModifier
    for one in modifiers:
        held |= one
    qtbot.keyClick(viewer.window._qt_window, key, held)


# --- keys ---------------------------------------------------------------------------------------------------------
def test_the_help_lists_the_keys_that_are_bound():
    assert {keys for keys, _ in WINDOW.keys} == set(commands.BOUND)


@pytest.mark.parametrize("part", [pytest.param(part, id=part.title) for part in ALL])
def test_the_docs_name_the_keys_that_the_help_lists(part):
    said = section(part.title)
    written = {"Space": "[Ss]pace"}
    unsaid = [k for k, _ in part.keys if not re.search(rf"(?<![\w+]){written.get(k, re.escape(k))}(?!\w)", said)]
    assert unsaid == []
    if "| keys |" in said:
        cells = re.findall(r"^\| ([^|]+) \| [^|]+ \|$", said.split("| keys |", 1)[1], flags=re.M)
        known = {keys for keys, _ in part.keys}
        assert cells
        assert {one for cell in cells for one in re.split(r", | ", cell)} <= known


def test_all_docks_come_as_tabs_and_leave_the_map_where_it_is(session, qtbot):
    viewer, window = session.viewer, session.viewer.window._qt_window
    page = session.page_number
    show_all_docks(viewer)
    docks = {name: viewer.window.dock_widgets[f"{name} ({PLUGIN})"] for name in DOCKS}
    qtbot.waitUntil(lambda: docks["Galvo inspector"].ledger.shelf is not None, timeout=10_000)
    qtbot.waitUntil(lambda: not docks["Slice config"].visibleRegion().isEmpty())
    assert [name for name in DOCKS if not docks[name].visibleRegion().isEmpty()] == ["Slice config"]
    assert session.page_number == page
    assert window.minimumSizeHint().width() <= 1280
    assert window.minimumSizeHint().height() <= 800
    listed = {part.title: {QKeySequence(keys).toString() for keys, _ in part.keys} for part in ALL}
    for name, dock in docks.items():
        bound = {one.key().toString() for one in dock.findChildren(QShortcut)}
        assert bound - {"Esc"} <= listed[name]
    press(viewer, qtbot, Qt.Key.Key_4, CONTROL)
    qtbot.waitUntil(lambda: not docks["Batch export"].visibleRegion().isEmpty())
    assert docks["Slice config"].visibleRegion().isEmpty()


def test_keys_and_menu_do_the_same(session, qtbot):
    viewer, window = session.viewer, session.viewer.window._qt_window
    press(viewer, qtbot, Qt.Key.Key_D, CONTROL, SHIFT)
    assert session.display == "composite"
    menu = get_app_model().menus.get_menu("napari-slicemap/slice-map")
    titles = [item.command.id.rpartition(".")[2] for item in menu]
    assert {"toggle_display", "show_profiles", "save_profile", "show_keys", "show_desk", "undo", "redo"} <= set(titles)
    get_app_model().commands.execute_command("napari-slicemap.toggle_display").result()
    assert session.display == "channels"
    for _ in range(2):
        press(viewer, qtbot, Qt.Key.Key_F1)
    (help_dialog,) = window.findChildren(KeysDialog)
    text = help_dialog.text.toPlainText()
    assert all(keys in text and does in text for part in ALL for keys, does in part.keys)
    help_dialog.close()
    session.map_layer.channel_layers["CD3"].gamma = 0.5
    session.activate_profile("T cells")
    press(viewer, qtbot, Qt.Key.Key_Z, CONTROL)
    assert (session.profile_name, session.map_layer.channel_layers["CD3"].gamma) == ("tissue", 0.5)
    press(viewer, qtbot, Qt.Key.Key_Z, CONTROL, SHIFT)
    assert session.profile_name == "T cells"


# --- profiles -----------------------------------------------------------------------------------------------------
def test_the_dialog_shows_and_saves_profiles(session, qtbot):
    path = session.dataset.places.written("profiles")
    before = path.read_bytes()
    press(session.viewer, qtbot, Qt.Key.Key_L, CONTROL, SHIFT)
    (dialog,) = session.viewer.window._qt_window.findChildren(ProfilesDialog)
    assert not dialog.apply.isEnabled()
    session.map_layer.channel_layers["CD3"].gamma = 0.5
    assert "changes that are not saved" in dialog.state.text()
    qtbot.keyClicks(dialog.name, "T cells")
    qtbot.mouseClick(dialog.save_as, Qt.MouseButton.LeftButton)
    assert "There is a profile 'T cells' already" in dialog.message.text()
    assert path.read_bytes() == before
    dialog.name.clear()
    qtbot.keyClicks(dialog.name, "mine")
    qtbot.keyClick(dialog.name, Qt.Key.Key_Return)
    assert ProfileBook.read(path)["mine"].channels["CD3"].gamma == 0.5
    assert dialog.state.text() == "mine is shown."
    dialog.names.setCurrentRow(0)
    qtbot.mouseClick(dialog.apply, Qt.MouseButton.LeftButton)
    assert session.profile_name == "tissue"
    session.undo_stack.undo()
    session.undo_stack.undo()
    assert session.undo_stack.redoText() == "save profile mine"
    assert path.read_bytes() == before
    assert "mine" not in session.dataset.profiles.names
    dialog.close()


def test_what_others_save_meanwhile_stays(session, qtbot, capsys):
    path, layer = session.dataset.places.written("profiles"), session.map_layer.channel_layers["CD3"]
    theirs = json.loads(path.read_text())
    theirs["profiles"]["theirs"] = theirs["profiles"]["tissue"]
    path.write_text(json.dumps(theirs))
    layer.gamma = 0.5
    session.save_profile()
    assert set(ProfileBook.read(path).names) == {"tissue", "T cells", "theirs"}
    theirs = json.loads(path.read_text())
    theirs["profiles"]["tissue"]["channels"]["CD3"]["gamma"] = 2.0
    path.write_text(json.dumps(theirs))
    content = path.read_bytes()
    with pytest.raises(SlicemapError, match="'tissue' was changed by something else"):
        session.save_profile()
    session.undo_stack.undo()
    assert "changed by something else since; nothing is changed" in capsys.readouterr().out
    assert path.read_bytes() == content
    qtbot.waitUntil(session.undo_stack.canUndo)  # what could not be undone stays in the history
    assert session.undo_stack.undoText() == "save profile tissue"


# --- settings -----------------------------------------------------------------------------------------------------
def test_a_dataset_is_opened_as_the_settings_say(session, monkeypatch):
    settings = get_plugin_settings(PLUGIN).looking
    for name, value in {"cache_mib": 64, "threads": 3, "profile": "T cells", "display": "composite"}.items():
        monkeypatch.setattr(settings, name, value)
    session.open(session.dataset.path)
    assert session.on_screen.loader.cache.max_bytes == 64 * 2**20
    assert session.on_screen.loader._most == 3
    assert (session.profile_name, session.display) == ("T cells", "composite")
    assert session.map_layer.composite_layer in session.viewer.layers


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("cache_mib", 1, id="too little memory"),
        pytest.param("threads", -1, id="fewer than no threads"),
        pytest.param("display", "sum", id="no such display"),
    ],
)
def test_settings_have_limits(name, value):
    settings = get_plugin_settings(PLUGIN).looking
    with pytest.raises(ValidationError, match=name):
        setattr(settings, name, value)
