"""The agent process of one node: kubelet, runtime, pod network, service proxy and DNS, speaking only HTTPS to a server.

Here: the order in which they start, and what waits for what. The pod network needs the node's share of addresses,
which the cluster gives after the node has registered; sandboxes wait for it, nothing else does.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any

from proa.aio.clock import SystemClock
from proa.aio.tasks import TaskFailedError, TaskScope
from proa.api.core_v1 import Node
from proa.api.core_v1.resources import NODES, SERVICES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.base import collector
from proa.client.http import HttpClient
from proa.client.informer import Informer, Informers
from proa.client.kubeconfig import load
from proa.client.metrics import client_samples
from proa.cluster import processes, tls
from proa.cluster.addresses import host_address
from proa.cluster.credentials import PROXY, Credentials, is_api_server
from proa.cluster.journal import FileJournal
from proa.cluster.paths import ClusterPaths, images_root
from proa.cluster.settings import Settings
from proa.dns.forward import Forwarder
from proa.dns.keeper import ZoneKeeper
from proa.dns.server import DnsServer, Networks
from proa.dns.zone import Zone
from proa.kubelet.kubelet import Kubelet
from proa.kubelet.services import NodeConfig
from proa.net import nft
from proa.net.protocol import HostPort, NetworkConfig, Peer, PodAddresses, PodNetwork
from proa.net.routed import RoutedNetwork
from proa.oci.store import ImageStore
from proa.proxy.backend import Backend, NftBackend
from proa.proxy.plan import ProxyOptions
from proa.proxy.proxier import Proxier
from proa.runtime.embedded.runtime import EmbeddedRuntime
from proa.runtime.images import OciImages

log = logging.getLogger(__name__)

Report = Callable[[str, Mapping[str, Any]], None]


class LaterNetwork:
    """A pod network that is made later: who wants in before, waits; who wants out is let go and detached then.

    A runtime that finds dead sandboxes detaches them while it opens, and the network is made after that.
    """

    def __init__(self) -> None:
        self._made: asyncio.Future[PodNetwork] = asyncio.get_running_loop().create_future()
        self._owed: list[str] = []

    async def set(self, network: PodNetwork) -> None:
        while self._owed:
            await network.detach(self._owed.pop())
        self._made.set_result(network)

    async def attach(
        self, sandbox_id: str, netns: Path, *, namespace: str, name: str, port_mappings: Sequence[HostPort] = ()
    ) -> PodAddresses:
        network = await asyncio.shield(self._made)
        return await network.attach(sandbox_id, netns, namespace=namespace, name=name, port_mappings=port_mappings)

    async def detach(self, sandbox_id: str) -> None:
        if self._made.done():
            await self._made.result().detach(sandbox_id)
        else:
            self._owed.append(sandbox_id)


class Agent:
    """One node. `start` returns when it is Ready and its DNS answers; `close` leaves its containers running."""

    def __init__(
        self,
        paths: ClusterPaths,
        settings: Settings,
        node_name: str,
        *,
        server_url: str = "",
        routes_peers: bool = True,
    ) -> None:
        self._paths = paths
        self._settings = settings
        self._name = node_name
        self._server_url = server_url
        self._routes_peers = routes_peers
        self._root = paths.node(node_name)
        self._address = host_address()
        self._stack = AsyncExitStack()
        self._scope = TaskScope(f"agent/{node_name}", on_error=_log_failure)

    async def start(self, report: Report) -> None:
        credentials = Credentials(self._paths, self._settings, SystemClock().now())
        credentials.ensure_node(self._name, [self._address, "127.0.0.1"])
        self._journal = FileJournal(self._root / "journal")
        self._stack.callback(self._journal.close)
        kubelet_client = self._client(f"node-{self._name}")
        network_client = self._client(PROXY.common_name)
        informers = Informers(network_client, on_error=_log_failure)
        self._stack.push_async_callback(informers.close)
        own_node = informers.informer(NODES, field_selector=f"metadata.name={self._name}")
        network = LaterNetwork()
        images = OciImages(ImageStore(images_root()))
        self._stack.push_async_callback(images.close)
        runtime = await EmbeddedRuntime.open(
            self._root / "runtime", images, network=network, cluster=self._settings.name, journal=self._journal
        )
        self._stack.push_async_callback(runtime.close)
        kubelet = Kubelet(self._node_config(), kubelet_client, runtime, images, journal=self._journal)
        self._stack.push_async_callback(self._scope.close)
        self._stack.push_async_callback(kubelet.close)
        serving = tls.serving(
            credentials.files(f"kubelet-{self._name}").load(), credentials.authority.certificate.read_bytes()
        )
        clients = (kubelet_client.metrics, network_client.metrics)
        await kubelet.serve(serving, is_api_server, metrics=[lambda: client_samples(clients)])
        network_task = self._scope.spawn(self._start_network(informers, own_node, runtime, network), name="network")
        await informers.start()
        await kubelet.start()
        await network_task
        kubelet.node.changed()
        report("dns-ready", {"node": self._name})
        await _ready(own_node)
        report("node-ready", {"node": self._name})

    async def close(self) -> None:
        await self._stack.aclose()

    def _client(self, user: str) -> HttpClient:
        connection = load([self._paths.kubeconfig(user)]).connection()
        if self._server_url:
            connection = replace(connection, server=self._server_url)
        client = HttpClient(connection, user_agent="proa-agent")
        self._stack.push_async_callback(client.close)
        return client

    def _node_config(self) -> NodeConfig:
        return NodeConfig(
            name=self._name,
            addresses=(self._address,),
            root=self._root / "kubelet",
            log_root=self._root / "logs",
            port=self._settings.kubelet_port,
            cluster_dns=(self._settings.dns_address,),
            cluster_domain=self._settings.cluster_domain,
        )

    async def _start_network(
        self, informers: Informers, own_node: Informer[Node], runtime: EmbeddedRuntime, later: LaterNetwork
    ) -> None:
        """Pod network, service proxy and DNS, as soon as the node has its share of pod addresses."""
        services, slices = informers.informer(SERVICES), informers.informer(ENDPOINT_SLICES)
        share = IPv4Network(await _pod_cidr(own_node))
        settings = self._settings
        config = NetworkConfig(
            cluster=settings.name,
            pod_cidr=share,
            cluster_cidr=IPv4Network(settings.pod_cidr),
            data_dir=self._root / "network",
            service_cidr=IPv4Network(settings.service_cidr),
        )
        network = RoutedNetwork(config, self._journal)
        self._stack.push_async_callback(network.close)
        await network.setup()
        await network.retain([each.id for each in await runtime.sandboxes()])
        await later.set(network)
        if self._routes_peers:
            nodes = informers.informer(NODES)
            self._scope.spawn_forever(_follow_peers(nodes, self._name, network), name="routes to other nodes")
        gateway = str(config.gateway)
        networks = Networks(IPv4Network(settings.pod_cidr), IPv4Network(settings.service_cidr))
        dns = DnsServer(Zone(settings.cluster_domain), Forwarder((gateway, settings.dns_address)), networks)
        await dns.start(gateway)
        self._stack.push_async_callback(dns.close)
        keeper = ZoneKeeper(services, slices, dns)
        proxier = Proxier(services, slices, self._backend(), self._proxy_options())
        await services.synced()
        await slices.synced()
        keeper.start()
        self._stack.callback(keeper.close)
        self._scope.spawn_forever(proxier.run(), name="service proxy")
        await proxier.ready()

    def _proxy_options(self) -> ProxyOptions:
        return ProxyOptions(self._name, self._settings.pod_cidr)

    def _backend(self) -> Backend:
        if nft.available():
            return NftBackend(self._settings.name, self._proxy_options(), self._journal)
        from proa.net import names
        from proa.proxy.userspace import UserspaceBackend

        log.warning("nftables is missing: services are carried by the agent itself, which is slow")
        return UserspaceBackend(names.bridge(self._settings.name))


async def run_agent(
    paths: ClusterPaths, settings: Settings, node_name: str, *, server_url: str = "", report: Report
) -> None:
    """Be the node until cancelled. Reports `dns-ready` and `node-ready`."""
    namespaced = node_number(settings, node_name) > 1
    if namespaced and not server_url:
        server_url = f"https://{machine_address(settings)}:{settings.api_port}"
    agent = Agent(paths, settings, node_name, server_url=server_url, routes_peers=not namespaced)
    try:
        await agent.start(report)
        collector.resume()
        await asyncio.get_running_loop().create_future()
    finally:
        await agent.close()


def enter_node(paths: ClusterPaths, settings: Settings, node_name: str) -> None:
    """Move this process to where the node lives: the first node is the machine itself, each further one has a network
    namespace of its own. Call before anything else of the agent runs."""
    number = node_number(settings, node_name)
    if number <= 1:
        return
    from proa.net.node_namespace import NodeNamespace, enter

    network = IPv4Network(settings.node_cidr)
    journal = FileJournal(paths.node(node_name) / "journal")
    file = paths.node(node_name) / "netns"
    enter(NodeNamespace(settings.name, number, file, network[number], machine_address(settings)), journal)
    journal.close()


def machine_address(settings: Settings) -> IPv4Address:
    """The machine's address towards its nodes in namespaces."""
    return IPv4Network(settings.node_cidr)[1]


def node_number(settings: Settings, node_name: str) -> int:
    """Which of this machine's nodes it is, from 1; 0 for a node of another machine."""
    names = processes.node_names(settings)
    return names.index(node_name) + 1 if node_name in names else 0


async def _follow_peers(nodes: Informer[Node], own: str, network: PodNetwork) -> None:
    """Keep routes to the pods of every other node with an address and a share."""
    changed = asyncio.Event()
    remove = nodes.on_change(lambda old, new: changed.set())
    applied: frozenset[Peer] = frozenset()
    try:
        while True:
            await changed.wait()
            changed.clear()
            peers = frozenset(_peers(nodes.list(), own))
            if peers != applied:
                await network.set_peers(peers)
                applied = peers
    finally:
        remove()


def _peers(nodes: Iterable[Node], own: str) -> Iterable[Peer]:
    for node in nodes:
        address = next((each.address for each in node.status.addresses if each.type == "InternalIP"), "")
        if node.metadata.name != own and node.spec.podCIDR and address:
            yield Peer(IPv4Network(node.spec.podCIDR), IPv4Address(address))


async def _pod_cidr(own_node: Informer[Node]) -> str:
    found = await _first(own_node, lambda node: bool(node.spec.podCIDR))
    return found.spec.podCIDR


async def _ready(own_node: Informer[Node]) -> None:
    def is_ready(node: Node) -> bool:
        return any(each.type == "Ready" and each.status == "True" for each in node.status.conditions)

    await _first(own_node, is_ready)


async def _first(own_node: Informer[Node], wanted: Callable[[Node], bool]) -> Node:
    """The node as soon as it is as wanted."""
    found: asyncio.Future[Node] = asyncio.get_running_loop().create_future()

    def look(_: Node | None, node: Node | None) -> None:
        if node is not None and wanted(node) and not found.done():
            found.set_result(node)

    remove = own_node.on_change(look)
    try:
        return await found
    finally:
        remove()


def _log_failure(error: TaskFailedError) -> None:
    log.error("%s", error, exc_info=error.__cause__)
