"""What a workload may ask for, and which status it may be given."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.apps_v1.resources import (
    CONTROLLER_REVISIONS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    STATEFUL_SETS,
)
from proa.api.core_v1.resources import POD_TEMPLATES, REPLICATION_CONTROLLERS
from tests.unit.api.writing import create_errors, update_errors

Document = dict[str, Any]
LABELS = {"app": "a"}


def template(**spec: Any) -> Document:
    return {"metadata": {"labels": LABELS}, "spec": {"containers": [{"name": "a", "image": "x"}], **spec}}


def workload(name: str = "w", **spec: Any) -> Document:
    return {
        "metadata": {"name": name, "namespace": "d"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template(), **spec},
    }


def check(found: list[str], error: str) -> None:
    assert [error in each for each in found] == ([True] if error else []), found


def daemons(**rolling: Any) -> Document:
    return workload(updateStrategy={"type": "RollingUpdate", "rollingUpdate": rolling})


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (daemons(), ""),
        (daemons(maxUnavailable=0, maxSurge="10%"), ""),
        (daemons(maxUnavailable=1, maxSurge=1), "rollingUpdate.maxSurge: Invalid value: 1: may not be set when"),
        (daemons(maxUnavailable=0), "rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0"),
        (daemons(maxUnavailable="101%"), "must not be greater than 100%"),
        (
            workload(template=template(activeDeadlineSeconds=1)),
            "activeDeadlineSeconds: Forbidden: activeDeadlineSeconds in DaemonSet is not Supported",
        ),
        (
            workload(template={**template(), "metadata": {"labels": {**LABELS, "-": ""}}}),
            "spec.template.labels: Invalid value:",
        ),
        (
            workload(template=template(ephemeralContainers=[{"name": "e", "image": "x"}])),
            "spec.template.spec.ephemeralContainers: Forbidden: ephemeral containers not allowed in pod template",
        ),
    ],
)
def test_a_daemon_set(document: Document, error: str) -> None:
    check(create_errors(DAEMON_SETS, {**document, "kind": "DaemonSet"}), error)


CLAIM = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
MOUNTING = template(containers=[{"name": "a", "image": "x", "volumeMounts": [{"name": "data", "mountPath": "/d"}]}])


@pytest.mark.parametrize(
    ("document", "error"),
    [
        (workload(volumeClaimTemplates=[CLAIM], template=MOUNTING), ""),
        (workload(updateStrategy={"type": "OnDelete"}), ""),
        (workload(template=MOUNTING), 'volumeMounts[0].name: Not found: "data"'),
        (workload("w.x"), 'metadata.name: Invalid value: "w.x": must not contain dots'),
        (workload(serviceName="A"), 'spec.serviceName: Invalid value: "A"'),
        (
            workload(updateStrategy={"type": "OnDelete", "rollingUpdate": {}}),
            "only allowed for updateStrategy 'RollingUpdate'",
        ),
        (
            workload(updateStrategy={"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}}),
            "spec.updateStrategy.rollingUpdate.maxUnavailable: Invalid value: 0: cannot be 0",
        ),
        (
            workload(persistentVolumeClaimRetentionPolicy={"whenDeleted": "Forget"}),
            'whenDeleted: Unsupported value: "Forget": supported values: "Delete", "Retain"',
        ),
        (
            workload(volumeClaimTemplates=[{**CLAIM, "spec": {"accessModes": ["ReadWriteOnce"]}}]),
            "spec.volumeClaimTemplates[0].spec.resources[storage]: Required value",
        ),
        (workload(ordinals={"start": -1}), "spec.ordinals.start: Invalid value: -1"),
    ],
)
def test_a_stateful_set(document: Document, error: str) -> None:
    check(create_errors(STATEFUL_SETS, document), error)


@pytest.mark.parametrize(
    ("resource", "status", "error"),
    [
        (DEPLOYMENTS, {"replicas": 3, "readyReplicas": 2, "availableReplicas": 1, "updatedReplicas": 3}, ""),
        (DEPLOYMENTS, {"replicas": 1, "updatedReplicas": 2}, "status.updatedReplicas: Invalid value: 2: cannot be"),
        (DEPLOYMENTS, {"replicas": -1}, "status.replicas: Invalid value: -1: must be greater than or equal to 0"),
        (DEPLOYMENTS, {"replicas": 1, "readyReplicas": 2}, "cannot be greater than status.replicas"),
        (REPLICA_SETS, {"replicas": 1, "fullyLabeledReplicas": 2}, "cannot be greater than status.replicas"),
        (STATEFUL_SETS, {"replicas": 2, "availableReplicas": 1}, "cannot be greater than status.readyReplicas"),
        (DAEMON_SETS, {"numberReady": -1}, "status.numberReady: Invalid value: -1"),
        (REPLICATION_CONTROLLERS, {"replicas": 1, "readyReplicas": 2}, "cannot be greater than status.replicas"),
    ],
)
def test_the_counts_of_a_status_add_up(resource: Any, status: Document, error: str) -> None:
    document = workload()
    if resource is REPLICATION_CONTROLLERS:
        document["spec"]["selector"] = LABELS
    found = update_errors(resource, document, {**deepcopy(document), "status": status})
    assert [error in each for each in found[:1]] == ([True] if error else []) or (error and error in found[-1]), found


def test_collisions_are_only_ever_more() -> None:
    old, new = ({**workload(), "status": {"collisionCount": count}} for count in (2, 1))
    check(update_errors(DEPLOYMENTS, old, new), "status.collisionCount: Invalid value: 1: cannot be decremented")


@pytest.mark.parametrize(
    ("data", "error"),
    [({"a": 1}, ""), (None, "data: Required value: data is mandatory"), ([1], "data must be a valid JSON object")],
)
def test_a_revision_holds_an_object(data: Any, error: str) -> None:
    check(create_errors(CONTROLLER_REVISIONS, {"metadata": {"name": "a"}, "revision": 1, "data": data}), error)


def test_a_replication_controller_restarts_its_pods() -> None:
    document = workload(selector=LABELS, template=template(restartPolicy="Never"))
    check(create_errors(REPLICATION_CONTROLLERS, document), 'restartPolicy: Unsupported value: "Never"')


def test_a_pod_template_is_checked_as_the_pods_of_a_workload_are() -> None:
    assert create_errors(POD_TEMPLATES, {"metadata": {"name": "a"}, "template": template()}) == []
    broken = template(ephemeralContainers=[{"name": "e", "image": "x"}])
    check(create_errors(POD_TEMPLATES, {"metadata": {"name": "a"}, "template": broken}), "not allowed in pod template")
