"""Whatever a client sends is understood or refused: nothing here may raise anything but the error that says so."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from proa.api.core_v1 import ConfigMap, Pod, Service
from proa.api.groups import resources
from proa.apiserver import patching
from proa.apiserver.listing import decode_continue, parse_revision
from proa.apiserver.negotiation import STORED, decode_body
from proa.apiserver.requestinfo import parse
from proa.machinery import apply, patch, protobuf
from proa.machinery.decode import FieldValidation, field_validation
from proa.machinery.field_selectors import parse_fields
from proa.machinery.protobuf.wire import delimited, tag, varint
from proa.machinery.schema import schema_of
from proa.machinery.selectors import SelectorError, parse_labels
from proa.machinery.status import StatusError

SETTINGS = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
POD = schema_of(Pod)
TYPES = sorted({each.type for each in resources()}, key=lambda each: each.__module__ + each.__name__)

NAMES = st.sampled_from(
    ["metadata", "spec", "status", "containers", "name", "labels", "ports", "env", "managedFields", "fieldsV1",
     "$patch", "$retainKeys", "$setElementOrder/containers", "$deleteFromPrimitiveList/finalizers", "finalizers",
     "x", ""]
)  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | NAMES | st.text(max_size=5)
JSON = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(NAMES, below, max_size=4), max_leaves=25
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=5)


@SETTINGS
@given(text=st.text(alphabet="abc=!<>(),/ .-1\\$~é\x00notin", max_size=30))
def test_selectors(text: str) -> None:
    for read in (parse_labels, parse_fields):
        with suppress(SelectorError):
            read(text).matches({"a": "b"})


@SETTINGS
@given(text=st.text(max_size=30))
def test_tokens_versions_and_headers(text: str) -> None:
    with suppress(StatusError):
        decode_continue("/registry/pods/", text)
    with suppress(StatusError):
        parse_revision(text)
    with suppress(StatusError):
        STORED(text)


@SETTINGS
@given(path=st.text(alphabet="/apisv1%2F.wtch?=&é", max_size=40), query=st.text(max_size=30))
def test_paths(path: str, query: str) -> None:
    parse("GET", path, query)


@SETTINGS
@given(body=st.binary(max_size=60), kind=st.sampled_from(["", "application/json", "application/yaml"]))
def test_bodies(body: bytes, kind: str) -> None:
    with suppress(StatusError):
        decode_body(kind, body, Pod)


@SETTINGS
@given(document=OBJECTS, mode=st.sampled_from(FieldValidation))
def test_documents(document: dict[str, Any], mode: FieldValidation) -> None:
    with suppress(StatusError):
        field_validation(document, POD, mode, msgspec.json.encode(document))


@SETTINGS
@given(stored=OBJECTS, body=JSON)
def test_merges(stored: dict[str, Any], body: Any) -> None:
    patch.merge(stored, body)
    if isinstance(body, dict):
        with suppress(StatusError):
            patch.strategic(stored, body, POD)


OPERATIONS = st.fixed_dictionaries(
    {},
    optional={
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test", "dance"]) | LEAVES,
        "path": st.sampled_from(["", "/", "/spec", "/spec/-", "/a~0~1", "/spec/containers/0", "~2", "x"]) | LEAVES,
        "from": st.sampled_from(["/spec", "/metadata/name"]) | LEAVES,
        "value": JSON,
    },
)


@SETTINGS
@given(stored=OBJECTS, body=st.lists(OPERATIONS | JSON, max_size=4) | JSON)
def test_json_patches(stored: dict[str, Any], body: Any) -> None:
    with suppress(StatusError):
        patch.apply_json_patch(stored, body)


@SETTINGS
@given(body=st.binary(max_size=40), kind=st.sampled_from([*patching.ACCEPTED, "text/plain", ""]))
def test_patch_bodies(body: bytes, kind: str) -> None:
    with suppress(StatusError):
        patching.parse_body(kind, body)


@SETTINGS
@given(live=OBJECTS, applied=OBJECTS, force=st.booleans())
def test_applying(live: dict[str, Any], applied: dict[str, Any], force: bool) -> None:
    with suppress(StatusError):  # both have their declared shape by then
        field_validation(live, POD, FieldValidation.IGNORE)
        field_validation(applied, POD, FieldValidation.IGNORE)
        writer = apply.Writer("kubectl", apply.APPLY, "v1", "2026-01-01T00:00:00Z")
        apply.server_side_apply({"metadata": {}, **live}, applied, POD, writer, force=force)
        apply.track_update({"metadata": {}, **live}, applied, POD, writer)


def messages() -> st.SearchStrategy[bytes]:
    """Fields in any order and nesting, and what is none."""
    numbers = st.integers(0, 45)
    leaf = st.binary(max_size=12) | st.builds(lambda number: varint(number), st.integers(0, 2**64))
    field = st.builds(lambda number, value: delimited(number, value), numbers, leaf) | st.builds(
        lambda number, wire, rest: tag(number, wire) + rest, numbers, st.integers(0, 7), st.binary(max_size=9)
    )
    return st.recursive(
        st.lists(field, max_size=5).map(b"".join),
        lambda below: st.lists(st.builds(delimited, numbers, below), max_size=4).map(b"".join),
        max_leaves=12,
    )


@pytest.mark.parametrize("declared", TYPES, ids=lambda each: f"{each.__module__.split('.')[2]}.{each.__name__}")
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(raw=messages())
def test_messages(declared: type[Any], raw: bytes) -> None:
    with suppress(protobuf.ProtobufError):
        document = protobuf.decode(protobuf.enveloped("v1", declared.__name__, delimited(2, raw)), schema_of(declared))
        with suppress(StatusError):
            field_validation(document, schema_of(declared), FieldValidation.STRICT)


@pytest.mark.parametrize("depth", [300, 5_000, 100_000])
@pytest.mark.parametrize("kind", patching.ACCEPTED)
def test_deep_patches(depth: int, kind: str) -> None:
    for body in (b'{"a":' * depth + b"1" + b"}" * depth, b"[" * depth + b"]" * depth):
        with pytest.raises(StatusError, match="max depth"):
            patching.parse_body(kind, body)


@SETTINGS
@given(body=st.binary(max_size=40))
def test_envelopes(body: bytes) -> None:
    for declared in (ConfigMap, Service):
        with suppress(StatusError):
            decode_body("application/vnd.kubernetes.protobuf", protobuf.MAGIC + body, declared)
