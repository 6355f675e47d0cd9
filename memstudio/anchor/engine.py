"""Running the model: the reference path, a token at a time, and many prompts at once.

`generate` is a generator: between two tokens it is suspended, and that is where edits land; the next token is then computed with
whatever lies in the slots, and says under which revision.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import DynamicCache

from memstudio.anchor.attach import Attached
from memstudio.anchor.gathered import Gathered
from memstudio.anchor.lanes import Lanes, likeliest
from memstudio.anchor.load import Anchor
from memstudio.anchor.step import reading
from memstudio.anchor.values import Sampling, Token
from memstudio.errors import UserError

GREEDY = Sampling()
MARKS = ".\n"
_ROWS = 256
_STRETCH = 128
_PADDED = 128
_KEPT = 2**29
"""Bytes of keys and values of one batch, unless a single prompt takes more."""

Lender = Callable[[list[int]], AbstractContextManager[None]]


def nothing_lent(_: list[int]) -> AbstractContextManager[None]:
    """What lies in the slots, for every row."""
    return nullcontext()


def logits(attached: Attached, ids: list[int]) -> Tensor:
    """The reference path: one unpadded prompt, no cache. Logits float32 [T, vocabulary] on the CPU.

    Raises:
        UserError: an empty or over-long prompt.
    """
    attached.anchor.check(ids)
    with torch.inference_mode():
        out = attached.forward(torch.tensor([ids], device=attached.anchor.device))
    return out[0].float().cpu()


def read(attached: Attached, ids: list[int], answer: Sequence[int]) -> NDArray[np.float32]:
    """The log-probability of each token of an answer after the prompt `ids` and the answer's own earlier tokens: float32 [len(answer)].

    A stretch of the answer at a time, so that the logits stay bounded. Agrees with the reference path within rounding.

    Raises:
        UserError: an empty prompt, or one that is over-long with its answer.
    """
    anchor = attached.anchor
    anchor.check([*ids, *answer])
    found, past, fresh = np.empty(len(answer), np.float32), DynamicCache(config=anchor.model.config), list(ids)
    for start in range(0, len(answer), _STRETCH):
        wanted = list(answer[start : start + _STRETCH])
        fresh += wanted[:-1]
        with torch.inference_mode():
            out = attached.forward(torch.tensor([fresh], device=anchor.device), past=past, keep=len(wanted))
            logs = out[0].float().log_softmax(-1).cpu()
        found[start : start + len(wanted)] = logs[torch.arange(len(wanted)), torch.tensor(wanted)].numpy()
        fresh = wanted[-1:]
    return found


def generate(
    attached: Attached,
    ids: list[int],
    sampling: Sampling = GREEDY,
    *,
    revision: Callable[[], int] = lambda: 0,
    prefix: Sequence[int] = (),
    lanes: Lanes | None = None,
) -> Iterator[Token]:
    """Continue a prompt, a token at a time; close the iterator to stop. An end token ends it and is not given.

    prefix: tokens already generated. They are read again with the blocks that lie in the slots now (recompute), and the first
    token given is number len(prefix); `sampling.max_tokens` counts them.
    lanes: new ones, that read along; nothing of the run itself depends on them.

    Raises:
        UserError: an empty or over-long prompt, or sampling out of range.
    """
    anchor = attached.anchor
    anchor.check(ids)
    check_sampling(sampling)
    room = min(sampling.max_tokens, anchor.max_positions - len(ids))
    return _tokens(attached, ids, sampling, revision, list(prefix), room, lanes)


def _tokens(
    attached: Attached,
    ids: list[int],
    sampling: Sampling,
    revision: Callable[[], int],
    generated: list[int],
    room: int,
    lanes: Lanes | None,
) -> Iterator[Token]:
    anchor = attached.anchor
    words = Detokenizer(anchor.decode, ids + generated)
    random = torch.Generator().manual_seed(sampling.seed + len(generated))
    fresh = ids + generated
    with reading(attached, len(ids) + room) as read:
        for index in range(len(generated), room):
            start, under = time.perf_counter(), revision()
            with torch.inference_mode():
                scores = read(fresh).float().cpu()
                logprobs = scores.log_softmax(-1)
                token = _choose(scores, sampling, random)
            if token in anchor.eos:
                return
            beside = () if lanes is None else lanes.read(fresh, token, int(scores.argmax()))
            fresh = [token]
            top = likeliest(anchor, logprobs)
            yield Token(index, token, words.push(token), float(logprobs[token]), under, time.perf_counter() - start, top, beside)


def check_sampling(sampling: Sampling) -> None:
    """Refuse what cannot be sampled.

    Raises:
        UserError: a value out of range.
    """
    if sampling.max_tokens < 1:
        raise UserError(f"max tokens {sampling.max_tokens}: must be at least 1")
    if not 0.0 <= sampling.temperature <= 100.0:
        raise UserError(f"temperature {sampling.temperature}: must be from 0 (greedy) to 100")
    if not 0.0 < sampling.top_p <= 1.0:
        raise UserError(f"top-p {sampling.top_p}: must be above 0, at most 1")


def _choose(scores: Tensor, sampling: Sampling, random: torch.Generator) -> int:
    """The next token from logits [vocabulary]: the first of the largest, or a draw from the smallest set that holds top_p."""
    if sampling.temperature == 0.0:
        return int(scores.argmax())
    shares, order = (scores / sampling.temperature).softmax(-1).sort(descending=True, stable=True)
    before = shares.cumsum(-1) - shares
    shares = torch.where(before < sampling.top_p, shares, 0.0)
    return int(order[torch.multinomial(shares, 1, generator=random)])


class Detokenizer:
    """Tokens to the text that each appends, where a character may take several tokens and a space may hang on the next one."""

    def __init__(self, decode: Callable[[list[int]], str], before: Sequence[int]) -> None:
        self._decode = decode
        self._window = list(before[-8:])
        self._text = decode(self._window)

    def push(self, token: int) -> str:
        """What this token appends; "" while a character is not complete, which then comes with its last token."""
        self._window.append(token)
        text = self._decode(self._window)
        if text.endswith("\ufffd"):
            return ""
        added = text[len(self._text) :]
        if len(self._window) > 16:
            self._window = self._window[-8:]
            text = self._decode(self._window)
        self._text = text
        return added


def answers(attached: Attached, prompts: Sequence[list[int]], max_tokens: int = 16, stop: str = MARKS) -> list[str]:
    """Greedy answers of many prompts under the blocks that lie in the slots, each up to the first mark in `stop`, or an end token.

    Prompts of similar length share a batch (padded on the left), equal ones are run once; a row leaves the batch when it is done.
    Agrees with the reference path within rounding.

    Returns:
        for each prompt its answer, trimmed, without the mark.

    Raises:
        UserError: an empty or over-long prompt.
    """
    found = answer_ids(attached, prompts, max_tokens, stop)
    return [said(attached.anchor, tokens, stop) for tokens in found]


def answer_ids(attached: Attached, prompts: Sequence[list[int]], max_tokens: int = 16, stop: str = MARKS) -> list[list[int]]:
    """As `answers`, in tokens: each up to and with the one that ends it.

    Raises:
        UserError: an empty or over-long prompt.
    """
    found: list[list[int]] = [[] for _ in prompts]
    for numbers, tokens in answering(attached, prompts, [max_tokens] * len(prompts), stop):
        for number in numbers:
            found[number] = tokens
    return found


def answering(
    attached: Attached, prompts: Sequence[list[int]], rooms: Sequence[int], stop: str = MARKS, blocks: Gathered | None = None
) -> Iterator[tuple[list[int], list[int]]]:
    """As `answer_ids`, batch by batch: the numbers of equal prompts, and their answer of at most as many tokens as each has room for.

    blocks: what each prompt fetches, in place of what lies in the slots; prompts are equal then where they fetch the same, too.

    Raises:
        UserError: an empty or over-long prompt.
    """
    anchor = attached.anchor
    for ids in prompts:
        anchor.check(ids)
    stops, everything = anchor.stops(stop), list(range(len(prompts)))
    for load in [everything] if blocks is None else blocks.loads():
        same: dict[tuple[object, ...], list[int]] = {}
        for number in load:
            same.setdefault((tuple(prompts[number]), rooms[number], blocks and blocks.fetches[number]), []).append(number)
        groups = sorted(same.values(), key=lambda group: len(prompts[group[0]]))
        lengths = [len(prompts[group[0]]) + rooms[group[0]] for group in groups]
        for part in _batches([len(prompts[group[0]]) for group in groups], lengths, _bytes_of_token(anchor)):
            firsts = [groups[at][0] for at in part]
            own = [rooms[first] for first in firsts]
            tokens = greedy(attached, [tuple(prompts[first]) for first in firsts], own, stops, lender(blocks, firsts))
            yield from zip((groups[at] for at in part), tokens, strict=True)


def lender(blocks: Gathered | None, numbers: Sequence[int]) -> Lender:
    """How the rows of a batch, which are these prompts, get their blocks."""
    return nothing_lent if blocks is None else lambda rows: blocks.lent([numbers[row] for row in rows])


def said(anchor: Anchor, tokens: list[int], marks: str = MARKS) -> str:
    """The text of an answer's tokens up to the first mark, trimmed."""
    text = anchor.decode(tokens)
    ends = [at for at in (text.find(mark) for mark in marks) if at >= 0]
    return text[: min(ends, default=len(text))].strip()


def _bytes_of_token(anchor: Anchor) -> int:
    """Bytes of keys and values of one token, at most: a model with fewer heads of these takes less."""
    return 2 * anchor.hidden_size * len(anchor.mlps) * anchor.model.dtype.itemsize


def _batches(lengths: list[int], whole: list[int], token_bytes: int) -> Iterator[list[int]]:
    """Cut prompts of these lengths (ascending) into batches, where padding would cost more than another batch of its own, or where the
    keys and values of all, `whole` tokens each with their answers, would take more than their budget: the numbers of each batch."""
    group: list[int] = []
    held = longest = 0
    for number, length in enumerate(lengths):
        padded, longest = (len(group) + 1) * length - held - length, max(longest, whole[number])
        if group and (len(group) >= _ROWS or padded > _PADDED or (len(group) + 1) * longest * token_bytes > _KEPT):
            yield group
            group, held, longest = [], 0, whole[number]
        group.append(number)
        held += length
    if group:
        yield group


def greedy(
    attached: Attached, prompts: list[tuple[int, ...]], rooms: int | Sequence[int], stops: Tensor, lend: Lender = nothing_lent
) -> list[list[int]]:
    """Greedy tokens of one batch, each row up to and with its stop token, at most as many as there is room for (all, or each row).

    lend: gives the rows of the batch that are named their blocks, while a forward lasts.
    """
    anchor = attached.anchor
    lengths = torch.tensor([len(ids) for ids in prompts])
    width = int(lengths.max())
    padded = torch.tensor([[0] * (width - len(ids)) + list(ids) for ids in prompts]).to(anchor.device)
    places = (torch.arange(width) - (width - lengths).unsqueeze(1)).to(anchor.device)
    mask = places.ge(0).long() if int(lengths.min()) < width else None
    places = places.clamp(min=0)
    past = DynamicCache(config=anchor.model.config)
    rows = list(range(len(prompts)))
    own = [rooms] * len(rows) if isinstance(rooms, int) else rooms
    left = torch.tensor(own, device=anchor.device)
    found: list[list[int]] = [[] for _ in prompts]
    with torch.inference_mode():
        for step in range(1, min(max(own), anchor.max_positions - width) + 1):
            with lend(rows):
                scores = attached.forward(padded, attention_mask=mask, position_ids=places, past=past, keep=1)[:, -1]
            chosen = scores.argmax(-1)
            going = ~stops[chosen] & (left > step)
            for row, token in zip(rows, chosen.tolist(), strict=True):
                found[row].append(token)
            kept = going.nonzero().squeeze(1)
            if kept.numel() == 0:
                break
            if kept.numel() < chosen.numel():
                past.batch_select_indices(kept)
                rows, left = [rows[at] for at in kept.tolist()], left[kept]
                mask = mask[kept] if mask is not None else None
            padded, places = chosen[kept].unsqueeze(1), places[kept, -1:] + 1
            if mask is not None:
                mask = torch.cat([mask, mask.new_ones(mask.shape[0], 1)], 1)
    return found
