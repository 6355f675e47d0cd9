"""A selection of rows that is kept as one bit a cluster: sixty-five thousand selected blocks cost what one costs.

Qt's own selection is a list of ranges, which a sorted table breaks into as many pieces as it has rows; each painted cell then walks
them all. So the bits rule (the models answer `SelectedRole` by them, the delegates paint by that) and Qt gets a copy of them as
contiguous ranges while there are few, which is what a screen reader reads.
"""

from PySide6.QtCore import QEvent, QItemSelection, QItemSelectionModel, QModelIndex, QObject, QPersistentModelIndex, Qt, Signal
from PySide6.QtGui import QMouseEvent

from memstudio.bank.values import ClusterId
from memstudio.ui.models.clusters_model import ClustersModel
from memstudio.ui.models.places import fits
from memstudio.ui.models.roles import SelectedRole
from memstudio.ui.models.tree_model import TreeModel
from memstudio.ui.selection import Chosen, Mask

MOST_RANGES = 256
Flag = QItemSelectionModel.SelectionFlag
Masks = tuple[Mask, ...]


class RowSelection(QItemSelectionModel):
    """Selection of a tree or table of clusters. Emits `chosen` (a Chosen) when the person changed it, never from `show_chosen`."""

    chosen = Signal(object)

    def __init__(self, model: TreeModel | ClustersModel, parent: QObject) -> None:
        super().__init__(model, parent)
        self._rows = model
        self._base: Masks = ()
        self._moving: Masks = ()
        self._command = Flag.NoUpdate
        self.now = Chosen()

    def show_chosen(self, chosen: Chosen) -> None:
        """Select what was selected elsewhere, nothing where that was in another bank. What stands already, told again in mid-drag, leaves
        the drag alone."""
        if chosen == self.now:
            return
        if not fits(chosen.masks, self._rows.sizes):
            chosen = Chosen(self._rows.masks())
        self._base, self._moving, self._command = chosen.masks, (), Flag.NoUpdate
        self._take(chosen)

    def select(self, what: QItemSelection | QModelIndex | QPersistentModelIndex, command: Flag) -> None:
        """As Qt's: every click and key of a view ends here."""
        if command in (Flag.NoUpdate, Flag.Deselect):  # the second comes from Qt itself, of columns that go; views name rows
            return
        empty = self._rows.masks()
        if command & Flag.Clear or not self._base:
            self._base, self._moving = empty, ()
        if not command & Flag.Current:
            self._base, self._moving = self._joined(), ()
        if command & (Flag.Select | Flag.Deselect | Flag.Toggle):
            self._moving, self._command = self._marked(what), command
        masks = self._joined()
        before = self.now
        self._take(Chosen(masks, self._current(what, masks)))
        if self.now != before:
            self.chosen.emit(self.now)

    def start(self) -> None:
        """Nothing is selected: another bank, whose rows are others."""
        masks = self._rows.masks()
        self._base, self._moving, self._command = masks, (), Flag.NoUpdate
        self._take(Chosen(masks))

    def mirror(self) -> None:
        """Tell Qt again which rows are selected: rows came, went or moved."""
        super().select(QItemSelection(), Flag.Clear)  # apart, since Qt compares an old selection with a new one range by range
        ranges = self._rows.runs(MOST_RANGES)
        if ranges.count():
            super().select(ranges, Flag.Select | Flag.Rows)

    def unmirror(self) -> None:
        """Take Qt's copy away before rows move, since Qt would follow each of them."""
        super().select(QItemSelection(), Flag.Clear)

    def _take(self, chosen: Chosen) -> None:
        self.now = chosen
        self._rows.show_chosen(chosen)
        self.mirror()

    def _marked(self, what: QItemSelection | QModelIndex | QPersistentModelIndex) -> Masks:
        masks = self._rows.masks()
        if isinstance(what, QItemSelection):
            for at in range(what.count()):
                each = what.at(at)
                self._rows.mark(masks, each.parent(), each.top(), each.bottom())
        elif what.isValid():
            self._rows.mark(masks, what.parent(), what.row(), what.row())
        return masks

    def _joined(self) -> Masks:
        if not self._moving:
            return self._base
        pairs = list(zip(self._base, self._moving, strict=True))
        if self._command & Flag.Toggle:
            return tuple(one ^ other for one, other in pairs)
        if self._command & Flag.Deselect:
            return tuple(one & ~other for one, other in pairs)
        return tuple(one | other for one, other in pairs)

    def _current(self, what: QItemSelection | QModelIndex | QPersistentModelIndex, masks: Masks) -> ClusterId | None:
        """The row that was clicked or reached where it is selected, else the one before where that still is."""
        index = self.currentIndex() if isinstance(what, QItemSelection) else what
        chosen = Chosen(masks)
        for cluster in (self._rows.cluster(index), self.now.current):
            if cluster is not None and cluster in chosen:
                return cluster
        taken_out = self._command & (Flag.Toggle | Flag.Deselect)
        return None if taken_out else chosen.first  # all rows at once, before any was current: the keys need one


def command_for(index: QModelIndex | QPersistentModelIndex, event: QEvent | None, command: Flag) -> Flag:
    """What a press does to the selection, by its bits: a view asks Qt's copy, which may be missing. `command` is the view's own answer.

    The right button on what is selected opens its menu and leaves all as it is; Ctrl on what is selected takes it out.
    """
    if not isinstance(event, QMouseEvent) or event.type() != QEvent.Type.MouseButtonPress or not index.data(SelectedRole):
        return command
    if event.button() == Qt.MouseButton.RightButton:
        return Flag.NoUpdate
    return Flag.Deselect | Flag.Rows if command & Flag.Toggle else command
