"""Small parts that several panels are made of: labels with a role, a layout that wraps, segmented buttons, an empty state."""

from collections.abc import Callable, Sequence

from PySide6.QtCore import QEvent, QObject, QPoint, QRect, QSize, Qt, Signal
from PySide6.QtWidgets import (
    QAbstractSpinBox,
    QButtonGroup,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLayout,
    QLayoutItem,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from memstudio.ui.texts import plain_tip


def label(text: str = "", kind: str = "", *, wrap: bool = False, tip: str = "", selectable: bool = False) -> QLabel:
    """A label in one of the style sheet's roles; plain text always (labels of a bank are untrusted)."""
    made = QLabel(text)
    made.setTextFormat(Qt.TextFormat.PlainText)
    made.setWordWrap(wrap)
    if kind:
        made.setProperty("kind", kind)
    if tip:
        made.setToolTip(plain_tip(tip))
    if selectable:
        made.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return made


def set_kind(widget: QWidget, kind: str) -> None:
    """Give a widget another role of the style sheet."""
    if widget.property("kind") != kind:
        widget.setProperty("kind", kind)
        widget.style().unpolish(widget)
        widget.style().polish(widget)
        widget.updateGeometry()


def row(*items: QWidget | int, spacing: int = 6) -> QHBoxLayout:
    """Widgets side by side; a number is a stretch."""
    made = QHBoxLayout()
    made.setContentsMargins(0, 0, 0, 0)
    made.setSpacing(spacing)
    for item in items:
        if isinstance(item, int):
            made.addStretch(item)
        else:
            made.addWidget(item)
    return made


def inset(box: QAbstractSpinBox) -> None:
    """Keep a spin box's text off its frame, which the style sheet cannot."""
    box.lineEdit().setTextMargins(5, 0, 0, 0)


def line() -> QFrame:
    """A thin rule."""
    made = QFrame()
    made.setProperty("kind", "line")
    return made


def pages(parent: QWidget, margins: tuple[int, int, int, int], *widgets: QWidget) -> QStackedWidget:
    """Fill `parent` with widgets of which one shows, the first to begin with."""
    made = QStackedWidget()
    for widget in widgets:
        made.addWidget(widget)
    column = QVBoxLayout(parent)
    column.setContentsMargins(*margins)
    column.addWidget(made)
    return made


class FlowLayout(QLayout):
    """Items from left to right, wrapped to the width."""

    def __init__(self, spacing: int = 6) -> None:
        super().__init__()
        self._items: list[QLayoutItem] = []
        self.setContentsMargins(0, 0, 0, 0)
        self.setSpacing(spacing)

    def addItem(self, item: QLayoutItem) -> None:
        self._items.append(item)

    def count(self) -> int:
        return len(self._items)

    def itemAt(self, index: int) -> QLayoutItem | None:
        return self._items[index] if 0 <= index < len(self._items) else None

    def takeAt(self, index: int) -> QLayoutItem | None:
        return self._items.pop(index) if 0 <= index < len(self._items) else None

    def clear(self) -> None:
        """Delete all widgets in it."""
        while self._items:
            widget = self._items.pop().widget()
            if widget is not None:
                widget.hide()
                widget.deleteLater()

    def expandingDirections(self) -> Qt.Orientation:
        return Qt.Orientation(0)

    def hasHeightForWidth(self) -> bool:
        return True

    def heightForWidth(self, width: int) -> int:
        return self._arrange(QRect(0, 0, width, 0), place=False)

    def setGeometry(self, rect: QRect) -> None:
        super().setGeometry(rect)
        self._arrange(rect, place=True)

    def sizeHint(self) -> QSize:
        return self.minimumSize()

    def minimumSize(self) -> QSize:
        size = QSize()
        for item in self._items:
            size = size.expandedTo(item.minimumSize())
        return size

    def _arrange(self, rect: QRect, *, place: bool) -> int:
        x, y, height = rect.x(), rect.y(), 0
        for item in self._items:
            if item.isEmpty():  # hidden: it takes no room, nor the space behind it
                continue
            hint = item.sizeHint()
            if x > rect.x() and x + hint.width() > rect.right() + 1:
                x, y, height = rect.x(), y + height + self.spacing(), 0
            if place:
                item.setGeometry(QRect(QPoint(x, y), hint))
            x += hint.width() + self.spacing()
            height = max(height, hint.height())
        return y + height - rect.y()


class Body(QWidget):
    """What a scroll area makes no higher than it must be, where its layout's height goes by its width."""

    def heightForWidth(self, width: int) -> int:
        layout = self.layout()
        return super().heightForWidth(width) if layout is None else layout.minimumHeightForWidth(width)


class Roomy(QScrollArea):
    """Gives a body all the height that it asks for, but asks no more for it than a share of the screen: beyond that it scrolls."""

    def __init__(self, widget: Body) -> None:
        super().__init__()
        self._share, self._body = 1.0, widget
        self.setFrameShape(QFrame.Shape.NoFrame)
        self.setFocusPolicy(Qt.FocusPolicy.NoFocus)
        self.setWidgetResizable(True)
        self.viewport().setAutoFillBackground(False)
        self.setWidget(widget)
        widget.setAutoFillBackground(False)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if watched is self._body and event.type() == QEvent.Type.LayoutRequest:
            self.updateGeometry()
        return super().eventFilter(watched, event)

    def ask_for(self, share: float) -> None:
        """Ask for so much of the screen's height at most, between 0 and 1."""
        self._share = share
        self.updateGeometry()

    def minimumSizeHint(self) -> QSize:
        least = self._body.minimumSizeHint()
        height = max(least.height(), self._body.heightForWidth(self.width()))
        return QSize(least.width(), min(height, round(self.screen().availableGeometry().height() * self._share)))


class FlowBox(QWidget):
    """Holds a FlowLayout where the layout around it asks for no height by width: it keeps as high as its lines."""

    def __init__(self, flow: FlowLayout) -> None:
        super().__init__()
        self._flow = flow
        self.setLayout(flow)

    def event(self, event: QEvent) -> bool:
        done = super().event(event)
        if event.type() in (QEvent.Type.LayoutRequest, QEvent.Type.Resize):
            self.setMinimumHeight(self._flow.heightForWidth(self.width()))
        return done


class Segments(QWidget):
    """Buttons of which one is down. Emits `chosen` with its place, by a click only."""

    chosen = Signal(int)

    def __init__(self, texts: Sequence[tuple[str, str]] = ()) -> None:
        """texts: (text, tooltip) of each button."""
        super().__init__()
        self._group = QButtonGroup(self)
        self._group.setExclusive(True)
        self._group.idClicked.connect(self.chosen)
        self._row = QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self._row.setSpacing(0)
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.offer(texts)

    def offer(self, texts: Sequence[tuple[str, str]]) -> None:
        """Other buttons; the first is down."""
        for button in self._group.buttons():
            self._group.removeButton(button)
            self._row.removeWidget(button)
            button.hide()
            button.deleteLater()
        for at, (text, tip) in enumerate(texts):
            button = QPushButton(text)
            button.setProperty("kind", "segment")
            button.setCheckable(True)
            button.setToolTip(tip)
            self._group.addButton(button, at)
            self._row.addWidget(button)
        if texts:
            self.choose(0)

    def choose(self, place: int) -> None:
        """Press a button without a signal."""
        button = self._group.button(place)
        if button is not None:
            button.setChecked(True)

    @property
    def place(self) -> int:
        """Which button is down; −1 when there is none."""
        return self._group.checkedId()


class EmptyState(QFrame):
    """What a panel shows while it has nothing: what this is for, and what to do."""

    def __init__(self, title: str, hint: str, button: tuple[str, Callable[[], None]] | None = None) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.title = label(title, "section")
        self.hint = label(hint, "dim", wrap=True)
        self.title.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.hint.setAlignment(Qt.AlignmentFlag.AlignCenter)
        column = QVBoxLayout(self)
        column.setContentsMargins(16, 12, 16, 12)
        column.setSpacing(6)
        column.addStretch(1)
        column.addWidget(self.title)
        column.addWidget(self.hint)
        self._buttons = QVBoxLayout()
        self._buttons.setSpacing(6)
        column.addSpacing(4)
        column.addLayout(self._buttons)
        column.addStretch(1)
        if button is not None:
            self.offer(*button)

    def offer(self, text: str, act: Callable[[], None]) -> None:
        """One more button."""
        press = QPushButton(text)
        press.clicked.connect(lambda: act())
        self._buttons.addWidget(press, 0, Qt.AlignmentFlag.AlignHCenter)
