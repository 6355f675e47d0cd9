"""What is to be taught, as fields: documents or pasted text, where it is written, at most how many steps; and what that reaches."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QLineEdit, QPlainTextEdit, QProgressBar, QSpinBox, QVBoxLayout, QWidget

from memstudio.ui.learn_views import MOST_STEPS, STEPS, Reach, TeachWish, Where
from memstudio.ui.panels.documents_view import DocumentsView
from memstudio.ui.panels.parts import Segments, inset, label, row, set_kind
from memstudio.ui.snapshots import JobView
from memstudio.ui.texts import counted

_WHERE: tuple[tuple[Where, str, str], ...] = (
    ("leaf", "Deepest blocks", "Only the deepest block of each route is written; other documents keep theirs"),
    ("path", "Whole paths", "Every block of each route is written; learns faster, and reaches more of what others know"),
)
_NOTHING = "Add documents or paste some text: what they reach stands here."
_SHOWN = 6


class LearnForm(QWidget):
    """Reads no file. Emits `changed` with every change of what would be taught."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.documents, self.name, self.text = DocumentsView(), QLineEdit(), QPlainTextEdit()
        self.where, self.steps = Segments([(words, tip) for _, words, tip in _WHERE]), QSpinBox()
        self.reach, self.notes, self.bar = label(_NOTHING, "dim", wrap=True), label("", "notice", wrap=True), QProgressBar()
        self.name.setPlaceholderText("A name for it, by which it is erased again")
        self.name.setMaxLength(80)
        self.text.setPlaceholderText("Or paste text here, for example your own notes.")
        self.text.setTabChangesFocus(True)
        self.steps.setRange(1, MOST_STEPS)
        self.steps.setValue(STEPS)
        self.steps.setSuffix(" steps")
        self.steps.setSingleStep(50)
        self.steps.setToolTip("At most so many steps of gradient; it ends sooner once the documents are known")
        inset(self.steps)
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(6)
        self.bar.setAccessibleName("Progress of reading")
        self._name_all()
        self._arrange()
        self.documents.changed.connect(self.changed)
        self.text.textChanged.connect(self._text_changed)
        self.name.textChanged.connect(self._name_changed)
        self.where.chosen.connect(lambda _: self.changed.emit())
        self.steps.valueChanged.connect(lambda _: self.changed.emit())
        self.name.hide()
        self.show_nothing()

    def _name_all(self) -> None:
        named: tuple[tuple[QWidget, str, str], ...] = (
            (self.documents.list, "documents", "Documents"),
            (self.documents.files_button, "files", "Add files"),
            (self.documents.folder_button, "folder", "Add a folder"),
            (self.documents.remove_button, "remove", "Remove the selected documents"),
            (self.name, "name", "Name of the pasted text"),
            (self.text, "text", "Pasted text"),
            (self.where, "where", "Where it is written"),
            (self.steps, "steps", "At most so many steps"),
        )
        for widget, name, words in named:
            widget.setObjectName(f"learn.{name}")
            widget.setAccessibleName(words)

    def _arrange(self) -> None:
        card = QFrame()
        card.setProperty("kind", "panel")
        inside = QVBoxLayout(card)
        inside.setContentsMargins(11, 8, 11, 9)
        inside.setSpacing(5)
        for widget in (label("What it reaches", "section"), self.reach, self.bar, self.notes):
            inside.addWidget(widget)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(7)
        column.addWidget(self.documents, 3)
        column.addWidget(self.text, 2)
        column.addWidget(self.name)
        choice = row(label("Write to", "dim"), self.where, 1, label("At most", "dim"), self.steps, spacing=8)
        column.addLayout(choice)
        column.addWidget(card)

    @property
    def wish(self) -> TeachWish:
        """What the fields say."""
        where = _WHERE[self.where.place][0]
        return TeachWish(self.documents.paths, self.name.text().strip(), self.text.toPlainText(), where, self.steps.value())

    def clear(self) -> None:
        """Nothing to teach; how it is taught stays."""
        self.blockSignals(True)
        self.documents.show_paths(())
        self.name.clear()
        self.text.clear()
        self.blockSignals(False)
        self.show_nothing()

    def show_nothing(self, words: str = _NOTHING) -> None:
        """Nothing is known of what it reaches."""
        self.reach.setText(words)
        set_kind(self.reach, "dim")
        self.bar.hide()
        self._say(())

    def show_looking(self, job: JobView) -> None:
        """How far the reading is."""
        self.show_nothing("Reading the documents…")
        self.bar.setRange(0, job.total or 0)
        self.bar.setValue(job.done)
        self.bar.show()

    def show_reach(self, reach: Reach) -> None:
        """What it reaches."""
        self.bar.hide()
        self.reach.setText(reach_words(reach))
        set_kind(self.reach, "")
        self._say(reach.notes)

    def _say(self, notes: tuple[str, ...]) -> None:
        self.notes.setText("\n".join(notes))
        self.notes.setVisible(bool(notes))

    def _name_changed(self) -> None:
        if self.text.toPlainText().strip():
            self.changed.emit()

    def _text_changed(self) -> None:
        self.name.setVisible(bool(self.text.toPlainText().strip()))
        self.changed.emit()


def reach_words(reach: Reach) -> str:
    """What teaching would read and write, in two sentences."""
    shown = ", ".join(map(str, reach.blocks[:_SHOWN])) + (f" and {len(reach.blocks) - _SHOWN:,} more" if len(reach.blocks) > _SHOWN else "")
    size = f"{counted(reach.tokens, 'token')} in {counted(reach.windows, 'window')}"
    read = f"{counted(len(reach.documents), 'document')}, {size}, would be written to {counted(len(reach.blocks), 'block')}: {shown}."
    if not reach.held:
        return f"{read} No {reach.noun} of the bank fetches {'it' if len(reach.blocks) == 1 else 'them'}."
    fetch = "fetches" if reach.held == 1 else "fetch"
    held = counted(reach.held, f"{reach.noun} of the bank", f"{reach.noun}s of the bank")
    return f"{read} {held} {fetch} {'it' if len(reach.blocks) == 1 else 'them'} too, and {'is' if reach.held == 1 else 'are'} held."
