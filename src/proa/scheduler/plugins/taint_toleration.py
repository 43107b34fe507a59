"""TaintToleration: NoSchedule and NoExecute taints refuse, PreferNoSchedule taints make a node less wanted.

Nodes with the same taints share one number, so a pod is compared with each distinct set of taints once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from proa.api.core_v1 import Pod, Toleration
from proa.rules.taints import PREFER_NO_SCHEDULE, find_toleration, find_untolerated
from proa.scheduler.columns import Bools, Columns, Demand, Rows
from proa.scheduler.framework import Happening, Scores


class TaintToleration:
    name = "TaintToleration"
    retry_on = Happening.NODE_ADDED | Happening.NODE_TAINTS
    weight = 3
    normalize = "reverse"

    def filter_features(self, pod: Pod, demand: Demand, columns: Columns) -> Tolerated:
        return Tolerated(pod.spec.tolerations)

    def filter(self, features: Tolerated, columns: Columns, rows: Rows | slice) -> Bools:
        features.learn(columns)
        refused: Bools = np.array(features.refused, np.bool_)[columns.taint_set[rows]]
        return refused

    def reasons(self, features: Any, code: int) -> Sequence[str]:
        return ("node(s) had untolerated taint(s)",)

    def score_features(self, pod: Pod, demand: Demand, columns: Columns) -> Tolerated:
        return Tolerated(pod.spec.tolerations)

    def score(self, features: Tolerated, columns: Columns, rows: Rows | slice) -> Scores:
        features.learn(columns)
        scores: Scores = np.array(features.disliked, np.float64)[columns.taint_set[rows]]
        return scores


class Tolerated:
    """What one pod's tolerations say to each set of taints: refused or not, and how many soft taints it dislikes."""

    __slots__ = ("_tolerations", "disliked", "refused")

    def __init__(self, tolerations: Sequence[Toleration]) -> None:
        self._tolerations = tuple(tolerations)
        self.refused: list[bool] = []
        self.disliked: list[int] = []

    def learn(self, columns: Columns) -> None:
        for taints in columns.taint_sets[len(self.refused) :]:
            self.refused.append(find_untolerated(taints, self._tolerations) is not None)
            soft = (each for each in taints if each.effect == PREFER_NO_SCHEDULE)
            self.disliked.append(sum(find_toleration(self._tolerations, each) is None for each in soft))
