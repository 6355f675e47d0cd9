"""The verb bench, of the window: starts, frames and heartbeats on the demo and on a bank of seventy thousand clusters."""

import json as jsonlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memstudio.cli import show
from memstudio.cli.machine import machine
from memstudio.cli.windows import has_display, need_qt, no_display
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.ui.bench_window import WindowFigures
    from memstudio.ui.heartbeat import Beats


def bench_ui(out: Path | None, *, on_display: bool, json: bool) -> None:
    """Measure the window without a display, or on it.

    Raises:
        UserError: no Qt, no display where one was asked for, or the window did not come up.
    """
    need_qt()
    if on_display and not has_display():
        raise UserError(f"no display found ({no_display()}): leave --on-display out to measure without one")
    if not on_display:
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from memstudio.ui.bench_window import measure_banks

    with show.progress("bench") as job:
        found = measure_banks(job)
    screen = "display" if on_display else "offscreen"
    figures: dict[str, Any] = {"what": "ui", "machine": machine(), "screen": screen, "banks": [each.json() for each in found]}
    if out is not None:
        with out.open("a", encoding="utf-8") as stream:
            stream.write(jsonlib.dumps(show.jsonable(figures)) + "\n")
    if json:
        show.print_json(figures)
        return
    host = figures["machine"]
    show.say(f"{host['cores']} cores, {screen}, Python {host['python']}, torch {host['torch']}")
    show.table(
        "Seconds from the start of the process, one start after the other", ("bank", "painted", "open", "first route"), _starts(found)
    )
    show.table(
        "Milliseconds from a key in the prompt to its route on the panel",
        ("bank", "keys", "p50", "p95", "longest"),
        [_typed(each) for each in found],
        right=(1, 2, 3, 4),
    )
    show.table(
        "Milliseconds of a frame of the icicle, panning and zooming",
        ("bank", "clusters", "frames", "p50", "p95", "longest"),
        [(each.bank, *_row(each)) for each in found],
        right=(1, 2, 3, 4, 5),
    )
    show.table(
        "Milliseconds that the interface thread lets one wait",
        ("bank", "meanwhile", "beats", "p50", "p95", "p99", "longest", "over 16 ms", "own p95", "own longest"),
        [
            row
            for each in found
            for row in ((each.bank, "opening", *_beats(each.opening)), (each.bank, _worked(each), *_beats(each.working)))
        ],
        right=(2, 3, 4, 5, 6, 7, 8, 9),
    )
    for each in found:
        for place, seen in each.working.slow:
            show.say(f"{each.bank}: seen at work {seen:,} times while a beat was late: {place}")


def _starts(found: "tuple[WindowFigures, ...]") -> list[tuple[str, ...]]:
    def all_of(figures: list[float | None]) -> str:
        return " / ".join("not measured" if each is None else f"{each:.2f}" for each in figures)

    return [
        (
            each.bank,
            all_of([start.painted_s for start in each.starts]),
            all_of([start.opened_s for start in each.starts]),
            all_of([start.route_s for start in each.starts]),
        )
        for each in found
    ]


def _typed(each: "WindowFigures") -> tuple[object, ...]:
    typing = each.typing
    return each.bank, typing.keys, f"{typing.p50_ms:.1f}", f"{typing.p95_ms:.1f}", f"{typing.longest_ms:.1f}"


def _row(each: "WindowFigures") -> tuple[object, ...]:
    frames = each.icicle
    return frames.clusters, frames.count, f"{frames.p50_ms:.1f}", f"{frames.p95_ms:.1f}", f"{frames.longest_ms:.1f}"


def _beats(beats: "Beats") -> tuple[object, ...]:
    times = [beats.p50_ms, beats.p95_ms, beats.p99_ms, beats.longest_ms, beats.own_p95_ms, beats.own_longest_ms]
    shown = [None if each is None else f"{each:.1f}" for each in times]
    return beats.count, *shown[:4], show.percent(beats.late), *shown[4:]


def _worked(each: "WindowFigures") -> str:
    did = each.worked
    return f"{did['answers']:,} answers, {did['facts_scored']:,} facts scored, UMAP beside"
