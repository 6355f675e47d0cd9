"""One generated token in words: its log-probability under fetched, generic and none, the likeliest tokens of each, what the memory did."""

import math
from collections.abc import Sequence
from html import escape

from memstudio.anchor.values import Token
from memstudio.bank.values import Memory
from memstudio.ui.panels.token_strip import NOTHING
from memstudio.ui.texts import signed, visible

ALTERNATIVES = 5
UNMEASURED = "not measured"
_NAMES: dict[Memory, str] = {"fetched": "Fetched", "generic": "Generic", "none": "None"}
_SPELLED = 13.8
"""Nats up to which a factor is written out (a million)."""


def factor_words(gain: float) -> str:
    """What a gain means: "1,080 times likelier", with e^x beyond a million."""
    size = abs(gain)
    if not math.isfinite(gain):
        return UNMEASURED
    if size < NOTHING:
        return "no likelier and no less likely"
    factor = math.exp(size) if size <= _SPELLED else 0.0
    times = f"e^{size:.1f}" if not factor else f"{factor:,.0f}" if factor >= 10 else f"{factor:.2f}"
    return f"{times} times {'likelier' if gain > 0 else 'less likely'}"


def said_of(token: Token, memory: Memory) -> str:
    """What the memory did to a token, and below it its log-probabilities."""
    name, gain = f"token {token.index} “{visible(token.text)}”", token.gain
    if memory == "none":
        did = f"This run adds no memory: {name}"
    elif gain is None:
        did = f"What the memory did to {name} was not measured"
    else:
        did = f"Memory made {name} {factor_words(gain)}"
    figures = [f"{memory} {signed(token.logprob)}"] + [f"{lane.memory} {signed(lane.logprob)}" for lane in token.beside]
    return f"{did}\nlog p: {', '.join(figures)}"


def card_html(token: Token, memory: Memory) -> str:
    """The card beside the cursor: three columns, one a memory; what was not measured says so."""
    columns = [_column(token, memory, each) for each in ("fetched", "generic", "none")]
    rows = "".join("<tr>" + "".join(cells) + "</tr>" for cells in zip(*columns, strict=True))
    gain = token.gain
    did = "" if gain is None else f"<br>Memory made this token {escape(factor_words(gain))} ({escape(signed(gain))} nats)"
    turned = "<br>Without it another token is the likeliest" if token.decided else ""
    head = f"<b>Token {token.index} “{escape(visible(token.text))}”</b> · revision {token.revision}{did}{turned}"
    return f"<qt><p style='white-space:nowrap'>{head}</p><table cellspacing='0' cellpadding='1'>{rows}</table></qt>"


def _column(token: Token, own: Memory, memory: Memory) -> list[str]:
    """Name, log-probability, difference from the run's own, and the likeliest tokens under one memory; two cells a row."""
    lane = token.lane(memory)
    logprob = token.logprob if memory == own else None if lane is None else lane.logprob
    top: Sequence[tuple[str, float]] = token.top if memory == own else () if lane is None else lane.top
    name = f"<b>{_NAMES[memory]}</b>" + (" (this run)" if memory == own else "")
    figure = UNMEASURED if logprob is None else f"log p {signed(logprob)}"
    less = "" if logprob is None or memory == own else f"{signed(logprob - token.logprob)} from this run"
    rows = [_wide(name), _wide(escape(figure)), _wide(escape(less) or "&nbsp;")]
    for at in range(ALTERNATIVES):
        piece, likely = (escape(visible(top[at][0])), escape(signed(top[at][1]))) if at < len(top) else ("&nbsp;", "")
        rows.append(f"<td align='right'>{likely}&nbsp;</td><td style='white-space:nowrap'>{piece}&nbsp;&nbsp;&nbsp;</td>")
    return rows


def _wide(html: str) -> str:
    return f"<td colspan='2' style='white-space:nowrap'>{html}&nbsp;&nbsp;&nbsp;</td>"
