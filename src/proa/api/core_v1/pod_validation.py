"""What makes a pod spec wrong beyond what its fields declare. Pod templates are checked by the same rules.

Nearly every pod is in order, and says what some pod before it said: paths are made where something is wrong, and what
was found about values that many pods share is remembered.
Source: the API reference of core/v1 Pod; wording as clients know it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter

from msgspec.structs import astuple, replace

from proa.api.core_v1.container import (
    Container,
    EphemeralContainer,
    LifecycleHandler,
    Probe,
    ResourceRequirements,
    VolumeMount,
)
from proa.api.core_v1.placement import Toleration
from proa.api.core_v1.pod import PodSpec, Sysctl
from proa.api.core_v1.template import PodTemplateSpec
from proa.api.core_v1.volume import Volume
from proa.machinery.addresses import ip_address
from proa.machinery.checks import check_names
from proa.machinery.declare import Object
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import (
    dns1123_label,
    dns1123_subdomain,
    label_value,
    port_name,
    port_number,
    qualified_name,
    relaxed_env_var_name,
    sysctl_name,
)
from proa.machinery.object_meta import validate_annotations, validate_labels
from proa.machinery.quantity import parse
from proa.machinery.scalars import Quantity

AnyContainer = Container | EphemeralContainer
_VOLUME_SOURCES = tuple(name for name in Volume.__struct_fields__ if name != "name")
_SUBDOMAINS = ("serviceAccountName", "nodeName", "schedulerName", "priorityClassName", "runtimeClassName")
_subdomains_of = attrgetter(*_SUBDOMAINS)
_HANDLERS = ("exec", "httpGet", "tcpSocket", "grpc", "sleep")


Rule = Callable[[str], Sequence[str]]


@lru_cache(8192)
def _problems(rule: Rule, value: str) -> Sequence[str]:
    return rule(value)


def _check(errors: ErrorList, rule: Rule, value: str, path: Path, *steps: str | int) -> None:
    """Report what `rule` says of `value` at `steps` below `path`."""
    problems = _problems(rule, value)
    if problems:
        check_names(errors, _at(path, *steps), value, problems)


def _at(path: Path, *steps: str | int) -> Path:
    """The place below `path` that names of fields and positions in lists lead to."""
    for step in steps:
        path = path.index(step) if isinstance(step, int) else path.child(step)
    return path


def validate_pod_spec(spec: PodSpec, path: Path, errors: ErrorList) -> None:
    volumes = _validate_volumes(spec.volumes, path, errors)
    if not spec.containers:
        errors.required(path.child("containers"))
    seen: set[str] = set()
    for index, container in enumerate(spec.containers):
        _validate_container(container, path.child("containers").index(index), volumes, seen, errors)
    for index, container in enumerate(spec.initContainers):
        at = path.child("initContainers").index(index)
        _validate_container(container, at, volumes, seen, errors)
        _validate_init_container(container, at, errors)
    for index, ephemeral in enumerate(spec.ephemeralContainers):
        _validate_container(ephemeral, path.child("ephemeralContainers").index(index), volumes, seen, errors)
    _validate_host_ports(spec, path, errors)
    for field, name, problem in _subdomain_problems(_subdomains_of(spec)):
        errors.invalid(path.child(field), name, problem)
    if spec.hostname:
        _check(errors, dns1123_label, spec.hostname, path, "hostname")
    if spec.subdomain:
        _check(errors, dns1123_label, spec.subdomain, path, "subdomain")
    for index, alias in enumerate(spec.hostAliases):
        _check(errors, ip_address, alias.ip, path, "hostAliases", index, "ip")
    if spec.securityContext is not None and spec.securityContext.sysctls:
        _validate_sysctls(spec.securityContext.sysctls, path.child("securityContext", "sysctls"), errors)
    if spec.nodeSelector:
        _validate_labels(spec.nodeSelector, path.child("nodeSelector"), errors)
    if spec.tolerations:
        validate_tolerations(spec.tolerations, path.child("tolerations"), errors)
    if spec.dnsPolicy == "None" and (spec.dnsConfig is None or not spec.dnsConfig.nameservers):
        errors.required(
            path.child("dnsConfig", "nameservers"), "must provide at least one DNS nameserver when `dnsPolicy` is None"
        )


@lru_cache(1024)
def _subdomain_problems(names: tuple[str | None, ...]) -> tuple[tuple[str, str, str], ...]:
    """(field, name, what is wrong) of a pod's `_SUBDOMAINS`."""
    given = ((field, name) for field, name in zip(_SUBDOMAINS, names, strict=True) if name)
    return tuple((field, name, problem) for field, name in given for problem in dns1123_subdomain(name))


def validate_pod_template(template: PodTemplateSpec, path: Path, errors: ErrorList) -> None:
    """The pod spec of a template, and the labels and annotations its pods get."""
    validate_labels(template.metadata.labels, errors, path.child("labels"))
    validate_annotations(template.metadata.annotations, errors, path.child("annotations"))
    validate_pod_spec(template.spec, path.child("spec"), errors)
    if template.spec.ephemeralContainers:
        errors.forbidden(path.child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template")


def _validate_volumes(volumes: Sequence[Volume], path: Path, errors: ErrorList) -> set[str]:
    """The names of the volumes; path: the spec's."""
    names: set[str] = set()
    for index, volume in enumerate(volumes):
        name = volume.name
        if not name:
            errors.required(_at(path, "volumes", index, "name"))
        else:  # not remembered: that of the token's volume is another one in every pod
            for problem in dns1123_label(name):
                errors.invalid(_at(path, "volumes", index, "name"), name, problem)
        if name in names:
            errors.duplicate(_at(path, "volumes", index, "name"), name)
        names.add(name)
        if astuple(volume).count(None) != len(_VOLUME_SOURCES) - 1:
            _explain_sources(volume, _at(path, "volumes", index), errors)
        if volume.hostPath is not None and ".." in volume.hostPath.path.split("/"):
            at = _at(path, "volumes", index, "hostPath", "path")
            errors.invalid(at, volume.hostPath.path, "must not contain '..'")
        if volume.secret is not None and volume.secret.secretName == "":
            errors.required(_at(path, "volumes", index, "secret", "secretName"))
        if volume.configMap is not None and volume.configMap.name == "":
            errors.required(_at(path, "volumes", index, "configMap", "name"))
    return names


def _explain_sources(volume: Volume, path: Path, errors: ErrorList) -> None:
    """Of a volume that has not just one source."""
    sources = [name for name in _VOLUME_SOURCES if getattr(volume, name) is not None]
    if not sources:
        errors.required(path, "must specify a volume type")
    for extra in sources[1:]:
        errors.forbidden(path.child(extra), "may not specify more than 1 volume type")


def _validate_container(
    container: AnyContainer, path: Path, volumes: set[str], seen: set[str], errors: ErrorList
) -> None:
    if not container.name:
        errors.required(path.child("name"))
    else:
        _check(errors, dns1123_label, container.name, path, "name")
    if container.name in seen:
        errors.duplicate(path.child("name"), container.name)
    seen.add(container.name)
    if not container.image:
        errors.required(path.child("image"))
    elif container.image != container.image.strip():
        errors.invalid(path.child("image"), container.image, "must not have leading or trailing whitespace")
    if container.ports:
        _validate_ports(container, path, errors)
    if container.env:
        _validate_env(container, path, errors)
    if container.volumeMounts:
        _validate_mounts(container, path, volumes, errors)
    if container.resources.limits or container.resources.requests:
        validate_resources(container.resources, path.child("resources"), errors)
    for field in ("livenessProbe", "readinessProbe", "startupProbe"):
        probe = getattr(container, field)
        if probe is not None:
            _validate_handler(probe, path.child(field), errors)
            if field != "readinessProbe" and probe.successThreshold not in (None, 0, 1):
                errors.invalid(path.child(field, "successThreshold"), probe.successThreshold, "must be 1")
    lifecycle = container.lifecycle
    if lifecycle is not None:
        for field, handler in (("postStart", lifecycle.postStart), ("preStop", lifecycle.preStop)):
            if handler is not None:
                _validate_handler(handler, path.child("lifecycle", field), errors)
    context = container.securityContext
    if context is not None and context.privileged and context.allowPrivilegeEscalation is False:
        errors.invalid(
            path.child("securityContext"),
            False,
            "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
        )


def _validate_init_container(container: Container, path: Path, errors: ErrorList) -> None:
    if container.restartPolicy == "Always":
        return
    for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if getattr(container, field) is not None:
            errors.forbidden(path.child(field), "may not be set for init containers without restartPolicy=Always")


def _validate_ports(container: AnyContainer, path: Path, errors: ErrorList) -> None:
    names: set[str] = set()
    for index, port in enumerate(container.ports):
        if port.name:
            _check(errors, port_name, port.name, path, "ports", index, "name")
            if port.name in names:
                errors.duplicate(_at(path, "ports", index, "name"), port.name)
            names.add(port.name)
        if port.containerPort == 0:
            errors.required(_at(path, "ports", index, "containerPort"))


def _validate_host_ports(spec: PodSpec, path: Path, errors: ErrorList) -> None:
    taken: set[tuple[str, str, int]] = set()
    for index, container in enumerate(spec.containers):
        for position, port in enumerate(container.ports):
            if not port.hostPort:
                continue
            at = _at(path, "containers", index, "ports", position, "hostPort")
            key = (port.protocol, port.hostIP, port.hostPort)
            if key in taken:
                errors.duplicate(at, f"{port.hostIP}/{port.protocol}/{port.hostPort}")
            taken.add(key)
            if spec.hostNetwork and port.hostPort != port.containerPort:
                errors.invalid(at, port.hostPort, "must match `containerPort` when `hostNetwork` is true")


def _validate_env(container: AnyContainer, path: Path, errors: ErrorList) -> None:
    for index, variable in enumerate(container.env):
        if not variable.name:
            errors.required(_at(path, "env", index, "name"))
        else:
            _check(errors, relaxed_env_var_name, variable.name, path, "env", index, "name")
        source = variable.valueFrom
        if source is None:
            continue
        at = _at(path, "env", index, "valueFrom")
        chosen = [each for each in source.__struct_fields__ if getattr(source, each) is not None]
        if variable.value:
            errors.invalid(at, "", "may not be specified when `value` is not empty")
        if not chosen:
            errors.invalid(at, "", _one_of(source))
        elif len(chosen) > 1:
            errors.invalid(at, "", "may not have more than one field specified at a time")


def _one_of(source: Object) -> str:
    names = [f"`{each}`" for each in source.__struct_fields__]
    return f"must specify one of: {', '.join(names[:-1])} or {names[-1]}"


def _validate_mounts(container: AnyContainer, path: Path, volumes: set[str], errors: ErrorList) -> None:
    places: set[str] = set()
    for index, mount in enumerate(container.volumeMounts):
        if not mount.name:
            errors.required(_at(path, "volumeMounts", index, "name"))
        elif mount.name not in volumes:
            errors.not_found(_at(path, "volumeMounts", index, "name"), mount.name)
        if not mount.mountPath:
            errors.required(_at(path, "volumeMounts", index, "mountPath"))
        elif mount.mountPath in places:
            errors.invalid(_at(path, "volumeMounts", index, "mountPath"), mount.mountPath, "must be unique")
        places.add(mount.mountPath)
        if mount.subPath or mount.subPathExpr:
            _validate_subpaths(mount, _at(path, "volumeMounts", index), errors)


def _validate_subpaths(mount: VolumeMount, path: Path, errors: ErrorList) -> None:
    for field, value in (("subPath", mount.subPath), ("subPathExpr", mount.subPathExpr)):
        if value.startswith("/"):
            errors.invalid(path.child(field), value, "must be a relative path")
        elif ".." in value.split("/"):
            errors.invalid(path.child(field), value, "must not contain '..'")
    if mount.subPath and mount.subPathExpr:
        errors.invalid(path.child("subPathExpr"), mount.subPathExpr, "subPathExpr and subPath are mutually exclusive")


def validate_resources(resources: ResourceRequirements, path: Path, errors: ErrorList) -> None:
    for names, value, detail in _resource_problems(tuple(resources.limits.items()), tuple(resources.requests.items())):
        at = path.child(names[0])
        errors.invalid(at.key(names[1]) if len(names) > 1 else at, value, detail)


@lru_cache(1024)
def _resource_problems(
    limits: tuple[tuple[str, Quantity], ...], requests: tuple[tuple[str, Quantity], ...]
) -> tuple[tuple[tuple[str, ...], str, str], ...]:
    """(field and key, value, what is wrong) of a container's resources."""
    found: list[tuple[tuple[str, ...], str, str]] = []
    for field, quantities in (("limits", limits), ("requests", requests)):
        for name, quantity in quantities:
            found.extend(((field, name), name, each) for each in qualified_name(name))
            if parse(quantity) < parse(0):
                found.append(((field, name), str(quantity), "must be greater than or equal to 0"))
    most = dict(limits)
    for name, request in requests:
        if name in most and parse(request) > parse(most[name]):
            detail = f"must be less than or equal to {name} limit of {most[name]}"
            found.append((("requests",), str(request), detail))
    return tuple(found)


def _validate_handler(handler: Probe | LifecycleHandler, path: Path, errors: ErrorList) -> None:
    chosen = [each for each in _HANDLERS if getattr(handler, each, None) is not None]
    if not chosen:
        errors.required(path, "must specify a handler type")
    for extra in chosen[1:]:
        errors.forbidden(path.child(extra), "may not specify more than 1 handler type")
    if handler.exec is not None and not handler.exec.command:
        errors.required(path.child("exec", "command"))
    for field, action in (("httpGet", handler.httpGet), ("tcpSocket", handler.tcpSocket)):
        if action is None:
            continue
        at = path.child(field, "port")
        problems = port_number(action.port) if isinstance(action.port, int) else port_name(action.port)
        for each in problems:
            errors.invalid(at, action.port, each)


def _validate_sysctls(sysctls: Sequence[Sysctl], path: Path, errors: ErrorList) -> None:
    """Which of them a pod may set, its node says."""
    seen: set[str] = set()
    for index, sysctl in enumerate(sysctls):
        at = path.index(index).child("name")
        if not sysctl.name:
            errors.required(at)
        elif sysctl.name in seen:
            errors.duplicate(at, sysctl.name)
        else:
            _check(errors, sysctl_name, sysctl.name, at)
        seen.add(sysctl.name)


def _validate_labels(labels: Mapping[str, str], path: Path, errors: ErrorList) -> None:
    for key, value in labels.items():
        check_names(errors, path, key, qualified_name(key))
        check_names(errors, path.key(key), value, label_value(value))


def validate_tolerations(tolerations: Sequence[Toleration], path: Path, errors: ErrorList) -> None:
    for index, toleration in enumerate(tolerations):
        for field, value, detail in _toleration_problems(toleration):
            errors.invalid(_at(path, index, field), value, detail)


@lru_cache(1024)
def _toleration_problems(toleration: Toleration) -> tuple[tuple[str, str, str], ...]:
    """(field, value, what is wrong)."""
    found: list[tuple[str, str, str]] = []
    if toleration.key:
        found += [("key", toleration.key, each) for each in qualified_name(toleration.key)]
    elif toleration.operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        found.append(("operator", toleration.operator, detail))
    if toleration.operator == "Exists" and toleration.value:
        found.append(("operator", toleration.value, "value must be empty when `operator` is 'Exists'"))
    if toleration.tolerationSeconds is not None and toleration.effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        found.append(("effect", toleration.effect, detail))
    return tuple(found)


def without_mutable(spec: PodSpec) -> PodSpec:
    """The part of a pod's spec that no update may change."""
    return replace(
        spec,
        containers=tuple(replace(each, image="") for each in spec.containers),
        initContainers=tuple(replace(each, image="") for each in spec.initContainers),
        activeDeadlineSeconds=None,
        tolerations=(),
        terminationGracePeriodSeconds=None,
        schedulingGates=(),
    )
