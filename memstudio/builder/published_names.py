"""Which tensor of a checkpoint is which: names of the published layout are recognised, since no list of them was ever published.

A name of a memory tensor carries a layer number (after `layers`, `layer`, `blocks`, `block` or `h`), an end W1, W2 or W3 in any case
(or gate, up, down), and mostly a level number; the tensor has three sides. Names of a tree are `centroids.<level>` and
`documents.<level>`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from memstudio.builder.published_files import Stored
from memstudio.errors import UserError

ENDS = ("W1", "W2", "W3")
_ALIASES = {"gate": "W1", "up": "W2", "down": "W3"}
_END = re.compile(r"(?:^|[._/-])(w[123]|gate|up|down)(?:_proj)?(?:[._]weights?)?(?P<number>(?:[._/-]\d+)?)$", re.IGNORECASE)
_NUMBER = re.compile(r"(?P<word>[a-z]*)[._/\[-]?(?P<number>\d{1,9})(?!\d)", re.IGNORECASE)
_LAYER_WORDS = ("layers", "layer", "blocks", "block", "h")
_LEVEL_WORDS = ("levels", "level", "lvl")
_TREE = re.compile(r"(?:^|[._/-])(centroid|document)s?[._/-]?(\d{1,3})$", re.IGNORECASE)

Key = tuple[str, int | None]
"""What tells one level from another before a tree does: the name without its numbers, and the level number where it has one."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One tensor [C+1, …] of a level in a layer. `end` is W1, W2 or W3."""

    key: Key
    layer: int
    end: str
    tensor: Stored


@dataclass(frozen=True, slots=True)
class _Named:
    """A name taken apart: its numbers but the layer's, in order, and the place of the one that follows the word level."""

    stem: str
    end: str
    layer: int
    numbers: tuple[int, ...]
    level_at: int | None
    tensor: Stored


def pieces(tensors: Iterable[Stored]) -> list[Piece]:
    """The memory tensors among all tensors of a checkpoint, in the order of their names.

    Raises:
        UserError: several numbers of a name could be the level's.
    """
    families: dict[str, list[_Named]] = {}
    for tensor in tensors:
        named = _taken_apart(tensor)
        if named is not None:
            families.setdefault(named.stem, []).append(named)
    found: list[Piece] = []
    for stem, family in sorted(families.items()):
        at = _level_place(family)
        found += [Piece((stem, None if at is None else each.numbers[at]), each.layer, each.end, each.tensor) for each in family]
    return found


def tree_parts(tensors: Iterable[Stored]) -> tuple[dict[int, Stored], dict[int, Stored]]:
    """(centroids, documents) by the number in their names."""
    found: dict[str, dict[int, Stored]] = {"centroid": {}, "document": {}}
    for tensor in tensors:
        match = _TREE.search(tensor.name)
        if match is not None:
            kind, number = found[match[1].lower()], int(match[2])
            if number in kind:
                raise UserError(f"{tensor.name!r:.120} and {kind[number].name!r:.120}: two tensors for one level of the tree: remove one")
            kind[number] = tensor
    return found["centroid"], found["document"]


def level_of(rows: dict[Key, int], counts: Sequence[int]) -> tuple[dict[Key, int], bool]:
    """Which level (1 is the coarsest) each key stands for, and whether the tensors end in a generic block.

    rows: first sides of the tensors of each key. counts: clusters of each level of the tree. The numbers in the names decide, counted
    from 0 or from 1, whichever agrees with the tree; where neither does, or there is none, the number of rows does. Keys may share a
    level: W1 and W3 need not be called alike.

    Raises:
        UserError: the rows do not fit the tree.
    """
    for extra in (1, 0):
        for base in (0, 1):
            levels = {key: key[1] - base + 1 for key in rows if key[1] is not None}
            if _fits(rows, levels, counts, extra):
                return levels, extra == 1
        by_rows = {key: counts.index(count - extra) + 1 for key, count in rows.items() if counts.count(count - extra) == 1}
        if _fits(rows, by_rows, counts, extra):
            return by_rows, extra == 1
    have, want = "/".join(str(count) for count in sorted(rows.values())), "/".join(str(count + 1) for count in counts)
    odd = next((f", as {key[0]!r:.80} has {count}" for key, count in sorted(rows.items(), key=str) if count - 1 not in counts), "")
    raise UserError(f"W1, W2, W3 have {have} rows{odd}; the tree asks for {want}, clusters and a generic block: a tree of another bank")


def _fits(rows: dict[Key, int], levels: dict[Key, int], counts: Sequence[int], extra: int) -> bool:
    return len(levels) == len(rows) and all(
        1 <= level <= len(counts) and counts[level - 1] + extra == rows[key] for key, level in levels.items()
    )


def _taken_apart(tensor: Stored) -> _Named | None:
    match = _END.search(tensor.name)
    if match is None or len(tensor.shape) != 3:
        return None
    end = match[1].lower()
    rest = tensor.name[: match.start()] + match["number"]
    found = list(_NUMBER.finditer(rest))
    layers = [at for at, number in enumerate(found) if number["word"].lower() in _LAYER_WORDS]
    if not layers:
        return None
    others = found[: layers[0]] + found[layers[0] + 1 :]
    level_at = next((at for at, number in enumerate(others) if number["word"].lower() in _LEVEL_WORDS), None)
    numbers = tuple(int(number["number"]) for number in others)
    stem = re.sub(r"\d+", "#", rest).lower()
    return _Named(stem, _ALIASES.get(end, end.upper()), int(found[layers[0]]["number"]), numbers, level_at, tensor)


def _level_place(family: list[_Named]) -> int | None:
    """Which of the numbers is the level's: the one after that word, else the only one that differs, else the only one there is."""
    first = family[0]
    if first.level_at is not None or not first.numbers:
        return first.level_at
    differing = [at for at in range(len(first.numbers)) if len({each.numbers[at] for each in family}) > 1]
    if len(differing) > 1:
        raise UserError(f"{first.tensor.name!r:.160}: several of its numbers could be the level: write level.N before one")
    if differing:
        return differing[0]
    return 0 if len(first.numbers) == 1 else None
