"""SchedulingGates: a pod with gates is not tried before they are gone (KEP-3521)."""

from __future__ import annotations

from proa.api.core_v1 import Pod


class SchedulingGates:
    name = "SchedulingGates"

    def admits(self, pod: Pod) -> bool:
        return not pod.spec.schedulingGates
