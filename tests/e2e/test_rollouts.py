"""Deployments through their life: rollouts, undo, pause, and what a service's clients notice of it."""

from __future__ import annotations

import threading
import urllib.request
from collections import Counter

import pytest
from tests.e2e.kubectl import SERVE, Failed, Kubectl, container, deployment, eventually, service


def version_of(address: str) -> str:
    with urllib.request.urlopen(f"http://{address}/", timeout=5) as answer:
        text: str = answer.read().decode().strip()
        return text


class Load:
    """Clients that each ask again as soon as they are answered, on a new connection."""

    def __init__(self, address: str, clients: int = 4) -> None:
        self._address = address
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(clients)]
        self.answers: Counter[str] = Counter()
        self.failures: list[str] = []

    def _ask(self) -> None:
        while not self._stop.is_set():
            try:
                self.answers[version_of(self._address)] += 1
            except OSError as error:
                self.failures.append(repr(error))

    def __enter__(self) -> Load:
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()


READY = {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1}


def test_a_rolling_update_under_load_loses_no_request_and_undo_returns(kubectl: Kubectl) -> None:
    main = container(command=SERVE, readinessProbe=READY)
    kubectl.apply(deployment("web", main, replicas=3, grace=2), service("web"))
    kubectl.rolled_out("deployment/web")
    address = kubectl.value("{.spec.clusterIP}", "service", "web")
    eventually(lambda: version_of(address) == "1")
    with Load(address) as load:
        kubectl("set", "image", "deployment/web", "main=bb:2")
        kubectl.rolled_out("deployment/web")
        eventually(
            lambda: not kubectl("get", "pods", "-l", "app=web", "--field-selector=status.phase!=Running", "-o", "name")
        )
        assert version_of(address) == "2"
        kubectl("rollout", "undo", "deployment/web")
        kubectl.rolled_out("deployment/web")
    assert load.failures == []
    assert load.answers["1"] > 100
    assert load.answers["2"] > 0
    eventually(lambda: version_of(address) == "1")


def test_rollout_history_and_undo_to_a_revision(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web"))
    kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=the first")
    kubectl.rolled_out("deployment/web")
    for colour in ("red", "blue"):
        kubectl("set", "env", "deployment/web", f"COLOUR={colour}")
        kubectl("annotate", "deployment/web", f"kubernetes.io/change-cause={colour}", "--overwrite")
        assert "successfully rolled out" in kubectl.rolled_out("deployment/web")
    rows = [line.split(None, 1) for line in kubectl("rollout", "history", "deployment/web").splitlines()[2:] if line]
    assert rows == [["1", "the first"], ["2", "red"], ["3", "blue"]]
    assert "COLOUR:\tred" in kubectl("rollout", "history", "deployment/web", "--revision=2")
    kubectl("rollout", "undo", "deployment/web", "--to-revision=2")
    kubectl.rolled_out("deployment/web")
    assert kubectl("set", "env", "deployment/web", "--list").splitlines()[-1] == "COLOUR=red"
    revisions = kubectl("rollout", "history", "deployment/web").splitlines()[2:]
    assert [line.split()[0] for line in revisions if line] == ["1", "3", "4"]


def test_a_paused_deployment_changes_nothing_until_it_is_resumed(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web"))
    kubectl.rolled_out("deployment/web")
    kubectl("rollout", "pause", "deployment/web")
    kubectl("set", "image", "deployment/web", "main=bb:2")
    kubectl.wait("condition=Progressing=Unknown", "deployment/web")
    assert kubectl.value("{.items[*].spec.containers[0].image}", "pods") == "bb:1"
    assert len(kubectl("get", "replicasets", "-o", "name").split()) == 1
    with pytest.raises(Failed, match="already paused"):
        kubectl("rollout", "pause", "deployment/web")
    kubectl("rollout", "resume", "deployment/web")
    kubectl.rolled_out("deployment/web")
    assert kubectl.value("{.spec.template.spec.containers[0].image}", "deployment", "web") == "bb:2"


def test_rollout_restart_replaces_every_pod(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=2))
    kubectl.rolled_out("deployment/web")
    before = set(kubectl("get", "pods", "-o", "name").split())
    kubectl("rollout", "restart", "deployment/web")
    kubectl.rolled_out("deployment/web")
    eventually(lambda: not before & set(kubectl("get", "pods", "-o", "name").split()))


def test_a_rollout_that_cannot_go_on_keeps_the_old_pods_and_says_so(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=2, progressDeadlineSeconds=3))
    kubectl.rolled_out("deployment/web")
    kubectl("set", "image", "deployment/web", "main=nowhere.invalid/none:1")
    with pytest.raises(Failed, match="exceeded its progress deadline"):
        kubectl.rolled_out("deployment/web")
    assert int(kubectl.value("{.status.availableReplicas}", "deployment", "web")) == 2
    reasons = kubectl.value("{.items[*].status.containerStatuses[0].state.waiting.reason}", "pods").split()
    assert set(reasons) <= {"ErrImagePull", "ImagePullBackOff"}
    assert reasons


def test_recreate_ends_the_old_pods_before_it_makes_new_ones(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=2, strategy={"type": "Recreate"}))
    kubectl.rolled_out("deployment/web")
    pod = ".object.metadata.name,IMAGE:.object.spec.containers[0].image,PHASE:.object.status.phase"
    columns = f"custom-columns=EVENT:.type,NAME:{pod}"
    watched = ("get", "pods", "-w", "--output-watch-events", "--no-headers", "-o", columns)
    with kubectl.started(*watched) as watch:
        kubectl("set", "image", "deployment/web", "main=bb:2")
        kubectl.rolled_out("deployment/web")
        watch.terminate()
        *lines, _ = watch.communicate()[0].split("\n")  # what comes after the last end of line is not whole
    images: dict[str, str] = {}
    alive: set[str] = set()
    for line in lines:
        event, name, image, phase = line.split()
        images[name] = image
        over = event == "DELETED" or phase in ("Succeeded", "Failed")
        alive = alive - {name} if over else alive | {name}
        assert len({images[each] for each in alive}) <= 1, f"old and new at the same time: {alive}"
    assert set(images.values()) == {"bb:1", "bb:2"}


def test_a_deleted_pod_is_replaced(kubectl: Kubectl) -> None:
    kubectl.apply(deployment("web", replicas=2))
    kubectl.rolled_out("deployment/web")
    first = kubectl("get", "pods", "-o", "name").split()[0]
    kubectl("delete", first)
    kubectl.rolled_out("deployment/web")
    now = kubectl("get", "pods", "-o", "name").split()
    assert first not in now
    assert len(now) == 2
