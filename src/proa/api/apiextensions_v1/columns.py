"""Printer columns of custom resource definitions."""

from __future__ import annotations

from proa.machinery.columns import NAME, path
from proa.machinery.resource import Column

CUSTOM_RESOURCE_DEFINITIONS = (
    NAME,
    Column("Created At", path("metadata.creationTimestamp"), description="When it was made."),
)
