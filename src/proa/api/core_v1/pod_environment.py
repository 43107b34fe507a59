"""What makes the environment of a container wrong, and what may be read of a pod by its own containers.

Source: the API reference of core/v1 EnvVar, EnvFromSource, ObjectFieldSelector and ResourceFieldSelector.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from proa.api.core_v1.container import EnvFromSource, EnvVar, EnvVarSource
from proa.api.core_v1.pod_checks import at, check, check_given, report, without_steps_back
from proa.api.core_v1.reference import FileKeySelector, ObjectFieldSelector, ResourceFieldSelector
from proa.api.core_v1.volume import Volume
from proa.machinery.fields import ROOT, ErrorList, FieldError, Path
from proa.machinery.names import config_key, dns1123_label, dns1123_subdomain, qualified_name, relaxed_env_var_name
from proa.machinery.quantity import canonical, parse

_OF_METADATA = ("metadata.name", "metadata.namespace", "metadata.uid")
_OF_SPEC = ("spec.nodeName", "spec.serviceAccountName")
_OF_STATUS = ("status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs")
_MAPS = ("metadata.annotations", "metadata.labels")
IN_ENVIRONMENT = (*_OF_METADATA, *_OF_SPEC, *_OF_STATUS)
"""The fields a variable may have the value of; and one annotation or label."""

IN_FILES = (*_MAPS, *_OF_METADATA)
"""The fields a file of a volume may have the value of."""

_KNOWN = frozenset((*IN_ENVIRONMENT, *_MAPS, "spec.restartPolicy", "spec.schedulerName", "status.phase"))
_RESOURCES = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "ephemeral-storage", "memory")
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_BYTES = ("1", *(f"1{prefix}{suffix}" for suffix in ("", "i") for prefix in ("K" if suffix else "k", *"MGTPE")))
_NOTHING = parse(0)


def validate_env(variables: Sequence[EnvVar], volumes: Mapping[str, Volume], path: Path, errors: ErrorList) -> None:
    """path: of the list. volumes: those of the pod, by name."""
    for index, variable in enumerate(variables):
        check_given(errors, relaxed_env_var_name, variable.name, path, index, "name")
        source = variable.valueFrom
        if source is None:
            continue
        found = _source_problems(source, bool(variable.value))
        if found:
            report(errors, at(path, index, "valueFrom"), found)
        if source.fileKeyRef is not None:
            _find_volume(source.fileKeyRef, volumes, at(path, index, "valueFrom", "fileKeyRef"), errors)


@lru_cache(1024)
def _source_problems(source: EnvVarSource, has_value: bool) -> tuple[FieldError, ...]:
    errors, fields = ErrorList(), EnvVarSource.__struct_fields__
    chosen = sum(getattr(source, each) is not None for each in fields)
    if source.fieldRef is not None:
        validate_field_reference(source.fieldRef, IN_ENVIRONMENT, ROOT.child("fieldRef"), errors)
    if source.resourceFieldRef is not None:
        report(errors, ROOT.child("resourceFieldRef"), _resource_problems(source.resourceFieldRef))
    for field in ("configMapKeyRef", "secretKeyRef"):
        selector = getattr(source, field)
        if selector is not None:
            check(errors, dns1123_subdomain, selector.name, ROOT, field, "name")
            check_given(errors, config_key, selector.key, ROOT, field, "key")
    if source.fileKeyRef is not None:
        check_given(errors, relaxed_env_var_name, source.fileKeyRef.key, ROOT, "fileKeyRef", "key")
        check_given(errors, dns1123_label, source.fileKeyRef.volumeName, ROOT, "fileKeyRef", "volumeName")
        check_given(errors, without_steps_back, source.fileKeyRef.path, ROOT, "fileKeyRef", "path")
    if not chosen:
        names = [f"`{each}`" for each in fields]
        errors.invalid(ROOT, "", f"must specify one of: {', '.join(names[:-1])} or {names[-1]}")
    elif has_value:
        errors.invalid(ROOT, "", "may not be specified when `value` is not empty")
    elif chosen > 1:
        errors.invalid(ROOT, "", "may not have more than one field specified at a time")
    return tuple(errors)


def _find_volume(selector: FileKeySelector, volumes: Mapping[str, Volume], path: Path, errors: ErrorList) -> None:
    volume = volumes.get(selector.volumeName)
    if volume is None:
        errors.not_found(path.child("volumeName"), selector.volumeName)
    elif volume.emptyDir is None:
        errors.invalid(path.child("volumeName"), selector.volumeName, "referenced volume must be of type emptyDir")


def validate_env_from(sources: Sequence[EnvFromSource], path: Path, errors: ErrorList) -> None:
    """path: of the list."""
    for index, source in enumerate(sources):
        if source.prefix:
            check(errors, relaxed_env_var_name, source.prefix, path, index, "prefix")
        for field in ("configMapRef", "secretRef"):
            reference = getattr(source, field)
            if reference is not None and reference.name:
                check(errors, _name_or_prefix, reference.name, path, index, field, "name")
            elif reference is not None:
                errors.required(at(path, index, field, "name"))
        if source.configMapRef is None and source.secretRef is None:
            errors.invalid(path, "", "must specify one of: `configMapRef` or `secretRef`")
        elif source.configMapRef is not None and source.secretRef is not None:
            errors.invalid(path, "", "may not have more than one field specified at a time")


def _name_or_prefix(value: str) -> list[str]:
    """A name, or the beginning of a generated one: that may end with a dash."""
    return dns1123_subdomain(value[:-2] + "a" if len(value) > 1 and value.endswith("-") else value)


def validate_field_reference(
    reference: ObjectFieldSelector, allowed: tuple[str, ...], path: Path, errors: ErrorList
) -> None:
    """A field of the pod. allowed: those that may be read where the reference is."""
    report(errors, path, _field_problems(reference.apiVersion, reference.fieldPath, allowed))


@lru_cache(1024)
def _field_problems(version: str, field: str, allowed: tuple[str, ...]) -> tuple[FieldError, ...]:
    errors, where = ErrorList(), ROOT.child("fieldPath")
    name, bracket, key = field.removesuffix("']").partition("['") if field.endswith("']") else (field, "", "")
    why = ""
    if version != "v1":
        why = f"unsupported pod version: {version}"
    elif bracket and name not in _MAPS:
        why = f"field label does not support subscript: {field}"
    elif not bracket and field not in _KNOWN and field != "spec.host":
        why = f"field label not supported: {field}"
    if not field:
        errors.required(where)
    elif why:
        errors.invalid(where, field, f"error converting fieldPath: {why}")
    elif bracket:
        key = key.lower() if name == "metadata.annotations" else key
        for problem in qualified_name(key):
            errors.invalid(ROOT, key, problem)
    else:
        field = "spec.nodeName" if field == "spec.host" else field  # its name in the first versions
        if field not in allowed:
            errors.unsupported(where, field, sorted(allowed))
    return tuple(errors)


def validate_resource_reference(reference: ResourceFieldSelector, path: Path, errors: ErrorList) -> None:
    """A resource of a container, in a file: there the container must be said."""
    if not reference.containerName:
        errors.required(path.child("containerName"))
    else:
        report(errors, path, _resource_problems(reference))


@lru_cache(1024)
def _resource_problems(reference: ResourceFieldSelector) -> tuple[FieldError, ...]:
    errors, name = ErrorList(), reference.resource
    if not name:
        errors.required(ROOT.child("resource"))
    elif name not in _RESOURCES and not name.startswith(_HUGE_PAGES):
        errors.unsupported(ROOT.child("resource"), name, _RESOURCES)
    divisor = canonical(reference.divisor or 0)
    if parse(divisor) == _NOTHING:
        return tuple(errors)
    what = "hugepages" if name.startswith(_HUGE_PAGES) else name.partition(".")[2]
    allowed = ("1m", "1") if what == "cpu" else _BYTES
    if divisor not in allowed and (name in _RESOURCES or what == "hugepages"):
        listed = "1m and 1" if what == "cpu" else ", ".join(_BYTES)
        shown = "local ephemeral storage" if what == "ephemeral-storage" else what
        detail = f"only divisor's values {listed} are supported with the {shown} resource"
        errors.invalid(ROOT.child("divisor"), name, detail)
    return tuple(errors)
