"""The headless tour and the self-test on a bank of one's own."""

from pathlib import Path

import pytest

from memstudio.errors import UserError
from memstudio.selftest import selftest
from memstudio.tour import run_tour
from tests.tiny import make_bank


def test_the_tour_asks_traces_prunes_and_undoes(tiny_bank: Path) -> None:
    told: list[str] = []
    steps = run_tour(tiny_bank, device="cpu", tell=told.append)
    names = [step.name for step in steps]
    assert names[:3] == ["ask", "trace", "prune"]
    assert names[-1] == "undo"
    assert len(told) == len(steps)
    assert steps[0].answer == steps[-1].answer != steps[2].answer
    assert (steps[2].revision, steps[-1].revision) == (1, 0)


def test_a_random_bank_fails_the_tour_s_promise(tiny_bank: Path) -> None:
    assert not run_tour(tiny_bank, device="cpu")[0].ok


def test_the_tour_needs_its_prompt_among_the_facts(tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    text = (bank / "facts.jsonl").read_text(encoding="utf-8")
    (bank / "facts.jsonl").write_text(text.replace("number of gold is", "number of gold,is"), encoding="utf-8")
    with pytest.raises(UserError, match="tour's prompt"):
        run_tour(bank, device="cpu")


def test_the_self_test_checks_bank_model_and_study(tiny_bank: Path) -> None:
    checks = selftest(tiny_bank)
    assert [check.name for check in checks] == ["packages", "bank", "retriever", "model", "study"]
    assert all(check.ok for check in checks), [check.detail for check in checks if not check.ok]


def test_the_self_test_tells_a_damaged_bank(tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank")
    raw = bytearray((bank / "blocks/level-1.safetensors").read_bytes())
    raw[-1] ^= 1
    (bank / "blocks/level-1.safetensors").write_bytes(raw)
    assert [check.name for check in selftest(bank) if not check.ok] == ["bank"]
