"""The writing side of the embedded store: runs in its one writer thread and knows nothing of the event loop.

A batch of writes is one transaction and one fsync. Every SQL statement lets go of the interpreter's lock and must win
it back from a busy loop, so a batch is a fixed handful of statements however many writes it has: whole sets go in and
out as JSON or as one multi-row insert, never row by row.
"""

from __future__ import annotations

import os
import sqlite3
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from proa.store.protocol import Conflict, Entry
from proa.store.sqlite.files import connect, meta, migrate, newest_revision

# Rows a compaction step looks at, and pages it gives back: a commit waits at most for one such step.
_COMPACT_ROWS = 500
_VACUUM_PAGES = 500
_SPARE_PAGES = 1000


class Write(NamedTuple):
    """Make `key` hold `value` (None: nothing) if it is at revision `expected` (0: absent); it ends at `expires`."""

    key: str
    value: bytes | None
    expected: int
    expires: float | None


@lru_cache(maxsize=64)
def _rows(statement: str, columns: int, count: int) -> str:
    row = "(" + ",".join("?" * columns) + ")"
    return statement + ",".join([row] * count)


class Writer:
    """Owns the writing connection; every method is for the writer thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._db = connect(path)
        try:
            migrate(self._db, path)
            self.revision = newest_revision(self._db)
            self.compacted = meta(self._db, "compacted")
            (self.rows,) = self._db.execute("SELECT count(*) FROM current").fetchone()
        except BaseException:
            self._db.close()
            raise

    def expiring(self) -> list[tuple[float, str, int]]:
        """(expires, key, revision) of every key that ends by itself."""
        return self._db.execute(
            "SELECT expires, key, revision FROM current WHERE expires IS NOT NULL ORDER BY expires"
        ).fetchall()

    def commit(self, writes: list[Write]) -> list[int | Conflict]:
        """Do `writes` in order, durably; for each its revision or why it did not happen. All or none when it raises."""
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        try:
            at: dict[str, int] = msgspec.json.decode(
                db.execute(
                    "SELECT json_group_object(key, revision) FROM current"
                    " WHERE key IN (SELECT value FROM json_each(?))",
                    (msgspec.json.encode([write.key for write in writes]).decode(),),
                ).fetchone()[0]
            )
            revision, rows = self.revision, self.rows
            log: list[object] = []
            touched: dict[str, float | None] = {}
            outcome: list[int | None] = []
            conflicts: list[tuple[int, int]] = []
            for number, (key, value, expected, expires) in enumerate(writes):
                present = at.get(key, 0)
                if present != expected:
                    conflicts.append((number, present))
                    outcome.append(None)
                    continue
                revision += 1
                log += (revision, key, present or None, value)
                rows += (value is not None) - (present != 0)
                at[key] = 0 if value is None else revision
                touched[key] = expires
                outcome.append(revision)
            if log:
                db.execute(_rows("INSERT INTO log VALUES ", 4, len(log) // 4), log)
                self._index(touched, at)
            lost = {number: Conflict(self._entry(present)) for number, present in conflicts}
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self.revision, self.rows = revision, rows
        return [lost[number] if done is None else done for number, done in enumerate(outcome)]

    def compact(self, target: int) -> int:
        """One step of forgetting the history before `target`; how far it is forgotten now."""
        upper = min(target, self.compacted + _COMPACT_ROWS)
        if upper <= self.compacted:
            return self.compacted
        db = self._db
        span = (self.compacted, upper)
        db.execute("BEGIN IMMEDIATE")
        try:
            db.execute(
                "DELETE FROM log WHERE revision IN"
                " (SELECT previous FROM log WHERE revision > ? AND revision <= ? AND previous IS NOT NULL)",
                span,
            )
            db.execute("DELETE FROM log WHERE revision > ? AND revision <= ? AND value IS NULL", span)
            db.execute("UPDATE meta SET value = ? WHERE name = 'compacted'", (upper,))
            (free,) = db.execute("PRAGMA freelist_count").fetchone()
            if free > _SPARE_PAGES:
                db.execute(f"PRAGMA incremental_vacuum({min(_VACUUM_PAGES, free - _SPARE_PAGES)})").fetchall()
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self.compacted = upper
        if upper == target:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # does less while somebody reads: no harm
        return upper

    def sizes(self) -> tuple[int, int]:
        """Bytes of the database and of its write-ahead log."""
        wal = Path(f"{self._path}-wal")
        return os.path.getsize(self._path), os.path.getsize(wal) if wal.exists() else 0

    def close(self) -> None:
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._db.close()

    def _index(self, touched: dict[str, float | None], at: dict[str, int]) -> None:
        present: list[object] = []
        gone = []
        for key, expires in touched.items():
            if at[key]:
                present += (key, at[key], expires)
            else:
                gone.append(key)
        if present:
            self._db.execute(_rows("INSERT OR REPLACE INTO current VALUES ", 3, len(present) // 3), present)
        if gone:
            self._db.execute(
                "DELETE FROM current WHERE key IN (SELECT value FROM json_each(?))",
                (msgspec.json.encode(gone).decode(),),
            )

    def _entry(self, revision: int) -> Entry | None:
        if not revision:
            return None
        row = self._db.execute("SELECT key, value, revision FROM log WHERE revision = ?", (revision,)).fetchone()
        try:
            return Entry(*row)
        except TypeError:
            raise sqlite3.DatabaseError(f"log has no row {revision}, which current names") from None
