"""How deployments, replica sets, daemon sets and revisions differ from the generic registry.

Not here: what all workloads share (`workload`), stateful sets (`stateful_set_strategy`).
"""

from __future__ import annotations

from typing import Any

from proa.api.apps_v1.controller_revision import ControllerRevision
from proa.api.apps_v1.daemon_set import DaemonSet
from proa.api.apps_v1.deployment import Deployment
from proa.api.apps_v1.workload import SPEC, Document, WorkloadStrategy, is_zero
from proa.machinery.checks import check_amount, check_at_most_all
from proa.machinery.fields import ErrorList, Path
from proa.machinery.strategy import DefaultStrategy

_REPLICAS = {"readyReplicas": "replicas", "availableReplicas": "readyReplicas"}


class ReplicaSetStrategy(WorkloadStrategy):
    parts = {"fullyLabeledReplicas": "replicas", **_REPLICAS}
    names_pods = True


class DeploymentStrategy(WorkloadStrategy):
    parts = {"updatedReplicas": "replicas", **_REPLICAS}
    names_pods = True

    def default(self, document: Document) -> None:
        super().default(document)
        strategy = (document.get("spec") or {}).get("strategy")
        if strategy is not None and strategy.get("type") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            for field in ("maxUnavailable", "maxSurge"):
                if rolling.get(field) is None:
                    rolling[field] = "25%"

    def validate(self, new: Deployment, errors: ErrorList) -> None:
        super().validate(new, errors)
        strategy = new.spec.strategy
        rolling, at = strategy.rollingUpdate, SPEC.child("strategy", "rollingUpdate")
        if strategy.type == "Recreate" and rolling is not None:
            errors.forbidden(at, "may not be specified when strategy `type` is 'Recreate'")
        if rolling is not None:
            for field in ("maxUnavailable", "maxSurge"):
                check_amount(errors, at.child(field), getattr(rolling, field))
            check_at_most_all(errors, at.child("maxUnavailable"), rolling.maxUnavailable)
            if is_zero(rolling.maxUnavailable) and is_zero(rolling.maxSurge):
                errors.invalid(at.child("maxUnavailable"), 0, "may not be 0 when `maxSurge` is 0")
        deadline, ready = new.spec.progressDeadlineSeconds, new.spec.minReadySeconds
        if deadline is not None and deadline <= ready:
            errors.invalid(SPEC.child("progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds")


class DaemonSetStrategy(WorkloadStrategy):
    def default(self, document: Document) -> None:
        super().default(document)
        strategy = (document.get("spec") or {}).get("updateStrategy")
        if strategy is not None and strategy.get("type") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)

    def validate(self, new: DaemonSet, errors: ErrorList) -> None:
        super().validate(new, errors)
        strategy, at = new.spec.updateStrategy, SPEC.child("updateStrategy", "rollingUpdate")
        rolling = strategy.rollingUpdate
        if strategy.type != "RollingUpdate" or rolling is None:
            return
        for field in ("maxUnavailable", "maxSurge"):
            check_amount(errors, at.child(field), getattr(rolling, field))
            check_at_most_all(errors, at.child(field), getattr(rolling, field))
        without, surging = not is_zero(rolling.maxUnavailable), not is_zero(rolling.maxSurge)
        if without and surging:
            errors.invalid(at.child("maxSurge"), rolling.maxSurge, "may not be set when maxUnavailable is non-zero")
        elif not without and not surging:
            errors.required(at.child("maxUnavailable"), "cannot be 0 when maxSurge is 0")


class ControllerRevisionStrategy(DefaultStrategy):
    def validate(self, new: ControllerRevision, errors: ErrorList) -> None:
        if new.revision < 0:
            errors.invalid(Path("revision"), new.revision, "must be greater than or equal to 0")

    def validate_create(self, new: ControllerRevision, errors: ErrorList) -> None:
        data: Any = new.data
        if data is None:
            errors.required(Path("data"), "data is mandatory")
        elif not isinstance(data, dict):
            errors.required(Path("data"), "data must be a valid JSON object")

    def validate_update(self, new: ControllerRevision, old: ControllerRevision, errors: ErrorList) -> None:
        if new.data != old.data:
            errors.immutable(Path("data"), new.data)
