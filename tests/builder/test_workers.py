"""The training shared between processes, as torchrun shares it out: the bank that comes of it is the one that a single process makes."""

import os
import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml

from memstudio.builder.build import build
from memstudio.builder.recipe import Recipe, load_recipe
from tests.builder.word_build import digests

ROOT = Path(__file__).parents[2]
PATIENCE_S = 150.0
"""A busy machine is no failure."""


@pytest.fixture
def file(recipe: Recipe, tmp_path: Path) -> Path:
    few = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 4.0})})
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(few.model_dump(mode="json")))
    return path


@pytest.fixture
def alone(words: None, file: Path, tmp_path: Path) -> dict[str, str]:
    """The digests of the bank that one process makes."""
    found = load_recipe(file)
    assert isinstance(found, Recipe)
    build(found, tmp_path / "alone" / "bank", device="cpu", log=lambda _: None)
    return digests(tmp_path / "alone" / "bank")


def begin(words: Sequence[str], **there: str) -> subprocess.Popen[bytes]:
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **there}
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, env=surroundings, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def test_two_processes_train_a_part_each_and_the_first_merges_them(alone: dict[str, str], file: Path, tmp_path: Path) -> None:
    out = tmp_path / "shared" / "bank"
    command = ["-m", "tests.builder.word_build", str(file), str(out)]
    workers = [begin(command, RANK=str(rank), WORLD_SIZE="2") for rank in (0, 1)]
    try:
        said = [worker.communicate(timeout=PATIENCE_S)[0].decode() for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
    assert [worker.returncode for worker in workers] == [0, 0], said
    assert "subtree-1: step" in said[1], "the second process trained nothing"
    assert "subtree-1: step" not in said[0], "the first process trained what was the second's"
    assert "generic: step" in said[0]
    assert digests(out) == alone


@pytest.mark.slow
@pytest.mark.skipif(find_spec("torch.distributed.run") is None, reason="this torch has no torchrun")
def test_under_torchrun_the_bank_is_the_same(alone: dict[str, str], file: Path, tmp_path: Path) -> None:
    out = tmp_path / "shared" / "bank"
    run = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "-m", "tests.builder.word_build", str(file), str(out)]
    process = begin(run)
    try:
        said = process.communicate(timeout=PATIENCE_S)[0].decode()
    finally:
        process.kill()
    assert process.returncode == 0, said[-3000:]
    assert "subtree-1: step" in said
    assert digests(out) == alone
