"""zsRE as the editing papers use it (Mitchell et al. 2022, arXiv 2110.11309): src, rephrase, alt, answers, loc, loc_ans."""

from memstudio.facts.formats.fields import Raw, Unusable, name_of, spellings_of, text_of
from memstudio.facts.values import Fact, Probe

FIELDS = frozenset({"id", "subject", "relation", "prompt", "expected", "aliases", "held_out", "target", "locality"})


def is_one(raw: Raw) -> bool:
    """Whether a record looks like zsRE's."""
    return "src" in raw and ("alt" in raw or "answers" in raw)


def from_record(raw: Raw, number: int) -> Fact:
    """The first answer is expected, the others are aliases; alt is the target; the rephrasing is held out. `loc` stays as it is written."""
    answers, target = spellings_of(raw, "answers"), text_of(raw, "alt", "")
    if not answers and not target.strip():
        raise Unusable("alt and answers are both missing or empty")
    near = text_of(raw, "loc", ""), (spellings_of(raw, "loc_ans") or ("",))[0]
    return Fact(
        id=name_of(raw, "case_id", str(number)),
        subject=text_of(raw, "subject", ""),
        relation=text_of(raw, "pred", ""),
        prompt=text_of(raw, "src"),
        expected=answers[0] if answers else "",
        aliases=answers[1:],
        phrasings=(),
        held_out=spellings_of(raw, "rephrase"),
        neighbours=(),
        kind="specific",
        target=target,
        locality=(Probe(*near),) if all(part.strip() for part in near) else (),
    )


def to_record(fact: Fact) -> dict[str, object]:
    """One record. Not carried: phrasings, neighbours, kind, portability, and more than one rephrasing and one locality probe."""
    near = fact.locality[0] if fact.locality else Probe("", "")
    return {
        "case_id": fact.id,
        "subject": fact.subject,
        "src": fact.prompt,
        "pred": fact.relation,
        "rephrase": fact.held_out[0] if fact.held_out else "",
        "alt": fact.target,
        "answers": [answer for answer in (fact.expected, *fact.aliases) if answer],
        "loc": near.prompt,
        "loc_ans": near.expected,
    }
