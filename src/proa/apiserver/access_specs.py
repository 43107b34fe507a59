"""The spec of a SubjectAccessReview and its kin: what it must say, and the attributes an authorizer is asked about.

Not here: asking (`reviews`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.apiserver.identity import AccessAttributes, User
from proa.machinery.field_selectors import FieldSelector, parse_fields
from proa.machinery.fields import ErrorList, Path
from proa.machinery.selectors import SelectorError, operator, parse_labels, requirement

Document = Mapping[str, Any]
_SPEC = Path("spec")
_ON = _SPEC.child("resourceAttributes")


def validate(spec: Document, errors: ErrorList, *, names_subject: bool) -> None:
    """names_subject: it must say who it is about."""
    on, path = spec.get("resourceAttributes"), spec.get("nonResourceAttributes")
    if on is not None and path is not None:
        why = "cannot be specified in combination with resourceAttributes"
        errors.invalid(_SPEC.child("nonResourceAttributes"), path, why)
    if on is None and path is None:
        why = "exactly one of nonResourceAttributes or resourceAttributes must be specified"
        errors.invalid(_ON, None, why)
    if names_subject and not spec.get("user") and not spec.get("groups"):
        errors.invalid(_SPEC.child("user"), "", "at least one of user or group must be specified")
    for name in ("fieldSelector", "labelSelector"):
        selector = (on or {}).get(name)
        if selector is not None:
            _validate_selector(selector, _ON.child(name), errors)


def _validate_selector(selector: Document, at: Path, errors: ErrorList) -> None:
    raw, requirements = selector.get("rawSelector", ""), selector.get("requirements") or ()
    if raw and requirements:
        errors.invalid(at.child("rawSelector"), raw, "may not specified at the same time as requirements")
    if not raw and not requirements:
        why = f"when {at} is specified, requirements or rawSelector is required"
        errors.required(at.child("requirements"), why)
    for index, each in enumerate(requirements):
        path, values = at.child("requirements").index(index), each.get("values") or ()
        said = each.get("operator", "")
        if said in ("In", "NotIn") and not values:
            errors.required(path.child("values"), "must be specified when `operator` is 'In' or 'NotIn'")
        if said in ("Exists", "DoesNotExist") and values:
            why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
            errors.forbidden(path.child("values"), why)
        if not each.get("key"):
            errors.required(path.child("key"), "must be specified")
        # An operator that is not known here is one of a newer client, whose question is answered without it.


def subject(spec: Document) -> User:
    """Who a SubjectAccessReview is about."""
    extra = {key: tuple(values) for key, values in (spec.get("extra") or {}).items()}
    return User(spec.get("user", ""), spec.get("uid", ""), tuple(spec.get("groups") or ()), extra)


def attributes_of(user: User, spec: Document) -> tuple[AccessAttributes, str]:
    """What a valid spec asks about `user`, and what of it could not be understood and is left out."""
    on = spec.get("resourceAttributes")
    if on is None:
        path = spec["nonResourceAttributes"]
        return AccessAttributes(user, path.get("verb", ""), path=path.get("path", ""), is_resource=False), ""
    faults: list[str] = []
    fields = _selector(on.get("fieldSelector"), "fieldSelector", faults)
    labels = _selector(on.get("labelSelector"), "labelSelector", faults)
    attributes = AccessAttributes(
        user,
        on.get("verb", ""),
        on.get("group", ""),
        on.get("version") or "*",
        on.get("resource", ""),
        on.get("subresource", ""),
        on.get("namespace", ""),
        on.get("name", ""),
        field_selector=fields,
        label_selector=labels,
    )
    return attributes, "; ".join(faults)


def _selector(given: Document | None, kind: str, faults: list[str]) -> str:
    """A selector as text. Requirements are joined by and, so leaving one out only asks for more."""
    if given is None:
        return ""
    raw: str = given.get("rawSelector", "")
    try:
        if raw:
            parse_fields(raw) if kind == "fieldSelector" else parse_labels(raw)
            return raw
    except SelectorError:
        faults.append(f"spec.resourceAttributes.{kind} ignored due to parse error")
        return ""
    requirements = given.get("requirements") or ()
    texts = [text for each in requirements if (text := _requirement(each, kind))]
    if len(texts) < len(requirements):
        how = "partially ignored" if texts else "ignored"
        faults.append(f"spec.resourceAttributes.{kind} {how} due to parse error")
    return ",".join(texts)


def _requirement(each: Document, kind: str) -> str:
    """One requirement as text, '' for one that cannot be understood."""
    key, said, values = each.get("key", ""), each.get("operator", ""), list(each.get("values") or ())
    if kind == "fieldSelector":
        sign = {"In": "=", "NotIn": "!="}.get(said)
        return str(FieldSelector([(key, sign, values[0])])) if sign and len(values) == 1 else ""
    try:
        return str(requirement(key, operator(said), values))
    except SelectorError:
        return ""
