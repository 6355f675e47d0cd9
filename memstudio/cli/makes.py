"""The verbs that make or check: build and selftest."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memstudio.cli import show
from memstudio.cli.options import DeviceOption, EncoderOption, JsonOption
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.builder.built import Built
    from memstudio.builder.estimate import Estimate
    from memstudio.jobs import Job

_ASKED = 400
"""Probes that are asked at the end of a build, so that it says what came of it."""


def build(
    words: Annotated[
        list[str],
        typer.Argument(metavar="[RECIPE.yaml] [PATH…] OUT", help="The folder to make the bank in comes last.", show_default=False),
    ],
    anchor: Annotated[
        str | None, typer.Option("--anchor", metavar="DIR|org/repo", help="The model that carries the memory.", show_default=False)
    ] = None,
    corpus: Annotated[
        list[str] | None, typer.Option("--corpus", metavar="PATH", help="Documents: a file or folder; repeat it.", show_default=False)
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="The bank's name.", show_default=False)] = None,
    window: Annotated[int | None, typer.Option("--window", help="Tokens a window.", show_default="256")] = None,
    branching: Annotated[
        str | None, typer.Option("--branching", metavar="8,8", help="Children a node, level after level.", show_default="by the corpus")
    ] = None,
    widths: Annotated[
        str | None, typer.Option("--widths", metavar="16,32", help="Neurons a block, level after level.", show_default="by the anchor")
    ] = None,
    layers: Annotated[
        str | None, typer.Option("--layers", metavar="late|all|2,3", help="Anchor layers with memory.", show_default="late")
    ] = None,
    ramp: Annotated[bool, typer.Option("--ramp", help="Widths that grow with the layer.")] = False,
    cotrain: Annotated[bool, typer.Option("--cotrain", help="Let the anchor move with its blocks.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Plain text, also where the anchor has a chat template.")] = False,
    epochs: Annotated[float | None, typer.Option("--epochs", help="Times a window is read.", show_default="by the corpus")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Of the tree and the training.")] = 0,
    part: Annotated[
        list[str] | None, typer.Option("--part", metavar="JOB", help="Only this training job, and no bank yet.", show_default=False)
    ] = None,
    estimate_only: Annotated[bool, typer.Option("--estimate-only", help="Say what it would take and leave.")] = False,
    download: Annotated[bool, typer.Option("--download", help="Fetch an anchor that is not in the model cache.")] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Begin anew, even where an earlier build was cut short.")] = False,
    device: DeviceOption = "auto",
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Make a bank: from a model and documents, or as a recipe says; what was cut short goes on."""
    from memstudio.builder.demo.recipe import DemoRecipe
    from memstudio.builder.recipe import load_recipe, make_recipe

    out, first = Path(words[-1]), words[:-1]
    if anchor is None:
        if len(first) != 1 or corpus or not first[0].endswith((".yaml", ".yml")):
            raise UserError("build: name RECIPE.yaml and OUT, or --anchor DIR --corpus PATH… OUT")
        if not Path(first[0]).is_file():
            raise UserError(f"{first[0]}: no such file; name a recipe, for example resources/demo/recipe.yaml")
        recipe = load_recipe(Path(first[0]))
    else:
        values = _values(name, window, branching, widths, layers, ramp, cotrain, plain, epochs, seed)
        recipe = make_recipe({"anchor": anchor, "corpus": [*(corpus or ()), *first], **values})
    if fresh:
        _forget(out)
    if isinstance(recipe, DemoRecipe):
        from memstudio.builder.demo.build import build as build_demo

        if estimate_only:
            raise UserError(f"{first[0]}: the demo's recipe has no estimate; it takes about 40 minutes on two cores")
        _report(build_demo(recipe, out, job=_job(), log=show.note, resume=not fresh, encoder=encoder), None, json)
        return
    if download:
        _download(recipe.anchor)
    from memstudio.builder.build import Share
    from memstudio.builder.build import build as build_bank
    from memstudio.builder.estimate import estimate

    share = Share(tuple(part or ())) if part else Share.of_environment()
    seconds = 0.0
    if share.rank == 0 and not part:
        expected = estimate(recipe, device=device, encoder=encoder)
        _check_room(expected, out)
        if estimate_only:
            _print(expected, json)
            return
        for line in expected.lines():
            show.note(line)
        seconds = expected.seconds
    built = build_bank(recipe, out, job=_job(seconds), log=show.note, device=device, encoder=encoder, share=share)
    _report(built, _recall(out) if built.levels else None, json)


def _print(expected: "Estimate", json: bool) -> None:
    if json:
        show.print_json(dataclasses.asdict(expected))
        return
    for line in expected.lines():
        show.say(line)


def _values(
    name: str | None,
    window: int | None,
    branching: str | None,
    widths: str | None,
    layers: str | None,
    ramp: bool,
    cotrain: bool,
    plain: bool,
    epochs: float | None,
    seed: int,
) -> dict[str, Any]:
    """The flags as a recipe says them."""
    values: dict[str, Any] = {"name": name or "", "tree": {"seed": seed}, "memory": {"ramp": ramp}, "training": {"seed": seed}}
    if window is not None:
        values["window"] = window
    if plain:
        values["chat"] = False
    if branching is not None:
        values["tree"]["branching"] = _numbers("--branching", branching)
    if widths is not None:
        values["memory"]["widths"] = _numbers("--widths", widths)
    if layers is not None:
        values["memory"]["layers"] = layers if layers in ("late", "all") else _numbers("--layers", layers)
    if cotrain:
        values["training"]["mode"] = "cotrain"
    if epochs is not None:
        values["training"]["epochs"] = epochs
    return values


def _numbers(flag: str, text: str) -> list[int]:
    try:
        return [int(word) for word in text.split(",")]
    except ValueError:
        raise UserError(f"{flag} {text!r:.40}: write whole numbers with commas between them, for example 8,8") from None


def _download(anchor: str) -> None:
    from memstudio.builder.recipe import is_hub_id
    from memstudio.builder.source import download, fetch, is_cached

    if not is_hub_id(anchor) or is_cached(anchor):
        return
    files = download(anchor)
    show.note(f"{anchor}: {len(files)} files, {show.size(sum(size for _, size in files))} to fetch")
    fetch(anchor, files)


def _forget(out: Path) -> None:
    import shutil

    shutil.rmtree(out.with_name(out.name + ".build"), ignore_errors=True)


def _check_room(expected: "Estimate", out: Path) -> None:
    import shutil

    folder = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    if expected.disk_bytes > free:
        raise UserError(f"{out}: the build needs {show.size(expected.disk_bytes)}, the disk has {show.size(free)}: choose another disk")


def _recall(out: Path) -> dict[str, float | None]:
    """The share of the probes that the bank answers, by condition."""
    from memstudio.session.opening import open_session

    with open_session(out, readonly=True) as session:
        probes = session.facts()
        some = probes[:: max(1, len(probes) // _ASKED)]
        if not some:
            return {}
        return {
            "fetched": session.score(some).accuracy,
            "generic": session.score(some, memory="generic").accuracy,
            "none": session.score(some, memory="none").accuracy,
        }


def _report(built: "Built", recall: dict[str, float | None] | None, json: bool) -> None:
    payload: dict[str, Any] = {"path": built.path, "levels": built.levels, "losses": built.losses, "seconds": built.seconds}
    if recall is not None:
        payload["recall"] = recall
    if json:
        show.print_json(payload)
        return
    if not built.levels:
        show.say(f"{built.path}: trained in part, in {built.seconds:.0f} s; build again when all parts are there")
        return
    levels = " / ".join(str(level["clusters"]) for level in built.levels)
    show.say(f"{built.path}: a bank of {levels} clusters, built in {built.seconds:.0f} s")
    if recall:
        show.say("probes answered: " + ", ".join(f"{name} {share:.3f}" for name, share in recall.items() if share is not None))
    show.say(f"open it with: memstudio open {built.path}")


def _job(expected: float = 0.0) -> "Job":
    """A job that says how far it is on stderr; expected: seconds of all of it, from which the time that remains is told."""
    from memstudio.jobs import Job

    told: dict[str, int] = {}
    began = time.monotonic()

    def tell(job: "Job") -> None:
        share = -1 if not job.total else 100 * job.done // job.total
        if share // 25 > told.get(job.title, -1) // 25:
            told[job.title] = share
            left = expected - (time.monotonic() - began)
            show.note(f"{job.title}: {share}%" + (f", about {left:.0f} s left of all" if left > 1 else ""))

    return Job("build", on_progress=tell)


def selftest(json: JsonOption = False) -> None:
    """Check this installation end to end: packages, the demo bank, a fetch, a prune, an undo."""
    from memstudio.selftest import selftest as check

    checks = check()
    passed = all(each.ok for each in checks)
    if json:
        show.print_json({"ok": passed, "checks": checks})
    else:
        for each in checks:
            show.say(f"{'ok  ' if each.ok else 'FAIL'} {each.name}: {each.detail} ({each.seconds:.1f} s)")
    if not passed:
        raise typer.Exit(1)
