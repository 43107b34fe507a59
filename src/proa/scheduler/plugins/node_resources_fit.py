"""NodeResourcesFit: what a pod asks for must be free; nodes are compared by how much would stay free.

Source: the NodeResourcesFit plugin with the LeastAllocated (default) or MostAllocated strategy over cpu and memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from proa.api.core_v1 import Pod
from proa.rules.resources import PODS
from proa.scheduler.columns import Columns, Demand, Ints, Rows
from proa.scheduler.framework import MAX_SCORE, Codes, Happening, Scores


@dataclass(frozen=True, slots=True)
class _Wanted:
    """columns and amounts of the resources asked for; names for the reasons. The last is always one pod."""

    columns: Ints
    amounts: Ints
    bits: Codes
    names: tuple[str, ...]


class NodeResourcesFit:
    name = "NodeResourcesFit"
    retry_on = Happening.NODE_ADDED | Happening.NODE_ALLOCATABLE | Happening.POD_REMOVED
    weight = 1
    normalize = ""

    def __init__(self, strategy: Literal["LeastAllocated", "MostAllocated"] = "LeastAllocated") -> None:
        self._prefers_full = strategy == "MostAllocated"

    def filter_features(self, pod: Pod, demand: Demand, columns: Columns) -> _Wanted:
        asked = [(name, value) for name, value in demand.requests if value > 0]
        asked.append((PODS, 1))
        return _Wanted(
            np.array([columns.column(name) for name, _ in asked]),
            np.array([value for _, value in asked], np.int64),
            np.array([1 << at for at in range(len(asked))], np.uint32),
            tuple(name for name, _ in asked),
        )

    def filter(self, features: _Wanted, columns: Columns, rows: Rows | slice) -> Codes:
        free = columns.allocatable[rows][:, features.columns] - columns.requested[rows][:, features.columns]
        codes: Codes = (free < features.amounts) @ features.bits
        return codes

    def reasons(self, features: _Wanted, code: int) -> Sequence[str]:
        short = (name for at, name in enumerate(features.names) if code >> at & 1)
        return ["Too many pods" if name == PODS else f"Insufficient {name}" for name in short]

    def score_features(self, pod: Pod, demand: Demand, columns: Columns) -> Ints:
        return np.array(demand.scored, np.int64)

    def score(self, features: Ints, columns: Columns, rows: Rows | slice) -> Scores:
        capacity = columns.allocatable[rows][:, :2]
        used = columns.scored[rows] + features
        counted = np.minimum(used, capacity) if self._prefers_full else np.maximum(capacity - used, 0)
        each = counted * int(MAX_SCORE) // np.maximum(capacity, 1)
        scores: Scores = (each.sum(axis=1) // 2).astype(np.float64)
        return scores
