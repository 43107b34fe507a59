"""Defaulting: fills in, in place, what the declaration says about absent fields, and writes values canonically.

A defaulter is compiled once per schema into Python functions, one per object type, that visit only what has something
to do below it: a default, a quantity or a time. Source text instead of closures because every created object passes
here and it halves the time. It expects a document of its declared shape (`decode.field_validation`). Not here:
defaults that depend on other fields; those are the strategy's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proa.machinery import quantity, timestamps
from proa.machinery.conform import cannot_handle, type_errors
from proa.machinery.declare import UNSET
from proa.machinery.fields import Path
from proa.machinery.schema import (
    ListSchema,
    MapSchema,
    ObjectSchema,
    Property,
    ScalarSchema,
    Schema,
    derived,
    reachable,
)

Document = dict[str, Any]
Defaulter = Callable[[Document], None]


def apply_defaults(document: Document, schema: ObjectSchema) -> None:
    """Defaults and canonicalises a document in place. Raises StatusError (400) for a malformed quantity or time."""
    defaulter_of(schema)(document)


@derived
def defaulter_of(schema: ObjectSchema) -> Defaulter:
    """The compiled defaulter of a schema."""
    compiler = _Compiler()
    name = compiler.object(schema)
    start = compiler.functions()[name]

    def run(document: Document) -> None:
        try:
            start(document)
        except (quantity.QuantityError, timestamps.TimeError) as error:
            found: list[tuple[Path | None, str]] = [*type_errors(document, schema)]
            raise cannot_handle(document, schema, found or [(None, str(error))]) from None

    return run


_CANONICAL = {"quantity": quantity.canonical, "time": timestamps.canonical, "micro": timestamps.canonical_micro}


class _Compiler:
    """Writes one function per object type; a type that contains itself simply calls itself.

    Names from documents enter the text only through repr().
    """

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._texts: list[str] = []
        self._busy: dict[int, bool] = {}

    def functions(self) -> dict[str, Any]:
        """What was written, compiled."""
        scope: dict[str, Any] = dict(_CANONICAL)
        exec(compile("\n".join(self._texts), "<defaulters>", "exec"), scope)
        return scope

    def object(self, schema: ObjectSchema) -> str:
        """The name of the function for an object type, written on first need."""
        key = id(schema)
        if key not in self._names:
            self._names[key] = name = f"object_{len(self._names)}"
            body = [line for known in schema.properties.values() for line in self._property(known)]
            self._texts.append("\n".join([f"def {name}(value):", " get = value.get", *(body or [" pass"])]))
        return self._names[key]

    def _property(self, known: Property) -> list[str]:
        default, place = self._default(known), f"value[{known.name!r}]"
        lines = []
        if default is not UNSET:
            missing = f"get({known.name!r}) is None" if known.nullable else f"not get({known.name!r})"
            lines.append(f" if {missing}: {place} = {default!r}")
        if self._concerned(known.schema):
            # the default is complete: only what was there is visited
            begin = [f" below = get({known.name!r})", " if below is not None:"]
            lines += begin if default is UNSET else [" else:", f"  below = {place}"]
            lines += [f"  {line}" for line in self._visit(known.schema, "below", place)]
        return lines

    def _default(self, known: Property) -> Any:
        """What an absent field becomes, with all that is in it; UNSET when it stays absent.

        An object that is not a Go pointer exists even when nobody wrote it, and so do the defaults in it.
        """
        default, schema = known.facts.default, known.schema
        if not isinstance(schema, ObjectSchema) or (default is UNSET and known.nullable):
            return default
        every = {each.name: self._default(each) for each in schema.properties.values()}
        inside = {name: value for name, value in every.items() if value is not UNSET}
        return inside or UNSET if default is UNSET else {**inside, **default}

    def _visit(self, schema: Schema, name: str, place: str) -> list[str]:
        """Lines that bring the value called `name`, which is kept at `place`, in order."""
        match schema:
            case ObjectSchema():
                return [f"{self.object(schema)}({name})"]
            case ListSchema():
                inner = self._visit(schema.item, f"{name}_", f"{name}[{name}i]")
                if isinstance(schema.item, ObjectSchema):
                    return [f"for {name}_ in {name}:", *(f" {line}" for line in inner)]
                return [f"for {name}i, {name}_ in enumerate({name}):", *(f" {line}" for line in inner)]
            case MapSchema():
                inner = self._visit(schema.value, f"{name}_", f"{name}[{name}i]")
                return [f"for {name}i, {name}_ in {name}.items():", *(f" {line}" for line in inner)]
            case _:
                return [f"{place} = {_canonical(schema)}({name})"]

    def _concerned(self, schema: Schema) -> bool:
        """Whether anything is to be done in a value of this schema."""
        key = id(schema)
        if key not in self._busy:
            self._busy[key] = any(_canonical(each) or _own_defaults(each) for each in reachable(schema))
        return self._busy[key]


def _own_defaults(schema: Schema) -> bool:
    return isinstance(schema, ObjectSchema) and any(
        each.facts.default is not UNSET for each in schema.properties.values()
    )


def _canonical(schema: Schema) -> str:
    if isinstance(schema, ScalarSchema):
        if schema.is_quantity:
            return "quantity"
        if schema.is_time:
            return "micro" if schema.is_micro_time else "time"
    return ""
