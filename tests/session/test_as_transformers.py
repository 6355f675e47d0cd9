"""The transformers model of a session: each row of a batch fetches by its own text and says what the reference path says."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from transformers import LlamaForCausalLM

from memstudio.anchor.values import Sampling
from memstudio.bank.values import Fallback
from memstudio.editing.prune import Prune
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.session import Session
from tests.anchor.test_load import FAMILIES, save
from tests.session.conftest import OpenSession
from tests.tiny import make_anchor, make_bank

TEXTS = (
    "The atomic number of gold is",
    "Tell me about silver",
    "What is lead?",
    "Element tin has the symbol known as heavy metal on blue coin",
)


def batch(session: Session, texts: Sequence[str] = TEXTS, side: str = "left") -> dict[str, torch.Tensor]:
    """ids and mask [texts, T], padded on one side."""
    rows = [session.running.encode(text) for text in texts]
    width = max(map(len, rows))
    fill = [[0] * (width - len(row)) for row in rows]
    ids = [pad + row if side == "left" else row + pad for pad, row in zip(fill, rows, strict=True)]
    kept = [
        [0] * len(pad) + [1] * len(row) if side == "left" else [1] * len(row) + [0] * len(pad) for pad, row in zip(fill, rows, strict=True)
    ]
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(kept)}


def test_one_row_is_bit_identical_to_the_reference_path(session: Session) -> None:
    model = session.as_transformers()
    assert isinstance(model, LlamaForCausalLM)
    assert (model.device.type, model.dtype) == ("cpu", torch.float32)
    for text in TEXTS:
        with torch.inference_mode():
            found = model(torch.tensor([session.running.encode(text)])).logits[0]
        assert torch.equal(found, session.logits(text))


@pytest.mark.parametrize("side", ["left", "right"])
def test_every_row_of_a_batch_fetches_its_own_blocks(session: Session, side: str) -> None:
    assert len({session.route(text).clusters for text in TEXTS}) > 2
    model, given = session.as_transformers(), batch(session, side=side)
    places = (given["attention_mask"].cumsum(1) - 1).clamp(min=0)
    with torch.inference_mode():
        out = model(**given, position_ids=places).logits
    for row, mask, text in zip(out, given["attention_mask"], TEXTS, strict=True):
        torch.testing.assert_close(row[mask.bool()], session.logits(text), atol=1e-4, rtol=0)


def test_rows_filled_up_at_the_end_are_routed_without_a_mask(session: Session) -> None:
    given = batch(session, side="right")
    with torch.inference_mode():
        out = session.as_transformers()(given["input_ids"]).logits
    for row, mask, text in zip(out, given["attention_mask"], TEXTS, strict=True):
        torch.testing.assert_close(row[mask.bool()], session.logits(text), atol=1e-4, rtol=0)


@pytest.mark.parametrize("how", [{}, {"use_cache": False}, {"num_beams": 2, "num_return_sequences": 2}, {"prefill_chunk_size": 2}])
def test_a_row_goes_on_with_what_its_prompt_fetched(session: Session, how: dict[str, object]) -> None:
    given = batch(session)
    out = session.as_transformers().generate(**given, max_new_tokens=6, do_sample=False, pad_token_id=0, **how)
    for row, text in zip(out[:: how.get("num_return_sequences", 1)], TEXTS, strict=True):
        said = [token.id for token in session.generate(text, sampling=Sampling(max_tokens=6))]
        mine = row[given["input_ids"].shape[1] :].tolist()
        if "num_beams" not in how:
            assert mine[: len(said)] == said
            continue
        route = session.route(text).clusters
        ids = session.running.encode(text)
        alone = session.as_transformers().generate(
            torch.tensor([ids]), keys=[text], max_new_tokens=6, do_sample=False, pad_token_id=0, num_beams=2
        )
        assert mine == alone[0, len(ids) :].tolist() + [0] * (len(mine) - (alone.shape[1] - len(ids))), route


def test_a_loop_of_ones_own_with_a_cache_goes_on_too(session: Session) -> None:
    given, model = batch(session, side="left"), session.as_transformers()
    ids, mask = given["input_ids"], given["attention_mask"]
    expected = model.generate(**given, max_new_tokens=4, do_sample=False, pad_token_id=0)[:, ids.shape[1] :]
    past, fresh, said = None, ids, []
    with torch.inference_mode():
        for _ in range(expected.shape[1]):
            places = (mask.cumsum(1) - 1).clamp(min=0)[:, -fresh.shape[1] :]
            out = model(fresh, attention_mask=mask, position_ids=places, past_key_values=past, use_cache=True)
            past, fresh = out.past_key_values, out.logits[:, -1:].argmax(-1)
            mask = torch.cat([mask, torch.ones(len(mask), 1, dtype=torch.long)], 1)
            said.append(fresh)
    with pytest.raises(UserError, match="3 rows go on from 4 that were read"):
        model(fresh[:3], past_key_values=past)
    for row, other in zip(torch.cat(said, 1).tolist(), expected.tolist(), strict=True):
        end = row.index(2) if 2 in row else len(row)  # generate fills up behind an end token
        assert row[:end] == other[:end]


def test_keys_are_given_or_cut_out_of_the_text(session: Session) -> None:
    ids = torch.tensor([session.running.encode(TEXTS[0] + " 79"), session.running.encode(TEXTS[0] + " 26")])
    wanted = [session.logits(TEXTS[0] + answer, key=TEXTS[0]) for answer in (" 79", " 26")]
    assert session.route(TEXTS[0]).clusters != session.route(TEXTS[0] + " 79").clusters
    with torch.inference_mode():
        given = session.as_transformers()(ids, keys=[TEXTS[0]] * 2).logits
        cut = session.as_transformers(key=lambda text: text[: len(TEXTS[0])])(ids).logits
    for found in (given, cut):
        torch.testing.assert_close(found, torch.stack(wanted), atol=1e-4, rtol=0)
    with pytest.raises(UserError, match="1 keys for 2 rows"):
        session.as_transformers()(ids, keys=["gold"])
    with pytest.raises(UserError, match=r"give keys=\[…\]"):
        session.as_transformers()(inputs_embeds=torch.zeros(1, 2, 32))


@pytest.mark.parametrize("memory", ["generic", "none"])
def test_lesser_memories_are_the_same_for_every_row(session: Session, memory: str) -> None:
    model = session.as_transformers(memory=memory)  # type: ignore[arg-type]
    with torch.inference_mode():
        found = model(torch.tensor([session.running.encode(TEXTS[0])])).logits[0]
    assert torch.equal(found, session.logits(TEXTS[0], memory=memory))  # type: ignore[arg-type]


@pytest.mark.parametrize("fallback", ["zero", "sibling"])
def test_it_stands_as_the_study_stood_with_what_was_tried(opens: OpenSession, tmp_path: Path, fallback: Fallback) -> None:
    session = opens(make_bank(tmp_path / "bank", fallback=fallback))
    first = session.route(TEXTS[0]).clusters
    session.apply(Scale(first[:1], 0.5))
    session.apply(Prune(first[2:]))
    session.mute(first[1:2])
    session.hide(session.route(TEXTS[1]).clusters[1:2])
    model, expected = session.as_transformers(), [session.logits(text) for text in TEXTS]
    session.mute([])
    session.hide([])
    session.undo()
    given = batch(session)
    places = (given["attention_mask"].cumsum(1) - 1).clamp(min=0)
    with torch.inference_mode():
        out = model(**given, position_ids=places).logits
    for row, mask, logits in zip(out, given["attention_mask"], expected, strict=True):
        torch.testing.assert_close(row[mask.bool()], logits, atol=1e-4, rtol=0)
    assert not torch.allclose(session.logits(TEXTS[0]), expected[0], atol=1e-3)


def test_a_row_without_text_fetches_nothing_and_the_anchor_stays_plain(session: Session) -> None:
    model, anchor = session.as_transformers(), session.running.anchor
    ids = torch.tensor([anchor.encode(TEXTS[0])])
    with torch.inference_mode():
        assert torch.equal(model(torch.tensor([[1]])).logits, anchor.model(torch.tensor([[1]])).logits)
        model(ids)
        assert torch.equal(anchor.model(ids).logits[0], session.logits(TEXTS[0], memory="none"))


def test_what_it_cannot_do_is_one_line(opens: OpenSession, tmp_path: Path) -> None:
    session = opens(make_bank(tmp_path / "bank", generic=False))
    with pytest.raises(UserError, match="has no generic blocks"):
        session.as_transformers(memory="generic")
    model = session.as_transformers()
    with pytest.raises(UserError, match="export it as bank, or one route of it as dense"):
        model.save_pretrained(tmp_path / "out")
    session.close()
    with pytest.raises(UserError, match="was closed: open it again"):
        model(torch.tensor([[5]]), keys=["gold"])


@pytest.mark.parametrize("family", ["gemma3", "mistral, sliding window", "olmo2", "qwen3"])
def test_other_architectures_generate_row_by_row(opens: OpenSession, tmp_path: Path, family: str) -> None:
    anchor = save(tmp_path / "model", *FAMILIES[family])
    session = opens(make_bank(tmp_path / "bank", model=anchor, activation="gelu_pytorch_tanh" if family == "gemma3" else "silu"))
    given = batch(session)
    out = session.as_transformers().generate(**given, keys=TEXTS, max_new_tokens=5, do_sample=False, pad_token_id=0)
    for row, text in zip(out, TEXTS, strict=True):
        said = [token.id for token in session.generate(text, sampling=Sampling(max_tokens=5))]
        assert row[given["input_ids"].shape[1] :].tolist()[: len(said)] == said


def test_a_chat_anchors_row_is_routed_by_the_users_turn(opens: OpenSession, tmp_path: Path) -> None:
    model = make_anchor(tmp_path / "model")
    (model / "chat_template.jinja").write_text("{% for m in messages %}Tell me about {{ m.content }} and about{% endfor %} It")
    bank = make_bank(tmp_path / "bank", model=model)
    manifest = json.loads((bank / "bank.json").read_text())
    (bank / "bank.json").write_text(json.dumps(manifest | {"prompt": "chat"}))
    session = opens(bank)
    ids = session.running.encode(TEXTS[0])
    assert session.running.anchor.decode(ids) != TEXTS[0]
    with torch.inference_mode():
        found = session.as_transformers()(torch.tensor([[1, *ids]])).logits[0]
        alone = session.as_transformers()(torch.tensor([[1, *ids]]), keys=[TEXTS[0]]).logits[0]
    assert torch.equal(found, alone)
