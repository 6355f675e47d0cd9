"""What a smaller bank says in words: facts, probes, their routes, labels and documents, without what a study took down."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import NDArray

from memstudio.bank.clusters import Clusters, rewrite_clusters
from memstudio.bank.files import inside, read_header
from memstudio.bank.manifest import CLUSTERS, FACTS, PROBES, ROUTES, FileRef
from memstudio.export.pouring import Told, copy_over, pour, read_pieces
from memstudio.export.silence import Gone
from memstudio.facts.formats.own import to_record
from memstudio.facts.read import prompts_of, read_facts
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank


def write_texts(bank: Bank, target: Path, gone: Gone, told: Told) -> dict[str, FileRef]:
    """Write facts, probes, routes and clusters.sqlite of a bank into another folder, as far as there are any; gives what was written.

    Nothing taken down: the files as they are. Otherwise without its facts, their routes, the documents that tell of it, and the terms
    and labels that come of these alone.

    Raises:
        UserError: a file of the bank is damaged.
        OSError: the disk is full.
    """
    names = [name for name in (FACTS, PROBES, ROUTES, CLUSTERS) if name in bank.manifest.files]
    if not (gone.facts or gone.documents):
        return {name: copy_over(bank.folder, name, target, bank.manifest.files[name], told) for name in names}
    found: dict[str, FileRef] = {}
    own = FACTS if FACTS in names else PROBES
    for name in (FACTS, PROBES):
        if name not in names:
            continue
        before = read_facts(inside(bank.folder, name))
        after = [replace(fact, neighbours=_others(fact, gone)) for fact in gone.without(before)]
        if after:
            found[name] = pour(target / name, (_line(fact) for fact in after), told)
        if name == own and ROUTES in names and after:
            found[ROUTES] = pour(target / ROUTES, [_routes(bank, before, {fact.id for fact in after})], told)
    if CLUSTERS in names:
        beside = target / f"{CLUSTERS}.new"
        rewrite_clusters(Clusters(inside(bank.folder, CLUSTERS)), beside, gone.tells)
        found[CLUSTERS] = pour(target / CLUSTERS, read_pieces(beside), told)
        beside.unlink()
    return found


def _others(fact: Fact, gone: Gone) -> tuple[str, ...]:
    return tuple(name for name in fact.neighbours if name not in gone.ids)


def _line(fact: Fact) -> bytes:
    return (json.dumps(to_record(fact), ensure_ascii=False, sort_keys=True) + "\n").encode()


def _routes(bank: Bank, facts: Sequence[Fact], kept: set[str]) -> bytes:
    """The routes file of the facts that are kept."""
    from safetensors.numpy import save

    stays = np.array([fact.id in kept for fact in facts for _ in prompts_of(fact)], bool)
    rows = read_header(bank.routes_path).array("routes", "I32", (len(stays), bank.tree.depth))
    return save({"routes": np.ascontiguousarray(cast(NDArray[np.int32], rows)[stays])})
