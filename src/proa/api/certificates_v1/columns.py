"""Printer columns of certificate signing requests."""

from __future__ import annotations

from proa.machinery import timestamps
from proa.machinery.columns import AGE, NAME, NONE, Document, dig, path
from proa.machinery.resource import Column


def _duration(request: Document) -> str:
    seconds = dig(request, "spec", "expirationSeconds")
    return NONE if seconds is None else timestamps.human_duration(seconds)


def _condition(request: Document) -> str:
    given = {each.get("type") for each in dig(request, "status", "conditions") or ()}
    words = ["Denied" if "Denied" in given else "Approved" if "Approved" in given else "Pending"]
    if "Failed" in given:
        words.append("Failed")
    if dig(request, "status", "certificate"):
        words.append("Issued")
    return ",".join(words)


CERTIFICATE_SIGNING_REQUESTS = (
    NAME,
    AGE,
    Column("SignerName", path("spec.signerName", NONE), description="Who is asked to sign."),
    Column("Requestor", path("spec.username"), description="Who asks."),
    Column("RequestedDuration", _duration, description="How long the certificate should be valid."),
    Column("Condition", _condition, description="Whether it is approved and issued."),
)
