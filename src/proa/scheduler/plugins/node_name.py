"""NodeName: a pod that names its node goes nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from proa.api.core_v1 import Pod
from proa.scheduler.columns import Bools, Columns, Demand, Rows
from proa.scheduler.framework import Happening


class NodeName:
    name = "NodeName"
    retry_on = Happening.NODE_ADDED

    def filter_features(self, pod: Pod, demand: Demand, columns: Columns) -> str | None:
        return pod.spec.nodeName or None

    def filter(self, features: str, columns: Columns, rows: Rows | slice) -> Bools:
        refused: Bools = np.arange(len(columns.exists))[rows] != columns.row_of.get(features, -1)
        return refused

    def reasons(self, features: Any, code: int) -> Sequence[str]:
        return ("node(s) didn't match the requested node name",)
