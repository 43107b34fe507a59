"""The nodes as columns: what filters and scores read, kept current by node and pod changes.

A row belongs to one node for as long as it exists; freed rows are reused. Every change of a row is written to a log, so
that whoever computed something from the columns can ask which rows are new since. One thread reads and writes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from proa.api.core_v1 import Node, Taint
from proa.rules.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, amounts

Rows = NDArray[np.intp]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Port = tuple[str, str, int]

_FIRST_RESOURCES = (CPU, MEMORY, EPHEMERAL_STORAGE, PODS)
_FIRST_CAPACITY = 16
# A container that asks for nothing still counts this much when nodes are compared (millicores, bytes), as upstream.
DEFAULT_CPU, DEFAULT_MEMORY = 100, 200 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Demand:
    """What one pod takes from its node. requests: by resource name. scored: cpu and memory with defaults filled in.

    ports: (protocol, host address or '', host port).
    """

    requests: tuple[tuple[str, int], ...]
    scored: tuple[int, int]
    ports: tuple[Port, ...] = ()


class Columns:
    """All nodes. `names[row]` is '' for a free row; arrays have at least `len(names)` rows."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.nodes: list[Node | None] = []
        self.row_of: dict[str, int] = {}
        self.resources: dict[str, int] = {name: at for at, name in enumerate(_FIRST_RESOURCES)}
        self.exists: Bools = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.unschedulable: Bools = np.zeros(_FIRST_CAPACITY, np.bool_)
        self.allocatable: Ints = np.zeros((_FIRST_CAPACITY, len(self.resources)), np.int64)
        self.requested: Ints = np.zeros((_FIRST_CAPACITY, len(self.resources)), np.int64)
        self.scored: Ints = np.zeros((_FIRST_CAPACITY, 2), np.int64)
        self.taint_set: NDArray[np.int32] = np.zeros(_FIRST_CAPACITY, np.int32)
        self.taint_sets: list[tuple[Taint, ...]] = [()]
        self.ports: dict[int, Counter[Port]] = {}
        self.images: dict[str, dict[int, int]] = {}
        self._taint_ids: dict[tuple[tuple[str, str, str], ...], int] = {(): 0}
        self._labels: dict[str, _LabelColumn] = {}
        self._free: list[int] = []
        self._log: list[int] = []
        self._log_start = 0

    @property
    def size(self) -> int:
        """How many rows there are, free ones included."""
        return len(self.names)

    def __len__(self) -> int:
        return len(self.row_of)

    # Changes

    def put_node(self, node: Node) -> None:
        """A node appeared or changed. What runs on it stays counted."""
        name = node.metadata.name
        row = self.row_of.get(name)
        if row is None:
            row = self._new_row(name)
        old = self.nodes[row]
        self.nodes[row] = node
        self.exists[row] = True
        self.unschedulable[row] = node.spec.unschedulable
        self.allocatable[row] = 0
        for resource, value in amounts(node.status.allocatable).items():
            column = self.column(resource)
            self.allocatable[row, column] = value
        self.taint_set[row] = self._taint_id(node.spec.taints)
        for column_ in self._labels.values():
            column_.set(row, node)
        self._put_images(row, old, node)
        self._log.append(row)

    def remove_node(self, name: str) -> None:
        """A node is gone. Pods still counted on it are forgotten with the row."""
        row = self.row_of.pop(name, None)
        if row is None:
            return
        self._put_images(row, self.nodes[row], None)
        self.names[row] = ""
        self.nodes[row] = None
        self.exists[row] = False
        self.allocatable[row] = 0
        self.requested[row] = 0
        self.scored[row] = 0
        self.ports.pop(row, None)
        self._free.append(row)
        self._log.append(row)

    def add_pod(self, row: int, demand: Demand, sign: int = 1) -> None:
        """Count a pod on a node, or with `sign=-1` no longer."""
        for resource, value in demand.requests:
            self.requested[row, self.column(resource)] += sign * value
        self.requested[row, self.resources[PODS]] += sign
        self.scored[row] += np.multiply(demand.scored, sign)
        if demand.ports:
            ports = self.ports.setdefault(row, Counter())
            for port in demand.ports:
                ports[port] += sign
            self.ports[row] = +ports
        self._log.append(row)

    # Reading

    @property
    def position(self) -> int:
        """The end of the change log, for `changed_since`."""
        return self._log_start + len(self._log)

    def changed_since(self, position: int) -> Rows | None:
        """The rows that changed after `position`, each once; None when it is cheaper to look at all of them."""
        start = position - self._log_start
        if start < 0 or (len(self._log) - start) * 4 > self.size + 16:
            self._trim()
            return None
        return np.array(sorted(set(self._log[start:])), np.intp)

    def column(self, resource: str) -> int:
        """The column of a resource; a new one appears for a resource not seen before."""
        found = self.resources.get(resource)
        if found is None:
            found = self.resources[resource] = len(self.resources)
            self.allocatable = np.pad(self.allocatable, ((0, 0), (0, 1)))
            self.requested = np.pad(self.requested, ((0, 0), (0, 1)))
        return found

    def label(self, key: str) -> _LabelColumn:
        """The values of one label; made when the first pod asks for it."""
        found = self._labels.get(key)
        if found is None:
            found = self._labels[key] = _LabelColumn(key, len(self.exists))
            for row, node in enumerate(self.nodes):
                if node is not None:
                    found.set(row, node)
        return found

    def statistics(self) -> dict[str, int]:
        return {
            "nodes": len(self.row_of),
            "rows": self.size,
            "resources": len(self.resources),
            "labels": len(self._labels),
            "taint_sets": len(self.taint_sets),
        }

    # Inside

    def _new_row(self, name: str) -> int:
        if self._free:
            row = self._free.pop()
            self.names[row] = name
        else:
            row = len(self.names)
            self.names.append(name)
            self.nodes.append(None)
            if row >= len(self.exists):
                self._grow(2 * len(self.exists))
        self.row_of[name] = row
        return row

    def _grow(self, capacity: int) -> None:
        more = capacity - len(self.exists)
        self.exists = np.pad(self.exists, (0, more))
        self.unschedulable = np.pad(self.unschedulable, (0, more))
        self.taint_set = np.pad(self.taint_set, (0, more))
        self.allocatable = np.pad(self.allocatable, ((0, more), (0, 0)))
        self.requested = np.pad(self.requested, ((0, more), (0, 0)))
        self.scored = np.pad(self.scored, ((0, more), (0, 0)))
        for column in self._labels.values():
            column.grow(capacity)

    def _taint_id(self, taints: Sequence[Taint]) -> int:
        key = tuple((each.key, each.value, each.effect) for each in taints)
        found = self._taint_ids.get(key)
        if found is None:
            found = self._taint_ids[key] = len(self.taint_sets)
            self.taint_sets.append(tuple(taints))
        return found

    def _put_images(self, row: int, old: Node | None, new: Node | None) -> None:
        before = old.status.images if old is not None else ()
        after = new.status.images if new is not None else ()
        if before == after:
            return
        for image in before:
            for name in image.names:
                rows = self.images.get(name, {})
                rows.pop(row, None)
                if not rows:
                    self.images.pop(name, None)
        for image in after:
            for name in image.names:
                self.images.setdefault(name, {})[row] = image.sizeBytes

    def _trim(self) -> None:
        """Forget the log's older part once it is longer than looking at everything would be worth."""
        if len(self._log) > 4 * self.size + 1024:
            self._log_start += len(self._log)
            self._log.clear()


class _LabelColumn:
    """One label of every node as small numbers: 0 is absent, each value has its own."""

    def __init__(self, key: str, capacity: int) -> None:
        self._key = key
        self._codes: dict[str, int] = {}
        self.codes: NDArray[np.int32] = np.zeros(capacity, np.int32)

    def set(self, row: int, node: Node) -> None:
        value = node.metadata.labels.get(self._key)
        self.codes[row] = 0 if value is None else self._codes.setdefault(value, len(self._codes) + 1)

    def grow(self, capacity: int) -> None:
        self.codes = np.pad(self.codes, (0, capacity - len(self.codes)))

    def has_any(self, values: Iterable[str], rows: Any) -> Bools:
        """Which rows have one of `values`."""
        wanted = [self._codes[each] for each in values if each in self._codes]
        found: Bools = np.isin(self.codes[rows], wanted)
        return found

    def present(self, rows: Any) -> Bools:
        found: Bools = self.codes[rows] != 0
        return found

    def compares(self, limit: int, rows: Any, *, greater: bool) -> Bools:
        """Which rows have a whole number greater (or less) than `limit`."""
        table = np.zeros(len(self._codes) + 1, np.bool_)
        for value, code in self._codes.items():
            try:
                number = int(value)
            except ValueError:
                continue
            table[code] = number > limit if greater else number < limit
        found: Bools = table[self.codes[rows]]
        return found
