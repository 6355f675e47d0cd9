"""Two revisions beside each other: facts gained, lost and changed with both answers, and the blocks that differ with their norms."""

from typing import TYPE_CHECKING

from PySide6.QtCore import QModelIndex, QPersistentModelIndex, Qt, QTimer, Signal
from PySide6.QtGui import QColor
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QProgressBar,
    QPushButton,
    QSplitter,
    QStackedWidget,
    QStyledItemDelegate,
    QStyleOptionViewItem,
    QTableView,
    QTreeWidget,
    QTreeWidgetItem,
    QVBoxLayout,
    QWidget,
)

from memstudio.ui.models.turns_model import Column, RowRole, TurnsModel, chosen
from memstudio.ui.panels.parts import EmptyState, Segments, label, pages, row, set_kind
from memstudio.ui.panels.revision_boxes import RevisionPair
from memstudio.ui.panels.turn_view import TurnView
from memstudio.ui.revision_views import Compared, Pieces
from memstudio.ui.snapshots import JobView, StudyView
from memstudio.ui.texts import counted, plain_tip, state_words
from memstudio.ui.theme import Theme

if TYPE_CHECKING:
    from memstudio.session.comparing import Comparison

TYPING_PAUSE_MS = 120
ROW_HEIGHT = 23
TURNS = (("All", ""), ("Gained", "gained"), ("Lost", "lost"), ("Changed", "changed"))
WIDTHS = {Column.TURN: 30, Column.BEFORE: 56, Column.AFTER: 56, Column.EXPECTED: 68, Column.ASKED: 72}
HINT = (
    "Every fact of the bank (or probe, where it has none) is asked under both revisions; "
    "prompts that fetch the same blocks under both are asked once."
)


class ComparePanel(QWidget):
    """Emits `compare_wanted` with two revisions, and `stop_wanted`."""

    compare_wanted = Signal(int, int)
    stop_wanted = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._found: Compared | None = None
        self.pair = RevisionPair(self)
        self.pair.changed.connect(self._stale)
        self._build_head()
        self._build_facts(theme)
        self._build_blocks()
        self.line = label("", "", wrap=True, selectable=True)
        self.empty = EmptyState("Nothing compared yet", HINT)
        self._pages = QStackedWidget()
        for page in (self._facts, self.blocks):
            self._pages.addWidget(page)
        result = QWidget()
        inside = QVBoxLayout(result)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(5)
        inside.addLayout(self._filter_row)
        inside.addWidget(self._pages, 1)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(5)
        column.addLayout(self._head)
        column.addWidget(self.line)
        self._stack = QStackedWidget()
        self._stack.addWidget(self.empty)
        self._stack.addWidget(result)
        column.addWidget(self._stack, 1)
        no_study = EmptyState("No revisions yet", "Open a bank, then compare what it says before and after an edit.")
        self._outer = pages(self, (8, 3, 8, 6), no_study, body)
        self.line.hide()
        theme.changed.connect(self.table.viewport().update)

    # Building

    def _build_head(self) -> None:
        self.compare_button = QPushButton("Compare")
        self.compare_button.setProperty("kind", "primary")
        self.compare_button.clicked.connect(self._compare_or_stop)
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(80)
        self.progress.hide()
        arrow = label("→", "dim")
        self._head = row(self.pair.boxes[0], arrow, self.pair.boxes[1], self.progress, self.compare_button)
        for place in (0, 2):
            self._head.setStretch(place, 1)
        self.view = Segments((("Facts", "Prompts that are answered otherwise"), ("Blocks", "Blocks that differ, and by how much")))
        self.view.chosen.connect(self._show_page)
        self.turn = QComboBox()
        for text, turn in TURNS:
            self.turn.addItem(text, turn)
        self.turn.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
        self.turn.setToolTip("Gained: wrong, then right. Lost: right, then wrong. Changed: wrong in both, with another answer")
        self.turn.currentIndexChanged.connect(self._choose)
        self.text = QLineEdit()
        self.text.setAccessibleName("Search facts")
        self.text.setPlaceholderText("Filter prompts and answers…")
        self.text.setClearButtonEnabled(True)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE_MS)
        self._pause.timeout.connect(self._choose)
        self.text.textChanged.connect(lambda _: self._pause.start())
        self.count = label("", "dim")
        self._filter_row = row(self.view, self.turn, self.text, self.count)
        self._filter_row.setStretch(2, 1)

    def _build_facts(self, theme: Theme) -> None:
        self.model = TurnsModel(self)
        table = self.table = QTableView()
        table.setAccessibleName("Facts compared")
        table.setModel(self.model)
        table.setItemDelegate(TurnsDelegate(theme, table))
        table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        table.setShowGrid(False)
        table.setWordWrap(False)
        table.verticalHeader().hide()
        table.verticalHeader().setDefaultSectionSize(ROW_HEIGHT)
        header = table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(30)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(Column.PROMPT, QHeaderView.ResizeMode.Stretch)
        for column, width in WIDTHS.items():
            header.resizeSection(column, width)
        table.selectionModel().currentRowChanged.connect(lambda *_: self._show_turn())
        table.setMinimumWidth(220)
        self.answers = TurnView(theme)
        self._facts = QSplitter(Qt.Orientation.Horizontal)
        self._facts.addWidget(table)
        self._facts.addWidget(self.answers)
        self._facts.setChildrenCollapsible(False)
        self._facts.setSizes([620, 320])
        self._facts.setStretchFactor(0, 2)
        self._facts.setStretchFactor(1, 1)

    def _build_blocks(self) -> None:
        self.blocks = QTreeWidget()
        self.blocks.setAccessibleName("Blocks that differ")
        self.blocks.setRootIsDecorated(False)
        self.blocks.setUniformRowHeights(True)
        self.blocks.setHeaderLabels(["Block", "Before", "After", "Norm of the difference"])
        self.blocks.setSelectionMode(QTreeWidget.SelectionMode.NoSelection)
        for section, width in enumerate((90, 170, 170)):
            self.blocks.header().resizeSection(section, width)

    # What is shown

    def show_study(self, study: StudyView) -> None:
        """Another state of the study."""
        self._outer.setCurrentIndex(1)
        self.pair.show_study(study)

    def forget(self) -> None:
        """Another bank: nothing is compared yet."""
        self._found = None
        self.line.hide()
        self._stack.setCurrentIndex(0)

    def show_compared(self, found: Compared) -> None:
        """The comparison."""
        self._found = found
        comparison = found.comparison
        for place, (text, turn) in enumerate(TURNS):
            self.turn.setItemText(place, f"{text} ({len(chosen(found.rows, turn, '')):,})")
        self.blocks.clear()
        for block in comparison.blocks:
            made = QTreeWidgetItem([str(block.cluster), state_words(block.before), state_words(block.after), f"{block.norm:.4g}"])
            made.setToolTip(1, plain_tip(str(block.before)))
            made.setToolTip(2, plain_tip(str(block.after)))
            self.blocks.addTopLevelItem(made)
        self._say(compared_line(comparison), compared_tip(comparison))
        self._stack.setCurrentIndex(1)
        self._choose()

    def show_refusal(self, line: str) -> None:
        """Why nothing was compared."""
        self._say(line, line, kind="error")

    def show_job(self, job: JobView) -> None:
        """How far the comparison is."""
        self.progress.setVisible(not job.ended)
        self.progress.setRange(0, job.total or 0)
        self.progress.setValue(job.done)
        self.compare_button.setText("Compare" if job.ended else "Cancel")

    def start(self, a: int, b: int) -> None:
        """Compare these two."""
        self.pair.choose(a, b)
        self.compare_wanted.emit(a, b)

    @property
    def stale(self) -> bool:
        """Whether the comparison that is shown is of other revisions than those that are chosen."""
        comparison = self._found.comparison if self._found is not None else None
        return comparison is not None and self.pair.values != (comparison.a, comparison.b)

    def _say(self, line: str, tip: str, kind: str = "") -> None:
        set_kind(self.line, kind)
        self.line.setText(line)
        self.line.setToolTip(plain_tip(tip))
        self.line.show()

    def _stale(self) -> None:
        found = self._found
        if found is None:
            return
        comparison = found.comparison
        chosen_now = self.pair.values
        if chosen_now is not None and self.stale:
            line = f"Below are revisions {comparison.a} and {comparison.b}. Compare again for {chosen_now[0]} and {chosen_now[1]}."
            self._say(line, compared_tip(comparison), kind="notice")
        else:
            self._say(compared_line(comparison), compared_tip(comparison))

    # What the user does

    def _compare_or_stop(self) -> None:
        if self.compare_button.text() == "Cancel":
            self.stop_wanted.emit()
        elif self.pair.values is not None:
            self.compare_wanted.emit(*self.pair.values)

    def _show_page(self, place: int) -> None:
        self._pages.setCurrentIndex(place)
        for widget in (self.turn, self.text):
            widget.setEnabled(place == 0)
        self._count()

    def _choose(self) -> None:
        rows = self._found.rows if self._found is not None else ()
        left = chosen(rows, self.turn.currentData(), self.text.text())
        self.model.show_rows(left)
        if left:
            self.table.selectRow(0)
        self._show_turn()
        self._count()

    def _count(self) -> None:
        if self._found is None:
            return
        shown, whole = len(self.model.rows), len(self._found.rows)
        prompts = counted(whole, "prompt") if shown == whole else f"{shown:,} of {counted(whole, 'prompt')}"
        self.count.setText(prompts if self._pages.currentIndex() == 0 else counted(len(self._found.comparison.blocks), "block"))

    def _show_turn(self) -> None:
        index = self.table.currentIndex()
        found = index.data(RowRole) if index.isValid() else None
        comparison = self._found.comparison if self._found is not None else None
        if comparison is not None:
            self.answers.show_turn(found if isinstance(found, Pieces) else None, comparison.a, comparison.b)


class TurnsDelegate(QStyledItemDelegate):
    """The turn in its colour; what is only about the fact is dim."""

    def __init__(self, theme: Theme, parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme

    def initStyleOption(self, option: QStyleOptionViewItem, index: QModelIndex | QPersistentModelIndex) -> None:
        super().initStyleOption(option, index)
        tone, found, column = self._theme.tone, index.data(RowRole), index.column()
        ink = tone.dim if column in (Column.EXPECTED, Column.ASKED) else tone.text
        if column in (Column.TURN, Column.AFTER):
            ink = {"gained": tone.good, "lost": tone.danger}.get(found.turned.turn, tone.warning)
        for role in (option.palette.ColorRole.Text, option.palette.ColorRole.HighlightedText):
            option.palette.setColor(role, QColor(ink))


def compared_line(found: "Comparison") -> str:
    """What two revisions differ by, in a line; the facts are counted by their main prompts."""
    facts = found.facts
    head = f"Revision {found.a} → {found.b}: {counted(len(found.blocks), 'block')} differ{'s' if len(found.blocks) == 1 else ''}"
    if not facts.n:
        return f"{head}. No prompt fetches a changed block." if found.same else f"{head}. The bank brings neither facts nor probes to ask."
    before, after = facts.before.share, facts.after.share
    share = f"{100 * before:.1f} % → {100 * after:.1f} % right" if before is not None and after is not None else "not measured"
    p = f", p = {facts.p:.2g}" if facts.p is not None and (facts.gained or facts.lost) else ""
    turned = f"{facts.gained:,} gained, {facts.lost:,} lost, {len(found.changed):,} changed"
    return f"{head}; of {facts.n:,} facts there {turned}. {share}{p}."


def compared_tip(found: "Comparison") -> str:
    """How that was measured."""
    lines = ["Free greedy generation of each fact's prompt; guessable facts are left out; p by the exact McNemar test."]
    for name, shares in (("before", found.facts.before), ("after", found.facts.after)):
        if shares.share is not None and shares.low is not None and shares.high is not None:
            lines.append(f"{name}: {shares.k:,} of {shares.n:,} right, 95% {100 * shares.low:.1f} to {100 * shares.high:.1f} %")
    lines.append(f"{found.same:,} prompts fetch the same blocks under both, so nothing changes for them. {found.seconds:.1f} s")
    return "\n".join(lines)
