"""A build at work: its stage, how far it is, how long it still takes, its log; and in the end what it made."""

from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import QFrame, QPlainTextEdit, QProgressBar, QVBoxLayout

from memstudio.ui.build_views import BankBuilt, BuildStage
from memstudio.ui.panels.estimate_view import duration
from memstudio.ui.panels.parts import label, row

_LOG_LINES = 2000
_BAR = 1000


class BuildingView(QFrame):
    """Shows what it is told; asks for nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.setProperty("kind", "panel")
        self.stage, self.steps, self.left = label("", "title", wrap=True), label("", "dim"), label("", "dim")
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName("Progress of this stage")
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setMaximumBlockCount(_LOG_LINES)
        self.log.setLineWrapMode(QPlainTextEdit.LineWrapMode.WidgetWidth)
        self.log.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.log.setAccessibleName("Log of the build")
        self.log.setTabChangesFocus(True)
        column = QVBoxLayout(self)
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(8)
        column.addWidget(self.stage)
        column.addWidget(self.bar)
        column.addLayout(row(self.steps, 1, self.left))
        column.addWidget(self.log, 1)

    def begin(self, resumed: bool) -> None:
        """A build begins; what an earlier one said stays above."""
        self.stage.setText("Beginning…")
        self._show(0, 0, "", "")
        self.bar.setVisible(True)
        self.say("— going on —" if resumed else "— building —")

    def show_stage(self, stage: BuildStage) -> None:
        """Where it is."""
        title = stage.title[:1].upper() + stage.title[1:]
        if self.stage.text() != title:
            self.stage.setText(title)
            self.say(stage.title)
        steps = f"{stage.done:,} of {stage.total:,}" if stage.total else f"{stage.done:,}" if stage.done else ""
        self._show(stage.done, stage.total or 0, steps, "" if stage.left_s is None else f"{duration(stage.left_s)} left")

    def say(self, text: str) -> None:
        """A line for the log."""
        self.log.appendPlainText(text)

    def show_built(self, built: BankBuilt) -> None:
        """The bank is there."""
        self.stage.setText("The bank is built")
        self._show(1, 1, built.summary, "")
        self.say(str(built.path))

    def show_ended(self, words: str) -> None:
        """It ended without a bank."""
        self.stage.setText(words)
        self.bar.setVisible(False)
        self.left.setText("")
        self.steps.setText("What is done is kept; Build goes on with it.")

    def _show(self, done: int, total: int, steps: str, left: str) -> None:
        self.bar.setRange(0, _BAR if total else 0)  # counts may be larger than what a bar takes
        self.bar.setValue(_BAR * min(done, total) // total if total else 0)
        self.steps.setText(steps)
        self.left.setText(left)
