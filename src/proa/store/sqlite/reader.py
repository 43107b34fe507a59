"""The reading side of the embedded store: runs in its one reader thread, each call in one snapshot.

The watch cache serves nearly all reads; this serves what it asks at start, old revisions, and whoever has no cache.
"""

from __future__ import annotations

from pathlib import Path

from proa.store.protocol import Change, CompactedError, Entry, FutureRevisionError, Page
from proa.store.sqlite.files import connect, meta, newest_revision

_WITHIN = "key >= :prefix AND key < :end AND key > :after"

# Which rows make up a range now, and as of an older revision: there, a key written since is undone to what the first of
# these writes replaced. Keys first, values joined after, so that nothing sorts values.
_NOW = f"SELECT key, revision AS at FROM current WHERE {_WITHIN}"
_THEN = f"""
WITH since AS (
    SELECT key, previous, min(revision) FROM log WHERE revision > :revision AND {_WITHIN} GROUP BY key
)
SELECT key, revision AS at FROM current WHERE {_WITHIN} AND key NOT IN (SELECT key FROM since)
UNION ALL SELECT key, previous FROM since WHERE previous IS NOT NULL
"""


class SnapshotReader:
    """Owns the reading connection; every method is for the reader thread."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)
        self._db.execute("PRAGMA query_only = ON")

    def get(self, key: str) -> Entry | None:
        row = self._db.execute(
            "SELECT log.key, value, log.revision FROM current JOIN log USING (revision) WHERE current.key = ?", (key,)
        ).fetchone()
        return None if row is None else Entry(*row)

    def range(self, prefix: str, after: str, limit: int, revision: int) -> Page:
        where = {"prefix": prefix, "end": prefix + "\U0010ffff", "after": after, "revision": revision}
        db = self._db
        db.execute("BEGIN")
        try:
            now = newest_revision(db)
            if revision > now:
                raise FutureRevisionError(revision, now)
            oldest = meta(db, "compacted")
            if revision and revision < oldest:
                raise CompactedError(revision, oldest)
            rows = _THEN if revision and revision != now else _NOW
            found = db.execute(
                f"SELECT page.key, value, revision FROM ({rows} ORDER BY key LIMIT :limit) AS page"
                " CROSS JOIN log ON at = revision",
                {**where, "limit": limit or -1},
            )
            entries = sorted(map(Entry._make, found))  # in order already, by how SQLite nests; now by contract
            remaining = 0
            if limit and len(entries) == limit:
                (count,) = db.execute(f"SELECT count(*) FROM ({rows})", where).fetchone()
                remaining = count - limit
        finally:
            db.execute("COMMIT")
        return Page(entries, revision or now, remaining)

    def changes(self, prefix: str, after: int, limit: int) -> list[Change]:
        """At most `limit` changes under `prefix` after revision `after`. Raises CompactedError."""
        db = self._db
        db.execute("BEGIN")
        try:
            oldest = meta(db, "compacted")
            if after < oldest:
                raise CompactedError(after, oldest)
            rows = db.execute(
                "SELECT log.key, log.value, log.revision, old.revision, old.value FROM log"
                " LEFT JOIN log AS old ON old.revision = log.previous"
                " WHERE log.revision > ? AND log.key >= ? AND log.key < ? ORDER BY log.revision LIMIT ?",
                (after, prefix, prefix + "\U0010ffff", limit),
            ).fetchall()
        finally:
            db.execute("COMMIT")
        return [
            Change(key, value, revision, None if old is None else Entry(key, old_value, old))
            for key, value, revision, old, old_value in rows
        ]

    def close(self) -> None:
        self._db.close()
