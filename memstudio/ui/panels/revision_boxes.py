"""Two choosers of revisions, by number, names and title: the head's parent and the head, until a person chooses others."""

from PySide6.QtCore import QObject, Qt, Signal
from PySide6.QtGui import QPaintEvent
from PySide6.QtWidgets import QComboBox, QStyle, QStyleOptionComboBox, QStylePainter

from memstudio.ui.snapshots import StudyView
from memstudio.ui.texts import plain_tip

LONGEST = 60
SHOWN = 15
PADDING = 6


class ElidedBox(QComboBox):
    """A chooser whose text ends in … where it does not fit."""

    def paintEvent(self, event: QPaintEvent) -> None:
        painter, option = QStylePainter(self), QStyleOptionComboBox()
        self.initStyleOption(option)
        room = self.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, QStyle.SubControl.SC_ComboBoxEditField, self).width()
        option.currentText = self.fontMetrics().elidedText(option.currentText, Qt.TextElideMode.ElideRight, room - PADDING)
        painter.drawComplexControl(QStyle.ComplexControl.CC_ComboBox, option)
        painter.drawControl(QStyle.ControlElement.CE_ComboBoxLabel, option)


class RevisionPair(QObject):
    """The two boxes, to be placed by a panel. Emits `changed` when another pair is chosen."""

    changed = Signal()

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._by_hand = False
        self._study: StudyView | None = None
        self.boxes = (ElidedBox(), ElidedBox())
        for box in self.boxes:
            box.setSizeAdjustPolicy(QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon)
            box.setMinimumContentsLength(SHOWN)
            box.setMaxVisibleItems(20)
            box.activated.connect(self._chosen)

    def show_study(self, study: StudyView) -> None:
        """The revisions as they are now; another study begins with its head and the head's parent."""
        if self._study is None or self._study.folder != study.folder:
            self._by_hand = False
        before, self._study = self.values, study
        names: dict[int, list[str]] = {}
        for name, number in study.names.items():
            names.setdefault(number, []).append(name)
        known = {revision.id for revision in study.log}
        for box in self.boxes:
            box.clear()
            for revision in sorted(study.log, key=lambda each: -each.id):
                words = revision.title if revision.parent is not None else "as shipped"
                text = " · ".join((str(revision.id), *names.get(revision.id, ()), words))
                box.addItem(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…", revision.id)
                box.setItemData(box.count() - 1, plain_tip(text), Qt.ItemDataRole.ToolTipRole)
        keep = self._by_hand and before is not None and known.issuperset(before)
        head = study.revision
        self._put(*(before if keep and before is not None else (head.parent if head.parent is not None else head.id, head.id)))

    def choose(self, a: int, b: int) -> None:
        """Choose a pair, as by hand."""
        self._by_hand = True
        self._put(a, b)

    @property
    def values(self) -> tuple[int, int] | None:
        """The two revisions; None while no study is open."""
        one, other = (box.currentData() for box in self.boxes)
        return None if one is None or other is None else (int(one), int(other))

    def _put(self, a: int, b: int) -> None:
        for box, revision in zip(self.boxes, (a, b), strict=True):
            box.setCurrentIndex(box.findData(revision))
            box.setToolTip(plain_tip(box.currentText()))
        self.changed.emit()

    def _chosen(self) -> None:
        self._by_hand = True
        for box in self.boxes:
            box.setToolTip(plain_tip(box.currentText()))
        self.changed.emit()
