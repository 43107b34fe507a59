"""Checks that claims, classes and slices of devices share: names, sizes, selectors, configuration."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from proa.api.core_v1.volume_validation import check_driver_name
from proa.api.resource_v1.device_class import DeviceSelector, OpaqueDeviceConfiguration
from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label, dns1123_subdomain, qualified_name

T = TypeVar("T")

MOST_REQUESTS = MOST_CONSTRAINTS = MOST_CONFIGURATIONS = MOST_RESULTS = 32
_MOST_SELECTORS = 32
_MOST_CONDITIONS = 4
_LONGEST_EXPRESSION = 10 * 1024
_LONGEST_PARAMETERS = 10 * 1024
_LONGEST_POOL = 253
_LONGEST_IDENTIFIER = 32
_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_UID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def check_each(
    errors: ErrorList,
    path: Path,
    items: Sequence[T],
    most: int,
    check: Callable[[T, Path], None],
    identity: Callable[[T], Hashable] | None = None,
) -> None:
    """Every item by itself; too many are not looked into. identity: what no two of them may share."""
    if len(items) > most:
        errors.too_many(path, len(items), most)
        return
    seen: set[Hashable] = set()
    for position, item in enumerate(items):
        at = path.index(position)
        check(item, at)
        if identity is not None:
            key = identity(item)
            if key in seen:
                errors.duplicate(at, key)
            seen.add(key)


def check_label(errors: ErrorList, path: Path, value: str) -> None:
    """A DNS label, which must be given."""
    check_names(errors, path, value, dns1123_label(value))


def check_pool_name(errors: ErrorList, path: Path, name: str) -> None:
    """Names in a row, separated by slashes."""
    if not name:
        errors.required(path)
        return
    if len(name) > _LONGEST_POOL:
        errors.too_long(path, _LONGEST_POOL)
    for part in name.split("/"):
        check_names(errors, path, part, dns1123_subdomain(part))


def check_uid(errors: ErrorList, path: Path, uid: str) -> None:
    if not _UID.fullmatch(uid):
        detail = (
            "uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal"
            " characters"
        )
        errors.invalid(path, uid, detail)


def check_attribute_name(errors: ErrorList, path: Path, name: str, *, full: bool = False) -> None:
    """An identifier, with the domain of a driver before it (full: always)."""
    domain, slash, identifier = name.partition("/")
    if not slash:
        domain, identifier = "", name
    if slash and not domain:
        errors.invalid(path, "", "the domain must not be empty")
    if domain:
        check_driver_name(errors, path, domain)
    if slash and not identifier:
        errors.invalid(path, "", "the name must not be empty")
        return
    if len(identifier) > _LONGEST_IDENTIFIER:
        errors.too_long(path, _LONGEST_IDENTIFIER)
    if not re.fullmatch(_IDENTIFIER, identifier):
        detail = (
            "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric"
            f" characters or '_' (e.g. 'my_name', or 'MY_NAME', or 'MyName', regex used for validation is '{_IDENTIFIER}')"
        )
        errors.invalid(path, identifier, detail)
    if full and not slash:
        detail = "a fully qualified name must be a domain and a name separated by a slash"
        errors.invalid(path, name, detail)


def check_selectors(errors: ErrorList, path: Path, selectors: Sequence[DeviceSelector]) -> None:
    """Which devices: expressions that are true or false of a device."""

    def check(selector: DeviceSelector, at: Path) -> None:
        if selector.cel is None:
            errors.required(at.child("cel"))
        elif not selector.cel.expression:
            errors.required(at.child("cel", "expression"))
        elif len(selector.cel.expression.encode()) > _LONGEST_EXPRESSION:
            errors.too_long(at.child("cel", "expression"), _LONGEST_EXPRESSION)
        else:
            from proa.machinery.expressions.devices import validate_selector  # with it comes the language

            validate_selector(selector.cel.expression, at.child("cel"), errors)

    check_each(errors, path, selectors, _MOST_SELECTORS, check)


def check_configuration(errors: ErrorList, path: Path, opaque: OpaqueDeviceConfiguration | None) -> None:
    """Parameters of a driver, which nobody else understands."""
    at = path.child("opaque")
    if opaque is None:
        errors.required(at)
        return
    check_driver_name(errors, at.child("driver"), opaque.driver)
    check_raw(errors, at.child("parameters"), opaque.parameters)


def check_raw(errors: ErrorList, path: Path, value: Any) -> None:
    """Any JSON object that is not too large."""
    if value is None:
        errors.required(path)
    elif len(msgspec.json.encode(value)) > _LONGEST_PARAMETERS:
        errors.too_long(path, _LONGEST_PARAMETERS)
    elif not isinstance(value, dict):
        errors.invalid(path, "<value omitted>", "must be a valid JSON object")


def check_binding_conditions(errors: ErrorList, path: Path, wanted: Sequence[str], failed: Sequence[str]) -> None:
    """The conditions under which a pod is bound to a device, and those under which it never is."""

    def check(condition: str, at: Path) -> None:
        check_names(errors, at, condition, qualified_name(condition))

    pairs: Iterable[tuple[str, Sequence[str]]] = (("bindingConditions", wanted), ("bindingFailureConditions", failed))
    for field, conditions in pairs:
        check_each(errors, path.child(field), conditions, _MOST_CONDITIONS, check, lambda each: each)
    for position, condition in enumerate(failed):
        if condition in wanted:
            detail = "bindingFailureConditions must not overlap with bindingConditions"
            errors.invalid(path.child("bindingFailureConditions").index(position), condition, detail)
    if failed and not wanted:
        detail = "bindingConditions are required to use bindingFailureConditions"
        errors.invalid(path.child("bindingConditions"), wanted, detail)
    if wanted and not failed:
        detail = "bindingFailureConditions are required to use bindingConditions"
        errors.invalid(path.child("bindingFailureConditions"), failed, detail)
