"""Giving facts another answer, by rewriting the blocks that their phrasings fetch.

Two phrasings of a fact may fetch different blocks, so the routes of all of them are looked at first. What those blocks are known
to hold beside the fact is held: see `tuned` and `closed_form`, the two ways of working out the new rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from memstudio.bank.values import ClusterId
from memstudio.editing.plan import Draft
from memstudio.editing.reach import deepest_block, has_own_block, reached, residents, shared
from memstudio.errors import UserError
from memstudio.facts.values import Fact

if TYPE_CHECKING:
    from memstudio.editing.desk import Desk, Path

Method = Literal["tuned", "closed-form"]
Where = Literal["reached", "shared"]


@dataclass(frozen=True, slots=True)
class Update:
    """Have each fact's prompt and phrasings answered with its target.

    method: "tuned", gradient on the blocks, or "closed-form", least squares on their down projections.
    where: "reached", the deepest block of every phrasing's route, or "shared", the deepest one that they all pass through.
    blocks: write to these instead; each must lie on the route of some phrasing.
    """

    verb: ClassVar[str] = "update"
    facts: tuple[Fact, ...]
    method: Method = "tuned"
    where: Where = "reached"
    blocks: tuple[ClusterId, ...] = ()

    @property
    def clusters(self) -> tuple[ClusterId, ...]:
        """The blocks that the user chose."""
        return self.blocks

    @property
    def title(self) -> str:
        """One line for the log."""
        if len(self.facts) == 1:
            return f"update “{self.facts[0].prompt:.80}” → {self.facts[0].target:.40}"
        return f"update {len(self.facts)} facts"

    def draft(self, desk: Desk) -> Draft:
        """Work out the new rows on the desk's spare arm.

        Raises:
            UserError: no fact, an empty target or one without tokens, a fact given two targets, a fact whose route has no block.
        """
        from memstudio.editing.closed_form import fit_closed_form
        from memstudio.editing.lessons import changed, make_held, make_lessons
        from memstudio.editing.tuned import fit_tuned

        _check(self.facts)
        routes = {fact.id: desk.routes([fact.prompt, *fact.phrasings]) for fact in self.facts}
        blocks = self._blocks(desk, routes)
        lessons = make_lessons(desk, self.facts, routes)
        lessons = [lesson for lesson in lessons if not set(blocks).isdisjoint(lesson.path)]
        held = make_held(desk, residents(desk.facts(), desk.routes, blocks, {fact.id for fact in self.facts}), blocks)
        fit = fit_tuned if self.method == "tuned" else fit_closed_form
        fitted = fit(desk, blocks, lessons, held)
        changes = changed(desk, fitted.rows)
        if not changes:
            raise UserError(f"{self.title}: the blocks answer so already; nothing was changed")
        return Draft(changes, desk.tensors, fitted.notes, {"method": self.method, "where": self.where, **fitted.figures})

    def _blocks(self, desk: Desk, routes: dict[str, list[Path]]) -> tuple[ClusterId, ...]:
        """The blocks to write to."""
        on_routes = {cluster for paths in routes.values() for path in paths for cluster in path}
        for cluster in self.blocks:
            if desk.bank.tree.check(cluster) not in on_routes:
                raise UserError(f"cluster {cluster}: no phrasing of the facts fetches it, so writing there would change nothing")
            if not has_own_block(desk.bank, desk.overlay, cluster):
                raise UserError(f"cluster {cluster}: has no block now; restore it first, or choose another")
        for fact in self.facts:
            _require_block(desk, fact, routes[fact.id])
        if self.blocks:
            return tuple(sorted(set(self.blocks)))
        if self.where == "reached":
            return reached(desk.bank, desk.overlay, (path for paths in routes.values() for path in paths))
        found = {shared(desk.bank, desk.overlay, paths): fact for fact in self.facts for paths in (routes[fact.id],)}
        if None in found:
            raise UserError(f"“{found[None].prompt:.80}”: its phrasings share no block; write to each block that they reach instead")
        return tuple(sorted(cluster for cluster in found if cluster is not None))


def can_be_said(target: str) -> bool:
    """Whether there is anything in a target but space, control and zero-width characters."""
    return any(letter.isprintable() and not letter.isspace() for letter in target)


def _check(facts: Sequence[Fact]) -> None:
    if not facts:
        raise UserError("update: name a fact and its new answer, or a facts file with targets")
    targets: dict[str, str] = {}
    for fact in facts:
        if not can_be_said(fact.target):
            raise UserError(f"“{fact.prompt:.80}”: the new answer is empty; write one")
        if targets.setdefault(fact.prompt, fact.target) != fact.target:
            raise UserError(f"“{fact.prompt:.80}”: two new answers, {targets[fact.prompt]!r} and {fact.target!r}; keep one")


def _require_block(desk: Desk, fact: Fact, paths: Sequence[Path]) -> None:
    if all(deepest_block(desk.bank, desk.overlay, path) is None for path in paths):
        names = " › ".join(map(str, paths[0])) or "nothing"
        raise UserError(f"“{fact.prompt:.80}”: its route ({names}) has no block that could be written; restore one first")
