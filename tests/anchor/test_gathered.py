"""A batch whose rows fetch blocks of their own: each row against the reference path, each block read once, nothing above the budget."""

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memstudio.anchor import engine
from memstudio.anchor.arm import Arm
from memstudio.anchor.attach import Attached
from memstudio.anchor.gathered import _SLACK, ByRow, Gathered, _runs, gathered
from memstudio.anchor.load import Anchor
from memstudio.anchor.wish import RunTime, Wish
from memstudio.bank.bank import Bank
from memstudio.bank.values import ClusterId
from tests.anchor.conftest import fetch

WORDS = "The atomic number of gold is"


def paths_of(bank: Bank) -> list[tuple[ClusterId, ...]]:
    """Every route to a leaf with every beginning of it, twice, the last first."""
    leaves = [ClusterId(3, index) for index in range(bank.tree.count(3)) if bank.tree.present(ClusterId(3, index))]
    routes = [bank.tree.route_to(leaf)[:length] for leaf in leaves for length in (3, 2, 3, 0)]
    return routes[::-1]


def by_path(
    attached: Attached, bank: Bank, paths: Sequence[tuple[ClusterId, ...]], budget: int = 2**29
) -> tuple[Gathered, list[ClusterId]]:
    """The paths' blocks, and a list that grows by each block that is read."""
    read: list[ClusterId] = []

    def block(level: int, number: int) -> torch.Tensor:
        read.append(paths[number][level - 1])
        return bank.block(read[-1])

    fetches = [(*path, *(None,) * (3 - len(path))) for path in paths]
    return Gathered(attached, fetches, block, budget), read


def test_every_row_has_the_logits_of_the_reference_path_and_a_block_is_read_once(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    ids, paths = anchor.encode(WORDS), paths_of(bank)
    fetch(attached, bank)  # what lies in the slots plays no part
    blocks, read = by_path(attached, bank, paths)
    (load,) = blocks.loads()
    assert sorted(load) == list(range(len(paths)))
    assert sorted(read) == sorted({cluster for path in paths for cluster in path})
    with torch.inference_mode(), blocks.lent(load):
        found = attached.forward(torch.tensor([ids] * len(load)))
    for number, row in zip(load, found, strict=True):
        fetch(attached, bank, paths[number])
        torch.testing.assert_close(row, engine.logits(attached, ids), atol=1e-4, rtol=0)


def test_a_budget_parts_the_rows_and_shared_levels_are_read_once_all_the_same(attached: Attached, bank: Bank) -> None:
    paths = paths_of(bank)
    sizes = [layout.n * 4 for layout in bank.layouts]
    budget = sum(sizes) + sizes[2]
    blocks, read = by_path(attached, bank, paths, budget)
    met: list[int] = []
    loads = 0
    for load in blocks.loads():
        loads += 1
        met += load
        own = {cluster for number in load for cluster in paths[number]}
        assert sum(sizes[cluster.level - 1] for cluster in own) <= budget
    assert sorted(met) == list(range(len(paths)))
    assert loads > 3
    assert sorted(read) == sorted({cluster for path in paths for cluster in path})


def test_a_single_row_above_the_budget_is_run(attached: Attached, bank: Bank) -> None:
    paths = paths_of(bank)[-3:]
    blocks, _ = by_path(attached, bank, paths, budget=1)
    assert sorted(number for load in blocks.loads() for number in load) == [0, 1, 2]


def test_loads_keep_the_order_and_the_most_rows_that_are_asked_for(attached: Attached, bank: Bank) -> None:
    blocks, _ = by_path(attached, bank, paths_of(bank))
    assert list(blocks.loads([5, 1, 4, 2, 0], most=2)) == [[5, 1], [4, 2], [0]]


def test_answers_of_rows_with_their_own_blocks_and_rooms_are_those_of_a_run_alone(attached: Attached, anchor: Anchor, bank: Bank) -> None:
    paths = paths_of(bank)
    texts = [" ".join([WORDS] * (1 + number % 3)) for number in range(len(paths))]
    prompts, rooms = [anchor.encode(text) for text in texts], [1 + number % 5 for number in range(len(paths))]
    blocks, _ = by_path(attached, bank, paths)
    found = {number: tokens for numbers, tokens in engine.answering(attached, prompts, rooms, blocks=blocks) for number in numbers}
    assert sorted(found) == list(range(len(paths)))
    assert len({len(tokens) for tokens in found.values()}) > 1
    for number, tokens in found.items():
        fetch(attached, bank, paths[number])
        assert tokens == engine.answer_ids(attached, [prompts[number]], rooms[number])[0]


def test_what_an_arm_silences_is_not_added(anchor: Anchor, bank: Bank) -> None:
    ids, route = anchor.encode(WORDS), bank.tree.route_to(ClusterId(3, 13))
    arm = Arm(bank, anchor)
    arm.follow(RunTime(muted=frozenset({route[1]})))
    blocks = gathered(arm, [Wish("fetched", route), Wish("none"), Wish("generic")], {}, bank.block)
    blocks.load(range(3))
    with torch.inference_mode(), blocks.lent(range(3)):
        found = arm.attached.forward(torch.tensor([ids] * 3))
    for row, wish in zip(found, (Wish("fetched", route), Wish("none"), Wish("generic")), strict=True):
        arm.fetch(wish, {}, bank.block)
        torch.testing.assert_close(row, engine.logits(arm.attached, ids), atol=1e-4, rtol=0)
    arm.attached.detach()


@given(st.lists(st.integers(-1, 7), min_size=1, max_size=60))
def test_products_hold_every_row_once_and_little_padding(of: list[int]) -> None:
    found: dict[int, int] = {}
    for first, end, members in _runs(of, 8):
        rows = sum(map(len, members))
        assert (end - first) * max(map(len, members)) <= 2 * rows + _SLACK
        for block, own in enumerate(members, first):
            found |= dict.fromkeys(own, block)
    assert found == {row: block for row, block in enumerate(of) if block >= 0}


@pytest.mark.parametrize("of", [[0, 0, 0], [2, 0, 1, -1, 2, 2], [-1, 3, 3, 3, 3, 3, 3, 3, 3, 3, 0, 1, 2], [-1, -1, 1]])
def test_what_is_added_is_the_formula_row_by_row(of: list[int]) -> None:
    generator = torch.Generator().manual_seed(1)
    gate, up, down = torch.randn(3, 4, 5, 8, generator=generator, dtype=torch.float64)
    x = torch.randn(len(of), 3, 8, generator=generator, dtype=torch.float64)
    found = ByRow([(gate, up, down)], of).added(x, 0, torch.nn.functional.silu)
    for row, block in enumerate(of):
        own = torch.zeros(3, 8, dtype=torch.float64)
        for neuron in range(5 if block >= 0 else 0):
            a, b = x[row] @ gate[block, neuron], x[row] @ up[block, neuron]
            own += (a / (1 + (-a).exp()) * b)[:, None] * down[block, neuron]
        torch.testing.assert_close(found[row], own)


def test_keys_and_values_of_a_batch_stay_within_their_budget() -> None:
    batches = list(engine._batches([10] * 100, [20] * 100, engine._KEPT // 200))
    assert [len(batch) for batch in batches] == [10] * 10
    assert list(engine._batches([10, 10], [20, 20], engine._KEPT)) == [[0], [1]]
