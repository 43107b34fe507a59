"""Tables and the -o formats."""

from __future__ import annotations

import pytest

from proa.kubectl.printing import TablePrinter, columns, formatter
from proa.kubectl.session import FlagError

DEFINITIONS = [
    {"name": "Name", "format": "name", "priority": 0},
    {"name": "Ready", "priority": 0},
    {"name": "Node", "priority": 1},
]


def row(name: str, ready: object, node: object = None) -> dict[str, object]:
    metadata = {"name": name, "namespace": "ns", "labels": {"b": "2", "a": "1"}}
    return {"cells": [name, ready, node], "object": {"metadata": metadata}}


TABLE = {"columnDefinitions": DEFINITIONS, "rows": [row("web-1", "1/1"), row("b", True, "n1")]}


def test_columns_are_three_spaces_apart_and_the_last_is_not_padded() -> None:
    assert TablePrinter().render(TABLE) == ["NAME    READY", "web-1   1/1", "b       true"]


def test_wide_shows_every_column_and_what_is_nothing() -> None:
    assert TablePrinter(wide=True).render(TABLE)[1:] == ["web-1   1/1     <none>", "b       true    n1"]


def test_namespaces_come_first_labels_last() -> None:
    lines = TablePrinter(namespaces=True, labels=True, headers=False).render(TABLE)
    assert lines == ["ns   web-1   1/1    a=1,b=2", "ns   b       true   a=1,b=2"]


def test_what_a_watch_adds_has_no_second_heading_and_keeps_the_widths() -> None:
    printer = TablePrinter()
    printer.render(TABLE)
    assert printer.render({"columnDefinitions": [], "rows": [row("x", "0/1")]}) == ["x       0/1"]
    assert printer.render({"columnDefinitions": DEFINITIONS, "rows": [row("y", "0/1")]}) == ["y       0/1"]


def test_names_are_told_apart_where_several_types_are_shown() -> None:
    printer = TablePrinter(prefix=lambda name: f"pod/{name}", headers=False)
    assert printer.render(TABLE)[0] == "pod/web-1   1/1"


def test_rows_of_text_line_up() -> None:
    assert columns([("A", "B"), ("long", "x")]) == ["A      B", "long   x"]


def test_documents_are_without_managed_fields_unless_asked() -> None:
    value = {"metadata": {"name": "a", "managedFields": [{}]}}
    assert formatter("json")(value) == '{\n    "metadata": {\n        "name": "a"\n    }\n}\n'
    assert "managedFields" in formatter("yaml", managed_fields=True)(value)
    assert formatter("jsonpath={.metadata.name}")(value) == "a"


def test_custom_columns_are_a_table_of_paths() -> None:
    value = {"kind": "PodList", "items": [{"metadata": {"name": "a"}, "n": 1}, {"metadata": {"name": "bb"}}]}
    assert formatter("custom-columns=NAME:.metadata.name,N:n")(value) == "NAME   N\na      1\nbb     <none>\n"


@pytest.mark.parametrize("output", ["xml", "jsonpath=", "custom-columns=A", "go-template={{.x}}"])
def test_a_format_we_do_not_know_is_refused(output: str) -> None:
    with pytest.raises(FlagError):
        formatter(output)
