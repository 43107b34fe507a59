"""Printer columns of leases."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, path
from proa.machinery.resource import Column

LEASES = (NAME, Column("Holder", path("spec.holderIdentity"), description="Who holds it."), AGE)
