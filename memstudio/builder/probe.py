"""Probes, where there are no facts: for each leaf the spans of its documents whose log-probability the fetched path raises most.

A probe is the text of a window before a span, and the span: one to five whole words on one line, without a full stop, not met before in
the text, every token of which is the likeliest under the fetched path. "Raises" is against the generic path. Among those the text before
must itself route to the leaf: one that does not asks another block. All figures here are of the blocks as the bank holds them, rounded.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from memstudio.anchor.router import Encoder
from memstudio.builder.memory import Fetched, attached, grouped
from memstudio.builder.merge import Merged
from memstudio.builder.packs import IGNORE, Batch, collate
from memstudio.builder.train import Ground, head, hidden_states
from memstudio.builder.tree import Grown, Ints, descend_all
from memstudio.facts.values import Fact
from memstudio.jobs import Job

_MOST_WORDS, _MOST_TOKENS = 5, 12
_SHARE_BEFORE, _FEWEST_BEFORE = 0.25, 24
_PER_WINDOW, _CANDIDATES = 2, 4
_WINDOWS_PER_PROBE = 4
_CUTS = 6
"""Places where a chat anchor's window is parted into turn and answer: its probes are spans that begin an answer."""
_WORD = re.compile(r"\S+")
_EDGES = "\"'“”‘’.,;:!?()[]{}<>*_`|=#~-"
CONDITIONS = ("fetched", "generic", "none")


@dataclass(frozen=True)
class Span:
    """A candidate: the window, the text before the span, the span, and by how many nats the fetched path raises it over generic."""

    window: int
    prompt: str
    expected: str
    gain: float


@dataclass
class Probed:
    """probes as facts; routes int64 [probes, levels] of their prompts; perplexity of the windows looked at, by condition."""

    probes: list[Fact] = field(default_factory=list)
    routes: Ints = field(default_factory=lambda: np.zeros((0, 0), np.int64))
    perplexity: dict[str, float] = field(default_factory=dict)
    windows: int = 0
    elsewhere: int = 0
    """Candidates whose text before routes to another leaf."""


def probe(ground: Ground, grown: Grown, levels: list[Merged], encoder: Encoder, count: int, job: Job) -> Probed:
    """Up to `count` probes of each leaf, and the perplexity of the windows that were looked at under each condition."""
    summed, counted = dict.fromkeys(CONDITIONS, 0.0), 0
    found = Probed()
    routes: list[NDArray[np.int64]] = []
    leaves = [int(leaf) for leaf in np.flatnonzero(grown.documents[-1])]
    for number, leaf in enumerate(leaves):
        job.progress(number, len(leaves))
        inside = np.flatnonzero(grown.paths[:, -1] == leaf)
        some = inside[np.linspace(0, len(inside) - 1, min(len(inside), max(1, _WINDOWS_PER_PROBE * count))).astype(int)]
        spans: list[Span] = []
        for window in some.tolist():
            for cut in range(_CUTS if ground.anchor.chat else 1):
                scores = _scores(ground, levels, window, cut)
                for name in CONDITIONS:
                    summed[name] += float(scores[name].sum())
                counted += len(scores["fetched"])
                spans += _spans(ground, window, scores, cut) if count else []
            found.windows += 1
        chosen, paths, elsewhere = _settle(spans, grown, ground, encoder, leaf, count)
        found.elsewhere += elsewhere
        for span, path in zip(chosen, paths, strict=True):
            name = f"{ground.corpus.names[span.window]}/{sum(span.window == other.window for other in chosen[: chosen.index(span)])}"
            relation = f"{len(levels)}/{leaf}"
            found.probes.append(Fact(name, "", relation, span.prompt, span.expected, (), (), (), (), "probe"))
            routes.append(path)
    found.routes = np.stack(routes) if routes else np.zeros((0, len(levels)), np.int64)
    found.perplexity = {name: math.exp(-total / max(1, counted)) for name, total in summed.items()}
    return found


def _scores(ground: Ground, levels: list[Merged], window: int, cut: int) -> dict[str, Tensor]:
    """Log-probability of each token but the first, by condition; and "hit", whether it is the likeliest under fetched."""
    batch = collate([[window]], ground.ids, ground.paths, _random(window, cut))
    out: dict[str, Tensor] = {}
    for name in CONDITIONS:
        logs = _logprobs(ground, levels, batch, name)
        wanted = batch.targets[0][batch.targets[0] != IGNORE]
        out[name] = logs.gather(1, wanted[:, None])[:, 0]
        if name == "fetched":
            out["hit"] = logs.argmax(1) == wanted
    return out


@torch.no_grad()
def _logprobs(ground: Ground, levels: list[Merged], batch: Batch, condition: str) -> Tensor:
    """float32 [counted positions, vocabulary] on the CPU."""
    clusters = ground.design.clusters
    held = [level for level in levels if level.layout.n and condition != "none"]
    fetched = []
    for level in held:
        at = level.level - 1
        fetched.append(Fetched.take(level, [clusters[at] if condition == "generic" else batch.paths[0][at]], ground.anchor.device))
    with attached(ground.mlps, grouped(fetched), ground.anchor.mlps[0].get_submodule("act_fn")):
        states = hidden_states(ground.anchor, batch)[0]
    return head(ground.anchor, states[(batch.targets[0] != IGNORE).to(states.device)]).float().log_softmax(-1).cpu()


def _random(window: int, cut: int) -> np.random.Generator:
    """Parts the window of a chat anchor alike wherever it is asked."""
    return np.random.default_rng([1, window, cut])


def _spans(ground: Ground, window: int, scores: dict[str, Tensor], cut: int) -> list[Span]:
    """The best spans of one window, best first, none overlapping another; of a chat anchor those with which its answer begins."""
    text, answer, opening = ground.corpus.text(window), 0, 0
    if ground.anchor.chat:
        turn = ground.cut(text, _random(window, cut))
        answer, opening = turn + len(text[turn:]) - len(text[turn:].lstrip()), len(ground.anchor.encode(text[:turn]))
    tokenize = ground.anchor.tokenizer
    encoding = tokenize(text[answer:], add_special_tokens=not ground.anchor.chat, return_offsets_mapping=True, verbose=False)
    offsets = [(first + answer, last + answer) for first, last in encoding["offset_mapping"]]
    gain, hit = (scores["fetched"] - scores["generic"]).tolist(), scores["hit"].tolist()
    found = []
    for start, stop in _stretches(text):
        if ground.anchor.chat and start != answer:
            continue
        tokens = [at for at, (first, last) in enumerate(offsets) if first < stop and last > start and last > first]
        places = [opening + at - 1 for at in tokens]
        if not tokens or len(tokens) > _MOST_TOKENS or places[0] < 0 or places[-1] >= len(gain):
            continue
        if not all(hit[at] for at in places):
            continue
        prompt, expected = text[:start].rstrip(), text[start:stop]
        if len(prompt) >= max(_FEWEST_BEFORE, int(_SHARE_BEFORE * len(text))) and expected.casefold() not in prompt.casefold():
            found.append((Span(window, prompt, expected, sum(gain[at] for at in places)), start, stop))
    found.sort(key=lambda each: -each[0].gain)
    chosen: list[tuple[Span, int, int]] = []
    for span, start, stop in found:
        if span.gain > 0 and all(stop <= first or start >= last for _, first, last in chosen):
            chosen.append((span, start, stop))
        if len(chosen) == _CANDIDATES:
            break
    return [span for span, _, _ in chosen]


def _stretches(text: str) -> Iterator[tuple[int, int]]:
    """Where one to five whole words of a line stand, marks at their ends left out, none with a full stop inside."""
    words = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    for number, (start, _) in enumerate(words):
        while start < len(text) and text[start] in _EDGES:
            start += 1
        for _, end in words[number : number + _MOST_WORDS]:
            stop = end
            while stop > start and text[stop - 1] in _EDGES:
                stop -= 1
            stretch = text[start:stop]
            if "." in stretch or "\n" in stretch:
                break
            if len(stretch) > 1 and any(map(str.isalnum, stretch)):
                yield start, stop


def _settle(
    spans: list[Span], grown: Grown, ground: Ground, encoder: Encoder, leaf: int, count: int
) -> tuple[list[Span], list[NDArray[np.int64]], int]:
    """The best spans whose prompts route to the leaf, at most `_PER_WINDOW` of a window; their paths; how many went elsewhere."""
    spans = sorted(spans, key=lambda span: -span.gain)[: 3 * count]
    if not spans:
        return [], [], 0
    keys = encoder.encode([span.prompt for span in spans])
    paths = descend_all(keys, grown.centroids, [documents > 0 for documents in grown.documents], ground.design.branching)
    chosen: list[Span] = []
    routes: list[NDArray[np.int64]] = []
    for span, path in zip(spans, paths, strict=True):
        of_window = sum(other.window == span.window for other in chosen)
        if path[-1] == leaf and of_window < _PER_WINDOW and len(chosen) < count:
            chosen.append(span)
            routes.append(path)
    return chosen, routes, int((paths[:, -1] != leaf).sum())


