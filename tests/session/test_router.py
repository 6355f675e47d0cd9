"""A key's route with its runners-up: the retriever's own distances, what is passed over, where it ends, what is pinned beside it."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from memstudio.anchor.values import Sampling
from memstudio.bank.files import file_digest, folder_digest
from memstudio.bank.values import THIN_MARGIN, ClusterId
from memstudio.errors import UserError
from memstudio.session import Session, open_session
from memstudio.session.router import RUNNERS
from tests.session.conftest import OpenSession
from tests.tiny import key_of, make_bank

KEY = "The atomic number of gold is"


def test_every_level_has_the_chosen_cluster_and_its_runners_up_nearest_first(session: Session) -> None:
    found = session.router.route(KEY)
    assert found.route == session.route(KEY)
    assert [fork.chosen for fork in found.forks] == list(found.route.clusters)
    tree, key = session.bank.tree, key_of(KEY).astype(np.float64)
    for fork in found.forks:
        level, index = fork.chosen
        away = [each.distance for each in fork.candidates]
        assert away == sorted(away)
        assert fork.candidates[0].cluster == fork.chosen == fork.own.cluster
        assert len(fork.candidates) == min(RUNNERS + 1, fork.total) == 3
        assert away[0] == pytest.approx(np.linalg.norm(tree.centroids[level - 1][index] - key))
        assert fork.margin == pytest.approx(away[1] - away[0])
        assert fork.own.documents == tree.documents[level - 1][index]
        assert fork.own.label == session.card(fork.chosen).label
        assert fork.own.has_block
    assert found.ended == ""
    assert found.end_words == ""
    assert found.fetched == found.route


def test_a_margin_is_thin_by_its_share_of_the_distance(session: Session) -> None:
    for number in range(60):
        found = session.router.route(f"{KEY} {number}")
        for fork in found.forks:
            assert fork.margin is not None
            assert fork.thin == (fork.margin < THIN_MARGIN * fork.own.distance)
        thin = [str(fork.chosen.level) for fork in found.forks if fork.thin]
        assert ("▲ Thin margin at level" in found.thin_words) == bool(thin)
        assert all(level in found.thin_words for level in thin)


def test_a_hidden_cluster_is_shown_as_passed_over_and_its_runner_up_is_taken(session: Session) -> None:
    first = session.router.route(KEY).forks[0]
    hidden = frozenset({first.chosen})
    found = session.router.route(KEY, hidden)
    assert found.route == session.bank.tree.descend(key_of(KEY), hidden)
    assert found.forks[0].chosen == first.candidates[1].cluster
    assert [(each.cluster, each.hidden) for each in found.forks[0].candidates][:2] == [
        (first.chosen, True),
        (first.candidates[1].cluster, False),
    ]


def test_it_says_why_a_route_is_short(opens: OpenSession, tmp_path: Path) -> None:
    session = opens()
    path = session.router.route(KEY).route.clusters
    ended = session.router.route(KEY, frozenset(session.bank.tree.children(path[0])))
    assert (ended.ended, len(ended.forks)) == ("hidden", 1)
    assert ended.end_words == "The route ends at level 1: all clusters below are hidden."
    nothing = session.router.route(KEY, frozenset(session.bank.tree.children(None)))
    assert nothing.end_words == "No route: all clusters below are hidden."
    below = session.bank.tree.children(path[1])
    short = opens(make_bank(tmp_path / "short", absent=below))
    absent = short.router.route(KEY)
    assert absent.route.clusters == path[:2]
    assert absent.end_words == "The route ends at level 2: there is no cluster below."


def test_a_pinned_path_is_measured_beside_the_retrievers_own(session: Session) -> None:
    own = session.router.route(KEY)
    leaf = ClusterId(3, (own.route.clusters[-1].index + 13) % 27)
    found = session.router.route(KEY, pinned=[leaf])
    assert found.route == own.route
    assert [each.cluster for each in found.pinned] == list(session.bank.tree.route_to(leaf))
    assert found.fetched.clusters == session.bank.tree.route_to(leaf)
    key = key_of(KEY).astype(np.float64)
    for each in found.pinned:
        centre = session.bank.tree.centroids[each.cluster.level - 1][each.cluster.index]
        assert each.distance == pytest.approx(np.linalg.norm(centre - key))


@pytest.mark.parametrize("levels", [((5, 4),), ((1, 4),), ((2, 4), (2, 0))])
def test_small_trees_are_no_trouble(opens: OpenSession, tmp_path: Path, levels: tuple[tuple[int, int], ...]) -> None:
    found = opens(make_bank(tmp_path / "bank", levels=levels)).router.route(KEY)
    assert len(found.forks) == len(levels)
    last = found.forks[-1]
    assert last.total == len(last.candidates) or last.total > RUNNERS
    if last.total == 1:
        assert (last.margin, last.thin, len(last.candidates)) == (None, False, 1)
    assert last.own.has_block == bool(levels[-1][1])


def test_an_empty_key_is_refused(session: Session) -> None:
    with pytest.raises(UserError, match="the key is empty"):
        session.router.route("  ")


def test_any_thread_may_ask_while_the_session_answers(session: Session) -> None:
    router, wanted = session.router, session.router.route(KEY)
    found: list[object] = []
    for _ in session.generate(KEY):
        thread = threading.Thread(target=lambda: found.append(router.route(KEY)))
        thread.start()
        thread.join()
        break
    assert found == [wanted]


def test_until_the_anchor_is_there_a_prompt_is_its_own_key(tiny_bank: Path) -> None:
    with open_session(tiny_bank, device="cpu") as session:
        assert session.router.key_of(KEY) == KEY
        assert not session.running.loaded


TEMPLATE = (
    "{% for m in messages %}{{ 'Tell : ' if m.role == 'user' else 'Its : ' }}{{ m.content }} ; {% endfor %}"
    "{% if add_generation_prompt %}Its :{% endif %}"
)


@pytest.fixture
def chat_bank(tmp_path: Path) -> Path:
    """The tiny bank, its anchor with a chat template and asked in turns."""
    folder = make_bank(tmp_path / "chat")
    config = folder / "anchor" / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "chat_template": TEMPLATE}))
    manifest = json.loads((folder / "bank.json").read_text())
    manifest["prompt"] = "chat"
    manifest["anchor"]["sha256"] = folder_digest(folder / "anchor")
    manifest["files"]["anchor/tokenizer_config.json"] = {"bytes": config.stat().st_size, "sha256": file_digest(config)}
    (folder / "bank.json").write_text(json.dumps(manifest))
    return folder


def test_the_key_of_a_chat_anchor_is_the_last_user_turn_without_template(opens: OpenSession, chat_bank: Path) -> None:
    session = opens(chat_bank)
    session.load()
    talk = f"Tell : The atomic number of lead is ; Its : 82 ; Tell : {KEY}"
    assert session.router.key_of(KEY) == session.router.key_of(talk) == KEY
    anchor = session.running.anchor
    assert anchor.encode(KEY) == anchor.bare(f"Tell : {KEY} ; Its :")
    assert anchor.encode(talk) == anchor.bare(f"{talk} ; Its :")
    run = session.run(talk, sampling=Sampling(2))
    assert run.key == KEY
    assert run.route is not None
    assert run.route.clusters == session.router.route(KEY).route.clusters == session.run(KEY, sampling=Sampling(1)).route.clusters
    assert session.run(talk, key="tin", sampling=Sampling(1)).key == "tin"


def test_the_key_of_a_plain_anchor_is_the_whole_prompt(session: Session) -> None:
    session.load()
    talk = f"Tell : The atomic number of lead is ; Its : 82 ; Tell : {KEY}"
    assert session.router.key_of(talk) == talk
