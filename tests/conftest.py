"""What all tests share: no display, one thread for torch, also in the processes that they start, one tiny bank that nobody writes to."""

import os

os.environ["QT_QPA_PLATFORM"] = "offscreen"  # before anything imports Qt
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads that wait for one another on a busy machine burn its time

from pathlib import Path

import pytest
import torch
from hypothesis import settings

from tests.tiny import make_bank

torch.set_num_threads(1)
settings.register_profile("memstudio", deadline=None, derandomize=True)  # a busy machine is no failure, and every run tries the same
settings.load_profile("memstudio")


@pytest.fixture(scope="session")
def tiny_bank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete bank folder of three levels, 3 × 3 × 3, float32; shared, so read it only."""
    return make_bank(tmp_path_factory.mktemp("banks") / "tiny")
