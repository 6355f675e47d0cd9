"""A long session holds no more at its end than at its beginning, and never gives a wrong answer."""

import gc
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from memstudio.bank.values import ClusterId
from memstudio.bench.speed.soak import Asked, answers, differing, one_thread, soak
from memstudio.bench.synthetic import synthetic_bank
from memstudio.editing.prune import Prune
from memstudio.jobs import Job
from memstudio.session import open_session

ROOM_BYTES = 4 << 20
"""What the process's own memory may take more of in the second half: pages of the allocator, and the study's own page cache."""


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("prompts", "every"), [(100, 20), pytest.param(10_000, 100, marks=pytest.mark.slow)])
def test_a_long_session_stays_as_it_was(tmp_path: Path, prompts: int, every: int) -> None:
    gc.collect()
    bank = synthetic_bank(tmp_path / "bank", branching=(4, 4, 4), widths=(4, 4, 4), layers=2, hidden=32, fill="random")
    found = soak(bank, tmp_path / "study", prompts, Job("soak"), every=every)
    assert (found.wrong, found.checked) == ((), prompts // every)
    assert found.edits > prompts // 20
    assert found.undone > prompts // 20
    assert [mark.prompts for mark in found.marks] == list(range(prompts // 10, prompts + 1, prompts // 10))
    assert found.marks[-1].files <= found.marks[0].files, found.marks  # what other tests left open may close meanwhile
    assert found.marks[-1].own_bytes - found.marks[4].own_bytes < ROOM_BYTES, found.marks


def test_a_wrong_answer_is_told(tmp_path: Path) -> None:
    bank = synthetic_bank(tmp_path / "bank", branching=(4, 4), widths=(4, 4), layers=2, hidden=32, fill="random")
    leaf, study = ClusterId(2, 7), tmp_path / "study"
    with one_thread(), open_session(bank, study=study, device="cpu") as session:
        right = Asked(100, 0, "What is it?", str(leaf), answers(session, "What is it?", leaf))
        session.apply(Prune((leaf,)))
        pruned = Asked(200, 1, "What is it?", str(leaf), answers(session, "What is it?", leaf))
    assert right.answers != pruned.answers
    asked = [right, pruned, replace(right, number=300, revision=1), replace(pruned, number=400, answers=right.answers)]
    assert differing("cpu", bank, study, [asdict(each) for each in asked]) == [300, 400]
