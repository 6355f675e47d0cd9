"""Names stand for revisions until they are moved by force or taken away; receipts can be replaced."""

import math
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memstudio.bank.values import BASE, PRUNED, Change, ClusterId
from memstudio.errors import UserError
from memstudio.history.names import check_name
from memstudio.history.store import Store
from tests.history.conftest import OpenStudy

GOLD, SILVER = ClusterId(3, 4), ClusterId(3, 5)


@pytest.fixture
def store(open_study: OpenStudy) -> Store:
    """0 → 1 → 2, the head at 1, the tip at 2."""
    store = open_study()
    for cluster in (GOLD, SILVER):
        with store.commit("prune", "it", [Change(cluster, BASE, PRUNED)], {"blocks": 1}):
            pass
    with store.move(1):
        pass
    return store


def test_a_name_is_found_after_a_restart_and_stays_where_it_was_put(store: Store, open_study: OpenStudy) -> None:
    store.name(2, "before/review-1.0_b")
    store.name(1, "a")
    with store.move(2), pytest.raises(ValueError, match="not now"):
        raise ValueError("not now")
    with store.move(0):
        pass
    store.close()
    again = open_study()
    assert again.names() == {"a": 1, "before/review-1.0_b": 2}
    assert list(again.names()) == ["a", "before/review-1.0_b"]
    assert (again.find("a"), again.find("before/review-1.0_b"), again.head, again.redo_target()) == (1, 2, 0, 1)


def test_a_number_head_and_tip_are_found_too(store: Store, open_study: OpenStudy) -> None:
    reader = open_study(readonly=True)
    for one in (store, reader):
        assert [one.find(text) for text in ("0", "2", "02", " 1 ", "head", "tip")] == [0, 2, 2, 1, 1, 2]


@pytest.mark.parametrize("text", ["gold", "3", "-1", "", "1.5", "9" * 30, "HEAD", "²", "١"])
def test_what_is_neither_number_nor_name_is_one_line(store: Store, text: str) -> None:
    with pytest.raises(UserError, match=r"^revision [^\n]*0 to 2"):
        store.find(text)


def test_a_name_is_moved_by_force_only(store: Store) -> None:
    store.name(1, "good")
    store.name(1, "good")
    with pytest.raises(UserError, match="name good: is revision 1 already"):
        store.name(2, "good")
    assert store.names() == {"good": 1}
    store.name(2, "good", force=True)
    assert store.names() == {"good": 2}


def test_a_name_goes_and_says_where_it_was(store: Store) -> None:
    store.name(2, "good")
    assert store.unname("good") == 2
    assert store.names() == {}
    with pytest.raises(UserError, match=r"name good: no revision has it; revisions are 0 to 2, no names yet"):
        store.unname("good")
    with pytest.raises(UserError, match="moves by itself"):
        store.unname("head")
    assert store.find("head") == 1


@pytest.mark.parametrize("name", ["", "head", "tip", "Head", "12", "-x", "a b", "a\n", "ü", "x" * 65, "a'b", "a\0b", "\x1b[2J"])
def test_what_cannot_be_a_name_is_refused(store: Store, name: str) -> None:
    with pytest.raises(UserError, match=r"^name [^\n]+$"):
        store.name(1, name)
    assert store.names() == {}


def test_a_revision_that_does_not_exist_gets_no_name(store: Store) -> None:
    with pytest.raises(UserError, match="revisions 0 to 2"):
        store.name(3, "later")
    assert store.names() == {}


@given(st.text(alphabet="aZ09._-/ é\n", max_size=70))
def test_every_name_that_is_accepted_is_plain(name: str) -> None:
    try:
        check_name(name)
    except UserError:
        return
    assert 1 <= len(name) <= 64
    assert not name.isdigit()
    assert name[0] != "-"
    assert all(letter.isascii() and (letter.isalnum() or letter in "._-/") for letter in name)


def test_a_reader_names_and_annotates_nothing(store: Store, open_study: OpenStudy) -> None:
    reader = open_study(readonly=True)
    acts: list[Callable[[], object]] = [
        lambda: reader.name(1, "x"),
        lambda: reader.unname("x"),
        lambda: reader.annotate(1, {}),
        reader.purge,
    ]
    for act in acts:
        with pytest.raises(UserError, match="for reading only"):
            act()


def test_a_receipt_is_replaced_and_nothing_else_changes(store: Store, open_study: OpenStudy) -> None:
    before = store.log()
    done = store.annotate(2, {"measured": True, "reliability": 1.0, "digests": [{"cluster": "3/5"}]})
    assert done == store.revision(2)
    assert done.receipt == {"measured": True, "reliability": 1.0, "digests": [{"cluster": "3/5"}]}
    store.close()
    after = open_study().log()
    assert after[:2] == before[:2]
    assert (after[2].changes, after[2].time_s, after[2].current) == (before[2].changes, before[2].time_s, False)
    assert after[2].receipt == done.receipt


def test_a_receipt_that_cannot_be_kept_leaves_the_one_before(store: Store) -> None:
    with pytest.raises(UserError, match="revisions 0 to 2"):
        store.annotate(7, {})
    with pytest.raises(ValueError, match="JSON"):
        store.annotate(1, {"locality": math.nan})
    with pytest.raises(TypeError):
        store.annotate(1, {"cluster": object()})
    assert store.revision(1).receipt == {"blocks": 1}
