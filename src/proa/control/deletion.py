"""Deleting exactly the object a controller looked at, and taking it for done when somebody else was faster."""

from __future__ import annotations

from typing import Any, Literal

from proa.client.protocol import Client
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_conflict, is_not_found


async def delete_exactly(
    client: Client,
    resource: Resource[Any],
    obj: Any,
    *,
    unless_changed: bool = False,
    grace_period_seconds: int | None = None,
    propagation: Literal["", "Background", "Foreground", "Orphan"] = "",
    resource_version: str = "",
) -> None:
    """Delete `obj` by its uid; one that is gone is as good. Raises StatusError.

    unless_changed: that another object has its name by now, or another version than `resource_version` is there, is no
    failure either.
    """
    meta = obj.metadata
    try:
        await client.delete(
            resource,
            meta.name,
            meta.namespace,
            uid=meta.uid,
            grace_period_seconds=grace_period_seconds,
            propagation=propagation,
            resource_version=resource_version,
        )
    except StatusError as error:
        if not is_not_found(error) and not (unless_changed and is_conflict(error)):
            raise
