"""The served group versions, in discovery order: the one place where a group is registered."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from proa.machinery.resource import Resource

GROUP_VERSIONS: tuple[str, ...] = (
    "core_v1",
    "apiregistration_v1",
    "apps_v1",
    "events_v1",
    "authentication_v1",
    "authorization_v1",
    "autoscaling_v2",
    "autoscaling_v1",
    "batch_v1",
    "certificates_v1",
    "networking_v1",
    "policy_v1",
    "rbac_v1",
    "storage_v1",
    "admissionregistration_v1",
    "apiextensions_v1",
    "scheduling_v1",
    "coordination_v1",
    "node_v1",
    "discovery_v1",
    "resource_v1",
    "flowcontrol_v1",
)


@cache
def resources() -> tuple[Resource[Any], ...]:
    """Every built-in resource, in registration order."""
    found: list[Resource[Any]] = []
    for package in GROUP_VERSIONS:
        found.extend(import_module(f"proa.api.{package}.resources").RESOURCES)
    return tuple(found)
