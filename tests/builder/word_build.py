"""A build as a process of its own, with the stand-in encoder: `python -m tests.builder.word_build RECIPE.yaml OUT`.

The bank comes out as of `memstudio build`; what that says before and after a build is left out. Where WORD_BUILD_PAUSE_S is set, every
report of progress takes so long and each step is kept, so that whoever watches the work folder can end the process in any stage.
"""

import os
import sys
import time
from pathlib import Path

import pytest
import torch

from memstudio.bank import clusters, write
from memstudio.bank.manifest import load_manifest
from memstudio.builder.build import build
from memstudio.builder.recipe import Recipe, load_recipe
from memstudio.jobs import Job
from tests.standin import use_word_encoder

PAUSE = "WORD_BUILD_PAUSE_S"


def digests(bank: Path) -> dict[str, str]:
    """Every file of a bank by its sha256; the manifest counts by its bytes."""
    found = {path: reference.sha256 for path, reference in load_manifest(bank).files.items()}
    assert {"retriever/tree.safetensors", "blocks/level-1.safetensors", "blocks/level-2.safetensors"} <= set(found)
    return {**found, "bank.json": (bank / "bank.json").read_text()}


def slow_down(patch: pytest.MonkeyPatch, seconds: float) -> None:
    """Stretch what would be over before anybody could see it."""
    progress, write_clusters = Job.progress, clusters.write_clusters

    def slow_progress(job: Job, done: int, total: int | None = None) -> None:
        time.sleep(seconds)
        progress(job, done, total)

    def slow_clusters(*given: object) -> None:
        time.sleep(20 * seconds)
        write_clusters(*given)  # type: ignore[arg-type]  # passes on what it is given

    patch.setattr(Job, "progress", slow_progress)
    patch.setattr(write, "write_clusters", slow_clusters)
    patch.setattr("memstudio.builder.train._KEEP_BYTES", 1)  # a checkpoint after each step


def main(recipe: str, out: str) -> None:
    """Build, or go on."""
    torch.set_num_threads(1)
    found = load_recipe(Path(recipe))
    assert isinstance(found, Recipe)
    with pytest.MonkeyPatch.context() as patch:
        use_word_encoder(patch)
        if PAUSE in os.environ:
            slow_down(patch, float(os.environ[PAUSE]))
        build(found, Path(out), device="cpu")


if __name__ == "__main__":
    main(*sys.argv[1:])
