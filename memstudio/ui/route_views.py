"""What crosses between the window and the routing thread: the question as it is typed, and where its key goes."""

from dataclasses import dataclass

from memstudio.bank.values import ClusterId
from memstudio.session.router import KeyRoute


@dataclass(frozen=True, slots=True)
class RouteAsk:
    """Where does this go? key None: the prompt is its own. number: tells one question from the next, the newest is the highest."""

    number: int
    prompt: str
    key: str | None = None
    hidden: frozenset[ClusterId] = frozenset()
    pinned: tuple[ClusterId, ...] | None = None


@dataclass(frozen=True, slots=True)
class RouteSaid:
    """The answer: a route, or the line that says why there is none."""

    ask: RouteAsk
    found: KeyRoute | str


def source_of(ask: RouteAsk, key: str) -> str:
    """Where a routed text stands, in words."""
    if ask.key is not None:
        return "Key field"
    return "Prompt" if key == ask.prompt else "Last turn of the prompt"
