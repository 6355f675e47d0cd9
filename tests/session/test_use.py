"""Which blocks prompts use: counts against one route after another, effects against the trace of each prompt."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from memstudio.bank.values import PRUNED, ClusterId
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.events import Finished, Traced
from memstudio.facts.read import prompts_of
from memstudio.facts.values import PromptSet, SetPrompt
from memstudio.history.values import RUNS
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session
from memstudio.session.used import MATTERS, Counted, Use, added_up, of_counts, standing
from tests.session.conftest import OpenSession

PROMPTS = ["The atomic number of gold is", "Element tin has the atomic number", "It was hot", "Tell me about lead", "It was hot"]


def routed_one_by_one(session: Session, keys: list[str]) -> Counter[ClusterId]:
    return Counter(cluster for key in keys for cluster in session.route(key).clusters)


def as_counter(use: Use) -> Counter[ClusterId]:
    found = {ClusterId(level, int(at)): int(each[at]) for level, each in enumerate(use.fetched, 1) for at in np.flatnonzero(each)}
    return Counter(found)


def masks(session: Session) -> tuple[np.ndarray, ...]:
    return standing([session.bank.held(level) for level in range(1, session.bank.tree.depth + 1)], session.overlay)


def test_each_prompt_counts_once_for_every_cluster_of_its_route(session: Session) -> None:
    counted = session.count_use(PROMPTS)
    assert as_counter(counted.use) == routed_one_by_one(session, PROMPTS)
    assert (counted.use.prompts, counted.total, counted.use.measured) == (5, 5, 0)
    assert all(np.isnan(each).all() for each in counted.use.mean_effect())


def test_the_banks_own_prompts_are_counted_by_the_routes_that_come_with_it(session: Session) -> None:
    texts = [text for fact in session.facts() for _, text in prompts_of(fact)]
    counted = session.count_use()
    assert as_counter(counted.use) == Counter(cluster for route in session.routes(texts) for cluster in route)
    assert counted.use.prompts == len(texts)


def test_a_key_is_routed_instead_of_its_prompt(session: Session) -> None:
    counted = session.count_use(PromptSet("keys", (SetPrompt("It was hot", "gold"),)))
    assert as_counter(counted.use) == routed_one_by_one(session, ["gold"])


def test_effects_are_those_of_a_trace_of_each_prompt(session: Session) -> None:
    session.apply(Prune((session.route(PROMPTS[0]).clusters[-1],)))
    prompts = PromptSet(
        "mixed", (*(SetPrompt(text) for text in PROMPTS), SetPrompt(PROMPTS[0], None, "4"), SetPrompt("Tin", "gold", "red light"))
    )
    wanted: dict[ClusterId, list[float]] = {}
    for each in prompts.prompts:
        for cluster, effect in session.trace(each.text, key=each.key, answer=each.answer).effect.items():
            wanted.setdefault(cluster, []).append(effect)
    use = session.count_use(prompts, effects=True).use
    assert use.measured == 7
    for level, each in enumerate(use.effects, 1):
        for index in range(len(each)):
            count, effects = use.of(ClusterId(level, index)), wanted.get(ClusterId(level, index), [])
            assert count.effects == len(effects)
            assert count.effect_sum == pytest.approx(sum(effects), abs=1e-4)
            assert count.effect_max == pytest.approx(max(map(abs, effects), default=0.0), abs=1e-4)
    assert any(effects for effects in wanted.values())


def test_long_prompts_are_read_in_parts_with_the_same_effects(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    prompts = PromptSet("alike", tuple(SetPrompt(f"It was hot {'at ' * number}", "gold", "red") for number in range(12)))
    whole, told = session.count_use(prompts, effects=True).use, 0

    def tell(_: Job) -> None:
        nonlocal told
        told += 1

    monkeypatch.setattr("memstudio.session.use._TOKENS", 100)
    parts = session.count_use(prompts, effects=True, job=Job("count", on_progress=tell)).use
    assert told > 5
    for one, other in zip(whole.effect_sum, parts.effect_sum, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_what_is_tried_at_run_time_does_not_act(session: Session) -> None:
    before = session.count_use(PROMPTS, effects=True).use
    route = session.route(PROMPTS[0]).clusters
    session.hide([route[0]])
    session.mute(route)
    session.pin(session.bank.tree.route_to(ClusterId(3, 26)))
    after = session.count_use(PROMPTS, effects=True).use
    for one, other in zip((*before.fetched, *before.effect_sum), (*after.fetched, *after.effect_sum), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_prompt_that_the_anchor_cannot_read_is_fetched_and_not_measured(session: Session) -> None:
    long = "gold " * 400
    counted = session.count_use(PromptSet("long", (SetPrompt("It was hot"), SetPrompt(long, line=7))), effects=True)
    assert (counted.use.prompts, counted.use.measured, counted.unread_count) == (2, 1, 1)
    assert (counted.unread[0].line, counted.unread[0].record) == (7, 2)
    assert "tokens" in counted.unread[0].reason


def test_dead_hot_and_idle_blocks_are_told_apart_from_what_was_not_measured() -> None:
    from memstudio.history.values import Count

    counts = {
        ClusterId(1, 0): Count(5, 5, 10.0, 4.0),
        ClusterId(1, 1): Count(3, 3, 0.0, MATTERS / 2),
        ClusterId(2, 0): Count(8, 0),
        ClusterId(2, 1): Count(0, 1, -1.0, 1.0),
    }
    use = of_counts([3, 4], counts, 10, 5)
    whole = (np.array([True, True, True]), np.array([True, True, True, False]))
    assert use.dead(whole) == (ClusterId(1, 2), ClusterId(2, 2))
    assert use.idle(whole) == (ClusterId(1, 1),)
    assert use.hot(whole) == (ClusterId(1, 0), ClusterId(2, 1), ClusterId(2, 0), ClusterId(1, 1))
    assert standing(whole, {ClusterId(1, 2): PRUNED})[0].tolist() == [True, True, False]
    assert of_counts([3, 4], {}, 0, 0).dead(whole) == ()
    np.testing.assert_allclose(use.share()[1], [0.8, 0, 0, 0], atol=1e-6)
    assert np.isnan(use.mean_effect()[1]).tolist() == [True, False, True, True]


def test_a_pruned_block_is_not_dead(session: Session) -> None:
    counted = session.count_use(PROMPTS)
    dead = counted.use.dead(masks(session))
    assert dead
    session.apply(Prune(dead[-1:]))
    assert counted.use.dead(masks(session)) == dead[:-1]


def test_counts_are_kept_in_the_study_and_read_again(opens: OpenSession, study: Path) -> None:
    with opens(study=study) as session:
        first = session.count_use(PROMPTS, effects=True)
        session.count_use()
        assert first.id > 0
    with opens(study=study, readonly=True) as reader:
        kept = reader.uses()
        assert [each.name for each in kept] == ["prompts", "the bank's facts"]
        for one, other in zip((*first.use.fetched, *first.use.effect_max), (*kept[0].use.fetched, *kept[0].use.effect_max), strict=True):
            np.testing.assert_array_equal(one, other)
        assert reader.count_use(PROMPTS).id == 0
        assert len(reader.uses()) == 2
        with pytest.raises(UserError, match="reading only"):
            reader.forget_use(kept[0].id)


def test_counting_again_replaces_and_another_revision_stands_beside(opens: OpenSession, study: Path) -> None:
    session = opens(study=study)
    session.count_use(PROMPTS)
    session.count_use(PROMPTS)
    assert len(session.uses()) == 1
    session.apply(Prune((ClusterId(3, 5),)))
    session.count_use(PROMPTS)
    assert [each.revision for each in session.uses()] == [0, 1]
    total = added_up(session.uses())
    assert total is not None
    assert total.prompts == 5
    session.count_use(["gold"])
    total = added_up(session.uses())
    assert total is not None
    assert total.prompts == 6
    session.forget_use(session.uses()[-1].id)
    assert len(session.uses()) == 2


def test_single_runs_and_traces_are_counted_too(opens: OpenSession, study: Path) -> None:
    session = opens(study=study)
    run = session.run(PROMPTS[0])
    session.run(PROMPTS[0], memory="none")
    session.run(PROMPTS[0], prefix=[run.tokens[0].id])
    trace = session.trace(PROMPTS[0])
    (runs,) = session.uses(sets=False)
    assert (runs.name, runs.digest, runs.use.prompts, runs.use.measured) == (RUNS, "", 1, 1)
    assert run.route is not None
    assert as_counter(runs.use) == Counter(run.route.clusters)
    for cluster, effect in trace.effect.items():
        assert runs.use.of(cluster).effect_sum == pytest.approx(effect)
    session.run(PROMPTS[2])
    assert session.uses()[0].use.prompts == 2
    assert session.uses(runs=False) == []


def test_a_run_without_a_study_begins_none(session: Session) -> None:
    finished: list[object] = []
    session.listen(lambda event: finished.append(event) if isinstance(event, Finished) else None)
    session.run(PROMPTS[0])
    assert len(finished) == 1
    assert session.study is None
    assert session.uses() == []


def test_an_answer_and_a_trace_are_told_though_they_cannot_be_counted(
    opens: OpenSession, study: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = opens(study=study)
    told: list[type] = []
    session.listen(lambda event: told.append(type(event)))

    def full(*_: object, **__: object) -> None:
        raise UserError("the disk is full")

    monkeypatch.setattr(session.store, "add_to_runs", full)
    for verb in (session.run, session.trace):
        with pytest.raises(UserError, match="the disk is full"):
            verb(PROMPTS[0])
    assert {Finished, Traced} <= set(told)


def test_a_cancel_keeps_what_was_counted_so_far(opens: OpenSession, study: Path) -> None:
    session = opens(study=study)
    told: list[Counted] = []

    def stop(job: Job) -> None:
        if job.done > len(PROMPTS):
            job.cancel()

    with pytest.raises(Cancelled):
        session.count_use(PROMPTS, effects=True, job=Job("count", on_progress=stop), told=told.append)
    (kept,) = session.uses()
    assert 0 < kept.use.measured < 5
    assert kept.use.prompts == 5
    assert told[-1].use.measured == kept.use.measured


def test_an_edit_in_mid_count_leaves_the_count_at_its_revision(opens: OpenSession, study: Path) -> None:
    session = opens(study=study)
    before = session.count_use(PROMPTS, effects=True, keep=False).use
    edited: list[bool] = []

    def edit(job: Job) -> None:
        if job.done > len(PROMPTS) and not edited:
            edited.append(True)
            session.apply(Prune(session.route(PROMPTS[0]).clusters[:1]))

    counted = session.count_use(PROMPTS, effects=True, job=Job("count", on_progress=edit))
    assert edited
    assert (counted.revision, session.head) == (0, 1)
    for one, other in zip(before.effect_sum, counted.use.effect_sum, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_a_bank_without_facts_asks_for_a_file(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "facts", list)
    with pytest.raises(UserError, match="name a file of prompts"):
        session.count_use()
