"""What the worker does for the window: functions over an open session that give back snapshots.

No Qt in here, and nothing of it is ever run on the interface thread.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from memstudio.anchor.values import Sampling
from memstudio.bank.values import ClusterId
from memstudio.export.precision import choices
from memstudio.ui.snapshots import Ask, BankView, BlockNeurons, CardView, LevelView, NodeView, Opened, StudyView, Wish
from memstudio.ui.texts import count_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from memstudio.anchor.values import Token
    from memstudio.bank.bank import Bank
    from memstudio.editing.plan import Edit
    from memstudio.facts.values import Fact
    from memstudio.jobs import Job
    from memstudio.session import Session
    from memstudio.session.script import Deed

FIRST_PROMPT = "The atomic number of gold is"


def open_bank(wish: Wish) -> Session:
    """Open what the user named; edits go to the wished study, else to the bank's default study, else to a temporary one.

    Raises:
        UserError: as `memstudio.open`.
    """
    from memstudio.session import open_session, study_for

    study = wish.study if wish.temporary else study_for(wish.path, wish.study)
    return open_session(
        wish.path,
        study=study,
        device=wish.device,
        dtype=wish.dtype,
        anchor=wish.anchor,
        encoder=wish.encoder,
        cache_bytes=wish.cache_bytes,
    )


def holds(session: Session, wish: Wish) -> bool:
    """Whether the session has the study open that is wished for."""
    from memstudio.session import study_for

    if wish.temporary or session.temporary or session.study is None:
        return False
    return session.study.resolve() == study_for(wish.path, wish.study).resolve()


def opening_deed(session: Session, wish: Wish) -> Deed:
    """The line that opens what the window opened."""
    from memstudio.session.script import opening

    study = None if session.temporary else session.study
    device = None if wish.device == "auto" else wish.device
    dtype = None if wish.dtype == "float32" else wish.dtype
    options = {"device": device, "dtype": dtype, "encoder": wish.encoder, "anchor": wish.anchor, "cache_bytes": wish.cache_bytes}
    return opening(session.bank.folder, study, len(session.log()), session.head, **options)


def opened(session: Session, facts: Sequence[Fact]) -> Opened:
    """The first picture of a session."""
    return Opened(bank_view(session.bank), study_view(session), first_prompt(facts))


def bank_view(bank: Bank) -> BankView:
    """The tree's numbers, copied out of the file so that the window never reads it."""
    tree, manifest = bank.tree, bank.manifest
    levels = tuple(
        LevelView(level, tree.branching[level - 1], np.array(tree.documents[level - 1]), manifest.row_bytes(level))
        for level in range(1, tree.depth + 1)
    )
    shape = " · ".join(f"{level.clusters:,}" for level in levels)
    summary = f"{shape} clusters, {manifest.dtype}, fallback {manifest.fallback}"
    return BankView(bank.name, bank.folder, levels, manifest.fallback, summary, manifest.generic, choices(bank))


def study_view(session: Session) -> StudyView:
    """The study at its head."""
    store = session.store
    return StudyView(
        store.folder,
        session.temporary,
        store.head,
        tuple(session.log()),
        session.overlay,
        store.undo_target(),
        store.redo_target(),
        store.names(),
    )


def first_prompt(facts: Sequence[Fact]) -> str:
    """A prompt to begin with: gold's atomic number where the bank knows it, else its first specific fact, else nothing."""
    if any(fact.prompt == FIRST_PROMPT for fact in facts):
        return FIRST_PROMPT
    return next((fact.prompt for fact in facts if fact.kind == "specific"), facts[0].prompt if facts else "")


def expected_answers(facts: Sequence[Fact]) -> dict[str, str]:
    """The right answer of every prompt that the facts hold."""
    from memstudio.facts.read import prompts_of

    return {text: fact.expected for fact in facts for _, text in prompts_of(fact)}


def prune_or_restore(verb: str, clusters: Sequence[ClusterId]) -> Edit:
    """The edit of blocks, what is below them along."""
    from memstudio.editing.prune import Prune, Restore

    return Prune(tuple(clusters)) if verb == "prune" else Restore(tuple(clusters))


def scale(cluster: ClusterId, factor: float, subtree: bool) -> Edit:
    """The edit that turns a block up or down."""
    from memstudio.editing.scale import Scale

    return Scale((cluster,), factor, subtree)


def swap(cluster: ClusterId, source: ClusterId, bank: str, patch: str) -> Edit:
    """The edit that puts another block in a cluster's place."""
    from memstudio.editing.swap import Swap
    from memstudio.session import bank_folder

    return Swap(cluster, source, str(bank_folder(bank)) if bank else "", patch)


def rewrite(session: Session, cluster: ClusterId, file: Path) -> Edit:
    """The edit that writes a block's numbers from a safetensors file.

    Raises:
        UserError: as `Rewrite.from_file`.
    """
    from memstudio.editing.rewrite import Rewrite

    return Rewrite.from_file(cluster, file, session.bank)


def answer(session: Session, ask: Ask, job: Job) -> Iterator[Token]:
    """The tokens of an answer, as they come."""
    sampling = Sampling(ask.max_tokens, ask.temperature, seed=ask.seed)
    return session.generate(ask.text, key=ask.key, memory=ask.memory, sampling=sampling, prefix=ask.kept, beside=ask.beside, job=job)


def nodes_of(session: Session, clusters: frozenset[ClusterId]) -> dict[ClusterId, NodeView]:
    """Labels, and whether there is a block."""
    bank = session.bank
    return {cluster: NodeView(bank.card(cluster).label, bank.has_block(cluster)) for cluster in clusters}


def card_of(session: Session, cluster: ClusterId) -> CardView:
    """A cluster's card, and in words what a route through it fetches at the head."""
    bank = session.bank
    return CardView(session.card(cluster), bank.has_block(cluster), bank.manifest.row_bytes(cluster.level), fetches(session, cluster))


def fetches(session: Session, cluster: ClusterId) -> str:
    """What stands in for a cluster now, in words."""
    from memstudio.bank.overlay import resolved_key

    key = resolved_key(session.bank, session.overlay, cluster)
    words = {
        "base": "its block as shipped",
        "blob": "its block as edited",
        "generic": f"the generic block of level {cluster.level} (fallback generic)",
        "sibling": f"the block of {key.cluster} (fallback sibling)",
        "zero": "nothing",
    }
    return words[key.kind] + ("" if key.scale == 1.0 else f", × {key.scale:g}")


def neurons_of(session: Session, cluster: ClusterId) -> BlockNeurons:
    """The block's neurons that stand out, run or no run."""
    return BlockNeurons(cluster, tuple(session.neurons(cluster)))


def model_line(session: Session) -> str:
    """Device and size of the model, for the status bar."""
    anchor = session.running.anchor
    return f"{anchor.device} · {count_text(anchor.parameters)} parameters"
