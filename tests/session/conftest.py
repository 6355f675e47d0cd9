"""Open sessions on the tiny bank; whatever a test leaves open is closed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memstudio.session import Session, open_session
from tests.standin import use_tiny_encoder

OpenSession = Callable[..., Session]


@pytest.fixture(autouse=True)
def _encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    use_tiny_encoder(monkeypatch)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Where a study will be; nothing is there yet."""
    return tmp_path / "study"


@pytest.fixture
def opens(tiny_bank: Path) -> Iterator[OpenSession]:
    """Opens the tiny bank, as often as is asked; arguments as `open_session`."""
    opened: list[Session] = []

    def open_it(bank: str | Path = tiny_bank, **given: object) -> Session:
        opened.append(open_session(bank, **{"device": "cpu", **given}))  # type: ignore[arg-type]  # passes on what it is given
        return opened[-1]

    yield open_it
    for session in opened:
        session.close()


@pytest.fixture
def session(opens: OpenSession) -> Session:
    """The tiny bank with a temporary study."""
    return opens()
