"""The model card of a smaller bank: where it comes from, what it kept, what it still answers."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import JsonValue

from memstudio.bank.values import Fallback
from memstudio.export.plan import Kept

_STANDS_IN = {
    "zero": "adds nothing",
    "generic": "is replaced by the level's generic block",
    "sibling": "is replaced by its nearest sibling that was kept",
}


def bank_card(name: str, parent: Mapping[str, JsonValue], kept: Kept, fallback: Fallback) -> str:
    """README.md. parent: as the manifest has it; with "recall_before" and "recall_after" where they were measured."""
    sizes = parent.get("bytes")
    before = sizes.get("before") if isinstance(sizes, dict) else None
    share = f" of {before:,}" if isinstance(before, int) else ""
    rows = "".join(f"| {level} | {len(ids):,} | {of:,} |\n" for level, (ids, of) in enumerate(zip(kept.levels, kept.whole, strict=True), 1))
    return (
        f"# {name}\n\n"
        f"A smaller bank, exported from {parent.get('name')} at revision {parent.get('revision')}, "
        f"bank.json sha256 {parent.get('sha256')}.\n\n"
        f"{kept.bytes:,}{share} bytes of block rows, the generic rows counted. Ranked by {parent.get('rank_by')}; "
        f"`plan.jsonl` lists the blocks in the order in which they were taken.{_precision(kept)}\n\n"
        f"| level | blocks kept | of |\n|---|---|---|\n{rows}\n"
        f"The tree is whole, so every key takes the route that it took before. A block that was dropped {_STANDS_IN[fallback]}.\n\n"
        f"Recall before: {_recall(parent.get('recall_before'))}; after: {_recall(parent.get('recall_after'))}.\n\n"
        f"Written by memstudio {parent.get('memstudio')}.\n"
    )


def _precision(kept: Kept) -> str:
    """Where not all blocks are stored as they were."""
    counts = kept.counts
    if set(counts) <= {"bank"}:
        return ""
    words = [f"{count:,} as {'they were' if each == 'bank' else each}" for each, count in counts.items()]
    return f" Blocks are stored {', '.join(words)}; the codes of int8 and int4 have a scale a memory vector."


def _recall(found: JsonValue) -> str:
    if not isinstance(found, dict) or not found.get("n"):
        return "not measured"
    share, low, high = (found.get(name) for name in ("share", "low", "high"))
    interval = f", 95% from {low:.1%} to {high:.1%}" if isinstance(low, float) and isinstance(high, float) else ""
    return f"{found.get('k')} of {found.get('n')} ({share:.1%}{interval})" if isinstance(share, float) else "not measured"
