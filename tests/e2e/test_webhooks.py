"""Admission webhooks behind a Service of the cluster, met by the stock kubectl."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from tests.e2e.kubectl import Document, Failed, Kubectl, config_map, container, pod
from tests.webhook_server import Answer, WebhookServer, answering, denying, patching

from proa.cluster.addresses import host_address

ANSWERS: dict[str, Answer] = {
    "/deny": denying("only small things", code=403, reason="Forbidden"),
    "/mark": patching({"op": "add", "path": "/metadata/labels", "value": {"marked": "yes"}}),
    "/warn": answering(warnings=["this is watched"]),
}


@pytest.fixture
async def hook(kubectl: Kubectl) -> AsyncIterator[WebhookServer]:
    """The backend, outside of the cluster, as the only endpoint of the Service `hook`."""
    address = host_address()
    async with WebhookServer(ANSWERS, names=(f"hook.{kubectl.namespace}.svc",), host=address) as server:
        service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "hook"},
                   "spec": {"ports": [{"name": "https", "port": 443}]}}  # fmt: skip
        piece = {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"name": "hook-1", "labels": {"kubernetes.io/service-name": "hook"}},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": server.port}],
            "endpoints": [{"addresses": [address]}],
        }
        await asyncio.to_thread(kubectl.apply, service, piece)
        yield server
        kinds = "mutatingwebhookconfigurations,validatingwebhookconfigurations"
        await asyncio.to_thread(kubectl, "delete", kinds, "-l", f"test={kubectl.namespace}")


def configuration(kind: str, kubectl: Kubectl, server: WebhookServer, path: str, **more: Any) -> Document:
    namespace = kubectl.namespace
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": f"{kind}WebhookConfiguration",
        "metadata": {"name": f"{namespace}{path.replace('/', '-')}", "labels": {"test": namespace}},
        "webhooks": [
            {
                "name": "hook.example.com",
                "clientConfig": {
                    "service": {"namespace": namespace, "name": "hook", "path": path},
                    "caBundle": server.ca_bundle,
                },
                "rules": [{"operations": ["*"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["configmaps"]}],
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "sideEffects": "None",
                "admissionReviewVersions": ["v1"],
                **more,
            }
        ],
    }


async def test_a_webhook_behind_a_service_refuses_changes_and_warns(kubectl: Kubectl, hook: WebhookServer) -> None:
    def meet() -> None:
        kubectl.apply(configuration("Mutating", kubectl, hook, "/mark"))
        kubectl.apply(config_map("a", a="1"))
        assert kubectl.value("{.metadata.labels.marked}", "cm", "a") == "yes"
        kubectl.apply(configuration("Validating", kubectl, hook, "/warn"))
        assert "Warning: this is watched" in kubectl.run("create", "configmap", "b").stderr
        kubectl.apply(configuration("Validating", kubectl, hook, "/deny"))
        with pytest.raises(Failed, match=r'admission webhook "hook.example.com" denied the request: only small things'):
            kubectl("create", "configmap", "c")
        assert kubectl("create", "configmap", "c", "--dry-run=client", "-o", "name") == "configmap/c\n"

    await asyncio.to_thread(meet)
    assert {path for path, _ in hook.seen} == {"/mark", "/warn", "/deny"}
    assert all(each["userInfo"]["username"] for each in hook.requests("/deny"))


async def test_attaching_to_a_pod_can_be_denied(kubectl: Kubectl, hook: WebhookServer) -> None:
    rules = [{"operations": ["CONNECT"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods/attach"]}]

    def meet() -> None:
        kubectl.apply(pod("a", container(args=["sleep", "3600"])))
        kubectl.ready("a")
        kubectl.apply(configuration("Validating", kubectl, hook, "/deny", rules=rules))
        with pytest.raises(Failed, match=r"denied the request: only small things"):
            kubectl("attach", "a", "-i")
        assert kubectl("exec", "a", "--", "echo", "still") == "still\n"

    await asyncio.to_thread(meet)
    assert {each["kind"]["kind"] for each in hook.requests("/deny")} == {"PodAttachOptions"}
