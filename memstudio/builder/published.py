"""From the published layout to a bank folder of format 1: what others trained, exactly, beside an anchor that it fits."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import TypeAdapter, ValidationError

from memstudio.anchor.router import find_encoder
from memstudio.bank.bank import open_bank
from memstudio.bank.files import anchor_files, inside
from memstudio.bank.manifest import Dtype, Name
from memstudio.bank.strictjson import read_limited, strict_json
from memstudio.bank.write import write_bank
from memstudio.builder.keys import RETRIEVER
from memstudio.builder.published_files import Stored
from memstudio.builder.published_read import Published, block_rows, ramp_of, read_published
from memstudio.builder.published_write import Written, write_published
from memstudio.builder.source import Source, find_source
from memstudio.errors import UserError
from memstudio.jobs import Job

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Imported", "ImportedLevel", "Written", "import_published", "read_published", "write_published"]

_ITEM_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 4, "int4": 4}
"""Of a number on its way into the bank: integer formats are made from float32."""
_MAX_CONFIG_BYTES = 1 << 22


@dataclass(frozen=True, slots=True)
class ImportedLevel:
    """One level. shape: uniform, ramp (then r is its r), mixed, or none at width 0."""

    level: int
    clusters: int
    width: int | tuple[int, ...]
    shape: str
    r: int | None


@dataclass(frozen=True, slots=True)
class Imported:
    """A bank that was made from a checkpoint, and what of it could not be mapped."""

    path: Path
    hidden_size: int
    layers: tuple[int, ...]
    levels: tuple[ImportedLevel, ...]
    branching: tuple[int, ...]
    stored_dtype: str
    dtype: str
    generic: bool
    tensors: int
    not_mapped: tuple[Stored, ...]


def import_published(
    checkpoint: Path,
    out: Path,
    *,
    anchor: str,
    tree: Path | None = None,
    name: str | None = None,
    dtype: Dtype | None = None,
    encoder: Path | None = None,
    job: Job | None = None,
) -> Imported:
    """Write the bank folder `out` from a checkpoint in the published layout; bit for bit where `dtype` is the checkpoint's (the default).

    anchor: a model folder, copied in. tree: see `read_published`. encoder: a folder to compare with the retriever's encoder. Memory does
    not grow with the bank, unless it is quantised.

    Raises:
        UserError: anything in the checkpoint, the tree or the anchor that does not fit, or no room for the bank.
        Cancelled: the job was cancelled; nothing is left.
    """
    title = _name(name, checkpoint)
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise UserError(f"{out}: is there already: choose another name, or remove it")
    if encoder is not None:
        find_encoder(RETRIEVER, encoder)
    source, activation = _anchor(anchor)
    published = read_published(checkpoint, tree, dim=RETRIEVER.dim)
    _check_fit(published, source)
    chosen = dtype or published.dtype
    fields: dict[str, object] = {
        "name": title,
        "kind": "ffn",
        "activation": activation,
        "hidden_size": published.hidden_size,
        "layers": list(published.layers),
        "dtype": chosen,
        "levels": [{"clusters": level.clusters, "width": _width(level.widths)} for level in published.levels],
        "branching": list(published.tree.branching),
        "generic": published.generic,
        "fallback": "generic" if published.generic else "zero",
        "retriever": RETRIEVER.model_dump(),
        "recipe": {"imported": "published layout", "not_mapped": [stored.name[:200] for stored in published.not_mapped[:1000]]},
    }
    with _written(out, _bytes_on_the_way(published, source, chosen)) as work:
        blocks = [_level_on_disk(published, level, work, chosen, job) for level in range(1, len(published.levels) + 1)]
        write_bank(
            work / "bank",
            fields,
            centroids=published.tree.centroids,
            documents=published.tree.documents,
            blocks=blocks,
            anchor=source.folder,
            readme=f"# {title}\n\nA memory bank that was imported from a checkpoint in the published layout.\n",
        )
        open_bank(work / "bank")
    return _imported(out, published, source, chosen)


def _imported(out: Path, published: Published, source: Source, dtype: str) -> Imported:
    levels = []
    for at, level in enumerate(published.levels, 1):
        r = ramp_of(level.widths, published.layers, source.layers)
        shape = "none" if not any(level.widths) else "uniform" if len(set(level.widths)) == 1 else "mixed" if r is None else "ramp"
        levels.append(ImportedLevel(at, level.clusters, _width(level.widths), shape, r if shape == "ramp" else None))
    tensors = sum(3 * len(level.weights) for level in published.levels)
    stored = " and ".join(published.dtypes)
    spoken = (tuple(levels), published.tree.branching, stored, dtype, published.generic, tensors, published.not_mapped)
    return Imported(out, published.hidden_size, published.layers, *spoken)


def _width(widths: tuple[int, ...]) -> int | tuple[int, ...]:
    return widths[0] if len(set(widths)) == 1 else widths


def _name(given: str | None, checkpoint: Path) -> str:
    name = given if given is not None else re.sub(r"[^A-Za-z0-9 ._-]", "-", checkpoint.stem).lstrip(" ._-")[:64] or "imported"
    try:
        return TypeAdapter[str](Name).validate_python(name)
    except ValidationError:
        raise UserError(f"--name {name!r:.80}: at most 64 letters, digits, spaces, dots, dashes; the first a letter or digit") from None


def _anchor(anchor: str) -> tuple[Source, str]:
    """The anchor's folder and its activation, which must be the layout's silu.

    Raises:
        UserError: no anchor that can carry memory, or another activation.
    """
    source = find_source(anchor)
    if "tokenizer.json" not in anchor_files(source.folder):
        raise UserError(f"{source.folder}: no tokenizer.json in it: copy the whole model folder")
    config = strict_json(read_limited(inside(source.folder, "config.json"), _MAX_CONFIG_BYTES))
    plain = config if isinstance(config, dict) else {}
    usual = "gelu_pytorch_tanh" if plain.get("model_type") == "gemma3_text" else "silu"
    activation = str(plain.get("hidden_activation") or plain.get("hidden_act") or usual)
    if activation != "silu":
        raise UserError(f"{source.folder}: its activation is {activation:.40}, the published layout's is silu: name the blocks' own anchor")
    return source, activation


def _check_fit(published: Published, source: Source) -> None:
    if published.hidden_size != source.hidden_size:
        sizes = f"hidden size {published.hidden_size}, the anchor {source.folder} has {source.hidden_size}"
        raise UserError(f"{published.path}: its blocks have {sizes}: name the blocks' own anchor")
    if published.layers[-1] >= source.layers:
        layers = f"layer {published.layers[-1]}, the anchor {source.folder} has layers 0 to {source.layers - 1}"
        raise UserError(f"{published.path}: its blocks name {layers}: name the blocks' own anchor")


def _bytes_on_the_way(published: Published, source: Source, dtype: str) -> int:
    """Disk that the work takes at its height: the rows once beside the bank and once in it, and the anchor."""
    numbers = sum((level.clusters + published.generic) * 3 * published.hidden_size * sum(level.widths) for level in published.levels)
    tree = sum(4 * prod(centroids.shape) for centroids in published.tree.centroids)
    return 2 * numbers * _ITEM_BYTES[dtype] + tree + source.weight_bytes


@contextmanager
def _written(out: Path, needed: int) -> Iterator[Path]:
    """A work folder beside `out`, whose "bank" becomes `out` at the end; whatever happens, nothing else is left.

    Raises:
        UserError: no room, or a folder that cannot be written.
    """
    from safetensors import SafetensorError

    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(out.parent).free
        if needed > free:
            raise UserError(f"{out}: {needed / 1e9:.2f} GB are needed while it is written, the disk has {free / 1e9:.2f} GB: make room")
        with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-", ignore_cleanup_errors=True) as work:
            yield Path(work)
            if out.exists():
                out.rmdir()
            (Path(work) / "bank").rename(out)
    except OSError as error:
        raise UserError(f"{out}: cannot be written ({error.strerror or error})") from None
    except SafetensorError as error:
        raise UserError(f"{out}: cannot be written ({' '.join(str(error).split())[:120]})") from None


def _level_on_disk(published: Published, level: int, work: Path, dtype: str, job: Job | None) -> "Tensor | None":
    """The rows [rows, n] of a level, written piece by piece and mapped back; None at width 0."""
    import torch

    spec = published.levels[level - 1]
    if not any(spec.widths):
        return None
    held = dtype if dtype in ("float32", "float16", "bfloat16") else "float32"
    path, done, n = work / f"level-{level}.rows", 0, 0
    with path.open("wb") as stream:
        for rows in block_rows(published, level, held):
            stream.write(rows.view(torch.uint8).numpy().data)
            done, n = done + len(rows), rows.shape[1]
            if job is not None:
                job.title = f"reading level {level} of {len(published.levels)}"
                job.progress(done, spec.clusters + published.generic)
    mapped = np.memmap(path, np.uint8, "c", shape=(done, n * _ITEM_BYTES[held]))
    return torch.from_numpy(mapped).view(getattr(torch, held))
