"""NodeResourcesBalancedAllocation: prefers nodes whose cpu and memory would be used to the same degree."""

from __future__ import annotations

import numpy as np

from proa.api.core_v1 import Pod
from proa.rules.resources import CPU, MEMORY
from proa.scheduler.columns import Columns, Demand, Ints, Rows
from proa.scheduler.framework import MAX_SCORE, Scores


class NodeResourcesBalancedAllocation:
    name = "NodeResourcesBalancedAllocation"
    weight = 1
    normalize = ""

    def score_features(self, pod: Pod, demand: Demand, columns: Columns) -> Ints | None:
        requests = dict(demand.requests)
        asked = np.array([requests.get(CPU, 0), requests.get(MEMORY, 0)], np.int64)
        # A pod that asks for nothing cannot be placed in balance.
        return asked if asked.any() else None

    def score(self, features: Ints, columns: Columns, rows: Rows | slice) -> Scores:
        capacity = np.maximum(columns.allocatable[rows][:, :2], 1)
        used = np.minimum((columns.requested[rows][:, :2] + features) / capacity, 1.0)
        # The standard deviation of two fractions is half their distance.
        scores: Scores = np.floor((1.0 - np.abs(used[:, 0] - used[:, 1]) / 2) * MAX_SCORE)
        return scores
