"""Small tables of answers that several panels show: a prompt, what was said before and after, no taller than they need be."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtCore import Qt
from PySide6.QtGui import QColor
from PySide6.QtWidgets import QHeaderView, QTreeWidget, QTreeWidgetItem

from memstudio.ui.texts import plain_tip

MOST_ROWS = 8
MOST_LISTED = 200
"""Rows of a table; of a selection of sixty thousand blocks nobody reads more, and to lay them out would freeze the window."""
ROW_HEIGHT = 23


def table(headers: Sequence[str], width: int | None = None) -> QTreeWidget:
    """A table whose first column takes the room that the others leave; each of those is `width` pixels wide."""
    made = QTreeWidget()
    made.setRootIsDecorated(False)
    made.setUniformRowHeights(True)
    made.setHeaderLabels(list(headers))
    made.setStyleSheet(f"QTreeView::item {{ height: {ROW_HEIGHT - 4}px; }}")
    made.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
    made.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    made.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    header = made.header()
    header.setStretchLastSection(False)
    header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
    for section in range(1, len(headers)):
        header.resizeSection(section, width or (84 if len(headers) < 5 else 66))
    return made


def fill(
    table: QTreeWidget,
    answers: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    colour: Callable[[Mapping[str, Any]], QColor],
    count: int | None = None,
) -> None:
    """Rows of answers by these names, `after` in the colour that says how it fared; a table without rows is hidden.

    count: how many there are, where not all are given. Of more than `MOST_LISTED` the first are listed, and how many there are besides.
    """
    table.clear()
    for one in answers[:MOST_LISTED]:
        texts = [str(one.get(name) or "") for name in names]
        item = QTreeWidgetItem(texts)
        item.setForeground(names.index("after"), colour(one))
        for section, text in enumerate(texts):
            item.setToolTip(section, plain_tip(text))
        table.addTopLevelItem(item)
    if (left := (len(answers) if count is None else count) - table.topLevelItemCount()) > 0:
        table.addTopLevelItem(QTreeWidgetItem([f"… and {left:,} more"]))
    rows = table.topLevelItemCount()
    table.setVisible(rows > 0)
    table.setFixedHeight(min(rows, MOST_ROWS) * ROW_HEIGHT + table.header().sizeHint().height() + 6)
