"""A recipe says how a bank is made from an anchor and documents; the same recipe, files, packages and machine give the same bytes."""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from memstudio.bank.values import Fallback
from memstudio.builder.corpus import MAX_WINDOW
from memstudio.builder.demo.recipe import DemoRecipe
from memstudio.errors import UserError

_RECIPE_BYTES = 1 << 20
Width = Annotated[int, Field(ge=0, le=100_000)]
Layer = Annotated[int, Field(ge=0, le=9_999)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TreePart(_Part):
    """The k-means tree. branching: children per node, level after level (None: from the corpus's size); no cluster over `cap`/k of its
    parent's documents while it grows."""

    branching: Annotated[list[Annotated[int, Field(ge=1, le=65_536)]], Field(min_length=1, max_length=8)] | None = None
    cap: Annotated[float, Field(ge=1.0, le=1_000.0)] = 1.5
    seed: Annotated[int, Field(ge=0)] = 0


class MemoryPart(_Part):
    """The blocks. layers: the anchor layers that carry them (`late` is the later half). widths: neurons a layer, level after level (None:
    so that what is fetched is a tenth of the anchor). ramp: layer i of L gets max(1, ⌊2·r·(i+1)/L⌋) instead of r, L being all layers.
    """

    layers: Literal["late", "all"] | Annotated[list[Layer], Field(min_length=1)] = "late"
    widths: Annotated[list[Width], Field(min_length=1, max_length=8)] | None = None
    ramp: bool = False
    fallback: Fallback = "generic"
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"


class TrainingPart(_Part):
    """How the blocks are trained (method.md, Training).

    mode: `frozen`, the anchor stays and each level-1 subtree is a job of its own; `cotrain`, the anchor moves with them.
    epochs: times that each window is read (None: many for a small corpus, one for a large one). sequence: tokens that are packed together,
    always of one cluster. rows: packs a step. dtype: the anchor's while it trains.
    """

    mode: Literal["frozen", "cotrain"] = "frozen"
    epochs: Annotated[float, Field(gt=0, le=10_000)] | None = None
    sequence: Annotated[int, Field(ge=8, le=MAX_WINDOW)] = 512
    rows: Annotated[int, Field(ge=1, le=1_024)] = 4
    lr: Annotated[float, Field(gt=0, le=1)] = 3e-3
    lr_end: Annotated[float, Field(gt=0, le=1)] = 3e-4
    anchor_lr: Annotated[float, Field(ge=0, le=1)] = 1e-4
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: Annotated[int, Field(ge=0)] = 0


class Recipe(_Part):
    """All of it, as the YAML file says it. anchor: a model folder, or org/repo[@revision]; corpus: files and folders; window: tokens.

    chat: the anchor answers turns of its chat template (None: when it has one); probes: how many a cluster of the deepest level.
    """

    name: str = ""
    anchor: str
    corpus: Annotated[list[str], Field(min_length=1)]
    window: Annotated[int, Field(ge=16, le=MAX_WINDOW)] = 256
    chat: bool | None = None
    tree: TreePart = TreePart()
    memory: MemoryPart = MemoryPart()
    training: TrainingPart = TrainingPart()
    probes: Annotated[int, Field(ge=0, le=1_000)] = 4

    @model_validator(mode="after")
    def _levels_agree(self) -> "Recipe":
        widths, branching = self.memory.widths, self.tree.branching
        if widths is not None and branching is not None and len(widths) != len(branching):
            raise ValueError(f"memory.widths names {len(widths)} levels, tree.branching {len(branching)}")
        return self

    @property
    def title(self) -> str:
        """The bank's name: that given, else the first documents' name."""
        plain = re.sub(r"[^A-Za-z0-9 ._-]+", "-", self.name or Path(self.corpus[0]).resolve().stem).strip("-. ")
        return plain[:64] or "bank"

    def as_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values for the manifest; of paths only the last part, since a bank says nothing of a machine."""
        body = self.model_dump(mode="json")
        body["corpus"] = [Path(path).name for path in self.corpus]
        body["anchor"] = self.anchor if is_hub_id(self.anchor) else Path(self.anchor).name
        return body


def is_hub_id(anchor: str) -> bool:
    """Whether an anchor is named as org/repo[@revision] and no such folder is there."""
    return re.fullmatch(r"[\w.-]+/[\w.-]+(@[\w.-]+)?", anchor) is not None and not Path(anchor).exists()


def load_recipe(path: Path) -> Recipe | DemoRecipe:
    """Read a recipe; the paths in it count from where it lies. One that names a generator is the demo's.

    Raises:
        UserError: no such file, not YAML, an unknown key (the nearest known one is named), or a value that does not fit.
    """
    try:
        if path.stat().st_size > _RECIPE_BYTES:
            raise UserError(f"{path}: a recipe of over 1 MiB is not read")
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot read the recipe ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"{path}: not a YAML recipe ({str(error).splitlines()[0]})") from error
    if not isinstance(data, Mapping):
        raise UserError(f"{path}: not a recipe; it needs at least anchor and corpus")
    corpus = data.get("corpus")
    kind = DemoRecipe if isinstance(corpus, Mapping) else Recipe
    try:
        recipe = kind.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{path}: {problem(error, kind)}") from error
    if isinstance(recipe, DemoRecipe):
        recipe.check(path)
        return recipe
    here = path.resolve().parent
    moved = {"corpus": [str(here / each) for each in recipe.corpus]}
    return recipe.model_copy(update=moved if is_hub_id(recipe.anchor) else {**moved, "anchor": str(here / recipe.anchor)})


def make_recipe(values: Mapping[str, Any]) -> Recipe:
    """A recipe from plain values, as flags or a dialog give them.

    Raises:
        UserError: a value that does not fit.
    """
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise UserError(problem(error, Recipe)) from error


def problem(error: ValidationError, kind: type[BaseModel]) -> str:
    """The first thing that is wrong, in one line; beside an unknown key the nearest known one."""
    first = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in first["loc"]) or "recipe"
    if first["type"] != "extra_forbidden":
        return f"{where}: {first['msg'].removeprefix('Value error, ')}"
    known = _keys_at(kind, first["loc"][:-1])
    near = difflib.get_close_matches(str(first["loc"][-1]), known, 1, 0.0)
    return f"{where:.80}: unknown key; the nearest known one is {near[0]!r}, all are {', '.join(known)}"


def _keys_at(kind: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    for step in place:
        found = kind.model_fields[str(step)].annotation
        if not (isinstance(found, type) and issubclass(found, BaseModel)):
            break
        kind = found
    return sorted(kind.model_fields)
