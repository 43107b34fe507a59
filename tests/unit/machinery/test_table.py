"""Tables and metadata-only objects."""

from typing import Any

import pytest

from proa.machinery import table
from proa.machinery.resource import Column
from proa.machinery.status import StatusError

NOW = 1704067200.0 + 90
DOCUMENT: dict[str, Any] = {
    "kind": "Thing",
    "metadata": {"name": "a", "creationTimestamp": "2024-01-01T00:00:00Z"},
    "spec": {"size": 3},
}


def test_without_columns_a_table_shows_name_and_age() -> None:
    found = table.table([DOCUMENT], (), NOW, list_meta={"resourceVersion": "7"})
    assert (found["kind"], found["apiVersion"], found["metadata"]) == (
        "Table",
        "meta.k8s.io/v1",
        {"resourceVersion": "7"},
    )
    assert [each["name"] for each in found["columnDefinitions"]] == ["Name", "Age"]
    assert found["columnDefinitions"][0]["format"] == "name"
    assert found["rows"][0]["cells"] == ["a", "90s"]


def test_columns_take_cells_from_the_document() -> None:
    columns = (Column("Size", lambda document: document["spec"]["size"], "integer", priority=1),)
    found = table.table([DOCUMENT], columns, NOW)
    assert found["rows"][0]["cells"] == [3]
    assert found["columnDefinitions"] == [
        {"name": "Size", "type": "integer", "format": "", "description": "", "priority": 1}
    ]


def test_a_row_carries_the_object_as_asked() -> None:
    def carried(include: table.IncludeObject) -> Any:
        return table.table([DOCUMENT], (), NOW, include=include)["rows"][0].get("object")

    assert carried("None") is None
    assert carried("Object") == DOCUMENT
    assert carried("Metadata") == {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": DOCUMENT["metadata"],
    }


def test_a_watch_sends_headers_once() -> None:
    assert table.table([DOCUMENT], (), NOW, headers=False)["columnDefinitions"] == []


def test_a_date_that_is_absent_has_an_empty_cell_and_one_that_is_none_is_told_as_such() -> None:
    def cell(value: Any) -> Any:
        return table.table([DOCUMENT], (Column("D", lambda _: value, "date"),), NOW)["rows"][0]["cells"][0]

    assert (cell(None), cell("<unknown>"), cell("soon")) == (None, "<unknown>", "<invalid>")


def test_what_to_include_is_one_of_three() -> None:
    assert table.include_object("") == "Metadata"
    assert table.include_object("None") == "None"
    with pytest.raises(StatusError, match="includeObject"):
        table.include_object("all")


def test_a_metadata_list() -> None:
    found = table.partial_metadata_list([DOCUMENT], {"resourceVersion": "1"})
    assert found["kind"] == "PartialObjectMetadataList"
    assert found["items"][0]["metadata"]["name"] == "a"
