"""A plan as a file that can be read, compared and edited: JSON lines, the bank that it is for, then a step a line in their order: a block,
and where the plan mixes precisions the one that it is kept in from there on."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from memstudio.bank.strictjson import strict_json
from memstudio.bank.values import ClusterId, Overlay, Precision, parse_cluster
from memstudio.errors import UserError
from memstudio.export.plan import ExportPlan, made_plan, standing
from memstudio.export.precision import CHOICES, PRECISIONS, Choice, offered
from memstudio.replacing import replaced

if TYPE_CHECKING:
    from memstudio.bank.bank import Bank

_FORMAT, _VERSION = "memstudio-plan", 1
_MAX_BYTES = 2**30
_MAX_LINE = 4096


def write_plan(path: Path, plan: ExportPlan, count: int | None = None) -> None:
    """Write a plan, or the first `count` steps of it; an older file is replaced when all is written.

    Raises:
        UserError: it cannot be written.
    """
    with replaced(path) as part, part.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(plan_lines(plan, count))


def plan_lines(plan: ExportPlan, count: int | None = None) -> Iterator[str]:
    """The lines of the file, each with its end."""
    bank = {"name": plan.bank_name, "sha256": plan.bank_digest}
    head = {"format": _FORMAT, "version": _VERSION, "bank": bank, "revision": plan.revision, "rank_by": plan.rank_by}
    yield json.dumps(head if plan.precision == "bank" else {**head, "precision": plan.precision}, ensure_ascii=False) + "\n"
    for at in range(len(plan.levels) if count is None else count):
        line: dict[str, object] = {"cluster": f"{plan.levels[at]}/{plan.indices[at]}", "bytes": int(plan.bytes[at])}
        if plan.precision == "mixed":
            line["precision"] = PRECISIONS[plan.codes[at]]
        score = float(plan.scores[at])
        yield json.dumps(line if math.isnan(score) else {**line, "score": score}) + "\n"


def read_plan(path: Path, bank: Bank, overlay: Overlay, revision: int = 0) -> ExportPlan:
    """Read a plan for a bank under an overlay. A line needs its cluster alone, and where precisions are mixed what it is kept in; bytes are
    the bank's own.

    Raises:
        UserError: no plan, one of another bank, a block that does not stand, stands before its ancestor, or stands twice and not more
            precisely; says the line.
    """
    lines = _lines(path)
    head = next(lines, None)
    if head is None or head[1].get("format") != _FORMAT or head[1].get("version") != _VERSION:
        raise UserError(f"{path}, line 1: is no plan: it must say format {_FORMAT}, version {_VERSION}")
    _check_bank(path, head[1], bank)
    rank_by = "".join(letter for letter in str(head[1].get("rank_by", "plan")) if letter.isprintable())[:80]
    choice = head[1].get("precision", "bank")
    if choice not in CHOICES:
        raise UserError(f"{path}, line 1: precision {choice!r:.40}: is not there; {', '.join(CHOICES)} are")
    precisions = offered(bank, choice)
    stands = standing(bank, overlay)
    taken = [np.full(len(mask), -1, np.int8) for mask in stands]
    order: list[ClusterId] = []
    scores: list[float] = []
    codes: list[int] = []
    for number, line in lines:
        where = f"{path}, line {number}"
        cluster = _cluster(where, line, bank)
        if not stands[cluster.level - 1][cluster.index]:
            raise UserError(f"{where}: cluster {cluster}: no block of its own stands there: take the line out")
        code = PRECISIONS.index(_precision(where, line, precisions, choice))
        if taken[cluster.level - 1][cluster.index] >= code:
            raise UserError(f"{where}: cluster {cluster}: stands on an earlier line too, as precisely: take one out")
        for above in bank.tree.ancestors(cluster):
            if stands[above.level - 1][above.index] and taken[above.level - 1][above.index] < 0:
                raise UserError(f"{where}: cluster {cluster}: stands before {above}, which it needs above it: put that line first")
        taken[cluster.level - 1][cluster.index] = code
        order.append(cluster)
        codes.append(code)
        scores.append(_score(where, line))
    if not order:
        raise UserError(f"{path}: names no block to keep")
    pairs = np.array(order, np.int64)
    given = (np.array(scores), np.array(codes, np.int8), choice)
    return made_plan(bank, stands, rank_by, revision, pairs[:, 0], pairs[:, 1], *given, listed=True)


def _check_bank(path: Path, head: dict[str, object], bank: Bank) -> None:
    found = head.get("bank")
    digest = found.get("sha256") if isinstance(found, dict) else None
    if digest != bank.digest:
        name = str(found.get("name"))[:64] if isinstance(found, dict) else "?"
        raise UserError(
            f"{path}: is a plan for bank {name!r} ({digest!s:.12}…), this is {bank.name!r} ({bank.digest:.12}…): make one for this bank"
        )


def _cluster(where: str, line: dict[str, object], bank: Bank) -> ClusterId:
    text = line.get("cluster")
    if not isinstance(text, str):
        raise UserError(f"{where}: names no cluster")
    try:
        return bank.tree.check(parse_cluster(text))
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _precision(where: str, line: dict[str, object], precisions: Sequence[Precision], choice: Choice) -> Precision:
    """What a line keeps its block in; the plan's own where it says nothing."""
    named = line.get("precision", "bank" if choice == "mixed" else choice)
    found = next((each for each in precisions if each == named), None)
    if found is None:
        raise UserError(f"{where}: precision {named!r:.40}: is none of this plan's; {', '.join(precisions)} are")
    return found


def _score(where: str, line: dict[str, object]) -> float:
    score = line.get("score", math.nan)
    try:
        if isinstance(score, bool) or not isinstance(score, int | float):
            raise UserError(f"{where}: score: must be a number")
        return float(score)
    except OverflowError:
        raise UserError(f"{where}: score: is beyond what a number may be") from None


def _lines(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """The objects of the lines that are not blank, each with its number."""
    try:
        if not path.is_file() or path.stat().st_size > _MAX_BYTES:
            raise UserError(f"{path}: no file, or over {_MAX_BYTES:,} bytes: name a plan that --write-plan wrote")
        with path.open("rb") as stream:
            number = 0
            while raw := stream.readline(_MAX_LINE + 1):
                number += 1
                if len(raw) > _MAX_LINE:
                    raise UserError(f"{path}, line {number}: over {_MAX_LINE} bytes: is no plan")
                if raw.strip():
                    yield number, _object(path, number, raw)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}): name a plan that --write-plan wrote") from error


def _object(path: Path, number: int, raw: bytes) -> dict[str, object]:
    try:
        value = strict_json(raw)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UserError(f"{path}, line {number}: is no JSON object: write one a line")
    return value
