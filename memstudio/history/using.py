"""Which blocks are used, as it was counted: the rows of prompt_sets and uses, to values and back. Checked like all of a study's rows."""

import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select

from memstudio.bank.values import ClusterId
from memstudio.errors import UserError
from memstudio.history import schema
from memstudio.history.migrations import TABLES_SINCE
from memstudio.history.rows import cluster_fault, damaged, is_count, is_digest
from memstudio.history.values import RUNS, Count, KeptUse

LONGEST_NAME = 200


def read_uses(db: Path, connection: Connection, *, runs: bool = True, sets: bool = True) -> tuple[KeptUse, ...]:
    """Single runs, sets of prompts, or both, oldest first; none in a study of a format before there was counting.

    Raises:
        UserError: a row holds what no count writes.
    """
    if int(connection.exec_driver_sql("PRAGMA user_version").scalar_one()) < TABLES_SINCE["uses"]:
        return ()
    table = schema.prompt_sets
    heads = connection.execute(select(table).order_by(table.c.id)).all()
    for row in heads:
        _check_set(db, row)
    wanted = [row for row in heads if (runs if row.digest == "" else sets)]
    counts: dict[int, dict[ClusterId, Count]] = {row.id: {} for row in wanted}
    query = select(schema.uses)
    if len(wanted) < len(heads):
        query = query.where(schema.uses.c.prompt_set.in_(list(counts)))
    for row in connection.execute(query):
        if row.prompt_set not in counts:
            raise damaged(db, f"a use belongs to the prompt set {row.prompt_set!r:.40}, which is not there")
        cluster, count = _use(db, row)
        counts[row.prompt_set][cluster] = count
    return tuple(
        KeptUse(row.name, row.digest, row.revision, row.total, row.prompts, row.measured, row.time_s, counts[row.id], row.id)
        for row in wanted
    )


def check_writable(use: KeptUse) -> None:
    """Refuse what could be written but not be read again.

    Raises:
        ValueError: a name, a digest or a figure that no count has.
    """
    head = _set_fault(use.name, use.digest, use.total, use.prompts, use.measured, use.time_s)
    faults = (cluster_fault(*cluster) or _count_fault(*count) for cluster, count in use.counts.items())
    fault = head or next(filter(None, faults), None)
    if fault is not None:
        raise ValueError(f"{use.name}: {fault}")


def write_use(connection: Connection, use: KeptUse) -> int:
    """Write a count in place of an earlier one of the same prompts at the same revision, unless that one counted more, which then stays."""
    table = schema.prompt_sets
    same = (table.c.name == use.name) & (table.c.digest == use.digest) & (table.c.revision == use.revision)
    for earlier in connection.execute(select(table).where(same)).all():
        if (earlier.prompts, earlier.measured) > (use.prompts, use.measured):
            return int(earlier.id)
        remove_use(connection, earlier.id)
    number = _insert_set(connection, use)
    _insert_counts(connection, number, use.counts)
    return number


def add_to_runs(db: Path, connection: Connection, revision: int, counts: Mapping[ClusterId, Count], *, prompts: int, measured: int) -> None:
    """Add to what single runs at a revision used.

    Raises:
        UserError: a row that is added to holds what no count writes.
    """
    sets, uses = schema.prompt_sets, schema.uses
    now = time.time()
    found = connection.execute(select(sets).where(sets.c.digest == "", sets.c.revision == revision)).first()
    if found is None:
        number = _insert_set(connection, KeptUse(RUNS, "", revision, prompts, prompts, measured, now, {}))
    else:
        _check_set(db, found)
        number = found.id
        grown = {"total": found.total + prompts, "prompts": found.prompts + prompts, "measured": found.measured + measured}
        connection.execute(sets.update().where(sets.c.id == number).values(time_s=now, **grown))
    fresh: dict[ClusterId, Count] = {}
    for cluster, count in counts.items():
        here = (uses.c.prompt_set == number) & (uses.c.level == cluster.level) & (uses.c.idx == cluster.index)
        before = connection.execute(select(uses).where(here)).first()
        if before is None:
            fresh[cluster] = count
        else:
            whole = _use(db, before)[1].plus(count)
            connection.execute(uses.update().where(here).values(**whole._asdict()))
    _insert_counts(connection, number, fresh)


def remove_use(connection: Connection, use_id: int) -> None:
    """Remove a count.

    Raises:
        UserError: there is none of that number.
    """
    connection.execute(schema.uses.delete().where(schema.uses.c.prompt_set == use_id))
    if connection.execute(schema.prompt_sets.delete().where(schema.prompt_sets.c.id == use_id)).rowcount == 0:
        raise UserError(f"count {use_id}: the study keeps none of that number; it was removed, or counted again")


def _insert_set(connection: Connection, use: KeptUse) -> int:
    done = connection.execute(
        schema.prompt_sets.insert().values(
            name=use.name,
            digest=use.digest,
            revision=use.revision,
            total=use.total,
            prompts=use.prompts,
            measured=use.measured,
            time_s=use.time_s,
        )
    )
    return int(done.lastrowid)


def _insert_counts(connection: Connection, number: int, counts: Mapping[ClusterId, Count]) -> None:
    rows = [
        {"prompt_set": number, "level": cluster.level, "idx": cluster.index, **count._asdict()} for cluster, count in sorted(counts.items())
    ]
    if rows:
        connection.execute(schema.uses.insert(), rows)


def _check_set(db: Path, row: Row[Any]) -> None:
    fault = _set_fault(row.name, row.digest, row.total, row.prompts, row.measured, row.time_s)
    if fault is None and not is_count(row.revision):
        fault = f"the revision {row.revision!r:.40}"
    if fault is not None:
        raise damaged(db, f"the prompt set {row.id!r:.40} has {fault}")


def _set_fault(name: object, digest: object, total: object, prompts: object, measured: object, time_s: object) -> str | None:
    if not isinstance(name, str) or not name or len(name) > LONGEST_NAME or not name.isprintable():
        return "no readable name"
    if not isinstance(digest, str) or not (digest == "" or is_digest(digest)):
        return f"the digest {digest!r:.80}"
    if not all(is_count(number) for number in (total, prompts, measured)):
        return f"the counts {prompts!r:.40} of {total!r:.40} and {measured!r:.40}"
    if not isinstance(time_s, float) or not math.isfinite(time_s):
        return "no time"
    return None


def _use(db: Path, row: Row[Any]) -> tuple[ClusterId, Count]:
    fault = cluster_fault(row.level, row.idx) or _count_fault(row.fetched, row.effects, row.effect_sum, row.effect_max)
    if fault is not None:
        raise damaged(db, f"a use of prompt set {row.prompt_set!r:.40}: {fault}")
    return ClusterId(row.level, row.idx), Count(row.fetched, row.effects, row.effect_sum, row.effect_max)


def _count_fault(fetched: object, effects: object, effect_sum: object, effect_max: object) -> str | None:
    if not (is_count(fetched) and is_count(effects)):
        return f"{fetched!r:.40} and {effects!r:.40} are no counts"
    if not all(isinstance(value, float) and math.isfinite(value) for value in (effect_sum, effect_max)):
        return f"the effects {effect_sum!r:.40} and {effect_max!r:.40} are not finite numbers"
    return None
