"""How the workload resources differ: pod template defaults, selectors that must match and may not change."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from proa.api.apps_v1.controller_revision import ControllerRevision
from proa.api.core_v1.pod_defaults import default_pod_template
from proa.api.core_v1.pod_validation import validate_pod_spec
from proa.machinery.checks import check_amount
from proa.machinery.fields import ErrorList, Path
from proa.machinery.meta import LabelSelector
from proa.machinery.object_meta import validate_label_selector
from proa.machinery.selectors import label_selector
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_SPEC = Path("spec")
_SELECTOR = _SPEC.child("selector")
_TEMPLATE = _SPEC.child("template")


class WorkloadStrategy(DefaultStrategy):
    """What deployments, replica sets, daemon sets and stateful sets share."""

    restart_policies = ("Always",)

    def default(self, document: Document) -> None:
        default_pod_template(document)

    def prepare_for_create(self, document: Document) -> None:
        document.pop("status", None)

    def validate(self, new: Any, errors: ErrorList) -> None:
        selector, template = new.spec.selector, new.spec.template
        if selector is None:
            errors.required(_SELECTOR)
        elif not selector.matchLabels and not selector.matchExpressions:
            errors.invalid(_SELECTOR, {}, f"empty selector is invalid for {new.kind.lower()}")
        elif _is_selector(selector, errors) and not label_selector(selector).matches(template.metadata.labels):
            errors.invalid(
                _TEMPLATE.child("metadata", "labels"),
                dict(template.metadata.labels),
                "`selector` does not match template `labels`",
            )
        validate_pod_spec(template.spec, _TEMPLATE.child("spec"), errors)
        if template.spec.restartPolicy not in self.restart_policies:
            errors.unsupported(
                _TEMPLATE.child("spec", "restartPolicy"), template.spec.restartPolicy, self.restart_policies
            )
        if template.spec.activeDeadlineSeconds is not None:
            errors.forbidden(_TEMPLATE.child("spec", "activeDeadlineSeconds"), "activeDeadlineSeconds is not supported")

    def validate_update(self, new: Any, old: Any, errors: ErrorList) -> None:
        if new.spec.selector != old.spec.selector:
            errors.immutable(_SELECTOR, _plain(new.spec.selector))


class DeploymentStrategy(WorkloadStrategy):
    def default(self, document: Document) -> None:
        super().default(document)
        strategy = (document.get("spec") or {}).get("strategy")
        if strategy is not None and strategy.get("type") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            for field in ("maxUnavailable", "maxSurge"):
                if rolling.get(field) is None:
                    rolling[field] = "25%"

    def validate(self, new: Any, errors: ErrorList) -> None:
        super().validate(new, errors)
        strategy = new.spec.strategy
        at = _SPEC.child("strategy")
        rolling = strategy.rollingUpdate
        if strategy.type == "Recreate" and rolling is not None:
            errors.forbidden(at.child("rollingUpdate"), "may not be specified when strategy `type` is 'Recreate'")
        if rolling is not None:
            for field in ("maxUnavailable", "maxSurge"):
                check_amount(errors, at.child("rollingUpdate", field), getattr(rolling, field))
            if _is_zero(rolling.maxUnavailable) and _is_zero(rolling.maxSurge):
                errors.invalid(at.child("rollingUpdate", "maxUnavailable"), 0, "may not be 0 when `maxSurge` is 0")
        deadline, ready = new.spec.progressDeadlineSeconds, new.spec.minReadySeconds
        if deadline is not None and deadline <= ready:
            errors.invalid(_SPEC.child("progressDeadlineSeconds"), deadline, "must be greater than minReadySeconds")


class DaemonSetStrategy(WorkloadStrategy):
    def default(self, document: Document) -> None:
        super().default(document)
        strategy = (document.get("spec") or {}).get("updateStrategy")
        if strategy is not None and strategy.get("type") == "RollingUpdate":
            rolling = strategy.setdefault("rollingUpdate", {})
            rolling.setdefault("maxUnavailable", 1)
            rolling.setdefault("maxSurge", 0)


_STATEFUL_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)


class StatefulSetStrategy(WorkloadStrategy):
    def default(self, document: Document) -> None:
        super().default(document)
        spec = document.get("spec") or {}
        strategy = spec.get("updateStrategy")
        if strategy is not None and strategy.get("type") == "RollingUpdate":
            strategy.setdefault("rollingUpdate", {}).setdefault("partition", 0)
        for claim in spec.get("volumeClaimTemplates") or ():
            claim.setdefault("apiVersion", "v1")
            claim.setdefault("kind", "PersistentVolumeClaim")
            claim.setdefault("status", {}).setdefault("phase", "Pending")

    def validate_update(self, new: Any, old: Any, errors: ErrorList) -> None:
        fixed = [each for each in new.spec.__struct_fields__ if each not in _STATEFUL_MUTABLE]
        if any(getattr(new.spec, each) != getattr(old.spec, each) for each in fixed):
            names = ", ".join(f"'{each}'" for each in _STATEFUL_MUTABLE[:-1])
            errors.forbidden(
                _SPEC,
                f"updates to statefulset spec for fields other than {names} and '{_STATEFUL_MUTABLE[-1]}' are forbidden",
            )


class ControllerRevisionStrategy(DefaultStrategy):
    def validate(self, new: ControllerRevision, errors: ErrorList) -> None:
        if new.revision < 0:
            errors.invalid(Path("revision"), new.revision, "must be greater than or equal to 0")

    def validate_update(self, new: ControllerRevision, old: ControllerRevision, errors: ErrorList) -> None:
        if new.data != old.data:
            errors.immutable(Path("data"), new.data)


def _is_selector(selector: LabelSelector, errors: ErrorList) -> bool:
    """Whether it is well-formed; what is wrong with it is among the errors."""
    known = len(errors)
    validate_label_selector(selector, errors, _SELECTOR)
    return len(errors) == known


def _plain(selector: Any) -> Mapping[str, Any] | None:
    return to_builtins(selector) if selector is not None else None


def _is_zero(value: int | str | None) -> bool:
    return value in (0, "0%")
