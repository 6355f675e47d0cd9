"""An A/B/C: two to five arms answer the same prompt with the same seed, a token each in turn, on one anchor.

An arm is no memory, the generic blocks, or the fetched blocks of a revision, perhaps by a route of its own or without some blocks.
Each takes one block set, so that whatever the user's own run has in its slots stays there; arms that fetch the same blocks share one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.anchor.values import Sampling, Token
from memstudio.anchor.wish import RunTime, Wish, identity
from memstudio.bank.overlay import ResolvedKey
from memstudio.bank.values import ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from memstudio.session.arm_wish import FEWEST, HEAD, MOST, ArmWish
from memstudio.session.routing import fetched

if TYPE_CHECKING:
    from memstudio.anchor.arm import Arm
    from memstudio.session.session import Session

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Standing:
    """One arm as it answers. revision: what its wish comes to. route: () where no routed memory is fetched.

    same: the first arm that adds the same blocks, its own number where it is the first: their answers are one and the same.
    """

    wish: ArmWish
    revision: int
    route: tuple[ClusterId, ...]
    same: int


@dataclass(frozen=True, eq=False, slots=True)
class Weighed:
    """The reference's answer under every arm: float32 [arms, tokens], the log-probability that each arm gives to each of its tokens, the
    reference's own tokens read before it (teacher-forced). Up to where an arm parts from the reference that is what it gave while it
    answered. `pieces`: the tokens as text."""

    reference: int
    pieces: tuple[str, ...]
    logprobs: Floats

    @property
    def differences(self) -> Floats:
        """Δ log p against the reference arm, float32 [arms, tokens]; its own row is 0."""
        found: Floats = self.logprobs - self.logprobs[self.reference]
        return found


class Arms:
    """Some arms beside each other: who they are, what they say, and how likely the reference's answer is to each. See `Session.arms`."""

    def __init__(
        self, session: Session, prompt: str, wishes: Sequence[ArmWish], sampling: Sampling, key: str | None, job: Job | None
    ) -> None:
        """Encodes and routes, so that bad input is refused before the first token.

        Raises:
            UserError: too few or too many arms, an empty or over-long prompt, sampling out of range, no such revision or cluster,
                generic blocks of a bank that has none.
        """
        from memstudio.anchor.engine import check_sampling

        if not FEWEST <= len(wishes) <= MOST:
            raise UserError(f"{len(wishes)} arms: name {FEWEST} to {MOST}, for example none, base and head")
        check_sampling(sampling)
        self._session, self._sampling, self._job = session, sampling, job or Job("arms")
        self._ids = session.running.encode(prompt)
        self._plans = _plan(session, prompt, key, wishes)
        self.standing = _stand(session, wishes, self._plans)
        self.answers: list[tuple[Token, ...]] = [() for _ in wishes]
        """What each has said so far."""
        self.stopped = False
        """Whether the job was cancelled before all had ended."""

    def tokens(self) -> Iterator[tuple[int, Token]]:
        """(number of the arm, its token) in turn; where one has ended the others go on. Closing the iterator stops all.

        Raises:
            UserError: a revision whose blocks were purged.
        """
        from memstudio.anchor.engine import generate

        firsts = sorted({each.same for each in self.standing})
        with _own_arms(self._session, len(firsts)) as arms:
            streams: dict[int, Iterator[Token]] = {}
            for first, arm in zip(firsts, arms, strict=True):
                self._plans[first].fetch(self._session, arm)
                streams[first] = generate(arm.attached, self._ids, self._sampling)
            while streams:
                for first in tuple(streams):
                    token = next(streams[first], None)
                    if token is None:
                        del streams[first]
                        continue
                    yield from self._say(first, token)
                    try:
                        self._job.breathe()
                    except Cancelled:
                        self.stopped = True
                        return  # an end like any other: what came stays

    def texts(self) -> tuple[str, ...]:
        """Answer to the end; what each says.

        Raises:
            UserError: a revision whose blocks were purged.
        """
        for _ in self.tokens():
            pass
        return tuple("".join(token.text for token in answer) for answer in self.answers)

    def weigh(self, reference: int = 0) -> Weighed:
        """Read the answer of one arm, as far as it has come, under every arm: a forward pass each, one block set in all.

        Raises:
            UserError: a revision whose blocks were purged.
            Cancelled: the job was cancelled.
        """
        from memstudio.anchor.engine import read

        answer = [token.id for token in self.answers[reference]]
        found = np.zeros((len(self.standing), len(answer)), np.float32)
        with _own_arms(self._session, 1) as (arm,):
            for number, each in enumerate(self.standing):
                if each.same == number and answer:
                    self._job.breathe()
                    self._plans[number].fetch(self._session, arm)
                    found[number] = read(arm.attached, self._ids, answer)
                else:
                    found[number] = found[each.same]
        return Weighed(reference, tuple(token.text for token in self.answers[reference]), found)

    def partings(self, reference: int = 0) -> tuple[int | None, ...]:
        """For each arm the token at which it parts from the reference; None where they agree. See `parting`."""
        return tuple(parting(self.answers[reference], answer) for answer in self.answers)

    def _say(self, first: int, token: Token) -> Iterator[tuple[int, Token]]:
        """A token that one stream gave, for all arms that share it."""
        for number, each in enumerate(self.standing):
            if each.same == first:
                own = replace(token, revision=each.revision)
                self.answers[number] += (own,)
                yield number, own


def parting(a_tokens: Sequence[Token], b_tokens: Sequence[Token]) -> int | None:
    """The index of the first token at which two answers part; where one is a beginning of the other, its end; None where they agree."""
    for index, (one, other) in enumerate(zip(a_tokens, b_tokens, strict=False)):
        if one.id != other.id:
            return index
    return None if len(a_tokens) == len(b_tokens) else min(len(a_tokens), len(b_tokens))


@dataclass(frozen=True, slots=True)
class _Plan:
    """What an arm fetches, worked out once: an edit or a mute in the meantime does not reach it."""

    wish: Wish
    revision: int
    overlay: Overlay
    runtime: RunTime

    def fetch(self, session: Session, arm: Arm) -> None:
        """Put it into an arm's slots."""
        arm.follow(self.runtime)
        arm.fetch(self.wish, self.overlay, session.blob)

    def adds(self, session: Session) -> tuple[ResolvedKey | None, ...]:
        """What every level adds; equal answers are bit-identical runs. Reads no weights."""
        silenced = self.runtime.silenced(self.wish)
        levels = range(1, session.bank.tree.depth + 1)
        return tuple(None if level in silenced else identity(session.bank, self.wish, level, self.overlay) for level in levels)


def _plan(session: Session, prompt: str, key: str | None, wishes: Sequence[ArmWish]) -> list[_Plan]:
    routed: tuple[ClusterId, ...] | None = None
    plans = []
    for wish in wishes:
        if wish.memory == "generic" and not session.bank.manifest.generic:
            raise UserError(f"{session.bank.folder}: has no generic blocks; leave the arm generic out")
        if wish.memory != "fetched":
            plans.append(_Plan(Wish(wish.memory), session.head, {}, session.runtime))
            continue
        if wish.route is None and routed is None:
            routed = fetched(session, prompt, key, None).clusters
        route = (routed or ()) if wish.route is None else session.bank.tree.explicit(wish.route).clusters
        without = frozenset(session.bank.tree.check(cluster) for cluster in wish.without)
        runtime = replace(session.runtime, muted=session.runtime.muted | without)
        revision = _revision(session, wish)
        plans.append(_Plan(Wish("fetched", route), revision, _overlay(session, revision), runtime))
    return plans


def _stand(session: Session, wishes: Sequence[ArmWish], plans: Sequence[_Plan]) -> tuple[Standing, ...]:
    first: dict[tuple[ResolvedKey | None, ...], int] = {}
    return tuple(
        Standing(wish, plan.revision, plan.wish.clusters, first.setdefault(plan.adds(session), number))
        for number, (wish, plan) in enumerate(zip(wishes, plans, strict=True))
    )


def _revision(session: Session, wish: ArmWish) -> int:
    text = str(wish.revision)
    if text in (HEAD, "0"):
        return session.head if text == HEAD else 0
    if session.study is None:
        raise UserError(f"revision {text!r:.80}: the bank as shipped has revision 0 alone; open the study that has it")
    return session.store.find(text)


def _overlay(session: Session, revision: int) -> Overlay:
    if revision == session.head:
        return session.overlay
    return session.store.overlay(revision) if revision else {}


@contextmanager
def _own_arms(session: Session, count: int) -> Iterator[tuple[Arm, ...]]:
    """Some arms on the session's anchor, taken off it again whatever happens."""
    from memstudio.anchor.arm import Arm

    with ExitStack() as made:
        arms: list[Arm] = []
        for _ in range(count):  # where there is no room for the last, the first are taken off too
            arms.append(Arm(session.bank, session.running.anchor, session.running.supply))
            made.callback(arms[-1].attached.detach)
        yield tuple(arms)
