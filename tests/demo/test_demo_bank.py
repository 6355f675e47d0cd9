"""The bundled bank keeps its promises: what each memory adds, depth by depth, and what is lost without it.

Recall is measured on every twelfth fact here, without memory on every third and among the slow tests on all; `make bench` prints every
figure over all of them.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import memstudio
from memstudio.anchor.values import Sampling
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.facts.score import is_correct
from memstudio.facts.values import Fact, Scores
from memstudio.paths import demo_bank
from memstudio.session import Session
from memstudio.tour import run_tour
from tests.anchor import oracle

GOLD = "The atomic number of gold is"
TELL = "Tell me about gold."


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with memstudio.open("demo", device="cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def facts(session: Session) -> list[Fact]:
    return session.facts()[::12]


@pytest.fixture(scope="module")
def fetched(session: Session, facts: list[Fact]) -> Scores:
    return session.score(facts)


@pytest.fixture(scope="module")
def without(session: Session) -> Scores:
    return session.score(session.facts()[::3], memory="none")


def specific(scores: Scores) -> float:
    share = scores.by_kind["specific"]
    assert share is not None
    return share


def test_the_bundle_is_light_and_whole(session: Session) -> None:
    sizes = [path.stat().st_size for path in demo_bank().rglob("*") if path.is_file()]
    assert sum(sizes) <= 40e6
    assert max(sizes) <= 15e6
    assert {"blocks/level-3.safetensors", "anchor/model.safetensors"} <= {path for path, _ in session.bank.verify()}


def test_the_bundle_is_as_large_as_promised(session: Session) -> None:
    facts = session.facts()
    assert len(facts) >= 3000
    assert sum(fact.kind == "specific" for fact in facts) >= 1500
    assert len({fact.id.rsplit("/", 1)[0] for fact in facts}) >= 800
    levels = session.info()["levels"]
    assert len(levels) >= 3
    assert levels[-1]["clusters"] >= 200
    assert session.info()["anchor"]["parameters"] <= 10_000_000


def test_specific_facts_come_from_the_blocks_and_common_ones_from_the_anchor(fetched: Scores, without: Scores) -> None:
    assert specific(fetched) >= 0.95
    assert specific(without) <= 0.10
    assert (without.by_kind["common"] or 0) >= 0.90
    assert (fetched.by_kind["common"] or 0) >= 0.95


@pytest.mark.slow
def test_of_all_facts_the_anchor_knows_the_common_ones_and_hardly_a_specific_one(session: Session) -> None:
    alone = session.score(memory="none")
    assert specific(alone) <= 0.10
    assert (alone.by_kind["common"] or 0) >= 0.90


def test_generic_blocks_are_no_substitute(session: Session, facts: list[Fact], fetched: Scores) -> None:
    assert specific(session.score(facts, memory="generic")) <= specific(fetched) - 0.50


def test_each_level_adds_recall_and_the_deepest_most(session: Session, facts: list[Fact], fetched: Scores, without: Scores) -> None:
    stairs = [specific(without), *(specific(session.score(facts, levels=level)) for level in (1, 2)), specific(fetched)]
    lifts = np.diff(stairs)
    assert (lifts >= 0.10).all()
    assert lifts[-1] >= 0.30


def test_a_phrasing_never_trained_is_answered_where_it_fetches_a_block_that_learned_the_fact(fetched: Scores) -> None:
    assert (fetched.held_out_learned or 0) >= 0.70


def test_phrasings_of_a_fact_meet(fetched: Scores) -> None:
    assert (fetched.agreement[1] or 0) >= 0.90
    assert (fetched.agreement[3] or 0) >= 0.65


def test_atomic_numbers_live_under_the_routes_of_their_elements(session: Session) -> None:
    probe = [fact for fact in session.facts() if fact.relation == "atomic-number"]
    assert len(probe) == 118
    sample = [Fact(f.id, f.subject, f.relation, f.prompt, f.expected, f.aliases, (), (), (), f.kind) for f in probe[::3]]
    shown = session.score(sample)
    hidden = session.score(sample, hide_best=1)
    right, left = (np.mean([row.correct for row in scores.facts]) for scores in (shown, hidden))
    assert right >= 0.95
    assert left <= right - 0.50


def test_the_encoder_takes_the_routes_that_the_bank_ships(session: Session, fetched: Scores) -> None:
    for row in fetched.facts[::200]:
        assert session.route(row.prompt).clusters == row.route


def test_the_folder_read_by_its_format_alone_gives_the_same_logits(session: Session) -> None:
    route = session.route(GOLD).clusters
    ids = session.running.encode(GOLD)
    expected = oracle.logits(demo_bank(), ids, {cluster.level: cluster.index for cluster in route})
    assert np.abs(session.logits(GOLD, route=route).numpy() - expected).max() <= 1e-4 * max(1.0, np.abs(expected).max())


def test_a_prune_in_mid_sentence_changes_later_facts_and_no_earlier_token(session: Session) -> None:
    whole = session.run(TELL, sampling=Sampling(max_tokens=160))
    assert len(whole.tokens) >= 80
    gold = [fact for fact in session.facts() if fact.id.startswith("element/gold/")]
    assert sum(f" {fact.expected}." in whole.text for fact in gold) >= 5

    second = [i for i, token in enumerate(whole.tokens) if token.text == "."][2]
    tokens = []
    for token in session.generate(TELL, sampling=Sampling(max_tokens=160)):
        tokens.append(token)
        if token.index == second:
            session.apply(Prune((session.route(TELL).clusters[0],)))
    session.undo()
    assert [token.id for token in tokens[: second + 1]] == [token.id for token in whole.tokens[: second + 1]]
    assert {token.revision for token in tokens[: second + 1]} == {0}
    later = "".join(token.text for token in tokens[second + 1 :])
    assert sum(f" {fact.expected}." in later for fact in gold) < sum(
        f" {fact.expected}." in "".join(token.text for token in whole.tokens[second + 1 :]) for fact in gold
    )


def test_gold_is_known_wrong_without_its_block_and_known_again(session: Session) -> None:
    steps = run_tour("demo", device="cpu")
    assert all(step.ok for step in steps)
    assert steps[0].answer == "79"
    assert any(step.answer not in (None, "79") for step in steps)
    assert steps[-1].answer == "79"


def test_a_prune_leaves_other_routes_bit_identical(session: Session) -> None:
    route = session.route(GOLD).clusters
    prompts = [fact.prompt for fact in session.facts()[::50]]
    other = next(prompt for prompt in prompts if session.route(prompt).clusters[0] != route[0])
    before = session.logits(other)
    session.apply(Prune((ClusterId(1, route[0].index),)))
    after = session.logits(other)
    pruned = session.run(GOLD, sampling=Sampling(max_tokens=6)).text
    session.undo()
    assert (before == after).all()
    assert not is_correct(pruned, "79")


def test_the_recipe_beside_the_bank_is_the_one_it_was_built_with(session: Session) -> None:
    from memstudio.builder.recipe import load_recipe

    assert load_recipe(Path(demo_bank() / "recipe.yaml")).as_json() == session.bank.manifest.recipe
