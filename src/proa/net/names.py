"""The names of the kernel's objects: what carries them belongs to the cluster, and teardown finds it by them.

Link names have at most 15 bytes (IFNAMSIZ), so the cluster is a short hash in them. Several clusters share a network
namespace without seeing each other; nodes of one cluster on one machine each have a network namespace of their own.
"""

from __future__ import annotations

from hashlib import sha256

BRIDGE_PREFIX = "proa-"
POD_LINK_PREFIX = "pv"
NODE_LINK_PREFIX = "pn"
POD_INTERFACE = "eth0"


def _digest(text: str, length: int) -> str:
    return sha256(text.encode()).hexdigest()[:length]


def cluster_hash(cluster: str) -> str:
    """Six hex digits that stand for the cluster in names of links and tables."""
    return _digest(cluster, 6)


def bridge(cluster: str) -> str:
    """The link of the gateway's address."""
    return BRIDGE_PREFIX + cluster_hash(cluster)


def pod_link(cluster: str, sandbox_id: str) -> str:
    """The host's end of a sandbox's veth pair."""
    return POD_LINK_PREFIX + cluster_hash(cluster) + _digest(sandbox_id, 7)


def node_link(cluster: str, number: int) -> str:
    """The machine's end of the veth pair of a node in a namespace of its own."""
    return f"{NODE_LINK_PREFIX}{cluster_hash(cluster)}n{number}"


def pod_links(cluster: str) -> str:
    """All pods' links, as a pattern of nft."""
    return POD_LINK_PREFIX + cluster_hash(cluster) + "*"


def doomed_group(cluster: str) -> int:
    """The group (IFLA_GROUP) that links are in only while they are deleted."""
    return 0x1000000 | int(cluster_hash(cluster), 16)


def table(cluster: str, part: str) -> str:
    """The nft table of one part of the node: "net", "services", "policy"."""
    return f"proa-{cluster_hash(cluster)}-{part}"


def owns(cluster: str, link: str) -> bool:
    """Whether a link of this name was made for the cluster."""
    return link == bridge(cluster) or link.startswith(POD_LINK_PREFIX + cluster_hash(cluster))
