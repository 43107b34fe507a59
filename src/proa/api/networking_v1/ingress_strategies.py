"""How ingresses and their classes differ from the generic registry: what rules, hosts, paths and backends may say."""

from __future__ import annotations

from typing import Any

from proa.api.core_v1.reference import TypedLocalObjectReference
from proa.api.core_v1.service_warnings import load_balancer_warnings
from proa.api.networking_v1.ingress import HTTPIngressPath, Ingress, IngressBackend, IngressServiceBackend
from proa.api.networking_v1.ingress_class import IngressClass, IngressClassParametersReference
from proa.machinery.addresses import ip_address
from proa.machinery.checks import check_domain_prefixed, check_names, check_unchanged
from proa.machinery.fields import ErrorList, Path, quoted
from proa.machinery.names import (
    dns1123_label,
    dns1123_subdomain,
    path_segment,
    port_name,
    port_number,
    wildcard_subdomain,
)
from proa.machinery.strategy import DefaultStrategy

_SPEC = Path("spec")
_CLASS_ANNOTATION = "kubernetes.io/ingress.class"
_LONGEST_CONTROLLER = 250
_AMBIGUOUS = ("//", "/./", "/../", "%2f", "%2F")
_AMBIGUOUS_ENDS = ("/..", "/.")
_NO_NAME = "must be a DNS name, not an IP address"


class IngressStrategy(DefaultStrategy):
    def validate(self, new: Ingress, errors: ErrorList) -> None:
        spec = new.spec
        if not spec.rules and spec.defaultBackend is None:
            errors.invalid(_SPEC, spec.rules or None, "either `defaultBackend` or `rules` must be specified")
        if spec.defaultBackend is not None:
            _validate_backend(spec.defaultBackend, _SPEC.child("defaultBackend"), errors)
        for position, rule in enumerate(spec.rules):
            at = _SPEC.child("rules").index(position)
            if rule.host:
                _validate_host(rule.host, at.child("host"), errors)
            if rule.http is not None:
                _validate_paths(rule.http.paths, at.child("http", "paths"), errors)
        for position, tls in enumerate(spec.tls):
            at = _SPEC.child("tls").index(position)
            for number, host in enumerate(tls.hosts):
                check = wildcard_subdomain if "*" in host else dns1123_subdomain
                check_names(errors, at.child("hosts").index(number), host, check(host))
            if tls.secretName:
                check_names(errors, at.child("secretName"), tls.secretName, dns1123_subdomain(tls.secretName))
        if spec.ingressClassName is not None:
            at = _SPEC.child("ingressClassName")
            check_names(errors, at, spec.ingressClassName, dns1123_subdomain(spec.ingressClassName))

    def validate_create(self, new: Ingress, errors: ErrorList) -> None:
        annotated, named = new.metadata.annotations.get(_CLASS_ANNOTATION), new.spec.ingressClassName
        if annotated is not None and named is not None and annotated != named:
            at = Path("annotations").child(_CLASS_ANNOTATION)
            errors.invalid(at, annotated, "must match `ingressClassName` when both are specified")

    def validate_update(self, new: Ingress, old: Ingress, errors: ErrorList) -> None:
        known = {each.ip for each in old.status.loadBalancer.ingress}
        for position, point in enumerate(new.status.loadBalancer.ingress):
            at = Path("status", "loadBalancer", "ingress").index(position)
            if point.ip and point.ip not in known:
                check_names(errors, at.child("ip"), point.ip, ip_address(point.ip))
            if point.hostname:
                check_names(errors, at.child("hostname"), point.hostname, dns1123_subdomain(point.hostname))
                if not ip_address(point.hostname):
                    errors.invalid(at.child("hostname"), point.hostname, _NO_NAME)

    def warnings(self, new: Ingress, old: Ingress | None) -> list[str]:
        annotated = _CLASS_ANNOTATION in new.metadata.annotations and new.spec.ingressClassName is None
        if old is not None or not annotated:
            return []
        return [f"annotation {quoted(_CLASS_ANNOTATION)} is deprecated, please use 'spec.ingressClassName' instead"]

    def status_warnings(self, new: Ingress) -> list[str]:
        return load_balancer_warnings(each.ip for each in new.status.loadBalancer.ingress)


def _validate_host(host: str, path: Path, errors: ErrorList) -> None:
    if not ip_address(host):
        errors.invalid(path, host, _NO_NAME)
    check = wildcard_subdomain if "*" in host else dns1123_subdomain
    check_names(errors, path, host, check(host))


def _validate_paths(paths: tuple[HTTPIngressPath, ...], path: Path, errors: ErrorList) -> None:
    if not paths:
        errors.required(path)
    for position, each in enumerate(paths):
        at = path.index(position)
        if each.pathType is None:
            errors.required(at.child("pathType"), "pathType must be specified")
            continue
        matched = each.pathType in ("Exact", "Prefix")
        if (each.path or matched) and not each.path.startswith("/"):
            errors.invalid(at.child("path"), each.path, "must be an absolute path")
        if matched:
            for part in _AMBIGUOUS:
                if part in each.path:
                    errors.invalid(at.child("path"), each.path, f"must not contain '{part}'")
            for end in _AMBIGUOUS_ENDS:
                if each.path.endswith(end):
                    errors.invalid(at.child("path"), each.path, f"cannot end with '{end}'")
        _validate_backend(each.backend, at.child("backend"), errors)


def _validate_backend(backend: IngressBackend, path: Path, errors: ErrorList) -> None:
    match backend:
        case IngressBackend(service=None, resource=None):
            errors.invalid(path, "", "resource or service backend is required")
        case IngressBackend(service=None, resource=resource) if resource is not None:
            _validate_reference(resource, path.child("resource"), errors)
        case IngressBackend(service=service, resource=None) if service is not None:
            _validate_service(service, path, errors)
        case _:
            errors.invalid(path, "", "cannot set both resource and service backends")


def _validate_service(service: IngressServiceBackend, path: Path, errors: ErrorList) -> None:
    at, port = path.child("service"), service.port
    if service.name:
        check_names(errors, at.child("name"), service.name, dns1123_label(service.name))
    else:
        errors.required(at.child("name"))
    if port.name and port.number:
        errors.invalid(path, "", "cannot set both port name & port number")
    elif port.name:
        check_names(errors, at.child("port", "name"), port.name, port_name(port.name))
    elif port.number:
        for problem in port_number(port.number):
            errors.invalid(at.child("port", "number"), port.number, problem)
    else:
        errors.required(path, "port name or number is required")


class IngressClassStrategy(DefaultStrategy):
    def validate(self, new: IngressClass, errors: ErrorList) -> None:
        controller, at = new.spec.controller, _SPEC.child("controller")
        if len(controller) > _LONGEST_CONTROLLER:
            errors.too_long(at, _LONGEST_CONTROLLER)
        check_domain_prefixed(errors, at, controller)
        parameters, at = new.spec.parameters, _SPEC.child("parameters")
        if parameters is None:
            return
        _validate_reference(parameters, at, errors)
        namespace = parameters.namespace
        if parameters.scope == "Namespace":
            if namespace is None:
                errors.required(at.child("namespace"), "`parameters.scope` is set to 'Namespace'")
            else:
                check_names(errors, at.child("namespace"), namespace, dns1123_label(namespace))
        elif parameters.scope == "Cluster" and namespace is not None:
            errors.forbidden(at.child("namespace"), "`parameters.scope` is set to 'Cluster'")

    def validate_update(self, new: IngressClass, old: IngressClass, errors: ErrorList) -> None:
        check_unchanged(errors, _SPEC.child("controller"), new.spec.controller, old.spec.controller)


def _validate_reference(
    reference: TypedLocalObjectReference | IngressClassParametersReference, path: Path, errors: ErrorList
) -> None:
    if reference.apiGroup is not None:
        check_names(errors, path.child("apiGroup"), reference.apiGroup, dns1123_subdomain(reference.apiGroup))
    for field in ("kind", "name"):
        value: Any = getattr(reference, field)
        if value:
            check_names(errors, path.child(field), value, path_segment(value))
        else:
            errors.required(path.child(field))
