"""Writing a block's numbers by hand: tensors from Python, or from a safetensors file that is checked before anything is allocated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from memstudio.bank.files import read_header
from memstudio.bank.values import Change, ClusterId
from memstudio.editing.plan import Draft
from memstudio.editing.standing import changes_nothing
from memstudio.errors import UserError
from memstudio.facts.values import Fact
from memstudio.replacing import replaced

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank
    from memstudio.editing.desk import Desk

_WHOLE = "block"
_PART = re.compile(r"(\d{1,4})\.(gate|up|down)")
_PARTS = ("gate", "up", "down")
_DTYPES = {"F32", "F16", "BF16"}


@dataclass(frozen=True, slots=True, eq=False)
class Rewrite:
    """Put `tensors` into the block of `cluster`: "block" [n], the whole row, or "LAYER.gate", "LAYER.up", "LAYER.down" [r, d], LAYER being
    an anchor layer that carries memory. What is not named stays as it stands. One tensor alone is the whole row."""

    verb: ClassVar[str] = "rewrite"
    facts: ClassVar[tuple[Fact, ...]] = ()
    cluster: ClusterId
    tensors: Mapping[str, Tensor] | Tensor = field(repr=False)
    file: Path | None = field(default=None, repr=False)
    """Where they were read from."""

    @classmethod
    def from_file(cls, cluster: ClusterId, path: Path, bank: Bank) -> Rewrite:
        """The tensors of a safetensors file, whose header is compared with the bank's shapes before any of them is read.

        Raises:
            UserError: no such file, no safetensors, or a tensor of another name, shape or dtype.
        """
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        bank.tree.check(cluster)
        header = read_header(path)
        if not header.tensors:
            raise UserError(f"{path}: holds no tensor; {_names(bank)}")
        for name, entry in header.tensors.items():
            _check(bank, cluster, name, entry.shape, f"{path}: ")
            if entry.dtype not in _DTYPES:
                raise UserError(f"{path}: tensor {name!r:.60} is {entry.dtype}; write float32, float16 or bfloat16")
        try:
            return cls(cluster, load_file(path), path)
        except (OSError, SafetensorError) as error:  # it was readable a moment ago
            raise UserError(f"{path}: is no readable safetensors file ({error!s:.200})") from None

    @property
    def clusters(self) -> tuple[ClusterId, ...]:
        """The cluster that is rewritten."""
        return (self.cluster,)

    @property
    def named(self) -> Mapping[str, Tensor]:
        """The tensors by name."""
        return self.tensors if isinstance(self.tensors, Mapping) else {_WHOLE: self.tensors}

    @property
    def title(self) -> str:
        """One line for the log."""
        names = sorted(self.named)
        more = f" and {len(names) - 6} more" if len(names) > 6 else ""
        return f"rewrite {self.cluster}: {', '.join(names[:6]):.200}{more}"

    def draft(self, desk: Desk) -> Draft:
        """The block with the new numbers, rounded to the bank's dtype.

        Raises:
            UserError: no such cluster, no block to start from, another name or shape, numbers that are not finite, nothing new.
        """
        bank, cluster, tensors = desk.bank, desk.bank.tree.check(self.cluster), self.named
        if not tensors:
            raise UserError(f"rewrite {cluster}: no tensor given; {_names(bank)}")
        for name, tensor in tensors.items():
            _check(bank, cluster, name, tuple(tensor.shape), "")
            _check_numbers(cluster, name, tensor)
        row = (tensors[_WHOLE] if _WHOLE in tensors else desk.row(cluster)).detach().cpu().float().clone()
        parts = bank.layouts[cluster.level - 1].split(row)
        for name, tensor in tensors.items():
            match = _PART.fullmatch(name)
            if match is not None:
                parts[bank.manifest.layers.index(int(match[1]))][_PARTS.index(match[2])].copy_(tensor.detach().cpu())
        change = Change(cluster, desk.state(cluster), desk.keep(cluster, row))
        if changes_nothing(desk, change):
            raise UserError(f"{self.title}: these numbers stand there already")
        return Draft((change,), desk.tensors)


def save_block(desk: Desk, cluster: ClusterId, path: Path) -> None:
    """Write the block that stands at a cluster, part by part, as `Rewrite.from_file` reads it; an existing file is replaced whole.

    Raises:
        UserError: no such cluster or block, or the file cannot be written.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    parts = desk.bank.layouts[desk.bank.tree.check(cluster).level - 1].split(desk.row(cluster))
    named = {
        f"{layer}.{name}": part.contiguous()
        for layer, triple in zip(desk.bank.manifest.layers, parts, strict=True)
        for name, part in zip(_PARTS, triple, strict=True)
        if part.numel()
    }
    if not path.parent.is_dir():
        raise UserError(f"{path}: there is no folder {path.parent}; make it first, or choose another file")
    try:
        with replaced(path) as part:
            save_file(named, part)
    except SafetensorError as error:
        raise UserError(f"{path}: cannot be written ({error!s:.200}); choose another file") from None


def _check_numbers(cluster: ClusterId, name: str, tensor: Tensor) -> None:
    if not tensor.is_floating_point():
        raise UserError(f"rewrite {cluster}: tensor {name!r:.60} is {tensor.dtype}; give float32, float16 or bfloat16")
    broken = int((~tensor.isfinite()).sum())
    if broken:
        raise UserError(f"rewrite {cluster}: {broken} numbers of {name!r:.60} are NaN or infinite: the block was not changed")


def _check(bank: Bank, cluster: ClusterId, name: str, shape: tuple[int, ...], where: str) -> None:
    layout = bank.layouts[cluster.level - 1]
    if not layout.n:
        raise UserError(f"cluster {cluster}: level {cluster.level} carries no blocks (width 0)")
    match = _PART.fullmatch(name)
    if name == _WHOLE:
        wanted: tuple[int, ...] = (layout.n,)
    elif match is not None and int(match[1]) in bank.manifest.layers:
        wanted = (layout.widths[bank.manifest.layers.index(int(match[1]))], layout.hidden_size)
    else:
        raise UserError(f"{where}tensor {name!r:.60} is not known; {_names(bank)}")
    if shape != wanted:
        raise UserError(f"{where}tensor {name!r:.60} has shape {list(shape)}, the block of {cluster} takes {list(wanted)}")


def _names(bank: Bank) -> str:
    layers = ", ".join(map(str, bank.manifest.layers[:8]))
    return f"name them block, or LAYER.gate, LAYER.up and LAYER.down with LAYER one of {layers}"
