"""The data directory of the embedded store and how its database is opened.

    DIR/            mode 0700
      store.db      the database, mode 0600 (SQLite gives store.db-wal and store.db-shm the same)
      store.lock    held by the one process that has the store open

One table is the truth: `log`, append-only, a row for each write. `current` is the index of the newest row of each key
that exists. Rows that were replaced, and deletes, leave the log when the history they belong to is compacted.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from pathlib import Path

from proa.base.errors import ProaError
from proa.store.protocol import FIRST_REVISION

WAL_PAGES = 4000
"""The writer itself checkpoints a log this long (8 KiB pages: 32 MB); `checkpoint` sees to it that it hardly must."""

SCHEMA_VERSION = 1

_SCHEMA = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE log (
    revision INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    previous INTEGER, -- the revision it replaced; NULL: it created the key
    value BLOB        -- NULL: it deleted the key
) STRICT;
CREATE TABLE current (key TEXT PRIMARY KEY, revision INTEGER NOT NULL, expires REAL) STRICT, WITHOUT ROWID;
CREATE INDEX current_expires ON current (expires) WHERE expires IS NOT NULL;
"""


class StoreError(ProaError):
    """The embedded store cannot be opened or can no longer be written; the message says what to do."""


def prepare(directory: Path) -> tuple[Path, int]:
    """Make the directory and an empty database file if they are missing, and lock; the database's path, the lock."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(directory / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise StoreError(f"{directory} is in use by another process: stop it, or use another data directory") from None
    path = directory / "store.db"
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    return path, lock


def connect(path: Path) -> sqlite3.Connection:
    """A connection for one thread, whichever it turns out to be; transactions are explicit."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=64, timeout=10.0)
    try:
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA cache_size = -4096")
    except sqlite3.DatabaseError as error:
        db.close()
        raise StoreError(f"{path} cannot be opened: {error}") from error
    return db


def migrate(db: sqlite3.Connection, path: Path) -> None:
    """Give a new file its schema; refuse one that is not ours or newer than this program."""
    try:
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        if not tables:
            db.execute("PRAGMA page_size = 8192")  # two or three typical objects a page instead of one
            db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # only possible before the first table
        (mode,) = db.execute("PRAGMA journal_mode = WAL").fetchone()
        if mode != "wal":
            raise StoreError(f"{path}: this file system cannot hold a write-ahead log: use a local one")
        db.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
        db.execute(f"PRAGMA journal_size_limit = {16 << 20}")
        if not tables:
            statements = ";".join(
                (
                    "BEGIN IMMEDIATE",
                    _SCHEMA,
                    f"INSERT INTO meta VALUES ('schema', {SCHEMA_VERSION}), ('compacted', {FIRST_REVISION})",
                    "COMMIT",
                )
            )
            db.executescript(statements)
        elif "meta" not in tables:
            raise StoreError(f"{path} is an SQLite database but not a proa store: use another data directory")
    except sqlite3.DatabaseError as error:
        raise StoreError(f"{path} cannot be opened: {error}") from error
    version = meta(db, "schema")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path} has schema {version}, this version of proa knows up to {SCHEMA_VERSION}: "
            "run a newer proa, or restore an older backup"
        )


def meta(db: sqlite3.Connection, name: str) -> int:
    row = db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise StoreError(f"the store has no {name} in its meta table: the file is damaged, restore a backup")
    return int(row[0])


def newest_revision(db: sqlite3.Connection) -> int:
    """The newest committed revision; compaction may have removed its row, a delete."""
    (newest,) = db.execute("SELECT max(revision) FROM log").fetchone()
    return max(newest or 0, meta(db, "compacted"))
