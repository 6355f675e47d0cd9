"""The builder's parts by themselves: files to texts, texts to windows, keys to a tree, blocks on disk."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import nn

from memstudio.anchor.load import Anchor, load_anchor
from memstudio.bank.layout import Layout
from memstudio.bank.tree import Tree
from memstudio.builder.corpus import Corpus, cut, read_corpus
from memstudio.builder.packs import epoch
from memstudio.builder.store import DECAY, Store, StoredRows
from memstudio.builder.texts import PIECE_CHARACTERS, Text, read_texts
from memstudio.builder.tree import balanced, descend_all, fit_branching, grow
from memstudio.errors import UserError
from memstudio.jobs import Job
from tests.tiny import make_anchor


@pytest.fixture(scope="module")
def anchor(tmp_path_factory: pytest.TempPathFactory) -> Anchor:
    return load_anchor(make_anchor(tmp_path_factory.mktemp("anchor")), device="cpu")


def read(*paths: Path) -> tuple[list[Text], list[str]]:
    notes: list[str] = []
    return list(read_texts(paths, notes.append)), notes


def test_every_kind_of_file_in_a_folder_is_read_in_order_and_others_are_named(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / ".hidden").write_text("secret")
    (folder / "a.txt").write_text("plain", encoding="utf-8-sig")
    (folder / "b.md").write_text("# größe", encoding="utf-16")
    (folder / "c.txt").write_bytes("größe".encode("cp1252"))
    (folder / "d.jsonl").write_text('{"text": "one", "id": "x"}\n\n{"content": "two"}\n')
    pq.write_table(pa.table({"text": ["three", "four"], "title": ["T", "U"]}), folder / "e.parquet")
    (folder / "f.png").write_bytes(b"\x89PNG\0")
    (folder / "sub" / "g").write_text("last")
    texts, notes = read(folder)
    assert [(text.name, text.text) for text in texts] == [
        ("docs/a.txt", "plain"),
        ("docs/b.md", "# größe"),
        ("docs/c.txt", "größe"),
        ("docs/d.jsonl:x", "one"),
        ("docs/d.jsonl:3", "two"),
        ("docs/e.parquet:T", "three"),
        ("docs/e.parquet:U", "four"),
        ("docs/sub/g", "last"),
    ]
    assert [note.rsplit(": ", 1)[1] for note in notes] == ["not UTF-8, read as Windows-1252", "no text in it, passed over"]


def test_documents_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for part in ("one", "two"):
        (tmp_path / part).mkdir()
        (tmp_path / part / "a.txt").write_text(part)
    texts, _ = read(tmp_path / "one" / "a.txt", tmp_path / "two" / "a.txt")
    assert [text.name for text in texts] == ["a.txt", "a.txt (2)"]


def test_a_long_text_comes_in_pieces_that_join_to_it(tmp_path: Path) -> None:
    whole = "".join(f"line {at}\n" for at in range(PIECE_CHARACTERS // 6))
    (tmp_path / "long.txt").write_text(whole)
    texts, _ = read(tmp_path / "long.txt")
    assert len(texts) > 1
    assert "".join(text.text for text in texts) == whole
    assert all(whole[text.at :].startswith(text.text[:50]) for text in texts)
    assert {text.name for text in texts} == {"long.txt"}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.jsonl", b'{"text": "x"}\n{', "line 2: not JSON"),
        ("a.jsonl", b'{"words": "x"}', "line 1: no text in it"),
        ("a.jsonl", b"[1]", "line 1: not an object"),
        ("a.parquet", b"PAR1 no", "not a Parquet file"),
        ("a.txt", b"\0\1", "not a text file"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=says) as caught:
        read(tmp_path / name)
    assert "\n" not in str(caught.value)


@settings(max_examples=40, deadline=None)
@given(st.text(alphabet="ab. \n,é", max_size=400), st.integers(16, 40))
def test_windows_keep_to_their_tokens_and_cover_the_text(anchor: Anchor, text: str, most: int) -> None:
    windows = list(cut(iter([Text("d", 0, text)]), anchor, most))
    assert all(len(anchor.plain(window.text)) <= most for window in windows)
    assert all(text[window.at : window.at + len(window.text)] == window.text for window in windows)
    assert "".join("".join(window.text for window in windows).split()) == "".join(text.split())
    assert [window.last for window in windows] == [False] * (len(windows) - 1) + [True] * bool(windows)


def test_no_window_crosses_two_documents(anchor: Anchor) -> None:
    texts = [Text("a", 0, "gold is red."), Text("b", 0, "tin is blue.")]
    assert [(window.name, window.last) for window in cut(iter(texts), anchor, 64)] == [("a", True), ("b", True)]


def test_a_corpus_reads_the_same_from_its_files(anchor: Anchor, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("gold is the element number 79. " * 30)
    (tmp_path / "b.txt").write_text("tin is blue")
    paths = [tmp_path / "a.txt", tmp_path / "b.txt"]
    read_corpus(paths, tmp_path / "corpus", anchor, 32, Job("read"), lambda _: None)
    corpus = Corpus(tmp_path / "corpus")
    assert len(corpus) > 5
    assert len(set(corpus.names)) == len(corpus)
    end = anchor.tokenizer.eos_token_id
    for at in range(len(corpus)):
        tail = [end] if corpus.last(at) and isinstance(end, int) else []
        assert corpus.ids(at).tolist() == [*anchor.plain(corpus.text(at)), *tail]
    assert corpus.names[-1] == "b.txt:0-11"
    assert corpus.tokens == int(corpus.lengths.sum())


def blobs(centres: int, each: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    middle = rng.normal(size=(centres, 24))
    keys = (np.repeat(middle, each, 0) + 0.05 * rng.normal(size=(centres * each, 24))).astype(np.float32)
    return keys / np.linalg.norm(keys, axis=1, keepdims=True)


def test_each_blob_is_a_cluster_and_the_same_seed_grows_the_same_tree(tmp_path: Path) -> None:
    keys = blobs(9, 40)
    grown = grow(keys, [3, 3], 1.5, 0, Job("grow"))
    leaves = grown.paths[:, 1].reshape(9, 40)
    assert sum(len(set(row.tolist())) == 1 for row in leaves) >= 7
    assert [int(documents.sum()) for documents in grown.documents] == [360, 360]
    assert (grown.paths[:, 1] // 3 == grown.paths[:, 0]).all()
    keys.tofile(tmp_path / "keys.f32")
    mapped = np.memmap(tmp_path / "keys.f32", np.float32, "r", shape=keys.shape)
    again = grow(mapped, [3, 3], 1.5, 0, Job("grow"))
    assert all((a == b).all() for a, b in zip(grown.centroids, again.centroids, strict=True))


def test_builder_and_bank_descend_alike() -> None:
    keys = blobs(12, 10)
    grown = grow(keys, [4, 4], 1.5, 1, Job("grow"))
    tree = Tree(grown.centroids, grown.documents, (4, 4))
    present = [documents > 0 for documents in grown.documents]
    strangers = blobs(30, 1, seed=9)
    for key, path in zip(strangers, descend_all(strangers, grown.centroids, present, [4, 4]), strict=True):
        assert [cluster.index for cluster in tree.descend(key).clusters] == path.tolist()


@pytest.mark.parametrize("keys", [blobs(1, 1), blobs(1, 3), np.repeat(blobs(1, 1), 50, 0)], ids=["one", "three", "all alike"])
def test_few_and_equal_documents_grow_a_tree_too(keys: NDArray[np.float32]) -> None:
    grown = grow(keys, [2, 2], 1.5, 0, Job("grow"))
    assert (grown.paths >= 0).all()
    assert [int(documents.sum()) for documents in grown.documents] == [len(keys)] * 2


@given(st.lists(st.integers(0, 5), min_size=1, max_size=200), st.floats(1.0, 3.0), st.integers(0, 3))
def test_no_cluster_is_over_its_share_and_nobody_is_lost(assigned: list[int], cap: float, seed: int) -> None:
    given_ = np.array(assigned, np.intp)
    found = balanced(given_, 6, cap, np.random.default_rng(seed))
    assert len(found) == len(given_)
    assert np.bincount(found, minlength=6).max() <= max(1, np.ceil(cap * len(given_) / 6))


def test_a_tree_shrinks_to_its_documents() -> None:
    assert fit_branching([4, 4], 100) == [4, 4]
    assert np.prod(fit_branching([16, 16, 16], 50)) <= 50
    assert fit_branching([5, 5], 1) == [1]


@given(st.integers(1, 60), st.integers(8, 64), st.integers(0, 5))
def test_an_epoch_reads_each_window_once_in_packs_of_one_leaf(windows: int, sequence: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    paths, lengths = rng.integers(0, 4, (windows, 2)), rng.integers(1, 40, windows)
    steps = epoch(np.arange(windows), paths, lengths, sequence, 3, np.random.default_rng(seed))
    packs = [pack for step in steps for pack in step]
    assert sorted(window for pack in packs for window in pack) == list(range(windows))
    assert all(len(step) <= 3 for step in steps)
    for pack in packs:
        assert len({int(paths[window, -1]) for window in pack}) == 1
        assert len(pack) == 1 or int(lengths[pack].sum()) <= sequence


LAYOUT = Layout(8, (2, 3))


def stored(folder: Path, first: int = 0, count: int = 4) -> StoredRows:
    folder.mkdir(exist_ok=True)
    return StoredRows(folder / "level-1.f32", LAYOUT, 1, first, count, 7)


def test_fresh_blocks_do_not_depend_on_how_jobs_part_them_and_add_nothing(tmp_path: Path) -> None:
    whole, part = stored(tmp_path / "whole"), stored(tmp_path / "part", 2, 2)
    assert torch.equal(whole.read(torch.tensor([2, 3])), part.read(torch.tensor([2, 3])))
    for gate, _, down in LAYOUT.split(whole.read(torch.tensor([1]))[0]):
        assert gate.abs().sum() > 0
        assert not down.any()
    whole.close()
    part.close()


def test_a_stored_block_steps_as_torch_adamw_and_the_others_stay(tmp_path: Path) -> None:
    rows = stored(tmp_path / "rows")
    before = rows.read(torch.arange(4))
    twin = nn.Parameter(before[1].clone())
    adam = torch.optim.AdamW([twin], lr=0.01, betas=(0.9, 0.95), weight_decay=DECAY)
    store = Store(tmp_path / "rows", [rows])
    for number in range(5):
        values = rows.read(torch.tensor([1])).requires_grad_()
        (values**2 * (number + 1)).sum().backward()
        assert values.grad is not None
        rows.step(torch.tensor([1]), values.detach(), values.grad, 0.01)
        adam.zero_grad()
        (twin**2 * (number + 1)).sum().backward()
        adam.step()
        store.checkpoint(number + 1, [0.5])
    assert torch.allclose(rows.read(torch.tensor([1]))[0], twin.detach(), atol=1e-6)
    assert torch.equal(rows.read(torch.tensor([0, 2, 3])), before[[0, 2, 3]])
    store.close()
    again = Store(tmp_path / "rows", [stored(tmp_path / "rows")])
    assert (again.step, again.losses) == (5, [0.5])
    assert torch.allclose(again.levels[0].read(torch.tensor([1]))[0], twin.detach(), atol=1e-6)
    again.close()


@pytest.mark.parametrize("broken", ["put", "flush", "replace", "unlink"])
def test_a_checkpoint_cut_short_is_there_or_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    folder = tmp_path / "rows"
    rows = stored(folder)
    store = Store(folder, [rows])
    first = rows.read(torch.tensor([0, 1]))
    rows.step(torch.tensor([0, 1]), first, torch.ones_like(first), 0.1)
    store.checkpoint(1, [1.0])
    kept = rows.read(torch.tensor([0, 1]))
    rows.step(torch.tensor([0, 1]), kept, torch.ones_like(kept), 0.1)
    after = rows.read(torch.tensor([0, 1]))

    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(*((StoredRows, broken) if broken in ("put", "flush") else (Path, broken)), fail)
        with pytest.raises(KeyboardInterrupt):
            store.checkpoint(2, [1.0])
    store.close()
    again = Store(folder, [stored(folder)])
    assert again.step in (1, 2)
    assert torch.equal(again.levels[0].read(torch.tensor([0, 1])), kept if again.step == 1 else after)
    again.close()


def test_a_store_occupies_no_disk_until_it_is_stepped(tmp_path: Path) -> None:
    rows = stored(tmp_path / "rows", 0, 100_000)
    assert (tmp_path / "rows" / "level-1.f32").stat().st_size == 100_000 * 12 * LAYOUT.n
    assert (tmp_path / "rows" / "level-1.f32").stat().st_blocks < 1000
    rows.close()
