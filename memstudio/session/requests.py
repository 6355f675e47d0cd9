"""From a prompt and a new answer to a request that an edit can take: the fact with its phrasings, and where each of them routes."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memstudio.anchor.wish import Wish
from memstudio.bank.values import ClusterId, Exemplar
from memstudio.editing.phrasings import Drafted, draft_phrasings, guess_subject
from memstudio.editing.reach import deepest_block, reached, residents, shared
from memstudio.errors import UserError
from memstudio.facts.values import Fact
from memstudio.jobs import Job

if TYPE_CHECKING:
    from memstudio.session.session import Session

_FROM_FACTS = "the bank's facts"
_MOST_DOCUMENTS = 200


@dataclass(frozen=True, slots=True)
class Request:
    """A fact to change, as it stands before the edit.

    fact: with its target and the phrasings that the editor is to see. drafted: those phrasings with their sources, in order.
    routes: of the prompt, then of each phrasing. answer: what the prompt answers now. reached: the deepest block of each route,
    each once; shared: the deepest block that all routes have in common. held: how many other facts fetch a reached block.
    """

    fact: Fact
    drafted: tuple[Drafted, ...]
    routes: tuple[tuple[ClusterId, ...], ...]
    answer: str
    reached: tuple[ClusterId, ...]
    shared: ClusterId | None
    held: int


def request(session: Session, prompt: str, target: str, phrasings: Sequence[str] | None, subject: str | None, job: Job) -> Request:
    """See `Session.request`."""
    text = prompt.strip()
    if not text:
        raise UserError("the prompt is empty: write the prompt whose answer is to change")
    known = known_fact(session, text)
    answer = _answer(session, known.prompt if known else text)
    job.breathe()
    if phrasings is not None:
        drafted = tuple(Drafted(given.strip(), "given") for given in dict.fromkeys(phrasings) if given.strip() and given.strip() != text)
    elif known is not None:
        drafted = tuple(Drafted(phrasing, _FROM_FACTS) for phrasing in known.phrasings)
    else:
        drafted = tuple(_draft(session, text, subject, (answer, target)))
    texts = tuple(draft.text for draft in drafted)
    if known is not None:
        withheld = tuple(each for each in known.held_out if each not in texts)
        fact = dataclasses.replace(known, target=target.strip(), phrasings=texts, held_out=withheld)
    else:
        name = subject if subject is not None else guess_subject(text, (fact.subject for fact in session.facts()))
        fact = Fact(text, name, "", text, answer, (), texts, (), (), "specific", target=target.strip())
    routes = tuple(session.routes([fact.prompt, *texts]))
    blocks = reached(session.bank, session.overlay, routes)
    held = {found.fact.id for found in residents(session.facts(), session.routes, blocks, {fact.id})}
    return Request(fact, drafted, routes, answer, blocks, shared(session.bank, session.overlay, routes), len(held))


def known_fact(session: Session, prompt: str) -> Fact | None:
    """The bank's fact with that prompt, else with that phrasing."""
    facts = session.facts()
    by_prompt = next((fact for fact in facts if fact.prompt == prompt), None)
    return by_prompt or next((fact for fact in facts if prompt in fact.phrasings or prompt in fact.held_out), None)


def _answer(session: Session, prompt: str) -> str:
    """What a prompt answers at the head, up to its first mark."""
    from memstudio.anchor.engine import answers

    arm = session.running.spare
    arm.fetch(Wish("fetched", session.routes([prompt])[0]), session.overlay, session.blob)
    return answers(arm.attached, [session.running.encode(prompt)])[0]


def _draft(session: Session, prompt: str, subject: str | None, answers: Sequence[str]) -> list[Drafted]:
    name = subject if subject is not None else guess_subject(prompt, (fact.subject for fact in session.facts()))
    route = session.routes([prompt])[0]
    leaf = deepest_block(session.bank, session.overlay, route)
    documents: list[Exemplar] = session.bank.documents_of(leaf, _MOST_DOCUMENTS) if leaf is not None else []
    return draft_phrasings(prompt, name, answers, documents)
