"""Plots and pictures of the Galvo inspector: what they show, and what moves the band of the return."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("napari", reason="the viewer's tests need napari and a Qt binding")

from qtpy.QtCore import QPoint, QPointF, Qt
from qtpy.QtGui import QImage, QWheelEvent
from qtpy.QtWidgets import QAbstractButton, QApplication

from napari_slicemap.slices.galvo import GalvoScore, galvo_artifact_score, inspect_slice
from napari_slicemap.viewer.docks.colours import colours_of
from napari_slicemap.viewer.docks.galvo_inspector.before_after import BeforeAfter
from napari_slicemap.viewer.docks.galvo_inspector.panels import Panels
from napari_slicemap.viewer.docks.galvo_inspector.patches import compose, grey, limits_of, without_return
from napari_slicemap.viewer.docks.galvo_inspector.profile_plot import ProfilePlot
from napari_slicemap.viewer.docks.galvo_inspector.ring import band_edges, band_pieces, band_start, shift_at
from napari_slicemap.viewer.docks.galvo_inspector.score_bars import ScoreBars
from napari_slicemap.viewer.docks.galvo_inspector.sentences import Edges, edges_of, sentences_of
from napari_slicemap.viewer.docks.galvo_inspector.tile_painting import image_of
from napari_slicemap.viewer.docks.galvo_inspector.tile_strips import Strip, TileStrips

LINES, N_EXTRA, COLUMNS = 100, 20, 40


def made_tile(shift: int = 30, contrast: float = -0.3, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    aip = 100 + 2 * rng.standard_normal((LINES, COLUMNS))
    aip[LINES - N_EXTRA :] *= 1 + contrast
    return np.roll(aip, -shift, axis=0)


@pytest.fixture
def plot(qtbot):
    made = ProfilePlot()
    qtbot.addWidget(made)
    made.resize(520, 170)
    made.set_tile(made_tile().mean(axis=1), N_EXTRA, 30, 30)
    with qtbot.waitExposed(made):
        made.show()
    return made


@pytest.fixture
def strips(qtbot):
    made = TileStrips()
    qtbot.addWidget(made)
    made.resize(520, made.height())
    made.set_tiles(
        [Strip(f"t{one}", made_tile(seed=one), 0.9 - one / 10, 30, one == 1) for one in range(7)], N_EXTRA, "y"
    )
    with qtbot.waitExposed(made):
        made.show()
    return made


@pytest.fixture
def before_after(qtbot):
    made = BeforeAfter()
    qtbot.addWidget(made)
    made.resize(520, 200)
    made.set_tile(made_tile(), N_EXTRA, 30, "y", "x0_y1")
    with qtbot.waitExposed(made):
        made.show()
    return made


def pixels(widget) -> np.ndarray:
    image = widget.grab().toImage().convertToFormat(QImage.Format.Format_RGBA8888)
    bits = image.constBits()
    if hasattr(bits, "setsize"):
        bits.setsize(image.sizeInBytes())
    return (
        np.frombuffer(bits, np.uint8).reshape(image.height(), image.bytesPerLine() // 4, 4)[:, : image.width()].copy()
    )


# --- the ring of A-lines ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("shift", "pieces", "edges"),
    [
        pytest.param(0, ((80, 100),), (80, 100), id="at the end"),
        pytest.param(30, ((50, 70),), (50, 70), id="inside"),
        pytest.param(80, ((0, 20),), (0, 20), id="at the start"),
        pytest.param(95, ((85, 100), (0, 5)), (85, 5), id="over the end"),
        pytest.param(-70, ((50, 70),), (50, 70), id="a shift the other way round"),
    ],
)
def test_the_band_lies_where_the_shift_says(shift, pieces, edges):
    assert band_pieces(LINES, N_EXTRA, shift) == pieces
    assert band_edges(LINES, N_EXTRA, shift) == edges


@given(st.integers(2, 300).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n - 1), st.integers(-2 * n, 2 * n))))
def test_rolling_by_the_shift_puts_the_band_at_the_end(case):
    lines, n_extra, shift = case
    inside = np.zeros(lines, dtype=bool)
    for start, stop in band_pieces(lines, n_extra, shift):
        inside[start:stop] = True
    assert np.flatnonzero(np.roll(inside, shift)).tolist() == list(range(lines - n_extra, lines))
    assert shift_at(lines, n_extra, band_start(lines, n_extra, shift)) == shift % lines


# --- patches ------------------------------------------------------------------------------------------------------
def numbered(lines: int, columns: int, first: int) -> np.ndarray:
    return (first + np.arange(lines * columns, dtype=np.uint8)).reshape(lines, columns)


@pytest.mark.parametrize(
    ("shift", "kept"),
    [
        pytest.param(None, [0, 1, 2], id="as it is"),
        pytest.param(0, [0, 1, 2], id="the return at the end"),
        pytest.param(2, [3, 4, 0], id="the return inside"),
    ],
)
def test_the_return_is_cut_off(shift, kept):
    tile = numbered(5, 3, 1)
    assert np.array_equal(without_return(tile, 5, 2, shift), tile[kept])


def test_a_tile_that_is_cut_short_is_never_rolled():
    tile = numbered(4, 3, 1)
    assert np.array_equal(without_return(tile, 5, 2, 2), tile[:3])


def test_tiles_stand_side_by_side_along_both_axes():
    tiles = {(1, 4): numbered(5, 3, 10), (1, 5): numbered(5, 2, 50), (3, 4): numbered(2, 3, 90)}
    down = compose(tiles, "y", 5, 2, 2)
    assert down.shape == (3 + 3 + 2, 3 + 2)  # the row without a tile is as high as the highest
    assert np.array_equal(down[:3, :3], tiles[1, 4][[3, 4, 0]])
    assert np.array_equal(down[:3, 3:], tiles[1, 5][[3, 4, 0]])
    assert np.array_equal(down[6:, :3], tiles[3, 4])
    assert not down[3:6].any()
    assert not down[6:, 3:].any()
    turned = {(column, row): tile for (row, column), tile in tiles.items()}
    assert np.array_equal(compose(turned, "x", 5, 2, 2), down.T)


def test_limits_leave_out_what_is_rare_or_no_number():
    plane = np.full((100, 100), np.nan)
    plane[:50] = np.linspace(0, 100, 5000).reshape(50, 100)
    low, high = limits_of([plane, plane])
    assert (low, high) == pytest.approx((1.0, 99.5), abs=0.1)
    assert limits_of([]) == (0.0, 1.0)
    assert limits_of([np.full((2, 2), 7)]) == (7.0, 8.0)


def test_grey_values_keep_nothing_for_where_there_is_no_tile():
    assert grey(np.array([-5.0, 0.0, 0.5, 1.0, 9.0, np.nan]), (0.0, 1.0)).tolist() == [1, 1, 128, 255, 255, 1]
    image = image_of(np.array([[0, 1, 255]], dtype=np.uint8))
    assert [image.pixelColor(x, 0).getRgb() for x in range(3)] == [(0, 0, 0, 0), (0, 0, 0, 255), (255, 255, 255, 255)]


# --- sentences ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("contrast", "darker"), [(-0.3, True), (0.3, False)], ids=["dark", "bright"])
@pytest.mark.parametrize("shift", [0, 30, 80, 95])
def test_edges_tell_dark_from_bright_anywhere_on_the_ring(contrast, darker, shift):
    aip = made_tile(shift, contrast)
    edges = edges_of(aip, N_EXTRA, shift)
    assert edges.darker is darker
    assert edges.times > 5
    assert edges_of(aip, N_EXTRA, shift + 40).times < 2


def test_sentences_of_a_return():
    aip = made_tile()
    score = galvo_artifact_score(aip, N_EXTRA)
    said = sentences_of(score, edges_of(aip, N_EXTRA, 30), share=0.9)
    assert said.contrast == "return 30 % darker"
    assert said.sharpness.startswith("sharp, ")
    assert said.sharpness.endswith(" × a typical step")
    assert said.anomaly == "clear of the B-scans' scatter"
    assert said.tiles == "the other tiles agree"
    assert said.confidence == "fix: reaches the threshold"


@pytest.mark.parametrize(
    ("total", "threshold", "evidence", "agreement", "similarity", "said"),
    [
        pytest.param(0.7, 0.6, 1.0, 1.0, 1.0, "fix: reaches the threshold", id="fix"),
        pytest.param(0.6, 0.6, 1.0, 1.0, 1.0, "fix: reaches the threshold", id="at the threshold"),
        pytest.param(0.7, 0.8, 1.0, 1.0, 1.0, "consider: below the threshold", id="a higher threshold"),
        pytest.param(0.55, 0.6, 0.6, 0.5, 0.9, "consider: B-scans disagree", id="B-scans"),
        pytest.param(0.55, 0.6, 0.6, 0.9, 0.5, "consider: the two edges differ", id="edges"),
        pytest.param(0.2, 0.6, 0.3, 0.9, 0.9, "leave: tissue edges as strong", id="tissue"),
        pytest.param(0.0, 0.6, 0.0, 0.0, 0.0, "leave: no return here", id="nothing"),
    ],
)
def test_the_verdict_and_what_speaks_against(total, threshold, evidence, agreement, similarity, said):
    score = GalvoScore(total, total, total, total, 0, agreement, similarity, evidence, 0.1)
    assert sentences_of(score, threshold=threshold).confidence == said


@pytest.mark.parametrize(
    ("found", "said"),
    [
        pytest.param([30, 30, 30], "the other tiles agree", id="all"),
        pytest.param([30, 30, 30, 70], "most other tiles agree", id="most"),
        pytest.param([30, 30, 70, 10, 50], "few other tiles agree", id="few"),
        pytest.param([30, 70, 10], "no other tile agrees", id="none"),
        pytest.param([30], "no other tile to compare", id="alone"),
    ],
)
def test_what_the_other_tiles_say(found, said):
    tiles = [made_tile(shift, seed=number)[None] for number, shift in enumerate(found)]
    first = inspect_slice(tiles, N_EXTRA).tiles[0]
    assert sentences_of(first.score, share=first.share).tiles == said


def test_sentences_without_a_projection_claim_less():
    said = sentences_of(GalvoScore(0.9, 0.9, 0.9, 0.9, 3, 0.9, 0.9, 0.9, 0.22), share=0.2)
    assert said.contrast == "return differs by 22 %"
    assert said.sharpness == "both edges sharp"
    assert said.tiles == "few other tiles agree"
    nothing = sentences_of(GalvoScore(0, 0, 0, 0, 3), Edges(True, 0.0))
    assert nothing.contrast == "no difference there"
    assert nothing.tiles == "no other tile to compare"


# --- the profile --------------------------------------------------------------------------------------------------
def place(plot: ProfilePlot, line: float) -> QPoint:
    """Where an A-line is painted, half way up."""
    rect = plot._box.viewRect()
    scene = plot._box.mapViewToScene(QPointF(line, rect.center().y()))
    return plot._view.mapFromScene(scene)


def drag(qtbot, plot: ProfilePlot, start: float, stop: float) -> None:
    view = plot._view.viewport()
    qtbot.mouseMove(view, place(plot, start))
    qtbot.mousePress(view, Qt.MouseButton.LeftButton, pos=place(plot, start))
    for part in (0.3, 0.7, 1.0):
        qtbot.mouseMove(view, place(plot, start + part * (stop - start)))
    qtbot.mouseRelease(view, Qt.MouseButton.LeftButton, pos=place(plot, stop))


@pytest.mark.parametrize(
    ("start", "by", "shift"),
    [
        pytest.param(60, 7, 23, id="inside, to the right"),
        pytest.param(60, -12, 42, id="inside, to the left"),
        pytest.param(49.5, 5, 25, id="the first edge"),
        pytest.param(69.5, -5, 35, id="the second edge"),
        pytest.param(60, 38, 92, id="over the end"),
        pytest.param(55, -55, 85, id="over the start"),
    ],
)
def test_a_drag_moves_the_band_by_whole_a_lines_round_the_ring(plot, qtbot, start, by, shift):
    seen, settled = [], []
    plot.shift_changed.connect(seen.append)
    plot.shift_settled.connect(settled.append)
    drag(qtbot, plot, start, start + by)
    assert plot.shift == seen[-1] == shift
    assert len(seen) > 1
    assert settled == [shift]


def test_beside_the_band_nothing_is_grabbed(plot, qtbot):
    with qtbot.assertNotEmitted(plot.shift_changed), qtbot.assertNotEmitted(plot.shift_settled):
        drag(qtbot, plot, 20, 35)
        drag(qtbot, plot, 60, 60)
    assert plot.shift == 30


def test_a_band_over_the_end_is_grabbed_by_either_piece(plot, qtbot):
    plot.set_shift(92)  # A-lines 88 to 99, and 0 to 7
    drag(qtbot, plot, 4, 7)
    assert plot.shift == 89
    drag(qtbot, plot, 96, 90)
    assert plot.shift == 95


@pytest.mark.parametrize(
    ("key", "modifier", "shift"),
    [
        pytest.param(Qt.Key.Key_Right, Qt.KeyboardModifier.NoModifier, 29, id="right"),
        pytest.param(Qt.Key.Key_Left, Qt.KeyboardModifier.NoModifier, 31, id="left"),
        pytest.param(Qt.Key.Key_Right, Qt.KeyboardModifier.ShiftModifier, 20, id="far to the right"),
        pytest.param(Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier, 40, id="far to the left"),
    ],
)
def test_arrow_keys_move_the_band(plot, qtbot, key, modifier, shift):
    seen, settled = [], []
    plot.shift_changed.connect(seen.append)
    plot.shift_settled.connect(settled.append)
    qtbot.keyPress(plot, key, modifier)
    assert (seen, settled) == ([shift], [])
    qtbot.keyRelease(plot, key, modifier)
    assert (seen, settled) == ([shift], [shift])


def test_keys_go_round_the_ring_and_other_keys_go_on(plot, qtbot):
    plot.set_shift(0)
    qtbot.keyClick(plot, Qt.Key.Key_Right)
    assert plot.shift == LINES - 1
    with qtbot.assertNotEmitted(plot.shift_changed):
        qtbot.keyClick(plot, Qt.Key.Key_A)
        qtbot.keyClick(plot, Qt.Key.Key_Left, Qt.KeyboardModifier.ControlModifier)


def test_a_click_gives_the_plot_the_keys(plot, qtbot):
    plot.activateWindow()
    qtbot.waitUntil(plot.isActiveWindow)
    qtbot.mouseClick(plot._view.viewport(), Qt.MouseButton.LeftButton, pos=place(plot, 20))
    assert plot.hasFocus()
    framed = pixels(plot)[0, 260, :3]
    plot.clearFocus()
    assert not np.array_equal(pixels(plot)[0, 260, :3], framed)


def test_an_override_shows_as_such(plot, qtbot):
    assert plot.said.text() == "Shift 30"
    assert plot.band._outline is None
    drag(qtbot, plot, 60, 67)
    assert plot.said.text() == "Override: shift 23, detected 30"
    assert plot.band._outline == 50
    drag(qtbot, plot, 67, 60)
    assert plot.said.text() == "Shift 30"


def test_the_wheel_neither_zooms_nor_stays(plot):
    view, before = plot._view.viewport(), plot._box.viewRect()
    where = QPointF(place(plot, 60))
    event = QWheelEvent(
        where,
        QPointF(view.mapToGlobal(where.toPoint())),
        QPoint(0, 120),
        QPoint(0, 120),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(view, event)
    assert plot._box.viewRect() == before
    assert not event.isAccepted()


def test_the_a_line_under_the_mouse_is_named(plot, qtbot):
    value = made_tile().mean(axis=1)[12]
    qtbot.mouseMove(plot._view.viewport(), place(plot, 12))
    qtbot.waitUntil(lambda: plot.hovered.text() == f"A-line 12: {value:.4g}")
    plot._view.pointed.emit(None)
    assert plot.hovered.text() == ""


def test_nothing_to_show(plot, qtbot):
    plot.clear("All tiles are background")
    assert not plot.isEnabled()
    assert plot.said.text() == "All tiles are background"
    assert not plot.band.isVisible()
    with qtbot.assertNotEmitted(plot.shift_changed):
        qtbot.keyClick(plot, Qt.Key.Key_Left)
        plot.set_shift(3)
    plot.set_tile(np.full(60, np.nan), 10, 65)
    assert plot.isEnabled()
    assert plot.shift == 5


@pytest.mark.parametrize("n_extra", [0, 100, 120])
def test_a_return_that_does_not_fit_is_refused(plot, before_after, n_extra):
    with pytest.raises(ValueError, match=f"a return of {n_extra} A-lines"):
        plot.set_tile(np.zeros(100), n_extra, 0)
    with pytest.raises(ValueError, match=f"a return of {n_extra} A-lines"):
        before_after.set_tile(np.zeros((100, 3)), n_extra, 0, "y")


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_all_panels_take_the_colours_of_the_theme(plot, strips, before_after, qtbot, theme):
    bars = ScoreBars()
    qtbot.addWidget(bars)
    colours = colours_of(theme)
    for panel in (plot, strips, before_after, bars):
        panel.set_theme(theme)
    assert tuple(pixels(plot._view)[2, 2, :3]) == colours.background.getRgb()[:3]
    assert plot._curve.opts["pen"].color() == colours.text
    assert bars._rows["contrast"].bar.colours == colours
    assert colours.text.name() in before_after.title.styleSheet()
    plot.set_shift(3)
    assert colours.band.name() in plot.said.styleSheet()


# --- strips -------------------------------------------------------------------------------------------------------
def test_the_best_tile_is_chosen_at_first_and_a_click_chooses_another(strips, qtbot):
    assert strips.current == 1
    with qtbot.waitSignal(strips.chosen) as chosen:
        qtbot.mouseClick(strips._buttons[2], Qt.MouseButton.LeftButton)
    assert chosen.args == [2]
    assert strips.current == 2
    with qtbot.assertNotEmitted(strips.chosen):
        strips.choose(0)
    assert strips.current == 0


def test_keys_choose_tiles(strips, qtbot):
    strips.activateWindow()
    qtbot.waitUntil(strips.isActiveWindow)
    strips._buttons[1].setFocus()
    with qtbot.waitSignal(strips.chosen) as chosen:
        qtbot.keyClick(strips._buttons[1], Qt.Key.Key_Right)
    assert chosen.args == [2]
    assert "confidence 0.70" in strips._buttons[2].accessibleName()


@pytest.mark.parametrize("axis", ["x", "y"])
def test_the_band_is_outlined_where_the_shift_says(strips, axis):
    strips.set_tiles([Strip("t", made_tile(), 0.9, 30)], N_EXTRA, axis)
    button = strips._buttons[0]
    outline = np.array(colours_of("dark").on_picture.getRgb()[:3])
    target = button._target

    def edges() -> list[int]:
        seen = (pixels(button)[..., :3] == outline).all(axis=-1)[target.top() :, target.left() :]
        seen = seen[: target.height(), : target.width()]
        along = seen.all(axis=0) if axis == "x" else seen.all(axis=1)
        return np.flatnonzero(along).tolist()

    scale = (target.width() if axis == "x" else target.height()) / LINES
    for shift, wanted in ((30, (50, 70)), (95, (5, 85))):
        strips.set_shift(shift)
        assert edges() == pytest.approx([one * scale for one in wanted], abs=1)
    strips.set_shift(None)
    assert edges() == pytest.approx([50 * scale, 70 * scale], abs=1)


def test_all_tiles_have_the_same_black_and_white(strips):
    dim, bright = made_tile(contrast=0), made_tile(contrast=0) * 3
    strips.set_tiles([Strip("dim", dim, 0.1, 0), Strip("bright", bright, 0.1, 0)], N_EXTRA, "y")
    means = [pixels(button)[20:60, 40:70, 0].mean() for button in strips._buttons]
    assert means[1] > means[0] + 100


def test_no_tiles_are_said_in_words(strips, qtbot):
    strips.clear("All tiles are background")
    assert strips.current is None
    assert strips._empty.isVisible()
    assert strips._empty.text() == "All tiles are background"
    qtbot.waitUntil(
        lambda: not strips.findChildren(QAbstractButton, options=Qt.FindChildOption.FindChildrenRecursively)
    )


# --- bars ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("total", "colour"),
    [pytest.param(0.3, "leave"), pytest.param(0.55, "consider"), pytest.param(0.6, "fix"), pytest.param(1.0, "fix")],
)
def test_the_confidence_is_painted_in_the_colour_of_its_zone(qtbot, total, colour):
    bars = ScoreBars()
    qtbot.addWidget(bars)
    bars.resize(480, bars.sizeHint().height())
    bars.show()
    bars.set_score(GalvoScore(1, 0.9, 0.8, 0.7, 3, 1, 1, 1, 0.2), confidence=total, share=0.5)
    bar = bars._rows["confidence"].bar
    painted = pixels(bar)[bar.height() // 2, :, :3]
    wanted = getattr(colours_of("dark"), colour).getRgb()[:3]
    share = (painted == wanted).all(axis=-1).sum() / bar.width()
    assert share == pytest.approx(total, abs=0.06)  # the line of the threshold is painted over it
    assert [row.value.text() for row in bars._rows.values()] == ["0.90", "0.80", "0.70", "0.50", f"{total:.2f}"]
    assert bar.accessibleName() == f"confidence: {total:.2f}"


def test_what_does_not_fit_is_in_the_tooltip(qtbot):
    bars = ScoreBars()
    qtbot.addWidget(bars)
    bars.set_score(GalvoScore(0.5, 0.5, 0.5, 0.5, 3, 0.4, 0.9, 0.6, 0.05), Edges(False, 2.0), confidence=0.55)
    bars.show()
    bars.resize(300, bars.height())
    sentence = bars._rows["confidence"].sentence
    assert sentence.text().endswith("…")
    assert sentence.toolTip().startswith("consider: B-scans disagree\n")
    bars.resize(600, bars.height())
    assert sentence.text() == "consider: B-scans disagree"
    bars.clear("reading…")
    assert sentence.text() == "reading…"
    assert bars._rows["tiles"].value.text() == "–"


# --- before and after ---------------------------------------------------------------------------------------------
def shown(before_after: BeforeAfter) -> list[str]:
    panes = (*before_after._tiles, *before_after._mosaics)
    return [pane.caption for pane in panes if pane.isVisible()]


def test_holding_shows_before_and_letting_go_after(before_after, qtbot):
    before_after.set_patch({(0, 0): made_tile(), (0, 1): made_tile(seed=2)})
    assert shown(before_after) == ["Tile, after · x0_y1", "Mosaic, after"]
    with qtbot.waitSignal(before_after.before_shown) as said:
        qtbot.mousePress(before_after.hold, Qt.MouseButton.LeftButton)
    assert said.args == [True]
    assert shown(before_after) == ["Tile, before · x0_y1", "Mosaic, before"]
    qtbot.mouseRelease(before_after.hold, Qt.MouseButton.LeftButton)
    assert shown(before_after) == ["Tile, after · x0_y1", "Mosaic, after"]
    assert before_after.title.text() == "After the fix, shift 30"


def test_both_side_by_side(before_after):
    before_after.beside.setChecked(True)
    before_after.show_before(True)
    assert [one.split(" · ")[0] for one in shown(before_after)[:2]] == ["Tile, before", "Tile, after"]
    assert not before_after.hold.isEnabled()
    before_after.beside.setChecked(False)
    assert shown(before_after)[0] == "Tile, before · x0_y1"


def dark_rows(pane) -> int:
    """Rows of the picture that are the dark return."""
    image = pixels(pane)[..., 0].astype(int)
    middle = image[:, image.shape[1] // 2 - 10 : image.shape[1] // 2 + 10].mean(axis=1)
    return int((middle[8 : image.shape[0] - 24] < 20).sum())


def test_the_fix_is_seen_live_in_tile_and_mosaic(before_after):
    smooth = np.full((LINES, COLUMNS), 100.0)
    smooth[50:70] = 60
    before_after.set_theme("light")  # whose background is no darker than the return
    before_after.set_tile(smooth, N_EXTRA, 30, "y")
    before_after.set_patch({(0, 0): smooth, (1, 0): smooth})
    tiles, mosaics = before_after._tiles, before_after._mosaics
    assert dark_rows(tiles[1]) == dark_rows(mosaics[1]) == 0
    before_after.set_shift(25)
    assert dark_rows(tiles[1]) > 0
    assert dark_rows(mosaics[1]) > 0
    before_after.show_before(True)
    assert dark_rows(tiles[0]) == pytest.approx(2 * dark_rows(mosaics[0]) / 2, abs=8)
    assert dark_rows(tiles[0]) > 15


def test_what_is_not_seen_is_not_computed(before_after):
    assert before_after._tiles[0]._image is None
    before_after.grab()
    assert before_after._tiles[0]._image is None
    assert before_after._tiles[1]._image is not None


def test_a_state_stands_where_the_mosaic_will_be(before_after):
    before_after.set_state("reading the neighbours…")
    assert shown(before_after) == ["Tile, after · x0_y1", "reading the neighbours…"]
    before_after.set_patch({(0, 0): made_tile()})
    assert shown(before_after)[1] == "Mosaic, after · reading the neighbours…"
    before_after.set_state("")
    assert shown(before_after)[1] == "Mosaic, after"
    before_after.clear("All tiles are background")
    assert shown(before_after) == ["All tiles are background", ""]
    assert not before_after.isEnabled()


@pytest.mark.parametrize("axis", ["x", "y"])
def test_before_and_after_are_at_the_same_scale(before_after, axis):
    before_after.set_tile(made_tile(), N_EXTRA, 30, axis)
    before_after.beside.setChecked(True)
    before_after.grab()
    before, after = (pane._scaled for pane in before_after._tiles)
    along, across = ("width", "height") if axis == "x" else ("height", "width")
    assert getattr(after, across)() == pytest.approx(getattr(before, across)(), abs=1)
    assert getattr(after, along)() == pytest.approx(0.8 * getattr(before, along)(), abs=1)


def test_panels_fit_a_narrow_dock(plot, strips, before_after, qtbot):
    bars = ScoreBars()
    qtbot.addWidget(bars)
    panels = (plot, strips, before_after, bars)
    assert max(panel.minimumSizeHint().width() for panel in panels) <= 380
    assert sum(max(panel.minimumSizeHint().height(), panel.minimumHeight()) for panel in panels) <= 640


def test_words_have_the_room_of_a_band_that_is_not_there(qtbot):
    panels = Panels()
    qtbot.addWidget(panels)
    panels.resize(420, 600)
    panels.show()
    panels.clear("There are no tiles to look at", "word " * 40)
    assert not panels.shift.isVisible()
    QApplication.processEvents()
    assert panels.said.width() > 380
