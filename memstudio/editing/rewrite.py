"""Writing a block's numbers by hand: tensors from Python, or from a safetensors file that is checked before anything is allocated."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from memstudio.bank.values import Change, ClusterId
from memstudio.editing.plan import Draft
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from torch import Tensor

    from memstudio.bank.bank import Bank
    from memstudio.editing.desk import Desk

_WHOLE = "block"
_PART = re.compile(r"(\d{1,4})\.(gate|up|down)")
_PARTS = ("gate", "up", "down")
_DTYPES = {"F32", "F16", "BF16"}
_MAX_HEADER_TENSORS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Rewrite:
    """Put `tensors` into the block of `cluster`: "block" [n], the whole row, or "LAYER.gate", "LAYER.up", "LAYER.down" [r, d], LAYER being
    an anchor layer that carries memory. What is not named stays as it stands."""

    verb: ClassVar[str] = "rewrite"
    facts: ClassVar[tuple[Fact, ...]] = ()
    cluster: ClusterId
    tensors: Mapping[str, Tensor] = field(repr=False)

    @classmethod
    def from_file(cls, cluster: ClusterId, path: Path, bank: Bank) -> Rewrite:
        """The tensors of a safetensors file, whose header is compared with the bank's shapes before any of them is read.

        Raises:
            UserError: no such file, no safetensors, or a tensor of another name, shape or dtype.
        """
        from safetensors.torch import load_file

        from memstudio.bank.files import read_header

        bank.tree.check(cluster)
        header = read_header(path)
        if not header.tensors or len(header.tensors) > _MAX_HEADER_TENSORS:
            raise UserError(f"{path}: holds {len(header.tensors)} tensors; {_names(bank)}")
        for name, entry in header.tensors.items():
            _check(bank, cluster, name, tuple(entry.shape), f"{path}: ")
            if entry.dtype not in _DTYPES:
                raise UserError(f"{path}: tensor {name!r:.60} is {entry.dtype}; write float32, float16 or bfloat16")
        return cls(cluster, load_file(path))

    @property
    def clusters(self) -> tuple[ClusterId, ...]:
        """The cluster that is rewritten."""
        return (self.cluster,)

    @property
    def title(self) -> str:
        """One line for the log."""
        names = ", ".join(sorted(self.tensors)[:6])
        return f"rewrite {self.cluster}: {names:.200}"

    def draft(self, desk: Desk) -> Draft:
        """The block with the new numbers, rounded to the bank's dtype.

        Raises:
            UserError: no such cluster, no block to start from, another name or shape, numbers that are not finite.
        """
        bank, cluster = desk.bank, self.cluster
        bank.tree.check(cluster)
        if not self.tensors:
            raise UserError(f"rewrite {cluster}: no tensor given; {_names(bank)}")
        for name, tensor in self.tensors.items():
            _check(bank, cluster, name, tuple(tensor.shape), "")
            broken = int((~tensor.isfinite()).sum())
            if broken:
                raise UserError(f"rewrite {cluster}: {broken} numbers of {name!r:.60} are NaN or infinite: the block was not changed")
        row = (self.tensors[_WHOLE] if _WHOLE in self.tensors else desk.row(cluster)).detach().cpu().float().clone()
        parts = bank.layouts[cluster.level - 1].split(row)
        for name, tensor in self.tensors.items():
            match = _PART.fullmatch(name)
            if match is not None:
                parts[bank.manifest.layers.index(int(match[1]))][_PARTS.index(match[2])].copy_(tensor.detach().cpu())
        change = Change(cluster, desk.state(cluster), desk.keep(cluster, row))
        if change.before == change.after:
            raise UserError(f"{self.title}: these numbers stand there already")
        return Draft((change,), desk.tensors)


def save_block(desk: Desk, cluster: ClusterId, path: Path) -> None:
    """Write the block that stands at a cluster, part by part, as `Rewrite.from_file` reads it; an existing file is replaced whole.

    Raises:
        UserError: no such cluster or block, or the file cannot be written.
    """
    from safetensors.torch import save_file

    parts = desk.bank.layouts[cluster.level - 1].split(desk.row(cluster))
    named = {
        f"{layer}.{name}": part.contiguous()
        for layer, triple in zip(desk.bank.manifest.layers, parts, strict=True)
        for name, part in zip(_PARTS, triple, strict=True)
        if part.numel()
    }
    unfinished = path.with_name(path.name + ".part")
    try:
        save_file(named, unfinished)
        unfinished.replace(path)
    except OSError as error:
        raise UserError(f"{path}: cannot be written ({error.strerror or error}); choose another file") from error


def _check(bank: Bank, cluster: ClusterId, name: str, shape: tuple[int, ...], where: str) -> None:
    layout = bank.layouts[cluster.level - 1]
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
