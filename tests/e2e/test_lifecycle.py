"""A cluster's life by the commands users type: the demo, being killed, coming back, leaving nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from tests.e2e.conftest import Cluster


class Second(Cluster):
    """A cluster with our own kubectl."""

    def kubectl(self, *arguments: str) -> str:
        return self._run("kubectl", "--kubeconfig", str(self.kubeconfig), *arguments).stdout

    def status(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._run("status", "-o", "json", "--name", self.name).stdout)
        return found

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = (sys.executable, "-m", "proa.cli.main", *arguments)
        environment = {**os.environ, "PROA_DATA_ROOT": str(self.root)}
        return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


@pytest.fixture
def second(cluster: Cluster) -> Iterator[Second]:
    """A cluster of its own beside the one all tests share; gone afterwards, whatever the test did."""
    second = Second(f"life{os.getpid()}", cluster.root)
    yield second
    if second.paths.settings.exists():
        second.proa("down", "--purge")


def pods(cluster: Second) -> dict[str, tuple[str, str]]:
    """Name to container ID and address of the demo's pods."""
    listed = json.loads(cluster.kubectl("-n", "demo", "get", "pods", "-o", "json"))
    return {
        each["metadata"]["name"]: (each["status"]["containerStatuses"][0]["containerID"], each["status"]["podIP"])
        for each in listed["items"]
    }


def service_ports(cluster: Second) -> str:
    return cluster.kubectl("-n", "demo", "get", "svc", "front", "-o", "jsonpath={.spec.ports}")


def kill(cluster: Cluster, *components: str) -> None:
    for component in components:
        os.kill(cluster.pid(component), signal.SIGKILL)


def test_the_demo_ends_with_its_page_and_leaves_nothing_behind(second: Second) -> None:
    for _ in range(2):
        said = second.proa("demo", seconds=120)
        assert "<h1>Hello from front-" in said
        assert "Try next:" in said
        assert "verified: nothing is left over" in second.proa("down", "--purge", "--verify")
        assert not second.paths.root.exists()


def test_killed_components_come_back_and_containers_never_stopped(second: Second) -> None:
    second.proa("demo", seconds=120)
    before = pods(second)
    assert len(before) == 4
    kill(second, "server", f"agent-{second.node}")
    second.proa("up")
    assert pods(second) == before
    assert second.status()["well"]


def test_up_again_changes_nothing(second: Second) -> None:
    second.proa("up")
    before = {component: second.pid(component) for component in ("server", f"agent-{second.node}")}
    assert "ran already" in second.proa("up")
    assert {component: second.pid(component) for component in before} == before


def test_a_cluster_that_was_killed_whole_comes_back_with_its_data(second: Second) -> None:
    second.proa("demo", seconds=120)
    names, ports = set(pods(second)), service_ports(second)
    kill(second, "server", f"agent-{second.node}")
    for shim in second.paths.node(second.node).glob("runtime/sandboxes/*/shim.pid"):
        os.kill(int(shim.read_text().split()[0]), signal.SIGKILL)
    assert "leftovers" in second.proa("up")
    second.kubectl("-n", "demo", "rollout", "status", "deployment/front", "--timeout=60s")
    assert set(pods(second)) == names
    assert service_ports(second) == ports
    assert "<h1>Hello from front-" in second.proa("demo", seconds=120)


def test_stop_leaves_pods_and_down_takes_them(second: Second) -> None:
    second.proa("demo", seconds=120)
    second.proa("stop")
    found = second.status()
    assert not found["running"]
    assert found["pod_processes"] >= 8
    second.proa("down")
    assert second.status()["pod_processes"] == 0
