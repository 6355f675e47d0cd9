"""A study folder and a way to open it; whatever a test leaves open is closed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memstudio.history.store import Store, open_store

OpenStudy = Callable[..., Store]

BANK = {"bank_digest": "a1" * 32, "bank_name": "tiny", "bank_path": "/banks/tiny"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the study will be; nothing is there yet."""
    return tmp_path / "study"


@pytest.fixture
def open_study(folder: Path) -> Iterator[OpenStudy]:
    """Opens the study, as often as is asked; arguments as `open_store`, the bank's filled in."""
    opened: list[Store] = []

    def opens(where: Path = folder, **given: object) -> Store:
        opened.append(open_store(where, **(BANK | given)))  # type: ignore[arg-type]
        return opened[-1]

    yield opens
    for store in opened:
        store.close()
