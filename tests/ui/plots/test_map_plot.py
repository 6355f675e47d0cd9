"""The map's points: where they lie, which are near, which labels have room; many are drawn in pieces and none is left out."""

import numpy as np
import pytest
from PySide6.QtCore import QPointF
from PySide6.QtGui import QColor
from pytestqt.qtbot import QtBot

from memstudio.bank.values import ClusterId
from memstudio.ui.plots.map_cloud import Cloud, Look, fitted, gather, nearest, thinned, towards
from memstudio.ui.plots.map_paint import PLAIN, PRUNED, SPRITES, PointPainter, Scene
from memstudio.ui.plots.map_plot import MapPlot
from memstudio.ui.shades import Shades
from memstudio.ui.snapshots import LevelView
from memstudio.ui.theme import DARK, LIGHT

MANY = (16, 256, 4096)


def level(number: int, size: int, branching: int, absent: tuple[int, ...] = ()) -> LevelView:
    documents = np.arange(size, 0, -1, dtype=np.int64)
    documents[list(absent)] = 0
    return LevelView(number, branching, documents, 10)


def many(seed: int = 0) -> Cloud:
    rng = np.random.default_rng(seed)
    made = gather(
        [level(at, size, 16) for at, size in enumerate(MANY, 1)], [rng.uniform(-1, 1, (size, 2)).astype(np.float32) for size in MANY]
    )
    assert made is not None
    return made


@pytest.fixture
def plot(qtbot: QtBot) -> MapPlot:
    made = MapPlot(LIGHT)
    qtbot.addWidget(made)
    made.resize(500, 400)
    made.show_cloud(many())
    return made


def test_absent_clusters_have_no_row_and_all_others_have_one() -> None:
    points = np.random.default_rng(0).random((8, 2)).astype(np.float32)
    points[5] = np.nan
    cloud = gather([level(1, 2, 2), level(2, 8, 4, absent=(1,))], [points[:2], points])
    assert cloud is not None
    assert cloud.count == 8
    assert [cloud.row(ClusterId(2, index)) for index in (0, 1, 5)] == [2, None, None]
    for row in range(cloud.count):
        assert cloud.row(cloud.cluster(row)) == row
    assert [cloud.row(ClusterId(*far)) for far in ((3, 0), (0, 0), (2, 8), (2, -1))] == [None] * 4
    flat = cloud.flat([np.arange(2), np.arange(8)])
    assert flat.tolist() == [0, 1, 0, 2, 3, 4, 6, 7]
    assert [mask.sum() for mask in cloud.masks(np.ones(8, bool))] == [2, 6]
    assert gather([level(1, 2, 2)], [points]) is None


def test_a_place_and_its_pixel_are_one_another() -> None:
    look = Look(0.3, -0.2, 150.0, 640, 480)
    x, y = look.on_screen(np.array([[0.5, 0.1]]))[0]
    assert look.place(x, y) == pytest.approx((0.5, 0.1))
    assert y < 240, "y grows upwards"
    zoomed = look.zoomed(3.0, x, y, 150.0)
    assert zoomed.on_screen(np.array([[0.5, 0.1]]))[0] == pytest.approx((x, y))
    assert look.moved(10, 20).on_screen(np.array([[0.5, 0.1]]))[0] == pytest.approx((x + 10, y + 20))
    assert look.zoomed(1e9, x, y, 150.0).scale == pytest.approx(150.0 * 20_000)


@pytest.mark.parametrize("size", [(500, 400), (90, 700), (1, 1)])
def test_all_of_it_fits(size: tuple[int, int]) -> None:
    cloud = many()
    look = fitted(cloud, *size)
    assert look.holds(look.on_screen(cloud.places)).all()


def test_nothing_at_all_fits_too() -> None:
    assert fitted(Cloud(), 300, 200).scale > 0


def test_the_nearest_point_is_found_where_one_is_near_and_drawn() -> None:
    cloud, shown = many(), np.ones(many().count, bool)
    look = fitted(cloud, 500, 400)
    x, y = look.on_screen(cloud.places[7:8])[0]
    row = nearest(cloud, look, x, y, shown, [1.0] * 3)
    assert row == 7
    shown[7] = False
    assert nearest(cloud, look, x, y, shown, [1.0] * 3) != 7
    assert nearest(cloud, look, -50, -50, shown, [1.0] * 3) is None


def test_an_arrow_goes_within_45_degrees() -> None:
    cloud = gather([level(1, 4, 4)], [np.array([[0, 0], [0.5, 0.4], [0.3, 0.9], [-0.2, 0]], np.float32)])
    assert cloud is not None
    look, shown = fitted(cloud, 400, 400), np.ones(4, bool)
    assert [towards(cloud, look, 0, *way, shown) for way in ((1, 0), (-1, 0), (0, -1), (0, 1))] == [1, 3, 2, None]


def test_labels_begin_with_most_documents_and_leave_the_window_to_none() -> None:
    cloud = many()
    look, shown = fitted(cloud, 500, 400), np.ones(cloud.count, bool)
    found = thinned(cloud, look, shown, [3.0] * 3, lambda _: 60.0, 14.0, 30)
    assert len(found) == 30
    assert found[0][0] == cloud.heaviest[0]
    spots = look.on_screen(cloud.places)
    boxes = [(spots[row][0] + right, spots[row][1] + down) for row, right, down in found]
    assert all(0 <= x <= 440 and 0 <= y <= 386 for x, y in boxes)
    for at, (x, y) in enumerate(boxes):
        assert all(abs(x - a) >= 60 or abs(y - b) >= 14 for a, b in boxes[:at])


# --- drawing in pieces ----------------------------------------------------------------------------------------------------------


def finished(scene: Scene, look: Look, ratio: float = 1.0) -> tuple[np.ndarray, int]:
    """The pixels, and in how many pieces they came."""
    painting, pieces = PointPainter(LIGHT).paint(scene, look, ratio), 0
    while True:
        try:
            next(painting)
            pieces += 1
        except StopIteration as end:
            return np.array(end.value.canvas), pieces


@pytest.mark.parametrize("ratio", [1.0, 2.0])
def test_every_one_of_many_points_is_seen_and_they_come_in_pieces(plot: MapPlot, ratio: float) -> None:
    scene, look = plot.scene, fitted(plot.scene.cloud, 2000, 1600)
    assert max(MANY) > SPRITES
    canvas, pieces = finished(scene, look, ratio)
    assert canvas.shape == (1600 * ratio, 2000 * ratio)
    spots = np.floor(look.on_screen(scene.cloud.places) * ratio).astype(int)
    ground = np.uint32(QColor(LIGHT.panel).rgb())
    assert (canvas[spots[:, 1], spots[:, 0]] != ground).all()
    assert pieces >= 4


def test_of_several_points_on_one_pixel_the_strongest_is_seen(plot: MapPlot) -> None:
    cloud = gather([level(1, 3000, 3000)], [np.zeros((3000, 2), np.float32)])
    assert cloud is not None
    plot.show_cloud(cloud)
    scene = plot.scene
    values = np.full(3000, 0.1, np.float32)
    values[1234], values[7] = 5.0, np.nan
    scene.colour_by(Shades("p", "p", "causal", (values,)))
    look = fitted(cloud, 100, 100)
    canvas, _ = finished(scene, look)
    assert scene.shades is not None
    strongest = scene.shades.table(False)[255]
    assert QColor.fromRgb(int(canvas[50, 50])).getRgb()[:3] == tuple(int(part) for part in strongest)


def test_a_pruned_point_among_many_has_its_signs_colour(plot: MapPlot) -> None:
    scene, look = plot.scene, fitted(plot.scene.cloud, 500, 400)
    plain, _ = finished(scene, look)
    danger = np.uint32(QColor(LIGHT.danger).rgb())
    assert not (plain == danger).any()
    scene.signs = np.where(scene.cloud.levels == 3, PRUNED, PLAIN).astype(np.uint8)
    pruned, _ = finished(scene, look)
    assert (pruned == danger).any()


def test_while_the_view_moves_the_picture_before_is_shown_and_then_the_exact_one(plot: MapPlot, qtbot: QtBot) -> None:
    plot.show()
    plot.finish()
    qtbot.waitSignal(plot.settled).wait()
    plot.zoom(2.0, QPointF(250, 200))
    moving = plot.grab().toImage()
    ground = QColor(LIGHT.panel)
    assert any(moving.pixelColor(x, 200) != ground for x in range(0, 500, 5)), "never an empty frame"
    qtbot.waitUntil(lambda: plot._picture is not None and plot._picture.look == plot.look and plot._drawing is None)
    settled = plot.grab().toImage()
    plot._picture = None
    plot.touch()
    plot.finish()
    assert plot.grab().toImage() == settled


def test_another_theme_and_another_cloud_are_drawn_anew(plot: MapPlot) -> None:
    plot.finish()
    plot.retone(DARK)
    plot.finish()
    assert plot.grab().toImage().pixelColor(1, 1) == QColor(DARK.panel)
    plot.show_cloud(Cloud())
    plot.finish()
    image = plot.grab().toImage()
    assert {image.pixelColor(x, y).name() for x in range(0, 500, 50) for y in range(0, 400, 50)} == {QColor(DARK.panel).name()}


def test_what_lies_in_a_polygon_is_found_to_the_pixel(plot: MapPlot) -> None:
    spots = plot.look.on_screen(plot.scene.cloud.places)
    corners = [QPointF(100, 100), QPointF(400, 100), QPointF(100, 300)]
    found = plot.inside(corners)
    x, y = spots.T
    deep = (x > 102) & (y > 102) & ((x - 100) / 300 + (y - 100) / 200 < 0.98)
    far = (x < 98) | (y < 98) | ((x - 100) / 300 + (y - 100) / 200 > 1.02)
    assert found[deep].all()
    assert not found[far].any()
