"""Figures of speed: what a limit says, that a rerun replaces its own figures alone, and the models that are measured."""

import json
from pathlib import Path

import pytest

from memstudio.anchor.load import load_anchor
from memstudio.bench.speed.figure import Figure, Limit
from memstudio.bench.speed.measures import MEASURES, chosen
from memstudio.bench.speed.results import noted, read
from memstudio.bench.speed.timing import in_turn
from memstudio.bench.synthetic import ANCHORS, AnchorShape, random_anchor
from memstudio.errors import UserError

SLOW = Figure("swap", "ms", 3.0, "copy", 1.5, 2.0, Limit("at most", 1.5), 5)
FAST = Figure("tokens", "tokens/s", 90.0, "generate", 100.0, 0.9, Limit("at least", 0.8), 5)
ALONE = Figure("open", "ms", 3.0, "nothing", None, None, None, 1)


def test_a_limit_is_held_or_not() -> None:
    assert (SLOW.held, FAST.held, ALONE.held) == (False, True, None)


def test_a_measure_that_runs_again_replaces_its_own_figures_alone(tmp_path: Path) -> None:
    path = tmp_path / "results" / "cpu.json"
    noted(path, "swap", {"cores": 2}, [SLOW])
    noted(path, "decode", {"cores": 2}, [FAST])
    noted(path, "swap", {"cores": 4}, [ALONE])
    found = read(path)["measures"]
    assert list(found) == ["decode", "swap"]
    assert found["swap"] == {"machine": {"cores": 4}, "figures": [ALONE.json()]}
    assert found["decode"]["figures"][0]["held"] is True


@pytest.mark.parametrize("text", ["", "[]", '{"format": "memstudio-speed", "measures": 3}', '{"format": "else", "measures": {}}'])
def test_another_file_is_not_overwritten(tmp_path: Path, text: str) -> None:
    path = tmp_path / "mine.json"
    path.write_text(text)
    with pytest.raises(UserError, match="not a file of speed figures"):
        noted(path, "swap", {}, [SLOW])
    assert path.read_text() == text


def test_only_known_measures_are_run() -> None:
    assert chosen(None) == list(MEASURES)
    with pytest.raises(UserError, match="--only never: choose of"):
        chosen("never")


def test_each_goes_first_in_every_second_round() -> None:
    order: list[str] = []
    ours, peer = in_turn(lambda: order.append("ours"), lambda: order.append("peer"), rounds=2)
    assert order == ["ours", "peer", "peer", "ours", "ours", "peer"]
    assert min(ours, peer) >= 0


def test_a_random_anchor_has_the_shape_that_was_asked_for(tmp_path: Path) -> None:
    shape = AnchorShape(2, 48, 80, 4, 2, 8, 300)
    anchor = load_anchor(random_anchor(tmp_path / "anchor", shape), device="cpu", dtype="float32")
    config = json.loads((tmp_path / "anchor" / "config.json").read_text())
    assert (config["num_key_value_heads"], config["intermediate_size"]) == (2, 80)
    own = 48 * 300 + 48 + 2 * (48 * (32 + 16 + 16) + 32 * 48 + 3 * 48 * 80 + 2 * 48)
    assert (anchor.parameters, anchor.vocabulary) == (own, 300)


def test_an_anchor_whose_heads_do_not_divide_its_hidden_size_can_be_loaded(tmp_path: Path) -> None:
    shape = AnchorShape(2, 40, 80, 3, 3, 8, 300)
    anchor = load_anchor(random_anchor(tmp_path / "anchor", shape), device="cpu", dtype="float32")
    own = 40 * 300 + 40 + 2 * (4 * 40 * 24 + 3 * 40 * 80 + 2 * 40)
    assert (anchor.parameters, anchor.model.config.sliding_window) == (own, None)


def test_the_papers_anchors_have_the_papers_sizes() -> None:
    for name, size in (("160m", 163e6), ("1.4b", 1.34e9), ("qwen-0.5b", 0.494e9)):
        shape = ANCHORS[name]
        each = 2 * shape.hidden * (shape.heads + shape.kv_heads) * shape.head + 3 * shape.hidden * shape.inner
        assert shape.layers * each + (shape.vocabulary or 0) * shape.hidden == pytest.approx(size, rel=0.03)
