"""One search for all that has an address in a bank: an id, a label, a term, a document's text, a token, a fact."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from memstudio.bank.overlay import resolve
from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from memstudio.jobs import Job
from memstudio.session.findings import Finding, Findings

if TYPE_CHECKING:
    from memstudio.session.looking import Looking

TOKEN = "token:"
"""What a search for the blocks that promote a token begins with: it reads every block."""
_EACH = 20
_ABOUT = 60
_ID = re.compile(r"([1-9]\d{0,2})/(\d{0,9})")


def search(session: Looking, text: str, *, limit: int = 50, job: Job | None = None) -> Findings:
    """See `Looking.search`."""
    wanted = text.strip()
    if wanted.startswith(TOKEN):
        return Findings(text, token_blocks(session, wanted[len(TOKEN) :], limit=limit, job=job or Job("search")))
    if not wanted:
        return Findings(text, (), 0)
    parts = (_ids(session, wanted), _labels(session, wanted, limit), _documents(session, wanted), _facts(session, wanted))
    return Findings(text, tuple(one for part in parts for one in part))


def _ids(session: Looking, text: str) -> list[Finding]:
    """The cluster of that id, then those whose id begins so."""
    match = _ID.fullmatch(text)
    if match is None or int(match[1]) > session.bank.tree.depth:
        return []
    level, digits, tree = int(match[1]), match[2], session.bank.tree
    present = np.flatnonzero(tree.documents[level - 1] > 0)
    begins = [index for index in present.tolist() if str(index).startswith(digits)] if digits else present[:_EACH].tolist()
    clusters = [ClusterId(level, index) for index in sorted(begins, key=lambda index: (len(str(index)), index))[:_EACH]]
    return [Finding("cluster", cluster, str(cluster), session.bank.card(cluster).label) for cluster in clusters]


def _labels(session: Looking, text: str, limit: int) -> list[Finding]:
    found, needle = [], text.casefold()
    for cluster in session.bank.search(text, limit):
        card = session.bank.card(cluster)
        if needle in card.label.casefold():
            found.append(Finding("label", cluster, card.label, str(cluster)))
        else:
            term = next((term for term in card.terms if needle in term.casefold()), text)
            found.append(Finding("term", cluster, term, f"{card.label} · {cluster}"))
    return found


def _documents(session: Looking, text: str) -> list[Finding]:
    return [
        Finding("document", cluster, _around(document.text, text), f"{document.document} · {cluster}")
        for document, cluster in session.bank.documents_with(text, _EACH)
    ]


def _around(text: str, needle: str) -> str:
    """The place in a document where the text stands."""
    at = max(0, text.casefold().find(needle.casefold()))
    start, end = max(0, at - _ABOUT // 2), at + len(needle) + _ABOUT
    return ("…" if start else "") + " ".join(text[start:end].split()) + ("…" if end < len(text) else "")


def _facts(session: Looking, text: str) -> list[Finding]:
    needle = text.casefold()
    hits = [f for f in session.facts() if needle in f"{f.prompt} {f.subject}".casefold() or needle == f.expected.casefold()][:_EACH]
    routes = session.routes([fact.prompt for fact in hits])
    return [
        Finding("fact", route[-1], f"{fact.prompt} {fact.expected}", str(route[-1]))
        for fact, route in zip(hits, routes, strict=True)
        if route
    ]


def token_blocks(session: Looking, text: str, *, limit: int, job: Job) -> tuple[Finding, ...]:
    """The blocks, as they stand at the head, with the neuron that promotes a token most, best first (projected; every block is read).

    Raises:
        UserError: the text is not one token of this anchor.
    """
    anchor, lens = session.running.anchor, session.running.lens
    token = _token(session, text)
    tree, layers = session.bank.tree, session.bank.manifest.layers
    present = [np.flatnonzero(documents > 0).tolist() for documents in tree.documents]
    blocks = [ClusterId(level, index) for level, own in enumerate(present, 1) for index in own]
    best: list[tuple[float, ClusterId, int, int]] = []
    for number, cluster in enumerate(blocks):
        if number % 16 == 0:
            job.progress(number, len(blocks))
        found = resolve(session.bank, session.overlay, cluster, session.blob)
        if found.row is None or found.cluster != cluster:
            continue
        for layer, (_, _, down) in zip(layers, session.bank.layouts[cluster.level - 1].split(found.row), strict=True):
            if down.shape[0]:
                scores = lens.promotion(down, layer, token)
                index = int(scores.argmax())
                best.append((float(scores[index]), cluster, layer, index))
    first: dict[ClusterId, tuple[float, int, int]] = {}
    for score, cluster, layer, index in sorted(best, reverse=True):
        first.setdefault(cluster, (score, layer, index))
    piece = anchor.piece(token).strip()
    return tuple(
        Finding("token", cluster, f"“{piece}” z {score:.1f}", f"{cluster} · layer {layer} neuron {index}")
        for cluster, (score, layer, index) in list(first.items())[:limit]
    )


def _token(session: Looking, text: str) -> int:
    wanted, anchor = text.strip(), session.running.anchor
    if not wanted:
        raise UserError("no token is named: write it after token:, for example token:gold")
    for written in (f" {wanted}", wanted):
        ids = anchor.plain(written)
        own = [token for token in ids if anchor.piece(token).strip() == wanted]
        if own:
            return own[0]
    raise UserError(f"{wanted:.40}: not one token of this anchor ({', '.join(anchor.piece(t).strip() for t in ids[:8])}); name one of them")
