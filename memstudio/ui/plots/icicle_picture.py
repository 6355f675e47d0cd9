"""What the icicle looks like, made of arrays: seventy thousand clusters cost what the pixels cost, never a loop over clusters."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PySide6.QtGui import QColor

from memstudio.bank.values import ClusterId
from memstudio.ui.plots.icicle_layout import Columns, Layout, Stretch, columns, wide
from memstudio.ui.scales import Colours
from memstudio.ui.selection import Chosen
from memstudio.ui.shades import Shades
from memstudio.ui.theme import Tone

BORDERED_PX = 3
SIGNS = """Striped red: pruned.
Green line: edited; broken: scaled.
Amber bars: hidden with all below, or muted.
Dark frame: the route of the last prompt.
Blue: selected.
Hatched grey: not measured."""
Pixels = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass(eq=False)
class Scene:
    """All that the icicle shows; whoever changes it asks for a repaint. Masks: bool [clusters] a level, () for none."""

    layout: Layout = field(default_factory=lambda: Layout((), ()))
    shades: Shades | None = None
    chosen: Chosen = field(default_factory=Chosen)
    route: tuple[ClusterId, ...] = ()
    pruned: tuple[Mask, ...] = ()
    edited: tuple[Mask, ...] = ()
    """With another block in place of the shipped one, or scaled."""
    scaled: tuple[Mask, ...] = ()
    passed: tuple[Mask, ...] = ()
    """Hidden with all below them, and muted: what a run does not add just now."""
    labels: Mapping[ClusterId, str] = field(default_factory=dict)

    def marked(self, cluster: ClusterId) -> bool:
        """Whether a sign covers the cluster's face, so that a text on it needs a ground of its own."""
        shades, at = self.shades, cluster.level - 1
        covered = any(masks and bool(masks[at][cluster.index]) for masks in (self.pruned, self.passed))
        return covered or (shades is not None and shades.at(cluster) is None)


def bgr(colour: str) -> Pixels:
    """A colour as Qt's RGB32 has it in memory, uint8 [4]."""
    made = QColor(colour)
    return np.array([made.blue(), made.green(), made.red(), 255], np.uint8)


def ramp(colours: Colours, tone: Tone) -> Pixels:
    """A scale of [256, 3] as RGB32 with "not measured" last, where −1 finds it; uint8 [257, 4]."""
    made = np.full((len(colours) + 1, 4), 255, np.uint8)
    made[:-1, :3] = colours[:, ::-1]
    made[-1] = bgr(tone.raised)
    return made


def face(scene: Scene, cluster: ClusterId, table: Pixels | None, tone: Tone) -> QColor:
    """The colour of a cluster's cell."""
    if scene.shades is None or table is None:
        return QColor(tone.accent_soft)
    step = int(scene.shades.steps(scene.shades.values[cluster.level - 1][cluster.index : cluster.index + 1])[0])
    blue, green, red = (int(part) for part in table[step, :3])
    return QColor(red, green, blue)


def picture(scene: Scene, view: Stretch, size: tuple[int, int], ratio: float, table: Pixels | None, tone: Tone) -> Pixels:
    """uint8 [height, width, 4] as Qt's RGB32 (blue first). size: (width, height) in pixels of the device, `ratio` of them to one of the
    window; table: the scale of the scene's shades as `ramp` makes it."""
    width, height = size
    out = np.empty((height, width, 4), np.uint8)
    signs = _signs(width, height, ratio)
    levels, stretch = scene.layout.levels, view[1] - view[0]
    for level in range(1, levels + 1):
        starts, ends = scene.layout.starts[level - 1], scene.layout.ends[level - 1]
        under = columns(starts, ends, view[0], view[1], width)
        top, bottom = round((level - 1) * height / levels), round(level * height / levels)
        rows = slice(top, max(top + 1, bottom - max(1, round(ratio))))
        out[top:bottom] = bgr(tone.panel)
        line, bare = _line(scene, level, under, table, tone)
        out[rows] = line
        if bare.any():  # not measured is never the colour of 0: it is hatched, faintly
            out[rows][signs.hatch[rows] & bare] = bgr(tone.unmeasured if tone.dark else tone.line)
        _mark(out[rows], scene, level, under, signs.cut(rows), tone)
        places = starts[wide(starts, ends, view[0], view[1], BORDERED_PX * ratio * stretch / width)]
        at = np.round((places - view[0]) / stretch * width).astype(np.int64)
        out[rows, at[(at > 0) & (at < width)]] = bgr(tone.panel)
    return out


@dataclass(frozen=True, eq=False)
class Signs:
    """Where the patterns have their ink, bool [height, width] or one that broadcasts to it; thick: of a line, in pixels of the device."""

    hatch: Mask
    stripes: Mask
    bars: Mask
    dashes: Mask
    thick: int

    def cut(self, rows: slice) -> "Signs":
        """The same for a few rows."""
        return Signs(self.hatch[rows], self.stripes[rows], self.bars, self.dashes, self.thick)


def _signs(width: int, height: int, ratio: float) -> Signs:
    y, x = np.ogrid[:height, :width]
    unit = max(1, round(ratio))
    return Signs(
        (x + y) % (7 * unit) < 2 * unit, (x - y) % (6 * unit) < 3 * unit, x % (6 * unit) < unit, x[0] % (9 * unit) < 5 * unit, 2 * unit
    )


def _line(scene: Scene, level: int, under: Columns, table: Pixels | None, tone: Tone) -> tuple[Pixels, Mask]:
    """The colour of each pixel column of a level, uint8 [pixels, 4], and where something lies that was not measured."""
    shades, empty = scene.shades, under.last < under.first
    if shades is None or table is None:
        line, bare = np.tile(bgr(tone.accent_soft), (len(empty), 1)), np.zeros(len(empty), bool)
    else:
        steps = shades.steps(under.largest(shades.values[level - 1], signed=shades.signed))
        line, bare = table[steps], (steps < 0) & ~empty
    line[empty] = bgr(tone.panel)
    return line, bare


def _mark(cells: Pixels, scene: Scene, level: int, under: Columns, signs: Signs, tone: Tone) -> None:
    """Signs of state, each of its own shape and place, so that none hides another: see `SIGNS`."""

    def where(masks: tuple[Mask, ...]) -> Mask | None:
        return under.any(masks[level - 1]) if masks and masks[level - 1].any() else None

    thick = max(signs.thick, cells.shape[0] // 18)
    second = slice(thick + signs.thick, 2 * thick + signs.thick)
    if (found := where(scene.pruned)) is not None:
        cells[signs.stripes & found] = bgr(tone.danger)
    if (found := where(scene.passed)) is not None:
        cells[np.broadcast_to(signs.bars & found, cells.shape[:2])] = bgr(tone.warning)
    if (found := where(scene.edited)) is not None:
        scaled = where(scene.scaled)
        cells[second, found if scaled is None else found & (~scaled | signs.dashes)] = bgr(tone.good)
    if (found := where(scene.chosen.masks)) is not None:
        cells[:thick, found] = cells[-thick:, found] = bgr(tone.accent)
