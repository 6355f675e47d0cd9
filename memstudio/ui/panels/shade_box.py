"""Which measure colours the views: the same box at the head of each, so that all of them change together."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QComboBox, QStyleOptionComboBox

from memstudio.ui.texts import plain_tip

TIP = "The measure that colours tree, table, icicle and map alike"


class ShadeBox(QComboBox):
    """Emits `picked` with a measure's name when the person chose one, never from `show_choices`. Hidden while there is no choice."""

    picked = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("shade_box")
        self.setAccessibleName("Colour by")
        self.setToolTip(plain_tip(TIP))
        self.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
        self.setMinimumContentsLength(16)
        self.hide()
        self.textActivated.connect(self.picked)

    def initStyleOption(self, option: QStyleOptionComboBox) -> None:
        super().initStyleOption(option)
        if self.currentIndex() >= 0:
            option.currentText = f"Colour by {self.currentText()}"

    def show_choices(self, names: tuple[str, ...], current: str = "") -> None:
        """The measures that there are, and the one in force ("" or another: none of them)."""
        if names != tuple(self.itemText(at) for at in range(self.count())):
            self.clear()
            self.addItems(list(names))
        self.setCurrentIndex(names.index(current) if current in names else -1)
        self.setPlaceholderText("Colour by…")
        self.setVisible(bool(names))
