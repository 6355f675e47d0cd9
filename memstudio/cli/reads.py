"""The verbs that only read: info, route, run, trace."""

import dataclasses
from collections.abc import Mapping
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
    MemoryOption,
    MuteOption,
    RouteOption,
    SoloOption,
    StudyOption,
    loaded,
    reading,
    route_of,
)

if TYPE_CHECKING:
    from memstudio.anchor.values import Run, Token, Trace
    from memstudio.bank.values import ClusterId, Route
    from memstudio.session import Session
    from memstudio.session.router import KeyRoute


def info(
    bank: BankArgument,
    verify: Annotated[bool, typer.Option("--verify", help="Check the sha256 of every file.")] = False,
    study: StudyOption = None,
    json: JsonOption = False,
) -> None:
    """What a bank is: anchor, levels, sizes, fallback."""
    with reading(bank, study=study) as session:
        payload = session.info()
        if verify:
            checked = session.bank.verify()
            payload["verified"] = {"files": len(checked), "bytes": sum(size for _, size in checked)}
    if json:
        show.print_json(payload)
        return
    anchor = payload["anchor"]
    where = f"study {payload['study']}, revision {payload['revision']}" if payload["study"] else "as shipped"
    show.say(f"{payload['name']}: a bank of {payload['kind'].upper()} memories, {where}")
    parameters = "not in the folder" if anchor["parameters"] is None else f"{show.cell(anchor['parameters'])} parameters"
    show.say(f"anchor   {anchor['architecture'] or anchor['source']}, {parameters}")
    show.say(f"bank     {show.cell(payload['bank_parameters'])} parameters, {show.size(payload['bank_bytes'])} in {payload['dtype']}")
    show.say(f"fetched  {show.cell(payload['fetched_parameters'])} parameters a prompt")
    generic = "with" if payload["generic"] else "without"
    show.say(f"pruned clusters fall back to {payload['fallback']}; {generic} generic blocks")
    rows = [
        (each["level"], each["clusters"], _width(each["width"]), show.size(each["block_bytes"]), payload["pruned"][each["level"]])
        for each in payload["levels"]
    ]
    show.table(None, ("level", "clusters", "width", "block", "pruned"), rows, right=(0, 1, 2, 3, 4))
    if verify:
        show.say(f"verified {payload['verified']['files']} files, {show.size(payload['verified']['bytes'])}: every checksum is right")


def route(
    bank: BankArgument,
    key: Annotated[str, typer.Argument(metavar="KEY", help="The text that is routed.", show_default=False)],
    hide: HideOption = None,
    encoder: EncoderOption = None,
    study: StudyOption = None,
    json: JsonOption = False,
) -> None:
    """Which clusters a key chooses; reads no weights."""
    with reading(bank, study=study, encoder=encoder, hide=hide) as session:
        found = session.router.route(key, session.hidden)
        states = {each.cluster: str(session.state(each.cluster)) for fork in found.forks for each in fork.candidates}
    if json:
        labels = [each.label or str(each.cluster) for each in (fork.own for fork in found.forks)]
        own = [states[cluster] for cluster in found.route.clusters]
        show.print_json(
            {**_route_payload(found.route), "key": key, "pieces": found.pieces, "read": found.read, "labels": labels, "states": own}
        )
        return
    _show_route(found, states)


def run(
    bank: BankArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The prompt.", show_default=False)],
    key: KeyOption = None,
    route: RouteOption = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", help="Stop after so many tokens.")] = 64,
    memory: MemoryOption = "fetched",
    temperature: Annotated[float, typer.Option("--temperature", help="0 is greedy.")] = 0.0,
    top_p: Annotated[float, typer.Option("--top-p", help="Draw from the likeliest tokens of this share.")] = 1.0,
    seed: Annotated[int, typer.Option("--seed", help="Of the draws.")] = 0,
    beside: Annotated[bool, typer.Option("--beside", help="Measure each token under the generic blocks and no memory too.")] = False,
    hide: HideOption = None,
    mute: MuteOption = None,
    solo: SoloOption = None,
    study: StudyOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Continue a prompt with the blocks that it fetches."""
    from memstudio.anchor.values import Sampling
    from memstudio.events import Finished, Generated, Routed

    done: list[Run] = []

    def tell(event: object) -> None:
        if isinstance(event, Finished):
            done.append(event.result)
        elif not json and isinstance(event, Routed):
            show.note("route " + " › ".join(map(str, event.route.clusters)))
        elif not json and isinstance(event, Generated):
            show.say(event.token.text, end="")

    sampling = Sampling(max_tokens, temperature, top_p, seed)
    with reading(bank, study=study, device=device, dtype=dtype, anchor=anchor, encoder=encoder, hide=hide, mute=mute, solo=solo) as session:
        _refuse_empty(text)
        loaded(session)
        session.listen(tell)
        result = session.run(text, key=key, route=route_of(route), memory=memory, sampling=sampling, beside=beside)
    if json:
        show.print_json(_run_payload(result))
        return
    show.say()
    show.note(f"{len(result.tokens)} tokens, {result.tokens_per_second:.0f} a second, revision {result.revision}")
    if beside:
        _show_beside(result)


def trace(
    bank: BankArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The prompt.", show_default=False)],
    answer: Annotated[str | None, typer.Option("--answer", metavar="T", help="What is explained.", show_default=False)] = None,
    against: Annotated[str | None, typer.Option("--against", metavar="U", help="A second answer.", show_default=False)] = None,
    token: Annotated[
        int | None,
        typer.Option("--token", metavar="N", min=0, help="Run the prompt and explain its token N, the first is 0.", show_default=False),
    ] = None,
    key: KeyOption = None,
    route: RouteOption = None,
    hide: HideOption = None,
    mute: MuteOption = None,
    solo: SoloOption = None,
    study: StudyOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """What each fetched block causes: log-probability of the answer without it, and where it acts."""
    if against is not None and answer is None:
        raise typer.BadParameter("--against needs --answer")
    if token is not None and answer is not None:
        raise typer.BadParameter("--token explains a token of the run, --answer another text: give one of them")
    with reading(bank, study=study, device=device, dtype=dtype, anchor=anchor, encoder=encoder, hide=hide, mute=mute, solo=solo) as session:
        _refuse_empty(text)
        loaded(session)
        if token is None:
            found = session.trace(text, key=key, route=route_of(route), answer=answer, against=against)
        else:
            found = _trace_token(session, text, key, route_of(route), token)
        labels = {cluster: session.card(cluster).label for cluster in found.route.clusters}
    if json:
        show.print_json(_trace_payload(found))
        return
    _show_trace(found, labels)


def _trace_token(session: "Session", text: str, key: str | None, route: "tuple[ClusterId, ...] | None", token: int) -> "Trace":
    """Token number `token` of the greedy run, on the run's own route."""
    from memstudio.anchor.values import Sampling
    from memstudio.errors import UserError

    run = session.run(text, key=key, route=route, sampling=Sampling(token + 1))
    ids = [each.id for each in run.tokens]
    if token >= len(ids):
        raise UserError(f"--token {token}: the answer has {len(ids)} tokens, the first is 0")
    return session.trace(text, route=run.route.clusters if run.route else None, prefix=ids[:token], answer=ids[token:])


def _refuse_empty(text: str) -> None:
    from memstudio.errors import UserError

    if not text.strip():
        raise UserError("the prompt is empty: write some text")


def _width(width: int | list[int]) -> str:
    return str(width) if isinstance(width, int) else ",".join(map(str, width))


def _route_payload(route: "Route") -> dict[str, Any]:
    return {
        "route": route.clusters,
        "distances": route.distances,
        "runners_up": route.runners_up,
        "margins": route.margins,
        "thin": route.thin,
    }


def _show_route(found: "KeyRoute", states: "Mapping[ClusterId, str]") -> None:
    """Level by level the chosen cluster and those that nearly were."""
    if found.read < found.pieces:
        show.note(f"the key is cut: the first {found.read:,} of {found.pieces:,} word pieces are read")
    rows = []
    for fork in found.forks:
        own = fork.own
        for each in fork.candidates:
            sign = "▸" if each is own else ""
            margin = fork.margin if each is own else each.distance - own.distance
            figures = (f"{each.distance:.3f}", None if margin is None else f"{margin:+.3f}")
            said = "▲ thin" if fork.thin and each is own else "hidden" if each.hidden else ""
            block = states[each.cluster] if each.has_block else "none"
            rows.append((sign, each.cluster, each.label, each.documents, *figures, said, block))
    show.table(None, ("", "cluster", "label", "documents", "distance", "margin", "", "block"), rows, right=(3, 4, 5))
    for words in filter(None, (found.thin_words, found.end_words)):
        show.say(words)


def _run_payload(run: "Run") -> dict[str, Any]:
    return {
        "prompt": run.prompt,
        "key": run.key,
        "memory": run.memory,
        "text": run.text,
        "tokens": [_token_payload(token) for token in run.tokens],
        "route": run.route.clusters if run.route else None,
        "top": [{"token": token, "logprob": logprob} for token, logprob in (run.tokens[0].top if run.tokens else ())],
        "seconds": run.seconds,
        "tokens_per_second": run.tokens_per_second,
        "revision": run.revision,
    }


def _token_payload(token: "Token") -> dict[str, Any]:
    """A token with what lesser memories say of it, by memory; gain and decided are null where that was not measured."""
    plain = {field.name: getattr(token, field.name) for field in dataclasses.fields(token)}
    beside = {lane.memory: {"logprob": lane.logprob, "top": lane.top, "agrees": lane.agrees} for lane in token.beside}
    return {**plain, "beside": beside, "gain": token.gain, "decided": token.decided}


def _show_beside(run: "Run") -> None:
    """Each token's log-probability under the run's memory and the lesser ones."""
    memories = [lane.memory for lane in run.tokens[0].beside] if run.tokens else []
    if not memories:
        show.say("\nno memory holds less than this run's: nothing to measure it beside")
        return
    rows = []
    for token in run.tokens:
        others = [lane.logprob if lane else None for lane in map(token.lane, memories)]
        without = token.beside[-1].top[0][0] if token.decided else None
        rows.append((token.index, repr(token.text), token.logprob, *others, token.gain, without and repr(without)))
    columns = ("token", "text", run.memory, *memories, "gain", "without it rather")
    show.table("log p of each token, nats", columns, rows, right=(0, *range(2, 4 + len(memories))))
    decided = sum(bool(token.decided) for token in run.tokens)
    show.say(f"the memory decided {decided} of {len(run.tokens)} tokens: another one is the likeliest without it")


def _trace_payload(trace: "Trace") -> dict[str, Any]:
    return {
        "prompt": trace.prompt,
        "token": trace.token,
        "tokens": trace.tokens,
        **_route_payload(trace.route),
        "layers": trace.layers,
        "contribution": trace.contribution,
        "norm": trace.norm,
        "effect": trace.effect,
        "neurons": trace.neurons,
        "answer": trace.answer,
        "runner_up": trace.runner_up,
        "revision": trace.revision,
        "evidence": {"contribution": "projected", "norm": "observed", "effect": "causal", "neurons": "projected"},
    }


def _show_trace(trace: "Trace", labels: Mapping[Any, str]) -> None:
    answer = trace.answer
    generic = f", with the generic blocks {answer.generic:.2f}" if answer.generic is not None else ""
    what = "answer" if trace.token is None else f"token {trace.token}"
    show.say(f"{what} {answer.text!r}, runner-up {trace.runner_up!r}, revision {trace.revision}")
    show.say(f"log p({what}): without memory {answer.none:.2f}{generic}, fetched {answer.fetched:.2f}")
    gains = {name: after - before for (_, before), (name, after) in zip(answer.steps, answer.steps[1:], strict=False)}
    rows = []
    for cluster in trace.route.clusters:
        subtree = answer.without_subtree.get(cluster)
        below = None if subtree is None else answer.fetched - subtree
        rows.append((cluster, labels[cluster], gains.get(str(cluster)), trace.effect.get(cluster), below))
    columns = ("cluster", "label", "gain of its level", "effect", "effect with all below")
    show.table(f"nats, causal; baseline {answer.baseline}", columns, rows, right=(2, 3, 4))
    if trace.neurons:
        columns = ("cluster", "layer", "neuron", "activation", "promotes")
        neurons = [(n.cluster, n.layer, n.index, n.activation, " ".join(map(repr, n.promotes)) or None) for n in trace.neurons]
        show.table("strongest memory neurons; what they promote is projected", columns, neurons, right=(1, 2, 3))
