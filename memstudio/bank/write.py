"""Writing a bank folder: the builder, the tests and the exports all go through here, so that there is one format."""

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.clusters import Document, write_clusters
from memstudio.bank.files import anchor_files, file_digest, folder_digest
from memstudio.bank.manifest import (
    CLUSTERS,
    FACTS,
    MANIFEST,
    PROBES,
    README,
    ROUTES,
    TREE,
    Manifest,
    blocks_file,
    dump_manifest,
    parse_manifest,
)
from memstudio.bank.values import ClusterCard

if TYPE_CHECKING:
    import torch
    from torch import Tensor


_UNKNOWN: dict[str, object] = {"bytes": 0, "sha256": "0" * 64}
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ClusterTexts:
    """What goes into clusters.sqlite."""

    cards: Sequence[ClusterCard] = ()
    documents: Sequence[Document] = field(default=())


@dataclass(frozen=True, slots=True)
class RowStream:
    """The rows of a level, one after the other, for a bank that is larger than memory: `count` tensors [n], the generic block last."""

    count: int
    rows: "Callable[[], Iterator[Tensor]]"


@dataclass(frozen=True, slots=True)
class Hole:
    """`count` rows of zeros that take no room on a disk that knows sparse files: for measuring what does not depend on the numbers."""

    count: int


def write_bank(
    folder: Path,
    fields: Mapping[str, object],
    *,
    centroids: Sequence[NDArray[np.float32]],
    documents: Sequence[NDArray[np.int64]],
    blocks: "Sequence[Tensor | RowStream | Hole | None]",
    kept: Sequence[NDArray[np.int64] | None] | None = None,
    anchor: Path | None = None,
    clusters: ClusterTexts | None = None,
    facts: Sequence[Mapping[str, object]] | None = None,
    probes: Sequence[Mapping[str, object]] | None = None,
    routes: NDArray[np.int32] | None = None,
    readme: str | None = None,
) -> Path:
    """Write a bank folder of format 1: files first, bank.json last, so that a broken-off write is no bank. Same input, same bytes.

    fields: the manifest's fields but format, version and files; "anchor" may be left out when `anchor` (a model folder, which is
        copied to anchor/) is given.
    centroids, documents: float32 [clusters, dim] and int64 [clusters] for each level of the full tree.
    blocks: for each level the rows [rows, n] (cast to the manifest's dtype, quantised for int8 and int4), the generic block last; None
        at width 0.
    kept: for each level the ids int64 [rows], ascending, when not all clusters have a row (the generic one is the number of clusters).
    facts, probes: the objects of facts.jsonl and probes.jsonl. routes: int32 [prompts, levels], -1 where a route ended.

    Raises:
        UserError: the fields are no valid manifest.
        ValueError: arrays that do not fit the manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MANIFEST).unlink(missing_ok=True)
    body: dict[str, object] = {"format": "memstudio-bank", "version": 1, "files": {}, "recipe": {}, "parent": None, **fields}
    if anchor is not None:
        _copy_anchor(anchor, folder / "anchor")
        body["anchor"] = {"source": "anchor/", "sha256": folder_digest(folder / "anchor")}
    shutil.rmtree(folder / "blocks", ignore_errors=True)
    written = _planned(body)
    manifest = _checked(folder, {**body, "files": dict.fromkeys(written, _UNKNOWN)})
    _write_tree(folder, manifest, centroids, documents)
    known = _write_blocks(folder, manifest, blocks, kept)
    if clusters is not None:
        write_clusters(folder / CLUSTERS, clusters.cards, clusters.documents)
    for path, records in ((FACTS, facts), (PROBES, probes)):
        if records is not None:
            lines = "".join(json.dumps(dict(record), ensure_ascii=False, sort_keys=True) + "\n" for record in records)
            (folder / path).write_bytes(lines.encode())
    if routes is not None:
        _save({"routes": np.ascontiguousarray(routes, dtype=np.int32)}, folder / ROUTES)
    if readme is not None:
        (folder / README).write_bytes(readme.encode())
    extras = {CLUSTERS: clusters, FACTS: facts, PROBES: probes, ROUTES: routes, README: readme}
    names = written + [path for path, given in extras.items() if given is not None]
    names += [f"anchor/{name}" for name in (anchor_files(folder / "anchor") if anchor is not None else ())]
    _remove_stale(folder, extras, keep_anchor=anchor is not None)
    manifest = _checked(folder, {**body, "files": {path: _reference(folder / path, known.get(path)) for path in sorted(names)}})
    _write_last(folder / MANIFEST, dump_manifest(manifest))
    return folder


def _checked(folder: Path, body: Mapping[str, object]) -> Manifest:
    return parse_manifest(json.dumps(body, allow_nan=False).encode(), str(folder / MANIFEST))


def _planned(body: Mapping[str, object]) -> list[str]:
    """The tensor files that a manifest with these fields needs; a level that is badly written is reported by the check that follows."""
    levels = body.get("levels")
    widths = [level.get("width") if isinstance(level, Mapping) else None for level in levels] if isinstance(levels, Sequence) else []
    return [TREE, *(blocks_file(at) for at, width in enumerate(widths, 1) if (any(width) if isinstance(width, Sequence) else width))]


def _write_tree(folder: Path, manifest: Manifest, centroids: Sequence[NDArray[np.float32]], documents: Sequence[NDArray[np.int64]]) -> None:
    arrays: dict[str, NDArray[np.generic]] = {}
    if not len(centroids) == len(documents) == manifest.depth:
        raise ValueError(f"the manifest has {manifest.depth} levels, the tree has {len(centroids)} and {len(documents)}")
    for at, level in enumerate(manifest.levels, 1):
        arrays[f"centroids.{at}"] = _shaped(centroids[at - 1], np.dtype(np.float32), (level.clusters, manifest.retriever.dim))
        arrays[f"documents.{at}"] = _shaped(documents[at - 1], np.dtype(np.int64), (level.clusters,))
    _save(arrays, folder / TREE)


def _shaped(array: NDArray[np.generic], dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
    if array.shape != shape:
        raise ValueError(f"an array of the tree is {list(array.shape)}, the manifest asks for {list(shape)}")
    return np.ascontiguousarray(array, dtype=dtype)


def _write_blocks(
    folder: Path, manifest: Manifest, blocks: "Sequence[Tensor | RowStream | Hole | None]", kept: Sequence[NDArray[np.int64] | None] | None
) -> dict[str, str]:
    """Gives the digests of the files that are holes, which need not be read for them."""
    from safetensors.torch import save_file

    from memstudio.bank.block import FLOAT_DTYPES, quantise

    (folder / "blocks").mkdir(exist_ok=True)
    holes: dict[str, tuple[bytes, int]] = {}
    for level in range(1, manifest.depth + 1):
        n, rows, ids = manifest.layout(level).n, blocks[level - 1], kept[level - 1] if kept is not None else None
        if not n:
            continue
        count = manifest.levels[level - 1].clusters + manifest.generic if ids is None else len(ids)
        if isinstance(rows, RowStream | Hole):
            if ids is not None or rows.count != count or manifest.quantised:
                raise ValueError(f"level {level}: {rows.count} rows, one after the other, for {count} of {manifest.dtype}")
            header, size = _rows_header(count, n, FLOAT_DTYPES[manifest.dtype])
            if isinstance(rows, Hole):
                _write_hole(folder / blocks_file(level), header, size)
                holes[blocks_file(level)] = header, size
            else:
                _write_rows(folder / blocks_file(level), header, rows, n, FLOAT_DTYPES[manifest.dtype])
            continue
        if rows is None or tuple(rows.shape) != (count, n):
            raise ValueError(f"level {level}: rows {None if rows is None else list(rows.shape)}, the manifest asks for {[count, n]}")
        tensors: dict[str, Tensor] = {}
        if manifest.quantised:
            tensors["blocks"], tensors["scales"] = quantise(rows.cpu(), manifest.hidden_size, 8 if manifest.dtype == "int8" else 4)
        else:
            tensors["blocks"] = rows.detach().cpu().to(FLOAT_DTYPES[manifest.dtype]).contiguous()
        if ids is not None:
            tensors["clusters"] = _tensor(ids)
        save_file(tensors, folder / blocks_file(level))
    with ThreadPoolExecutor() as pool:
        return dict(zip(holes, pool.map(lambda hole: _digest_of_zeros(*hole), holes.values()), strict=True))


def _rows_header(count: int, n: int, dtype: "torch.dtype") -> tuple[bytes, int]:
    """What a safetensors file of one tensor "blocks" [count, n] begins with, and the bytes of the tensor that follows."""
    size = count * n * dtype.itemsize
    names = {"torch.bfloat16": "BF16", "torch.float16": "F16", "torch.float32": "F32"}
    header = json.dumps({"blocks": {"dtype": names[str(dtype)], "shape": [count, n], "data_offsets": [0, size]}}).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header, size


def _write_hole(path: Path, header: bytes, size: int) -> None:
    with path.open("wb") as file:
        file.write(header)
        file.truncate(len(header) + size)


def _digest_of_zeros(header: bytes, size: int) -> str:
    """sha256 of a header and `size` bytes of zeros, without a disk: tens of gigabytes of them take half the time of reading a hole."""
    zeros, digest = bytes(_PIECE_BYTES), hashlib.sha256(header)
    for _ in range(size // _PIECE_BYTES):
        digest.update(zeros)
    digest.update(zeros[: size % _PIECE_BYTES])
    return digest.hexdigest()


def _write_rows(path: Path, header: bytes, stream: RowStream, n: int, dtype: "torch.dtype") -> None:
    """The file written a row at a time."""
    written = 0
    with path.open("wb") as file:
        file.write(header)
        for row in stream.rows():
            if tuple(row.shape) != (n,):
                raise ValueError(f"{path}: row {written} is {list(row.shape)}, the manifest asks for {[n]}")
            file.write(_bytes(row.detach().cpu().to(dtype)))
            written += 1
    if written != stream.count:
        raise ValueError(f"{path}: {written} rows came, {stream.count} were promised")


def _bytes(row: "Tensor") -> bytes:
    import torch

    return row.contiguous().view(torch.uint8).numpy().tobytes()


def _tensor(ids: NDArray[np.int64]) -> "Tensor":
    import torch

    return torch.from_numpy(np.array(ids, dtype=np.int64))


def _save(arrays: dict[str, NDArray[np.generic]], path: Path) -> None:
    from safetensors.numpy import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(arrays, path)


def _copy_anchor(source: Path, target: Path) -> None:
    """Copy the files that make up a model, and no others; nothing to do when they are there already."""
    if source.resolve() == target.resolve():
        return
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in anchor_files(source):
        shutil.copyfile(source / name, target / name)


def _remove_stale(folder: Path, extras: Mapping[str, object], *, keep_anchor: bool) -> None:
    """Files of an earlier write that this one does not vouch for."""
    for path, given in extras.items():
        if given is None and path != README:
            (folder / path).unlink(missing_ok=True)
    if not keep_anchor:
        shutil.rmtree(folder / "anchor", ignore_errors=True)


def _reference(path: Path, digest: str | None) -> dict[str, object]:
    return {"bytes": path.stat().st_size, "sha256": digest or file_digest(path)}


def _write_last(path: Path, raw: bytes) -> None:
    """Write beside, flush, rename: the manifest is whole or absent."""
    beside = path.with_name(path.name + ".new")
    with beside.open("wb") as stream:
        stream.write(raw)
        stream.flush()
        os.fsync(stream.fileno())
    beside.replace(path)
