"""Bad input to the verbs that edit: one line on stderr, exit status 2, and the study as it was, its files and where it stands."""

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from memstudio.bank.block import block_digest
from memstudio.bank.files import file_digest
from memstudio.jobs import Job
from memstudio.session import open_session
from tests.bank.damage import header_of, seal, write_with_header
from tests.cli.conftest import Said, Shell, one_line, state
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"
IRON = "The atomic number of iron is"
BLOCKS = "blocks/level-3.safetensors"


Tensors = dict[str, Tensor]
Run = Callable[[Shell, Path, Path], Said]
"""A command line on a study that goes wrong; the last is a folder to write in."""


def _rewrite(change: Callable[[Tensors], Tensors]) -> Run:
    def run(shell: Shell, study: Path, folder: Path) -> Said:
        file = folder / "block.safetensors"
        shell("rewrite", study, "3/7", "--save", file)
        save_file(change(load_file(file)), file)
        return shell("rewrite", study, "3/7", file)

    return run


def _with(number: float) -> Callable[[Tensors], Tensors]:
    def change(tensors: Tensors) -> Tensors:
        next(iter(tensors.values())).view(-1)[3] = number
        return tensors

    return change


def _broken_facts(shell: Shell, study: Path, folder: Path) -> Said:
    (folder / "facts.jsonl").write_text("{broken\n[1\n")
    return shell("update", study, "--facts", folder / "facts.jsonl")


def _facts_of_no_target(shell: Shell, study: Path, folder: Path) -> Said:
    (folder / "facts.jsonl").write_text('{"prompt": "a", "expected": "b", "target": "\u200b"}\n{broken\n')
    return shell("update", study, "--facts", folder / "facts.jsonl")


def _large_facts(shell: Shell, study: Path, folder: Path) -> Said:
    with (folder / "facts.jsonl").open("wb") as stream:
        stream.write(b'{"prompt": "a", "target": "b"}\n')
        stream.truncate(300 << 20)
    return shell("update", study, "--facts", folder / "facts.jsonl")


def _bank_of(study: Path) -> Path:
    with open_session(study, readonly=True) as session:
        return session.bank.folder


def _broken_bank(folder: Path, number: float) -> Path:
    """A bank on the same anchor whose block 3/5 holds a number that is none; its checksums are right."""
    bank = make_bank(folder / "broken")
    header, body = header_of(bank / BLOCKS)
    rows = torch.frombuffer(bytearray(body), dtype=torch.float32).reshape(header["blocks"]["shape"])
    rows[5, 3] = number
    write_with_header(bank / BLOCKS, header, rows.numpy().tobytes())
    seal(bank, BLOCKS)
    return bank


def _swap_from(number: float) -> Run:
    def run(shell: Shell, study: Path, folder: Path) -> Said:
        return shell("swap", study, "3/6", "3/5", "--from", _broken_bank(folder, number))

    return run


def _patched(*verb: object, change: Callable[[Tensor], Tensor]) -> Run:
    """The verb with a patch whose block is another one; name, length and digests are those of that block."""

    def run(shell: Shell, study: Path, folder: Path) -> Said:
        patch = folder / "five.patch"
        file = folder / "block.safetensors"
        shell("rewrite", study, "3/5", "--save", file)
        save_file({name: tensor * 1.5 for name, tensor in load_file(file).items()}, file)
        shell("rewrite", _bank_of(study), "3/5", file, "--study", folder / "theirs", "--no-measure")
        assert shell("export", folder / "theirs", patch).status == 0
        ((old, row),) = load_file(patch / "blocks.safetensors").items()
        row = change(row)
        save_file({block_digest(row): row}, patch / "blocks.safetensors")
        manifest = (patch / "patch.json").read_text().replace(old, block_digest(row))
        value = json.loads(manifest)
        size = (patch / "blocks.safetensors").stat().st_size
        value["files"]["blocks.safetensors"] = {"bytes": size, "sha256": file_digest(patch / "blocks.safetensors")}
        (patch / "patch.json").write_text(json.dumps(value))
        return shell(verb[0], study, *verb[1:], patch)

    return run


def _broken_number(number: float) -> Callable[[Tensor], Tensor]:
    def change(row: Tensor) -> Tensor:
        row[3] = number
        return row

    return change


def _patch_of_another_bank(*verb: object) -> Run:
    def run(shell: Shell, study: Path, folder: Path) -> Said:
        shell("scale", make_bank(folder / "other", seed=1), "3/5", "--factor", 0.5, "--study", folder / "theirs", "--no-measure")
        assert shell("export", folder / "theirs", folder / "theirs.patch").status == 0
        return shell(verb[0], study, *verb[1:], folder / "theirs.patch")

    return run


SWAP = ("swap", "3/6", "3/5", "--patch")


BAD: dict[str, tuple[Run, str]] = {
    "an empty target": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT, "--target", " "), "empty"),
    "a target of no token": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT, "--target", "\u200b\u200d"), "new answer"),
    "a target of control codes": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT, "--target", "\x07\x1b"), "new answer"),
    "a target of unknown characters": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT, "--target", "ж"), "no token"),
    "an empty prompt": (lambda shell, study, _: shell("update", study, "--prompt", " ", "--target", "13"), "empty"),
    "no target": (lambda shell, study, _: shell("update", study, "--prompt", PROMPT), "--target"),
    "a document that is not there": (lambda shell, study, _: shell("erase", study, "--document", "nowhere"), "nowhere"),
    "a factor over 2": (lambda shell, study, _: shell("scale", study, "3/4", "--factor", 2.5), "2.5"),
    "a factor that is no number": (lambda shell, study, _: shell("scale", study, "3/4", "--factor", "nan"), "nan"),
    "NaN in a block": (_rewrite(_with(float("nan"))), "NaN"),
    "infinity in a block": (_rewrite(_with(float("inf"))), "infinite"),
    "a block of another shape": (_rewrite(lambda tensors: {"block": torch.zeros(5)}), "block"),
    "a tensor of another name": (_rewrite(lambda tensors: {"weights": torch.zeros(5)}), "weights"),
    "a block of another level": (lambda shell, study, _: shell("swap", study, "3/4", "1/0"), "1/0"),
    "NaN in another bank's block": (_swap_from(float("nan")), "NaN"),
    "infinity in another bank's block": (_swap_from(float("-inf")), "infinite"),
    "a bank of another anchor": (
        lambda shell, study, folder: shell("swap", study, "3/6", "3/5", "--from", make_bank(folder / "other", seed=1)),
        "another anchor",
    ),
    "a bank of another shape": (
        lambda shell, study, folder: shell(
            "swap", study, "3/6", "3/5", "--from", make_bank(folder / "other", levels=((3, 4), (9, 4), (27, 5)))
        ),
        "another shape",
    ),
    "NaN in a patch": (_patched("apply", change=_broken_number(float("nan"))), "NaN"),
    "infinity in a patch": (_patched("apply", change=_broken_number(float("inf"))), "infinite"),
    "a patch of another shape": (_patched("apply", change=lambda row: row[:-1].clone()), "five.patch"),
    "a patch of another bank": (_patch_of_another_bank("apply"), "is a patch for bank"),
    "NaN in a swapped patch": (_patched(*SWAP, change=_broken_number(float("nan"))), "NaN"),
    "a swapped patch of another shape": (_patched(*SWAP, change=lambda row: row[:-1].clone()), "five.patch"),
    "a swapped patch of another bank": (_patch_of_another_bank(*SWAP), "is a patch for bank"),
    "a fact file without a target": (_facts_of_no_target, "no fact in it has a target"),
    "a fact file of broken lines": (_broken_facts, "facts.jsonl"),
    "a fact file that is too large": (_large_facts, "facts.jsonl"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_input_is_one_line_and_leaves_the_study_as_it_was(shell: Shell, study: Path, tmp_path: Path, name: str) -> None:
    run, says = BAD[name]
    before = state(study)
    one_line(run(shell, study, tmp_path), 2, says)
    assert state(study) == before


def test_a_fact_whose_route_has_no_block_is_refused(shell: Shell, study: Path) -> None:
    assert shell("prune", study, "1/0", "1/1", "1/2").status == 0
    before = state(study)
    one_line(shell("update", study, "--prompt", PROMPT, "--target", "13", "--json"), 2, "no block", PROMPT)
    assert state(study) == before


def test_a_bank_without_blocks_has_nothing_to_write_to(shell: Shell, tmp_path: Path) -> None:
    bank = make_bank(tmp_path / "bank", levels=((3, 0), (9, 0), (27, 0)))
    said = shell("update", bank, "--prompt", PROMPT, "--target", "13", "--study", tmp_path / "new")
    one_line(said, 2, "no block", PROMPT)
    assert not (tmp_path / "new").exists()


def test_ctrl_c_in_a_batch_leaves_the_study_as_it_was(shell: Shell, study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "facts.jsonl").write_text("\n".join(json.dumps({"prompt": p, "target": t}) for p, t in ((PROMPT, "13"), (IRON, "47"))))
    before, breaths, breathe = state(study), [], Job.breathe

    def interrupted(job: Job) -> None:
        breaths.append(job)
        if len(breaths) == 7:
            os.kill(os.getpid(), signal.SIGINT)
        breathe(job)

    monkeypatch.setattr(Job, "breathe", interrupted)
    one_line(shell("update", study, "--facts", tmp_path / "facts.jsonl"), 2, "interrupted", "a study stays as it was")
    assert len(breaths) >= 7
    monkeypatch.setattr(Job, "breathe", breathe)
    assert state(study) == before
    assert shell("scale", study, "3/5", "--factor", 0.5, "--no-measure").status == 0
