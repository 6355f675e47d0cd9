"""How every verb that edits is carried out and printed: plan beside the study, measure, gate, and only then write."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memstudio.cli import show
from memstudio.cli.options import Device, editing, loaded, planning

if TYPE_CHECKING:
    from memstudio.bank.values import BlockState
    from memstudio.editing.plan import Edit, Plan
    from memstudio.facts.gate import Limits
    from memstudio.history.values import Revision
    from memstudio.session import Session
    from memstudio.session.takedown import Paths

_SHOWN, _TEXTS = 20, 5


@dataclass(frozen=True)
class Asked:
    """How an edit is to be made. measure None: where a limit was set, or there are facts to measure by.

    takedown: where to look for what an erasure leaves, and whether to train the gold standard.
    """

    dry_run: bool
    measure: bool | None
    limits: "Limits"
    anyway: str
    study: Path | None
    device: Device
    anchor: Path | None
    json: bool
    encoder: Path | None = None
    takedown: "tuple[Paths, bool] | None" = None

    def measures(self, session: "Session", edit: "Edit") -> bool:
        """Whether to measure this edit on this bank."""
        return bool(self.limits.asked or edit.facts or session.facts()) if self.measure is None else self.measure


def carry_out(bank: str, verb: str, make: "Callable[[Session], Edit]", asked: Asked, lines: Sequence[str] = ()) -> None:
    """Plan, measure and gate beside the study; only what passes opens it to write, so that a bad edit does not begin one.

    lines: what people read first, once the edit is made.

    Raises:
        UserError: the edit cannot be made, or the study moved on meanwhile.
        Refused: it breaks a limit and no reason was given.
    """
    from memstudio.facts.gate import judge

    beside = planning(bank, study=asked.study, device=asked.device, anchor=asked.anchor, encoder=asked.encoder)
    with beside as session, show.progress(verb) as job:
        edit = make(session)
        measures = asked.measures(session, edit)
        if measures:
            loaded(session)
        plan, head, folder = session.plan(edit, measure=measures, job=job), session.head, session.study
        if asked.takedown is not None and measures:
            plan = session.with_takedown(plan, paths=asked.takedown[0], gold=asked.takedown[1], job=job)
    limits = asked.limits if measures or asked.limits.asked else None
    if asked.dry_run:
        gate = None if limits is None else judge(plan.receipt, limits, asked.anyway or "a dry run")
        _print(plan, None, head, folder, asked.json, lines)
        if gate is not None and gate["broken"] and not asked.json:
            show.say(f"the gate would stop this: {'; '.join(gate['broken'])}")
        return
    if limits is not None:
        judge(plan.receipt, limits, asked.anyway)
    with editing(bank, study=asked.study) as session:
        revision = session.apply(plan, limits=limits, reason=asked.anyway)
        _print(plan, revision, session.head, session.study, asked.json, lines)


def print_receipt(receipt: Mapping[str, Any]) -> None:
    """A receipt for people: the shares, the edited prompts before and after, every kind of harm with examples, what an erasure leaves.

    It may come from anybody's study, so what is not as it should be is left out and nothing is printed raw.
    """
    from memstudio.facts.receipt import present
    from memstudio.facts.score import answer_of

    for line in present(receipt):
        show.say(f"  {printable(line)}")
    for key, title in (("answers", "edited"), ("changed", "changed beside it")):
        rows = receipt.get(key)
        texts = [row for row in rows if _is_answer(row)] if isinstance(rows, list) else []
        for row in texts[:_TEXTS]:
            before, after = (printable(answer_of(row[side])) for side in ("before", "after"))
            show.say(f"  {title}: {printable(row['prompt']):.80} {before:.40} → {after:.40}")
        if len(texts) > _TEXTS:
            show.say(f"    … and {len(texts) - _TEXTS} more; --json lists them")
    report = receipt.get("takedown")
    if isinstance(report, dict):
        _print_takedown(report)


def printable(line: object) -> str:
    """A line without control characters."""
    return "".join(letter for letter in str(line) if letter.isprintable())


def short_state(state: "BlockState") -> str:
    """A block's state, with the first letters of a digest."""
    return str(state).replace(state.source, f"{state.source:.12}…") if len(state.source) == 64 else str(state)


def _is_answer(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(key), str) for key in ("prompt", "before", "after"))


def _print(plan: "Plan", revision: "Revision | None", head: int, study: Path | None, json: bool, lines: Sequence[str]) -> None:
    receipt = revision.receipt if revision else plan.receipt
    if json:
        show.print_json(
            {
                "revision": revision.id if revision else None,
                "head": head,
                "dry_run": revision is None,
                "title": plan.edit.title,
                "changes": plan.changes,
                "receipt": receipt,
                "study": study,
            }
        )
        return
    for line in lines:
        show.say(printable(line))
    would = "would change" if revision is None else "changed"
    place = "nothing was written" if revision is None else f"revision {revision.id}"
    show.say(f"{plan.edit.title}: {would} {plan.blocks} block{'s' * (plan.blocks != 1)}, {show.size(plan.bytes)}; {place}")
    for line in plan.notes:
        show.say(f"  {line}")
    shown = [(change.cluster, short_state(change.before), short_state(change.after)) for change in plan.changes[:_SHOWN]]
    show.table(None, ("cluster", "before", "after"), shown)
    if plan.blocks > len(shown):
        show.say(f"… and {plan.blocks - len(shown)} more")
    show.say("receipt")
    print_receipt(receipt)
    if study is not None:
        show.say(f"study {study}")


def _print_takedown(report: Mapping[str, Any]) -> None:
    rows = []
    for row in report["probes"]:
        others = row["other_paths"]
        left = others
        if isinstance(others, dict):
            left = f"{others['worst']:.4f} at {others['at']}, said on {others['extracted']} of {others['count']}"
        said = "said" if row["extracted"] else "not said"
        rows.append((printable(row["prompt"]), row["none"], row["before"], row["after"], row["limit"], said, left, row["gold"]))
    names = ("prompt", "p without memory", "before", "after", "limit", "greedy", "worst of other paths", "gold standard")
    show.table(f"what is left: {report['within']} of {report['count']} within the limit", names, rows, right=(1, 2, 3, 4))
    gold = report["gold"]
    if isinstance(gold, dict):
        learnt = f"{gold['steps']} steps on {gold['prompts']} prompts, {show.percent(gold['learnt'])} learnt"
        show.say(f"gold standard: the blocks trained again without it, {learnt}")
