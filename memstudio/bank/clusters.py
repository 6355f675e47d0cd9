"""clusters.sqlite: labels, terms, exemplars and documents of the clusters, read with the standard library. Untrusted input.

Every call opens and closes its own connection, so that any thread may ask.
"""

import errno
import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from memstudio.bank.strictjson import strict_json
from memstudio.bank.values import ClusterCard, ClusterId, Exemplar
from memstudio.errors import UserError

MAX_VALUE_BYTES = 4 << 20
MAX_TERMS = 200
MAX_EXEMPLARS = 50
LABEL_TERMS, BETWEEN = 3, " · "
"""A label is made of so many terms, with this between them."""
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_TABLES = {
    "clusters": "level INT, idx INT, label TEXT, terms TEXT, documents INT, PRIMARY KEY(level, idx)",
    "exemplars": "level INT, idx INT, rank INT, document TEXT, PRIMARY KEY(level, idx, rank)",
    "documents": "id TEXT PRIMARY KEY, text TEXT, path TEXT",
}


Cluster = tuple[int, int, str, str, int]
Near = tuple[int, int, int, str]
Kept = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Document:
    """A document of the corpus; `path` holds its cluster indices, coarsest first."""

    id: str
    text: str
    path: tuple[int, ...]


class Clusters:
    """The open file. Every method raises UserError when the file is damaged or holds values of a wrong type."""

    def __init__(self, path: Path) -> None:
        """Check that the three tables are there and are tables.

        Raises:
            UserError: not such a file.
        """
        self.path = path
        with self._connection() as db:
            rows = db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall()
        plain = {name for name, sql in rows if isinstance(sql, str) and sql.upper().startswith("CREATE TABLE")}
        missing = sorted(set(_TABLES) - plain)
        if missing:
            raise UserError(f"{self.path}: no table {missing[0]!r}: not the clusters file of a bank")

    def card(self, cluster: ClusterId) -> ClusterCard:
        """Label, terms, documents and exemplars of a cluster; an empty card where the file has no row for it."""
        with self._connection() as db:
            row = db.execute("SELECT label, terms, documents FROM clusters WHERE level = ? AND idx = ?", cluster).fetchone()
            near = db.execute(
                "SELECT e.document, d.text FROM exemplars e JOIN documents d ON d.id = e.document"
                f" WHERE e.level = ? AND e.idx = ? ORDER BY e.rank LIMIT {MAX_EXEMPLARS}",
                cluster,
            ).fetchall()
        if row is None:
            return ClusterCard(cluster, "", (), 0, ())
        return self._card(cluster, row, tuple(self._exemplar(item) for item in near))

    def cards(self, level: int) -> Iterator[ClusterCard]:
        """The cards of a level in index order, without exemplars (ask `card` for one with them)."""
        with self._connection() as db:
            for index, *row in db.execute("SELECT idx, label, terms, documents FROM clusters WHERE level = ? ORDER BY idx", (level,)):
                yield self._card(ClusterId(level, self._whole(index)), tuple(row), ())

    def labels(self, level: int, count: int) -> list[str]:
        """The labels [count] of a level, "" where a cluster has none."""
        found = [""] * count
        with self._connection() as db:
            for index, label in db.execute("SELECT idx, label FROM clusters WHERE level = ?", (level,)):
                if 0 <= self._whole(index) < count:
                    found[index] = self._text(label)
        return found

    def documents_of(self, cluster: ClusterId, limit: int = 1000) -> list[Exemplar]:
        """The documents whose path goes through the cluster, by id, at most `limit` (a scan: an index over JSON is not trusted)."""
        with self._connection() as db:
            rows = db.execute(
                "SELECT id, text FROM documents WHERE json_extract(path, ?) = ? ORDER BY id LIMIT ?",
                (f"$[{cluster.level - 1}]", cluster.index, limit),
            ).fetchall()
        return [self._exemplar(row) for row in rows]

    def document(self, name: str) -> tuple[str, tuple[int, ...]] | None:
        """Text of the document of that id and the cluster indices of its path, coarsest first; None where there is none."""
        with self._connection() as db:
            row = db.execute("SELECT text, path FROM documents WHERE id = ?", (name,)).fetchone()
        if row is None:
            return None
        return self._text(row[0]), self.path_of(row[1])

    def documents_with(self, text: str, limit: int, seconds: float) -> list[tuple[str, str, tuple[int, ...]]]:
        """Documents whose id or text holds the text (case of ASCII letters ignored), by id: (id, text, cluster indices of its path).

        At most `limit`, and those that were found in so many seconds: every document is read.
        """
        like = "%" + text.strip().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_") + "%"
        found: list[tuple[str, str, tuple[int, ...]]] = []
        end = time.monotonic() + seconds
        with self._connection() as db:
            db.set_progress_handler(lambda: time.monotonic() > end, 10_000)
            rows = db.execute(
                "SELECT id, text, path FROM documents WHERE text LIKE ?1 ESCAPE '\\' OR id LIKE ?1 ESCAPE '\\' LIMIT ?2", (like, limit)
            )
            with suppress(sqlite3.OperationalError):  # interrupted: what was found by then stands
                found += ((self._text(name), self._text(body), self.path_of(path)) for name, body, path in rows)
        return found

    def path_of(self, text: object) -> tuple[int, ...]:
        """The cluster indices of a document's path."""
        try:
            path = strict_json(self._text(text))
        except ValueError:
            path = None
        if not isinstance(path, list) or not all(isinstance(index, int) and 0 <= index < 10**9 for index in path):
            raise UserError(f"{self.path}: has a value of a wrong type: a document's path must be a JSON list of numbers")
        return tuple(path)

    def search(self, text: str, limit: int = 50) -> list[ClusterId]:
        """Clusters whose label or terms hold the text, case ignored: matching labels first, coarse levels first."""
        needle = text.strip().casefold()
        if not needle:
            return []
        with self._connection() as db:
            db.create_function("holds", 1, lambda value: isinstance(value, str) and needle in value.casefold(), deterministic=True)
            rows = db.execute(
                "SELECT level, idx FROM clusters WHERE holds(label) OR holds(terms) ORDER BY holds(label) DESC, level, idx LIMIT ?",
                (limit,),
            ).fetchall()
        return [ClusterId(self._whole(level), self._whole(index)) for level, index in rows]

    @contextmanager
    def rows(self) -> Iterator[tuple[Iterator[Cluster], Iterator[Near], Iterator[Kept]]]:
        """The rows of clusters (level, index, label, terms, documents), exemplars (level, index, rank, document) and documents (id, text,
        path), each checked as it is read."""
        with self._connection() as db:
            clusters = db.execute("SELECT level, idx, label, terms, documents FROM clusters ORDER BY level, idx")
            exemplars = db.execute("SELECT level, idx, rank, document FROM exemplars ORDER BY level, idx, rank")
            documents = db.execute("SELECT id, text, path FROM documents ORDER BY id")
            yield (
                ((self._whole(a), self._whole(b), self._text(c), self._text(d), self._whole(e)) for a, b, c, d, e in clusters),
                ((self._whole(a), self._whole(b), self._whole(c), self._text(d)) for a, b, c, d in exemplars),
                ((self._text(a), self._text(b), self._text(c)) for a, b, c in documents),
            )

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection that trusts nothing the file's schema says; leaves no side files beside it."""
        db: sqlite3.Connection | None = None
        try:
            db = sqlite3.connect(f"{self.path.resolve().as_uri()}?mode=ro&immutable=1", uri=True)
            db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES)
            db.execute("PRAGMA trusted_schema = OFF")
            db.execute("PRAGMA cell_size_check = ON")
            yield db
        except (sqlite3.Error, UnicodeDecodeError, OverflowError) as error:
            if getattr(error, "sqlite_errorname", "") == "SQLITE_FULL":  # nothing is written here: it is another database's
                raise
            if not self.path.exists():
                raise UserError(f"{self.path}: the file went while the bank was open: open the bank again") from None
            raise UserError(f"{self.path}: damaged or no SQLite file ({' '.join(str(error).split())[:120]})") from None
        finally:
            if db is not None:
                db.close()

    def _card(self, cluster: ClusterId, row: tuple[object, ...], exemplars: tuple[Exemplar, ...]) -> ClusterCard:
        label, terms, documents = row
        return ClusterCard(cluster, self._text(label), self.terms_of(terms), self._whole(documents), exemplars)

    def _exemplar(self, row: tuple[object, ...]) -> Exemplar:
        return Exemplar(self._text(row[0]), self._text(row[1]))

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise UserError(f"{self.path}: has a value of a wrong type: text expected")
        return _CONTROLS.sub("\ufffd", value)  # escape sequences must not reach a terminal

    def _whole(self, value: object) -> int:
        if not isinstance(value, int):
            raise UserError(f"{self.path}: has a value of a wrong type: a whole number expected")
        return value

    def terms_of(self, value: object) -> tuple[str, ...]:
        """The terms of a row of clusters."""
        try:
            terms = strict_json(self._text(value))
        except ValueError:
            terms = None
        if not isinstance(terms, list) or not all(isinstance(term, str) for term in terms):
            raise UserError(f"{self.path}: has a value of a wrong type: terms must be a JSON list of texts")
        return tuple(terms[:MAX_TERMS])


def rewrite_clusters(source: Clusters, path: Path, left_out: Callable[[str], bool]) -> None:
    """Write the file anew without the documents whose text is to be left out, as documents and as exemplars, a row at a time.

    In the clusters that such a document lies in, a term stays only where a document of the cluster that is left holds it, and a label
    that is made of terms, or holds one that went, is made of those that stay.

    Raises:
        UserError: the source is damaged.
        OSError: the disk is full.
    """
    path.unlink(missing_ok=True)
    gone, unheld = _what_goes(source, left_out)
    db = sqlite3.connect(path)
    try:
        with _full_disk_as_such(), db, source.rows() as (clusters, exemplars, documents):
            _make_tables(db)
            db.executemany("INSERT INTO clusters VALUES (?, ?, ?, ?, ?)", (_without_terms(source, row, unheld) for row in clusters))
            db.executemany("INSERT INTO exemplars VALUES (?, ?, ?, ?)", (row for row in exemplars if row[3] not in gone))
            db.executemany("INSERT INTO documents VALUES (?, ?, ?)", (row for row in documents if row[0] not in gone))
        with _full_disk_as_such():
            db.execute("VACUUM")
    finally:
        db.close()


def _what_goes(source: Clusters, left_out: Callable[[str], bool]) -> tuple[set[str], dict[tuple[int, int], set[str]]]:
    """The ids of the documents that are left out; and of every cluster (level, index) that one of them lies in, the terms that no document
    of the cluster which is left holds."""
    gone: set[str] = set()
    touched: set[tuple[int, int]] = set()
    with source.rows() as (_, _, documents):
        for name, text, place in documents:
            if left_out(text):
                gone.add(name)
                touched.update(enumerate(source.path_of(place), 1))
    with source.rows() as (clusters, _, documents):
        unheld = {(level, index): set(source.terms_of(terms)) for level, index, _, terms, _ in clusters if (level, index) in touched}
        for name, text, place in documents if any(unheld.values()) else ():
            if name not in gone:
                for waiting in filter(None, map(unheld.get, enumerate(source.path_of(place), 1))):
                    waiting.difference_update([term for term in waiting if _holds(text, term)])
    return gone, unheld


def _without_terms(source: Clusters, row: Cluster, unheld: Mapping[tuple[int, int], set[str]]) -> Cluster:
    """A row of clusters without the terms that went."""
    level, index, label, terms, documents = row
    went = unheld.get((level, index))
    if not went:
        return row
    before = source.terms_of(terms)
    after = [term for term in before if term not in went]
    parts = label.split(BETWEEN)
    if parts == list(before[: len(parts)]) or any(_holds(label, term) for term in went):
        label = BETWEEN.join(after[: max(len(parts), LABEL_TERMS)])
    return level, index, label, json.dumps(after, ensure_ascii=False), documents


def _holds(text: str, term: str) -> bool:
    """Whether a term stands in a text as whole words, case ignored."""
    return re.search(rf"(?<!\w){re.escape(term.casefold())}(?!\w)", text.casefold()) is not None


@contextmanager
def _full_disk_as_such() -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as error:
        if error.sqlite_errorname != "SQLITE_FULL":
            raise
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _make_tables(db: sqlite3.Connection) -> None:
    for name, columns in _TABLES.items():
        db.execute(f"CREATE TABLE {name}({columns}){'' if name == 'documents' else ' WITHOUT ROWID'}")


def write_clusters(path: Path, cards: Sequence[ClusterCard], documents: Sequence[Document]) -> None:
    """Write the file anew: same cards and documents, same bytes (on one version of SQLite).

    The exemplars of a card name documents, whose texts stand among `documents` only.
    """
    path.unlink(missing_ok=True)
    db = sqlite3.connect(path)
    try:
        with db:
            _make_tables(db)
            for card in sorted(cards, key=lambda card: card.cluster):
                terms = json.dumps(card.terms, ensure_ascii=False)
                db.execute("INSERT INTO clusters VALUES (?, ?, ?, ?, ?)", (*card.cluster, card.label, terms, card.documents))
                for rank, near in enumerate(card.exemplars):
                    db.execute("INSERT INTO exemplars VALUES (?, ?, ?, ?)", (*card.cluster, rank, near.document))
            for document in sorted(documents, key=lambda document: document.id):
                db.execute("INSERT INTO documents VALUES (?, ?, ?)", (document.id, document.text, json.dumps(document.path)))
        db.execute("VACUUM")
    finally:
        db.close()
