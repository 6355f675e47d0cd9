"""A curve says of a smaller bank what that bank says of itself once it is written, and runs no prompt twice under the same blocks."""

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch

from memstudio.anchor.engine import logits
from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId, Fallback
from memstudio.editing.prune import Prune
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.export.curve import Curve, Series
from memstudio.export.precision import Choice, coded
from memstudio.export.rank import RANKINGS
from memstudio.facts.values import Fact
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session
from memstudio.session.curve import halves, measure_curve
from memstudio.session.exporting import export_planned, plan_bank
from memstudio.session.losses import measured_losses
from memstudio.session.smaller import Asking, whole
from tests.session.conftest import OpenSession

FALLBACKS: tuple[Fallback, ...] = ("zero", "generic", "sibling")


def likely(session: Session, facts: list[Fact]) -> list[float]:
    """What a bank says by itself: its own routes, its own fallback."""
    [(_, logprobs)] = Asking(session, facts).ask(session, [whole(session)], Job("ask"))
    return [float(value) for value in logprobs]


@pytest.mark.parametrize("choice", ["int8", "int4", "mixed"])
def test_a_point_in_fewer_bits_is_what_the_written_bank_says(session: Session, opens: OpenSession, tmp_path: Path, choice: Choice) -> None:
    session.apply(Scale((ClusterId(3, 0), ClusterId(1, 1)), 0.5))
    found = measure_curve(session, ["norm"], ["generic"], precision=[choice], shares=[0.2])
    ranked, scored = halves(session, None, 0)
    done = session.export_bank(
        tmp_path / "out", rank_by="norm", fraction=0.2, precision=choice, fallback="generic", facts=ranked, check=False
    )
    [point] = found.points
    assert (done.bytes, done.kept, point.series.precision) == (point.bytes, point.blocks, choice)
    assert sum(done.precisions.values()) == done.kept
    assert point.logprobs.tolist() == pytest.approx(likely(opens(tmp_path / "out"), scored), abs=1e-4)


def test_what_fewer_bits_lose_is_measured_on_facts_and_else_on_the_numbers(session: Session) -> None:
    facts, job = session.facts(), Job("losses")
    measured, numbers = measured_losses(session, "mixed", facts, job), measured_losses(session, "mixed", [], job)
    assert set(measured) == set(numbers) == {"int4", "int8"}
    assert all(0 < one < other < 0.1 for one, other in zip(numbers["int8"], numbers["int4"], strict=True))
    assert all(0 <= loss <= 0.99 for losses in measured.values() for loss in losses)
    assert measured_losses(session, "int8", facts, job) == {}
    full, levels = whole_route(session, facts), range(1, 4)
    worth = [whole_route(session, facts, levels=level) - whole_route(session, facts, levels=level - 1) for level in levels]
    for level in levels:
        lost = (full - whole_route(session, facts, coarse=level)) / worth[level - 1]
        if worth[level - 1] > 0:
            assert measured["int4"][level - 1] == pytest.approx(min(max(lost, 0.0), 0.99), abs=1e-3)
        else:
            assert measured["int4"][level - 1] == numbers["int4"][level - 1]
    assert any(each > 0 for each in worth)


def whole_route(session: Session, facts: Sequence[Fact], *, levels: int = 3, coarse: int = 0) -> float:
    """The summed log-probability of the expected answers on the reference path, with so many levels, one of them in int4."""
    total, spare = 0.0, session.running.spare
    for fact in facts:
        (route,) = session.routes([fact.prompt])
        spare.fetch(Wish("fetched", route, levels), {}, session.blob)
        if coarse:
            row = coded(session.bank.block(route[coarse - 1]), session.bank.manifest.hidden_size, "int4")
            spare.attached.slots.fill(coarse, row, 1.0, "coarse")
        ids, answer = session.running.encode(fact.prompt), session.running.anchor.continuation(fact.prompt, fact.expected)
        scores = torch.log_softmax(logits(spare.attached, ids + answer), -1)
        total += sum(float(scores[len(ids) - 1 + at, token]) for at, token in enumerate(answer))
    return total


@pytest.mark.parametrize("fallback", FALLBACKS)
def test_a_point_is_what_the_written_bank_says(session: Session, opens: OpenSession, tmp_path: Path, fallback: Fallback) -> None:
    session.apply(Scale((ClusterId(3, 0), ClusterId(1, 1)), 0.5))
    session.apply(Prune((ClusterId(3, 1),)))
    found = measure_curve(session, ["norm"], [fallback], shares=[0.3, 0.6])
    ranked, scored = halves(session, None, 0)
    plan = plan_bank(session, "norm", facts=ranked)
    for number, point in enumerate(found.points):
        done = export_planned(session, tmp_path / str(number), plan, fraction=point.share, fallback=fallback, check=False)
        assert (done.bytes, done.kept) == (point.bytes, point.blocks)
        smaller = opens(tmp_path / str(number))
        assert point.logprobs.tolist() == pytest.approx(likely(smaller, scored), abs=1e-4)
        assert point.recall.k == sum(row.correct for row in smaller.score(scored).facts if row.phrasing == "prompt")
    assert found.whole.logprobs.tolist() == pytest.approx(likely(session, scored), abs=1e-4)
    assert not (found.points[0].logprobs == found.whole.logprobs).all(), "what is dropped is missed"


def test_every_ranking_and_fallback_is_a_series_and_shared_runs_are_run_once(session: Session) -> None:
    found = measure_curve(session, RANKINGS, FALLBACKS, shares=[0.2, 0.5, 1.0], apart=True)
    assert len(found.series) == 15
    assert all([point.share for point in found.of(series)] == [0.2, 0.5, 1.0] for series in found.series)
    assert found.apart == found.scored_on * 45
    assert found.runs <= found.scored_on * 24, "few of 45 banks differ for a prompt"
    assert found.apart_seconds is not None
    assert found.apart_seconds > 0
    last = found.of(Series("random", "bank", "zero"))[-1]
    assert last.logprobs.tolist() == found.whole.logprobs.tolist()


def test_a_seed_gives_the_same_halves_and_they_share_no_fact(session: Session) -> None:
    ranked, scored = halves(session, None, 3)
    assert {fact.id for fact in ranked}.isdisjoint(fact.id for fact in scored)
    assert {fact.kind for fact in (*ranked, *scored)} == {"specific"}
    assert halves(session, None, 3) == (ranked, scored)
    assert any(halves(session, None, seed) != (ranked, scored) for seed in (4, 5))


def points_of(found: Curve) -> list[tuple[int, list[float]]]:
    return [(point.bytes, point.logprobs.tolist()) for point in found.points]


def test_the_users_run_and_the_study_are_left_alone(session: Session) -> None:
    before, head = session.logits("The atomic number of gold is"), session.head
    session.mute([ClusterId(3, 0)])
    one = measure_curve(session, ["documents"], shares=[0.4])
    session.mute(())
    assert points_of(measure_curve(session, ["documents"], shares=[0.4])) == points_of(one)
    assert (session.logits("The atomic number of gold is") == before).all()
    assert session.head == head


def test_bad_input_is_one_line_and_a_cancel_ends_it(session: Session) -> None:
    for shares, line in (([0.0], "choose shares above 0%"), ([1.5], "1.5 of the bank"), ([0.001], "no budget holds one route")):
        with pytest.raises(UserError, match=line):
            measure_curve(session, ["documents"], shares=shares)
    with pytest.raises(UserError, match="two facts with an answer at least, here are 0"):
        measure_curve(session, ["documents"], facts=[])
    job = Job("curve", on_progress=lambda job: job.cancel())
    with pytest.raises(Cancelled):
        measure_curve(session, ["documents"], job=job)
