"""OpenAPI 2 in protobuf. That kubectl reads it is shown end to end; here: the bytes, and that nothing is left out."""

from __future__ import annotations

from typing import Any

import pytest

from proa.api.groups import resources
from proa.machinery.openapi import document_v2, gnostic

Fields = list[tuple[int, Any]]


def fields(data: bytes) -> Fields:
    """Numbers and values of a message, in order; nested ones stay bytes."""
    found, at = [], 0

    def varint() -> int:
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
        else:
            size = varint()
            found.append((key >> 3, data[at : at + size]))
            at += size
    return found


def definition(schema: dict[str, Any]) -> Fields:
    """The fields of one encoded schema."""
    ((number, definitions),) = fields(gnostic.encode({"definitions": {"Thing": schema}}))
    assert number == 9
    ((_, named),) = fields(definitions)
    (name, value) = fields(named)
    assert name == (1, b"Thing")
    return fields(value[1])


def test_a_schema_has_its_fields_by_number() -> None:
    schema = {"type": "object", "required": ["a", "b"], "properties": {"a": {"$ref": "#/definitions/A"}}}
    kind, first, second, properties = definition(schema)
    assert (kind, first, second) == ((22, b"\x0a\x06object"), (19, b"a"), (19, b"b"))
    assert fields(fields(properties[1])[0][1]) == [(1, b"a"), (2, b"\x0a\x0f#/definitions/A")]


def test_items_and_values_of_maps_are_schemas_in_wrappers() -> None:
    assert definition({"items": {"format": "x"}}) == [(23, b"\x0a\x03\x12\x01x")]
    assert definition({"additionalProperties": {"format": "x"}}) == [(21, b"\x0a\x03\x12\x01x")]
    assert definition({"additionalProperties": True}) == [(21, b"\x10\x01")]


def test_extensions_and_defaults_are_yaml() -> None:
    assert definition({"default": {"a": 1}}) == [(5, b'\x12\x07{"a":1}')]
    ((number, extension),) = definition({"x-kubernetes-list-type": "map"})
    assert (number, fields(extension)) == (31, [(1, b"x-kubernetes-list-type"), (2, b'\x12\x05"map"')])


def test_parameters_are_told_apart_by_their_place() -> None:
    parameters = [
        {"name": "body", "in": "body", "required": True},
        {"name": "q", "in": "query", "uniqueItems": True},
        {"name": "p", "in": "path"},
    ]
    (paths,) = fields(gnostic.encode({"paths": {"/x": {"parameters": parameters}}}))
    item = fields(fields(paths[1])[0][1])[1][1]
    body, query, path = (fields(each[1])[0][1] for each in fields(item))
    assert fields(fields(body)[0][1]) == [(2, b"body"), (3, b"body"), (4, 1)]
    ((kind, inner),) = fields(fields(query)[0][1])
    assert (kind, fields(inner)) == (3, [(4, b"q"), (2, b"query"), (20, 1)])
    ((kind, inner),) = fields(fields(path)[0][1])
    assert (kind, fields(inner)) == (4, [(4, b"p"), (2, b"path")])


def test_the_whole_document_can_be_said() -> None:
    encoded = gnostic.encode(document_v2(resources(), build="v1"))
    assert {number for number, _ in fields(encoded)} == {1, 2, 8, 9, 12, 13}


def test_what_the_tables_do_not_know_is_refused() -> None:
    with pytest.raises(ValueError, match="'discriminator' is not known in an OpenAPI 2 Schema"):
        gnostic.encode({"definitions": {"Thing": {"discriminator": 3}}})
    with pytest.raises(ValueError, match="expected body, query or path"):
        gnostic.encode({"paths": {"/x": {"parameters": [{"name": "h", "in": "header"}]}}})
