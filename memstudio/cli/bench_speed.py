"""The verb bench, of speed: ratios against named peers in one run."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from memstudio.cli import show
from memstudio.cli.machine import machine

if TYPE_CHECKING:
    from memstudio.bench.speed.figure import Limit


def bench_speed(only: str | None, device: str, out: Path | None, *, json: bool) -> None:
    """Run the measures one after the other; each is noted when it is done.

    Raises:
        UserError: no such measure or device, or what a measure needs is missing.
    """
    from memstudio.anchor.device import choose_device
    from memstudio.bench.speed.measures import MEASURES, chosen, run
    from memstudio.bench.speed.results import noted

    names, picked = chosen(only), choose_device(device).device
    host = machine(picked)
    results: dict[str, Any] = {"what": "speed", "machine": host, "measures": {}}
    for name in names:
        with show.progress(name) as job:
            found = run(name, picked, job)
        results["measures"][name] = [each.json() for each in found]
        if out is not None:
            noted(out, name, host, found)
        if json:
            continue
        rows = [(each.what, each.ours, each.unit, each.against, each.peer, each.ratio, _asked(each.limit)) for each in found]
        show.table(MEASURES[name][1], ("", "ours", "unit", "against", "peer", "ratio", "asked"), rows, right=(1, 4, 5))
    if json:
        show.print_json(results)


def _asked(limit: "Limit | None") -> str | None:
    return None if limit is None else f"{limit.word} {limit.value:g}"
