"""A plan is nested, closed under ancestors and within its budget, whatever the tree and the scores; its file says the same again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.tree import Tree
from memstudio.bank.values import PRUNED, BlockState, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.export.order import best_first
from memstudio.export.plan import ExportPlan, Kept, plan_export, standing
from memstudio.export.plan_file import read_plan, write_plan
from memstudio.export.rank import Ranking, by_chance, by_documents, by_use, inherited, steadied
from tests.tiny import make_bank, make_tree

BRANCHING = (2, 3, 2)
COUNTS = (2, 6, 12)
Case = tuple[tuple[NDArray[np.bool_], ...], tuple[NDArray[np.float64], ...], tuple[int, ...]]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Masks, scores and sizes of a tree of 2 × 3 × 2 clusters; scores may be negative and equal."""
    masks = tuple(np.array(draw(st.lists(st.booleans(), min_size=count, max_size=count)), bool) for count in COUNTS)
    score = st.one_of(st.integers(-3, 9).map(float), st.floats(-1e6, 1e6))
    scores = tuple(np.array(draw(st.lists(score, min_size=count, max_size=count))) for count in COUNTS)
    return masks, scores, tuple(draw(st.integers(1, 50)) for _ in COUNTS)


@given(cases())
def test_every_block_is_taken_once_and_behind_its_ancestors(case: Case) -> None:
    masks, scores, sizes = case
    levels, indices = best_first(BRANCHING, masks, scores, sizes)
    taken = list(zip(levels.tolist(), indices.tolist(), strict=True))
    assert sorted(taken) == [(level, int(at)) for level, mask in enumerate(masks, 1) for at in np.flatnonzero(mask)]
    places = {block: place for place, block in enumerate(taken)}
    for level, index in taken:
        above = index
        for higher in range(level - 1, 0, -1):
            above //= BRANCHING[higher]
            if masks[higher - 1][above]:
                assert places[higher, above] < places[level, index]


@given(cases(), st.integers(0, 20))
def test_no_closed_set_of_the_same_bytes_is_worth_more_than_what_whole_groups_take(case: Case, cut: int) -> None:
    """What Horn's order promises: a beginning that ends where the worth a byte falls is the best closed set of its size."""
    masks, scores, _ = case
    masks, scores = masks[:2], scores[:2]
    levels, indices = best_first(BRANCHING[:2], masks, scores, (1, 1))
    worth = [float(scores[level - 1][index]) for level, index in zip(levels, indices, strict=True)]
    best: dict[int, float] = {}
    for chosen in _closed_sets(masks):
        best[len(chosen)] = max(best.get(len(chosen), -np.inf), sum(scores[level - 1][index] for level, index in chosen))
    sums = np.concatenate([[0.0], np.cumsum(worth)])
    hull = [at for at in range(len(sums)) if all(_under(sums, a, at, b) for a in range(at) for b in range(at + 1, len(sums)))]
    at = hull[cut % len(hull)]
    assert sums[at] == pytest.approx(best[at], rel=1e-9, abs=1e-6)


def _under(sums: NDArray[np.float64], a: int, at: int, b: int) -> bool:
    """Whether the sum at `at` lies on or above the chord from a to b."""
    return bool(sums[at] >= sums[a] + (sums[b] - sums[a]) * (at - a) / (b - a) - 1e-9)


def _closed_sets(masks: tuple[NDArray[np.bool_], ...]) -> list[list[tuple[int, int]]]:
    tops = [(1, int(at)) for at in np.flatnonzero(masks[0])]
    low = [(2, int(at)) for at in np.flatnonzero(masks[1])]
    found: list[list[tuple[int, int]]] = []
    for bits in range(1 << len(tops)):
        upper = [top for n, top in enumerate(tops) if bits >> n & 1]
        free = [(2, i) for _, i in low if (1, i // 3) in upper or not masks[0][i // 3]]
        found += [upper + [one for n, one in enumerate(free) if more >> n & 1] for more in range(1 << len(free))]
    return found


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return open_bank(make_bank(tmp_path_factory.mktemp("banks") / "bank"))


@given(data=st.data())
def test_a_plan_is_nested_closed_and_within_its_budget(bank: Bank, data: st.DataObject) -> None:
    clusters = [ClusterId(level, index) for level in (1, 2, 3) for index in range(bank.tree.count(level))]
    pruned = data.draw(st.sets(st.sampled_from(clusters), max_size=6))
    keep = data.draw(st.sets(st.sampled_from(clusters), max_size=2))
    drop = data.draw(st.sets(st.sampled_from(clusters), max_size=2)) - keep
    scores = tuple(np.array(data.draw(st.lists(st.floats(-9, 9), min_size=n, max_size=n))) for n in (3, 9, 27))
    overlay: Overlay = dict.fromkeys(pruned, PRUNED)
    plan = plan_export(bank, overlay, Ranking("effect", scores, 39), keep=keep, drop=drop)
    floor = max(plan.least_bytes, plan.asked_bytes)
    budgets = sorted(data.draw(st.lists(st.integers(floor, plan.bank_bytes + 9), min_size=2, max_size=4)))
    before: set[ClusterId] = set()
    for budget in budgets:
        found = plan.kept(budget)
        kept = set(members(found))
        assert before <= kept
        assert found.bytes <= budget
        assert found.bytes == plan.generic_bytes + sum(bank.manifest.row_bytes(level) for level, _ in kept)
        for cluster in kept:
            assert cluster not in pruned
            assert all(above in kept or above in pruned for above in bank.tree.ancestors(cluster))
        before = kept
    asked = {
        c
        for top in keep
        for c in bank.tree.subtree(top)
        if not any(under(bank.tree, c, out) and not under(bank.tree, top, out) for out in drop)
    }
    assert asked - pruned <= before


def under(tree: Tree, cluster: ClusterId, top: ClusterId) -> bool:
    return top in tree.route_to(cluster)


def members(kept: Kept) -> list[ClusterId]:
    return [ClusterId(level, int(index)) for level, ids in enumerate(kept.levels, 1) for index in ids]


def test_a_dropped_subtree_is_out_but_for_what_a_kept_block_needs_above_it(bank: Bank) -> None:
    plan = plan_export(bank, {}, by_documents(bank.tree), keep=[ClusterId(3, 4)], drop=[ClusterId(1, 0)])
    kept = set(members(plan.kept(plan.bank_bytes)))
    inside = {cluster for cluster in kept if under(bank.tree, cluster, ClusterId(1, 0))}
    assert inside == set(bank.tree.route_to(ClusterId(3, 4)))
    assert members(plan.kept()) == sorted(inside), "without a budget, what was asked for"


def test_a_budget_below_one_route_or_below_what_is_to_be_kept_is_refused(bank: Bank) -> None:
    plan = plan_export(bank, {}, by_documents(bank.tree))
    assert plan.kept(plan.least_bytes).count >= 1
    with pytest.raises(UserError, match=r"budget .*: one route of 'tiny' takes [\d,]+: allow more"):
        plan.kept(plan.least_bytes - 1)
    pinned = plan_export(bank, {}, by_documents(bank.tree), keep=[ClusterId(1, 0)])
    with pytest.raises(UserError, match="the blocks to keep take"):
        pinned.kept(pinned.asked_bytes - 1)


def test_a_cluster_cannot_be_kept_and_dropped_and_something_must_be_left(bank: Bank) -> None:
    with pytest.raises(UserError, match="1/0: is to be kept and dropped"):
        plan_export(bank, {}, by_documents(bank.tree), keep=[ClusterId(1, 0)], drop=[ClusterId(1, 0)])
    with pytest.raises(UserError, match="no block is left"):
        plan_export(bank, {}, by_documents(bank.tree), drop=[ClusterId(1, at) for at in range(3)])


def test_a_block_that_was_not_reached_inherits_and_never_gets_nothing() -> None:
    tree = make_tree([(2, 4), (6, 4)])
    scores = [np.array([8.0, -1.0]), np.array([5.0, np.nan, np.nan, np.nan, np.nan, np.nan])]
    found = inherited("effect", tree, scores)
    share = tree.documents[1] / np.repeat(tree.documents[0], 3)
    assert found.scores[1][1:3] == pytest.approx(8.0 * share[1:3])
    assert (found.scores[1][3:] > 0).all(), "below a parent that does harm, a trace"
    assert (found.scores[1][3:] < 1e-6).all()
    assert found.reached == 3
    none = inherited("use", tree, [np.full(2, np.nan), np.full(6, np.nan)])
    assert none.scores[0] == pytest.approx(none.scores[0].sum() * tree.documents[0] / tree.documents[0].sum())
    assert all((each > 0).all() for each in none.scores)


def test_a_figure_that_is_not_finite_counts_as_not_measured(bank: Bank) -> None:
    tree = bank.tree
    measured = [np.full(tree.count(level), 2.0) for level in range(1, tree.depth + 1)]
    spoilt = [each.copy() for each in measured]
    spoilt[0][1], measured[0][1] = np.inf, np.nan
    found, same = inherited("norm", tree, spoilt), inherited("norm", tree, measured)
    assert all(np.isfinite(each).all() for each in found.scores)
    assert all(np.array_equal(a, b) for a, b in zip(found.scores, same.scores, strict=True))
    assert found.reached == same.reached


def test_a_sum_is_drawn_toward_the_line_by_what_chance_accounts_for() -> None:
    """A thousand blocks whose true worth is known: the steadied sums lie nearer to it than both the sums and the line."""
    random = np.random.default_rng(3)
    norms = random.normal(10.0, 1.0, 1000)
    worth = 5.0 + 2.0 * (norms - 10.0) + random.normal(0.0, 1.0, 1000)
    sums = worth + random.normal(0.0, 2.0, 1000)
    (found,) = steadied([sums], [np.full(1000, 4.0)], [norms])

    def off(guess: NDArray[np.float64]) -> float:
        return float(((guess - worth) ** 2).mean())

    assert off(found) == pytest.approx(4.0 * 1.0 / (4.0 + 1.0), rel=0.15), "the least that any linear guess leaves"
    assert off(found) < min(off(sums), 1.0)
    (sure,) = steadied([sums], [np.zeros(1000)], [norms])
    assert sure == pytest.approx(sums), "what chance does not touch stays"
    (noisy,) = steadied([sums], [np.full(1000, 1e6)], [norms])
    slope, start = np.polyfit(norms, sums, 1)
    assert noisy == pytest.approx(np.maximum(start + slope * norms, 0.0)), "all chance: the line, and no harm is guessed"


def test_few_blocks_are_not_steadied_and_what_was_not_measured_stays_so() -> None:
    sums, norms = np.arange(30.0), np.ones(30)
    few = np.where(np.arange(30) < 19, sums, np.nan)
    assert np.array_equal(steadied([few], [few], [norms])[0], few, equal_nan=True)
    gap = np.where(np.arange(30) < 25, sums, np.nan)
    (found,) = steadied([gap], [np.full(30, 1e9)], [norms])
    assert found[:25] == pytest.approx(np.full(25, 12.0)), "one norm for all: the mean"
    assert np.isnan(found[25:]).all()


def test_use_counts_routes_and_chance_is_the_same_for_a_seed() -> None:
    tree = make_tree([(2, 4), (6, 4)])
    found = by_use(tree, [(ClusterId(1, 0), ClusterId(2, 1)), (ClusterId(1, 0),)])
    assert (found.scores[0][0], found.scores[1][1]) == (2.0, 1.0)
    assert all(np.array_equal(a, b) for a, b in zip(by_chance(tree, 3).scores, by_chance(tree, 3).scores, strict=True))
    assert not np.array_equal(by_chance(tree, 3).scores[1], by_chance(tree, 4).scores[1])


def test_a_blob_stands_where_the_bank_has_no_row(tmp_path: Path) -> None:
    pruned = open_bank(make_bank(tmp_path / "bank", kept=[None, None, [0, 4]]))
    assert standing(pruned, {})[2].sum() == 2
    overlay = {ClusterId(3, 9): BlockState("ab" * 32), ClusterId(3, 4): PRUNED, ClusterId(3, 7): BlockState("base", 0.5)}
    assert np.flatnonzero(standing(pruned, overlay)[2]).tolist() == [0, 9]


@pytest.fixture
def plan(bank: Bank) -> ExportPlan:
    return plan_export(bank, {}, by_chance(bank.tree, 1), revision=3)


def test_a_plan_that_was_written_is_read_again(bank: Bank, plan: ExportPlan, tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.jsonl", plan)
    found = read_plan(tmp_path / "plan.jsonl", bank, {}, 3)
    assert (found.rank_by, found.least_bytes, found.bank_bytes, found.listed) == ("random", plan.least_bytes, plan.bank_bytes, True)
    for name in ("levels", "indices", "bytes", "scores"):
        assert np.array_equal(getattr(found, name), getattr(plan, name)), name
    write_plan(tmp_path / "half.jsonl", plan, 20)
    assert members(read_plan(tmp_path / "half.jsonl", bank, {}, 3).kept()) == members(plan.first_of(20))


def test_a_plan_says_nothing_to_the_terminal_but_words(bank: Bank, plan: ExportPlan, tmp_path: Path) -> None:
    path = tmp_path / "plan.jsonl"
    write_plan(path, plan)
    path.write_text(path.read_text().replace('"random"', '"use\\u001b[2J\\nall is well"'))
    assert read_plan(path, bank, {}, 3).rank_by == "use[2Jall is well"


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.mark.parametrize(
    ("spoil", "line"),
    [
        (lambda lines: lines[0]["bank"].update(sha256="0" * 64), "is a plan for bank 'tiny'"),
        (lambda lines: lines[0].update(version=2), "line 1: is no plan"),
        (lambda lines: lines.pop(0), "line 1: is no plan"),
        (lambda lines: lines.append(lines[3]), "line 41: cluster .* stands on an earlier line too"),
        (lambda lines: lines.reverse() or lines.insert(0, lines.pop()), "stands before .*, which it needs above it"),
        (lambda lines: lines[2].update(cluster="9/9"), "line 3: cluster 9/9: no such level"),
        (lambda lines: lines[2].update(cluster=3), "line 3: names no cluster"),
        (lambda lines: lines[2].update(score="much"), "line 3: score: must be a number"),
        (lambda lines: lines[2].update(score=10**400), "line 3: score: is beyond what a number may be"),
        (lambda lines: lines.__delitem__(slice(1, None)), "names no block to keep"),
    ],
)
def test_a_plan_that_does_not_fit_is_refused_with_its_line(
    bank: Bank, plan: ExportPlan, tmp_path: Path, spoil: Callable[[list[dict[str, Any]]], object], line: str
) -> None:
    path = tmp_path / "plan.jsonl"
    write_plan(path, plan)
    lines = lines_of(path)
    spoil(lines)
    path.write_text("".join(f"{json.dumps(each)}\n" for each in lines))
    with pytest.raises(UserError, match=line):
        read_plan(path, bank, {}, 3)


def test_a_plan_may_not_name_a_block_that_was_pruned(bank: Bank, plan: ExportPlan, tmp_path: Path) -> None:
    write_plan(tmp_path / "plan.jsonl", plan)
    with pytest.raises(UserError, match="cluster 3/5: no block of its own stands there"):
        read_plan(tmp_path / "plan.jsonl", bank, {ClusterId(3, 5): PRUNED})


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe", b"[]\n", b"{" * 9000, b"null\n"])
def test_what_is_no_plan_is_one_line(bank: Bank, tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "plan").write_bytes(raw)
    with pytest.raises(UserError, match="line 1"):
        read_plan(tmp_path / "plan", bank, {})
    with pytest.raises(UserError, match="no file"):
        read_plan(tmp_path, bank, {})
