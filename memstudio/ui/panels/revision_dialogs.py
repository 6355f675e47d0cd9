"""Dialogs about one revision: its name, how it is reverted, and letting old blocks go for good. None of them blocks."""

from collections.abc import Mapping

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QDialog, QLineEdit, QPushButton, QVBoxLayout, QWidget

from memstudio.ui.panels.parts import label, row, set_kind
from memstudio.ui.revision_views import RevertView
from memstudio.ui.texts import counted

WIDTH = 440
LISTED = 8
NAME_RULE = "Letters, digits and . _ - / are allowed, for example before-metals."


class NameDialog(QDialog):
    """A revision's name. Emits `wanted` with (revision, name) and `unwanted` with a name; closes when told that it was done."""

    wanted = Signal(int, str)
    unwanted = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Name a revision")
        self._revision = 0
        self._names: Mapping[str, int] = {}
        self._head = label("", "title", wrap=True)
        self.name = QLineEdit()
        self.name.setAccessibleName("Name")
        self.name.setPlaceholderText("A name")
        self.name.setMaxLength(64)
        self.name.textChanged.connect(self._typed)
        self.line = label("", "dim", wrap=True)
        self.give, self.remove = _primary("Name"), _plain("Remove the name")
        self.give.clicked.connect(lambda: self.wanted.emit(self._revision, self.name.text().strip()))
        self.remove.clicked.connect(lambda: self.unwanted.emit(self.name.text().strip()))
        column = _column(self)
        for widget in (self._head, self.name, self.line):
            column.addWidget(widget)
        column.addLayout(_foot(self, self.remove, 1, self.give))

    def open_on(self, revision: int, title: str, names: Mapping[str, int]) -> None:
        """Begin with a revision; `names` are all that are given."""
        self._revision, self._names = revision, names
        self._head.setText(f"Revision {revision} · {title}")
        own = sorted(name for name, number in names.items() if number == revision)
        self.name.setText(own[0] if own else "")
        self._typed()
        _raise(self, self.name)
        self.name.selectAll()

    def show_refusal(self, line: str) -> None:
        """Why a name cannot be given."""
        set_kind(self.line, "error")
        self.line.setText(line)
        _fit(self)

    def _typed(self) -> None:
        text = self.name.text().strip()
        holder = self._names.get(text)
        moved = holder is not None and holder != self._revision
        set_kind(self.line, "notice" if moved else "dim")
        self.line.setText(f"Revision {holder} has this name now; it moves here." if moved else NAME_RULE)
        self.give.setEnabled(bool(text) and holder != self._revision)
        self.remove.setVisible(holder == self._revision)


class RevertDialog(QDialog):
    """How a revision is taken back. Emits `wanted` with (revision, along, again)."""

    wanted = Signal(int, bool, bool)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Revert a revision")
        self._revision = 0
        self.head, self.words, self.later = label("", "title", wrap=True), label("", wrap=True), label("", wrap=True)
        self.later.setContentsMargins(12, 0, 0, 0)
        self.plain, self.along, self.again = _primary("Revert"), _primary("Revert them together"), _plain("Run them again")
        self.along.setToolTip("Take the later revisions back along with it, in one new revision")
        self.again.setToolTip("Take this one back, then make the later edits again on what stands then; each becomes a new revision")
        self.plain.clicked.connect(lambda: self._take(along=False, again=False))
        self.along.clicked.connect(lambda: self._take(along=True, again=False))
        self.again.clicked.connect(lambda: self._take(along=False, again=True))
        column = _column(self)
        for widget in (self.head, self.words, self.later):
            column.addWidget(widget)
        column.addLayout(_foot(self, 1, self.again, self.along, self.plain))

    def open_on(self, plan: RevertView) -> None:
        """Begin with how it can be taken back."""
        self._revision = plan.revision
        later = plan.dependents
        self.head.setText(f"Revision {plan.revision} · {plan.title}")
        blocks = counted(plan.blocks, "block")
        if later:
            stand = "revision stands" if len(later) == 1 else "revisions stand"
            self.words.setText(f"{len(later)} later {stand} on its blocks, so it cannot be taken back alone:")
        else:
            go = "goes" if plan.blocks == 1 else "go"
            was, them = ("it was", "it") if plan.blocks == 1 else ("they were", "them")
            self.words.setText(
                f"{blocks} {go} back to how {was} before. No later edit touched {them}, so this is exact. "
                "The revert is a new revision and can be undone."
            )
        more = [f"… and {len(later) - LISTED} more"] if len(later) > LISTED else []
        self.later.setText("\n".join([*(f"{number} · {title}" for number, title in later[:LISTED]), *more]))
        self.later.setVisible(bool(later))
        for button in (self.along, self.again):
            button.setVisible(bool(later))
        self.plain.setVisible(not later)
        for button in (self.along, self.plain):
            button.setDefault(button.isVisibleTo(self))
        _raise(self, self.along if later else self.plain)

    def _take(self, *, along: bool, again: bool) -> None:
        self.wanted.emit(self._revision, along, again)
        self.close()


class PurgeDialog(QDialog):
    """Asks before old blocks go for good. Emits `wanted`."""

    wanted = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Purge old blocks")
        self.words = label(
            "Every block that an edit made and that does not stand at the head is removed from the study for good, those of other "
            "branches too. Receipts that tell of them, and of all erasures, lose their prompts and answers.\n\n"
            "Undo, redo and going back to a revision that needs such a block will then say that they cannot. The bank itself is not "
            "touched: blocks as shipped stay in it.",
            wrap=True,
        )
        self.sure = QCheckBox("I know that this cannot be undone")
        self.purge = _plain("Purge")
        self.sure.toggled.connect(self.purge.setEnabled)
        self.purge.clicked.connect(self._take)
        column = _column(self)
        column.addWidget(self.words)
        column.addWidget(self.sure)
        column.addLayout(_foot(self, 1, self.purge))

    def ask(self) -> None:
        """Begin, unsure."""
        self.sure.setChecked(False)
        self.purge.setEnabled(False)
        _raise(self, self.sure)

    def _take(self) -> None:
        self.wanted.emit()
        self.close()


def _primary(text: str) -> QPushButton:
    made = QPushButton(text)
    made.setProperty("kind", "primary")
    made.setDefault(True)
    return made


def _plain(text: str) -> QPushButton:
    made = QPushButton(text)
    made.setAutoDefault(False)
    return made


def _column(dialog: QDialog) -> QVBoxLayout:
    dialog.setFixedWidth(WIDTH)
    made = QVBoxLayout(dialog)
    made.setContentsMargins(16, 14, 16, 14)
    made.setSpacing(10)
    return made


def _foot(dialog: QDialog, *items: QWidget | int) -> QVBoxLayout:
    close = _plain("Cancel")
    close.clicked.connect(dialog.close)
    made = QVBoxLayout()
    made.addSpacing(4)
    made.addLayout(row(*items, close, spacing=8))
    return made


def _raise(dialog: QDialog, focus: QWidget) -> None:
    dialog.show()
    _fit(dialog)
    dialog.raise_()
    dialog.activateWindow()
    focus.setFocus()


def _fit(dialog: QDialog) -> None:
    """As high as its lines are when they are wrapped to its width."""
    layout = dialog.layout()
    if layout is not None:
        layout.invalidate()
        dialog.setFixedHeight(layout.totalHeightForWidth(WIDTH))
