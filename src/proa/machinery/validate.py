"""Validation that follows from the declaration alone: closed sets of values, bounds, fields that may not change.

A check is compiled once per schema and only answers whether a document is in order, because it nearly always is; what
is wrong, and where, is found by a second, plain walk. Duplicates in lists of type set and map are a walk of their own:
many built-in types take them (two `env` of one name), custom resources do not. Not here: rules that need code
(strategies), metadata (`object_meta`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proa.machinery import names
from proa.machinery.declare import Field, Object
from proa.machinery.fields import ROOT, ErrorList, Path
from proa.machinery.schema import ListSchema, MapSchema, ObjectSchema, Property, Schema, derived, reachable

Document = Mapping[str, Any]


def validate_facts(document: Document, schema: ObjectSchema, errors: ErrorList, typed: Object | None = None) -> None:
    """Adds what the declared facts (enum, minimum, maximum) object to in a defaulted document.

    typed: the same as a typed object, where the caller has it: its attributes are read in half the time.
    """
    if not (_check_of(schema)(document) if typed is None else _typed_check_of(schema)(typed)):
        _explain(document, schema, ROOT, errors)


def validate_facts_update(new: Document, old: Document, schema: ObjectSchema, errors: ErrorList) -> None:
    """Adds the fields declared immutable that differ. An unset one may still be set."""
    if _has_immutable(schema):
        _changes(new, old, schema, ROOT, errors)


def validate_lists(document: Any, schema: Schema, errors: ErrorList, path: Path = ROOT) -> None:
    """Adds the duplicates in lists of type 'set' and 'map'."""
    match schema:
        case ObjectSchema() if isinstance(document, Mapping):
            for name, value in document.items():
                if name in schema.properties:
                    validate_lists(value, schema.properties[name].schema, errors, path.child(name))
        case MapSchema() if isinstance(document, Mapping):
            for key, value in document.items():
                validate_lists(value, schema.value, errors, path.key(key))
        case ListSchema() if isinstance(document, list):
            seen = set()
            for position, value in enumerate(document):
                shown = _identity(value, schema)
                if shown is not None:
                    identity = msgspec.json.encode(shown)
                    if identity in seen:
                        errors.duplicate(path.index(position), shown)
                    seen.add(identity)
                validate_lists(value, schema.item, errors, path.index(position))
        case _:
            pass


def _identity(value: Any, schema: ListSchema) -> Any:
    if schema.type == "set":
        return value
    if schema.type == "map" and isinstance(value, Mapping):
        return {key: value.get(key, _default(schema.item, key)) for key in schema.keys}
    return None


def _default(item: Schema, key: str) -> Any:
    known = item.properties.get(key) if isinstance(item, ObjectSchema) else None
    return known.facts.default if known and known.facts.default is not msgspec.UNSET else None


# --- the explanation ---


def _explain(document: Any, schema: Schema, path: Path, errors: ErrorList) -> None:
    match schema:
        case ObjectSchema():
            for known in schema.properties.values():
                value = document.get(known.name)
                at = path.child(known.name)
                if _checked(known):
                    _explain_value(value, known, at, errors)
                if value:
                    _explain(value, known.schema, at, errors)
        case ListSchema():
            for position, value in enumerate(document):
                _explain(value, schema.item, path.index(position), errors)
        case MapSchema():
            for key, value in document.items():
                _explain(value, schema.value, path.key(key), errors)
        case _:
            pass


def _explain_value(value: Any, known: Property, path: Path, errors: ErrorList) -> None:
    facts = known.facts
    if value is None:
        if _must_be_given(known):
            errors.required(path)
    elif facts.enum and isinstance(value, list):
        for position, item in enumerate(value):
            if item not in facts.enum:
                errors.unsupported(path.index(position), item, sorted(facts.enum))
    elif facts.enum and not (value == "" and not known.nullable) and value not in facts.enum:
        errors.unsupported(path, value, sorted(facts.enum))
    elif _bounded(facts) and not _absent_zero(value, known) and not _within(value, facts):
        errors.invalid(path, value, _bounds(facts))


def _checked(known: Property) -> bool:
    return bool(known.facts.enum) or _bounded(known.facts)


def _bounded(facts: Field) -> bool:
    return facts.minimum is not None or facts.maximum is not None


def _must_be_given(known: Property) -> bool:
    """A required number whose zero is out of bounds: Go cannot tell absent from zero, so neither is accepted."""
    return known.facts.required and _bounded(known.facts) and not _within(0, known.facts)


def _absent_zero(value: Any, known: Property) -> bool:
    return value == 0 and not known.nullable and not known.facts.required


def _within(value: int, facts: Field) -> bool:
    return (facts.minimum is None or value >= facts.minimum) and (facts.maximum is None or value <= facts.maximum)


def _bounds(facts: Field) -> str:
    if facts.minimum is not None and facts.maximum is not None:
        return names.in_range(facts.minimum, facts.maximum)
    if facts.minimum is not None:
        return f"must be greater than or equal to {facts.minimum}"
    return f"must be less than or equal to {facts.maximum}"


# --- the compiled check ---


_Check = Callable[[Any], bool]


@derived
def _check_of(schema: ObjectSchema) -> _Check:
    return _compiled(schema, lambda known: f"value.get({known.name!r})")


@derived
def _typed_check_of(schema: ObjectSchema) -> _Check:
    return _compiled(schema, lambda known: f"value.{known.attribute}")


def _compiled(schema: ObjectSchema, read: Callable[[Property], str]) -> _Check:
    compiler = _Compiler(read)
    name = compiler.object(schema)
    found: _Check = compiler.functions()[name]
    return found


class _Compiler:
    """Writes one function per object type, `True` when the object is in order. Names enter only through repr().

    read: the expression for a property of `value`. What is left out of a document has its zero in a typed object, which
    is as much in order: a required number whose zero is out of bounds must be given.
    """

    def __init__(self, read: Callable[[Property], str]) -> None:
        self._read = read
        self._names: dict[int, str] = {}
        self._texts: list[str] = []
        self._scope: dict[str, Any] = {}
        self._concerns: dict[int, bool] = {}

    def functions(self) -> dict[str, Any]:
        exec(compile("\n".join(self._texts), "<checks>", "exec"), self._scope)
        return self._scope

    def object(self, schema: ObjectSchema) -> str:
        key = id(schema)
        if key not in self._names:
            self._names[key] = name = f"object_{len(self._names)}"
            body = [line for known in schema.properties.values() for line in self._property(known)]
            self._texts.append("\n".join([f"def {name}(value):", *body, " return True"]))
        return self._names[key]

    def _property(self, known: Property) -> list[str]:
        lines = []
        if wrong := self._wrong(known):
            lines += [f" below = {self._read(known)}", f" if {wrong}: return False"]
        elif self._concerned(known.schema):
            lines += [f" below = {self._read(known)}", " if below:"]
            lines += [f"  {line}" for line in self._visit(known.schema, "below")]
        return lines

    def _wrong(self, known: Property) -> str:
        facts = known.facts
        if facts.enum:
            constant = f"enum_{len(self._scope)}"
            self._scope[constant] = frozenset(facts.enum)
            if isinstance(known.schema, ListSchema):  # the set is of the items
                return f"below and not {constant}.issuperset(below)"
            given = "below is not None" if known.nullable else "below"
            return f"{given} and below not in {constant}"
        tests = [f"below < {facts.minimum}"] if facts.minimum is not None else []
        tests += [f"below > {facts.maximum}"] if facts.maximum is not None else []
        if not tests:
            return ""
        given = "below is not None" if known.nullable or facts.required else "below"
        missing = "below is None or " if _must_be_given(known) else ""
        return f"{missing}{given} and ({' or '.join(tests)})"

    def _visit(self, schema: Schema, name: str) -> list[str]:
        match schema:
            case ObjectSchema():
                return [f"if not {self.object(schema)}({name}): return False"]
            case ListSchema():
                return [f"for {name}_ in {name}:", *(f" {line}" for line in self._visit(schema.item, f"{name}_"))]
            case MapSchema():
                inner = self._visit(schema.value, f"{name}_")
                return [f"for {name}_ in {name}.values():", *(f" {line}" for line in inner)]
            case _:
                return ["pass"]

    def _concerned(self, schema: Schema) -> bool:
        key = id(schema)
        if key not in self._concerns:
            self._concerns[key] = any(
                _checked(known)
                for each in reachable(schema)
                if isinstance(each, ObjectSchema)
                for known in each.properties.values()
            )
        return self._concerns[key]


# --- immutable fields ---


@derived
def _has_immutable(schema: ObjectSchema) -> bool:
    return any(
        known.facts.immutable
        for each in reachable(schema)
        if isinstance(each, ObjectSchema)
        for known in each.properties.values()
    )


def _changes(new: Any, old: Any, schema: Schema, path: Path, errors: ErrorList) -> None:
    match schema:
        case ObjectSchema():
            for known in schema.properties.values():
                before, after = old.get(known.name), new.get(known.name)
                if known.facts.immutable:
                    if before not in (None, "") and before != after:
                        errors.immutable(path.child(known.name), after)
                elif before and after:
                    _changes(after, before, known.schema, path.child(known.name), errors)
        case MapSchema():
            for key in new.keys() & old.keys():
                _changes(new[key], old[key], schema.value, path.key(key), errors)
        case ListSchema() if schema.type == "map":
            known_items = {msgspec.json.encode(_identity(item, schema)): item for item in old}
            for position, item in enumerate(new):
                before = known_items.get(msgspec.json.encode(_identity(item, schema)))
                if before is not None:
                    _changes(item, before, schema.item, path.index(position), errors)
        case _:
            pass
