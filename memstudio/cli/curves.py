"""The verb `curve`: what smaller banks would still answer, against the bytes that they keep."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memstudio.cli import show
from memstudio.cli.exporting import FALLBACKS, budget_of
from memstudio.cli.options import (
    AnchorOption,
    BankArgument,
    DeviceOption,
    EncoderOption,
    JsonOption,
    StudyOption,
    clusters_of,
    loaded,
    reading,
)
from memstudio.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeVar

    from memstudio.export.curve import Curve, CurvePoint
    from memstudio.facts.statistics import Mean

    Word = TypeVar("Word", bound=str)

_SUFFIXES = (".csv", ".svg")


def curve(
    bank: BankArgument,
    facts: Annotated[
        Path | None, typer.Option("--facts", metavar="FILE", help="Half of them rank, half are asked.", show_default="the bank's own")
    ] = None,
    rank_by: Annotated[
        str | None,
        typer.Option("--rank-by", metavar="LIST", help="Of effect, use, documents, norm, random; or all.", show_default="effect"),
    ] = None,
    fallback: Annotated[
        str | None, typer.Option("--fallback", metavar="LIST", help="Of zero, generic, sibling; or all.", show_default="as is")
    ] = None,
    precision: Annotated[str, typer.Option("--precision", metavar="LIST", help="Of bank, int8, int4, mixed; or all.")] = "bank",
    budgets: Annotated[
        str | None, typer.Option("--budgets", metavar="LIST", help="Shares of the bank's bytes.", show_default="ten from 2.5% to 100%")
    ] = None,
    keep: Annotated[
        list[str] | None, typer.Option("--keep", metavar="CLUSTER", help="A subtree to keep; repeat it.", show_default=False)
    ] = None,
    drop: Annotated[
        list[str] | None, typer.Option("--drop", metavar="CLUSTER", help="A subtree to leave out; repeat it.", show_default=False)
    ] = None,
    out: Annotated[
        list[Path] | None, typer.Option("--out", metavar="FILE.csv|.svg", help="Write it down; repeat it.", show_default=False)
    ] = None,
    budget: Annotated[
        str | None, typer.Option("--budget", metavar="25%|BYTES", help="One to mark in the picture and to read off.", show_default=False)
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="Which half of the facts ranks, and of the ranking random.")] = 0,
    apart: Annotated[bool, typer.Option("--apart", help="Also time scoring every bank by itself.")] = False,
    study: StudyOption = None,
    device: DeviceOption = "auto",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """What smaller banks would still answer, for ten budgets; no bank is written."""
    from memstudio.cli.facts import read_or_say
    from memstudio.export.precision import CHOICES
    from memstudio.export.rank import RANKINGS
    from memstudio.session.curve import SHARES, measure_curve

    for file in out or ():
        if file.suffix not in _SUFFIXES:
            raise UserError(f"--out {file}: name a file that ends in .csv or .svg")
    budget_bytes, budget_share = budget_of(budget)
    rankings, fallbacks = _listed("--rank-by", rank_by, RANKINGS), _listed("--fallback", fallback, FALLBACKS)
    shares = SHARES if budgets is None else tuple(_share(word) for word in budgets.split(","))
    given = read_or_say(facts).facts if facts is not None else None
    with reading(bank, study=study, device=device, anchor=anchor, encoder=encoder) as session, show.progress("curve") as job:
        loaded(session)
        found = measure_curve(
            session,
            rankings,
            fallbacks,
            precision=_listed("--precision", precision, CHOICES),
            facts=given,
            shares=shares,
            keep=clusters_of(keep),
            drop=clusters_of(drop),
            seed=seed,
            apart=apart,
            job=job,
        )
    if budget_share is not None:
        budget_bytes = int(budget_share * found.bank_bytes)
    for file in out or ():
        _write(file, found, budget_bytes)
    if json:
        show.print_json(_payload(found, budget_bytes))
    else:
        _say(found)
        _say_chosen(found, budget_bytes)


def _listed(option: str, text: str | None, words: "Sequence[Word]") -> "tuple[Word, ...]":
    if text is None:
        return ()
    names = list(words) if text.strip() == "all" else [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in words:
            raise UserError(f"{option} {name!r:.40}: is not there; {', '.join(words)} and all are")
    return tuple(word for word in words if word in names)


def _share(word: str) -> float:
    share = budget_of(word, "--budgets")[1]
    if share is None:
        raise UserError(f"--budgets {word!r:.40}: write shares such as 10%,25%,50%")
    return share


def _write(file: Path, found: "Curve", budget_bytes: int | None) -> None:
    from memstudio.export.curve import curve_csv
    from memstudio.export.curve_picture import curve_svg
    from memstudio.replacing import replaced

    with replaced(file) as part:
        part.write_text(curve_csv(found) if file.suffix == ".csv" else curve_svg(found, budget_bytes), encoding="utf-8", newline="")


def _point(point: "CurvePoint") -> dict[str, object]:
    series = point.series
    return {
        "rank_by": series.rank_by,
        "precision": series.precision,
        "fallback": series.fallback,
        "share": point.share,
        "budget_bytes": point.budget_bytes,
        "bytes": point.bytes,
        "blocks": point.blocks,
        "recall": point.recall.json(),
        "logprob": point.logprob,
    }


def _payload(found: "Curve", budget_bytes: int | None) -> dict[str, object]:
    from memstudio.export.curve import duels, gain, read_best

    best = None if budget_bytes is None else read_best(found, budget_bytes)

    names = ("bank_name", "bank_digest", "revision", "seed", "ranked_on", "scored_on", "bank_bytes", "runs", "apart")
    times = ("seconds", "rank_seconds", "apart_seconds")
    return {
        **{name: getattr(found, name) for name in (*names, *times)},
        "whole": _point(found.whole),
        "points": [_point(point) for point in found.points],
        "frontier": [_point(point) for point in found.frontier()],
        "chosen": None if best is None else {"budget_bytes": budget_bytes, "series": str(best[0]), **asdict(best[1])},
        "duels": [
            {"share": one.share, "of": str(one.series), "to": str(other.series), **pair.json(), "logprob": gain(one, other)}
            for one, other, pair in duels(found)
        ],
    }


def _say(found: "Curve") -> None:
    for series in found.series:
        rows = []
        for point in found.of(series):
            recall, logprob = point.recall, point.logprob
            likely = "–" if logprob.mean is None else f"{logprob.mean:.3f}"
            rows.append(
                (show.percent(point.share), show.size(point.bytes), point.blocks, _interval(recall.share, recall.low, recall.high), likely)
            )
        show.table(str(series), ("budget", "kept", "blocks", "recall, 95%", "log p"), rows, right=range(5))
    _say_duels(found)
    whole = found.whole.recall
    show.say(
        f"ranked on {found.ranked_on:,} {found.noun}, scored on {found.scored_on:,} others; "
        f"the whole bank: {_interval(whole.share, whole.low, whole.high)}"
    )
    apart = "" if found.apart_seconds is None else f"; every bank by itself {found.apart_seconds:.1f} s"
    show.say(
        f"{found.runs:,} prompts run where every bank by itself takes {found.apart:,}; "
        f"{found.seconds:.1f} s{apart}; ranking {found.rank_seconds:.1f} s"
    )


def _say_chosen(found: "Curve", budget_bytes: int | None) -> None:
    from memstudio.export.curve import read_best

    if budget_bytes is None:
        return
    best = read_best(found, budget_bytes)
    if best is None:
        show.say(f"a budget of {show.size(budget_bytes)} lies outside those that were measured")
    else:
        series, read = best
        show.say(f"a budget of {show.size(budget_bytes)}: recall about {read}, by {series}")


def _say_duels(found: "Curve") -> None:
    from memstudio.export.curve import duels, gain

    rows = [(str(b.series), show.percent(a.share), pair.gained, pair.lost, pair.p, _gain(gain(a, b))) for a, b, pair in duels(found)]
    if rows:
        title = f"from {found.series[0]}, prompt by prompt (p: exact McNemar test)"
        show.table(title, ("to", "budget", "gained", "lost", "p", "log p, 95%"), rows, right=range(1, 6))


def _gain(found: "Mean") -> str:
    if found.mean is None or found.low is None or found.high is None:
        return "–"
    return f"{found.mean:+.3f} ({found.low:+.3f} to {found.high:+.3f})"


def _interval(share: float | None, low: float | None, high: float | None) -> str:
    return f"{show.percent(share)} ({show.percent(low)} to {show.percent(high)})"


VERBS = {"curve": curve}
"""The verbs of this file by their names."""
