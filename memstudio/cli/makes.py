"""The verbs that make or check: build and selftest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memstudio.cli import show
from memstudio.cli.options import EncoderOption, JsonOption

if TYPE_CHECKING:
    from memstudio.jobs import Job


def build(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE.yaml", help="What to build.", show_default=False)],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The folder to make the bank in.", show_default=False)],
    fresh: Annotated[bool, typer.Option("--fresh", help="Train from the start, even where an earlier build was cut short.")] = False,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Train a bank from a recipe: corpus, tree, anchor, memories."""
    from memstudio.builder.demo.build import build as build_bank
    from memstudio.errors import UserError
    from memstudio.jobs import Job

    if not recipe.is_file():
        raise UserError(f"{recipe}: no such file; name a recipe, for example resources/demo/recipe.yaml")
    told = {-1}

    def tell(job: "Job") -> None:
        share = -1 if not job.total else 100 * job.done // job.total
        if share // 5 != max(told) // 5:
            told.add(share)
            show.note(f"{job.title}: {share}%")

    built = build_bank(recipe, out, job=Job("build", on_progress=tell), log=show.note, resume=not fresh, encoder=encoder)
    payload = {"path": built.path, "levels": built.levels, "losses": built.losses, "seconds": built.seconds}
    if json:
        show.print_json(payload)
        return
    levels = " / ".join(str(level["clusters"]) for level in built.levels)
    show.say(f"{built.path}: a bank of {levels} clusters, built in {built.seconds:.0f} s")


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
