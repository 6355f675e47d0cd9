"""The parts of the export dialog: the fields that say what is kept, and the figures that follow from them."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDoubleSpinBox, QFrame, QGridLayout, QLabel, QLineEdit, QPushButton, QSlider, QWidget

from memstudio.bank.values import ClusterId, Fallback
from memstudio.export.plan import ExportPlan, Kept
from memstudio.export.precision import Choice
from memstudio.export.rank import RankBy
from memstudio.ui.choosing import choose_new
from memstudio.ui.export_views import BY_PROMPTS, CHOICES, FALLBACKS, RANKINGS, OrderWish, Pace
from memstudio.ui.panels.estimate_view import duration
from memstudio.ui.panels.parts import FlowBox, FlowLayout, inset, label, row
from memstudio.ui.texts import counted, size_text

_STEPS = 1000
_USUAL_PERCENT = 25.0


class ExportFields(QWidget):
    """What is to be kept, and where it goes. Emits `reordered` when the order must be worked out anew, `resized` with another share."""

    reordered = Signal()
    resized = Signal()
    keep_wanted = Signal()
    drop_wanted = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(1, _STEPS)
        self.slider.setPageStep(_STEPS // 20)
        self.percent = QDoubleSpinBox()
        self.percent.setRange(100 / _STEPS, 100.0)
        self.percent.setDecimals(1)
        self.percent.setSuffix(" %")
        inset(self.percent)
        self.rank_by, self.precision, self.fallback = QComboBox(), QComboBox(), QComboBox()
        self.keep_button, self.drop_button = QPushButton("Keep the selection"), QPushButton("Drop the selection")
        self.forget_button = QPushButton("Forget both")
        self.asked = label("", "dim", wrap=True)
        self.out, self.out_button = QLineEdit(), QPushButton("Choose…")
        self.check = QCheckBox("Ask the bank's facts before and after")
        self.keep: tuple[ClusterId, ...] = ()
        self.drop: tuple[ClusterId, ...] = ()
        self._arrange()
        self._name()
        self._connect()
        self.percent.setValue(_USUAL_PERCENT)

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(8)
        grid.setColumnStretch(1, 1)
        size = row(self.slider, self.percent)
        size.setStretch(0, 1)
        subtrees = FlowLayout(6)
        for button in (self.keep_button, self.drop_button, self.forget_button):
            subtrees.addWidget(button)
        choices = FlowLayout(10)
        for each in (self.rank_by, self.precision):
            choices.addWidget(each)
        rows = (
            ("Size", size),
            ("Kept first", row(FlowBox(choices))),
            ("In place of a\ndropped block", row(self.fallback, 1)),
            ("Subtrees", row(FlowBox(subtrees))),
            ("", row(self.asked)),
            ("Folder", row(self.out, self.out_button)),
            ("", row(self.check, 1)),
        )
        for at, (text, fields) in enumerate(rows):
            grid.addWidget(label(text, "dim"), at, 0)
            grid.addLayout(fields, at, 1)

    def _name(self) -> None:
        for widget, name in (
            (self.slider, "Share of the bank's bytes"),
            (self.percent, "Share of the bank's bytes in percent"),
            (self.rank_by, "What is kept first"),
            (self.precision, "What the numbers of a kept block are stored in"),
            (self.fallback, "What stands in for a dropped block"),
            (self.keep_button, "Keep the selected subtrees"),
            (self.drop_button, "Drop the selected subtrees"),
            (self.forget_button, "Forget what is to be kept and dropped"),
            (self.out, "Folder of the new bank"),
            (self.out_button, "Choose the folder of the new bank"),
            (self.check, "Ask the bank's facts before and after"),
        ):
            widget.setAccessibleName(name)
            if isinstance(widget, QPushButton):
                widget.setAutoDefault(False)  # Return in a field exports nothing
        self.check.setToolTip("Opens the new bank before it gets its name, and says how many facts both answer")
        self.keep_button.setToolTip("Blocks that are kept whatever the ranking says, with those above them")
        self.drop_button.setToolTip("Blocks that are left out whatever the ranking says")

    def _connect(self) -> None:
        self.slider.valueChanged.connect(lambda step: self.percent.setValue(100 * step / _STEPS))
        self.percent.valueChanged.connect(self._resized)
        for box in (self.rank_by, self.precision, self.fallback):
            box.activated.connect(lambda _: self.reordered.emit())
        self.keep_button.clicked.connect(self.keep_wanted)
        self.drop_button.clicked.connect(self.drop_wanted)
        self.forget_button.clicked.connect(lambda: self.ask_for((), ()))
        self.out_button.clicked.connect(
            lambda: choose_new(self, "Where the new bank goes", self.out.text(), lambda path: self.out.setText(str(Path(path))))
        )

    @property
    def ranking(self) -> RankBy:
        """What is kept first."""
        return RANKINGS[[by for by, _, _ in RANKINGS].index(self.rank_by.currentData())][0]

    @property
    def order(self) -> OrderWish:
        """All that the order of the blocks goes by."""
        bits = CHOICES[[name for name, _, _ in CHOICES].index(self.precision.currentData())][0]
        return OrderWish(self.ranking, self.stand_in, self.keep, self.drop, bits)

    @property
    def stand_in(self) -> Fallback:
        """What stands in for a dropped block."""
        return FALLBACKS[[name for name, _, _ in FALLBACKS].index(self.fallback.currentData())][0]

    def offer(self, *, facts: bool, generic: bool, fallback: str, precisions: tuple[Choice, ...]) -> None:
        """What goes with a bank: without facts nothing is ranked by prompts, without generic blocks none stands in."""
        missing = {*(() if facts else BY_PROMPTS), *(() if generic else ("generic",))}
        here = tuple(each for each in CHOICES if each[0] in precisions)
        for box, choices in ((self.rank_by, RANKINGS), (self.precision, here), (self.fallback, FALLBACKS)):
            box.clear()
            for word, text, tip in choices:
                if word not in missing:
                    box.addItem(text, word)
                    box.setItemData(box.count() - 1, tip, Qt.ItemDataRole.ToolTipRole)
        self.fallback.setCurrentIndex(max(0, self.fallback.findData(fallback)))
        self.check.setEnabled(facts)
        self.check.setChecked(facts)
        self.keep, self.drop = (), ()
        self._show_asked()

    def ask_for(self, keep: tuple[ClusterId, ...], drop: tuple[ClusterId, ...]) -> None:
        """Subtrees to keep and to drop; one that is asked for both ways goes by what was said last."""
        self.keep, self.drop = keep, drop
        self._show_asked()
        self.reordered.emit()

    def show_chosen(self, count: int) -> None:
        """How many blocks are selected."""
        self.keep_button.setEnabled(count > 0)
        self.drop_button.setEnabled(count > 0)

    def _show_asked(self) -> None:
        self.forget_button.setEnabled(bool(self.keep or self.drop))
        words = [f"{verb} {_names(clusters)}" for verb, clusters in (("kept:", self.keep), ("dropped:", self.drop)) if clusters]
        self.asked.setText(" · ".join(words) or "Select blocks in the tree, the icicle or the map first.")

    def _resized(self, percent: float) -> None:
        self.slider.blockSignals(True)
        self.slider.setValue(round(percent * _STEPS / 100))
        self.slider.blockSignals(False)
        self.resized.emit()


class ExportFigures(QFrame):
    """What a share comes to: bytes, and blocks a level."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.bytes, self.folder, self.time = label("", "figure"), label("", "dim", wrap=True), label("", "dim", wrap=True)
        self._kept: tuple[Kept, int] | None = None
        self._pace, self._check = Pace(), True
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(18)
        self._grid.setVerticalSpacing(3)
        self._cells: list[tuple[QLabel, ...]] = []
        whole = QGridLayout(self)
        whole.setContentsMargins(12, 10, 12, 10)
        whole.setVerticalSpacing(6)
        whole.addWidget(self.bytes, 0, 0)
        whole.addWidget(self.folder, 1, 0)
        whole.addWidget(self.time, 2, 0)
        whole.addLayout(self._grid, 3, 0)
        whole.setColumnStretch(0, 1)
        whole.setRowStretch(4, 1)
        for at, text in enumerate(("Level", "kept", "dropped", "of")):
            self._grid.addWidget(label(text, "dim"), 0, at, _side(at))
        self._grid.setColumnStretch(4, 1)
        self.show_nothing("")

    def show_kept(self, plan: ExportPlan, kept: Kept, other_bytes: int) -> None:
        """The figures of a budget."""
        self.bytes.setText(f"{size_text(kept.bytes)} of {size_text(plan.bank_bytes)}")
        parts = [f"{count:,} {'as stored' if name == 'bank' else name}" for name, count in reversed(kept.counts.items())]
        bits = f" ({', '.join(parts)})" if plan.precision != "bank" else ""
        self.folder.setText(
            f"{counted(kept.count, 'block')} kept{bits}, {kept.dropped:,} dropped; "
            f"the folder takes about {size_text(kept.bytes + other_bytes)}"
        )
        self._kept = (kept, other_bytes)
        self._say_time()
        self._rows(
            [(f"{level}", len(ids), of - len(ids), of) for level, (ids, of) in enumerate(zip(kept.levels, kept.whole, strict=True), 1)]
        )

    def show_pace(self, pace: Pace) -> None:
        """How fast an export is here."""
        self._pace = pace
        self._say_time()

    def show_check(self, check: bool) -> None:
        """Whether the facts will be asked."""
        self._check = check
        self._say_time()

    def _say_time(self) -> None:
        self.time.setText("" if self._kept is None else time_words(self._kept[0].bytes + self._kept[1], self._pace, self._check))

    def show_nothing(self, words: str) -> None:
        """No figures yet, or none to be had."""
        self._kept = None
        self._say_time()
        self.bytes.setText("–")
        self.folder.setText(words)
        self._rows([])

    def _rows(self, rows: list[tuple[str, int, int, int]]) -> None:
        while len(self._cells) < len(rows):
            cells = tuple(label() for _ in range(4))
            for at, cell in enumerate(cells):
                self._grid.addWidget(cell, len(self._cells) + 1, at, _side(at))
            self._cells.append(cells)
        for number, cells in enumerate(self._cells):
            for cell in cells:
                cell.setVisible(number < len(rows))
            if number < len(rows):
                for cell, value in zip(cells, rows[number], strict=True):
                    cell.setText(value if isinstance(value, str) else f"{value:,}")


def time_words(folder_bytes: int, pace: Pace, check: bool) -> str:
    """How long an export takes, an estimate; nothing where nothing is known of it."""
    if pace.bytes_a_second is None:
        return ""
    write_s = folder_bytes / pace.bytes_a_second
    parts = [f"{duration(write_s)} to write and read back at {size_text(round(pace.bytes_a_second))}/s"]
    if check and pace.check_s is not None:
        parts.append(f"{duration(pace.check_s)} to ask the facts")
    return f"Takes {' and '.join(parts)} (an estimate)."


def _side(column: int) -> Qt.AlignmentFlag:
    """Figures stand on the right."""
    return Qt.AlignmentFlag.AlignRight if column else Qt.AlignmentFlag.AlignLeft


def _names(clusters: tuple[ClusterId, ...], limit: int = 4) -> str:
    names = [str(cluster) for cluster in clusters]
    return ", ".join(names[:limit]) + (f" and {len(names) - limit:,} more" if len(names) > limit else "")
