"""Our own records, as in a bank's facts.jsonl: one JSON object a line that carries all that a fact is."""

from typing import get_args

from memstudio.facts.formats.fields import Raw, Unusable, probes_of, text_of, texts_of
from memstudio.facts.values import Fact, Kind

FIELDS = frozenset(
    {"id", "subject", "relation", "prompt", "expected", "aliases", "phrasings", "held_out", "neighbours", "kind", "target", "locality"}
    | {"portability"}
)
KINDS: tuple[Kind, ...] = get_args(Kind)


def is_one(raw: Raw) -> bool:
    """Whether a record looks like ours."""
    return "prompt" in raw and "expected" in raw


def from_record(raw: Raw, number: int) -> Fact:
    """`prompt` and one of `expected` and `target` are required; a missing id is `number`, a missing kind `specific`."""
    if unknown := sorted(set(raw) - FIELDS):
        raise Unusable(f"unknown field {unknown[0][:80]!r}; the fields are {', '.join(sorted(FIELDS))}")
    kind = raw.get("kind", "specific")
    if kind not in KINDS:
        raise Unusable(f"kind is {str(kind)[:80]!r}; write one of {', '.join(KINDS)}")
    prompt, target = text_of(raw, "prompt"), text_of(raw, "target", "")
    return Fact(
        id=text_of(raw, "id", str(number)),
        subject=text_of(raw, "subject", ""),
        relation=text_of(raw, "relation", ""),
        prompt=prompt,
        expected=text_of(raw, "expected", "" if target.strip() else None),
        aliases=texts_of(raw, "aliases"),
        phrasings=texts_of(raw, "phrasings"),
        held_out=texts_of(raw, "held_out"),
        neighbours=texts_of(raw, "neighbours"),
        kind=kind,
        target=target,
        locality=probes_of(raw, "locality", "expected"),
        portability=probes_of(raw, "portability", "expected"),
    )


def to_record(fact: Fact) -> dict[str, object]:
    """All of a fact; target and probes only where there are any, so that a plain fact stays what older readers know."""
    record: dict[str, object] = {name: getattr(fact, name) for name in ("id", "subject", "relation", "prompt", "expected")}
    record |= {name: list(getattr(fact, name)) for name in ("aliases", "phrasings", "held_out", "neighbours")}
    record["kind"] = fact.kind
    if fact.target:
        record["target"] = fact.target
    for name in ("locality", "portability"):
        if probes := getattr(fact, name):
            record[name] = [{"prompt": probe.prompt, "expected": probe.expected} for probe in probes]
    return record
