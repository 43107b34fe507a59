"""What a resource is: one declaration, from which the API server, discovery, tables, clients and RBAC names derive.

Here: the value objects. Not here: the resources themselves (`proa.api`) and how a request is served
(`proa.apiserver`).
A strategy holds only what the declared facts cannot say; a resource without one needs no code at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, Generic, Protocol, TypeVar

import msgspec

from proa.machinery.declare import Object
from proa.machinery.form import DeclaredForm, Form
from proa.machinery.schema import ObjectSchema, schema_of

T = TypeVar("T", bound=Object)
ObjectType = type[Object]
Conditions = tuple[Mapping[str, str], ...]

VERBS = ("create", "delete", "deletecollection", "get", "list", "patch", "update", "watch")


class Column(msgspec.Struct, frozen=True):
    """A printer column. `value` takes the plain document (JSON as Python) and returns the cell.

    type: OpenAPI type of the cell, or one that the table turns into text: 'age' (a time; of custom resources 'date', as
    clients see it), 'duration' (a pair of times, the second '' while it lasts), 'recurrence' (how often, and when last
    or ''); or 'timestamp' (a time, shown as it is). format 'name' marks the name column; priority 0 is shown
    always, 1 with `-o wide`.
    """

    name: str
    value: Callable[[Mapping[str, Any]], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0
    description: str = ""


class Subresource(msgspec.Struct, frozen=True):
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

    @property
    def creates_on_update(self) -> bool: ...
    def default(self, document: dict[str, Any]) -> None: ...
    def prepare_for_create(self, document: dict[str, Any]) -> None: ...
    def prepare_for_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None: ...
    def prepare_for_status_update(self, document: dict[str, Any], old: Mapping[str, Any]) -> None: ...
    def prepare_for_delete(self, document: dict[str, Any], now: str) -> None: ...
    def warnings(self, new: Any, old: Any) -> list[str]: ...
    def status_warnings(self, new: Any) -> list[str]: ...
    def validate(self, new: Any, errors: Any) -> None: ...
    def validate_create(self, new: Any, errors: Any) -> None: ...
    def validate_update(self, new: Any, old: Any, errors: Any) -> None: ...


class ScalePaths(msgspec.Struct, frozen=True):
    """Where a scalable resource keeps its replicas, as dotted paths (autoscaling/v1 Scale)."""

    spec: str = "spec.replicas"
    status: str = "status.replicas"
    selector: str = "spec.selector"


class Resource(msgspec.Struct, Generic[T], frozen=True, eq=False, dict=True):
    """One served resource.

    type: its declared Struct. name_rule: 'subdomain' (RFC 1123), 'label', 'label1035', 'path' (RBAC names).
    row_conditions: what a table says of an object as a whole (TableRowCondition).
    fields: selectable fields beyond metadata.name and metadata.namespace, as dotted paths. ttl: seconds until the store
    drops it (events).

    A custom resource has no type of its own: `type` is `Unstructured`, its kinds are said by `kind_name` and
    `list_kind_name`, and `custom_form` makes, when it is first needed, what brings its documents in order.
    deprecated: the warning that every request for it is answered with.
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
    row_conditions: Callable[[Mapping[str, Any]], Conditions] | None = None
    fields: tuple[str, ...] = ()
    name_rule: str = "subdomain"
    strategy: Strategy | None = None
    has_generation: bool = False
    ttl: float | None = None
    list_type: ObjectType | None = None
    kind_name: str = ""
    list_kind_name: str = ""
    custom_form: Callable[[], Form] | None = None
    deprecated: str = ""

    @property
    def kind(self) -> str:
        return self.kind_name or self.type.__name__

    @property
    def list_kind(self) -> str:
        return self.list_kind_name or (self.list_type.__name__ if self.list_type is not None else self.kind + "List")

    @property
    def creates_on_update(self) -> bool:
        """Whether replacing an object that is not there makes it."""
        return self.strategy is not None and self.strategy.creates_on_update

    @property
    def custom(self) -> bool:
        """Whether it was defined at run time."""
        return self.custom_form is not None

    @cached_property
    def form(self) -> Form:
        """What brings its documents in order, checks and encodes them."""
        return self.custom_form() if self.custom_form is not None else DeclaredForm(self.type)

    @property
    def schema(self) -> ObjectSchema:
        """The shape of its documents."""
        return self.form.schema if self.custom_form is not None else schema_of(self.type)

    @cached_property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @cached_property
    def qualified(self) -> str:
        """`deployments.apps`, as RBAC, errors and owner tracking write it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def subresource(self, name: str) -> Subresource | None:
        return next((each for each in self.subresources if each.name == name), None)

    def __hash__(self) -> int:
        return hash((self.group, self.version, self.plural))

    def __eq__(self, other: object) -> bool:
        return self is other or (
            isinstance(other, Resource)
            and self.plural == other.plural
            and self.group == other.group
            and self.version == other.version
        )
