"""Reads the Kubernetes protobuf encoding, which Go clients prefer to JSON, into plain documents.

Source: the `k8s\\0` envelope (runtime.Unknown) and the protobuf numbers of the declarations; the encoding is proto2.
A reader is compiled once per schema into tables of field numbers. Go writes zero values of fields that are no
pointers, so these are dropped as JSON would leave them out. Unknown fields are skipped, as protobuf wants. Not here:
writing (answers are JSON, which every client takes).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proa.base.errors import ProaError
from proa.machinery import timestamps
from proa.machinery.schema import (
    AnySchema,
    ListSchema,
    MapSchema,
    ObjectSchema,
    Property,
    ScalarSchema,
    Schema,
    derived,
)

MAGIC = b"k8s\0"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

Document = dict[str, Any]

_DEEPEST = 100
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
# The time that Go's zero time.Time is, in seconds since 1970.
_NO_TIME = -62135596800

# Go types that JSON shows as part of their parent, while protobuf nests them: parent -> number -> the names inside.
_LOCAL_OBJECT_REFERENCE = {1: "name"}
_PROBE_HANDLER = {1: "exec", 2: "httpGet", 3: "tcpSocket", 4: "grpc"}
_VOLUME_SOURCE = {
    1: "hostPath", 2: "emptyDir", 3: "gcePersistentDisk", 4: "awsElasticBlockStore", 5: "gitRepo", 6: "secret",
    7: "nfs", 8: "iscsi", 9: "glusterfs", 10: "persistentVolumeClaim", 11: "rbd", 12: "flexVolume", 13: "cinder",
    14: "cephfs", 15: "flocker", 16: "downwardAPI", 17: "fc", 18: "azureFile", 19: "configMap", 20: "vsphereVolume",
    21: "quobyte", 22: "azureDisk", 23: "photonPersistentDisk", 24: "portworxVolume", 25: "scaleIO", 26: "projected",
    27: "storageos", 28: "csi", 29: "ephemeral", 30: "image",
}  # fmt: skip
_PERSISTENT_VOLUME_SOURCE = {
    1: "gcePersistentDisk", 2: "awsElasticBlockStore", 3: "hostPath", 4: "glusterfs", 5: "nfs", 6: "rbd", 7: "iscsi",
    8: "cinder", 9: "cephfs", 10: "fc", 11: "flocker", 12: "flexVolume", 13: "azureFile", 14: "vsphereVolume",
    15: "quobyte", 16: "azureDisk", 17: "photonPersistentDisk", 18: "portworxVolume", 19: "scaleIO", 20: "local",
    21: "storageos", 22: "csi",
}  # fmt: skip
_EPHEMERAL_CONTAINER_COMMON = {
    1: "name", 2: "image", 3: "command", 4: "args", 5: "workingDir", 6: "ports", 7: "env", 8: "resources",
    9: "volumeMounts", 10: "livenessProbe", 11: "readinessProbe", 12: "lifecycle", 13: "terminationMessagePath",
    14: "imagePullPolicy", 15: "securityContext", 16: "stdin", 17: "stdinOnce", 18: "tty", 19: "envFrom",
    20: "terminationMessagePolicy", 21: "volumeDevices", 22: "startupProbe", 23: "resizePolicy", 24: "restartPolicy",
    25: "restartPolicyRules",
}  # fmt: skip
_NESTED: Mapping[str, tuple[int, Mapping[int, str]]] = {
    "ConfigMapEnvSource": (1, _LOCAL_OBJECT_REFERENCE),
    "ConfigMapKeySelector": (1, _LOCAL_OBJECT_REFERENCE),
    "ConfigMapProjection": (1, _LOCAL_OBJECT_REFERENCE),
    "ConfigMapVolumeSource": (1, _LOCAL_OBJECT_REFERENCE),
    "EphemeralContainer": (1, _EPHEMERAL_CONTAINER_COMMON),
    "PersistentVolumeSpec": (2, _PERSISTENT_VOLUME_SOURCE),
    "Probe": (1, _PROBE_HANDLER),
    "SecretEnvSource": (1, _LOCAL_OBJECT_REFERENCE),
    "SecretKeySelector": (1, _LOCAL_OBJECT_REFERENCE),
    "SecretProjection": (1, _LOCAL_OBJECT_REFERENCE),
    "Volume": (2, _VOLUME_SOURCE),
}
# Fields whose declaration lacks a number, because their JSON name is not the one protobuf has.
_EXTRA: Mapping[str, Mapping[int, str]] = {"BoundObjectReference": {4: "uid"}}


class ProtobufError(ProaError, ValueError):
    """The bytes are no Kubernetes protobuf message of the type they should be."""


def decode(body: bytes, schema: ObjectSchema) -> Document:
    """The document in an enveloped message of the schema's type, with the envelope's apiVersion and kind."""
    api_version, kind, raw = open_envelope(body)
    try:
        document = _message(schema)(raw, 0)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ProtobufError(f"malformed protobuf message of {kind or schema.name}: {error}") from None
    if api_version:
        document["apiVersion"] = api_version
    if kind:
        document["kind"] = kind
    return document


def open_envelope(body: bytes) -> tuple[str, str, bytes]:
    """(apiVersion, kind, message) of an enveloped message."""
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not start with the prefix of Kubernetes protobuf")
    api_version = kind = ""
    raw = b""
    try:
        for number, value in _fields(body[len(MAGIC) :]):
            if number == 1 and isinstance(value, bytes):
                for inner, text in _fields(value):
                    if inner == 1 and isinstance(text, bytes):
                        api_version = text.decode()
                    elif inner == 2 and isinstance(text, bytes):
                        kind = text.decode()
            elif number == 2 and isinstance(value, bytes):
                raw = value
            elif number == 3 and value:
                raise ProtobufError("the message is encoded once more, which is not served")
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise ProtobufError(f"malformed protobuf envelope: {error}") from None
    return api_version, kind, raw


# --- the encoding ---

_Value = int | bytes


def _fields(data: bytes) -> list[tuple[int, _Value]]:
    """(number, value) of every field; a value of fixed width is its bytes."""
    found: list[tuple[int, _Value]] = []
    at, end = 0, len(data)
    while at < end:
        tag, at = _varint(data, at)
        wire = tag & 7
        value: _Value
        if wire == _VARINT:
            value, at = _varint(data, at)
        else:
            if wire == _BYTES:
                length, at = _varint(data, at)
            elif wire in (_FIXED64, _FIXED32):
                length = 8 if wire == _FIXED64 else 4
            else:
                raise ProtobufError(f"wire type {wire} is not served")
            if at + length > end:
                raise ProtobufError("a field is longer than its message")
            value = data[at : at + length]
            at += length
        found.append((tag >> 3, value))
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift > 63:
            raise ProtobufError("a number is longer than 64 bits")


def _signed(value: int) -> int:
    return value - (1 << 64) if value >= 1 << 63 else value


# --- the readers ---

_Read = Callable[[_Value, int], Any]
"""(value, depth) -> JSON; None for what is absent."""
_Message = Callable[[bytes, int], Document]


@derived
def _message(schema: ObjectSchema) -> _Message:
    """What reads a message of the schema."""
    fields: dict[int, tuple[Property, _Read]] = {}
    nested_number, nested = _NESTED.get(schema.name, (0, {}))

    def known(number: int, name: str) -> tuple[Property, _Read] | None:
        found = schema.properties.get(name)
        return None if found is None else (found, _reader(found.schema))

    def prepare() -> None:
        for field in schema.properties.values():
            if field.facts.number and field.name not in nested.values():
                fields[field.facts.number] = field, _reader(field.schema)
        for number, name in _EXTRA.get(schema.name, {}).items():
            extra = known(number, name)
            if extra is not None:
                fields[number] = extra

    inside: dict[int, tuple[Property, _Read]] = {}

    def read(data: bytes, depth: int) -> Document:
        if depth > _DEEPEST:
            raise ProtobufError("the message is nested too deeply")
        if not fields:
            prepare()
            inside.update(
                {number: found for number, name in nested.items() if (found := known(number, name)) is not None}
            )
        document: Document = {}
        for number, value in _fields(data):
            if number == nested_number and isinstance(value, bytes):
                for below, part in _fields(value):
                    if below in inside:
                        _take(document, *inside[below], part, depth)
            elif number in fields:
                _take(document, *fields[number], value, depth)
        return document

    return read


def _take(document: Document, field: Property, read: _Read, value: _Value, depth: int) -> None:
    schema = field.schema
    if isinstance(schema, ListSchema):
        found = document.setdefault(field.name, [])
        if isinstance(value, bytes) and isinstance(schema.item, ScalarSchema) and schema.item.type == "integer":
            at = 0
            while at < len(value):  # packed
                number, at = _varint(value, at)
                found.append(_signed(number))
        else:
            found.append(read(value, depth + 1))
        return
    if isinstance(schema, MapSchema):
        key, entry = read(value, depth + 1)
        document.setdefault(field.name, {})[key] = entry
        return
    found = read(value, depth + 1)
    if found is None:
        return
    # Go writes the zero value of a field that is no pointer; in JSON it is left out.
    if not found and not field.nullable and not field.always and not isinstance(schema, AnySchema):
        return
    document[field.name] = found


def _reader(schema: Schema) -> _Read:
    match schema:
        case ObjectSchema():
            return lambda value, depth: _message(schema)(_bytes(value), depth)
        case ListSchema():
            return _reader(schema.item)
        case MapSchema():
            return _entry(schema)
        case AnySchema():
            return lambda value, depth: _raw(value)
        case _:
            return _scalar(schema)


def _entry(schema: MapSchema) -> _Read:
    inner = schema.value
    # A list as the value of a map is a message of its own (ExtraValue), with the items in field 1.
    wrapped = isinstance(inner, ListSchema)
    read = _reader(inner)

    def entry(value: _Value, depth: int) -> tuple[str, Any]:
        key = ""
        found: Any = None
        for number, part in _fields(_bytes(value)):
            if number == 1:
                key = _bytes(part).decode()
            elif number == 2:
                if wrapped:
                    found = [read(each, depth + 1) for below, each in _fields(_bytes(part)) if below == 1]
                else:
                    found = read(part, depth + 1)
        if found is None:
            found = [] if wrapped else "" if isinstance(inner, ScalarSchema) else {}
        return key, found

    return entry


def _scalar(schema: ScalarSchema) -> _Read:
    if schema.is_quantity:
        return lambda value, depth: _only(value).decode()
    if schema.is_int_or_string:
        return _int_or_string
    if schema.is_time:
        return _micro_time if schema.is_micro_time else _time
    if schema.type == "object":
        return lambda value, depth: _raw(value)
    if schema.type == "boolean":
        return lambda value, depth: bool(value)
    if schema.type == "integer":
        return lambda value, depth: _signed(_integer(value))
    if schema.type == "number":
        return lambda value, depth: struct.unpack("<d", _bytes(value))[0]
    if schema.format == "byte":
        return lambda value, depth: base64.b64encode(_bytes(value)).decode()
    return lambda value, depth: _bytes(value).decode()


def _bytes(value: _Value) -> bytes:
    if not isinstance(value, bytes):
        raise ProtobufError("a number stands where text or a message should")
    return value


def _integer(value: _Value) -> int:
    if not isinstance(value, int):
        raise ProtobufError("text or a message stands where a number should")
    return value


def _only(value: _Value) -> bytes:
    """Field 1 of a message that has but that."""
    return next((_bytes(each) for number, each in _fields(_bytes(value)) if number == 1), b"")


def _raw(value: _Value) -> Any:
    """Field 1 holds JSON (RawExtension, FieldsV1)."""
    text = _only(value)
    try:
        return msgspec.json.decode(text) if text else None
    except msgspec.DecodeError as error:
        raise ProtobufError(f"embedded JSON: {error}") from None


def _int_or_string(value: _Value, depth: int) -> int | str:
    parts = dict(_fields(_bytes(value)))
    if parts.get(1, 0) == 1:
        return _bytes(parts.get(3, b"")).decode()
    return _signed(_integer(parts.get(2, 0)))


def _time(value: _Value, depth: int) -> str | None:
    seconds, _ = _moment(value)
    return None if seconds is None else timestamps.from_epoch(seconds)


def _micro_time(value: _Value, depth: int) -> str | None:
    seconds, nanoseconds = _moment(value)
    if seconds is None:
        return None
    return timestamps.from_epoch(seconds)[:-1] + f".{nanoseconds // 1000:06d}Z"


def _moment(value: _Value) -> tuple[int | None, int]:
    parts = dict(_fields(_bytes(value)))
    if not parts:
        return None, 0
    seconds = _signed(_integer(parts.get(1, 0)))
    return (None if seconds == _NO_TIME else seconds), _integer(parts.get(2, 0))
