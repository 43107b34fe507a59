"""A schema document as a tree of nodes, read once. Not here: what is derived from it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from proa.machinery.declare import UNSET

Document = Mapping[str, Any]


class Node(msgspec.Struct, frozen=True, eq=False):
    """One schema. Names are the document's, shortened; None and empty mean unsaid.

    additional: the schema of values beyond `properties`; True: anything goes. default: UNSET without one. items: of a
    list. rules: x-kubernetes-validations as written. The junctors' nodes only say of values what is written there.
    """

    type: str = ""
    format: str = ""
    nullable: bool = False
    default: Any = UNSET
    description: str = ""
    properties: Mapping[str, Node] = msgspec.field(default_factory=dict)
    additional: Node | bool | None = None
    items: Node | None = None
    required: tuple[str, ...] = ()
    enum: tuple[Any, ...] | None = None
    pattern: str = ""
    minimum: float | int | None = None
    maximum: float | int | None = None
    exclusive_minimum: bool = False
    exclusive_maximum: bool = False
    multiple_of: float | int | None = None
    min_length: int | None = None
    max_length: int | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique_items: bool = False
    min_properties: int | None = None
    max_properties: int | None = None
    all_of: tuple[Node, ...] = ()
    any_of: tuple[Node, ...] = ()
    one_of: tuple[Node, ...] = ()
    not_: Node | None = None
    preserve: bool = False
    embedded: bool = False
    int_or_string: bool = False
    list_type: str = ""
    list_keys: tuple[str, ...] = ()
    map_type: str = ""
    rules: tuple[Document, ...] = ()

    @property
    def types(self) -> tuple[str, ...]:
        """The JSON types a value may have; empty: any."""
        if self.int_or_string:
            return ("integer", "string")
        return (self.type,) if self.type else ()

    @property
    def junctors(self) -> bool:
        return bool(self.all_of or self.any_of or self.one_of or self.not_ is not None)

    def child(self, name: str) -> Node | None:
        """The schema of the value under `name`, if it has one."""
        found = self.properties.get(name)
        if found is None and isinstance(self.additional, Node):
            return self.additional
        return found

    def children(self) -> Iterator[Node]:
        """The schemas of what is below a value; not those of junctors."""
        yield from self.properties.values()
        if isinstance(self.additional, Node):
            yield self.additional
        if self.items is not None:
            yield self.items

    def reachable(self) -> Iterator[Node]:
        """This node and every one of `children` below."""
        yield self
        for each in self.children():
            yield from each.reachable()


ANYTHING = Node(preserve=True)
"""What stands for a schema that nobody wrote."""


def node_of(document: Document) -> Node:
    """The tree of a JSONSchemaProps document."""
    get = document.get
    additional: Any = get("additionalProperties")
    if isinstance(additional, Mapping):
        additional = node_of(additional)
    items: Any = get("items")
    enum = get("enum")
    return Node(
        type=get("type") or "",
        format=get("format") or "",
        nullable=bool(get("nullable")),
        default=UNSET if get("default") is None else get("default"),
        description=get("description") or "",
        properties={name: node_of(each) for name, each in (get("properties") or {}).items()},
        additional=additional,
        items=node_of(items) if isinstance(items, Mapping) else None,
        required=tuple(get("required") or ()),
        enum=None if enum is None else tuple(enum),
        pattern=get("pattern") or "",
        minimum=get("minimum"),
        maximum=get("maximum"),
        exclusive_minimum=bool(get("exclusiveMinimum")),
        exclusive_maximum=bool(get("exclusiveMaximum")),
        multiple_of=get("multipleOf"),
        min_length=get("minLength"),
        max_length=get("maxLength"),
        min_items=get("minItems"),
        max_items=get("maxItems"),
        unique_items=bool(get("uniqueItems")),
        min_properties=get("minProperties"),
        max_properties=get("maxProperties"),
        all_of=_nodes(get("allOf")),
        any_of=_nodes(get("anyOf")),
        one_of=_nodes(get("oneOf")),
        not_=node_of(document["not"]) if get("not") is not None else None,
        preserve=bool(get("x-kubernetes-preserve-unknown-fields")),
        embedded=bool(get("x-kubernetes-embedded-resource")),
        int_or_string=bool(get("x-kubernetes-int-or-string")),
        list_type=get("x-kubernetes-list-type") or "",
        list_keys=tuple(get("x-kubernetes-list-map-keys") or ()),
        map_type=get("x-kubernetes-map-type") or "",
        rules=tuple(get("x-kubernetes-validations") or ()),
    )


def _nodes(documents: Any) -> tuple[Node, ...]:
    return tuple(node_of(each) for each in documents or ())
