"""What `wait` waits for and what `rollout status` says."""

from __future__ import annotations

from typing import Any

import pytest

from proa.kubectl.session import FlagError
from proa.kubectl.verbs.rollout import RolloutError, deployment
from proa.kubectl.verbs.wait import parse


def pod(ready: str = "True", **more: Any) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready}]
    return {
        "metadata": {"name": "a", "generation": 2},
        "status": {"conditions": conditions, "phase": "Running", **more},
    }


@pytest.mark.parametrize(
    ("condition", "found", "done"),
    [
        ("delete", None, True),
        ("delete", pod(), False),
        ("create", pod(), True),
        ("condition=Ready", pod(), True),
        ("condition=ready", pod("False"), False),
        ("condition=Ready=false", pod("False"), True),
        ("condition=Ready", pod(observedGeneration=1), False),
        ("condition=Ready", None, False),
        ("jsonpath={.status.phase}=Running", pod(), True),
        ("jsonpath={.status.phase}=Failed", pod(), False),
        ("jsonpath=.status.phase", pod(), True),
        ("jsonpath={.status.podIP}", pod(), False),
        ('jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', pod(), True),
    ],
)
def test_a_condition_is_met_or_not(condition: str, found: dict[str, Any] | None, done: bool) -> None:
    assert parse(condition)(found) is done


@pytest.mark.parametrize("condition", ["ready", "condition=", "phase=Running", ""])
def test_a_condition_we_do_not_know_is_refused(condition: str) -> None:
    with pytest.raises(FlagError, match="unrecognized condition"):
        parse(condition)


def workload(wanted: int = 3, observed: int = 2, **status: Any) -> dict[str, Any]:
    metadata = {"name": "web", "generation": 2}
    return {"metadata": metadata, "spec": {"replicas": wanted}, "status": {"observedGeneration": observed, **status}}


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (workload(observed=1), "spec update to be observed"),
        (workload(updatedReplicas=1), "1 out of 3 new replicas have been updated"),
        (workload(updatedReplicas=3, replicas=4), "1 old replicas are pending termination"),
        (workload(updatedReplicas=3, availableReplicas=2), "2 of 3 updated replicas are available"),
    ],
)
def test_a_rollout_on_its_way_says_how_far_it_is(found: dict[str, Any], words: str) -> None:
    said, done = deployment(found)
    assert words in said
    assert not done


def test_a_rollout_that_is_done_says_so() -> None:
    assert deployment(workload(updatedReplicas=3, availableReplicas=3)) == (
        'deployment "web" successfully rolled out',
        True,
    )


def test_a_rollout_that_is_stuck_is_an_error() -> None:
    conditions = [{"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}]
    with pytest.raises(RolloutError, match="exceeded its progress deadline"):
        deployment(workload(conditions=conditions))
