"""The preferences: each holds as soon as it is chosen, and is kept at once."""

from collections.abc import Iterable
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QDialog, QDialogButtonBox, QFormLayout, QPushButton, QVBoxLayout, QWidget

from memstudio.settings import SIZES, Settings
from memstudio.ui.panels.parts import label, row
from memstudio.ui.texts import counted

THEMES = (("system", "As the system"), ("light", "Light"), ("dark", "Dark"))
DEVICES = (("auto", "The fastest there is"), ("cpu", "CPU"), ("cuda", "NVIDIA card (CUDA)"), ("mps", "Apple card (MPS)"))
CACHES = ((None, "As there is room"), (0, "None"), (256, "256 MB"), (1000, "1 GB"), (4000, "4 GB"), (16_000, "16 GB"))


class PreferencesDialog(QDialog):
    """Emits `changed` with the name of a setting and its value, `reset_wanted` and `forget_wanted`."""

    changed = Signal(str, object)
    reset_wanted = Signal()
    forget_wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Preferences")
        self.theme = self._choice("theme", THEMES)
        self.size_box = self._choice("text_percent", [(percent, f"{percent} %") for percent in SIZES])
        self.device = self._choice("device", DEVICES)
        self.device.setToolTip("For banks that are opened from now on")
        self.cache = self._choice("cache_mb", CACHES)
        self.cache.setToolTip("Memory for blocks that cost more to fetch again than to keep, for banks that are opened from now on")
        self.measure = self._switch("measure_edits", "Measure each edit once it is made")
        self.trace = self._switch("trace_runs", "Trace each prompt once it is answered")
        self.reset, self.forget = QPushButton("Reset layout"), QPushButton("Forget recent banks")
        self.reset.clicked.connect(self.reset_wanted)
        self.forget.clicked.connect(self.forget_wanted)
        self._folder = label("", "dim", wrap=True, selectable=True)
        self._form()

    def _form(self) -> None:
        form = QFormLayout()
        form.setHorizontalSpacing(14)
        for name, field in (("&Theme", self.theme), ("Text &size", self.size_box), ("&Device", self.device), ("Block &cache", self.cache)):
            form.addRow(name, field)
        form.addRow("", self.measure)
        form.addRow("", self.trace)
        form.addRow("", row(self.reset, self.forget, 1))
        form.addRow("Studies are kept in", self._folder)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        column = QVBoxLayout(self)
        column.setContentsMargins(20, 18, 20, 14)
        column.setSpacing(14)
        column.addLayout(form)
        column.addWidget(buttons)
        self.setMinimumWidth(460)

    def open_on(self, settings: Settings, folder: Path) -> None:
        """Show what holds now."""
        self.show_settings(settings)
        self._folder.setText(str(folder))
        self.show()
        self.raise_()

    def show_settings(self, settings: Settings) -> None:
        """Show what holds now, without telling that it changed."""
        boxes = (("theme", self.theme), ("text_percent", self.size_box), ("device", self.device), ("cache_mb", self.cache))
        for name, box in boxes:
            value = getattr(settings, name)
            if box.findData(value) < 0:
                box.addItem(f"{value}", value)
            box.setCurrentIndex(box.findData(value))
        self.measure.setChecked(settings.measure_edits)
        self.trace.setChecked(settings.trace_runs)
        self.forget.setText(f"Forget {counted(len(settings.recent), 'recent bank')}" if settings.recent else "No recent banks")
        self.forget.setEnabled(bool(settings.recent))

    def _choice(self, name: str, options: Iterable[tuple[object, str]]) -> QComboBox:
        box = QComboBox()
        for value, text in options:
            box.addItem(text, value)
        box.activated.connect(lambda _: self.changed.emit(name, box.currentData()))
        return box

    def _switch(self, name: str, text: str) -> QCheckBox:
        box = QCheckBox(text)
        box.clicked.connect(lambda on: self.changed.emit(name, on))
        return box
