"""Arms answer side by side: what each says is what a run of it says, what each gives the reference is what its logits say, and nothing
else notices."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pytest
import torch

from memstudio.anchor.arm import Arm
from memstudio.anchor.values import Sampling, Token
from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.events import Did, Event
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session
from memstudio.session.arm_wish import GENERIC, NO_MEMORY, SHIPPED, THIS, ArmWish, parse_arm
from memstudio.session.arms import Arms, parting
from memstudio.session.graph import purge
from memstudio.session.script import deed_of

PROMPT = "The atomic number of gold is"
FEW = Sampling(max_tokens=8)
DRAWN = Sampling(max_tokens=8, temperature=1.3, top_p=0.9, seed=7)
ELSEWHERE = (ClusterId(3, 26),)
ONE, TWO = ArmWish(revision=1), ArmWish(revision=2)


@pytest.fixture
def edited(session: Session) -> Session:
    """Revision 1 rewrites the deepest block of the prompt, revision 2 takes the route's first block out; the head is 2."""
    path = session.route(PROMPT).clusters
    row = session.desk().row(path[-1])
    session.apply(Rewrite(path[-1], row + torch.linspace(-0.5, 0.5, row.numel())))
    session.apply(Prune((path[0],), orphan=True))
    return session


def taken(arms: Arms) -> list[list[Token]]:
    for _ in arms.tokens():
        pass
    return [list(answer) for answer in arms.answers]


def ran(session: Session, revision: int, sampling: Sampling, mute: Collection[ClusterId] = (), **how: Any) -> list[Token]:
    """The oracle: the session itself goes there and runs."""
    head, muted = session.head, session.muted
    session.checkout(revision)
    session.mute(muted | set(mute))
    tokens = list(session.run(PROMPT, sampling=sampling, **how).tokens)
    session.mute(muted)
    session.checkout(head)
    return tokens


def said(tokens: list[Token]) -> list[tuple[int, str, float, int]]:
    return [(token.id, token.text, token.logprob, token.revision) for token in tokens]


def hooks(session: Session) -> list[Any]:
    return [hook for layer in session.bank.manifest.layers for hook in session.running.anchor.mlps[layer]._forward_hooks]


# What each says


@pytest.mark.parametrize("sampling", [FEW, DRAWN], ids=["greedy", "drawn"])
@pytest.mark.parametrize("revisions", [(0, 1), (1, 2), (2, 0), (1, 1), (0, 1, 2)])
def test_each_says_what_a_run_of_its_revision_says(edited: Session, revisions: tuple[int, ...], sampling: Sampling) -> None:
    wanted = [said(ran(edited, revision, sampling)) for revision in revisions]
    assert [said(each) for each in taken(edited.arms(PROMPT, [ArmWish(revision=at) for at in revisions], sampling))] == wanted


@pytest.mark.parametrize("sampling", [FEW, DRAWN], ids=["greedy", "drawn"])
def test_five_arms_of_every_kind_say_what_runs_of_them_say(edited: Session, sampling: Sampling) -> None:
    route = edited.route(PROMPT).clusters
    wishes = [NO_MEMORY, GENERIC, SHIPPED, ArmWish(revision=1, route=ELSEWHERE), ArmWish(revision="1", without=route[:1])]
    wanted = [
        [each[:3] for each in said(ran(edited, 2, sampling, memory="none"))],
        [each[:3] for each in said(ran(edited, 2, sampling, memory="generic"))],
        [each[:3] for each in said(ran(edited, 0, sampling))],
        [each[:3] for each in said(ran(edited, 1, sampling, route=ELSEWHERE))],
        [each[:3] for each in said(ran(edited, 1, sampling, mute=route[:1]))],
    ]
    arms = edited.arms(PROMPT, wishes, sampling)
    assert [[each[:3] for each in said(answer)] for answer in taken(arms)] == wanted
    assert [each.revision for each in arms.standing] == [2, 2, 0, 1, 1]


def test_they_take_turns(edited: Session) -> None:
    sides = [side for side, _ in edited.arms(PROMPT, [SHIPPED, ONE, TWO], FEW).tokens()]
    all_of_them = 3 * min(map(sides.count, range(3)))
    assert sides[:all_of_them] == [0, 1, 2] * (all_of_them // 3)
    assert len(set(sides[all_of_them:])) <= 2


def test_a_key_is_routed_in_the_prompt_s_place(edited: Session) -> None:
    key = "Tell me about tin"
    wanted = [said(ran(edited, revision, FEW, key=key)) for revision in (0, 2)]
    assert list(map(said, taken(edited.arms(PROMPT, [SHIPPED, TWO], FEW, key=key)))) == wanted


def test_what_is_muted_is_muted_in_all(edited: Session) -> None:
    edited.mute(edited.route(PROMPT).clusters[1:])
    wanted = [said(ran(edited, revision, FEW)) for revision in (0, 1)]
    arms = edited.arms(PROMPT, [SHIPPED, ONE], FEW)
    assert list(map(said, taken(arms))) == wanted
    assert arms.partings() == (None, None)  # the rewritten block is muted
    assert arms.standing[1].same == 0


def test_a_pin_holds_for_all_but_an_arm_with_a_route_of_its_own(edited: Session) -> None:
    pinned, own = edited.bank.tree.route_to(ClusterId(3, 0)), edited.bank.tree.route_to(ELSEWHERE[0])
    edited.pin(pinned)
    arms = edited.arms(PROMPT, [THIS, ArmWish(route=ELSEWHERE)], FEW)
    assert [each.route for each in arms.standing] == [pinned, own]
    assert said(taken(arms)[1]) == said(ran(edited, 2, FEW, route=own))


# Arms that fetch the same blocks


def made(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The arms that are made from now on."""
    from memstudio.anchor import arm as arms

    noted: list[arms.Arm] = []
    begin = arms.Arm.__init__

    def note(self: arms.Arm, *given: object) -> None:
        begin(self, *given)  # type: ignore[arg-type]
        noted.append(self)

    monkeypatch.setattr(arms.Arm, "__init__", note)
    return noted


def test_arms_with_the_same_blocks_are_computed_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    path = session.route(PROMPT).clusters
    aside = next(ClusterId(3, at) for at in range(27) if ClusterId(3, at) not in path)
    session.apply(Scale((aside,), 0.5))
    session.logits(PROMPT)
    noted = made(monkeypatch)
    arms = session.arms(PROMPT, [SHIPPED, NO_MEMORY, THIS, ArmWish(without=(aside,)), ArmWish(without=path)], FEW)
    assert [each.same for each in arms.standing] == [0, 1, 0, 0, 1]
    answers = taken(arms)
    assert len(noted) == 2
    assert [said(answers[at]) for at in (0, 2)] == [said(ran(session, at, FEW)) for at in (0, 1)]
    assert [token.revision for token in answers[2]] == [1] * len(answers[2])
    weighed = arms.weigh()
    assert not weighed.differences[[0, 2, 3]].any()


def test_blocks_that_differ_are_never_shared(edited: Session) -> None:
    assert [each.same for each in edited.arms(PROMPT, [SHIPPED, ONE, TWO, NO_MEMORY, GENERIC], FEW).standing] == [0, 1, 2, 3, 4]


# How likely the reference's answer is to each


@pytest.mark.parametrize("reference", [0, 2])
def test_what_an_arm_gives_the_reference_s_tokens_is_what_its_logits_say(
    edited: Session, reference: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    route = edited.route(PROMPT).clusters
    arms = edited.arms(PROMPT, [THIS, NO_MEMORY, GENERIC, ArmWish(route=ELSEWHERE), ArmWish(without=route[-1:])], DRAWN)
    answers = taken(arms)
    weighed = arms.weigh(reference)
    prompt = edited.running.encode(PROMPT)
    whole = prompt + [token.id for token in answers[reference]]
    monkeypatch.setattr(edited.running, "encode", lambda _: whole)  # its text alone might be cut into other tokens
    how: list[dict[str, Any]] = [{"key": PROMPT}, {"memory": "none"}, {"memory": "generic"}, {"route": ELSEWHERE}, {"key": PROMPT}]
    for number, each in enumerate(how):
        if number == 4:
            edited.mute(route[-1:])
        logs = edited.logits(PROMPT, **each).log_softmax(-1)
        wanted = [float(logs[len(prompt) - 1 + at, token.id]) for at, token in enumerate(answers[reference])]
        assert weighed.logprobs[number].tolist() == pytest.approx(wanted, abs=1e-4)
    assert weighed.pieces == tuple(token.text for token in answers[reference])


def test_until_they_part_an_arm_s_own_tokens_are_the_reference_s(edited: Session) -> None:
    arms = edited.arms(PROMPT, [SHIPPED, ONE, NO_MEMORY], FEW)
    answers = taken(arms)
    weighed, partings = arms.weigh(), arms.partings()
    assert partings[0] is None
    for number, answer in enumerate(answers):
        at = len(answer) if partings[number] is None else partings[number]
        assert weighed.logprobs[number, :at].tolist() == pytest.approx([token.logprob for token in answer[:at]], abs=1e-4)
        assert partings[number] == parting(answers[0], answer)
    assert not weighed.differences[0].any()


def test_a_long_answer_is_read_in_stretches_as_at_once(edited: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    from memstudio.anchor import engine

    arms = edited.arms(PROMPT, [SHIPPED, NO_MEMORY], Sampling(max_tokens=40, temperature=2.0, seed=3))
    taken(arms)
    whole = arms.weigh().logprobs
    assert whole.shape[1] > 10
    monkeypatch.setattr(engine, "_STRETCH", 3)
    assert arms.weigh().logprobs == pytest.approx(whole, abs=1e-4)


def test_an_answer_without_a_token_has_nothing_to_weigh(edited: Session) -> None:
    assert edited.arms(PROMPT, [THIS, NO_MEMORY], FEW).weigh().logprobs.shape == (2, 0)


# Nothing else notices


def test_the_main_arm_s_slots_and_logits_are_untouched(edited: Session) -> None:
    other = edited.bank.tree.route_to(ClusterId(3, 26))
    before = edited.logits(PROMPT, route=other)
    slots = edited.running.attached.slots
    identity = list(slots.identity)
    held = [[part.clone() for parts in slots.parts(level) for part in parts] for level in (1, 2, 3)]
    wish = edited.running.arm.wish
    arms = edited.arms(PROMPT, [SHIPPED, TWO, NO_MEMORY], FEW)
    for number, _ in enumerate(arms.tokens()):
        if number == 3:  # in the middle too
            assert edited.running.arm.wish == wish == Wish("fetched", other)
    arms.weigh()
    assert list(slots.identity) == identity
    for level, before_parts in enumerate(held, 1):
        now = [part for parts in slots.parts(level) for part in parts]
        assert all(map(torch.equal, now, before_parts))
    assert torch.equal(edited.logits(PROMPT, route=other), before)


def test_a_run_in_the_middle_goes_on_as_if_there_were_no_arms(edited: Session) -> None:
    alone = ran(edited, 2, FEW)
    run: Iterator[Token] = edited.generate(PROMPT, sampling=FEW)
    mixed: list[Token] = []
    for _ in edited.arms(PROMPT, [SHIPPED, ONE], FEW).tokens():
        mixed += [token for token in (next(run, None),) if token is not None]
    assert said(mixed + list(run)) == said(alone)


def test_a_block_set_an_arm_is_added_and_no_parameter_of_an_anchor(edited: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    edited.logits(PROMPT)
    parameters = sum(parameter.numel() for parameter in edited.running.anchor.model.parameters())
    noted = made(monkeypatch)
    arms = edited.arms(PROMPT, [SHIPPED, ONE, TWO], FEW)
    tokens = arms.tokens()
    next(tokens)
    assert len(noted) == 3
    assert all(arm.anchor is edited.running.anchor for arm in noted)
    assert sum(parameter.numel() for parameter in edited.running.anchor.model.parameters()) == parameters
    block_set = sum(layout.n for layout in edited.bank.layouts)
    for arm in noted:
        slots = arm.attached.slots
        storages = [part.untyped_storage() for level in (1, 2, 3) for parts in slots.parts(level) for part in parts]
        assert sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values()) == 4 * block_set
    tokens.close()  # type: ignore[attr-defined]
    arms.weigh()
    assert len(noted) == 4  # one more reads for all
    assert len(hooks(edited)) == len(edited.bank.manifest.layers)  # the main arm's own


def test_a_cancelled_job_ends_all_between_two_tokens(edited: Session) -> None:
    job, came = Job("arms"), []
    arms = edited.arms(PROMPT, [SHIPPED, TWO], FEW, job=job)
    for each in arms.tokens():
        came.append(each)
        if len(came) == 3:
            job.cancel()
    assert [side for side, _ in came] == [0, 1, 0]
    assert arms.stopped
    with pytest.raises(Cancelled):
        arms.weigh()
    assert hooks(edited) == []  # no arm is left, and the main one was never needed


def test_an_edit_and_a_mute_in_the_meantime_change_none(edited: Session) -> None:
    wishes = [SHIPPED, THIS]
    once = edited.arms(PROMPT, wishes, FEW)
    wanted, weighed = taken(once), once.weigh(1)
    arms = edited.arms(PROMPT, wishes, FEW)
    tokens = arms.tokens()
    next(tokens), next(tokens)
    edited.apply(Scale((edited.route(PROMPT).clusters[1],), 0.0))
    edited.mute(edited.route(PROMPT).clusters[2:])
    list(tokens)
    assert [said(list(answer)) for answer in arms.answers] == list(map(said, wanted))
    assert (arms.weigh(1).logprobs == weighed.logprobs).all()


def test_no_event_is_told_and_the_head_stays(edited: Session) -> None:
    events: list[Event] = []
    edited.listen(events.append)
    arms = edited.arms(PROMPT, [SHIPPED, ONE, NO_MEMORY], FEW)
    taken(arms)
    arms.weigh()
    assert events == []
    assert edited.head == 2


def test_it_is_told_as_a_line_that_does_the_same(edited: Session) -> None:
    told: list[Event] = []
    edited.listen(told.append, deeds=True)
    arms = edited.arms(PROMPT, (THIS, ArmWish(revision=1), NO_MEMORY), FEW)
    (did,) = told
    assert isinstance(did, Did)
    deed = deed_of(did)
    assert deed.line == f"session.arms({PROMPT!r}, (ArmWish(), ArmWish(revision=1), ArmWish('none')), Sampling(8))"
    scope: dict[str, Any] = {"session": edited}
    exec("\n".join([*deed.imports, f"said = {deed.line}.texts()"]), scope)
    assert scope["said"] == arms.texts()
    assert deed.script == f"print(*{deed.line}.texts(), sep='\\n')"


# Bad input


@pytest.mark.parametrize(
    ("prompt", "wishes", "sampling", "why"),
    [
        ("  ", (SHIPPED, ONE), FEW, "empty"),
        (PROMPT, (SHIPPED, ArmWish(revision=9)), FEW, "9"),
        (PROMPT, (ArmWish(revision=-1), SHIPPED), FEW, "-1"),
        (PROMPT, (ArmWish(revision="nobody"), SHIPPED), FEW, "nobody"),
        (PROMPT, (SHIPPED, ONE), Sampling(max_tokens=0), "max tokens"),
        ("gold " * 400, (SHIPPED, ONE), FEW, "tokens"),
        (PROMPT, (SHIPPED,), FEW, "1 arms: name 2 to 5"),
        (PROMPT, (SHIPPED,) * 6, FEW, "6 arms"),
        (PROMPT, (SHIPPED, ArmWish(route=(ClusterId(3, 99),))), FEW, "3/99"),
        (PROMPT, (SHIPPED, ArmWish(without=(ClusterId(9, 0),))), FEW, "9/0"),
    ],
)
def test_bad_input_is_refused_before_the_first_token(
    edited: Session, prompt: str, wishes: Sequence[ArmWish], sampling: Sampling, why: str
) -> None:
    with pytest.raises(UserError, match=why):
        edited.arms(prompt, wishes, sampling)


def test_generic_blocks_of_a_bank_that_has_none_are_refused(edited: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edited.bank, "manifest", edited.bank.manifest.model_copy(update={"generic": False}))
    with pytest.raises(UserError, match="leave the arm generic out"):
        edited.arms(PROMPT, [THIS, GENERIC], FEW)


def test_a_revision_whose_blocks_were_purged_says_so(edited: Session) -> None:
    edited.checkout(0)
    purge(edited)
    with pytest.raises(UserError, match="purged"):
        taken(edited.arms(PROMPT, [SHIPPED, ONE], FEW))
    assert hooks(edited) == []


def test_a_bank_as_shipped_is_compared_with_itself_without_a_study(session: Session) -> None:
    arms = session.arms(PROMPT, [SHIPPED, THIS], FEW)
    taken(arms)
    assert arms.partings() == (None, None)
    assert session.study is None
    with pytest.raises(UserError, match="as shipped has revision 0 alone"):
        session.arms(PROMPT, [SHIPPED, ONE], FEW)


# In words


@pytest.mark.parametrize(
    ("text", "wish", "title"),
    [
        ("none", NO_MEMORY, "no memory"),
        ("generic", GENERIC, "generic blocks"),
        ("base", SHIPPED, "as shipped"),
        ("head", THIS, "this revision"),
        ("@12", ArmWish(revision=12), "revision 12"),
        ("@before/all", ArmWish(revision="before/all"), "revision before/all"),
        ("route:3/17", ArmWish(route=(ClusterId(3, 17),)), "route to 3/17"),
        ("route:1/0,2/1,3/3", ArmWish(route=(ClusterId(1, 0), ClusterId(2, 1), ClusterId(3, 3))), "route to 3/3"),
        ("without:3/17,2/4", ArmWish(without=(ClusterId(3, 17), ClusterId(2, 4))), "without 3/17, 2/4"),
        (
            "@12+route:3/17+without:2/4",
            ArmWish(revision=12, route=(ClusterId(3, 17),), without=(ClusterId(2, 4),)),
            "revision 12, route to 3/17, without 2/4",
        ),
        ("base+without:2/4", ArmWish(revision=0, without=(ClusterId(2, 4),)), "as shipped, without 2/4"),
    ],
)
def test_a_wish_is_read_and_written(text: str, wish: ArmWish, title: str) -> None:
    assert parse_arm(text) == wish
    assert str(wish) == text
    assert wish.title == title


@pytest.mark.parametrize(
    "text", ["", "all", "@", "none+@1", "head+base", "route:", "route:x", "without:3/17;2/4", "route:3/1+route:3/2", "+"]
)
def test_what_is_no_arm_is_refused(text: str) -> None:
    with pytest.raises(UserError):
        parse_arm(text)


def test_a_revision_of_very_many_digits_is_one_that_is_not_there(session: Session) -> None:
    session.apply(Prune((ClusterId(3, 26),)))
    with pytest.raises(UserError):
        session.arms(PROMPT, [NO_MEMORY, parse_arm("@" + "9" * 5000)], FEW)


def test_many_blocks_left_out_are_counted(session: Session) -> None:
    assert ArmWish(without=tuple(ClusterId(3, at) for at in range(2000))).title == "without 3/0, 3/1, 3/2 and 1,997 more"


def test_where_there_is_no_room_for_the_last_arm_none_stays_on_the_anchor(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.run(PROMPT, sampling=FEW)
    hooks = [len(mlp._forward_hooks) for mlp in session.running.anchor.mlps]
    begun: list[object] = []

    class Full(Arm):
        def __init__(self, *given: Any) -> None:
            if len(begun) == 2:
                raise MemoryError
            super().__init__(*given)
            begun.append(self)

    monkeypatch.setattr("memstudio.anchor.arm.Arm", Full)
    with pytest.raises(MemoryError):
        session.arms(PROMPT, [NO_MEMORY, THIS, ArmWish(route=ELSEWHERE)], FEW).texts()
    assert len(begun) == 2
    assert [len(mlp._forward_hooks) for mlp in session.running.anchor.mlps] == hooks


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
