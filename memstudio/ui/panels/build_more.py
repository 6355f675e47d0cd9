"""What a build decides by itself unless it is told: the shape of the tree and of the blocks, and how they are trained."""

import re
from collections.abc import Sequence
from dataclasses import replace

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QCheckBox, QComboBox, QGridLayout, QLayout, QLineEdit, QSpinBox, QWidget

from memstudio.errors import UserError
from memstudio.ui.build_views import BuildWish, EstimateView, Layers, Mode
from memstudio.ui.panels.parts import Segments, inset, label, row

WINDOW = (16, 2048)
_MODES: tuple[Mode, ...] = ("frozen", "cotrain")
_MOST_LEVELS, _MOST_CHILDREN, _MOST_WIDTH, _MOST_LAYERS = 8, 65_536, 100_000, 10_000
_LAYER_CHOICES = ("The later half", "All", "These:")


class BuildMore(QWidget):
    """Emits `changed` with every change by the user."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.branching, self.widths, self.layer_numbers = QLineEdit(), QLineEdit(), QLineEdit()
        self.layers, self.ramp = QComboBox(), QCheckBox("Wider in later layers")
        self.window_tokens, self.seed = QSpinBox(), QSpinBox()
        frozen = "Frozen anchor", "Only the blocks are trained; the anchor stays as it is"
        self.mode = Segments((frozen, ("Co-trained", "The anchor is trained along with them")))
        self.layers.addItems(_LAYER_CHOICES)
        self.layer_numbers.setPlaceholderText("for example 0, 2, 4–7")
        self.window_tokens.setRange(*WINDOW)
        self.window_tokens.setSuffix(" tokens")
        self.window_tokens.setSingleStep(64)
        self.seed.setRange(0, 2**31 - 1)
        inset(self.window_tokens)
        inset(self.seed)
        self.show_shape(None)
        self._arrange()
        self.show_wish(BuildWish())
        self._connect()

    def _arrange(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(6)
        layers = row(self.layers, self.layer_numbers, self.ramp, spacing=8)
        layers.setStretch(1, 1)
        rows: tuple[tuple[str, QWidget | QLayout, str], ...] = (
            ("Children", self.branching, "Children of each cluster, level after level: 16, 16 is two levels of 16 and 256 clusters"),
            ("Widths", self.widths, "Neurons a layer of a block, level after level; 0 leaves a level without blocks"),
            ("Layers", layers, "Which layers of the anchor the blocks are added to"),
            ("Window", row(self.window_tokens, 1), "How much of a document is read at a time"),
            ("Training", row(self.mode, 1), "What is trained"),
            ("Seed", row(self.seed, 1), "Another seed gives another tree and other blocks"),
        )
        for at, (name, field, tip) in enumerate(rows):
            grid.addWidget(label(name, "dim", tip=tip), at, 0)
            if isinstance(field, QLayout):
                grid.addLayout(field, at, 1)
            else:
                grid.addWidget(field, at, 1)
        grid.setColumnMinimumWidth(0, self.fontMetrics().horizontalAdvance("Documents") + 1)
        grid.setColumnStretch(1, 1)
        named = (
            (self.branching, "Children of each cluster, level after level"),
            (self.widths, "Widths, level after level"),
            (self.layers, "Layers that carry memory"),
            (self.layer_numbers, "Numbers of the layers"),
            (self.ramp, "Wider in later layers"),
            (self.window_tokens, "Window in tokens"),
            (self.mode, "Training"),
            (self.seed, "Seed"),
        )
        for widget, name in named:
            widget.setAccessibleName(name)
            widget.setToolTip(next((tip for first, _, tip in rows if name.startswith(first)), ""))
        self.ramp.setToolTip("Layer i of L gets 2·width·(i+1)/L neurons, so that the last has twice the width")
        self.layers.setToolTip(rows[2][2])
        self._show_numbers()

    def _connect(self) -> None:
        self.layers.currentIndexChanged.connect(self._show_numbers)
        for signal in (
            self.branching.textChanged,
            self.widths.textChanged,
            self.layer_numbers.textChanged,
            self.layers.currentIndexChanged,
            self.ramp.toggled,
            self.window_tokens.valueChanged,
            self.seed.valueChanged,
            self.mode.chosen,
        ):
            signal.connect(lambda *_: self.changed.emit())

    def wish(self, so_far: BuildWish) -> BuildWish:
        """The wish with these fields in it.

        Raises:
            UserError: a field that holds no list of numbers, or numbers out of their range.
        """
        branching = numbers("Children", self.branching.text(), 1, _MOST_CHILDREN, _MOST_LEVELS)
        widths = numbers("Widths", self.widths.text(), 0, _MOST_WIDTH, _MOST_LEVELS)
        if branching and widths and len(branching) != len(widths):
            raise UserError(f"Children names {len(branching)} levels, Widths {len(widths)}: name as many")
        return replace(
            so_far,
            window=self.window_tokens.value(),
            branching=branching,
            widths=widths,
            layers=self._layers(),
            ramp=self.ramp.isChecked(),
            mode=_MODES[self.mode.place],
            seed=self.seed.value(),
        )

    def show_wish(self, wish: BuildWish) -> None:
        """Put a wish into the fields."""
        self.branching.setText(", ".join(map(str, wish.branching or ())))
        self.widths.setText(", ".join(map(str, wish.widths or ())))
        chosen = {"late": 0, "all": 1}.get(wish.layers, 2) if isinstance(wish.layers, str) else 2
        self.layers.setCurrentIndex(chosen)
        self.layer_numbers.setText(", ".join(map(str, wish.layers)) if isinstance(wish.layers, tuple) else "")
        self.ramp.setChecked(wish.ramp)
        self.window_tokens.setValue(wish.window)
        self.mode.choose(_MODES.index(wish.mode))
        self.seed.setValue(wish.seed)

    def show_shape(self, view: EstimateView | None) -> None:
        """What "automatic" comes to for the wish at hand, where a field is left empty."""
        shapes: tuple[Sequence[object], Sequence[object]] = ((), ()) if view is None else (view.branching, view.widths)
        for field, shape in zip((self.branching, self.widths), shapes, strict=True):
            shown = ", ".join(map(str, shape)) if all(isinstance(each, int) for each in shape) else ""
            field.setPlaceholderText(f"automatic: {shown}" if shown else "automatic")

    def _layers(self) -> Layers:
        if self.layers.currentIndex() < 2:
            return "all" if self.layers.currentIndex() else "late"
        chosen = numbers("Layers", self.layer_numbers.text(), 0, _MOST_LAYERS - 1, _MOST_LAYERS)
        if chosen is None:
            raise UserError("Layers: name at least one, for example 0, 2, 4–7")
        return tuple(sorted(set(chosen)))

    def _show_numbers(self) -> None:
        self.layer_numbers.setVisible(self.layers.currentIndex() == 2)


def numbers(name: str, text: str, least: int, most: int, count: int) -> tuple[int, ...] | None:
    """The whole numbers of a field: 8, 16 or 0, 2–4; None where it is empty.

    Raises:
        UserError: something else stands there, or more or larger numbers than fit.
    """
    found: list[int] = []
    for part in re.split(r"[\s,;·×]+", re.sub(r"\s*[-–]\s*", "-", text.strip())):
        if not part:
            continue
        match = re.fullmatch(r"(\d{1,9})(?:-(\d{1,9}))?", part)
        if match is None:
            raise UserError(f"{name}: {part:.20} is no number; write numbers with commas between them")
        first, last = int(match[1]), int(match[2] or match[1])
        if not least <= first <= last <= most:
            raise UserError(f"{name}: {part:.20} is not between {least:,} and {most:,}")
        if len(found) + last - first + 1 > count:
            raise UserError(f"{name}: more than {count:,} numbers")
        found.extend(range(first, last + 1))
    return tuple(found) or None
