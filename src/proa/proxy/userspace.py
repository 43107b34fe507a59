"""The back end for hosts without nftables: this process accepts on the services' addresses and carries the bytes.

Cluster IPs and external addresses become addresses of the gateway's link, so packets to them are local; each front
end is a TCP listener or a UDP socket. Slower than the kernel by far, and the target sees the node's address instead of
the client's: a fallback. It does ClusterIP, NodePort and external addresses, ready endpoints, policies and session
affinity; source ranges are checked; what has no target refuses. SCTP is not carried, and said so in the log.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from typing import cast

from proa.aio.tasks import TaskFailedError, TaskScope
from proa.net import rtnetlink as rt
from proa.proxy.plan import Ruleset, ServicePort, Target

log = logging.getLogger(__name__)

ANY_ADDRESS = "0.0.0.0"
_CHUNK = 1 << 16
_UDP_IDLE = 60.0
_CONNECT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class FrontEnd:
    """An address to listen on; 0.0.0.0 for node ports."""

    protocol: str
    ip: str
    port: int


def front_ends(ruleset: Ruleset) -> dict[FrontEnd, ServicePort]:
    """Every address to listen on with its service port; of two that claim one, the first by name."""
    found: dict[FrontEnd, ServicePort] = {}
    for port in ruleset.ports:
        for ip in (port.cluster_ip, *port.external_addresses):
            found.setdefault(FrontEnd(port.protocol, ip, port.port), port)
        if port.node_port:
            found.setdefault(FrontEnd(port.protocol, ANY_ADDRESS, port.node_port), port)
    return found


class Chooser:
    """Which target a client gets."""

    def __init__(self, pick: Callable[[tuple[Target, ...]], Target] = random.choice) -> None:
        self._pick = pick
        self._clients: dict[tuple[str, str], tuple[Target, float]] = {}

    def choose(self, front: FrontEnd, port: ServicePort, client: str, now: float) -> Target | None:
        """None: nobody serves this client here."""
        if front.ip in port.load_balancer_ips and port.source_ranges:
            source = IPv4Address(client)
            if not any(source in IPv4Network(allowed) for allowed in port.source_ranges):
                return None
        targets = port.internal_targets if front.ip == port.cluster_ip else port.external_targets
        if not targets:
            return None
        if port.affinity_seconds is None:
            return self._pick(targets)
        kept, until = self._clients.get((port.id, client), (None, 0.0))
        chosen = kept if kept in targets and now < until else self._pick(targets)
        self._clients[port.id, client] = (chosen, now + port.affinity_seconds)
        return chosen


class UserspaceBackend:
    """Listens in the network namespace the process is in; `link` is the link that takes the addresses."""

    def __init__(self, link: str) -> None:
        self._link = link
        self._chooser = Chooser()
        self._wanted: dict[FrontEnd, ServicePort] = {}
        self._listening: dict[FrontEnd, asyncio.Server | asyncio.DatagramTransport] = {}
        self._addresses: set[str] = set()
        self._tasks = TaskScope("userspace-proxy", on_error=self._failed)
        self._counters = {"connections": 0, "failures": 0}

    async def apply(self, ruleset: Ruleset) -> None:
        wanted = front_ends(ruleset)
        for front in [f for f in self._listening if self._is_stale(f, wanted.get(f))]:
            self._listening.pop(front).close()
        self._wanted = wanted
        addresses = {front.ip for front in wanted if front.ip != ANY_ADDRESS}
        await asyncio.to_thread(self._set_addresses, addresses - self._addresses, self._addresses - addresses)
        self._addresses = addresses
        for front, port in wanted.items():
            if front.protocol == "SCTP":
                log.warning("service %s: SCTP needs nftables, it is not served", port.id)
            elif front not in self._listening and self._serves(front, port):
                await self._listen(front)

    async def teardown(self) -> None:
        await self.apply(Ruleset())
        await self._tasks.close()

    def statistics(self) -> dict[str, float]:
        return {**self._counters, "listening": len(self._listening)}

    @staticmethod
    def _serves(front: FrontEnd, port: ServicePort) -> bool:
        """Whether to listen at all: without a target the kernel itself refuses."""
        targets = port.internal_targets if front.ip == port.cluster_ip else port.external_targets
        return bool(targets) and front.protocol != "SCTP"

    def _is_stale(self, front: FrontEnd, port: ServicePort | None) -> bool:
        """Whether a listener must go. One of UDP also when its service changed: its clients hold on to targets."""
        if port is None or not self._serves(front, port):
            return True
        return front.protocol == "UDP" and port != self._wanted[front]

    def _failed(self, failure: TaskFailedError) -> None:
        self._counters["failures"] += 1
        log.warning("%s", failure)

    def _set_addresses(self, added: set[str], removed: set[str]) -> None:
        with rt.Socket() as sock:
            index = sock.link(self._link).index
            for ip in sorted(added):
                sock.send(rt.new_address(index, IPv4Interface(f"{ip}/32")))
            for ip in sorted(removed):
                try:
                    sock.send(rt.delete_address(index, IPv4Interface(f"{ip}/32")))
                except OSError as error:
                    if error.errno != errno.EADDRNOTAVAIL:
                        raise

    async def _listen(self, front: FrontEnd) -> None:
        try:
            if front.protocol == "TCP":
                self._listening[front] = await asyncio.start_server(
                    lambda reader, writer: self._accept(front, reader, writer), front.ip, front.port
                )
            else:
                loop = asyncio.get_running_loop()
                transport, _ = await loop.create_datagram_endpoint(
                    lambda: _UdpFrontEnd(lambda client: self._choose(front, client)), local_addr=(front.ip, front.port)
                )
                self._listening[front] = transport
        except OSError as error:
            self._counters["failures"] += 1
            log.error("service address %s %s:%d: %s", front.protocol, front.ip, front.port, error)

    def _choose(self, front: FrontEnd, client: str) -> Target | None:
        self._counters["connections"] += 1
        return self._chooser.choose(front, self._wanted[front], client, asyncio.get_running_loop().time())

    async def _accept(self, front: FrontEnd, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        target = self._choose(front, writer.get_extra_info("peername")[0])
        if target is None:
            writer.transport.abort()
            return
        try:
            async with asyncio.timeout(_CONNECT_SECONDS):
                back_reader, back_writer = await asyncio.open_connection(target.ip, target.port)
        except (OSError, TimeoutError) as error:
            self._counters["failures"] += 1
            log.warning("service %s: target %s:%d: %s", self._wanted[front].id, target.ip, target.port, error)
            writer.transport.abort()
            return
        async with TaskScope("connection", on_error=self._failed) as scope:
            scope.spawn(_carry(reader, back_writer), name="to-target")
            scope.spawn(_carry(back_reader, writer), name="to-client")
            await scope.join()
        writer.close()
        back_writer.close()


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything one side sends, to the other; then the end of it (half close)."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
    except ConnectionError:
        writer.transport.abort()


class _UdpFrontEnd(asyncio.DatagramProtocol):
    """Each client gets a socket to its target, until nothing comes for a minute."""

    def __init__(self, choose: Callable[[str], Target | None]) -> None:
        self._choose = choose
        self._clients: dict[tuple[str, int], _UdpBackEnd] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        for client in list(self._clients.values()):
            client.close()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        client = self._clients.get(addr)
        if client is None:
            target = self._choose(addr[0])
            if target is None:
                return
            client = self._clients[addr] = _UdpBackEnd(
                target, lambda answer: self._transport.sendto(answer, addr), lambda: self._clients.pop(addr, None)
            )
        client.send(data)


class _UdpBackEnd(asyncio.DatagramProtocol):
    def __init__(self, target: Target, answer: Callable[[bytes], None], ended: Callable[[], object]) -> None:
        self._answer = answer
        self._ended = ended
        self._transport: asyncio.DatagramTransport | None = None
        self._waiting: list[bytes] = []
        loop = asyncio.get_running_loop()
        self._opening = loop.create_task(loop.create_datagram_endpoint(lambda: self, remote_addr=target))
        self._timer = loop.call_later(_UDP_IDLE, self.close)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)
        for data in self._waiting:
            self._transport.sendto(data)
        self._waiting.clear()

    def send(self, data: bytes) -> None:
        self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(_UDP_IDLE, self.close)
        if self._transport is None:
            self._waiting.append(data)
        else:
            self._transport.sendto(data)

    def datagram_received(self, data: bytes, addr: object) -> None:
        self._answer(data)

    def error_received(self, exc: Exception) -> None:
        self.close()

    def close(self) -> None:
        """Forget the client; its next datagram chooses anew."""
        self._timer.cancel()
        self._opening.cancel()
        self._ended()
        if self._transport is not None:
            self._transport.close()
