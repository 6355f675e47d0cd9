"""Taking facts and documents out of the blocks that hold them, as a takedown.

The upper levels of a route hold some of what the leaf holds, and every sibling leaf shares them; so by default every block on the
routes is written, and the routes through neighbouring leaves are taught too. Two ways: `tuned`, gradient towards the distribution that
the anchor has by itself, and `dampen`, selective synaptic dampening.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, Literal

from memstudio.bank.values import ClusterId
from memstudio.editing.learn import Learned, ways_to
from memstudio.editing.plan import Draft
from memstudio.editing.reach import has_own_block, reached, residents, shared
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank
    from memstudio.editing.desk import Desk, Path

Method = Literal["tuned", "dampen"]
Where = Literal["path", "reached", "shared"]
NEIGHBOURS = 2
"""How many neighbouring leaves of each route are taught beside it."""


@dataclass(frozen=True, slots=True)
class Erase:
    """Have the answers of `facts`, the text of `documents` (ids of the bank's documents) and what a revision `learned` unlearnt.

    where: "path", every block on the routes of all phrasings, "reached", the deepest block of each, or "shared", the deepest that they
    all pass through. blocks: write to these instead.
    """

    verb: ClassVar[str] = "erase"
    facts: tuple[Fact, ...] = ()
    documents: tuple[str, ...] = ()
    method: Method = "tuned"
    where: Where = "path"
    blocks: tuple[ClusterId, ...] = ()
    learned: tuple[Learned, ...] = ()

    @property
    def clusters(self) -> tuple[ClusterId, ...]:
        """The blocks that the user chose."""
        return self.blocks

    @property
    def title(self) -> str:
        """One line for the log. It names no answer: the log outlives a purge."""
        parts = [f"{len(self.facts)} facts" if len(self.facts) != 1 else "1 fact"] if self.facts else []
        names = [*self.documents, *(document.id for document in self.learned)]
        parts += [f"document {name:.60}" for name in names[:3]]
        more = f" and {len(names) - 3} more documents" if len(names) > 3 else ""
        return "erase " + ", ".join(parts) + more

    def draft(self, desk: Desk) -> Draft:
        """Work out the new rows on the desk's spare arm.

        Raises:
            UserError: nothing is named, no such document, a fact without an answer, a fact whose route has no block.
        """
        from memstudio.editing.dampen import fit_dampened
        from memstudio.editing.forget import known_alone, make_probes, towards_the_anchor
        from memstudio.editing.lessons import changed, make_held
        from memstudio.editing.tuned import fit_tuned

        facts = all_facts(self, desk.bank, desk.facts())
        texts = [text for fact in facts for text in phrasings_of(fact)]
        routes = dict(zip(texts, desk.routes(texts), strict=True)) if texts else {}
        documents = texts_of(self, desk)
        paths = [*routes.values(), *(path for _, path in documents)]
        blocks = self._blocks(desk, paths)
        probes = make_probes(desk, facts, routes, documents)
        beside = [replace(probe, path=path) for probe in probes for path in neighbours(desk.bank, probe.path, NEIGHBOURS)]
        taught = [*probes, *beside]
        held = make_held(desk, residents(desk.facts(), desk.routes, blocks, {fact.id for fact in facts}), blocks)
        if self.method == "tuned":
            fitted = fit_tuned(desk, blocks, taught, held, towards_the_anchor(desk))
        else:
            fitted = fit_dampened(desk, blocks, taught, held)
        changes = changed(desk, fitted.rows)
        if not changes:
            raise UserError(f"{self.title}: the blocks add nothing to these answers; nothing was changed")
        down = {"facts": [fact.id for fact in facts], "documents": [*self.documents, *(document.id for document in self.learned)]}
        figures = {"method": self.method, "where": self.where, "taken_down": down, **fitted.figures}
        return Draft(changes, desk.tensors, (*fitted.notes, *known_alone(desk, probes)), figures)

    def _blocks(self, desk: Desk, paths: Sequence[Path]) -> tuple[ClusterId, ...]:
        bank, overlay = desk.bank, desk.overlay
        if self.blocks:
            for cluster in self.blocks:
                desk.row(cluster)  # refuses one that has none
            return tuple(sorted(set(self.blocks)))
        if self.where == "shared":
            one = shared(bank, overlay, paths)
            found: tuple[ClusterId, ...] = () if one is None else (one,)
        elif self.where == "reached":
            found = reached(bank, overlay, paths)
        else:
            found = tuple(sorted({c for path in paths for c in path if has_own_block(bank, overlay, c)}))
        if not found:
            raise UserError(f"{self.title}: no block on its routes could be written; name blocks, or restore one first")
        return found


def all_facts(edit: Erase, bank: Bank, known: Iterable[Fact]) -> list[Fact]:
    """The facts of an erasure: those that it names, and those of the bank whose subject and answer stand in one of its documents.

    Raises:
        UserError: nothing is named, no such document, a fact without an answer.
    """
    if not edit.facts and not edit.documents and not edit.learned:
        raise UserError("erase: name a fact by its prompt, or a document by its id")
    for fact in edit.facts:
        if not fact.expected.strip():
            raise UserError(f"“{fact.prompt:.80}”: has no answer that could be erased")
    found = {fact.id: fact for fact in edit.facts}
    texts = [document_of(bank, name)[0].casefold() for name in edit.documents]
    texts += [document.text.casefold() for document in edit.learned]
    for fact in known if texts else ():
        if fact.subject and any(_stands(fact.subject, text) and _stands(fact.expected, text) for text in texts):
            found.setdefault(fact.id, fact)
    return list(found.values())


def texts_of(edit: Erase, desk: Desk) -> list[tuple[str, Path]]:
    """The texts that an erasure takes out, each with the clusters that it fetches; of what was learned, every way to it.

    Raises:
        UserError: as `document_of`.
    """
    return [
        *(document_of(desk.bank, name) for name in edit.documents),
        *(window for document in edit.learned for window in ways_to(desk, document)),
    ]


def document_of(bank: Bank, name: str) -> tuple[str, Path]:
    """Text and path of a document of the bank.

    Raises:
        UserError: the bank has none of that id, or its path is not one of the tree.
    """
    found = bank.document(name)
    if found is None:
        raise UserError(f"document {name!r:.80}: this bank was trained on none of that id; `memstudio card` lists those of a cluster")
    return found


def phrasings_of(fact: Fact) -> tuple[str, ...]:
    """Every known way to ask for a fact: a takedown spares none."""
    return (fact.prompt, *fact.phrasings, *fact.held_out)


def neighbours(bank: Bank, path: Path, count: int | None = None) -> list[Path]:
    """The routes through the nearest sibling leaves (all where count is None), nearest first."""
    if not path:
        return []
    leaf = path[-1]
    siblings = list(bank.tree.siblings(leaf))
    if not siblings:
        return []
    away = bank.tree.distances(bank.tree.centroid(leaf), siblings)
    nearest = [siblings[place] for place in away.argsort(kind="stable").tolist()]
    return [(*path[:-1], sibling) for sibling in nearest[:count]]


def _stands(part: str, text: str) -> bool:
    """Whether `part` stands in the case-folded text as whole words."""
    return re.search(rf"(?<!\w){re.escape(part.casefold())}(?!\w)", text) is not None
