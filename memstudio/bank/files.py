"""Untrusted files: paths that stay in the folder, safetensors headers checked before anything is allocated, digests."""

import hashlib
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.strictjson import strict_json
from memstudio.errors import UserError

MAX_HEADER_BYTES = 8 << 20
MAX_DIMENSIONS = 8
_CHUNK_BYTES = 1 << 20
_PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".joblib", ".npy", ".npz")
ITEM_BYTES = {
    "BOOL": 1, "U8": 1, "I8": 1, "F8_E4M3": 1, "F8_E5M2": 1, "I16": 2, "U16": 2, "F16": 2, "BF16": 2,
    "I32": 4, "U32": 4, "F32": 4, "I64": 8, "U64": 8, "F64": 8,
}  # fmt: skip
_NUMPY: dict[str, np.dtype[np.generic]] = {
    "U8": np.dtype("u1"),
    "F32": np.dtype("<f4"),
    "I32": np.dtype("<i4"),
    "I64": np.dtype("<i8"),
}
_ANCHOR_FILES = frozenset(
    [
        "config.json",
        "generation_config.json",
        "model.safetensors.index.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "chat_template.jinja",
    ]
)

ByteCount = Callable[[int], None]


def check_relative(path: str) -> str:
    """A path as a manifest may write it: relative, forward slashes, no `..`, and not a pickle's.

    Raises:
        ValueError: it is not such a path; the message says why.
    """
    parts = path.split("/")
    if not path or len(path) > 255 or any(mark in path for mark in "\\:\0") or not path.isprintable():
        raise ValueError(f"{path[:80]!r} is not a plain relative path")
    if path.startswith("/") or any(part in ("", ".", "..") for part in parts):
        raise ValueError(f"{path[:80]!r} leaves the folder or is not a plain relative path")
    if is_pickle(path):
        raise ValueError(f"{path[:80]!r} is a pickle or array dump, and those are never read: store safetensors")
    return path


def is_pickle(path: str) -> bool:
    """Whether a name is that of a format which can run code when it is read (or hides one that can)."""
    return PurePosixPath(path).suffix.lower() in _PICKLES


def inside(folder: Path, relative: str) -> Path:
    """The regular file `relative` of `folder`, symbolic links followed only while they stay inside.

    The hub's cache keeps a model's files in blobs/ beside snapshots/ and links to them: such a snapshot may link there, and only there.

    Raises:
        UserError: the path leaves the folder, is missing, or is not a regular file.
    """
    try:
        target = folder / check_relative(relative)
    except ValueError as error:
        raise UserError(f"{folder}: {error}") from None
    try:
        real = target.resolve(strict=True)
        mode = real.stat().st_mode
    except (OSError, RuntimeError):  # missing, unreadable, or links in a circle
        raise UserError(f"{target}: the file is missing or cannot be read: copy the folder again") from None
    if not any(real.is_relative_to(root) for root in _roots(folder.resolve())):
        raise UserError(f"{target}: a link leads out of the folder: replace it by the file itself")
    if not stat.S_ISREG(mode):
        raise UserError(f"{target}: not a regular file")
    return real


def _roots(folder: Path) -> list[Path]:
    """Where the links of a folder may lead: into itself, and for (a part of) a snapshot in the hub's cache into its blobs."""
    above = [part.parent.parent for part in (folder, *folder.parents) if part.parent.name == "snapshots"]
    return [folder, *(root / "blobs" for root in above if root.name.startswith(("models--", "datasets--")))]


@dataclass(frozen=True, slots=True)
class TensorEntry:
    """Where one tensor lies: safetensors dtype name, shape, and bytes `begin` to `end` counted from the start of the file."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class TensorFile:
    """A safetensors file whose header was read and checked; its tensors are mapped or read in parts, never loaded as a whole."""

    path: Path
    file_bytes: int
    tensors: dict[str, TensorEntry]

    def entry(self, name: str, dtype: str, shape: Sequence[int]) -> TensorEntry:
        """The tensor `name`, which must have this dtype and shape.

        Raises:
            UserError: it is missing or different.
        """
        found = self.tensors.get(name)
        if found is None:
            raise UserError(f"{self.path}: no tensor {name!r} in the file")
        if found.dtype != dtype or found.shape != tuple(shape):
            raise UserError(
                f"{self.path}: tensor {name!r} is {found.dtype} {list(found.shape)}, the manifest asks for {dtype} {list(shape)}"
            )
        return found

    def array(self, name: str, dtype: str, shape: Sequence[int]) -> NDArray[np.generic]:
        """The tensor as a read-only memory map of this dtype ("F32", "I64", "I32", "U8") and shape.

        Raises:
            UserError: it is missing or different.
        """
        entry = self.entry(name, dtype, shape)
        return self._map(entry, _NUMPY[dtype], entry.shape)

    def rows(self, name: str) -> NDArray[np.uint8]:
        """The raw bytes of a tensor [rows, …] as a read-only memory map uint8 [rows, bytes of a row]: a row is one contiguous read."""
        entry = self.tensors[name]
        count = entry.shape[0]
        width = (entry.end - entry.begin) // count if count else 0
        return self._map(entry, np.dtype("u1"), (count, width)).view(np.uint8)

    def read_into(self, begin: int, out: memoryview) -> None:
        """Fill `out` (bytes, contiguous) from byte `begin` on: one contiguous read.

        No mapping: where a file was cut short, or its disk is gone, a read fails, but a mapped page kills the process; and a page of a
        mapping is a fault, so that a read is quicker too.

        Raises:
            UserError: the file is gone, changed its length since it was opened, or cannot be read.
        """
        self.check_unshrunk()
        try:
            with self.path.open("rb", buffering=0) as stream:
                stream.seek(begin)
                while len(out):
                    count = stream.readinto(out)  # the system gives at most 2 GiB a call
                    if not count:
                        raise self._changed()
                    out = out[count:]
        except OSError as error:
            raise UserError(f"{self.path}: cannot be read ({error.strerror or error}): is its disk still there?") from None

    def read(self, name: str, dtype: str, shape: Sequence[int]) -> NDArray[np.generic]:
        """As `array`, read into memory: for what is small.

        Raises:
            UserError: as `array` and `read_into`.
        """
        entry = self.entry(name, dtype, shape)
        found = np.empty(entry.shape, _NUMPY[dtype])
        if found.size:
            self.read_into(entry.begin, found.reshape(-1).view(np.uint8).data)
        found.flags.writeable = False
        return found

    def check_unshrunk(self) -> None:
        """A mapped file that was cut short kills the process on the next read, so ask for its length before one.

        Raises:
            UserError: the file is gone or changed its length since it was opened.
        """
        try:
            now = self.path.stat().st_size
        except OSError:
            now = -1
        if now != self.file_bytes:
            raise self._changed()

    def _changed(self) -> UserError:
        return UserError(f"{self.path}: the file changed while the bank was open: open the bank again")

    def _map(self, entry: TensorEntry, dtype: np.dtype[np.generic], shape: tuple[int, ...]) -> NDArray[np.generic]:
        if entry.end == entry.begin:
            empty = np.zeros(shape, dtype)
            empty.flags.writeable = False
            return empty
        try:
            return np.memmap(self.path, dtype=dtype, mode="r", offset=entry.begin, shape=shape)
        except (OSError, ValueError) as error:
            raise UserError(f"{self.path}: cannot be mapped into memory ({error})") from None


def read_header(path: Path) -> TensorFile:
    """Read and check the header of a safetensors file; no tensor bytes are touched.

    Raises:
        UserError: absurd header length, no JSON, unknown dtype, a shape that does not match its bytes, tensors that overlap,
            leave holes or leave the file.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as stream:
            start = stream.read(8)
            length = int.from_bytes(start, "little")
            if len(start) == 8 and 2 <= length <= min(MAX_HEADER_BYTES, size - 8):
                raw = stream.read(length)
            else:
                raise UserError(f"{path}: {_not_a_header(start, length, size)}")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        return TensorFile(path, size, _entries(strict_json(raw), base=8 + length, size=size))
    except ValueError as error:
        raise UserError(f"{path}: bad safetensors header: {_one_line(error)}") from None


def _not_a_header(start: bytes, length: int, size: int) -> str:
    if start[:4] == b"PK\x03\x04" or (start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")):
        return "a pickle, not safetensors: it is never read"
    if len(start) < 8:
        return f"{size} bytes, too short for a safetensors file: copy it again"
    return f"header of absurd length ({length} bytes in a file of {size}; at most {MAX_HEADER_BYTES} are read): no safetensors, or damaged"


def _entries(header: object, *, base: int, size: int) -> dict[str, TensorEntry]:
    if not isinstance(header, dict):
        raise ValueError("not an object")
    found = {name: _entry(name, value, base) for name, value in header.items() if name != "__metadata__"}
    at = base
    for name, entry in sorted(found.items(), key=lambda item: (item[1].begin, item[1].end)):
        if entry.begin != at:
            raise ValueError(f"tensor {name[:80]!r} overlaps another or leaves a hole before it")
        at = entry.end
    if at != size:
        raise ValueError(f"its tensors end at byte {at}, the file has {size}: cut short or too long")
    return found


def _entry(name: str, value: object, base: int) -> TensorEntry:
    if not isinstance(value, dict) or set(value) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name[:80]!r} needs exactly dtype, shape and data_offsets")
    dtype, shape, offsets = value["dtype"], _naturals(value["shape"]), _naturals(value["data_offsets"])
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise ValueError(f"tensor {name[:80]!r} has an unknown dtype")
    if shape is None or len(shape) > MAX_DIMENSIONS or offsets is None or len(offsets) != 2:
        raise ValueError(f"tensor {name[:80]!r} has a bad shape or bad offsets")
    if offsets[1] - offsets[0] != prod(shape) * ITEM_BYTES[dtype]:
        raise ValueError(f"tensor {name[:80]!r}: its shape and dtype do not match its bytes")
    return TensorEntry(dtype, shape, base + offsets[0], base + offsets[1])


def _naturals(value: object) -> tuple[int, ...] | None:
    """A list of whole numbers from 0 to 2^63, else None."""
    if not isinstance(value, list) or len(value) > MAX_DIMENSIONS:
        return None
    good = all(isinstance(item, int) and not isinstance(item, bool) and 0 <= item < 1 << 63 for item in value)
    return tuple(value) if good else None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def file_digest(path: Path, count: ByteCount | None = None) -> str:
    """sha256 (hex) of a file, read piece by piece; `count` hears how many bytes each piece had.

    Raises:
        UserError: it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while piece := stream.read(_CHUNK_BYTES):
                digest.update(piece)
                if count is not None:
                    count(len(piece))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    return digest.hexdigest()


def anchor_files(folder: Path) -> list[str]:
    """The configuration, weight and tokenizer files of a Hugging Face model folder, sorted: those that its digest is made of."""
    try:
        names = sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror})") from None
    return [name for name in names if is_anchor_file(name)]


def is_anchor_file(name: str) -> bool:
    """Whether a file of a model folder counts in its digest: configuration, weights and tokenizer, top level only."""
    return name in _ANCHOR_FILES or (name.endswith(".safetensors") and "/" not in name)


def combine_digests(digests: dict[str, str]) -> str:
    """The digest of a folder: sha256 of the sorted lines `path NUL sha256`, each ended by a newline."""
    return hashlib.sha256("".join(f"{path}\0{digests[path]}\n" for path in sorted(digests)).encode()).hexdigest()


def folder_digest(folder: Path, count: ByteCount | None = None) -> str:
    """The digest of a model folder, over its configuration, weights and tokenizer files.

    Raises:
        UserError: it cannot be read.
    """
    return combine_digests({name: file_digest(folder / name, count) for name in anchor_files(folder)})
