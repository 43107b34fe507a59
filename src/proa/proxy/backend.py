"""Where a ruleset takes effect: the protocol of a proxy's back end, and the one in the kernel's nftables.

`apply` makes the node behave as the ruleset says, in one step; it is called with one ruleset after the other, never two
at once. The other back end is `proa.proxy.userspace`.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from typing import Protocol

from proa.base.journal import Journal, NoJournal
from proa.net import conntrack, names, nft
from proa.net.conntrack import Flow
from proa.proxy.nft import Renderer
from proa.proxy.plan import ProxyOptions, Ruleset, ServicePort

log = logging.getLogger(__name__)

_ROUTE_LOCALNET = "net.ipv4.conf.all.route_localnet"
_SYSCTL = Path("/proc/sys")


class Backend(Protocol):
    """What carries packets of services."""

    async def apply(self, ruleset: Ruleset) -> None:
        """Take over this ruleset. ProaError or OSError: the former one holds on."""

    async def teardown(self) -> None:
        """Leave nothing behind."""

    def statistics(self) -> dict[str, float]: ...


class NftBackend:
    """One nftables table of the network namespace the process is in."""

    def __init__(self, cluster: str, options: ProxyOptions, journal: Journal | None = None) -> None:
        self._table = names.table(cluster, "services")
        self._options = options
        self._journal = journal or NoJournal()
        self._renderer = Renderer(self._table, options)
        self._made = False
        self._counters = {"replaced": 0, "changed": 0, "flows_forgotten": 0, "rules_bytes": 0}

    async def apply(self, ruleset: Ruleset) -> None:
        before = self._renderer.held
        if not self._made:
            await self._replace(ruleset)
        else:
            script = self._renderer.change(ruleset)
            try:
                if script:
                    await self._run(script, "changed")
            except nft.NftError as error:
                # Someone else changed or removed our table; what it should be is known.
                log.warning("table %s is made anew: %s", self._table, error)
                await self._replace(ruleset)
        self._renderer.commit(ruleset)
        await self._forget_flows(before, ruleset)

    async def teardown(self) -> None:
        await nft.delete_table("ip", self._table)
        self._journal.forget("nft-table", f"ip {self._table}")
        self._made = False
        self._renderer = Renderer(self._table, self._options)

    def statistics(self) -> dict[str, float]:
        return dict(self._counters)

    async def _replace(self, ruleset: Ruleset) -> None:
        self._journal.record("nft-table", f"ip {self._table}")
        await self._run(self._renderer.replace(ruleset), "replaced")
        if self._options.localhost_node_ports and not self._made:
            # After the table: its guard keeps neighbours away from 127.0.0.0/8.
            self._route_localnet()
        self._made = True

    async def _run(self, script: str, what: str) -> None:
        await nft.apply(script)
        self._counters[what] += 1
        self._counters["rules_bytes"] += len(script)

    def _route_localnet(self) -> None:
        path = _SYSCTL / _ROUTE_LOCALNET.replace(".", "/")
        before = path.read_text().strip()
        if before != "1":
            self._journal.record("sysctl", f"{_ROUTE_LOCALNET}={before}")
            path.write_text("1")

    async def _forget_flows(self, before: Ruleset, after: Ruleset) -> None:
        """UDP flows to a target that is gone, or from before there was one, get a new one by their next packet."""
        fronts: dict[tuple[str, int], frozenset[tuple[str, int]]] = {}
        node_ports: dict[int, frozenset[tuple[str, int]]] = {}
        for key in before.services.keys() | after.services.keys():
            old, new = before.services.get(key, ()), after.services.get(key, ())
            if old is new or old == new:
                continue
            for port in (*old, *new):  # what is still there comes last and counts
                if port.protocol != "UDP":
                    continue
                valid = frozenset((*port.targets, *port.local_targets)) if port in new else frozenset()
                fronts.update({(ip, port.port): valid for ip in _addresses(port)})
                if port.node_port:
                    node_ports[port.node_port] = valid
        if not fronts:
            return

        def stale(flow: Flow) -> bool:
            valid = fronts.get((flow.destination, flow.destination_port), node_ports.get(flow.destination_port))
            return valid is not None and (flow.answered_by, flow.answered_port) not in valid

        try:
            forgotten = await asyncio.to_thread(conntrack.forget_udp, stale)
        except OSError as error:
            log.warning("UDP flows to removed endpoints could not be forgotten: %s", error)
        else:
            self._counters["flows_forgotten"] += forgotten


def _addresses(port: ServicePort) -> tuple[str, ...]:
    return (port.cluster_ip, *port.external_addresses)
