"""Exporting a dense model: one route's blocks become part of the anchor's MLPs, and plain transformers must then say the same."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from memstudio import __version__
from memstudio.anchor.wish import Wish
from memstudio.bank.files import anchor_files, file_digest, inside
from memstudio.bank.overlay import resolve
from memstudio.bank.values import ClusterId, parse_cluster
from memstudio.errors import UserError
from memstudio.export.dense_card import Baked, DenseModel, dense_card
from memstudio.export.place import beside, give_name, refuse_full, refuse_taken, said
from memstudio.export.pouring import pour
from memstudio.facts.statistics import Proportion, proportion
from memstudio.jobs import Job
from memstudio.session.exporting import ASKED, nothing_tried, some

if TYPE_CHECKING:
    from memstudio.anchor.arm import Arm
    from memstudio.anchor.load import Anchor
    from memstudio.export.dense import Dense, Parts
    from memstudio.session.scoring import Prompt
    from memstudio.session.session import Session

LARGEST = 1e-3
"""How far a float32 logit of the result may lie from the session's."""
_READ = 8
_ROOM = 32
_README = "README.md"


def export_dense(
    session: Session,
    out: str | Path,
    route: str | Sequence[ClusterId],
    *,
    dtype: str | None = None,
    check: bool = True,
    job: Job | None = None,
) -> DenseModel:
    """Write the anchor with the blocks of one route, as they stand at the head, as an ordinary model folder of the anchor's architecture.

    Fallbacks are resolved and edits burned in; what is hidden, muted, solo or pinned does not act.

    route: clusters ("3/13", or a path from level 1 down), else a text whose route is taken. dtype: "float32", "float16" or "bfloat16";
    None: as the anchor's files have it. check: load the result with plain transformers beside the anchor, compare its logits in float32
    with the session's, and ask both the facts whose prompts take the route.

    Raises:
        UserError: no such cluster, an architecture that cannot, a dtype that cannot hold the numbers, a target that is taken, a full disk;
            logits off by more than `LARGEST`
            (a dtype that was asked for and rounds numbers may be); nothing is left then.
        Cancelled: the job was cancelled; nothing is left.
    """
    from memstudio.export.dense import dense_bytes, rounds

    start, target, work = time.perf_counter(), Path(out), job or Job("export")
    refuse_taken(target)
    path, text = _route(session, route)
    blocks, dense = _made(session, path, dtype)
    for source in (session.bank.folder, dense.source):
        if target.resolve().is_relative_to(source.resolve()):
            raise UserError(f"{target}: lies in the folder that is exported: choose a place outside it")
    needed = dense_bytes(dense)
    refuse_full(target, needed, "model")
    rounded = rounds(dense)
    with beside(target) as part:
        _write(dense, part, target, needed, work)
        difference, read, before, after = _checked(session, part, path, text, work) if check else (None, 0, None, None)
        if difference is not None and difference > LARGEST and not (rounded and dtype):
            mend = ": the blocks do not fit the anchor's dtype; give --dtype float32" if rounded else ""
            raise UserError(f"{target}: its logits are off by up to {difference:.2g}, more than {LARGEST:g}{mend}; nothing is left of it")
        found = DenseModel(
            path=target,
            revision=session.head,
            route=path,
            text=text,
            blocks=blocks,
            inner=(dense.widening.inner, dense.widening.inner + dense.widening.extra),
            dtype=dtype or "as stored",
            rounded=rounded,
            bytes=sum(each.stat().st_size for each in part.iterdir()),
            difference=difference,
            read=read,
            recall_before=before,
            recall_after=after,
            seconds=time.perf_counter() - start,
        )
        with said(target):
            pour(part / _README, [dense_card(session.bank, found, __version__).encode()], lambda _: None)
        give_name(part, target)
    return found


def _route(session: Session, route: str | Sequence[ClusterId]) -> tuple[tuple[ClusterId, ...], str | None]:
    """The clusters, and the text that they are of where one was given."""
    if not isinstance(route, str):
        return session.bank.tree.explicit(route).clusters, None
    try:
        named = [parse_cluster(word) for word in route.replace("›", ",").split(",")]
    except UserError:
        return session.routes([route])[0], route
    return session.bank.tree.explicit(named).clusters, None


def _made(session: Session, path: Sequence[ClusterId], dtype: str | None) -> tuple[tuple[Baked, ...], Dense]:
    """The blocks of a route and what is written of them."""
    from memstudio.anchor.widen import widening
    from memstudio.export.dense import DTYPES, Dense

    if dtype is not None and dtype not in DTYPES:
        raise UserError(f"--dtype {dtype}: choose one of {', '.join(DTYPES)}")
    bank, blocks = session.bank, list[Baked]()
    added: dict[int, list[Parts]] = {layer: [] for layer in bank.manifest.layers}
    for cluster in path:
        found, layout = resolve(bank, session.overlay, cluster, session.blob), bank.layouts[cluster.level - 1]
        width = max(layout.widths, default=0) if found.row is not None else 0
        blocks.append(Baked(cluster, found.kind, found.cluster, found.scale, width))
        if found.row is None:
            continue
        for layer, (gate, up, down) in zip(bank.manifest.layers, layout.split(found.row.float()), strict=True):
            added[layer].append((gate, up, down * found.scale))
    extra = max(sum(len(gate) for gate, _, _ in parts) for parts in added.values())
    if not extra:
        raise UserError(f"route {','.join(map(str, path))}: fetches nothing, the result would be the plain anchor; choose another route")
    folder = session.running.anchor_folder
    return tuple(blocks), Dense(folder, widening(folder, bank.manifest.layers, extra), added, dtype)


def _write(dense: Dense, part: Path, target: Path, needed: int, job: Job) -> None:
    """Write the files, and read them back."""
    from memstudio.export.dense import write_dense

    done, total = 0, 2 * needed

    def told(count: int) -> None:
        nonlocal done, total
        done += count
        total = max(total, done)
        job.progress(done, total)

    with said(target):
        digests = write_dense(dense, part, told)
    for name in anchor_files(part):
        if file_digest(inside(part, name), told) != digests[name]:
            raise UserError(f"{target}: {name} was not read back as it was written: the disk is not to be trusted; choose another place")


def _checked(
    session: Session, part: Path, path: tuple[ClusterId, ...], text: str | None, job: Job
) -> tuple[float | None, int, Proportion | None, Proportion | None]:
    """The largest logit difference, over how many texts, and the recall of the route's facts before and after."""
    from memstudio.anchor.arm import Arm
    from memstudio.anchor.engine import answers
    from memstudio.anchor.load import load_anchor
    from memstudio.session.scoring import How, judged, row_of

    own = session.running.anchor
    prompts = _prompts(session, path, job)
    texts = [*([text] if text else []), *(prompt.text for prompt in prompts), *_documents(session, path), "The"]
    read = list(itertools.islice(_encoded(own, texts), _READ))
    plain = Arm(session.bank, load_anchor(part, device=own.choice, dtype="float32", chat=own.chat))
    difference = _difference(session, plain, path, read) if own.dtype == "float32" and read else None
    job.breathe()
    if not prompts:
        return difference, len(read), None, None
    with nothing_tried(session):
        before = judged(session, prompts, How(room=_ROOM), session.overlay, job)
    said_after = answers(plain.attached, [plain.anchor.encode(prompt.text) for prompt in prompts], _ROOM)
    after = [row_of(prompt, answer) for prompt, answer in zip(prompts, said_after, strict=True)]
    return difference, len(read), proportion(row.correct for row in before), proportion(row.correct for row in after)


def _encoded(anchor: Anchor, texts: Sequence[str]) -> Iterator[list[int]]:
    """The token ids of those texts that the anchor can read: some are too long for it, or made of what it has no token for."""
    for text in texts:
        with contextlib.suppress(UserError):
            yield anchor.encode(text)


def _difference(session: Session, plain: Arm, path: tuple[ClusterId, ...], read: Sequence[list[int]]) -> float:
    """How far the plain model's logits lie from those of the session at most; the spare arm runs, which nothing is tried on."""
    from memstudio.anchor.engine import logits

    spare = session.running.spare
    spare.fetch(Wish("fetched", path), session.overlay, session.blob)
    return max(float((logits(spare.attached, ids) - logits(plain.attached, ids)).abs().max()) for ids in read)


def _prompts(session: Session, path: tuple[ClusterId, ...], job: Job) -> list[Prompt]:
    """Prompts of the bank's facts that take the route (or one below it), as recall counts them."""
    from memstudio.session.scoring import How, answerable, prompts_for

    facts = session.facts()
    if not facts:
        return []
    with nothing_tried(session):
        found = prompts_for(session, answerable(session, some(facts, len(facts)), How()), job)
    return [each for each in found if each.phrasing != "held_out" and each.route[: len(path)] == path][:ASKED]


def _documents(session: Session, path: Sequence[ClusterId]) -> list[str]:
    """Beginnings of documents that the route's last block was trained on."""
    return [begun for each in session.bank.documents_of(path[-1], 2) if (begun := each.text[:200]).strip()]
