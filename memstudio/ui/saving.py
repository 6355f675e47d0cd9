"""Pictures of views as files: drawn on the interface thread, written on any."""

from collections.abc import Callable
from pathlib import Path

from PySide6.QtCore import QBuffer, QByteArray, QPoint, QRect
from PySide6.QtGui import QColor, QImage, QImageWriter, QPainter, QPalette
from PySide6.QtWidgets import QWidget

from memstudio.errors import UserError
from memstudio.replacing import replaced
from memstudio.ui.plots.map_plot import MapPlot


def drawn(widget: QWidget, file: Path) -> Callable[[], None]:
    """Draw a widget now; what is given back writes it, on any thread, and raises UserError where that cannot be.

    Raises:
        UserError: the name is of another kind of file than PNG and SVG.
    """
    for plot in (widget, *widget.findChildren(MapPlot)):
        if isinstance(plot, MapPlot):
            plot.finish()
    kind = file.suffix.lower()
    if kind == ".png":
        image = _as_pixels(widget)
        return lambda: _write_pixels(image, file)
    if kind == ".svg":
        text = _as_svg(widget)
        return lambda: _write(text, file)
    raise UserError(f"{file}: name a file that ends in .png or .svg")


def _ground(widget: QWidget) -> QColor:
    return widget.palette().color(QPalette.ColorRole.Window)


def _as_pixels(widget: QWidget) -> QImage:
    image = QImage(widget.size() * widget.devicePixelRatioF(), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(widget.devicePixelRatioF())
    image.fill(_ground(widget))
    widget.render(image)
    return image


def _as_svg(widget: QWidget) -> bytes:
    from PySide6.QtSvg import QSvgGenerator  # no window needs it before its first paint

    held = QByteArray()
    device = QBuffer(held)
    picture = QSvgGenerator()
    picture.setOutputDevice(device)
    picture.setResolution(widget.logicalDpiX())  # else its letters are of another size than the window's
    picture.setSize(widget.size())
    picture.setViewBox(QRect(0, 0, widget.width(), widget.height()))
    painter = QPainter(picture)
    painter.fillRect(widget.rect(), _ground(widget))
    widget.render(painter, QPoint())
    painter.end()
    return bytes(held.data())


def _write(text: bytes, file: Path) -> None:
    with replaced(file) as part:
        part.write_bytes(text)


def _write_pixels(image: QImage, file: Path) -> None:
    held = QByteArray()
    device = QBuffer(held)
    device.open(QBuffer.OpenModeFlag.WriteOnly)
    QImageWriter(device, QByteArray(b"png")).write(image)
    _write(bytes(held.data()), file)
