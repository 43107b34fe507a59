"""What a resource is: one declaration, from which the API server, discovery, tables, clients and RBAC names derive.

Here: the value objects. Not here: the resources themselves (`proa.api`) and how a request is served
(`proa.apiserver`).
A strategy holds only what the declared facts cannot say; a resource without one needs no code at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

from proa.machinery.declare import Object

T = TypeVar("T", bound=Object)
ObjectType = type[Object]

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


@dataclass(frozen=True, slots=True)
class Column:
    """A printer column. `value` takes the plain document (JSON as Python) and returns the cell.

    type: OpenAPI type of the cell; format 'name' marks the name column; priority 0 is shown always, 1 with `-o wide`.
    """

    name: str
    value: Callable[[Mapping[str, Any]], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


@dataclass(frozen=True, slots=True)
class Subresource:
    """`pods/status`, `pods/binding`: its verbs, and the kind of its body where that is not the parent's."""

    name: str
    verbs: tuple[str, ...]
    type: type[Object] | None = None
    group: str | None = None
    version: str | None = None
    kind: str = ""


STATUS = Subresource("status", ("get", "patch", "update"))
"""What nearly every resource with a controller has."""


class Strategy(Protocol):
    """How a resource differs. Documents are plain mutable JSON; validation sees the typed objects.

    Order on create: decode, default, `prepare_for_create`, admission, validate (facts, then `validate`). On update:
    decode, default, `prepare_for_update` (keeps status, bumps nothing: generation is generic) or, through the status
    subresource, `prepare_for_status_update`, admission, validate.
    The base class `DefaultStrategy` in `proa.machinery.strategy` does nothing, a subclass overrides what differs.
    """

    def default(self, document: dict[str, Any]) -> None: ...
    def prepare_for_create(self, document: dict[str, Any]) -> None: ...
    def prepare_for_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None: ...
    def prepare_for_status_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None: ...
    def validate(self, new: Any, errors: Any) -> None: ...
    def validate_update(self, new: Any, old: Any, errors: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class ScalePaths:
    """Where a scalable resource keeps its replicas, as dotted paths (autoscaling/v1 Scale)."""

    spec: str = "spec.replicas"
    status: str = "status.replicas"
    selector: str = "spec.selector"


@dataclass(frozen=True)
class Resource(Generic[T]):
    """One served resource.

    type: its declared Struct. name_rule: 'subdomain' (RFC 1123), 'label', 'label1035', 'path' (RBAC names).
    fields: selectable fields beyond metadata.name and metadata.namespace, as dotted paths. ttl: seconds until the store
    drops it (events). storage: the resource whose keys and bytes are really stored, with `convert` between the two
    documents, for a second served version of the same data.
    """

    group: str
    version: str
    plural: str
    type: type[T]
    singular: str = ""
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    namespaced: bool = True
    verbs: tuple[str, ...] = VERBS
    subresources: tuple[Subresource, ...] = ()
    scale: ScalePaths | None = None
    columns: tuple[Column, ...] = ()
    fields: tuple[str, ...] = ()
    name_rule: str = "subdomain"
    strategy: Strategy | None = None
    has_generation: bool = False
    ttl: float | None = None
    list_type: ObjectType | None = field(default=None)

    @property
    def kind(self) -> str:
        return self.type.__name__

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def qualified(self) -> str:
        """`deployments.apps`, as RBAC, errors and owner tracking write it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def subresource(self, name: str) -> Subresource | None:
        return next((each for each in self.subresources if each.name == name), None)

    def __hash__(self) -> int:
        return hash((self.group, self.version, self.plural))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and (self.group, self.version, self.plural) == (
            other.group,
            other.version,
            other.plural,
        )
