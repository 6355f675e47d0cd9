"""A bank that was never trained is a bank all the same: it opens, routes, fetches and runs, and its blocks take no room."""

from pathlib import Path

import numpy as np
import pytest

from memstudio.bank.bank import open_bank
from memstudio.bank.values import ClusterId
from memstudio.bench.synthetic import SHAPES, Fill, synthetic_bank
from memstudio.errors import UserError
from memstudio.session import open_session
from tests.standin import use_tiny_encoder
from tests.tiny import make_anchor

BRANCHING, WIDTHS = (4, 4, 8), (3, 0, 2)


@pytest.mark.parametrize("fill", ["sparse", "random"])
def test_it_opens_and_answers_with_the_anchor_that_was_made_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fill: Fill) -> None:
    use_tiny_encoder(monkeypatch)
    folder = synthetic_bank(tmp_path / "bank", branching=BRANCHING, widths=WIDTHS, fill=fill, layers=2, hidden=32)
    with open_session(folder, device="cpu") as session:
        assert [session.bank.tree.count(level) for level in (1, 2, 3)] == [4, 16, 128]
        assert len(session.bank.verify()) > 5
        assert bool(session.bank.block(ClusterId(3, 100)).any()) == (fill == "random")
        assert bool(session.bank.block(ClusterId(3, 100)).isfinite().all())
        run = session.run("Größe, 1 × 2?")
        assert len(run.tokens) > 0
        assert [cluster.level for cluster in run.route.clusters] == [1, 2, 3]
        tokenizer = session.running.anchor.tokenizer
        assert tokenizer.decode(tokenizer("Größe, 1 × 2?").input_ids) == "Größe, 1 × 2?"
        assert session.card(ClusterId(3, 100)).label.count(" · ") == 2
        document = session.bank.document("synthetic/16")
        assert document is not None
        assert document[1] == session.bank.tree.route_to(ClusterId(3, 16))


def test_the_same_seed_gives_the_same_bank(tmp_path: Path) -> None:
    named = (("a", 0), ("b", 0), ("c", 1))
    one, other, third = (
        synthetic_bank(tmp_path / name / "bank", branching=BRANCHING, widths=WIDTHS, layers=1, hidden=32, seed=seed) for name, seed in named
    )
    assert (one / "bank.json").read_bytes() == (other / "bank.json").read_bytes()
    assert (one / "bank.json").read_bytes() != (third / "bank.json").read_bytes()


def test_holes_take_no_room(tmp_path: Path) -> None:
    folder = synthetic_bank(tmp_path / "bank", branching=(16, 64), widths=(4, 64), anchor=make_anchor(tmp_path / "anchor"))
    blocks = folder / "blocks" / "level-2.safetensors"
    assert blocks.stat().st_size > 20_000_000
    assert blocks.stat().st_blocks * 512 < 100_000
    documents = open_bank(folder).tree.documents
    np.testing.assert_array_equal(documents[0], documents[1].reshape(16, 64).sum(1))


def test_children_lie_nearer_to_their_parent_than_to_another(tmp_path: Path) -> None:
    tree = open_bank(synthetic_bank(tmp_path / "bank", branching=(8, 8), widths=(1, 1), layers=1, hidden=32)).tree
    above, below = (np.asarray(level) for level in tree.centroids)
    np.testing.assert_allclose(np.linalg.norm(below, axis=1), 1, atol=1e-5)
    assert ((below @ above.T).argmax(1) == np.arange(64) // 8).all()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(UserError, match="not an empty folder"):
        synthetic_bank(tmp_path, branching=(2,), widths=(1,))
    with pytest.raises(UserError, match="one of each a level"):
        synthetic_bank(tmp_path / "bank", branching=(2, 2), widths=(1,))
    assert [each.name for each in tmp_path.iterdir()] == ["mine.txt"]


def test_the_named_shapes_are_as_large_as_they_say() -> None:
    assert sum(SHAPES["seventy-thousand"].clusters) == 69_904
    for name, billions in (("0.02b", 0.02), ("0.2b", 0.2), ("2b", 2.0), ("21.1b", 21.1), ("paper-21.1b", 21.1)):
        assert SHAPES[name].parameters / 1e9 == pytest.approx(billions, rel=0.06), name
