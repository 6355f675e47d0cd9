"""A smaller bank answers on the routes that it kept exactly as its source did, and says what it still knows."""

import itertools
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from memstudio.anchor.engine import logits
from memstudio.anchor.wish import NOTHING
from memstudio.bank.bank import open_bank
from memstudio.bank.overlay import ResolvedKey, resolved_key
from memstudio.bank.values import PRUNED, ClusterId, Fallback
from memstudio.editing.erase import Erase
from memstudio.editing.prune import Prune
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.events import Did
from memstudio.export.rank import RANKINGS, RankBy
from memstudio.facts.values import PromptSet, SetPrompt
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session
from memstudio.session.exporting import export_planned, plan_bank, some
from memstudio.session.ranking import rank
from memstudio.session.script import deed_of
from tests.session.conftest import OpenSession
from tests.tiny import make_bank

TEXT = "The atomic number of gold is"


@pytest.mark.parametrize("fallback", ["zero", "generic", "sibling"])
def test_kept_routes_answer_bit_identically_and_dropped_ones_fall_back(
    session: Session, opens: OpenSession, tmp_path: Path, fallback: Fallback
) -> None:
    tree = session.bank.tree
    kept, dropped = ClusterId(3, 0), ClusterId(3, 26)
    session.export_bank(tmp_path / "smaller", keep=[ClusterId(1, 0)], fallback=fallback, check=False)
    smaller = opens(tmp_path / "smaller")
    for text in (TEXT, "What is gold ?"):
        assert torch.equal(session.logits(text, route=[kept]), smaller.logits(text, route=[kept]))
        assert not torch.equal(session.logits(text, route=[dropped]), smaller.logits(text, route=[dropped]))
    if fallback == "zero":
        assert torch.equal(smaller.logits(TEXT, route=[dropped]), smaller.logits(TEXT, memory="none"))
    if fallback == "generic":
        assert torch.equal(smaller.logits(TEXT, route=[dropped]), session.logits(TEXT, memory="generic"))
    assert smaller.route(TEXT) == session.route(TEXT), "the tree is whole"
    assert list(smaller.bank.tree.children(None)) == list(tree.children(None))


def test_edits_of_the_head_come_along(session: Session, opens: OpenSession, tmp_path: Path) -> None:
    session.apply(Scale((ClusterId(3, 0),), 0.5))
    session.apply(Prune((ClusterId(3, 1),)))
    done = session.export_bank(tmp_path / "smaller", fraction=1.0, rank_by="documents", check=False)
    smaller = opens(done.path)
    assert (done.revision, done.kept, done.dropped) == (2, 38, 0)
    for route in (ClusterId(3, 0), ClusterId(3, 1), ClusterId(3, 9)):
        assert torch.equal(session.logits(TEXT, route=[route]), smaller.logits(TEXT, route=[route]))
    assert smaller.bank.manifest.parent is not None
    assert smaller.bank.manifest.parent["revision"] == 2


def test_the_check_asks_the_same_facts_before_and_after(session: Session, opens: OpenSession, tmp_path: Path) -> None:
    session.mute([ClusterId(1, 0), ClusterId(1, 1), ClusterId(1, 2)])
    done = session.export_bank(tmp_path / "smaller", fraction=0.5, rank_by="use")
    assert session.muted == {ClusterId(1, 0), ClusterId(1, 1), ClusterId(1, 2)}, "what is tried comes back"
    session.mute([])
    specific = [fact for fact in session.facts() if fact.kind == "specific"]
    for found, of in ((done.recall_before, session), (done.recall_after, opens(done.path))):
        rows = [row for row in of.score(specific).facts if row.phrasing != "held_out"]
        assert found is not None
        assert (found.k, found.n) == (sum(row.correct for row in rows), len(rows))
    parent = opens(done.path).bank.manifest.parent
    assert parent is not None
    assert isinstance(parent["recall_after"], dict)
    assert parent["recall_after"]["n"] == 16


def test_the_result_runs_on_the_anchor_that_is_loaded(session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    session.load()
    monkeypatch.setattr("memstudio.anchor.load.load_anchor", lambda *_, **__: pytest.fail("a second anchor was loaded"))
    session.export_bank(tmp_path / "smaller", fraction=0.5, rank_by="documents")


@pytest.mark.parametrize("by", RANKINGS)
def test_every_ranking_ranks_every_block(session: Session, by: RankBy) -> None:
    found = rank(session, by)
    assert [each.shape for each in found.scores] == [(3,), (9,), (27,)]
    assert all(np.isfinite(each).all() for each in found.scores)
    assert plan_bank(session, found).kept(None).count == 39
    if by in ("norm", "documents", "use"):
        assert all((each > 0).all() for each in found.scores)


def test_effects_of_a_route_add_up_to_what_the_whole_route_does(session: Session) -> None:
    fact = session.facts()[-1]
    (route,) = session.routes([fact.prompt])
    alone = session.facts()[-1:]
    found = rank(
        session,
        "effect",
        [type(fact)(**{**{n: getattr(fact, n) for n in fact.__slots__}, "phrasings": (), "held_out": ()}) for fact in alone],
    )
    whole = session.trace(fact.prompt, answer=fact.expected).answer
    assert whole is not None
    with_none = torch.log_softmax(session.logits(fact.prompt, memory="none")[-1], -1)
    with_all = torch.log_softmax(session.logits(fact.prompt)[-1], -1)
    (token,) = session.running.anchor.continuation(fact.prompt, fact.expected)[:1]
    assert len(session.running.anchor.continuation(fact.prompt, fact.expected)) == 1
    total = sum(found.scores[level - 1][index] for level, index in route)
    assert total == pytest.approx(float(with_all[token] - with_none[token]), abs=1e-3)


def test_ranking_does_not_pass_over_what_is_hidden(session: Session) -> None:
    before = rank(session, "use")
    session.hide([ClusterId(1, 0)])
    after = rank(session, "use")
    assert all(np.array_equal(a, b) for a, b in zip(before.scores, after.scores, strict=True))


def test_what_was_erased_is_not_in_the_result(session: Session, opens: OpenSession, tmp_path: Path) -> None:
    gold = next(fact for fact in session.facts() if fact.subject == "gold")
    session.apply(Erase((gold,), method="dampen"))
    done = session.export_bank(tmp_path / "smaller", fraction=0.5)
    assert gold.id not in {fact.id for fact in opens(done.path).facts()}
    assert b"atomic number of gold" not in (done.path / "facts.jsonl").read_bytes()


def test_what_cannot_be_is_one_line_and_leaves_nothing(session: Session, tmp_path: Path) -> None:
    plan = plan_bank(session, "documents")
    pinned = plan_bank(session, "documents", keep=[ClusterId(1, 0)]).asked_bytes
    out = tmp_path / "smaller"
    for given, line in (
        ({"budget": 10}, "one route of 'tiny' takes"),
        ({"budget": 10**6, "fraction": 0.5}, "choose one"),
        ({"fraction": 0.0}, "above 0%"),
        ({"fraction": 1.5}, "at most 100%"),
        ({"keep": [ClusterId(1, 0)], "budget": pinned - 1}, "the blocks to keep take"),
        ({"keep": [ClusterId(7, 0)]}, "no such level"),
    ):
        with pytest.raises(UserError, match=line):
            session.export_bank(out, **given)  # type: ignore[arg-type]
    session.apply(Prune((ClusterId(3, 1),)))
    with pytest.raises(UserError, match="made on revision 0, the study is at 1 now"):
        export_planned(session, out, plan)
    assert list(tmp_path.iterdir()) == []


def test_an_export_is_told_as_python(session: Session, tmp_path: Path) -> None:
    heard: list[object] = []
    session.listen(heard.append, deeds=True)
    session.export_bank(tmp_path / "a", fraction=0.5, rank_by="documents", keep=[ClusterId(3, 4)], check=False)
    session.export_dense(tmp_path / "b", [ClusterId(3, 4)], check=False)
    bank, dense = (deed_of(event).line for event in heard if isinstance(event, Did))
    given = "fraction=0.5, rank_by='documents', keep=[ClusterId(3, 4)], check=False"
    assert bank == f"session.export_bank(Path({str(tmp_path / 'a')!r}), {given})"
    assert dense == f"session.export_dense(Path({str(tmp_path / 'b')!r}), [ClusterId(3, 4)], check=False)"
    assert open_bank(tmp_path / "a").manifest.parent is not None
    assert (tmp_path / "b" / "config.json").is_file()


def test_use_is_what_the_study_counted_and_says_so(opens: OpenSession, study: Path, tmp_path: Path) -> None:
    session = opens(study=study)
    own = rank(session, "use")
    session.run(TEXT)
    assert rank(session, "use").title == own.title == "use", "a single run is no set of prompts"
    session.count_use([TEXT, TEXT, "The atomic number of silver is"])
    found = rank(session, "use")
    assert found.title == "use, 3 prompts counted"
    for level, index in session.routes([TEXT])[0]:
        assert found.scores[level - 1][index] >= 2
    assert found.reached < own.reached
    assert rank(session, "use", session.facts()).title == "use", "what is named stands before what was counted"
    done = session.export_bank(tmp_path / "smaller", fraction=0.5, rank_by="use", check=False)
    assert done.rank_by == "use, 3 prompts counted"
    assert "Ranked by use, 3 prompts counted" in (done.path / "README.md").read_text()


def test_a_set_of_prompts_ranks_and_what_has_no_answer_is_answered_by_the_bank(session: Session) -> None:
    prompt = "The atomic number of silver is"
    answer = session.run(prompt).text
    given = rank(session, "effect", PromptSet("two", (SetPrompt(prompt), SetPrompt("so", key=TEXT, answer="79"))))
    assert given.title == "effect, 2 prompts given"
    named = rank(session, "effect", PromptSet("two", (SetPrompt(prompt, answer=answer.strip()), SetPrompt("so", key=TEXT, answer="79"))))
    assert given.reached == named.reached == len({*session.routes([prompt])[0], *session.routes([TEXT])[0]})
    use = rank(session, "use", PromptSet("one", (SetPrompt("so", key=TEXT),)))
    assert [use.scores[level - 1][index] for level, index in session.routes([TEXT])[0]] == [1.0, 1.0, 1.0]
    with pytest.raises(UserError, match=r"prompt 'gold gold .* the prompt has 501 tokens"):
        rank(session, "effect", PromptSet("long", (SetPrompt("gold " * 500, key=TEXT),)))


@pytest.mark.parametrize("fallback", ["generic", "sibling"])
def test_an_effect_is_measured_against_what_stands_in(session: Session, fallback: Fallback) -> None:
    fact = replace(session.facts()[-1], phrasings=(), held_out=())
    (route,) = session.routes([fact.prompt])
    found = rank(session, "effect", [fact], fallback=fallback)
    overlay = dict.fromkeys(route, PRUNED)
    stand_ins = [resolved_key(session.bank, overlay, cluster, fallback) for cluster in route]
    (token,) = session.running.anchor.continuation(fact.prompt, fact.expected)[:1]

    def logprob(keys: Sequence[ResolvedKey]) -> float:
        session.running.spare.fetch(NOTHING, {}, session.blob)
        slots = session.running.spare.attached.slots
        for level, key in enumerate(keys, 1):
            assert key.cluster is not None
            slots.fill(level, session.bank.generic(level) if key.kind == "generic" else session.bank.block(key.cluster), 1.0, key)
        scores = logits(session.running.spare.attached, session.running.encode(fact.prompt))[-1]
        return float(torch.log_softmax(scores, -1)[token])

    own = [resolved_key(session.bank, {}, cluster) for cluster in route]
    reads = [logprob([*own[:levels], *stand_ins[levels:]]) for levels in range(len(route) + 1)]
    for at, (level, index) in enumerate(route):
        assert found.scores[level - 1][index] == pytest.approx(reads[at + 1] - reads[at], abs=1e-3)


def test_facts_without_an_answer_are_nothing_to_rank_by(session: Session) -> None:
    with pytest.raises(UserError, match="nothing to rank by effect: none of the facts or prompts has an answer and a route"):
        rank(session, "effect", [replace(fact, expected="", target="80") for fact in session.facts()])


def test_mixed_precisions_without_a_budget_are_refused(session: Session, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--precision mixed: shares a budget out among the blocks, and none is given"):
        session.export_bank(tmp_path / "a", rank_by="documents", keep=[ClusterId(1, 0)], precision="mixed")
    assert list(tmp_path.iterdir()) == []


def test_a_plan_of_another_bank_is_refused(session: Session, opens: OpenSession, tmp_path: Path) -> None:
    other = opens(make_bank(tmp_path / "other", seed=5))
    with pytest.raises(UserError, match="the plan is for bank 'tiny'"):
        export_planned(session, tmp_path / "smaller", plan_bank(other, "documents"))


def test_a_bank_without_facts_is_ranked_by_documents_and_not_checked(opens: OpenSession, tmp_path: Path) -> None:
    made = make_bank(tmp_path / "bare")
    session = opens(without_facts(made))
    done = session.export_bank(tmp_path / "smaller")
    assert (done.rank_by, done.recall_before, done.recall_after) == ("documents", None, None)
    assert done.bytes <= 0.25 * done.bytes_before
    with pytest.raises(UserError, match="no facts and no probes to rank by effect: rank by documents or norm"):
        rank(session, "effect")


def without_facts(folder: Path) -> Path:
    """The bank without its facts and their routes."""
    from memstudio.bank.manifest import dump_manifest, load_manifest

    manifest = load_manifest(folder)
    files = {path: reference for path, reference in manifest.files.items() if path not in ("facts.jsonl", "routes.safetensors")}
    (folder / "facts.jsonl").unlink()
    (folder / "routes.safetensors").unlink()
    (folder / "bank.json").write_bytes(dump_manifest(manifest.model_copy(update={"files": files})))
    return folder


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_a_cancel_at_any_stage_leaves_nothing(session: Session, tmp_path: Path, stage: int) -> None:
    """Ranking, writing, reading back, asking: a stage begins where what is done falls back."""
    seen: list[int] = []

    def stop(job: Job) -> None:
        seen.append(job.done)
        begun = 1 + sum(b < a for a, b in itertools.pairwise(seen))
        if begun == stage:
            job.cancel()

    with pytest.raises(Cancelled):
        session.export_bank(tmp_path / "smaller", fraction=0.5, rank_by="effect", job=Job("export", on_progress=stop))
    assert list(tmp_path.iterdir()) == []


def test_an_export_of_an_export_is_a_bank_too(session: Session, opens: OpenSession, tmp_path: Path) -> None:
    session.export_bank(tmp_path / "half", fraction=0.5, rank_by="documents", check=False)
    half = opens(tmp_path / "half")
    done = half.export_bank(tmp_path / "quarter", fraction=0.5, rank_by="documents", check=False)
    quarter = open_bank(done.path)
    assert quarter.manifest.parent is not None
    assert quarter.manifest.parent["sha256"] == half.bank.digest
    for level in (1, 2, 3):
        assert not (quarter.held(level) & ~half.bank.held(level)).any()


def test_the_facts_that_are_asked_are_always_the_same_ones(session: Session) -> None:
    assert some(session.facts(), 3) == some(session.facts(), 3)
    assert {fact.kind for fact in some(session.facts(), 99)} == {"specific"}
