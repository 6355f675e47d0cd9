"""Anchors and banks of the sizes that are measured, of random numbers, in a folder that goes when the measure is done."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from memstudio.bench.synthetic import ANCHORS, random_anchor, synthetic_bank

TREE = (4, 4, 4)


@contextmanager
def lent_bank(anchor: str, widths: Sequence[int], branching: Sequence[int] = TREE) -> Iterator[Path]:
    """The folder of a bank of random blocks for an anchor of `ANCHORS`, with that tree (few clusters: a block costs the same in any bank)
    and those widths a level."""
    with TemporaryDirectory(prefix="memstudio-speed-") as name:
        folder = random_anchor(Path(name) / "anchor", ANCHORS[anchor])
        yield synthetic_bank(Path(name) / "bank", branching=branching, widths=widths, anchor=folder, fill="random")
