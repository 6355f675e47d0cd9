"""CSV with a header, as a spreadsheet writes it. A list stands in one cell: a JSON list, or texts parted by `|`.

Columns: id, prompt (or question, src), expected (or answer, ground_truth, target_true), target (or target_new, alt), subject, relation
(or pred), kind, aliases, phrasings, held_out (or rephrase_prompt, rephrase), neighbours; locality and portability as a JSON list of
[prompt, answer] pairs; locality_prompt and locality_ground_truth for one probe. Others are passed over.
"""

import json
from collections.abc import Mapping, Sequence

from memstudio.bank.strictjson import strict_json
from memstudio.facts.formats import own
from memstudio.facts.formats.fields import Raw, Unusable
from memstudio.facts.values import Fact

FIELDS = own.FIELDS
DELIMITERS = (",", ";", "\t")
COLUMNS = ("id", "subject", "relation", "prompt", "expected", "target", "kind")
_LISTS = ("aliases", "phrasings", "held_out", "neighbours")
_PROBES = ("locality", "portability")
_OTHER_NAMES = {
    "question": "prompt",
    "src": "prompt",
    "answer": "expected",
    "ground_truth": "expected",
    "target_true": "expected",
    "target_new": "target",
    "alt": "target",
    "pred": "relation",
    "case_id": "id",
    "rephrase_prompt": "held_out",
    "rephrase": "held_out",
}
_FLAT = ("locality_prompt", "locality_ground_truth")
_KNOWN = {*COLUMNS, *_LISTS, *_PROBES, *_FLAT}


def columns_of(header: Sequence[str]) -> list[str]:
    """The columns by our names; "" for one that is not known.

    Raises:
        Unusable: no column of prompts, none of answers, or two that mean the same.
    """
    named = [_OTHER_NAMES.get(_plain(cell), _plain(cell)) for cell in header]
    known = [name if name in _KNOWN else "" for name in named]
    if "prompt" not in known or not {"expected", "target"} & set(known):
        raise Unusable("the first line names no columns prompt and expected (or target)")
    if twice := [name for name in known if name and known.count(name) > 1]:
        raise Unusable(f"two columns mean {twice[0]!r}")
    return known


def from_record(raw: Raw, number: int) -> Fact:
    """`raw` is {our column name: cell}; read like our own records, where an empty cell is a missing field."""
    record: dict[str, object] = {name: cell for name, cell in raw.items() if cell and name in COLUMNS}
    record |= {name: _list(str(raw[name]), name) for name in _LISTS if raw.get(name)}
    record |= {name: _probes(str(raw[name]), name) for name in _PROBES if raw.get(name)}
    if raw.get(_FLAT[0]) and raw.get(_FLAT[1]):
        already = record.setdefault("locality", [])
        if isinstance(already, list):
            already.append({"prompt": raw[_FLAT[0]], "expected": raw[_FLAT[1]]})
    return own.from_record(record, number)


def to_record(fact: Fact) -> dict[str, object]:
    """One row, all of a fact; lists as JSON."""
    row: dict[str, object] = {name: getattr(fact, name) for name in COLUMNS}
    for name in _LISTS:
        row[name] = _dump(list(getattr(fact, name)))
    for name in _PROBES:
        row[name] = _dump([[probe.prompt, probe.expected] for probe in getattr(fact, name)])
    return row


def row_of(columns: Sequence[str], cells: Sequence[str]) -> Mapping[str, object]:
    """{our column name: cell}.

    Raises:
        Unusable: more cells than columns.
    """
    if len(cells) > len(columns):
        raise Unusable(f"{len(cells)} cells, and the header names {len(columns)} columns")
    return {name: cell for name, cell in zip(columns, cells, strict=False) if name}


def _plain(cell: str) -> str:
    return cell.strip().casefold().replace(" ", "_").replace("-", "_")


def _list(cell: str, name: str) -> object:
    if not cell.lstrip().startswith("["):
        return [part.strip() for part in cell.split("|") if part.strip()]
    return _json(cell, name)


def _probes(cell: str, name: str) -> object:
    pairs = _json(cell, name)
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise Unusable(f"{name} must be a JSON list of [prompt, answer] pairs")
    return [{"prompt": prompt, "expected": expected} for prompt, expected in pairs]


def _json(cell: str, name: str) -> object:
    try:
        return strict_json(cell)
    except ValueError:
        raise Unusable(f"{name} starts like a JSON list and is none") from None


def _dump(values: list[object]) -> str:
    return json.dumps(values, ensure_ascii=False) if values else ""
