"""Two small dialogs for the edits of a block that need a word more than which block: by what factor, and for which other block."""

from pathlib import Path

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QFileDialog, QLineEdit, QPushButton, QSlider, QSpinBox, QVBoxLayout, QWidget

from memstudio.bank.values import BlockState, ClusterId, parse_cluster
from memstudio.errors import UserError
from memstudio.ui.panels.parts import Segments, label, row

STEPS = 100
THIS, BANK, PATCH = range(3)
SOURCES = (
    ("This study", "The block of another cluster as it stands now"),
    ("Another bank", "The block of a cluster of another bank on the same anchor, as shipped"),
    ("A patch", "The block of a cluster as a patch leaves it"),
)


class ScaleDialog(QDialog):
    """How much of what a block holds is added, 0 to 2. Emits `wanted` with (cluster, factor, with all below)."""

    wanted = Signal(object, float, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Scale a block")
        self._cluster: ClusterId | None = None
        self._head = label("", wrap=True)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setAccessibleName("Factor")
        self.slider.setRange(0, 2 * STEPS)
        self.slider.setPageStep(STEPS // 4)
        self.slider.setTickInterval(STEPS // 2)
        self.slider.setTickPosition(QSlider.TickPosition.TicksBelow)
        self.factor = QSpinBox()
        self.factor.setAccessibleName("Factor in per cent")
        self.factor.setRange(0, 2 * STEPS)
        self.factor.setSingleStep(5)
        self.factor.setSuffix(" %")
        self.factor.setMinimumWidth(84)
        self.subtree = QCheckBox("All blocks below it too")
        self.slider.valueChanged.connect(self.factor.setValue)
        self.factor.valueChanged.connect(self.slider.setValue)
        line = row(self.slider, self.factor, spacing=10)
        line.setStretch(0, 1)
        column = _column(self)
        column.addWidget(self._head)
        column.addLayout(line)
        column.addWidget(self.subtree)
        column.addLayout(_foot(self, "Scale", self._take))

    def open_on(self, cluster: ClusterId, state: BlockState) -> None:
        """Begin with a block and the factor that it has."""
        self._cluster = cluster
        self._head.setText(f"Block {cluster} adds this much of what it holds: 0 % adds nothing, 100 % is the block itself.")
        self.factor.setValue(round(state.scale * STEPS))
        self.subtree.setChecked(False)
        _raise(self, self.factor)

    def _take(self) -> None:
        if self._cluster is not None:
            self.wanted.emit(self._cluster, self.factor.value() / STEPS, self.subtree.isChecked())
            self.close()


class SwapDialog(QDialog):
    """Which block takes a block's place. Emits `wanted` with (cluster, source, bank folder or "", patch or "")."""

    wanted = Signal(object, object, str, str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Swap a block")
        self._cluster: ClusterId | None = None
        self._head = label("", wrap=True)
        self.source = QLineEdit()
        self.source.setAccessibleName("Cluster whose block is taken")
        self.source.setPlaceholderText("for example 3/17")
        self.origin = Segments(SOURCES)
        self.origin.chosen.connect(self._chosen)
        self.path = QLineEdit()
        self.path.setAccessibleName("Folder of the bank or patch")
        self._browse = QPushButton("Browse…")
        self._browse.setAutoDefault(False)
        self._browse.clicked.connect(self._choose)
        self._path_box = QWidget()
        self._path_box.setLayout(row(self.path, self._browse))
        self.line = label("", "error", wrap=True)
        names = [label(text, "dim") for text in ("From", "Cluster")]
        for name in names:
            name.setFixedWidth(70)
        column = _column(self)
        column.addWidget(self._head)
        column.addLayout(row(names[0], self.origin, 1))
        column.addWidget(self._path_box)
        column.addLayout(row(names[1], self.source))
        column.addWidget(self.line)
        column.addLayout(_foot(self, "Swap", self._take))

    def open_on(self, cluster: ClusterId) -> None:
        """Begin with the block that is to go."""
        self._cluster = cluster
        self._head.setText(f"Another block takes the place of {cluster}; undo brings this one back.")
        self.origin.choose(THIS)
        self._chosen()
        self.source.clear()
        self.line.clear()
        _raise(self, self.source)

    def _chosen(self) -> None:
        self._path_box.setVisible(self.origin.place != THIS)
        self.path.setPlaceholderText("A bank folder" if self.origin.place == BANK else "A patch file or folder")
        self.adjustSize()
        if self.origin.place != THIS and not self.source.text().strip():
            self.source.setText(str(self._cluster or ""))

    def _choose(self) -> None:
        dialog = QFileDialog(self, "Choose where the block comes from")
        dialog.setFileMode(QFileDialog.FileMode.Directory)
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        dialog.fileSelected.connect(self.path.setText)
        dialog.open()

    def _take(self) -> None:
        path, place = self.path.text().strip(), self.origin.place
        try:
            source = parse_cluster(self.source.text().strip())
        except UserError as error:
            self.line.setText(str(error))
            return
        if place != THIS and not Path(path).exists():
            self.line.setText(f"{path or 'the path'}: not found; choose the {'bank folder' if place == BANK else 'patch'}")
            return
        self.wanted.emit(self._cluster, source, path if place == BANK else "", path if place == PATCH else "")
        self.close()


def _column(dialog: QDialog) -> QVBoxLayout:
    dialog.setMinimumWidth(420)
    made = QVBoxLayout(dialog)
    made.setContentsMargins(16, 14, 16, 14)
    made.setSpacing(10)
    return made


def _foot(dialog: QDialog, text: str, act: object) -> QVBoxLayout:
    take, close = QPushButton(text), QPushButton("Cancel")
    take.setProperty("kind", "primary")
    take.setDefault(True)
    take.clicked.connect(act)
    close.setAutoDefault(False)
    close.clicked.connect(dialog.close)
    made = QVBoxLayout()
    made.addSpacing(4)
    made.addLayout(row(1, take, close, spacing=8))
    return made


def _raise(dialog: QDialog, focus: QWidget) -> None:
    dialog.show()
    dialog.raise_()
    dialog.activateWindow()
    focus.setFocus()
