"""A prompt that carries turns: a conversation as an anchor's chat template writes it. Its key is what the user said last."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

Render = Callable[[Sequence[Mapping[str, str]]], str]
"""Messages ({role, content}) as the template writes them, up to where the next answer begins."""

_MARKS = ("memstudio0one", "memstudio0two", "memstudio0three")


@dataclass(frozen=True, slots=True)
class Turns:
    """What a template puts around a user's text. lead: before the first turn; opening, closing: around each; after: from the text of the
    last one up to where its answer begins. An empty opening: the template does not mark a user's turns, so no prompt carries any."""

    lead: str
    opening: str
    closing: str
    after: str

    def carried(self, text: str) -> bool:
        """Whether a prompt is such a conversation: it begins with a user's turn, with or without what stands before the first one."""
        return bool(self.opening.strip()) and text.startswith((self.opening, self.lead + self.opening))

    def last(self, text: str) -> str:
        """What the user said last; the whole text where it carries no turns."""
        if not self.carried(text):
            return text
        said = text.rpartition(self.opening)[2]
        return (said.partition(self.closing)[0] if self.closing else said).strip()

    def whole(self, text: str) -> str:
        """A conversation as the anchor reads it: with what stands before its first turn, and up to where an answer begins."""
        said = text.rpartition(self.opening)[2]
        open_ended = not self.closing or self.closing not in said
        return (self.lead if text.startswith(self.opening) else "") + text + (self.after if open_ended else "")


def turns_of(render: Render) -> Turns:
    """How a template writes a user's turns, found by having it write three messages.

    Raises:
        ValueError: it does not hold each text once.
    """
    first, answer, second = _MARKS
    roles = ("user", "assistant", "user")
    whole = render([{"role": role, "content": mark} for role, mark in zip(roles, _MARKS, strict=True)])
    if any(whole.count(mark) != 1 for mark in _MARKS):
        raise ValueError("it does not hold the text of every turn once")
    before, _, rest = whole.partition(first)
    between, _, rest = rest.partition(answer)
    again, _, after = rest.partition(second)
    opening = _last_line(_shared(before[::-1], again[::-1])[::-1])
    return Turns(before.removesuffix(opening), opening, _shared(between, after), after)


def _last_line(opening: str) -> str:
    """Without the end of the turn before, where a template writes a turn of its own ahead of the user's first."""
    text = opening.rstrip("\n")
    return text.rpartition("\n")[2] + opening[len(text) :]


def _shared(one: str, other: str) -> str:
    """What both begin with."""
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
