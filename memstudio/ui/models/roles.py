"""What a tree or table says of a row beside its texts: delegates paint by these, and files are written by the last."""

from PySide6.QtCore import Qt

ClusterRole = Qt.ItemDataRole.UserRole
"""ClusterId."""
StateRole = Qt.ItemDataRole.UserRole + 1
"""BlockState; None where the bank holds no block."""
ActivityRole = Qt.ItemDataRole.UserRole + 2
"""Relative norm (observed) of the last prompt; None where there is none."""
OnRouteRole = Qt.ItemDataRole.UserRole + 3
"""bool."""
FlagsRole = Qt.ItemDataRole.UserRole + 4
"""(hidden, muted)."""
SelectedRole = Qt.ItemDataRole.UserRole + 5
"""bool: selected, whatever Qt's own selection says."""
MeasureRole = Qt.ItemDataRole.UserRole + 6
"""The measure that colours the views; None where it was not measured."""
PeakRole = Qt.ItemDataRole.UserRole + 7
"""The strongest measure beneath; None where none was measured."""
InsideRole = Qt.ItemDataRole.UserRole + 8
"""How many clusters beneath are selected."""

ExactRole = Qt.ItemDataRole.UserRole + 64
"""What a cell stands for where its text is short for it: a number with all its digits, a title for a column that shows none."""
