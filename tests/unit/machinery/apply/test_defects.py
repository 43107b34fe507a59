from __future__ import annotations

from typing import Any

import pytest

from proa.machinery.apply.defects import defect


def entry(**more: Any) -> dict[str, Any]:
    fields = {"f:spec": {".": {}, "f:ports": {'k:{"port":80}': {".": {}}}, "f:finalizers": {'v:"a"': {}, "i:0": {}}}}
    return {"manager": "me", "operation": "Update", "fieldsV1": fields, **more}


@pytest.mark.parametrize("entries", [None, [], [entry()], [entry(fieldsV1=None)]])
def test_what_can_be_read_has_no_defect(entries: Any) -> None:
    assert defect(entries) == ""


@pytest.mark.parametrize(
    ("entries", "wrong"),
    [
        ({}, "{} is no list"),
        (["x"], 'error decoding set: "x" is no entry'),
        ([{"operation": "Guess"}], 'error decoding manager from {"operation":"Guess"}: unknown operation'),
        ([entry(fieldsV1=[1])], "error decoding set: [1] is no set of fields"),
        (
            [entry(), entry(fieldsV1={"f:a": {"b": {}}})],
            'error decoding set: path element "b" is of no known type',
        ),
    ],
)
def test_a_defect_is_named(entries: Any, wrong: str) -> None:
    assert defect(entries) == wrong
