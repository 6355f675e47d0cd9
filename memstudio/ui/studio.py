"""What the window does: turns actions into errands for the bridge, and what comes back into what the panels show.

It owns the window's only state: the open study, the selection, the run at work, the last trace.
"""

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from PySide6.QtCore import QElapsedTimer, QObject, Signal

from memstudio.anchor.values import Run, Token, Trace
from memstudio.bank.values import ClusterId
from memstudio.events import Committed, Finished, Hidden, Routed
from memstudio.ui import errands, measures
from memstudio.ui.bridge import Bridge
from memstudio.ui.overview import STATE, Overview, View
from memstudio.ui.panels.block_panel import BlockPanel
from memstudio.ui.panels.facts_panel import FactsPanel
from memstudio.ui.panels.heat_panel import HeatPanel
from memstudio.ui.panels.history_panel import HistoryPanel
from memstudio.ui.panels.icicle_panel import IciclePanel
from memstudio.ui.panels.map_panel import MapPanel
from memstudio.ui.panels.prompt_panel import PromptPanel
from memstudio.ui.panels.sets_panel import SetsPanel
from memstudio.ui.panels.status_bar import StatusBar
from memstudio.ui.panels.table_panel import TablePanel
from memstudio.ui.panels.tree_panel import TreePanel
from memstudio.ui.selection import Chosen
from memstudio.ui.snapshots import Ask, Crashed, Loaded, Opened, Situation, Studied, StudyView, Wish
from memstudio.ui.texts import counted, speed_text
from memstudio.ui.tried import toggled, tried_words

NOT_NUMBERS = (
    "What was answered is not a number (NaN), so it means nothing: a block on the route or the anchor is damaged. "
    "Prune or swap the block, or check the bank with memstudio info BANK --verify."
)


@dataclass(frozen=True, slots=True)
class Panels:
    """Where things are shown."""

    tree: TreePanel
    prompt: PromptPanel
    heat: HeatPanel
    block: BlockPanel
    history: HistoryPanel
    facts: FactsPanel
    icicle: IciclePanel
    map: MapPanel
    table: TablePanel
    sets: SetsPanel
    status: StatusBar

    @property
    def views(self) -> tuple[View, ...]:
        """The views of the whole bank."""
        return (self.tree, self.icicle, self.map, self.table, self.sets)


class Studio(QObject):
    """One window's work. Emits `changed` when the situation may have, `opened` with a bank, `crashed` with a bug."""

    changed = Signal()
    opened = Signal(object)
    crashed = Signal(object)

    def __init__(self, bridge: Bridge, panels: Panels, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.bridge, self.panels = bridge, panels
        self.bank: Opened | None = None
        self.study: StudyView | None = None
        self.ready = False
        self.auto_trace = True
        self.overview = Overview(bridge, panels.views, self)
        self.trace: Trace | None = None
        self.run: Run | None = None
        self._tried = Hidden(frozenset(), frozenset())
        self._numbers = count(1)
        self._running: Ask | None = None
        self._last: Ask | None = None
        self._route: frozenset[ClusterId] = frozenset()
        self._edited_at: int | None = None
        self._chosen_by_hand = False
        self._clock = QElapsedTimer()
        self._connect()

    def _connect(self) -> None:
        bridge, panels = self.bridge, self.panels
        for signal, slot in (
            (bridge.opened, self._opened),
            (bridge.loaded, self._loaded),
            (bridge.studied, self._studied),
            (bridge.committed, self._committed),
            (bridge.hidden, self._hidden_changed),
            (bridge.asked, self._asked),
            (bridge.routed, self._routed),
            (bridge.generated, self._generated),
            (bridge.finished, self._finished),
            (bridge.ended, self._ended),
            (bridge.traced, lambda event: self.show_trace(event.trace)),
            (bridge.nodes, lambda nodes: panels.prompt.show_labels({cluster: one.label for cluster, one in nodes.items()})),
            (bridge.found, panels.tree.show_found),
            (bridge.card, panels.block.show_card),
            (bridge.neurons, panels.block.show_neurons),
            (bridge.job, panels.status.show_job),
            (bridge.noted, lambda noted: panels.status.say(noted.line)),
            (bridge.failed, lambda line: panels.status.say(line, kind="error")),
            (bridge.crashed, self._crashed),
            (panels.tree.searched, bridge.find),
            (self.overview.chosen_changed, self._chosen),
            (panels.prompt.selected, self._clicked),
            (panels.heat.selected, self._clicked),
            (panels.prompt.wished, self.changed),
            (panels.history.checkout_wanted, self.checkout),
            (bridge.device_failed, lambda failed: panels.status.say(failed.line, kind="error", cpu=True)),
            (panels.status.undo_wanted, bridge.undo),
            (panels.status.cpu_wanted, lambda: bridge.run_on("cpu")),
            (panels.status.cancel_wanted, bridge.cancel),
        ):
            signal.connect(slot)

    @property
    def chosen(self) -> Chosen:
        """The clusters that are selected."""
        return self.overview.chosen

    @property
    def selected(self) -> ClusterId | None:
        """The selected cluster whose card is shown."""
        return self.overview.chosen.current

    @property
    def situation(self) -> Situation:
        """What the actions go by."""
        chosen, study = self.selected, self.study
        return Situation(
            bank=self.bank is not None,
            ready=self.ready,
            running=self._running is not None,
            selected=chosen,
            chosen=self.chosen.count,
            selected_state=study.state(chosen) if study and chosen else Situation().selected_state,
            selected_hidden=chosen in self._tried.hidden,
            selected_muted=chosen in self._tried.muted,
            selected_solo=chosen in self._tried.solo,
            pinned=self._tried.pinned is not None,
            undo=study is not None and study.undo is not None,
            redo=study is not None and study.redo is not None,
            edited_midway=self._edited_at is not None,
            prompt=self.panels.prompt.has_prompt,
            auto_trace=self.auto_trace,
            measure_tokens=self.panels.prompt.beside,
        )

    # What the user wants

    def open(self, wish: Wish) -> None:
        """Open a bank or a study."""
        self.stop()
        self.panels.status.say(f"Opening {wish.path}…")
        self.bridge.open(wish)

    def run_prompt(self) -> None:
        """Answer the prompt as it stands."""
        self._start(self.panels.prompt.ask(next(self._numbers)))

    def _start(self, ask: Ask) -> None:
        if not ask.text or self._running is not None or self.bank is None:
            return
        self._running, self._edited_at, self._chosen_by_hand, self.run = ask, None, False, None
        self.panels.prompt.text.document().clearUndoRedoStacks()
        self.bridge.generate(ask)
        if not self.ready:
            self.panels.status.say("Waiting for the model…")
        elif self.bridge.busy_with:
            self.panels.status.say(f"Waits for “{self.bridge.busy_with}” to end; cancel that to be answered now.")
        self.changed.emit()

    def stop(self) -> None:
        """Stop the answer after this token."""
        self.bridge.stop()

    def trace_prompt(self) -> None:
        """Trace the prompt as it stands."""
        if self._running is None and self.panels.prompt.has_prompt:
            self.bridge.trace(self.panels.prompt.ask(0))

    def continue_run(self) -> None:
        """Leave the tokens before the edit as they were computed."""
        self._edited_at = None
        self.panels.prompt.hide_bar()
        self.changed.emit()

    def recompute_run(self) -> None:
        """Have the text read again under the blocks of now: at once while running, else by going on from where the edit fell."""
        at = self._edited_at
        if at is None:
            return
        self.continue_run()
        if self._running is not None:
            self.bridge.recompute()
            self.panels.status.say("The text so far is read again under the blocks of now.")
        elif self._last is not None:
            kept = tuple(token.id for token in self.panels.prompt.now.tokens[:at])
            self._start(dataclasses.replace(self._last, number=next(self._numbers), kept=kept))

    def edit(self, verb: str, clusters: Sequence[ClusterId]) -> None:
        """Prune or restore blocks as one revision, what is below them along."""
        self.bridge.edit(verb, lambda _: errands.prune_or_restore(verb, clusters))

    def scale(self, cluster: ClusterId, factor: float, subtree: bool) -> None:
        """Turn a block up or down."""
        self.bridge.edit("scale", lambda _: errands.scale(cluster, factor, subtree))

    def swap(self, cluster: ClusterId, source: ClusterId, bank: str, patch: str) -> None:
        """Put another block in a cluster's place."""
        self.bridge.edit("swap", lambda _: errands.swap(cluster, source, bank, patch))

    def rewrite(self, cluster: ClusterId, file: Path) -> None:
        """Write a block's numbers from a file."""
        self.bridge.edit("rewrite", lambda session: errands.rewrite(session, cluster, file))

    def toggle_hide(self, clusters: Sequence[ClusterId]) -> None:
        """Have the retriever pass subtrees over, or no longer."""
        self.bridge.hide(toggled(self._tried.hidden, clusters))

    def toggle_mute(self, clusters: Sequence[ClusterId]) -> None:
        """Fetch blocks without adding them, or add them again."""
        self.bridge.mute(toggled(self._tried.muted, clusters))

    def toggle_solo(self, clusters: Sequence[ClusterId]) -> None:
        """Add these blocks only (and others that are solo), or all again."""
        self.bridge.solo(toggled(self._tried.solo, clusters))

    def toggle_pin(self, cluster: ClusterId | None) -> None:
        """Have every run take the route to a block; where one is pinned, let the retriever choose again."""
        self.bridge.pin(None if self._tried.pinned is not None else cluster)

    def run_on(self, cluster: ClusterId) -> None:
        """Answer the prompt on the route to a block, and every prompt after it until the pin is taken back."""
        self.pick(cluster)
        self.bridge.pin(cluster)
        self.run_prompt()

    def checkout(self, revision: int) -> None:
        """Go to a revision."""
        if self.study is not None and revision != self.study.head:
            self.bridge.checkout(revision)

    def pick(self, cluster: ClusterId) -> None:
        """Select a block."""
        self.overview.pick(cluster)

    def _clicked(self, cluster: ClusterId) -> None:
        """A block was clicked outside the tree; the keys (Del) go to it."""
        self.pick(cluster)
        self._chosen_by_hand = True
        self.panels.tree.view.setFocus()

    def _chosen(self, chosen: Chosen) -> None:
        cluster = chosen.current
        self._chosen_by_hand = True
        self.panels.block.select(cluster)
        self.panels.block.show_count(chosen.count)
        self.panels.prompt.breadcrumb.select(cluster)
        if cluster is not None:
            self.panels.block.show_hidden(cluster in self._tried.hidden, cluster in self._tried.muted)
            self.bridge.ask_card(cluster)
            self._ask_neurons(cluster)
        self.changed.emit()

    def _ask_neurons(self, cluster: ClusterId) -> None:
        """A block's own neurons take the model, so they wait until it is there and nothing is being answered."""
        if self.ready and self._running is None:
            self.bridge.ask_neurons(cluster)

    # What comes back

    def _opened(self, opened: Opened) -> None:
        self.bank, self.study = opened, opened.study
        self.ready, self.run = False, None
        self._tried, self._route = Hidden(frozenset(), frozenset()), frozenset()
        self._running, self._last, self._edited_at = None, None, None
        panels = self.panels
        panels.block.select(None)
        panels.prompt.forget()
        panels.prompt.write(opened.prompt)
        self.forget_trace()
        panels.block.show_study(opened.study)
        panels.history.show_study(opened.study)
        panels.status.say(f"{opened.bank.name}: {opened.bank.summary}")
        self.opened.emit(opened)
        self.bridge.load()
        self.changed.emit()

    def _loaded(self, loaded: Loaded) -> None:
        self.ready = True
        self.panels.status.model.setText(loaded.summary)
        if loaded.choice.notice:
            self.panels.status.say(loaded.choice.notice, kind="notice")
        elif self._running is None:
            self.panels.status.say("Ready.")
        if self.selected is not None:
            self._ask_neurons(self.selected)
        self.changed.emit()

    def _studied(self, studied: Studied) -> None:
        self.study = studied.study
        self.panels.block.show_study(studied.study)
        self.panels.history.show_study(studied.study)
        if self.selected is not None:
            self.bridge.ask_card(self.selected)
            self._ask_neurons(self.selected)
        self.changed.emit()

    def _committed(self, committed: Committed) -> None:
        revision, clusters = committed.revision, committed.clusters
        known = self.study is not None and any(each.id == revision.id for each in self.study.log)
        if known:
            said = f"Back at revision {revision.id}: {revision.title if revision.parent is not None else 'the bank as shipped'}"
            self.panels.status.say(f"{said} ({counted(len(clusters), 'block')} changed).")
        else:
            alone = len(clusters) > 1 and revision.title == f"prune {min(clusters)}"
            along = f", {len(clusters) - 1:,} of its descendants along" if alone else ""
            along = along or (f" ({len(clusters):,} blocks changed)" if len(clusters) > 1 else "")
            self.panels.status.say(f"Revision {revision.id}: {revision.title}{along}.", undo=True)
        if self._running is not None and clusters & self._route:
            tokens = len(self.panels.prompt.now.tokens)
            if tokens:
                self._edited_at = tokens
                self.panels.prompt.show_bar(revision.id, tokens)
        self.changed.emit()

    def _hidden_changed(self, event: Hidden) -> None:
        before, self._tried = self._tried, event
        if self.selected is not None:
            self.panels.block.show_hidden(self.selected in event.hidden, self.selected in event.muted)
        self.panels.status.say(tried_words(before, event))
        self.changed.emit()

    def _asked(self, ask: Ask) -> None:
        if self._running is None or ask.number != self._running.number:
            return
        self._last, self._route = ask, frozenset()
        self._clock.start()
        self.panels.status.say("Answering…")
        self.panels.prompt.begin(ask)
        if not ask.kept:
            self.overview.show_route(())
        if self.trace is not None and (ask.memory != "fetched" or ask.text != self.trace.prompt or self.trace.token is not None):
            self.forget_trace()

    def forget_trace(self) -> None:
        """It speaks of something else than what is shown now."""
        self.trace = None
        self._measure(None)
        self.panels.heat.show_trace(None)
        self.panels.block.show_trace(None)

    def _routed(self, number: int, event: Routed) -> None:
        if not self._mine(number):
            return
        clusters = event.route.clusters
        self._route = frozenset(clusters)
        self.panels.prompt.show_route(event.route)
        self.overview.show_route(clusters)
        if clusters:
            self.bridge.ask_nodes(frozenset(clusters))
            self.panels.tree.reveal(clusters[-1], select=False)
            self._suggest(clusters[-1])

    def _generated(self, number: int, tokens: tuple[Token, ...]) -> None:
        if self._mine(number):
            self.panels.prompt.add(tokens)
            seconds = self._clock.elapsed() / 1000
            if seconds > 0.2:
                self.panels.status.speed.setText(speed_text(len(self.panels.prompt.now.tokens) / seconds))

    def _finished(self, number: int, event: Finished) -> None:
        if not self._mine(number) or self._running is None:
            return
        kept = self.panels.prompt.now.tokens[: len(self._running.kept)]
        run = event.result
        if kept:
            run = dataclasses.replace(run, tokens=kept + run.tokens, text="".join(t.text for t in kept) + run.text)
        self.run = run
        self.panels.prompt.finish(run)
        self.panels.status.speed.setText(speed_text(run.tokens_per_second))
        how = "Stopped" if run.stopped else "Answered"
        if any(math.isnan(token.logprob) for token in run.tokens):
            self.panels.status.say(NOT_NUMBERS, kind="error")
        elif self._edited_at is None:
            self.panels.status.say(f"{how}: {counted(len(run.tokens), 'token')} in {run.seconds:.1f} s.")

    def _ended(self, number: int) -> None:
        ask = self._running
        if ask is None or ask.number != number:
            return
        self._running = None
        answered = self.run is not None and self.run.prompt == ask.text and not self.run.stopped
        if self.auto_trace and answered and ask.memory == "fetched":
            self.bridge.trace(ask)
        elif self.selected is not None:
            self._ask_neurons(self.selected)
        self.changed.emit()

    def show_trace(self, trace: Trace) -> None:
        """Have every panel speak of a trace."""
        self.trace = trace
        panels = self.panels
        panels.heat.show_trace(trace)
        panels.block.show_trace(trace)
        self.overview.show_route(trace.route.clusters)
        self._measure(trace)
        if trace.effect:
            self._suggest(max(trace.effect, key=lambda cluster: trace.effect[cluster]))
        if self.selected is not None:
            self._ask_neurons(self.selected)

    def _suggest(self, cluster: ClusterId) -> None:
        """Select a block that matters, unless the user chose one since the run began."""
        if not self._chosen_by_hand:
            self.pick(cluster)
            self._chosen_by_hand = False

    def _measure(self, trace: Trace | None) -> None:
        """Offer what a trace measured to every view; the blocks' activity colours them where nothing else was chosen."""
        sizes = [level.clusters for level in self.bank.bank.levels] if self.bank is not None else []
        for name, measure in measures.OF_TRACE.items():
            unchosen = name == measures.ACTIVITY and self.overview.colour in (STATE, name)
            self.overview.offer(name, None if trace is None else measure(trace, sizes), show=unchosen)

    def _crashed(self, crash: Crashed) -> None:
        self.panels.status.say(f"{crash.title} failed: a bug, see Help › Log.", kind="error")
        self.crashed.emit(crash)

    def _mine(self, number: int) -> bool:
        return self._running is not None and self._running.number == number
