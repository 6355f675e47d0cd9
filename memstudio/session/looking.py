"""What of a bank can be looked up without running its model: its figures, routes, cards and facts, and which blocks prompts use."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memstudio.anchor.values import Neuron
from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterCard, ClusterId, Route
from memstudio.facts.values import Fact, PromptSet
from memstudio.jobs import Job
from memstudio.session.own import Own
from memstudio.session.running import Running
from memstudio.session.telling import tells
from memstudio.session.trying import Trying
from memstudio.session.use import count_use

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank
    from memstudio.history.store import Store
    from memstudio.session.findings import Findings
    from memstudio.session.resident import Held
    from memstudio.session.router import Router
    from memstudio.session.used import Counted

Clusters = tuple[ClusterId, ...]


class Looking(Trying):
    """A study whose bank can be asked."""

    def __init__(self, bank: Bank, store: Store | None, running: Running, *, readonly: bool = False) -> None:
        super().__init__(bank, store, running, readonly=readonly)
        self._own = Own(bank)

    def info(self) -> dict[str, Any]:
        """The bank's figures (see `Bank.info`) and where the study stands: study, revision, edited, pruned[level]."""
        pruned = [cluster for cluster, state in self._overlay.items() if state.pruned]
        return {
            **self.bank.info(),
            "study": str(self.study) if self.study else None,
            "revision": self.head,
            "edited": len(self._overlay),
            "pruned": {level: sum(c.level == level for c in pruned) for level in range(1, self.bank.tree.depth + 1)},
        }

    def resident(self) -> tuple[Held, ...]:
        """What is resident where, as measured now; see `session.resident`."""
        from memstudio.session.resident import resident

        return resident(self)

    def route(self, key: str) -> Route:
        """The clusters chosen for a key, hidden ones passed over; reads no weights.

        Raises:
            UserError: an empty key, or no encoder on this machine.
        """
        return self.bank.tree.descend(self.running.key_vectors([key])[0], self.hidden)

    @cached_property
    def router(self) -> Router:
        """Routes with their runners-up, from any thread."""
        from memstudio.session.router import Router

        return Router(self.bank, self.running)

    def routes(self, texts: Sequence[str]) -> list[Clusters]:
        """The clusters that each text fetches, nothing hidden; those of the bank's own prompts come with it, so that no encoder is needed.

        Raises:
            UserError: an empty text, or no encoder on this machine.
        """
        return self._own.routes(texts, self.running.key_vectors)

    def resolved(self, clusters: Sequence[ClusterId]) -> tuple[object, ...]:
        """What a route really fetches at the head, after fallback; equal answers mean bit-identical blocks. Reads no weights."""
        wish = Wish("fetched", tuple(clusters))
        return tuple(self.running.identity(wish, level, self._overlay) for level in range(1, self.bank.tree.depth + 1))

    def card(self, cluster: ClusterId) -> ClusterCard:
        """Label, terms, documents and exemplars of a cluster.

        Raises:
            UserError: the cluster does not exist.
        """
        return self.bank.card(cluster)

    def neurons(self, cluster: ClusterId) -> tuple[Neuron, ...]:
        """The memory neurons of a block as it stands at the head, with what their value rows promote (projected); no prompt is run.

        Raises:
            UserError: the cluster does not exist.
        """
        from memstudio.session.evidence import neurons

        return neurons(self, cluster)

    def search(self, text: str, *, limit: int = 50, job: Job | None = None) -> Findings:
        """Clusters by id, label, term, the text of a document or a fact; with "token:" before it the blocks that promote a token.

        Raises:
            UserError: after "token:", a text that is not one token of the anchor.
        """
        from memstudio.session.search import search

        return search(self, text, limit=limit, job=job)

    def facts(self) -> list[Fact]:
        """The bank's own facts; where it has none its probes, which stand in for them (kind `probe`); none where it has neither.

        Raises:
            UserError: the file is not what it should be.
        """
        return self._own.facts()

    @tells
    def count_use(
        self,
        prompts: PromptSet | Path | Sequence[str] | None = None,
        *,
        effects: bool = False,
        keep: bool = True,
        job: Job | None = None,
        told: Callable[[Counted], None] | None = None,
    ) -> Counted:
        """How often prompts (a set, a file of them; None: those of the bank's facts) fetch each block and, with effects, what it does.

        Nothing that is hidden, muted or pinned acts. keep: in the study, in place of an earlier count of the same prompts at this
        revision, unless that counted more. What was counted up to a cancel is kept too. told: hears a few times a
        second of what was counted so far, and of the last.

        Raises:
            UserError: no prompts, a file that cannot be read, or no encoder on this machine.
        """
        return count_use(self, prompts, effects=effects, keep=keep, job=job or Job("count use"), told=told)
