"""The route panel by itself: what its rows, signs and sentences say of a route, whatever its shape."""

from collections.abc import Iterator
from math import nan

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.bank.values import BASE, PRUNED, BlockState, ClusterId, Route
from memstudio.events import Hidden
from memstudio.session.router import Candidate, End, Fork, KeyRoute
from memstudio.ui.panels.route_panel import RoutePanel
from memstudio.ui.selection import choose
from memstudio.ui.theme import Theme

A, B, C, LEAF, ODD = ClusterId(1, 0), ClusterId(1, 1), ClusterId(1, 2), ClusterId(2, 3), ClusterId(2, 4)


def candidate(cluster: ClusterId, distance: float, **other: object) -> Candidate:
    return Candidate(cluster, distance, **{"label": f"about {cluster}", "documents": 1200, "has_block": True, **other})  # type: ignore[arg-type]  # as given


def a_route(*, ended: End = "", pinned: tuple[Candidate, ...] = (), pieces: int = 8) -> KeyRoute:
    forks = (
        Fork(A, (candidate(A, 0.8), candidate(B, 0.81), candidate(C, 1.2)), 12, 0.01, True),
        Fork(LEAF, (candidate(LEAF, 0.7),), 1, None, False),
    )
    found = Route((A, LEAF), (0.8, 0.7), ((B, C), ()), (0.01, None))
    return KeyRoute("what\nis <b>gold</b>?", pieces, min(pieces, 256), found, forks, ended, pinned)


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> Iterator[RoutePanel]:
    made = RoutePanel(theme)
    qtbot.addWidget(made)
    made.resize(330, 600)
    made.show()
    yield made
    made.close()


def texts(panel: RoutePanel) -> list[list[str]]:
    return [[item.text(section) for section in range(4)] for item in panel.rows()]


def test_chosen_and_runners_up_stand_with_distance_and_margin(panel: RoutePanel) -> None:
    panel.show_route(a_route(), "Prompt")
    assert texts(panel) == [
        ["▸ 1/0 about 1/0", "1,200", "0.800", "chosen"],
        ["1/1 about 1/1", "1,200", "0.810", "+0.010"],
        ["1/2 about 1/2", "1,200", "1.200", "+0.400"],
        ["▸ 2/3 about 2/3", "1,200", "0.700", "chosen"],
    ]
    assert panel.key.text() == "Prompt, 8 word pieces"
    assert panel.text.text() == "what is <b>gold</b>?"
    assert panel.text.textFormat() == Qt.TextFormat.PlainText
    assert not panel.cut.isVisibleTo(panel)


def test_a_thin_margin_has_a_sign_and_words(panel: RoutePanel) -> None:
    panel.show_route(a_route(), "Prompt")
    assert "Level 1 · margin 0.010 ▲ thin · 12 to choose from" in panel.as_text()
    assert "Level 2 · no other cluster · 1 to choose from" in panel.as_text()
    assert panel.summary.text() == "▲ Thin margin at level 1: another wording may go elsewhere."
    assert "less than 2% further away" in panel.summary.toolTip()


def test_a_key_that_is_cut_says_how_much_was_read(panel: RoutePanel) -> None:
    panel.show_route(a_route(pieces=1002), "Key field")
    assert panel.cut.isVisibleTo(panel)
    assert panel.cut.text() == "▲ Cut: the first 256 of 1,002 word pieces are read."


def test_a_pinned_path_stands_above_the_retrievers_own(panel: RoutePanel) -> None:
    panel.show_tried(Hidden(frozenset(), frozenset(), pinned=(B, ODD)))
    panel.show_route(a_route(pinned=(candidate(B, 0.81), candidate(ODD, 0.69))), "Prompt")
    assert texts(panel)[:3] == [
        ["◆ 1/1 about 1/1", "1,200", "0.810", "+0.010"],
        ["◆ 2/4 about 2/4", "1,200", "0.690", "−0.010"],
        ["▸ 1/0 about 1/0", "1,200", "0.800", "chosen"],
    ]
    assert texts(panel)[3][0] == "1/1 (pinned) about 1/1"
    assert panel.pin.isEnabled()
    freed: list[object] = []
    panel.pin_wanted.connect(freed.append)
    panel.pin.click()
    assert freed == [None]


def test_the_button_frees_a_pinned_route_at_once(panel: RoutePanel) -> None:
    panel.show_route(a_route(), "Prompt")
    assert panel.pin.text() == "Pin"
    panel.show_tried(Hidden(frozenset(), frozenset(), pinned=(B, ODD)))
    assert panel.pin.text() == "Unpin", "before the route is there anew"
    wanted: list[object] = []
    panel.pin_wanted.connect(wanted.append)
    panel.pin.click()
    assert wanted == [None]


def test_what_was_done_to_a_block_stands_at_its_row(panel: RoutePanel) -> None:
    panel.show_route(a_route(), "Prompt")
    panel.show_study({A: PRUNED, B: BlockState(scale=2.0)})
    panel.show_tried(Hidden(frozenset(), frozenset({B}), solo=frozenset({A})))
    assert [row[0] for row in texts(panel)] == [
        "▸ 1/0 (pruned) about 1/0",
        "1/1 (muted, edited) about 1/1",
        "1/2 (muted) about 1/2",
        "▸ 2/3 (muted) about 2/3",
    ]
    panel.show_study({A: BASE})
    assert texts(panel)[0][0] == "▸ 1/0 about 1/0"


def test_a_route_that_ends_early_says_why(panel: RoutePanel) -> None:
    panel.show_route(a_route(ended="absent"), "Prompt")
    assert panel.ended.isVisibleTo(panel)
    assert panel.ended.text() == "The route ends at level 2: there is no cluster below."
    panel.show_route(KeyRoute("gold", 3, 3, Route((), (), (), ()), (), "hidden"), "Prompt")
    assert panel.ended.text() == "No route: all clusters below are hidden."
    assert texts(panel) == []


def test_return_runs_on_the_row_and_the_buttons_speak_of_it(panel: RoutePanel, qtbot: QtBot) -> None:
    panel.show_route(a_route(), "Prompt")
    heard: list[tuple[str, object]] = []
    for name in ("selected", "run_wanted", "pin_wanted", "show_wanted"):
        getattr(panel, name).connect(lambda cluster, name=name: heard.append((name, cluster)))
    assert not panel.run.isEnabled()
    panel.list.setFocus()
    panel.list.setCurrentItem(next(panel.rows()))
    QTest.keyClick(panel.list, Qt.Key.Key_Down)
    assert heard == [("selected", A), ("selected", B)]
    QTest.keyClick(panel.list, Qt.Key.Key_Return)
    for button in (panel.run, panel.pin, panel.show_it):
        assert button.isEnabled()
        button.click()
    assert heard[2:] == [("run_wanted", B), ("run_wanted", B), ("pin_wanted", B), ("show_wanted", B)]


def test_the_selection_from_elsewhere_is_marked_and_kept_over_another_key(panel: RoutePanel) -> None:
    heard: list[object] = []
    panel.selected.connect(heard.append)
    panel.show_chosen(choose((3, 6), [C]))
    panel.show_route(a_route(), "Prompt")
    assert panel.current() == C
    panel.show_route(a_route(), "Prompt")
    assert panel.current() == C
    panel.show_chosen(choose((3, 6), [ODD]))
    assert panel.current() is None
    assert heard == []


def test_the_route_is_copied_as_text(panel: RoutePanel, qapp: QApplication) -> None:
    panel.show_route(a_route(), "Prompt")
    panel.list.setFocus()
    QTest.keyClick(panel.list, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    copied = QGuiApplication.clipboard().text()
    assert copied.splitlines()[:4] == [
        "Prompt, 8 word pieces",
        "what is <b>gold</b>?",
        "Level 1 · margin 0.010 ▲ thin · 12 to choose from",
        "▸ 1/0 about 1/0\t1,200\t0.800\tchosen",
    ]
    panel.copy.click()
    assert QGuiApplication.clipboard().text() == copied


def test_what_carries_meaning_is_named_and_reached_by_tab(panel: RoutePanel) -> None:
    panel.show_route(a_route(), "Prompt")
    assert panel.list.accessibleName()
    for widget in (panel.list, panel.run, panel.pin, panel.show_it, panel.copy):
        assert widget.focusPolicy() & Qt.FocusPolicy.TabFocus


def test_the_bar_is_as_long_as_the_margin(panel: RoutePanel, theme: Theme) -> None:
    panel.show_route(a_route(), "Prompt")
    colour = theme.tone.accent
    lengths = []
    image = panel.list.viewport().grab().toImage()
    for item in panel.rows():
        rect = panel.list.visualItemRect(item)
        lengths.append(sum(image.pixelColor(x, rect.bottom() - 2).name() == colour for x in range(image.width())))
    assert lengths[0] == lengths[3] == 0
    assert 0 < lengths[1] < lengths[2] / 10


def test_a_path_by_hand_was_not_measured() -> None:
    found = a_route(pinned=(candidate(B, 0.81), candidate(ODD, 0.69)))
    assert found.fetched.clusters == (B, ODD)
    assert found.fetched.thin == (False, False)
    assert str(found.fetched.distances) == str((nan, nan))
