"""What a person wants of one arm of an A/B: which memory, of which revision, by which route, without which blocks. In words and back.

Reads nothing and imports no torch, so that the window and the shell can speak of arms before there is a model.
"""

from __future__ import annotations

from dataclasses import dataclass

from memstudio.bank.values import ClusterId, Memory, parse_cluster
from memstudio.errors import UserError

HEAD = "head"
FEWEST, MOST = 2, 5
"""How many arms stand side by side."""
_DIGITS = 18
"""A longer number is no revision of any study."""


@dataclass(frozen=True, slots=True)
class ArmWish:
    """How one arm is to answer.

    revision: a number, a name, or "head". route: the clusters that are fetched in place of the key's (a path, or its end alone).
    without: blocks that are fetched and not added. Only fetched memory has a revision, a route and blocks to leave out.
    """

    memory: Memory = "fetched"
    revision: int | str = HEAD
    route: tuple[ClusterId, ...] | None = None
    without: tuple[ClusterId, ...] = ()

    def __str__(self) -> str:
        """As `parse_arm` reads it."""
        if self.memory != "fetched":
            return self.memory
        revision = {HEAD: HEAD, "0": "base"}.get(str(self.revision), f"@{self.revision}")
        route = () if self.route is None else ("route:" + ",".join(map(str, self.route)),)
        without = ("without:" + ",".join(map(str, self.without)),) if self.without else ()
        parts = (*route, *without)
        return "+".join(parts if parts and revision == HEAD else (revision, *parts))

    @property
    def title(self) -> str:
        """A few words for a person."""
        if self.memory != "fetched":
            return {"none": "no memory", "generic": "generic blocks"}[self.memory]
        revision = {HEAD: "this revision", "0": "as shipped"}.get(str(self.revision), f"revision {self.revision}")
        route = "" if self.route is None else f"route to {self.route[-1]}"
        without = f"without {_few(self.without)}" if self.without else ""
        said = ", ".join(filter(None, (route, without)))
        return revision if not said else said if self.revision == HEAD else f"{revision}, {said}"


NO_MEMORY, GENERIC, SHIPPED, THIS = ArmWish("none"), ArmWish("generic"), ArmWish(revision=0), ArmWish()


def parse_arm(text: str) -> ArmWish:
    """Read `none`, `generic`, `base`, `head`, `@12`, `@name`, `route:3/17`, `without:3/17,2/4`; the last three joined by + as one likes.

    Raises:
        UserError: the text is none of these.
    """
    words = [word.strip() for word in text.split("+")]
    if words == ["none"] or words == ["generic"]:
        return ArmWish("none" if words == ["none"] else "generic")
    revision: int | str | None = None
    route: tuple[ClusterId, ...] | None = None
    without: tuple[ClusterId, ...] = ()
    for word in words:
        kind, _, rest = word.partition(":")
        if revision is None and (word in ("base", HEAD) or (word.startswith("@") and word[1:])):
            revision = _revision(word)
        elif kind == "route" and route is None:
            route = _clusters(rest)
        elif kind == "without" and not without:
            without = _clusters(rest)
        else:
            raise UserError(
                f"arm {text!r:.80}: write none, generic, base, head, @REVISION, route:3/17 or without:3/17,2/4 "
                f"(the last three can be joined: @12+without:3/17)"
            )
    return ArmWish("fetched", HEAD if revision is None else revision, route, without)


def _revision(word: str) -> int | str:
    given = {"base": "0", HEAD: HEAD}.get(word, word[1:])
    return int(given) if given.isascii() and given.isdigit() and len(given) <= _DIGITS else given


def _clusters(text: str) -> tuple[ClusterId, ...]:
    return tuple(dict.fromkeys(parse_cluster(word) for word in text.split(",")))


def _few(clusters: tuple[ClusterId, ...]) -> str:
    shown = ", ".join(map(str, clusters[:3]))
    return shown if len(clusters) <= 3 else f"{shown} and {len(clusters) - 3:,} more"
