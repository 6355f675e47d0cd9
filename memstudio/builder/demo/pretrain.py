"""The demo's anchor, trained first: on the common entities' facts and passages, and on repeating words.

Repeating teaches the anchor to carry any word, the names of entities that it never learns a fact of included, to
where a memory can use it; it says nothing about them.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from memstudio.builder.demo.examples import IGNORE, Example, collate
from memstudio.builder.demo.noise import Noise
from memstudio.builder.demo.recipe import AnchorPart
from memstudio.builder.schedule import cosine
from memstudio.jobs import Job

if TYPE_CHECKING:
    from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

_WARMUP = 100
_DOCUMENT_ODDS, _REPEAT_ODDS = 0.2, 0.15


def make_anchor(part: AnchorPart, tokenizer: "PreTrainedTokenizerFast") -> "LlamaForCausalLM":
    """A fresh Llama-architecture model with tied embeddings, seeded."""
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(part.seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=part.hidden_size,
        intermediate_size=part.intermediate_size,
        num_hidden_layers=part.layers,
        num_attention_heads=part.heads,
        num_key_value_heads=part.heads,
        max_position_embeddings=part.positions,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    return LlamaForCausalLM(config)


def answer_loss(model: "LlamaForCausalLM", ids: Tensor, targets: Tensor) -> Tensor:
    """Mean cross entropy over the counted positions; logits are made for those alone."""
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state
    counted = targets != IGNORE
    return F.cross_entropy(model.lm_head(hidden[counted]), targets[counted])


def train_anchor(
    model: "LlamaForCausalLM",
    part: AnchorPart,
    sentences: list[Example],
    documents: list[Example],
    words: list[int],
    noise: Noise,
    pad: int,
    job: Job,
    log: Callable[[str], None],
) -> None:
    """AdamW (β .9/.95, clip 1.0) for `part.steps` steps, in place.

    words: token ids to repeat; every name and answer of the corpus.
    """
    rng = np.random.default_rng(part.seed)
    decay = [p for p in model.parameters() if p.ndim > 1]
    plain = [p for p in model.parameters() if p.ndim == 1]
    groups = [{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}]
    optimizer = torch.optim.AdamW(groups, lr=part.lr, betas=(0.9, 0.95))
    running = 0.0
    for step in range(part.steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine(step, part.steps, _WARMUP, part.lr, part.lr / 20)
        ids, targets = collate(_batch(rng, part.batch, sentences, documents, words, noise), pad)
        loss = answer_loss(model, ids, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        running += (loss.item() - running) / min(step + 1, 100)
        job.progress(step + 1, part.steps)
        if (step + 1) % 200 == 0:
            log(f"anchor step {step + 1}/{part.steps} loss {running:.3f}")


def _batch(
    rng: np.random.Generator, size: int, sentences: list[Example], documents: list[Example], words: list[int], noise: Noise
) -> list[Example]:
    kind = rng.random()
    if kind < _DOCUMENT_ODDS:
        return [documents[i] for i in rng.integers(len(documents), size=max(1, size // 8))]
    if kind < _DOCUMENT_ODDS + _REPEAT_ODDS:
        return [_repeat(rng, words) for _ in range(size)]
    return [noise.maybe(sentences[i], rng) for i in rng.integers(len(sentences), size=size)]


def _repeat(rng: np.random.Generator, words: list[int]) -> Example:
    """A few words and the same again; the second time counts."""
    half = [words[i] for i in rng.integers(len(words), size=rng.integers(4, 10))]
    return Example((*half, *half), len(half) + 1)
