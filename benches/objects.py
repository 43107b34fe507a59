"""What the benches create. A name in a request is a hole of fixed width, so that bytes can be made beforehand."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import msgspec

from benches.load import Endpoint

Document = dict[str, Any]
DIGITS = 8
HOLE = "n-" + "#" * DIGITS


def pod(name: str = HOLE, **spec: Any) -> Document:
    """A pod of one container with requests and a port: about 2.4 KB as served, defaults and managedFields with it."""
    container = {
        "name": "web",
        "image": "registry.example.org/team/service:v1.2.3",
        "ports": [{"containerPort": 8080}],
        "env": [{"name": "LEVEL", "value": "info"}],
        "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "web"}},
        "spec": {"containers": [container], **spec},
    }


def unscheduled_pod(name: str = HOLE) -> Document:
    """One that no scheduler takes up, because none has this name."""
    return pod(name, schedulerName="nobody")


def small_pod(name: str = HOLE) -> Document:
    """A pod as scheduling benches have it: one container with requests."""
    container = {
        "name": "main",
        "image": "registry.example.org/pause:1",
        "resources": {"requests": {"cpu": "100m", "memory": "500Mi"}},
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "bench"}},
        "spec": {"containers": [container], "automountServiceAccountToken": False},
    }


def node(name: str = HOLE) -> Document:
    """A Ready node of 8 cores, 32 GiB and 110 pods, that no kubelet stands behind."""
    capacity = {"cpu": "8", "memory": "32Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux"}},
        "status": {
            "capacity": capacity,
            "allocatable": capacity,
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "simulated"}],
        },
    }


def config_map(name: str = HOLE) -> Document:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": {"key": "v" * 200}}


def name_of(number: int) -> str:
    return f"n-{number:0{DIGITS}}"


def posts(endpoint: Endpoint, path: str, document: Document, numbers: Iterator[int] | None = None) -> Iterator[bytes]:
    """POSTs of `document` under ever new names, or those of `numbers`."""
    parts = endpoint.request("POST", path, msgspec.json.encode(document)).split(HOLE.encode())
    for number in numbers if numbers is not None else itertools.count():
        yield (b"n-%08d" % number).join(parts)
