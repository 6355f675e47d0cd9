"""A smaller bank holds what its plan keeps, bit for bit, with edits burned in, and nothing half-written ever stands under its name."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from memstudio.bank.bank import Bank, open_bank
from memstudio.bank.block import block_digest
from memstudio.bank.values import BASE, PRUNED, BlockState, ClusterId, Fallback, Overlay
from memstudio.errors import UserError
from memstudio.export import place as writing
from memstudio.export.bank import Wanted, drafted
from memstudio.export.plan import ExportPlan, plan_export
from memstudio.export.plan_file import read_plan
from memstudio.export.rank import by_chance, by_documents
from memstudio.export.silence import Gone
from memstudio.facts.read import read_facts
from memstudio.facts.routes import read_routes
from memstudio.jobs import Cancelled, Job
from tests.tiny import make_bank

GOLD, SILVER = ClusterId(3, 4), ClusterId(3, 5)
Export = Callable[..., Bank]


def digests(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Bank:
    return open_bank(make_bank(tmp_path_factory.mktemp("banks") / "bank"))


@pytest.fixture
def export(bank: Bank, tmp_path: Path) -> Export:
    """Writes a smaller bank under the test's folder and opens it; the source must stay as it is."""

    def to(
        source: Bank = bank,
        *,
        share: float = 0.5,
        fallback: Fallback = "zero",
        overlay: Overlay | None = None,
        rows: Mapping[str, torch.Tensor] | None = None,
        gone: Gone = Gone(),  # noqa: B008  (frozen)
        plan: ExportPlan | None = None,
        job: Job | None = None,
        name: str = "smaller",
    ) -> Bank:
        before = digests(source.folder)
        made = plan or plan_export(source, overlay or {}, by_chance(source.tree, 2))
        kept = made.kept(made.share(share))
        wanted = Wanted(made, kept, fallback, overlay or {}, (rows or {}).__getitem__, gone, "1")
        try:
            with drafted(source, tmp_path / name, wanted, job or Job("export")) as draft:
                assert not (tmp_path / name).exists() or not any((tmp_path / name).iterdir())
                digest = draft.settle({"recall_after": {"k": 3, "n": 4, "share": 0.75, "low": 0.3, "high": 0.95}})
            opened = open_bank(tmp_path / name)
            assert opened.digest == digest
        finally:
            assert digests(source.folder) == before
            assert not (tmp_path / f"{name}.part").exists()
        opened.verify()
        return opened

    return to


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int8", "int4"])
def test_kept_blocks_are_the_same_bits_and_dropped_ones_are_gone(export: Export, tmp_path: Path, dtype: str) -> None:
    source = open_bank(make_bank(tmp_path / "source", dtype=dtype))
    smaller = export(source)
    kept = [
        ClusterId(level, index)
        for level in (1, 2, 3)
        for index in range(source.tree.count(level))
        if smaller.has_block(ClusterId(level, index))
    ]
    assert 0 < len(kept) < 39
    for cluster in kept:
        assert torch.equal(smaller.block(cluster), source.block(cluster))
    assert all(torch.equal(smaller.generic(level), source.generic(level)) for level in (1, 2, 3))
    info = smaller.info()
    assert isinstance(info["bank_bytes"], int)
    assert info["bank_bytes"] <= 0.5 * source.info()["bank_bytes"]  # type: ignore[operator]
    for level in (1, 2, 3):
        assert np.array_equal(smaller.tree.centroids[level - 1], source.tree.centroids[level - 1])
        assert np.array_equal(smaller.tree.documents[level - 1], source.tree.documents[level - 1])
    stored = load_file(smaller.folder / "blocks/level-3.safetensors")
    assert stored["clusters"].tolist()[-1] == 27, "the generic row comes last, and another reader finds it"


def test_the_manifest_and_the_card_say_where_it_comes_from(export: Export, bank: Bank) -> None:
    smaller = export(fallback="generic")
    assert (smaller.name, smaller.manifest.fallback) == ("smaller", "generic")
    parent = smaller.manifest.parent
    assert parent is not None
    assert (parent["name"], parent["sha256"], parent["revision"], parent["rank_by"]) == ("tiny", bank.digest, 0, "random")
    assert parent["bytes"] == {"before": bank.info()["bank_bytes"], "after": smaller.info()["bank_bytes"]}
    card = smaller.readme_path.read_text()
    for words in ("exported from tiny", bank.digest, "Ranked by random", "generic block", "3 of 4 (75.0%", "| 3 |"):
        assert words in card, words
    again = read_plan(smaller.folder / "plan.jsonl", bank, {})
    assert again.kept().count == sum(smaller.has_block(ClusterId(level, i)) for level in (1, 2, 3) for i in range(bank.tree.count(level)))


def test_the_same_export_gives_the_same_bytes(export: Export) -> None:
    one = digests(export(name="smaller").folder)
    other = digests(export(name="other").folder)
    assert {path for path in one if one[path] != other[path]} <= {"bank.json", "README.md"}, "those hold the name"


def test_edits_are_burned_in_and_pruned_blocks_gone(export: Export, bank: Bank) -> None:
    row = torch.randn(bank.layouts[2].n, generator=torch.Generator().manual_seed(5))
    sha = block_digest(row)
    overlay: Overlay = {GOLD: BlockState(sha, 0.5), SILVER: PRUNED, ClusterId(1, 0): BlockState("base", -2.0)}
    smaller = export(share=1.0, overlay=overlay, rows={sha: row})
    assert not smaller.has_block(SILVER)
    layout = bank.layouts[2]
    for (gate, up, down), (gate0, up0, down0) in zip(layout.split(smaller.block(GOLD)), layout.split(row), strict=True):
        assert torch.equal(gate, gate0)
        assert torch.equal(up, up0)
        assert torch.equal(down, down0 * 0.5)
    first = bank.layouts[0].split(bank.block(ClusterId(1, 0)))
    assert torch.equal(bank.layouts[0].split(smaller.block(ClusterId(1, 0)))[1][2], first[1][2] * -2.0)


def test_edits_of_an_integer_bank_are_quantised_again(export: Export, tmp_path: Path) -> None:
    source = open_bank(make_bank(tmp_path / "source", dtype="int8"))
    row = torch.randn(source.layouts[2].n, generator=torch.Generator().manual_seed(5))
    smaller = export(source, share=1.0, overlay={GOLD: BlockState(block_digest(row))}, rows={block_digest(row): row})
    assert torch.allclose(smaller.block(GOLD), row, atol=float(row.abs().max()) / 200)
    assert torch.equal(smaller.block(SILVER), source.block(SILVER))


def test_a_block_that_a_bank_without_its_row_was_given_is_exported(export: Export, tmp_path: Path) -> None:
    source = open_bank(make_bank(tmp_path / "source", kept=[None, None, [0, 5]]))
    row = torch.randn(source.layouts[2].n, generator=torch.Generator().manual_seed(5))
    smaller = export(source, share=1.0, overlay={GOLD: BlockState(block_digest(row))}, rows={block_digest(row): row}, name="a")
    assert [index for index in range(27) if smaller.has_block(ClusterId(3, index))] == [4, 5] or smaller.has_block(GOLD)
    assert torch.equal(smaller.block(GOLD), row)


def test_a_scale_that_leaves_the_dtype_is_refused(export: Export, tmp_path: Path) -> None:
    source = open_bank(make_bank(tmp_path / "source", dtype="float16"))
    with pytest.raises(UserError, match="block 3/4: its scale 1e\\+06 makes numbers infinite in float16"):
        export(source, share=1.0, overlay={GOLD: BlockState(BASE.source, 1e6)})
    assert not (tmp_path / "smaller").exists()


def test_what_was_taken_down_is_in_no_text(export: Export, bank: Bank) -> None:
    facts = read_facts(bank.facts_path)
    gold = next(fact for fact in facts if fact.subject == "gold")
    gone = Gone((gold,), ("iron is the element number 26.",))
    smaller = export(gone=gone)
    left = read_facts(smaller.facts_path)
    assert [fact.id for fact in left] == [fact.id for fact in facts if fact.subject != "gold"]
    routes, before = read_routes(smaller, left), read_routes(bank, facts)
    assert routes == {text: before[text] for text in routes}
    assert smaller.document("doc-iron") is None
    assert smaller.document("doc-silver") == bank.document("doc-silver")
    raw = b"".join(path.read_bytes() for path in smaller.folder.iterdir() if path.is_file())
    for words in (b"atomic number of gold", b"iron is the element number"):
        assert words not in raw
    names = {near.document for level in (1, 2, 3) for at in range(3) for near in smaller.card(ClusterId(level, at)).exemplars}
    assert "doc-iron" not in names


def test_what_was_taken_down_is_in_no_label_and_no_term(export: Export, bank: Bank) -> None:
    smaller = export(gone=Gone(documents=("iron is the element number 26.",)))
    found = bank.document("doc-iron")
    assert found is not None
    shared = False
    for level in (1, 2, 3):
        for at in range(bank.tree.count(level)):
            before, after = bank.card(ClusterId(level, at)), smaller.card(ClusterId(level, at))
            if before.cluster not in found[1]:
                assert (after.label, after.terms) == (before.label, before.terms)
                continue
            others = tuple(near.document.removeprefix("doc-") for near in bank.documents_of(before.cluster) if near.document != "doc-iron")
            assert set(after.terms) == set(others), "a term stays where a document that is left holds it"
            assert after.label == (" · ".join(after.terms[:3]) or str(before.cluster))
            shared = shared or bool(others)
    assert shared, "some cluster of it holds other documents"
    assert b"iron" not in (smaller.folder / "clusters.sqlite").read_bytes()


def test_a_bank_whose_facts_are_all_gone_has_no_file_of_them(export: Export, bank: Bank) -> None:
    smaller = export(gone=Gone(tuple(read_facts(bank.facts_path))))
    assert "facts.jsonl" not in smaller.manifest.files
    assert "routes.safetensors" not in smaller.manifest.files


@pytest.mark.parametrize("levels", [((3, 4), (9, 0), (27, 6)), ((1, 4),), ((3, 4), (9, 4), (27, 0))])
def test_odd_trees_are_exported(export: Export, tmp_path: Path, levels: tuple[tuple[int, int], ...]) -> None:
    source = open_bank(make_bank(tmp_path / "source", levels=levels, generic=False))
    smaller = export(source, share=1.0)
    assert not smaller.has_generic(1)


def test_a_level_of_which_nothing_is_kept_has_an_empty_file(export: Export, tmp_path: Path) -> None:
    source = open_bank(make_bank(tmp_path / "source", generic=False))
    plan = plan_export(source, {}, by_documents(source.tree), drop=[ClusterId(3, at) for at in range(27)])
    smaller = export(source, share=1.0, plan=plan)
    assert [smaller.has_block(ClusterId(3, at)) for at in range(27)] == [False] * 27
    assert smaller.has_block(ClusterId(2, 3))


def test_targets_that_hold_something_are_refused(export: Export, bank: Bank, tmp_path: Path) -> None:
    (tmp_path / "smaller").mkdir()
    assert export().name == "smaller", "an empty folder is fine"
    with pytest.raises(UserError, match="smaller: holds files already"):
        export()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UserError, match="file: is there already"):
        export(name="file")
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="link: is there already"):
        export(name="link")
    assert (tmp_path / "file").read_text() == "mine"
    made = plan_export(bank, {}, by_documents(bank.tree))
    wanted = Wanted(made, made.kept(), "zero", {}, {}.__getitem__, Gone(), "1")
    with pytest.raises(UserError, match="lies in the bank that is exported"), drafted(bank, bank.folder / "out", wanted, Job("export")):
        pass


def test_generic_blocks_that_are_not_there_cannot_stand_in(export: Export, tmp_path: Path) -> None:
    source = open_bank(make_bank(tmp_path / "source", generic=False))
    with pytest.raises(UserError, match="fallback generic: 'tiny' has no generic blocks: choose zero or sibling"):
        export(source, fallback="generic")


def test_a_full_disk_leaves_nothing(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced = os.fsync
    calls = iter(range(100))

    def full(descriptor: int) -> None:
        if next(calls) == 6:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synced(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"smaller: cannot be written .No space left on device."):
        export()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_without_room_is_refused_before_anything_is_written(export: Export, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing.shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**6, 10**6, 1000))  # type: ignore[attr-defined]
    with pytest.raises(UserError, match=r"the bank takes about [\d,]+ bytes, the disk has 1,000"):
        export()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.4, 1.0])
def test_a_cancel_leaves_nothing(export: Export, tmp_path: Path, share: float) -> None:
    def stop(job: Job) -> None:
        if job.total and job.done >= share * job.total:
            job.cancel()

    with pytest.raises(Cancelled):
        export(job=Job("export", on_progress=stop))
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_source_is_found_while_it_is_copied(export: Export, tmp_path: Path) -> None:
    source = open_bank(make_bank(tmp_path / "source"))
    facts = source.facts_path.read_bytes()
    source.facts_path.write_bytes(facts.replace(b"79", b"80"))
    with pytest.raises(UserError, match=r"facts.jsonl: wrong checksum"):
        export(source)
    assert not (tmp_path / "smaller").exists()


KILLED = """
import os, signal, sys
from pathlib import Path
from memstudio.bank.bank import open_bank
from memstudio.export.bank import Wanted, drafted
from memstudio.export.plan import plan_export
from memstudio.export.rank import by_documents
from memstudio.export.silence import Gone
from memstudio.jobs import Job
bank = open_bank(sys.argv[1])
plan = plan_export(bank, {}, by_documents(bank.tree))
def told(job):
    if job.done > int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGKILL)
with drafted(bank, Path(sys.argv[2]), Wanted(plan, plan.kept(), "zero", {}, {}.get, Gone(), "1"), Job("export", on_progress=told)) as draft:
    draft.settle({})
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system knows no kill -9")
@pytest.mark.parametrize("after", [60_000, 220_000])
def test_a_kill_in_the_middle_leaves_nothing_under_the_name_and_the_next_export_clears_up(
    export: Export, bank: Bank, tmp_path: Path, after: int
) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED, bank.folder, tmp_path / "smaller", str(after)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["smaller.part"]
    assert export().name == "smaller"
    assert json.loads((tmp_path / "smaller/bank.json").read_text())["parent"]["name"] == "tiny"
