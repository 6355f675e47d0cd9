"""A patch: revisions of a study as a folder that can be given away, bound to one bank, and checked in full before it is believed.

NAME.patch/patch.json names the bank, the revisions and the state of every block before and after; blocks.safetensors holds the new
blocks that the last of them left, each named by its digest. What stood in between is not in it: it may have been taken down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.bank.files import file_digest, inside, is_pickle, read_header
from memstudio.bank.manifest import FileRef
from memstudio.bank.values import BASE, Change, Overlay
from memstudio.errors import UserError
from memstudio.export.level import safetensors_header
from memstudio.export.manifest import BLOCKS, MANIFEST, PatchManifest, bank_ref, compose, dump_manifest, patched, read_manifest
from memstudio.export.place import beside, give_name, said
from memstudio.export.pouring import Piece, pour

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank
    from memstudio.history.values import Revision

SUFFIX = ".patch"
_NAMES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16"}


@dataclass(frozen=True, slots=True)
class Patch:
    """A patch that was read and checked against its bank.

    changes: what its revisions come to, by cluster. tensors: sha256 → row [n] in the bank's float dtype, of every new block.
    """

    name: str
    titles: tuple[str, ...]
    changes: tuple[Change, ...]
    tensors: Mapping[str, Tensor]

    def misfits(self, overlay: Overlay) -> tuple[Change, ...]:
        """The changes that do not start at what stands under an overlay."""
        return tuple(change for change in self.changes if overlay.get(change.cluster, BASE) != change.before)


def write_patch(out: Path, bank: Bank, revisions: Sequence[Revision], blob: Callable[[str], Tensor]) -> tuple[Change, ...]:
    """Write a patch folder, a block at a time; the same revisions give the same bytes. Gives what they come to.

    revisions: oldest first, each starting where the others left its blocks. blob: a block's row by its digest.

    Raises:
        UserError: something is there already, the revisions do not follow one another or come to nothing, a block is missing.
    """
    if out.exists() or out.is_symlink():
        raise UserError(f"{out}: is there already: choose another name, or remove it")
    if not revisions:
        raise UserError(f"{out}: no revision to put into a patch: name one, or make an edit first")
    changes = compose((f"revision {revision.id}", revision.changes) for revision in revisions)
    if not changes:
        raise UserError(f"{out}: the revisions together leave every block as it was: choose others")
    new = {change.after.source: change for change in changes if _is_blob(change)}
    with beside(out) as part:
        with said(out):
            files = {BLOCKS: pour(part / BLOCKS, _blocks(bank, dict(sorted(new.items())), blob), _silent)} if new else {}
            manifest = PatchManifest(
                format="memstudio-patch", version=1, bank=bank_ref(bank), revisions=tuple(map(patched, revisions)), files=files
            )
            pour(part / MANIFEST, [dump_manifest(manifest)], _silent)
        if new and file_digest(part / BLOCKS) != files[BLOCKS].sha256:
            raise UserError(f"{out}: was not read back as it was written: the disk is not to be trusted; choose another place")
        give_name(part, out)
    return changes


def _blocks(bank: Bank, new: Mapping[str, Change], blob: Callable[[str], Tensor]) -> Iterator[Piece]:
    """The bytes of the file of new blocks, a block at a time."""
    import torch

    dtype = _NAMES[str(bank.dtype).removeprefix("torch.")]
    yield safetensors_header({source: (dtype, [bank.layouts[change.cluster.level - 1].n]) for source, change in new.items()})
    for change in new.values():
        yield _row(bank, change, blob).view(torch.uint8).numpy().data


def _silent(_: int) -> None:
    pass


def read_patch(path: Path, bank: Bank) -> Patch:
    """Read a patch folder for a bank: its manifest, lengths, digests and shapes first, then each block's own digest and numbers.

    Raises:
        UserError: not a patch, one of another bank, or anything in it that does not hold what it says; one line.
    """
    _check_folder(path)
    manifest = read_manifest(inside(path, MANIFEST))
    _check_bank(path, manifest, bank)
    steps = [(f"{path}: {step.title:.80}", [block.change for block in step.changes]) for step in manifest.revisions]
    changes = compose(steps)
    _check_clusters(path, steps, bank)
    if not changes:
        raise UserError(f"{path}: its revisions together change nothing")
    tensors = _read_blocks(path, manifest, changes, bank)
    _check_scales(path, changes, tensors, bank)
    return Patch(path.absolute().name.removesuffix(SUFFIX), tuple(step.title for step in manifest.revisions), changes, tensors)


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise UserError(f"{path}: {'a file, not a patch folder' if path.exists() else 'no such patch'}: name a folder with a {MANIFEST}")
    try:
        names = sorted(entry.name for entry in path.iterdir())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): name a folder that you may read") from None
    if MANIFEST not in names:
        raise UserError(f"{path}: is not a patch: no {MANIFEST} in it")
    for name in names:
        if is_pickle(name):
            raise UserError(f"{path / name}: a pickle or array dump is never read: remove it")
        if name not in (MANIFEST, BLOCKS) and not name.startswith("."):
            raise UserError(f"{path / name}: does not belong in a patch: remove it, or take the patch from a copy")


def _check_bank(path: Path, manifest: PatchManifest, bank: Bank) -> None:
    wanted = bank_ref(bank)
    found = manifest.bank
    if found.digest != wanted.digest:
        raise UserError(
            f"{path}: is a patch for bank {found.name!r} ({found.digest:.12}…), this is {wanted.name!r} ({wanted.digest:.12}…): "
            f"apply it to a study of its own bank"
        )
    if found != wanted:
        raise UserError(f"{path / MANIFEST}: bank: does not describe the bank of that digest: take the patch from a copy")


def _check_clusters(path: Path, steps: Sequence[tuple[str, Sequence[Change]]], bank: Bank) -> None:
    for _, changes in steps:
        clusters = [bank.tree.check(change.cluster) for change in changes]
        if len(set(clusters)) < len(clusters):
            raise UserError(f"{path / MANIFEST}: one cluster is changed twice in one revision")
        for cluster in clusters:
            if not bank.layouts[cluster.level - 1].n:
                raise UserError(f"{path / MANIFEST}: cluster {cluster}: its level has no blocks")


def _read_blocks(path: Path, manifest: PatchManifest, changes: Sequence[Change], bank: Bank) -> dict[str, Tensor]:
    """The rows [n] of the new blocks by digest, each checked against it."""
    from memstudio.bank.block import block_digest

    new = {change.after.source: change for change in reversed(changes) if _is_blob(change)}
    if bool(new) != (BLOCKS in manifest.files):
        raise UserError(f"{path / MANIFEST}: files: {BLOCKS} is {'not listed' if new else 'listed, and no block is new'}")
    if not new:
        return {}
    file = _checked_blocks(path, manifest.files[BLOCKS], _sizes(path, changes, bank), bank)
    found = {}
    for source, change in new.items():
        row = _tensor(file, source)
        broken = int((~row.isfinite()).sum())
        if broken:
            raise UserError(f"{path}: block {change.cluster}: {broken} of {row.numel()} numbers are NaN or infinite: nothing was applied")
        if block_digest(row) != source:
            raise UserError(f"{path}: block {change.cluster}: does not have the digest in its name: take the patch from a copy")
        found[source] = row
    return found


def _sizes(path: Path, changes: Sequence[Change], bank: Bank) -> dict[str, int]:
    """How many numbers each new block must hold."""
    sizes: dict[str, int] = {}
    for change in changes:
        n = bank.layouts[change.cluster.level - 1].n
        if _is_blob(change) and sizes.setdefault(change.after.source, n) != n:
            raise UserError(f"{path / MANIFEST}: the block {change.after.source:.12}… cannot stand on two levels of different widths")
    return sizes


def _checked_blocks(path: Path, listed: FileRef, sizes: Mapping[str, int], bank: Bank) -> Path:
    """The file of blocks: its length, header, names, dtypes, shapes and digest are right; no tensor has been allocated."""
    file = inside(path, BLOCKS)
    header = read_header(file)
    if header.file_bytes != listed.bytes:
        raise UserError(f"{path / BLOCKS}: {header.file_bytes} bytes, the manifest says {listed.bytes}: copy the patch again")
    if header.tensors.keys() != sizes.keys():
        odd = sorted(header.tensors.keys() ^ sizes.keys())[0]
        raise UserError(f"{path / BLOCKS}: the block {odd[:12]!r} is {'missing' if odd in sizes else 'named by no revision'}")
    dtype = _NAMES[str(bank.dtype).removeprefix("torch.")]
    for sha256, n in sizes.items():
        header.entry(sha256, dtype, (n,))
    if file_digest(file) != listed.sha256:
        raise UserError(f"{path / BLOCKS}: its contents do not have the digest in the manifest: copy the patch again")
    return file


def _check_scales(path: Path, changes: Sequence[Change], tensors: Mapping[str, Tensor], bank: Bank) -> None:
    """A scale must not carry a block's numbers out of its dtype."""
    for change in changes:
        state = change.after
        if state.pruned or state.scale == 1.0 or (state.source == BASE.source and not bank.has_block(change.cluster)):
            continue
        row = tensors[state.source] if _is_blob(change) else bank.block(change.cluster)
        if not bool((row * state.scale).isfinite().all()):
            raise UserError(f"{path}: block {change.cluster}: its scale {state.scale:g} makes numbers infinite: nothing was applied")


def _tensor(file: Path, name: str) -> Tensor:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(file, framework="pt") as opened:
            found: Tensor = opened.get_tensor(name).clone()  # its own memory: what is checked cannot change under it
    except (OSError, SafetensorError) as error:
        raise UserError(f"{file}: is no readable safetensors file ({' '.join(str(error).split())[:200]})") from None
    return found


def _row(bank: Bank, change: Change, blob: Callable[[str], Tensor]) -> Tensor:
    """A new block as the patch keeps it: row [n] in the bank's float dtype."""
    row = blob(change.after.source).detach().cpu().contiguous()
    n = bank.layouts[change.cluster.level - 1].n
    if tuple(row.shape) != (n,) or row.dtype != bank.dtype:
        raise UserError(f"block {change.cluster}: the study's blob is {row.dtype} {list(row.shape)}, a block here is {bank.dtype} [{n}]")
    return row


def _is_blob(change: Change) -> bool:
    return change.after.source != BASE.source and not change.after.pruned
