"""Follows the definitions: what is established is served, what changes is served anew, what goes is withdrawn.

Serving changes in the same moment in which the definition's event is seen, so whoever sees a definition established may
use it. Not here: the status of definitions (`controller`), what a definition means (`definitions`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from proa.aio.clock import Clock
from proa.api.apiextensions_v1 import CustomResourceDefinition
from proa.api.apiextensions_v1.resources import CUSTOM_RESOURCE_DEFINITIONS
from proa.apiserver.conversion import View
from proa.apiserver.custom.conditions import ESTABLISHED, is_true
from proa.apiserver.custom.controller import DefinitionController
from proa.apiserver.custom.conversion import Converter, NoneConverter
from proa.client.events import Events
from proa.client.informer import Informers
from proa.client.protocol import Client
from proa.control.controller import Context, ControllerRunner
from proa.machinery.resource import Resource

if TYPE_CHECKING:
    from proa.apiserver.custom.definitions import Definition, MakeRules
    from proa.machinery.structural.form import Rules
    from proa.machinery.structural.tree import Node

log = logging.getLogger(__name__)

ConverterOf = Callable[[CustomResourceDefinition], Converter]


class Server(Protocol):
    """What of the API server changes."""

    def serve(self, resources: Sequence[Resource[Any]], views: Mapping[Resource[Any], View] | None = None) -> None: ...
    def keep(self, resource: Resource[Any], view: View) -> None: ...
    def withdraw(self, resources: Sequence[Resource[Any]]) -> None: ...


def rules_of(root: Node, document: Mapping[str, Any]) -> Rules:
    """What evaluates a schema's rules; with the first of them comes the whole expression language."""
    from proa.machinery.rules.evaluated import Rules as CompiledRules

    return CompiledRules(root, document)


def no_webhooks(crd: CustomResourceDefinition) -> Converter:
    """For servers that have nobody to ask: every definition's versions look the same."""
    return NoneConverter()


class CustomResources:
    """`start()` serves what is defined and goes on; `close()` before the server stops.

    converter_of: makes the converter of a definition. rules: makes what evaluates a schema's rules.
    """

    def __init__(
        self,
        server: Server,
        client: Client,
        informers: Informers,
        clock: Clock,
        *,
        converter_of: ConverterOf = no_webhooks,
        rules: MakeRules = rules_of,
    ) -> None:
        self._server = server
        self._converter_of = converter_of
        self._rules = rules
        self._served: dict[str, tuple[object, Definition]] = {}
        self._informer = informers.informer(CUSTOM_RESOURCE_DEFINITIONS)
        context = Context(client, informers, Events(client, clock), clock)
        self._runner = ControllerRunner(DefinitionController(context, self.resources_of, self._follow))
        self._stop: Callable[[], None] | None = None

    async def start(self) -> None:
        """Serve what is defined; returns once all of it is served."""
        self._stop = self._informer.on_change(self._changed)
        await self._runner.start()
        await self._informer.synced()

    async def close(self) -> None:
        if self._stop is not None:
            self._stop()
        await self._runner.close()

    def resources_of(self, name: str) -> Sequence[Resource[Any]]:
        """What there is for the definition of that name."""
        found = self._served.get(name)
        return found[1].all if found is not None else ()

    def _changed(self, old: CustomResourceDefinition | None, new: CustomResourceDefinition | None) -> None:
        if new is not None:
            self._follow(new)
        elif old is not None:
            self._withdraw(old.metadata.name)

    def _withdraw(self, name: str) -> None:
        before = self._served.pop(name, None)
        if before is not None:
            self._server.withdraw(before[1].all)

    def _follow(self, new: CustomResourceDefinition) -> None:
        """Serve what a definition says now, if that is not what is served already."""
        name = new.metadata.name
        if not is_true(new, ESTABLISHED):
            self._withdraw(name)
            return
        before, meaning = self._served.get(name), _meaning(new)
        if before is not None and before[0] == meaning:
            return
        try:
            from proa.apiserver.custom.definitions import define  # all about schemas, which most clusters never need

            definition = define(new, self._converter_of(new), self._rules)
        except Exception:  # one definition that cannot be read must not keep the others from being served
            log.exception("the definition %s cannot be served", name)
            return
        self._served[name] = meaning, definition
        self._server.serve(definition.resources, definition.views)
        if before is not None:
            self._server.withdraw([each for each in before[1].all if each not in definition.resources])
        if definition.unserved is not None:
            self._server.keep(definition.unserved, definition.views[definition.unserved])


def _meaning(crd: CustomResourceDefinition) -> object:
    """What must be the same for the resources to stay as they are."""
    meta = crd.metadata
    return meta.uid, crd.spec, crd.status.acceptedNames, meta.deletionTimestamp is None
