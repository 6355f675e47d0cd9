"""What crosses between the build dialog and the worker that builds: the wish as the fields have it, and frozen answers to it."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Mode = Literal["frozen", "cotrain"]
Layers = Literal["late", "all"] | tuple[int, ...]
Field = Literal["model", "documents", "place", "more", ""]
"""The part of the dialog that a line is about; "" is all of it."""


@dataclass(frozen=True, slots=True)
class BuildWish:
    """What is to be built, as the dialog has it; None is "automatic". branching, widths: level after level."""

    model: str = ""
    corpus: tuple[str, ...] = ()
    out: str = ""
    window: int = 256
    branching: tuple[int, ...] | None = None
    widths: tuple[int, ...] | None = None
    layers: Layers = "late"
    ramp: bool = False
    mode: Mode = "frozen"
    seed: int = 0

    @property
    def complete(self) -> bool:
        """Whether there is enough to estimate: a model and documents."""
        return bool(self.model and self.corpus)


@dataclass(frozen=True, slots=True)
class ModelFound:
    """What was opened is a model folder without a bank."""

    path: Path
    device: str = "auto"
    encoder: Path | None = None


@dataclass(frozen=True, slots=True)
class ModelView:
    """What a model is, in a line; it can carry memory."""

    number: int
    line: str


@dataclass(frozen=True, slots=True)
class PlaceView:
    """What the bank's folder holds now, in a line ("" is nothing); resumes: a build was begun there; made: the bank is there already."""

    number: int
    line: str
    resumes: bool = False
    made: Path | None = None


@dataclass(frozen=True, slots=True)
class EstimateView:
    """`builder.estimate.Estimate` for a wish, and the free bytes of the disk that the bank would lie on.

    exact: documents, windows and tokens are counted, not projected from a part. clusters: of each level. widths: neurons a layer, level
    after level, one number or one for each of `layers`.
    """

    number: int
    wish: BuildWish
    documents: int
    windows: int
    tokens: int
    exact: bool
    branching: tuple[int, ...]
    clusters: tuple[int, ...]
    widths: tuple[int | tuple[int, ...], ...]
    layers: tuple[int, ...]
    anchor_parameters: int
    fetched_parameters: int
    bank_parameters: int
    seconds: float
    by_stage: Mapping[str, float]
    disk_bytes: int
    bank_bytes: int
    memory_bytes: int
    notes: tuple[str, ...]
    free_bytes: int

    @property
    def fits(self) -> bool:
        """Whether the disk has room for it."""
        return self.disk_bytes <= self.free_bytes


@dataclass(frozen=True, slots=True)
class Looking:
    """How far an estimate is."""

    number: int
    title: str
    done: int = 0
    total: int | None = None


@dataclass(frozen=True, slots=True)
class LookEnded:
    """An estimate is over, whatever came of it; the last word of its number."""

    number: int


@dataclass(frozen=True, slots=True)
class BuildRefused:
    """A person's line about a wish, and the part of the dialog that it is about."""

    number: int
    line: str
    field: Field = ""


@dataclass(frozen=True, slots=True)
class BuildStage:
    """Where a build is. left_s: seconds that remain, None while nothing can be said."""

    number: int
    title: str
    done: int = 0
    total: int | None = None
    left_s: float | None = None


@dataclass(frozen=True, slots=True)
class BuildSaid:
    """A line for the build's log."""

    number: int
    line: str


@dataclass(frozen=True, slots=True)
class BankBuilt:
    """A bank is there. summary: its levels and how long this call took, in a line."""

    number: int
    path: Path
    summary: str


@dataclass(frozen=True, slots=True)
class BuildEnded:
    """A build is over: done, refused, broken or cancelled; the last word of its number."""

    number: int


BuildMessage = (
    ModelFound | ModelView | PlaceView | EstimateView | Looking | LookEnded | BuildRefused | BuildStage | BuildSaid | BankBuilt | BuildEnded
)
