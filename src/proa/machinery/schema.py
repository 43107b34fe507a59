"""The shape of a document as a tree; every derivation walks it: defaults, validation, pruning, OpenAPI, patch, apply.

A built-in type's tree is derived from its declaration on first use, node by node, so a recursive type costs nothing. A
custom resource's tree is built by hand from its OpenAPI schema. Walks know only the tree, never the Struct, so they
serve both. Not here: the walks.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property, wraps
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, TypeVar, Union

import msgspec

from proa.machinery.declare import Field, Object, Scalar

_NO_FACTS = Field()


class ScalarSchema(msgspec.Struct, frozen=True, eq=False, dict=True):
    """A leaf. type: JSON type ('string', 'integer', 'number', 'boolean', or 'object' for FieldsV1). format: OpenAPI
    format. definition: name of its OpenAPI definition, if it has one."""

    type: str
    format: str = ""
    definition: str = ""

    @cached_property
    def is_quantity(self) -> bool:
        return self.definition.endswith("resource.Quantity")

    @cached_property
    def is_int_or_string(self) -> bool:
        return self.format == "int-or-string"

    @cached_property
    def is_time(self) -> bool:
        """An RFC 3339 time, of seconds or of microseconds."""
        return self.format == "date-time"

    @cached_property
    def is_micro_time(self) -> bool:
        return self.definition.endswith("MicroTime")

    @cached_property
    def zero(self) -> Any:
        """The value an element of a list or map takes when it is JSON null."""
        if self.is_quantity:
            return "0"
        return {"string": "", "integer": 0, "number": 0, "boolean": False, "object": {}}[self.type]

    @property
    def go_type(self) -> str:
        """How decoding errors name the type."""
        if self.definition:
            return ".".join(self.definition.split(".")[-2:])
        names = {"int32": "int32", "int64": "int64", "double": "float64", "byte": "[]uint8"}
        return names.get(self.format) or {"string": "string", "boolean": "bool", "number": "float64"}.get(
            self.type, "int64"
        )


class AnySchema(msgspec.Struct, frozen=True, eq=False):
    """Anything: a walk stops here and keeps what it finds. definition: as for scalars (RawExtension, JSON)."""

    type: str = "object"
    definition: str = ""


class ListSchema(msgspec.Struct, frozen=True, eq=False, dict=True):
    """type: 'atomic', 'set', 'map' or '' (upstream never said; treated as atomic by apply). keys: of a 'map' list.
    merge: the words of the strategic patch strategy ('merge', 'retainKeys', 'replace'). key: its merge key."""

    item: Schema
    type: str = ""
    keys: tuple[str, ...] = ()
    merge: tuple[str, ...] = ()
    key: str = ""

    @cached_property
    def element(self) -> Property:
        """An item as a field, which has no name."""
        return Property("", self.item)


class MapSchema(msgspec.Struct, frozen=True, eq=False):
    """String keys to values of one kind. type: 'atomic', 'granular' or ''."""

    value: Schema
    type: str = ""


class Property(msgspec.Struct, frozen=True, eq=False):
    """One field of an object. name: on the wire. facts: as declared. nullable: a Go pointer (absent differs from
    zero). always: written even when empty. attribute: of the declared Struct, '' for a schema made by hand."""

    name: str
    schema: Schema
    facts: Field = _NO_FACTS
    nullable: bool = False
    always: bool = False
    attribute: str = ""

    @property
    def map_type(self) -> str:
        """What the field says about its map or object overrides what the type says of itself."""
        return (
            self.facts.map
            or (self.schema.type if isinstance(self.schema, MapSchema) else "")
            or (self.schema.map_type if isinstance(self.schema, ObjectSchema) else "")
        )

    @property
    def merge(self) -> tuple[str, ...]:
        """The words of the strategic patch strategy; objects have one too (`retainKeys`)."""
        return tuple(self.facts.merge.split(",")) if self.facts.merge else ()


class ObjectSchema:
    """Named fields. `properties` is computed on first use.

    name: the kind or Go type name. definition: the OpenAPI definition, '' for an inline schema. type: the declared
    Struct, or None for a schema made by hand. map_type: x-kubernetes-map-type of the type. preserve_unknown: fields
    outside `properties` are kept (custom resources). embedded: a whole object with apiVersion, kind and metadata.
    published: what a custom resource's schema says in the words of its author, which is what is published of it.
    """

    __slots__ = (
        "_derived",
        "_gvk",
        "_properties",
        "_source",
        "definition",
        "embedded",
        "map_type",
        "name",
        "preserve_unknown",
        "published",
        "type",
    )

    def __init__(
        self,
        name: str,
        properties: Mapping[str, Property] | Callable[[], Mapping[str, Property]],
        *,
        definition: str = "",
        type: type[Object] | None = None,
        map_type: str = "",
        preserve_unknown: bool = False,
        embedded: bool = False,
        gvk: tuple[str, str, str] | None = None,
        published: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.definition = definition
        self.type = type
        self.map_type = map_type
        self.preserve_unknown = preserve_unknown
        self.embedded = embedded
        self.published = published
        self._gvk = gvk
        self._source = properties
        self._properties: Mapping[str, Property] | None = None
        self._derived: dict[Any, Any] = {}

    @property
    def properties(self) -> Mapping[str, Property]:
        """By wire name, in declared order."""
        if self._properties is None:
            source = self._source
            self._properties = MappingProxyType(dict(source() if callable(source) else source))
        return self._properties

    @property
    def gvk(self) -> tuple[str, str, str] | None:
        """Group, version and kind, if this is a whole object that says what it is."""
        if self._gvk is None and self.type is not None:
            api_version, kind = _fixed(self.type, "apiVersion"), _fixed(self.type, "kind")
            if api_version and kind:
                group, _, version = api_version.rpartition("/")
                self._gvk = (group, version, kind)
        return self._gvk

    def __repr__(self) -> str:
        return f"ObjectSchema({self.definition or self.name})"


R = TypeVar("R")


def derived(build: Callable[[ObjectSchema], R]) -> Callable[[ObjectSchema], R]:
    """Decorates what compiles something from a schema: built once, kept as long as the schema itself."""

    @wraps(build)
    def find(schema: ObjectSchema) -> R:
        kept: dict[Any, R] = schema._derived
        try:
            return kept[build]
        except KeyError:
            return kept.setdefault(build, build(schema))

    return find


Schema = ObjectSchema | ListSchema | MapSchema | ScalarSchema | AnySchema

STRING = ScalarSchema("string")
INTEGER = ScalarSchema("integer", "int64")
NUMBER = ScalarSchema("number", "double")
BOOLEAN = ScalarSchema("boolean")
ANY = AnySchema()


@cache
def schema_of(declared: type[Object]) -> ObjectSchema:
    """The tree of a declared type; the same object every time."""
    return ObjectSchema(
        declared.__name__,
        lambda: _properties(declared),
        definition=definition_name(declared),
        type=declared,
        map_type=getattr(declared, "map_type", ""),
    )


# Groups that upstream serves from a module of its own, and so names differently.
_DEFINITION_PREFIXES = {
    "apiextensions": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions",
    "apiregistration": "io.k8s.kube-aggregator.pkg.apis.apiregistration",
}


def definition_name(declared: type[Object]) -> str:
    """`io.k8s.api.core.v1.Pod`: the OpenAPI definition of a declared type, from the module it is declared in.

    A type that belongs elsewhere says so in a class variable `definition`.
    """
    if stated := declared.__dict__.get("definition", ""):
        return str(stated)
    parts = declared.__module__.split(".")
    if parts[:2] == ["proa", "api"]:
        group, _, version = parts[2].rpartition("_")
        prefix = _DEFINITION_PREFIXES.get(group, f"io.k8s.api.{group}")
        return f"{prefix}.{version}.{declared.__name__}"
    if parts[:2] == ["proa", "machinery"]:
        return f"io.k8s.apimachinery.pkg.apis.meta.v1.{declared.__name__}"
    return ""


def _fixed(declared: type[Object], attribute: str) -> str:
    """What `fixed` says of a type's `apiVersion` or `kind`; '' where it says nothing."""
    info = next((each for each in msgspec.structs.fields(declared) if each.name == attribute), None)
    if info is None or info.default_factory is msgspec.NODEFAULT:
        return ""
    return str(info.default_factory())


def _properties(declared: type[Object]) -> dict[str, Property]:
    found: dict[str, Property] = {}
    for info in msgspec.structs.fields(declared):
        annotation, metadata = _unwrapped(info.type)
        annotation, nullable = _without_none(annotation)
        annotation, inner = _unwrapped(annotation)
        facts = next((each for each in metadata if isinstance(each, Field)), _NO_FACTS)
        scalar = next((each for each in (*metadata, *inner) if isinstance(each, Scalar)), None)
        found[info.encode_name] = Property(
            name=info.encode_name,
            schema=_schema(annotation, scalar, facts),
            facts=facts,
            nullable=nullable,
            always=info.default_factory is not msgspec.NODEFAULT and info.default_factory not in (dict, list, tuple),
            attribute=info.name,
        )
    return found


def _unwrapped(annotation: Any) -> tuple[Any, tuple[Any, ...]]:
    metadata: tuple[Any, ...] = ()
    while typing.get_origin(annotation) is Annotated:
        metadata += annotation.__metadata__
        annotation = annotation.__origin__
    return annotation, metadata


def _without_none(annotation: Any) -> tuple[Any, bool]:
    if typing.get_origin(annotation) not in (Union, UnionType):
        return annotation, False
    members = typing.get_args(annotation)
    if NoneType not in members:
        return annotation, False
    left = tuple(each for each in members if each is not NoneType)
    return (left[0] if len(left) == 1 else Union[left]), True  # noqa: UP007  built at run time


_PLAIN: dict[Any, Schema] = {str: STRING, int: INTEGER, float: NUMBER, bool: BOOLEAN, Any: ANY}


@cache
def _scalar(scalar: Scalar) -> Schema:
    return ScalarSchema(scalar.type, scalar.format, scalar.definition)


@cache
def _raw(scalar: Scalar) -> Schema:
    return AnySchema(scalar.type, scalar.definition)


def _schema(annotation: Any, scalar: Scalar | None, facts: Field) -> Schema:
    if scalar is not None:
        return _raw(scalar) if annotation is Any or typing.get_origin(annotation) is dict else _scalar(scalar)
    origin = typing.get_origin(annotation)
    if origin is tuple:
        merge = tuple(facts.merge.split(",")) if facts.merge else ()
        return ListSchema(_nested(typing.get_args(annotation)[0]), facts.list, facts.keys, merge, facts.key)
    if origin is not None and issubclass(origin, Mapping):
        return MapSchema(_nested(typing.get_args(annotation)[1]), facts.map)
    if isinstance(annotation, type) and issubclass(annotation, Object):
        return schema_of(annotation)
    try:
        return _PLAIN[annotation]
    except (KeyError, TypeError):
        raise TypeError(f"a declaration cannot use {annotation!r}") from None


def _nested(annotation: Any) -> Schema:
    annotation, metadata = _unwrapped(annotation)
    scalar = next((each for each in metadata if isinstance(each, Scalar)), None)
    return _schema(annotation, scalar, _NO_FACTS)


def reachable(schema: Schema) -> Iterator[Schema]:
    """The schema and everything below it, each once."""
    seen: set[int] = set()
    waiting: list[Schema] = [schema]
    while waiting:
        schema = waiting.pop()
        if id(schema) in seen:
            continue
        seen.add(id(schema))
        yield schema
        match schema:
            case ObjectSchema():
                waiting += [known.schema for known in schema.properties.values()]
            case ListSchema():
                waiting.append(schema.item)
            case MapSchema():
                waiting.append(schema.value)
            case _:
                pass


def at(schema: Schema, *names: str) -> Schema:
    """The schema below named fields, looking through lists and maps: `at(schema_of(Pod), "spec", "containers")`.

    Raises KeyError where there is no such field.
    """
    for name in names:
        while isinstance(schema, ListSchema | MapSchema):
            schema = schema.item if isinstance(schema, ListSchema) else schema.value
        if not isinstance(schema, ObjectSchema):
            raise KeyError(name)
        schema = schema.properties[name].schema
    return schema
