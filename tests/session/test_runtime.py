"""What is tried at run time, without a revision: hide, mute, solo and pin; and what scale and swap come to when a block is run."""

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from memstudio.anchor.values import Sampling
from memstudio.anchor.wish import RunTime, Wish
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.editing.scale import Scale
from memstudio.editing.swap import Swap
from memstudio.errors import UserError
from memstudio.events import Event, Generated, Hidden
from memstudio.session import Session
from tests.session.conftest import OpenSession
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"
OTHER = "Tell me about tin"
PATH = (ClusterId(1, 1), ClusterId(2, 4), ClusterId(3, 13))


def added(session: Session, cluster: ClusterId, route: tuple[ClusterId, ...]) -> list[Tensor]:
    """What a block adds on each memory layer [tokens, d], layer 0's first; the layers below it run as they do."""
    session.fetch(Wish("fetched", route))
    attached = session.running.attached
    with attached.captured() as capture, torch.inference_mode():
        attached.forward(torch.tensor([session.running.encode(PROMPT)]))
    return [capture.added[position, cluster.level][0].float() for position in range(len(attached.layers))]


def test_solo_adds_the_named_blocks_alone(session: Session) -> None:
    whole = session.logits(PROMPT, route=PATH)
    session.solo({PATH[1]})
    alone = session.logits(PROMPT, route=PATH)
    session.solo(())
    session.mute({PATH[0], PATH[2]})
    assert torch.equal(session.logits(PROMPT, route=PATH), alone)
    session.mute(())
    assert torch.equal(session.logits(PROMPT, route=PATH), whole)


def test_solo_of_a_block_that_is_not_on_the_route_leaves_the_anchor_alone(session: Session) -> None:
    session.solo({ClusterId(3, 0)})
    assert torch.equal(session.logits(PROMPT, route=PATH), session.logits(PROMPT, memory="none"))


def test_a_block_that_is_soloed_and_muted_is_muted(session: Session) -> None:
    session.solo({PATH[1]})
    session.mute({PATH[1]})
    assert torch.equal(session.logits(PROMPT, route=PATH), session.logits(PROMPT, memory="none"))


def test_generic_memory_is_neither_muted_nor_soloed(session: Session) -> None:
    before = session.logits(PROMPT, memory="generic")
    session.solo({PATH[1]})
    session.mute({PATH[0]})
    assert torch.equal(session.logits(PROMPT, memory="generic"), before)


def test_what_stands_in_for_a_pruned_block_is_silenced_with_it(opens: OpenSession, tmp_path: Path) -> None:
    session = opens(make_bank(tmp_path / "bank", fallback="generic"))
    session.apply(Prune((PATH[2],)))
    session.mute({PATH[2]})
    muted = session.logits(PROMPT, route=PATH)
    session.mute(())
    assert not torch.equal(session.logits(PROMPT, route=PATH), muted)
    assert torch.equal(session.logits(PROMPT, route=PATH[:2]), muted)


def test_a_pinned_route_is_fetched_whatever_the_prompt_or_key_until_it_is_freed(session: Session) -> None:
    free = session.logits(PROMPT)
    session.pin(PATH[-1:])
    assert torch.equal(session.logits(PROMPT), session.logits(PROMPT, route=PATH))
    assert torch.equal(session.logits(PROMPT, key=OTHER), session.logits(PROMPT, route=PATH))
    assert session.run(PROMPT, sampling=Sampling(max_tokens=1)).route.clusters == PATH
    assert session.trace(PROMPT).route.clusters == PATH
    assert session.route(PROMPT).clusters != PATH
    session.pin(None)
    assert torch.equal(session.logits(PROMPT), free)


def test_a_route_that_a_run_is_given_goes_before_the_pinned_one(session: Session) -> None:
    given_ = session.bank.tree.route_to(ClusterId(3, 0))
    before = session.logits(PROMPT, route=given_)
    session.pin(PATH)
    assert torch.equal(session.logits(PROMPT, route=given_), before)
    assert not torch.equal(session.logits(PROMPT), before)


def test_a_pin_leaves_other_kinds_of_memory_and_scores_alone(session: Session) -> None:
    none, scores = session.logits(PROMPT, memory="none"), session.score()
    session.pin(PATH)
    assert torch.equal(session.logits(PROMPT, memory="none"), none)
    assert [(row.route, row.got) for row in session.score().facts] == [(row.route, row.got) for row in scores.facts]


@pytest.mark.parametrize("name", ["hide", "mute", "solo", "pin"])
def test_a_cluster_that_does_not_exist_is_refused_and_nothing_changes(session: Session, name: str) -> None:
    session.pin(PATH)
    before = session.runtime
    with pytest.raises(UserError):
        getattr(session, name)((ClusterId(3, 27),))
    assert session.runtime == before


@pytest.mark.parametrize("route", [(), (ClusterId(1, 0), ClusterId(2, 8))])
def test_a_pin_that_is_no_path_is_refused(session: Session, route: tuple[ClusterId, ...]) -> None:
    with pytest.raises(UserError):
        session.pin(route)
    assert session.runtime == RunTime()


def test_the_event_says_all_four_and_no_revision_comes_of_them(session: Session) -> None:
    events: list[Event] = []
    session.listen(events.append)
    session.hide({PATH[0]})
    session.mute({PATH[1]})
    session.solo({PATH[2]})
    session.pin(PATH[-1:])
    session.hide(())
    one, two, three = (frozenset({cluster}) for cluster in PATH)
    none: frozenset[ClusterId] = frozenset()
    assert events == [
        Hidden(one, none, none, None),
        Hidden(one, two, none, None),
        Hidden(one, two, three, None),
        Hidden(one, two, three, PATH),
        Hidden(none, two, three, PATH),
    ]
    assert session.runtime == RunTime(none, two, three, PATH)
    assert session.study is None


def test_solo_in_mid_run_acts_from_the_next_token_on(session: Session) -> None:
    sampling = Sampling(max_tokens=6)
    whole = [token.logprob for token in session.run(PROMPT, route=PATH, sampling=sampling).tokens]
    session.listen(lambda event: session.solo({PATH[0]}) if isinstance(event, Generated) and event.token.index == 2 else None)
    changed = [token.logprob for token in session.run(PROMPT, route=PATH, sampling=sampling).tokens]
    assert changed[:3] == whole[:3]
    assert changed[3] != whole[3]


def test_what_is_tried_stays_off_the_spare_arm(session: Session) -> None:
    before = session.plan(Scale((PATH[0],), 0.5), measure=True).receipt
    session.mute(PATH)
    session.solo({PATH[0]})
    session.pin(PATH)
    session.hide({PATH[0]})
    after = session.plan(Scale((PATH[0],), 0.5), measure=True).receipt
    assert {**after, "seconds": {}} == {**before, "seconds": {}}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(PATH), st.floats(0, 2))
def test_a_scaled_block_adds_the_factor_times_what_it_added(session: Session, cluster: ClusterId, factor: float) -> None:
    session.checkout(0)
    before = added(session, cluster, (*PATH[: cluster.level],))[0]
    if factor != 1.0:
        session.apply(Scale((cluster,), factor))
    after = added(session, cluster, (*PATH[: cluster.level],))[0]
    torch.testing.assert_close(after, before * factor, rtol=1e-5, atol=1e-6)


def test_a_block_scaled_to_nothing_is_as_good_as_muted(session: Session) -> None:
    session.mute({PATH[1]})
    muted = session.logits(PROMPT, route=PATH)
    session.mute(())
    session.apply(Scale((PATH[1],), 0.0))
    torch.testing.assert_close(session.logits(PROMPT, route=PATH), muted, rtol=0, atol=1e-6)  # zeros are added: -0.0 may become 0.0


def test_a_scaled_block_equals_one_that_is_rewritten_at_that_size(session: Session) -> None:
    session.apply(Scale((PATH[2],), 0.5))
    scaled = session.logits(PROMPT, route=PATH)
    row = session.desk().row(PATH[2])
    session.undo()
    from memstudio.editing.rewrite import Rewrite

    session.apply(Rewrite(PATH[2], row))
    assert torch.equal(session.logits(PROMPT, route=PATH), scaled)  # half is exact in float32


def test_a_swapped_block_adds_what_the_other_adds(session: Session) -> None:
    source = ClusterId(3, 2)
    session.apply(Scale((source,), 0.7))
    there = (*PATH[:2], source)  # no path of the tree: the slots are asked for it as they are
    wanted = added(session, source, there)
    session.apply(Swap(PATH[2], source))
    assert all(map(torch.equal, added(session, PATH[2], PATH), wanted))
