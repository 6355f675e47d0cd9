"""The tree: its arithmetic, and that the descent is what the method says."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memstudio.bank.tree import Tree
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from tests.tiny import key_of, make_tree


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    """Trees of one to four levels in few dimensions, with absent clusters and with centroids on a grid, so that distances tie."""
    branching = draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    dim = draw(st.integers(1, 3))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    counts = [int(np.prod(branching[: at + 1])) for at in range(len(branching))]
    centroids = [rng.integers(-2, 3, (count, dim)).astype(np.float32) for count in counts]
    documents = [rng.integers(0, 4, count).astype(np.int64) for count in counts]
    return Tree(centroids, documents, branching)


def brute_force(tree: Tree, key: np.ndarray, hidden: frozenset[ClusterId]) -> list[ClusterId]:
    """The route by a plain loop over every cluster of every level."""
    route: list[ClusterId] = []
    for level in range(1, tree.depth + 1):
        best: tuple[float, int] | None = None
        for index in range(tree.count(level)):
            cluster = ClusterId(level, index)
            below = not route or index // tree.branching[level - 1] == route[-1].index
            if below and tree.documents[level - 1][index] > 0 and cluster not in hidden:
                away = sum((float(a) - float(b)) ** 2 for a, b in zip(tree.centroids[level - 1][index], key, strict=True)) ** 0.5
                best = min(best or (away, index), (away, index))
        if best is None:
            break
        route.append(ClusterId(level, best[1]))
    return route


@given(trees(), st.data())
def test_descending_equals_brute_force(tree: Tree, data: st.DataObject) -> None:
    key = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=tree.dim, max_size=tree.dim)), np.float32)
    everything = [ClusterId(level, index) for level in range(1, tree.depth + 1) for index in range(tree.count(level))]
    hidden = frozenset(data.draw(st.lists(st.sampled_from(everything), max_size=5)))
    route = tree.descend(key, hidden)
    assert list(route.clusters) == brute_force(tree, key, hidden)
    for chosen, distance, runners, margin in zip(route.clusters, route.distances, route.runners_up, route.margins, strict=True):
        others = sorted((float(tree.distances(key, [c])[0]), c) for c in tree.siblings(chosen) if c not in hidden)
        assert list(runners) == [c for _, c in others[:3]]
        assert distance == pytest.approx(float(np.linalg.norm(tree.centroids[chosen.level - 1][chosen.index] - key)))
        assert margin == (others[0][0] - distance if others else None)


@given(trees(), st.data())
def test_hiding_the_chosen_cluster_takes_the_runner_up(tree: Tree, data: st.DataObject) -> None:
    key = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=tree.dim, max_size=tree.dim)), np.float32)
    plain = tree.descend(key)
    for place, chosen in enumerate(plain.clusters):
        detour = tree.descend(key, frozenset([chosen]))
        assert detour.clusters[:place] == plain.clusters[:place]
        runners = plain.runners_up[place]
        assert detour.clusters[place : place + 1] == runners[:1]


@given(trees())
def test_parents_children_and_subtrees_agree(tree: Tree) -> None:
    for top in tree.children(None):
        found = list(tree.subtree(top))
        assert found[0] == top
        assert len(found) == len(set(found))
        for cluster in found[1:]:
            above = tree.parent(cluster)
            assert above in found
            assert cluster in tree.children(above)
            assert tree.present(cluster)
        for cluster in found:
            assert tree.route_to(cluster) == (*tree.ancestors(cluster), cluster)
            assert [step.level for step in tree.route_to(cluster)] == list(range(1, cluster.level + 1))
            assert cluster not in tree.siblings(cluster)


def test_a_childs_index_is_its_parents_times_k_plus_local() -> None:
    tree = make_tree(((3, 4), (12, 4)))
    assert tree.children(ClusterId(1, 2)) == tuple(ClusterId(2, index) for index in (8, 9, 10, 11))
    assert tree.parent(ClusterId(2, 11)) == ClusterId(1, 2)
    assert tree.parent(ClusterId(1, 2)) is None
    assert tree.children(ClusterId(2, 11)) == ()


def test_a_route_ends_where_all_children_are_absent_or_hidden() -> None:
    tree = make_tree(((2, 4), (4, 4), (8, 4)), absent=[ClusterId(3, index) for index in range(4)])
    key = key_of("gold")
    assert len(tree.descend(key, frozenset([ClusterId(1, 1)])).clusters) == 2
    assert tree.descend(key, frozenset([ClusterId(1, 0), ClusterId(1, 1)])).clusters == ()


def test_an_absent_cluster_does_not_exist_and_the_error_says_the_range() -> None:
    tree = make_tree(((2, 4), (4, 4)), absent=[ClusterId(2, 1)])
    assert not tree.present(ClusterId(2, 1))
    with pytest.raises(UserError, match="absent"):
        tree.check(ClusterId(2, 1))
    with pytest.raises(UserError, match="2/0 to 2/3"):
        tree.check(ClusterId(2, 4))
    with pytest.raises(UserError, match="levels 1 to 2"):
        tree.check(ClusterId(3, 0))


@pytest.mark.parametrize("key", [np.zeros(3, np.float32), np.full(384, np.nan, np.float32)], ids=["short", "not a number"])
def test_a_key_that_is_none_is_a_bug_not_a_route(key: np.ndarray) -> None:
    with pytest.raises(ValueError, match="384 finite numbers"):
        make_tree(((2, 4),)).descend(key)
