"""`device.attributes["domain"].name == ...`: selectors of devices (resource.k8s.io), and the values they see.

Not here: which selectors a request has (`api.resource_v1`), who looks for devices.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from proa.lang.cel import types
from proa.lang.cel.environment import Environment, Program
from proa.lang.cel.errors import CelError, EvaluationError
from proa.lang.cel.functions import Library
from proa.lang.cel.macros import BINDINGS
from proa.lang.cel.types import BOOL, DYN, STRING
from proa.lang.cel.values import MapValue
from proa.machinery.expressions.admission import compile_to
from proa.machinery.expressions.environment import with_variables
from proa.machinery.expressions.measures import QUANTITY_TYPE, quantity_of, version_of
from proa.machinery.fields import ErrorList, Path
from proa.machinery.rules.declared import Declared, DeclaredSizes

COST_LIMIT = 1_000_000
_LONGEST_DOMAIN, _LONGEST_NAME, _LONGEST_VALUE, _MOST = 63, 32, 64, 32


class _Attributes(dict[str, Declared]):
    """Every name has the same size, whatever it is."""

    def get(self, name: str, default: Any = None) -> Any:
        return _ATTRIBUTE


def _mapped(value: Declared, fields: Mapping[str, Declared] | None = None) -> Declared:
    return Declared(types.map_of(STRING, value.type), _MOST, 2, {} if fields is None else fields, value)


_ATTRIBUTE = Declared(DYN, _LONGEST_VALUE)
_DEVICE_FIELDS = {
    "driver": Declared(STRING, _LONGEST_DOMAIN),
    "allowMultipleAllocations": Declared(BOOL, 1),
    "attributes": _mapped(_mapped(_ATTRIBUTE, _Attributes())),
    "capacity": _mapped(_mapped(Declared(QUANTITY_TYPE))),
}
_DEVICE = Declared(
    types.struct("kubernetes.DRADevice", {name: each.type for name, each in _DEVICE_FIELDS.items()}),
    fields=_DEVICE_FIELDS,
)
_SIZES = DeclaredSizes(_DEVICE)


@cache
def _environment() -> Environment:
    return with_variables({"device": _DEVICE.type}).extended({}, (Library((), macros=BINDINGS),))


def compile_selector(source: str) -> Program:
    """Raises CelError."""
    program = compile_to(_environment(), source)
    if program.result not in (BOOL, DYN):
        raise CelError(f"must evaluate to bool or the unknown type, not {program.result}")
    return program


def validate_selector(source: str, path: Path, errors: ErrorList) -> None:
    """path: of the selector, whose field `expression` the source is."""
    try:
        program = compile_selector(source)
    except CelError as error:
        errors.invalid(path.child("expression"), source, str(error))
        return
    if program.cost_of(_SIZES).high > COST_LIMIT:
        errors.forbidden(path.child("expression"), "too complex, exceeds cost limit")


def matches(program: Program, driver: str, device: Mapping[str, Any]) -> bool:
    """Whether a device document of a driver is selected. Raises CelError."""
    value = program.evaluate({"device": _value(driver, device)})
    if not isinstance(value, bool):
        raise EvaluationError("CEL result could not be converted to bool")
    return value


def _value(driver: str, device: Mapping[str, Any]) -> dict[str, Any]:
    attributes = ((name, _attribute(name, each)) for name, each in (device.get("attributes") or {}).items())
    capacity = ((name, quantity_of(str(each["value"]))) for name, each in (device.get("capacity") or {}).items())
    return {
        "driver": driver,
        "allowMultipleAllocations": bool(device.get("allowMultipleAllocations")),
        "attributes": _Domains(driver, attributes),
        "capacity": _Domains(driver, capacity),
    }


def _attribute(name: str, attribute: Mapping[str, Any]) -> Any:
    for kind in ("int", "bool", "string"):
        if attribute.get(kind) is not None:
            return attribute[kind]
    if attribute.get("version") is not None:
        return version_of(attribute["version"])
    raise EvaluationError(f"attribute {name}: unsupported attribute value")


class _Domains(MapValue):
    """Named values by the domain of their names; a domain that is not there is empty."""

    __slots__ = ("_content",)

    def __init__(self, driver: str, named: Iterator[tuple[str, Any]]) -> None:
        self._content: dict[str, dict[str, Any]] = {}
        for name, value in named:
            domain, slash, identifier = name.partition("/")
            self._content.setdefault(domain if slash else driver, {})[identifier if slash else name] = value

    def __getitem__(self, key: Any) -> Any:
        return self._content.get(key, {})

    def get(self, key: Any, default: Any = None) -> Any:
        return self[key]

    def __contains__(self, key: object) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        return iter(self._content)

    def __len__(self) -> int:
        return len(self._content)
