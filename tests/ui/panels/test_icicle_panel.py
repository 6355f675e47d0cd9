"""The icicle shows every cluster, says what lies under the cursor, and zooms by wheel, click and key."""

from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from memstudio.bank.values import BlockState, ClusterId
from memstudio.errors import UserError
from memstudio.ui.panels.icicle_panel import IciclePanel
from memstudio.ui.saving import drawn
from memstudio.ui.selection import Chosen, choose
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import BankView, LevelView, NodeView
from memstudio.ui.theme import Theme

SIZES = (4, 16, 64)


def bank(sizes: tuple[int, ...] = SIZES, block_bytes: int = 10, absent: bool = False) -> BankView:
    levels = []
    for at, size in enumerate(sizes):
        documents = np.full(size, 3, np.int64)
        if absent and at == len(sizes) - 1:
            documents[::2] = 0
        levels.append(LevelView(at + 1, size // (sizes[at - 1] if at else 1), documents, block_bytes))
    return BankView("drawn", Path("bank"), tuple(levels), "zero")


@pytest.fixture
def panel(qtbot: QtBot, theme: Theme) -> IciclePanel:
    made = IciclePanel(theme)
    qtbot.addWidget(made)
    made.resize(800, 300)
    made.show()
    made.show_bank(bank(), {})
    return made


def point(panel: IciclePanel, cluster: ClusterId) -> QPoint:
    start, end = panel.plot.scene.layout.span(cluster)
    return QPoint(int(panel.plot.x_of((start + end) / 2)), round(panel.plot.row(cluster.level).center().y()))


def colour(panel: IciclePanel, cluster: ClusterId) -> tuple[int, int, int]:
    at = point(panel, cluster) - QPoint(0, round(panel.plot.row(cluster.level).height() / 4))
    return panel.plot.grab().toImage().pixelColor(at).getRgb()[:3]  # type: ignore[return-value]


def shades(values: dict[ClusterId, float], signed: bool = False) -> Shades:
    levels = tuple(np.full(size, np.nan, np.float32) for size in SIZES)
    for cluster, value in values.items():
        levels[cluster.level - 1][cluster.index] = value
    return Shades("Effect", "nats", "causal", levels, signed)


def drag(panel: IciclePanel, at: QPoint) -> None:
    """The mouse moves with its button and Shift held, which QTest has no word for."""
    place, left = QPointF(at), Qt.MouseButton.LeftButton
    event = QMouseEvent(QEvent.Type.MouseMove, place, panel.plot.mapToGlobal(place), left, left, Qt.KeyboardModifier.ShiftModifier)
    QApplication.sendEvent(panel.plot, event)


def test_a_click_selects_and_a_click_with_ctrl_joins(qtbot: QtBot, panel: IciclePanel) -> None:
    heard: list[Chosen] = []
    panel.chosen.connect(heard.append)
    QTest.mouseClick(panel.plot, Qt.MouseButton.LeftButton, pos=point(panel, ClusterId(2, 5)))
    assert heard[-1] == choose(SIZES, [ClusterId(2, 5)])
    QTest.mouseClick(panel.plot, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.ControlModifier, point(panel, ClusterId(3, 40)))
    assert heard[-1].clusters() == (ClusterId(2, 5), ClusterId(3, 40))
    assert heard[-1].current == ClusterId(3, 40)


def test_a_band_with_shift_selects_what_it_covers(panel: IciclePanel) -> None:
    heard: list[Chosen] = []
    panel.chosen.connect(heard.append)
    start, end = point(panel, ClusterId(3, 10)), point(panel, ClusterId(3, 20))
    shift = Qt.KeyboardModifier.ShiftModifier
    QTest.mousePress(panel.plot, Qt.MouseButton.LeftButton, shift, start)
    for at in ((start + end) / 2, end):
        drag(panel, at)
    QTest.mouseRelease(panel.plot, Qt.MouseButton.LeftButton, shift, end)
    assert heard[-1].clusters() == tuple(ClusterId(3, index) for index in range(10, 21))


def test_what_was_selected_elsewhere_is_shown_and_not_told_again(qtbot: QtBot, panel: IciclePanel) -> None:
    panel.zoom_to(ClusterId(1, 0))
    with qtbot.assertNotEmitted(panel.chosen):
        panel.show_chosen(choose(SIZES, [ClusterId(3, 60)]))
    start, end = panel.plot.scene.layout.span(ClusterId(3, 60))
    assert panel.plot.left <= start < end <= panel.plot.right


def test_a_double_click_zooms_and_the_way_back_is_a_crumb_or_a_key(panel: IciclePanel) -> None:
    QTest.mouseDClick(panel.plot, Qt.MouseButton.LeftButton, pos=point(panel, ClusterId(2, 5)))
    assert panel.root == ClusterId(2, 5)
    QTest.keyClick(panel.plot, Qt.Key.Key_Backspace)
    assert panel.root == ClusterId(1, 1)
    QTest.keyClick(panel.plot, Qt.Key.Key_Home)
    assert panel.root is None
    assert (panel.plot.left, panel.plot.right) == (0.0, 1.0)


def test_arrows_walk_the_tree(panel: IciclePanel) -> None:
    heard: list[Chosen] = []
    panel.chosen.connect(heard.append)
    panel.show_chosen(choose(SIZES, [ClusterId(2, 5)]))
    for key, wanted in (
        (Qt.Key.Key_Down, ClusterId(3, 20)),
        (Qt.Key.Key_Right, ClusterId(3, 21)),
        (Qt.Key.Key_Up, ClusterId(2, 5)),
        (Qt.Key.Key_Left, ClusterId(2, 4)),
    ):
        QTest.keyClick(panel.plot, key)
        assert heard[-1].current == wanted


def test_labels_are_asked_for_where_they_fit(qtbot: QtBot, panel: IciclePanel) -> None:
    with qtbot.waitSignal(panel.wanted) as caught:
        panel.zoom_to(ClusterId(2, 5))
    assert {ClusterId(2, 5), ClusterId(3, 20), ClusterId(3, 23)} <= caught.args[0]
    assert ClusterId(3, 0) not in caught.args[0]
    panel.show_nodes({ClusterId(3, 20): NodeView("halogens", True)})
    assert panel.plot.scene.labels[ClusterId(3, 20)] == "halogens"


def test_a_measure_colours_and_what_was_not_measured_is_not_the_colour_of_0(panel: IciclePanel) -> None:
    panel.show_shades(shades({ClusterId(1, 0): 1.0, ClusterId(1, 1): 0.0}))
    assert len({colour(panel, ClusterId(1, index)) for index in (0, 1)}) == 2
    image = panel.plot.grab().toImage()
    row = panel.plot.row(1)
    x = round(panel.plot.x_of(panel.plot.scene.layout.span(ClusterId(1, 2))[0])) + 20
    bare = {image.pixelColor(x, y).name() for y in range(int(row.top()) + 4, int(row.top()) + 30)}
    assert len(bare) == 2, "hatched"
    assert "2 of 84 measured" in panel.read.text()


def test_a_cluster_of_no_pixel_shows_through_as_the_maximum(qtbot: QtBot, theme: Theme) -> None:
    panel = IciclePanel(theme)
    qtbot.addWidget(panel)
    panel.resize(400, 200)
    panel.show_bank(bank((4, 64, 4096)), {})
    values = (np.zeros(4, np.float32), np.zeros(64, np.float32), np.zeros(4096, np.float32))
    values[2][2049] = 5.0
    panel.show()
    panel.show_shades(Shades("p", "p", "causal", values))
    hot = colour(panel, ClusterId(3, 2049))
    assert hot == tuple(int(part) for part in panel.plot.scene.shades.table(False)[255])  # type: ignore[union-attr]


@pytest.mark.parametrize("sign", ["pruned", "edited", "hidden", "muted"])
def test_every_state_has_a_sign_of_its_own(panel: IciclePanel, sign: str) -> None:
    before = panel.plot.grab().toImage()
    cluster = ClusterId(1, 2)
    if sign == "pruned":
        panel.show_overlay({cluster: BlockState("pruned")})
    elif sign == "edited":
        panel.show_overlay({cluster: BlockState("base", 0.5)})
    else:
        panel.show_hidden(frozenset({cluster} if sign == "hidden" else ()), frozenset({cluster} if sign == "muted" else ()))
    assert panel.plot.grab().toImage() != before
    assert bool(panel.plot.scene.passed[2][32]) == (sign == "hidden"), "hidden takes what is below along, muted does not"


@pytest.mark.parametrize("made", [bank((1,)), bank((1, 1)), bank((4, 16), 0), bank(absent=True)])
@pytest.mark.parametrize("choice", [0, 1, 2])
def test_strange_banks_are_drawn(panel: IciclePanel, made: BankView, choice: int) -> None:
    panel.show_bank(made, {})
    panel.width_box.setCurrentIndex(choice)
    panel.width_box.activated.emit(choice)
    sizes = [level.clusters for level in made.levels]
    panel.show_shades(Shades("p", "p", "causal", tuple(np.full(size, np.inf, np.float32) for size in sizes)))
    panel.show_chosen(choose(sizes, [ClusterId(len(sizes), index) for index in range(sizes[-1])]))
    assert not panel.plot.grab().isNull()


def test_the_hover_card_says_what_lies_there(qtbot: QtBot, panel: IciclePanel) -> None:
    panel.show_nodes({ClusterId(1, 0): NodeView("metals", True)})
    panel.show_shades(shades({ClusterId(1, 0): 0.25}))
    QTest.mouseMove(panel.plot, point(panel, ClusterId(1, 0)))
    qtbot.waitUntil(lambda: panel._card.isVisible())
    assert "metals" in panel._card.text()
    assert "Effect: 0.2500 nats (causal)" in panel._card.text()
    assert "3 documents" in panel._card.text()
    QTest.mouseMove(panel.plot, point(panel, ClusterId(3, 60)))
    qtbot.waitUntil(lambda: "not measured" in panel._card.text())


def test_the_picture_is_saved_as_png_and_svg(panel: IciclePanel, tmp_path: Path) -> None:
    for name in ("icicle.png", "icicle.svg"):
        drawn(panel, tmp_path / name)()
        assert (tmp_path / name).stat().st_size > 500
    with pytest.raises(UserError, match="png or"):
        drawn(panel, tmp_path / "icicle.doc")()
    with pytest.raises(UserError, match="cannot be written"):
        drawn(panel, tmp_path / "none" / "icicle.png")()
