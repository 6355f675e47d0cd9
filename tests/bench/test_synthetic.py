"""A bank that was never trained is a bank all the same: it opens, routes, fetches and runs, and its blocks take no room."""

from pathlib import Path

import numpy as np
import pytest

from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId
from memstudio.bench.synthetic import SHAPES, Shape, synthetic_bank
from memstudio.session import open_session
from tests.standin import use_tiny_encoder
from tests.tiny import make_anchor

SMALL = Shape((4, 4, 8), (3, 0, 2))


@pytest.mark.parametrize("fill", ["holes", "random"])
def test_it_opens_and_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: str) -> None:
    use_tiny_encoder(monkeypatch)
    folder = synthetic_bank(tmp_path / "bank", SMALL, make_anchor(tmp_path / "anchor"), fill=fill)  # type: ignore[arg-type]
    with open_session(folder, device="cpu") as session:
        assert [session.bank.tree.count(level) for level in (1, 2, 3)] == [4, 16, 128]
        assert len(session.bank.verify()) > 5
        assert bool(session.bank.block(ClusterId(3, 100)).any()) == (fill == "random")
        assert len(session.run("The atomic number of gold is").tokens) > 0
        assert session.card(ClusterId(3, 100)).label.count(" · ") == 2
        document = session.bank.document("synthetic/16")
        assert document is not None
        assert document[1] == session.bank.tree.route_to(ClusterId(3, 16))


def test_the_same_seed_gives_the_same_bank(tmp_path: Path) -> None:
    anchor = make_anchor(tmp_path / "anchor")
    named = (("a", 0), ("b", 0), ("c", 1))
    one, other, third = (synthetic_bank(tmp_path / name / "bank", SMALL, anchor, seed=seed) for name, seed in named)
    assert (one / "bank.json").read_bytes() == (other / "bank.json").read_bytes()
    assert (one / "bank.json").read_bytes() != (third / "bank.json").read_bytes()


def test_holes_take_no_room(tmp_path: Path) -> None:
    folder = synthetic_bank(tmp_path / "bank", Shape((16, 64), (4, 64)), make_anchor(tmp_path / "anchor"))
    blocks = folder / "blocks" / "level-2.safetensors"
    assert blocks.stat().st_size > 20_000_000
    assert blocks.stat().st_blocks * 512 < 100_000
    documents = open_bank(folder).tree.documents
    np.testing.assert_array_equal(documents[0], documents[1].reshape(16, 64).sum(1))


def test_the_named_shapes_are_as_large_as_they_say() -> None:
    assert sum(SHAPES["seventy-thousand"].clusters) == 69_904
