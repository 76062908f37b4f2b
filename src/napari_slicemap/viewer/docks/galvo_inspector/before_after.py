"""A tile and a patch of the mosaic, as they are and as the fix would leave them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QHBoxLayout, QLabel, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from ..colours import THEME, Colours, colours_of
from ..painting import TEXT_PX, small_font
from .pane import Pane, Scene
from .patches import Axis, as_picture, compose, grey, limits_of, without_return
from .ring import band_edges

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Grey = NDArray[np.uint8]

_EMPTY = "No tile to show"


class BeforeAfter(QWidget):
    """The chosen tile and a patch of the mosaic, before or after the fix, or both side by side.

    Before: the tile whole, with marks at the edges of the return; in the patch, tiles as if the return were at their
    end. After: both rolled, and the return cut off. Nothing is computed for what is not seen.
    """

    before_shown = Signal(bool)
    """Whether what is seen is before the fix."""

    def __init__(self) -> None:
        super().__init__()
        self._tile: Grey | None = None
        self._mosaic: dict[tuple[int, int], Grey] = {}
        self._lines, self._n_extra, self._shift = 2, 1, 0
        self._axis: Axis = "y"
        self._before = False
        self._name = self._state = ""
        self.title = QLabel()
        self.hold = QPushButton("Hold for before (B)")
        self.beside = QCheckBox("Side by side")
        self._tiles, self._mosaics = (Pane(), Pane()), (Pane(), Pane())
        self._build()
        self.set_theme(THEME)
        self.clear()

    def _build(self) -> None:
        self.hold.setToolTip("Shows tile and mosaic as they are for as long as it is held, as the key B does")
        self.hold.setFocusPolicy(Qt.FocusPolicy.TabFocus)
        self.beside.setToolTip("Shows both at once, before the fix and after it")
        self.title.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        head, room = QHBoxLayout(), QHBoxLayout()
        head.setContentsMargins(2, 0, 2, 0)
        head.addWidget(self.title, 1)
        head.addWidget(self.beside)
        head.addWidget(self.hold)
        room.setSpacing(6)
        for pane, stretch in (*((pane, 2) for pane in self._tiles), *((pane, 3) for pane in self._mosaics)):
            room.addWidget(pane, stretch)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(2, 2, 2, 2)
        layout.setSpacing(2)
        layout.addLayout(head)
        layout.addLayout(room, 1)
        self.hold.pressed.connect(lambda: self.show_before(True))
        self.hold.released.connect(lambda: self.show_before(False))
        self.beside.toggled.connect(lambda _on: self._arrange())

    # --- what there is to see -----------------------------------------------------------------------------------
    def set_tile(self, aip: NDArray[Any], n_extra: int, shift: int, axis: Axis, name: str = "") -> None:
        """Show a tile, and no patch as yet.

        Parameters
        ----------
        aip : ndarray, (A-lines, B-scans)
            The mean over depth of a whole tile: real numbers.
        n_extra : int
            A-lines of the return: at least 1, and fewer than there are.
        shift : int
            A-lines to roll by.
        axis : "x" or "y"
            Along which A-lines follow one another in the picture.
        name : str
            For the caption.

        Raises
        ------
        ValueError
            If the return does not fit into the tile.
        """
        if aip.ndim != 2 or not 0 < n_extra < len(aip):
            raise ValueError(f"a return of {n_extra} A-lines in a tile of shape {aip.shape}, expected fewer A-lines")
        self._tile, self._mosaic = grey(aip, limits_of([aip])), {}
        self._lines, self._n_extra, self._shift, self._axis = len(aip), n_extra, shift, axis
        self._name, self._state = name, ""
        self.setEnabled(True)
        self._renew()

    def set_patch(self, tiles: Mapping[tuple[int, int], NDArray[Any]]) -> None:
        """Show tiles of the mosaic put together, those that have been read.

        Parameters
        ----------
        tiles : mapping of (row, column) to ndarray, (A-lines, B-scans)
            Means over depth. One with fewer A-lines than the tile is cut short, and stays as it is.
        """
        limits = limits_of(tiles.values())
        self._mosaic = {place: grey(aip, limits) for place, aip in tiles.items()}
        self._renew()

    def set_state(self, text: str) -> None:
        """Say what goes on with the patch, such as ``"reading the neighbours…"``; nothing, if it is all there."""
        self._state = text
        self._renew()

    def set_shift(self, shift: int) -> None:
        """Show what another shift would do."""
        if shift != self._shift:
            self._shift = shift
            self._renew()

    def show_before(self, before: bool) -> None:
        """Show tile and patch as they are, or as the fix would leave them; side by side, nothing changes."""
        if before != self._before:
            self._before = before
            self._arrange()
            self.before_shown.emit(before)

    def clear(self, why: str = _EMPTY) -> None:
        """Show nothing, and say why."""
        self._tile, self._mosaic, self._state = None, {}, why
        self.setEnabled(False)
        self._renew()

    def set_theme(self, theme: str) -> None:
        """Paint in the colours of a theme of napari, by its name."""
        self._colours: Colours = colours_of(theme)
        self.title.setFont(small_font(self, bold=True))
        for widget in (self.hold, self.beside):
            widget.setStyleSheet(f"font-size: {TEXT_PX}px; padding: 3px;")
        for pane in (*self._tiles, *self._mosaics):
            pane.set_colours(self._colours)
        self._arrange()

    # --- how it is shown ----------------------------------------------------------------------------------------
    def _arrange(self) -> None:
        both = self.beside.isChecked()
        for before, after in (self._tiles, self._mosaics):
            before.setVisible(both or self._before)
            after.setVisible(both or not self._before)
        self.hold.setEnabled(not both)
        said = (
            "Before and after the fix"
            if both
            else "Before the fix"
            if self._before
            else f"After the fix, shift {self._shift}"
        )
        self.title.setText(said if self._tile is not None else "")
        colour = self._colours.band if self._before and not both else self._colours.text
        self.title.setStyleSheet(f"color: {colour.name()}; font-size: {TEXT_PX}px;")

    def _renew(self) -> None:
        name, state = (f" · {one}" if one else "" for one in (self._name, self._state))
        for tile, mosaic, when, shift in zip(
            self._tiles, self._mosaics, ("before", "after"), (None, self._shift), strict=True
        ):
            tile.set_scene(self._tile_scene(shift, f"Tile, {when}{name}"))
            mosaic.set_scene(self._mosaic_scene(shift, f"Mosaic, {when}{state}"))
        self._arrange()

    def _tile_scene(self, shift: int | None, caption: str) -> Scene:
        tile, axis, lines, n_extra = self._tile, self._axis, self._lines, self._n_extra
        if tile is None:
            return Scene(caption=self._state)
        if shift is None:
            marks = band_edges(lines, n_extra, self._shift)
            return Scene(lambda: as_picture(tile, axis), caption, None, marks, axis, lines)
        height, width = as_picture(tile, axis).shape
        return Scene(lambda: as_picture(without_return(tile, lines, n_extra, shift), axis), caption, (height, width))

    def _mosaic_scene(self, shift: int | None, caption: str) -> Scene:
        tiles, axis, lines, n_extra = self._mosaic, self._axis, self._lines, self._n_extra
        if not tiles:
            return Scene(caption="" if self._tile is None else self._state)
        return Scene(lambda: compose(tiles, axis, lines, n_extra, shift), caption)
