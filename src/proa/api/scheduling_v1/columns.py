"""Printer columns of priority classes."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, flag, number, path
from proa.machinery.resource import Column

PRIORITY_CLASSES = (
    NAME,
    number("Value", "value", "The priority of its pods."),
    flag("Global-Default", "globalDefault", "Whether pods that name no class have it."),
    AGE,
    Column("PreemptionPolicy", path("preemptionPolicy"), description="Whether its pods preempt others."),
)
