"""Every built-in resource can be stored: made, read, shown as a table, changed, and taken away again."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from tests.unit.apiserver.conftest import ADMIN

from proa.api.groups import resources
from proa.apiserver.compose import ApiServer
from proa.machinery.resource import Resource
from proa.machinery.table import table

Document = dict[str, Any]

POD = {"containers": [{"name": "main", "image": "image"}]}
ONCE = {**POD, "restartPolicy": "Never"}
LABELS = {"app": "a"}
SELECTOR = {"matchLabels": LABELS}
TEMPLATE = {"metadata": {"labels": LABELS}, "spec": POD}
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
TARGET = {"kind": "Deployment", "name": "a", "apiVersion": "apps/v1"}
BACKEND = {"service": {"name": "a", "port": {"number": 80}}}
POOL = {"name": "n1", "generation": 1, "resourceSliceCount": 1}
DEVICES = {"devices": {"requests": [{"name": "gpu", "exactly": {"deviceClassName": "a"}}]}}
WEBHOOK = {
    "name": "a.example.com",
    "clientConfig": {"url": "https://a.example.com/"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
RULES = {"resourceRules": [{"apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["*"], "operations": ["*"]}]}
MUTATION = {
    "patchType": "ApplyConfiguration",
    "applyConfiguration": {"expression": 'Object{metadata: Object.metadata{labels: {"a": "b"}}}'},
}
GROUP = {"kind": "Group", "group": {"name": "system:authenticated"}}
DEFINITION = {
    "group": "example.com",
    "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "listKind": "WidgetList"},
    "scope": "Namespaced",
    "versions": [{"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}],
}

# What is needed beside a name, by plural and group.
BODIES: dict[str, Document] = {
    "apiservices.apiregistration.k8s.io": {
        "spec": {
            "group": "example.com",
            "version": "v1",
            "service": {"namespace": "default", "name": "a"},
            "insecureSkipTLSVerify": True,
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
        }
    },
    "clusterrolebindings.rbac.authorization.k8s.io": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "a"}
    },
    "controllerrevisions.apps": {"revision": 1, "data": {}},
    "cronjobs.batch": {"spec": {"schedule": "@daily", "jobTemplate": {"spec": {"template": {"spec": ONCE}}}}},
    "csidrivers.storage.k8s.io": {"spec": {}},
    "csinodes.storage.k8s.io": {"spec": {"drivers": []}},
    "csistoragecapacities.storage.k8s.io": {"storageClassName": "a"},
    "customresourcedefinitions.apiextensions.k8s.io": {"spec": DEFINITION},
    "daemonsets.apps": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "deployments.apps": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "deviceclasses.resource.k8s.io": {"spec": {}},
    "endpointslices.discovery.k8s.io": {"addressType": "IPv4", "endpoints": []},
    "events": {"involvedObject": {"namespace": "default"}},
    "events.events.k8s.io": {
        "regarding": {"namespace": "default"},
        "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "example.com/a",
        "reportingInstance": "a",
        "action": "Test",
        "reason": "Test",
        "type": "Normal",
    },
    "flowschemas.flowcontrol.apiserver.k8s.io": {
        "spec": {
            "priorityLevelConfiguration": {"name": "a"},
            "rules": [
                {
                    "subjects": [GROUP],
                    "nonResourceRules": [{"verbs": ["*"], "nonResourceURLs": ["*"]}],
                }
            ],
        }
    },
    "horizontalpodautoscalers.autoscaling": {"spec": {"scaleTargetRef": TARGET, "maxReplicas": 2}},
    "ingressclasses.networking.k8s.io": {"spec": {"controller": "example.com/a"}},
    "ingresses.networking.k8s.io": {"spec": {"defaultBackend": BACKEND}},
    "ipaddresses.networking.k8s.io": {"spec": {"parentRef": {"resource": "services", "name": "a"}}},
    "jobs.batch": {"spec": {"template": {"spec": ONCE}}},
    "limitranges": {"spec": {"limits": []}},
    "mutatingadmissionpolicies.admissionregistration.k8s.io": {
        "spec": {"matchConstraints": RULES, "mutations": [MUTATION], "reinvocationPolicy": "Never"}
    },
    "mutatingadmissionpolicybindings.admissionregistration.k8s.io": {"spec": {"policyName": "a"}},
    "mutatingwebhookconfigurations.admissionregistration.k8s.io": {"webhooks": [WEBHOOK]},
    "networkpolicies.networking.k8s.io": {"spec": {"podSelector": {}}},
    "persistentvolumeclaims": {"spec": CLAIM},
    "persistentvolumes": {
        "spec": {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/a"}}
    },
    "poddisruptionbudgets.policy": {"spec": {"minAvailable": 1, "selector": SELECTOR}},
    "pods": {"spec": POD},
    "podtemplates": {"template": TEMPLATE},
    "priorityclasses.scheduling.k8s.io": {"value": 1},
    "prioritylevelconfigurations.flowcontrol.apiserver.k8s.io": {
        "spec": {"type": "Limited", "limited": {"limitResponse": {"type": "Reject"}}}
    },
    "replicasets.apps": {"spec": {"selector": SELECTOR, "template": TEMPLATE}},
    "replicationcontrollers": {"spec": {"template": TEMPLATE}},
    "resourceclaims.resource.k8s.io": {"spec": DEVICES},
    "resourceclaimtemplates.resource.k8s.io": {"spec": {"spec": DEVICES}},
    "resourceslices.resource.k8s.io": {"spec": {"driver": "example.com", "pool": POOL, "nodeName": "n1"}},
    "rolebindings.rbac.authorization.k8s.io": {
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "a"}
    },
    "runtimeclasses.node.k8s.io": {"handler": "a"},
    "servicecidrs.networking.k8s.io": {"spec": {"cidrs": ["10.97.0.0/16"]}},
    "services": {"spec": {"ports": [{"port": 80}]}},
    "statefulsets.apps": {"spec": {"selector": SELECTOR, "template": TEMPLATE, "serviceName": "a"}},
    "storageclasses.storage.k8s.io": {"provisioner": "example.com"},
    "validatingadmissionpolicies.admissionregistration.k8s.io": {
        "spec": {"matchConstraints": RULES, "validations": [{"expression": "true"}]}
    },
    "validatingadmissionpolicybindings.admissionregistration.k8s.io": {
        "spec": {"policyName": "a", "validationActions": ["Deny"]}
    },
    "validatingwebhookconfigurations.admissionregistration.k8s.io": {"webhooks": [WEBHOOK]},
    "volumeattachments.storage.k8s.io": {
        "spec": {"attacher": "example.com", "nodeName": "n1", "source": {"persistentVolumeName": "a"}}
    },
    "volumeattributesclasses.storage.k8s.io": {"driverName": "example.com", "parameters": {"a": "b"}},
}
NAMES = {
    "apiservices": "v1.example.com",
    "customresourcedefinitions": "widgets.example.com",
    "ipaddresses": "10.96.3.4",
}
# Needs a request that somebody signed; `handlers/test_approval` has one.
ELSEWHERE = {"certificatesigningrequests"}

STORED = [each for each in resources() if {"create", "update"} <= set(each.verbs) and each.plural not in ELSEWHERE]


def path_of(resource: Resource[Any], name: str = "") -> str:
    group = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.api_version}"
    namespace = "/namespaces/default" if resource.namespaced else ""
    return f"{group}{namespace}/{resource.plural}" + (f"/{name}" if name else "")


@pytest.mark.parametrize("resource", STORED, ids=lambda each: f"{each.qualified}/{each.version}")
async def test_a_resource_lives(server: ApiServer, resource: Resource[Any]) -> None:
    name = NAMES.get(resource.plural, "a")
    body = {"metadata": {"name": name}, **msgspec.json.decode(msgspec.json.encode(BODIES.get(resource.qualified, {})))}
    made = await server.document(ADMIN, "POST", path_of(resource), body, {"fieldValidation": "Strict"})
    assert (made["apiVersion"], made["kind"]) == (resource.api_version, resource.kind)
    assert made["metadata"].get("generation", 0) == (1 if resource.has_generation else 0)
    at = path_of(resource, name)
    assert await server.document(ADMIN, "GET", at, None, {}) == made

    shown = table([made], resource.columns, time.time())
    (row,) = shown["rows"]
    assert len(row["cells"]) == len(shown["columnDefinitions"])
    assert "<invalid>" not in row["cells"]

    changed = {**made, "metadata": {**made["metadata"], "labels": {"new": "label"}}}
    stored = await server.document(ADMIN, "PUT", at, changed, {})
    assert stored["metadata"]["labels"]["new"] == "label"
    for each in resource.subresources:
        if each.name == "status":
            assert (await server.document(ADMIN, "PUT", f"{at}/status", stored, {}))["metadata"]["name"] == name

    listed = await server.document(ADMIN, "GET", path_of(resource), None, {"labelSelector": "new=label"})
    assert [each["metadata"]["name"] for each in listed["items"]] == [name]
    await server.document(ADMIN, "DELETE", at, {}, {"gracePeriodSeconds": "0"})


async def test_jobs_are_selected_by_how_many_pods_succeeded(server: ApiServer) -> None:
    jobs = next(each for each in STORED if each.plural == "jobs")
    for name in ("a", "b"):
        await server.document(ADMIN, "POST", path_of(jobs), {"metadata": {"name": name}, **BODIES["jobs.batch"]}, {})
    job = await server.document(ADMIN, "GET", path_of(jobs, "b"), None, {})
    await server.document(ADMIN, "PUT", path_of(jobs, "b") + "/status", {**job, "status": {"succeeded": 1}}, {})
    for count, names in (("0", ["a"]), ("1", ["b"])):
        query = {"fieldSelector": f"status.successful={count}"}
        found = await server.document(ADMIN, "GET", path_of(jobs), None, query)
        assert [each["metadata"]["name"] for each in found["items"]] == names


async def test_an_autoscaler_is_the_same_object_in_both_versions(server: ApiServer) -> None:
    newer, older = (each for each in STORED if each.plural == "horizontalpodautoscalers")
    assert (newer.version, older.version) == ("v2", "v1")
    body = {"metadata": {"name": "a"}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 2}}
    body["spec"]["targetCPUUtilizationPercentage"] = 50  # type: ignore[index]
    made = await server.document(ADMIN, "POST", path_of(older), body, {})
    assert made["spec"]["targetCPUUtilizationPercentage"] == 50
    found = await server.document(ADMIN, "GET", path_of(newer, "a"), None, {})
    assert found["metadata"]["uid"] == made["metadata"]["uid"]
    (metric,) = found["spec"]["metrics"]
    assert metric["resource"]["target"] == {"type": "Utilization", "averageUtilization": 50}


@pytest.mark.parametrize(
    ("plural", "options", "kept"),
    [
        ("jobs", {}, ["orphan"]),
        ("jobs", {"propagationPolicy": "Background"}, None),
        ("jobs", {"orphanDependents": False}, None),
        ("jobs", {"propagationPolicy": "Foreground"}, ["foregroundDeletion"]),
        ("replicationcontrollers", {}, ["orphan"]),
        ("cronjobs", {}, None),
    ],
)
async def test_what_the_first_clients_did_not_expect_to_go_stays_unless_it_is_asked_for(
    server: ApiServer, plural: str, options: Document, kept: list[str] | None
) -> None:
    resource = next(each for each in STORED if each.plural == plural)
    body = {"metadata": {"name": "a"}, **msgspec.json.decode(msgspec.json.encode(BODIES[resource.qualified]))}
    await server.document(ADMIN, "POST", path_of(resource), body, {})
    left = await server.document(ADMIN, "DELETE", path_of(resource, "a"), options, {})
    assert (left.get("metadata") or {}).get("finalizers") == kept
