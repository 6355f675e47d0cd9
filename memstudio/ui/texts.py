"""How figures and texts are written for people, the same in every panel."""

from datetime import UTC, datetime
from html import escape

from memstudio.anchor.values import Token, Trace
from memstudio.bank.values import BASE, BlockState


def size_text(count_bytes: int) -> str:
    """Bytes for people: 980 B, 48 kB, 1.2 MB."""
    size = float(count_bytes)
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if size >= 10 or unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def count_text(count: int) -> str:
    """A large number for people: 33.2 k, 9.8 M, 1.2 G."""
    size = float(count)
    for unit in ("", " k", " M"):
        if size < 1000:
            return f"{size:.3g}{unit}"
        size /= 1000
    return f"{size:.3g} G"


def speed_text(tokens_per_second: float) -> str:
    """How fast an answer is written: 0.6 tokens/s, 26 tokens/s."""
    return f"{tokens_per_second:.{0 if tokens_per_second >= 10 else 1}f} tokens/s"


def when(time_s: float) -> str:
    """Local time: the clock today, the day before that."""
    stamp = datetime.fromtimestamp(time_s, UTC).astimezone()
    return stamp.strftime("%H:%M") if stamp.date() == datetime.now(UTC).astimezone().date() else stamp.strftime("%d %b")


def signed(value: float, digits: int = 2) -> str:
    """+1.25 or −0.30, with a true minus sign."""
    return f"{value:+.{digits}f}".replace("-", "−")


def visible(piece: str) -> str:
    """A token's text with its blanks shown."""
    return piece.replace("\n", "↵").replace("\t", "⇥").replace(" ", "·") if not piece.strip() else piece.replace("\n", "↵").strip()


def of_token(trace: Trace) -> str:
    """Which generated token a trace explains; "" where it is an answer to the prompt."""
    return "" if trace.token is None else f"Token {trace.token} “{visible(trace.answer.text)}”"


def plain_tip(text: str) -> str:
    """A tooltip that is read as plain text: Qt guesses otherwise, and a bank's labels are not ours."""
    return f"<qt>{escape(text).replace(chr(10), '<br>')}</qt>"


def on_button(text: str) -> str:
    """A text for a button or menu, where & would name a key."""
    return text.replace("&", "&&")


def counted(count: int, noun: str, plural: str | None = None) -> str:
    """1 block, 2 blocks."""
    return f"{count:,} {noun if count == 1 else plural or noun + 's'}"


def state_words(state: BlockState) -> str:
    """What stands in a block's place: as shipped, pruned, or an edited block by the start of its digest; × its scale."""
    if state.pruned:
        return "pruned"
    words = "as shipped" if state.source == BASE.source else state.source[:8]
    return words + ("" if state.scale == 1.0 else f" × {state.scale:g}")


def first_difference(one: tuple[Token, ...], other: tuple[Token, ...]) -> int | None:
    """The index of the first token that differs; None while all that both have agrees. The shorter one's end is no difference here."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a.id != b.id), None)
