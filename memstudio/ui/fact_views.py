"""What crosses between the worker and the window about facts: a request, its preview, a list of facts with scores. All frozen."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from memstudio.bank.values import ClusterId, Memory
from memstudio.facts.values import Fact

Clusters = tuple[ClusterId, ...]
Verb = Literal["update", "erase"]
Where = Literal["reached", "shared", "path"]
State = Literal["right", "wrong", "not scored"]
Noun = Literal["fact", "probe"]


def noun_of(facts: Iterable[Fact]) -> Noun:
    """What a list holds: a bank built from documents has probes where another has facts; an empty list holds facts."""
    kinds = {fact.kind for fact in facts}
    return "probe" if kinds == {"probe"} else "fact"


@dataclass(frozen=True, slots=True)
class PhrasingView:
    """One way to ask: its text, where its draft comes from, the clusters that it fetches; kept: the editor is to see it."""

    text: str
    source: str
    route: Clusters = ()
    kept: bool = True


@dataclass(frozen=True, slots=True)
class FactAsk:
    """A prompt whose answer is to change. phrasings None: draft them. `number` names the dialog's turn: stale replies are dropped."""

    number: int
    prompt: str
    phrasings: tuple[PhrasingView, ...] | None = None
    target: str = ""


@dataclass(frozen=True, slots=True)
class RequestView:
    """The request as it stands before the edit. phrasings: kept ones and others, each with its route; route: that of the prompt.

    reached: the deepest block of each kept route; shared: the deepest that they have in common; writable: every cluster on
    those routes that has a block of its own; held: how many other facts fetch a reached block.
    """

    number: int
    fact: Fact
    answer: str
    route: Clusters
    phrasings: tuple[PhrasingView, ...]
    reached: Clusters
    shared: ClusterId | None
    writable: Clusters
    held: int


@dataclass(frozen=True, slots=True)
class BatchView:
    """Many requests at once: how many phrasings the editor sees, the blocks that they reach, how many other facts live there."""

    number: int
    facts: tuple[Fact, ...]
    phrasings: int
    reached: Clusters
    held: int


@dataclass(frozen=True, slots=True)
class FactWish:
    """The edit that the dialog stands for. blocks: chosen by hand; () leaves the choice to `where`."""

    facts: tuple[Fact, ...]
    verb: Verb = "update"
    method: str = "tuned"
    where: Where = "reached"
    blocks: Clusters = ()


@dataclass(frozen=True, slots=True)
class Preview:
    """What an edit would do, measured on a spare arm at revision `base`. lines: the receipt for a person; broken: limits that it breaks."""

    number: int
    wish: FactWish
    base: int
    receipt: Mapping[str, Any]
    lines: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Applied:
    """The edit was committed."""

    number: int
    revision: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A person's line that answers one turn of the dialog, not the whole window."""

    number: int
    line: str


@dataclass(frozen=True, slots=True)
class Rested:
    """An errand of the dialog is over, whichever way."""

    number: int


@dataclass(frozen=True, slots=True)
class FactRow:
    """A fact and how it fared. right None: not scored. blocks: the deepest cluster of each of its routes, () while not known.

    phrasings_right of phrasings: over the phrasings and held-out ones. changed: another answer than at the scoring before.
    """

    fact: Fact
    blocks: Clusters = ()
    got: str = ""
    right: bool | None = None
    phrasings_right: int = 0
    phrasings: int = 0
    changed: bool = False

    @property
    def state(self) -> State:
        return "not scored" if self.right is None else "right" if self.right else "wrong"


@dataclass(frozen=True, slots=True)
class FactsView:
    """A list of facts: the bank's own (file None) or a file's. skipped: "line 7: why" of the first thousand; skipped_count counts all."""

    source: str
    rows: tuple[FactRow, ...]
    file: Path | None = None
    skipped: tuple[str, ...] = ()
    skipped_count: int = 0

    @property
    def noun(self) -> Noun:
        """What the list holds."""
        return noun_of(row.fact for row in self.rows)


@dataclass(frozen=True, slots=True)
class FactsScored:
    """The list after a scoring. share: "97.3 % right, 95% 96.8–97.8, n 20,100"; line: the same with what it was measured under."""

    source: str
    rows: tuple[FactRow, ...]
    memory: Memory
    revision: int
    share: str
    line: str

    @property
    def noun(self) -> Noun:
        """What the list holds."""
        return noun_of(row.fact for row in self.rows)


@dataclass(frozen=True, slots=True)
class Located:
    """The clusters that a fact's prompt fetches."""

    fact: str
    route: Clusters
