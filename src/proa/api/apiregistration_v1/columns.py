"""Printer columns of API services."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, Document, dig
from proa.machinery.resource import Column


def _service(api_service: Document) -> str:
    service = dig(api_service, "spec", "service")
    return f"{service.get('namespace')}/{service.get('name')}" if service else "Local"


def _available(api_service: Document) -> str:
    conditions = dig(api_service, "status", "conditions") or ()
    found = next((each for each in conditions if each.get("type") == "Available"), None)
    if found is None:
        return "Unknown"
    status, reason = found.get("status"), found.get("reason")
    return str(status) if status == "True" or not reason else f"{status} ({reason})"


API_SERVICES = (
    NAME,
    Column("Service", _service, description="The service that answers, or Local."),
    Column("Available", _available, description="Whether it answers."),
    AGE,
)
