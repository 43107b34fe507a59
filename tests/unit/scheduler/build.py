"""Short ways to say a pod and a node."""

from __future__ import annotations

from typing import Any

import msgspec

from proa.api.core_v1 import Node, Pod

GIB = 1024**3


def node(name: str, *, cpu: str = "4", memory: str = "8Gi", pods: str = "110", **more: Any) -> Node:
    document: dict[str, Any] = {
        "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, **more.pop("labels", {})}},
        "spec": {"taints": more.pop("taints", []), "unschedulable": more.pop("unschedulable", False)},
        "status": {"allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **more.pop("extended", {})}},
    }
    document["status"]["images"] = more.pop("images", [])
    assert not more
    return msgspec.convert(document, Node)


def pod(name: str = "p", *, requests: dict[str, str] | None = None, ports: Any = (), **spec: Any) -> Pod:
    container = {"name": "a", "image": spec.pop("image", "x:1"), "resources": {"requests": requests or {}}}
    container["ports"] = list(ports)
    priority = spec.pop("priority", None)
    document = {
        "metadata": {"name": name, "namespace": "d", "uid": name},
        "spec": {"containers": [container], "schedulerName": "default-scheduler", "priority": priority, **spec},
    }
    return msgspec.convert(document, Pod)
