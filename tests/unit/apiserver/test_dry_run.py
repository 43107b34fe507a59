"""A dry run is answered like the write and writes nothing, whatever is written and through which path."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest
from tests.unit.apiserver.conftest import config_map, options, pod

from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1.resources import NODES, PODS
from proa.apiserver.compose import ApiServer
from proa.store.memory import MemoryStore

NS = "/api/v1/namespaces/default"
SCALE = "/apis/apps/v1/namespaces/default/deployments/d/scale"
QUERY = "?dryRun=All"
BODY = {"dryRun": ["All"]}


@pytest.fixture
async def http(http: aiohttp.ClientSession, listening: ApiServer) -> aiohttp.ClientSession:
    labels = {"app": "a"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    deployment = {"metadata": {"name": "d"}, "spec": {"selector": {"matchLabels": labels}, "template": template}}
    await listening.registry(PODS).create("default", pod("p"), options())
    await listening.registry(NODES).create("", {"metadata": {"name": "n"}}, options())
    await listening.registry(DEPLOYMENTS).create("default", deployment, options())
    return http


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", f"{NS}/configmaps{QUERY}", config_map("a")),
        ("POST", f"{NS}/services{QUERY}", {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}),
        ("PUT", f"{NS}/pods/p{QUERY}", pod("p", labels={"a": "b"})),
        ("PATCH", f"{NS}/pods/p{QUERY}", {"metadata": {"labels": {"a": "b"}}}),
        ("PATCH", f"{NS}/pods/p/status{QUERY}", {"status": {"phase": "Running"}}),
        ("PATCH", f"{NS}/pods/p/ephemeralcontainers{QUERY}",
         {"spec": {"ephemeralContainers": [{"name": "e", "image": "i"}]}}),
        ("POST", f"{NS}/pods/p/binding{QUERY}", {"target": {"kind": "Node", "name": "n"}}),
        ("POST", f"{NS}/bindings{QUERY}", {"metadata": {"name": "p"}, "target": {"kind": "Node", "name": "n"}}),
        ("POST", f"{NS}/pods/p/eviction{QUERY}", {"metadata": {"name": "p"}}),
        ("POST", f"{NS}/pods/p/eviction", {"metadata": {"name": "p"}, "deleteOptions": BODY}),
        ("PUT", f"{SCALE}{QUERY}", {"metadata": {"name": "d"}, "spec": {"replicas": 5}}),
        ("PATCH", f"{SCALE}{QUERY}", {"spec": {"replicas": 5}}),
        ("DELETE", f"{NS}/pods/p{QUERY}", None),
        ("DELETE", f"{NS}/pods/p", BODY),
        ("DELETE", f"{NS}/pods{QUERY}", None),
        ("DELETE", f"{NS}/pods", BODY),
        ("DELETE", f"{NS}{QUERY}", None),
        ("PUT", f"{NS}/finalize{QUERY}", {"metadata": {"name": "default"}, "spec": {"finalizers": []}}),
    ],
)  # fmt: skip
async def test_a_dry_run_writes_nothing(
    http: aiohttp.ClientSession, store: MemoryStore, method: str, path: str, body: Any
) -> None:
    before = store.revision
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    async with http.request(method, path, json=body, headers=headers) as answer:
        assert answer.status in (200, 201), await answer.text()
    assert store.revision == before
