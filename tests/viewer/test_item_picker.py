"""The table of items to tick."""

from __future__ import annotations

import pytest
from qtpy.QtCore import Qt

pytest.importorskip("napari", reason="the viewer's tests need napari and a Qt binding")

from napari_slicemap.viewer.docks.item_picker import ItemPicker, Pick

PICKS = [
    Pick("b", ("tile 10", "map 1")),
    Pick("a", ("tile 2", "map 2"), "excluded: torn"),
    Pick("c", ("other", "map 1")),
]


@pytest.fixture
def picker(qtbot):
    made = ItemPicker("tiles", ("Tile", "Map"))
    qtbot.addWidget(made)
    made.set_picks(PICKS)
    return made


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("", ["b", "a", "c"], id="all"),
        pytest.param("TILE", ["b", "a"], id="any case"),
        pytest.param("map tile 2", ["a"], id="several words in several columns"),
        pytest.param("torn", ["a"], id="the note"),
        pytest.param("nothing", [], id="none"),
    ],
)
def test_the_filter_shows_what_holds_its_words(picker, text, shown):
    picker.filter.setText(text)
    assert picker.model.keys_shown() == shown


def test_all_and_none_act_on_what_is_shown(picker, qtbot):
    every, none = (button for button in picker.findChildren(type(picker)._top.__globals__["QPushButton"]))
    picker.filter.setText("tile")
    every.click()
    assert picker.ticked() == ["b", "a"]
    picker.filter.setText("torn")
    none.click()
    assert picker.ticked() == ["b"]


def test_sorting_shows_2_before_10_and_changes_no_order_of_the_plan(picker):
    picker.table.sortByColumn(0, Qt.SortOrder.AscendingOrder)
    assert picker.model.keys_shown() == ["c", "a", "b"]
    picker.tick(["a", "b", "c"])
    assert picker.ticked() == ["b", "a", "c"]


def test_space_ticks_the_selected_rows(picker, qtbot):
    picker.table.selectAll()
    qtbot.keyClick(picker.table, Qt.Key.Key_Space)
    assert picker.ticked() == ["b", "a", "c"]
    qtbot.keyClick(picker.table, Qt.Key.Key_Space)
    assert picker.ticked() == []


def test_a_click_on_the_box_ticks(picker, qtbot):
    index = picker.model.index(1, 0)
    with qtbot.waitSignal(picker.changed):
        assert picker.model.setData(index, Qt.CheckState.Checked.value, Qt.ItemDataRole.CheckStateRole)
    assert picker.ticked() == ["a"]
    assert picker.model.data(index, Qt.ItemDataRole.CheckStateRole) == Qt.CheckState.Checked
    assert "torn" in picker.model.data(index, Qt.ItemDataRole.ToolTipRole)


def test_ticks_stay_when_items_come_and_go(picker):
    picker.tick(["a", "c"])
    picker.set_picks(PICKS[:1])
    assert picker.ticked() == []
    picker.set_picks(PICKS)
    assert picker.ticked() == ["a", "c"]
