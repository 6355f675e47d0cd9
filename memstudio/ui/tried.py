"""What is tried on runs and kept in no revision: which sets a press of a key leaves, and how they are told in a line."""

from collections.abc import Sequence
from heapq import nsmallest

from memstudio.bank.values import ClusterId
from memstudio.events import Hidden


def toggled(tried: frozenset[ClusterId], clusters: Sequence[ClusterId]) -> frozenset[ClusterId]:
    """All of the clusters in where one of them was out, else all out."""
    wanted = frozenset(clusters)
    return tried - wanted if wanted <= tried else tried | wanted


def tried_words(before: Hidden, now: Hidden) -> str:
    """What is tried on runs from now on, in a line: what of it changed."""
    if now.hidden != before.hidden:
        return f"The retriever passes over {_names(now.hidden)}." if now.hidden else "Nothing is hidden."
    if now.solo != before.solo:
        return f"Only {_names(now.solo)} is added." if now.solo else "All fetched blocks are added again."
    if now.pinned != before.pinned:
        return f"Every run takes {' › '.join(map(str, now.pinned))}." if now.pinned else "The retriever chooses the route again."
    return f"Fetched but not added: {_names(now.muted)}." if now.muted else "Nothing is muted."


def _names(clusters: frozenset[ClusterId], limit: int = 5) -> str:
    names = [str(cluster) for cluster in nsmallest(limit, clusters)]
    return ", ".join(names) + (f" and {len(clusters) - limit:,} more" if len(clusters) > limit else "")
