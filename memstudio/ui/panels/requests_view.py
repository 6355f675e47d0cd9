"""Many facts that are to change together: their prompts, the answers that they have, and the new ones."""

from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt
from PySide6.QtWidgets import QHeaderView, QTreeView, QVBoxLayout, QWidget

from memstudio.facts.values import Fact
from memstudio.ui.panels.parts import label
from memstudio.ui.texts import counted

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
HEADERS = ("Prompt", "Expected", "New answer")


class RequestsModel(QAbstractTableModel):
    """A row a fact; nothing is copied out of them."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._facts: tuple[Fact, ...] = ()

    def show_facts(self, facts: tuple[Fact, ...]) -> None:
        """Other facts."""
        self.beginResetModel()
        self._facts = facts
        self.endResetModel()

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self._facts)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(HEADERS)

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        return HEADERS[section] if orientation == Qt.Orientation.Horizontal and role == Qt.ItemDataRole.DisplayRole else None

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role != Qt.ItemDataRole.DisplayRole or not index.isValid():
            return None
        fact = self._facts[index.row()]
        return (fact.prompt, fact.expected, fact.target)[index.column()]


class RequestsView(QWidget):
    """The list, to read only."""

    def __init__(self) -> None:
        super().__init__()
        self.model = RequestsModel(self)
        self.view = QTreeView()
        self.view.setAccessibleName("Facts to change")
        self.view.setRootIsDecorated(False)
        self.view.setUniformRowHeights(True)
        self.view.setModel(self.model)
        header = self.view.header()
        header.setStretchLastSection(False)
        header.setSectionResizeMode(0, QHeaderView.ResizeMode.Stretch)
        for section in (1, 2):
            header.resizeSection(section, 110)
        self._title = label("", "section")
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(4)
        column.addWidget(self._title)
        column.addWidget(self.view, 1)

    def show_facts(self, facts: tuple[Fact, ...]) -> None:
        """Other facts."""
        self.model.show_facts(facts)
        self._title.setText(f"{counted(len(facts), 'fact')}, changed together as one revision")
