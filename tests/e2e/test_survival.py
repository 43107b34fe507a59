"""What is left after `kill -9`: containers that never noticed, and every write that was acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import select
import signal
import ssl
import tempfile
import threading
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from tests.e2e.conftest import Cluster, running
from tests.e2e.kubectl import Kubectl, config_map, container, deployment, eventually, pod


def killed(cluster: Cluster, component: str) -> None:
    """`kill -9`, and wait until it is gone."""
    descriptor = os.pidfd_open(cluster.pid(component))
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGKILL)
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        assert poll.poll(10_000), f"{component} still runs"
    finally:
        os.close(descriptor)


def containers(kubectl: Kubectl) -> dict[str, tuple[str, int]]:
    """Identity and restarts of each pod's container."""
    return {
        each["metadata"]["name"]: (status["containerID"], status["restartCount"])
        for each in kubectl.object("pods")["items"]
        for status in each["status"]["containerStatuses"]
    }


def test_containers_outlive_their_agent_which_finds_them_again(kubectl: Kubectl, cluster: Cluster) -> None:
    beat = container(command=("sh", "-c", "n=0; while :; do n=$((n+1)); echo $n > /out/beat; sleep 0.1; done"),
                     volumeMounts=[{"name": "out", "mountPath": "/out"}])  # fmt: skip
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "beat"

        def beats() -> int:
            return int(file.read_text() or 0) if file.exists() else 0

        kubectl.apply(
            pod("beat", beat, volumes=[{"name": "out", "hostPath": {"path": directory}}]), deployment("web", replicas=2)
        )
        kubectl.ready("beat")
        kubectl.rolled_out("deployment/web")
        before = containers(kubectl)
        killed(cluster, f"agent-{cluster.node}")
        counted = beats()
        eventually(lambda: beats() > counted + 2, "the container's further beat")
        cluster.proa("up")
        assert containers(kubectl) == before
        assert kubectl("exec", "beat", "--", "echo", "found") == "found\n"
        kubectl("delete", "pod", "beat")
        kubectl.apply(pod("after"))
        kubectl.ready("after")


def test_what_ended_while_the_agent_was_away_is_noticed(kubectl: Kubectl, cluster: Cluster) -> None:
    with tempfile.TemporaryDirectory() as directory:
        script = "while [ ! -e /out/go ]; do sleep 0.1; done; exit 5"
        main = container(command=("sh", "-c", script), volumeMounts=[{"name": "out", "mountPath": "/out"}])
        volume = {"name": "out", "hostPath": {"path": directory}}
        kubectl.apply(pod("web", main, restartPolicy="Never", volumes=[volume]))
        kubectl.ready("web")
        killed(cluster, f"agent-{cluster.node}")
        (Path(directory) / "go").touch()
        cluster.proa("up")
        kubectl.wait("jsonpath={.status.phase}=Failed", "pod/web")
        assert kubectl.value("{.status.containerStatuses[0].state.terminated.exitCode}", "pod", "web") == "5"


def test_containers_do_not_notice_that_the_server_was_killed(kubectl: Kubectl, cluster: Cluster) -> None:
    kubectl.apply(deployment("web", replicas=2), config_map("kept", a="1"))
    kubectl.rolled_out("deployment/web")
    before = containers(kubectl)
    killed(cluster, "server")
    cluster.proa("up")
    assert containers(kubectl) == before
    assert kubectl.object("cm", "kept")["data"] == {"a": "1"}
    kubectl("scale", "deployment", "web", "--replicas=3")
    kubectl.rolled_out("deployment/web")
    assert set(before) < set(containers(kubectl))


class Writer:
    """Creates one ConfigMap after the other, over a server that comes and goes; keeps what was acknowledged."""

    def __init__(self, kubeconfig: Path, prefix: str) -> None:
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self._address = cluster["server"].removeprefix("https://")
        self._tls = ssl.create_default_context(cadata=b64decode(cluster["certificate-authority-data"]).decode())
        with tempfile.NamedTemporaryFile() as pem:
            pem.write(b64decode(user["client-certificate-data"]) + b64decode(user["client-key-data"]))
            pem.flush()
            self._tls.load_cert_chain(pem.name)
        self._prefix = prefix
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.acknowledged: list[str] = []
        self.surprises: list[str] = []

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            connection = http.client.HTTPSConnection(self._address, context=self._tls, timeout=10)
            try:
                while not self._stop.is_set():
                    number += 1
                    name = f"{self._prefix}-{number}"
                    body = json.dumps({"metadata": {"name": name}})
                    headers = {"Content-Type": "application/json"}
                    connection.request("POST", "/api/v1/namespaces/default/configmaps", body, headers)
                    answer = connection.getresponse()
                    answer.read()
                    if answer.status == 201:
                        self.acknowledged.append(name)
                    else:
                        self.surprises.append(f"{name}: {answer.status}")
            except (OSError, http.client.HTTPException):
                self._stop.wait(0.02)  # the server is away
            finally:
                connection.close()


@pytest.fixture
def nodeless() -> Iterator[Cluster]:
    """A cluster of its own without nodes, which starts fastest."""
    with running(f"kill{os.getpid()}", "--nodes=0") as cluster:
        yield cluster


@pytest.mark.timeout(180)
def test_every_acknowledged_write_is_there_after_fifty_kills(nodeless: Cluster) -> None:
    kubectl = Kubectl(nodeless.kubeconfig)
    writers = [Writer(nodeless.kubeconfig, f"w{number}") for number in range(2)]

    def written() -> int:
        return sum(len(each.acknowledged) for each in writers)

    with writers[0], writers[1]:
        for _ in range(50):
            wanted = written() + 20
            eventually(lambda wanted=wanted: written() > wanted, "further writes")  # type: ignore[misc]
            killed(nodeless, "server")
            nodeless.proa("up", "--nodes=0")
    acknowledged = {name for each in writers for name in each.acknowledged}
    there = set(kubectl.value("{.items[*].metadata.name}", "configmaps").split())
    assert len(acknowledged) > 1000
    assert acknowledged <= there
    assert [each for writer in writers for each in writer.surprises] == []
