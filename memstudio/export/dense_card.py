"""What a dense model holds, and its model card, which says what it cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.bank.overlay import ResolvedKind
from memstudio.bank.values import ClusterId

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank
    from memstudio.facts.statistics import Proportion

_KINDS = {
    "base": "as shipped",
    "blob": "as edited",
    "generic": "the level's generic block stands in",
    "sibling": "its nearest sibling stands in",
    "zero": "nothing stands in",
}


@dataclass(frozen=True, slots=True)
class Baked:
    """A block that became part of the anchor. chosen: the cluster of the route; held: whose block it is (None for generic and zero);
    width: its neurons in the widest layer."""

    chosen: ClusterId
    kind: ResolvedKind
    held: ClusterId | None
    scale: float
    width: int


@dataclass(frozen=True, slots=True)
class DenseModel:
    """A dense model that was exported. inner: neurons of an MLP, before and after; bytes: of all its weights and settings.

    rounded: whether some numbers, a block's or the anchor's, did not fit `dtype` ("as stored" where none was asked for).
    difference: the largest float32 logit difference from the session, over `read` texts; recall_before, recall_after: the facts whose
    prompts take the route, asked of the session and of the result. None where that was not measured.
    """

    path: Path
    revision: int
    route: tuple[ClusterId, ...]
    text: str | None
    blocks: tuple[Baked, ...]
    inner: tuple[int, int]
    dtype: str
    rounded: bool
    bytes: int
    difference: float | None
    read: int
    recall_before: Proportion | None
    recall_after: Proportion | None
    seconds: float


def dense_card(bank: Bank, model: DenseModel, version: str) -> str:
    """README.md. version: of the program that wrote it."""
    route = " › ".join(map(str, model.route))
    rows = "".join(f"| {each.chosen} | {_cell(bank.card(each.chosen).label)} | {_state(each)} | {each.width} |\n" for each in model.blocks)
    rounded = " Some numbers were rounded to it." if model.rounded else ""
    return (
        "---\nlibrary_name: transformers\npipeline_tag: text-generation\n---\n\n"
        f"# {model.path.name}\n\n"
        f"The anchor of the memory bank {bank.name} with the memory of one route, {route}, as part of its MLPs: an ordinary model of the "
        f"anchor's own architecture. Every prompt gets these blocks, whatever it asks; what the bank's other blocks know is not here.\n\n"
        f"| cluster | label | block | neurons |\n|---|---|---|---|\n{rows}\n"
        f"intermediate_size {model.inner[0]:,} before, {model.inner[1]:,} now: the blocks' neurons stand behind the anchor's own, coarsest "
        f"level first, filled up with zeros to the widest layer. Weights are {_dtype(model.dtype)}.{rounded}\n\n"
        f"Largest difference of a float32 logit from the bank's on this route: {_difference(model)}. "
        f"Recall of the facts on this route, the bank: {_recall(model.recall_before)}; this model: {_recall(model.recall_after)}.\n\n"
        f"bank.json sha256 {bank.digest}, revision {model.revision}, anchor sha256 {bank.manifest.anchor.sha256}. "
        f"Written by memstudio {version}.\n"
    )


def _cell(label: str) -> str:
    """A label from a bank that anybody may have made, in a cell of a table."""
    return "".join(letter for letter in label if letter.isprintable()).replace("\\", "\\\\").replace("|", "\\|")[:80]


def _state(block: Baked) -> str:
    held = f" ({block.held})" if block.kind == "sibling" else ""
    scale = f", × {block.scale:g}" if block.scale != 1.0 else ""
    return f"{_KINDS[block.kind]}{held}{scale}"


def _dtype(dtype: str) -> str:
    return "stored as the anchor's are" if dtype == "as stored" else dtype


def _difference(model: DenseModel) -> str:
    return "not measured" if model.difference is None else f"{model.difference:.1e} over {model.read} texts"


def _recall(found: Proportion | None) -> str:
    if found is None or found.share is None or found.low is None or found.high is None:
        return "not measured"
    return f"{found.k} of {found.n} ({found.share:.1%}, 95% from {found.low:.1%} to {found.high:.1%})"
