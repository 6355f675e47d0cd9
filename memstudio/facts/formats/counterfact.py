"""CounterFact (Meng et al. 2022, arXiv 2202.05262): case_id, requested_rewrite, paraphrase_prompts, neighborhood_prompts.

A neighbourhood prompt asks for the same relation of another subject with the same true answer, so that answer is what it should keep.
"""

from memstudio.facts.formats.fields import Raw, Unusable, name_of, object_of, text_of
from memstudio.facts.formats.fields import spellings_of as spellings
from memstudio.facts.values import Fact, Probe

FIELDS = frozenset({"id", "subject", "relation", "prompt", "expected", "held_out", "target", "locality"})
_HOLE = "{}"


def is_one(raw: Raw) -> bool:
    """Whether a record looks like CounterFact's."""
    return "requested_rewrite" in raw


def from_record(raw: Raw, number: int) -> Fact:
    """The prompt's `{}` is filled with the subject; target_true is what is expected, target_new the target; paraphrases are held out."""
    wanted = object_of(raw, "requested_rewrite")
    if not wanted:
        raise Unusable("requested_rewrite is missing or empty")
    subject, template = text_of(wanted, "subject", ""), text_of(wanted, "prompt")
    if template.count(_HOLE) > 1:
        raise Unusable("the prompt of requested_rewrite holds {} more than once")
    if _HOLE in template and not subject.strip():
        raise Unusable("subject is missing or empty, and the prompt has a place for it")
    expected, target = _answer(wanted, "target_true"), _answer(wanted, "target_new")
    if not expected and not target:
        raise Unusable("target_true and target_new are both missing or empty")
    near = spellings(raw, "neighborhood_prompts") if expected else ()
    return Fact(
        id=name_of(raw, "case_id", str(number)),
        subject=subject,
        relation=text_of(wanted, "relation_id", ""),
        prompt=template.replace(_HOLE, subject),
        expected=expected,
        aliases=(),
        phrasings=(),
        held_out=spellings(raw, "paraphrase_prompts"),
        neighbours=(),
        kind="specific",
        target=target,
        locality=tuple(Probe(prompt, expected) for prompt in near),
    )


def to_record(fact: Fact) -> dict[str, object]:
    """One record. Not carried: aliases, phrasings, neighbours, kind, portability, and probes whose answer is not the fact's own.

    The prompt keeps its subject in place where it does not hold it, or where it holds a `{}` of its own.
    """
    rewrite = {
        "prompt": _template(fact),
        "relation_id": fact.relation,
        "target_new": {"str": fact.target},
        "target_true": {"str": fact.expected},
        "subject": fact.subject,
    }
    return {
        "case_id": fact.id,
        "requested_rewrite": rewrite,
        "paraphrase_prompts": list(fact.held_out),
        "neighborhood_prompts": [probe.prompt for probe in fact.locality if probe.expected == fact.expected],
    }


def _template(fact: Fact) -> str:
    if _HOLE in fact.prompt:
        raise Unusable("CounterFact has no way to write a prompt that holds {}")
    if not fact.subject.strip() or _HOLE in fact.subject or fact.subject not in fact.prompt:
        return fact.prompt
    return fact.prompt.replace(fact.subject, _HOLE, 1)


def _answer(wanted: Raw, name: str) -> str:
    return text_of(object_of(wanted, name), "str", "").strip()
