"""The route of a run as a row of chips, coarsest first: id, label, distance, margin to the runner-up. A click selects the block."""

import math
from collections.abc import Mapping

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QLabel, QPushButton, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId, Route
from memstudio.ui.panels.parts import FlowBox, FlowLayout, label
from memstudio.ui.texts import on_button, plain_tip

LABEL_PIXELS = 130


class Breadcrumb(QWidget):
    """Chips of one route. Emits `selected` with a cluster."""

    selected = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self._route: Route | None = None
        self._labels: dict[ClusterId, str] = {}
        self._selected: ClusterId | None = None
        self._chips: dict[ClusterId, QPushButton] = {}
        self._empty = label("The prompt chooses one block a level when it runs.", "dim")
        self._flow = FlowLayout(4)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._empty)
        column.addWidget(FlowBox(self._flow))

    @property
    def chips(self) -> dict[ClusterId, QPushButton]:
        """The buttons, by cluster."""
        return self._chips

    def show_route(self, route: Route | None, empty: str | None = None, labels: Mapping[ClusterId, str] | None = None) -> None:
        """Another route; None empties it, with `empty` as the reason. labels: those that are known already."""
        self._route = route
        self._labels |= labels or {}
        if empty is not None:
            self._empty.setText(empty)
        self._rebuild()

    def show_labels(self, labels: dict[ClusterId, str]) -> None:
        """Labels that came."""
        if self._route and any(c in labels and labels[c] != self._labels.get(c) for c in self._route.clusters):
            self._labels |= {c: labels[c] for c in self._route.clusters if c in labels}
            self._rebuild()

    def select(self, cluster: ClusterId | None) -> None:
        """Mark the chip of the selected block."""
        self._selected = cluster
        for each, chip in self._chips.items():
            chip.setChecked(each == cluster)

    def _rebuild(self) -> None:
        self._flow.clear()
        self._chips = {}
        route = self._route
        self._empty.setVisible(route is None)
        if route is None:
            return
        height = 2 * self.fontMetrics().lineSpacing() + 10
        for place, cluster in enumerate(route.clusters):
            if place:
                arrow = QLabel("›")
                arrow.setProperty("kind", "dim")
                arrow.setFixedHeight(height)
                self._flow.addWidget(arrow)
            chip = QPushButton(on_button(self._text(route, place)))
            chip.setProperty("kind", "chip")
            chip.setCheckable(True)
            chip.setFixedHeight(height)
            chip.setChecked(cluster == self._selected)
            chip.setToolTip(plain_tip(self._tip(route, place)))
            chip.clicked.connect(lambda _=False, c=cluster: self.selected.emit(c))
            self._flow.addWidget(chip)
            self._chips[cluster] = chip
        self.updateGeometry()

    def _text(self, route: Route, place: int) -> str:
        cluster = route.clusters[place]
        name = self.fontMetrics().elidedText(self._labels.get(cluster, ""), Qt.TextElideMode.ElideRight, LABEL_PIXELS)
        return f"{cluster}  {name}\n{measured(route, place)}".replace("  \n", "\n")

    def _tip(self, route: Route, place: int) -> str:
        cluster = route.clusters[place]
        runners = ", ".join(str(c) for c in route.runners_up[place]) or "none"
        return f"{cluster}  {self._labels.get(cluster, '')}\n{measured(route, place)}\nrunners-up: {runners}\nClick to select the block"


def measured(route: Route, place: int) -> str:
    """Distance to the chosen centroid and margin to the runner-up, in words where they were not measured."""
    distance, margin = route.distances[place], route.margins[place]
    if math.isnan(distance):
        return "chosen by hand"
    thin = " ▲ thin" if route.thin[place] else ""
    return f"{distance:.3f} · " + ("no sibling" if margin is None else f"margin {margin:.3f}{thin}")
