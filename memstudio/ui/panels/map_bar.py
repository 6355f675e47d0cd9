"""The head of the map: what a drag does, the way back to the whole map, the measure, and which levels are drawn."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from memstudio.ui.panels.parts import FlowBox, FlowLayout, Segments
from memstudio.ui.panels.shade_box import ShadeBox
from memstudio.ui.plots.map_plot import Tool
from memstudio.ui.snapshots import BankView
from memstudio.ui.texts import counted, plain_tip

TOOLS: tuple[tuple[Tool, str, str], ...] = (
    ("move", "Move", "Drag to move, Shift and drag for a rectangle, the wheel zooms; a click selects, with Ctrl it joins"),
    ("lasso", "Lasso", "Draw round clusters to select them; with Ctrl they join"),
    ("box", "Rectangle", "Draw a rectangle to select what lies in it; with Ctrl it joins"),
)


class MapBar(QWidget):
    """Emits `tool_taken` with a Tool, `whole_wanted`, and `filtered` when other levels are to be drawn."""

    tool_taken = Signal(str)
    whole_wanted = Signal()
    filtered = Signal()

    def __init__(self, count: QLabel) -> None:
        """count: says how many clusters are drawn; stands beside the levels."""
        super().__init__()
        self.tools = Segments([(name, plain_tip(tip)) for _, name, tip in TOOLS])
        self.tools.setObjectName("map_tools")
        self.tools.setAccessibleName("What a drag on the map does")
        self.tools.chosen.connect(lambda place: self.tool_taken.emit(TOOLS[place][0]))
        self.whole = QPushButton("Show all")
        self.whole.setObjectName("map_whole")
        self.whole.setAccessibleName("Show the whole map")
        self.whole.setProperty("kind", "chip")
        self.whole.setToolTip("The whole map (Home)")
        self.whole.clicked.connect(self.whole_wanted)
        self.shade_box = ShadeBox()
        self.levels: list[QPushButton] = []
        self._count = count
        count.setContentsMargins(4, 3, 0, 3)  # its line stands beside the words on the buttons
        self._row = FlowLayout(5)
        for widget in (self.tools, self.whole, self.shade_box, count):
            self._row.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(FlowBox(self._row))

    def show_bank(self, bank: BankView | None) -> None:
        """A button for each level of a bank, all of them down."""
        self._row.removeWidget(self._count)
        for press in self.levels:
            self._row.removeWidget(press)
            press.hide()
            press.deleteLater()
        self.levels = []
        for level in bank.levels if bank is not None else ():
            present = int((level.documents > 0).sum())
            press = QPushButton(f"Level {level.level} · {present:,}")
            press.setObjectName(f"map_level_{level.level}")
            press.setAccessibleName(f"Draw level {level.level}")
            press.setProperty("kind", "chip")
            press.setCheckable(True)
            press.setChecked(True)
            press.setToolTip(f"Draw the {counted(present, 'cluster')} of level {level.level}")
            press.toggled.connect(self.filtered)
            self.levels.append(press)
            self._row.addWidget(press)
            press.setVisible(len(bank.levels if bank is not None else ()) > 1)
        self._row.addWidget(self._count)

    @property
    def shown(self) -> frozenset[int]:
        """The levels that are to be drawn."""
        return frozenset(level for level, press in enumerate(self.levels, 1) if press.isChecked())
