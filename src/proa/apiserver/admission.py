"""Admission: plugins that may change, then refuse, a write before it is stored.

Here: the interface and the chain. A plugin is a module of its own under `apiserver.plugins`, registered in one visible
tuple. What a plugin handles is asked once per (resource, subresource, operation) and remembered, so a plugin costs
nothing where it does nothing. Not here: validation of the object itself (machinery, the resource's strategy).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from proa.apiserver.identity import User
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, forbidden

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(slots=True)
class Attributes:
    """One write on its way.

    document: the new object, plain JSON, defaulted; a mutating plugin changes it in place. None for DELETE.
    old: the stored object, not to be changed; None for CREATE. For a subresource with a body of its own (binding,
    eviction, token, scale) `document` is that body. `options`: the request's options document
    (CreateOptions, UpdateOptions, DeleteOptions; for CONNECT the query). `warnings` reach the client as Warning
    headers, `annotations` the audit log. `name` may be '' on create with generateName.

    A mutating plugin that changed what earlier ones may want to see sets `reinvoke`: all of them run once more, in
    `round` 1. What a plugin must remember between the rounds it puts into `kept` under its name.
    """

    operation: Operation
    resource: Resource[Any]
    subresource: str
    namespace: str
    name: str
    document: dict[str, Any] | None
    old: Mapping[str, Any] | None
    user: User
    dry_run: bool = False
    options: Mapping[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    annotations: dict[str, str] = field(default_factory=dict)
    reinvoke: bool = False
    round: int = 0
    kept: dict[str, Any] = field(default_factory=dict)

    def forbidden(self, why: str) -> StatusError:
        """What a plugin raises to refuse. A new object goes by what its name begins with where the rest is random:
        who tries again must be told the same again."""
        meta = (self.document or {}).get("metadata") or {}
        return forbidden(self.resource, self.name or meta.get("generateName") or meta.get("name") or "", why)


class Plugin(Protocol):
    """The base of both kinds. A plugin that both changes and refuses implements both, and is in the tuple once."""

    name: str

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        """Whether it has anything to do for such writes: asked once, so the answer must never change."""


class Mutating(Plugin, Protocol):
    def mutate(self, attributes: Attributes) -> Awaitable[None] | None:
        """Change `attributes.document` in place. Raises StatusError to refuse. What it returns is awaited, so that only
        a plugin that has to wait for something costs a coroutine."""


class Validating(Plugin, Protocol):
    def validate(self, attributes: Attributes) -> Awaitable[None] | None:
        """Raises StatusError (usually 403 Forbidden) to refuse; changes nothing. What it returns is awaited."""


Step = Callable[[Attributes], Awaitable[None] | None]
"""What a plugin does: its `mutate` or its `validate`."""


class Chain:
    """The plugins in their order. A write passes every `mutate`, its registry validates, then every `validate`."""

    def __init__(self, plugins: Sequence[Plugin] = ()) -> None:
        self.plugins = tuple(plugins)
        self._plans: dict[Resource[Any], ResourceChain] = {}

    def install(self, plugins: Sequence[Plugin]) -> None:
        """Use these plugins from now on."""
        self.plugins = tuple(plugins)
        for plan in self._plans.values():
            plan.forget()

    def of(self, resource: Resource[Any]) -> ResourceChain:
        """The chain of one resource; always the same object."""
        found = self._plans.get(resource)
        if found is None:
            found = self._plans[resource] = ResourceChain(self, resource)
        return found

    def forget(self, resource: Resource[Any]) -> None:
        """The resource is served no more; another one may come in its place."""
        self._plans.pop(resource, None)


class ResourceChain:
    """What of a chain handles one resource."""

    def __init__(self, chain: Chain, resource: Resource[Any]) -> None:
        self._chain = chain
        self._resource = resource
        self._handling: dict[tuple[str, str], tuple[tuple[Step, ...], tuple[Step, ...]]] = {}

    def forget(self) -> None:
        """The chain has other plugins now."""
        self._handling.clear()

    def handling(self, subresource: str, operation: Operation) -> tuple[tuple[Step, ...], tuple[Step, ...]]:
        """What plugins that have something to do for such writes do: those that mutate, those that validate."""
        found = self._handling.get((subresource, operation))
        if found is None:
            plugins: list[Any] = [
                each for each in self._chain.plugins if each.handles(self._resource, subresource, operation)
            ]
            found = self._handling[subresource, operation] = (
                tuple(each.mutate for each in plugins if hasattr(each, "mutate")),
                tuple(each.validate for each in plugins if hasattr(each, "validate")),
            )
        return found

    async def mutate(self, attributes: Attributes) -> None:
        steps = self.handling(attributes.subresource, attributes.operation)[0]
        for step in steps:
            if (waiting := step(attributes)) is not None:
                await waiting
        if attributes.reinvoke:
            attributes.round = 1
            for step in steps:
                if (waiting := step(attributes)) is not None:
                    await waiting

    async def validate(self, attributes: Attributes) -> None:
        for step in self.handling(attributes.subresource, attributes.operation)[1]:
            if (waiting := step(attributes)) is not None:
                await waiting
