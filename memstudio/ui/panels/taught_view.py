"""What the study taught: the documents by name, each with its revision; those that are selected can be erased again."""

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QAbstractItemView, QListWidget, QListWidgetItem, QVBoxLayout, QWidget

from memstudio.ui.learn_views import Taught, TaughtView
from memstudio.ui.panels.parts import EmptyState, label
from memstudio.ui.texts import counted, plain_tip

_HINT = (
    "An erasure takes a document out of every block on its routes and measures what is left of it. "
    "The study keeps its words for undo until it is purged (History › Purge)."
)


class TaughtList(QWidget):
    """Emits `changed` when others are selected."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.list = QListWidget()
        self.list.setObjectName("learn.taught")
        self.list.setAccessibleName("Documents that this study taught")
        self.list.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.itemSelectionChanged.connect(self.changed)
        self.empty = EmptyState("Nothing taught yet", "Documents that you add stand here, so that each can be erased again by its name.")
        self.hint = label(_HINT, "dim", wrap=True)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(7)
        for widget in (self.empty, self.list):
            column.addWidget(widget, 1)
        column.addWidget(self.hint)
        self.show_taught(TaughtView(()))

    @property
    def names(self) -> tuple[str, ...]:
        """The names that are selected, each once."""
        return tuple(dict.fromkeys(item.data(Qt.ItemDataRole.UserRole) for item in self.list.selectedItems()))

    def show_taught(self, view: TaughtView) -> None:
        """Other documents; those of a selected name stay selected."""
        names = set(self.names)
        self.list.blockSignals(True)
        self.list.clear()
        for one in view.documents:
            item = QListWidgetItem(taught_words(one))
            item.setData(Qt.ItemDataRole.UserRole, one.name)
            item.setToolTip(plain_tip(one.name))
            if one.erased is not None:
                item.setFlags(Qt.ItemFlag.NoItemFlags)
            self.list.addItem(item)
            item.setSelected(one.name in names and one.erased is None)
        self.list.blockSignals(False)
        for widget, shown in ((self.list, bool(view.documents)), (self.hint, bool(view.documents)), (self.empty, not view.documents)):
            widget.setVisible(shown)
        if names != set(self.names):
            self.changed.emit()


def taught_words(one: Taught) -> str:
    """notes.txt · revision 3 · 1,204 characters · erased in revision 5."""
    gone = "" if one.erased is None else f" · erased in revision {one.erased}"
    return f"{one.name} · revision {one.revision} · {counted(one.characters, 'character')}{gone}"
