"""From a bank's file to where a block is wanted, without a copy of the whole on the way.

A file's bytes go straight into host memory of the dtype that they are stored in, in one contiguous stretch. Else they
pass through pieces of host memory that are used in turn and pinned where the device is CUDA, so that while one is copied over the next is
read. A stored row of codes is taken over as codes, and becomes numbers on the device.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from memstudio.bank.block import FLOAT_DTYPES, bits_of, dequantise
from memstudio.bank.rows import Stored, Stretch

PIECE_BYTES = 64 << 20
"""Of a piece where the device is the host: small ones cost more in calls than they save in memory."""
SHARE_BYTES = 32 << 20
"""Large rows are read by as many threads as torch computes with, each at least so many bytes: one alone reads slower than memory takes."""
CUDA_PIECE_BYTES, CUDA_PIECES = 8 << 20, 8
"""On a card each piece is read by a thread of its own: one alone reads slower than the bus takes."""


class Staging:
    """The pieces that rows pass through on the way to one device."""

    def __init__(self, device: str, piece_bytes: int | None = None, pieces: int | None = None) -> None:
        """piece_bytes, a multiple of 8, and pieces: of the staging memory, which is taken when it is first needed."""
        self.device = torch.device(device)
        self._cuda = self.device.type == "cuda"
        self._piece_bytes = piece_bytes or (CUDA_PIECE_BYTES if self._cuda else PIECE_BYTES)
        self._pieces = pieces or (CUDA_PIECES if self._cuda else 1)
        self._held: list[Tensor] = []
        self._copied: list[torch.Event | None] = []

    @property
    def bytes(self) -> int:
        """Of host memory that is held."""
        return sum(piece.numel() for piece in self._held)

    def free(self) -> None:
        """Let the memory go; the next row takes it again."""
        for copied in self._copied:
            if copied is not None:
                copied.synchronize()
        self._held, self._copied = [], []

    def pour(self, stored: Stored, hidden_size: int, into: Tensor) -> None:
        """Write a stored row into `into` [n], of any float dtype, contiguous, on the device.

        Raises:
            UserError: the file cannot be read; `into` then holds anything.
        """
        if stored.scales is None:
            self._copy(stored.numbers, FLOAT_DTYPES[stored.dtype], into)
            return
        codes = torch.empty(stored.numbers.bytes, dtype=torch.uint8, device=self.device)
        scales = torch.empty(stored.scales.bytes // 4, dtype=torch.float32, device=self.device)
        self._copy(stored.numbers, torch.uint8, codes)
        self._copy(stored.scales, torch.float32, scales)
        into.copy_(dequantise(codes, scales, hidden_size, bits_of(stored.dtype)))

    def _copy(self, stretch: Stretch, dtype: torch.dtype, into: Tensor) -> None:
        if into.device.type == "cpu" and into.dtype == dtype:
            _read_whole(stretch, into.view(torch.uint8).numpy().data)
            return
        item = dtype.itemsize
        for begin, piece in self._read(stretch):
            into[begin // item : (begin + piece.numel()) // item].copy_(piece.view(dtype), non_blocking=self._cuda)

    def _read(self, stretch: Stretch) -> Iterator[tuple[int, Tensor]]:
        """Where each piece of a stretch begins, in bytes, and its bytes, in order. What is asked of the device with a piece before the next
        one is taken may still be under way then; the piece is read into again when it is done."""
        size = min(self._piece_bytes, stretch.bytes)
        begins = range(0, stretch.bytes, size)
        count = min(self._pieces, len(begins))
        held = self._memory(count, size)

        def read(number: int) -> Tensor:
            at = number % count
            piece = held[at][: min(size, stretch.bytes - begins[number])]
            if (copied := self._copied[at]) is not None:
                copied.synchronize()
            stretch.read_into(piece.numpy().data, begins[number])
            return piece

        with _readers(count) as readers:
            ahead = [readers.submit(read, number) for number in range(count)]
            for number, begin in enumerate(begins):
                yield begin, ahead[number].result()
                if self._cuda:
                    event = self._copied[number % count] = torch.Event(self.device)
                    event.record()
                if number + count < len(begins):
                    ahead.append(readers.submit(read, number + count))

    def _memory(self, count: int, size: int) -> list[Tensor]:
        """As many pieces, each at least so large."""
        if not self._held or self._held[0].numel() < size:
            self.free()
        while len(self._held) < count:
            self._held.append(torch.empty(size, dtype=torch.uint8, pin_memory=self._cuda))
            self._copied.append(None)
        return self._held


def _read_whole(stretch: Stretch, out: memoryview) -> None:
    """Fill `out` with a stretch's bytes, each thread a share of them."""
    count = min(torch.get_num_threads(), len(out) // SHARE_BYTES)
    if count < 2:
        stretch.read_into(out)
        return
    share = -(-len(out) // count)
    with _readers(count) as readers:
        reads = [readers.submit(stretch.read_into, out[begin : begin + share], begin) for begin in range(0, len(out), share)]
        for read in reads:
            read.result()


@contextmanager
def _readers(count: int) -> Iterator[ThreadPoolExecutor]:
    """Threads that read ahead; none is left behind, whatever happens."""
    readers = ThreadPoolExecutor(count, thread_name_prefix="memstudio-read")
    try:
        yield readers
    finally:
        readers.shutdown(cancel_futures=True)
