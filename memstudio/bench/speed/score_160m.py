"""Scoring 1,000 facts over 500 routes on the paper's 160M shape, where the arithmetic of the anchor counts."""

from memstudio.bench.speed.figure import Figure
from memstudio.bench.speed.models import lent_bank
from memstudio.bench.speed.score import TREE, figure
from memstudio.jobs import Job


def measure(device: str, job: Job) -> list[Figure]:
    """Takes 2 GB of disk and, on two cores, some minutes."""
    with lent_bank("160m", (256, 64, 16), TREE) as folder:
        return [figure(folder, "160M shape", device, job, rounds=1, sample=20)]
