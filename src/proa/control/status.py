"""Writing a status only when it says something new: a write nobody needs wakes every watcher."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from proa.client.protocol import Client
from proa.machinery.declare import Object
from proa.machinery.resource import Resource

T = TypeVar("T", bound=Object)


async def update_status_if_changed(client: Client, resource: Resource[T], obj: T, status: Any) -> T:
    """Write `status` unless `obj` has it already; what the API now holds. Raises StatusError, 409 when `obj` is old."""
    if obj.status == status:  # type: ignore[attr-defined]
        return obj
    return await client.update(resource, msgspec.structs.replace(obj, status=status), subresource="status")


def set_condition(conditions: tuple[Any, ...], condition: Any) -> tuple[Any, ...]:
    """`conditions` with `condition` in the place of the one of its type, or at the end.

    While status stays the same so does lastTransitionTime; while nothing but times differ nothing changes.
    """
    for index, old in enumerate(conditions):
        if old.type != condition.type:
            continue
        if (old.status, old.reason, old.message) == (condition.status, condition.reason, condition.message):
            return conditions
        if old.status == condition.status:
            condition = msgspec.structs.replace(condition, lastTransitionTime=old.lastTransitionTime)
        return (*conditions[:index], condition, *conditions[index + 1 :])
    return (*conditions, condition)


def without_condition(conditions: tuple[Any, ...], type: str) -> tuple[Any, ...]:
    return tuple(condition for condition in conditions if condition.type != type)


def find_condition(conditions: tuple[Any, ...], type: str) -> Any:
    """The condition of this type, or None."""
    return next((condition for condition in conditions if condition.type == type), None)
