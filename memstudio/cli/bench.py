"""The verb bench: figures of this machine, as a table and as JSON lines."""

import json as jsonlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from memstudio.cli import show
from memstudio.cli.bench_export import bench_export
from memstudio.cli.bench_speed import bench_speed
from memstudio.cli.bench_ui import bench_ui
from memstudio.cli.exporting import budget_of
from memstudio.cli.machine import machine
from memstudio.cli.options import DeviceOption, JsonOption, loaded, reading
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.bench.counts import Counts
    from memstudio.facts.statistics import Proportion
    from memstudio.jobs import Job
    from memstudio.session import Session

Stage = tuple[str, str, Mapping[str, str], "dict[str, Counts]"]
"""Its name, its title, the words for its shares, and what each column counted."""

_STAGES = ("one", "batch", "sequence")


def bench(
    what: Annotated[
        Literal["edits", "erase", "build", "ui", "export", "speed"],
        typer.Argument(
            help="edits: changing facts, beside fine-tuning and LoRA; erase: taking them down; build: a bank of documents; ui: the window; "
            "export: writing a bank, beside cp; speed: runs, swaps, traces and scores beside their peers."
        ),
    ] = "edits",
    bank: Annotated[str, typer.Argument(metavar="[BANK]", help="A bank folder, or the word demo.")] = "demo",
    facts: Annotated[
        int | None,
        typer.Option("--facts", metavar="N", min=1, help="How many; of build, documents.", show_default="200, erase 20, build 160"),
    ] = None,
    batch: Annotated[int, typer.Option("--batch", metavar="N", min=1, help="How many facts in one batch.")] = 50,
    methods: Annotated[str | None, typer.Option("--methods", metavar="LIST", help="Parted by commas.", show_default="all")] = None,
    stages: Annotated[str, typer.Option("--stages", metavar="LIST", help="Of one, batch and sequence.")] = "one,batch,sequence",
    withhold: Annotated[int, typer.Option("--withhold", metavar="N", min=0, help="Trained phrasings kept from the editor too.")] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Which facts and which new answers.")] = 0,
    only: Annotated[str | None, typer.Option("--only", metavar="LIST", help="Of speed: which measures.", show_default="all")] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FILE", help="Append each stage as a JSON line; of speed, a file of results.", show_default=False),
    ] = None,
    device: DeviceOption = "auto",
    ui: Annotated[bool, typer.Option("--ui", help="The same as ui: how fast the window is, on the demo and on 69,904 clusters.")] = False,
    size: Annotated[str, typer.Option("--size", metavar="BYTES", help="Of export: of the bank's block rows.")] = "2GB",
    folder: Annotated[
        Path | None, typer.Option("--folder", metavar="DIR", help="Of export: on which disk.", show_default="the system's own")
    ] = None,
    on_display: Annotated[bool, typer.Option("--on-display", help="Of ui: on the screen, not beside it.")] = False,
    json: JsonOption = False,
) -> None:
    """Measure on this machine; the figures in the documents name the command that printed them."""
    if ui or what == "ui":
        bench_ui(out, on_display=on_display, json=json)
        return
    if what == "speed":
        bench_speed(only, device, out, json=json)
        return
    if what == "export":
        bench_export(_bytes(size), folder, out, json=json)
        return
    if what == "build":
        _building(bank, facts or 160, seed, out, json)
        return
    count = facts or (200 if what == "edits" else 20)
    wanted = _listed(stages, _STAGES, "--stages")
    results: dict[str, Any] = {"what": what, "machine": machine(), "facts": count, "batch": batch, "withhold": withhold, "seed": seed}
    with reading(bank, device=device) as session, show.progress("bench") as job:
        loaded(session)
        if what == "edits":
            ran = _edits(session, methods, wanted, count, batch, seed, withhold, job)
        else:
            ran = _erase(session, methods, count, seed, job)
        for stage, title, shares, found in ran:
            _note(results, out, stage, {name: counts.json() for name, counts in found.items()})
            _table(title, shares, found, json)
    if json:
        show.print_json(results)


def _bytes(text: str) -> int:
    size = budget_of(text, "--size")[0]
    if size is None or size < 10**6:
        raise UserError(f"--size {text!r:.40}: write bytes such as 500MB or 2GB, 1MB at least")
    return size


def _building(bank: str, documents: int, seed: int, out: Path | None, json: bool) -> None:
    """A bank for the bank's own anchor over documents about places that are nowhere."""
    from tempfile import TemporaryDirectory

    from memstudio.bank.bank import open_bank
    from memstudio.bench.building import measure_building
    from memstudio.session.opening import bank_folder

    anchor = open_bank(bank_folder(bank)).anchor_dir()
    with TemporaryDirectory() as folder, show.progress("bench") as job:
        figures = measure_building(anchor, Path(folder), documents, seed, job)
    figures = {"what": "build", "machine": machine(), "seed": seed, **figures}
    if out is not None:
        with out.open("a", encoding="utf-8") as stream:
            stream.write(jsonlib.dumps(figures) + "\n")
    if json:
        show.print_json(figures)
        return
    recall = [(name, f"{row['share']:.3f} [{row['low']:.3f}, {row['high']:.3f}]") for name, row in figures["recall"].items()]
    show.table(f"{figures['probes']} probes of {documents} documents", ("", "answered"), recall)
    speed = figures["speed"]
    show.say(f"perplexity: {', '.join(f'{name} {value}' for name, value in figures['perplexity'].items())}")
    show.say(f"built in {figures['build_seconds']:.0f} s, LoRA {figures['lora_seconds']:.0f} s")
    show.say(f"a training step: {speed['ratio']:.2f} of the tokens a second of the frozen anchor's plain forward and backward")


def _edits(
    session: "Session", methods: str | None, stages: list[str], count: int, batch: int, seed: int, withhold: int, job: "Job"
) -> Iterator[Stage]:
    from memstudio.bench.edits import METHODS, SHARES, in_one_batch, in_sequence, one_at_a_time

    chosen = [name for name in METHODS if methods is None or name in _listed(methods, METHODS, "--methods")]
    if "one" in stages:
        yield "one", f"{count} facts, one at a time, each undone", SHARES, one_at_a_time(session, chosen, count, seed, withhold, job)
    if "batch" in stages:
        yield "batch", f"{batch} facts in one batch", SHARES, in_one_batch(session, chosen, batch, seed, withhold, job)
    for method in chosen if "sequence" in stages else ():
        steps = in_sequence(session, method, count, seed, withhold, job)
        yield f"sequence {method}", f"in sequence, {method}", SHARES, {f"after {number}": counts for number, counts in steps.items()}


def _erase(session: "Session", methods: str | None, count: int, seed: int, job: "Job") -> Iterator[Stage]:
    from memstudio.bench.erasures import METHODS, SHARES, erased_one_at_a_time

    chosen = [name for name in METHODS if methods is None or name in _listed(methods, METHODS, "--methods")]
    yield "erase", f"{count} facts taken down, one at a time", SHARES, erased_one_at_a_time(session, chosen, count, seed, job)


def _listed(text: str, known: tuple[str, ...], option: str) -> list[str]:
    words = [word.strip() for word in text.split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise UserError(f"{option} {word}: choose of {', '.join(known)}")
    return words


def _note(results: dict[str, Any], out: Path | None, stage: str, figures: dict[str, Any]) -> None:
    results[stage] = figures
    if out is not None:
        kept = {name: results[name] for name in ("what", "machine", "facts", "batch", "withhold", "seed")}
        with out.open("a", encoding="utf-8") as stream:
            stream.write(jsonlib.dumps({**kept, "stage": stage, "figures": figures}) + "\n")


def _table(title: str, shares: Mapping[str, str], found: "dict[str, Counts]", json: bool) -> None:
    """A line a figure, a column a method: the share, its 95% interval, and what it was counted on."""
    if json:
        return
    rows: list[tuple[object, ...]] = []
    for name, words in shares.items():
        counted = [counts.share(name) for counts in found.values()]
        if any(share.n for share in counted):
            rows.append((words, " / ".join(dict.fromkeys(f"{share.n:,}" for share in counted)), *map(_share, counted)))
    rows.append(("seconds, median", "", *(counts.median_s for counts in found.values())))
    rows.append(("seconds, 90th percentile", "", *(counts.p90_s for counts in found.values())))
    show.table(title, ("", "n", *found), rows, right=(1,))


def _share(found: "Proportion") -> str:
    if found.share is None or found.low is None or found.high is None:
        return "not measured"
    return f"{found.share:.3f} [{found.low:.3f}, {found.high:.3f}]"
