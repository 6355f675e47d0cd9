"""One run of a session: tokens out, edits in between two of them."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memstudio.anchor.engine import generate
from memstudio.anchor.values import Run, Sampling, Token
from memstudio.bank.values import ClusterId, Memory
from memstudio.events import Did, Finished, Generated, Routed
from memstudio.jobs import Cancelled, Job
from memstudio.session.routing import choose
from memstudio.session.running import Wish
from memstudio.session.use import note_run

if TYPE_CHECKING:
    from memstudio.session.session import Session


class Generation:
    """A run from its prompt to its `Run`."""

    def __init__(
        self,
        session: Session,
        text: str,
        key: str | None,
        route: Sequence[ClusterId] | None,
        memory: Memory,
        sampling: Sampling,
        prefix: tuple[int, ...],
        beside: bool,
        job: Job | None,
    ) -> None:
        """Encodes and routes, so that bad input is refused before the first token.

        Raises:
            UserError: an empty or over-long prompt, a cluster that does not exist, sampling out of range.
        """
        self._session = session
        self._text = text
        self._asked_route = None if route is None else tuple(route)
        self._prefix = prefix
        self._memory = memory
        self._sampling = sampling
        self._ids = list(prefix)
        self._beside = beside
        self._fresh = not prefix
        self._job = job or Job("run")
        self._prompt = session.running.encode(text)
        self._key = session.running.key_of(text) if key is None else key
        self._route = choose(session, text, key, route, memory)
        self._wish = Wish(memory, self._route.clusters if self._route else ())
        self._stream = self._begin()
        self._number = session.next_run()
        self._tokens: list[Token] = []
        self._seconds = 0.0
        self._stopped = True

    def tokens(self) -> Iterator[Token]:
        """The tokens; closing the iterator stops the run."""
        if self._route is not None:
            self._session.emit(Routed(self._number, self._text, self._route))
        try:
            while (token := self._next()) is not None:
                self._session.emit(Generated(self._number, token))
                yield token
                self._job.breathe()
                if self._recomputes != self._session.recomputes:
                    self._stream = self._begin()
            self._stopped = False
        except Cancelled:
            self._stopped = True  # an end like any other: the run says so
        finally:
            self._tell()
            self._session.emit(Finished(self._number, self._result()))
            if self._fresh and self._tokens:  # last: a study that cannot be written takes nothing of the answer away
                note_run(self._session, self._route)

    def finish(self) -> Run:
        """Run to the end."""
        for _ in self.tokens():
            pass
        return self._result()

    def _tell(self) -> None:
        """The run as a call of `Session.run` that ends where this one ended."""
        sampling = dataclasses.replace(self._sampling, max_tokens=len(self._tokens)) if self._stopped else self._sampling
        named: dict[str, tuple[object, object]] = {
            "key": (self._key, self._text),
            "route": (self._asked_route, None),
            "memory": (self._memory, "fetched"),
            "sampling": (sampling, Sampling()),
            "prefix": (self._prefix, ()),
        }
        if self._tokens:
            keywords = {name: value for name, (value, default) in named.items() if value != default}
            self._session.emit(Did("run", (self._text,), keywords))

    def _begin(self) -> Iterator[Token]:
        """The engine, with the prompt and what came so far still to be read; lanes begin anew with it."""
        session, running = self._session, self._session.running
        self._recomputes = session.recomputes
        lanes = running.lanes(self._memory, session.overlay, session.blob) if self._beside else None
        return generate(running.attached, self._prompt, self._sampling, revision=lambda: session.head, prefix=self._ids, lanes=lanes)

    def _next(self) -> Token | None:
        start = time.perf_counter()
        with self._session.running.working():
            self._session.fetch(self._wish)  # a trace, a score or another run may have used the slots since the last token
            token = next(self._stream, None)
        self._seconds += time.perf_counter() - start
        if token is not None:
            self._tokens.append(token)
            self._ids.append(token.id)
        return token

    def _result(self) -> Run:
        return Run(
            prompt=self._text,
            key=self._key,
            memory=self._memory,
            route=self._route,
            text="".join(token.text for token in self._tokens),
            tokens=tuple(self._tokens),
            seconds=self._seconds,
            tokens_per_second=len(self._tokens) / self._seconds if self._seconds else 0.0,
            revision=self._session.head,
            stopped=self._stopped,
        )
