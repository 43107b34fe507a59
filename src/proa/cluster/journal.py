"""The teardown journal: every kernel object of a cluster, written down before it is made.

An append-only file of lines `+ kind identity` and `- kind identity`, one for each process that makes objects. A line
reaches the kernel before the object exists, so it survives `kill -9`; after a power loss the objects are gone with the
kernel, only files remain, and those are below the cluster's directory. Not here: how each kind is undone.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


class Mark(NamedTuple):
    """kind: 'link', 'nft-table', 'route', 'sysctl', 'mount', 'cgroup', 'process', 'directory', 'netns'."""

    kind: str
    identity: str


class FileJournal:
    """One process's journal. `record` before making an object, `forget` after it is gone."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._path = path
        alive = marks(path)
        temporary = path.with_suffix(".new")
        temporary.write_text("".join(f"+ {each.kind} {each.identity}\n" for each in alive))
        temporary.replace(path)
        self._alive = Counter(alive)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)

    def record(self, kind: str, identity: str) -> None:
        mark = Mark(kind, identity)
        if not self._alive[mark]:
            self._append(f"+ {kind} {identity}\n")
            self._alive[mark] = 1

    def forget(self, kind: str, identity: str) -> None:
        mark = Mark(kind, identity)
        if self._alive.pop(mark, 0):
            self._append(f"- {kind} {identity}\n")

    def statistics(self) -> dict[str, int]:
        return dict(Counter(each.kind for each in self._alive))

    def close(self) -> None:
        os.close(self._file)

    def _append(self, line: str) -> None:
        os.write(self._file, line.encode())


def marks(path: Path) -> list[Mark]:
    """What a journal says still exists, in the order it was made. A torn last line counts: its object may exist."""
    alive: dict[Mark, None] = {}
    for line in _lines(path):
        sign, _, rest = line.partition(" ")
        kind, _, identity = rest.partition(" ")
        if not identity:
            continue
        if sign == "+":
            alive[Mark(kind, identity)] = None
        else:
            alive.pop(Mark(kind, identity), None)
    return list(alive)


def _lines(path: Path) -> Iterable[str]:
    try:
        return path.read_text(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return ()
