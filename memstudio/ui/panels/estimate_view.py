"""What a build would make and take, estimated: figures, time by stage, notes. While it is worked out anew the last one is dimmed."""

from PySide6.QtCore import Qt
from PySide6.QtWidgets import (
    QFrame,
    QGraphicsOpacityEffect,
    QGridLayout,
    QLabel,
    QProgressBar,
    QScrollArea,
    QStackedWidget,
    QVBoxLayout,
    QWidget,
)

from memstudio.ui.build_views import EstimateView, Looking
from memstudio.ui.panels.parts import EmptyState, label, line, row, set_kind
from memstudio.ui.texts import count_text, counted, size_text

_STALE_OPACITY = 0.45
_BAR = 1000
_AT_WORK = "What a build would make and take stands here in some seconds."
STAGES = {
    "read": "Reading the documents",
    "embed": "Encoding",
    "cluster": "Growing the tree",
    "label": "Labelling",
    "train": "Training",
    "probe": "Probing",
    "write": "Writing",
}
"""The stages of an estimate, in words."""


class EstimatePane(QStackedWidget):
    """An empty state until there is an estimate."""

    def __init__(self) -> None:
        super().__init__()
        self.empty = EmptyState("Estimate", "")
        self.body = QWidget()
        self.body.setProperty("kind", "card-body")
        self.state = label("", "dim")
        self.time = label("", "figure")
        self._stages, self._figures, self.notes = QGridLayout(), QGridLayout(), label("", "notice", wrap=True, selectable=True)
        self._dim = QGraphicsOpacityEffect(self.body)
        self._dim.setEnabled(False)
        scroll = QScrollArea()
        scroll.setProperty("kind", "card")
        scroll.setWidgetResizable(True)
        scroll.setFrameShape(QFrame.Shape.NoFrame)
        scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        scroll.setAccessibleName("Estimate")
        inside = QWidget()
        inside.setProperty("kind", "card-body")
        column = QVBoxLayout(inside)
        column.setContentsMargins(14, 10, 14, 12)
        column.setSpacing(8)
        column.addLayout(row(label("Estimate", "section"), 1, self.state))
        column.addWidget(self.body)
        column.addStretch(1)
        self._arrange()
        scroll.setWidget(inside)
        self.addWidget(self.empty)
        self.addWidget(scroll)
        self.show_nothing("Choose a model and documents, and what a build would make and take stands here.")

    def _arrange(self) -> None:
        for grid in (self._stages, self._figures):
            grid.setContentsMargins(0, 0, 0, 0)
            grid.setHorizontalSpacing(10)
            grid.setVerticalSpacing(5)
        self._stages.setColumnStretch(1, 1)
        self._figures.setColumnStretch(1, 1)
        column = QVBoxLayout(self.body)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.addWidget(self.time)
        column.addLayout(self._stages)
        column.addWidget(line())
        column.addLayout(self._figures)
        column.addWidget(self.notes)
        self.body.setGraphicsEffect(self._dim)

    def show_nothing(self, hint: str, title: str = "Estimate") -> None:
        """No estimate, and what to do about it."""
        self.empty.title.setText(title)
        self.empty.hint.setText(hint)
        self.setCurrentIndex(0)

    def show_stale(self) -> None:
        """The estimate on show speaks of an earlier wish, and another one is on its way."""
        if self.currentIndex() == 1:
            self._dim.setOpacity(_STALE_OPACITY)
            self._dim.setEnabled(True)
            self.state.setText("estimating…")
        else:
            self.empty.title.setText("Estimating…")
            self.empty.hint.setText(_AT_WORK)

    def show_progress(self, looking: Looking) -> None:
        """How far the new one is."""
        how_far = f"{100 * looking.done // looking.total} %" if looking.total else f"{looking.done:,}" if looking.done else ""
        words = f"{looking.title} {how_far}".strip()
        self.state.setText(words)
        if self.currentIndex() == 0:
            self.empty.hint.setText(words)

    def show_estimate(self, view: EstimateView) -> None:
        """The estimate of the wish at hand."""
        self._dim.setEnabled(False)
        self.state.setText("")
        self.time.setText(f"{duration(view.seconds)} to build")
        _clear(self._stages)
        longest = max(view.by_stage.values(), default=0.0)
        for at, (stage, seconds) in enumerate(view.by_stage.items()):
            self._stages.addWidget(label(STAGES.get(stage, stage), "dim"), at, 0)
            self._stages.addWidget(_bar(seconds, longest), at, 1, Qt.AlignmentFlag.AlignVCenter)
            self._stages.addWidget(_right(duration(seconds, short=True)), at, 2)
        _clear(self._figures)
        for at, (name, words) in enumerate(figures(view)):
            self._figures.addWidget(label(name, "dim"), at, 0, Qt.AlignmentFlag.AlignTop)
            value = label(words, wrap=True, selectable=True)
            value.setAccessibleName(f"{name}: {words}")
            self._figures.addWidget(value, at, 1)
            if name == "Disk" and not view.fits:
                set_kind(value, "error")
        self.notes.setText("\n".join(view.notes))
        self.notes.setVisible(bool(view.notes))
        self.setCurrentIndex(1)


def figures(view: EstimateView) -> list[tuple[str, str]]:
    """The figures of an estimate, in words."""
    windows = f"{counted(view.windows, 'window')}, {count_text(view.tokens)} tokens"
    widths = ", ".join(width_words(width) for width in view.widths)
    share = view.anchor_parameters / view.fetched_parameters if view.fetched_parameters else None
    fetched = f"{count_text(view.fetched_parameters)} : {count_text(view.anchor_parameters)} parameters"
    disk = f"{size_text(view.disk_bytes)} while it is built, {size_text(view.bank_bytes)} after"
    return [
        ("Documents", f"{'' if view.exact else 'about '}{view.documents:,} in {windows}"),
        ("Clusters", f"{' · '.join(f'{count:,}' for count in view.clusters)}, level after level"),
        ("Widths", f"{widths} neurons in {layer_words(view.layers)}"),
        ("Fetched : anchor", f"1 : {share:.3g} ({fetched})" if share else f"0 ({fetched})"),
        ("Bank", f"{count_text(view.bank_parameters)} parameters"),
        ("Disk", f"{disk}; {size_text(view.free_bytes)} free" + ("" if view.fits else ": not enough")),
        ("Memory", size_text(view.memory_bytes)),
    ]


def width_words(width: int | tuple[int, ...]) -> str:
    """One width, or from the first layer's to the last's."""
    return f"{width:,}" if isinstance(width, int) else f"{width[0]:,}–{width[-1]:,}"


def layer_words(layers: tuple[int, ...]) -> str:
    """layer 3, layers 4–7, layers 0, 2, 5."""
    if len(layers) == 1:
        return f"layer {layers[0]}"
    if layers and layers == tuple(range(layers[0], layers[-1] + 1)):
        return f"layers {layers[0]}–{layers[-1]}"
    return f"layers {', '.join(map(str, layers))}"


def duration(seconds: float, *, short: bool = False) -> str:
    """about 4 min; short: 4 min."""
    if seconds < 1:
        words = "under 1 s"
    elif seconds < 90:
        words = f"{seconds:.0f} s"
    elif seconds < 90 * 60:
        words = f"{seconds / 60:.0f} min"
    elif seconds < 36 * 3600:
        words = f"{seconds / 3600:.1f} h"
    else:
        words = f"{seconds / 86400:.1f} days"
    return words if short or seconds < 1 else f"about {words}"


def _bar(value: float, most: float) -> QProgressBar:
    bar = QProgressBar()
    bar.setTextVisible(False)
    bar.setRange(0, _BAR)
    bar.setValue(max(1, round(_BAR * value / most)) if most > 0 else 0)
    bar.setFixedHeight(6)
    bar.setMinimumWidth(40)
    bar.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return bar


def _right(text: str) -> QLabel:
    made = label(text)
    made.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
    return made


def _clear(grid: QGridLayout) -> None:
    while (item := grid.takeAt(0)) is not None:
        widget = item.widget()
        if widget is not None:
            widget.hide()
            widget.deleteLater()
