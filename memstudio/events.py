"""What happened, told in the past tense: the session emits these, the bridge carries them to the window."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from memstudio.anchor.values import Run, Token, Trace
from memstudio.bank.values import ClusterId, Route
from memstudio.history.values import Revision


@dataclass(frozen=True, slots=True)
class Committed:
    """The head moved (an edit, undo, redo or checkout); `clusters` are those whose block differs from before."""

    revision: Revision
    clusters: frozenset[ClusterId]


@dataclass(frozen=True, slots=True)
class Hidden:
    """What is tried at run time changed: the subtrees that the retriever now skips, the blocks that are fetched but not added, those
    that alone are added (none named: all), and the path that is fetched in place of the retriever's; see `anchor.wish.RunTime`."""

    hidden: frozenset[ClusterId]
    muted: frozenset[ClusterId]
    solo: frozenset[ClusterId] = frozenset()
    pinned: tuple[ClusterId, ...] | None = None


@dataclass(frozen=True, slots=True)
class Routed:
    """A run chose its clusters. `run` numbers the runs of a session."""

    run: int
    prompt: str
    route: Route


@dataclass(frozen=True, slots=True)
class Generated:
    """A token came."""

    run: int
    token: Token


@dataclass(frozen=True, slots=True)
class Finished:
    """A generation ended, by itself or by stop (`result.stopped`)."""

    run: int
    result: Run


@dataclass(frozen=True, slots=True)
class Traced:
    """A trace is ready."""

    trace: Trace


@dataclass(frozen=True, slots=True)
class Did:
    """A verb of the session was carried out, by whoever calls the session; verbs that it called itself are not told.

    arguments, keywords: what it was called with that is not the default. home: "" for a method, else the module of the function that
    takes the session first.
    """

    verb: str
    arguments: tuple[object, ...] = ()
    keywords: Mapping[str, object] = field(default_factory=dict)
    home: str = ""


Event = Committed | Hidden | Routed | Generated | Finished | Traced | Did
