"""A small anchor and small documents about things that it has never seen."""

from pathlib import Path

import pytest

from memstudio.builder.recipe import Recipe, make_recipe
from tests.standin import use_word_encoder
from tests.tiny import make_anchor

_METALS = ("gold", "iron", "copper", "silver", "tin", "mercury")
_COLOURS = ("red", "blue", "hot", "cold")


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> None:
    use_word_encoder(monkeypatch)


@pytest.fixture
def documents(tmp_path: Path) -> Path:
    return write_documents(tmp_path)


def write_documents(place: Path) -> Path:
    """Twelve short texts in one folder, written in the tiny tokenizer's words; what belongs to what is arbitrary."""
    folder = place / "documents"
    folder.mkdir()
    for at, metal in enumerate(_METALS):
        for side, other in (("ring", _METALS[(at * 5 + 2) % 6]), ("coin", _METALS[(at + 1) % 6])):
            colour = _COLOURS[(at * 3 + len(side) + (side == "coin")) % 4]
            text = f"The {side} of {metal} is {colour} and is known by the {other} wire in the {_COLOURS[(at + 2) % 4]} block of the group"
            (folder / f"{metal}-{side}.txt").write_text(text)
    return folder


@pytest.fixture
def recipe(tmp_path: Path, documents: Path) -> Recipe:
    return small_recipe(tmp_path, documents)


def small_recipe(place: Path, documents: Path) -> Recipe:
    """A bank of two levels over the documents, for an anchor that is written beside them."""
    anchor = make_anchor(place / "model")
    return make_recipe(
        {
            "name": "small",
            "anchor": str(anchor),
            "corpus": [str(documents)],
            "window": 32,
            "tree": {"branching": [2, 2]},
            "memory": {"layers": "all", "widths": [4, 12], "dtype": "float32"},
            "training": {"epochs": 60, "sequence": 64, "rows": 2, "lr": 0.02, "lr_end": 0.002},
        }
    )
