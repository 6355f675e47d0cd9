"""The fields above the table of clusters: which of them are shown."""

from typing import cast

from PySide6.QtCore import QLocale, QTimer, Signal
from PySide6.QtGui import QDoubleValidator
from PySide6.QtWidgets import QCheckBox, QComboBox, QLineEdit, QSizePolicy, QWidget

from memstudio.bank.values import ClusterId
from memstudio.ui.models.cluster_rows import StateFilter, is_id
from memstudio.ui.models.clusters_state import Filter
from memstudio.ui.panels.parts import FlowLayout
from memstudio.ui.shades import Shades
from memstudio.ui.texts import plain_tip

TYPING_PAUSE_MS = 150
ANSWER_MS = 1000
STATES: tuple[tuple[str, StateFilter], ...] = (
    ("Any state", "any"),
    ("Changed", "changed"),
    ("Pruned", "pruned"),
    ("Hidden", "hidden"),
    ("Muted", "muted"),
)
TEXT_TIP = (
    "An id, or how one begins: 3/13, 3/, 13. Or a label: the table has read only the labels of rows that were in sight, "
    "so labels and terms are asked of the search, and what it lists is shown"
)


class TableFilter(QWidget):
    """Emits `changed` when another filter is wished, and `searched` (text) for labels; `show_found` brings the answer."""

    changed = Signal()
    searched = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._found: frozenset[ClusterId] = frozenset()
        self._asked = ""
        self.text = self._field("Filter by label or id…", "Filter by label or id", "table_text", TEXT_TIP)
        self.text.setMinimumWidth(150)
        self.text.setClearButtonEnabled(True)
        self.level, self.state = QComboBox(), QComboBox()
        for text, key in STATES:
            self.state.addItem(text, key)
        for box, name in ((self.level, "Level"), (self.state, "State")):
            box.setObjectName(f"table_{name.casefold()}")
            box.setAccessibleName(name)
            box.setToolTip(name)
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToContents)
            box.currentIndexChanged.connect(self.changed)
        self.measured = QCheckBox("Measured")
        self.measured.setObjectName("table_measured")
        self.measured.toggled.connect(self.changed)
        self.least = self._field("At least…", "Least of the measure", "table_least", "")
        number = QDoubleValidator(self.least)
        number.setLocale(QLocale.c())
        self.least.setValidator(number)
        self.least.setFixedWidth(86)
        self._pause = QTimer(self)
        self._pause.setSingleShot(True)
        self._pause.setInterval(TYPING_PAUSE_MS)
        self._pause.timeout.connect(self._typed)
        self._answer = QTimer(self)
        self._answer.setSingleShot(True)
        self._answer.setInterval(ANSWER_MS)
        self._answer.timeout.connect(self.changed)
        self.flow = FlowLayout(6)
        for part in (self.text, self.level, self.state, self.measured, self.least):
            part.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
            part.setFixedHeight(self.text.sizeHint().height())
            self.flow.addWidget(part)
        self.setLayout(self.flow)
        self.show_levels(0)
        self.show_measure(None)

    def _field(self, hint: str, name: str, key: str, tip: str) -> QLineEdit:
        made = QLineEdit()
        made.setPlaceholderText(hint)
        made.setAccessibleName(name)
        made.setObjectName(key)
        made.setToolTip(plain_tip(tip))
        made.textChanged.connect(lambda: self._pause.start())
        return made

    def show_levels(self, levels: int) -> None:
        """Another bank: its levels, and no filter."""
        self.level.blockSignals(True)
        self.level.clear()
        self.level.addItems(["All levels", *(f"Level {level}" for level in range(1, levels + 1))])
        self.level.blockSignals(False)
        self.reset()

    def show_measure(self, shades: Shades | None) -> None:
        """What the last two fields go by."""
        name = shades.title if shades else "the measure: none is shown yet"
        self.measured.setToolTip(plain_tip(f"Only clusters with a figure of {name}"))
        size = f"magnitude of {name}" if shades and shades.signed else name
        self.least.setToolTip(plain_tip(f"Only clusters whose {size} is at least this" + (f", in {shades.unit}" if shades else "")))
        for field in (self.measured, self.least):
            field.setEnabled(shades is not None or self.wanted.by_measure)

    def take_found(self, text: str, clusters: frozenset[ClusterId]) -> bool:
        """The answer of the search, by labels and terms; False where it is not for the text that stands here."""
        if not text or text != self.text.text().strip() or text != self._asked:
            return False
        self._found = clusters
        self._answer.stop()
        return True

    def reset(self) -> None:
        """No filter."""
        before = self.wanted
        for field in (self.text, self.level, self.state, self.measured, self.least):
            field.blockSignals(True)
        self.text.clear()
        self.least.clear()
        self.level.setCurrentIndex(0)
        self.state.setCurrentIndex(0)
        self.measured.setChecked(False)
        for field in (self.text, self.level, self.state, self.measured, self.least):
            field.blockSignals(False)
        self._pause.stop()
        self._answer.stop()
        self._found, self._asked = frozenset(), ""
        if before != self.wanted:
            self.changed.emit()

    @property
    def wanted(self) -> Filter:
        """What the fields say."""
        text = self.text.text().strip()
        try:
            least = float(self.least.text()) if self.least.text().strip() else None
        except ValueError:
            least = None  # a number that is still being written, such as "-" or "1e"
        state = cast(StateFilter, self.state.currentData())
        return Filter(
            max(0, self.level.currentIndex()), text, self._found if text else frozenset(), state, self.measured.isChecked(), least
        )

    def _typed(self) -> None:
        """Ids are known at once; for a label the rows stay as they are until the search has answered, or took too long."""
        text = self.text.text().strip()
        self._answer.stop()
        if text != self._asked:
            self._found, self._asked = frozenset(), text
            if text:
                self.searched.emit(text)
                if not is_id(text):
                    self._answer.start()
                    return
        self.changed.emit()
