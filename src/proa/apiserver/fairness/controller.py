"""Flow schemas and priority levels in the API: the server goes by them, keeps its own there, says what dangles.

A controller, because each of its own objects is brought back whenever somebody deletes or spoils it. Not here: what the
objects mean (`driver`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from proa.api.flowcontrol_v1 import FlowSchema, FlowSchemaCondition, PriorityLevelConfiguration
from proa.api.flowcontrol_v1.bootstrap import (
    AUTO_UPDATE,
    EXEMPT,
    MANDATORY_LEVELS,
    MANDATORY_SCHEMAS,
    SUGGESTED_LEVELS,
    SUGGESTED_SCHEMAS,
)
from proa.api.flowcontrol_v1.resources import FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS
from proa.apiserver.fairness.driver import Fairness
from proa.client.informer import Informer
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.status import set_condition, update_status_if_changed
from proa.control.triggers import Maps, Trigger
from proa.machinery.resource import Resource
from proa.machinery.timestamps import format_time

MANAGER = "api-priority-and-fairness-config-consumer-v1"

_OWN: Mapping[str, tuple[Mapping[str, Any], frozenset[str]]] = {
    each.plural: ({item.metadata.name: item for item in (*mandatory, *suggested)},
                  frozenset(item.metadata.name for item in mandatory))
    for each, mandatory, suggested in (
        (FLOW_SCHEMAS, MANDATORY_SCHEMAS, SUGGESTED_SCHEMAS),
        (PRIORITY_LEVEL_CONFIGURATIONS, MANDATORY_LEVELS, SUGGESTED_LEVELS),
    )
}  # fmt: skip
_RESOURCES: Mapping[str, Resource[Any]] = {each.plural: each for each in (FLOW_SCHEMAS, PRIORITY_LEVEL_CONFIGURATIONS)}


class FairnessController(Controller):
    name = "apf-config"

    def __init__(self, context: Context, fairness: Fairness) -> None:
        super().__init__(context)
        self._fairness = fairness
        self._schemas: Informer[FlowSchema] = context.informer(FLOW_SCHEMAS)
        self._levels: Informer[PriorityLevelConfiguration] = context.informer(PRIORITY_LEVEL_CONFIGURATIONS)
        self._informers: Mapping[str, Informer[Any]] = {
            FLOW_SCHEMAS.plural: self._schemas,
            PRIORITY_LEVEL_CONFIGURATIONS.plural: self._levels,
        }
        self._configuring: asyncio.Handle | None = None
        for informer in self._informers.values():
            informer.on_change(self._changed)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (Maps(FLOW_SCHEMAS, self._of_schema), Maps(PRIORITY_LEVEL_CONFIGURATIONS, self._of_level))

    def begin(self) -> None:
        """See to everything that should be there."""
        for plural, (own, _) in _OWN.items():
            for name in own:
                self.queue.add(f"{plural}/{name}")

    def is_synced(self) -> bool:
        """Whether everything that every server has is in its copies."""
        return all(name in self._informers[plural] for plural, (own, _) in _OWN.items() for name in own)

    async def reconcile(self, key: str) -> Outcome:
        plural, _, name = key.partition("/")
        await self._keep(plural, name)
        schema = self._schemas.get(name) if plural == FLOW_SCHEMAS.plural else None
        if schema is not None:
            await self._say(schema)
        return DONE

    async def _keep(self, plural: str, name: str) -> None:
        """Bring an object of our own back to what it should be, as far as its owner lets us."""
        resource, have = _RESOURCES[plural], self._informers[plural].get(name)
        own, mandatory = _OWN[plural]
        want = own.get(name)
        if want is None:
            if have is not None and have.metadata.annotations.get(AUTO_UPDATE) == "true":
                await self.client.delete(resource, name, uid=have.metadata.uid)
            return
        if have is None:
            await self.client.create(resource, want)
            return
        said = have.metadata.annotations.get(AUTO_UPDATE)
        updates = said == "true" or (said is None and have.metadata.generation == 1)
        if name not in mandatory and not updates:
            return
        spec = want.spec
        if plural == PRIORITY_LEVEL_CONFIGURATIONS.plural and name == EXEMPT and not updates:
            spec = replace(spec, exempt=have.spec.exempt)
        annotations = {**have.metadata.annotations, AUTO_UPDATE: said or "true"}
        if have.spec != spec or dict(have.metadata.annotations) != annotations:
            metadata = replace(have.metadata, annotations=annotations)
            await self.client.update(resource, replace(have, metadata=metadata, spec=spec))

    async def _say(self, schema: FlowSchema) -> None:
        """Whether the level it names exists."""
        level = schema.spec.priorityLevelConfiguration.name
        found = self._levels.get(level) is not None
        about = f'This FlowSchema references the PriorityLevelConfiguration object named "{level}"'
        condition = FlowSchemaCondition(
            type="Dangling",
            status="False" if found else "True",
            reason="Found" if found else "NotFound",
            message=f"{about} and it exists" if found else f"{about} but there is no such object",
            lastTransitionTime=format_time(self.now()),
        )
        conditions = set_condition(schema.status.conditions, condition)
        status = replace(schema.status, conditions=conditions)
        await update_status_if_changed(self.client, FLOW_SCHEMAS, schema, status)

    def _of_schema(self, old: Any, new: Any) -> Iterable[str]:
        return (f"{FLOW_SCHEMAS.plural}/{(new if new is not None else old).metadata.name}",)

    def _of_level(self, old: Any, new: Any) -> Iterable[str]:
        name = (new if new is not None else old).metadata.name
        yield f"{PRIORITY_LEVEL_CONFIGURATIONS.plural}/{name}"
        if old is None or new is None:
            for each in self._schemas.list():
                if each.spec.priorityLevelConfiguration.name == name:
                    yield f"{FLOW_SCHEMAS.plural}/{each.metadata.name}"

    def _changed(self, old: Any, new: Any) -> None:
        """Status is not ours to go by; many changes at once are one configuration."""
        if old is not None and new is not None and old.spec == new.spec and old.metadata.uid == new.metadata.uid:
            return
        if self._configuring is None:
            self._configuring = asyncio.get_running_loop().call_soon(self._configure)

    def _configure(self) -> None:
        self._configuring = None
        self._fairness.configure(self._schemas.list(), self._levels.list())
