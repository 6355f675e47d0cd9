"""Scoring answers every prompt as a single run would, and needs no encoder for the bank's own prompts."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from memstudio.anchor.values import Sampling
from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.facts.score import answer_of
from memstudio.facts.values import Fact
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session, scoring
from memstudio.session.running import Running


@pytest.fixture
def no_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Running, texts: list[str]) -> None:
        raise UserError(f"the encoder was asked for {texts}")

    monkeypatch.setattr(Running, "key_vectors", refuse)


@pytest.mark.usefixtures("no_encoder")
def test_the_bank_s_own_prompts_are_scored_without_an_encoder(session: Session) -> None:
    scores = session.score()
    assert scores.count == 12
    assert len(scores.facts) == 30
    assert session.score(session.facts()[:2]).count == 2


@pytest.mark.usefixtures("no_encoder")
def test_a_batched_answer_is_that_of_a_single_run(session: Session) -> None:
    for memory in ("fetched", "generic", "none"):
        for row in session.score(memory=memory).facts[::4]:
            alone = session.run(row.prompt, route=row.route, memory=memory, sampling=Sampling(max_tokens=8)).text
            assert answer_of(alone).startswith(row.got)


def test_shipped_routes_are_those_of_the_retriever(session: Session) -> None:
    for row in session.score().facts[::5]:
        assert session.route(row.prompt).clusters == row.route


def test_no_level_is_no_memory_and_all_levels_are_the_fetched_ones(session: Session) -> None:
    def got(**how: object) -> list[str]:
        return [row.got for row in session.score(**how).facts]  # type: ignore[arg-type]  # passes on what it is given

    assert got(levels=0) == got(memory="none")
    assert got(levels=3) == got()
    assert got(levels=1) != got(levels=0)


def test_hiding_changes_the_routes_that_pass_there_and_no_other(session: Session) -> None:
    whole, hidden = session.score(), session.score(hide={ClusterId(1, 0)})
    assert any(row.route[0] == ClusterId(1, 0) for row in whole.facts)
    for before, after in zip(whole.facts, hidden.facts, strict=True):
        assert after.route[0] != ClusterId(1, 0)
        if before.route[0] != ClusterId(1, 0):
            assert (after.route, after.got) == (before.route, before.got)


def test_hiding_the_best_gives_each_prompt_its_own_runner_up(session: Session) -> None:
    for level in (1, 2, 3):
        for row in session.score(hide_best=level).facts[::6]:
            whole = session.route(row.prompt)
            assert row.route[: level - 1] == whole.clusters[: level - 1]
            assert row.route[level - 1] == whole.runners_up[level - 1][0]


def test_a_revision_is_scored_without_moving_the_head(session: Session) -> None:
    before = session.score(levels=1)
    session.apply(Prune(tuple(ClusterId(1, index) for index in range(3))))
    pruned = session.score(levels=1)
    assert [row.got for row in pruned.facts] == [row.got for row in session.score(memory="none").facts]
    again = session.score(levels=1, revision=0)
    assert [row.got for row in again.facts] == [row.got for row in before.facts]
    assert (again.revision, pruned.revision, session.head) == (0, 1, 1)


def test_an_edit_between_two_batches_leaves_the_scores_at_their_revision(session: Session) -> None:
    whole = [row.got for row in session.score(levels=1).facts]
    job = Job("score", on_progress=lambda job: session.head or session.apply(Prune((ClusterId(1, 0), ClusterId(1, 1), ClusterId(1, 2)))))
    scores = session.score(levels=1, job=job)
    assert ([row.got for row in scores.facts], scores.revision) == (whole, 0)
    assert session.head == 1
    assert job.done == job.total == 30


def test_scoring_can_be_cancelled(session: Session) -> None:
    job = Job("score", on_progress=lambda job: job.cancel())
    with pytest.raises(Cancelled):
        session.score(job=job)


def test_right_answers_are_counted(session: Session) -> None:
    fact = session.facts()[3]
    said = answer_of(session.run(fact.prompt, sampling=Sampling(max_tokens=2)).text)
    known = replace(fact, expected=said, phrasings=(), held_out=(), kind="specific")
    unknown = replace(known, id="other", expected="never said")
    scores = session.score([known, unknown])
    assert [row.correct for row in scores.facts] == [said == scores.facts[0].got, False]
    assert scores.by_kind["common"] is None


ABSENT = [{"levels": 4}, {"levels": -1}, {"hide_best": 0}, {"hide": {ClusterId(1, 9)}}, {"facts": []}, {"revision": 3}]


@pytest.mark.parametrize("how", ABSENT, ids=str)
def test_a_score_of_what_is_not_there_is_refused(session: Session, how: dict[str, object]) -> None:
    with pytest.raises(UserError):
        session.score(**how)  # type: ignore[arg-type]  # passes on what it is given


def test_a_fact_of_one_s_own_is_routed_by_the_encoder(session: Session) -> None:
    fact = Fact("mine", "tin", "", "A prompt of my own is", "50", (), (), (), (), "specific")
    assert session.score([fact]).facts[0].route == session.route(fact.prompt).clusters


def test_prompts_of_a_large_file_are_routed_part_by_part_and_can_be_cancelled(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = [Fact(str(number), "", "", f"Prompt {number} of my own is", "50", (), (), (), (), "specific") for number in range(10)]
    whole = [row.route for row in session.score(facts).facts]
    sizes: list[int] = []
    encode = Running.key_vectors

    def counted(running: Running, texts: list[str]) -> NDArray[np.float32]:
        sizes.append(len(texts))
        return encode(running, texts)

    monkeypatch.setattr(Running, "key_vectors", counted)
    monkeypatch.setattr(scoring, "_ROUTED", 4)
    assert [row.route for row in session.score(facts).facts] == whole
    assert sizes == [4, 4, 2]
    with pytest.raises(Cancelled):
        session.score(facts, job=Job("score", on_progress=lambda job: job.cancel()))
    assert sizes == [4, 4, 2, 4]
