"""What crosses from the worker to the window: frozen pictures of the bank, the study and one run's question.

Panels and item models hold these; they never hold the session, the bank or the store.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from memstudio.anchor.values import DeviceChoice, Neuron
from memstudio.bank.values import BASE, BlockState, ClusterCard, ClusterId, Memory, Overlay
from memstudio.events import Event
from memstudio.export.precision import Choice
from memstudio.history.values import Revision
from memstudio.session.findings import Findings
from memstudio.session.script import Deed
from memstudio.ui.arms_views import ArmsMessage
from memstudio.ui.build_views import BuildMessage
from memstudio.ui.export_views import ExportMessage
from memstudio.ui.fact_views import Applied, BatchView, FactsScored, FactsView, Located, Preview, Refusal, RequestView, Rested
from memstudio.ui.learn_views import LearnMessage
from memstudio.ui.map_views import MapMessage
from memstudio.ui.revision_views import (
    Compared,
    CompareRested,
    Done,
    Named,
    NameRefused,
    PatchRested,
    PatchView,
    RevertView,
)
from memstudio.ui.route_views import RouteSaid
from memstudio.ui.scan_views import ScanMessage
from memstudio.ui.use_views import UseMessage

Indices = NDArray[np.int64]
JobEnd = Literal["", "done", "cancelled", "failed"]


@dataclass(frozen=True, slots=True)
class LevelView:
    """One level of the tree. documents: int64 [clusters], 0 = absent; the children of p begin at p·branching, `branching` of them."""

    level: int
    branching: int
    documents: Indices
    block_bytes: int

    @property
    def clusters(self) -> int:
        return int(self.documents.shape[0])


@dataclass(frozen=True, slots=True)
class BankView:
    """A bank as the window needs it: no block, no label is read for it."""

    name: str
    folder: Path
    levels: tuple[LevelView, ...]
    fallback: str
    summary: str = ""
    generic: bool = False
    """Whether it has generic blocks."""
    precisions: tuple[Choice, ...] = ("bank",)
    """What an export may keep blocks in."""


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study at its head. undo / redo: the revision that each would move to; None where there is none. names: whose revision is which."""

    folder: Path
    temporary: bool
    head: int
    log: tuple[Revision, ...]
    overlay: Overlay
    undo: int | None = None
    redo: int | None = None
    names: Mapping[str, int] = field(default_factory=dict)

    @property
    def revision(self) -> Revision:
        return next(revision for revision in self.log if revision.id == self.head)

    def state(self, cluster: ClusterId) -> BlockState:
        return self.overlay.get(cluster, BASE)


@dataclass(frozen=True, slots=True)
class Opened:
    """A bank and its study are open; the model is not loaded yet. `prompt` is a good first one, empty where the bank has no facts."""

    bank: BankView
    study: StudyView
    prompt: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """The model is ready."""

    choice: DeviceChoice
    summary: str = ""


@dataclass(frozen=True, slots=True)
class Studied:
    """The study moved."""

    study: StudyView


@dataclass(frozen=True, slots=True)
class NodeView:
    """What the tree shows of one cluster beside its numbers."""

    label: str
    has_block: bool


@dataclass(frozen=True, slots=True)
class Nodes:
    """Labels that the tree asked for."""

    nodes: dict[ClusterId, NodeView]


@dataclass(frozen=True, slots=True)
class CardView:
    """A cluster's card. `fetches` says in words what a route through this cluster fetches now."""

    card: ClusterCard
    has_block: bool
    block_bytes: int
    fetches: str


@dataclass(frozen=True, slots=True)
class BlockNeurons:
    """The neurons of a block whose value rows stand out, run or no run (projected)."""

    cluster: ClusterId
    neurons: tuple[Neuron, ...]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to generate an answer to. `kept`: ids of tokens that stand already (they are computed again, not chosen again).
    `beside`: measure each token under lesser memories too."""

    number: int
    text: str
    key: str | None = None
    memory: Memory = "fetched"
    max_tokens: int = 64
    temperature: float = 0.0
    seed: int = 0
    tokens_per_second: float | None = None
    kept: tuple[int, ...] = ()
    beside: bool = True


@dataclass(frozen=True, slots=True)
class Wish:
    """What to open. study None: the bank's default study, or one that goes with the window where `temporary`."""

    path: str
    study: Path | None = None
    temporary: bool = False
    device: str = "auto"
    dtype: str = "float32"
    anchor: Path | None = None
    encoder: Path | None = None
    cache_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class BankSought:
    """A study could not be opened, since its bank is no longer where it was: the line says where."""

    wish: Wish
    line: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The worker took up a question."""

    ask: Ask


@dataclass(frozen=True, slots=True)
class Said:
    """A session event, with the number of the question that was at work (0: none)."""

    event: Event
    ask: int


@dataclass(frozen=True, slots=True)
class Ended:
    """A question is over, whichever way."""

    ask: int


@dataclass(frozen=True, slots=True)
class MeasureEnded:
    """The measuring of a revision is over: done, cancelled, or it gave way."""

    revision: int


@dataclass(frozen=True, slots=True)
class Settled:
    """An errand is over."""


@dataclass(frozen=True, slots=True)
class JobView:
    """A piece of long work as the status bar and the jobs panel show it.

    total None: not known; owner: the dialog's turn that asked for it, 0 for none; end: how it ended, line: why, where it failed; left_s:
    seconds that it still takes, None where only its pace can tell; waiting: for its turn behind other work.
    """

    number: int
    title: str
    done: int = 0
    total: int | None = None
    ended: bool = False
    owner: int = 0
    end: JobEnd = ""
    line: str = ""
    left_s: float | None = None
    waiting: bool = False


@dataclass(frozen=True, slots=True)
class Noted:
    """A line for the status bar: what an errand did."""

    line: str


@dataclass(frozen=True, slots=True)
class Failed:
    """A person's line."""

    line: str


@dataclass(frozen=True, slots=True)
class DeviceFailed:
    """The device that the model runs on is full or gone, in a person's line; the CPU is there to go on with."""

    line: str


@dataclass(frozen=True, slots=True)
class Crashed:
    """A bug: what was being done, and the traceback."""

    title: str
    traceback: str


Message = (
    Opened
    | BankSought
    | Loaded
    | Studied
    | Nodes
    | Findings
    | CardView
    | BlockNeurons
    | RequestView
    | BatchView
    | Preview
    | Applied
    | Refusal
    | Rested
    | FactsView
    | FactsScored
    | Located
    | RevertView
    | Named
    | NameRefused
    | Compared
    | CompareRested
    | PatchView
    | PatchRested
    | Done
    | Asked
    | Said
    | Ended
    | MeasureEnded
    | Settled
    | JobView
    | Noted
    | Failed
    | DeviceFailed
    | Crashed
    | Deed
    | BuildMessage
    | ScanMessage
    | RouteSaid
    | UseMessage
    | ExportMessage
    | LearnMessage
    | ArmsMessage
    | MapMessage
)


@dataclass(frozen=True, slots=True)
class Situation:
    """What decides which actions are enabled."""

    bank: bool = False
    ready: bool = False
    running: bool = False
    selected: ClusterId | None = None
    chosen: int = 0
    """How many clusters are selected."""
    selected_state: BlockState = BASE
    selected_hidden: bool = False
    selected_muted: bool = False
    selected_solo: bool = False
    pinned: bool = False
    undo: bool = False
    redo: bool = False
    edited_midway: bool = False
    prompt: bool = False
    theme: str = "system"
    auto_trace: bool = True
    measure_edits: bool = True
    measure_tokens: bool = True
    targets: int = 0
    """How many facts of the list ask for another answer."""
    revision: Revision | None = None
    """The revision that is selected in the history."""
    revisions: int = 0
    pairing: bool = False
    """Whether arms are answering side by side."""
    mapped: bool = False
    """There is a map of the bank, or one is being made."""
