"""Disruption budgets, priority classes, runtime classes and leases."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.coordination_v1.resources import LEASES
from proa.api.node_v1.resources import RUNTIME_CLASSES
from proa.api.policy_v1.resources import POD_DISRUPTION_BUDGETS
from proa.api.scheduling_v1.resources import PRIORITY_CLASSES
from tests.unit.api.writing import create_errors, defaulted, update_errors

Document = dict[str, Any]


def named(name: str = "a", **fields: Any) -> Document:
    return {"metadata": {"name": name}, **fields}


def check(found: list[str], error: str) -> None:
    assert [error in each for each in found] == ([True] if error else []), found


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"minAvailable": 1, "selector": {}}, ""),
        ({"maxUnavailable": "100%"}, ""),
        ({"minAvailable": 1, "maxUnavailable": 1}, "minAvailable and maxUnavailable cannot be both set"),
        ({"minAvailable": -1}, "spec.minAvailable: Invalid value: -1: must be greater than or equal to 0"),
        ({"minAvailable": "some"}, 'spec.minAvailable: Invalid value: "some": a valid percent string must be'),
        ({"maxUnavailable": "101%"}, 'spec.maxUnavailable: Invalid value: "101%": must not be greater than 100%'),
        ({"selector": {"matchLabels": {"-": ""}}}, "spec.selector.matchLabels: Invalid value:"),
    ],
)
def test_a_disruption_budget(spec: Document, error: str) -> None:
    check(create_errors(POD_DISRUPTION_BUDGETS, named(spec=spec)), error)


def test_the_counts_of_a_budget_are_none_or_more() -> None:
    status = {"disruptionsAllowed": -1, "currentHealthy": 0, "desiredHealthy": 0, "expectedPods": 0}
    found = update_errors(POD_DISRUPTION_BUDGETS, named(spec={}), named(spec={}, status=status))
    check(found, "status.disruptionsAllowed: Invalid value: -1: must be greater than or equal to 0")


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (named(value=1_000_000_000), ""),
        (named(value=-5), ""),
        (named("system-node-critical", value=2_000_001_000), ""),
        (
            named(value=1_000_000_001),
            "value: Forbidden: maximum allowed value of a user defined priority is 1",
        ),
        (
            named("system-mine", value=1),
            "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only."
            " error: system-mine is not a known system priority class",
        ),
        (
            named("a", value=1, preemptionPolicy="Always"),
            'preemptionPolicy: Unsupported value: "Always": supported values: "Never", "PreemptLowerPriority"',
        ),
        (named("system-node-critical", value=1), "value of system-node-critical PriorityClass must be 2000001000"),
        (
            named("system-node-critical", value=2_000_001_000, globalDefault=True),
            "globalDefault of system-node-critical PriorityClass must be false",
        ),
    ],
)
def test_a_priority_class(document: Document, error: str) -> None:
    check(create_errors(PRIORITY_CLASSES, document), error)


def test_pods_preempt_others_unless_their_class_says_no() -> None:
    assert defaulted(PRIORITY_CLASSES, named(value=1))["preemptionPolicy"] == "PreemptLowerPriority"


def test_a_priority_class_keeps_its_value_and_whether_it_preempts() -> None:
    assert update_errors(PRIORITY_CLASSES, named(value=1), named(value=2, preemptionPolicy="Never")) == [
        "value: Forbidden: may not be changed in an update.",
        'preemptionPolicy: Invalid value: "Never": field is immutable',
    ]
    assert update_errors(PRIORITY_CLASSES, named(value=1), named(value=1, description="x")) == []


TOLERATION = {"key": "a", "operator": "Exists"}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (named(handler="runc"), ""),
        (named(handler="a", scheduling={"nodeSelector": {"a": "b"}, "tolerations": [TOLERATION]}), ""),
        (named(handler=""), "handler: Required value"),
        (named(handler="A"), 'handler: Invalid value: "A"'),
        (named(handler="a", overhead={"podFixed": {"cpu": "-1"}}), "overhead.limits[cpu]: Invalid value:"),
        (named(handler="a", scheduling={"nodeSelector": {"a b": ""}}), "scheduling.nodeSelector: Invalid value:"),
        (
            named(handler="a", scheduling={"tolerations": [TOLERATION, TOLERATION]}),
            "scheduling.tolerations[1]: Duplicate value:",
        ),
    ],
)
def test_a_runtime_class(document: Document, error: str) -> None:
    check(create_errors(RUNTIME_CLASSES, document), error)


def test_the_handler_of_a_runtime_class_stays() -> None:
    check(update_errors(RUNTIME_CLASSES, named(handler="a"), named(handler="b")), "handler: Invalid value:")


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({"holderIdentity": "me"}, ""),
        ({"strategy": "OldestEmulationVersion", "preferredHolder": "me"}, ""),
        ({"strategy": "example.com/mine"}, ""),
        ({"leaseDurationSeconds": 0}, "spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0"),
        ({"strategy": "Mine"}, 'spec.strategy: Unsupported value: "Mine"'),
        ({"preferredHolder": "me"}, "spec.preferredHolder: Forbidden: may only be specified if `strategy` is defined"),
    ],
)
def test_a_lease(spec: Document, error: str) -> None:
    check(create_errors(LEASES, named(spec=deepcopy(spec))), error)
