"""Checks that the strategies of many resources share: one value, one path, the words clients know.

Not here: what the declared facts say already (`validate`), names (`names`), metadata and selectors (`object_meta`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from proa.machinery.declare import Object
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.names import dns1123_label, dns1123_subdomain, percent, qualified_name
from proa.machinery.quantity import canonical, parse
from proa.machinery.scalars import Quantity
from proa.machinery.schema import schema_of

_NEGATIVE = "must be greater than or equal to 0"
_NOTHING = parse(0)
_LONGEST_DOMAIN = 253
_LONGEST_SIGNER = 571  # a domain, a namespace in it and a name in that
_HTTP_PATH = r"[A-Za-z0-9/\-._~%!$&'()*+,;=:]+"


def check_names(errors: ErrorList, path: Path, value: str, problems: Sequence[str]) -> None:
    """Every problem that a name rule of `machinery.names` found with `value`."""
    for each in problems:
        errors.invalid(path, value, each)


def check_unchanged(errors: ErrorList, path: Path, new: Any, old: Any) -> None:
    """A field that may not change, not even from or to nothing."""
    if new != old:
        errors.immutable(path, new)


def check_not_negative(errors: ErrorList, path: Path, value: int | None) -> None:
    if value is not None and value < 0:
        errors.invalid(path, value, _NEGATIVE)


def check_amount(errors: ErrorList, path: Path, value: int | str | None) -> None:
    """A count, or a percentage of one."""
    if isinstance(value, str):
        check_names(errors, path, value, percent(value))
    else:
        check_not_negative(errors, path, value)


def check_at_most_all(errors: ErrorList, path: Path, value: int | str | None) -> None:
    """A percentage of at most a hundred; a count may be any."""
    if isinstance(value, str) and not percent(value) and int(value.removesuffix("%")) > 100:
        errors.invalid(path, value, "must not be greater than 100%")


def check_quantity(errors: ErrorList, path: Path, value: Quantity | None) -> None:
    """A quantity of nothing or more."""
    if value is not None and parse(value) < _NOTHING:
        errors.invalid(path, canonical(value), _NEGATIVE)


def check_required(errors: ErrorList, path: Path, value: Object) -> None:
    """The texts and lists that a type declares as required are not empty."""
    for name, known in schema_of(type(value)).properties.items():
        found = getattr(value, name, None)
        if known.facts.required and isinstance(found, str | tuple) and not found:
            errors.required(path.child(name))


def check_domain_prefixed(errors: ErrorList, path: Path, value: str) -> None:
    """`example.com/anything`: a name in somebody's domain."""
    domain, _, rest = value.partition("/")
    if not value:
        errors.required(path)
    elif not domain or not rest:
        errors.invalid(path, value, 'must be a domain-prefixed path (such as "acme.io/foo")')
    else:
        check_names(errors, path, domain, dns1123_subdomain(domain))
        if not re.fullmatch(_HTTP_PATH, rest):
            errors.invalid(path, rest, f"Invalid path (regex used for validation is '{_HTTP_PATH}')")


def check_domain_prefixed_key(errors: ErrorList, path: Path, value: str) -> None:
    """`example.com/anything`, as keys of labels are made."""
    problems = qualified_name(value)
    if not value:
        errors.required(path)
    elif problems:
        check_names(errors, path, value, problems)
    elif "/" not in value:
        errors.invalid(path, value, 'must be a domain-prefixed key (such as "acme.io/foo")')


def check_signer_name(errors: ErrorList, path: Path, value: str) -> None:
    """`domain/path`, the domain of at least two labels: who signs certificates, or whom to trust."""
    if not value:
        errors.required(path)
        return
    domain, slash, rest = value.partition("/")
    if not slash or "/" in rest:
        detail = "must be a fully qualified domain and path of the form 'example.com/signer-name'"
        errors.invalid(path, value, detail)
        return
    if len(domain) > _LONGEST_DOMAIN:
        errors.too_long(path, _LONGEST_DOMAIN)
    for whole, rule in ((domain, dns1123_label), (rest, dns1123_subdomain)):
        wrong = next(((label, found) for label in whole.split(".") if (found := rule(label))), None)
        if wrong is not None:
            label, found = wrong
            check_names(errors, path, whole, [f"validating label {quoted(label)}: {each}" for each in found])
        if whole is domain and "." not in domain:
            errors.invalid(path, domain, "should be a domain with at least two segments separated by dots")
    if len(value) > _LONGEST_SIGNER:
        errors.too_long(path, _LONGEST_SIGNER)
