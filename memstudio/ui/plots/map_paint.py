"""The points of a map as pixels: many are stamped into an array, few are drawn as pictures; no point is left out of either."""

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPointF, Qt
from PySide6.QtGui import QColor, QImage, QPainter, QPen, QPixmap

from memstudio.bank.values import ClusterId
from memstudio.ui.plots.map_cloud import Cloud, Look, Mask
from memstudio.ui.selection import Chosen
from memstudio.ui.shades import Shades
from memstudio.ui.theme import Tone

Packed = NDArray[np.uint32]
Rows = NDArray[np.int64]

SPRITES = 1200
"""So many points in view are drawn one by one, with smooth edges; more are stamped."""
PLAIN, BARE, PRUNED, EDITED, PASSED = range(5)
"""What a point is drawn as: measured (or nothing is shown that could be), not measured, and the three signs of state."""
_AT_ONCE = 120_000
"""Pixels that are stamped before the next pause."""
_SMALLEST, _LARGEST, _STEP = 1.0, 4.5, 1.6


@dataclass(eq=False)
class Scene:
    """All that the map shows; whoever changes it asks for a repaint. Arrays have one entry [n] a row of the cloud."""

    cloud: Cloud = field(default_factory=Cloud)
    drawn: Mask = field(default_factory=lambda: np.zeros(0, bool))
    """Rows of the levels that are drawn."""
    shades: Shades | None = None
    steps: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    """Places in the table of colours, −1 where nothing was measured."""
    order: Rows = field(default_factory=lambda: np.zeros(0, np.int64))
    """Rows, weakest measure first: of several points on one pixel the strongest is seen."""
    signs: NDArray[np.uint8] = field(default_factory=lambda: np.zeros(0, np.uint8))
    """PLAIN, PRUNED, EDITED or PASSED."""
    chosen: Chosen = field(default_factory=Chosen)
    picked: Mask = field(default_factory=lambda: np.zeros(0, bool))
    """Rows that are selected."""
    route: tuple[ClusterId, ...] = ()
    key: tuple[float, float] | None = None
    labels: dict[ClusterId, str] = field(default_factory=dict)

    def colour_by(self, shades: Shades | None) -> None:
        """Another measure, or another state of it."""
        fits = shades is not None and self.cloud.count > 0 and tuple(len(each) for each in shades.values) == self.cloud.sizes
        self.shades = shades if fits else None
        if self.shades is None:
            self.steps, self.order = np.zeros(self.cloud.count, np.int16), np.arange(self.cloud.count)
        else:
            values = self.cloud.flat(self.shades.values).astype(np.float32)
            self.steps = self.shades.steps(values)
            self.order = np.argsort(np.nan_to_num(np.abs(values), nan=-1.0))


def radii(look: Look, sizes: Sequence[int]) -> list[float]:
    """The radius of a point a level, in pixels: coarser ones larger, all of them larger where there is room."""
    return [
        min(max(0.2 * look.scale * (2.0 / max(1, size)) ** 0.5, _SMALLEST), _LARGEST) + _STEP * min(4, len(sizes) - level)
        for level, size in enumerate(sizes, 1)
    ]


@dataclass(frozen=True, eq=False, slots=True)
class Picture:
    """All points as they look. canvas: uint32 [height, width], what the image draws from."""

    image: QImage
    canvas: Packed
    look: Look


class PointPainter:
    """Keeps the pictures of single points between frames."""

    def __init__(self, tone: Tone) -> None:
        self._pictures: dict[tuple[object, ...], QPixmap] = {}
        self._tables: dict[tuple[object, ...], Packed] = {}
        self.retone(tone)

    def retone(self, tone: Tone) -> None:
        """Another theme."""
        self._tone = tone
        self._pictures.clear()
        self._tables.clear()

    def paint(self, scene: Scene, look: Look, ratio: float) -> Generator[None, None, Picture]:
        """Draw all points in view, the finest level first. Of seventy thousand it takes some 30 ms, so it pauses every few of them."""
        canvas = np.full((round(look.height * ratio), round(look.width * ratio)), packed(self._tone.panel), np.uint32)
        spots = look.on_screen(scene.cloud.places)
        sizes = radii(look, scene.cloud.sizes)
        seen = scene.drawn & look.holds(spots, max(sizes, default=0.0) + 4)
        rows = scene.order[seen[scene.order]]
        kinds = np.where((scene.signs == PLAIN) & (scene.steps < 0), BARE, scene.signs)
        levels = scene.cloud.levels[rows]
        yield
        later: list[tuple[Rows, int]] = []
        for level in range(len(scene.cloud.sizes), 0, -1):
            own = rows[levels == level]
            if len(own) > SPRITES:
                yield from self._stamp_level(canvas, scene, own, kinds[own], spots[own] * ratio, level, sizes[level - 1] * ratio)
                own = own[kinds[own] >= PRUNED]
                own = own if len(own) <= SPRITES else own[:0]  # stamped they have their sign's colour round an empty middle
            later.append((own, level))
        image = QImage(canvas.data, canvas.shape[1], canvas.shape[0], 4 * canvas.shape[1], QImage.Format.Format_RGB32)
        image.setDevicePixelRatio(ratio)
        for own, level in later:
            if len(own):
                painter = QPainter(image)
                self._draw_level(painter, scene, own, kinds, spots, level, sizes[level - 1], ratio)
                painter.end()
                yield
        return Picture(image, canvas, look)

    # Many points

    def _stamp_level(
        self, canvas: Packed, scene: Scene, rows: Rows, kinds: NDArray[np.uint8], spots: NDArray[np.float64], level: int, radius: float
    ) -> Iterator[None]:
        """Points as filled discs of whole pixels; what was not measured without a rim, each sign with a rim of its own."""
        tone = self._tone
        table = self._table(scene, level)
        pixels = np.floor(spots).astype(np.int64)
        picked = scene.picked[rows]
        for kind, rim in ((BARE, None), (PLAIN, tone.dim), (PASSED, tone.warning), (EDITED, tone.good), (PRUNED, tone.danger)):
            here = kinds == kind
            if here.any():
                colours = table[scene.steps[rows[here]]] if kind != PRUNED else np.full(int(here.sum()), packed(tone.panel), np.uint32)
                yield from stamp(canvas, pixels[here], colours, radius, None if rim is None else packed(rim))
        if picked.any():
            colours = table[scene.steps[rows[picked]]]
            yield from stamp(canvas, pixels[picked], colours, radius + 0.5, packed(tone.accent), rims=2)

    def _table(self, scene: Scene, level: int) -> Packed:
        """The scale's colours, "not measured" last, where −1 finds it."""
        shades, tone = scene.shades, self._tone
        key = (None, level, len(scene.cloud.sizes)) if shades is None else (shades.signed,)
        if key not in self._tables:
            if shades is None:
                self._tables[key] = np.full(1, packed(neutral(tone, level, len(scene.cloud.sizes))), np.uint32)
            else:
                colours = shades.table(tone.dark).astype(np.uint32)
                whole = 0xFF000000 | colours[:, 0] << 16 | colours[:, 1] << 8 | colours[:, 2]
                self._tables[key] = np.append(whole, np.uint32(packed(tone.unmeasured))).astype(np.uint32)
        return self._tables[key]

    # Few points

    def _draw_level(
        self, painter: QPainter, scene: Scene, rows: Rows, kinds: NDArray[np.uint8], spots: NDArray[np.float64],
        level: int, radius: float, ratio: float,
    ) -> None:  # fmt: skip
        table, radius = self._table(scene, level), round(radius * 4) / 4
        for step, kind, picked, (x, y) in zip(
            scene.steps[rows].tolist(), kinds[rows].tolist(), scene.picked[rows].tolist(), spots[rows].tolist(), strict=True
        ):
            key = (int(table[step]), kind, picked, radius, ratio)
            picture = self._pictures.get(key)
            if picture is None:
                picture = self._pictures[key] = self._picture(QColor.fromRgba(int(table[step])), kind, picked, radius, ratio)
            half = picture.width() / ratio / 2
            painter.drawPixmap(QPointF(x - half, y - half), picture)

    def _picture(self, colour: QColor, kind: int, picked: bool, radius: float, ratio: float) -> QPixmap:
        """One point: a rim in the colour of its sign, hollow and crossed where pruned, barred where passed over."""
        if len(self._pictures) > 4000:
            self._pictures.clear()
        tone, half = self._tone, radius + 4
        side = int(np.ceil(2 * half * ratio))
        picture = QPixmap(side, side)
        picture.setDevicePixelRatio(ratio)
        picture.fill(Qt.GlobalColor.transparent)
        painter = QPainter(picture)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        middle = QPointF(side / ratio / 2, side / ratio / 2)
        if picked:
            painter.setPen(QPen(QColor(tone.accent), 2.0))
            painter.setBrush(Qt.BrushStyle.NoBrush)
            painter.drawEllipse(middle, radius + 2.2, radius + 2.2)
        rim = {BARE: tone.unmeasured, PRUNED: tone.danger, EDITED: tone.good, PASSED: tone.warning}.get(kind, tone.dim)
        painter.setPen(QPen(QColor(rim), 1.0 if kind == PLAIN else 1.5))
        painter.setBrush(QColor(tone.panel) if kind in (BARE, PRUNED) else colour)
        painter.drawEllipse(middle, radius, radius)
        if kind in (PRUNED, PASSED):
            reach = radius * (0.7 if kind == PRUNED else 1.0) + 1
            painter.setPen(QPen(QColor(rim), 1.5))
            painter.drawLine(middle - QPointF(reach, reach), middle + QPointF(reach, reach))
            if kind == PRUNED:
                painter.drawLine(middle - QPointF(reach, -reach), middle + QPointF(reach, -reach))
        painter.end()
        return picture


def stamp(canvas: Packed, pixels: Rows, colours: Packed, radius: float, rim: int | None, rims: int = 1) -> Iterator[None]:
    """Discs at pixels int64 [n, 2] (x, y) in colours [n], later ones over earlier ones, and round all of them together a rim."""
    height, width = canvas.shape
    reach = int(np.ceil(radius))
    pad = 2 * reach  # a disc whose middle lies `reach` outside still finds room
    inside = ((pixels >= -reach) & (pixels < (width + reach, height + reach))).all(1)
    stride = width + 2 * pad
    at, colours = (pixels[inside, 1] + pad) * stride + pixels[inside, 0] + pad, colours[inside]
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    disc = x**2 + y**2 <= radius**2 + 0.3
    offsets = (y[disc] * stride + x[disc]).astype(np.int64)
    whole = np.zeros((height + 2 * pad, stride), np.uint32)
    flat, some = whole.ravel(), max(1, _AT_ONCE // len(offsets))
    for first in range(0, len(at), some):
        part = slice(first, first + some)
        flat[(at[part, None] + offsets).ravel()] = np.repeat(colours[part], len(offsets))
        yield
    shown = whole[pad : pad + height, pad : pad + width]
    filled = grown = whole != 0
    for _ in range(rims if rim is not None else 0):
        grown = grow(grown)
    np.copyto(canvas, np.uint32(rim or 0), where=(grown & ~filled)[pad : pad + height, pad : pad + width])
    np.copyto(canvas, shown, where=filled[pad : pad + height, pad : pad + width])
    yield


def grow(mask: Mask) -> Mask:
    """A mask [h, w] one pixel wider in the four directions."""
    wider = mask.copy()
    wider[1:] |= mask[:-1]
    wider[:-1] |= mask[1:]
    wider[:, 1:] |= mask[:, :-1]
    wider[:, :-1] |= mask[:, 1:]
    return wider


def packed(colour: str | QColor) -> int:
    """A colour as Qt's RGB32 has it in memory."""
    return int(QColor(colour).rgb()) | 0xFF000000


def neutral(tone: Tone, level: int, depth: int) -> QColor:
    """The colour of a level where no measure is shown: the coarser the stronger."""
    strong, weak = QColor(tone.accent), QColor(tone.panel)
    share = 0.35 * (level - 1) / max(1, depth - 1) + 0.1
    mixed = (round(a * (1 - share) + b * share) for a, b in zip(rgb(strong), rgb(weak), strict=True))
    return QColor(*mixed)


def rgb(colour: QColor) -> tuple[int, int, int]:
    """Its red, green and blue, 0 to 255."""
    return colour.red(), colour.green(), colour.blue()
