"""The columns of the table of clusters: their heads, on which side they stand, and what a cell says beside its text."""

from enum import IntEnum
from typing import NamedTuple

from PySide6.QtCore import Qt

from memstudio.bank.values import BlockState, ClusterId
from memstudio.ui.models.roles import ClusterRole, FlagsRole, MeasureRole, OnRouteRole, SelectedRole, StateRole


class Column(IntEnum):
    """The columns that every bank has; one for each measure follows."""

    CLUSTER = 0
    LABEL = 1
    LEVEL = 2
    DOCUMENTS = 3
    SIZE = 4
    STATE = 5
    ROUTE = 6


FIGURES = len(Column)
HEADERS = {
    Column.CLUSTER: ("Cluster", "Id of the cluster: LEVEL/INDEX"),
    Column.LABEL: ("Label", "Labels are read for the rows in sight; sorting by label puts those that were read first"),
    Column.LEVEL: ("Level", "Depth in the tree, 1 is the coarsest"),
    Column.DOCUMENTS: ("Docs", "Documents that the block was trained on"),
    Column.SIZE: ("Size", "Bytes of the block"),
    Column.STATE: ("State", "What stands in the block's place at this revision, and what is hidden or muted"),
    Column.ROUTE: ("Route", "On the route of the last prompt"),
}
ROLES = {
    Qt.ItemDataRole.DisplayRole,
    Qt.ItemDataRole.ToolTipRole,
    Qt.ItemDataRole.TextAlignmentRole,
    *(ClusterRole, StateRole, FlagsRole, OnRouteRole, SelectedRole, MeasureRole),
}
START = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter
END = Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter
RIGHT = (Column.LEVEL, Column.DOCUMENTS, Column.SIZE)


class Look(NamedTuple):
    """How a cell looks. state: None where the bank holds no block; measure: the column's figure, None where there is none."""

    cluster: ClusterId
    state: BlockState | None
    hidden: bool
    muted: bool
    on_route: bool
    selected: bool
    measure: float | None
