"""From a recipe to a bank folder, stage by stage: read, embed, cluster, train, probe, write.

Every stage is kept in OUT.build under a name made of all that it depends on, so a build that was cut short goes on, and one whose recipe
changed does again only what changed. The folder can be removed when the bank is there.
"""

import errno
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import load_file, save_file

from memstudio.anchor.load import DTYPES
from memstudio.anchor.router import Encoder
from memstudio.bank.files import folder_digest
from memstudio.bank.manifest import MANIFEST, load_manifest
from memstudio.builder.built import Built
from memstudio.builder.corpus import Corpus, read_corpus
from memstudio.builder.design import Design, design
from memstudio.builder.finish import write_built, write_moved
from memstudio.builder.keys import digest_of, encode_corpus, load_encoder
from memstudio.builder.merge import Merged
from memstudio.builder.probe import probe
from memstudio.builder.recipe import Recipe
from memstudio.builder.source import Source, find_source, load_source
from memstudio.builder.store import Store
from memstudio.builder.tasks import TOGETHER, Task, complete, open_store, tasks
from memstudio.builder.train import Ground, train
from memstudio.builder.tree import Floats, Grown, grow
from memstudio.errors import UserError
from memstudio.history.lock import WriterLock
from memstudio.jobs import Job

Log = Callable[[str], None]
_WAIT_SECONDS = 1.0
_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Share:
    """Which training jobs this process does: those of `names`, else every `world`-th from `rank`. Only rank 0 reads, grows and writes."""

    names: tuple[str, ...] = ()
    rank: int = 0
    world: int = 1

    @classmethod
    def of_environment(cls) -> "Share":
        """As torchrun says it (RANK, WORLD_SIZE); all of them otherwise."""
        return cls((), int(os.environ.get("RANK", "0")), int(os.environ.get("WORLD_SIZE", "1")))


def build(
    recipe: Recipe,
    out: Path,
    *,
    job: Job | None = None,
    log: Log = print,
    device: str = "auto",
    encoder: Path | None = None,
    share: Share | None = None,
) -> Built:
    """Build the bank that the recipe describes into the folder `out`; called again after an end of any kind, it goes on.

    share: which of the training jobs to do here; where others are left, nothing is written and `Built.levels` is empty.

    Raises:
        UserError: documents, anchor or encoder that are not there or do not fit, `out` holds something else, a full disk.
        Cancelled: the job was cancelled; what is done is kept.
    """
    started = time.monotonic()
    mine = share or Share.of_environment()
    _check_out(recipe, out)
    work = out.with_name(out.name + ".build")
    try:
        work.mkdir(parents=True, exist_ok=True)
        lock = WriterLock(work / "lock") if mine.rank == 0 and not mine.names else None
        try:
            built = _stages(recipe, out, work, job or Job("build"), log, device, encoder, mine)
        finally:
            if lock is not None:
                lock.release()
    except OSError as error:
        if error.errno in _FULL:
            raise UserError(f"{work}: the disk is full; free some room and build again: what is done is kept") from error
        raise UserError(f"{error.filename or out}: cannot be read or written ({error.strerror or error})") from error
    return Built(out, *built, time.monotonic() - started)


def _check_out(recipe: Recipe, out: Path) -> None:
    """Refuse to write over anything but an earlier build of the same recipe.

    Raises:
        UserError: there is something else.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out}: a file; name a new folder for the bank")
    if (out / MANIFEST).exists():
        before = {name: value for name, value in load_manifest(out).recipe.items() if name != "perplexity"}
        if before != recipe.as_json():
            raise UserError(f"{out}: already holds another bank ({load_manifest(out).name!r}); name a new folder, or remove it first")
    elif any(out.iterdir()) and not out.with_name(out.name + ".build").is_dir():
        raise UserError(f"{out}: not empty, and no bank: name a new folder")


def _stages(
    recipe: Recipe, out: Path, work: Path, job: Job, log: Log, device: str, encoder: Path | None, mine: Share
) -> tuple[list[dict[str, object]], list[float]]:
    source = find_source(recipe.anchor)
    job.title = "loading the anchor"
    job.progress(0, None)
    chat = recipe.chat if recipe.chat is not None else source.chat
    anchor = load_source(source, device=device, dtype=recipe.training.dtype, chat=chat)
    retriever = load_encoder(encoder)
    who = folder_digest(source.folder)
    job.title = "reading the documents"
    paths = [Path(path) for path in recipe.corpus]
    read = digest_of(_signature(paths), who, recipe.window, chat)
    folder = work / f"corpus-{read}"
    _wait(folder / "corpus.json", mine, job)
    corpus = read_corpus(paths, folder, anchor, recipe.window, job, log)
    shape = design(recipe, source, len(corpus))
    for note in shape.notes:
        log(note)
    log(f"corpus: {corpus.summary['documents']} documents, {len(corpus)} windows, {corpus.tokens} tokens")
    keys, grown, planted = _tree(recipe, corpus, shape, work, read, retriever, job, mine)
    held = " / ".join(str(int((documents > 0).sum())) for documents in grown.documents)
    log(f"tree: {held} clusters hold documents")
    ground = Ground(anchor, corpus, grown.paths, shape, recipe.training)
    trained = digest_of(planted, shape.layers, [layout.widths for layout in shape.layouts], recipe.training.model_dump())
    jobs = work / f"jobs-{trained}"
    todo = tasks(shape, grown, recipe.training.mode)
    stores, losses = _train(todo, ground, jobs, job, log, mine)
    try:
        if len(stores) < len(todo):
            left = [task.name for task in todo if not complete(jobs / task.name)]
            log(f"trained here: {', '.join(_chosen(todo, mine)) or 'nothing'}; left: {', '.join(left)} (in {jobs})")
            return [], losses
        return _finish(recipe, source, out, work, ground, keys, grown, stores, jobs, retriever, job, log), losses
    finally:
        for store in stores:
            store.close()


def _tree(
    recipe: Recipe, corpus: Corpus, shape: Design, work: Path, read: str, retriever: Encoder, job: Job, mine: Share
) -> tuple[Floats, Grown, str]:
    """The windows' keys, the tree over them, and the name of this state of things."""
    job.title = "encoding"
    vectors = work / f"keys-{read}.f32"
    _wait(vectors, mine, job)
    keys = encode_corpus(corpus, vectors, retriever, job)
    job.title = "growing the tree"
    planted = digest_of(read, shape.branching, recipe.tree.cap, recipe.tree.seed)
    path = work / f"tree-{planted}.safetensors"
    _wait(path, mine, job)
    if not path.exists():
        grown = grow(keys, shape.branching, recipe.tree.cap, recipe.tree.seed, job)
        arrays: dict[str, np.ndarray] = {"paths": grown.paths}
        for level, (centroids, documents) in enumerate(zip(grown.centroids, grown.documents, strict=True)):
            arrays |= {f"centroids.{level}": centroids, f"documents.{level}": documents}
        partial = path.with_suffix(".partial")
        save_file(arrays, partial)
        partial.replace(path)
    found = load_file(path)
    levels = range(len(shape.branching))
    return keys, Grown([found[f"centroids.{at}"] for at in levels], [found[f"documents.{at}"] for at in levels], found["paths"]), planted


def _train(todo: Sequence[Task], ground: Ground, jobs: Path, job: Job, log: Log, mine: Share) -> tuple[list[Store], list[float]]:
    """Run this process's jobs; the stores of all that are complete, and the losses of those that ran here."""
    names = _chosen(todo, mine)
    losses: list[float] = []
    for number, task in enumerate(todo, 1):
        folder = jobs / task.name
        if task.name not in names or complete(folder):
            continue
        job.title = f"training {number} of {len(todo)}"
        store = open_store(task, folder, ground.design, ground.part.seed)
        try:
            losses += train(task, ground, store, job, log)
        finally:
            store.close()
    while mine.world > 1 and mine.rank == 0 and not all(complete(jobs / task.name) for task in todo):
        job.title = "waiting for the other processes"
        time.sleep(_WAIT_SECONDS)
        job.breathe()
    if mine.rank:
        return [], losses
    return [open_store(task, jobs / task.name, ground.design, ground.part.seed) for task in todo if complete(jobs / task.name)], losses


def _chosen(todo: Sequence[Task], mine: Share) -> list[str]:
    names = [task.name for task in todo]
    for name in mine.names:
        if name not in names:
            raise UserError(f"no training job is called {name!r:.60}; they are {', '.join(names)}")
    return list(mine.names) or names[mine.rank :: mine.world]


def _finish(
    recipe: Recipe,
    source: Source,
    out: Path,
    work: Path,
    ground: Ground,
    keys: Floats,
    grown: Grown,
    stores: Sequence[Store],
    jobs: Path,
    retriever: Encoder,
    job: Job,
    log: Log,
) -> list[dict[str, object]]:
    shape = ground.design
    if recipe.training.mode == "cotrain":
        write_moved(ground, source, max((jobs / TOGETHER).glob("anchor-*.safetensors")), work / "anchor")
    dtype: torch.dtype = DTYPES[recipe.memory.dtype]
    levels = [
        Merged(layout, level, count, stores, dtype)
        for level, (layout, count) in enumerate(zip(shape.layouts, shape.clusters, strict=True), 1)
    ]
    job.title = "probing"
    probed = probe(ground, grown, levels, retriever, recipe.probes, job)
    log(f"perplexity on {probed.windows} windows: " + ", ".join(f"{name} {value:.2f}" for name, value in probed.perplexity.items()))
    log(f"probes: {len(probed.probes)}; {probed.elsewhere} candidates left out, whose text before routes to another leaf")
    job.title = "writing"
    job.progress(0, None)
    write_built(recipe, source, ground, keys, grown, levels, probed, out)
    log(f"bank: {out}")
    shape_rows = zip(shape.clusters, shape.widths, strict=True)
    return [{"level": level, "clusters": count, "width": width} for level, (count, width) in enumerate(shape_rows, 1)]


def _wait(path: Path, mine: Share, job: Job) -> None:
    """Processes but the first wait for what the first makes."""
    while mine.rank and not path.exists():
        time.sleep(_WAIT_SECONDS)
        job.breathe()


def _signature(paths: Sequence[Path]) -> list[list[object]]:
    """Names, lengths and times of all files of a corpus."""
    from memstudio.builder.texts import files_of

    return [[name, path.stat().st_size, path.stat().st_mtime_ns] for root in paths for path, name in files_of(root)]
