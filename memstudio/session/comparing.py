"""What one answers that the other does not: two revisions of a study, or two sets of scores, compared fact by fact."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from memstudio.bank.overlay import resolve
from memstudio.bank.values import BASE, BlockState, ClusterId, Overlay
from memstudio.facts.receipt import ROOM
from memstudio.facts.statistics import Paired, paired
from memstudio.facts.values import Fact, Kind, Phrasing, Scored, Scores
from memstudio.jobs import Job

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.anchor.load import Anchor
    from memstudio.session.session import Session

Turn = Literal["gained", "lost", "changed"]


@dataclass(frozen=True, slots=True)
class Parting:
    """Where two answers part: the first token (counted from 0) that differs, and the two tokens; "" where an answer has ended."""

    index: int
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Turned:
    """A prompt that is answered otherwise: wrong then right, right then wrong, or wrong in another way."""

    turn: Turn
    fact: str
    kind: Kind
    phrasing: Phrasing
    prompt: str
    expected: str
    before: str
    after: str
    parting: Parting | None = None


@dataclass(frozen=True, slots=True)
class BlockDifference:
    """A block that differs; `norm` is the L2 norm of the difference of its numbers in float32, where no block counts as zeros."""

    cluster: ClusterId
    before: BlockState
    after: BlockState
    norm: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs of the same facts; `guessable` ones are left out.

    facts: paired by main prompt. phrasings: the same for `trained` phrasings beside it and for `held_out` ones. turned: every prompt that
    is answered otherwise, in the order of the first run. unmatched: prompts that only one of the two answered. same: prompts that were
    not asked because both fetch the same blocks. blocks: where the two are revisions of one study.
    """

    a: int
    b: int
    facts: Paired
    phrasings: dict[str, Paired]
    turned: tuple[Turned, ...]
    unmatched: int = 0
    same: int = 0
    blocks: tuple[BlockDifference, ...] = ()
    seconds: float = 0.0

    @property
    def gained(self) -> tuple[Turned, ...]:
        """Facts whose main prompt was wrong and is right."""
        return self._of("gained")

    @property
    def lost(self) -> tuple[Turned, ...]:
        """Facts whose main prompt was right and is wrong."""
        return self._of("lost")

    @property
    def changed(self) -> tuple[Turned, ...]:
        """Facts whose main prompt is wrong in both, with another answer."""
        return self._of("changed")

    def _of(self, turn: Turn) -> tuple[Turned, ...]:
        return tuple(one for one in self.turned if one.turn == turn and one.phrasing == "prompt")


def compare_scores(a: Scores, b: Scores) -> Comparison:
    """Compare two scores by fact and prompt, never by block, so that banks built apart can be compared.

    Raises:
        ValueError: they were judged in different ways.
    """
    if (a.judge, a.answers) != (b.judge, b.answers):
        raise ValueError(f"scores by {a.judge} of {a.answers} and by {b.judge} of {b.answers} cannot be compared")
    before, after = _by_prompt(a.facts), _by_prompt(b.facts)
    both = [(row, after[key]) for key, row in before.items() if key in after]
    pairs = {
        kind: paired((row.correct, other.correct) for row, other in both if row.phrasing == kind)
        for kind in ("prompt", "trained", "held_out")
    }
    return Comparison(
        a=a.revision,
        b=b.revision,
        facts=pairs.pop("prompt"),
        phrasings=pairs,
        turned=tuple(turned for row, other in both if (turned := _turned(row, other)) is not None),
        unmatched=len(before) + len(after) - 2 * len(both),
        seconds=a.seconds + b.seconds,
    )


def compare_revisions(session: Session, a: int, b: int, facts: Sequence[Fact] | None = None, job: Job | None = None) -> Comparison:
    """Compare two revisions of a session's study: blocks and by how much, facts gained, lost and changed, and where the answers part.

    facts: None takes the bank's own; a bank without any is compared by its blocks alone. Prompts whose fetched blocks are the same under
    both cannot be answered otherwise; they are counted as `same` and not asked, so that it costs what was changed and not the bank.

    Raises:
        UserError: there is no such revision, or given facts hold none with an expected answer.
    """
    from memstudio.session.scoring import How, answerable, answered, fetches, overlay_at, prompts_for, row_of

    start, work, how = time.perf_counter(), job or Job("compare"), How(room=ROOM)
    one, other = overlay_at(session, a), overlay_at(session, b)
    blocks = _blocks(session, one, other, work)
    given = session.facts() if facts is None else list(facts)
    if not given and facts is None:
        return Comparison(a, b, Paired(0, 0, 0, 0), {}, (), blocks=blocks, seconds=time.perf_counter() - start)
    prompts = prompts_for(session, answerable(session, given, how), work)
    parted = [p for p in prompts if fetches(session, p.route, how, one) != fetches(session, p.route, how, other)]
    before = [row_of(prompt, text) for prompt, text in zip(parted, answered(session, parted, how, one, work), strict=True)]
    texts = answered(session, parted, how, other, work, done=len(parted))
    after = [row_of(prompt, text) for prompt, text in zip(parted, texts, strict=True)]
    found = compare_scores(_scores(before, a), _scores(after, b))
    return dataclasses.replace(
        found,
        turned=tuple(with_parting(session.running.anchor, turned) for turned in found.turned),
        same=len(prompts) - len(parted),
        blocks=blocks,
        seconds=time.perf_counter() - start,
    )


def with_parting(anchor: Anchor, turned: Turned) -> Turned:
    """The same with the first token at which its two answers part; as it was where they have the same tokens."""
    before, after = (anchor.continuation(turned.prompt, text) if text.strip() else [] for text in (turned.before, turned.after))
    for index in range(max(len(before), len(after))):
        pair = [anchor.piece(ids[index]) if index < len(ids) else "" for ids in (before, after)]
        if before[index : index + 1] != after[index : index + 1]:
            return dataclasses.replace(turned, parting=Parting(index, *pair))
    return turned


def _by_prompt(rows: Iterable[Scored]) -> dict[tuple[str, str, str], Scored]:
    found: dict[tuple[str, str, str], Scored] = {}
    for row in rows:
        if row.kind != "guessable":
            found.setdefault((row.fact, row.phrasing, row.prompt), row)
    return found


def _turned(row: Scored, other: Scored) -> Turned | None:
    if row.correct != other.correct:
        turn: Turn = "gained" if other.correct else "lost"
    elif row.correct or row.got == other.got:
        return None
    else:
        turn = "changed"
    return Turned(turn, row.fact, row.kind, row.phrasing, row.prompt, row.expected, row.got, other.got)


def _scores(rows: Sequence[Scored], revision: int) -> Scores:
    from memstudio.facts.score import total

    return total(rows, memory="fetched", revision=revision, agreement={}, seconds=0.0)


def _blocks(session: Session, one: Overlay, other: Overlay, job: Job) -> tuple[BlockDifference, ...]:
    """The blocks in whose place another state stands, by cluster."""
    found = []
    for cluster in sorted({*one, *other}):
        before, after = one.get(cluster, BASE), other.get(cluster, BASE)
        if before != after:
            job.breathe()
            found.append(BlockDifference(cluster, before, after, _norm(_row(session, one, cluster), _row(session, other, cluster))))
    return tuple(found)


def _row(session: Session, overlay: Overlay, cluster: ClusterId) -> Tensor | None:
    """What stands in the cluster's own place, float32 [n] with its scale applied to the down projections; None for nothing."""
    found = resolve(session.bank, overlay, cluster, session.blob)
    if found.row is None or found.cluster != cluster:
        return None
    row = found.row.float().clone()
    if found.scale != 1.0:
        for _, _, down in session.bank.layouts[cluster.level - 1].split(row):
            down.mul_(found.scale)
    return row


def _norm(before: Tensor | None, after: Tensor | None) -> float:
    if before is None or after is None:
        there = after if before is None else before
        return 0.0 if there is None else float(there.norm())
    return float((after - before).norm())
