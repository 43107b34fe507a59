"""The plugin interface: what a scheduling plugin may answer, and when a pod that failed it is worth trying again.

A plugin first looks at a pod once and keeps what matters (`features`; None when the pod does not concern it), then
answers for many nodes at once. Names are upstream's, because configuration and events use them. Plugins do no I/O, hold
no state about pods and do not know each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Flag, auto
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from proa.api.core_v1 import Pod
from proa.scheduler.columns import Bools, Columns, Demand, Rows

Codes = NDArray[np.uint32]
Scores = NDArray[np.float64]
MAX_SCORE = 100.0


class Happening(Flag):
    """What changed in the cluster, as far as a waiting pod may care (upstream's ClusterEvent)."""

    NODE_ADDED = auto()
    NODE_ALLOCATABLE = auto()
    NODE_LABELS = auto()
    NODE_TAINTS = auto()
    POD_REMOVED = auto()
    POD_UPDATED = auto()


class Plugin(Protocol):
    name: str


class PreEnqueue(Plugin, Protocol):
    """Decides whether a pod may be tried at all."""

    def admits(self, pod: Pod) -> bool: ...


class Filter(Plugin, Protocol):
    """Refuses nodes. `retry_on`: what may make a refused pod fit."""

    retry_on: Happening

    def filter_features(self, pod: Pod, demand: Demand, columns: Columns) -> Any | None:
        """What of the pod matters here; None when every node passes."""

    def filter(self, features: Any, columns: Columns, rows: Rows | slice) -> Codes | Bools:
        """For each row 0 when the node passes, else bits of which each stands for one reason."""

    def reasons(self, features: Any, code: int) -> Sequence[str]:
        """The bits of a code in words, as FailedScheduling counts them."""


class Score(Plugin, Protocol):
    """Compares nodes: 0 to 100 for each, times `weight`.

    normalize: '' when scores are final, 'max' when they are scaled so that the best feasible node gets 100, 'reverse'
    when the least gets 100.
    """

    weight: int
    normalize: str

    def score_features(self, pod: Pod, demand: Demand, columns: Columns) -> Any | None:
        """What of the pod matters here; None when all nodes are equal."""

    def score(self, features: Any, columns: Columns, rows: Rows | slice) -> Scores: ...


@dataclass(frozen=True, slots=True)
class Profile:
    """An ordered set of plugins under one schedulerName."""

    scheduler_name: str
    pre_enqueue: tuple[PreEnqueue, ...]
    filters: tuple[Filter, ...]
    scores: tuple[Score, ...]
