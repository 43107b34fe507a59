"""Bringing the write-ahead log into the database beside the writer, so that no write waits for it.

A commit that finds the log long would checkpoint it itself, and everybody who writes waits for those disk writes. A
connection of its own does the same without holding the writer up; what is written meanwhile takes a further, short
pass. The writer's own limit (files.WAL_PAGES) stays as the bound should the disk not keep up.
"""

from __future__ import annotations

from pathlib import Path

from proa.store.sqlite.files import connect

# The log starts anew only when a pass ends with nothing left, so a few short ones follow the first.
_PASSES = 4


class Checkpointer:
    """Owns a connection; every method is for one thread that is not the writer's."""

    def __init__(self, path: Path) -> None:
        self._db = connect(path)

    def run(self) -> bool:
        """Checkpoint without blocking writers or readers; whether the whole log is in the database now."""
        for _ in range(_PASSES):
            _, in_log, done = self._db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            if in_log == done:
                return True
        return False

    def close(self) -> None:
        self._db.close()
