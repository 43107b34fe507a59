"""The zone and the server's answers, checked with an independent DNS library (dnspython)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from ipaddress import IPv4Network
from pathlib import Path

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.api.core_v1.service import Service, ServicePort, ServiceSpec
from proa.api.discovery_v1.types import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from proa.dns import wire
from proa.dns.forward import Forwarder, read_nameservers
from proa.dns.server import DnsServer, Networks
from proa.dns.zone import Zone, service_names
from proa.machinery.meta import ObjectMeta

NETWORKS = Networks(IPv4Network("10.244.0.0/16"), IPv4Network("10.96.0.0/16"))


def service(name: str, ip: str = "None", **spec: object) -> Service:
    ports = (ServicePort(name="http", protocol="TCP", port=80),)
    values = {"clusterIP": ip, "clusterIPs": (ip,) if ip else (), "ports": ports, **spec}
    return Service(metadata=ObjectMeta(name=name, namespace="default"), spec=ServiceSpec(**values))  # type: ignore[arg-type]


def endpoints(name: str, *found: Endpoint) -> EndpointSlice:
    return EndpointSlice(
        metadata=ObjectMeta(name=f"{name}-x", namespace="default", labels={"kubernetes.io/service-name": name}),
        addressType="IPv4",
        endpoints=found,
        ports=(EndpointPort(name="http", protocol="TCP", port=8080),),
    )


def zone() -> Zone:
    db = endpoints(
        "db",
        Endpoint(addresses=("10.244.0.5",), hostname="db-0"),
        Endpoint(addresses=("10.244.0.6",)),
        Endpoint(addresses=("10.244.0.7",), conditions=EndpointConditions(ready=False)),
    )
    made: Sequence[tuple[Service, Sequence[EndpointSlice]]] = (
        (service("web", "10.96.0.20"), ()),
        (service("db"), (db,)),
        (service("alias", "", type="ExternalName", externalName="web.default.svc.cluster.local"), ()),
        (service("outside", "", type="ExternalName", externalName="example.org"), ()),
    )
    return Zone().with_services(
        {("default", s.metadata.name): service_names(s, slices, "cluster.local") for s, slices in made}
    )


def server(upstreams: str = "", port: int = 53, path: Path = Path("/nonexistent")) -> DnsServer:
    if upstreams:
        path.write_text(upstreams)
    return DnsServer(zone(), Forwarder(resolv_conf=path, port=port), NETWORKS)


async def ask(dns_server: DnsServer, name: str, kind: str = "A", **more: object) -> dns.message.Message:
    query = dns.message.make_query(name, kind, **more)  # type: ignore[arg-type]
    answer = dns.message.from_wire(await dns_server.answer(query.to_wire()))
    assert query.is_response(answer)
    return answer


def texts(answer: dns.message.Message) -> set[str]:
    return {str(rdata) for rrset in answer.answer for rdata in rrset}


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("web.default.svc.cluster.local", "A", {"10.96.0.20"}),
        ("WEB.Default.svc.cluster.local", "A", {"10.96.0.20"}),
        ("_http._tcp.web.default.svc.cluster.local", "SRV", {"0 100 80 web.default.svc.cluster.local."}),
        ("db.default.svc.cluster.local", "A", {"10.244.0.5", "10.244.0.6"}),
        ("db-0.db.default.svc.cluster.local", "A", {"10.244.0.5"}),
        ("10-244-0-6.db.default.svc.cluster.local", "A", {"10.244.0.6"}),
        (
            "_http._tcp.db.default.svc.cluster.local",
            "SRV",
            {
                "0 100 8080 db-0.db.default.svc.cluster.local.",
                "0 100 8080 10-244-0-6.db.default.svc.cluster.local.",
            },
        ),
        ("20.0.96.10.in-addr.arpa", "PTR", {"web.default.svc.cluster.local."}),
        ("5.0.244.10.in-addr.arpa", "PTR", {"db-0.db.default.svc.cluster.local."}),
        ("1-2-3-4.default.pod.cluster.local", "A", {"1.2.3.4"}),
        ("alias.default.svc.cluster.local", "A", {"web.default.svc.cluster.local.", "10.96.0.20"}),
        ("outside.default.svc.cluster.local", "CNAME", {"example.org."}),
        ("dns-version.cluster.local", "TXT", {'"1.1.0"'}),
    ],
)
async def test_a_name_of_the_cluster_has_its_records(name: str, kind: str, expected: set[str]) -> None:
    answer = await ask(server(), name, kind)
    assert answer.rcode() == dns.rcode.NOERROR
    assert answer.flags & dns.flags.AA
    assert texts(answer) == expected


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("web.default.svc.cluster.local", "AAAA", dns.rcode.NOERROR),
        ("svc.cluster.local", "A", dns.rcode.NOERROR),
        ("default.svc.cluster.local", "A", dns.rcode.NOERROR),
        ("_tcp.web.default.svc.cluster.local", "A", dns.rcode.NOERROR),
        ("nobody.default.svc.cluster.local", "A", dns.rcode.NXDOMAIN),
        ("web.other.svc.cluster.local", "A", dns.rcode.NXDOMAIN),
        ("example.org.default.svc.cluster.local", "A", dns.rcode.NXDOMAIN),
        ("x.default.pod.cluster.local", "A", dns.rcode.NXDOMAIN),
        ("9.9.244.10.in-addr.arpa", "PTR", dns.rcode.NXDOMAIN),
    ],
)
async def test_what_is_not_there_is_told_with_the_zones_soa(name: str, kind: str, code: int) -> None:
    answer = await ask(server(), name, kind)
    assert answer.rcode() == code
    assert texts(answer) == set()
    assert answer.authority[0].rdtype == dns.rdatatype.SOA


async def test_srv_answers_carry_their_targets_addresses() -> None:
    answer = await ask(server(), "_http._tcp.db.default.svc.cluster.local", "SRV")
    assert {str(r) for rrset in answer.additional for r in rrset} == {"10.244.0.5", "10.244.0.6"}


async def test_a_kept_answer_is_given_under_the_new_id_and_forgotten_with_the_zone() -> None:
    dns_server = server()
    sent: list[bytes] = []

    class Transport(asyncio.DatagramTransport):
        def sendto(self, data: bytes, addr: object = None) -> None:
            sent.append(data)

    transport = Transport()
    query = dns.message.make_query("web.default.svc.cluster.local", "A")
    for number in (1, 2):
        query.id = number
        dns_server.receive(query.to_wire(), ("127.0.0.1", 9), transport)
    assert dns_server.statistics()["cache_hits"] == 1
    assert [dns.message.from_wire(data).id for data in sent] == [1, 2]
    assert sent[0][2:] == sent[1][2:]
    dns_server.zone = dns_server.zone.with_services({("default", "web"): None})
    dns_server.receive(query.to_wire(), ("127.0.0.1", 9), transport)
    assert dns.message.from_wire(sent[-1]).rcode() == dns.rcode.NXDOMAIN


async def test_an_answer_too_big_for_udp_is_truncated_and_whole_over_tcp() -> None:
    many = endpoints("big", *(Endpoint(addresses=(f"10.244.1.{n}",)) for n in range(1, 100)))
    dns_server = server()
    dns_server.zone = zone().with_services({("default", "big"): service_names(service("big"), [many], "cluster.local")})
    query = dns.message.make_query("big.default.svc.cluster.local", "A")
    cut = dns.message.from_wire(await dns_server.answer(query.to_wire()))
    assert cut.flags & dns.flags.TC
    assert texts(cut) == set()
    whole = dns.message.from_wire(await dns_server.answer(query.to_wire(), stream=True))
    assert len(texts(whole)) == 99


async def test_edns_is_answered_in_kind() -> None:
    answer = await ask(server(), "web.default.svc.cluster.local", "A", use_edns=0, payload=4096)
    assert answer.edns == 0
    assert answer.payload == 1232


async def test_other_names_come_from_upstream_once_per_ttl(tmp_path: Path) -> None:
    asked: list[str] = []

    class Upstream(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def datagram_received(self, data: bytes, addr: object) -> None:
            query = dns.message.from_wire(data)
            asked.append(str(query.question[0].name))
            answer = dns.message.make_response(query)
            answer.answer.append(dns.rrset.from_text(query.question[0].name, 60, "IN", "A", "192.0.2.7"))
            self.transport.sendto(answer.to_wire(), addr)  # type: ignore[attr-defined]

    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(Upstream, local_addr=("127.0.0.1", 0))
    port = transport.get_extra_info("sockname")[1]
    dns_server = server("nameserver 127.0.0.1\n", port, tmp_path / "resolv.conf")
    bound = await dns_server.start("127.0.0.1", 0)
    assert bound > 0
    for _ in range(2):
        assert texts(await ask(dns_server, "example.org")) == {"192.0.2.7"}
    assert asked == ["example.org."]
    alias = await ask(dns_server, "outside.default.svc.cluster.local")
    assert texts(alias) == {"example.org.", "192.0.2.7"}
    transport.close()
    await dns_server.close()


async def test_without_upstreams_other_names_fail_at_once() -> None:
    assert (await ask(server(), "example.org")).rcode() == dns.rcode.SERVFAIL


def test_our_own_addresses_are_no_upstreams() -> None:
    text = "search x\nnameserver 10.244.0.1\nnameserver 192.0.2.1\nnameserver junk\nnameserver 192.0.2.1\n"
    assert read_nameservers(text, {"10.244.0.1"}) == ("192.0.2.1",)


async def test_other_operations_and_classes_are_refused() -> None:
    query = dns.message.make_query("web.default.svc.cluster.local", "A", rdclass="CH")
    assert dns.message.from_wire(await server().answer(query.to_wire())).rcode() == dns.rcode.REFUSED
    query = dns.message.make_query("web.default.svc.cluster.local", "A")
    query.set_opcode(dns.opcode.NOTIFY)
    assert dns.message.from_wire(await server().answer(query.to_wire())).rcode() == dns.rcode.NOTIMP


@given(st.binary(max_size=80))
def test_no_bytes_break_the_parser(data: bytes) -> None:
    try:
        query = wire.parse_query(data)
    except wire.WireError:
        return
    answer = wire.build(query, wire.Code.NOERROR)
    assert answer[12 : 12 + len(query.wire)] == query.wire
