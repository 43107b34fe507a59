from __future__ import annotations

from typing import Any

import pytest

from proa.api.core_v1.resources import EVENTS as CORE
from proa.api.events_v1.resources import EVENTS
from tests.unit.api.writing import create_errors, update_errors

TIME = "2026-01-01T00:00:00.000000Z"
LATER = "2026-01-01T00:00:01.000000Z"


def event(**fields: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "e", "namespace": "d"},
        "eventTime": TIME,
        "reportingController": "example.com/robot",
        "reportingInstance": "robot-1",
        "action": "Starting",
        "reason": "Started",
        "regarding": {"kind": "Pod", "name": "a", "namespace": "d"},
        "note": "it started",
        "type": "Normal",
        **fields,
    }


def core_event(**fields: Any) -> dict[str, Any]:
    regarding = {"kind": "Pod", "name": "a", "namespace": "d"}
    return {"metadata": {"name": "e", "namespace": "d"}, "involvedObject": regarding, **fields}


def test_a_complete_event_is_taken() -> None:
    assert create_errors(EVENTS, event(series={"count": 2, "lastObservedTime": TIME})) == []


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"reportingController": ""}, [
            "reportingController: Required value",
            'reportingController: Invalid value: "": name part must be non-empty',
            'reportingController: Invalid value: "": name part must consist of',
        ]),
        ({"reportingController": "a b"}, ['reportingController: Invalid value: "a b": name part must consist of']),
        ({"reportingInstance": ""}, ["reportingInstance: Required value"]),
        ({"reportingInstance": "a" * 129}, [
            'reportingInstance: Invalid value: "": can have at most 128 characters',
        ]),
        ({"action": ""}, ["action: Required value"]),
        ({"action": "a" * 129}, ['action: Invalid value: "": can have at most 128 characters']),
        ({"reason": ""}, ["reason: Required value"]),
        ({"reason": "a" * 129}, ['reason: Invalid value: "": can have at most 128 characters']),
        ({"note": "a" * 1025}, ['message: Invalid value: "": can have at most 1024 characters']),
        ({"eventTime": None}, ["eventTime: Required value"]),
        ({"type": "Error"}, ['type: Invalid value: "": has invalid value: Error']),
        ({"regarding": {}}, ['involvedObject.namespace: Invalid value: "": does not match event.namespace']),
        ({"deprecatedCount": 1}, ['count: Invalid value: "": needs to be unset']),
        ({"deprecatedSource": {"host": "n"}}, ['source: Invalid value: "": needs to be unset']),
        ({"deprecatedFirstTimestamp": "2026-01-01T00:00:00Z"}, [
            'firstTimestamp: Invalid value: "": needs to be unset',
        ]),
        ({"deprecatedLastTimestamp": "2026-01-01T00:00:00Z"}, [
            'lastTimestamp: Invalid value: "": needs to be unset',
        ]),
        ({"series": {"count": 1, "lastObservedTime": TIME}}, [
            'series.count: Invalid value: "": should be at least 2',
        ]),
        ({"series": {"count": 2}}, ["series.lastObservedTime: Required value"]),
    ],
    ids=lambda each: "-".join(f"{name}" for name in each) if isinstance(each, dict) else "",
)  # fmt: skip
def test_an_event_that_lacks_something_is_refused(fields: dict[str, Any], said: list[str]) -> None:
    found = create_errors(EVENTS, event(**fields))
    assert [each[: len(wanted)] for each, wanted in zip(found, said, strict=True)] == said


def test_what_an_event_tells_does_not_change() -> None:
    changed = event(note="b", reason="Other", reportingController="other", eventTime=LATER)
    assert update_errors(EVENTS, event(), changed) == [
        'reason: Invalid value: "Other": field is immutable',
        'message: Invalid value: "b": field is immutable',
        f'eventTime: Invalid value: "{LATER}": field is immutable',
        'reportingController: Invalid value: "other": field is immutable',
    ]


def test_the_series_of_an_event_goes_on() -> None:
    before, after = ({"count": count, "lastObservedTime": TIME} for count in (2, 3))
    assert update_errors(EVENTS, event(series=before), event(series=after)) == []
    assert update_errors(EVENTS, event(series=before), event(series={**after, "count": 1})) == [
        'series.count: Invalid value: "": should be at least 2'
    ]


def test_an_event_without_a_time_says_what_it_likes_in_core() -> None:
    assert create_errors(CORE, core_event(type="Odd", reason="a" * 200, count=3)) == []
    assert create_errors(CORE, core_event(involvedObject={"namespace": "other"})) == [
        'involvedObject.namespace: Invalid value: "other": does not match event.namespace'
    ]


def test_an_event_with_a_time_is_checked_in_core_too() -> None:
    said = core_event(eventTime=TIME, reportingComponent="robot", reportingInstance="r", action="Starting", type="Odd")
    assert create_errors(CORE, {**said, "reason": "Started"}) == []
    assert create_errors(CORE, said) == ["reason: Required value"]
    assert create_errors(CORE, {**said, "reason": "Started", "reportingComponent": "a/b/c"})[0].startswith(
        'reportingComponent: Invalid value: "a/b/c"'
    )
