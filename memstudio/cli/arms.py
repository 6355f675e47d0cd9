"""The verb arms, an A/B/C: several memories and revisions answer one prompt; where they part, how likely the first answer is to each."""

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
    MuteOption,
    StudyOption,
    loaded,
    reading,
)

if TYPE_CHECKING:
    from memstudio.anchor.values import Token
    from memstudio.session.arms import Arms, Standing, Weighed

LETTERS = "ABCDE"
_ARMS = "none, generic, base, head, @REVISION, route:3/17, without:3/17,2/4; the last three can be joined with +"


def arms(
    bank: BankArgument,
    text: Annotated[str, typer.Argument(metavar="TEXT", help="The prompt.", show_default=False)],
    arm: Annotated[
        list[str] | None,
        typer.Option(
            "--arm", metavar="ARM", help=f"{_ARMS}. Repeat it; the first is the reference.", show_default="head, base, generic, none"
        ),
    ] = None,
    max_tokens: Annotated[int, typer.Option("--max-tokens", metavar="N", help="At most so many tokens an answer.")] = 32,
    temperature: Annotated[float, typer.Option("--temperature", metavar="T", help="0 takes the likeliest token.")] = 0.0,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="All arms draw with this seed.")] = 0,
    key: KeyOption = None,
    hide: HideOption = None,
    mute: MuteOption = None,
    study: StudyOption = None,
    device: DeviceOption = "auto",
    dtype: DtypeOption = "float32",
    anchor: AnchorOption = None,
    encoder: EncoderOption = None,
    json: JsonOption = False,
) -> None:
    """Answer a prompt with two to five memories or revisions side by side, with one seed."""
    from memstudio.anchor.values import Sampling
    from memstudio.session.arm_wish import GENERIC, NO_MEMORY, SHIPPED, THIS, parse_arm

    wishes = [THIS, SHIPPED, GENERIC, NO_MEMORY] if arm is None else [parse_arm(word) for word in arm]
    how: dict[str, Any] = {"device": device, "dtype": dtype, "anchor": anchor, "encoder": encoder}
    with reading(bank, study=study, hide=hide, mute=mute, **how) as session:
        if arm is None and not session.bank.manifest.generic:
            wishes.remove(GENERIC)
        loaded(session)
        with show.progress("answering side by side") as job:
            found = session.arms(text, wishes, Sampling(max_tokens, temperature, seed=seed), key=key, job=job)
            for _ in found.tokens():
                pass
            weighed = found.weigh()
    if json:
        show.print_json(_payload(text, found, weighed))
        return
    show.say(text)
    for number, each in enumerate(found.standing):
        show.say(f"{LETTERS[number]}  {_title(each)}{_remark(found, number)}")
        show.say(f"   {_one_line(''.join(token.text for token in found.answers[number]))}")
    _show_tokens(found, weighed)


def _title(standing: "Standing") -> str:
    wish, said = standing.wish, standing.wish.title
    if wish.memory != "fetched":
        return said
    route = " › ".join(map(str, standing.route))
    return f"{said} (revision {standing.revision}), {route}"


def _remark(found: "Arms", number: int) -> str:
    """Where this arm parts from the first one, or that it need not be looked for."""
    standing, at = found.standing[number], found.partings()[number]
    if standing.same != number:
        return f": same blocks as {LETTERS[standing.same]}"
    if number == 0:
        return ""
    if at is None:
        return ": the same answer as A"
    return f": parts from A at token {at}, {_piece(found.answers[0], at)} and {_piece(found.answers[number], at)}"


def _piece(tokens: "tuple[Token, ...]", at: int) -> str:
    return f"“{tokens[at].text.strip() or tokens[at].text}”" if at < len(tokens) else "the end"


def _one_line(text: str) -> str:
    return text.strip().replace("\n", "↵")


def _show_tokens(found: "Arms", weighed: "Weighed") -> None:
    partings, numbers = found.partings(), range(1, len(found.standing))
    rows = []
    for at, piece in enumerate(weighed.pieces):
        gaps = [f"{'▸ ' if partings[number] == at else ''}{weighed.differences[number, at]:+.3f}" for number in numbers]
        rows.append((at, _one_line(piece) or repr(piece), f"{weighed.logprobs[0, at]:.3f}", *gaps))
    sums = [f"{weighed.differences[number].sum():+.3f}" for number in numbers]
    rows.append(("", "the whole answer", f"{weighed.logprobs[0].sum():.3f}", *sums))
    columns = ("", "token of A", "log p, A", *(f"Δ log p, {LETTERS[number]}" for number in numbers))
    show.table("A's answer under every arm (▸ where an arm parts from it; from there on A's own tokens are read)", columns, rows,
               right=range(2, 2 + len(found.standing)))  # fmt: skip


def _payload(prompt: str, found: "Arms", weighed: "Weighed") -> dict[str, Any]:
    partings = found.partings()
    arms = [
        {
            "arm": str(each.wish),
            "title": each.wish.title,
            "memory": each.wish.memory,
            "revision": each.revision,
            "route": each.route or None,
            "same_blocks_as": None if each.same == number else each.same,
            "text": "".join(token.text for token in found.answers[number]),
            "tokens": found.answers[number],
            "parts_at": partings[number],
            "logprobs": weighed.logprobs[number],
            "differences": weighed.differences[number],
        }
        for number, each in enumerate(found.standing)
    ]
    return {"prompt": prompt, "reference": weighed.reference, "reference_tokens": weighed.pieces, "arms": arms, "evidence": "causal"}
