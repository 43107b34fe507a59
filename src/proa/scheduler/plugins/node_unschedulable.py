"""NodeUnschedulable: a cordoned node takes only pods that tolerate it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from proa.api.core_v1 import Pod, Taint
from proa.rules.taints import NO_SCHEDULE, UNSCHEDULABLE, find_toleration
from proa.scheduler.columns import Bools, Columns, Demand, Rows
from proa.scheduler.framework import Happening

_TAINT = Taint(key=UNSCHEDULABLE, effect=NO_SCHEDULE)


class NodeUnschedulable:
    name = "NodeUnschedulable"
    retry_on = Happening.NODE_ADDED | Happening.NODE_TAINTS

    def filter_features(self, pod: Pod, demand: Demand, columns: Columns) -> bool | None:
        return None if find_toleration(pod.spec.tolerations, _TAINT) else True

    def filter(self, features: Any, columns: Columns, rows: Rows | slice) -> Bools:
        return columns.unschedulable[rows]

    def reasons(self, features: Any, code: int) -> Sequence[str]:
        return ("node(s) were unschedulable",)
