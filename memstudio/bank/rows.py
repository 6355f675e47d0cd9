"""The stored blocks of one level: checked against the manifest when a bank opens, mapped, and read a row at a time."""

from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.files import TensorFile
from memstudio.bank.manifest import Manifest, blocks_file
from memstudio.errors import UserError

_STORED = {"bfloat16": "BF16", "float16": "F16", "float32": "F32", "int8": "U8", "int4": "U8"}


@dataclass(frozen=True, slots=True)
class Rows:
    """The blocks of one level: raw bytes uint8 [rows, row bytes], scales [rows, vectors] when quantised, ids of the rows when not all."""

    file: TensorFile
    raw: NDArray[np.uint8]
    scales: NDArray[np.float32] | None
    ids: NDArray[np.int64] | None

    def row(self, index: int) -> int | None:
        """The row that holds a block (the generic one by the number of clusters); None when it is not kept."""
        if self.ids is None:
            return index if 0 <= index < self.raw.shape[0] else None
        at = int(np.searchsorted(self.ids, index))
        return at if at < len(self.ids) and self.ids[at] == index else None


def open_rows(files: dict[str, TensorFile], manifest: Manifest, level: int) -> Rows | None:
    """Check the headers of a level's blocks against the manifest; None at width 0.

    Raises:
        UserError: a tensor is missing or has another shape or dtype, or the rows of a pruned bank are not named as they must be.
    """
    if not manifest.layout(level).n:
        return None
    file = files[blocks_file(level)]
    full = manifest.levels[level - 1].clusters + manifest.generic
    stored = file.tensors.get("blocks")
    pruned = "clusters" in file.tensors
    count = stored.shape[0] if stored is not None and pruned and stored.shape else full
    file.entry("blocks", _STORED[manifest.dtype], (count, manifest.stored_columns(level)))
    scales = file.array("scales", "F32", (count, manifest.layout(level).vectors)) if manifest.quantised else None
    ids = cast(NDArray[np.int64], file.array("clusters", "I64", (count,))) if pruned else None
    if ids is not None:
        _check_ids(file, ids, manifest, full)
    return Rows(file, file.rows("blocks"), cast("NDArray[np.float32] | None", scales), ids)


def _check_ids(file: TensorFile, ids: NDArray[np.int64], manifest: Manifest, full: int) -> None:
    ascending = bool((ids[1:] > ids[:-1]).all()) if len(ids) else True
    if not ascending or (len(ids) and not (ids[0] >= 0 and ids[-1] < full)):
        raise UserError(f"{file.path}: tensor 'clusters' must be ascending and name clusters of the level")
    if manifest.generic and (not len(ids) or ids[-1] != full - 1):
        raise UserError(f"{file.path}: the manifest promises a generic block, the last row is not one")
