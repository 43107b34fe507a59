"""The embedded store: one SQLite file with group commit and history that bounds itself."""

from proa.store.sqlite.backend import SqliteStore

__all__ = ["SqliteStore"]
