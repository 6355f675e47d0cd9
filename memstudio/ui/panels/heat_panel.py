"""The heat map of the last trace: which level, which kind of evidence, one colour scale for all levels, and what lies under the cursor."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import Signal
from PySide6.QtWidgets import QFrame, QSizePolicy, QVBoxLayout, QWidget

from memstudio.anchor.values import Trace
from memstudio.bank.values import ClusterId
from memstudio.ui.panels.legend import Legend
from memstudio.ui.panels.parts import EmptyState, Segments, label, pages, row
from memstudio.ui.plots.sheet import Sheet
from memstudio.ui.scales import diverging, sequential
from memstudio.ui.texts import of_token, signed, visible
from memstudio.ui.theme import Theme

if TYPE_CHECKING:
    from memstudio.ui.plots.heat_map_plot import HeatMapPlot

PROJECTED, OBSERVED = 0, 1
KINDS = (
    ("Attribution · projected", "Direct logit attribution of the block's output to the answer's first token against its runner-up"),
    ("Norm · observed", "Norm of the block's output relative to the anchor's own MLP output"),
)


class HeatPanel(QWidget):
    """Token × layer of a trace. Emits `selected` with the block of the level that was clicked."""

    selected = Signal(object)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._trace: Trace | None = None
        self.of = label("", "strong")
        self._kind = Segments(KINDS)
        self._level = Segments()
        self._legend = Legend(theme.tone)
        self._read = label("", "dim")
        self._read.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Preferred)
        self._plot: HeatMapPlot | None = None
        self._empty = EmptyState("Nothing traced yet", "Run a prompt: the trace after it shows which block acts at which token and layer.")
        body = QFrame()
        body.setProperty("kind", "panel")
        column = self._column = QVBoxLayout(body)
        column.setContentsMargins(8, 7, 8, 5)
        column.setSpacing(5)
        column.addLayout(row(self.of, self._kind, 1, label("Level", "dim"), self._level))
        column.addLayout(row(self._read, self._legend, spacing=8))
        self._stack = pages(self, (8, 0, 8, 6), self._empty, body)
        self._kind.chosen.connect(self._draw)
        self._level.chosen.connect(self._draw)
        self.setMinimumHeight(150)
        theme.changed.connect(self._retone)

    @property
    def plot(self) -> "HeatMapPlot":
        """The plot, made for the first trace: its library takes a fifth of a second that no first paint waits for."""
        if self._plot is None:
            from memstudio.ui.plots.heat_map_plot import HeatMapPlot

            self._plot = HeatMapPlot(self._theme.tone)
            self._plot.hovered.connect(self._point)
            self._plot.clicked.connect(self._click)
            self._column.insertWidget(1, self._plot, 1)
        return self._plot

    def show_trace(self, trace: Trace | None) -> None:
        """Show a trace, or the empty state."""
        self._trace = trace
        self._stack.setCurrentIndex(0 if trace is None else 1)
        if trace is None:
            if self._plot is not None:
                self._plot.clear()
            return
        self.of.setText(of_token(trace))
        self.of.setVisible(trace.token is not None)
        levels = range(1, trace.norm.shape[1] + 1)
        self._level.offer([("All", "All levels side by side"), *((str(n), f"Level {n} alone") for n in levels)])
        self._draw()

    @property
    def sheet(self) -> Sheet | None:
        """What is drawn now."""
        return self._sheet_of(self._trace) if self._trace else None

    def _sheet_of(self, trace: Trace) -> Sheet:
        place = self._level.place
        kind = self._kind.place
        values = trace.contribution if kind == PROJECTED else trace.norm
        levels = tuple(range(1, values.shape[1] + 1)) if place <= 0 else (place,)
        shown = np.stack([values[:, level - 1, :] for level in levels])
        at = {cluster.level: f"level {cluster.level} · {cluster}" for cluster in trace.route.clusters}
        titles = tuple(at.get(level, f"level {level}") for level in levels)
        return Sheet(shown, levels, trace.layers, trace.tokens, titles, bound_of(values), kind == PROJECTED)

    def _draw(self) -> None:
        if self._trace is None:
            return
        sheet, tone = self._sheet_of(self._trace), self._theme.tone
        colours = diverging(tone.dark) if sheet.signed else sequential(tone.dark)
        self.plot.show_sheet(sheet, colours)
        if sheet.signed:
            self._legend.show_scale(colours, f"{signed(-sheet.bound, 1)}", f"{signed(sheet.bound, 1)} logits", tone)
        else:
            self._legend.show_scale(colours, "0", f"{sheet.bound:.2g} × anchor", tone)
        self._point(-1, -1, -1)

    def choose_level(self, place: int) -> None:
        """Show all levels (0) or one of them (1, 2, …)."""
        self._level.choose(place)
        self._draw()

    def choose_kind(self, kind: int) -> None:
        """Show PROJECTED attribution or OBSERVED norms."""
        self._kind.choose(kind)
        self._draw()

    def said(self, level: int, layer: int, token: int) -> str:
        """What is known of a place in the sheet; of the whole map where it is outside (−1)."""
        trace = self._trace
        if trace is None:
            return ""
        sheet = self._sheet_of(trace)
        if level < 0:
            whole = f"toward “{visible(trace.answer.text)}”, away from “{visible(trace.runner_up)}”"
            return whole if sheet.signed else "relative to the anchor's own MLP output"
        value = float(sheet.values[level, layer, token])
        figure = "not measured" if np.isnan(value) else f"{signed(value, 3)} logits" if sheet.signed else f"{value:.3f} × anchor"
        return f"“{visible(sheet.tokens[token])}” · layer {sheet.layers[layer]} · level {sheet.levels[level]}: {figure}"

    def _point(self, level: int, layer: int, token: int) -> None:
        self._read.setText(self.said(level, layer, token))

    def _click(self, level: int) -> None:
        if self._trace is not None:
            for cluster in self._trace.route.clusters:
                if cluster.level == level:
                    self.selected.emit(ClusterId(*cluster))

    def _retone(self) -> None:
        if self._plot is not None:
            self._plot.retone(self._theme.tone)
        self._draw()


def bound_of(values: NDArray[np.float32]) -> float:
    """The largest magnitude that was measured, at any level: the colour scale's end. 1 where nothing was, or all is 0."""
    finite = np.abs(values[np.isfinite(values)])
    top = float(finite.max()) if finite.size else 0.0
    return top if top > 0 else 1.0
