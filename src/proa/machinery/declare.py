"""The vocabulary of declarations: what a field, a type and a resource can say about themselves.

An API type is a frozen msgspec `Struct` whose attributes carry the wire name; what the type system cannot say is a
`Field` in its annotation. Everything derived (defaults, validation, pruning, OpenAPI, patches, apply, protobuf) walks
these declarations and nothing else, so a fact is said once. Not here: the walking.

Presence follows upstream's Go types, because clients can see it: a field with a plain default is left out of the JSON
when it has that value (Go `omitempty`), one declared with `always(...)` is always written, and `None` means absent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, dataclass_transform

import msgspec

UNSET: Any = msgspec.UNSET


class Field(msgspec.Struct, frozen=True):
    """Facts about one field, for `Annotated`.

    number: protobuf field number (0: none). required: listed in OpenAPI's `required`. default: what defaulting fills
    in when the field is absent and its parent is present. enum: the values validation accepts. minimum, maximum:
    inclusive bounds. list, keys: x-kubernetes-list-type and -list-map-keys. merge, key: x-kubernetes-patch-strategy
    (comma separated) and -patch-merge-key. map: x-kubernetes-map-type of the field. immutable: may not change once set.
    """

    number: int = 0
    required: bool = False
    default: Any = UNSET
    enum: tuple[str, ...] = ()
    minimum: int | None = None
    maximum: int | None = None
    list: str = ""
    keys: tuple[str, ...] = ()
    merge: str = ""
    key: str = ""
    map: str = ""
    immutable: bool = False


class Scalar(msgspec.Struct, frozen=True):
    """A named leaf type: its OpenAPI type and format, and, where it has one, the name of its OpenAPI definition."""

    type: str
    format: str = ""
    definition: str = ""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Object(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True, gc=False):
    """The base of every declared type.

    `forbid_unknown_fields` makes the C decoder the fast gate; when it refuses, a walk over the declaration names every
    wrong field. `gc=False` is safe because frozen trees cannot form cycles.
    """


def always(factory: Callable[[], Any]) -> Any:
    """A field that is written even when it is empty: `always(str)`, `always(ObjectMeta)`, `always(no_items)`."""
    return msgspec.field(default_factory=factory)


def no_items() -> tuple[Any, ...]:
    """An empty list that is still written, unlike a plain `()`."""
    return ()


def fixed(value: str) -> Any:
    """`apiVersion` and `kind`: the same in every object of a type, and always written."""
    return msgspec.field(default_factory=lambda: value)
