"""Printer columns of custom resource definitions."""

from __future__ import annotations

from proa.machinery.columns import CREATED, NAME

CUSTOM_RESOURCE_DEFINITIONS = (NAME, CREATED)
