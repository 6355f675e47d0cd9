"""A file that is poured holds the bytes of its pieces and has their digest, whatever the sizes; what fails on the way is told."""

import errno
import hashlib
import itertools
import subprocess
import sys
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memstudio.bank.files import TensorFile
from memstudio.bank.rows import Stretch
from memstudio.errors import UserError
from memstudio.export import pouring
from memstudio.export.pouring import Piece, pour, read_pieces

BLOCK = 4096


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("source") / "bytes"
    path.write_bytes(np.random.default_rng(0).bytes(200_000))
    return path


@given(
    ends=st.lists(st.sampled_from([0, 1, 5, 4095, 4096, 4097, 9000, 50_000, 131_072, 199_999]) | st.integers(0, 200_000), max_size=8),
    kinds=st.integers(0, 3),
)
def test_the_file_holds_the_pieces_in_their_order(
    source: Path, tmp_path_factory: pytest.TempPathFactory, ends: list[int], kinds: int
) -> None:
    whole = source.read_bytes()
    edges = sorted({0, len(whole), *ends})
    told: list[int] = []

    def pieces() -> Iterator[Piece]:
        used = bytearray(len(whole))
        file = TensorFile(source, len(whole), {})
        for kind, (begin, end) in enumerate(itertools.pairwise(edges), kinds):
            if kind % 4 == 0:
                yield whole[begin:end]
            elif kind % 4 == 1:
                yield memoryview(whole)[begin:end]
            elif kind % 4 == 2:
                used[: end - begin] = whole[begin:end]
                yield memoryview(used)[: end - begin]
                used[: end - begin] = bytes(end - begin)  # what was taken over may be used again
            else:
                yield Stretch(file, begin, end - begin)

    out = tmp_path_factory.mktemp("out") / "folder" / "file"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pouring, "_BLOCK_BYTES", BLOCK)
        found = pour(out, pieces(), told.append)
    assert out.read_bytes() == whole
    assert (found.bytes, found.sha256) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert sum(told) == len(whole)


def test_whole_blocks_of_the_real_size_go_to_disk(tmp_path: Path) -> None:
    whole = np.random.default_rng(1).bytes(50_000_001)
    (tmp_path / "source").write_bytes(whole)
    stretch = Stretch(TensorFile(tmp_path / "source", len(whole), {}), 1, len(whole) - 1)
    found = pour(tmp_path / "copy", [whole[:1], stretch], lambda _: None)
    assert (tmp_path / "copy").read_bytes() == whole
    assert found.sha256 == hashlib.sha256(whole).hexdigest()
    assert pour(tmp_path / "empty", [], lambda _: None).bytes == (tmp_path / "empty").stat().st_size == 0
    with pytest.raises(FileExistsError):
        pour(tmp_path / "copy", [b"other"], lambda _: None)


def test_a_source_that_is_cut_short_is_told(tmp_path: Path, source: Path) -> None:
    shorter = Stretch(TensorFile(source, 200_001, {}), 199_000, 1001)
    with pytest.raises(UserError, match="bytes: the file changed while"):
        pour(tmp_path / "out", [b"before", shorter], lambda _: None)
    with pytest.raises(UserError, match="gone: cannot be read"):
        pour(tmp_path / "other", read_pieces(tmp_path / "gone"), lambda _: None)


def test_a_write_that_fails_while_the_next_block_is_filled_is_told(tmp_path: Path) -> None:
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom memstudio.export.pouring import pour\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000_000, 20_000_000))\n"
        "try:\n    pour(Path(sys.argv[1]), (bytes(10**6) for _ in range(60)), lambda _: None)\n"
        "except OSError as error:\n    print(error.errno)\n"
    )
    pytest.importorskip("resource", reason="this system limits no file")
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "out"], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(errno.EFBIG)]


def test_a_disk_that_takes_nothing_past_the_cache_gets_it_through_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    class Fussy(FileIO):
        def write(self, part: object) -> int:
            if asked[-1:] == [True]:
                raise OSError(errno.EINVAL, "Invalid argument")
            return super().write(part)  # type: ignore[arg-type]  # whatever came

    def past(_: FileIO, on: bool) -> bool:
        asked.append(on)
        return on

    monkeypatch.setattr(pouring, "_BLOCK_BYTES", BLOCK)
    monkeypatch.setattr(pouring, "_past_cache", past)
    with Fussy(tmp_path / "out", "wb") as stream:
        pouring._write(stream, memoryview(b"a" * BLOCK))
        pouring._write(stream, memoryview(b"b" * 10))
    assert (tmp_path / "out").read_bytes() == b"a" * BLOCK + b"b" * 10
    assert asked == [True, False]
