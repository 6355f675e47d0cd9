"""Where is this fact: every path of the tree against the reference path, one forward a path."""

import itertools
from pathlib import Path

import numpy as np
import pytest

from memstudio.bank.values import ClusterId
from memstudio.editing.prune import Prune
from memstudio.editing.rewrite import Rewrite
from memstudio.editing.scale import Scale
from memstudio.errors import UserError
from memstudio.jobs import Cancelled, Job
from memstudio.session import Session
from memstudio.session.paths import along_paths
from memstudio.session.scanned import Scan
from tests.session.conftest import OpenSession
from tests.tiny import make_bank

PROMPT = "The atomic number of gold is"
ANSWER = "4"


def by_itself(session: Session, route: tuple[ClusterId, ...]) -> float:
    """The formula in plain steps: the reference path's logits of prompt and answer under one route."""
    anchor = session.running.anchor
    start, answer = anchor.encode(PROMPT), anchor.continuation(PROMPT, ANSWER)
    logprobs = session.logits(f"{PROMPT} {ANSWER}", route=route).log_softmax(-1)
    return float(sum(logprobs[len(start) - 1 + place, token] for place, token in enumerate(answer)))


def ends_of(session: Session) -> list[ClusterId]:
    tree = session.bank.tree
    leaves = (ClusterId(tree.depth, index) for index in range(tree.count(tree.depth)))
    return [leaf for leaf in leaves if tree.present(leaf)]


def check(session: Session, found: Scan) -> None:
    tree = session.bank.tree
    for end in ends_of(session):
        assert found.values[end.level - 1][end.index] == pytest.approx(by_itself(session, tree.route_to(end)), abs=1e-4)


def test_every_path_has_the_log_probability_of_the_reference_path(session: Session) -> None:
    found = session.scan(PROMPT, ANSWER)
    assert found.scanned == found.total == len(ends_of(session))
    check(session, found)
    assert found.routed == pytest.approx(by_itself(session, found.route.clusters), abs=1e-4)
    assert found.route.clusters == session.route(PROMPT).clusters


def test_edited_pruned_and_scaled_blocks_are_scanned_as_they_stand(session: Session) -> None:
    ends = ends_of(session)
    tree = session.bank.tree
    session.apply(Prune((ends[0],)))
    session.apply(Prune((tree.route_to(ends[-1])[0],)))
    session.apply(Scale((ends[1],), 1.75))
    row = session.bank.block(ends[2]).float() * -1.5
    session.apply(Rewrite(ends[2], row))
    check(session, session.scan(PROMPT, ANSWER))


def test_a_cluster_above_has_the_best_of_the_paths_below_it(session: Session) -> None:
    found = session.scan(PROMPT, ANSWER)
    tree = session.bank.tree
    for level in range(1, tree.depth):
        for index in range(tree.count(level)):
            below = [found.values[c.level - 1][c.index] for c in tree.children(ClusterId(level, index))]
            if below:
                assert found.values[level - 1][index] == max(below)
            else:
                assert np.isnan(found.values[level - 1][index])


def test_small_batches_give_the_same(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = session.scan(PROMPT, ANSWER)
    monkeypatch.setattr("memstudio.session.paths._TOKENS", 30)
    parts = session.scan(PROMPT, ANSWER)
    for one, other in zip(whole.values, parts.values, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_paths_that_fetch_the_same_are_computed_once(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.apply(Prune(session.bank.tree.children(None)))
    rows: list[int] = []
    forward = session.running.spare.attached.forward
    monkeypatch.setattr(session.running.spare.attached, "forward", lambda ids, **given: (rows.append(len(ids)), forward(ids, **given))[1])
    found = session.scan(PROMPT, ANSWER)
    assert rows == [1, 1]
    assert found.scanned == found.total
    assert found.routed == found.none


def test_the_nearest_family_comes_first(session: Session) -> None:
    heard: list[Scan] = []
    order: list[ClusterId] = []

    def listen(scan: Scan) -> None:
        heard.append(scan)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("memstudio.session.paths._TOKENS", 1)
        patch.setattr("memstudio.session.scan._TOLD_S", -1)
        session.scan(PROMPT, ANSWER, told=listen)
    for before, after in itertools.pairwise(heard):
        new = np.flatnonzero(np.isnan(before.values[-1]) & ~np.isnan(after.values[-1]))
        order += [ClusterId(len(after.values), int(index)) for index in new]
    tree, key = session.bank.tree, session.running.key_vectors([PROMPT])[0]
    order = [end for end in ends_of(session) if end not in order] + order  # the first one was there when it was first heard of
    away = {end: float(tree.distances(key, [end])[0]) for end in order}
    assert away[order[0]] == min(away.values())
    families = [family for family, _ in itertools.groupby(order, key=tree.parent)]
    assert len(families) == len(set(families))
    firsts = [min(away[end] for end in order if tree.parent(end) == family) for family in families]
    assert firsts == sorted(firsts)


def test_a_path_that_answers_better_than_the_routed_one_is_told(session: Session) -> None:
    found = session.scan(PROMPT, ANSWER)
    ranked = [end for end, _ in found.best()]
    assert ranked == sorted(ranked, key=lambda end: -found.values[end.level - 1][end.index])
    better = found.better()
    assert better
    assert all(value > found.routed and end != found.own for end, value in better)
    assert len(better) == sum(v > found.routed + 0.1 for v in found.values[-1])
    best = found.best(1)[0][0]
    session.pin(session.bank.tree.route_to(best))
    assert session.scan(PROMPT, ANSWER).own == found.own  # a pin does not act in it


def test_without_an_answer_the_routed_one_is_scanned(session: Session) -> None:
    assert session.scan(PROMPT).answer == session.run(PROMPT).text.split(".")[0].strip()


def test_a_cancelled_scan_ends(session: Session) -> None:
    job = Job("scan")
    job.cancel()
    with pytest.raises(Cancelled):
        session.scan(PROMPT, ANSWER, job=job)


@pytest.mark.parametrize(("text", "answer", "said"), [("", "79", "the prompt is empty"), (PROMPT, " ", "the answer is empty")])
def test_an_empty_prompt_or_answer_is_refused(session: Session, text: str, answer: str, said: str) -> None:
    with pytest.raises(UserError, match=said):
        session.scan(text, answer)


def test_an_over_long_prompt_is_refused(session: Session) -> None:
    with pytest.raises(UserError, match="tokens"):
        list(along_paths(session.running.spare, [1] * 300, [1], [()], {}, session.blob))


def test_a_tree_that_ends_early_is_scanned_to_its_ends(tmp_path: Path, opens: OpenSession) -> None:
    absent = [ClusterId(3, index) for index in range(3)]
    session = opens(make_bank(tmp_path / "uneven", absent=absent))
    found = session.scan(PROMPT, ANSWER)
    assert found.values[1][0] == pytest.approx(by_itself(session, (ClusterId(1, 0), ClusterId(2, 0))), abs=1e-4)
    assert found.total == len(ends_of(session)) + 1 == 25
    assert ClusterId(2, 0) in [end for end, _ in found.best()]
    assert ClusterId(2, 1) not in [end for end, _ in found.best()]


@pytest.mark.parametrize("levels", [((1, 2),), ((2, 0), (4, 3))])
def test_one_cluster_and_levels_of_width_0_are_scanned(tmp_path: Path, opens: OpenSession, levels: tuple[tuple[int, int], ...]) -> None:
    session = opens(make_bank(tmp_path / "small", levels=levels))
    check(session, session.scan(PROMPT, ANSWER))
