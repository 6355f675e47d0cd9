"""What is to be built, as fields: the model, the documents, the bank's folder and, under "More", what is decided unless one is told."""

from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtWidgets import QGridLayout, QLabel, QLineEdit, QPushButton, QToolButton, QWidget

from memstudio.errors import UserError
from memstudio.ui.build_views import BuildWish, Field
from memstudio.ui.choosing import choose_folder, choose_new
from memstudio.ui.panels.build_more import BuildMore
from memstudio.ui.panels.documents_view import DocumentsView
from memstudio.ui.panels.parts import label, row, set_kind


class BuildForm(QWidget):
    """Reads no file. Emits `changed` with every change; below each field stands a line that others fill (`say`)."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._own_place = False
        self.model, self.place = QLineEdit(), QLineEdit()
        self.model_button, self.place_button = QPushButton("Choose…"), QPushButton("Choose…")
        self.documents, self.more, self.more_button = DocumentsView(), BuildMore(), QToolButton()
        self.lines: dict[Field, QLabel] = {"model": _line(), "documents": _line(), "place": _line(), "more": _line()}
        self.model.setPlaceholderText("A model folder")
        self.place.setPlaceholderText("A folder that is empty or not there yet")
        self.model_button.setAccessibleName("Choose the model folder")
        self.place_button.setAccessibleName("Choose the folder of the bank")
        self.more_button.setText("Mo&re")
        self.more_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.more_button.setAutoRaise(True)
        self.more_button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.more_button.setToolTip("The shape of the tree and of the blocks, and how they are trained")
        self.show_more(False)
        self._arrange()
        self._connect()

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(4)
        rows: tuple[tuple[str, str, Field, QWidget, tuple[QWidget, ...]], ...] = (
            ("&Model", "Model folder", "model", self.model, (self.model, self.model_button)),
            ("&Documents", "Documents", "documents", self.documents.list, (self.documents,)),
            ("&Bank", "Folder of the bank", "place", self.place, (self.place, self.place_button)),
        )
        for at, (text, name, field, focus, widgets) in enumerate(rows):
            title = label(text, "dim")
            title.setBuddy(focus)
            focus.setAccessibleName(name)
            line = row(*widgets)
            line.setStretch(0, 1)
            high = focus is self.documents.list
            grid.addWidget(title, 3 * at, 0, Qt.AlignmentFlag.AlignTop if high else Qt.AlignmentFlag.AlignVCenter)
            grid.addLayout(line, 3 * at, 1)
            grid.addWidget(self.lines[field], 3 * at + 1, 1)
            grid.setRowMinimumHeight(3 * at + 2, 4)
        grid.setRowStretch(3, 1)
        grid.setColumnStretch(1, 1)
        grid.addWidget(self.more_button, 9, 0, 1, 2, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(self.more, 10, 0, 1, 2)
        grid.addWidget(self.lines["more"], 11, 0, 1, 2)
        for button in (self.model_button, self.place_button):
            button.setAutoDefault(False)  # Return in a field opens no file dialog

    def _connect(self) -> None:
        self.model.textChanged.connect(self._model_written)
        self.place.textEdited.connect(self._place_written)
        self.place.editingFinished.connect(self._place_left)
        self.documents.changed.connect(self._written)
        self.more.changed.connect(self._written)
        self.more_button.clicked.connect(lambda: self.show_more(self.more.isHidden()))
        self.model_button.clicked.connect(lambda: choose_folder(self, "Choose a model folder", self.model.setText))
        self.place_button.clicked.connect(lambda: choose_new(self, "Where the bank goes", self.place.text(), self._take_place))

    @property
    def wish(self) -> BuildWish:
        """The build as the fields have it.

        Raises:
            UserError: a field under "More" cannot be read.
        """
        return self.more.wish(BuildWish(_path(self.model.text()), self.documents.paths, _path(self.place.text())))

    def readable(self) -> BuildWish | None:
        """The wish; None, and the reason beside the field, where it cannot be read."""
        try:
            return self.wish
        except UserError as error:
            self.say("more", str(error))
            self.show_more(True)
            return None

    def begin(self, model: str) -> None:
        """Another model; the bank's folder is proposed anew."""
        self._own_place = False
        self.model.setText(model)

    def say(self, field: Field, text: str, kind: str = "error") -> None:
        """A line below a field; it takes room only while it says something."""
        line = self.lines[field]
        line.setText(text)
        set_kind(line, kind)
        line.setVisible(bool(text))

    @property
    def complains(self) -> bool:
        """Whether an error stands beside a field."""
        return any(line.text() and line.property("kind") == "error" for line in self.lines.values())

    def show_more(self, shown: bool) -> None:
        """Open or close what stands under "More"."""
        self.more.setVisible(shown)
        self.more_button.setArrowType(Qt.ArrowType.DownArrow if shown else Qt.ArrowType.RightArrow)

    def _model_written(self) -> None:
        self.say("model", "")
        self._written()

    def _place_written(self) -> None:
        self._own_place = True
        self._written()

    def _place_left(self) -> None:
        if self._own_place and not self.place.text().strip():  # emptied: the proposal again
            self._own_place = False
            self._written()

    def _take_place(self, path: str) -> None:
        self.place.setText(path)
        self._place_written()

    def _written(self) -> None:
        """What is known of the wish before no longer counts; the model's line stays while the model does."""
        if not self._own_place:
            self.place.setText(proposed_place(_path(self.model.text()), self.documents.paths))
        for field in ("documents", "place", "more"):
            self.say(field, "")
        self.changed.emit()


def proposed_place(model: str, documents: tuple[str, ...]) -> str:
    """MODEL-bank beside the first of the documents, or in the user's home."""
    if not model:
        return ""
    name = Path(model.partition("@")[0]).name or "model"
    return str((Path(documents[0]).parent if documents else Path.home()) / f"{name}-bank")


def _path(text: str) -> str:
    """A path as a person writes or drops it; ~ is the user's home."""
    text = text.strip()
    if text.startswith("file://"):
        return QUrl(text).toLocalFile()
    return str(Path(text).expanduser()) if text.startswith("~/") else text


def _line() -> QLabel:
    made = label("", "error", wrap=True, selectable=True)
    made.hide()
    return made
