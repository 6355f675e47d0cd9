"""The record of one run: what each block added (observed), where that points (projected), and what is lost without it (causal).

Observed and projected values come from one forward on the reference path. Causal ones come from one batch over the answer's tokens,
one row for each set of levels that is added; an ablated block is replaced by nothing ("zero").
"""

import copy
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from memstudio.anchor.attach import Attached, Capture
from memstudio.anchor.engine import MARKS, greedy
from memstudio.anchor.lens import Lens
from memstudio.anchor.load import Anchor
from memstudio.anchor.values import Answer, Floats, Neuron, Trace
from memstudio.bank.values import ClusterId, Memory, Route
from memstudio.errors import UserError

Fill = Callable[[Memory], bool]
"""Put the blocks of a kind of memory into the slots; False where the bank has none of that kind."""

_ANSWER_TOKENS = 16
Levels = frozenset[int]


def trace(
    attached: Attached,
    prompt: str,
    route: Route,
    *,
    prefix: Sequence[int] = (),
    answer: str | Sequence[int] | None = None,
    against: str | Sequence[int] | None = None,
    fill: Fill | None = None,
    revision: int = 0,
    neurons: int = 4,
    lens: Lens | None = None,
) -> Trace:
    """Trace a prompt under the blocks that lie in the slots, which must be those of `route`.

    A level without a block (pruned to nothing, muted) is not measured: NaN in the arrays, left out of `effect` and `without`.

    Args:
        prefix: ids generated before the token that is explained, read behind the prompt.
        answer: whose log-probability is measured, a text or ids; None takes the greedy answer.
        against: a second answer; margins log p(answer) − log p(against) are measured too, and its first token is the runner-up.
        fill: lends the slots to the generic blocks for one forward; None leaves `generic` unmeasured.
        neurons: how many of the strongest, by |activation| · ‖value row‖ at their strongest token, for each block.
        lens: a kept one spares its making.

    Raises:
        UserError: an empty or over-long prompt or answer, an answer as text behind a prefix.
    """
    anchor = attached.anchor
    ids = anchor.encode(prompt) + list(prefix)
    anchor.check(ids)
    lens = Lens(anchor) if lens is None else lens
    target = _greedy_answer(attached, ids) if answer is None else _ids_of(anchor, prompt, prefix, answer)
    rival = None if against is None else _ids_of(anchor, prompt, prefix, against)
    capture, stream, scores = _observe(attached, ids, lens)
    other = _runner_up(scores, target[0], None if rival is None else rival[0])
    contribution, norm = _measure(attached, capture, stream, lens, target[0], other)
    pair = None if rival is None else (_text_of(anchor, against, rival), rival)
    measured = _answer(attached, ids, route, (_text_of(anchor, answer, target), target), pair, fill)
    return Trace(
        prompt=prompt,
        tokens=tuple(anchor.piece(token) for token in ids),
        route=route,
        layers=attached.layers,
        contribution=contribution,
        norm=norm,
        effect={cluster: measured.fetched - value for cluster, value in measured.without.items()},
        neurons=_strongest(attached, capture, route, lens, neurons),
        answer=measured,
        runner_up=anchor.piece(other),
        revision=revision,
        token=len(prefix) if prefix or not (answer is None or isinstance(answer, str)) else None,
    )


def contributions(attached: Attached, ids: list[int], lens: Lens) -> tuple[Floats, Floats]:
    """What a trace observes and projects, alone: (direct logit attribution, relative norm) of every block, float32 [L, levels, T] each, for
    the likeliest next token against its runner-up, under the blocks that lie in the slots. One forward, one transfer from the device.

    Raises:
        UserError: an empty or over-long prompt.
    """
    attached.anchor.check(ids)
    capture, stream, scores = _observe(attached, ids, lens)
    target = int(scores.argmax())
    return _measure(attached, capture, stream, lens, target, _runner_up(scores, target, None))


def _ids_of(anchor: Anchor, prompt: str, prefix: Sequence[int], answer: str | Sequence[int]) -> list[int]:
    """The tokens of an answer where it follows prompt and prefix."""
    if not isinstance(answer, str):
        if not answer:
            raise UserError("the answer is empty: name at least one token")
        anchor.check(list(answer))
        return list(answer)
    if prefix:
        raise UserError("an answer behind generated tokens is given by its ids: its text alone does not say which tokens it is")
    return anchor.continuation(prompt, answer)


def _text_of(anchor: Anchor, answer: str | Sequence[int] | None, ids: list[int]) -> str:
    return answer if isinstance(answer, str) else anchor.decode(ids).strip() or anchor.piece(ids[0])


def _greedy_answer(attached: Attached, ids: list[int]) -> list[int]:
    """The greedy answer's tokens without the one that ends it, unless that is all there is."""
    stops = attached.anchor.stops(MARKS)
    found = greedy(attached, [tuple(ids)], _ANSWER_TOKENS, stops)[0]
    return found[:-1] if len(found) > 1 and bool(stops[found[-1]]) else found


def _observe(attached: Attached, ids: list[int], lens: Lens) -> tuple[Capture, Tensor, Tensor]:
    """One forward on the reference path: captured blocks, the final residual stream [T, d] and the last token's logits [vocabulary]."""
    streams: list[Tensor] = []

    def keep(_: torch.nn.Module, args: tuple[Tensor, ...]) -> None:
        streams.append(args[0])

    hook = lens.norm.register_forward_pre_hook(keep)
    try:
        with torch.inference_mode(), attached.captured() as capture:
            logits = attached.forward(torch.tensor([ids], device=attached.anchor.device), keep=1)
    finally:
        hook.remove()
    return capture, streams[0][0], logits[0, -1].float()


def _runner_up(scores: Tensor, target: int, rival: int | None) -> int:
    """The token that the answer's first is compared with: the rival's first where it differs, else the likeliest other one."""
    if rival is not None and rival != target:
        return rival
    first, second = scores.topk(2).indices.tolist()
    return int(second if first == target else first)


def _measure(attached: Attached, capture: Capture, stream: Tensor, lens: Lens, token: int, other: int) -> tuple[Floats, Floats]:
    """(direct logit attribution, relative norm), each float32 [L, levels, T], NaN where nothing was added.

    At the last token the attribution is the block's direct share in the answer's logit difference; at earlier tokens it is what the
    block would say there if the next token were the answer.
    """
    shape = (2, len(attached.layers), attached.slots.levels, stream.shape[0])
    found = torch.full(shape, torch.nan, device=stream.device)
    with torch.inference_mode():
        direction, scale = lens.direction(token, other), lens.scale(stream)[:, 0]
        sizes = {position: own[0].float().norm(dim=-1) for position, own in capture.own.items()}
        for level in range(1, attached.slots.levels + 1):
            at = [position for position in capture.own if (position, level) in capture.added]
            if not at:
                continue
            added = torch.stack([capture.added[position, level][0] for position in at])  # [layers with this block, T, d]
            layers, totals = [attached.layers[position] for position in at], [capture.total[position][0] for position in at]
            own = torch.stack([sizes[position] for position in at])
            found[0, at, level - 1] = lens.into_stream(added, totals, layers) @ direction / scale
            found[1, at, level - 1] = torch.where(own > 0, added.float().norm(dim=-1) / own, torch.nan)
        contribution, norm = found.cpu().numpy()  # one transfer for all blocks
    return contribution, norm


def _strongest(attached: Attached, capture: Capture, route: Route, lens: Lens, count: int) -> tuple[Neuron, ...]:
    """The `count` strongest memory neurons of each block, strongest first, with what their value rows promote as they fired."""
    fired: list[tuple[float, float, ClusterId, int, int]] = []
    for cluster in route.clusters:
        positions = [position for position in range(len(attached.layers)) if (position, cluster.level) in capture.hidden]
        if not positions:
            continue
        parts = attached.slots.parts(cluster.level)
        hidden = torch.cat([capture.hidden[position, cluster.level][0] for position in positions], -1).float()  # [T, all neurons]
        values = torch.cat([parts[position][2].float().norm(dim=-1) for position in positions])
        strength, at = (hidden.abs() * values).max(0)
        best = strength.topk(min(count, strength.shape[0]))
        activations = hidden[at[best.indices], best.indices]
        which = [(position, index) for position in positions for index in range(parts[position][2].shape[0])]
        sizes, own = torch.stack([best.values, activations]).tolist()
        # neurons that did not fire are not the strongest of anything
        fired += [(size, value, cluster, *which[at]) for size, at, value in zip(sizes, best.indices.tolist(), own, strict=True) if size]
    rows = [
        attached.slots.parts(cluster.level)[position][2][index] * (1.0 if value >= 0 else -1.0)
        for _, value, cluster, position, index in fired
    ]
    layers = [attached.layers[position] for *_, position, _ in fired]
    named = lens.promoted_each(rows, layers)
    found = [
        (size, Neuron(cluster, layer, index, value, promotes))
        for (size, value, cluster, _, index), layer, (promotes, _) in zip(fired, layers, named, strict=True)
    ]
    return tuple(neuron for _, neuron in sorted(found, key=lambda pair: -pair[0]))


def _answer(
    attached: Attached,
    ids: list[int],
    route: Route,
    answer: tuple[str, list[int]],
    against: tuple[str, list[int]] | None,
    fill: Fill | None,
) -> Answer:
    """The causal part: every set of levels that is asked for is one row of one batch."""
    clusters, (text, target) = route.clusters, answer
    everything: Levels = frozenset(cluster.level for cluster in clusters)
    present = {cluster.level for cluster in clusters if attached.slots.filled(cluster.level)} - attached.muted
    above = {cluster: frozenset(level for level in everything if level < cluster.level) for cluster in clusters}
    each = {cluster: everything - {cluster.level} for cluster in clusters if cluster.level in present}
    below = {cluster: above[cluster] for cluster in clusters if any(level >= cluster.level for level in present)}
    sets = list(dict.fromkeys([frozenset[int](), *above.values(), everything, *each.values()]))
    asked = [target] if against is None else [target, against[1]]
    reads = _logprobs(attached, ids, asked, sets)
    tokens = dict(zip(sets, reads[0], strict=True))
    total = {levels: sum(values) for levels, values in tokens.items()}
    margin: dict[Levels, float] = {}
    if against is not None:
        margin = {levels: total[levels] - sum(values) for levels, values in zip(sets, reads[1], strict=True)}
    steps = [("none", total[frozenset()])]
    steps += [(str(cluster), total[above[cluster] | {cluster.level}]) for cluster in clusters]
    return Answer(
        text=text,
        token_logprobs=tuple(tokens[everything]),
        none=total[frozenset()],
        generic=_under_generic(attached, ids, target, fill),
        fetched=total[everything],
        steps=tuple(steps),
        without={cluster: total[levels] for cluster, levels in each.items()},
        without_subtree={cluster: total[levels] for cluster, levels in below.items()},
        against=None if against is None else against[0],
        against_fetched=margin.get(everything),
        against_without={cluster: margin[levels] for cluster, levels in each.items()} if margin else {},
    )


def _under_generic(attached: Attached, ids: list[int], target: list[int], fill: Fill | None) -> float | None:
    """log p of the answer under the generic blocks; the slots hold the fetched ones again afterwards."""
    if fill is None:
        return None
    try:
        if not fill("generic"):
            return None
        return sum(_logprobs(attached, ids, [target], [frozenset(range(1, attached.slots.levels + 1))])[0][0])
    finally:
        fill("fetched")


def _logprobs(attached: Attached, ids: list[int], answers: Sequence[list[int]], sets: Sequence[Levels]) -> list[list[list[float]]]:
    """log p of each token of each answer after the prompt, one list a set of levels; the sets are the rows of one batch.

    Several answers share the keys and values of the prompt, a row's own, up to the prompt's last token.
    """
    anchor = attached.anchor
    for answer in answers:
        anchor.check(ids + answer)
    rows = torch.tensor([[level in levels for levels in sets] for level in range(1, attached.slots.levels + 1)])
    past, fresh = None, ids
    with torch.inference_mode(), attached.by_row(rows):
        if len(answers) > 1 and len(ids) > 1:
            past, fresh = DynamicCache(config=anchor.model.config), ids[-1:]
            attached.forward(_batch(anchor, ids[:-1], len(sets)), past=past, keep=1)
        found = []
        for answer in answers:
            own = copy.deepcopy(past) if answer is not answers[-1] else past  # a sliding window cannot be wound back
            scores = attached.forward(_batch(anchor, (fresh + answer)[:-1], len(sets)), past=own, keep=len(answer)).float()
            wanted = torch.tensor(answer, device=scores.device).view(1, -1, 1).expand(len(sets), -1, -1)
            found.append((scores.gather(-1, wanted).squeeze(-1) - scores.logsumexp(-1)).tolist())
    return found


def _batch(anchor: Anchor, ids: list[int], rows: int) -> Tensor:
    return torch.tensor([ids], device=anchor.device).expand(rows, -1)
