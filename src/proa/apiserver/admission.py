"""Admission: plugins that may change, then refuse, a write before it is stored.

Here: the interface and the chain. A plugin is a module of its own under `apiserver.plugins`, registered in one visible
tuple. What a plugin handles is asked once per (resource, subresource, operation) and remembered, so a plugin costs
nothing where it does nothing. Not here: validation of the object itself (machinery, the resource's strategy).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from proa.apiserver.identity import User
from proa.machinery.resource import Resource

Operation = Literal["CREATE", "UPDATE", "DELETE", "CONNECT"]


@dataclass(slots=True)
class Attributes:
    """One write on its way.

    document: the new object, plain JSON, defaulted; a mutating plugin changes it in place. None for DELETE.
    old: the stored object, not to be changed; None for CREATE. For a subresource with a body of its own (binding,
    eviction, token, scale) `document` is that body. `options`: the request's options document
    (CreateOptions, UpdateOptions, DeleteOptions; for CONNECT the query). `warnings` reach the client as Warning
    headers. `name` may be '' on create with generateName.
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


class Plugin(Protocol):
    """The base of both kinds. A plugin that both changes and refuses implements both, and is in the tuple once."""

    name: str

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        """Whether it has anything to do for such writes: asked once, so the answer must never change."""


class Mutating(Plugin, Protocol):
    async def mutate(self, attributes: Attributes) -> None:
        """Change `attributes.document` in place. Raises StatusError to refuse."""


class Validating(Plugin, Protocol):
    async def validate(self, attributes: Attributes) -> None:
        """Raises StatusError (usually 403 Forbidden) to refuse; changes nothing."""


class Chain:
    """The plugins in their order: every `mutate`, then (the registry validates the object between) every `validate`."""

    def __init__(self, plugins: Sequence[Plugin] = ()) -> None:
        self.plugins = tuple(plugins)
        self._mutating: dict[tuple[Resource[Any], str, Operation], tuple[Mutating, ...]] = {}
        self._validating: dict[tuple[Resource[Any], str, Operation], tuple[Validating, ...]] = {}

    def install(self, plugins: Sequence[Plugin]) -> None:
        """Use these plugins from now on."""
        self.plugins = tuple(plugins)
        self._mutating.clear()
        self._validating.clear()

    def mutating(self, resource: Resource[Any], subresource: str, operation: Operation) -> tuple[Mutating, ...]:
        """The plugins whose `mutate` such a write passes; empty for most."""
        found = self._mutating.get((resource, subresource, operation))
        return found if found is not None else self._plan(resource, subresource, operation)[0]

    def validating(self, resource: Resource[Any], subresource: str, operation: Operation) -> tuple[Validating, ...]:
        """The plugins whose `validate` such a write passes."""
        found = self._validating.get((resource, subresource, operation))
        return found if found is not None else self._plan(resource, subresource, operation)[1]

    async def mutate(self, attributes: Attributes) -> None:
        for each in self.mutating(attributes.resource, attributes.subresource, attributes.operation):
            await each.mutate(attributes)

    async def validate(self, attributes: Attributes) -> None:
        for each in self.validating(attributes.resource, attributes.subresource, attributes.operation):
            await each.validate(attributes)

    def _plan(
        self, resource: Resource[Any], subresource: str, operation: Operation
    ) -> tuple[tuple[Mutating, ...], tuple[Validating, ...]]:
        handling: list[Any] = [each for each in self.plugins if each.handles(resource, subresource, operation)]
        key = (resource, subresource, operation)
        self._mutating[key] = mutating = tuple(each for each in handling if hasattr(each, "mutate"))
        self._validating[key] = validating = tuple(each for each in handling if hasattr(each, "validate"))
        return mutating, validating
