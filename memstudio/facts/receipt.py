"""A receipt: what an edit did, from measured answers. No model is needed here.

Every share is by free greedy generation, comes with its count, its 95% interval and its protocol, and what was not measured is
written "not measured", never 0.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from memstudio.facts.score import answer_of, is_correct
from memstudio.facts.statistics import NOT_MEASURED, Proportion, proportion

Role = Literal["taught", "withheld", "resident", "portability"]
LISTED = 256
ROOM = 24
"""An answer is at most so many tokens."""
NAMES = ("reliability", "generalization", "generalization_reached", "locality", "portability", "outside_identical")
_PROTOCOL = {
    "reliability": "the edited prompts and the phrasings that the editor saw, answered as wanted",
    "generalization": "phrasings withheld from the editor and answered rightly before, answered as wanted",
    "generalization_reached": "those of them that fetch a written block",
    "locality": "other prompts that fetch a changed block, answered as before",
    "portability": "prompts that should follow from the edit, answered so",
    "outside_identical": "prompts that fetch no changed block, logits bit-identical on the reference path",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """A prompt answered before and after an edit.

    wanted: the answer that it should have now; for an erasure "", and `old` should be gone unless the anchor says it by itself, as in
    `alone`, its answer without any memory. reached: it fetches a changed block.
    """

    fact: str
    role: Role
    prompt: str
    before: str
    after: str
    old: str
    aliases: tuple[str, ...]
    wanted: str
    reached: bool
    alone: str = ""

    @property
    def as_wanted(self) -> bool:
        if not self.wanted:
            return not is_correct(self.after, self.old, self.aliases) or is_correct(self.alone, self.old, self.aliases)
        return is_correct(self.after, self.wanted)

    @property
    def right_before(self) -> bool:
        return not self.old or is_correct(self.before, self.old, self.aliases)

    @property
    def unchanged(self) -> bool:
        return answer_of(self.before).casefold() == answer_of(self.after).casefold()


@dataclass(frozen=True, slots=True)
class Difference:
    """A changed block: digests before and after ("pruned", "none"), and the L2 norm of the difference in float32."""

    cluster: str
    before: str
    after: str
    norm: float


def make_receipt(
    answers: Sequence[Measured],
    outside: Proportion,
    differences: Sequence[Difference],
    residents: int,
    seed: int,
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """The measured part of a receipt (JSON values). residents: how many co-resident prompts there are, of which some were sampled."""
    by_role: dict[str, list[Measured]] = {}
    for answer in answers:
        by_role.setdefault(answer.role, []).append(answer)
    withheld = [answer for answer in by_role.get("withheld", ()) if answer.right_before]
    local = by_role.get("resident", [])
    counted = {
        "reliability": proportion(answer.as_wanted for answer in by_role.get("taught", ())),
        "generalization": proportion(answer.as_wanted for answer in withheld),
        "generalization_reached": proportion(answer.as_wanted for answer in withheld if answer.reached),
        "locality": proportion(answer.unchanged for answer in local),
        "portability": proportion(answer.as_wanted for answer in by_role.get("portability", ())),
        "outside_identical": outside,
    }
    changed = [answer for answer in local if not answer.unchanged]
    sampled = f"; sample of {len(local)} of {residents} co-resident prompts, seed {seed}" if len(local) < residents else ""
    return {
        **{name: NOT_MEASURED if share.share is None else share.share for name, share in counted.items()},
        "proportions": {
            name: {**share.json(), "protocol": _PROTOCOL[name] + (sampled if name == "locality" else "")}
            for name, share in counted.items()
            if share.n
        },
        "answers": [
            {"fact": a.fact, "prompt": a.prompt, "before": a.before, "after": a.after, "target": a.wanted, "role": a.role}
            for a in (*by_role.get("taught", ()), *by_role.get("withheld", ()), *by_role.get("portability", ()))
        ][:LISTED],
        "changed": [{"fact": a.fact, "prompt": a.prompt, "before": a.before, "after": a.after} for a in changed[:LISTED]],
        "changed_count": len(changed),
        "residents": residents,
        "digests": [{"cluster": d.cluster, "before": d.before, "after": d.after, "norm": d.norm} for d in differences[:LISTED]],
        "seconds": dict(seconds),
        "protocol": f"free greedy generation up to the first full stop or line end, at most {ROOM} tokens{sampled}",
        "measured": True,
    }


def present(receipt: Mapping[str, Any]) -> list[str]:
    """A receipt in a few lines for people; it may come from anybody, so nothing in it is taken for granted."""
    if not receipt.get("measured"):
        return ["not measured"]
    lines = [f"{name.replace('_', ' ')} {_share(receipt, name)}" for name in NAMES if name in receipt]
    changed = receipt.get("changed")
    if isinstance(changed, list) and receipt.get("locality") != NOT_MEASURED:
        count = receipt.get("changed_count", len(changed))
        lines.append(f"co-resident answers that changed: {count}" if count else "no co-resident answer changed")
    lines += still_known(receipt)
    seconds = receipt.get("seconds")
    if isinstance(seconds, Mapping):
        lines.append(", ".join(f"{name} {value:.1f} s" for name, value in seconds.items() if isinstance(value, int | float)))
    gate = receipt.get("gate")
    if isinstance(gate, Mapping) and gate.get("broken"):
        lines.append(f"gate: {'; '.join(map(str, gate['broken']))}; went on because: {gate.get('reason', '')}")
    return lines


def still_known(receipt: Mapping[str, Any]) -> list[str]:
    """What other paths still answer of what was taken out, in lines; none where that was not asked. See `session.elsewhere`."""
    asked = receipt.get("elsewhere")
    rows = asked.get("known") if isinstance(asked, Mapping) else None
    if not isinstance(asked, Mapping) or not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        return []
    still = [row for row in rows if row.get("count")]
    lines = [f"still known on other paths: {len(still)} of {len(rows)} facts asked (of {asked.get('of')})"]
    for row in still:
        paths = row.get("paths")
        first = paths[0] if isinstance(paths, list) and paths and isinstance(paths[0], Mapping) else {}
        likeliest = f", likeliest on {first.get('at')} with p {first['p']:.2f}" if isinstance(first.get("p"), float) else ""
        lines.append(f"“{row.get('prompt')}” {row.get('expected')}: on {row.get('count')} of {asked.get('paths')} other paths{likeliest}")
    return lines


def _share(receipt: Mapping[str, Any], name: str) -> str:
    counted = receipt.get("proportions")
    found = counted.get(name) if isinstance(counted, Mapping) else None
    try:
        share = Proportion(int(found["k"]), int(found["n"])) if isinstance(found, Mapping) else Proportion(0, 0)
    except (KeyError, TypeError, ValueError, OverflowError):
        return "not readable"
    if share.share is None or share.low is None or share.high is None or not math.isfinite(share.share):
        return NOT_MEASURED
    return f"{share.k} of {share.n} ({share.share:.3f}, 95% {share.low:.3f} to {share.high:.3f})"
