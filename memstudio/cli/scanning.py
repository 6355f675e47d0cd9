"""The verbs `scan` and `search`: where is this fact, path by path; where does the bank speak of something."""

import dataclasses
import math
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memstudio.cli import show
from memstudio.cli.options import (
    AnchorOption,
    BankArgument,
    DeviceOption,
    DtypeOption,
    EncoderOption,
    HideOption,
    JsonOption,
    KeyOption,
    StudyOption,
    loaded,
    reading,
)

if TYPE_CHECKING:
    from memstudio.bank.values import ClusterId
    from memstudio.session.scanned import Scan

_SHOWN = 10


def scan(
    bank: BankArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The prompt.", show_default=False)],
    answer: Annotated[
        str | None, typer.Option("--answer", metavar="T", help="What is looked for.", show_default="what the routed path answers")
    ] = None,
    top: Annotated[int, typer.Option("--top", metavar="N", min=1, help="How many of the likeliest paths are shown.")] = _SHOWN,
    key: KeyOption = None,
    hide: HideOption = None,
    study: StudyOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Where is this fact: the answer's log-probability under every path of the tree."""
    with reading(bank, study=study, device=device, dtype=dtype, anchor=anchor, encoder=encoder, hide=hide) as session:
        loaded(session)
        with show.progress(f"scanning the paths of {session.bank.manifest.name}") as job:
            found = session.scan(text, answer, key=key, job=job)
        labels = {cluster: session.card(cluster).label for cluster, _ in found.best(top)} | {found.own: session.card(found.own).label}
    if json:
        show.print_json(_payload(found, top))
        return
    from memstudio.session.scanned import LIKELY

    show.say(f"{found.prompt} “{found.answer}”: {found.scanned} of {found.total} paths scanned in {found.seconds:.1f} s")
    show.say(f"routed to {found.own} ({labels[found.own]}): p {_p(found.routed)}; without memory: p {_p(found.none)}")
    better, knowing = found.better(), found.knowing()
    if better:
        what = "the retriever failed the prompt" if better[0][1] > math.log(LIKELY) else "likelier on other paths"
        show.say(f"{what}: paths that answer better than the routed one: {len(better)}")
    show.say(f"other paths that know it (p > 0.5): {len(knowing)}")
    said = dict.fromkeys((end for end, _ in better), "better than routed") | {found.own: "routed"}
    mark = {found.own: "▸ "}
    rows = [(mark.get(end, "") + str(end), labels[end], f"{value:.3f}", _p(value), said.get(end, "")) for end, value in found.best(top)]
    show.table(None, ("path to", "label", "log-probability", "p", ""), rows, right=(2, 3))


def _p(logprob: float) -> str:
    return f"{math.exp(logprob):.3f}"


def _payload(found: "Scan", top: int) -> dict[str, Any]:
    def listed(ends: "tuple[tuple[ClusterId, float], ...]") -> list[dict[str, Any]]:
        return [{"cluster": end, "logprob": value} for end, value in ends]

    return {
        "prompt": found.prompt,
        "answer": found.answer,
        "route": found.route.clusters,
        "routed": found.routed,
        "none": found.none,
        "scanned": found.scanned,
        "total": found.total,
        "best": listed(found.best(top)),
        "better": listed(found.better()[:top]),
        "better_count": len(found.better()),
        "knowing": listed(found.knowing()[:top]),
        "knowing_count": len(found.knowing()),
        "revision": found.revision,
        "seconds": found.seconds,
        "evidence": "causal",
    }


def search(
    bank: BankArgument,
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="An id, or words; token:WORD for the blocks that promote a token.", show_default=False)
    ],
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="At most so many labels, terms or blocks.")] = 50,
    study: StudyOption = None,
    anchor: AnchorOption = None,
    json: JsonOption = False,
) -> None:
    """Find clusters by id, label, term, document, fact or token."""
    with reading(bank, study=study, anchor=anchor) as session, show.progress("search") as job:
        found = session.search(text, limit=limit, job=job)
    if json:
        show.print_json({"text": found.text, "findings": [dataclasses.asdict(one) | {"cluster": one.cluster} for one in found.findings]})
        return
    if not found.findings:
        show.say("nothing found")
        return
    show.table(None, ("kind", "cluster", "found", "where"), [(one.kind, one.cluster, one.text, one.detail) for one in found.findings])
