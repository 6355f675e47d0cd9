"""What the window does about single tokens: the strip's scale and summary, and a trace of the token that is clicked."""

from PySide6.QtCore import QObject

from memstudio.anchor.values import Run, Trace
from memstudio.bank.values import ClusterId, Memory
from memstudio.events import Routed, Traced
from memstudio.ui.panels.token_card import said_of
from memstudio.ui.panels.token_foot import summary
from memstudio.ui.panels.token_strip import bound_of
from memstudio.ui.panels.token_view import TokenView
from memstudio.ui.snapshots import Ask, Opened
from memstudio.ui.studio import Studio
from memstudio.ui.theme import Theme


class TokenStudio(QObject):
    """Between the two answers and the panels that speak of a trace. The latest click wins; a new run goes back to the prompt."""

    def __init__(self, studio: Studio, theme: Theme, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._studio, self._bridge, self._prompt = studio, studio.bridge, studio.panels.prompt
        self._asked: Ask | None = None
        self._route: tuple[ClusterId, ...] = ()
        self._whole: Trace | None = None
        self._one: Trace | None = None
        self._at: TokenView | None = None
        bridge = self._bridge
        for signal, slot in (
            (bridge.opened, self._opened),
            (bridge.asked, self._began),
            (bridge.routed, self._routed),
            (bridge.generated, self._measure),
            (bridge.finished, self._measure),
            (bridge.traced, self._traced),
        ):
            signal.connect(slot)
        for view in self.views:
            view.token_chosen.connect(lambda place, view=view: self.choose(view, place))
            view.pointed.connect(lambda view=view: self._pointed(view))
        self._measure()

    @property
    def views(self) -> tuple[TokenView, TokenView]:
        """This answer and the earlier one."""
        return self._prompt.now, self._prompt.earlier

    def choose(self, view: TokenView, place: int | None) -> None:
        """Explain a token of an answer; None: go back to the prompt."""
        if place is None:
            self.leave()
            return
        text, memory, route = self._run_of(view)
        token = view.tokens[place]
        self._bridge.stop_explaining()
        if memory != "fetched" or not route:
            self._studio.panels.status.say(f"This run fetched no blocks, so nothing explains token {token.index}.", kind="notice")
            return
        view.point(place)
        self._at = view
        prefix = tuple(each.id for each in view.tokens[:place])
        self._bridge.explain(text, route, prefix, token)

    def leave(self) -> None:
        """Have the panels speak of the prompt again."""
        self._bridge.stop_explaining()
        self._at = None
        for view in self.views:
            view.point(None)
            view.choose(None)
        if self._one is not None:
            self._one = None
            if self._whole is None:
                self._studio.forget_trace()
            else:
                self._studio.show_trace(self._whole)

    def _run_of(self, view: TokenView) -> tuple[str, Memory, tuple[ClusterId, ...]]:
        """Prompt, memory and route of the run whose answer a view shows."""
        if view is self._prompt.now:
            return (self._asked.text, self._asked.memory, self._route) if self._asked else ("", "none", ())
        run: Run | None = self._prompt.earlier_run
        return (run.prompt, run.memory, run.route.clusters if run.route else ()) if run else ("", "none", ())

    # What comes back

    def _opened(self, _: Opened) -> None:
        self._bridge.stop_explaining()
        self._asked, self._route, self._whole, self._one, self._at = None, (), None, None, None
        self._measure()

    def _began(self, ask: Ask) -> None:
        self._bridge.stop_explaining()
        if not ask.kept:
            self._route = ()
        same = self._whole is not None and self._whole.prompt == ask.text
        self._asked, self._one, self._at = ask, None, None
        if not same:
            self._whole = None
        for view in self.views:
            view.choose(None)
            view.memory = self._run_of(view)[1]
        self._measure()

    def _routed(self, _: int, event: Routed) -> None:
        self._route = event.route.clusters

    def _traced(self, event: Traced) -> None:
        trace = event.trace
        if trace.token is None:
            self._whole = trace
            if self._one is not None:  # it was asked for before the token was
                self._studio.show_trace(self._one)
            return
        self._one, place = trace, trace.token
        for view in self.views:
            view.choose(place if view is self._at else None)
        self._say()

    def _pointed(self, view: TokenView) -> None:
        """There is one token cursor: in one answer or the other."""
        if view.cursor_at is not None:
            for other in self.views:
                if other is not view:
                    other.point(None)
        self._say()

    def _measure(self, *_: object) -> None:
        """The tokens changed: one scale for both answers, and what they come to."""
        shown = self.views if self._prompt.earlier_run is not None else self.views[:1]
        bound = bound_of(token for view in shown for token in view.tokens)
        for view in self.views:
            view.show_bound(bound)
        self._prompt.foot.show_bound(bound)
        self._say()

    def _say(self) -> None:
        """Of the token that is pointed at, else of the whole answer."""
        now = self._prompt.now
        view, at = next(((view, view.cursor_at) for view in self.views if view.cursor_at is not None), (now, None))
        if at is None:
            self._prompt.foot.say(summary(now.tokens, now.memory))
            return
        token, one = view.tokens[at], self._one if view.chosen == at else None
        moved = one is not None and one.revision != token.revision
        self._prompt.foot.say(said_of(token, view.memory) + (f"\nExplained under revision {one.revision}" if one and moved else ""))
