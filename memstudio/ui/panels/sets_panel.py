"""Sets of prompts: which is counted, with or without effects; what the study keeps of it; and the blocks that nothing uses."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PySide6.QtCore import QPoint, Qt, Signal
from PySide6.QtGui import QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import QComboBox, QProgressBar, QPushButton, QSizePolicy, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId, Overlay
from memstudio.history.values import RUNS
from memstudio.session.used import Counted, added_up
from memstudio.ui.panels.parts import EmptyState, label, pages, row
from memstudio.ui.panels.use_table import UseTable
from memstudio.ui.selection import Chosen
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, NodeView
from memstudio.ui.texts import counted, plain_tip, when
from memstudio.ui.theme import Theme
from memstudio.ui.use_views import UseSaid

OWN = "The bank’s prompts"
ALL = "All sets"


class SetsPanel(QWidget):
    """A view of the whole bank (see `overview.View`). Emits `count_wanted` (a file or None, with effects?), `stop_wanted`, `file_wanted`
    where a file is to be chosen, `remove_wanted` (a kept count), `shown_wanted` where another one, or all, are to be shown."""

    count_wanted = Signal(object, bool)
    stop_wanted = Signal()
    file_wanted = Signal()
    remove_wanted = Signal(int)
    shown_wanted = Signal()
    wanted = Signal(object)
    chosen = Signal(object)
    menu_wanted = Signal(QPoint)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.table = UseTable(theme)
        self.table.wanted.connect(self.wanted)
        self.table.chosen.connect(self.chosen)
        self.table.menu_wanted.connect(self.menu_wanted)
        self._build_head()
        self._build_shown()
        body = QWidget()
        whole = QVBoxLayout(body)
        whole.setContentsMargins(0, 0, 0, 0)
        whole.setSpacing(4)
        whole.addLayout(self._head)
        whole.addWidget(self.progress)
        whole.addWidget(self.problem)
        self.table.head.insertWidget(0, self.shown, 1)
        self.table.head.insertWidget(1, self.remove_button)
        whole.addWidget(self.table, 1)
        empty = EmptyState("Sets of prompts", "Open a bank: which of its blocks the prompts of a set fetch is counted here.")
        self._stack = pages(self, (6, 4, 6, 6), empty, body)
        self.setAcceptDrops(True)
        self.forget()

    def _build_head(self) -> None:
        self.source = QComboBox()
        self.source.setObjectName("sets_source")
        self.source.setAccessibleName("Prompts to count")
        self.source.addItem(OWN, None)
        self.source.setToolTip("The prompts and phrasings of the facts, or probes, that the bank brings; or those of a file")
        self.file_button = QPushButton("File…")
        self.file_button.setObjectName("sets_file")
        self.file_button.setToolTip(
            "Prompts from a file: text, a prompt a line; JSON lines with prompt, key, answer; or facts. Or drop one here"
        )
        self.file_button.clicked.connect(self.file_wanted)
        self.count_button, self.effects_button = QPushButton("Count"), QPushButton("Count with effects")
        self.count_button.setObjectName("sets_count")
        self.count_button.setToolTip("Route every prompt and count the blocks that it fetches")
        self.count_button.clicked.connect(self._press)
        self.effects_button.setObjectName("sets_effects")
        self.effects_button.setToolTip("Also measure what each fetched block does to each answer; this takes the model some time")
        self.effects_button.clicked.connect(lambda: self.wish(effects=True))
        self.progress = QProgressBar()
        self.progress.setAccessibleName("Prompts counted")
        self.progress.setTextVisible(False)
        self.progress.setFixedHeight(4)
        self.note = label("", "dim")
        self.note.setObjectName("sets_note")
        self.note.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self.problem = label("", "notice", wrap=True, selectable=True)
        self.problem.setObjectName("sets_problem")
        self._head = row(self.source, self.file_button, self.count_button, self.effects_button, self.note)
        self._head.setStretch(4, 1)

    def _build_shown(self) -> None:
        self.shown = QComboBox()
        self.shown.setObjectName("sets_kept")
        self.shown.setAccessibleName("Counts that are shown")
        self.shown.setToolTip("Which counts the list, the colours and the widths go by: all that the study keeps together, or one set")
        self.shown.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.shown.setMinimumContentsLength(14)
        self.shown.currentIndexChanged.connect(self._selected)
        self.remove_button = QPushButton("Remove")
        self.remove_button.setObjectName("sets_remove")
        self.remove_button.setToolTip("Let the selected count go; the study keeps the others")
        self.remove_button.clicked.connect(self._remove)

    # What is counted

    def wish(self, *, effects: bool) -> None:
        """Have the chosen source counted."""
        self.count_wanted.emit(self.source.currentData(), effects)

    def take_file(self, file: Path) -> None:
        """Offer a file as a source, and choose it."""
        at = self.source.findData(file)
        if at < 0:
            self.source.addItem(file.name, file)
            at = self.source.count() - 1
            self.source.setItemData(at, plain_tip(str(file)), Qt.ItemDataRole.ToolTipRole)
        self.source.setCurrentIndex(at)

    def begin(self, *, effects: bool) -> None:
        """A count begins."""
        self._say("")
        self._complain("")
        self.count_button.setText("Stop")
        self.effects_button.setEnabled(False)
        self._twice = effects
        self.progress.setRange(0, 0)
        self.progress.show()

    def show_counting(self, said: UseSaid) -> None:
        """What was counted so far."""
        use, each = said.counted.use, said.counted
        self.progress.setRange(0, each.total * (2 if self._twice else 1))
        self.progress.setValue(use.prompts + use.measured + each.unread_count)
        whole = use.prompts == each.total
        self._say(
            f"effects on {use.measured:,} of {each.total:,}" if self._twice and whole else f"{use.prompts:,} of {each.total:,} counted"
        )
        problems = []
        if each.skipped_count:
            first = each.skipped[0]
            problems.append(f"{counted(each.skipped_count, 'line')} left out; the first is line {first.line}: {first.reason}.")
        if each.unread_count:
            problems.append(f"No effect measured on {counted(each.unread_count, 'prompt')}; the first: {each.unread[0].reason}.")
        self._complain("\n".join(problems))

    def rest(self, line: str = "") -> None:
        """No count is at work; line: why it was refused."""
        self.count_button.setText("Count")
        self.effects_button.setEnabled(True)
        self.progress.hide()
        if line:
            self._complain(line)

    # What is kept

    def show_kept(self, kept: Sequence[Counted]) -> None:
        """What the study keeps; the set that was shown stays so."""
        total = added_up(kept)
        self.shown.blockSignals(True)
        self.shown.clear()
        self.shown.addItem(f"{ALL} · {counted(total.prompts, 'prompt')}" if total else "Nothing is counted yet", 0)
        for each in reversed(kept):
            self.shown.addItem(set_text(each), each.id)
        for at in range(self.shown.count()):
            self.shown.setItemData(at, plain_tip(self.shown.itemText(at)), Qt.ItemDataRole.ToolTipRole)
        self.shown.setCurrentIndex(max(0, self.shown.findData(self._wanted_id)))
        self.shown.blockSignals(False)
        self._enable()

    def select(self, use_id: int) -> None:
        """Show a kept count from now on, all together for 0, and for one that is not there until it is."""
        self._wanted_id = use_id
        self.shown.setCurrentIndex(max(0, self.shown.findData(use_id)))
        self._wanted_id = use_id

    @property
    def shown_id(self) -> int:
        """The kept count that is shown, 0 for all together."""
        return int(self.shown.currentData() or 0)

    def forget(self) -> None:
        """Nothing was counted in this bank."""
        self._wanted_id, self._twice = 0, False
        while self.source.count() > 1:
            self.source.removeItem(1)
        self._say("")
        self._complain("")
        self.rest()
        self.show_kept(())

    def _say(self, text: str) -> None:
        self.note.setText(text)
        self.note.setToolTip(plain_tip(text))

    def _complain(self, text: str) -> None:
        self.problem.setText(text)
        self.problem.setVisible(bool(text))

    def _enable(self) -> None:
        self.remove_button.setEnabled(self.shown_id != 0)

    # What the user does

    def _press(self) -> None:
        if self.count_button.text() == "Stop":
            self.stop_wanted.emit()
        else:
            self.wish(effects=False)

    def _selected(self) -> None:
        self._wanted_id = self.shown_id
        self._enable()
        self.shown_wanted.emit()

    def _remove(self) -> None:
        if self.shown_id:
            self.remove_wanted.emit(self.shown_id)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:
        if any(url.isLocalFile() and Path(url.toLocalFile()).is_file() for url in event.mimeData().urls()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:
        path = next((url.toLocalFile() for url in event.mimeData().urls() if url.isLocalFile()), None)
        if path is not None:
            event.acceptProposedAction()
            self.take_file(Path(path))

    # What all views show

    def show_bank(self, bank: BankView | None, overlay: Overlay) -> None:
        """Another bank, or none."""
        self._stack.setCurrentIndex(0 if bank is None else 1)
        self.table.show_bank(bank, overlay)

    def show_overlay(self, overlay: Overlay) -> None:
        """States at another revision."""
        self.table.show_overlay(overlay)

    def show_hidden(self, hidden: frozenset[ClusterId], muted: frozenset[ClusterId]) -> None:
        """The run-time sets."""
        self.table.show_hidden(hidden, muted)

    def show_route(self, clusters: Sequence[ClusterId]) -> None:
        """The clusters of the last prompt."""
        self.table.show_route(clusters)

    def show_shades(self, shades: Shades | None) -> None:
        """The measure that colours the views."""
        self.table.show_shades(shades)

    def show_nodes(self, nodes: Mapping[ClusterId, NodeView]) -> None:
        """Labels that came."""
        self.table.show_nodes(nodes)

    def show_chosen(self, chosen: Chosen) -> None:
        """What was selected elsewhere."""
        self.table.show_chosen(chosen)


def set_text(each: Counted) -> str:
    """A kept count in a line: its name, how many prompts, effects on how many, at which revision (r), when."""
    name = "Single runs" if each.name == RUNS and not each.digest else each.name
    prompts = counted(each.use.prompts, "prompt") if each.use.prompts == each.total else f"{each.use.prompts:,} of {each.total:,} prompts"
    effects = f" · effects on {each.use.measured:,}" if each.use.measured else ""
    return f"{name} · {prompts} · r{each.revision} · {when(each.time_s)}{effects}"
