"""`Object{spec: Object.spec{...}}` and `JSONPatch{op: ..., path: ...}`: what expressions of mutating policies make.

The fields of an `Object` are whatever the expression writes: the type of each is dynamic, and a literal nested under
`spec` must be called `Object.spec`, which is looked at when the value is there. `Object` and `Object.<path>` are a
family of struct types that the environment resolves by name, so literals need no schema and no rewriting of the
expression; their values become plain documents here. Not here: applying them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from proa.base.errors import ProaError
from proa.lang.cel.conversions import text_of
from proa.lang.cel.cost import Traversal
from proa.lang.cel.environment import Environment
from proa.lang.cel.functions import Library, function, overload
from proa.lang.cel.planner import StructValue
from proa.lang.cel.types import DYN, STRING, Type, list_of, struct
from proa.lang.cel.values import LISTS, MAPS, Duration, Timestamp

_OBJECT = "Object"


class _Any(dict[str, Type]):
    """Every field there could be."""

    def get(self, name: str, default: Any = None) -> Any:
        return DYN


OBJECT_TYPE = struct(_OBJECT, _Any(), literal=True)
JSON_PATCH_TYPE = struct("JSONPatch", {"op": STRING, "path": STRING, "from": STRING, "value": DYN}, literal=True)
PATCH_TYPES: Mapping[str, Type] = {"ApplyConfiguration": OBJECT_TYPE, "JSONPatch": list_of(JSON_PATCH_TYPE)}
"""What an expression evaluates to, by patchType."""

_ESCAPES = str.maketrans({"/": "~1", "~": "~0"})


def _objects(name: str) -> Type | None:
    if name == _OBJECT:
        return OBJECT_TYPE
    return struct(name, _Any(), literal=True) if name.startswith(f"{_OBJECT}.") else None


def _escape(key: str) -> str:
    return key.translate(_ESCAPES)


PATCHES = Library(
    (
        function(
            "jsonpatch.escapeKey",
            overload("string_jsonpatch_escapeKey_string", (STRING,), STRING, _escape),
            cost=Traversal(sized=True),
        ),
    ),
    {JSON_PATCH_TYPE.name: JSON_PATCH_TYPE},
    _objects,
)


@lru_cache(maxsize=64)
def with_patches(environment: Environment) -> Environment:
    """The environment with what patches are written with."""
    return environment.extended({}, (PATCHES,))


class PatchError(ProaError):
    """A value that is no document, or a literal that is called by another name than its place."""


def document_of(value: Any) -> dict[str, Any]:
    """The document an `Object` is. Raises PatchError."""
    assert isinstance(value, StructValue)
    wrong = list(_misnamed(value, _OBJECT))
    if wrong:
        raise PatchError(f"type mismatch: {chr(10).join(wrong)}")
    found: dict[str, Any] = _plain(value)
    return found


def operations_of(patches: Any) -> list[dict[str, Any]]:
    """The JSON patch that a list of `JSONPatch` is. Raises PatchError."""
    return [_operation(each) for each in patches]


def _operation(patch: StructValue) -> dict[str, Any]:
    operation = {"op": patch.get("op", ""), "path": patch.get("path", "")}
    if patch.get("from"):
        operation["from"] = patch["from"]
    if "value" in patch:
        value = patch["value"]
        if isinstance(value, StructValue):
            wrong = list(_misnamed(value, value.type.name))
            if wrong:
                raise PatchError(f"type mismatch: {chr(10).join(wrong)}")
        operation["value"] = _plain(value)
    return operation


def _misnamed(value: Any, expected: str) -> list[str]:
    if isinstance(value, StructValue):
        wrong = []
        if value.type.name != expected:
            wrong.append(
                f'unexpected type name "{value.type.name}", expected "{expected}", which matches field name path from '
                "root Object type"
            )
        return wrong + [each for name, below in value.items() for each in _misnamed(below, f"{expected}.{name}")]
    if isinstance(value, LISTS):
        return [each for below in value for each in _misnamed(below, expected)]
    if isinstance(value, MAPS):
        return [each for below in value.values() for each in _misnamed(below, expected)]
    return []


def _plain(value: Any) -> Any:
    """The value as JSON. Raises PatchError."""
    match value:
        case None | bool() | float() | str():
            return value
        case int():
            return int(value)
        case bytes():
            return base64.b64encode(value).decode()
        case Timestamp() | Duration():
            return text_of(value)
        case _ if isinstance(value, LISTS):
            return [_plain(each) for each in value]
        case _ if isinstance(value, MAPS):
            return {_key(key): _plain(each) for key, each in value.items()}
        case _:
            raise PatchError("JSONPath valueExpression evaluated to a type that could not marshal to JSON")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise PatchError(f"map key {key!r} is of type {type(key).__name__}, not string")
    return key
