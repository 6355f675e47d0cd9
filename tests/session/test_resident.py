"""What is resident is what is measured, and what is freed is gone until it is next needed."""

import mmap
import sys
from pathlib import Path

import pytest
import torch

from memstudio.bank.pages import cached_bytes, forget, mapped_bytes
from memstudio.bank.values import ClusterId
from memstudio.editing.rewrite import Rewrite
from memstudio.errors import UserError
from memstudio.session import Session
from memstudio.session.resident import Held, free
from tests.session.conftest import OpenSession

TEXT = "The atomic number of gold is"
PATH = (ClusterId(1, 2), ClusterId(2, 8), ClusterId(3, 25))
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells")


def lines(session: Session) -> dict[str, Held]:
    return {each.what: each for each in session.resident()}


def test_anchor_slots_and_cache_are_counted_to_the_byte(session: Session) -> None:
    assert "Anchor" not in lines(session)
    session.apply(Rewrite(PATH[-1], session.bank.block(PATH[-1]) + 0.25))
    session.logits(TEXT, route=PATH)
    found, anchor = lines(session), session.running.anchor
    tensors = [*anchor.model.parameters(), *anchor.model.buffers()]
    assert found["Anchor"].bytes == sum(each.numel() * each.element_size() for each in tensors)
    whole = sum(layout.n for layout in session.bank.layouts) * 4
    assert found["Slots: answers"].bytes == whole
    assert found["Slots: answers"].detail == "1/2, 2/8, 3/25"
    assert found["Cache of blocks"].bytes == session.bank.layouts[2].n * 4
    assert "0 of 1 found there" in found["Cache of blocks"].detail
    assert found["Slots: answers"].frees is None


def test_freeing_makes_less_and_the_next_run_says_the_same(session: Session) -> None:
    session.apply(Rewrite(PATH[-1], session.bank.block(PATH[-1]) + 0.25))
    wanted = session.logits(TEXT, route=PATH)
    assert session.running.spare.attached.slots.bytes > 0
    assert lines(session)["Slots: previews"].frees == "arms"
    free(session, "arms")
    assert "Slots: previews" not in lines(session)
    free(session, "cache")
    assert lines(session)["Cache of blocks"].bytes == 0
    assert torch.equal(session.logits(TEXT, route=PATH), wanted)
    free(session, "anchor")
    assert not session.running.loaded
    assert not {"Anchor", "Slots: answers", "Cache of blocks"} & set(lines(session))
    assert torch.equal(session.logits(TEXT, route=PATH), wanted)
    free(session, "files")
    assert torch.equal(session.logits(TEXT, route=PATH), wanted)
    with pytest.raises(UserError, match="free one of cache, arms, anchor, files"):
        free(session, "all")  # type: ignore[arg-type]  # a person writes what they like


def test_nothing_is_freed_or_loaded_where_nothing_was(session: Session) -> None:
    for part in ("cache", "arms", "anchor"):
        free(session, part)
    assert not session.running.loaded


def test_another_session_on_the_same_anchor_keeps_it(opens: OpenSession) -> None:
    one, other = opens(), opens()
    wanted = one.logits(TEXT, route=PATH)
    other.running.share(one.running)
    other.logits(TEXT, route=PATH)
    free(one, "anchor")
    assert torch.equal(other.logits(TEXT, route=PATH), wanted)


@linux
def test_pages_of_a_file_are_counted_as_they_come_and_go(tmp_path: Path) -> None:
    file, size = tmp_path / "file", 64 * mmap.PAGESIZE
    file.write_bytes(b"1" * size)
    assert cached_bytes(file) == size
    forget(file)
    assert cached_bytes(file) == 0
    with file.open("rb") as stream:
        stream.read(1)
    assert 0 < (cached_bytes(file) or 0) <= size
    before = mapped_bytes(tmp_path)
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), size, prot=mmap.PROT_READ) as mapped:
        assert sum(mapped[at] for at in range(0, size, mmap.PAGESIZE)) == 64 * ord("1")
        assert (before, mapped_bytes(tmp_path)) == (0, size)
    assert mapped_bytes(tmp_path) == 0


@linux
def test_where_the_system_does_not_count_pages_they_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, size = tmp_path / "file", 16 * mmap.PAGESIZE + 5
    file.write_bytes(b"1" * size)
    counted = cached_bytes(file)
    monkeypatch.setattr("memstudio.bank.pages._CACHESTAT", 1 << 20)  # no such call
    assert cached_bytes(file) == counted == 17 * mmap.PAGESIZE
    (tmp_path / "empty").touch()
    assert cached_bytes(tmp_path / "empty") == 0


@linux
def test_what_the_lines_name_adds_up_to_the_process(session: Session) -> None:
    from memstudio.session.resident import process_memory

    session.logits(TEXT, route=PATH)
    named = sum(each.bytes for each in session.resident() if each.place == "memory")
    now, _ = process_memory()
    assert now is not None
    assert abs(named - now) < 5_000_000
