"""What clients are told of valid pods and pod templates that will surprise them.

Every new pod passes here, so what nearly no pod has is looked for only where there may be some. Not here: volumes
(`volume_warnings`), labels of nodes (`node_label_warnings`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from proa.api.core_v1.amount_warnings import fraction_warnings, fractions
from proa.api.core_v1.container import AppArmorProfile, Container, ContainerPort, EnvVar, EphemeralContainer
from proa.api.core_v1.node_label_warnings import keyed_warnings, label_warning, term_warnings
from proa.api.core_v1.placement import Affinity, PodAffinityTerm, TopologySpreadConstraint
from proa.api.core_v1.pod import Pod, PodSpec
from proa.api.core_v1.pod_annotations import APPARMOR, SECCOMP, SECCOMP_OF_POD
from proa.api.core_v1.template import PodTemplateSpec
from proa.api.core_v1.volume_warnings import volume_warnings
from proa.machinery.address_spelling import address_warnings
from proa.machinery.fields import ROOT, Path, quoted
from proa.machinery.names import dns1123_label

AnyContainer = Container | EphemeralContainer
_BYTES = ("memory", "ephemeral-storage")
_LONGEST_LABEL = 63
_OLD_ANNOTATIONS: Mapping[str, str] = {
    "scheduler.alpha.kubernetes.io/critical-pod": (
        'non-functional in v1.16+; use the "priorityClassName" field instead'
    ),
    "security.alpha.kubernetes.io/sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
    "security.alpha.kubernetes.io/unsafe-sysctls": 'non-functional in v1.11+; use the "sysctls" field instead',
}
_MATCHES_NOTHING = "a null labelSelector results in matching no pod"


def pod_warnings(pod: Pod) -> list[str]:
    """Of a new pod."""
    found = name_warnings(pod.metadata.name, "the Pod's hostname")
    return found + _spec_warnings(pod.spec, pod.metadata.annotations, ROOT)


def pod_status_warnings(pod: Pod) -> list[str]:
    """Of the addresses that somebody says a pod has."""
    found = []
    own, of_hosts = [each.ip for each in pod.status.podIPs], [each.ip for each in pod.status.hostIPs]
    for field, addresses in (("podIPs", own), ("hostIPs", of_hosts)):
        for position, address in enumerate(addresses):
            found += address_warnings(address, Path("status", field).index(position).child("ip"))
    return found


def template_warnings(template: PodTemplateSpec, path: Path) -> list[str]:
    """Of the pods that will be made from a template."""
    return _spec_warnings(template.spec, template.metadata.annotations, path)


def name_warnings(name: str, use: str = "Pod names and hostnames") -> list[str]:
    """Of a valid object's name that ends up in `use`, where a DNS label would be better."""
    if "." not in name and len(name) <= _LONGEST_LABEL:
        return []  # what else a label may not be, a valid name is not either
    why = " ".join(dns1123_label(name))
    surprise = "which can result in surprising behavior; a DNS label is recommended"
    return [f"metadata.name: this is used in {use}, {surprise}: [{why}]"]


def _spec_warnings(spec: PodSpec, annotations: Mapping[str, str], path: Path) -> list[str]:
    at = path.child("spec")
    found = volume_warnings(spec.volumes, at.child("volumes"))
    if annotations:
        found += _annotation_warnings(spec, annotations, path.child("metadata", "annotations"))
    if spec.nodeSelector:
        found += keyed_warnings(spec.nodeSelector, at.child("nodeSelector"))
    if spec.affinity is not None:
        found += _affinity_warnings(spec.affinity, at.child("affinity"))
    if spec.topologySpreadConstraints:
        found += _spread_warnings(spec.topologySpreadConstraints, at.child("topologySpreadConstraints"))
    if spec.hostAliases:
        addresses, where = [each.ip for each in spec.hostAliases], at.child("hostAliases")
        found += _duplicates(addresses, where, "ip")
        found += _addresses(addresses, [where.index(each).child("ip") for each in range(len(addresses))])
    if spec.imagePullSecrets:
        secrets, where = [each.name for each in spec.imagePullSecrets], at.child("imagePullSecrets")
        found += _duplicates(secrets, where, "name")
        empty = [position for position, name in enumerate(secrets) if not name]
        found += [f'{where.index(position).child("name")}: invalid empty name ""' for position in empty]
    if spec.terminationGracePeriodSeconds is not None and spec.terminationGracePeriodSeconds < 0:
        where = at.child("terminationGracePeriodSeconds")
        found.append(f"{where}: must be >= 0; negative values are invalid and will be treated as 1")
    if spec.overhead:
        found += fraction_warnings(spec.overhead, _BYTES, at.child("overhead"))
    if spec.dnsConfig is not None:
        servers, where = spec.dnsConfig.nameservers, at.child("dnsConfig", "nameservers")
        found += _addresses(servers, [where.index(each) for each in range(len(servers))])
    ports = 0
    for field, containers in _containers(spec):
        for position, container in enumerate(containers):
            resources, env = container.resources, container.env
            for part, amounts in (("limits", resources.limits), ("requests", resources.requests)):
                for name, text in fractions(amounts, _BYTES) if amounts else ():
                    where = at.child(field).index(position).child("resources", part).key(name)
                    found.append(f"{where}: {text}")
            if len(env) > 1 and len({each.name for each in env}) < len(env):
                found += _env_warnings(env, at.child(field).index(position).child("env"))
            for each in container.ports:
                ports += 2 if each.hostIP else 1
    if ports > 1:  # one that is on every address of the host, or on none, surprises nobody
        found += _port_warnings(spec, at)
    return found


def _containers(spec: PodSpec) -> tuple[tuple[str, Sequence[AnyContainer]], ...]:
    return (
        ("initContainers", spec.initContainers),
        ("containers", spec.containers),
        ("ephemeralContainers", spec.ephemeralContainers),
    )


def _annotation_warnings(spec: PodSpec, annotations: Mapping[str, str], path: Path) -> list[str]:
    found = [f"{path.key(key)}: {text}" for key, text in _OLD_ANNOTATIONS.items() if key in annotations]
    context = spec.securityContext
    seccomp = 'non-functional in v1.27+; use the "seccompProfile" field instead'
    if SECCOMP_OF_POD in annotations and (context is None or context.seccompProfile is None):
        found.append(f"{path.key(SECCOMP_OF_POD)}: {seccomp}")
    of_pod = context.appArmorProfile if context is not None else None
    for container in (each for _, containers in _containers(spec) for each in containers):
        own, key = container.securityContext, SECCOMP + container.name
        if key in annotations and (own is None or own.seccompProfile is None):
            found.append(f"{path.key(key)}: {seccomp}")
        key = APPARMOR + container.name
        if key in annotations and (own is None or own.appArmorProfile is None):
            profile = _apparmor(annotations[key])
            if profile is None or profile != of_pod:
                found.append(f'{path.key(key)}: deprecated since v1.30; use the "appArmorProfile" field instead')
    return found


def _apparmor(annotation: str) -> AppArmorProfile | None:
    """The profile that an annotation means; None for none."""
    if annotation == "unconfined":
        return AppArmorProfile(type="Unconfined")
    if annotation == "runtime/default":
        return AppArmorProfile(type="RuntimeDefault")
    local = annotation.removeprefix("localhost/")
    return AppArmorProfile(type="Localhost", localhostProfile=local) if local not in ("", annotation) else None


def _affinity_warnings(affinity: Affinity, path: Path) -> list[str]:
    required, preferred = (f"{each}DuringSchedulingIgnoredDuringExecution" for each in ("required", "preferred"))
    found = []
    nodes = affinity.nodeAffinity
    if nodes is not None:
        at = path.child("nodeAffinity")
        if nodes.requiredDuringSchedulingIgnoredDuringExecution is not None:
            terms = nodes.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms
            for position, term in enumerate(terms):
                found += term_warnings(term, at.child(required, "nodeSelectorTerms").index(position))
        for position, choice in enumerate(nodes.preferredDuringSchedulingIgnoredDuringExecution):
            where = at.child(preferred).index(position).child("preference")
            found += term_warnings(choice.preference, where, preferred=True)
    for field, pods in (("podAffinity", affinity.podAffinity), ("podAntiAffinity", affinity.podAntiAffinity)):
        if pods is not None:
            at = path.child(field)
            weighted = [each.podAffinityTerm for each in pods.preferredDuringSchedulingIgnoredDuringExecution]
            found += _selecting_nothing(pods.requiredDuringSchedulingIgnoredDuringExecution, at.child(required))
            found += _selecting_nothing(weighted, at.child(preferred), "podAffinityTerm")
    return found


def _selecting_nothing(
    terms: Iterable[PodAffinityTerm | TopologySpreadConstraint], path: Path, *below: str
) -> list[str]:
    return [
        f"{path.index(position).child(*below, 'labelSelector')}: {_MATCHES_NOTHING}"
        for position, term in enumerate(terms)
        if term.labelSelector is None
    ]


def _spread_warnings(constraints: Sequence[TopologySpreadConstraint], path: Path) -> list[str]:
    found = []
    for position, each in enumerate(constraints):
        text = label_warning(each.topologyKey)
        if text:
            found.append(f"{path.index(position).child('topologyKey')}: {each.topologyKey} is {text}")
    return found + _selecting_nothing(constraints, path)


def _duplicates(values: Sequence[str], path: Path, field: str) -> list[str]:
    return [
        f"{path.index(position).child(field)}: duplicate {field} {quoted(value)}"
        for position, value in enumerate(values)
        if value in values[:position]
    ]


def _addresses(values: Iterable[str], paths: Iterable[Path]) -> list[str]:
    return [text for value, path in zip(values, paths, strict=True) for text in address_warnings(value, path)]


def _env_warnings(env: Sequence[EnvVar], path: Path) -> list[str]:
    """A variable that is set again without making use of what it was."""
    found = []
    seen: set[str] = set()
    for position, each in enumerate(env):
        itself = f"$({each.name})"
        extends = each.valueFrom is None and each.value != itself and itself in each.value
        if each.name in seen and not extends:
            hidden = f"hides previous definition of {quoted(each.name)}, which may be dropped when using apply"
            found.append(f"{path.index(position)}: {hidden}")
        seen.add(each.name)
    return found


def _port_warnings(spec: PodSpec, path: Path) -> list[str]:
    """Ports of containers of one pod share its addresses, and Services and probes find them by name."""
    found = []
    numbered: dict[tuple[int, str], list[tuple[Path, ContainerPort]]] = {}
    named: dict[str, Path] = {}
    for at, port in _ports(spec, path):
        if port.hostIP and not port.hostPort:
            found.append(f"{at}: hostIP set without hostPort: {_shown(port)}")
        others = numbered.setdefault((port.containerPort, port.protocol), [])
        found += [f"{at}: {how} port definition with {where}" for where, each in others if (how := _clash(port, each))]
        others.append((at, port))
        if port.name and named.setdefault(port.name, at) is not at:
            first = named[port.name]
            found.append(
                f"{at}: duplicate port name {quoted(port.name)} with {first}, services and probes that select ports by "
                f"name will use {first}"
            )
    return found


def _ports(spec: PodSpec, path: Path) -> Iterator[tuple[Path, ContainerPort]]:
    for field, containers in _containers(spec):
        for position, container in enumerate(containers):
            for number, port in enumerate(container.ports):
                yield path.child(field).index(position).child("ports").index(number), port


def _clash(one: ContainerPort, other: ContainerPort) -> str:
    """How two definitions of one port get into each other's way; '' if they do not."""
    if (one.hostIP, one.hostPort) == (other.hostIP, other.hostPort):
        return "duplicate"
    if not one.hostPort or not other.hostPort:
        return "overlapping"
    everywhere = bool(one.hostIP) != bool(other.hostIP)
    return "dangerously ambiguous" if one.hostPort == other.hostPort and everywhere else ""


def _shown(port: ContainerPort) -> str:
    """As clients know it."""
    return (
        f"{{Name:{port.name} HostPort:{port.hostPort} ContainerPort:{port.containerPort} Protocol:{port.protocol} "
        f"HostIP:{port.hostIP}}}"
    )
