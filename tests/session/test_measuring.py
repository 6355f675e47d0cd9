"""Receipts are tested themselves: planted damage is flagged, a block that only looks new is not, and every figure has an oracle.

The oracle runs the prompts one at a time on the main arm, at the revision before and the one after.
"""

import dataclasses

import pytest
import torch
from torch import Tensor

from memstudio.anchor.values import Sampling
from memstudio.bank.block import block_digest
from memstudio.bank.values import Change, ClusterId
from memstudio.editing.erase import Erase
from memstudio.editing.prune import Prune
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.editing.update import Update
from memstudio.errors import UserError
from memstudio.facts.read import prompts_of
from memstudio.facts.score import answer_of
from memstudio.facts.values import Fact, Probe
from memstudio.history.values import Revision
from memstudio.jobs import Job
from memstudio.session import Session
from memstudio.session.measuring import measured

PROMPT = "The atomic number of gold is"


def residents(session: Session) -> dict[str, tuple[ClusterId, ...]]:
    """Every prompt of the bank's facts with its route."""
    texts = [text for fact in session.facts() for _, text in prompts_of(fact)]
    return dict(zip(texts, session.routes(texts), strict=True))


def said(session: Session, revision: int, text: str) -> str:
    """What a prompt is answered with at a revision, run by itself."""
    session.checkout(revision)
    return answer_of(session.run(text, sampling=Sampling(max_tokens=24)).text).casefold()


def noisy(session: Session, cluster: ClusterId, seed: int) -> Tensor:
    row = session.bank.block(cluster).float()
    return row + torch.randn(row.shape, generator=torch.Generator().manual_seed(seed)) * row.std()


def mirrored(session: Session, cluster: ClusterId, seed: int) -> Tensor:
    """Some neurons with up and down both negated: other numbers, another digest, and bit by bit the same function."""
    row = session.bank.block(cluster).float().clone()
    chance = torch.Generator().manual_seed(seed)
    for _, up, down in session.bank.layouts[cluster.level - 1].split(row):
        flipped = torch.rand(up.shape[0], generator=chance) < 0.7
        flipped[0] = True
        up[flipped] *= -1
        down[flipped] *= -1
    return row


def planted(session: Session, seed: int) -> tuple[ClusterId, list[str]]:
    """A block with prompts that fetch it, another with each seed, and these prompts."""
    found = residents(session)
    clusters = sorted({cluster for path in found.values() for cluster in path})
    cluster = clusters[seed % len(clusters)]
    return cluster, [text for text, path in found.items() if cluster in path]


def damage(session: Session, trials: int) -> tuple[int, int]:
    """(trials in which a prompt really changed, those of them that the receipt flags, naming it)."""
    real = flagged = 0
    seed = 0
    while real < trials:
        seed += 1
        cluster, texts = planted(session, seed)
        revision = session.apply(Rewrite(cluster, noisy(session, cluster, seed)), measure=True)
        changed = [text for text in texts[:2] if said(session, 0, text) != said(session, revision.id, text)]
        session.checkout(0)
        if changed:
            real += 1
            named = {row["prompt"] for row in revision.receipt["changed"]}
            flagged += revision.receipt["locality"] < 1 and named.issuperset(changed)
    return real, flagged


def no_ops(session: Session, trials: int) -> int:
    """In how many trials a receipt finds harm in a block that does what it did."""
    flagged = 0
    for seed in range(trials):
        cluster, texts = planted(session, seed)
        row = mirrored(session, cluster, seed)
        plan = session.plan(Rewrite(cluster, row), measure=True)
        assert plan.receipt["digests"][0]["norm"] > 0
        assert plan.receipt["proportions"]["locality"]["n"] == len(texts)
        flagged += plan.receipt["locality"] < 1 or bool(plan.receipt["changed"]) or plan.receipt["outside_identical"] < 1
    return flagged


def test_planted_damage_is_flagged_and_a_no_op_is_not(session: Session) -> None:
    assert damage(session, 6) == (6, 6)
    assert no_ops(session, 6) == 0


@pytest.mark.slow
def test_planted_damage_is_flagged_99_times_in_100(session: Session) -> None:
    real, flagged = damage(session, 100)
    print(f"planted damage flagged {flagged} of {real}")
    assert flagged >= 99


@pytest.mark.slow
def test_a_no_op_is_flagged_0_times_in_100(session: Session) -> None:
    flagged = no_ops(session, 100)
    print(f"a no-op flagged {flagged} of 100")
    assert flagged == 0


@pytest.fixture
def updated(session: Session) -> tuple[Fact, Revision]:
    """Gold's number becomes 13, with a probe that should follow, and one that should not."""
    fact = dataclasses.replace(
        session.request(PROMPT, "13").fact,
        portability=(Probe("Element gold has the atomic number", "13"), Probe("The atomic number of tin is", "13")),
        locality=(Probe("The atomic number of gold ring is", ""),),
    )
    return fact, session.apply(Update((fact,)), measure=True)


def test_every_share_is_what_running_the_prompts_one_by_one_gives(session: Session, updated: tuple[Fact, Revision]) -> None:
    fact, revision = updated
    receipt, counts = revision.receipt, revision.receipt["proportions"]
    taught = [fact.prompt, *fact.phrasings]
    right = [said(session, revision.id, text) == "13" for text in taught]
    assert (counts["reliability"]["k"], counts["reliability"]["n"]) == (sum(right), len(right))
    changed = {change.cluster for change in revision.changes}
    other = {text: path for text, path in residents(session).items() if text not in {text for _, text in prompts_of(fact)}}
    living = [text for text, path in other.items() if changed & set(path)]
    living += [probe.prompt for probe in fact.locality if changed & set(session.routes([probe.prompt])[0])]
    kept = {text: said(session, 0, text) == said(session, revision.id, text) for text in living}
    assert receipt["residents"] == len(living)
    assert (counts["locality"]["k"], counts["locality"]["n"]) == (sum(kept.values()), len(living))
    assert {row["prompt"] for row in receipt["changed"]} == {text for text, same in kept.items() if not same}
    follows = [said(session, revision.id, probe.prompt) == "13" for probe in fact.portability]
    assert (counts["portability"]["k"], counts["portability"]["n"]) == (sum(follows), 2)
    assert receipt["outside_identical"] == 1.0


def test_generalization_is_over_the_withheld_phrasings_that_were_answered_rightly_before(session: Session) -> None:
    withheld = ("What number is gold?", "Tell me the atomic number of gold", "Which element is heavy?", "gold ring")
    known = session.request(PROMPT, "13").fact
    answered = {text: said(session, 0, text) for text in withheld}
    fact = dataclasses.replace(known, held_out=withheld, expected=answered[withheld[0]], aliases=(answered[withheld[1]],))
    receipt = (revision := session.apply(Update((fact,)), measure=True)).receipt
    right = [text for text in withheld if answered[text] in (answered[withheld[0]], answered[withheld[1]])]
    changed = {change.cluster for change in revision.changes}
    reached = [text for text in right if changed & set(session.routes([text])[0])]
    for name, texts in (("generalization", right), ("generalization_reached", reached)):
        now = [said(session, revision.id, text) == "13" for text in texts]
        counts = receipt["proportions"].get(name, {"k": 0, "n": 0})
        assert (counts["k"], counts["n"]) == (sum(now), len(texts))
        assert receipt[name] == (sum(now) / len(now) if now else "not measured")
    assert receipt["proportions"]["generalization"]["n"] >= 2


def test_an_erasure_is_reliable_where_the_old_answer_is_gone(session: Session) -> None:
    fact = session.request(PROMPT, "13").fact
    taught = session.apply(Update((fact,)))
    erased = session.apply(Erase((dataclasses.replace(fact, expected="13", target=""),), method="dampen"), measure=True)
    texts = [text for _, text in prompts_of(fact)]
    assert "13" in {said(session, taught.id, text) for text in texts}
    gone = [said(session, erased.id, text) != "13" for text in texts]
    counts = erased.receipt["proportions"]["reliability"]
    assert (counts["k"], counts["n"]) == (sum(gone), len(texts))
    assert erased.receipt["generalization"] == "not measured"


def test_digests_and_norms_are_those_of_the_rows(session: Session, updated: tuple[Fact, Revision]) -> None:
    for change, row in zip(updated[1].changes, updated[1].receipt["digests"], strict=True):
        before, after = session.bank.block(change.cluster), session.blob(change.after.source)
        assert row["cluster"] == str(change.cluster)
        assert (row["before"], row["after"]) == (block_digest(before), block_digest(after))
        assert row["norm"] == pytest.approx(float((after.float() - before.float()).norm()), rel=1e-6)


def test_a_scaled_block_differs_by_its_down_projections_and_a_pruned_one_by_all(session: Session) -> None:
    cluster = ClusterId(3, 4)
    row = session.bank.block(cluster).float()
    downs = torch.cat([down.flatten() for _, _, down in session.bank.layouts[2].split(row)])
    scaled = session.plan(Scale((cluster,), 0.5), measure=True).receipt["digests"][0]
    assert scaled["norm"] == pytest.approx(float(downs.norm()) / 2, rel=1e-5)
    assert scaled["after"] == f"{block_digest(session.bank.block(cluster))} × 0.5"
    pruned = session.plan(Prune((cluster,)), measure=True).receipt["digests"][0]
    assert (pruned["norm"], pruned["after"]) == (pytest.approx(float(row.norm()), rel=1e-5), "pruned")


def test_what_there_is_nothing_to_measure_by_is_not_measured(session: Session) -> None:
    receipt = session.plan(Scale((ClusterId(3, 4),), 0.5), measure=True).receipt
    for name in ("reliability", "generalization", "generalization_reached", "portability"):
        assert receipt[name] == "not measured"
        assert name not in receipt["proportions"]
    free = next(leaf for leaf in range(27) if not any(ClusterId(3, leaf) in path for path in residents(session).values()))
    assert session.plan(Scale((ClusterId(3, free),), 0.5), measure=True).receipt["locality"] == "not measured"


def test_a_sample_meets_every_changed_block_and_says_that_it_is_one(session: Session) -> None:
    edit = Scale((ClusterId(1, 0), ClusterId(1, 1), ClusterId(1, 2)), 0.5)
    plan = measured(session, session.plan(edit), edit_seconds=0.0, job=Job("measure"), limit=6)
    counts = plan.receipt["proportions"]["locality"]
    assert counts["n"] == 6
    assert f"sample of 6 of {len(residents(session))}" in counts["protocol"]
    again = measured(session, session.plan(edit), edit_seconds=0.0, job=Job("measure"), limit=6)
    assert again.receipt["changed"] == plan.receipt["changed"]


def test_a_revision_measured_later_has_the_receipt_that_it_would_have_had(session: Session) -> None:
    edit = Rewrite(ClusterId(1, 0), noisy(session, ClusterId(1, 0), 1))
    then = session.plan(edit, measure=True).receipt
    revision = session.apply(edit)
    assert "locality" not in revision.receipt
    session.apply(Prune((ClusterId(1, 0),)))
    later = session.measure(revision.id).receipt
    assert {name: later[name] for name in then if name != "seconds"} == {name: then[name] for name in then if name != "seconds"}
    assert session.store.revision(revision.id).receipt == later
    with pytest.raises(UserError, match="as shipped"):
        session.measure(0)


def test_measuring_disturbs_neither_the_head_nor_the_main_arm(session: Session) -> None:
    before = session.logits(PROMPT)
    identity = [list(parts) for parts in map(session.running.attached.slots.parts, (1, 2, 3))]
    session.plan(Scale((ClusterId(1, 0),), 0.0), measure=True)
    assert session.head == 0
    assert [list(parts) for parts in map(session.running.attached.slots.parts, (1, 2, 3))] == identity
    assert torch.equal(session.logits(PROMPT), before)


def test_a_change_that_is_no_edit_is_measured_as_well(session: Session) -> None:
    row = noisy(session, ClusterId(1, 0), 3)
    sha256 = block_digest(row)
    state = dataclasses.replace(session.state(ClusterId(1, 0)), source=sha256)
    revision = session.commit("write", "by hand", [Change(ClusterId(1, 0), session.state(ClusterId(1, 0)), state)], tensors={sha256: row})
    assert session.measure(revision.id).receipt["measured"]
