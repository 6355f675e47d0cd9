"""What a search found, under a heading for each kind of match, and the way from there into a selection."""

from collections.abc import Iterator

from PySide6.QtCore import QSize, Qt, Signal
from PySide6.QtWidgets import QListWidget, QListWidgetItem, QPushButton, QStackedLayout, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId
from memstudio.session.findings import HEADINGS, Finding, Findings
from memstudio.ui.panels.parts import EmptyState, label
from memstudio.ui.texts import plain_tip

HEADING_HEIGHT = 26


class SearchResults(QWidget):
    """Emits `taken` (a ClusterId) and `all_wanted` (a tuple of ClusterIds, best first)."""

    taken = Signal(object)
    all_wanted = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.clusters: tuple[ClusterId, ...] = ()
        self.list = QListWidget()
        self.list.setObjectName("search_results")
        self.list.setAccessibleName("What the search found")
        self.list.itemClicked.connect(self._take)
        self.list.itemActivated.connect(self._take)
        self.count = label("", "dim", wrap=True)
        self.all_button = QPushButton("")
        self.all_button.setObjectName("search_all")
        self.all_button.setAccessibleName("Select all blocks found")
        self.all_button.setToolTip("Select all blocks of this list, in every view")
        self.all_button.clicked.connect(lambda: self.all_wanted.emit(self.clusters))
        self._nothing = EmptyState("Nothing found", "No label, term, id, document, token or fact holds this text.")
        found = QWidget()
        column = QVBoxLayout(found)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addWidget(self.list, 1)
        column.addWidget(self.count)
        column.addWidget(self.all_button)
        self._pages = QStackedLayout(self)
        self._pages.addWidget(found)
        self._pages.addWidget(self._nothing)

    def show_found(self, found: Findings) -> None:
        """Matches, best first; those of several kinds under headings."""
        self.list.clear()
        for kind, heading in HEADINGS.items():
            mine = [one for one in found.findings if one.kind == kind]
            if mine:
                self.list.addItem(_heading(f"{heading} · {len(mine):,}"))
            for one in mine:
                self.list.addItem(_item(one))
        self.clusters = tuple(dict.fromkeys(one.cluster for one in found.findings))
        self.all_button.setText(f"All {len(self.clusters):,} as a selection")
        self.all_button.setVisible(len(self.clusters) > 1)
        whole, shown = found.count, len(found.findings)
        self.count.setText(f"{shown:,} of {whole:,} matches" if whole is not None and whole > shown else "")
        self.count.setVisible(bool(self.count.text()))
        self._pages.setCurrentIndex(0 if shown else 1)
        self.step(1)

    def step(self, by: int) -> None:
        """Go to the next match (1) or the one before (−1), past the headings; to the first where none is current."""
        rows = list(self._rows())
        if not rows:
            return
        at = self.list.currentRow()
        place = rows.index(at) + by if at in rows else 0
        self.list.setCurrentRow(rows[max(0, min(place, len(rows) - 1))])

    def take_current(self) -> None:
        """Go to the match that is current."""
        item = self.list.currentItem()
        if item is not None and self._pages.currentIndex() == 0:
            self._take(item)

    def _rows(self) -> Iterator[int]:
        return (at for at in range(self.list.count()) if self.list.item(at).data(Qt.ItemDataRole.UserRole) is not None)

    def _take(self, item: QListWidgetItem) -> None:
        cluster = item.data(Qt.ItemDataRole.UserRole)
        if cluster is not None:
            self.taken.emit(ClusterId(*cluster))


def _heading(text: str) -> QListWidgetItem:
    made = QListWidgetItem(text)
    font = made.font()
    font.setBold(True)
    made.setFont(font)
    made.setFlags(Qt.ItemFlag.NoItemFlags)
    made.setSizeHint(QSize(0, HEADING_HEIGHT))
    return made


def _item(one: Finding) -> QListWidgetItem:
    made = QListWidgetItem("    ".join(part for part in (one.text or str(one.cluster), one.detail, str(one.cluster)) if part))
    made.setData(Qt.ItemDataRole.UserRole, one.cluster)
    made.setToolTip(plain_tip("\n".join(part for part in (one.text, one.detail, str(one.cluster)) if part)))
    return made
