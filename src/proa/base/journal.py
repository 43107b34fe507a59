"""The door to the teardown journal: where components write down the kernel objects they make, before they make them.

The file behind it, and how each kind is undone, belong to `proa.cluster`.
"""

from __future__ import annotations

from typing import Protocol


class Journal(Protocol):
    """`kind` and `identity` say what finds an object again, in words without a line break:

    link: its name. route: '<destination> via <gateway>' or '<destination> dev <link>'. nft-table: '<family> <table>'.
    sysctl: '<key>=<value before>'. mount, directory: a path. process: a pid file ('<pid> <start time>').
    cgroup: the path below each hierarchy's root.
    """

    def record(self, kind: str, identity: str) -> None:
        """Called before the object is made; written when it returns."""

    def forget(self, kind: str, identity: str) -> None:
        """Called after the object is gone."""


class NoJournal:
    """For whoever cleans up by itself: tests, tools, a network namespace that dies with its owner."""

    def record(self, kind: str, identity: str) -> None: ...

    def forget(self, kind: str, identity: str) -> None: ...
