"""What crosses between the worker and the window about documents that are taught: a wish, what it reaches, its receipt. All frozen."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from memstudio.bank.values import ClusterId
from memstudio.ui.fact_views import Noun

Where = Literal["leaf", "path"]
PASTED = "pasted text"
STEPS, MOST_STEPS = 300, 10_000


@dataclass(frozen=True, slots=True)
class TeachWish:
    """Documents that are to be taught: files and folders, and text that was pasted, under a name. steps: at most so many."""

    paths: tuple[str, ...] = ()
    name: str = ""
    text: str = ""
    where: Where = "leaf"
    steps: int = STEPS

    @property
    def complete(self) -> bool:
        """Whether there is anything to teach."""
        return bool(self.paths or self.text.strip())


@dataclass(frozen=True, slots=True)
class TakeDownWish:
    """Documents that were taught and are to be erased, by name: every text that was taught under it."""

    names: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether there is anything to erase."""
        return bool(self.names)


LearnWish = TeachWish | TakeDownWish


@dataclass(frozen=True, slots=True)
class Taught:
    """A document that the study taught, on the way to its head. erased: the revision that took it down since, None while it is known."""

    name: str
    revision: int
    characters: int
    erased: int | None = None


@dataclass(frozen=True, slots=True)
class TaughtView:
    """All of them, the latest first."""

    documents: tuple[Taught, ...]


@dataclass(frozen=True, slots=True)
class Reach:
    """What teaching would read and write, before it is tried. documents: names; held: facts or probes (`noun`) that fetch these blocks.

    notes: lines about files that were passed over, and names that were taught before.
    """

    number: int
    documents: tuple[str, ...]
    characters: int
    windows: int
    tokens: int
    blocks: tuple[ClusterId, ...]
    held: int
    noun: Noun = "fact"
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tried:
    """What an edit does, measured on the spare arm at revision `base`. notes: the edit's lines; lines: the receipt's; broken: limits."""

    number: int
    wish: LearnWish
    base: int
    title: str
    receipt: Mapping[str, Any]
    notes: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()
    broken: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kept:
    """The edit was committed, as it was tried."""

    number: int
    revision: int


@dataclass(frozen=True, slots=True)
class LearnRefused:
    """A person's line that answers one turn of the dialog."""

    number: int
    line: str


@dataclass(frozen=True, slots=True)
class LearnRested:
    """An errand of the dialog is over, whichever way."""

    number: int


LearnMessage = TaughtView | Reach | Tried | Kept | LearnRefused | LearnRested
