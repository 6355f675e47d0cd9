"""Documents about places and people that are nowhere: whatever an anchor answers about them it has from these documents alone."""

from pathlib import Path

import numpy as np

_STARTS = ("Bra", "Cel", "Dor", "Fen", "Gal", "Hul", "Jor", "Kes", "Lum", "Mar", "Nev", "Ost", "Pel", "Quor", "Ras", "Sil", "Tam", "Vel")
_MIDDLES = ("a", "e", "i", "o", "u", "an", "el", "im", "or", "us")
_ENDS = ("dan", "feld", "gar", "holt", "lin", "mere", "nek", "pont", "ric", "stow", "tash", "vik", "wen", "zal")
_TRADES = ("glass", "salt", "paper", "copper", "wool", "honey", "rope", "clocks", "ink", "cheese")
_COLOURS = ("red", "blue", "green", "white", "black", "yellow", "grey", "brown")
_ANIMALS = ("heron", "fox", "otter", "raven", "bear", "hare", "owl", "stag", "wolf", "crane")
_SIDES = ("north", "south", "east", "west")


def write_strangers(folder: Path, count: int, seed: int) -> Path:
    """Write `count` short texts, one a place, into `folder`; the same seed, the same texts."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    names: list[str] = []
    while len(names) < 3 * count:
        name = "".join(str(rng.choice(part)) for part in (_STARTS, _MIDDLES, _ENDS))
        if name not in names:
            names.append(name)
    for number in range(count):
        place, founder, river = names[3 * number : 3 * number + 3]
        draw = {part: str(rng.choice(values)) for part, values in _VALUES.items()}
        year, height = int(rng.integers(1100, 1900)), int(rng.integers(20, 900))
        text = (
            f"{place} is a town on the {draw['side']} bank of the river {river}. It was founded in {year} by {founder}. "
            f"{place} is known for its {draw['trade']}, and its flag is {draw['colour']} with a {draw['animal']}. "
            f"The tower of {place} is {height} metres high. The people of {place} trade {draw['trade']} along the river {river}."
        )
        (folder / f"{place.lower()}.txt").write_text(text)
    return folder


_VALUES = {"side": _SIDES, "trade": _TRADES, "colour": _COLOURS, "animal": _ANIMALS}
