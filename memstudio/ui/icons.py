"""Icons: our own line drawings under resources/icons/, tinted with the tone in force."""

from functools import lru_cache

from PySide6.QtCore import QByteArray, QSize, Qt
from PySide6.QtGui import QIcon, QPainter, QPixmap, QPixmapCache
from PySide6.QtSvg import QSvgRenderer

from memstudio.paths import resources
from memstudio.ui.theme import Tone

DISABLED_OPACITY = 0.35


def icon(name: str, tone: Tone, colour: str | None = None) -> QIcon:
    """An icon of resources/icons/NAME.svg in the tone's text colour (or another), sharp at 16 to 64 px, faded when disabled."""
    made = QIcon()
    for size in (16, 20, 24, 32, 64):
        made.addPixmap(pixmap(name, colour or tone.text, size))
        made.addPixmap(_faded(name, colour or tone.text, size), QIcon.Mode.Disabled)
    return made


def pixmap(name: str, colour: str, size: int, ratio: float = 1.0) -> QPixmap:
    """The drawing, `size` logical pixels square, its `currentColor` replaced. Kept in Qt's own cache, which ends with the application."""
    key = f"memstudio/{name}/{colour}/{size}/{ratio}"
    picture = QPixmap()
    if QPixmapCache.find(key, picture):
        return picture
    drawing = _drawing(name).replace("currentColor", colour)
    picture = QPixmap(QSize(size, size) * ratio)
    picture.fill(Qt.GlobalColor.transparent)
    painter = QPainter(picture)
    QSvgRenderer(QByteArray(drawing.encode())).render(painter)
    painter.end()
    picture.setDevicePixelRatio(ratio)
    QPixmapCache.insert(key, picture)
    return picture


@lru_cache(maxsize=128)
def _drawing(name: str) -> str:
    return (resources() / "icons" / f"{name}.svg").read_text(encoding="utf-8")


def _faded(name: str, colour: str, size: int) -> QPixmap:
    """The drawing as it looks disabled, kept as `pixmap` keeps it."""
    key, faded = f"memstudio/faded/{name}/{colour}/{size}", QPixmap()
    if QPixmapCache.find(key, faded):
        return faded
    picture = pixmap(name, colour, size)
    faded = QPixmap(picture.size())
    faded.fill(Qt.GlobalColor.transparent)
    painter = QPainter(faded)
    painter.setOpacity(DISABLED_OPACITY)
    painter.drawPixmap(0, 0, picture)
    painter.end()
    QPixmapCache.insert(key, faded)
    return faded
