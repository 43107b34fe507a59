"""Printer columns of flow schemas and priority levels."""

from __future__ import annotations

from typing import Any

from proa.machinery.columns import AGE, NAME, NONE, Document, dig, path
from proa.machinery.resource import Column


def _dangling(schema: Document) -> str:
    conditions = dig(schema, "status", "conditions") or ()
    return next((str(each.get("status")) for each in conditions if each.get("type") == "Dangling"), "?")


FLOW_SCHEMAS = (
    NAME,
    Column("PriorityLevel", path("spec.priorityLevelConfiguration.name"), description="The level of its requests."),
    Column("MatchingPrecedence", path("spec.matchingPrecedence", 0), description="The lowest number is asked first."),
    Column("DistinguisherMethod", path("spec.distinguisherMethod.type", NONE), description="What tells flows apart."),
    AGE,
    Column("MissingPL", _dangling, description="Whether its priority level does not exist."),
)


def _queuing(field: str) -> Any:
    return path(f"spec.limited.limitResponse.queuing.{field}", NONE)


PRIORITY_LEVEL_CONFIGURATIONS = (
    NAME,
    Column("Type", path("spec.type"), description="Exempt or Limited."),
    Column(
        "NominalConcurrencyShares",
        path("spec.limited.nominalConcurrencyShares", NONE),
        description="Its share of the requests that run at once.",
    ),
    Column("Queues", _queuing("queues"), description="How many queues it has."),
    Column("HandSize", _queuing("handSize"), description="How many queues a flow may use."),
    Column("QueueLengthLimit", _queuing("queueLengthLimit"), description="How many requests wait in a queue."),
    AGE,
)
