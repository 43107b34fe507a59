"""Helm 4, the real binary: a chart with hooks, a CRD and an object of it, a Job and a Deployment, through its life."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from tests.e2e.clients import programs
from tests.e2e.kubectl import Kubectl

CHART = Path(__file__).parent / "chart"


class Helm:
    """Helm in the namespace of a kubectl."""

    def __init__(self, kubectl: Kubectl, home: Path) -> None:
        self._kubectl = kubectl
        self._environment = {"HOME": str(home)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = (
            str(programs.helm()),
            f"--kubeconfig={self._kubectl.kubeconfig}",
            f"--namespace={self._kubectl.namespace}",
            *arguments,
        )
        return subprocess.run(command, capture_output=True, text=True, timeout=90, env=self._environment)

    def __call__(self, *arguments: str) -> str:
        result = self.run(*arguments)
        assert result.returncode == 0, f"helm {' '.join(arguments)}: {result.stdout}{result.stderr}"
        return result.stdout

    def json(self, *arguments: str) -> Any:
        return json.loads(self(*arguments, "--output=json"))


@pytest.fixture
def helm(kubectl: Kubectl, tmp_path: Path) -> Helm:
    return Helm(kubectl, tmp_path)


def test_a_chart_is_installed_upgraded_rolled_back_and_uninstalled(helm: Helm, kubectl: Kubectl) -> None:
    helm("install", "shop", str(CHART), "--wait", "--timeout=60s")
    assert helm.json("status", "shop")["info"]["status"] == "deployed"
    assert kubectl.object("deployment", "shop")["status"]["readyReplicas"] == 1
    assert kubectl.object("basket", "shop")["spec"]["size"] == 1
    assert kubectl("logs", "job/shop-before") == "hello\n", "the hook ran to its end first"
    assert kubectl.object("job", "shop-once")["status"]["succeeded"] == 1

    helm("upgrade", "shop", str(CHART), "--set=replicas=2,greeting=welcome", "--wait", "--timeout=60s")
    assert kubectl.object("deployment", "shop")["status"]["readyReplicas"] == 2
    assert kubectl.object("basket", "shop")["spec"]["size"] == 2
    assert kubectl.object("configmap", "shop-page")["data"]["index.html"] == "welcome"
    assert kubectl("logs", "job/shop-after") == "welcome\n"

    helm("rollback", "shop", "1", "--wait", "--timeout=60s")
    assert kubectl.object("configmap", "shop-page")["data"]["index.html"] == "hello"
    assert kubectl.object("basket", "shop")["spec"]["size"] == 1
    history = [(each["revision"], each["status"]) for each in helm.json("history", "shop")]
    assert history == [(1, "superseded"), (2, "superseded"), (3, "deployed")]

    helm("uninstall", "shop", "--wait", "--timeout=60s")
    assert helm.json("list") == []
    assert (
        kubectl("get", "deployments,services,configmaps,baskets", "--selector=app.kubernetes.io/managed-by=Helm") == ""
    )
    assert kubectl("get", "secrets", "--output=name") == ""


def test_a_chart_that_the_server_refuses_is_told_with_the_field(helm: Helm) -> None:
    result = helm.run("install", "shop", str(CHART), "--set=replicas=0")
    assert result.returncode != 0
    assert "spec.size" in result.stderr
    assert "greater than or equal to 1" in result.stderr
