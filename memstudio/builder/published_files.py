"""Tensors of a checkpoint that others made, safetensors or a torch file: named and measured first, read a piece at a time, never run.

A torch file is a zip that holds a pickle. It is opened only where every entry is stored plain and the pickle asks for nothing but
tensors, and then by torch's weights-only reader over a memory map.
"""

from __future__ import annotations

import pickle
import pickletools
import re
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memstudio.bank.files import TensorFile, anchor_files, inside, read_header
from memstudio.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

_SAFETENSORS = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
_MAX_PICKLE_BYTES = 64 << 20
_MAX_NAMES = 1_000_000
_MAX_DEPTH = 8
_PLAIN = re.compile(
    r"collections OrderedDict|torch\._utils _rebuild_(tensor_v2|parameter)|torch (\w+Storage|Size|device|b?float\d*|u?int\d+|bool)"
    r"|torch\.storage UntypedStorage"
)
"""What a pickle of tensors asks for."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A tensor of a checkpoint: dtype by torch's name, and whether its file holds all the numbers that its shape promises."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    whole: bool
    read: Callable[[int, int], Tensor]
    """The rows from start to stop, a new tensor or a view [stop − start, …]."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """All tensors of one file or folder by name."""

    path: Path
    file_bytes: int
    tensors: dict[str, Stored]


def open_checkpoint(path: Path) -> Checkpoint:
    """Look at a checkpoint: a safetensors file, a folder of them, or a torch file. Headers alone are read.

    Raises:
        UserError: nothing there, another format, a damaged file, a pickle that asks for more than tensors, or a name that stands twice.
    """
    if path.is_dir():
        names = [name for name in anchor_files(path) if name.endswith(".safetensors")]
        if not names:
            raise UserError(f"{path}: no *.safetensors in the folder; name them, or one torch file")
        return _shards(path, [inside(path, name) for name in names])
    if not path.is_file():
        raise UserError(f"{path}: no such file; name a safetensors file, a folder of them, or a torch file")
    return _torch_file(path) if _starts_like_zip(path) else _shards(path, [path])


def _starts_like_zip(path: Path) -> bool:
    try:
        with path.open("rb") as stream:
            start = stream.read(4)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        raise UserError(f"{path}: a plain pickle, which is never read: save it again with torch.save of today, or as safetensors")
    return start == b"PK\x03\x04"


def _shards(path: Path, files: list[Path]) -> Checkpoint:
    found: dict[str, Stored] = {}
    held = 0
    for each in files:
        file = read_header(each)
        held += file.file_bytes
        for name, entry in file.tensors.items():
            if name in found:
                raise UserError(f"{path}: tensor {name!r:.120} stands in two of its files: remove one")
            dtype = _SAFETENSORS.get(entry.dtype, entry.dtype)
            found[name] = Stored(name, dtype, entry.shape, True, _rows_of(file, name, dtype))
    return Checkpoint(path, held, found)


def _rows_of(file: TensorFile, name: str, dtype: str) -> Callable[[int, int], Tensor]:
    def read(start: int, stop: int) -> Tensor:
        import torch

        shape = (stop - start, *file.tensors[name].shape[1:])
        if not prod(shape):
            return torch.empty(shape, dtype=getattr(torch, dtype))
        file.check_unshrunk()
        return torch.from_numpy(np.array(file.rows(name)[start:stop])).view(getattr(torch, dtype)).view(shape)

    return read


def _torch_file(path: Path) -> Checkpoint:
    _check_archive(path)
    import torch

    try:
        value = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError, OSError) as error:
        raise UserError(f"{path}: cannot be read as a torch file: {_first_words(error)}") from None
    except (AssertionError, EOFError, MemoryError, ImportError) as error:
        raise UserError(f"{path}: a damaged torch file ({type(error).__name__}): copy it again") from None
    found: dict[str, Stored] = {}
    for name, tensor in _flat(path, value, "", 0):
        if name in found:
            raise UserError(f"{path}: tensor {name!r:.120} stands in it twice")
        found[name] = _stored(name, tensor)
        if len(found) > _MAX_NAMES:
            raise UserError(f"{path}: more than {_MAX_NAMES} tensors, which is absurd")
    return Checkpoint(path, path.stat().st_size, found)


def _stored(name: str, tensor: Tensor) -> Stored:
    import torch

    plain = tensor.layout == torch.strided and tensor.device.type == "cpu" and not tensor.is_quantized
    whole = plain and tensor.numel() * tensor.element_size() <= tensor.untyped_storage().nbytes()
    values = tensor.detach()
    return Stored(name, str(tensor.dtype).removeprefix("torch."), tuple(tensor.shape), whole, lambda start, stop: values[start:stop])


def _flat(path: Path, value: object, name: str, depth: int) -> Iterator[tuple[str, Tensor]]:
    """Tensors of nested dicts and lists under dotted names; what is no tensor is passed over."""
    import torch

    if isinstance(value, torch.Tensor):
        yield name, value
        return
    items = list(value.items()) if isinstance(value, dict) else list(enumerate(value)) if isinstance(value, list | tuple) else []
    if items and depth == _MAX_DEPTH:
        raise UserError(f"{path}: nested more than {_MAX_DEPTH} deep: save the tensors by name")
    for key, item in items:
        if isinstance(key, str | int):
            yield from _flat(path, item, f"{name}.{key}" if name else str(key), depth + 1)


def _check_archive(path: Path) -> None:
    """Refuse what the weights-only reader would refuse too, and what would swell on reading, before torch sees it.

    Raises:
        UserError: no torch file, compressed entries, or a pickle that asks for anything but tensors (named).
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
            pickles = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
            if len(pickles) != 1 or any(entry.filename.endswith("/constants.pkl") for entry in entries):
                raise UserError(f"{path}: a zip, but no torch file of tensors: write one with torch.save, or safetensors")
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries) or pickles[0].file_size > _MAX_PICKLE_BYTES:
                raise UserError(f"{path}: a compressed or absurd torch file: write it again with torch.save, or safetensors")
            raw = archive.read(pickles[0])
        asked = sorted({_asked(code.name, argument) for code, argument, _ in pickletools.genops(raw)} - {""})
    except (zipfile.BadZipFile, NotImplementedError, ValueError, LookupError, OSError, RuntimeError, EOFError) as error:
        raise UserError(f"{path}: a damaged torch file: {_first_words(error)}") from None
    if asked:
        raise UserError(f"{path}: its pickle asks for {asked[0]:.80}, not for tensors alone: it is not read; store safetensors")


def _asked(code: str, argument: object) -> str:
    """What an instruction of a pickle asks for beyond tensors; "" for nothing."""
    if code == "GLOBAL":
        return "" if _PLAIN.fullmatch(str(argument)) else str(argument).replace(" ", ".")
    return code if code in ("STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "EXT1", "EXT2", "EXT4") else ""


def _first_words(error: Exception) -> str:
    return " ".join(str(error).split())[:160] or type(error).__name__
