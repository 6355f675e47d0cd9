"""The verbs that change what blocks know: update and erase."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    AnywayOption,
    BankArgument,
    ChangedOption,
    DeviceOption,
    DryRunOption,
    EncoderOption,
    JsonOption,
    LocalityOption,
    MeasureOption,
    ReliabilityOption,
    StudyOption,
    clusters_of,
    limits_of,
    loaded,
)
from memstudio.cli.planned import Asked, carry_out
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.editing.learn import Learned
    from memstudio.editing.plan import Edit
    from memstudio.facts.values import Fact
    from memstudio.session import Session

PromptOption = Annotated[
    list[str] | None, typer.Option("--prompt", metavar="TEXT", help="The prompt whose answer is meant.", show_default=False)
]
PhrasingOption = Annotated[
    list[str] | None,
    typer.Option("--phrasing", metavar="TEXT", help="Another way to ask, for the editor to see; repeat it.", show_default=False),
]
SubjectOption = Annotated[
    str | None, typer.Option("--subject", metavar="NAME", help="Whom the prompt speaks of; guessed otherwise.", show_default=False)
]
BlockOption = Annotated[
    list[str] | None, typer.Option("--block", metavar="CLUSTER", help="Write to this block instead; repeat it.", show_default=False)
]


def update(
    bank: BankArgument,
    prompt: PromptOption = None,
    target: Annotated[str | None, typer.Option("--target", metavar="TEXT", help="The new answer.", show_default=False)] = None,
    phrasing: PhrasingOption = None,
    subject: SubjectOption = None,
    facts: Annotated[
        Path | None, typer.Option("--facts", metavar="FILE", help="All facts of a file that have a target, as one revision.")
    ] = None,
    method: Annotated[Literal["tuned", "closed-form"], typer.Option("--method", help="How the new rows are found.")] = "tuned",
    where: Annotated[
        Literal["reached", "shared"], typer.Option("--where", help="Each block that the phrasings reach, or the deepest they share.")
    ] = "reached",
    block: BlockOption = None,
    dry_run: DryRunOption = False,
    measure: MeasureOption = None,
    min_reliability: ReliabilityOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Give facts another answer, with a measured receipt."""
    from memstudio.editing.update import Update

    if (facts is None) == (not prompt):
        raise typer.BadParameter("name --prompt and --target, or --facts FILE with targets")
    if prompt and (len(prompt) > 1 or target is None):
        raise typer.BadParameter("one --prompt goes with one --target; for several write a facts file with targets")
    if target is not None and not target.strip():
        raise UserError("the new answer is empty; write --target TEXT")
    blocks = clusters_of(block)
    lines: list[str] = []

    def make(session: "Session") -> "Edit":
        wanted = _targets(facts) if facts is not None else (_request(session, (prompt or [""])[0], target or "", phrasing, subject, lines),)
        return Update(wanted, method=method, where=where, blocks=blocks)

    limits = limits_of(True, min_reliability, min_locality, max_changed)
    carry_out(bank, "update", make, Asked(dry_run, measure, limits, anyway, study, device, anchor, json, encoder), lines)


def erase(
    bank: BankArgument,
    prompt: PromptOption = None,
    document: Annotated[
        list[str] | None,
        typer.Option("--document", metavar="ID", help="A document of the bank, or one learnt, and its facts.", show_default=False),
    ] = None,
    phrasing: PhrasingOption = None,
    subject: SubjectOption = None,
    method: Annotated[Literal["tuned", "dampen"], typer.Option("--method", help="Gradient, or selective dampening.")] = "tuned",
    where: Annotated[
        Literal["path", "reached", "shared"], typer.Option("--where", help="Every block on the routes, the deepest of each, or the shared.")
    ] = "path",
    block: BlockOption = None,
    paths: Annotated[
        Literal["routed", "neighbours", "all"], typer.Option("--paths", help="Where to look for what is left of the answer.")
    ] = "neighbours",
    gold: Annotated[bool, typer.Option("--gold", help="Train the blocks again without it, for comparison (a minute).")] = False,
    dry_run: DryRunOption = False,
    measure: MeasureOption = None,
    min_reliability: ReliabilityOption = None,
    min_locality: LocalityOption = None,
    max_changed: ChangedOption = None,
    anyway: AnywayOption = "",
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Take facts or documents out of the blocks that hold them, and report what is left."""
    from memstudio.editing.erase import Erase

    if not prompt and not document:
        raise typer.BadParameter("name --prompt or --document")
    blocks = clusters_of(block)
    lines: list[str] = []

    def make(session: "Session") -> "Edit":
        given = phrasing if len(prompt or ()) == 1 else None
        wanted = tuple(_request(session, text, "", given, subject, lines) for text in prompt or ())
        taught = _taught(session)
        known = tuple(text for name in document or () for text in taught.get(name, ()))
        others = tuple(name for name in document or () if name not in taught)
        return Erase(wanted, others, method=method, where=where, blocks=blocks, learned=known)

    limits = limits_of(True, min_reliability, min_locality, max_changed)
    asked = Asked(dry_run, measure, limits, anyway, study, device, anchor, json, encoder, (paths, gold))
    carry_out(bank, "erase", make, asked, lines)


def _taught(session: "Session") -> "dict[str, tuple[Learned, ...]]":
    """The documents that the study taught, by name: every text that was taught under it."""
    from memstudio.session.patching import learned_by

    line = session.log() if session.study is not None else ()
    found = [document for revision in line if revision.current for document in learned_by(revision)]
    return {name: tuple(dict.fromkeys(each for each in found if each.id == name)) for name in {document.id for document in found}}


def _request(session: "Session", prompt: str, target: str, phrasings: list[str] | None, subject: str | None, lines: list[str]) -> "Fact":
    """The fact that is meant; where its phrasings were drafted, `lines` say which, so that they can be changed."""
    loaded(session)
    found = session.request(prompt, target, phrasings=phrasings, subject=subject)
    if phrasings is None:
        lines.append(f"“{prompt}” is asked in these words too (--phrasing TEXT to say which instead):")
        lines += [f"  {draft.text}  ({draft.source})" for draft in found.drafted]
    return found.fact


def _targets(file: Path) -> "tuple[Fact, ...]":
    """The facts of a file that have a target; what cannot be used is said on stderr.

    Raises:
        UserError: none has one.
    """
    from memstudio.cli.facts import say_skipped
    from memstudio.editing.update import can_be_said
    from memstudio.facts.read import read_fact_file

    found = read_fact_file(file)
    facts = tuple(fact for fact in found.facts if can_be_said(fact.target))
    if not facts:
        raise UserError(f"{file}: no fact in it has a target; write the new answer as target (or target_new)")
    say_skipped(found)
    if without := len(found.facts) - len(facts):
        show.note(f"{file}: {without} of {len(found.facts)} facts have no target and stay as they are")
    return facts
