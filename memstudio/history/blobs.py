"""Changed blocks on disk: one safetensors file each, named by the block's digest, whole or absent whatever is killed when.

A file is written under another name, synced, renamed, and its folder synced, before any row of study.db may name it. So what
a killed write leaves is either unfinished under its other name or complete and named by nobody; `sweep` removes both.
"""

import stat
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio.errors import UserError
from memstudio.history.rows import is_digest
from memstudio.replacing import sync_file, sync_folder

if TYPE_CHECKING:  # torch takes seconds to import, and log or undo read no blob
    import torch

_SUFFIX = ".safetensors"
_UNFINISHED = ".part"
_TENSOR = "block"
_DTYPES = ("F32", "F16", "BF16")


def blob_path(folder: Path, sha256: str) -> Path:
    """Where a blob lies in the blobs folder; `sha256` has been checked by `is_digest`."""
    return folder / (sha256 + _SUFFIX)


def has(folder: Path, sha256: str) -> bool:
    """Whether the blob is there (its contents are checked when it is read)."""
    return is_digest(sha256) and _is_plain(blob_path(folder, sha256))


def put(folder: Path, tensor: "torch.Tensor") -> str:
    """Keep a block and give its digest; on return it is on the disk.

    tensor: any shape, float32, float16 or bfloat16, on any device.
    """
    from safetensors.torch import save_file

    from memstudio.bank.block import block_digest

    row = tensor.detach().cpu().contiguous()
    sha256 = block_digest(row)
    if has(folder, sha256) and _is_sound(folder, sha256):
        return sha256
    if not folder.is_dir():
        folder.mkdir()
        sync_folder(folder.parent)
    path = blob_path(folder, sha256)
    unfinished = path.with_name(path.name + _UNFINISHED)
    try:
        save_file({_TENSOR: row}, unfinished)
        sync_file(unfinished)
        unfinished.replace(path)
        sync_folder(folder)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}): make room or choose another --study") from error
    return sha256


def read(folder: Path, sha256: str) -> "torch.Tensor":
    """The block of that digest, in the shape and dtype it was kept in.

    Raises:
        UserError: no such blob, or the file does not hold what its name says.
    """
    from safetensors import SafetensorError, safe_open

    from memstudio.bank.block import block_digest

    path = blob_path(folder, sha256)
    if not has(folder, sha256):
        raise UserError(f"{folder}: the blob {sha256:.12}… is missing: take the study from a copy")
    try:
        with safe_open(path, framework="pt") as file:
            if list(file.keys()) != [_TENSOR]:
                raise UserError(f"{path}: holds other tensors than one named {_TENSOR!r}: take the study from a copy")
            if file.get_slice(_TENSOR).get_dtype() not in _DTYPES:
                raise UserError(f"{path}: holds no float block: take the study from a copy")
            row: torch.Tensor = file.get_tensor(_TENSOR)
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: is no readable safetensors file ({' '.join(str(error).split())}): take the study from a copy") from error
    if block_digest(row) != sha256:
        raise UserError(f"{path}: its contents do not have the digest in its name: take the study from a copy")
    return row


def sweep(folder: Path, keep: Collection[str]) -> tuple[int, int]:
    """Remove what killed writes left, and what was purged: unfinished files, and blobs that are not in `keep`; under the writer lock.

    Returns how many files went, and their bytes. Files of other names are not ours and stay.
    """
    if not folder.is_dir():
        return 0, 0
    gone = gone_bytes = 0
    for path in sorted(folder.iterdir()):
        name = path.name.removesuffix(_UNFINISHED)
        sha256 = name.removesuffix(_SUFFIX)
        if sha256 == name or not is_digest(sha256):
            continue
        if name != path.name or sha256 not in keep:
            gone_bytes += path.lstat().st_size
            path.unlink()
            gone += 1
    if gone:
        sync_folder(folder)
    return gone, gone_bytes


def _is_plain(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.lstat().st_mode)  # a link could lead out of the study
    except OSError:
        return False


def _is_sound(folder: Path, sha256: str) -> bool:
    try:
        read(folder, sha256)
    except UserError:
        return False
    return True
