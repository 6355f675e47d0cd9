"""What is tried on runs without a revision: hidden subtrees, muted blocks, solo ones, a pinned path. It goes with the session."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from memstudio.bank.values import ClusterId
from memstudio.events import Hidden
from memstudio.session.running import RunTime
from memstudio.session.study import Study
from memstudio.session.telling import tells


class Trying(Study):
    """A study whose runs can be tried without a block."""

    @property
    def runtime(self) -> RunTime:
        """What is tried on runs without a revision."""
        return self.running.runtime

    @property
    def hidden(self) -> frozenset[ClusterId]:
        """The subtrees that the retriever passes over."""
        return self.runtime.hidden

    @property
    def muted(self) -> frozenset[ClusterId]:
        """The blocks that are fetched and not added."""
        return self.runtime.muted

    @tells
    def hide(self, clusters: Collection[ClusterId]) -> None:
        """The retriever passes these subtrees over from now on, and takes the runner-up; replaces the set before. Emits Hidden.

        Raises:
            UserError: a cluster does not exist.
        """
        self._try(dataclasses.replace(self.runtime, hidden=self._checked(clusters)))

    @tells
    def mute(self, clusters: Collection[ClusterId]) -> None:
        """These blocks are fetched and not added from now on; replaces the set before. Emits Hidden.

        Raises:
            UserError: a cluster does not exist.
        """
        self._try(dataclasses.replace(self.runtime, muted=self._checked(clusters)))

    @tells
    def solo(self, clusters: Collection[ClusterId]) -> None:
        """Only these blocks are added from now on, those muted aside; none: all are again. Replaces the set before. Emits Hidden.

        Raises:
            UserError: a cluster does not exist.
        """
        self._try(dataclasses.replace(self.runtime, solo=self._checked(clusters)))

    @tells
    def pin(self, route: Sequence[ClusterId] | None) -> None:
        """Every run takes this route from now on, whatever its key, unless it names one itself; None frees them. Emits Hidden.

        Routing a key and scoring facts ask the retriever all the same.

        Raises:
            UserError: a cluster does not exist, or they are not one path.
        """
        path = None if route is None else self.bank.tree.explicit(route).clusters
        self._try(dataclasses.replace(self.runtime, pinned=path))

    def _checked(self, clusters: Collection[ClusterId]) -> frozenset[ClusterId]:
        return frozenset(self.bank.tree.check(cluster) for cluster in clusters)

    def _try(self, runtime: RunTime) -> None:
        """Run by this from the next token on."""
        self.running.follow(runtime)
        self.emit(Hidden(runtime.hidden, runtime.muted, runtime.solo, runtime.pinned))
