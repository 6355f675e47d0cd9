"""A list of facts, the bank's own or a file's: how each fares, a filter over them, and the way to their blocks."""

from typing import cast

from PySide6.QtCore import QModelIndex, QPoint, Qt, QTimer, Signal
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHeaderView,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QTableView,
    QVBoxLayout,
    QWidget,
)

from memstudio.bank.values import Memory
from memstudio.facts.values import Fact
from memstudio.ui.fact_views import FactRow, FactsScored, FactsView, Noun, noun_of
from memstudio.ui.models.facts_model import STATES, Column, FactsFilter, FactsModel
from memstudio.ui.panels.facts_delegate import FactsDelegate
from memstudio.ui.panels.parts import EmptyState, FlowLayout, label, pages, row
from memstudio.ui.panels.prompt_panel import MEMORIES
from memstudio.ui.snapshots import JobView
from memstudio.ui.texts import counted, plain_tip
from memstudio.ui.theme import Theme

TYPING_PAUSE_MS = 120
ROW_HEIGHT = 23
SOURCE_PIXELS = 160
KINDS = "All kinds"
RELATIONS: dict[Noun, str] = {"fact": "All relations", "probe": "All leaves"}
SPAN_WIDTH = 130
WIDTHS = {
    Column.STATE: 26,
    Column.EXPECTED: 72,
    Column.GOT: 72,
    Column.TARGET: 96,
    Column.KIND: 68,
    Column.RELATION: 84,
    Column.BLOCKS: 64,
}


class FactsPanel(QWidget):
    """Emits what is wanted of a fact (a `FactRow`), of the list, or of a file; it asks nothing itself.

    A bank that was built from documents has probes where another has facts: then the panel's title and words speak of those.
    """

    import_wanted = Signal()
    own_wanted = Signal()
    score_wanted = Signal(object)
    stop_wanted = Signal()
    skipped_wanted = Signal(object)
    picked = Signal(object)
    change_wanted = Signal(object)
    erase_wanted = Signal(object)
    run_wanted = Signal(object)
    copy_wanted = Signal(str)
    change_all_wanted = Signal(tuple)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.view: FactsView | FactsScored | None = None
        self._listed: FactsView | None = None
        self._named: Noun | None = None
        self.model = FactsModel(self)
        self.filter = FactsFilter(self.model, self)
        self._build_head()
        self._build_filter()
        self._build_table(theme)
        self.empty = EmptyState(
            "Neither facts nor probes yet",
            "A bank may bring facts, or, where it was built from documents, probes. "
            "Or read a file: JSON lines, CounterFact, zsRE, EasyEdit, or CSV with a header.",
        )
        self.empty.offer("Import facts…", self.import_wanted.emit)
        body = QWidget()
        column = QVBoxLayout(body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(self._head)
        column.addLayout(self._fields)
        column.addWidget(self.table, 1)
        self._stack = pages(self, (6, 2, 2, 6), self.empty, body)
        for name in ("memory", "score_button", "import_button", "own_button", "text", "state", "kind", "relation", "table"):
            getattr(self, name).setObjectName(f"facts.{name}")
        theme.changed.connect(self.table.viewport().update)
        self._show_noun()

    # Building

    def _build_head(self) -> None:
        self.share = label("")
        self.share.setFixedHeight(self.fontMetrics().lineSpacing() + 10)
        self.skipped = QPushButton("")
        self.skipped.setProperty("kind", "link")
        self.skipped.clicked.connect(lambda: self.skipped_wanted.emit(self._listed))
        self.memory = QComboBox()
        for text, memory in MEMORIES:
            self.memory.addItem(text, memory)
        self.score_button, self.import_button = QPushButton("Score"), QPushButton("Import…")
        self.own_button, self.change_all_button = QPushButton("Bank’s own"), QPushButton("")
        self.own_button.setToolTip("Back to the list that the bank brings")
        self.progress = QProgressBar()
        self.progress.setTextVisible(False)
        self.progress.setFixedWidth(90)
        self.progress.hide()
        self.score_button.clicked.connect(self._score_or_stop)
        self.import_button.clicked.connect(self.import_wanted)
        self.own_button.clicked.connect(self.own_wanted)
        self.change_all_button.clicked.connect(lambda: self.change_all_wanted.emit(self.requests()))
        self.memory.setAccessibleName("Memory")
        self._head = FlowLayout(7)
        for part in (self.share, self.memory, self.score_button, self.import_button, self.own_button, self.change_all_button):
            self._head.addWidget(part)
        for late in (self.skipped, self.progress):  # often hidden, so they stand at the end
            late.setFixedHeight(self.share.height())
            self._head.addWidget(late)

    def _build_filter(self) -> None:
        self.text = QLineEdit()
        self.text.setPlaceholderText("Filter prompts and answers…")
        self.text.setAccessibleName("Filter")
        self.text.setClearButtonEnabled(True)
        self.text.setMinimumWidth(110)
        self.state, self.kind, self.relation = QComboBox(), QComboBox(), QComboBox()
        self.state.addItems(list(STATES))
        for box, tip in ((self.state, "State"), (self.kind, "Kind"), (self.relation, "Relation")):
            box.setToolTip(tip)
            box.setAccessibleName(tip)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(7)
            box.currentIndexChanged.connect(self._choose)
        self.count = label("", "dim")
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE_MS)
        self._pause.timeout.connect(self._choose)
        self.text.textChanged.connect(lambda: self._pause.start())
        self._fields = row(self.text, self.state, self.kind, self.relation, self.count)
        self._fields.setStretch(0, 1)

    def _build_table(self, theme: Theme) -> None:
        self.table = QTableView()
        self.table.setModel(self.filter)
        self.table.setItemDelegate(FactsDelegate(theme, self.table))
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setShowGrid(False)
        self.table.setWordWrap(False)
        self.table.setSortingEnabled(True)
        self.table.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        self.table.customContextMenuRequested.connect(self._show_menu)
        self.table.doubleClicked.connect(lambda index: self._emit(self.picked, index))
        self.table.verticalHeader().hide()
        self.table.verticalHeader().setSectionResizeMode(QHeaderView.ResizeMode.Fixed)
        header = self.table.horizontalHeader()
        header.setHighlightSections(False)
        header.setMinimumSectionSize(24)
        header.setSortIndicator(-1, Qt.SortOrder.AscendingOrder)
        header.setDefaultAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        header.setSectionResizeMode(Column.PROMPT, QHeaderView.ResizeMode.Stretch)
        for section, width in WIDTHS.items():
            header.resizeSection(section, width)
        self._size_table()
        theme.resized.connect(self._size_table)
        self.table.setColumnHidden(Column.TARGET, True)

    def _size_table(self) -> None:
        """Rows by the size of the text; the columns keep theirs, for the sake of the prompts."""
        self.table.verticalHeader().setDefaultSectionSize(max(ROW_HEIGHT, self.fontMetrics().height() + 7))

    # What is shown

    def show_facts(self, view: FactsView) -> None:
        """Another list."""
        self.view = self._listed = view
        self.model.show_rows(view.rows)
        self._show_noun()
        self._fill(self.kind, KINDS, sorted({one.fact.kind for one in view.rows}))
        self._fill(self.relation, RELATIONS[view.noun], sorted({one.fact.relation for one in view.rows if one.fact.relation}))
        self._stack.setCurrentIndex(1 if view.rows else 0)
        self._say("not scored", str(view.file or ""))
        self.skipped.setText(f"{counted(view.skipped_count, 'record')} skipped")
        self.skipped.setVisible(view.skipped_count > 0)
        self.own_button.setVisible(view.file is not None)
        targets = len(self.requests())
        self.change_all_button.setText(f"Change all ({targets:,})…")
        self.change_all_button.setVisible(targets > 0)
        self.table.setColumnHidden(Column.TARGET, targets == 0)
        self._choose()

    def show_scored(self, scored: FactsScored) -> None:
        """The list as it fared; one that is not shown any more is dropped."""
        if self.view is None or scored.source != self.view.source or len(scored.rows) != len(self.view.rows):
            return
        self.view = scored
        self.model.show_rows(scored.rows)
        self._say(scored.share, scored.line)
        self._choose()

    def show_study(self, head: int) -> None:
        """The study stands at a revision; a score of another one says so."""
        if isinstance(self.view, FactsScored):
            moved = "" if self.view.revision == head else f" · at revision {self.view.revision}"
            self._say(self.view.share + moved, self.view.line)

    def show_job(self, job: JobView) -> None:
        """How far the scoring is."""
        self.progress.setVisible(not job.ended)
        self.progress.setRange(0, job.total or 0)
        self.progress.setValue(job.done)
        self.score_button.setText("Score" if job.ended else "Cancel")

    def requests(self) -> tuple[Fact, ...]:
        """The facts of the list that ask for another answer."""
        return tuple(one.fact for one in self.view.rows if one.fact.target) if self.view is not None else ()

    @property
    def noun(self) -> Noun:
        """What the list holds."""
        return "fact" if self.view is None else self.view.noun

    @property
    def chosen_memory(self) -> Memory:
        """What is added while the facts are asked."""
        return cast(Memory, self.memory.currentData())

    def current(self) -> FactRow | None:
        """The fact that is selected."""
        return self.filter.fact_row(self.table.currentIndex())

    def _show_noun(self) -> None:
        """Speak of what the list holds. A probe's kind is plain and its relation is the leaf, which the blocks say too."""
        noun = self.noun
        if noun == self._named:  # columns stay as wide as the user made them
            return
        self._named, probes = noun, noun == "probe"
        self.setWindowTitle(f"{noun.capitalize()}s")
        self.table.setAccessibleName(self.windowTitle())
        self.memory.setToolTip(f"Which memory is added while the {noun}s are asked")
        self.change_all_button.setToolTip(f"Give every {noun} of the list that asks for one its new answer, as one revision")
        self.kind.setVisible(not probes)
        self.relation.setToolTip("Leaf: the deepest cluster of the document" if probes else "Relation")
        for column in (Column.KIND, Column.RELATION):
            self.table.setColumnHidden(column, probes)
        for column in (Column.EXPECTED, Column.GOT):
            self.table.horizontalHeader().resizeSection(column, SPAN_WIDTH if probes else WIDTHS[column])

    def _say(self, words: str, tip: str) -> None:
        listed = self._listed
        name = listed.source if listed is not None and listed.file is not None else ""
        short = self.fontMetrics().elidedText(name, Qt.TextElideMode.ElideMiddle, SOURCE_PIXELS)
        self.share.setText(f"{short} · {words}" if short else words[:1].upper() + words[1:])
        self.share.setToolTip(plain_tip(tip))

    # What the user does

    def _fill(self, box: QComboBox, every: str, names: list[str]) -> None:
        box.blockSignals(True)
        box.clear()
        box.addItems([every, *names])
        box.blockSignals(False)

    def _choose(self) -> None:
        state = self.state.currentText()
        kind, relation = (box.currentText() if box.currentIndex() > 0 else "" for box in (self.kind, self.relation))
        self.filter.choose(self.text.text(), state, kind, relation)
        shown, whole = self.filter.rowCount(), self.model.rowCount()
        self.count.setText(f"{whole:,}" if shown == whole else f"{shown:,} of {whole:,}")

    def _score_or_stop(self) -> None:
        if self.score_button.text() == "Cancel":
            self.stop_wanted.emit()
        else:
            self.score_wanted.emit(self.chosen_memory)

    def _emit(self, signal: object, index: QModelIndex) -> None:
        found = self.filter.fact_row(index)
        if found is not None:
            signal.emit(found)  # type: ignore[attr-defined]  # a bound Qt signal

    def menu_of(self, found: FactRow) -> QMenu:
        """What can be done with a fact."""
        menu = QMenu(self)
        menu.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        noun = noun_of((found.fact,))
        menu.addAction(f"Change this {noun}…").triggered.connect(lambda: self.change_wanted.emit(found))
        menu.addAction(f"Erase this {noun}…").triggered.connect(lambda: self.erase_wanted.emit(found))
        menu.addSeparator()
        menu.addAction("Show its block").triggered.connect(lambda: self.picked.emit(found))
        menu.addAction("Run its prompt").triggered.connect(lambda: self.run_wanted.emit(found))
        menu.addAction("Copy its prompt").triggered.connect(lambda: self.copy_wanted.emit(found.fact.prompt))
        return menu

    def _show_menu(self, at: QPoint) -> None:
        found = self.filter.fact_row(self.table.indexAt(at))
        if found is not None:
            self.menu_of(found).popup(self.table.viewport().mapToGlobal(at))
