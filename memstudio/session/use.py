"""Counting which blocks a set of prompts fetches, and what each of them does to the answers; single runs are counted too."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.anchor.wish import Wish, identities
from memstudio.errors import UserError
from memstudio.facts.prompts import digest, of_facts, of_texts, read_prompts
from memstudio.facts.values import PromptSet, SetPrompt, Skipped
from memstudio.history.values import Count, KeptUse
from memstudio.jobs import Cancelled, Job
from memstudio.session.used import Counted, kept_form, of_counts

if TYPE_CHECKING:
    from memstudio.anchor.arm import Arm
    from memstudio.anchor.values import Trace
    from memstudio.bank.bank import Bank
    from memstudio.bank.tree import Tree
    from memstudio.bank.values import ClusterId, Overlay, Route
    from memstudio.session.looking import Looking
    from memstudio.session.study import Study

Clusters = tuple["ClusterId", ...]
Pair = tuple[list[int], list[int]]
"""Token ids of a prompt and of the answer behind it."""
Told = Callable[[Counted], None]

OWN_FACTS = "the bank's facts"
OWN_PROBES = "the bank's probes"
_TOLD_S = 0.2
_ROUTED = 64
_READ = 64
"""Prompts of one route that are tokenized, and answered where no answer is given, together."""
_TOKENS = 2048
"""Tokens of one batch: enough to keep two cores or a GPU busy, little enough to be cancelled soon."""
_MOST_UNREAD = 1_000


def count_use(
    session: Looking, prompts: PromptSet | Path | Sequence[str] | None, *, effects: bool, keep: bool, job: Job, told: Told | None = None
) -> Counted:
    """See `Looking.count_use`."""
    chosen = _chosen(session, prompts)
    tally = _Tally(session, chosen)

    def tell(*, last: bool = False) -> None:
        if told is not None and (last or tally.due()):
            told(tally.so_far())

    total = len(chosen.prompts) * (2 if effects else 1)
    try:
        routes: list[Clusters] = []
        for start in range(0, len(chosen.prompts), _ROUTED):
            part = chosen.prompts[start : start + _ROUTED]
            found = session.routes([each.text if each.key is None else each.key for each in part])
            tally.fetch(found)
            routes += found
            tell()
            job.progress(len(routes), total)
        if effects:
            for numbers in _together(session.bank, routes, tally.overlay):
                for read, effect in _effects(session, chosen.prompts, numbers, routes[numbers[0]], tally.overlay):
                    tally.measure(read, effect)
                    tell()
                    job.progress(len(routes) + tally.read, total)
    except Cancelled:
        if tally.prompts:
            tally.keep(keep)
            tell(last=True)
        raise
    tally.keep(keep)
    tell(last=True)
    return tally.so_far()


def counted_of(tree: Tree, kept: KeptUse) -> Counted:
    """What the study keeps, over the clusters of its bank.

    Raises:
        UserError: it names a cluster that the bank has not, so the study was tampered with.
    """
    for cluster in kept.counts:
        tree.check(cluster)
    sizes = [tree.count(level) for level in range(1, tree.depth + 1)]
    use = of_counts(sizes, kept.counts, kept.prompts, kept.measured)
    return Counted(kept.name, kept.digest, kept.revision, kept.total, kept.time_s, use, kept.id)


def note_run(study: Study, route: Route | None) -> None:
    """Count a single run that is over: its blocks were fetched once more. Nothing where nothing is kept."""
    if route is not None and study.keeps:
        study.store.add_to_runs({cluster: Count(1) for cluster in route.clusters}, prompts=1)


def note_trace(study: Study, trace: Trace) -> None:
    """Count the effects that a trace measured."""
    if trace.effect and study.keeps:
        study.store.add_to_runs(_counts(trace.effect), measured=1)


def _counts(effects: Mapping[ClusterId, float]) -> dict[ClusterId, Count]:
    """One effect each; what is not finite (a block may hold NaN) was not measured."""
    return {cluster: Count(0, 1, effect, abs(effect)) for cluster, effect in effects.items() if math.isfinite(effect)}


class _Tally:
    """What was counted so far. The revision and its overlay are those at which the count began."""

    def __init__(self, session: Looking, prompts: PromptSet) -> None:
        self._session, self._set = session, prompts
        self._sizes = [session.bank.tree.count(level) for level in range(1, session.bank.tree.depth + 1)]
        self._digest = digest(prompts)
        self._counts: dict[ClusterId, Count] = {}
        self._unread: list[Skipped] = []
        self._unread_count = 0
        self._heard = time.monotonic()
        self._id = 0
        self.overlay, self.revision = session.overlay, session.head
        self.prompts = self.measured = self.read = 0

    def fetch(self, routes: Sequence[Clusters]) -> None:
        """Prompts that were routed."""
        self.prompts += len(routes)
        for route in routes:
            for cluster in route:
                self._add(cluster, Count(1))

    def measure(self, numbers: Sequence[int], found: Sequence[Mapping[ClusterId, float] | str]) -> None:
        """The effects on each of some prompts, or why they could not be measured."""
        self.read += len(numbers)
        for number, effects in zip(numbers, found, strict=True):
            if isinstance(effects, str):
                self._unread_count += 1
                if self._unread_count <= _MOST_UNREAD:
                    self._unread.append(Skipped(self._set.prompts[number].line, number + 1, effects))
                continue
            self.measured += 1
            for cluster, count in _counts(effects).items():
                self._add(cluster, count)

    def due(self) -> bool:
        """Whether it is time to tell of it again."""
        if time.monotonic() - self._heard < _TOLD_S:
            return False
        self._heard = time.monotonic()
        return True

    def keep(self, wanted: bool) -> None:
        """Write it into the study."""
        if wanted and self._session.keeps:
            self._id = self._session.store.keep_use(kept_form(self.so_far()))

    def so_far(self) -> Counted:
        """A frozen copy."""
        use = of_counts(self._sizes, self._counts, self.prompts, self.measured)
        total, unread = len(self._set.prompts), tuple(self._unread)
        return Counted(
            self._set.name,
            self._digest,
            self.revision,
            total,
            time.time(),
            use,
            self._id,
            self._set.skipped,
            self._set.skipped_count,
            unread,
            self._unread_count,
        )

    def _add(self, cluster: ClusterId, count: Count) -> None:
        before = self._counts.get(cluster)
        self._counts[cluster] = count if before is None else before.plus(count)


def _chosen(session: Looking, prompts: PromptSet | Path | Sequence[str] | None) -> PromptSet:
    if isinstance(prompts, PromptSet):
        return prompts
    if isinstance(prompts, Path):
        return read_prompts(prompts)
    if prompts is not None:
        return of_texts(prompts)
    facts = session.facts()
    if not facts:
        raise UserError(f"{session.bank.folder}: has neither facts nor probes to count by; name a file of prompts")
    return of_facts(facts, OWN_PROBES if facts[0].kind == "probe" else OWN_FACTS)


def _together(bank: Bank, routes: Sequence[Clusters], overlay: Overlay) -> Iterator[list[int]]:
    """Numbers of prompts on one route, at most `_READ`; routes that fetch the same blocks stand together."""
    groups: dict[Clusters, list[int]] = {}
    for number, route in enumerate(routes):
        groups.setdefault(route, []).append(number)
    fetched: dict[object, list[Clusters]] = {}
    for route in groups:
        fetched.setdefault(identities(bank, Wish("fetched", route), overlay), []).append(route)
    for alike in fetched.values():
        for route in alike:
            yield from (groups[route][at : at + _READ] for at in range(0, len(groups[route]), _READ))


def _effects(
    session: Looking, prompts: Sequence[SetPrompt], numbers: Sequence[int], route: Clusters, overlay: Overlay
) -> Iterator[tuple[list[int], list[dict[ClusterId, float] | str]]]:
    """The effect of each block of a route on the answers to these prompts, or why there is none; some prompts at a time."""
    wish = Wish("fetched", route)
    arm = session.running.spare
    arm.fetch(wish, overlay, session.blob)
    pairs = dict(zip(numbers, pairs_of(session, [prompts[number] for number in numbers]), strict=True))
    for part in _parts(pairs, 1 + len(route)):
        arm.fetch(wish, overlay, session.blob)  # what was done since the last part may have used the slots
        yield part, _without_each(arm, [pairs[number] for number in part], route)


def _parts(pairs: Mapping[int, Pair | str], rows: int) -> Iterator[list[int]]:
    """Numbers of pairs, so many at a time that a batch of `rows` rows each has no more than `_TOKENS`, or is a single pair."""
    part: list[int] = []
    longest = 0
    for number, pair in pairs.items():
        length = 0 if isinstance(pair, str) else len(pair[0]) + len(pair[1])
        longest = max(longest, length)
        if part and (len(part) + 1) * rows * longest > _TOKENS:
            yield part
            part, longest = [], length
        part.append(number)
    if part:
        yield part


def _without_each(arm: Arm, pairs: Sequence[Pair | str], route: Clusters) -> list[dict[ClusterId, float] | str]:
    """log p(answer) − log p(answer without the block) of each block that lies in a slot, one batch row a block that is left out."""
    import torch

    from memstudio.session.forced import forced

    slots = arm.attached.slots
    present = [cluster for cluster in route if slots.filled(cluster.level)]
    sound = [pair for pair in pairs if not isinstance(pair, str)]
    each = 1 + len(present)
    added = torch.ones(slots.levels, each * len(sound), dtype=torch.bool)
    for at, cluster in enumerate(present, 1):
        added[cluster.level - 1, at::each] = False
    rows = [pair for pair in sound for _ in range(each)]
    reads = [read.logprob for read in forced(arm.attached, rows, lambda members: arm.attached.by_row(added[:, members]))]
    measured = (
        {cluster: reads[start] - reads[start + at] for at, cluster in enumerate(present, 1)} for start in range(0, len(reads), each)
    )
    return [pair if isinstance(pair, str) else next(measured) for pair in pairs]


def pairs_of(session: Looking, prompts: Sequence[SetPrompt]) -> list[Pair | str]:
    """Tokens of each prompt and of its answer; or why the anchor cannot read them. Where none is given it is the greedy one under the
    blocks that lie in the spare arm."""
    from memstudio.anchor.engine import MARKS, answer_ids

    anchor = session.running.anchor
    found: list[Pair | str] = []
    asked: dict[int, list[int]] = {}
    for number, each in enumerate(prompts):
        try:
            ids = session.running.encode(each.text)
            answer = [] if each.answer is None else anchor.continuation(each.text, each.answer)
            anchor.check(ids + answer)
        except UserError as error:
            found.append(str(error))
            continue
        found.append((ids, answer))
        if not answer:
            asked[number] = ids
    stops = anchor.stops(MARKS)
    answers = answer_ids(session.running.spare.attached, list(asked.values())) if asked else []
    for (number, ids), tokens in zip(asked.items(), answers, strict=True):
        own = tokens[:-1] if len(tokens) > 1 and bool(stops[tokens[-1]]) else tokens
        found[number] = (ids, own) if own else "the prompt leaves no room for an answer: shorten it"
    return found
