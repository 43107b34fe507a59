"""What the declaration of API services cannot say: their names, priorities, and where remote ones are."""

from __future__ import annotations

from typing import Any

from proa.api.apiregistration_v1.types import APIService, APIServiceStatus
from proa.machinery import names
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.strategy import DefaultStrategy

LOCAL = {"type": "Available", "status": "True", "reason": "Local", "message": "Local APIServices are always available"}
"""The condition of what this server answers itself."""

_SPEC = Path("spec")
_STATUSES = ("False", "True", "Unknown")


class APIServiceStrategy(DefaultStrategy):
    def prepare_for_create(self, document: dict[str, Any]) -> None:
        document.pop("status", None)
        if not (document.get("spec") or {}).get("service"):
            created = (document.get("metadata") or {}).get("creationTimestamp")
            document["status"] = {"conditions": [{**LOCAL, **({"lastTransitionTime": created} if created else {})}]}

    def prepare_for_status_update(self, document: dict[str, Any], old: Any) -> None:
        super().prepare_for_status_update(document, old)
        metadata, before = document.setdefault("metadata", {}), old.get("metadata") or {}
        for field in ("labels", "annotations", "finalizers", "ownerReferences"):
            if field in before:
                metadata[field] = before[field]
            else:
                metadata.pop(field, None)

    def validate(self, new: APIService, errors: ErrorList) -> None:
        spec = new.spec
        wanted = f"{spec.version}.{spec.group}"
        if new.metadata.name and new.metadata.name != wanted:
            detail = f'must be `spec.version+"."+spec.group`: {quoted(wanted)}'
            errors.invalid(Path("metadata", "name"), new.metadata.name, detail)
        if not spec.group and spec.version != "v1":
            errors.required(_SPEC.child("group"), "only v1 may have an empty group and it better be legacy kube")
        for wrong in names.dns1123_subdomain(spec.group) if spec.group else ():
            errors.invalid(_SPEC.child("group"), spec.group, wrong)
        for wrong in names.dns1035_label(spec.version):
            errors.invalid(_SPEC.child("version"), spec.version, wrong)
        for field, most in (("groupPriorityMinimum", 20000), ("versionPriority", 1000)):
            value = getattr(spec, field)
            if not 0 < value <= most:
                errors.invalid(_SPEC.child(field), value, f"must be positive and less than {most}")
        _validate_backend(new, errors)
        _validate_status(new.status, errors)


def _validate_backend(new: APIService, errors: ErrorList) -> None:
    spec, bundle, insecure = new.spec, _SPEC.child("caBundle"), _SPEC.child("insecureSkipTLSVerify")
    if spec.service is None:
        if spec.caBundle:
            errors.invalid(bundle, f"{len(spec.caBundle)} bytes", "local APIServices may not have a caBundle")
        if spec.insecureSkipTLSVerify:
            errors.invalid(insecure, True, "local APIServices may not have insecureSkipTLSVerify")
        return
    path = _SPEC.child("service")
    for field in ("namespace", "name"):
        if not getattr(spec.service, field):
            errors.required(path.child(field))
    port = spec.service.port or 0
    if wrong := names.port_number(port):
        errors.invalid(path.child("port"), port, f"port is not valid: {', '.join(wrong)}")
    if spec.insecureSkipTLSVerify and spec.caBundle:
        errors.invalid(insecure, True, "may not be true if caBundle is present")


def _validate_status(status: APIServiceStatus, errors: ErrorList) -> None:
    for position, condition in enumerate(status.conditions):
        if condition.status not in _STATUSES:
            path = Path("status", "conditions").index(position).child("status")
            errors.unsupported(path, condition.status, _STATUSES)
