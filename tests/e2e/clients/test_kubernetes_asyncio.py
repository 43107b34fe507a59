"""kubernetes_asyncio, unmodified: typed calls, a watch that resumes, and exec over a WebSocket."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from kubernetes_asyncio import client, config, watch
from kubernetes_asyncio.stream import WsApiClient
from tests.e2e.kubectl import Kubectl


@pytest.fixture
async def api(kubectl: Kubectl) -> AsyncIterator[client.ApiClient]:
    found = await config.new_client_from_config(config_file=str(kubectl.kubeconfig))
    yield found
    await found.close()


def pod(name: str, *command: str) -> dict[str, object]:
    container = {"name": "main", "image": "bb:1", "command": list(command)}
    spec = {"containers": [container], "terminationGracePeriodSeconds": 0, "restartPolicy": "Never"}
    return {"metadata": {"name": name}, "spec": spec}


async def phase_reached(core: client.CoreV1Api, namespace: str, name: str, phase: str) -> client.V1Pod:
    async with watch.Watch() as events:
        selector = f"metadata.name={name}"
        async for event in events.stream(
            core.list_namespaced_pod, namespace, field_selector=selector, timeout_seconds=30
        ):
            if event["object"].status.phase == phase:
                return event["object"]
    raise AssertionError(f"the watch ended before {name} was {phase}")


async def test_a_pod_is_created_and_watched_until_it_succeeded(api: client.ApiClient, kubectl: Kubectl) -> None:
    core = client.CoreV1Api(api)
    await core.create_namespaced_pod(kubectl.namespace, pod("once", "echo", "done"))
    ended = await phase_reached(core, kubectl.namespace, "once", "Succeeded")
    assert ended.status.container_statuses[0].state.terminated.exit_code == 0
    assert await core.read_namespaced_pod_log("once", kubectl.namespace) == "done\n"


async def test_a_watch_from_a_version_sees_what_came_after_it_and_nothing_else(
    api: client.ApiClient, kubectl: Kubectl
) -> None:
    core = client.CoreV1Api(api)
    before = await core.create_namespaced_config_map(kubectl.namespace, {"metadata": {"name": "before"}})
    await core.create_namespaced_config_map(kubectl.namespace, {"metadata": {"name": "after"}})
    await core.delete_namespaced_config_map("before", kubectl.namespace)
    seen = []
    async with watch.Watch() as events:
        version = before.metadata.resource_version
        async for event in events.stream(
            core.list_namespaced_config_map, kubectl.namespace, resource_version=version, timeout_seconds=5
        ):
            seen.append((event["type"], event["object"].metadata.name))
            if len(seen) == 2:
                break
    assert seen == [("ADDED", "after"), ("DELETED", "before")]


async def test_a_command_runs_in_a_pod(api: client.ApiClient, kubectl: Kubectl) -> None:
    core = client.CoreV1Api(api)
    await core.create_namespaced_pod(kubectl.namespace, pod("sleeper", "sleep", "1000000"))
    await phase_reached(core, kubectl.namespace, "sleeper", "Running")
    async with WsApiClient(configuration=api.configuration) as sessions:
        answer = await client.CoreV1Api(sessions).connect_get_namespaced_pod_exec(
            "sleeper", kubectl.namespace, command=["hostname"], stdout=True, stderr=True, stdin=False, tty=False
        )
    assert answer == "sleeper\n"
