"""What a CustomResourceDefinition may say, and what of it may change. Pure.

Not here: its schemas (`schemas`), and whether its names are free (`apiserver.custom.conditions`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import msgspec

from proa.api.apiextensions_v1 import (
    CustomResourceColumnDefinition,
    CustomResourceConversion,
    CustomResourceDefinition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionVersion,
    CustomResourceSubresources,
)
from proa.machinery import names as rules
from proa.machinery.client_config import validate_ca_bundle, validate_client_config
from proa.machinery.fields import ErrorList, Path, quoted

APPROVED = "api-approved.kubernetes.io"
SPEC = Path("spec")

_COLUMN_TYPES = ("boolean", "date", "integer", "number", "string")
_COLUMN_FORMATS = ("byte", "date", "date-time", "double", "float", "int32", "int64", "password")
_REVIEW_VERSIONS = ("v1", "v1beta1")


def validate(crd: CustomResourceDefinition, errors: ErrorList) -> None:
    """A definition, new or changed."""
    spec = crd.spec
    if crd.metadata.name != f"{spec.names.plural}.{spec.group}":
        errors.invalid(Path("metadata", "name"), crd.metadata.name, 'must be spec.names.plural+"."+spec.group')
    if not spec.group:
        errors.required(SPEC.child("group"))
    elif wrong := rules.dns1123_subdomain(spec.group):
        errors.invalid(SPEC.child("group"), spec.group, ",".join(wrong))
    elif "." not in spec.group:
        errors.invalid(SPEC.child("group"), spec.group, "should be a domain with at least one dot")
    if not spec.scope:
        errors.required(SPEC.child("scope"))
    _versions(spec.versions, errors)
    for name in ("plural", "singular", "kind", "listKind"):
        if not getattr(spec.names, name):
            errors.required(SPEC.child("names", name))
    _names(spec.names, SPEC.child("names"), errors)
    _names(crd.status.acceptedNames, Path("status", "acceptedNames"), errors)
    if spec.conversion is not None:
        _conversion(spec.conversion, SPEC.child("conversion"), errors)
    _stored_versions(crd, errors)
    if spec.preserveUnknownFields:
        errors.invalid(
            SPEC.child("preserveUnknownFields"),
            True,
            "cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead",
        )


def validate_update(new: CustomResourceDefinition, old: CustomResourceDefinition, errors: ErrorList) -> None:
    """What may not change: what objects are stored under, and once somebody may rely on it, the rest of the names."""
    if any(each.type == "Established" and each.status == "True" for each in old.status.conditions):
        _immutable(new.spec.scope, old.spec.scope, SPEC.child("scope"), errors)
        _immutable(new.spec.names.kind, old.spec.names.kind, SPEC.child("names", "kind"), errors)
        _authorities(new, old, errors)
    _immutable(new.spec.group, old.spec.group, SPEC.child("group"), errors)
    _immutable(new.spec.names.plural, old.spec.names.plural, SPEC.child("names", "plural"), errors)


def _authorities(new: CustomResourceDefinition, old: CustomResourceDefinition, errors: ErrorList) -> None:
    """Once it is established, a good bundle may not become a bad one; a bad one may stay until it is filled in."""
    before, path = ErrorList(), SPEC.child("conversion", "webhookClientConfig", "caBundle")
    validate_ca_bundle(_bundle(old), path, before)
    if not before:
        validate_ca_bundle(_bundle(new), path, errors)


def _bundle(crd: CustomResourceDefinition) -> bytes:
    webhook = crd.spec.conversion.webhook if crd.spec.conversion is not None else None
    return webhook.clientConfig.caBundle if webhook is not None and webhook.clientConfig is not None else b""


def validate_approval(crd: CustomResourceDefinition, old: CustomResourceDefinition | None, errors: ErrorList) -> None:
    """Groups of the Kubernetes community need its approval, or to say that they have none."""
    if not is_protected(crd.spec.group):
        return
    state, why = approval(crd.metadata.annotations)
    if old is not None and approval(old.metadata.annotations)[0] == state:
        return
    path = Path("metadata", "annotations").key(APPROVED)
    if state == "MissingAnnotation":
        errors.required(path, why)
    elif state == "InvalidAnnotation":
        errors.invalid(path, crd.metadata.annotations[APPROVED], why)


def is_protected(group: str) -> bool:
    """Whether a group belongs to the Kubernetes community, which approves its APIs."""
    return any(group == name or group.endswith(f".{name}") for name in ("k8s.io", "kubernetes.io"))


def approval(annotations: Mapping[str, str]) -> tuple[str, str]:
    """What the approval annotation says (the reason of its condition), and the same in words."""
    annotation = annotations.get(APPROVED, "")
    must = f"protected groups must have approval annotation {quoted(APPROVED)}"
    see = "see https://github.com/kubernetes/enhancements/pull/1111"
    if not annotation:
        return "MissingAnnotation", f"{must}, {see}"
    if annotation.startswith("unapproved"):
        return "UnapprovedAnnotation", f"not approved: {quoted(annotation)}"
    parts = urlsplit(annotation)
    if parts.scheme and parts.netloc:
        return "ApprovedAnnotation", f"approved in {annotation}"
    return "InvalidAnnotation", f'{must} with either a URL or a reason starting with "unapproved", {see}'


def _immutable(new: Any, old: Any, path: Path, errors: ErrorList) -> None:
    if new != old:
        errors.immutable(path, new)


def place(
    versions: Sequence[CustomResourceDefinitionVersion], position: int, field: str, shared: str = ""
) -> Path | None:
    """Where it is told what is wrong with a field of a version.

    What all versions say alike is told once, of the spec, as if it stood there (as `shared`): upstream's API once had
    no versions, and its checks still see definitions that way. None: an earlier version has been told of it.
    """
    said = getattr(versions[0], field)
    if any(getattr(each, field) != said for each in versions):
        return SPEC.child("versions").index(position).child(field)
    return None if position else SPEC.child(shared or field)


def _versions(versions: tuple[CustomResourceDefinitionVersion, ...], errors: ErrorList) -> None:
    path = SPEC.child("versions")
    plain = [msgspec.to_builtins(each) for each in versions]
    for position, version in enumerate(versions):
        at = path.index(position)
        if wrong := rules.dns1035_label(version.name):
            errors.invalid(at.child("name"), version.name, ",".join(wrong))
        _deprecation(version, at.child("deprecationWarning"), errors)
        told = place(versions, position, "subresources")
        if version.subresources is not None and told is not None:
            _subresources(version.subresources, told, errors)
        told = place(versions, position, "additionalPrinterColumns")
        if told is not None:
            for index, column in enumerate(version.additionalPrinterColumns):
                _column(column, told.index(index), errors)
    if len({each.name for each in versions}) < len(versions):
        errors.invalid(path, plain, "must contain unique version names")
    if sum(each.storage for each in versions) != 1:
        errors.invalid(path, plain, "must have exactly one version marked as storage version")


def _deprecation(version: CustomResourceDefinitionVersion, path: Path, errors: ErrorList) -> None:
    warning = version.deprecationWarning
    if warning is None:
        return
    if not version.deprecated:
        errors.invalid(path, warning, "can only be set for deprecated versions")
    if len(warning) > 256:
        errors.invalid(path, warning, "must be <= 256 characters long")
    if not warning:
        errors.invalid(path, warning, "must not be an empty string")
    for index, character in enumerate(warning):
        if not character.isprintable():
            detail = "must only contain printable UTF-8 characters; non-printable character found at index"
            errors.invalid(path, warning, f"{detail} {index}")
            break


def _names(names: CustomResourceDefinitionNames, path: Path, errors: ErrorList) -> None:
    for field in ("plural", "singular"):
        value = getattr(names, field)
        if value and (wrong := rules.dns1035_label(value)):
            errors.invalid(path.child(field), value, ",".join(wrong))
    for field in ("kind", "listKind"):
        value = getattr(names, field)
        if value and (wrong := rules.dns1035_label(value.lower())):
            detail = f"may have mixed case, but should otherwise match: {','.join(wrong)}"
            errors.invalid(path.child(field), value, detail)
    if names.kind and names.kind == names.listKind:
        errors.invalid(path.child("listKind"), names.listKind, "kind and listKind may not be the same")
    for field in ("shortNames", "categories"):
        for position, value in enumerate(getattr(names, field)):
            if wrong := rules.dns1035_label(value):
                errors.invalid(path.child(field).index(position), value, ",".join(wrong))


def _column(column: CustomResourceColumnDefinition, path: Path, errors: ErrorList) -> None:
    if not column.name:
        errors.required(path.child("name"))
    must = f"must be one of {','.join(_COLUMN_TYPES)}"
    if not column.type:
        errors.required(path.child("type"), must)
    elif column.type not in _COLUMN_TYPES:
        errors.invalid(path.child("type"), column.type, must)
    if column.format and column.format not in _COLUMN_FORMATS:
        errors.invalid(path.child("format"), column.format, f"must be one of {','.join(_COLUMN_FORMATS)}")
    if not column.jsonPath:
        errors.required(path.child("JSONPath"))
    else:
        _simple_path(column.jsonPath, path.child("JSONPath"), errors)


def _simple_path(text: str, path: Path, errors: ErrorList) -> bool:
    if not text.startswith("."):
        errors.invalid(path, text, "must be a simple json path starting with .")
        return False
    return True


def _subresources(subresources: CustomResourceSubresources, path: Path, errors: ErrorList) -> None:
    scale = subresources.scale
    if scale is None:
        return
    for field, below in (("specReplicasPath", ".spec."), ("statusReplicasPath", ".status.")):
        at, value = path.child("scale", field), getattr(scale, field)
        if not value:
            errors.required(at)
        elif _simple_path(value, at, errors) and not value.startswith(below):
            errors.invalid(at, value, f"should be a json path under {below.rstrip('.')}")
    selector = scale.labelSelectorPath
    at = path.child("scale", "labelSelectorPath")
    if selector and _simple_path(selector, at, errors) and not selector.startswith((".spec.", ".status.")):
        errors.invalid(at, selector, "should be a json path under either .spec or .status")


def _conversion(conversion: CustomResourceConversion, path: Path, errors: ErrorList) -> None:
    webhook = conversion.webhook
    at = path.child("webhookClientConfig")
    if conversion.strategy != "Webhook":
        if webhook is not None and webhook.clientConfig is not None:
            errors.forbidden(at, "should not be set when strategy is not set to Webhook")
        if webhook is not None and webhook.conversionReviewVersions:
            must = "should not be set when strategy is not set to Webhook"
            errors.forbidden(path.child("conversionReviewVersions"), must)
        return
    config = webhook.clientConfig if webhook is not None else None
    if config is None:
        errors.required(at, "required when strategy is set to Webhook")
    else:
        validate_client_config(config, at, errors)
    _review_versions(webhook.conversionReviewVersions if webhook is not None else (), path, errors)


def _review_versions(versions: tuple[str, ...], path: Path, errors: ErrorList) -> None:
    at = path.child("conversionReviewVersions")
    if not versions:
        errors.required(at)
        return
    for position, version in enumerate(versions):
        if version in versions[:position]:
            errors.invalid(at.index(position), version, "duplicate version")
            continue
        for wrong in rules.dns1035_label(version):
            errors.invalid(at.index(position), version, wrong)
    if not any(each in _REVIEW_VERSIONS for each in versions):
        errors.invalid(at, list(versions), f"must include at least one of {', '.join(_REVIEW_VERSIONS)}")


def _stored_versions(crd: CustomResourceDefinition, errors: ErrorList) -> None:
    path, stored = Path("status", "storedVersions"), crd.status.storedVersions
    if not stored:
        errors.invalid(path, [], "must have at least one stored version")
        return
    known = {each.name for each in crd.spec.versions}
    for version in crd.spec.versions:
        if version.storage and version.name not in stored:
            errors.invalid(path, list(stored), f"must have the storage version {version.name}")
    for position, name in enumerate(stored):
        if name not in known:
            errors.invalid(
                path.index(position),
                name,
                f"missing from spec.versions; {name} was previously a storage version, and must remain in "
                f"spec.versions until a storage migration ensures no data remains persisted in {name} and removes "
                f"{name} from status.storedVersions",
            )
