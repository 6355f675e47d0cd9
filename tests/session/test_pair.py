"""Two revisions answer side by side: what each says is what a run of it says, and nothing else notices."""

from collections.abc import Iterator

import pytest
import torch

from memstudio.anchor.values import Sampling, Token
from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.events import Event
from memstudio.jobs import Job
from memstudio.session import Session
from memstudio.session.graph import purge
from memstudio.session.pair import answer_pair, parting

PROMPT = "The atomic number of gold is"
FEW = Sampling(max_tokens=8)


@pytest.fixture
def edited(session: Session) -> Session:
    """Revision 1 rewrites the deepest block of the prompt, revision 2 takes the route's first block out; the head is 2."""
    path = session.route(PROMPT).clusters
    row = session.desk().row(path[-1])
    session.apply(Rewrite(path[-1], row + torch.linspace(-0.5, 0.5, row.numel())))
    session.apply(Prune((path[0],), orphan=True))
    return session


def taken(pairs: Iterator[tuple[int, Token]]) -> tuple[list[Token], list[Token]]:
    sides: tuple[list[Token], list[Token]] = ([], [])
    for side, token in pairs:
        sides[side].append(token)
    return sides


def ran(session: Session, revision: int, sampling: Sampling, key: str | None = None) -> list[Token]:
    head = session.head
    session.checkout(revision)
    tokens = list(session.run(PROMPT, key=key, sampling=sampling).tokens)
    session.checkout(head)
    return tokens


def said(tokens: list[Token]) -> list[tuple[int, str, float, int]]:
    return [(token.id, token.text, token.logprob, token.revision) for token in tokens]


@pytest.mark.parametrize("pair", [(0, 1), (1, 2), (2, 0), (1, 1)])
@pytest.mark.parametrize("sampling", [FEW, Sampling(max_tokens=8, temperature=1.3, top_p=0.9, seed=7)], ids=["greedy", "drawn"])
def test_each_says_what_a_run_of_its_revision_says(edited: Session, pair: tuple[int, int], sampling: Sampling) -> None:
    wanted = tuple(said(ran(edited, revision, sampling)) for revision in pair)
    assert tuple(map(said, taken(answer_pair(edited, PROMPT, *pair, sampling)))) == wanted


def test_they_take_turns(edited: Session) -> None:
    sides = [side for side, _ in answer_pair(edited, PROMPT, 0, 2, FEW)]
    both = 2 * min(sides.count(0), sides.count(1))
    assert sides[:both] == [0, 1] * (both // 2)
    assert len(set(sides[both:])) <= 1


def test_a_key_is_routed_in_the_prompt_s_place(edited: Session) -> None:
    key = "Tell me about tin"
    wanted = [said(ran(edited, revision, FEW, key)) for revision in (0, 2)]
    assert list(map(said, taken(answer_pair(edited, PROMPT, 0, 2, FEW, key=key)))) == wanted


def test_what_is_muted_is_muted_in_both(edited: Session) -> None:
    edited.mute(edited.route(PROMPT).clusters[1:])
    wanted = [said(ran(edited, revision, FEW)) for revision in (0, 1)]
    assert list(map(said, taken(answer_pair(edited, PROMPT, 0, 1, FEW)))) == wanted
    assert parting(*taken(answer_pair(edited, PROMPT, 0, 1, FEW))) is None  # the rewritten block is muted


def test_the_main_arm_s_slots_and_logits_are_untouched(edited: Session) -> None:
    other = edited.bank.tree.route_to(ClusterId(3, 26))
    before = edited.logits(PROMPT, route=other)
    slots = edited.running.attached.slots
    identity = list(slots.identity)
    held = [[part.clone() for parts in slots.parts(level) for part in parts] for level in (1, 2, 3)]
    wish = edited.running.arm.wish
    for number, _ in enumerate(answer_pair(edited, PROMPT, 0, 2, FEW)):
        if number == 3:  # in the middle too
            assert edited.running.arm.wish == wish == Wish("fetched", other)
    assert list(slots.identity) == identity
    for level, before_parts in enumerate(held, 1):
        now = [part for parts in slots.parts(level) for part in parts]
        assert all(map(torch.equal, now, before_parts))
    assert torch.equal(edited.logits(PROMPT, route=other), before)


def test_a_run_in_the_middle_of_a_pair_goes_on_as_if_there_were_none(edited: Session) -> None:
    alone = ran(edited, 2, FEW)
    run, mixed = edited.generate(PROMPT, sampling=FEW), []
    for _ in answer_pair(edited, PROMPT, 0, 1, FEW):
        mixed += [token for token in (next(run, None),) if token is not None]
    assert said(mixed + list(run)) == said(alone)




def test_two_block_sets_are_added_and_no_parameter_of_an_anchor(edited: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from memstudio.anchor import arm as arms

    made: list[arms.Arm] = []
    begin = arms.Arm.__init__

    def noted(self: arms.Arm, *given: object) -> None:
        begin(self, *given)  # type: ignore[arg-type]
        made.append(self)

    monkeypatch.setattr(arms.Arm, "__init__", noted)
    edited.logits(PROMPT)
    parameters = sum(parameter.numel() for parameter in edited.running.anchor.model.parameters())
    made.clear()
    pairs = answer_pair(edited, PROMPT, 0, 2, FEW)
    next(pairs)
    assert len(made) == 2
    assert all(arm.anchor is edited.running.anchor for arm in made)
    assert sum(parameter.numel() for parameter in edited.running.anchor.model.parameters()) == parameters
    block_set = sum(layout.n for layout in edited.bank.layouts)
    for arm in made:
        slots = arm.attached.slots
        storages = [part.untyped_storage() for level in (1, 2, 3) for parts in slots.parts(level) for part in parts]
        assert sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values()) == 4 * block_set
    pairs.close()  # type: ignore[attr-defined]
    hooks = [hook for layer in edited.bank.manifest.layers for hook in edited.running.anchor.mlps[layer]._forward_hooks]
    assert len(hooks) == len(edited.bank.manifest.layers)  # the main arm's own


def test_a_cancelled_job_ends_both_between_two_tokens(edited: Session) -> None:
    job, came = Job("pair"), []
    for each in answer_pair(edited, PROMPT, 0, 2, FEW, job=job):
        came.append(each)
        if len(came) == 3:
            job.cancel()
    assert [side for side, _ in came] == [0, 1, 0]
    hooks = [hook for layer in edited.bank.manifest.layers for hook in edited.running.anchor.mlps[layer]._forward_hooks]
    assert hooks == []  # no arm is left, and the main one was never needed


def test_an_edit_in_the_meantime_changes_neither(edited: Session) -> None:
    wanted = taken(answer_pair(edited, PROMPT, 0, 2, FEW))
    pairs = answer_pair(edited, PROMPT, 0, 2, FEW)
    first = [next(pairs), next(pairs)]
    edited.apply(Scale((edited.route(PROMPT).clusters[1],), 0.0))
    both: tuple[list[Token], list[Token]] = ([], [])
    for side, token in [*first, *pairs]:
        both[side].append(token)
    assert tuple(map(said, both)) == tuple(map(said, wanted))


def test_no_event_is_told_and_the_head_stays(edited: Session) -> None:
    events: list[Event] = []
    edited.listen(events.append)
    taken(answer_pair(edited, PROMPT, 0, 1, FEW))
    assert events == []
    assert edited.head == 2


@pytest.mark.parametrize(
    ("prompt", "a", "b", "sampling"),
    [("  ", 0, 1, FEW), (PROMPT, 0, 9, FEW), (PROMPT, -1, 0, FEW), (PROMPT, 0, 1, Sampling(max_tokens=0)), ("gold " * 400, 0, 1, FEW)],
)
def test_bad_input_is_refused_before_the_first_token(edited: Session, prompt: str, a: int, b: int, sampling: Sampling) -> None:
    with pytest.raises(UserError):
        answer_pair(edited, prompt, a, b, sampling)


def test_a_revision_whose_blocks_were_purged_says_so(edited: Session) -> None:
    edited.checkout(0)
    purge(edited)
    with pytest.raises(UserError, match="purged"):
        taken(answer_pair(edited, PROMPT, 0, 1, FEW))


def test_a_bank_as_shipped_is_compared_with_itself_without_a_study(session: Session) -> None:
    one, other = taken(answer_pair(session, PROMPT, 0, 0, FEW))
    assert parting(one, other) is None
    assert session.study is None


def tokens(*ids: int) -> list[Token]:
    return [Token(at, number, "", 0.0, 0, 0.0) for at, number in enumerate(ids)]


@pytest.mark.parametrize(
    ("a", "b", "where"),
    [((1, 2, 3), (1, 2, 3), None), ((1, 2, 3), (1, 9, 3), 1), ((1, 2), (1, 2, 3), 2), ((), (4,), 0), ((), (), None), ((5,), (6, 7), 0)],
)
def test_answers_part_at_the_first_token_that_differs_or_at_the_shorter_one_s_end(
    a: tuple[int, ...], b: tuple[int, ...], where: int | None
) -> None:
    assert parting(tokens(*a), tokens(*b)) == parting(tokens(*b), tokens(*a)) == where
