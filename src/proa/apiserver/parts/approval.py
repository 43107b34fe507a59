"""certificatesigningrequests/approval: the one door through which a request is approved or denied.

It changes the conditions and nothing else of the status; what may follow what is checked here, who may do it is an
admission plugin's to say. Not here: the status subresource, through which signers write the certificate.
"""

from __future__ import annotations

from proa.apiserver.metadata import Document
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path

_CONDITIONS = Path("status", "conditions")
_FINAL = ("Approved", "Denied", "Failed")
"""Types of conditions that only ever hold, and stay."""
_STATUSES = ("False", "True", "Unknown")


def take_approval(new: Document, stored: Document, now: str) -> None:
    """Take over the conditions and the metadata. Raises StatusError 422."""
    before = (stored.get("status") or {}).get("conditions") or []
    after = (new.get("status") or {}).get("conditions") or []
    errors = ErrorList()
    _check(after, before, errors)
    if errors:
        raise failures.invalid("certificates.k8s.io", "CertificateSigningRequest", stored["metadata"]["name"], errors)
    stored["metadata"] = new["metadata"]
    stored["status"] = {
        **(stored.get("status") or {}),
        "conditions": [_timed(each, before, now) for each in after],
    }


def _check(after: list[Document], before: list[Document], errors: ErrorList) -> None:
    seen: set[str] = set()
    for position, condition in enumerate(after):
        kind, status = condition.get("type", ""), condition.get("status", "")
        at = _CONDITIONS.index(position)
        allowed = ("True",) if kind in _FINAL else _STATUSES
        if not kind:
            errors.required(at.child("type"))
        if not status:
            errors.required(at.child("status"))
        elif status not in allowed:
            errors.unsupported(at.child("status"), status, allowed)
        if {kind, *seen} >= {"Approved", "Denied"} and kind in ("Approved", "Denied"):
            errors.invalid(_CONDITIONS, kind, "Approved and Denied conditions are mutually exclusive")
        if kind in seen:
            errors.duplicate(at.child("type"), kind)
        seen.add(kind)
    for kind in _FINAL:
        if kind not in seen and any(each.get("type") == kind for each in before):
            errors.forbidden(_CONDITIONS, f'updates may not remove a condition of type "{kind}"')


def _timed(condition: Document, before: list[Document], now: str) -> Document:
    """The condition with its times: a transition is when its status last changed."""
    same = (
        each["lastTransitionTime"]
        for each in before
        if each.get("type") == condition.get("type")
        and each.get("status") == condition.get("status")
        and each.get("lastTransitionTime")
    )
    return {
        **condition,
        "lastUpdateTime": condition.get("lastUpdateTime") or now,
        "lastTransitionTime": condition.get("lastTransitionTime") or next(same, now),
    }
