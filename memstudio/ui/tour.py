"""The first tour, in the window: a fact comes out of its blocks, goes with the block that causes it, and comes back by undo.

Each step is a list of errands; the next one begins when the bridge is idle. The same steps make the picture without a display.
"""

from PySide6.QtCore import QObject, Signal
from PySide6.QtWidgets import QFrame, QPushButton

from memstudio.bank.values import ClusterId
from memstudio.facts.score import is_correct
from memstudio.ui.panels.parts import label, row
from memstudio.ui.studio import Studio
from memstudio.ui.texts import signed, visible


class Tour(QObject):
    """Ask, prune the block of largest effect (if the answer stands, its level-1 subtree), ask, undo, ask.

    Emits `said` (text, what the next button says), at the end `done`.
    """

    said = Signal(str, str)
    done = Signal()

    def __init__(self, studio: Studio, *, alone: bool) -> None:
        """alone: goes through all steps without waiting for `go_on`."""
        super().__init__(studio)
        self._studio = studio
        self._alone = alone
        self._answer = self._text = ""
        self._block: ClusterId | None = None
        self._step = "open"
        self._over = False
        studio.bridge.idle.connect(self._idle)
        studio.bridge.failed.connect(self._end)

    def go_on(self) -> None:
        """Do the step that was announced."""
        if self._step == "asked":
            self._step = "prune"
            self._prune()
        elif self._step == "pruned":
            self._step = "undo"
            self._studio.bridge.undo()

    def leave(self) -> None:
        """The user wants to go on alone."""
        self._end()

    def _idle(self) -> None:
        if self._over or not self._studio.ready:
            return
        steps = {
            "open": self._ask_first,
            "ask": self._show_causes,
            "prune": self._ask_pruned,
            "ask pruned": self._show_difference,
            "widen": self._widen,
            "undo": self._ask_again,
            "ask again": self._finish,
        }
        if self._step in steps:
            steps[self._step]()

    def _ask_first(self) -> None:
        self._ask("ask")

    def _show_causes(self) -> None:
        studio, trace = self._studio, self._studio.trace
        if studio.run is None or trace is None or not trace.effect:
            self._end()
            return
        self._answer, self._text = trace.answer.text, studio.run.text
        self._block = max(trace.effect, key=lambda cluster: trace.effect[cluster])
        effect = signed(trace.effect[self._block])
        answer = visible(trace.answer.text)
        self._announce(
            "asked",
            f"The prompt fetched one block a level. {self._block} matters most for “{answer}”: {effect} nats (causal).",
            f"Prune {self._block}",
        )

    def _prune(self) -> None:
        if self._block is not None:
            self._studio.pick(self._block)
            self._studio.edit("prune", (self._block,))

    def _ask_pruned(self) -> None:
        self._ask("ask pruned")

    def _show_difference(self) -> None:
        studio, block = self._studio, self._block
        stands = studio.run is not None and is_correct(studio.run.text, self._answer)
        if stands and block is not None and block.level > 1:
            self._step = "widen"
            studio.bridge.undo()
            return
        said = "still stands" if stands else "is another one"
        self._announce("pruned", f"{block} is out and the answer {said}. Nothing is lost: the study keeps each revision.", "Undo")

    def _widen(self) -> None:
        block, bank = self._block, self._studio.bank
        if block is None or bank is None:
            return
        index = block.index
        for level in bank.bank.levels[1 : block.level]:
            index //= level.branching
        self._block = ClusterId(1, index)
        self._step = "prune"
        self._prune()

    def _ask_again(self) -> None:
        self._ask("ask again")

    def _finish(self) -> None:
        same = self._studio.run is not None and self._studio.run.text == self._text
        said = "the answer is back" if same else "yet the answer is not that of before"
        self.said.emit(f"Undone, and {said}. Now it is yours: select any block and press Del, or write another prompt.", "")
        self._end()

    def _ask(self, step: str) -> None:
        self._step = step
        self._studio.run_prompt()

    def _announce(self, step: str, text: str, button: str) -> None:
        self._step = step
        self.said.emit(text, button)
        if self._alone:
            self.go_on()

    def _end(self) -> None:
        if not self._over:
            self._over = True
            self.done.emit()


class TourBar(QFrame):
    """What the tour says, the button that does the next step, and the way out."""

    def __init__(self, tour: Tour) -> None:
        super().__init__()
        self.setProperty("kind", "tour")
        self._text = label("The tour begins as soon as the model is loaded.", "", wrap=True)
        self.next = QPushButton("Next")
        self.next.setProperty("kind", "primary")
        self.next.clicked.connect(self._go_on)
        self.next.hide()
        self._leave = QPushButton("Leave the tour")
        self._leave.clicked.connect(tour.leave)
        self._leave.clicked.connect(self.hide)
        inside = row(self._text, self.next, self._leave)
        inside.setStretch(0, 1)
        inside.setContentsMargins(12, 6, 8, 6)
        self.setLayout(inside)
        self._tour = tour
        tour.said.connect(self._say)

    def _go_on(self) -> None:
        self.next.hide()
        self._tour.go_on()

    def _say(self, text: str, button: str) -> None:
        self._text.setText(text)
        self.next.setText(button)
        self.next.setVisible(bool(button))
        if not button:
            self._leave.setText("Close")
