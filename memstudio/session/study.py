"""One open study: its bank, the history that its edits go to, and how a commit, an undo and the model's slots go together."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from memstudio.bank.values import BASE, BlockState, Change, ClusterId, Overlay
from memstudio.errors import UserError
from memstudio.events import Committed, Did, Event
from memstudio.jobs import Job
from memstudio.session.telling import tells

if TYPE_CHECKING:
    import torch

    from memstudio.bank.bank import Bank
    from memstudio.history.store import Store
    from memstudio.history.values import Revision
    from memstudio.session.running import Running
    from memstudio.session.used import Counted


class Study:
    """The part of a session that lasts: what differs from the bank as shipped, and how it came about."""

    def __init__(self, bank: Bank, store: Store | None, running: Running, *, readonly: bool = False) -> None:
        self.bank = bank
        self.running = running
        self.readonly = readonly
        self._store = store
        self._temporary: tempfile.TemporaryDirectory[str] | None = None
        self._overlay: Overlay = store.overlay() if store is not None else {}
        self._listeners: list[tuple[Callable[[Event], None], bool]] = []
        self._pending: Mapping[str, torch.Tensor] = {}
        self._calls = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        try:
            if error is not None:
                with self.running.working():
                    raise error
        finally:
            self.close()

    def close(self) -> None:
        """Let go of the study (a temporary one goes) and of the model."""
        self.running.detach()
        if self._store is not None:
            self._store.close()
        if self._temporary is not None:
            self._temporary.cleanup()
            self._temporary = None

    @property
    def store(self) -> Store:
        """The study's history; a temporary study begins here when none was named.

        Raises:
            UserError: the bank was opened as shipped, to read only.
        """
        if self._store is None:
            if self.readonly:
                raise UserError(f"{self.bank.folder}: opened as shipped, to read only; name a study to edit")
            from memstudio.history.store import open_store

            self._temporary = tempfile.TemporaryDirectory(prefix="memstudio-", ignore_cleanup_errors=True)
            self._store = open_store(
                Path(self._temporary.name) / "study",
                bank_digest=self.bank.digest,
                bank_name=self.bank.name,
                bank_path=str(self.bank.folder.absolute()),
            )
        return self._store

    @property
    def study(self) -> Path | None:
        """The study's folder; None while nothing but the bank as shipped is open."""
        return self._store.folder if self._store is not None else None

    @property
    def temporary(self) -> bool:
        """Whether edits go with the session."""
        return self._store is None or self._temporary is not None

    @property
    def keeps(self) -> bool:
        """Whether what is counted is kept: a study is open, and for writing."""
        return self._store is not None and self._store.writing

    @property
    def head(self) -> int:
        """The revision that the session stands at; 0 is the bank as shipped."""
        return self._store.head if self._store is not None else 0

    @property
    def overlay(self) -> Overlay:
        """What differs from the bank as shipped at the head; the caller's own copy."""
        return dict(self._overlay)

    def listen(self, callback: Callable[[Event], None], *, deeds: bool = False) -> Callable[[], None]:
        """Call back with each event, on the session's thread; the returned function ends that. deeds: with `Did` too."""
        listener = (callback, deeds)
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def emit(self, event: Event) -> None:
        """Tell the listeners. For the session's own parts."""
        for listener, deeds in tuple(self._listeners):
            if deeds or not isinstance(event, Did):
                listener(event)

    @contextlib.contextmanager
    def calling(self) -> Iterator[bool]:
        """While a verb is carried out: whether no other one called it. For the session's own parts.

        Raises:
            DeviceTrouble: the model's device is full or gone.
        """
        self._calls += 1
        try:
            with self.running.working():
                yield self._calls == 1
        finally:
            self._calls -= 1

    @contextlib.contextmanager
    def apart(self) -> Iterator[None]:
        """What is asked while another verb breathes is not part of that one; for whoever lets urgent calls in (see `jobs`).

        Raises:
            DeviceTrouble: the model's device is full or gone.
        """
        calls, self._calls = self._calls, 0
        try:
            with self.running.working():
                yield
        finally:
            self._calls = calls

    def blob(self, sha256: str) -> torch.Tensor:
        """An edited block's tensor, that of an edit under way included."""
        return self._pending[sha256] if sha256 in self._pending else self.store.blob(sha256)

    def commit(
        self,
        verb: str,
        title: str,
        changes: Sequence[Change],
        *,
        tensors: Mapping[str, torch.Tensor] | None = None,
        receipt: Mapping[str, Any] | None = None,
        job: Job | None = None,
    ) -> Revision:
        """Commit changes that are worked out already; tensors holds their new blocks. For the session's own parts. Emits Committed.

        job: hears of the progress; where it is cancelled before all is written, nothing has happened.

        Raises:
            UserError: the session only reads, or a change does not start at what stands at the head.
        """
        after = {**self._overlay, **{change.cluster: change.after for change in changes}}
        kept = {cluster: state for cluster, state in after.items() if state != BASE}
        for row in (tensors or {}).values():
            self.store.put_blob(row)
        heed = (job or Job(verb)).heed
        with self._settling(kept) as settle, self.store.commit(verb, title, changes, receipt=receipt, told=heed) as revision:
            settle()
        self.emit(Committed(revision, frozenset(change.cluster for change in changes)))
        return revision

    @contextlib.contextmanager
    def with_blobs(self, tensors: Mapping[str, torch.Tensor]) -> Iterator[None]:
        """Have `blob` give these too, for as long as the context lasts. For the session's own parts."""
        before, self._pending = self._pending, tensors
        try:
            yield
        finally:
            self._pending = before

    @tells
    def undo(self) -> Revision:
        """Go to the head's parent. Emits Committed.

        Raises:
            UserError: nothing to undo.
        """
        target = self.store.undo_target()
        if target is None:
            raise UserError("nothing to undo: the study stands at revision 0, the bank as shipped")
        return self.checkout(target)

    @tells
    def redo(self) -> Revision:
        """Go to the revision that was last undone. Emits Committed.

        Raises:
            UserError: nothing to redo.
        """
        target = self.store.redo_target()
        if target is None:
            raise UserError(f"nothing to redo: no revision was undone after revision {self.head}")
        return self.checkout(target)

    @tells
    def checkout(self, revision: int) -> Revision:
        """Go to any revision. Emits Committed.

        Raises:
            UserError: there is no such revision, or the session only reads.
        """
        changes = self.store.diff(self.head, revision)
        with self._settling(self.store.overlay(revision)) as settle, self.store.move(revision) as moved:
            settle()
        self.emit(Committed(moved, frozenset(change.cluster for change in changes)))
        return moved

    def log(self) -> list[Revision]:
        """All revisions of the study, oldest first."""
        return self.store.log()

    def diff(self, a: int, b: int) -> list[Change]:
        """The blocks that differ between two revisions: `before` at a, `after` at b.

        Raises:
            UserError: there is no such revision.
        """
        return self.store.diff(a, b)

    def uses(self, *, runs: bool = True, sets: bool = True) -> list[Counted]:
        """How prompts used the blocks, as the study keeps it: single runs (a count a revision), sets of prompts, or both.

        Raises:
            UserError: a row that no count writes, or a cluster that the bank has not.
        """
        from memstudio.session.use import counted_of

        kept = self._store.uses(runs=runs, sets=sets) if self._store is not None else ()
        return [counted_of(self.bank.tree, each) for each in kept]

    def forget_use(self, use_id: int) -> None:
        """Let a count go.

        Raises:
            UserError: there is none of that number, or the session only reads.
        """
        self.store.forget_use(use_id)

    def state(self, cluster: ClusterId) -> BlockState:
        """What stands in a cluster's place at the head."""
        return self._overlay.get(cluster, BASE)

    @contextlib.contextmanager
    def _settling(self, overlay: Overlay) -> Iterator[Callable[[], None]]:
        """Gives the function that overwrites the resident slots for `overlay`; where the body fails, those of before come back."""
        before = self._overlay

        def settle() -> None:
            self._overlay = overlay
            self.running.refetch(overlay, self.blob)

        try:
            yield settle
        except BaseException:
            self._overlay = before
            self.running.refetch(before, self.blob)
            raise
