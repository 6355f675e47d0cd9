"""The measures swap and cold at a size that takes no time: what they compare is the same blocks, and what they count is what is read."""

from pathlib import Path

import pytest
import torch

from memstudio.bank.bank import open_bank
from memstudio.bank.pages import cached_bytes
from memstudio.bench import synthetic
from memstudio.bench.speed import cold, swap
from memstudio.bench.synthetic import AnchorShape, synthetic_bank
from memstudio.jobs import Job

SMALL = AnchorShape(2, 64, 128, 2, 2, 32)


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks transformers what is no longer said so
def test_a_swap_is_compared_with_a_copy_and_with_peft_of_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(synthetic.ANCHORS, "small", SMALL)
    monkeypatch.setattr(swap, "SHAPES", (("small", (8, 4, 2)),))
    monkeypatch.setattr(swap, "ROUNDS", 2)
    monkeypatch.setattr(swap, "LOADS", 1)
    copy, peft = swap.measure("cpu", Job("swap"))
    size = (8 + 4 + 2) * 3 * 2 * 64 * 2
    assert copy.detail["bytes"] == size
    assert set(copy.detail["seconds"]) >= {"swap", "copy", "copy by one thread", "swap into float32"}
    assert copy.ratio == copy.ours / copy.detail["seconds"][min(("copy", "copy by one thread"), key=copy.detail["seconds"].get)]
    assert 0.5 < peft.detail["lora_bytes"] / size < 2
    assert peft.ratio is not None


def test_every_round_of_a_swap_changes_every_level(tmp_path: Path) -> None:
    bank = open_bank(synthetic_bank(tmp_path / "bank", branching=(3, 3), widths=(4, 2), fill="random"))
    routes = swap._routes(bank)
    assert len(routes) == 3
    assert all(len({route[level] for route in routes}) == 3 for level in range(2))


def test_a_prompt_from_a_cold_disk_reads_the_levels_that_changed_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "LAYERS", 1)
    monkeypatch.setattr(cold, "HIDDEN", 64)
    monkeypatch.setattr(cold, "WIDTHS", (8, 4, 2))
    monkeypatch.setattr(cold, "ROUNDS", 2)
    figures = cold.measure("cpu", Job("cold"))
    unit = 3 * 64 * 2
    assert [each.detail["bytes"] for each in figures] == [14 * unit, 6 * unit, 2 * unit]
    assert all(each.detail["flat_bytes"] == 14 * unit for each in figures)


def test_prompts_are_fetched_into_slots_after_the_files_were_dropped(tmp_path: Path) -> None:
    bank = open_bank(synthetic_bank(tmp_path / "bank", branching=(3, 3), widths=(400, 200), fill="random"))
    prompts = cold._Prompts(bank, 1, "cpu")
    left = prompts.go_cold()
    assert left is not None
    assert left == sum(cached_bytes(bank.folder / "blocks" / f"level-{level}.safetensors") or 0 for level in (1, 2))
    prompts.next()
    first = list(prompts._slots.identity)
    gate = prompts._slots.parts(1)[0][0].clone()
    prompts.next()
    assert all(a != b for a, b in zip(first, prompts._slots.identity, strict=True))
    assert not torch.equal(gate, prompts._slots.parts(1)[0][0])
