"""Icons of the tools, in the colour of a theme of napari."""

from __future__ import annotations

from napari.resources import get_colorized_svg, get_icon_path
from napari.utils.theme import get_theme
from qtpy.QtCore import QByteArray, QSize, Qt
from qtpy.QtGui import QIcon, QPainter, QPixmap
from qtpy.QtSvg import QSvgRenderer

ICON_PX = 20
_SHARPER = 2
_HEAD = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 100 100">'
_OWN = {
    "turned": f'{_HEAD}<path d="M58 8 92 40 42 92 8 60Z M58 20 20 60 42 80 80 40Z" fill-rule="evenodd"/></svg>',
    "stamp": f'{_HEAD}<path d="M38 8h24v18c0 14 4 20 10 26h16v22H12V52h16c6-6 10-12 10-26Z M12 82h76v10H12Z"/></svg>',
}
"""Drawn here, because napari has none of these."""


def icon_of(name: str, theme: str) -> QIcon:
    """Give an icon of napari, or one of our own, in the colour that a theme has for icons.

    Raises
    ------
    ValueError
        If there is no such icon or theme.
    """
    colour = get_theme(theme).icon.as_hex(format="long")
    svg = get_colorized_svg(_OWN.get(name) or get_icon_path(name), colour)
    pixmap = QPixmap(QSize(ICON_PX, ICON_PX) * _SHARPER)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(svg.encode())).render(painter)
    painter.end()
    return QIcon(pixmap)
