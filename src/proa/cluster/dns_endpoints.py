"""Tells the cluster where DNS answers: one EndpointSlice of kube-dns for every node with a pod network.

It lives with the server because a node's identity may not write endpoint slices, and beside the controllers because it
knows the node's DNS server (`proa.dns`), which a controller may not.
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network

import msgspec

from proa.api.core_v1.resources import NODES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Trigger
from proa.dns.service import NAMESPACE, node_slice


class DnsEndpointsController(Controller):
    """A node's server listens on the gateway of its pods, the first address of `spec.podCIDR`."""

    name = "dns-endpoints"
    workers = 1

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = context.informer(NODES)
        self._slices = context.informer(ENDPOINT_SLICES)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(NODES),)

    async def reconcile(self, key: str) -> Outcome:
        node = self._nodes.get(key)
        if node is None or not node.spec.podCIDR or "proa.dev/simulated" in node.metadata.labels:
            return DONE  # a removed node's slice goes with its owner
        gateway = str(IPv4Network(node.spec.podCIDR)[1])
        wanted = node_slice(node.metadata.name, node.metadata.uid, gateway)
        current = self._slices.get(f"{NAMESPACE}/{wanted.metadata.name}")
        if current is None:
            await self.client.create(ENDPOINT_SLICES, wanted)
        elif current.endpoints != wanted.endpoints:
            changed = msgspec.structs.replace(current, endpoints=wanted.endpoints, ports=wanted.ports)
            await self.client.update(ENDPOINT_SLICES, changed)
        return DONE
