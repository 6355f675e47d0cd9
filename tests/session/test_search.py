"""One search finds an id, a label, a term, a document's text, a token and a fact; each match says where it lies."""

import time
from pathlib import Path

import pytest
import torch

from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session, open_session
from memstudio.session.findings import Finding


def of(session: Session, text: str, kind: str) -> list[Finding]:
    return [one for one in session.search(text).findings if one.kind == kind]


def test_an_id_is_found_and_those_that_begin_with_it(session: Session) -> None:
    found = of(session, "3/1", "cluster")
    assert [one.cluster for one in found] == [ClusterId(3, 1), *(ClusterId(3, index) for index in range(10, 20))]
    assert of(session, "3/", "cluster")[0].cluster == ClusterId(3, 0)
    assert of(session, "9/1", "cluster") == []
    assert of(session, "3/999999999", "cluster") == []


def test_labels_come_before_terms_and_say_the_cluster(session: Session) -> None:
    card = next(card for card in session.bank.cards(3) if card.label.startswith("topic"))
    assert Finding("label", card.cluster, card.label, str(card.cluster)) in of(session, card.label.upper(), "label")
    term = of(session, "term5", "term")
    assert {one.cluster.index for one in term} == {5}
    assert all("term5" in one.text for one in term)


def test_a_documents_text_is_found_with_the_leaf_that_it_lies_in(session: Session) -> None:
    found = of(session, "Element Number 79", "document")
    assert len(found) == 1
    document = session.bank.document("doc-gold")
    assert document is not None
    assert found[0].cluster == document[1][-1]
    assert "element number 79" in found[0].text
    assert "doc-gold" in found[0].detail
    assert of(session, "doc-gold", "document")[0].cluster == document[1][-1]


@pytest.mark.parametrize("text", ["%", "_", "100%", "\\", "'; DROP TABLE documents; --"])
def test_signs_of_the_query_language_are_only_text(session: Session, text: str) -> None:
    assert of(session, text, "document") == []


def test_a_fact_is_found_by_prompt_subject_and_answer(session: Session) -> None:
    prompt = "The atomic number of gold is"
    route = session.routes([prompt])[0]
    for text in ("gold", "number of gold", "79"):
        assert Finding("fact", route[-1], f"{prompt} 79", str(route[-1])) in of(session, text, "fact")
    assert of(session, "7", "fact") == [], "an answer is matched whole"


def test_a_token_leads_to_the_blocks_whose_neurons_promote_it_as_the_lens_has_it(session: Session) -> None:
    found = session.search("token:gold", limit=100).findings
    assert {one.kind for one in found} == {"token"}
    assert len(found) == 39
    lens, anchor = session.running.lens, session.running.anchor
    token = next(token for token in anchor.plain(" gold") if anchor.piece(token).strip() == "gold")
    best = {}
    for one in found:
        row, layout = session.bank.block(one.cluster).float(), session.bank.layouts[one.cluster.level - 1]
        scores = []
        for layer, (_, _, down) in enumerate(layout.split(row)):
            logits = (down * lens.gain) @ lens.head.float().T
            mean, deviation = lens._baseline(layer)
            z = ((logits - logits.mean(-1, keepdim=True))[:, token] / down.norm(dim=-1) - mean) / deviation
            scores.append(float(z.max()))
        best[one.cluster] = max(scores)
    assert [one.cluster for one in found] == sorted(best, key=lambda cluster: -best[cluster])
    assert found[0].text == f"“gold” z {best[found[0].cluster]:.1f}"


def test_promotion_agrees_with_the_tokens_that_the_lens_names(session: Session) -> None:
    lens = session.running.lens
    direction = lens.head[40].float().detach().clone().unsqueeze(0)
    (names, z), *_ = lens.promoted(direction, 0)
    scores = torch.stack([lens.promotion(direction, 0, token) for token in range(lens.head.shape[0])])
    assert float(scores.max()) == pytest.approx(z, rel=1e-4)
    assert lens.anchor.piece(int(scores.argmax())) == names[0]


def test_a_pruned_block_promotes_nothing(session: Session) -> None:
    first = session.search("token:gold").findings[0].cluster
    session.apply(Prune((first,), orphan=True))
    assert first not in [one.cluster for one in session.search("token:gold", limit=100).findings]


def test_what_is_no_token_is_said_with_the_tokens_it_is_made_of(session: Session) -> None:
    with pytest.raises(UserError, match="not one token of this anchor"):
        session.search("token:gold silver")
    with pytest.raises(UserError, match="no token is named"):
        session.search("token: ")


def test_a_search_for_a_token_can_be_cancelled(session: Session) -> None:
    job = Job("search")
    job.cancel()
    with pytest.raises(Cancelled):
        session.search("token:gold", job=job)


def test_nothing_is_found_for_nothing(session: Session) -> None:
    assert session.search("  ").findings == ()
    assert session.search("no such thing anywhere").findings == ()


def test_a_search_of_a_great_many_documents_stops_in_time(tiny_bank: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_session(tiny_bank, device="cpu") as session:
        start = time.thread_time()
        found = session.bank.documents_with("element", seconds=-1.0)
        assert time.thread_time() - start < 1.0
        assert len(found) <= 12
