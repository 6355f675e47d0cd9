"""The benchmark of edits on the bundled bank: the same facts for every method, each put back, and what is counted is what was asked."""

from collections.abc import Iterator

import pytest
import torch

import memstudio
from memstudio.bench.asking import SHIPPED, Asking, choose_requests
from memstudio.bench.baselines import lora_rank, weights_kept
from memstudio.bench.counts import Counts
from memstudio.bench.edits import METHODS, Method, edit, in_one_batch, in_sequence, one_at_a_time
from memstudio.bench.erasures import erased_one_at_a_time
from memstudio.facts.score import is_correct
from memstudio.facts.values import Fact
from memstudio.jobs import Job
from memstudio.session import Session

pytestmark = pytest.mark.filterwarnings("ignore::FutureWarning:transformers")


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with memstudio.open("demo", device="cpu") as opened:
        opened.load()
        yield opened


@pytest.fixture(scope="module")
def requests(session: Session) -> list[Fact]:
    return choose_requests(Asking(session), 4, 1, 2, Job("choose"))


def weights(session: Session) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in session.running.anchor.model.named_parameters()}


def test_the_requests_are_specific_facts_with_another_value_of_their_relation(session: Session, requests: list[Fact]) -> None:
    values = {(fact.relation, fact.expected) for fact in session.facts()}
    own = {fact.id: fact for fact in session.facts()}
    for fact in requests:
        assert fact.kind == "specific"
        assert not is_correct(fact.target, fact.expected, fact.aliases)
        assert (fact.relation, fact.target) in values
        assert len(fact.held_out) >= 3
        assert set(fact.held_out).isdisjoint(fact.phrasings)
        assert {*fact.phrasings, *fact.held_out} == {*own[fact.id].phrasings, *own[fact.id].held_out}


@pytest.mark.parametrize("methods", [("closed-form", "fine-tuning"), pytest.param(METHODS, marks=pytest.mark.slow)], ids=len)
def test_every_method_is_scored_on_the_same_prompts_and_leaves_no_trace(session: Session, methods: tuple[Method, ...]) -> None:
    before, head = weights(session), session.head
    found = one_at_a_time(session, methods, 1, 1, 0, Job("bench"))
    after = weights(session)
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert before.keys() == after.keys()
    assert session.head == head
    assert len({tuple(sorted(counts.asked.items())) for counts in found.values()}) == 1
    for counts in found.values():
        assert len(counts.seconds) == 1
        assert counts.share("reliability").share == 1.0
    for method in methods:
        assert found[method].share("outside_identical").share == (1.0 if method in ("tuned", "closed-form") else 0.0)
    if "tuned" in methods:
        assert (found["tuned"].share("locality").share or 0) >= 0.97


@pytest.mark.slow
def test_a_batch_and_a_sequence_count_every_fact(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memstudio.bench.edits._NEVER_EDITED", 60)
    batch = in_one_batch(session, ["closed-form"], 3, 1, 0, Job("bench"))["closed-form"]
    sequence = in_sequence(session, "closed-form", 3, 1, 0, Job("bench"))
    assert list(sequence) == [3]
    assert batch.asked["reliability"] == sequence[3].asked["reliability"]
    assert len(batch.seconds) == 1
    assert len(sequence[3].seconds) == 3


@pytest.mark.parametrize("method", ["fine-tuning", "lora"])
def test_a_peer_really_learns_and_its_weights_come_back(session: Session, requests: list[Fact], method: str) -> None:
    asking, fact, before = Asking(session), requests[0], weights(session)
    prompt = asking.routed([fact.prompt])
    with weights_kept(session):
        state = edit(method, asking, [fact], SHIPPED)  # type: ignore[arg-type]
        assert state == SHIPPED
        assert is_correct(asking.ask(prompt, state)[0], fact.target)
    assert all(torch.equal(tensor, before[name]) for name, tensor in weights(session).items())
    assert is_correct(asking.ask(prompt, SHIPPED)[0], fact.expected, fact.aliases)


def test_the_lora_is_as_large_as_a_leaf_block(session: Session) -> None:
    each = sum(
        sum(getattr(session.running.anchor.mlps[layer], name).weight.shape)
        for layer in session.bank.manifest.layers
        for name in ("gate_proj", "up_proj", "down_proj")
    )
    assert abs(lora_rank(session) * each - session.bank.layouts[-1].n) <= each / 2


def test_counts_add_up() -> None:
    counts = Counts()
    assert counts.share("locality").share is None
    counts.count("locality", 3, 4)
    counts.count("locality", 1, 4)
    counts.seconds += [3.0, 1.0, 2.0]
    assert counts.share("locality").share == 0.5
    assert counts.median_s == 2.0
    assert counts.json()["locality"]["n"] == 8
    assert "reliability" not in counts.json()


@pytest.mark.slow
def test_takedowns_are_counted_probe_by_probe_and_nothing_is_written(session: Session) -> None:
    found = erased_one_at_a_time(session, ["dampen"], 1, 0, Job("bench"))["dampen"]
    assert session.head == 0
    assert len(found.seconds) == 1
    assert found.asked["within"] == found.asked["silent"] >= 6
    assert found.asked["silent_beside"] > found.asked["silent"]
    assert found.share("within").share == 1.0
    assert found.share("outside_identical").share == 1.0
    assert found.asked["locality"] > 50
