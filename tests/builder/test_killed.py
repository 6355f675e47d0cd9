"""A build that is really killed, as a process, in the midst of a stage: started again it gives the digests of one that was left alone."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from memstudio.builder.build import build
from memstudio.builder.recipe import Recipe, load_recipe
from tests.builder.word_build import PAUSE, digests

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0
"""A busy machine is no failure."""
Seen = Callable[[Path, Path], bool]
"""Whether a stage is under way, by what the work folder and the bank's folder hold."""


def some(folder: Path, pattern: str) -> bool:
    return next(folder.glob(pattern), None) is not None


STAGES: dict[str, Seen] = {
    "reading": lambda work, _: some(work, "corpus-*/texts.bin") and not some(work, "corpus-*/corpus.json"),
    "encoding": lambda work, _: some(work, "keys-*.partial"),
    "growing the tree": lambda work, _: some(work, "keys-*.f32") and not some(work, "tree-*.safetensors"),
    "the first steps": lambda work, _: some(work, "jobs-*/subtree-0/state.json") and not some(work, "jobs-*/subtree-0/done.json"),
    "between two parts": lambda work, _: some(work, "jobs-*/subtree-0/done.json"),
    "the generic blocks": lambda work, _: some(work, "jobs-*/generic/state.json") and not some(work, "jobs-*/generic/done.json"),
    "probing": lambda work, out: some(work, "jobs-*/generic/done.json") and not out.exists(),
    "writing": lambda _, out: some(out, "blocks/*") and not (out / "bank.json").exists(),
}


@pytest.fixture
def few(recipe: Recipe) -> Recipe:
    return recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": 4.0})})


@pytest.fixture
def file(few: Recipe, tmp_path: Path) -> Path:
    path = tmp_path / "recipe.yaml"
    path.write_text(yaml.safe_dump(few.model_dump(mode="json")))
    return path


@pytest.fixture
def whole(words: None, file: Path, tmp_path: Path) -> dict[str, str]:
    """The digests of a build that nobody disturbed."""
    return finish_here(file, tmp_path / "whole" / "bank")


def start(file: Path, out: Path, pause_s: float | None = None) -> subprocess.Popen[bytes]:
    there = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **({} if pause_s is None else {PAUSE: str(pause_s)})}
    there.pop("RANK", None)
    command = [sys.executable, "-m", "tests.builder.word_build", str(file), str(out)]
    return subprocess.Popen(command, cwd=ROOT, env=there, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def kill_in(stage: str, file: Path, out: Path) -> None:
    """Start a build and kill it as soon as the folders say that it is in a stage."""
    work, seen = out.with_name(f"{out.name}.build"), STAGES[stage]
    process = start(file, out, 0.01)
    try:
        until = time.monotonic() + PATIENCE_S
        while not seen(work, out):
            assert process.poll() is None, f"ended before {stage}: {process.communicate()[1].decode()[-2000:]}"
            assert time.monotonic() < until, f"never came to {stage}"
            time.sleep(0.002)
    finally:
        process.kill()
        process.communicate(timeout=PATIENCE_S)
    assert process.returncode == -signal.SIGKILL
    assert not (out / "bank.json").exists()


def finish_here(file: Path, out: Path) -> dict[str, str]:
    """Build in this process, or go on, to the end."""
    found = load_recipe(file)
    assert isinstance(found, Recipe)
    build(found, out, device="cpu", log=lambda _: None)
    return digests(out)


def finish(file: Path, out: Path) -> dict[str, str]:
    """Start a build and let it end."""
    process = start(file, out)
    _, said = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, said.decode()[-2000:]
    return digests(out)


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_build_killed_in_training_and_again_in_writing_gives_the_same_digests(whole: dict[str, str], file: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed" / "bank"
    kill_in("the first steps", file, out)
    kill_in("writing", file, out)
    assert finish_here(file, out) == whole  # a process of its own takes seconds to begin: see the slow tests


@pytest.mark.slow
@pytest.mark.parametrize("stage", STAGES)
def test_a_build_killed_in_any_stage_gives_the_same_digests(whole: dict[str, str], file: Path, tmp_path: Path, stage: str) -> None:
    out = tmp_path / "killed" / "bank"
    kill_in(stage, file, out)
    assert finish(file, out) == whole


@pytest.mark.slow
def test_a_build_killed_in_every_stage_in_turn_gives_the_same_digests(whole: dict[str, str], file: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed" / "bank"
    for stage in STAGES:
        kill_in(stage, file, out)
    assert finish(file, out) == whole
