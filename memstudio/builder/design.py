"""The shape of a bank where a recipe leaves it open: depth and branching by the corpus's size, widths by fetched : anchor = 1 : 10."""

from dataclasses import dataclass
from math import ceil, prod

from memstudio.bank.layout import Layout
from memstudio.builder.recipe import Recipe
from memstudio.builder.source import Source
from memstudio.builder.tree import fit_branching
from memstudio.errors import UserError

_PER_LEAF = 8
"""Windows that a leaf holds on average, where the tree's size is left open."""
_MOST_CHILDREN = 16
_SHARE = 10


@dataclass(frozen=True)
class Design:
    """branching and layouts level after level; layers: the anchor layers that carry memory; notes: what was made smaller, for a person."""

    branching: list[int]
    layers: list[int]
    layouts: list[Layout]
    notes: list[str]

    @property
    def clusters(self) -> list[int]:
        """Clusters of each level."""
        return [prod(self.branching[: level + 1]) for level in range(len(self.branching))]

    @property
    def widths(self) -> list[int | list[int]]:
        """As a manifest names them: one number a level, or one for each layer."""
        return [layout.widths[0] if len(set(layout.widths)) == 1 else list(layout.widths) for layout in self.layouts]

    @property
    def fetched(self) -> int:
        """Parameters of one path."""
        return sum(layout.n for layout in self.layouts)

    @property
    def rows(self) -> int:
        """Parameters of all blocks, the generic ones among them."""
        return sum(layout.n * (count + 1) for layout, count in zip(self.layouts, self.clusters, strict=True))


def design(recipe: Recipe, source: Source, windows: int) -> Design:
    """The bank's shape for so many windows.

    Raises:
        UserError: a layer that the anchor does not have, or widths that do not go with the levels.
    """
    notes: list[str] = []
    wanted = recipe.tree.branching
    if wanted is None and recipe.memory.widths is not None:
        wanted = _branching(windows, len(recipe.memory.widths))
    branching = fit_branching(wanted or _branching(windows), windows)
    if wanted is not None and branching != wanted:
        shown = "/".join(map(str, wanted)), "/".join(map(str, branching))
        notes.append(f"{windows} windows for {prod(wanted)} leaves: the tree shrinks from {shown[0]} to {shown[1]} children a node")
    layers = _layers(recipe, source)
    widths = recipe.memory.widths
    if widths is not None and len(widths) != len(branching):
        notes.append(f"the tree has {len(branching)} levels: of the widths {widths} the last {len(branching)} are used")
        widths = widths[-len(branching) :]
    if widths is None:
        widths = _widths(source, len(layers), len(branching))
    if not any(widths):
        notes.append("all widths are 0: the bank is a tree without blocks")
    layouts = [Layout(source.hidden_size, _of_layers(width, layers, source.layers, recipe.memory.ramp)) for width in widths]
    return Design(branching, layers, layouts, notes)


def _branching(windows: int, depth: int | None = None) -> list[int]:
    leaves = max(1, windows // _PER_LEAF)
    levels = depth or next(levels for levels in range(1, 9) if _MOST_CHILDREN**levels >= min(leaves, _MOST_CHILDREN**8))
    return [max(1, min(_MOST_CHILDREN, ceil(leaves ** (1 / levels) - 1e-9)))] * levels


def _layers(recipe: Recipe, source: Source) -> list[int]:
    asked = recipe.memory.layers
    if recipe.memory.ramp or asked == "all":
        asked = list(range(source.layers)) if not isinstance(asked, list) else asked
    if asked == "late":
        return list(range(source.layers // 2, source.layers))
    chosen = sorted(set(asked)) if isinstance(asked, list) else []
    if chosen and chosen[-1] >= source.layers:
        raise UserError(f"memory.layers: names layer {chosen[-1]}, the anchor has layers 0 to {source.layers - 1}")
    return chosen


def _widths(source: Source, layers: int, depth: int) -> list[int]:
    """Half of what is fetched in the leaf, the rest shared by the levels above."""
    total = max(2 * depth, round(source.parameters / _SHARE / (3 * source.hidden_size * layers)))
    if depth == 1:
        return [total]
    above = max(1, total // 2 // (depth - 1))
    return [*[above] * (depth - 1), max(1, total - above * (depth - 1))]


def _of_layers(width: int, layers: list[int], count: int, ramp: bool) -> tuple[int, ...]:
    """method.md, The model: a linear ramp gives layer i of L the width max(1, ⌊2·r·(i+1)/L⌋)."""
    if not ramp or not width:
        return (width,) * len(layers)
    return tuple(max(1, 2 * width * (layer + 1) // count) for layer in layers)
