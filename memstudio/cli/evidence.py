"""The verbs evidence and verify: prove what a study did, and check such a proof without trusting whoever made it."""

from pathlib import Path
from typing import Annotated

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    BankArgument,
    DeviceOption,
    EncoderOption,
    JsonOption,
    StudyOption,
    loaded,
    reading,
    revisiting,
)
from memstudio.cli.planned import printable

OutArgument = Annotated[Path, typer.Argument(metavar="OUT", help="The folder.", show_default=False)]


def evidence(
    bank: BankArgument,
    out: OutArgument,
    revisions: Annotated[
        list[str] | None, typer.Option("--revisions", metavar="R", help="Which; repeat it, or part by commas. All unless given.")
    ] = None,
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", metavar="TEXT", help="What both states are asked; repeat it. The updated prompts unless given."),
    ] = None,
    study: StudyOption = None,
    device: DeviceOption = "auto",
    json: JsonOption = False,
) -> None:
    """Write what a study did as a folder that proves it: patch, facts, figures, pictures, a page."""
    from memstudio.session.gathering import gather

    with revisiting(bank, folder=study, readonly=True, device=device) as session, show.progress("evidence") as job:
        loaded(session)
        words = [word for text in revisions or () for word in text.split(",") if word.strip()]
        found = gather(session, out, revisions=[session.store.find(word) for word in words] or None, prompts=prompt or (), job=job)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    if json:
        show.print_json({"path": out, "bytes": size, "revision": found.revision, "bank": found.bank.digest, "files": sorted(found.files)})
        return
    steps = f"revision {found.revision}" if len(found.revisions) == 1 else f"{len(found.revisions)} revisions up to {found.revision}"
    show.say(f"{out}: {steps} against the bank as shipped, {len(found.files) + 1} files, {show.size(size)}")
    show.say(f"open {out / 'index.html'}; anybody with the bank can check it: memstudio verify {out} --bank BANK")


def verify(
    out: OutArgument,
    bank: Annotated[str, typer.Option("--bank", metavar="BANK", help="The bank that it is about, as shipped.", show_default=False)],
    facts: Annotated[
        Path | None,
        typer.Option("--facts", metavar="FILE", help="Facts that were taken down and that the bank does not hold.", show_default=False),
    ] = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Measure everything that an evidence folder says again. Exit status 1: a figure does not agree."""
    from memstudio.cli.facts import read_or_say
    from memstudio.errors import UserError
    from memstudio.export.evidence import read_evidence
    from memstudio.session.opening import bank_folder
    from memstudio.session.proving import check, unchecked

    recorded = read_evidence(out)
    known = read_or_say(facts).facts if facts is not None else ()
    folder = bank_folder(bank)
    with reading(str(folder), device=device, anchor=anchor, encoder=encoder) as session, show.progress("verify") as job:
        if session.study is not None:
            raise UserError(f"--bank {bank}: is a study; name the bank as shipped")
        loaded(session)
        figures = list(check(session, out, recorded, facts=known, job=job))
    agreed = sum(figure.agreed is True for figure in figures)
    unmeasured = sum(figure.agreed is None for figure in figures)
    ok = agreed == len(figures)
    if json:
        counts = {"agreed": agreed, "count": len(figures), "not_measured": unmeasured}
        show.print_json({"ok": ok, **counts, "figures": figures, "not_checked": unchecked(recorded)})
    else:
        words = {True: "agreed", False: "NOT agreed", None: "not measured"}
        rows = [(printable(f.name), _value(f.recorded), _value(f.found), f.tolerance, words[f.agreed]) for f in figures]
        show.table(None, ("figure", "recorded", "found now", "tolerance", ""), rows)
        for line in unchecked(recorded):
            show.say(f"not checked, the states between are not in the folder: {printable(line)[:400]}")
        left = f"; {unmeasured} could not be measured again" if unmeasured else ""
        show.say(f"{agreed} of {len(figures)} figures agree{left}")
    if not ok:
        raise typer.Exit(1)


def _value(value: object) -> str:
    return show.cell(value) if not isinstance(value, str) else printable(value)[:120]


VERBS = {verb.__name__: verb for verb in (evidence, verify)}
"""The verbs of this file by their names."""
