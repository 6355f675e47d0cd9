"""One open study: route, run, trace, score, edit, undo. Everything the window and the shell can do goes through here.

Synchronous and used from one thread. Heavy parts load when first needed. Only the session emits events.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.anchor.values import DeviceChoice, Run, Sampling, Token, Trace
from memstudio.bank.values import ClusterId, Fallback, Memory, Overlay
from memstudio.editing.desk import Desk
from memstudio.editing.plan import Edit, Plan, plan_edit
from memstudio.errors import UserError
from memstudio.events import Traced
from memstudio.facts.values import Answers, Fact, Judge, PromptSet, Scores
from memstudio.jobs import Job
from memstudio.session.looking import Looking
from memstudio.session.routing import choose
from memstudio.session.running import Running, Wish
from memstudio.session.telling import tells
from memstudio.session.use import note_trace

if TYPE_CHECKING:
    import torch

    from memstudio.anchor.routed import KeyOf, PreTrainedModel
    from memstudio.bank.bank import Bank
    from memstudio.export.dense_card import DenseModel
    from memstudio.export.precision import Choice
    from memstudio.export.rank import RankBy
    from memstudio.facts.gate import Limits
    from memstudio.history.store import Store
    from memstudio.history.values import Revision
    from memstudio.session.arm_wish import ArmWish
    from memstudio.session.arms import Arms
    from memstudio.session.comparing import Comparison
    from memstudio.session.exported import Exported
    from memstudio.session.requests import Request
    from memstudio.session.scanned import Scan
    from memstudio.session.takedown import Paths


class Session(Looking):
    """An open bank, the study that its edits go to, and the model that runs it. Made by `open_session`."""

    def __init__(
        self,
        bank: Bank,
        store: Store | None,
        *,
        device: str = "auto",
        dtype: str = "float32",
        encoder: Path | None = None,
        anchor: Path | None = None,
        readonly: bool = False,
        cache_bytes: int | None = None,
    ) -> None:
        running = Running(bank, device=device, dtype=dtype, anchor=anchor, encoder=encoder, cache_bytes=cache_bytes)
        super().__init__(bank, store, running, readonly=readonly)
        self.recomputes = 0
        """How often `recompute` was asked for."""
        self._runs = 0

    def load(self) -> DeviceChoice:
        """Load the anchor now; says on which device, and one line where that is not what a person may expect."""
        return self.running.choice

    @tells
    def run_on(self, device: str) -> DeviceChoice:
        """Have the model run on another device from now on ("cpu" where a card is full or gone); says on which, as `load`.

        What a run in the middle had computed there is gone, so it ends at its next token.

        Raises:
            UserError: no such device; all stays as it was then.
        """
        self.running.run_on(device)
        return self.load()

    # --- what fires -------------------------------------------------------------------------------------------------

    def generate(
        self,
        text: str,
        *,
        key: str | None = None,
        route: Sequence[ClusterId] | None = None,
        memory: Memory = "fetched",
        sampling: Sampling = Sampling(),
        prefix: Sequence[int] = (),
        beside: bool = False,
        job: Job | None = None,
    ) -> Iterator[Token]:
        """Continue a prompt, a token at a time. Emits Routed, Generated and Finished.

        Between two tokens `job` breathes: edits land there and the next token is computed under the new revision, with the keys
        and values of earlier tokens as they were, unless `recompute` is asked for. A cancelled job ends the run as stopped.

        prefix: ids of tokens already generated; they are read again under the blocks of now, and the run goes on behind them.
        beside: measure each token under the generic blocks and no memory too (`Token.beside`), on the same text; the run itself stays
        bit for bit the same. An edit changes neither of them, and a recompute has them read again.

        Raises:
            UserError: an empty or over-long prompt, a cluster that does not exist, sampling out of range.
        """
        from memstudio.session.generation import Generation

        return Generation(self, text, key, route, memory, sampling, tuple(prefix), beside, job).tokens()

    def run(
        self,
        text: str,
        *,
        key: str | None = None,
        route: Sequence[ClusterId] | None = None,
        memory: Memory = "fetched",
        sampling: Sampling = Sampling(),
        prefix: Sequence[int] = (),
        beside: bool = False,
        job: Job | None = None,
    ) -> Run:
        """`generate` to its end."""
        from memstudio.session.generation import Generation

        return Generation(self, text, key, route, memory, sampling, tuple(prefix), beside, job).finish()

    @tells
    def arms(
        self,
        prompt: str,
        wishes: Sequence[ArmWish],
        sampling: Sampling = Sampling(),
        *,
        key: str | None = None,
        job: Job | None = None,
    ) -> Arms:
        """Two to five arms side by side: `Arms.tokens` answers a token each in turn, `Arms.weigh` then reads one answer under every arm.

        Each answers as a run of it would, with what is hidden, muted, solo and pinned now; a route of its own stands before a pin. Only
        its own tokens decide what it draws. Arms that add the same blocks are computed once. No event is emitted, a cancelled job ends
        all, and an edit in the meantime changes none: each keeps the blocks that it began with.

        Raises:
            UserError: as `session.arms.Arms`.
        """
        from memstudio.session.arms import Arms

        return Arms(self, prompt, wishes, sampling, key, job)

    def recompute(self) -> None:
        """Have the runs at work read their text again under the blocks of now before their next token."""
        self.recomputes += 1

    def next_run(self) -> int:
        """The number of a new run. For the session's own parts."""
        self._runs += 1
        return self._runs

    def fetch(self, wish: Wish, overlay: Overlay | None = None) -> None:
        """Have the slots hold what `wish` wants, at the head or under `overlay`. For the session's own parts."""
        self.running.fetch(wish, self._overlay if overlay is None else overlay, self.blob)

    def logits(
        self, text: str, *, key: str | None = None, route: Sequence[ClusterId] | None = None, memory: Memory = "fetched"
    ) -> torch.Tensor:
        """The reference path: logits float32 [tokens, vocabulary] of one unpadded prompt.

        Raises:
            UserError: an empty or over-long prompt, a cluster that does not exist.
        """
        from memstudio.anchor.engine import logits

        ids = self.running.encode(text)
        chosen = choose(self, text, key, route, memory)
        self.fetch(Wish(memory, chosen.clusters if chosen else ()))
        return logits(self.running.attached, ids)

    def as_transformers(self, *, memory: Memory = "fetched", key: KeyOf | None = None) -> PreTrainedModel:
        """A transformers model of the anchor's class that routes each row of a batch by its own text, for other people's harnesses.

        It stands as the study stands now: the blocks at the head, with what is hidden, muted, solo and pinned; it goes with the session.

        key: from the text of a row to what it is routed by, the text itself unless given: a harness puts its answers behind the question.

        Raises:
            UserError: generic memory of a bank that has none.
        """
        from memstudio.session.routing import refuse_without_generic, row_routes

        if memory == "generic":
            refuse_without_generic(self)
        return self.running.routed(row_routes(self), memory, self.overlay, self.blob, key)

    # --- edits ------------------------------------------------------------------------------------------------------

    def plan(self, edit: Edit, *, measure: bool = False, job: Job | None = None) -> Plan:
        """What an edit would do; writes nothing. An edit of facts is worked out on the spare arm, which takes seconds.

        measure: the whole receipt too (see `session.measuring`): answers, co-resident facts that change, structural locality.

        Raises:
            UserError: a cluster does not exist, or the edit would change nothing or cannot be made.
        """
        start = time.perf_counter()
        work = job or Job(edit.verb)
        plan = plan_edit(edit, self.desk(work), self.head)
        if not measure:
            return plan
        from memstudio.session.measuring import measured

        return measured(self, plan, edit_seconds=time.perf_counter() - start, job=work)

    def desk(self, job: Job | None = None) -> Desk:
        """What an edit is drafted on: the bank as it stands, and the spare arm. For the session's own parts."""
        return Desk(self.bank, self.overlay, lambda: self.running.spare, self.blob, self.routes, self.facts, job or Job("desk"))

    def with_takedown(self, plan: Plan, *, paths: Paths = "neighbours", gold: bool = False, job: Job | None = None) -> Plan:
        """A planned erasure with the report on what it leaves in its receipt, as "takedown"; see `session.takedown`.

        Raises:
            TypeError: the plan is none of an erasure.
        """
        from memstudio.session.takedown import takedown

        report = takedown(self, plan, paths=paths, gold=gold, job=job or Job("takedown"))
        return dataclasses.replace(plan, receipt={**plan.receipt, "takedown": report})

    @tells
    def apply(
        self,
        edit: Edit | Plan,
        *,
        measure: bool = False,
        limits: Limits | None = None,
        reason: str = "",
        job: Job | None = None,
    ) -> Revision:
        """Commit an edit, or a plan as it was made: rows and resident slots change together, or neither. Emits Committed.

        measure: with the whole receipt. limits: what it must hold to (measures too); reason: why to go on although it does not, kept
        with the revision.

        Raises:
            UserError: as `plan`; the session only reads; the study has moved on since the plan was made.
            Refused: the receipt breaks a limit and no reason was given; nothing is written then.
        """
        plan = edit if isinstance(edit, Plan) else self.plan(edit, measure=measure or limits is not None, job=job)
        if plan.base != self.head:
            raise UserError(f"{plan.edit.title}: was planned on revision {plan.base}, the study is at {self.head} now: plan it again")
        receipt = dict(plan.receipt)
        if limits is not None:
            from memstudio.facts.gate import judge

            receipt["gate"] = judge(receipt, limits, reason)
        from memstudio.editing.kinds import edit_to_json

        again = edit_to_json(plan.edit)
        receipt |= {"edit": again} if again else {}
        return self.commit(plan.edit.verb, plan.edit.title, plan.changes, tensors=plan.tensors, receipt=receipt, job=job)

    def request(
        self,
        prompt: str,
        target: str = "",
        *,
        phrasings: Sequence[str] | None = None,
        subject: str | None = None,
        job: Job | None = None,
    ) -> Request:
        """A fact to change, as an edit takes it: `Update((session.request(prompt, target).fact,))`.

        phrasings: those that the editor is to see; None takes those of the bank's fact with that prompt, else drafts at least five.
        subject: whom the prompt speaks of; None guesses.

        Raises:
            UserError: an empty prompt, or no encoder on this machine.
        """
        from memstudio.session.requests import request

        return request(self, prompt, target, phrasings, subject, job or Job("request"))

    @tells
    def measure(self, revision: int | None = None, *, job: Job | None = None) -> Revision:
        """Measure what a revision (None: the head) did against its parent, and keep that as its receipt.

        Raises:
            UserError: there is no such revision, or it is the bank as shipped; the session only reads.
        """
        from memstudio.session.measuring import measure_revision

        return measure_revision(self, self.head if revision is None else revision, job or Job("measure"))

    @tells
    def compare(self, a: int, b: int, facts: Sequence[Fact] | None = None, *, job: Job | None = None) -> Comparison:
        """Two revisions compared fact by fact (None: the bank's own): blocks that differ and by how much, facts gained, lost, changed.

        Raises:
            UserError: there is no such revision, or nothing to compare by.
        """
        from memstudio.session.comparing import compare_revisions

        return compare_revisions(self, a, b, facts, job=job)

    @tells
    def revert(self, revision: int, *, along: bool = False, again: bool = False, measure: bool = False, job: Job | None = None) -> Revision:
        """Take one revision back by a new one; along: with the later ones that stand on its blocks; again: and run those anew.

        Raises:
            UserError: later revisions stand on its blocks and neither was chosen; one of them cannot be run again.
        """
        from memstudio.session.graph import revert

        return revert(self, revision, along=along, again=again, measure=measure, job=job)

    # --- evidence ---------------------------------------------------------------------------------------------------

    @tells
    def trace(
        self,
        text: str,
        *,
        key: str | None = None,
        route: Sequence[ClusterId] | None = None,
        prefix: Sequence[int] = (),
        answer: str | Sequence[int] | None = None,
        against: str | Sequence[int] | None = None,
        job: Job | None = None,
    ) -> Trace:
        """The record of one run: contributions (projected), norms (observed), effects on an answer (causal). Emits Traced.

        answer: what is explained, the greedy continuation unless given; against: a second answer. Either is a text, or ids.
        prefix: ids of tokens generated before the one that is explained. The key is routed as without them; name the run's own route
        to have what it fetched then. job: breathes once a layer; where an edit or a try lands there, the trace begins anew under it.

        Raises:
            UserError: an empty or over-long prompt or answer, a cluster that does not exist.
        """
        from memstudio.session.evidence import trace

        found = trace(self, text, key=key, route=route, prefix=prefix, answer=answer, against=against, job=job)
        self.emit(Traced(found))
        if not prefix:
            note_trace(self, found)
        return found

    @tells
    def scan(
        self,
        text: str,
        answer: str | None = None,
        *,
        key: str | None = None,
        job: Job | None = None,
        told: Callable[[Scan], None] | None = None,
    ) -> Scan:
        """Where is this fact: the log-probability of an answer under every path of the tree at the head, nearest paths first.

        Hidden subtrees are scanned too, and mute, solo and pin do not act. answer: what the prompt's own route answers unless given.
        told: hears a few times a second of what was scanned so far.

        Raises:
            UserError: an empty or over-long prompt or answer, no encoder on this machine.
        """
        from memstudio.session.scan import scan

        return scan(self, text, answer, key=key, job=job or Job("scan"), told=told)

    @tells
    def score(
        self,
        facts: Sequence[Fact] | None = None,
        *,
        memory: Memory = "fetched",
        levels: int | None = None,
        hide: Collection[ClusterId] = (),
        hide_best: int | None = None,
        revision: int | None = None,
        judge: Judge = "generation",
        answers: Answers = "expected",
        job: Job | None = None,
    ) -> Scores:
        """Answer the prompts of facts (None: the bank's own) by free greedy generation and judge them; see `facts.score`.

        The routes of the bank's own prompts come with it, so no encoder is needed for them.

        levels: fetch only the first so many levels. hide: subtrees passed over, beside those of `hide()`. hide_best: each prompt
        has its own chosen cluster of this level passed over. revision: the study at that revision instead of the head. judge: how an
        answer is judged, see `session.scoring`. answers: against what is expected, or against each fact's target.

        Raises:
            UserError: no facts, a level or cluster that does not exist, no such revision, an over-long prompt.
        """
        from memstudio.session.scoring import score

        return score(
            self,
            facts,
            memory=memory,
            levels=levels,
            hide=frozenset(hide),
            hide_best=hide_best,
            revision=revision,
            judge=judge,
            answers=answers,
            job=job or Job("score"),
        )

    # --- for others -------------------------------------------------------------------------------------------------

    @tells
    def export_bank(
        self,
        out: str | Path,
        *,
        budget: int | None = None,
        fraction: float | None = None,
        rank_by: RankBy | None = None,
        keep: Collection[ClusterId] = (),
        drop: Collection[ClusterId] = (),
        fallback: Fallback | None = None,
        precision: Choice = "bank",
        facts: Sequence[Fact] | PromptSet | None = None,
        seed: int = 0,
        check: bool = True,
        job: Job | None = None,
    ) -> Exported:
        """Rank the blocks as they stand at the head, and write a bank of those that fit; see `plan_bank` and `export_planned` of
        `session.exporting`; on an error nothing is left under `out`."""
        from memstudio.export.place import refuse_taken
        from memstudio.session.exporting import export_planned, plan_bank

        refuse_taken(Path(out))
        work = job or Job("export")
        plan = plan_bank(self, rank_by, keep=keep, drop=drop, fallback=fallback, precision=precision, facts=facts, seed=seed, job=work)
        return export_planned(self, out, plan, budget=budget, fraction=fraction, fallback=fallback, check=check, job=work)

    @tells
    def export_dense(
        self, out: str | Path, route: str | Sequence[ClusterId], *, dtype: str | None = None, check: bool = True, job: Job | None = None
    ) -> DenseModel:
        """Write the anchor with the blocks of one route as an ordinary model folder; see `session.dense.export_dense`."""
        from memstudio.session.dense import export_dense

        return export_dense(self, out, route, dtype=dtype, check=check, job=job)
