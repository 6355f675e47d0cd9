"""What the building worker does for the window: looks at a model and a place, estimates, builds. Gives back snapshots.

No Qt in here, and nothing of it is ever run on the interface thread, but `is_model_folder` and `field_of`, which import nothing heavy.
"""

from __future__ import annotations

import os
import shutil
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.errors import UserError
from memstudio.ui.build_views import BankBuilt, BuildWish, EstimateView, Field, ModelView, PlaceView
from memstudio.ui.texts import count_text, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from memstudio.builder.recipe import Recipe
    from memstudio.jobs import Job

_BANK = "bank.json"
_THERE = "This bank is there already. Open it, or Build makes it anew from the documents as they are now."
_THERE_KEPT = "This bank is there already. Open it, or Build does again what has changed since, nothing otherwise."


def is_model_folder(path: str | Path) -> bool:
    """Whether a folder holds a model and neither a bank nor a study."""
    folder = Path(path)
    if not (folder / "config.json").is_file() or (folder / _BANK).exists():
        return False
    return next(folder.glob("*.safetensors"), None) is not None


def look_at_model(number: int, model: str) -> ModelView:
    """What a model is.

    Raises:
        UserError: it is not there, or cannot carry memory; the line says why.
    """
    from memstudio.builder.source import find_source

    found = find_source(model)
    shape = f"hidden {found.hidden_size:,}, {counted(found.layers, 'layer')}, {count_text(found.parameters)} parameters"
    return ModelView(number, f"{found.architecture}, {shape}{', chat template' if found.chat else ''}")


def look_at_place(number: int, wish: BuildWish) -> PlaceView:
    """What the bank's folder holds. A bank of the same recipe is no hindrance: a build goes over it again and finds it done.

    Raises:
        UserError: a bank is to be written there, and something else is in the way.
    """
    out, place = wish.out, Path(wish.out)
    begun = place.name != "" and place.with_name(f"{place.name}.build").is_dir()
    if (place / _BANK).exists():
        _refuse_another(wish)
        return PlaceView(number, _THERE_KEPT if begun else _THERE, resumes=begun, made=place)
    if place.exists() and not place.is_dir():
        raise UserError(f"{out}: is a file; name a folder that is empty or not there yet")
    if place.is_dir() and not begun and any(place.iterdir()):
        raise UserError(f"{out}: holds something else; name a folder that is empty or not there yet")
    beside = _existing(place)
    if not beside.is_dir() or not os.access(beside, os.W_OK):
        raise UserError(f"{out}: nothing can be written in {beside}; choose another place")
    return PlaceView(number, "A build was begun here; Build goes on with it." if begun else "", begun)


def _refuse_another(wish: BuildWish) -> None:
    """Go on only where the bank in the folder was built from the wish's recipe.

    Raises:
        UserError: it is another one.
    """
    from memstudio.bank.manifest import load_manifest

    if not wish.complete:
        raise UserError(f"{wish.out}: holds a bank already; choose another folder, or open that one")
    found = load_manifest(Path(wish.out))
    if {name: value for name, value in found.recipe.items() if name != "perplexity"} != recipe_of(wish).as_json():
        raise UserError(f"{wish.out}: holds another bank already ({found.name!r}); choose another folder, or open that one")


def recipe_of(wish: BuildWish) -> Recipe:
    """The recipe that a wish stands for.

    Raises:
        UserError: a value that does not fit.
    """
    from memstudio.builder.recipe import make_recipe

    layers = list(wish.layers) if isinstance(wish.layers, tuple) else wish.layers
    memory = {"layers": layers, "ramp": wish.ramp, "widths": None if wish.widths is None else list(wish.widths)}
    tree = {"branching": None if wish.branching is None else list(wish.branching), "seed": wish.seed}
    training = {"mode": wish.mode, "seed": wish.seed}
    parts = {"tree": tree, "memory": memory, "training": training}
    return make_recipe({"anchor": wish.model, "corpus": list(wish.corpus), "window": wish.window, **parts})


def estimated(number: int, wish: BuildWish, job: Job, device: str, encoder: Path | None) -> EstimateView:
    """What a build would take.

    Raises:
        UserError: bad input.
        Cancelled: the job was.
    """
    from memstudio.builder.estimate import estimate

    found = estimate(recipe_of(wish), job=job, device=device, encoder=encoder)
    branching = tuple(found.branching)
    return EstimateView(
        number,
        wish,
        documents=found.documents,
        windows=found.windows,
        tokens=found.tokens,
        exact=found.exact,
        branching=branching,
        clusters=tuple(prod(branching[: level + 1]) for level in range(len(branching))),
        widths=tuple(_width(width) for width in found.widths),
        layers=tuple(found.layers),
        anchor_parameters=found.anchor_parameters,
        fetched_parameters=found.fetched_parameters,
        bank_parameters=found.bank_parameters,
        seconds=found.seconds,
        by_stage=dict(found.by_stage),
        disk_bytes=found.disk_bytes,
        bank_bytes=found.bank_bytes,
        memory_bytes=found.memory_bytes,
        notes=tuple(found.notes),
        free_bytes=shutil.disk_usage(_existing(Path(wish.out))).free,
    )


def built(number: int, wish: BuildWish, job: Job, log: Callable[[str], None], device: str, encoder: Path | None) -> BankBuilt:
    """Build the bank, or go on with what was begun.

    Raises:
        UserError: bad input, or a full disk.
        Cancelled: the job was; what is done is kept.
    """
    from memstudio.builder.build import build

    look_at_place(number, wish)
    made = build(recipe_of(wish), Path(wish.out), job=job, log=log, device=device, encoder=encoder)
    levels = " · ".join(f"{int(str(level['clusters'])):,}" for level in made.levels)
    return BankBuilt(number, made.path, f"{levels} clusters")


def field_of(line: str, wish: BuildWish) -> Field:
    """The part of the dialog that an error's line is about, by how it begins."""
    names: list[tuple[Sequence[str], Field]] = [
        ((wish.out,), "place"),
        (wish.corpus, "documents"),
        ((wish.model,), "model"),
        (("anchor",), "model"),
        (("corpus",), "documents"),
        (("window", "tree", "memory", "training"), "more"),
    ]
    for beginnings, field in names:
        if any(begin and line.startswith(begin) for begin in beginnings):
            return field
    return ""


def _width(width: int | list[int]) -> int | tuple[int, ...]:
    return width if isinstance(width, int) else tuple(width)


def _existing(place: Path) -> Path:
    while not place.exists() and place != place.parent:
        place = place.parent
    return place
