from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import Pod
from proa.machinery.fields import ErrorList
from proa.rules.pod_updates import check_ephemeral_containers, check_resize

CPU = {"requests": {"cpu": "1", "memory": "1Gi"}}


def container(name: str, resources: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    base = {"name": name, "image": "x", "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}
    return {**base, "resources": resources or {}, **more}


def pod(*containers: dict[str, Any], status: Any = None, annotations: Any = None, **spec: Any) -> Pod:
    whole = {"containers": containers or [container("a", CPU)], "restartPolicy": "Always", "dnsPolicy": "Default"}
    meta = {"name": "p", "annotations": annotations or {}}
    return msgspec.convert({"metadata": meta, "spec": {**whole, **spec}, "status": status or {}}, Pod)


def resized(new: Pod, old: Pod) -> list[str]:
    errors = ErrorList()
    check_resize(new, old, errors)
    return [str(each) for each in errors]


def debugged(new: Pod, old: Pod) -> list[str]:
    errors = ErrorList()
    check_ephemeral_containers(new, old, errors)
    return [str(each) for each in errors]


def test_cpu_and_memory_may_become_more_or_less() -> None:
    assert resized(pod(container("a", {"requests": {"cpu": "2", "memory": "1Mi"}})), pod()) == []
    sidecar = container("i", CPU, restartPolicy="Always")
    larger = container("i", {"requests": {"cpu": "5", "memory": "1Gi"}}, restartPolicy="Always")
    assert resized(pod(initContainers=[larger]), pod(initContainers=[sidecar])) == []


RUNNING = {"containerStatuses": [{"name": "a", "image": "x", "imageID": "", "ready": True, "restartCount": 0}]}
UNABLE = {"containerStatuses": [{**RUNNING["containerStatuses"][0], "state": {"running": {}}}]}


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        (
            pod(container("a", {"requests": {"cpu": "1"}})),
            pod(),
            "spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed",
        ),
        (
            pod(container("a", {"requests": {**CPU["requests"], "ephemeral-storage": "1Gi"}})),
            pod(),
            "spec: Forbidden: only cpu and memory resources are mutable",
        ),
        (
            pod(container("a", CPU, resizePolicy=[{"resourceName": "cpu", "restartPolicy": "NotRequired"}])),
            pod(),
            "spec: Forbidden: only cpu and memory resources are mutable",
        ),
        (
            pod(container("b", CPU)),
            pod(),
            "spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize",
        ),
        (
            pod(container("a", CPU), container("b", CPU)),
            pod(),
            "spec.containers: Forbidden: containers may not be added or removed on resize",
        ),
        (
            pod(container("a", {**CPU, "limits": CPU["requests"]})),
            pod(status={"qosClass": "Burstable"}),
            'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
        ),
        (
            pod(container("a", {"requests": {"cpu": "2", "memory": "1Gi"}})),
            pod(status=UNABLE),
            "spec: Forbidden: Pod running on node without support for resize",
        ),
        (
            pod(resources=None),
            pod(resources=CPU),
            "spec.resources: Forbidden: pod-level resources cannot be removed",
        ),
    ],
)
def test_a_resize_that_is_more_than_one_is_refused(new: Pod, old: Pod, said: str) -> None:
    assert said in resized(new, old)


def test_mirror_pods_are_their_nodes_alone() -> None:
    mirror = pod(annotations={"kubernetes.io/config.mirror": "x"})
    assert resized(mirror, mirror) == [": Forbidden: static pods cannot be resized"]
    assert debugged(mirror, mirror) == [": Forbidden: static pods do not support ephemeral containers"]


def ephemeral(name: str, **more: Any) -> dict[str, Any]:
    base = {"name": name, "image": "x", "imagePullPolicy": "Always", "terminationMessagePolicy": "File"}
    return {**base, **more}


def test_ephemeral_containers_come_and_stay() -> None:
    one = pod(ephemeralContainers=[ephemeral("e", targetContainerName="a")])
    assert debugged(one, pod()) == []
    two = pod(ephemeralContainers=[ephemeral("e", targetContainerName="a"), ephemeral("f")])
    assert debugged(two, one) == []
    path = "spec.ephemeralContainers: Forbidden: existing ephemeral containers"
    assert debugged(pod(), one) == [f'{path} "e" may not be removed\n']
    assert debugged(pod(ephemeralContainers=[ephemeral("e")]), one) == [f'{path} "e" may not be changed\n']


@pytest.mark.parametrize(
    ("container", "said"),
    [
        (ephemeral("a"), 'spec.ephemeralContainers[0].name: Duplicate value: "a"'),
        (ephemeral("e", targetContainerName="z"), 'spec.ephemeralContainers[0].targetContainerName: Not found: "z"'),
        (
            ephemeral("e", ports=[{"containerPort": 1, "protocol": "TCP"}]),
            "spec.ephemeralContainers[0].ports: Forbidden: cannot be set for an Ephemeral Container",
        ),
        (
            ephemeral("e", resources=CPU),
            "spec.ephemeralContainers[0].resources: Forbidden: cannot be set for an Ephemeral Container",
        ),
        (
            ephemeral("e", volumeMounts=[{"name": "v", "mountPath": "/v", "subPath": "s"}]),
            "spec.ephemeralContainers[0].volumeMounts[0].subPath: Forbidden: cannot be set for an Ephemeral Container",
        ),
    ],
)
def test_an_ephemeral_container_has_nothing_but_what_debugging_needs(container: dict[str, Any], said: str) -> None:
    volumes = [{"name": "v", "emptyDir": {}}]
    assert said in debugged(pod(ephemeralContainers=[container], volumes=volumes), pod(volumes=volumes))
