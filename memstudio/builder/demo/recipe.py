"""The demo's recipe: how the bundled bank, its anchor among it, is built from generated facts."""

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from memstudio.errors import UserError


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CorpusPart(_Part):
    """Where the documents and facts come from: `demo` is the bundled generator."""

    generator: Literal["demo"] = "demo"
    seed: int = 0


class TreePart(_Part):
    """The k-means tree: children per node, level after level; no cluster over `cap`/k of its parent's documents."""

    branching: list[int] = Field(default=[6, 6, 6], min_length=1, max_length=8)
    cap: float = 1.5
    seed: int = 0


class AnchorPart(_Part):
    """The anchor: a Llama-architecture model, trained first on what is common knowledge."""

    vocabulary: int = 6000
    hidden_size: int = 256
    layers: int = 4
    heads: int = 4
    intermediate_size: int = 704
    positions: int = 512
    steps: int = 3000
    batch: int = 64
    lr: float = 1.5e-3
    noise: float = 0.5
    seed: int = 0


class MemoryPart(_Part):
    """The blocks: width of each level, the anchor layers that carry them, and how they are trained.

    anchor_lr: the anchor's learning rate while its memories are trained (gentle co-training); 0 freezes it.
    passage_steps: steps after these, at `passage_lr`, two in three on the passages that answer a prompt, the rest on whole paths.
    opening_steps: steps after those, half of them on the first words of these passages: one wrong name there spoils all that follows.
    depth_odds: weights of training on the whole path, then on paths cut after 1, 2, … levels.
    document_odds: the share of steps on whole documents; the rest are phrasings of facts, `noise` of them corrupted.
    """

    layers: list[int] = [1, 2, 3]
    widths: list[int] = [32, 24, 14]
    steps: int = 12000
    groups: int = 16
    group_size: int = 8
    lr: float = 4e-3
    lr_end: float = 4e-4
    anchor_lr: float = 2e-4
    passage_steps: int = 0
    opening_steps: int = 0
    passage_lr: float = 1.5e-3
    depth_odds: list[float] = [0.6, 0.1, 0.1]
    document_odds: float = 0.12
    noise: float = 0.5
    fallback: Literal["zero", "generic", "sibling"] = "zero"
    dtype: Literal["bfloat16", "float16", "float32"] = "bfloat16"
    seed: int = 0


class DemoRecipe(_Part):
    """All of it, as the YAML file says it."""

    name: str
    corpus: CorpusPart = CorpusPart()
    tree: TreePart = TreePart()
    anchor: AnchorPart = AnchorPart()
    memory: MemoryPart = MemoryPart()

    def as_json(self) -> dict[str, Any]:
        """The recipe as plain JSON values, for the manifest."""
        return self.model_dump(mode="json")

    def check(self, path: Path) -> None:
        """Refuse parts that do not go together.

        Raises:
            UserError: there are such; `path` names the recipe.
        """
        if len(self.memory.widths) != len(self.tree.branching):
            raise UserError(f"{path}: memory.widths names {len(self.memory.widths)} levels, tree.branching {len(self.tree.branching)}")
        if any(not 0 <= layer < self.anchor.layers for layer in self.memory.layers):
            raise UserError(f"{path}: memory.layers names a layer that the anchor of {self.anchor.layers} layers has not")
