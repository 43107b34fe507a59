"""What makes a pod spec wrong beyond what its fields declare. Pod templates are checked by the same rules.

Nearly every pod is in order, and says what some pod before it said: a part is checked as if it were all there is, and
where it is becomes part of what was found wrong; what a part does not say is not looked for; what was found about values
that many pods share is remembered. Here: the order of the checks and the small ones; each larger part of a pod has a
module of its own.
Source: the API reference of core/v1 Pod; wording as clients know it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from functools import lru_cache
from operator import attrgetter

from msgspec.structs import replace

from proa.api.core_v1 import pod_annotations
from proa.api.core_v1.container import Container, ContainerRestartRule, EphemeralContainer
from proa.api.core_v1.container_resources import (
    validate_amounts,
    validate_pod_claims,
    validate_resize_policy,
    validate_resources,
)
from proa.api.core_v1.pod import PodSpec
from proa.api.core_v1.pod_checks import at, check, check_given, report
from proa.api.core_v1.pod_environment import validate_env, validate_env_from
from proa.api.core_v1.pod_level_resources import validate_whole
from proa.api.core_v1.pod_mounts import validate_devices, validate_mounts
from proa.api.core_v1.pod_network import validate_network
from proa.api.core_v1.pod_placement import validate_affinity, validate_spreading, validate_tolerations
from proa.api.core_v1.pod_probes import validate_lifecycle, validate_probes
from proa.api.core_v1.pod_security import validate_context, validate_pod_context
from proa.api.core_v1.pod_volumes import validate_volumes
from proa.api.core_v1.template import PodTemplateSpec
from proa.api.core_v1.volume import Volume
from proa.machinery.checks import check_names
from proa.machinery.fields import ROOT, ErrorList, Path
from proa.machinery.names import dns1123_label, dns1123_subdomain, label_value, port_name, qualified_name
from proa.machinery.object_meta import validate_annotations, validate_labels

AnyContainer = Container | EphemeralContainer
_SUBDOMAINS = ("serviceAccountName", "nodeName", "priorityClassName", "runtimeClassName")
_subdomains_of = attrgetter(*_SUBDOMAINS)
_RESTARTS = ("Always", "Never", "OnFailure")
_ENV, _MOUNTS, _RESOURCES, _TOLERATIONS = map(ROOT.child, ("env", "volumeMounts", "resources", "tolerations"))
_MOST_RULES = 20
_MOST_CODES = 255


def validate_pod_spec(spec: PodSpec, path: Path, errors: ErrorList, name: str = "") -> None:
    """name: of the pod, a template's has none."""
    found = ErrorList()
    _validate_spec(spec, name, found)
    if found:
        report(errors, path, found)


def _validate_spec(spec: PodSpec, name: str, errors: ErrorList) -> None:
    volumes = validate_volumes(spec.volumes, name, errors) if spec.volumes else {}
    claims: Set[str] = frozenset()
    if spec.resourceClaims:
        claims = {each.name for each in spec.resourceClaims if each.name}
        validate_pod_claims(spec.resourceClaims, ROOT.child("resourceClaims"), errors)
    if not spec.containers:
        errors.required(ROOT.child("containers"))
    _validate_containers(spec, volumes, claims, errors)
    if spec.resources is not None:
        validate_whole(spec, spec.resources, ROOT.child("resources"), errors)
    validate_network(spec, errors)
    validate_pod_context(spec, errors)
    for field, value, problem in _subdomain_problems(_subdomains_of(spec)):
        errors.invalid(ROOT.child(field), value, problem)
    if spec.nodeSelector:
        _validate_labels(spec.nodeSelector, ROOT.child("nodeSelector"), errors)
    if spec.affinity is not None:
        validate_affinity(spec.affinity, ROOT.child("affinity"), errors)
    if spec.topologySpreadConstraints:
        validate_spreading(spec.topologySpreadConstraints, ROOT.child("topologySpreadConstraints"), errors)
    if spec.tolerations:
        validate_tolerations(spec.tolerations, _TOLERATIONS, errors)
    if spec.overhead:
        validate_amounts(spec.overhead, ROOT.child("overhead"), errors)
    if spec.readinessGates or spec.schedulingGates or spec.schedulingGroup is not None:
        _validate_gates(spec, errors)


def _validate_containers(spec: PodSpec, volumes: Mapping[str, Volume], claims: Set[str], errors: ErrorList) -> None:
    seen: set[str] = set()
    found = ErrorList()
    for field in ("containers", "initContainers", "ephemeralContainers"):
        containers = getattr(spec, field)
        if not containers:
            continue
        for index, container in enumerate(containers):
            _validate_container(container, spec, volumes, claims, seen, found)
            if field == "initContainers":
                _validate_init_container(container, spec, found)
            elif field == "containers":
                _validate_running(container, spec, found)
            if found:
                report(errors, at(ROOT, field, index), found)
                found.clear()


def _validate_gates(spec: PodSpec, errors: ErrorList) -> None:
    """What a pod waits for before it is scheduled, or counts as ready."""
    for index, each in enumerate(spec.readinessGates):
        check(errors, qualified_name, each.conditionType, ROOT, "readinessGates", index, "conditionType")
    seen: set[str] = set()
    for index, gate in enumerate(spec.schedulingGates):
        check(errors, qualified_name, gate.name, ROOT, "schedulingGates", index)
        if gate.name in seen:
            errors.duplicate(at(ROOT, "schedulingGates", index), gate.name)
        seen.add(gate.name)
    if spec.schedulingGroup is not None:
        name, where = spec.schedulingGroup.podGroupName, ROOT.child("schedulingGroup", "podGroupName")
        if name is None:
            errors.invalid(where, None, "must specify one of: `podGroupName`")
        else:
            check(errors, dns1123_subdomain, name, where)


@lru_cache(1024)
def _subdomain_problems(names: tuple[str | None, ...]) -> tuple[tuple[str, str, str], ...]:
    """(field, name, what is wrong) of a pod's `_SUBDOMAINS`."""
    given = ((field, name) for field, name in zip(_SUBDOMAINS, names, strict=True) if name)
    return tuple((field, name, problem) for field, name in given for problem in dns1123_subdomain(name))


def validate_pod_template(template: PodTemplateSpec, path: Path, errors: ErrorList) -> None:
    """The pod spec of a template, and the labels and annotations its pods get."""
    validate_labels(template.metadata.labels, errors, path.child("labels"))
    annotations = template.metadata.annotations
    validate_annotations(annotations, errors, path.child("annotations"))
    if annotations:
        pod_annotations.validate_annotations(annotations, template.spec, path.child("annotations"), errors)
    validate_pod_spec(template.spec, path.child("spec"), errors)
    if annotations:
        pod_annotations.check_fields(annotations, template.spec, path.child("spec"), errors)
    if template.spec.ephemeralContainers:
        errors.forbidden(path.child("spec", "ephemeralContainers"), "ephemeral containers not allowed in pod template")


def validate_images(spec: PodSpec, path: Path, errors: ErrorList) -> None:
    """What a pod must say about images and a template need not."""
    for field in ("containers", "initContainers", "ephemeralContainers"):
        containers = getattr(spec, field)
        if not containers:
            continue
        for index, container in enumerate(containers):
            if container.image != container.image.strip():
                detail = "must not have leading or trailing whitespace"
                errors.invalid(at(path, field, index, "image"), container.image, detail)
    for index, volume in enumerate(spec.volumes):
        if volume.image is not None and not volume.image.reference:
            errors.required(at(path, "volumes", index, "image", "reference"))


def _validate_container(
    container: AnyContainer,
    spec: PodSpec,
    volumes: Mapping[str, Volume],
    claims: Set[str],
    seen: set[str],
    errors: ErrorList,
) -> None:
    """What holds of every container. seen: the names so far."""
    check_given(errors, dns1123_label, container.name, ROOT, "name")
    if container.name in seen:
        errors.duplicate(ROOT.child("name"), container.name)
    seen.add(container.name)
    if not container.image:
        errors.required(ROOT.child("image"))
    if container.ports:
        _validate_ports(container, errors)
    if container.env:
        validate_env(container.env, volumes, _ENV, errors)
    if container.envFrom:
        validate_env_from(container.envFrom, ROOT.child("envFrom"), errors)
    if container.volumeMounts:
        validate_mounts(container, volumes, _MOUNTS, errors)
    if container.volumeDevices:
        validate_devices(container, volumes, ROOT.child("volumeDevices"), errors)
    resources = container.resources
    if resources.limits or resources.requests or resources.claims:
        validate_resources(resources, _RESOURCES, errors, claims)
    if container.resizePolicy:
        validate_resize_policy(container.resizePolicy, spec.restartPolicy, ROOT.child("resizePolicy"), errors)
    if container.securityContext is not None:
        host_users = spec.hostUsers is not False
        validate_context(container.securityContext, host_users, ROOT.child("securityContext"), errors)


def _validate_running(container: Container, spec: PodSpec, errors: ErrorList) -> None:
    """Of a container that keeps running: it is probed and restarted."""
    validate_probes(container, errors)
    if container.lifecycle is not None:
        validate_lifecycle(container.lifecycle, spec, ROOT.child("lifecycle"), errors)
    policy = container.restartPolicy
    if policy is not None and policy not in _RESTARTS:
        errors.unsupported(ROOT.child("restartPolicy"), policy, _RESTARTS)
    if container.restartPolicyRules:
        if policy is None:
            detail = "must specify restartPolicy when restart rules are used"
            errors.required(ROOT.child("restartPolicy"), detail)
        _validate_restart_rules(container.restartPolicyRules, ROOT.child("restartPolicyRules"), errors)


def _validate_init_container(container: Container, spec: PodSpec, errors: ErrorList) -> None:
    if container.restartPolicy == "Always":
        _validate_running(container, spec, errors)
        return
    _validate_running(
        replace(container, lifecycle=None, livenessProbe=None, readinessProbe=None, startupProbe=None), spec, errors
    )
    for field in ("lifecycle", "livenessProbe", "readinessProbe", "startupProbe"):
        if getattr(container, field) is not None:
            errors.forbidden(ROOT.child(field), "may not be set for init containers without restartPolicy=Always")
    for index, policy in enumerate(container.resizePolicy):
        if policy.restartPolicy == "RestartContainer":
            where = at(ROOT, "resizePolicy", index, "restartPolicy")
            detail = "must not be set to 'RestartContainer' for non-sidecar initContainers"
            errors.invalid(where, policy.restartPolicy, detail)


def _validate_restart_rules(rules: Sequence[ContainerRestartRule], path: Path, errors: ErrorList) -> None:
    """path: of the list (KEP-5307)."""
    if len(rules) > _MOST_RULES:
        errors.too_many(path, len(rules), _MOST_RULES)
    for index, rule in enumerate(rules):
        if rule.action not in ("Restart", "RestartAllContainers"):
            errors.unsupported(at(path, index, "action"), rule.action, ("Restart", "RestartAllContainers"))
        codes, where = rule.exitCodes, at(path, index, "exitCodes")
        if codes is None:
            errors.required(where, "must be specified")
            continue
        if codes.operator not in ("In", "NotIn"):
            errors.unsupported(where.child("operator"), codes.operator, ("In", "NotIn"))
        if len(codes.values) > _MOST_CODES:
            errors.too_many(where.child("values"), len(codes.values), _MOST_CODES)


def _validate_ports(container: AnyContainer, errors: ErrorList) -> None:
    names: set[str] = set()
    for index, port in enumerate(container.ports):
        if port.name:
            check(errors, port_name, port.name, ROOT, "ports", index, "name")
            if port.name in names:
                errors.duplicate(at(ROOT, "ports", index, "name"), port.name)
            names.add(port.name)
        if port.containerPort == 0:
            errors.required(at(ROOT, "ports", index, "containerPort"))


def _validate_labels(labels: Mapping[str, str], path: Path, errors: ErrorList) -> None:
    for key, value in labels.items():
        check_names(errors, path, key, qualified_name(key))
        check_names(errors, path.key(key), value, label_value(value))
