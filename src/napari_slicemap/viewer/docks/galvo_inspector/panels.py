"""What is seen of the chosen slice: its tiles, the profile of one of them, the score, before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QLabel, QSpinBox, QVBoxLayout, QWidget

from ....slices.galvo.decisions import Standing
from ....slices.galvo.detect import LEAST_VOTE
from ....slices.galvo.record import GalvoRecord, Parts
from ....slices.galvo.score import ANOMALY_SHARE, CONTRAST_SHARE, SHARPNESS_SHARE
from ..parts import button, counted, row, small
from .before_after import BeforeAfter
from .profile_plot import ProfilePlot
from .reading import Look, Weighed, patch_of
from .ring import is_near
from .score_bars import ScoreBars
from .tile_strips import Strip, TileStrips

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_KINDS = {"raw": "raw", "mosaic": "of a mosaic"}


class Panels(QWidget):
    """Shows one slice, and lets the band be moved; nothing is decided here."""

    shift_changed = Signal(int)
    """Where the band stands now, as the shift that it stands for; while it is moved, too."""
    tile_chosen = Signal(int)
    """Another tile is looked at, by its index in the slice."""

    def __init__(self) -> None:
        super().__init__()
        self.look: Look | None = None
        self._tile: int | None = None
        self._weighed: Weighed | None = None
        self.heading = QLabel()
        self.heading.setStyleSheet("font-weight: bold;")
        self.heading.setWordWrap(True)
        self.said = small()
        self.strips, self.profile, self.bars, self.before_after = (
            TileStrips(),
            ProfilePlot(),
            ScoreBars(),
            BeforeAfter(),
        )
        self.shift = ShiftBox()
        self.detected = button("Detected", "Put the band back to where the return was found")
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 4)
        layout.setSpacing(3)
        layout.addWidget(self.heading)
        self._shift_label = QLabel("Shift")
        head = row(self.said, self._shift_label, self.shift, self.detected)
        head.setStretch(0, 1)
        layout.addLayout(head)
        layout.addWidget(self.strips)
        layout.addWidget(self.profile)
        layout.addWidget(self.bars)
        layout.addWidget(self.before_after, 1)
        self.strips.chosen.connect(self._on_tile)
        self.profile.shift_changed.connect(self.move_to)
        self.shift.valueChanged.connect(self.move_to)
        self.detected.clicked.connect(self._back)
        self.clear("")

    # --- what is shown ------------------------------------------------------------------------------------------
    @property
    def tile(self) -> int | None:
        """The tile that is looked at, by its index in the slice; ``None`` where there is none."""
        return self._tile

    @property
    def place(self) -> tuple[NDArray[np.float64], int, int, int] | None:
        """What is to be weighed: projection, tile, A-lines of the return, shift; ``None`` where nothing is seen."""
        if self.look is None or self._tile is None:
            return None
        return self.look.aips[self._tile], self._tile, self.look.tiles.n_extra, self.shift.value()

    def clear(self, heading: str, why: str = "") -> None:
        """Show no slice, and say why."""
        self.look, self._tile, self._weighed = None, None, None
        self.heading.setText(heading)
        self.said.setText(why)
        for panel in (self.strips, self.profile, self.bars, self.before_after):
            panel.clear("")
        self._enable(False)

    def show_look(self, look: Look, now: Standing) -> None:
        """Show a slice; the band stands where a fix by what is decided would have it."""
        tiles, record = look.tiles, look.record
        sampled = look.sampled
        if not sampled or now.shift is None:
            self.clear(
                f"Slice {look.slice_id}: nothing but background",
                f"{counted(len(record.background), 'tile')} looked at, all below the mean intensity of tissue.",
            )
            self.look = look
            return
        self.look, self._weighed = look, None
        best = look.best or 0
        looked = f"{len(sampled)} of {counted(len(tiles.tiles), 'tile')} looked at ({_KINDS[tiles.kind]})"
        self.said.setText(f"{looked}\n{tiles.lines} A-lines along {tiles.axis}, {tiles.n_extra} of the return")
        self.strips.set_tiles(
            [
                Strip(_caption(look, index), look.aips[index], one.confidence, one.shift, number == best)
                for number, (index, one) in enumerate(sampled)
            ],
            tiles.n_extra,
            tiles.axis,
        )
        with QSignalBlocker(self.shift):
            self.shift.setRange(0, tiles.lines - 1)
            self.shift.setValue(now.shift)
        self.strips.set_shift(now.shift)
        self._enable(True)
        self._on_tile(best)

    def move_to(self, shift: int) -> None:
        """Move the band; what is seen follows."""
        if self.look is None:
            return
        with QSignalBlocker(self.shift):
            self.shift.setValue(shift)
        self.profile.set_shift(shift)
        self.strips.set_shift(shift)
        self.before_after.set_shift(shift)
        self.shift_changed.emit(shift)

    def say_standing(self, slice_id: str, now: Standing) -> None:
        """Say in the heading what is decided."""
        self.heading.setText(f"Slice {slice_id}: {_words(now)}")

    def set_weighed(self, weighed: Weighed) -> None:
        """Show what speaks for the place of the band, if it is still there."""
        look = self.look
        if look is None or weighed.tile != self._tile or weighed.score.shift != self.shift.value():
            return
        self._weighed = weighed
        sampled = dict(look.sampled)
        own = sampled.get(weighed.tile)
        here = own is not None and own.shift == weighed.score.shift
        self.bars.set_score(
            weighed.score,
            weighed.edges,
            share=_share(look.record, own.name if own else "", weighed.score.shift),
            confidence=own.confidence if own is not None and here else None,
            threshold=look.record.threshold,
        )

    def show_patch(self, state: str = "") -> None:
        """Show the tiles around, as far as they have been read, and say what goes on with the others."""
        if self.look is not None and self._tile is not None:
            self.before_after.set_patch(patch_of(self.look, self._tile))
            self.before_after.set_state(state)

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        for panel in (self.strips, self.profile, self.bars, self.before_after):
            panel.set_theme(theme)

    # --- the parts ----------------------------------------------------------------------------------------------
    def _on_tile(self, number: int) -> None:
        look = self.look
        if look is None:
            return
        self._tile, _ = look.sampled[number]
        tiles, aip, shift = look.tiles, look.aips[self._tile], self.shift.value()
        self.profile.set_tile(aip.mean(axis=1), tiles.n_extra, shift, look.record.likeliest)
        self.before_after.set_tile(aip, tiles.n_extra, shift, tiles.axis, _caption(look, self._tile))
        self.bars.clear()
        self.tile_chosen.emit(self._tile)

    def _back(self) -> None:
        if self.look is not None and self.look.record.likeliest is not None:
            self.move_to(self.look.record.likeliest)

    def _enable(self, enabled: bool) -> None:
        """Let the band be moved; where there is none, the words have its room."""
        for part in (self._shift_label, self.shift, self.detected):
            part.setEnabled(enabled)
            part.setVisible(enabled)


class ShiftBox(QSpinBox):
    """The shift as a number; it goes round, and letters are the keys of the dock."""

    def __init__(self) -> None:
        super().__init__()
        self.setWrapping(True)
        self.setSuffix(" A-lines")
        self.setKeyboardTracking(False)
        self.setToolTip("A-lines by which the fix rolls each tile, so that the return comes to its end")
        self.setAccessibleName("Shift in A-lines")

    def event(self, event: QEvent) -> bool:
        """Leave to shortcuts what is no digit."""
        if event.type() == QEvent.Type.ShortcutOverride and isinstance(event, QKeyEvent):
            plain = event.modifiers() in (Qt.KeyboardModifier.NoModifier, Qt.KeyboardModifier.KeypadModifier)
            if not plain or event.text().isalpha():
                event.ignore()
                return False
        return super().event(event)


def _caption(look: Look, index: int) -> str:
    tile = look.tiles.tiles[index]
    return f"row {tile.row}, col {tile.column}"


def _share(record: GalvoRecord, name: str, shift: int) -> float | None:
    """Give how far the tiles other than one agree to a place, as the detection does; ``None`` without others."""
    others = [one for one in record.tiles if one.name != name]
    if not others:
        return None
    agree = [one for one in others if is_near(one.shift, shift, record.lines)]
    total = sum(_score(one.parts) + LEAST_VOTE for one in others)
    return sum(_score(one.parts) for one in agree) / total


def _score(parts: Parts) -> float:
    return CONTRAST_SHARE * parts.contrast + SHARPNESS_SHARE * parts.sharpness + ANOMALY_SHARE * parts.anomaly


def _words(now: Standing) -> str:
    """Say what is decided and by whom."""
    if now.fix is None:
        return "not decided yet"
    done = "leave it" if not now.fix else "fix" if now.shift is None else f"fix by {now.shift} A-lines"
    if now.by == "detection":
        return f"{done}, says the detection"
    return f"{done}, a reviewer's override" if now.overridden else f"{done}, says a reviewer"
