"""The node's DNS server: the cluster zone from memory, everything else forwarded; UDP and TCP on one address.

It listens on the node's gateway address (`proa.net`); the kube-dns Service leads to it by one EndpointSlice a node and
internalTrafficPolicy Local (`proa.dns.service`), so that every node's pods ask their own node, through the service
proxy's ordinary rules. An answer is built once for a question's bytes without their id and kept until the zone changes;
an answer from there is a dict look-up and a send.
"""

from __future__ import annotations

import asyncio
import logging
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, ip_address
from typing import cast

from proa.aio.tasks import TaskScope
from proa.dns import wire
from proa.dns.forward import Forwarder
from proa.dns.wire import Code, Query, Record, WireError
from proa.dns.zone import TTL, Zone

log = logging.getLogger(__name__)

_CACHE_SIZE = 20_000
_IDLE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Networks:
    """Addresses that are the cluster's: PTR questions about them are not forwarded."""

    pods: IPv4Network
    services: IPv4Network

    def __contains__(self, ip: str) -> bool:
        parsed = ip_address(ip)
        return parsed in self.pods or parsed in self.services


class DnsServer:
    """`zone` may be replaced at any time; the next answer is from the new one."""

    def __init__(self, zone: Zone, forwarder: Forwarder, networks: Networks | None = None) -> None:
        self._zone = zone
        self._forwarder = forwarder
        self._networks = networks
        self._cache: dict[bytes, bytes] = {}
        self._tasks = TaskScope("dns", on_error=lambda failure: log.error("a question failed: %s", failure))
        self._transport: asyncio.DatagramTransport | None = None
        self._stream: asyncio.Server | None = None
        self._counters = {"queries": 0, "cache_hits": 0, "nxdomain": 0, "malformed": 0}

    @property
    def zone(self) -> Zone:
        return self._zone

    @zone.setter
    def zone(self, zone: Zone) -> None:
        if zone is not self._zone:
            self._zone = zone
            self._cache = {}

    async def start(self, host: str, port: int = 53) -> int:
        """Listen; returns the port (another one when `port` is 0). OSError when the address cannot be had."""
        loop = asyncio.get_running_loop()
        self._stream = await asyncio.start_server(self._serve_stream, host, port)
        bound: int = self._stream.sockets[0].getsockname()[1]
        transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(self), local_addr=(host, bound))
        self._transport = transport
        return bound

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._stream is not None:
            self._stream.close()
        await self._tasks.close()
        await self._forwarder.close()

    def statistics(self) -> dict[str, float]:
        zone = {"cached": len(self._cache), "services": len(self._zone.services), "names": len(self._zone.names)}
        return {**self._counters, **zone, **self._forwarder.statistics()}

    def receive(self, data: bytes, peer: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        """One datagram."""
        counters = self._counters
        counters["queries"] += 1
        known = self._cache.get(data[2:])
        if known is not None:
            counters["cache_hits"] += 1
            transport.sendto(data[:2] + known, peer)
            return
        answer = self._at_once(data, stream=False)
        if answer:
            transport.sendto(answer, peer)
        elif answer is None:
            self._tasks.spawn(self._reply(data, peer, transport), name="question")

    async def _reply(self, data: bytes, peer: tuple[str, int], transport: asyncio.DatagramTransport) -> None:
        answer = await self.answer(data)
        if not transport.is_closing():
            transport.sendto(answer, peer)

    async def answer(self, data: bytes, *, stream: bool = False) -> bytes:
        """The answer to a query's bytes, forwarding when it must; empty for what is no query at all."""
        answer = self._at_once(data, stream=stream)
        if answer is not None:
            return answer
        query = wire.parse_query(data)
        if self._zone.covers(query.name):
            return await self._with_alias(query, stream=stream)
        forwarded = await self._forwarder.ask(data[2:], stream=stream)
        if forwarded is None:
            return wire.build(query, Code.SERVFAIL, authoritative=False)
        return data[:2] + forwarded

    def _at_once(self, data: bytes, *, stream: bool) -> bytes | None:
        """The answer when nobody else need be asked. Answers of the zone over UDP are kept."""
        try:
            query = wire.parse_query(data)
        except WireError:
            self._counters["malformed"] += 1
            return data[:2] + b"\x80\x01" + bytes(8) if len(data) >= 12 and not data[2] & 0x80 else b""
        zone = self._zone
        if query.opcode != 0:
            return wire.build(query, Code.NOTIMP, authoritative=False)
        if query.klass != wire.IN:
            return wire.build(query, Code.REFUSED, authoritative=False)
        if zone.covers(query.name):
            answer = zone.lookup(query.name, query.type)
            if self._leads_out(query, answer.records):
                return None
            built = self._build(query, answer.code, answer.records, answer.additional, stream=stream)
        elif (ip := wire.reverse_address(query.name)) and (names := zone.reverse(ip)):
            records = [wire.pointer(query.name, wire.PTR, name, TTL) for name in names]
            found = records if query.type in (wire.PTR, wire.ANY) else []
            built = self._build(query, Code.NOERROR, found, stream=stream)
        elif ip and self._networks is not None and ip in self._networks:
            built = self._build(query, Code.NXDOMAIN, (), stream=stream)
        else:
            kept = None if stream else self._forwarder.cached(data[2:])
            return None if kept is None else data[:2] + kept
        if not stream:
            if len(self._cache) >= _CACHE_SIZE:
                self._cache.clear()
            self._cache[data[2:]] = built[2:]
        return built

    def _build(
        self,
        query: Query,
        code: Code,
        answers: Iterable[Record],
        additional: Iterable[Record] = (),
        *,
        stream: bool,
    ) -> bytes:
        answers = tuple(answers)
        if code is Code.NXDOMAIN:
            self._counters["nxdomain"] += 1
        authorities = () if answers else (self._zone.authority,)
        return wire.build(query, code, answers, authorities, tuple(additional), stream=stream)

    def _leads_out(self, query: Query, records: tuple[Record, ...]) -> bool:
        """Whether the answer is an alias to a name outside of the zone, whose addresses are asked for."""
        return (
            query.type in (wire.A, wire.AAAA)
            and len(records) == 1
            and records[0].type == wire.CNAME
            and not self._zone.covers(self._zone.alias_target(records[0]))
        )

    async def _with_alias(self, query: Query, *, stream: bool) -> bytes:
        (alias,) = self._zone.lookup(query.name, query.type).records
        target = self._zone.alias_target(alias)
        question = wire.pack_name(target) + struct.pack(">HH", query.type, wire.IN)
        key = struct.pack(">HHHHH", query.flags, 1, 0, 0, 0) + question
        forwarded = self._forwarder.cached(key) or await self._forwarder.ask(key)
        found = wire.answer_section(b"\0\0" + forwarded) if forwarded is not None else []
        addresses = [Record(target, kind, struct.unpack(">I", data[:4])[0], data[4:]) for kind, data in found]
        return self._build(query, Code.NOERROR, (alias, *addresses), stream=stream)

    async def _serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                async with asyncio.timeout(_IDLE_SECONDS):
                    (length,) = struct.unpack(">H", await reader.readexactly(2))
                    data = await reader.readexactly(length)
                self._counters["queries"] += 1
                answer = await self.answer(data, stream=True)
                if not answer:
                    break
                writer.write(struct.pack(">H", len(answer)) + answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            pass  # the client has gone or fell silent
        finally:
            writer.close()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.receive(data, addr, self._transport)
