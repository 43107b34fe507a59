"""Certificate signing requests: what one must say, and what of it may still change.

The spec never changes; approval goes through the approval subresource, the certificate through the status. Who asks is
written by the API server (`apiserver.certificate_requests`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.machinery.checks import check_signer_name
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.strategy import DefaultStrategy, keep
from proa.pki.requests import RequestError, check_certificates, parse

Document = dict[str, Any]

_SPEC, _STATUS = Path("spec"), Path("status")
_CONDITIONS = _STATUS.child("conditions")
_APPROVAL = ("Approved", "Denied")
_FINAL = (*_APPROVAL, "Failed")
_STATUSES = ("False", "True", "Unknown")
LEGACY_SIGNER = "kubernetes.io/legacy-unknown"
MINIMUM_SECONDS = 600


class RequestStrategy(DefaultStrategy):
    def prepare_for_create(self, document: Document) -> None:
        document["status"] = {}

    def prepare_for_update(self, document: Document, old: Mapping[str, Any]) -> None:
        keep(document, old, "spec", "status")

    def prepare_for_status_update(self, document: Document, old: Mapping[str, Any]) -> None:
        """Approval is kept: adding or removing it here is refused, so what is there needs no comparison."""
        keep(document, old, "spec")
        before = {each.get("type"): each for each in (old.get("status") or {}).get("conditions") or ()}
        conditions = (document.get("status") or {}).get("conditions") or []
        for position, each in enumerate(conditions):
            kind = each.get("type")
            if kind in _APPROVAL and kind in before:
                conditions[position] = before[kind]

    def validate(self, new: Any, errors: ErrorList) -> None:
        for position, each in enumerate(new.status.conditions):
            at, allowed = _CONDITIONS.index(position), ("True",) if each.type in _FINAL else _STATUSES
            if not each.type:
                errors.required(at.child("type"))
            if not each.status:
                errors.required(at.child("status"))
            elif each.status not in allowed:
                errors.unsupported(at.child("status"), each.status, allowed)
        if new.status.certificate:
            try:
                check_certificates(new.status.certificate)
            except RequestError as error:
                errors.invalid(_STATUS.child("certificate"), "<certificate data>", str(error))

    def validate_create(self, new: Any, errors: ErrorList) -> None:
        spec = new.spec
        try:
            parse(spec.request)
        except RequestError as error:
            errors.invalid(_SPEC.child("request"), spec.request, str(error))
        usages = _SPEC.child("usages")
        if not spec.usages:
            errors.required(usages)
        for position, each in enumerate(spec.usages):
            if each in spec.usages[:position]:
                errors.duplicate(usages.index(position), each)
        if spec.signerName == LEGACY_SIGNER:
            why = "the legacy signerName is not allowed via this API version"
            errors.invalid(_SPEC.child("signerName"), spec.signerName, why)
        else:
            check_signer_name(errors, _SPEC.child("signerName"), spec.signerName)
        if spec.expirationSeconds is not None and spec.expirationSeconds < MINIMUM_SECONDS:
            why = "may not specify a duration less than 600 seconds (10 minutes)"
            errors.invalid(_SPEC.child("expirationSeconds"), spec.expirationSeconds, why)

    def validate_update(self, new: Any, old: Any, errors: ErrorList) -> None:
        after = {each.type for each in new.status.conditions}
        before = {each.type for each in old.status.conditions}
        for kind in _FINAL:
            if kind in before - after:
                errors.forbidden(_CONDITIONS, f"updates may not remove a condition of type {quoted(kind)}")
        for kind in _APPROVAL:
            if kind in after - before:
                errors.forbidden(_CONDITIONS, f"updates may not add a condition of type {quoted(kind)}")
        certificate = old.status.certificate
        if certificate and new.status.certificate != certificate:
            errors.forbidden(_STATUS.child("certificate"), "updates may not modify existing certificate content")
