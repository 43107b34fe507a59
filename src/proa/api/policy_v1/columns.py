"""Printer columns of pod disruption budgets."""

from __future__ import annotations

from typing import Any

from proa.machinery.columns import AGE, NAME, Document, dig, number
from proa.machinery.resource import Column


def _amount(field: str) -> Any:
    def cell(budget: Document) -> str:
        value = dig(budget, "spec", field)
        return "N/A" if value is None else str(value)

    return cell


POD_DISRUPTION_BUDGETS = (
    NAME,
    Column("Min Available", _amount("minAvailable"), description="Pods that must stay available."),
    Column("Max Unavailable", _amount("maxUnavailable"), description="Pods that may be unavailable."),
    number("Allowed Disruptions", "status.disruptionsAllowed", "Pods that may be evicted now."),
    AGE,
)
