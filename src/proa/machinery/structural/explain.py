"""What is wrong with a value under a schema, in the words that clients know.

A plain walk for what the gate has refused. Errors that belong to no field (junctors) come without one, as `<nil>`.
On update, what is wrong but was so before is let pass, as far as the old value can be told to be the same one: fields,
map values, elements of lists of type map. Not here: the quick answer whether anything is wrong (`gate`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from proa.machinery.declare import UNSET
from proa.machinery.fields import ErrorList, FieldError, Path, quoted
from proa.machinery.structural.formats import text_check
from proa.machinery.structural.patterns import searcher
from proa.machinery.structural.tree import Node

_FLOAT32_MAX = 3.4028234663852886e38
_TYPE_META = ("apiVersion", "kind")


def explain(value: Any, node: Node, errors: ErrorList, path: str = "", old: Any = UNSET) -> None:
    """Adds what is wrong with `value`. old: the stored value it replaces."""
    found = _Walk().check(value, node, path, old)
    errors.extend(found.errors)


def fits(value: Any, node: Node) -> bool:
    """Whether nothing is wrong."""
    return not _Walk().check(value, node, "", UNSET).errors


class _Result:
    """matches: how much was right, by which the alternative that was probably meant is told."""

    __slots__ = ("errors", "matches")

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.matches = 0

    def take(self, other: _Result) -> None:
        self.errors += other.errors
        self.matches += other.matches


class _Walk:
    def check(self, value: Any, node: Node, path: str, old: Any) -> _Result:
        result = _Result()
        self._type(value, node, path, result)
        if value is None:
            self._enum(value, node, path, result)
            return _let_pass(result, value, old)
        self._junctors(value, node, path, result)
        if isinstance(value, str):
            self._text(value, node, path, result)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            _number(value, node, path, result)
        elif isinstance(value, list):
            self._list(value, node, path, result, old)
        self._enum(value, node, path, result)
        if isinstance(value, dict):
            self._object(value, node, path, result, old)
        result.matches += 1
        return _let_pass(result, value, old)

    def _type(self, value: Any, node: Node, path: str, result: _Result) -> None:
        types = node.types
        if not types or (value is None and node.nullable):
            result.matches += 1
            return
        said = json_type(value)
        whole = said == "integer" or (said == "number" and float(value).is_integer())
        if said in types or ("number" in types and said == "integer") or ("integer" in types and whole):
            result.matches += 1
        else:
            wanted = ",".join(types)
            _type_invalid(path, f"{_at(path)} must be of type {wanted}: {quoted(said)}", said, result)

    def _text(self, value: str, node: Node, path: str, result: _Result) -> None:
        if node.max_length is not None and len(value) > node.max_length:
            unit = "byte" if node.max_length == 1 else "bytes"
            detail = f"may not be more than {node.max_length} {unit}"
            result.errors.append(FieldError("FieldValueTooLong", _field(path), detail=detail))
        elif node.min_length is not None and len(value) < node.min_length:
            _invalid(path, value, f"{_at(path)} should be at least {node.min_length} chars long", result)
        elif node.pattern and not searcher(node.pattern)(value):
            _invalid(path, value, f"{_at(path)} should match '{node.pattern}'", result)
        else:
            result.matches += 1
        check = text_check(node.type, node.format)
        if check is not None and not check(value):
            _type_invalid(path, f"{_at(path)} must be of type {node.format}: {quoted(value)}", value, result)

    def _list(self, value: list[Any], node: Node, path: str, result: _Result, old: Any) -> None:
        if node.items is not None:
            before = _correlated(node, old)
            for position, each in enumerate(value):
                was = before.get(_key(each, node), UNSET) if before else UNSET
                result.take(self.check(each, node.items, f"{path}[{position}]", was))
        size = len(value)
        if node.min_items is not None and size < node.min_items:
            _invalid(path, size, f"{_at(path)} should have at least {node.min_items} items", result)
        if node.max_items is not None and size > node.max_items:
            _too_many(path, size, node.max_items, result)
        if node.unique_items and len({msgspec.json.encode(each, order="sorted") for each in value}) < size:
            _invalid(path, "", f"{_at(path)} shouldn't contain duplicates", result)
        result.matches += 1

    def _enum(self, value: Any, node: Node, path: str, result: _Result) -> None:
        if node.enum is None or any(_same(value, each) for each in node.enum):
            return
        if value is None and node.nullable and None in node.enum:
            return
        shown = [each if isinstance(each, str) else msgspec.json.encode(each).decode() for each in node.enum]
        listed = ", ".join(quoted(each) for each in shown)
        shown_value = "" if value is None else value
        detail = f"supported values: {listed}" if listed else ""
        result.errors.append(FieldError("FieldValueNotSupported", _field(path), shown_value, detail))

    def _object(self, value: dict[str, Any], node: Node, path: str, result: _Result, old: Any) -> None:
        if node.min_properties is not None and len(value) < node.min_properties:
            _invalid(path, len(value), f"{_at(path)} should have at least {node.min_properties} properties", result)
        if node.max_properties is not None and len(value) > node.max_properties:
            _too_many(path, len(value), node.max_properties, result)
        before = old if isinstance(old, Mapping) and node.map_type != "atomic" else {}
        for name, each in value.items():
            below = node.properties.get(name)
            if below is not None:
                was = UNSET if not path and name in _TYPE_META else before.get(name, UNSET)
                result.take(self.check(each, below, f"{path}.{name}" if path else name, was))
            elif isinstance(node.additional, Node):
                result.take(self.check(each, node.additional, f"{path}.{name}", before.get(name, UNSET)))
            elif node.additional is False:
                _invalid(path, name, f"{path}.{name} in body is a forbidden property", result)
        for name in node.required:
            if name not in value:
                result.errors.append(FieldError("FieldValueRequired", _field(f"{path}.{name}")))
        result.matches += 1

    def _junctors(self, value: Any, node: Node, path: str, result: _Result) -> None:
        if node.any_of:
            best, valid = self._alternatives(value, node.any_of, path)
            if not valid:
                _about_all(f"{quoted(path)} must validate at least one schema (anyOf)", result)
                result.take(best)
            else:
                result.matches += best.matches
        if node.one_of:
            best, valid = self._alternatives(value, node.one_of, path)
            if valid != 1:
                said = f"Found {valid} valid alternatives" if valid else "Found none valid"
                _about_all(f"{quoted(path)} must validate one and only one schema (oneOf). {said}", result)
                if not valid:
                    result.take(best)
            else:
                result.matches += best.matches
        if node.all_of:
            valid = 0
            for each in node.all_of:
                outcome = self.check(value, each, path, UNSET)
                valid += not outcome.errors
                result.take(outcome)
            if valid != len(node.all_of):
                none = "" if valid else ". None validated"
                _about_all(f"{quoted(path)} must validate all the schemas (allOf){none}", result)
        if node.not_ is not None and not self.check(value, node.not_, path, UNSET).errors:
            _about_all(f"{quoted(path)} must not validate the schema (not)", result)
        result.matches += 1

    def _alternatives(self, value: Any, nodes: tuple[Node, ...], path: str) -> tuple[_Result, int]:
        """The first that fits, or that which fits best; and how many fit."""
        outcomes = [self.check(value, each, path, UNSET) for each in nodes]
        fitting = [each for each in outcomes if not each.errors]
        return (fitting[0] if fitting else max(outcomes, key=lambda each: each.matches)), len(fitting)


def _let_pass(result: _Result, value: Any, old: Any) -> _Result:
    if result.errors and old is not UNSET and value == old:
        result.errors = []
    return result


def _number(value: float, node: Node, path: str, result: _Result) -> None:
    types = node.types
    if len(types) == 1 and not _in_range(value, node):
        known = {"integer": ("int32", "int64"), "number": ("float", "double")}[types[0]]
        how = f"with format {node.format}" if node.format in known else "(default format)"
        where = f" {how} in {path}"
        _about_all(f"Checked value must be of type {types[0]}{where}", result)
    whole = isinstance(value, int)
    if node.multiple_of is not None and not _is_multiple(value, node.multiple_of):
        shown = go_number(node.multiple_of, whole=whole)
        _invalid(path, value, f"{_at(path)} should be a multiple of {shown}", result)
    if node.minimum is not None:
        low = int(node.minimum) if whole else node.minimum
        if value < low or (node.exclusive_minimum and value == low):
            than = "greater than" if node.exclusive_minimum else "greater than or equal to"
            _invalid(path, value, f"{_at(path)} should be {than} {go_number(low, whole=whole)}", result)
    if node.maximum is not None:
        high = int(node.maximum) if whole else node.maximum
        if value > high or (node.exclusive_maximum and value == high):
            than = "less than" if node.exclusive_maximum else "less than or equal to"
            _invalid(path, value, f"{_at(path)} should be {than} {go_number(high, whole=whole)}", result)
    result.matches += 1


def _in_range(value: float, node: Node) -> bool:
    if node.type == "integer":
        bits = 31 if node.format == "int32" else 63
        return -(1 << bits) <= value < 1 << bits
    return node.type != "number" or node.format != "float" or abs(value) <= _FLOAT32_MAX


def _is_multiple(value: float, factor: float) -> bool:
    if isinstance(value, int):
        return int(factor) > 0 and value % int(factor) == 0
    if factor <= 0:
        return False
    ratio = 1 / factor * value if factor < 1 else value / factor
    return abs(ratio - round(ratio)) <= 1e-9 * max(1.0, abs(ratio))


def json_type(value: Any) -> str:
    """The JSON type as schemas name it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer" if -(1 << 63) <= value < 1 << 63 else "number"
    if isinstance(value, float):
        return "number"
    return "string" if isinstance(value, str) else "array" if isinstance(value, list) else "object"


def go_number(value: float, *, whole: bool) -> str:
    """A number as Go prints it."""
    if whole or isinstance(value, int):
        return str(int(value))
    if value.is_integer() and abs(value) < 1e21:
        return str(int(value))
    return repr(value)


def _same(value: Any, allowed: Any) -> bool:
    if isinstance(value, bool) or isinstance(allowed, bool):
        return value is allowed
    return bool(value == allowed)


def _correlated(node: Node, old: Any) -> dict[Any, Any]:
    """The old elements by their keys, where elements can be told apart."""
    if node.list_type != "map" or not isinstance(old, list):
        return {}
    return {_key(each, node): each for each in old}


def _key(element: Any, node: Node) -> bytes:
    keys = {key: element.get(key) for key in node.list_keys} if isinstance(element, Mapping) else element
    return msgspec.json.encode(keys)


def _at(path: str) -> str:
    return f"{path} in body"


def _field(path: str) -> str:
    """The path of an error: the root has none."""
    return path.removeprefix(".") or "<nil>"


def _invalid(path: str, value: Any, detail: str, result: _Result) -> None:
    result.errors.append(FieldError("FieldValueInvalid", _field(path), value, detail))


def _type_invalid(path: str, detail: str, value: Any, result: _Result) -> None:
    result.errors.append(FieldError("FieldValueTypeInvalid", _field(path), value, detail))


def _too_many(path: str, size: int, limit: int, result: _Result) -> None:
    errors = ErrorList()
    errors.too_many(Path(_field(path)), size, limit)
    result.errors += errors


def _about_all(detail: str, result: _Result) -> None:
    result.errors.append(FieldError("FieldValueInvalid", "<nil>", "", detail))
