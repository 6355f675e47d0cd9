"""Frozen values as the session would give them, made by hand, for panels and models that need no model."""

from pathlib import Path

import numpy as np

from memstudio.anchor.values import Answer, Neuron, Run, Token, Trace
from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterCard, ClusterId, Exemplar, Route
from memstudio.facts.values import Fact, Kind
from memstudio.history.values import Revision
from memstudio.ui.fact_views import FactRow, PhrasingView, RequestView
from memstudio.ui.snapshots import BankView, CardView, LevelView, StudyView

ROUTE = Route(
    (ClusterId(1, 0), ClusterId(2, 1)),
    (0.8, 0.5),
    ((ClusterId(1, 2),), (ClusterId(2, 0), ClusterId(2, 3))),
    (0.2, None),
)
LAYERS = (3, 5, 7)


def bank_view(documents: tuple[list[int], ...] = ([5, 0, 7], [1, 2, 0, 3, 0, 0, 0, 0, 4])) -> BankView:
    levels = []
    for level, counts in enumerate(documents, 1):
        above = len(documents[level - 2]) if level > 1 else 1
        levels.append(LevelView(level, len(counts) // above, np.array(counts, dtype=np.int64), 1000 * level))
    return BankView("made", Path("made"), tuple(levels), "zero")


def tokens(*texts: str, revision: int = 0, start: int = 0) -> tuple[Token, ...]:
    return tuple(Token(start + at, sum(map(ord, text)), text, -0.5, revision, 0.01) for at, text in enumerate(texts))


def run(prompt: str, said: tuple[Token, ...], revision: int = 0) -> Run:
    return Run(prompt, prompt, "fetched", ROUTE, "".join(token.text for token in said), said, 0.1, 80.0, revision)


def trace(*, measured: bool = True, revision: int = 0) -> Trace:
    """Layers 3, 5, 7 × levels 1, 2 × 4 tokens; level 2 is not measured at all when `measured` is False."""
    rng = np.random.default_rng(0)
    contribution = rng.standard_normal((3, 2, 4)).astype(np.float32)
    norm = np.abs(rng.standard_normal((3, 2, 4))).astype(np.float32)
    if not measured:
        contribution[:, 1, :] = np.nan
        norm[:, 1, :] = np.nan
    one, two = ROUTE.clusters
    steps = (("none", -6.0), ("1/0", -4.0), ("2/1", -0.1))
    answer = Answer("79", (-0.1,), -6.0, None, -0.1, steps, {one: -2.1, two: -4.1}, {one: -6.0, two: -4.1})
    neurons = (Neuron(two, 7, 2, 3.5, (" gold", "Au")), Neuron(two, 5, 0, -1.0, ()))
    return Trace(
        "A b c d", ("A", " b", " c", " d"), ROUTE, LAYERS, contribution, norm, {one: 2.0, two: 4.0}, neurons, answer, " 47", revision
    )


def revision(number: int, parent: int | None, *, head: bool = False, current: bool = True, changes: tuple[Change, ...] = ()) -> Revision:
    return Revision(number, parent, "prune", f"prune {number}", changes, {}, 1_700_000_000.0 + number, current, head)


def study_view(head: int = 1, pruned: tuple[ClusterId, ...] = (ClusterId(2, 1),)) -> StudyView:
    changes = tuple(Change(cluster, BASE, PRUNED) for cluster in pruned)
    log = (revision(0, None, head=head == 0), revision(1, 0, head=head == 1, current=head == 1, changes=changes))
    overlay: dict[ClusterId, BlockState] = dict.fromkeys(pruned, PRUNED) if head else {}
    return StudyView(Path("chemistry"), False, head, log, overlay, 0 if head else None, None if head else 1)


def card_view(cluster: ClusterId = ROUTE.clusters[1]) -> CardView:
    card = ClusterCard(cluster, "noble metals", ("gold", "silver"), 12, (Exemplar("gold", "Gold is a metal. " * 40),))
    return CardView(card, True, 2000, "its block as shipped")


def fact(name: str, *, relation: str = "number", kind: Kind = "specific", expected: str = "1", target: str = "") -> Fact:
    return Fact(name, name, relation, f"Prompt of {name}", expected, (), (f"Again {name}",), (), (), kind, target)


def fact_rows(count: int) -> tuple[FactRow, ...]:
    return tuple(FactRow(fact(f"f{at}", expected=str(at)), (ClusterId(2, at % 9),)) for at in range(count))


def request_view(number: int, one: Fact | None = None) -> RequestView:
    """A fact whose phrasing fetches another leaf than its prompt; both pass 1/0."""
    known = one or fact("gold")
    first, second = (ClusterId(1, 0), ClusterId(2, 1)), (ClusterId(1, 0), ClusterId(2, 0))
    phrasings = tuple(PhrasingView(text, "the bank's facts", second) for text in known.phrasings)
    return RequestView(
        number, known, "79", first, phrasings, (ClusterId(2, 0), ClusterId(2, 1)), ClusterId(1, 0), tuple(sorted({*first, *second})), 3
    )


def receipt(**changes: object) -> dict[str, object]:
    locality = {"k": 2, "n": 3, "share": 2 / 3, "low": 0.2, "high": 0.9, "protocol": ""}
    answers = [{"fact": "gold", "prompt": "Prompt of gold", "before": "79", "after": "47", "target": "47", "role": "taught"}]
    changed = [{"fact": "tin", "prompt": "Prompt of tin", "before": "50", "after": "47"}]
    return {"measured": True, "answers": answers, "changed": changed, "proportions": {"locality": locality}} | changes
