from __future__ import annotations

import base64
import struct
from typing import Any

import pytest

from proa.api.authorization_v1 import SubjectAccessReview
from proa.api.core_v1 import ConfigMap, Event, Pod, Secret, Service
from proa.machinery.protobuf import MAGIC, ProtobufError, decode, open_envelope
from proa.machinery.schema import schema_of


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def field(number: int, value: Any) -> bytes:
    if isinstance(value, str):
        value = value.encode()
    if isinstance(value, bytes):
        return varint(number << 3 | 2) + varint(len(value)) + value
    if isinstance(value, float):
        return varint(number << 3 | 1) + struct.pack("<d", value)
    return varint(number << 3) + varint(int(value))


def message(*fields: tuple[int, Any]) -> bytes:
    return b"".join(field(number, value) for number, value in fields)


def envelope(version: str, kind: str, raw: bytes) -> bytes:
    return MAGIC + message((1, message((1, version), (2, kind))), (2, raw))


def read(declared: type[Any], raw: bytes) -> dict[str, Any]:
    return decode(envelope("v1", declared.__name__, raw), schema_of(declared))


def test_maps_and_metadata_are_read_and_empty_values_left_out() -> None:
    meta = message((1, "name"), (2, ""), (3, "ns"), (7, 0), (8, b""), (11, message((1, "app"), (2, "web"))))
    found = read(ConfigMap, message((1, meta), (2, message((1, "k"), (2, "v"))), (2, message((1, "empty"), (2, "")))))
    assert found == {
        "metadata": {"name": "name", "namespace": "ns", "labels": {"app": "web"}},
        "data": {"k": "v", "empty": ""},
        "apiVersion": "v1",
        "kind": "ConfigMap",
    }


def test_bytes_become_base64() -> None:
    found = read(Secret, message((2, message((1, "k"), (2, b"\0\xff")))))
    assert found["data"] == {"k": base64.b64encode(b"\0\xff").decode()}


def test_what_json_shows_as_part_of_its_parent_is_unfolded() -> None:
    volume = message((1, "v"), (2, message((2, message((1, "Memory"))))))
    variable = message((1, "A"), (3, message((3, message((1, message((1, "cm"))), (2, "key"))))))
    probe = message((1, message((2, message((1, "/ready"), (2, message((1, 0), (2, 8080))))))), (2, 5))
    container = message((1, "c"), (7, variable), (11, probe))
    found = read(Pod, message((2, message((1, volume), (2, container)))))
    assert found["spec"]["volumes"] == [{"name": "v", "emptyDir": {"medium": "Memory"}}]
    main = found["spec"]["containers"][0]
    assert main["env"] == [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "cm", "key": "key"}}}]
    assert main["readinessProbe"] == {"httpGet": {"path": "/ready", "port": 8080}, "initialDelaySeconds": 5}


def test_numbers_keep_their_sign_and_pointers_their_zero() -> None:
    found = read(Pod, message((2, message((4, 0), (25, -7)))))
    assert found["spec"]["terminationGracePeriodSeconds"] == 0
    assert found["spec"]["priority"] == -7


def test_scalars_that_are_messages_are_read() -> None:
    port = message((2, "TCP"), (3, 80), (4, message((1, 1), (3, "http"))))
    assert read(Service, message((2, message((1, port)))))["spec"]["ports"] == [
        {"protocol": "TCP", "port": 80, "targetPort": "http"}
    ]
    event = read(Event, message((6, message((1, 1_767_225_600))), (10, message((1, 1_767_225_600), (2, 5_000)))))
    assert (event["firstTimestamp"], event["eventTime"]) == ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00.000005Z")
    quantity = message((8, message((2, message((1, "cpu"), (2, message((1, "100m"))))))))
    container = read(Pod, message((2, message((2, quantity)))))["spec"]["containers"][0]
    assert container["resources"] == {"requests": {"cpu": "100m"}}


def test_a_list_in_a_map_is_unfolded() -> None:
    extra = message((1, "scopes"), (2, message((1, "a"), (1, "b"))))
    found = read(SubjectAccessReview, message((2, message((3, "jane"), (5, extra)))))
    assert found["spec"]["extra"] == {"scopes": ["a", "b"]}


def test_a_field_nobody_knows_is_skipped() -> None:
    assert "metadata" not in read(ConfigMap, message((99, "x"), (98, 7), (97, 1.5)))


@pytest.mark.parametrize("body", [b"{}", MAGIC + b"\xff", MAGIC + message((2, b"\x0a\x7fx")), MAGIC + b"\x0b"])
def test_what_is_no_message_is_an_error(body: bytes) -> None:
    with pytest.raises(ProtobufError):
        decode(body, schema_of(ConfigMap))


def test_the_envelope_says_what_is_in_it() -> None:
    assert open_envelope(envelope("apps/v1", "Deployment", b"x")) == ("apps/v1", "Deployment", b"x")
