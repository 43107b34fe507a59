"""APIServices of what this server itself answers: made for every group version, and taken away with it.

Those of built-in groups are brought in order once, when the server starts, and are their owner's afterwards; those of
custom resources always. What carries no label of ours is left alone. Not here: their status (`availability`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from msgspec.structs import replace

from proa.api.apiregistration_v1 import APIService, APIServiceSpec
from proa.api.apiregistration_v1.resources import API_SERVICES
from proa.apiserver.aggregation.priorities import CUSTOM, builtin_priority
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Trigger
from proa.machinery.meta import ObjectMeta
from proa.machinery.resource import Resource
from proa.machinery.status import is_not_found

LABEL = "kube-aggregator.kubernetes.io/automanaged"
ON_START = "onstart"
ALWAYS = "true"


def name_of(group: str, version: str) -> str:
    """How the APIService of a group version is named."""
    return f"{version}.{group}"


def wanted(resources: Iterable[Resource[Any]]) -> Mapping[str, APIService]:
    """The APIServices of what is served here, by name."""
    found: dict[str, APIService] = {}
    for each in resources:
        name = name_of(each.group, each.version)
        if name in found:
            continue
        priority = CUSTOM if each.custom else builtin_priority(each.group, each.version)
        if priority is None:
            continue
        found[name] = APIService(
            metadata=ObjectMeta(name=name, labels={LABEL: ALWAYS if each.custom else ON_START}),
            spec=APIServiceSpec(
                group=each.group,
                version=each.version,
                groupPriorityMinimum=priority.group,
                versionPriority=priority.version,
            ),
        )
    return found


class Registration(Controller):
    """resources: what is served now; call `changed` when it is something else."""

    name = "autoregister"

    def __init__(self, context: Context, resources: Callable[[], Sequence[Resource[Any]]]) -> None:
        super().__init__(context)
        self._resources = resources
        self._informer = context.informer(API_SERVICES)
        self._wanted: Mapping[str, APIService] = wanted(resources())
        self._at_start: frozenset[str] | None = None
        self._seen: set[str] = set()
        self._changing: asyncio.Handle | None = None

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(API_SERVICES),)

    def begin(self) -> None:
        """Look at everything that is wanted."""
        for name in self._wanted:
            self.queue.add(name)

    def changed(self) -> None:
        """Other resources are served; many changes at once are looked at once."""
        if self._changing is None:
            self._changing = asyncio.get_running_loop().call_soon(self._look_again)

    def missing(self) -> list[str]:
        """The built-in group versions whose APIService has not been brought in order yet."""
        return sorted(name for name, each in self._wanted.items() if _mode(each) == ON_START and name not in self._seen)

    async def reconcile(self, key: str) -> Outcome:
        if self._at_start is None:
            self._at_start = frozenset(self._informer.keys())
        await self._bring_in_order(key)
        self._seen.add(key)
        return DONE

    async def _bring_in_order(self, name: str) -> None:
        want, have, seen = self._wanted.get(name), self._informer.get(name), name in self._seen
        if want is not None and _mode(want) == ON_START and seen:
            return
        if have is None:
            if want is not None:
                await self.client.create(API_SERVICES, want)
            return
        assert self._at_start is not None
        once = _mode(have) == ON_START
        if not _mode(have) or (once and (seen or name not in self._at_start)):
            return
        if want is None:
            try:
                await self.client.delete(API_SERVICES, name, uid=have.metadata.uid)
            except Exception as error:
                if not is_not_found(error):
                    raise
        elif have.spec != want.spec:
            await self.client.update(API_SERVICES, replace(have, spec=want.spec))

    def _look_again(self) -> None:
        self._changing = None
        before, self._wanted = self._wanted, wanted(self._resources())
        for name in before.keys() ^ self._wanted.keys():
            self.queue.add(name)


def _mode(api_service: APIService) -> str:
    return api_service.metadata.labels.get(LABEL, "")
