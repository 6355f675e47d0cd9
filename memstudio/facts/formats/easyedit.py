"""EasyEdit's flat records, as its editor takes them and as KnowEdit's files hold them.

prompt, target_new, subject, ground_truth, rephrase_prompt; locality_prompt and locality_ground_truth; locality and portability by the name
of a test ("neighborhood", "Relation_Specificity", "Reasoning", …): a list of {prompt, ground_truth}, or one such object whose two fields
may be lists of one length. A ground truth may be a text, a list of spellings, or a list of such lists; the first spelling is kept for a
probe. KnowEdit's WikiBio says text, labels and concept for prompt, target_new and subject.
"""

from collections.abc import Iterator

from memstudio.facts.formats.fields import MAX_ITEMS, Raw, Unusable, name_of, object_of, sound, spellings_of
from memstudio.facts.values import Fact, Probe

FIELDS = frozenset({"id", "subject", "prompt", "expected", "aliases", "held_out", "target", "locality", "portability"})
_OTHER_NAMES = {"text": "prompt", "labels": "target_new", "concept": "subject"}
_NO_ANSWER = "<|endoftext|>"
"""What EasyEdit's editor puts where no ground truth was given."""


def is_one(raw: Raw) -> bool:
    """Whether a record looks like EasyEdit's."""
    return ("prompt" in raw and ("target_new" in raw or "ground_truth" in raw)) or {"text", "labels", "concept"} <= set(raw)


def from_record(raw: Raw, number: int) -> Fact:
    """A prompt and one of target_new and ground_truth are required; rephrasings are held out from the editor, as the benchmark does."""
    plain = dict(raw) | {ours: raw[theirs] for theirs, ours in _OTHER_NAMES.items() if theirs in raw and ours not in raw}
    known = [answer for answer in spellings_of(plain, "ground_truth") if answer != _NO_ANSWER]
    target = _first(plain, "target_new")
    if not known and not target:
        raise Unusable("target_new and ground_truth are both missing or empty")
    flat = tuple(_pairs({"prompt": plain.get("locality_prompt"), "ground_truth": plain.get("locality_ground_truth")}, "locality_prompt"))
    return Fact(
        id=name_of(plain, "case_id") or name_of(plain, "id") or str(number),
        subject=_first(plain, "subject"),
        relation="",
        prompt=_prompt(plain),
        expected=known[0] if known else "",
        aliases=tuple(known[1:]),
        phrasings=(),
        held_out=spellings_of(plain, "rephrase_prompt"),
        neighbours=(),
        kind="specific",
        target=target,
        locality=flat + _probes(plain, "locality"),
        portability=_probes(plain, "portability"),
    )


def to_record(fact: Fact) -> dict[str, object]:
    """One record. Not carried: relation, phrasings, neighbours, kind. One rephrasing stands as a text, several as a list."""
    record: dict[str, object] = {
        "case_id": fact.id,
        "prompt": fact.prompt,
        "target_new": fact.target,
        "subject": fact.subject,
        "ground_truth": [fact.expected, *fact.aliases] if fact.aliases else fact.expected,
        "rephrase_prompt": fact.held_out[0] if len(fact.held_out) == 1 else list(fact.held_out),
    }
    for name, test in (("locality", "neighborhood"), ("portability", "reasoning")):
        if probes := getattr(fact, name):
            record[name] = {test: [{"prompt": probe.prompt, "ground_truth": probe.expected} for probe in probes]}
    return record


def _prompt(raw: Raw) -> str:
    found = _first(raw, "prompt")
    if not found:
        raise Unusable("prompt is missing or empty")
    return found


def _first(raw: Raw, name: str) -> str:
    """The text of a field, the first of them where it is a list; "" where there is none."""
    found = spellings_of(raw, name)
    return found[0] if found else ""


def _probes(raw: Raw, name: str) -> tuple[Probe, ...]:
    found: list[Probe] = []
    for test, value in object_of(raw, name).items():
        where = f"{name} {test[:80]!r}"
        for item in value if isinstance(value, list) else [value]:
            if not isinstance(item, dict):
                raise Unusable(f"{where} must be a list of objects with prompt and ground_truth")
            found += _pairs(item, where)
            if len(found) > MAX_ITEMS:
                raise Unusable(f"{name} holds over {MAX_ITEMS} probes")
    return tuple(found)


def _pairs(item: Raw, where: str) -> Iterator[Probe]:
    """The probes of one {prompt, ground_truth}. Two lists of one length are probes in turn, where each prompt has its own answer;
    a single prompt has the whole list as its spellings. Probes without an answer are left out: there is nothing to compare."""
    prompts, answers = item.get("prompt"), item.get("ground_truth")
    if not isinstance(prompts, list):
        prompts, answers = [prompts], [answers]
    elif not isinstance(answers, list) or len(prompts) == 1:
        answers = [answers]
    if len(prompts) != len(answers):
        raise Unusable(f"{where}: {len(prompts)} prompts and {len(answers)} ground truths")
    for prompt, answer in zip(prompts, answers, strict=True):
        spelled = spellings_of({"ground_truth": answer}, "ground_truth")
        if prompt is None and not spelled:
            continue
        if not isinstance(prompt, str) or not prompt.strip():
            raise Unusable(f"{where}: a prompt is missing or empty")
        if spelled:
            yield Probe(sound(prompt, where), spelled[0])
