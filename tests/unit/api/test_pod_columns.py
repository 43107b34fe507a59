"""What `kubectl get pods` says of pods in all their states."""

from __future__ import annotations

from typing import Any

import pytest

from proa.api.core_v1.pod_columns import PODS, completed
from proa.api.core_v1.resources import EVENTS
from proa.api.events_v1.resources import EVENTS as NEWER_EVENTS
from proa.machinery.table import table

Document = dict[str, Any]
NOW = 1_700_000_000.0
FIVE_MINUTES_AGO = "2023-11-14T22:08:20Z"
AN_HOUR_AGO = "2023-11-14T21:13:20Z"


def status(name: str, restarts: int = 0, finished: str = "", **fields: Any) -> Document:
    last = {"lastState": {"terminated": {"finishedAt": finished}}} if finished else {}
    return {"name": name, "restartCount": restarts, **last, **fields}


def running(name: str, restarts: int = 0, finished: str = "") -> Document:
    return status(name, restarts, finished, ready=True, started=True, state={"running": {}})


def ended(name: str, code: int = 0, **terminated: Any) -> Document:
    return status(name, state={"terminated": {"exitCode": code, **terminated}})


def pod(
    *containers: Document,
    init: tuple[Document, ...] = (),
    sidecars: tuple[str, ...] = (),
    conditions: tuple[str, ...] = (),
    meta: Document | None = None,
    **fields: Any,
) -> Document:
    def spec(each: Document) -> Document:
        return {"name": each["name"], **({"restartPolicy": "Always"} if each["name"] in sidecars else {})}

    return {
        "metadata": {"name": "p", "creationTimestamp": AN_HOUR_AGO, **(meta or {})},
        "spec": {"containers": list(map(spec, containers)), "initContainers": list(map(spec, init))},
        "status": {
            "phase": "Running",
            "conditions": [{"type": each, "status": "True"} for each in conditions],
            "initContainerStatuses": list(init),
            "containerStatuses": list(containers),
            **fields,
        },
    }


def cells(document: Document) -> list[Any]:
    """Ready, status, restarts."""
    row: list[Any] = table([document], PODS, NOW)["rows"][0]["cells"][1:4]
    return row


WAITING = status("a", state={"waiting": {"reason": "PodInitializing"}})
BACKING_OFF = status("a", 7, FIVE_MINUTES_AGO, state={"waiting": {"reason": "CrashLoopBackOff"}})


@pytest.mark.parametrize(
    ("document", "shown"),
    [
        (pod(running("a"), running("b")), ["2/2", "Running", "0"]),
        (pod(BACKING_OFF), ["0/1", "CrashLoopBackOff", "7 (5m ago)"]),
        (pod(running("a", 2, AN_HOUR_AGO), running("b", 1, FIVE_MINUTES_AGO)), ["2/2", "Running", "3 (5m ago)"]),
        (pod(WAITING, init=(status("i", 1, AN_HOUR_AGO, state={"running": {}}),)), ["0/1", "Init:0/1", "1 (60m ago)"]),
        (pod(WAITING, init=(ended("i"), ended("j", 3))), ["0/1", "Init:ExitCode:3", "0"]),
        (pod(WAITING, init=(ended("i", 1, signal=9),)), ["0/1", "Init:Signal:9", "0"]),
        (
            pod(running("a"), init=(status("i", 4, AN_HOUR_AGO, state=ended("i")["state"]),)),
            ["1/1", "Running", "0"],
        ),
        (pod(running("a"), init=(running("s", 2),), sidecars=("s",)), ["2/2", "Running", "2"]),
        (
            pod(running("a"), init=(ended("i", 1, reason="Error"),), conditions=("Initialized",)),
            ["1/1", "Init:Error", "0"],
        ),
        (pod(ended("a", reason="Completed"), running("b")), ["1/2", "NotReady", "0"]),
        (pod(ended("a", reason="Completed"), running("b"), conditions=("Ready",)), ["1/2", "Running", "0"]),
        (
            pod(ended("a", reason="Completed"), ended("b", 1, reason="Error"), phase="Failed"),
            ["0/2", "Error", "0"],
        ),
        (pod(ended("a", reason="Completed"), phase="Succeeded"), ["0/1", "Completed", "0"]),
        (pod(running("a"), meta={"deletionTimestamp": AN_HOUR_AGO}), ["1/1", "Terminating", "0"]),
        (pod(running("a"), meta={"deletionTimestamp": AN_HOUR_AGO}, reason="NodeLost"), ["1/1", "Unknown", "0"]),
        (pod(status("a"), phase="Failed", reason="Evicted"), ["0/1", "Evicted", "0"]),
    ],
)
def test_a_pod_is_shown_in_a_word(document: Document, shown: list[str]) -> None:
    assert cells(document) == shown


def test_a_pod_that_waits_at_a_gate_says_so() -> None:
    document = pod(status("a"), phase="Pending")
    document["status"]["conditions"] = [{"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}]
    assert cells(document) == ["0/1", "SchedulingGated", "0"]


def test_what_the_table_turns_into_text_is_text_to_clients() -> None:
    columns = table([], PODS, NOW)["columnDefinitions"]
    assert [each["type"] for each in columns] == ["string"] * 9


def test_events_look_alike_through_both_of_their_apis() -> None:
    meta = {"name": "e", "creationTimestamp": AN_HOUR_AGO}
    thing = {"kind": "Pod", "name": "p", "fieldPath": "spec"}
    older = {
        "metadata": meta,
        "involvedObject": thing,
        "message": " m ",
        "reason": "R",
        "type": "Normal",
        "source": {"component": "c", "host": "h"},
        "firstTimestamp": AN_HOUR_AGO,
        "lastTimestamp": FIVE_MINUTES_AGO,
        "count": 3,
    }
    newer = {
        "metadata": meta,
        "regarding": thing,
        "note": " m ",
        "reason": "R",
        "type": "Normal",
        "deprecatedSource": {"component": "c", "host": "h"},
        "deprecatedFirstTimestamp": AN_HOUR_AGO,
        "deprecatedLastTimestamp": FIVE_MINUTES_AGO,
        "deprecatedCount": 3,
    }
    shown = ["5m", "Normal", "R", "pod/p", "spec", "c, h", "m", "60m", 3, "e"]
    for resource, document in ((EVENTS, older), (NEWER_EVENTS, newer)):
        assert table([document], resource.columns, NOW)["rows"][0]["cells"] == shown


@pytest.mark.parametrize(
    ("phase", "message"),
    [("Succeeded", "The pod has completed successfully."), ("Failed", "The pod failed.")],
)
def test_the_row_of_a_pod_that_is_done_says_so(phase: str, message: str) -> None:
    documents = [{"status": {"phase": "Running"}}, {"status": {"phase": phase}}]
    running, done = table(documents, PODS, 0.0, conditions=completed)["rows"]
    assert "conditions" not in running
    assert done["conditions"] == ({"type": "Completed", "status": "True", "reason": phase, "message": message},)
