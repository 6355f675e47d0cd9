"""The figures of a bank that `info` prints, from its manifest and headers alone."""

from math import prod
from pathlib import Path

from memstudio.bank.files import TensorFile, inside
from memstudio.bank.manifest import Dtype, Manifest, blocks_file
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.errors import UserError

_MAX_CONFIG_BYTES = 1 << 20


def bank_figures(folder: Path, manifest: Manifest, digest: str, files: dict[str, TensorFile]) -> dict[str, object]:
    """JSON values. Parameters count numbers, bytes count what is stored.

    bank_parameters: blocks of clusters (the paper's Σ s·k^l over the blocks that are there); generic_parameters apart;
    fetched_parameters: one block a level; bank_bytes: all block rows and their scales, generic included, anchor never.

    Raises:
        UserError: the anchor's configuration is no JSON.
    """
    depth = range(1, manifest.depth + 1)
    sizes = [manifest.layout(level).n for level in depth]
    stored = [_stored(manifest, level, files) for level in depth]
    rows = [sum(each.values()) for each in stored]
    kept = [count - (manifest.generic and n > 0) for count, n in zip(rows, sizes, strict=True)]
    return {
        "name": manifest.name,
        "digest": digest,
        "kind": manifest.kind,
        "activation": manifest.activation,
        "dtype": manifest.dtype,
        "coarser": list(manifest.coarser),
        "anchor": {"source": manifest.anchor.source, "hidden_size": manifest.hidden_size, **_anchor_figures(folder, manifest, files)},
        "layers": list(manifest.layers),
        "levels": [_level_figures(manifest, level, kept[level - 1], stored[level - 1]) for level in depth],
        "branching": list(manifest.branching),
        "bank_parameters": sum(n * count for n, count in zip(sizes, kept, strict=True)),
        "generic_parameters": sum(sizes) if manifest.generic else 0,
        "fetched_parameters": sum(sizes),
        "bank_bytes": sum(manifest.row_bytes(level, dtype) * n for level in depth for dtype, n in stored[level - 1].items()),
        "generic": manifest.generic,
        "fallback": manifest.fallback,
        "retriever": manifest.retriever.model_dump(),
        "folder_bytes": sum(reference.bytes for reference in manifest.files.values()),
        "parent": manifest.parent,
    }


def _stored(manifest: Manifest, level: int, files: dict[str, TensorFile]) -> dict[Dtype, int]:
    """Rows of a level in each dtype, the generic one counted."""
    if not manifest.layout(level).n:
        return {manifest.dtype: 0}
    tensors = files[blocks_file(level)].tensors
    names: list[tuple[Dtype, str]] = [(manifest.dtype, "blocks"), *((each, f"blocks.{each}") for each in manifest.coarser)]
    return {dtype: tensors[name].shape[0] for dtype, name in names}


def _level_figures(manifest: Manifest, level: int, blocks: int, stored: dict[Dtype, int]) -> dict[str, object]:
    spec = manifest.levels[level - 1]
    return {
        "level": level,
        "clusters": spec.clusters,
        "width": spec.width if isinstance(spec.width, int) else list(spec.width),
        "block_bytes": manifest.row_bytes(level),
        "blocks": blocks,
        "rows": dict(stored),
        "parameters": manifest.layout(level).n,
    }


def _anchor_figures(folder: Path, manifest: Manifest, files: dict[str, TensorFile]) -> dict[str, object]:
    """Parameters and architecture of an anchor inside the folder; None where it is elsewhere, for it is not looked for here."""
    weights = [file for path, file in files.items() if path.startswith("anchor/")]
    if manifest.anchor.source != "anchor/" or not weights:
        return {"parameters": None, "architecture": None}
    path = inside(folder, "anchor/config.json")
    try:
        config = strict_json(read_limited(path, _MAX_CONFIG_BYTES))
    except ValueError:
        raise UserError(f"{path}: not valid JSON") from None
    names = config.get("architectures") if isinstance(config, dict) else None
    return {
        "parameters": sum(prod(entry.shape) for file in weights for entry in file.tensors.values()),
        "architecture": str(names[0])[:200] if isinstance(names, list) and names else None,
    }
