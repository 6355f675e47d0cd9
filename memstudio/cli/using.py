"""The verb `use`: which blocks prompts fetch and what those do to the answers; dead blocks, hot ones, and those that never matter."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    BankArgument,
    DeviceOption,
    DtypeOption,
    EncoderOption,
    JsonOption,
    StudyOption,
    loaded,
    reading,
)
from memstudio.errors import UserError

if TYPE_CHECKING:
    from memstudio.bank.values import ClusterId
    from memstudio.session import Session
    from memstudio.session.used import Counted, Use

_HOT = 10
_IN_A_LINE = 12


def use(
    bank: BankArgument,
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]",
            help="Prompts, a line each; JSON lines with prompt, key, answer; or facts. Else the bank's own.",
            show_default=False,
        ),
    ] = None,
    effects: Annotated[bool, typer.Option("--effects", help="Also what each fetched block does to the answers; takes a model.")] = False,
    dead: Annotated[bool, typer.Option("--dead", help="List every block that no prompt fetched.")] = False,
    hot: Annotated[int, typer.Option("--hot", metavar="N", min=0, help="How many of the most used blocks are shown.")] = _HOT,
    kept: Annotated[bool, typer.Option("--kept", help="Count nothing: what the study keeps, all sets together.")] = False,
    keep: Annotated[bool, typer.Option("--keep/--no-keep", help="Keep the counts, where a study is named.")] = True,
    study: StudyOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Which blocks prompts fetch, which of them matter, and which nothing uses."""
    if kept and (file is not None or effects):
        raise typer.BadParameter("--kept counts nothing; leave the file and --effects out")
    from memstudio.session.used import added_up, standing

    with _session(bank, study, device, dtype, anchor, encoder, write=keep and not kept) as session:
        counted = session.uses() if kept else [_count(session, file, effects=effects, keep=keep)]
        total = added_up(counted)
        if total is None:
            raise UserError(f"{bank}: keeps no counts; `memstudio use {bank}` without --kept makes some")
        masks = standing([session.bank.held(level) for level in range(1, session.bank.tree.depth + 1)], session.overlay)
        found = {"dead": total.dead(masks), "idle": total.idle(masks), "hot": total.hot(masks)[:hot]}
        labels = {cluster: session.card(cluster).label for cluster in (*found["hot"], *(found["dead"] if dead else ()))}
        levels = [
            {
                "level": level,
                "blocks": int(mask.sum()),
                "fetched": int((mask & (fetched > 0)).sum()),
                "dead": sum(cluster.level == level for cluster in found["dead"]),
                "idle": sum(cluster.level == level for cluster in found["idle"]) if total.measured else None,
            }
            for level, (mask, fetched) in enumerate(zip(masks, total.fetched, strict=True), 1)
        ]
        where = str(session.study) if keep and not kept and session.keeps else None
    if json:
        show.print_json(_payload(total, counted, levels, found, where))
        return
    _say(total, counted, levels, found, labels, dead=dead)
    if where is not None:
        show.say(f"kept in {where}")


@contextlib.contextmanager
def _session(
    bank: str, study: Path | None, device: Any, dtype: Any, anchor: Path | None, encoder: Path | None, *, write: bool
) -> Iterator["Session"]:
    """A study that is named keeps what is counted; a bank's name reads the bank as shipped, and keeps nothing."""
    from memstudio.session import open_session

    if not write:
        with reading(bank, study=study, device=device, dtype=dtype, anchor=anchor, encoder=encoder) as session:
            yield session
        return
    with open_session(bank, study=study, device=device, dtype=dtype, anchor=anchor, encoder=encoder) as session:
        yield session


def _count(session: "Session", file: Path | None, *, effects: bool, keep: bool) -> "Counted":
    if effects:
        loaded(session)
    with show.progress(f"counting on {session.bank.manifest.name}") as job:
        counted = session.count_use(file, effects=effects, keep=keep, job=job)
    if counted.skipped_count:
        first = counted.skipped[0]
        show.note(f"{file}: {counted.skipped_count:,} lines left out; the first is line {first.line}: {first.reason}")
    if counted.unread_count:
        first = counted.unread[0]
        where = f"line {first.line}" if first.line else f"prompt {first.record}"
        show.note(f"effects were not measured on {counted.unread_count:,} prompts; the first is {where}: {first.reason}")
    return counted


def _say(
    total: "Use",
    counted: "Sequence[Counted]",
    levels: list[dict[str, Any]],
    found: "dict[str, tuple[ClusterId, ...]]",
    labels: "dict[ClusterId, str]",
    *,
    dead: bool,
) -> None:
    for each in counted:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(each.time_s))
        measured = f", effects on {each.use.measured:,}" if each.use.measured else ""
        show.say(f"{each.name}: {each.use.prompts:,} of {each.total:,} prompts{measured}, at revision {each.revision}, {when}")
    columns = ("level", "blocks", "fetched", "dead", "never matter")
    show.table(None, columns, [tuple(level.values()) for level in levels], right=range(5))
    show.say(f"dead: {len(found['dead']):,} blocks, not fetched by any of {total.prompts:,} prompts")
    if dead:
        show.table(None, ("dead", "label"), [(cluster, labels[cluster]) for cluster in found["dead"]])
    elif found["dead"]:
        named = ", ".join(map(str, found["dead"][:_IN_A_LINE]))
        show.say(f"  {named}{' … (--dead lists all)' if len(found['dead']) > _IN_A_LINE else ''}")
    if found["hot"]:
        rows = [(cluster, labels[cluster], *_figures(total, cluster).values()) for cluster in found["hot"]]
        show.table("hot", ("block", "label", "fetched", "share", "Δ log p, mean", "measured on"), rows, right=(2, 3, 4, 5))


def _figures(total: "Use", cluster: "ClusterId") -> dict[str, Any]:
    count = total.of(cluster)
    return {
        "fetched": count.fetched,
        "share": count.fetched / total.prompts if total.prompts else None,
        "effect_mean": count.effect_sum / count.effects if count.effects else None,
        "effects": count.effects,
    }


def _payload(
    total: "Use",
    counted: "Sequence[Counted]",
    levels: list[dict[str, Any]],
    found: "dict[str, tuple[ClusterId, ...]]",
    where: str | None,
) -> dict[str, Any]:
    sets = [
        {
            "name": each.name,
            "digest": each.digest,
            "revision": each.revision,
            "prompts": each.use.prompts,
            "total": each.total,
            "measured": each.use.measured,
            "time_s": each.time_s,
            "not_measured": [{"prompt": one.record, "line": one.line, "reason": one.reason} for one in each.unread],
        }
        for each in counted
    ]
    return {
        "prompts": total.prompts,
        "measured": total.measured,
        "levels": levels,
        "dead": found["dead"],
        "idle": found["idle"] if total.measured else None,
        "hot": [{"cluster": cluster, **_figures(total, cluster)} for cluster in found["hot"]],
        "sets": sets,
        "skipped": [{"line": one.line, "reason": one.reason} for each in counted for one in each.skipped],
        "study": where,
        "evidence": {"fetched": "observed", "effect": "causal"},
    }
