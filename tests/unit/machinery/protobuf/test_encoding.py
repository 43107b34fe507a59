"""The golden bytes are those of Kubernetes' own serializer for the same objects."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.machinery.test_every_type import TYPES, documents

from proa.api import core_v1, events_v1
from proa.api.groups import resources
from proa.machinery import protobuf
from proa.machinery.declare import Object
from proa.machinery.decode import to_typed
from proa.machinery.default import apply_defaults
from proa.machinery.meta import ListMeta, ObjectMeta, Status
from proa.machinery.protobuf.layout import unplaced
from proa.machinery.schema import ObjectSchema, reachable, schema_of

POD = {
    "metadata": {"name": "web", "namespace": "ns", "labels": {"b": "2", "a": "1"}},
    "spec": {
        "containers": [
            {
                "name": "c",
                "image": "i",
                "ports": [{"containerPort": 8080}],
                "resources": {"requests": {"cpu": "500m"}},
                "readinessProbe": {"httpGet": {"path": "/", "port": "http"}},
                "env": [{"name": "E", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "k"}}}],
            }
        ],
        "volumes": [{"name": "v", "emptyDir": {}}],
    },
}
SERVICE = {
    "metadata": {"name": "s", "creationTimestamp": "2026-01-01T00:00:00Z"},
    "spec": {"ports": [{"port": 80, "targetPort": -1}], "selector": {"app": "web"}},
}
SECRET = {"metadata": {"name": "s"}, "data": {"k": "AP8="}, "immutable": False}
STATUS = {
    "status": "Failure",
    "message": "no",
    "reason": "NotFound",
    "code": 404,
    "details": {"name": "x", "kind": "pods"},
}
EVENT = {
    "metadata": {"name": "e", "managedFields": [{"manager": "m", "fieldsV1": {"f:a": {}}}]},
    "eventTime": "2026-01-01T00:00:00.000005Z",
    "regarding": {"kind": "Pod"},
}
GOLDEN = [
    (
        core_v1.Pod,
        POD,
        "6b3873000a090a0276311203506f6412d5010a250a0377656212001a026e7322002a003200380042005a060a01611201315a060a0162120132"
        "1296010a090a0176120412020a00126d0a01631201692a00320b0a00100018903f22002a003a120a014512001a0b1a090a040a02636d12016b"
        "420f120d0a0363707512060a043530306d5a210a1512130a012f120a080110001a04687474701a002200100018002000280030006a00720080"
        "0100880100900100a201001a00320042004a0052005800600068008201008a01009a0100c201001a130a001a0022002a0032004a005a007200"
        "8801001a002200",
    ),
    (
        core_v1.Service,
        SERVICE,
        "6b3873000a0d0a02763112075365727669636512580a190a017312001a0022002a003200380042080880f2d6ca06100012370a190a00120018"
        "50220f080010ffffffffffffffffff011a002800120a0a0361707012037765621a0022003a00420052005a00600068001a020a001a002200",
    ),
    (
        core_v1.Secret,
        SECRET,
        "6b3873000a0c0a027631120653656372657412200a110a017312001a0022002a0032003800420012070a016b120200ff1a0028001a002200",
    ),
    (
        Status,
        STATUS,
        "6b3873000a0c0a027631120653746174757312330a060a0012001a0012074661696c7572651a026e6f22084e6f74466f756e642a0f0a017812"
        "001a04706f6473280032003094031a002200",
    ),
    (
        events_v1.Event,
        EVENT,
        "6b3873000a190a106576656e74732e6b38732e696f2f763112054576656e7412650a2d0a016512001a0022002a003200380042008a01190a01"
        "6d12001a0032003a0c0a0a7b22663a61223a7b7d7d420012090880f2d6ca0610882722002a0032003a0042110a03506f6412001a0022002a00"
        "32003a0052005a0062040a0012006a00720078001a002200",
    ),
]


@pytest.mark.parametrize(("declared", "document", "golden"), GOLDEN, ids=lambda each: getattr(each, "__name__", ""))
def test_an_object_is_written_as_go_writes_it(declared: type[Any], document: dict[str, Any], golden: str) -> None:
    assert protobuf.encode(msgspec.convert(document, declared)).hex() == golden


@pytest.mark.parametrize("declared", TYPES, ids=lambda each: f"{each.__module__.split('.')[2]}.{each.__name__}")
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_what_is_written_is_read_back(declared: type[Object], data: st.DataObject) -> None:
    schema = schema_of(declared)
    document = data.draw(documents(schema))
    document = {name: value for name, value in document.items() if name not in ("apiVersion", "kind")}
    apply_defaults(document, schema)
    typed = to_typed(document, declared)
    once = protobuf.encode(typed)
    read = protobuf.decode(once, schema)
    assert protobuf.encode(to_typed(read, declared)) == once
    assert read["kind"] == declared.__name__


def test_every_field_of_every_type_has_a_place() -> None:
    lacking = {
        (schema.name, name)
        for declared in {each.type for each in resources()}
        for schema in reachable(schema_of(declared))
        if isinstance(schema, ObjectSchema)
        for name in unplaced(schema)
        if name not in ("apiVersion", "kind")
    }
    assert not lacking


def test_a_list_is_its_items_between_its_envelope() -> None:
    names = ("a", "b")
    items = [core_v1.ConfigMap(metadata=ObjectMeta(name=name)) for name in names]
    elements = [protobuf.element_of(protobuf.message_of(core_v1.ConfigMap)(item)) for item in items]
    meta = ListMeta(resourceVersion="7", continue_="more")
    parts = protobuf.enveloped_list("v1", "ConfigMapList", protobuf.message_of(ListMeta)(meta), elements)
    whole = core_v1.ConfigMapList(metadata=meta, items=tuple(items))
    assert b"".join(parts) == protobuf.encode(whole)


def test_a_frame_of_a_watch_tells_its_length() -> None:
    body = protobuf.encode(msgspec.convert(SERVICE, core_v1.Service))
    frame = protobuf.frame("ADDED", body)
    assert struct.unpack(">I", frame[:4])[0] == len(frame) - 4
    assert frame[4:] == protobuf.delimited(1, b"ADDED") + protobuf.delimited(2, protobuf.delimited(1, body))
