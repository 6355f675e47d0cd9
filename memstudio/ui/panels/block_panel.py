"""The card of one block: what it is about, what stands in its place, what it causes, its neurons, its documents, its edits."""

import math
from collections.abc import Sequence

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QGridLayout,
    QLayout,
    QScrollArea,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from memstudio.anchor.values import Neuron, Trace
from memstudio.bank.values import BASE, BlockState, ClusterId
from memstudio.history.values import Revision
from memstudio.ui.panels.parts import EmptyState, FlowLayout, label, line, pages, row, set_kind
from memstudio.ui.snapshots import BlockNeurons, CardView, StudyView
from memstudio.ui.texts import counted, of_token, signed, size_text, visible

SHOWN_NEURONS = 8
SHOWN_EXEMPLARS = 4
SNIPPET = 260


class BlockPanel(QWidget):
    """Shows the selected block. `cluster` says which; replies for another one are dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.cluster: ClusterId | None = None
        self._card: CardView | None = None
        self._study: StudyView | None = None
        self._trace: Trace | None = None
        self._hidden = self._muted = False
        self._own: tuple[Neuron, ...] | None = None
        self._buttons = FlowLayout(5)
        self._build_head()
        self._effect = _Section("Effect", "causal", "Measured by leaving the block out and asking again")
        self._neurons = _Section("Neurons", "projected", "Value rows read through the model's own unembedding")
        self._documents = _Section("Trained on", "", "")
        self._edits = _Section("Edits of this block", "", "")
        body = QWidget()
        body.setProperty("kind", "card-body")
        column = QVBoxLayout(body)
        column.setContentsMargins(11, 9, 11, 9)
        column.setSpacing(8)
        column.addLayout(self._head)
        column.addLayout(self._buttons)
        for section in (self._effect, self._neurons, self._documents, self._edits):
            column.addWidget(line())
            column.addWidget(section)
        column.addStretch(1)
        self._scroll = QScrollArea()
        self._scroll.setAccessibleName("Block")
        self._scroll.setWidgetResizable(True)
        self._scroll.setProperty("kind", "card")
        self._scroll.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self._scroll.setWidget(body)
        empty = EmptyState("No block selected", "Click a cluster in the tree, a step of the route, or a column of the heat map.")
        self._stack = pages(self, (2, 0, 6, 6), empty, self._scroll)

    def _build_head(self) -> None:
        self._title = label("", "title", wrap=True, selectable=True)
        self._terms = label("", "", wrap=True)
        self._facts = label("", "dim", wrap=True)
        self._state = label("")
        self._state.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self._fetches = label("", "dim", wrap=True)
        self._others = label("", "notice", wrap=True)
        self._others.hide()
        self._head = QVBoxLayout()
        self._head.setSpacing(4)
        top = row(self._title, self._state)
        top.setStretch(0, 1)
        top.setAlignment(self._state, Qt.AlignmentFlag.AlignTop)
        self._head.addLayout(top)
        for widget in (self._terms, self._facts, self._fetches, self._others):
            self._head.addWidget(widget)

    def offer(self, actions: Sequence[QAction]) -> None:
        """Buttons for what can be done with the block."""
        for action in actions:
            button = QToolButton()
            button.setProperty("kind", "button")
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextOnly)
            button.setDefaultAction(action)
            self._buttons.addWidget(button)

    # What is shown

    def select(self, cluster: ClusterId | None) -> None:
        """Another block; its card comes later."""
        if cluster == self.cluster:
            return
        self.cluster, self._card, self._own = cluster, None, None
        self._stack.setCurrentIndex(0 if cluster is None else 1)
        self._scroll.verticalScrollBar().setValue(0)
        self._draw()

    def show_count(self, chosen: int) -> None:
        """How many blocks are selected: what is done here is done to all of them."""
        self._others.setText(f"One of {chosen:,} selected blocks: the buttons act on all of them.")
        self._others.setVisible(chosen > 1)

    def show_card(self, card: CardView) -> None:
        """The card came."""
        if card.card.cluster == self.cluster:
            self._card = card
            self._draw()

    def show_neurons(self, own: BlockNeurons) -> None:
        """The block's own neurons came."""
        if own.cluster == self.cluster:
            self._own = own.neurons
            self._draw()

    def show_study(self, study: StudyView | None) -> None:
        """Another state of the study."""
        self._study, self._own = study, None
        self._draw()

    def show_trace(self, trace: Trace | None) -> None:
        """The last trace, which says what the block causes; None when it no longer speaks of the last run."""
        self._trace = trace
        self._draw()

    def show_hidden(self, hidden: bool, muted: bool) -> None:
        """Whether the block is passed over or fetched without being added."""
        self._hidden, self._muted = hidden, muted
        self._draw()

    # Inside

    def _draw(self) -> None:
        cluster = self.cluster
        if cluster is None:
            return
        self._draw_head(cluster)
        self._draw_effect(cluster)
        self._draw_neurons(cluster)
        self._draw_documents()
        self._draw_edits(cluster)

    def _draw_head(self, cluster: ClusterId) -> None:
        card = self._card
        self._title.setText(f"{cluster}  {card.card.label if card and card.card.label != str(cluster) else ''}".strip())
        self._terms.setText(" · ".join(card.card.terms) if card else "…")
        self._terms.setVisible(bool(card is None or card.card.terms))
        self._facts.setText(f"{counted(card.card.documents, 'document')} · {size_text(card.block_bytes)}" if card else "")
        word, kind = self._state_words(cluster)
        self._state.setText(word)
        self._state.setMinimumWidth(self.fontMetrics().horizontalAdvance(word) + 18)
        set_kind(self._state, kind)
        self._fetches.setText(f"Routes through it fetch {card.fetches}." if card else "")
        self._fetches.setVisible(card is not None)

    def _state_words(self, cluster: ClusterId) -> tuple[str, str]:
        state: BlockState = self._study.state(cluster) if self._study else BASE
        if self._hidden:
            return "hidden", "tag-warning"
        if self._card is not None and not self._card.has_block:
            return "no block", "tag"
        if state.pruned:
            return "pruned", "tag-danger"
        if self._muted:
            return "muted", "tag-warning"
        return ("as shipped", "tag") if state == BASE else ("edited", "tag-warning")

    def _draw_effect(self, cluster: ClusterId) -> None:
        self._effect.empty()
        trace = self._trace
        if trace is None or cluster not in trace.route.clusters:
            said = (
                "Not measured: run and trace a prompt (Ctrl+T)."
                if trace is None
                else "Not measured: the last prompt did not fetch this block."
            )
            self._effect.add(label(said, "dim", wrap=True))
            return
        answer = trace.answer
        effect = trace.effect.get(cluster, math.nan)
        if trace.token is not None:
            self._effect.add(label(of_token(trace), "strong"))
        figure = label("not measured" if math.isnan(effect) else f"{signed(effect)} nats", "figure")
        self._effect.add(figure)
        self._effect.add(
            label(
                f"log-probability of “{visible(answer.text)}” with the block, less without it ({answer.baseline} in its place)",
                "dim",
                wrap=True,
            )
        )
        if cluster in answer.without_subtree:
            below = signed(answer.fetched - answer.without_subtree[cluster])
            self._effect.add(label(f"{below} nats with all below it left out too", wrap=True))
        if answer.against is not None and cluster in answer.against_without:
            margin = (answer.fetched - (answer.against_fetched or 0.0)) - (answer.without[cluster] - answer.against_without[cluster])
            self._effect.add(label(f"{signed(margin)} nats against “{visible(answer.against)}”", wrap=True))
        if self._study is not None and trace.revision != self._study.head:
            self._effect.add(label(f"Measured at revision {trace.revision}; the study has moved since.", "notice", wrap=True))

    def _draw_neurons(self, cluster: ClusterId) -> None:
        self._neurons.empty()
        fired = [n for n in self._trace.neurons if n.cluster == cluster] if self._trace else []
        shown = fired or list(self._own or ())
        if not shown:
            said = "Reading…" if self._own is None and self._card is not None and self._card.has_block else "None stands out."
            self._neurons.add(label(said, "dim", wrap=True))
            return
        said = f"In the last prompt{_up_to(self._trace)}, strongest first" if fired else "Of the block itself, no prompt run"
        self._neurons.add(label(said, "dim", wrap=True))
        grid = QGridLayout()
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(10)
        grid.setVerticalSpacing(3)
        grid.setColumnStretch(2, 1)
        for at, neuron in enumerate(shown[:SHOWN_NEURONS]):
            words = " · ".join(visible(piece) for piece in neuron.promotes) or "nothing that stands out"
            figure = signed(neuron.activation) if fired else ""
            grid.addWidget(
                label(f"L{neuron.layer}·{neuron.index}", "dim", tip=f"layer {neuron.layer}, memory neuron {neuron.index}"),
                at,
                0,
                Qt.AlignmentFlag.AlignTop,
            )
            grid.addWidget(label(figure, tip="activation (observed)"), at, 1, Qt.AlignmentFlag.AlignTop | Qt.AlignmentFlag.AlignRight)
            grid.addWidget(label(words, "" if neuron.promotes else "dim", wrap=True), at, 2)
        self._neurons.add_layout(grid)

    def _draw_documents(self) -> None:
        self._documents.empty()
        card = self._card
        if card is None or not card.card.exemplars:
            self._documents.add(label("…" if card is None else "The bank names no documents for it.", "dim", wrap=True))
            return
        self._documents.add(label(f"{counted(card.card.documents, 'document')}, nearest to the centre first", "dim", wrap=True))
        for exemplar in card.card.exemplars[:SHOWN_EXEMPLARS]:
            text = " ".join(exemplar.text.split())
            self._documents.add(label(exemplar.document, "section", wrap=True))
            short = text if len(text) <= SNIPPET else text[:SNIPPET].rsplit(" ", 1)[0] + " …"
            self._documents.add(label(short, "", wrap=True, tip=text if short != text else "", selectable=True))

    def _draw_edits(self, cluster: ClusterId) -> None:
        self._edits.empty()
        edits: list[tuple[Revision, str]] = []
        for revision in self._study.log if self._study else ():
            edits += [(revision, f"{_word(c.before)} → {_word(c.after)}") for c in revision.changes if c.cluster == cluster]
        if not edits:
            self._edits.add(label("None yet.", "dim"))
        for revision, change in reversed(edits):
            kind = "" if revision.current else "dim"
            self._edits.add(
                label(f"Revision {revision.id}: {change}" + ("" if revision.current else " (not on the way to the head)"), kind, wrap=True)
            )


class _Section(QWidget):
    """A headline with the kind of its evidence, and what stands below."""

    def __init__(self, title: str, evidence: str, tip: str) -> None:
        super().__init__()
        head = row(label(title, "section"), 1)
        if evidence:
            head.addWidget(label(evidence, "tag", tip=tip))
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 0)
        self._column.setSpacing(4)
        self._column.addLayout(head)
        self._body: QWidget | None = None
        self.empty()

    def empty(self) -> None:
        """Drop what stands below the headline."""
        if self._body is not None:
            self._column.removeWidget(self._body)
            self._body.hide()
            self._body.deleteLater()
        self._body = QWidget()
        inside = QVBoxLayout(self._body)
        inside.setContentsMargins(0, 0, 0, 0)
        inside.setSpacing(4)
        self._column.addWidget(self._body)

    def add(self, widget: QWidget) -> None:
        """Put a widget below."""
        self._inside().addWidget(widget)

    def add_layout(self, layout: QLayout) -> None:
        """Put a layout below."""
        self._inside().addLayout(layout)

    def _inside(self) -> QVBoxLayout:
        layout = self._body.layout() if self._body is not None else None
        if not isinstance(layout, QVBoxLayout):
            raise TypeError("a section has a body")
        return layout


def _up_to(trace: Trace | None) -> str:
    return "" if trace is None or not trace.token else f" and its answer up to token {trace.token}"


def _word(state: BlockState) -> str:
    if state.pruned:
        return "pruned"
    name = "as shipped" if state.source == "base" else f"edit {state.source[:8]}"
    return name if state.scale == 1.0 else f"{name} × {state.scale:g}"
