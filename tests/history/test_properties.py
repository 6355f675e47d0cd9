"""Over random edits, undos, redos, checkouts and restarts the study agrees with a plain model of it, block for block."""

import tempfile
from pathlib import Path

import torch
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from memstudio.bank.block import block_digest
from memstudio.bank.values import BASE, PRUNED, BlockState, Change, ClusterId, Overlay
from memstudio.history.store import open_store
from tests.history.conftest import BANK

MEMORY = Path("/dev/shm")  # what is written is looked at, not the disk's patience
CLUSTERS = st.sampled_from([ClusterId(level, index) for level in (1, 2, 3) for index in range(3)])


class Study(RuleBasedStateMachine):
    """The model: every revision's overlay and parent kept whole; redo follows the ancestors of a remembered tip."""

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        self.folder = Path(self.place.name) / "study"
        self.overlays: list[Overlay] = [{}]
        self.parents: list[int | None] = [None]
        self.head = self.tip = 0

    @initialize()
    def begin(self) -> None:
        self.store = open_store(self.folder, **BANK)

    @rule(clusters=st.sets(CLUSTERS, min_size=1, max_size=4), data=st.data())
    def edit(self, clusters: set[ClusterId], data: st.DataObject) -> None:
        after = dict(self.overlays[self.head])
        for cluster in clusters:
            self.turn(after, cluster, data)
        changes = self.between(self.overlays[self.head], after)
        if not changes:
            return
        fails = data.draw(st.booleans(), "fails") and data.draw(st.booleans(), "really")
        try:
            with self.store.commit("edit", "edit", changes):
                if fails:
                    raise InterruptedError
        except InterruptedError:
            return
        self.overlays.append(after)
        self.parents.append(self.head)
        self.head = self.tip = len(self.overlays) - 1

    def turn(self, overlay: Overlay, cluster: ClusterId, data: st.DataObject) -> None:
        kind = data.draw(st.sampled_from(["restore", "prune", "scale", "swap"]), "kind")
        if kind == "restore":
            overlay.pop(cluster, None)
        elif kind == "prune":
            overlay[cluster] = PRUNED
        elif kind == "scale":
            overlay[cluster] = BlockState("base", data.draw(st.floats(-4, 4).filter(lambda scale: scale != 1), "scale"))
        else:
            overlay[cluster] = BlockState(self.store.put_blob(torch.full((8,), float(data.draw(st.integers(0, 3), "value")))))

    @precondition(lambda self: self.head != 0)
    @rule()
    def undo(self) -> None:
        target = self.store.undo_target()
        assert target == self.parents[self.head]
        self.go(target)

    @precondition(lambda self: self.head != self.tip)
    @rule()
    def redo(self) -> None:
        target = self.store.redo_target()
        assert target is not None
        assert target in self.ancestors(self.tip)
        assert self.parents[target] == self.head
        self.go(target)

    @rule(data=st.data())
    def checkout(self, data: st.DataObject) -> None:
        self.go(data.draw(st.integers(0, len(self.overlays) - 1), "revision"))

    def go(self, target: int | None) -> None:
        assert target is not None
        with self.store.move(target) as revision:
            assert revision.id == target
        self.head = target
        if target not in self.ancestors(self.tip):
            self.tip = max(r for r in range(len(self.overlays)) if target in self.ancestors(r))

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.store = open_store(self.folder, **BANK)

    @invariant()
    def agrees(self) -> None:
        assert self.store.head == self.head
        assert self.store.overlay() == self.overlays[self.head]
        assert (self.store.redo_target() is None) == (self.head == self.tip)
        log = self.store.log()
        assert [revision.parent for revision in log] == self.parents
        assert [revision.id for revision in log if revision.current] == sorted(self.ancestors(self.head))

    @invariant()
    def every_two_revisions_differ_as_their_overlays_do(self) -> None:
        for revision in range(max(0, len(self.overlays) - 4), len(self.overlays)):
            assert self.store.overlay(revision) == self.overlays[revision]
            assert self.store.diff(self.head, revision) == self.between(self.overlays[self.head], self.overlays[revision])

    @invariant()
    def blocks_have_the_digest_they_had(self) -> None:
        for state in self.store.overlay().values():
            if state.source not in ("base", "pruned"):
                assert block_digest(self.store.blob(state.source)) == state.source

    def between(self, before: Overlay, after: Overlay) -> list[Change]:
        pairs = ((cluster, before.get(cluster, BASE), after.get(cluster, BASE)) for cluster in sorted(before | after))
        return [Change(*pair) for pair in pairs if pair[1] != pair[2]]

    def ancestors(self, revision: int) -> set[int]:
        found = {revision}
        while (parent := self.parents[revision]) is not None:
            found.add(parent)
            revision = parent
        return found

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
        self.place.cleanup()


TestStudy = Study.TestCase
TestStudy.settings = settings(max_examples=15, stateful_step_count=20, deadline=None, derandomize=True)
