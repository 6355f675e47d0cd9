"""Pictures of views as files."""

from pathlib import Path

from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QImage, QPainter
from PySide6.QtWidgets import QWidget

from memstudio.errors import UserError
from memstudio.ui.plots.map_plot import MapPlot


def save_widget(widget: QWidget, file: Path) -> None:
    """Write a widget as it looks, as PNG or SVG by the file's name.

    Raises:
        UserError: another kind of file, or it cannot be written there.
    """
    kind = file.suffix.lower()
    for plot in (widget, *widget.findChildren(MapPlot)):
        if isinstance(plot, MapPlot):
            plot.finish()
    if kind == ".png":
        image = QImage(widget.size() * widget.devicePixelRatioF(), QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(widget.devicePixelRatioF())
        widget.render(image)
        done = image.save(str(file))
    elif kind == ".svg":
        from PySide6.QtSvg import QSvgGenerator  # no window needs it before its first paint

        picture = QSvgGenerator()
        picture.setFileName(str(file))
        picture.setSize(widget.size())
        picture.setViewBox(QRect(0, 0, widget.width(), widget.height()))
        painter = QPainter()
        done = painter.begin(picture)
        if done:
            widget.render(painter, QPoint())
            painter.end()
    else:
        raise UserError(f"{file}: name a file that ends in .png or .svg")
    if not done:
        raise UserError(f"{file}: the picture cannot be written there; name a file in a folder that exists")
