"""What stands around the icicle: the way down to where one has zoomed, what widths mean, and what the hover card says."""

from collections.abc import Mapping, Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QStandardItemModel
from PySide6.QtWidgets import QComboBox, QPushButton, QWidget

from memstudio.bank.values import BASE, ClusterId, Overlay
from memstudio.ui.models.measure_texts import measure_line
from memstudio.ui.panels.parts import FlowLayout
from memstudio.ui.plots.icicle_layout import Width, path
from memstudio.ui.plots.icicle_picture import Scene
from memstudio.ui.snapshots import LevelView
from memstudio.ui.texts import counted, on_button, plain_tip, state_words

WIDEST_PX = 150
HINT = "Double-click zooms in, Escape goes up"
WIDTHS: tuple[tuple[str, Width, str], ...] = (
    ("Documents", "documents", "As wide as its share of its parent's documents"),
    ("Parameters", "parameters", "As wide as the parameters of its subtree"),
    ("Use", "use", "As wide as its share of the prompts that were counted; cannot be chosen before one was"),
)


class IcicleCrumbs(QWidget):
    """Emits `taken` with a cluster, None for the whole bank. Buttons are made anew only where the way or a label changed."""

    taken = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.setAccessibleName("Where the icicle is zoomed to")
        self._flow = FlowLayout(2)
        self.setLayout(self._flow)
        self._shown: list[tuple[ClusterId | None, str]] = []

    def show_way(self, way: Sequence[ClusterId], labels: Mapping[ClusterId, str]) -> None:
        """way: coarsest first, () for the whole bank."""
        wanted = [(None, "All"), *((cluster, labels.get(cluster) or str(cluster)) for cluster in way)]
        if wanted == self._shown:
            return
        self._shown = wanted
        self._flow.clear()
        for cluster, text in wanted:
            short = self.fontMetrics().elidedText(text, Qt.TextElideMode.ElideRight, WIDEST_PX)
            press = QPushButton(on_button(short if cluster is None else f"› {short}"))
            press.setProperty("kind", "chip")
            press.setObjectName(f"icicle_crumb_{cluster.level if cluster else 0}")
            press.setAccessibleName(f"Zoom to {text}")
            press.setToolTip(plain_tip("The whole bank (Home)" if cluster is None else f"Zoom to {text} ({cluster})"))
            press.clicked.connect(lambda _=False, c=cluster: self.taken.emit(c))
            self._flow.addWidget(press)


class WidthBox(QComboBox):
    """What the width of a cluster means."""

    def __init__(self) -> None:
        super().__init__()
        self.setObjectName("icicle_width")
        self.setAccessibleName("What the width of a cluster means")
        self.setToolTip(plain_tip("\n".join(f"{name}: {tip}" for name, _, tip in WIDTHS)))
        for at, (name, _, tip) in enumerate(WIDTHS):
            self.addItem(f"Width: {name.lower()}")
            self.setItemData(at, tip, Qt.ItemDataRole.ToolTipRole)

    @property
    def how(self) -> Width:
        """The choice."""
        return WIDTHS[max(0, self.currentIndex())][1]

    def offer_use(self, counted: bool) -> None:
        """Whether there are counts to choose."""
        model = self.model()
        if isinstance(model, QStandardItemModel):
            model.item(len(WIDTHS) - 1).setEnabled(counted)


def card_lines(
    levels: Sequence[LevelView],
    scene: Scene,
    overlay: Overlay,
    tried: tuple[frozenset[ClusterId], frozenset[ClusterId]],
    cluster: ClusterId,
) -> list[str]:
    """What the hover card says of a cluster; tried: what is hidden and what is muted."""
    level, named, (hidden, muted) = levels[cluster.level - 1], scene.labels.get(cluster, ""), tried
    words = [
        state_words(overlay.get(cluster, BASE)) if level.block_bytes else "no block: width 0",
        "hidden" if hidden.intersection(path(levels, cluster)) else "",
        "muted" if cluster in muted else "",
        "on the route" if cluster in scene.route else "",
        "selected" if cluster in scene.chosen else "",
    ]
    return [
        f"{named}  {cluster}" if named else str(cluster),
        counted(int(level.documents[cluster.index]), "document"),
        *([] if scene.shades is None else [measure_line(scene.shades, cluster)]),
        ", ".join(filter(None, words)),
        HINT,
    ]
