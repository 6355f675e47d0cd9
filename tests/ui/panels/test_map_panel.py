"""The map shows every cluster that is there, says what lies under the cursor, and selects by click, lasso, rectangle and key."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QMouseEvent, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.bank.values import BlockState, ClusterId
from memstudio.errors import UserError
from memstudio.session.centroid_map import Map
from memstudio.ui.models.measure_texts import measure_line
from memstudio.ui.panels.map_panel import MapPanel
from memstudio.ui.saving import drawn
from memstudio.ui.selection import Chosen, choose
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, JobView, LevelView, NodeView
from memstudio.ui.theme import Theme

SIZES = (4, 16)
CTRL, SHIFT, NONE = Qt.KeyboardModifier.ControlModifier, Qt.KeyboardModifier.ShiftModifier, Qt.KeyboardModifier.NoModifier
LEFT = Qt.MouseButton.LeftButton


def bank(sizes: tuple[int, ...] = SIZES, absent: tuple[int, ...] = ()) -> BankView:
    levels = []
    for at, size in enumerate(sizes):
        documents = np.full(size, 3 * 4 ** (len(sizes) - at), np.int64)
        if at == len(sizes) - 1:
            documents[list(absent)] = 0
        levels.append(LevelView(at + 1, size // (sizes[at - 1] if at else 1), documents, 10))
    return BankView("drawn", Path("bank"), tuple(levels), "zero")


def chart(absent: tuple[int, ...] = ()) -> Map:
    """Level 1 in the corners of a square, level 2 as a grid of 4 × 4 within it."""
    corners = np.array([[-1, -1], [1, -1], [-1, 1], [1, 1]], np.float32)
    grid = np.array([[x, y] for y in (-0.6, -0.2, 0.2, 0.6) for x in (-0.6, -0.2, 0.2, 0.6)], np.float32)
    grid[list(absent)] = np.nan
    return Map((corners, grid), "ab", "umap", 1, "0.5")


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> MapPanel:
    made = MapPanel(theme)
    qtbot.addWidget(made)
    made.resize(700, 520)
    made.show_bank(bank(), {})
    made.show_map(chart())
    made.show()
    return made


def point(panel: MapPanel, cluster: ClusterId) -> QPoint:
    scene = panel.plot.scene
    row = scene.cloud.row(cluster)
    assert row is not None
    x, y = panel.plot.look.on_screen(scene.cloud.places[[row]])[0]
    return QPoint(round(float(x)), round(float(y)))


def move(panel: MapPanel, at: QPoint, modifier: Qt.KeyboardModifier = NONE) -> None:
    """The mouse moves with its button held, which QTest has no word for."""
    place = QPointF(at)
    event = QMouseEvent(QEvent.Type.MouseMove, place, panel.plot.mapToGlobal(place), LEFT, LEFT, modifier)
    QApplication.sendEvent(panel.plot, event)


def drag(panel: MapPanel, *way: QPoint, modifier: Qt.KeyboardModifier = NONE) -> None:
    QTest.mousePress(panel.plot, LEFT, modifier, way[0])
    for a, b in pairwise(way):
        for step in range(1, 5):
            move(panel, a + (b - a) * step / 4, modifier)
    QTest.mouseRelease(panel.plot, LEFT, modifier, way[-1])


def tool(panel: MapPanel, name: str) -> None:
    buttons = panel.bar.tools.findChildren(type(panel.bar.whole))
    QTest.mouseClick(next(each for each in buttons if each.text() == name), LEFT)


def heard(panel: MapPanel) -> list[Chosen]:
    found: list[Chosen] = []
    panel.chosen.connect(found.append)
    return found


def shades(values: dict[ClusterId, float]) -> Shades:
    levels = tuple(np.full(size, np.nan, np.float32) for size in SIZES)
    for cluster, value in values.items():
        levels[cluster.level - 1][cluster.index] = value
    return Shades("Effect", "nats", "causal", levels)


def colour(panel: MapPanel, cluster: ClusterId) -> QColor:
    panel.plot.scene.labels.clear()
    return panel.plot.grab().toImage().pixelColor(point(panel, cluster))


# --- what is drawn ------------------------------------------------------------------------------------------------------------


def test_every_cluster_that_is_there_is_drawn_and_counted(panel: MapPanel) -> None:
    assert panel.count.text().startswith("20 of 20 clusters drawn")
    panel.show_bank(bank(absent=(3, 9)), {})
    panel.show_map(chart(absent=(3, 9)))
    assert panel.count.text().startswith("18 of 18 clusters drawn")
    assert panel.plot.scene.cloud.row(ClusterId(2, 3)) is None
    ground = QColor(panel._theme.tone.panel)
    assert all(colour(panel, panel.plot.scene.cloud.cluster(row)) != ground for row in range(18))


def test_a_level_that_is_switched_off_is_not_drawn_and_the_count_says_so(panel: MapPanel) -> None:
    QTest.mouseClick(panel.bar.levels[1], LEFT)
    assert panel.count.text().startswith("4 of 20 clusters drawn")
    assert panel.plot.cluster_at(QPointF(point(panel, ClusterId(2, 5)))) is None
    assert colour(panel, ClusterId(2, 5)) == QColor(panel._theme.tone.panel)
    assert panel.plot.cluster_at(QPointF(point(panel, ClusterId(1, 2)))) == ClusterId(1, 2)


def test_a_map_of_another_bank_is_none(panel: MapPanel) -> None:
    panel.show_bank(bank((3, 9)), {})
    panel.show_map(chart())
    assert panel.not_made.isVisibleTo(panel)
    assert panel.plot.scene.cloud.count == 0


def test_a_measure_colours_and_what_was_not_measured_is_hollow(panel: MapPanel) -> None:
    low, high, bare = ClusterId(2, 0), ClusterId(2, 5), ClusterId(2, 10)
    panel.show_shades(shades({low: 0.0, high: 2.0}))
    ends = panel.plot.scene.shades
    assert ends is not None
    table = ends.table(False)
    assert colour(panel, high).getRgb()[:3] == tuple(int(part) for part in table[255])
    assert colour(panel, low).getRgb()[:3] == tuple(int(part) for part in table[0])
    assert colour(panel, bare) == QColor(panel._theme.tone.panel)
    assert "2 of 20 measured" in panel.read.text()
    assert "(causal)" in panel.read.text()


@pytest.mark.parametrize("sign", ["pruned", "edited", "hidden", "muted", "route", "key", "chosen"])
def test_every_sign_is_seen(panel: MapPanel, sign: str) -> None:
    cluster, before = ClusterId(2, 6), panel.plot.grab().toImage()
    if sign in ("pruned", "edited"):
        panel.show_overlay({cluster: BlockState("pruned") if sign == "pruned" else BlockState("base", 0.5)})
    elif sign in ("hidden", "muted"):
        panel.show_hidden(frozenset({cluster} if sign == "hidden" else ()), frozenset({cluster} if sign == "muted" else ()))
    elif sign == "route":
        panel.show_route((ClusterId(1, 1), cluster))
    elif sign == "key":
        panel.show_key((0.1, 0.05))
    else:
        panel.show_chosen(choose(SIZES, [cluster]))
    assert panel.plot.grab().toImage() != before


def test_the_route_ends_in_the_keys_star(panel: MapPanel) -> None:
    panel.show_route((ClusterId(1, 0), ClusterId(2, 5)))
    panel.show_key((0.8, 0.0))
    (x, y), ink = panel.plot.look.on_screen(np.array([[0.8, 0.0]]))[0], QColor(panel._theme.tone.text)
    image = panel.plot.grab().toImage()
    assert image.pixelColor(round(float(x)), round(float(y))) == ink
    half = (point(panel, ClusterId(1, 0)) + point(panel, ClusterId(2, 5))) / 2
    darkest = min(image.pixelColor(half + QPoint(a, b)).lightness() for a in (-1, 0, 1) for b in (-1, 0, 1))
    assert darkest < ink.lightness() + 20
    panel.show_key(None)
    assert panel.plot.grab().toImage().pixelColor(round(float(x)), round(float(y))) != ink


# --- moving about ------------------------------------------------------------------------------------------------------------


def test_the_wheel_zooms_about_the_cursor_and_show_all_goes_back(qtbot: QtBot, panel: MapPanel) -> None:
    at, whole = point(panel, ClusterId(2, 15)), panel.plot.look
    place = QPointF(at)
    with qtbot.waitSignal(panel.plot.settled):
        for _ in range(6):
            wheel = QWheelEvent(
                place, panel.plot.mapToGlobal(place), QPoint(), QPoint(0, 120), Qt.MouseButton.NoButton, NONE,
                Qt.ScrollPhase.NoScrollPhase, False,
            )  # fmt: skip
            QApplication.sendEvent(panel.plot, wheel)
    assert (point(panel, ClusterId(2, 15)) - at).manhattanLength() <= 3, "half a pixel at first is two by now"
    assert panel.plot.closeness > 3
    assert f"20 of 20 clusters drawn · {panel.plot.in_view} in view" in panel.count.text()
    assert panel.plot.in_view < 20
    QTest.mouseClick(panel.bar.whole, LEFT)
    assert panel.plot.look == whole


def test_a_drag_moves_the_map_and_selects_nothing(panel: MapPanel) -> None:
    found, at = heard(panel), point(panel, ClusterId(2, 5))
    drag(panel, at, at + QPoint(60, 20))
    assert point(panel, ClusterId(2, 5)) == at + QPoint(60, 20)
    assert not found


def test_a_double_click_and_the_keys_zoom(panel: MapPanel) -> None:
    QTest.mouseDClick(panel.plot, LEFT, pos=QPoint(300, 200))
    assert panel.plot.closeness == pytest.approx(2.0)
    QTest.keyClick(panel.plot, Qt.Key.Key_Plus)
    assert panel.plot.closeness == pytest.approx(2.5)
    QTest.keyClick(panel.plot, Qt.Key.Key_Minus)
    QTest.keyClick(panel.plot, Qt.Key.Key_Home)
    assert panel.plot.closeness == pytest.approx(1.0)


# --- selecting ----------------------------------------------------------------------------------------------------------------


def test_a_click_selects_ctrl_joins_and_the_ground_selects_nothing(panel: MapPanel) -> None:
    found = heard(panel)
    QTest.mouseClick(panel.plot, LEFT, pos=point(panel, ClusterId(2, 5)))
    assert found[-1] == choose(SIZES, [ClusterId(2, 5)])
    QTest.mouseClick(panel.plot, LEFT, CTRL, point(panel, ClusterId(1, 3)))
    assert found[-1].clusters() == (ClusterId(1, 3), ClusterId(2, 5))
    QTest.mouseClick(panel.plot, LEFT, pos=QPoint(3, 3))
    assert found[-1].count == 0


def test_a_rectangle_selects_what_lies_in_it(panel: MapPanel) -> None:
    found = heard(panel)
    tool(panel, "Rectangle")
    drag(panel, point(panel, ClusterId(2, 0)) + QPoint(-9, 9), point(panel, ClusterId(2, 5)) + QPoint(9, -9))
    assert found[-1].clusters() == tuple(ClusterId(2, index) for index in (0, 1, 4, 5))
    drag(panel, point(panel, ClusterId(2, 15)) + QPoint(-9, 9), point(panel, ClusterId(2, 15)) + QPoint(9, -9), modifier=CTRL)
    assert found[-1].clusters() == tuple(ClusterId(2, index) for index in (0, 1, 4, 5, 15))


def test_shift_and_a_drag_are_a_rectangle_while_the_tool_moves(panel: MapPanel) -> None:
    found, look = heard(panel), panel.plot.look
    drag(panel, point(panel, ClusterId(2, 10)) + QPoint(-9, 9), point(panel, ClusterId(2, 15)) + QPoint(9, -9), modifier=SHIFT)
    assert found[-1].clusters() == tuple(ClusterId(2, index) for index in (10, 11, 14, 15))
    assert panel.plot.look == look


def test_a_lasso_selects_what_it_goes_round_and_not_its_bounding_box(panel: MapPanel) -> None:
    found = heard(panel)
    tool(panel, "Lasso")
    corner, across, up = (point(panel, ClusterId(2, index)) for index in (0, 3, 12))
    drag(panel, corner + QPoint(-12, 12), across + QPoint(14, 12), up + QPoint(-12, -14))
    chosen = {cluster.index for cluster in found[-1].clusters()}
    assert {0, 1, 2, 4, 5, 8} <= chosen
    assert chosen.isdisjoint({15, 14, 11, 7})


def test_a_lasso_takes_no_level_that_is_switched_off(panel: MapPanel) -> None:
    found = heard(panel)
    QTest.mouseClick(panel.bar.levels[1], LEFT)
    tool(panel, "Rectangle")
    drag(panel, QPoint(2, 2), QPoint(panel.plot.width() - 3, panel.plot.height() - 3))
    assert found[-1].clusters() == tuple(ClusterId(1, index) for index in range(4))


def test_escape_drops_a_lasso_that_is_being_drawn_and_else_the_selection(panel: MapPanel) -> None:
    found = heard(panel)
    panel.plot.setFocus()
    tool(panel, "Lasso")
    QTest.mousePress(panel.plot, LEFT, NONE, QPoint(10, 10))
    for at in (QPoint(200, 10), QPoint(200, 200)):
        move(panel, at)
    QTest.keyClick(panel.plot, Qt.Key.Key_Escape)
    QTest.mouseRelease(panel.plot, LEFT, NONE, QPoint(200, 200))
    assert not found
    panel.show_chosen(choose(SIZES, [ClusterId(2, 5)]))
    QTest.keyClick(panel.plot, Qt.Key.Key_Escape)
    assert found[-1].count == 0


def test_arrows_go_to_the_next_cluster_that_way(panel: MapPanel) -> None:
    found = heard(panel)
    panel.show_chosen(choose(SIZES, [ClusterId(2, 5)]))
    for key, wanted in ((Qt.Key.Key_Right, 6), (Qt.Key.Key_Up, 10), (Qt.Key.Key_Left, 9), (Qt.Key.Key_Down, 5)):
        QTest.keyClick(panel.plot, key)
        assert found[-1].current == ClusterId(2, wanted)


def test_what_was_selected_elsewhere_is_shown_brought_into_view_and_not_told_again(qtbot: QtBot, panel: MapPanel) -> None:
    panel.plot.zoom(30.0, QPointF(point(panel, ClusterId(2, 0))))
    with qtbot.assertNotEmitted(panel.chosen):
        panel.show_chosen(choose(SIZES, [ClusterId(2, 15)]))
    assert panel.plot.rect().contains(point(panel, ClusterId(2, 15)))


def test_the_context_menu_is_of_the_cluster_under_the_cursor(qtbot: QtBot, panel: MapPanel) -> None:
    found, at = heard(panel), point(panel, ClusterId(2, 5))
    with qtbot.waitSignal(panel.menu_wanted):
        spot = panel.plot.mapTo(panel, at)
        event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, spot, panel.mapToGlobal(spot), NONE)
        QApplication.sendEvent(panel, event)
    assert found[-1].current == ClusterId(2, 5)


# --- labels, hover card -----------------------------------------------------------------------------------------------------


def test_labels_are_asked_for_where_there_is_room_and_more_of_them_when_one_zooms_in(qtbot: QtBot, panel: MapPanel) -> None:
    panel.show_nodes({ClusterId(2, index): NodeView("a label of some length", True) for index in range(16)})
    panel.show_nodes({ClusterId(1, index): NodeView("metals", True) for index in range(4)})
    panel.resize(330, 330)
    with qtbot.waitSignal(panel.plot.settled):
        panel.plot.fit()
        panel.plot.touch()
    few = panel.plot.named
    assert {ClusterId(1, index) for index in range(4)} <= set(few), "those with most documents first"
    assert len(few) < 20
    with qtbot.waitSignal(panel.plot.settled):
        panel.plot.zoom(2.5, QPointF(165, 165))
    assert set(panel.plot.named) - set(few)


def test_no_label_lies_over_another(qtbot: QtBot, panel: MapPanel) -> None:
    with qtbot.waitSignal(panel.wanted) as caught:
        panel.plot.touch()
    assert set(panel.plot.named) <= caught.args[0]
    panel.show_nodes({ClusterId(2, index): NodeView("sodium · potassium", True) for index in range(16)})
    qtbot.waitSignal(panel.plot.settled).wait()
    metrics, boxes = panel.plot.fontMetrics(), []
    for row, right, down in panel.plot._named:
        x, y = panel.plot.look.on_screen(panel.plot.scene.cloud.places[[row]])[0]
        text = panel.plot.scene.labels.get(panel.plot.scene.cloud.cluster(row)) or "1/0"
        boxes.append((float(x) + right, float(y) + down, metrics.horizontalAdvance(text), metrics.height()))
    assert len(boxes) > 5
    for at, (x, y, wide, high) in enumerate(boxes):
        assert all(x + wide <= a or a + w <= x or y + high <= b or b + h <= y for a, b, w, h in boxes[:at])


def test_the_hover_card_says_what_lies_there(qtbot: QtBot, panel: MapPanel) -> None:
    panel.show_nodes({ClusterId(2, 5): NodeView("metals", True)})
    coloured = shades({ClusterId(2, 5): 0.25})
    panel.show_shades(coloured)
    QTest.mouseMove(panel.plot, point(panel, ClusterId(2, 5)))
    qtbot.waitUntil(lambda: panel._card.isVisible())
    line = measure_line(coloured, ClusterId(2, 5))
    assert "0.25" in line
    assert "(causal)" in line
    for words in ("2/5  metals", "12 documents", line):
        assert words in panel._card.text()
    QTest.mouseMove(panel.plot, point(panel, ClusterId(2, 9)))
    qtbot.waitUntil(lambda: "not measured" in panel._card.text())


# --- the states before there is a map ---------------------------------------------------------------------------------------


def test_the_pages_follow_the_making(qtbot: QtBot, theme: Theme) -> None:
    panel = MapPanel(theme)
    qtbot.addWidget(panel)
    panel.show()
    assert not panel.not_made.isVisible()
    panel.show_bank(bank(), {})
    assert panel.not_made.isVisible()
    assert "All 20 clusters" in panel.not_made.hint.text()
    with qtbot.waitSignal(panel.make_wanted):
        QTest.mouseClick(panel.not_made.make, LEFT)
    panel.show_progress(JobView(7, "Map: laying out, epochs", 3, 200))
    assert panel.running.isVisible()
    assert panel.running.hint.text() == "Map: laying out, epochs 3 of 200"
    assert (panel.running.bar.value(), panel.running.bar.maximum()) == (3, 200)
    with qtbot.waitSignal(panel.cancel_wanted):
        QTest.mouseClick(panel.running.cancel, LEFT)
    panel.show_progress(JobView(7, "Map: laying out, epochs", 4, 200))
    assert panel.running.hint.text() == "Cancelling…"
    panel.show_progress(None)
    assert panel.not_made.isVisible()
    panel.show_progress(JobView(8, "Making the map"))
    assert panel.running.cancel.isEnabled()


# --- strange banks, pictures --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(1,), (1, 1), (2, 6)])
def test_strange_banks_are_drawn(panel: MapPanel, sizes: tuple[int, ...]) -> None:
    panel.show_bank(bank(sizes), {})
    panel.show_map(Map(tuple(np.zeros((size, 2), np.float32) for size in sizes), "ab", "pca", 1, ""))
    panel.show_shades(Shades("p", "p", "causal", tuple(np.full(size, np.inf, np.float32) for size in sizes)))
    panel.show_chosen(choose(sizes, [ClusterId(len(sizes), index) for index in range(sizes[-1])]))
    assert not panel.plot.grab().isNull()
    assert "principal components" in panel.count.text()


def test_the_picture_is_saved_as_png_and_svg(panel: MapPanel, tmp_path: Path) -> None:
    for name in ("map.png", "map.svg"):
        drawn(panel, tmp_path / name)()
        assert (tmp_path / name).stat().st_size > 500
    with pytest.raises(UserError, match="png or"):
        drawn(panel, tmp_path / "map.doc")()


def test_another_theme_repaints(panel: MapPanel, theme: Theme) -> None:
    theme.choose("dark")
    assert panel.plot.grab().toImage().pixelColor(2, 2) == QColor(theme.tone.panel)
