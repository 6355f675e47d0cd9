"""The routes of the bank's own prompts, shipped with it so that scoring needs no encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import read_header
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from memstudio.facts.read import prompts_of
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank

Path = tuple[ClusterId, ...]


def read_routes(bank: Bank, facts: Sequence[Fact]) -> dict[str, Path]:
    """The route of each prompt of `facts`, which must be the bank's own; {} where the bank ships none.

    routes.safetensors holds `routes` int32 [prompts, levels], prompts in the order of `prompts_of` fact by fact; −1: the route had ended.

    Raises:
        UserError: the file has another shape, or names clusters that do not exist or do not lie on one path.
    """
    if not bank.routes_path.is_file():
        return {}
    prompts = [text for fact in facts for _, text in prompts_of(fact)]
    file = read_header(bank.routes_path)
    rows = cast(NDArray[np.int32], file.read("routes", "I32", (len(prompts), bank.tree.depth)))
    known: dict[tuple[int, ...], Path] = {}
    routes: dict[str, Path] = {}
    for number, (text, row) in enumerate(zip(prompts, rows.tolist(), strict=True)):
        indices = tuple(row)
        if indices not in known:
            known[indices] = _path(bank, indices, number)
        routes[text] = known[indices]
    return routes


def _path(bank: Bank, indices: tuple[int, ...], number: int) -> Path:
    ended = indices.index(-1) if -1 in indices else len(indices)
    path = tuple(ClusterId(level, index) for level, index in enumerate(indices[:ended], 1))
    sound = all(index == -1 for index in indices[ended:]) and all(bank.tree.present(cluster) for cluster in path)
    if not sound or (path and bank.tree.route_to(path[-1]) != path):
        raise UserError(f"{bank.routes_path}: the route of prompt {number} is no path of this bank's tree; build the bank again")
    return path
