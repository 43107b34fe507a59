"""Printer columns of runtime classes."""

from __future__ import annotations

from proa.machinery.columns import AGE, NAME, path
from proa.machinery.resource import Column

RUNTIME_CLASSES = (NAME, Column("Handler", path("handler"), description="What the nodes call it."), AGE)
