"""How kubectl shows the core resources: the printer columns of tables, as upstream prints them."""

from __future__ import annotations

from typing import Any

from proa.machinery.columns import (
    AGE,
    CREATED,
    NAME,
    NONE,
    UNKNOWN,
    Document,
    dig,
    images,
    labels_text,
    path,
)
from proa.machinery.resource import Column

_INT = "integer"


def _condition(document: Document, kind: str) -> Document | None:
    return next((each for each in dig(document, "status", "conditions") or () if each.get("type") == kind), None)


def _node_status(node: Document) -> str:
    ready = _condition(node, "Ready")
    if ready is None:
        status = "Unknown"
    else:
        status = "Ready" if ready.get("status") == "True" else "NotReady"
    return f"{status},SchedulingDisabled" if dig(node, "spec", "unschedulable") else status


def _node_roles(node: Document) -> str:
    labels = dig(node, "metadata", "labels") or {}
    prefix = "node-role.kubernetes.io/"
    roles = {key.removeprefix(prefix) for key in labels if key.startswith(prefix)}
    if labels.get("kubernetes.io/role"):
        roles.add(labels["kubernetes.io/role"])
    return ",".join(sorted(roles - {""})) or NONE


def _address(kind: str) -> Any:
    def cell(node: Document) -> str:
        found = (each for each in dig(node, "status", "addresses") or () if each.get("type") == kind)
        return str(next((each.get("address") for each in found), NONE))

    return cell


NODES = (
    NAME,
    Column("Status", _node_status, description="Whether the node is ready for pods."),
    Column("Roles", _node_roles, description="The node's roles."),
    AGE,
    Column("Version", path("status.nodeInfo.kubeletVersion"), description="Version of the kubelet."),
    Column("Internal-IP", _address("InternalIP"), priority=1, description="Address inside the cluster."),
    Column("External-IP", _address("ExternalIP"), priority=1, description="Address outside the cluster."),
    Column("OS-Image", path("status.nodeInfo.osImage", UNKNOWN), priority=1, description="Operating system."),
    Column("Kernel-Version", path("status.nodeInfo.kernelVersion", UNKNOWN), priority=1, description="Kernel."),
    Column(
        "Container-Runtime",
        path("status.nodeInfo.containerRuntimeVersion", UNKNOWN),
        priority=1,
        description="What runs containers there.",
    ),
)


def _external_address(service: Document) -> str:
    spec = service.get("spec") or {}
    external = list(spec.get("externalIPs") or ())
    match spec.get("type"):
        case "LoadBalancer":
            ingress = dig(service, "status", "loadBalancer", "ingress") or ()
            found = [each.get("ip") or each.get("hostname") or "" for each in ingress] + external
            return ",".join(found) or "<pending>"
        case "ExternalName":
            return str(spec.get("externalName") or "")
        case _:
            return ",".join(external) or NONE


def _service_ports(service: Document) -> str:
    def text(port: Document) -> str:
        node_port = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port.get('port')}{node_port}/{port.get('protocol') or 'TCP'}"

    return ",".join(text(each) for each in dig(service, "spec", "ports") or ()) or NONE


SERVICES = (
    NAME,
    Column("Type", path("spec.type"), description="How the service is reached."),
    Column("Cluster-IP", path("spec.clusterIP", NONE), description="Its address inside the cluster."),
    Column("External-IP", _external_address, description="Its address outside the cluster."),
    Column("Port(s)", _service_ports, description="Its ports, with node ports."),
    AGE,
    Column("Selector", lambda d: labels_text(dig(d, "spec", "selector")), priority=1, description="Which pods."),
)


def _endpoints(document: Document) -> str:
    found = [
        f"{address.get('ip')}:{port.get('port')}" if port else str(address.get("ip"))
        for subset in document.get("subsets") or ()
        for port in subset.get("ports") or (None,)
        for address in subset.get("addresses") or ()
    ]
    if not found:
        return NONE
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "")


ENDPOINTS = (NAME, Column("Endpoints", _endpoints, description="Addresses and ports."), AGE)


def _count(field: str) -> Any:
    return lambda document: len(document.get(field) or ())


CONFIG_MAPS = (
    NAME,
    Column(
        "Data",
        lambda d: len(d.get("data") or ()) + len(d.get("binaryData") or ()),
        description="How many keys.",
    ),
    AGE,
)
SECRETS = (
    NAME,
    Column("Type", path("type"), description="What the secret is for."),
    Column("Data", _count("data"), description="How many keys."),
    AGE,
)
SERVICE_ACCOUNTS = (NAME, AGE)
NAMESPACES = (NAME, Column("Status", path("status.phase"), description="Active or Terminating."), AGE)


def _event_columns(about: str, message: str, reporter: str, *, prefix: str = "") -> tuple[Column, ...]:
    """Events through either of their APIs. about: the field of the object; prefix: of what older events say."""

    def field(name: str) -> str:
        return f"{prefix}{name[0].upper()}{name[1:]}" if prefix else name

    def shown(event: Document) -> str:
        found = event.get(about) or {}
        kind = (found.get("kind") or "").lower()
        return f"{kind}/{found['name']}" if found.get("name") else kind

    def source(event: Document) -> str:
        said = event.get(field("source")) or {}
        component = said.get("component") or event.get(reporter) or ""
        instance = said.get("host") or event.get("reportingInstance") or ""
        return ", ".join(each for each in (component, instance) if each)

    def first(event: Document) -> Any:
        return event.get(field("firstTimestamp")) or event.get("eventTime") or UNKNOWN

    def last(event: Document) -> Any:
        return dig(event, "series", "lastObservedTime") or event.get(field("lastTimestamp")) or first(event)

    def count(event: Document) -> int:
        return dig(event, "series", "count") or event.get(field("count")) or 1

    return (
        Column("Last Seen", last, "age", description="When it happened last."),
        Column("Type", path("type"), description="Normal or Warning."),
        Column("Reason", path("reason"), description="Why, in one word."),
        Column("Object", shown, description="What it is about."),
        Column("Subobject", path(f"{about}.fieldPath"), priority=1, description="Which part of it."),
        Column("Source", source, priority=1, description="Who says so."),
        Column("Message", lambda d: (d.get(message) or "").strip(), description="What happened."),
        Column("First Seen", first, "age", priority=1, description="When it happened first."),
        Column("Count", count, priority=1, description="How often."),
        Column("Name", path("metadata.name"), format="name", priority=1, description="The event's name."),
    )


EVENTS = _event_columns("involvedObject", "message", "reportingComponent")
NEWER_EVENTS = _event_columns("regarding", "note", "reportingController", prefix="deprecated")

REPLICATION_CONTROLLERS = (
    NAME,
    Column("Desired", path("spec.replicas", 0), _INT, description="Wanted pods."),
    Column("Current", path("status.replicas", 0), _INT, description="Existing pods."),
    Column("Ready", path("status.readyReplicas", 0), _INT, description="Ready pods."),
    AGE,
    *images("spec.template.spec"),
    Column("Selector", lambda d: labels_text(dig(d, "spec", "selector")), priority=1, description="Which pods."),
)
POD_TEMPLATES = (
    NAME,
    *(Column(each.name, each.value, description=each.description) for each in images("template.spec")),
    Column("Pod Labels", lambda d: labels_text(dig(d, "template", "metadata", "labels")), description="Its labels."),
)

_MODES = {"ReadWriteOnce": "RWO", "ReadOnlyMany": "ROX", "ReadWriteMany": "RWX", "ReadWriteOncePod": "RWOP"}


def _access_modes(field: str) -> Any:
    names = field.split(".")
    return lambda document: ",".join(
        short for mode, short in _MODES.items() if mode in (dig(document, *names, "accessModes") or ())
    )


def _claim(volume: Document) -> str:
    reference = dig(volume, "spec", "claimRef")
    return f"{reference.get('namespace')}/{reference.get('name')}" if reference else ""


PERSISTENT_VOLUMES = (
    NAME,
    Column("Capacity", path("spec.capacity.storage"), description="Its size."),
    Column("Access Modes", _access_modes("spec"), description="How it may be mounted."),
    Column("Reclaim Policy", path("spec.persistentVolumeReclaimPolicy"), description="What follows the claim's end."),
    Column("Status", path("status.phase"), description="Available, Bound, Released or Failed."),
    Column("Claim", _claim, description="The claim it is bound to."),
    Column("StorageClass", path("spec.storageClassName"), description="Its storage class."),
    Column(
        "VolumeAttributesClass",
        path("spec.volumeAttributesClassName", "<unset>"),
        description="Its attributes class.",
    ),
    Column("Reason", path("status.reason"), description="Why it is in this status."),
    AGE,
    Column("VolumeMode", path("spec.volumeMode", "<unset>"), priority=1, description="Filesystem or Block."),
)
PERSISTENT_VOLUME_CLAIMS = (
    NAME,
    Column("Status", path("status.phase"), description="Pending, Bound or Lost."),
    Column("Volume", path("spec.volumeName"), description="The volume it is bound to."),
    Column("Capacity", path("status.capacity.storage"), description="Its size."),
    Column("Access Modes", _access_modes("status"), description="How it may be mounted."),
    Column("StorageClass", path("spec.storageClassName"), description="Its storage class."),
    Column(
        "VolumeAttributesClass",
        path("spec.volumeAttributesClassName", "<unset>"),
        description="Its attributes class.",
    ),
    AGE,
    Column("VolumeMode", path("spec.volumeMode", "<unset>"), priority=1, description="Filesystem or Block."),
)


def _quota(kind: str) -> Any:
    def cell(quota: Document) -> str:
        hard = dig(quota, "status", "hard") or {}
        used = dig(quota, "status", "used") or {}
        names = sorted(each for each in hard if each.startswith("limits.") == (kind == "limits"))
        return ", ".join(f"{each}: {used.get(each, '0')}/{hard[each]}" for each in names)

    return cell


RESOURCE_QUOTAS = (
    NAME,
    Column("Request", _quota("requests"), description="Used and allowed requests."),
    Column("Limit", _quota("limits"), description="Used and allowed limits."),
    AGE,
)
LIMIT_RANGES = (NAME, CREATED)


def _component(field: str) -> Any:
    return lambda document: next((each.get(field, "") for each in document.get("conditions") or ()), "")


COMPONENT_STATUSES = (
    NAME,
    Column("Status", lambda d: "Healthy" if _component("status")(d) == "True" else "Unhealthy", description="Health."),
    Column("Message", _component("message"), description="What it says."),
    Column("Error", _component("error"), description="What is wrong."),
)
