"""Where protobuf has a field that JSON shows elsewhere, and how each kind of leaf is written.

A field's place is its declared number, but for the Go types that JSON shows as part of their parent while protobuf
nests them, and for fields whose name in protobuf is another one. The tables are what the `.proto` files say and the
declarations cannot. Not here: reading and writing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from proa.machinery.schema import AnySchema, ObjectSchema, Property, ScalarSchema, derived

Place = tuple[int, ...]
"""The numbers on the way to a field: (3,) is field 3, (2, 1) is field 1 of the message in field 2."""


def _inside(number: int, *names: str, start: int = 1) -> dict[str, Place]:
    """Fields of the message in field `number`, numbered in order."""
    return {name: (number, at) for at, name in enumerate(names, start)}


_NAME = _inside(1, "name")
_RULE = ("apiGroups", "apiVersions", "resources", "scope")
_OPAQUE = "opaque"

_PLACES: Mapping[str, Mapping[str, Place]] = {
    "BoundObjectReference": {"uid": (4,)},
    "ConfigMapEnvSource": _NAME,
    "ConfigMapKeySelector": _NAME,
    "ConfigMapProjection": _NAME,
    "ConfigMapVolumeSource": _NAME,
    "DeviceAllocationConfiguration": _inside(3, _OPAQUE),
    "DeviceClaimConfiguration": _inside(2, _OPAQUE),
    "DeviceClassConfiguration": _inside(1, _OPAQUE),
    "EphemeralContainer": _inside(
        1, "name", "image", "command", "args", "workingDir", "ports", "env", "resources", "volumeMounts",
        "livenessProbe", "readinessProbe", "lifecycle", "terminationMessagePath", "imagePullPolicy",
        "securityContext", "stdin", "stdinOnce", "tty", "envFrom", "terminationMessagePolicy", "volumeDevices",
        "startupProbe", "resizePolicy", "restartPolicy", "restartPolicyRules",
    ),
    "IngressClassParametersReference": {"apiGroup": (1,)},
    "IngressRule": _inside(2, "http"),
    "JSONSchemaProps": {
        "$schema": (2,), "$ref": (3,), "x-kubernetes-preserve-unknown-fields": (38,),
        "x-kubernetes-embedded-resource": (39,), "x-kubernetes-int-or-string": (40,),
        "x-kubernetes-list-map-keys": (41,), "x-kubernetes-list-type": (42,), "x-kubernetes-map-type": (43,),
        "x-kubernetes-validations": (44,),
    },
    "MutatingWebhookConfiguration": {"webhooks": (2,)},
    "NamedRuleWithOperations": {"operations": (2, 1), **{name: (2, 2, at) for at, name in enumerate(_RULE, 1)}},
    "PersistentVolumeSpec": _inside(
        2, "gcePersistentDisk", "awsElasticBlockStore", "hostPath", "glusterfs", "nfs", "rbd", "iscsi", "cinder",
        "cephfs", "fc", "flocker", "flexVolume", "azureFile", "vsphereVolume", "quobyte", "azureDisk",
        "photonPersistentDisk", "portworxVolume", "scaleIO", "local", "storageos", "csi",
    ),
    "Probe": _inside(1, "exec", "httpGet", "tcpSocket", "grpc"),
    "RuleWithOperations": _inside(2, *_RULE),
    "SecretEnvSource": _NAME,
    "SecretKeySelector": _NAME,
    "SecretProjection": _NAME,
    "ValidatingWebhookConfiguration": {"webhooks": (2,)},
    "Validation": {"expression": (1,)},
    "Variable": {"name": (1,), "expression": (2,)},
    "Volume": _inside(
        2, "hostPath", "emptyDir", "gcePersistentDisk", "awsElasticBlockStore", "gitRepo", "secret", "nfs", "iscsi",
        "glusterfs", "persistentVolumeClaim", "rbd", "flexVolume", "cinder", "cephfs", "flocker", "downwardAPI", "fc",
        "azureFile", "configMap", "vsphereVolume", "quobyte", "azureDisk", "photonPersistentDisk", "portworxVolume",
        "scaleIO", "projected", "storageos", "csi", "ephemeral", "image",
    ),
}  # fmt: skip
"""By the name of the type: names are unique among those that need it, and versions of one type agree."""

# Leaves that are messages and no pointers in Go, though JSON may leave them out: protobuf always has them.
_VALUES = frozenset({
    "creationTimestamp", "deprecatedFirstTimestamp", "deprecatedLastTimestamp", "divisor", "eventTime", "evictionTime",
    "expirationTimestamp", "finishedAt", "firstTimestamp", "lastHeartbeatTime", "lastObservedTime", "lastProbeTime",
    "lastTimestamp", "lastTransitionTime", "lastUpdateTime", "startedAt",
})  # fmt: skip
_VALUES_OF = {
    ("ControllerRevision", "data"), ("Counter", "value"), ("DeviceCapacity", "value"), ("HTTPGetAction", "port"),
    ("OpaqueDeviceConfiguration", "parameters"), ("ServicePort", "targetPort"), ("TCPSocketAction", "port"),
    ("VolumeError", "time"),
}  # fmt: skip

# Fields whose list is a message of its own with the elements in field 1, as lists that are values of a map always are.
_WRAPPED = {("APIResource", "verbs")}


class Group(msgspec.Struct, frozen=True):
    """A message that JSON shows as part of its parent; always written."""

    members: Mapping[int, Property | Group]


@derived
def layout(schema: ObjectSchema) -> Group:
    """Every field of a type that protobuf has, by number, in order."""
    members: dict[int, Property | Group] = {}
    special = _PLACES.get(schema.name, {})
    for known in schema.properties.values():
        place = special.get(known.name) or ((known.facts.number,) if known.facts.number else ())
        if place:
            _put(members, place, known)
    return _sorted(members)


def _put(members: dict[int, Property | Group], place: Place, known: Property) -> None:
    first, *rest = place
    if not rest:
        members[first] = known
        return
    group = members.setdefault(first, Group({}))
    assert isinstance(group, Group)
    assert isinstance(group.members, dict)
    _put(group.members, tuple(rest), known)


def _sorted(members: Mapping[int, Property | Group]) -> Group:
    return Group(
        {
            number: _sorted(member.members) if isinstance(member, Group) else member
            for number, member in sorted(members.items())
        }
    )


def is_wrapped(schema: ObjectSchema, known: Property) -> bool:
    """Whether the field's list is a message of its own."""
    return (schema.name, known.name) in _WRAPPED


def is_pointer(schema: ObjectSchema, known: Property) -> bool:
    """Whether an absent field is not written at all."""
    if isinstance(known.schema, ScalarSchema | AnySchema) and (
        known.name in _VALUES or (schema.name, known.name) in _VALUES_OF
    ):
        return False
    return known.nullable


def unplaced(schema: ObjectSchema) -> Iterator[str]:
    """Names of fields protobuf has no place for: only apiVersion and kind should be, which the envelope carries."""
    placed = {member.name for member in _leaves(layout(schema))}
    yield from (name for name in schema.properties if name not in placed)


def _leaves(group: Group) -> Iterator[Property]:
    for member in group.members.values():
        if isinstance(member, Group):
            yield from _leaves(member)
        else:
            yield member
