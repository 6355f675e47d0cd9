"""The figures of a curve, its frontier, and the two files that it is saved as."""

import csv
import io
import xml.etree.ElementTree as ET

import numpy as np

from memstudio.export.curve import COLUMNS, Curve, CurvePoint, Series, against, curve_csv, duels, read_best, read_off
from memstudio.export.curve_picture import curve_svg

EFFECT, NORM = Series("effect", "bank", "zero"), Series("norm", "int4", "generic")


def point(series: Series, size: int, right: int, logprob: float = -1.0, asked: int = 10) -> CurvePoint:
    return CurvePoint(series, size / 100, size, size, 3, np.arange(asked) < right, np.full(asked, logprob))


def curve(*points: CurvePoint, name: str = "tiny") -> Curve:
    whole = point(Series("whole", "bank", "zero"), 100, 9)
    return Curve(name, "0" * 64, 2, 0, 10, 10, 100, whole, points, 20, 40, 1.0, 2.0, None)


def test_the_frontier_holds_what_no_other_point_beats() -> None:
    best = [point(NORM, 10, 2), point(EFFECT, 20, 5, -0.5), point(EFFECT, 40, 8)]
    beaten = [point(EFFECT, 10, 1), point(NORM, 20, 5, -0.7), point(NORM, 30, 5), point(NORM, 50, 8)]
    found = curve(*beaten[:2], *best, *beaten[2:])
    assert found.frontier() == tuple(best)
    assert found.series == (EFFECT, NORM)
    assert found.of(EFFECT) == (beaten[0], best[1], best[2])


def test_a_budget_is_read_off_on_the_lines_between_measured_ones_and_nowhere_else() -> None:
    points = [point(EFFECT, 10, 2), point(EFFECT, 30, 6)]
    own, between = read_off(points, 30), read_off(points, 15)
    assert own is not None
    assert between is not None
    assert (own.share, own.low, own.high, own.between) == (0.6, points[1].recall.low, points[1].recall.high, (0.3, 0.3))
    assert (between.bytes, between.between) == (15, (0.1, 0.3))
    assert abs(between.share - 0.3) < 1e-9
    low, high = points[0].recall.low, points[1].recall.low
    assert low is not None
    assert high is not None
    assert abs(between.low - (low * 0.75 + high * 0.25)) < 1e-9
    assert read_off(points, 9) is read_off(points, 31) is read_off([], 9) is read_off([point(EFFECT, 10, 0, asked=0)], 10) is None
    best = read_best(curve(*points, point(NORM, 20, 9)), 20)
    assert best is not None
    assert (best[0], best[1].share) == (NORM, 0.9)


def test_figures_carry_their_intervals_and_two_points_are_compared_prompt_by_prompt() -> None:
    one, other = point(EFFECT, 10, 8, -2.0), point(NORM, 10, 5)
    assert (one.recall.k, one.recall.n) == (8, 10)
    assert (one.logprob.mean, one.logprob.low, one.logprob.high) == (-2.0, -2.0, -2.0)
    assert (against(one, other).lost, against(one, other).gained) == (3, 0)
    [(first, second, pair)] = duels(curve(one, point(EFFECT, 20, 9), other, point(NORM, 30, 9)))
    assert (first, second, pair.lost) == (one, other, 3), "only where both have the budget"


def test_the_csv_has_a_line_a_point_with_figures_in_full() -> None:
    rows = list(csv.DictReader(io.StringIO(curve_csv(curve(point(EFFECT, 10, 1, -1 / 3), point(NORM, 20, 2, asked=0))))))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["rank_by"], row["precision"], row["fallback"]) for row in rows[:2]] == [
        ("effect", "bank", "zero"),
        ("norm", "int4", "generic"),
    ]
    assert float(rows[0]["logprob"]) == -1 / 3
    assert float(rows[0]["recall_low"]) < 0.1 < float(rows[0]["recall_high"])
    assert rows[1]["recall"] == "", "not measured is not 0"
    assert rows[2]["rank_by"] == "whole"


def test_the_picture_is_sound_xml_and_shows_every_point_with_its_interval() -> None:
    found = curve(point(EFFECT, 10, 1), point(EFFECT, 50, 6), point(NORM, 20, 3), name="<b>&")
    root = ET.fromstring(curve_svg(found))
    tag = "{http://www.w3.org/2000/svg}"
    circles = root.findall(f"{tag}circle")
    assert len(circles) == 3
    titles = [str(circle.findtext(f"{tag}title")) for circle in circles]
    assert titles[0].startswith("effect, else zero: 10 bytes, 3 blocks, recall 10.0% (1.8% to 40.4%)")
    low = [line for line in root.findall(f"{tag}line") if line.get("opacity")]
    assert len(low) == 3
    assert all(float(line.get("y1", 0)) > float(line.get("y2", 0)) for line in low)
    words = "".join(root.itertext())
    assert "<b>&: recall" in words
    assert "norm, int4, else generic" in words
    assert "chosen:" not in words
    marked = ET.fromstring(curve_svg(found, 20))
    ring = next(circle for circle in marked.findall(f"{tag}circle") if circle.get("class") == "chosen")
    assert (ring.get("cx"), ring.get("cy")) == (circles[2].get("cx"), circles[2].get("cy")), "on the point of the best series there"
    assert "chosen: a budget of 20 B, recall about 30.0% (10.8% to 60.3%) by norm, int4, else generic" in "".join(marked.itertext())
    assert "which no series was measured at" in "".join(ET.fromstring(curve_svg(found, 60)).itertext())
    heights = [float(circle.get("cy", 0)) for circle in circles]
    assert heights[1] < heights[2] < heights[0], "more recall stands higher"
