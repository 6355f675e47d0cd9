"""A's answer under every arm as a Qt table: a column a token, a row an arm; A's row is log p, the others' how far they are from it."""

import math
from collections.abc import Sequence

import numpy as np
from PySide6.QtCore import QAbstractTableModel, QModelIndex, QObject, QPersistentModelIndex, Qt

from memstudio.anchor.values import Token
from memstudio.session.arms import Standing, Weighed
from memstudio.ui.arms_views import LETTERS
from memstudio.ui.models.arms_sheet import ArmsSheet
from memstudio.ui.models.roles import ExactRole
from memstudio.ui.texts import plain_tip, signed, visible

AnyIndex = QModelIndex | QPersistentModelIndex
ROOT = QModelIndex()
GapRole = Qt.ItemDataRole.UserRole
"""Δ log p against A in nats, None in A's own row and where it is not measured."""
PartsRole = Qt.ItemDataRole.UserRole + 1
"""Whether the arm parts from A at this token."""
ForcedRole = Qt.ItemDataRole.UserRole + 2
"""Whether the arm had parted from A before this token, so that A's own tokens were read to it."""
UNMEASURED = "–"
_LEAST_NATS = 1.0
"""The scale's end where nothing differs by more, so that rounding never glows."""


class ArmsModel(QAbstractTableModel):
    """Filled while the arms answer: until they part an arm's own tokens are A's. The rest is there once A's answer was weighed."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.standing: tuple[Standing, ...] = ()
        self.answers: list[tuple[Token, ...]] = []
        self.ended = False
        self.bound = _LEAST_NATS
        """The end of the colour scale, in nats."""
        self._shared: list[int] = []
        self._weighed: Weighed | None = None

    def begin(self, standing: Sequence[Standing]) -> None:
        """Other arms, which have said nothing yet."""
        self.beginResetModel()
        self.standing, self.answers, self._shared = tuple(standing), [() for _ in standing], [0 for _ in standing]
        self.ended, self._weighed, self.bound = False, None, _LEAST_NATS
        self.endResetModel()

    def add(self, arm: int, token: Token) -> None:
        """A token of one arm."""
        at = len(self.answers[arm])
        if arm == 0:
            self.beginInsertColumns(ROOT, at, at)
        self.answers[arm] += (token,)
        for each in range(self.rowCount()) if arm == 0 else (arm,):
            self._share(each)
        if arm == 0:
            self.endInsertColumns()
        elif at < self.columnCount():
            self.dataChanged.emit(self.index(arm, at), self.index(arm, at))

    def weigh(self, weighed: Weighed) -> None:
        """A's answer was weighed."""
        self._weighed = weighed
        gaps = np.abs(weighed.differences)
        self.bound = float(gaps[np.isfinite(gaps)].max(initial=_LEAST_NATS))
        self._all_changed()

    def end(self) -> None:
        """All have answered to their ends, so that a shorter answer parts there."""
        self.ended = True
        self._all_changed()

    def parts_at(self, arm: int) -> int | None:
        """The token at which an arm parts from A, as far as both have come; a shorter answer's end counts once all have ended."""
        at, (short, long) = self._shared[arm], sorted((len(self.answers[arm]), len(self.answers[0])))
        return at if at < short or (self.ended and at < long) else None

    def logprob(self, arm: int, at: int) -> float | None:
        """What an arm gives A's token; None where it is not measured."""
        if self._weighed is not None and at < self._weighed.logprobs.shape[1]:
            return float(self._weighed.logprobs[arm, at])
        return self.answers[arm][at].logprob if at < self._shared[arm] else None

    def gap(self, arm: int, at: int) -> float | None:
        """Δ log p against A; None where it is not measured."""
        one, own = self.logprob(0, at), self.logprob(arm, at)
        return None if one is None or own is None else own - one

    def sheet(self) -> ArmsSheet:
        """All of it as rows, a token each."""
        arms = range(self.rowCount())
        rows = ((token.text, tuple(self.logprob(arm, at) for arm in arms)) for at, token in enumerate(self.answers[0]))
        return ArmsSheet(tuple(each.wish.title for each in self.standing), tuple(rows))

    # Qt

    def rowCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() else len(self.standing)

    def columnCount(self, parent: AnyIndex = ROOT) -> int:
        return 0 if parent.isValid() or not self.answers else len(self.answers[0])

    def headerData(self, section: int, orientation: Qt.Orientation, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        across = orientation == Qt.Orientation.Horizontal
        if role == Qt.ItemDataRole.ToolTipRole and not across and section < self.rowCount():
            return plain_tip(f"{LETTERS[section]}: {self.standing[section].wish.title}")
        if role != Qt.ItemDataRole.DisplayRole or section >= (self.columnCount() if across else self.rowCount()):
            return None
        if across:
            return visible(self.answers[0][section].text) or "·"
        return f"{LETTERS[section]}  log p" if section == 0 else f"{LETTERS[section]}  Δ log p"

    def data(self, index: AnyIndex, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if not index.isValid() or index.row() >= self.rowCount() or index.column() >= self.columnCount():
            return None
        arm, at = index.row(), index.column()
        if role == Qt.ItemDataRole.DisplayRole:
            found = self.logprob(0, at) if arm == 0 else self.gap(arm, at)
            if found is None:
                return UNMEASURED
            return f"{found:.2f}".replace("-", "−") if arm == 0 else signed(found) if found else "0"
        if role == ExactRole:
            return self.logprob(0, at) if arm == 0 else self.gap(arm, at)
        if role == GapRole:
            return self.gap(arm, at) if arm else None
        if role in (PartsRole, ForcedRole):
            parts = self.parts_at(arm)
            return parts is not None and (parts == at if role == PartsRole else parts < at)
        if role == Qt.ItemDataRole.ToolTipRole:
            return plain_tip(self._tip(at))
        if role == Qt.ItemDataRole.TextAlignmentRole:
            return Qt.AlignmentFlag.AlignCenter
        return None

    def _tip(self, at: int) -> str:
        lines = [f"token {at} of A: “{visible(self.answers[0][at].text)}”"]
        for arm, each in enumerate(self.standing):
            found, gap = self.logprob(arm, at), self.gap(arm, at)
            figure = "not measured" if found is None else f"log p {found:.3f}, p {math.exp(found):.3f}".replace("-", "−")
            difference = f", Δ {signed(gap, 3)}" if arm and gap is not None else ""
            own = self.answers[arm]
            says = f"; parts here with “{visible(own[at].text) if at < len(own) else 'the end'}”" if self.parts_at(arm) == at else ""
            lines.append(f"{LETTERS[arm]} {each.wish.title}: {figure}{difference}{says}")
        return "\n".join(lines)

    def _share(self, arm: int) -> None:
        """Count on how far an arm's answer and A's agree."""
        own, first = self.answers[arm], self.answers[0]
        while (at := self._shared[arm]) < min(len(own), len(first)) and own[at].id == first[at].id:
            self._shared[arm] += 1
            gap = self.gap(arm, at)
            if gap is not None and math.isfinite(gap):
                self.bound = max(self.bound, abs(gap))

    def _all_changed(self) -> None:
        if self.rowCount() and self.columnCount():
            self.dataChanged.emit(self.index(0, 0), self.index(self.rowCount() - 1, self.columnCount() - 1))
