"""The default pod network: a veth pair a sandbox, routed by the host; host routes between nodes.

A pod's address is a /32 with its default route over the gateway's address, and the host has a /32 route to each pod's
link: every packet of a pod, also to its neighbour, passes the host's IP layer. So address translation of services and
network policies hold between pods of one node, whether br_netfilter is loaded or not (with bridged pods it decides),
and a pod reaches itself through a service without hairpin mode. The gateway's address sits on a bridge without ports:
a link that every kernel has and that carries the cluster's name; ARP for it is answered on every pod's link.

Kernel calls block for microseconds, or longer while someone else holds the kernel's RTNL lock; they run in one thread
of their own, in order. Deleting links takes 20 ms, most of it waiting for other CPUs (RCU), for one link as for many;
it has a second thread, so that pods which come do not wait for pods which go, and those which go then go together. The
network namespace is the one the process is in: nothing here assumes the machine's first.
"""

from __future__ import annotations

import asyncio
import errno
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from ipaddress import IPv4Interface, IPv4Network
from pathlib import Path
from typing import TypeVar

from proa.base.journal import Journal, NoJournal
from proa.linux.netns import entered
from proa.net import firewall, names, nft
from proa.net import rtnetlink as rt
from proa.net.addresses import AddressPool, Lease
from proa.net.protocol import HostPort, NetworkConfig, NetworkError, Peer, PodAddresses

T = TypeVar("T")
_SYSCTL = Path("/proc/sys")
_FORWARD = "net.ipv4.ip_forward"
_DEFAULT = IPv4Network("0.0.0.0/0")
_ETHERNET_MTU = 1500


class RoutedNetwork:
    """PodNetwork of routed veth pairs. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN in its network namespace."""

    def __init__(self, config: NetworkConfig, journal: Journal | None = None) -> None:
        self._config = config
        self._journal = journal or NoJournal()
        self._bridge = names.bridge(config.cluster)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="proa-net")
        self._sweeper = ThreadPoolExecutor(1, thread_name_prefix="proa-net-sweep")
        self._socket: rt.Socket | None = None
        self._pool: AddressPool | None = None
        self._doomed: deque[str] = deque()
        self._bridge_index = 0
        self._mtu = 0
        self._forwards: dict[str, tuple[firewall.Forward, ...]] = {}
        self._rules = asyncio.Lock()
        self._counters = {"attaches": 0, "detaches": 0, "failures": 0, "attach_seconds": 0.0}

    async def setup(self) -> None:
        await self._call(self._setup)
        if nft.available():
            self._journal.record("nft-table", f"ip {firewall.table_name(self._config)}")
            try:
                await self._adopt_forwards()
                await nft.apply(firewall.render(self._config, self._all_forwards()))
                await firewall.open_forwarding(self._config)
            except nft.NftError as error:
                raise NetworkError(str(error)) from error

    async def attach(
        self,
        sandbox_id: str,
        netns: Path,
        *,
        namespace: str,
        name: str,
        port_mappings: Sequence[HostPort] = (),
    ) -> PodAddresses:
        begin = time.perf_counter()
        pod = f"{namespace}/{name}"
        try:
            lease = await self._call(lambda: self._attach(sandbox_id, netns, pod))
            try:
                await self._set_forwards(sandbox_id, firewall.forwards(port_mappings, lease.address))
            except BaseException:
                await self.detach(sandbox_id)
                raise
        except BaseException:
            self._counters["failures"] += 1
            raise
        self._counters["attaches"] += 1
        self._counters["attach_seconds"] += time.perf_counter() - begin
        return PodAddresses((str(lease.address),))

    async def detach(self, sandbox_id: str) -> None:
        await self._set_forwards(sandbox_id, ())
        self._doomed.append(names.pod_link(self._config.cluster, sandbox_id))
        await self._call(self._sweep, self._sweeper)
        await self._call(lambda: self._addresses().release(sandbox_id))
        self._counters["detaches"] += 1

    async def retain(self, sandbox_ids: Iterable[str]) -> tuple[str, ...]:
        live = set(sandbox_ids)
        leases = await self._call(lambda: self._addresses().leases)
        gone = tuple(lease.sandbox_id for lease in leases if lease.sandbox_id not in live)
        await asyncio.gather(*(self.detach(sandbox_id) for sandbox_id in gone))
        return gone

    async def set_peers(self, peers: Iterable[Peer]) -> None:
        wanted = {peer.pod_cidr: peer for peer in peers}
        await self._call(lambda: self._set_peers(wanted))

    async def check(self) -> tuple[str, ...]:
        faults = await self._call(self._check)
        if not nft.available():
            return (*faults, "nft is not installed: no masquerade and no host ports")
        try:
            await nft.listing("table", "ip", firewall.table_name(self._config))
        except nft.NftError:
            return (*faults, f"nft table {firewall.table_name(self._config)} is missing")
        return faults

    async def teardown(self) -> None:
        if nft.available():
            try:
                await firewall.close_forwarding(self._config)
                await nft.delete_table("ip", firewall.table_name(self._config))
            except nft.NftError as error:
                raise NetworkError(str(error)) from error
            self._journal.forget("nft-table", f"ip {firewall.table_name(self._config)}")
        self._forwards.clear()
        await self._call(self._teardown)

    async def close(self) -> None:
        """Give back the thread and the socket; what is in the kernel stays."""
        await self._call(self._close)
        self._thread.shutdown(wait=False)
        self._sweeper.shutdown(wait=False)

    def statistics(self) -> dict[str, float]:
        pool = self._pool
        held = len(pool.leases) if pool else 0
        return {"sandboxes": held, "addresses_free": pool.free if pool else 0, **self._counters}

    # Everything below runs in the network's thread, except the host ports.

    async def _call(self, work: Callable[[], T], thread: ThreadPoolExecutor | None = None) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread or self._thread, work)
        except OSError as error:
            raise NetworkError(f"pod network {self._bridge}: {error.strerror or error}") from error

    def _route_socket(self) -> rt.Socket:
        if self._socket is None:
            self._socket = rt.Socket()
        return self._socket

    def _addresses(self) -> AddressPool:
        if self._pool is None:
            self._pool = AddressPool(self._config.pod_cidr, self._config.data_dir / "addresses")
        return self._pool

    def _setup(self) -> None:
        config, socket = self._config, self._route_socket()
        self._addresses()
        self._mtu = config.mtu or self._host_mtu()
        self._journal.record("link", self._bridge)
        with _tolerate(errno.EEXIST):
            socket.send(rt.new_bridge(self._bridge, self._mtu))
        self._bridge_index = index = socket.link(self._bridge).index
        requests = [rt.link_up(index), rt.new_address(index, self._gateway)]
        if config.service_cidr is not None:
            requests.append(rt.new_route(rt.Route(config.service_cidr, link=index, source=config.gateway)))
        socket.send(*requests)
        self._enable_forwarding()

    @property
    def _gateway(self) -> IPv4Interface:
        return IPv4Interface((self._config.gateway, self._config.pod_cidr.prefixlen))

    def _host_mtu(self) -> int:
        return min(
            (
                link.mtu
                for link in self._route_socket().links()
                if link.up and link.name != "lo" and not link.master and link.kind != "bridge"
            ),
            default=_ETHERNET_MTU,
        )

    def _enable_forwarding(self) -> None:
        path = _SYSCTL / _FORWARD.replace(".", "/")
        before = path.read_text().strip()
        if before != "1":
            self._journal.record("sysctl", f"{_FORWARD}={before}")
            path.write_text("1")

    def _attach(self, sandbox_id: str, netns: Path, pod: str) -> Lease:
        if not self._bridge_index:
            raise NetworkError(f"pod network {self._bridge} is not set up")
        lease = self._addresses().assign(sandbox_id, pod)
        try:
            self._connect(names.pod_link(self._config.cluster, sandbox_id), netns, lease)
        except BaseException:
            self._delete_links([names.pod_link(self._config.cluster, sandbox_id)])
            self._addresses().release(sandbox_id)
            raise
        return lease

    def _connect(self, link: str, netns: Path, lease: Lease) -> None:
        socket = self._route_socket()
        descriptor = os.open(netns, os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._journal.record("link", link)
            veth = rt.new_veth(link, names.POD_INTERFACE, netns=descriptor, mtu=self._mtu)
            try:
                socket.send(veth)
            except FileExistsError:
                socket.send(rt.delete_link(link), veth)
            outside = socket.link(link).index
            route = rt.Route(IPv4Network((lease.address, 32)), link=outside, source=self._config.gateway)
            socket.send(rt.route_localnet(outside), rt.new_route(route))
            with entered(descriptor):
                inside = rt.Socket()
        finally:
            os.close(descriptor)
        gateway = self._config.gateway
        with inside:
            index = inside.link(names.POD_INTERFACE).index
            inside.send(
                rt.link_up(inside.link("lo").index),
                rt.link_up(index),
                rt.new_address(index, IPv4Interface((lease.address, 32))),
                rt.new_route(rt.Route(IPv4Network((gateway, 32)), link=index)),
                rt.new_route(rt.Route(_DEFAULT, gateway=gateway, link=index)),
            )

    def _sweep(self) -> None:
        """Delete all links that wait for it. A caller whose link went with an earlier call finds nothing to do."""
        links = [self._doomed.popleft() for _ in range(len(self._doomed))]
        if links:
            self._delete_links(links)

    def _delete_links(self, links: Sequence[str]) -> None:
        group = names.doomed_group(self._config.cluster)
        with rt.Socket() as socket:
            for link in links:
                with _tolerate(errno.ENODEV):
                    socket.send(rt.set_group(link, group))
            with _tolerate(errno.ENODEV):
                socket.send(rt.delete_group(group))
        for link in links:
            self._journal.forget("link", link)

    def _set_peers(self, wanted: dict[IPv4Network, Peer]) -> None:
        socket = self._route_socket()
        for route in self._peer_routes():
            if route.destination not in wanted:
                with _tolerate(errno.ESRCH):
                    socket.send(rt.delete_route(route))
                self._journal.forget("route", f"{route.destination} via {route.gateway}")
        for peer in wanted.values():
            self._journal.record("route", f"{peer.pod_cidr} via {peer.address}")
            socket.send(rt.new_route(rt.Route(peer.pod_cidr, gateway=peer.address)))

    def _peer_routes(self) -> list[rt.Route]:
        cluster = self._config.cluster_cidr
        return [
            route
            for route in self._route_socket().routes()
            if route.protocol == rt.ROUTE_PROTOCOL
            and route.gateway is not None
            and route.destination.subnet_of(cluster)
        ]

    def _check(self) -> tuple[str, ...]:
        socket, faults = self._route_socket(), []
        links = {link.name: link for link in socket.links()}
        bridge = links.get(self._bridge)
        if bridge is None:
            return (f"bridge {self._bridge} is missing",)
        if not bridge.up:
            faults.append(f"bridge {self._bridge} is down")
        if (bridge.index, self._gateway) not in socket.addresses():
            faults.append(f"bridge {self._bridge} lacks its address {self._gateway}")
        if self._config.service_cidr not in (None, *(r.destination for r in socket.routes() if r.link == bridge.index)):
            faults.append(f"the route to the services {self._config.service_cidr} is missing")
        for lease in self._addresses().leases:
            link = links.get(names.pod_link(self._config.cluster, lease.sandbox_id))
            if link is None or not link.up:
                faults.append(f"pod {lease.pod}: the link of sandbox {lease.sandbox_id} is missing")
        if (_SYSCTL / _FORWARD.replace(".", "/")).read_text().strip() != "1":
            faults.append(f"{_FORWARD} is not 1")
        return tuple(faults)

    def _teardown(self) -> None:
        self._set_peers({})
        links = (link.name for link in self._route_socket().links())
        self._delete_links([link for link in links if names.owns(self._config.cluster, link)])
        for lease in self._addresses().leases:
            self._addresses().release(lease.sandbox_id)
        self._bridge_index = 0

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    def _all_forwards(self) -> list[firewall.Forward]:
        return [forward for forwards in self._forwards.values() for forward in forwards]

    async def _adopt_forwards(self) -> None:
        """Take over the host ports of sandboxes that an agent before this one attached."""
        leases = await self._call(lambda: self._addresses().leases)
        owners = {lease.address: lease.sandbox_id for lease in leases}
        for forward in await firewall.existing(self._config):
            sandbox_id = owners.get(forward.target)
            if sandbox_id is not None and forward not in self._forwards.get(sandbox_id, ()):
                self._forwards[sandbox_id] = (*self._forwards.get(sandbox_id, ()), forward)

    async def _set_forwards(self, sandbox_id: str, forwards: tuple[firewall.Forward, ...]) -> None:
        async with self._rules:
            before = self._forwards.get(sandbox_id, ())
            if before == forwards:
                return
            taken = {(f.map, f.key) for owner, own in self._forwards.items() if owner != sandbox_id for f in own}
            for forward in forwards:
                if (forward.map, forward.key) in taken:
                    raise NetworkError(f"hostPort {forward.protocol} {forward.port} is in use by another sandbox")
            try:
                await nft.apply(firewall.render_change(self._config, before, forwards))
            except nft.NftError as error:
                raise NetworkError(f"host ports of sandbox {sandbox_id}: {error}") from error
            if forwards:
                self._forwards[sandbox_id] = forwards
            else:
                del self._forwards[sandbox_id]


class _tolerate(suppress):
    """Passes over an OSError of this number only."""

    def __init__(self, number: int) -> None:
        super().__init__(OSError)
        self._number = number

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> bool:
        return isinstance(error, OSError) and error.errno == self._number
