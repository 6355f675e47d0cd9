"""An open bank: read-only, headers and tree in sight, blocks in their files until one is fetched."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.clusters import Clusters
from memstudio.bank.figures import bank_figures
from memstudio.bank.files import (
    TensorFile,
    combine_digests,
    file_digest,
    folder_digest,
    inside,
    is_anchor_file,
    is_pickle,
    read_header,
)
from memstudio.bank.hub import cached_snapshot
from memstudio.bank.layout import Layout
from memstudio.bank.manifest import CLUSTERS, FACTS, MANIFEST, PROBES, README, ROUTES, TREE, Manifest, read_manifest
from memstudio.bank.rows import Stored, open_rows
from memstudio.bank.tree import Tree, open_tree
from memstudio.bank.values import ClusterCard, ClusterId, Exemplar
from memstudio.errors import UserError

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Bank:
    """A bank folder, opened by `open_bank`. Nothing here ever writes to it."""

    def __init__(self, folder: Path, manifest: Manifest, digest: str, files: dict[str, TensorFile], clusters: Clusters | None) -> None:
        self.folder = folder
        self.manifest = manifest
        self.digest = digest
        """sha256 of bank.json: what a study is bound to."""
        self.name = manifest.name
        self.tree: Tree = open_tree(files[TREE], manifest)
        self.layouts: tuple[Layout, ...] = tuple(manifest.layout(level) for level in range(1, manifest.depth + 1))
        self._files = files
        self._clusters = clusters
        self._rows = tuple(open_rows(files, manifest, level) for level in range(1, manifest.depth + 1))

    @property
    def dtype(self) -> "torch.dtype":
        """The float dtype that blocks are read in; float32 where integer codes are among them."""
        from memstudio.bank.block import FLOAT_DTYPES  # torch takes a second to import, and browsing needs none of it

        return FLOAT_DTYPES["float32" if self.manifest.quantised or self.manifest.coarser else self.manifest.dtype]

    def has_block(self, cluster: ClusterId) -> bool:
        """Whether the bank holds a block for the cluster: false at width 0, for rows a pruned bank dropped and for no such cluster."""
        rows = self._rows[cluster.level - 1] if 1 <= cluster.level <= self.tree.depth else None
        return rows is not None and self.tree.present(cluster) and rows.find(cluster.index) is not None

    def held(self, level: int) -> NDArray[np.bool_]:
        """For every cluster of a level, bool [clusters], whether the bank holds a block for it, as `has_block` says of one."""
        rows = self._rows[level - 1]
        if rows is None:
            return np.zeros(self.tree.count(level), bool)
        return (self.tree.documents[level - 1] > 0) & rows.held(self.tree.count(level))

    def block_bytes(self, level: int) -> NDArray[np.int64]:
        """int64 [clusters]: bytes of each cluster's block as it is stored, its scales included; in the bank's dtype where it has none."""
        rows = self._rows[level - 1]
        return np.zeros(self.tree.count(level), np.int64) if rows is None else rows.row_bytes(self.manifest, level)

    def block(self, cluster: ClusterId) -> "Tensor":
        """The block of a cluster as shipped: a new tensor [n] in `dtype`, one contiguous read of the file.

        Raises:
            UserError: no such cluster, or the bank holds no block for it.
        """
        self.tree.check(cluster)
        if not self.has_block(cluster):
            raise UserError(f"cluster {cluster}: this bank holds no block for it")
        return self._read(cluster.level, cluster.index)

    def stored(self, cluster: ClusterId) -> Stored:
        """Where a block lies in the bank's files (the generic one of a level by its number of clusters); reads nothing.

        Raises:
            UserError: the bank holds no block for it.
        """
        rows = self._rows[cluster.level - 1]
        found = None if rows is None else rows.stored(cluster.index)
        if found is None:
            raise UserError(f"cluster {cluster}: this bank holds no block for it")
        return found

    def generic(self, level: int) -> "Tensor":
        """The generic block [n] of a level, in `dtype`.

        Raises:
            UserError: the bank has none there.
        """
        if not self.has_generic(level):
            raise UserError(f"{self.folder}: no generic block at level {level}")
        return self._read(level, self.tree.count(level))

    def generic_bytes(self, level: int) -> int:
        """Bytes of the generic block of a level as it is stored; 0 where there is none."""
        rows = self._rows[level - 1] if self.has_generic(level) else None
        found = None if rows is None else rows.find(self.tree.count(level))
        return 0 if found is None else self.manifest.row_bytes(level, found[0].dtype)

    def has_generic(self, level: int) -> bool:
        """Whether the level has a generic block."""
        return self.manifest.generic and 1 <= level <= self.tree.depth and self._rows[level - 1] is not None

    def card(self, cluster: ClusterId) -> ClusterCard:
        """What is known of a cluster: label (its id where it has none), terms, documents, exemplars.

        Raises:
            UserError: no such cluster.
        """
        self.tree.check(cluster)
        return self._titled(self._clusters.card(cluster) if self._clusters else ClusterCard(cluster, "", (), 0, ()))

    def cards(self, level: int | None = None) -> Iterator[ClusterCard]:
        """The cards of the present clusters of a level (None: of all levels), ascending, without exemplars."""
        for at in range(1, self.tree.depth + 1) if level is None else (level,):
            for card in self._clusters.cards(at) if self._clusters else ():
                if self.tree.present(card.cluster):
                    yield self._titled(card)

    def labels(self, level: int) -> list[str]:
        """The labels of all clusters of a level in index order, one bulk read; "" where there is none."""
        count = self.tree.count(level)
        return self._clusters.labels(level, count) if self._clusters else [""] * count

    def documents_of(self, cluster: ClusterId, limit: int = 1000) -> list[Exemplar]:
        """The documents that the cluster's block was trained on, at most `limit`.

        Raises:
            UserError: no such cluster.
        """
        self.tree.check(cluster)
        return self._clusters.documents_of(cluster, limit) if self._clusters else []

    def document(self, name: str) -> tuple[str, tuple[ClusterId, ...]] | None:
        """Text and path of a document that blocks were trained on, by its id; None where there is none.

        Raises:
            UserError: its path is not one of the tree.
        """
        found = self._clusters.document(name) if self._clusters else None
        if found is None:
            return None
        path = tuple(ClusterId(level, index) for level, index in enumerate(found[1], 1))
        if not path or not all(self.tree.present(cluster) for cluster in path) or self.tree.route_to(path[-1]) != path:
            raise UserError(f"{self.folder / CLUSTERS}: the path of document {name!r:.80} is none of the tree: copy the bank again")
        return found[0], path

    def documents_with(self, text: str, limit: int = 20, seconds: float = 0.4) -> list[tuple[Exemplar, ClusterId]]:
        """Documents whose id or text holds the text, each with the last cluster of its path; see `Clusters.documents_with`."""
        found = self._clusters.documents_with(text, limit, seconds) if self._clusters else []
        ends = [(Exemplar(name, body), ClusterId(len(path), path[-1])) for name, body, path in found if path]
        return [(document, end) for document, end in ends if self.tree.present(end)]

    def search(self, text: str, limit: int = 50) -> list[ClusterId]:
        """Clusters whose label or terms hold the text (case ignored), matching labels first."""
        found = self._clusters.search(text, limit) if self._clusters else []
        return [cluster for cluster in found if self.tree.present(cluster)]

    @property
    def facts_path(self) -> Path:
        """Where the bank's facts are; the file may be absent."""
        return self.folder / FACTS

    @property
    def probes_path(self) -> Path:
        """Where the bank's probes are, which stand in for facts; the file may be absent."""
        return self.folder / PROBES

    @property
    def routes_path(self) -> Path:
        """Where the routes of the facts' prompts are (of the probes' where there are no facts); the file may be absent."""
        return self.folder / ROUTES

    @property
    def readme_path(self) -> Path:
        """The model card; the file may be absent."""
        return self.folder / README

    def anchor_dir(self, given: Path | None = None) -> Path:
        """The anchor's model folder: `given`, else the one inside the bank, else the usual model cache.

        A folder from outside is accepted only with the digest that the manifest names.

        Raises:
            UserError: not found, or another model; the line says how to get the right one.
        """
        reference = self.manifest.anchor
        if given is None and reference.source == "anchor/":
            return self.folder / "anchor"
        folder = given if given is not None else cached_snapshot(reference.source)
        if folder is None:
            raise UserError(f"{self.folder}: its anchor {reference.source} is not in the model cache: download it, or give --anchor DIR")
        if not folder.is_dir():
            raise UserError(f"{folder}: no such model folder")
        if (found := folder_digest(folder)) != reference.sha256:
            raise UserError(f"{folder}: not this bank's anchor: digest {found[:12]}…, the manifest asks for {reference.sha256[:12]}…")
        return folder

    def verify(self, progress: Callable[[int, int], None] | None = None) -> list[tuple[str, int]]:
        """Check the sha256 of every file, and the anchor's digest where it is inside; progress(bytes done, bytes of all).

        Returns:
            (path, bytes) of each file checked.

        Raises:
            UserError: at the first wrong checksum.
        """
        files = self.manifest.files
        total, done = sum(reference.bytes for reference in files.values()), 0

        def count(piece_bytes: int) -> None:
            nonlocal done
            done += piece_bytes
            if progress is not None:
                progress(done, total)

        for path in sorted(files):
            if file_digest(inside(self.folder, path), count) != files[path].sha256:
                raise UserError(f"{self.folder / path}: wrong checksum: the file is damaged or was changed; copy the bank again")
        if self.manifest.anchor.source == "anchor/" and _listed_anchor_digest(self.manifest) != self.manifest.anchor.sha256:
            raise UserError(f"{self.folder / MANIFEST}: wrong checksum: anchor.sha256 is not the digest of the files in anchor/")
        return [(path, files[path].bytes) for path in sorted(files)]

    def info(self) -> dict[str, object]:
        """The figures that `info --json` prints, from headers alone (see `figures.bank_figures`).

        Raises:
            UserError: the anchor's configuration is no JSON.
        """
        return bank_figures(self.folder, self.manifest, self.digest, self._files)

    def _read(self, level: int, index: int) -> "Tensor":
        from memstudio.bank.block import numbers  # see `dtype`

        return numbers(self.stored(ClusterId(level, index)), self.manifest.hidden_size).to(self.dtype)

    def _titled(self, card: ClusterCard) -> ClusterCard:
        """The card with its id as label where it has none, and the tree's count of documents, which routing goes by."""
        documents = int(self.tree.documents[card.cluster.level - 1][card.cluster.index])
        return ClusterCard(card.cluster, card.label or str(card.cluster), card.terms, documents, card.exemplars)


def open_bank(folder: Path | str) -> Bank:
    """Open a bank folder: reads the manifest, the headers and (mapped) the tree; no block.

    Raises:
        UserError: not a bank, or anything in it that does not hold what the manifest says; one line.
    """
    folder = Path(folder)
    manifest, raw = read_manifest(folder)
    _refuse_strangers(folder, manifest)
    headers: dict[str, TensorFile] = {}
    clusters: Clusters | None = None
    for path, reference in manifest.files.items():
        real = inside(folder, path)
        if (found := real.stat().st_size) != reference.bytes:
            raise UserError(f"{folder / path}: {found} bytes, the manifest says {reference.bytes}: copy the file again")
        if path.endswith(".safetensors"):
            headers[path] = read_header(real)
        elif path == CLUSTERS:
            clusters = Clusters(real)
    if manifest.anchor.source == "anchor/" and "anchor/config.json" not in manifest.files:
        raise UserError(f"{folder / MANIFEST}: files: anchor/config.json is not listed, but the anchor is said to be inside")
    return Bank(folder, manifest, hashlib.sha256(raw).hexdigest(), headers, clusters)


def _refuse_strangers(folder: Path, manifest: Manifest) -> None:
    """Refuse pickles lying in the folder, and files that would be read although the manifest does not vouch for them.

    Raises:
        UserError: there is one.
    """
    for part in ("", "anchor", "retriever", "blocks"):
        if not (folder / part).is_dir():
            continue
        try:
            names = sorted(os.listdir(folder / part))  # noqa: PTH208  names are all that is wanted
        except OSError as error:
            raise UserError(f"{folder / part}: cannot be read ({error.strerror})") from None
        for name in names:
            path = f"{part}/{name}" if part else name
            if is_pickle(name):
                raise UserError(f"{folder / path}: a pickle or array dump is never read: remove it or convert it to safetensors")
            read = part == "anchor" or path in (CLUSTERS, FACTS, PROBES, ROUTES)
            if read and path not in manifest.files and not name.startswith("."):
                raise UserError(f"{folder / path}: not listed in {MANIFEST}: remove the file or build the bank again")


def _listed_anchor_digest(manifest: Manifest) -> str:
    """The anchor's digest from the digests in the manifest (each checked against its file before)."""
    names = {path.removeprefix("anchor/"): reference.sha256 for path, reference in manifest.files.items() if path.startswith("anchor/")}
    return combine_digests({name: digest for name, digest in names.items() if is_anchor_file(name)})
