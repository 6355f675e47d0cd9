"""The shell in process: a command line in, exit status, stdout and stderr out. Default studies go to a temporary data folder."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memstudio import paths
from memstudio.cli import main
from memstudio.session import open_session
from tests.standin import use_tiny_encoder


@dataclass(frozen=True)
class Said:
    """What a command line left."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Shell = Callable[..., Said]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's data folder of this test."""
    use_tiny_encoder(monkeypatch)
    folder = tmp_path / "data"
    monkeypatch.setattr(paths, "data_dir", lambda: folder)
    return folder


@pytest.fixture
def shell(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shell:
    """Runs a command line without a display."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)

    def run(*words: object) -> Said:
        capsys.readouterr()
        status = main([str(word) for word in words])
        return Said(status, *capsys.readouterr())

    return run


@pytest.fixture
def study(shell: Shell, tiny_bank: Path, tmp_path: Path) -> Path:
    """A study of one revision."""
    assert shell("scale", tiny_bank, "3/4", "--factor", 0.5, "--study", tmp_path / "study", "--no-measure").status == 0
    return tmp_path / "study"


def state(study: Path) -> dict[str, object]:
    """A study as it was: where it stands, what differs from the bank as shipped, its revisions and receipts, its files, its blocks."""
    with open_session(study, readonly=True) as session:
        found: dict[str, object] = {"head": session.head, "overlay": dict(session.overlay)}
        found["log"] = [(revision.id, revision.title, json.dumps(revision.receipt)) for revision in session.log()]
    files = [path for path in sorted(study.rglob("*")) if path.is_file() and not path.name.endswith(("-wal", "-shm"))]
    blobs = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.parent.name != study.name}
    return {**found, "files": [path.name for path in files], "blobs": blobs}


def one_line(said: Said, status: int, *parts: str) -> None:
    """Nothing on stdout, one line on stderr that holds these parts."""
    assert (said.status, said.out, said.err.count("\n")) == (status, "", 1), said
    for part in parts:
        assert part in said.err
