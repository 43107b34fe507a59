"""How stateful sets differ from other workloads: volumes of their own for each pod, and little that may change."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from proa.api.apps_v1.stateful_set import StatefulSet, StatefulSetUpdateStrategy
from proa.api.apps_v1.workload import SPEC, Document, WorkloadStrategy, is_zero
from proa.api.core_v1.storage_strategies import validate_claim_spec
from proa.api.core_v1.template import PodTemplateSpec
from proa.api.core_v1.volume import PersistentVolumeClaimVolumeSource, Volume
from proa.api.core_v1.volume_warnings import claim_spec_warnings
from proa.machinery.checks import check_amount, check_at_most_all, check_names, check_not_negative
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label

_MUTABLE = (
    "replicas",
    "ordinals",
    "template",
    "updateStrategy",
    "revisionHistoryLimit",
    "persistentVolumeClaimRetentionPolicy",
    "minReadySeconds",
)
_RETENTION = ("Delete", "Retain")


class StatefulSetStrategy(WorkloadStrategy):
    parts = {
        "readyReplicas": "replicas",
        "currentReplicas": "replicas",
        "updatedReplicas": "replicas",
        "availableReplicas": "readyReplicas",
    }

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

    def template_of(self, new: StatefulSet) -> PodTemplateSpec:
        """The controller names the pods and gives them the volumes of their claims."""
        template = new.spec.template
        claims = tuple(each.metadata.name for each in new.spec.volumeClaimTemplates)
        volumes = tuple(
            Volume(name=each, persistentVolumeClaim=PersistentVolumeClaimVolumeSource(claimName=each))
            for each in claims
        ) + tuple(each for each in template.spec.volumes if each.name not in claims)
        spec = replace(template.spec, subdomain="", hostname="", volumes=volumes)
        return PodTemplateSpec(metadata=template.metadata, spec=spec)

    def validate(self, new: StatefulSet, errors: ErrorList) -> None:
        super().validate(new, errors)
        spec = new.spec
        _validate_update_strategy(spec.updateStrategy, SPEC.child("updateStrategy"), errors)
        policy, at = spec.persistentVolumeClaimRetentionPolicy, SPEC.child("persistentVolumeClaimRetentionPolicy")
        if policy is not None:
            for field in ("whenDeleted", "whenScaled"):
                if getattr(policy, field) not in _RETENTION:
                    errors.unsupported(at.child(field), getattr(policy, field), _RETENTION)
        if spec.ordinals is not None:
            check_not_negative(errors, SPEC.child("ordinals", "start"), spec.ordinals.start)

    def validate_create(self, new: StatefulSet, errors: ErrorList) -> None:
        name = new.spec.serviceName
        if name:
            check_names(errors, SPEC.child("serviceName"), name, dns1123_label(name))
        check_names(errors, Path("metadata", "name"), new.metadata.name, dns1123_label(new.metadata.name))
        for position, claim in enumerate(new.spec.volumeClaimTemplates):
            at = SPEC.child("volumeClaimTemplates").index(position).child("spec")
            validate_claim_spec(claim.spec, at, errors)

    def validate_update(self, new: Any, old: Any, errors: ErrorList) -> None:
        fixed = [each for each in new.spec.__struct_fields__ if each not in _MUTABLE]
        if any(getattr(new.spec, each) != getattr(old.spec, each) for each in fixed):
            names = ", ".join(f"'{each}'" for each in _MUTABLE[:-1])
            errors.forbidden(
                SPEC, f"updates to statefulset spec for fields other than {names} and '{_MUTABLE[-1]}' are forbidden"
            )
        if new.status != old.status:
            self.validate_status(new.status, old.status, errors)

    def warnings(self, new: StatefulSet, old: StatefulSet | None) -> list[str]:
        found = super().warnings(new, old)
        for position, claim in enumerate(new.spec.volumeClaimTemplates):
            found += claim_spec_warnings(claim.spec, SPEC.child("volumeClaimTemplates").index(position))
        limit = new.spec.revisionHistoryLimit
        if limit is not None and limit < 0:
            kept = "a negative value retains all historical revisions; a value >= 0 is recommended"
            found.append(f"spec.revisionHistoryLimit: {kept}")
        return found


def _validate_update_strategy(strategy: StatefulSetUpdateStrategy, path: Path, errors: ErrorList) -> None:
    rolling, at = strategy.rollingUpdate, path.child("rollingUpdate")
    if rolling is None:
        return
    if strategy.type == "OnDelete":
        errors.invalid(at, rolling, "only allowed for updateStrategy 'RollingUpdate'")
        return
    check_not_negative(errors, at.child("partition"), rolling.partition)
    most = rolling.maxUnavailable
    if most is not None:
        check_amount(errors, at.child("maxUnavailable"), most)
        check_at_most_all(errors, at.child("maxUnavailable"), most)
        if is_zero(most):
            errors.invalid(at.child("maxUnavailable"), most, "cannot be 0")
