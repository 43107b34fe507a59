"""Gives every node its share of the pod network: `spec.podCIDRs`, of which the node numbers its pods."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

from proa.api.core_v1 import Node
from proa.api.core_v1.resources import NODES
from proa.base.errors import ProaError
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import For, Trigger
from proa.controllers.settings import Settings


class CIDRExhaustedError(ProaError):
    """The cluster's network has no free share left."""


class CIDRPool:
    """The shares of one network: equal blocks, the lowest free one first."""

    def __init__(self, network: str, prefix: int) -> None:
        self.network = ipaddress.ip_network(network)
        if not self.network.prefixlen <= prefix <= self.network.max_prefixlen:
            raise ValueError(f"a share of {network} must have a prefix from /{self.network.prefixlen}, got /{prefix}")
        self._prefix = prefix
        self._bits = self.network.max_prefixlen - prefix
        self._size = 1 << (prefix - self.network.prefixlen)
        self._used: set[int] = set()
        self._lowest = 0  # nothing below is free

    def occupy(self, cidr: str) -> None:
        """`cidr` is somebody's; one outside of the network is nobody's business."""
        self._used.update(self._blocks(cidr))

    def release(self, cidr: str) -> None:
        for block in self._blocks(cidr):
            self._used.discard(block)
            self._lowest = min(self._lowest, block)

    def allocate(self) -> str:
        """A free share, now occupied. Raises CIDRExhaustedError."""
        for block in range(self._lowest, self._size):
            if block not in self._used:
                self._used.add(block)
                self._lowest = block + 1
                base = int(self.network.network_address) + (block << self._bits)
                address = ipaddress.ip_address(base) if self.network.version == 4 else ipaddress.IPv6Address(base)
                return f"{address}/{self._prefix}"
        raise CIDRExhaustedError(f"all {self._size} shares of /{self._prefix} in {self.network} are taken")

    def _blocks(self, cidr: str) -> range:
        other = ipaddress.ip_network(cidr, strict=False)
        if other.version != self.network.version or not self.network.overlaps(other):
            return range(0)
        origin = int(self.network.network_address)
        first = max(0, int(other.network_address) - origin) >> self._bits
        last = (int(other.broadcast_address) - origin) >> self._bits
        return range(first, min(last, self._size - 1) + 1)


def shares_of(node: Node) -> tuple[str, ...]:
    return node.spec.podCIDRs or ((node.spec.podCIDR,) if node.spec.podCIDR else ())


class NodeIPAMController(Controller):
    name = "node-ipam"
    workers = 1  # the pools have one user

    def __init__(self, context: Context, settings: Settings) -> None:
        super().__init__(context)
        self._pools = [
            CIDRPool(cidr, settings.node_prefix_v6 if ":" in cidr else settings.node_prefix_v4)
            for cidr in settings.cluster_cidrs
        ]
        self._nodes = context.informer(NODES)
        self._nodes.on_change(self._changed)
        self._events = context.recorder("cidrAllocator")

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(NODES),)

    def _changed(self, old: Any, new: Any) -> None:
        before = shares_of(old) if old is not None else ()
        after = shares_of(new) if new is not None else ()
        if before == after:
            return
        for pool in self._pools:
            for cidr in before:
                pool.release(cidr)
            for cidr in after:
                pool.occupy(cidr)

    async def reconcile(self, key: str) -> Outcome:
        node = self._nodes.get(key)
        if node is None or not self._pools or shares_of(node) or node.metadata.deletionTimestamp is not None:
            return DONE
        shares: list[str] = []
        try:
            for pool in self._pools:
                shares.append(pool.allocate())  # noqa: PERF401 - what was taken before one is exhausted is given back
            # What decided is this version of the node: a copy that is behind may not know of the share it has.
            seen = {"uid": node.metadata.uid, "resourceVersion": node.metadata.resourceVersion}
            patch = {"metadata": seen, "spec": {"podCIDR": shares[0], "podCIDRs": shares}}
            await self.client.patch(NODES, key, "", patch, type="merge")
        except BaseException as error:
            for pool, share in zip(self._pools, shares, strict=False):
                pool.release(share)
            if not isinstance(error, CIDRExhaustedError):
                raise
            self._events.normal(node, "CIDRNotAvailable", f"Node {key} status is now: CIDRNotAvailable")
            return requeue_after(30, str(error))
        return Outcome(note=f"assigned {', '.join(shares)}")
