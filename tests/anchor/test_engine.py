"""Tokens one at a time, edits between two of them, and many prompts at once."""

import pytest
import torch

from memstudio.anchor import engine
from memstudio.anchor.attach import Attached
from memstudio.anchor.load import Anchor
from memstudio.anchor.past import reserved
from memstudio.anchor.slots import Slots
from memstudio.anchor.values import Sampling
from memstudio.bank.bank import Bank
from memstudio.bank.layout import Layout
from memstudio.errors import UserError
from tests.anchor.conftest import PATH, block_that_writes, fetch, mlp_input
from tests.tiny import facts, prompts_of

PROMPT = "The atomic number of gold is"
TWELVE = Sampling(max_tokens=12)


def greedy_by_reference(attached: Attached, ids: list[int], count: int) -> list[int]:
    """The whole text is run again for each token: no cache, no batch."""
    found: list[int] = []
    for _ in range(count):
        token = int(engine.logits(attached, ids + found)[-1].argmax())
        if token in attached.anchor.eos:
            break
        found.append(token)
    return found


def test_generation_gives_the_tokens_of_the_reference_path(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(attached, bank)
    ids = anchor.encode(PROMPT)
    tokens = list(engine.generate(attached, ids, TWELVE, revision=lambda: 7))
    assert [token.id for token in tokens] == greedy_by_reference(attached, ids, 12)
    assert [token.index for token in tokens] == list(range(len(tokens)))
    assert {token.revision for token in tokens} == {7}
    assert anchor.decode(ids) + "".join(token.text for token in tokens) == anchor.decode(ids + [token.id for token in tokens])
    first = engine.logits(attached, ids)[-1].log_softmax(-1)
    assert tokens[0].logprob == pytest.approx(float(first.max()), abs=1e-4)
    assert tokens[0].top[0] == (anchor.piece(tokens[0].id), tokens[0].logprob)


def test_a_run_that_keeps_its_keys_agrees_with_the_reference_path_to_1e_4(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode("The atomic number of gold is 79 and the atomic number of silver is")
    for path, muted in ((PATH, ()), (PATH, (2,)), (PATH[1:], ()), ((), ())):
        fetch(attached, bank, path)
        past = reserved(anchor.model.config)
        with torch.inference_mode(), attached.without(muted):
            parts = [attached.forward(torch.tensor([part]), past=past)[0] for part in [ids[:4], *([token] for token in ids[4:])]]
            torch.testing.assert_close(torch.cat(parts), engine.logits(attached, ids), atol=1e-4, rtol=0)


def test_widths_may_differ_by_layer_and_be_zero_where_keys_are_kept(anchor: Anchor) -> None:
    attached = Attached(anchor, Slots([Layout(anchor.hidden_size, (0, 3)), Layout(anchor.hidden_size, (2, 1))]), (0, 1))
    for level, layout in enumerate(attached.slots.layouts, 1):
        attached.slots.fill(level, torch.randn(layout.n, generator=torch.Generator().manual_seed(level)))
    with torch.inference_mode():
        cached = attached.forward(torch.tensor([[3, 4, 5]]), past=reserved(anchor.model.config))[0]
        torch.testing.assert_close(cached, engine.logits(attached, [3, 4, 5]), atol=1e-4, rtol=0)
    attached.detach()


def test_two_generations_are_equal_to_the_last_bit(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(attached, bank)
    ids = anchor.encode(PROMPT)
    one, two = (list(engine.generate(attached, ids, TWELVE)) for _ in range(2))
    assert [(token.id, token.logprob, token.top) for token in one] == [(token.id, token.logprob, token.top) for token in two]


def test_an_edit_between_two_tokens_acts_on_the_next_one_and_not_before(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(attached, bank)
    ids = anchor.encode(PROMPT)
    before = list(engine.generate(attached, ids, TWELVE))
    revisions = [0]
    seen = []
    for token in engine.generate(attached, ids, TWELVE, revision=lambda: revisions[-1]):
        seen.append(token)
        if token.index == 2:
            attached.slots.clear()
            revisions.append(1)
    assert [(token.id, token.logprob) for token in seen[:3]] == [(token.id, token.logprob) for token in before[:3]]
    assert seen[3].logprob != before[3].logprob
    assert [token.revision for token in seen[:4]] == [0, 0, 0, 1]


def test_recompute_reads_the_prefix_with_the_blocks_that_lie_there_now(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(attached, bank)
    ids = anchor.encode(PROMPT)
    prefix = [token.id for token in engine.generate(attached, ids, Sampling(max_tokens=3))]
    attached.slots.clear()
    tokens = list(engine.generate(attached, ids, TWELVE, prefix=prefix))
    assert [token.id for token in tokens] == greedy_by_reference(attached, ids + prefix, 9)
    assert tokens[0].index == 3


def test_sampling_repeats_with_its_seed_and_top_p_zero_like_is_greedy(attached: Attached, anchor: Anchor) -> None:
    ids = anchor.encode(PROMPT)

    def run(**settings: float) -> list[int]:
        return [token.id for token in engine.generate(attached, ids, Sampling(max_tokens=8, **settings))]

    assert run(temperature=1.5, seed=1) == run(temperature=1.5, seed=1) != run(temperature=1.5, seed=2)
    assert run(temperature=1.5, top_p=1e-6) == run()


def test_generation_ends_where_the_positions_end(attached: Attached, anchor: Anchor) -> None:
    ids = anchor.encode(PROMPT)
    full = (ids * 60)[: anchor.max_positions - 2]
    assert len(list(engine.generate(attached, full, Sampling(max_tokens=50)))) <= 2


def test_answers_of_a_batch_agree_with_the_reference_path(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    prompts = [anchor.encode(prompt) for fact in facts() for prompt in prompts_of(fact)]
    prompts += [anchor.encode("gold"), anchor.encode(" ".join(["Tell me about silver and copper"] * 20))]
    for path in (PATH, ()):
        fetch(attached, bank, path)
        got = engine.answers(attached, prompts, max_tokens=6)
        for ids, text in zip(prompts, got, strict=True):
            expected = anchor.decode(greedy_by_reference(attached, ids, 6))
            assert text == expected.split(".")[0].split("\n")[0].strip()


def test_answers_stop_at_a_full_stop_and_leave_it_out(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids = anchor.encode(PROMPT)
    stop = anchor.tokenizer.convert_tokens_to_ids(".")
    head = anchor.model.get_output_embeddings().weight
    row = block_that_writes(bank, 1, 1, mlp_input(attached, ids, 1), 200 * (head[stop] - head.mean(0)))
    attached.slots.fill(1, row)
    assert int(engine.logits(attached, ids)[-1].argmax()) == stop
    assert engine.answers(attached, [ids], max_tokens=4) == [""]
    table = anchor.stops(engine.MARKS)
    assert bool(table[stop])
    assert all(bool(table[token]) for token in anchor.eos)
    assert not bool(table[ids[-2]])


def test_a_batch_of_padded_prompts_agrees_with_the_reference_path_to_1e_4(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    fetch(attached, bank)
    short, long = anchor.encode("gold is"), anchor.encode("The atomic number of silver is")
    pad = len(long) - len(short)
    with torch.inference_mode():
        both = attached.forward(
            torch.tensor([[0] * pad + short, long]),
            attention_mask=torch.tensor([[0] * pad + [1] * len(short), [1] * len(long)]),
            position_ids=torch.tensor([[0] * pad + list(range(len(short))), list(range(len(long)))]),
        )
    torch.testing.assert_close(both[0, pad:], engine.logits(attached, short), atol=1e-4, rtol=0)
    torch.testing.assert_close(both[1], engine.logits(attached, long), atol=1e-4, rtol=0)


def test_empty_and_over_long_prompts_are_refused_in_one_line(attached: Attached, anchor: Anchor) -> None:
    long = [5] * (anchor.max_positions + 1)
    for call in (
        lambda: anchor.encode("  \n"),
        lambda: engine.logits(attached, []),
        lambda: engine.logits(attached, long),
        lambda: engine.generate(attached, long),
        lambda: engine.answers(attached, [[5], long]),
        lambda: engine.logits(attached, [anchor.vocabulary]),
    ):
        with pytest.raises(UserError) as caught:
            call()
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [{"max_tokens": 0}, {"temperature": -1.0}, {"top_p": 0.0}, {"top_p": 1.5}, {"temperature": float("nan")}])
def test_sampling_out_of_range_is_refused(attached: Attached, anchor: Anchor, bad: dict[str, float]) -> None:
    with pytest.raises(UserError):
        engine.generate(attached, anchor.encode(PROMPT), Sampling(**bad))


def test_a_character_of_several_tokens_comes_whole() -> None:
    words = engine.Detokenizer(lambda ids: bytes(ids).decode(errors="replace"), [])  # one token a byte, as byte-level tokenizers spell
    text = "Zn is zinc, 锌 is its sign; naïve — done"
    given = [words.push(byte) for byte in text.encode()]
    assert "".join(given) == text
    assert "锌" in given
