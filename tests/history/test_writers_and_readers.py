"""One writer at a time, by a lock that a kill frees; any number of readers beside it, who touch nothing."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from memstudio.bank.values import BASE, PRUNED, Change, ClusterId
from memstudio.errors import UserError
from memstudio.history.store import Store, read_binding
from tests.history.conftest import BANK, OpenStudy

HOLD = f"""
import sys
from pathlib import Path
from memstudio.history.store import open_store
store = open_store(Path(sys.argv[1]), **{BANK!r})
print("held", flush=True)
sys.stdin.read()
"""


def prune(store: Store, index: int) -> None:
    with store.commit("prune", "prune it", [Change(ClusterId(1, index), BASE, PRUNED)]):
        pass


def names(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.name: (path.stat().st_size, path.stat().st_mtime_ns) for path in [folder, *folder.iterdir()]}


def test_a_second_writer_is_refused_and_told_who_holds_the_study(open_study: OpenStudy, folder: Path) -> None:
    first = open_study()
    with pytest.raises(UserError, match=r"open for writing in another place \(process \d+\)"):
        open_study()
    prune(first, 0)
    first.close()
    assert open_study().head == 1


def test_a_kill_frees_the_lock_of_another_process(open_study: OpenStudy, folder: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(UserError, match=rf"\(process {holder.pid}\)"):
            open_study()
        assert open_study(readonly=True).head == 0
        holder.kill()
        assert holder.wait() == -signal.SIGKILL
    prune(open_study(), 0)


def test_a_reader_alone_takes_no_lock_and_touches_nothing(open_study: OpenStudy, folder: Path) -> None:
    writer = open_study()
    prune(writer, 0)
    writer.close()
    before = names(folder)
    reader = open_study(readonly=True)
    assert (reader.head, len(reader.log()), read_binding(folder).bank_name) == (1, 2, "tiny")
    assert names(folder) == before
    open_study()  # the reader, still open, does not keep the writer out


def test_a_reader_follows_a_writer_that_comes_goes_and_comes_again(open_study: OpenStudy, folder: Path) -> None:
    open_study().close()
    reader = open_study(readonly=True)
    for index in range(3):
        writer = open_study()
        prune(writer, index)
        beside = names(folder)
        assert reader.head == index + 1
        assert set(names(folder)) == set(beside)
        writer.close()
        assert reader.log()[-1].id == index + 1
        assert not (folder / "study.db-wal").exists()


def test_a_reader_reads_a_folder_that_nobody_may_write(open_study: OpenStudy, folder: Path) -> None:
    writer = open_study()
    prune(writer, 0)
    writer.close()
    for path in (folder / "study.db", folder):
        path.chmod(path.stat().st_mode & ~0o222)
    try:
        assert open_study(readonly=True).head == 1
    finally:
        folder.chmod(0o755)


def test_a_reader_reads_what_a_killed_writer_left_in_its_log(open_study: OpenStudy, folder: Path, tmp_path: Path) -> None:
    writer = open_study()
    prune(writer, 0)
    torn = tmp_path / "torn"
    shutil.copytree(folder, torn)  # as a kill would leave it: nothing moved from -wal into study.db
    assert (torn / "study.db-wal").stat().st_size > 0
    assert open_study(torn, readonly=True).head == 1
    assert open_study(torn).head == 1


def test_a_reader_edits_nothing(open_study: OpenStudy) -> None:
    with pytest.raises(UserError, match="no study is here"):
        open_study(readonly=True)
    open_study().close()
    reader = open_study(readonly=True)
    with pytest.raises(UserError, match="for reading only"):
        prune(reader, 0)
    with pytest.raises(UserError, match="for reading only"), reader.move(0):
        pytest.fail("the body must not run")


def test_importing_the_history_leaves_torch_alone_and_its_values_sqlalchemy_too() -> None:
    script = (
        "import sys, memstudio.history.values; assert 'sqlalchemy' not in sys.modules;"
        "import memstudio.history.store; assert not {'torch', 'safetensors'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
