"""Whether a cluster answers: its API, its nodes, its DNS, asked from outside as any user would.

Used where no report can come: for components that ran before, and by `status`.
"""

from __future__ import annotations

import secrets
import socket
import struct
from collections.abc import Mapping
from typing import Any

from proa.base.errors import ProaError
from proa.client import kubeconfig
from proa.cluster import processes
from proa.cluster.paths import ClusterPaths
from proa.cluster.settings import Settings
from proa.kubectl.client import Client

DNS_PORT = 53
_TYPE_A, _CLASS_IN, _RECURSE = 1, 1, 0x0100


def admin_client(paths: ClusterPaths, *, timeout: float = 10.0) -> Client:
    """A client with all rights, through the cluster's own kubeconfig."""
    return Client(kubeconfig.load([paths.kubeconfig()]).connection(), timeout=timeout)


def fault(client: Client, settings: Settings) -> str:
    """'' when the API, every node and DNS answer, else the first that does not."""
    if why := api_fault(client):
        return f"the API: {why}"
    found = nodes(client)
    ready = {name for name, node in found.items() if is_ready(node)}
    if late := [name for name in processes.node_names(settings) if name not in ready]:
        return f"not Ready: {', '.join(late)}"
    if len(ready) < settings.nodes + settings.simulated_nodes:
        return f"{len(ready)} of {settings.nodes + settings.simulated_nodes} nodes are Ready"
    if settings.nodes and (why := dns_fault(settings)):
        return f"DNS: {why}"
    return ""


def api_fault(client: Client) -> str:
    """'' when the API is ready, else what it says."""
    try:
        client.read("GET", "/readyz")
    except (ProaError, OSError) as error:
        return str(error)
    return ""


def nodes(client: Client) -> dict[str, Mapping[str, Any]]:
    """Every Node of the API by name. Raises StatusError, UnreachableError."""
    return {each["metadata"]["name"]: each for each in client.get("/api/v1/nodes")["items"]}


def is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def dns_fault(settings: Settings, *, timeout: float = 1.0) -> str:
    """'' when the cluster's DNS knows the API's Service, else why not."""
    name = f"kubernetes.default.svc.{settings.cluster_domain}"
    labels = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    number = secrets.randbits(16)
    question = (
        struct.pack("!6H", number, _RECURSE, 1, 0, 0, 0) + labels + b"\0" + struct.pack("!2H", _TYPE_A, _CLASS_IN)
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(timeout)
        try:
            asking.connect((settings.dns_address, DNS_PORT))
            asking.send(question)
            answer = asking.recv(4096)
        except OSError as error:
            return f"{settings.dns_address}: {error}"
    if len(answer) < 12:
        return f"{settings.dns_address} sent {len(answer)} bytes"
    got, flags, _, answers = struct.unpack_from("!4H", answer)
    if got != number or flags & 0xF or not answers:
        return f"{settings.dns_address} does not know {name} (code {flags & 0xF})"
    return ""
