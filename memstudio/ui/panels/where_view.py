"""Where an edit of facts writes, and how: the blocks that the phrasings reach, the one they share, or those chosen by hand."""

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QPushButton, QVBoxLayout, QWidget

from memstudio.bank.values import ClusterId
from memstudio.ui.fact_views import Clusters, Verb, Where
from memstudio.ui.panels.parts import FlowLayout, Segments, label, row
from memstudio.ui.texts import counted

REACHED = ("reached", "Each block reached", "Write to the deepest block of every phrasing's route")
SHARED = ("shared", "Deepest shared", "Write to the deepest block that all phrasings pass through")
PATH = ("path", "All on the routes", "Write to every block on the routes: siblings share what the upper levels hold")
CHOOSE = ("choose", "Choose", "Write to the blocks that you choose among those on the routes")
METHODS: dict[Verb, tuple[tuple[str, str, str], ...]] = {
    "update": (
        ("tuned", "Tuned", "Gradient on the chosen blocks only; what they answer beside the fact is held; stops by itself"),
        ("closed-form", "Closed form", "Least squares on the blocks' down projections; no gradient"),
    ),
    "erase": (
        ("tuned", "Tuned", "Gradient towards what the anchor says without memory; what else the blocks answer is held"),
        ("dampen", "Dampen", "Selective synaptic dampening: the numbers that matter more to the fact than to the rest shrink"),
    ),
}


class WhereView(QWidget):
    """Two rows of choices and what they come to. Emits `changed`."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self._options: tuple[tuple[str, str, str], ...] = (REACHED, SHARED, CHOOSE)
        self._methods = METHODS["update"]
        self._reached: Clusters = ()
        self._writable: Clusters = ()
        self._shared: ClusterId | None = None
        self._said = ""
        self.places, self.methods = Segments(), Segments()
        self.places.chosen.connect(self._chosen)
        self.methods.chosen.connect(self.changed)
        self.summary = label("", "dim", wrap=True)
        self._chip_box = QWidget()
        self._flow = FlowLayout(4)
        self._chip_box.setLayout(self._flow)
        self.chips: dict[ClusterId, QPushButton] = {}
        wide = self.fontMetrics().horizontalAdvance("Answers now") + 10
        names = [label("Write to", "dim"), label("Method", "dim")]
        for name in names:
            name.setFixedWidth(wide)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(6)
        column.addLayout(row(names[0], self.places, 1))
        column.addWidget(self._chip_box)
        column.addLayout(row(names[1], self.methods, 1))
        column.addWidget(self.summary)
        self.begin("update", batch=False)

    def begin(self, verb: Verb, *, batch: bool) -> None:
        """Another edit; what it reaches comes later."""
        options = (PATH, REACHED, SHARED) if verb == "erase" else (REACHED, SHARED)
        self._options = options if batch else (*options, CHOOSE)
        self._methods = METHODS[verb]
        self.places.offer([(text, tip) for _, text, tip in self._options])
        self.methods.offer([(text, tip) for _, text, tip in self._methods])
        self._reached, self._shared, self._writable, self._said = (), None, (), ""
        self._flow.clear()
        self.chips = {}
        self._draw()

    def show_reach(
        self, reached: Clusters, shared: ClusterId | None, writable: Clusters, held: int, *, facts: int = 1, phrasings: int = 0
    ) -> None:
        """What the phrasings reach. held: other facts that fetch a reached block."""
        chosen = {cluster for cluster, chip in self.chips.items() if chip.isChecked()} & set(writable) or set(reached)
        self._reached, self._shared, self._writable = reached, shared, writable
        self._flow.clear()
        self.chips = {}
        for cluster in writable:
            chip = QPushButton(str(cluster))
            chip.setProperty("kind", "chip")
            chip.setCheckable(True)
            chip.setAutoDefault(False)
            chip.setChecked(cluster in chosen)
            chip.toggled.connect(self._toggled)
            self._flow.addWidget(chip)
            self.chips[cluster] = chip
        many = f"{counted(facts, 'fact')} with {counted(phrasings, 'prompt')} reach " if facts > 1 else "The phrasings reach "
        them = "it" if len(reached) == 1 else "them"
        others = f"{counted(held, 'other fact')} fetch{'es' if held == 1 else ''} {them} too." if held else f"Nothing else fetches {them}."
        self._said = f"{many}{counted(len(reached), 'block')}. {others}"
        self._draw()

    @property
    def place(self) -> Where:
        """What `where` says; "reached" where blocks are chosen by hand."""
        name = self._name
        return "shared" if name == "shared" else "path" if name == "path" else "reached"

    @property
    def blocks(self) -> Clusters:
        """The blocks chosen by hand; () where they are not."""
        return tuple(cluster for cluster, chip in self.chips.items() if chip.isChecked()) if self._name == "choose" else ()

    @property
    def method(self) -> str:
        """The method's word."""
        return self._methods[max(0, self.methods.place)][0]

    @property
    def ready(self) -> bool:
        """Something is chosen."""
        return self._name != "choose" or bool(self.blocks)

    @property
    def written(self) -> frozenset[ClusterId]:
        """The blocks that would be written."""
        name = self._name
        if name == "choose":
            return frozenset(self.blocks)
        if name == "shared":
            return frozenset([self._shared] if self._shared is not None else [])
        return frozenset(self._writable if name == "path" else self._reached)

    @property
    def _name(self) -> str:
        return self._options[max(0, self.places.place)][0]

    def choose(self, name: str) -> None:
        """Press one of the places."""
        self.places.choose([option[0] for option in self._options].index(name))
        self._chosen()

    def _chosen(self) -> None:
        self._draw()
        self.changed.emit()

    def _toggled(self) -> None:
        self._draw()
        self.changed.emit()

    def _draw(self) -> None:
        self._chip_box.setVisible(self._name == "choose")
        written = sorted(self.written)
        if not self._said:
            self.summary.setText("")
        elif self._name == "shared" and self._shared is None and self._writable:
            self.summary.setText(f"{self._said} They share no block.")
        elif self._name == "choose" and not written:
            self.summary.setText(f"{self._said} Choose at least one block.")
        else:
            listed = f" Written: {', '.join(map(str, written[:8]))}{' …' if len(written) > 8 else ''}." if written else ""
            self.summary.setText(self._said + listed)
