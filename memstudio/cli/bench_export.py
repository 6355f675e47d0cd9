"""The verb bench, of an export: how fast it writes beside cp, and how much memory it takes."""

import json as jsonlib
from pathlib import Path
from typing import Any

from memstudio.cli import show
from memstudio.cli.machine import machine

PRECISIONS = ("bank", "int8")


def bench_export(size_bytes: int, folder: Path | None, out: Path | None, *, json: bool) -> None:
    """Measure exports of a bank of random numbers whose block rows take so many bytes.

    Raises:
        UserError: no room for it.
    """
    from memstudio.bench.exporting import measure_exports

    with show.progress("bench") as job:
        found = measure_exports(size_bytes, PRECISIONS, folder, job)
    figures: dict[str, Any] = {"what": "export", "machine": machine(), "exports": [each.json() for each in found]}
    if out is not None:
        with out.open("a", encoding="utf-8") as stream:
            stream.write(jsonlib.dumps(show.jsonable(figures)) + "\n")
    if json:
        show.print_json(figures)
        return
    rows = []
    for each in found:
        above = None if each.peak_bytes is None or each.idle_bytes is None else show.size(each.peak_bytes - each.idle_bytes)
        rows.append(
            (
                each.precision,
                show.size(each.bytes),
                show.size(each.written_bytes),
                each.write_s,
                each.copy_s,
                each.of_copy,
                each.read_back_s,
                above,
            )
        )
    cache = "from a cold cache" if all(each.cold for each in found) else "the cache could not be emptied"
    rounds = f"medians of {found[0].rounds} rounds"
    columns = ("kept as", "read", "written", "export s", "cp s", "of cp", "read-back s", "memory above idle")
    show.table(f"Exports of a whole bank of random numbers, {cache}, every file synced, {rounds}", columns, rows, right=range(1, 8))
