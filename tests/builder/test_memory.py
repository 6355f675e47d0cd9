"""The blocks in training follow the formula, start without effect, and step as Adam does."""

import pytest
import torch
from torch import nn

from memstudio.bank.layout import Layout
from memstudio.builder.memory import Fetched, LevelRows, attached, grouped

D = 8


@pytest.fixture
def levels() -> list[LevelRows]:
    generator = torch.Generator().manual_seed(0)
    return [LevelRows(3, Layout(D, (2, 2)), generator), LevelRows(9, Layout(D, (3, 3)), generator)]


def test_fresh_blocks_add_nothing(levels: list[LevelRows]) -> None:
    mlp = nn.Linear(D, D)
    x = torch.randn(4, 5, D, generator=torch.Generator().manual_seed(1))
    plain = mlp(x)
    fetched = [Fetched.take(level, [0, 1]) for level in levels]
    with attached([mlp, nn.Identity()], grouped(fetched), torch.nn.functional.silu):
        assert torch.equal(mlp(x), plain)


def test_a_group_of_rows_gets_the_sum_of_its_own_blocks(levels: list[LevelRows]) -> None:
    for level in levels:
        level.rows.normal_(generator=torch.Generator().manual_seed(2))
    mlps = [nn.Linear(D, D), nn.Linear(D, D)]
    x = torch.randn(4, 5, D, generator=torch.Generator().manual_seed(1))
    plain = mlps[1](x)
    paths = [(2, 7), (0, 1)]
    fetched = [Fetched.take(level, [path[i] for path in paths]) for i, level in enumerate(levels)]
    with attached(mlps, grouped(fetched), torch.nn.functional.silu), torch.no_grad():
        got = mlps[1](x)
    for row in range(4):
        expected = plain[row].clone()
        for level, cluster in zip(levels, paths[row // 2], strict=True):
            gate, up, down = level.layout.split(level.rows[cluster])[1]
            expected += (torch.nn.functional.silu(x[row] @ gate.T) * (x[row] @ up.T)) @ down
        assert torch.allclose(got[row], expected, atol=1e-5)


def test_a_fetched_row_steps_as_torch_adam_and_the_others_stay(levels: list[LevelRows]) -> None:
    level = levels[0]
    before = level.rows.clone()
    twin = nn.Parameter(before[1].clone())
    adam = torch.optim.Adam([twin], lr=0.01, betas=(0.9, 0.95))
    for step in range(5):
        fetched = Fetched.take(level, [1, 1])
        (fetched.values[fetched.of_group] ** 2 * (step + 1)).sum().backward()
        fetched.learn(0.01)
        adam.zero_grad()
        (2 * twin**2 * (step + 1)).sum().backward()
        adam.step()
    assert torch.allclose(level.rows[1], twin.detach(), atol=1e-6)
    assert torch.equal(level.rows[[0, 2, 3]], before[[0, 2, 3]])
