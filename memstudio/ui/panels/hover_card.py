"""A card beside the cursor, for views that draw more clusters than could each be a widget."""

from collections.abc import Sequence

from PySide6.QtCore import QPoint, Qt
from PySide6.QtWidgets import QLabel, QWidget


class HoverCard(QLabel):
    """A few lines beside the cursor."""

    def __init__(self, owner: QWidget) -> None:
        super().__init__(owner, Qt.WindowType.ToolTip)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setProperty("kind", "card")
        self.setMargin(6)
        self.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)

    def show_lines(self, lines: Sequence[str], at: QPoint) -> None:
        """Beside `at` (global), kept on its screen."""
        self.setText("\n".join(lines))
        self.adjustSize()
        place = at + QPoint(14, 18)
        screen = self.screen().availableGeometry()
        place.setX(min(place.x(), screen.right() - self.width() - 4))
        place.setY(place.y() if place.y() + self.height() < screen.bottom() else at.y() - self.height() - 8)
        self.move(place)
        self.show()
