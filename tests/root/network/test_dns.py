"""Cluster DNS as a pod meets it: at the DNS service's address, answered by its own node."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import dns.message
import dns.query

from proa.api.core_v1.service import Service, ServicePort, ServiceSpec
from proa.dns import service as kube_dns
from proa.dns.forward import Forwarder
from proa.dns.server import DnsServer
from proa.dns.zone import Zone, service_names
from proa.machinery.meta import ObjectMeta
from proa.net.routed import RoutedNetwork
from proa.proxy.backend import NftBackend
from proa.proxy.plan import ProxyOptions, plan

RESOLVE = """
import dns.message, dns.query
q = dns.message.make_query("web.default.svc.cluster.local", "A")
for ask in (dns.query.udp, dns.query.tcp):
    print(ask(q, "10.96.0.10", timeout=3).answer[0][0])
"""


async def test_a_pod_and_the_host_resolve_at_the_dns_services_address(
    network: RoutedNetwork, pods: Callable[[], Any]
) -> None:
    spec = ServiceSpec(clusterIP="10.96.0.20", clusterIPs=("10.96.0.20",), ports=(ServicePort(name="http", port=80),))
    web = Service(metadata=ObjectMeta(name="web", namespace="default"), spec=spec)
    server = DnsServer(
        Zone().with_services({("default", "web"): service_names(web, (), "cluster.local")}), Forwarder(("10.244.0.1",))
    )
    await server.start("10.244.0.1")
    options = ProxyOptions("here", "10.244.0.0/16")
    backend = NftBackend("test", options)
    other_node = kube_dns.node_slice("there", "uid-2", "10.244.1.1")
    slices = [kube_dns.node_slice("here", "uid-1", "10.244.0.1"), other_node]
    await backend.apply(plan([kube_dns.cluster_service("10.96.0.10")], slices, options))
    pod = pods()
    await network.attach("s", pod.netns, namespace="default", name="p")
    assert await asyncio.to_thread(pod.run, RESOLVE) == "10.96.0.20\n10.96.0.20"
    query = dns.message.make_query("web.default.svc.cluster.local", "A")
    answer = await asyncio.to_thread(dns.query.udp, query, "10.96.0.10", 3)
    assert str(answer.answer[0][0]) == "10.96.0.20"
    await server.close()
    await backend.teardown()
