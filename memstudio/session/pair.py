"""An A/B: two revisions answer the same prompt with the same seed, a token each in turn, on one anchor.

Each takes an arm of its own, so that whatever the user's own run has in its slots stays there; an arm costs one block set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from memstudio.anchor.values import Sampling, Token
from memstudio.anchor.wish import Wish
from memstudio.bank.values import Overlay
from memstudio.jobs import Cancelled, Job
from memstudio.session.routing import choose

if TYPE_CHECKING:
    from memstudio.anchor.arm import Arm
    from memstudio.session.session import Session

Side = Literal[0, 1]


def answer_pair(
    session: Session,
    prompt: str,
    a: int,
    b: int,
    sampling: Sampling = Sampling(),
    *,
    key: str | None = None,
    job: Job | None = None,
) -> Iterator[tuple[Side, Token]]:
    """Tokens of revision `a` (side 0) and revision `b` (side 1) in turn; where one has ended the other goes on alone.

    Each answers as a run of it would: fetched memory, the route of the key, what is hidden, muted, solo and pinned. Only its own
    tokens decide what it draws, so the order of turns does not matter. No event is emitted. Closing the iterator stops both; a
    cancelled job ends it. An edit in the meantime changes neither: each keeps the blocks that it began with.

    Raises:
        UserError: an empty or over-long prompt, sampling out of range, no such revision, a revision whose blocks were purged.
    """
    from memstudio.anchor.engine import check_sampling

    check_sampling(sampling)
    ids = session.running.encode(prompt)
    overlays = (_overlay(session, a), _overlay(session, b))
    route = choose(session, prompt, key, None, "fetched")
    wish = Wish("fetched", route.clusters if route else ())
    return _in_turn(session, ids, wish, (a, b), overlays, sampling, job or Job("pair"))


def parting(a_tokens: Sequence[Token], b_tokens: Sequence[Token]) -> int | None:
    """The index of the first token at which two answers part; where one is a beginning of the other, its end; None where they agree."""
    for index, (one, other) in enumerate(zip(a_tokens, b_tokens, strict=False)):
        if one.id != other.id:
            return index
    return None if len(a_tokens) == len(b_tokens) else min(len(a_tokens), len(b_tokens))


def _in_turn(
    session: Session,
    ids: list[int],
    wish: Wish,
    revisions: tuple[int, int],
    overlays: tuple[Overlay, Overlay],
    sampling: Sampling,
    job: Job,
) -> Iterator[tuple[Side, Token]]:
    from memstudio.anchor.engine import generate

    with _arms(session) as arms:
        streams: dict[Side, Iterator[Token]] = {}
        for side in _SIDES:
            arms[side].fetch(wish, overlays[side], session.blob)
            streams[side] = generate(arms[side].attached, ids, sampling, revision=lambda number=revisions[side]: number)  # type: ignore[misc]
        while streams:
            for side in tuple(streams):
                arms[side].follow(session.runtime)
                token = next(streams[side], None)
                if token is None:
                    del streams[side]
                    continue
                yield side, token
                try:
                    job.breathe()
                except Cancelled:
                    return  # an end like any other: what came stays


@contextmanager
def _arms(session: Session) -> Iterator[tuple[Arm, Arm]]:
    """Two arms on the session's anchor, taken off it again whatever happens."""
    from memstudio.anchor.arm import Arm

    one, other = (Arm(session.bank, session.running.anchor) for _ in _SIDES)
    try:
        yield one, other
    finally:
        for arm in (one, other):
            arm.attached.detach()


def _overlay(session: Session, revision: int) -> Overlay:
    if revision == session.head:
        return session.overlay
    return session.store.overlay(revision) if revision else {}


_SIDES: tuple[Side, Side] = (0, 1)
