"""Questions about other names: asked of the host's own name servers, as bytes, and remembered for their TTL.

The servers come from resolv.conf, read again when it changes, without those that are ourselves (a loop). They are
asked one after the other 0.2 s apart until the first good answer; equal questions under way share one. A question
goes out from a port of its own under an id of its own, and only an answer to both counts.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
import secrets
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from proa.dns import wire
from proa.dns.wire import Code

RESOLV_CONF = Path("/etc/resolv.conf")
RESOLVED_CONF = Path("/run/systemd/resolve/resolv.conf")
"""systemd-resolved's real servers, for where its local stub (127.0.0.53) cannot be reached."""
_STAGGER = 0.2
_TIMEOUT = 4.0
_LONGEST = 300
_CACHE_SIZE = 10_000
_IN_FLIGHT = 1000


def read_nameservers(text: str, excluded: Iterable[str] = ()) -> tuple[str, ...]:
    """The servers of a resolv.conf, without the excluded ones and those that are no address."""
    found = []
    for line in text.splitlines():
        fields = line.split()
        if len(fields) < 2 or fields[0] != "nameserver":
            continue
        with suppress(ValueError):
            found.append(str(ipaddress.ip_address(fields[1].partition("%")[0])))
    unwanted = set(excluded)
    return tuple(dict.fromkeys(ip for ip in found if ip not in unwanted))


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    offsets: tuple[int, ...]
    stored: float
    expires: float


class Forwarder:
    """Asks upstream. `excluded`: our own addresses. `port`: the upstreams' (for tests)."""

    def __init__(self, excluded: Iterable[str] = (), resolv_conf: Path = RESOLV_CONF, port: int = 53) -> None:
        self._excluded = frozenset(excluded)
        self._path = resolv_conf
        self._port = port
        self._stamp: tuple[int, int] | None = None
        self._servers: tuple[str, ...] = ()
        self._kept: dict[bytes, _Kept] = {}
        self._asking: dict[bytes, asyncio.Task[bytes | None]] = {}
        self._counters = {"forwarded": 0, "forward_hits": 0, "forward_failures": 0}

    @property
    def servers(self) -> tuple[str, ...]:
        """The upstreams now."""
        try:
            status = os.stat(self._path)
            stamp = (status.st_mtime_ns, status.st_ino)
            if stamp != self._stamp:
                self._servers = self._read()
                self._stamp = stamp
        except OSError:
            self._servers, self._stamp = (), None
        return self._servers

    def _read(self) -> tuple[str, ...]:
        found = read_nameservers(self._path.read_text(), self._excluded)
        if found and all(ipaddress.ip_address(ip).is_loopback for ip in found) and RESOLVED_CONF.exists():
            return read_nameservers(RESOLVED_CONF.read_text(), self._excluded) or found
        return found

    def cached(self, key: bytes) -> bytes | None:
        """The remembered answer without its id, its TTLs less its age; `key` is the query without its id."""
        kept = self._kept.get(key)
        if kept is None:
            return None
        now = asyncio.get_running_loop().time()
        if now >= kept.expires:
            del self._kept[key]
            return None
        self._counters["forward_hits"] += 1
        age = int(now - kept.stored)
        if not age:
            return kept.data
        data = bytearray(kept.data)
        for offset in kept.offsets:
            (ttl,) = struct.unpack_from(">I", data, offset - 2)
            struct.pack_into(">I", data, offset - 2, max(0, ttl - age))
        return bytes(data)

    async def ask(self, key: bytes, *, stream: bool = False) -> bytes | None:
        """The answer without its id, or None when nobody gave one in 4 s."""
        asking = self._asking.get(key) if not stream else None
        if asking is None:
            if len(self._asking) >= _IN_FLIGHT:
                return None
            asking = asyncio.get_running_loop().create_task(self._ask(key, stream))
            if not stream:
                self._asking[key] = asking
                asking.add_done_callback(lambda _: self._asking.pop(key, None))
        return await asyncio.shield(asking)

    async def close(self) -> None:
        for task in list(self._asking.values()):
            task.cancel()
        await asyncio.gather(*self._asking.values(), return_exceptions=True)

    def statistics(self) -> dict[str, float]:
        return {**self._counters, "forward_kept": len(self._kept), "upstreams": len(self._servers)}

    async def _ask(self, key: bytes, stream: bool) -> bytes | None:
        self._counters["forwarded"] += 1
        ask = self._ask_stream if stream else self._ask_datagram
        waiting: set[asyncio.Task[bytes]] = set()
        servers = list(self.servers)
        refused: bytes | None = None
        try:
            async with asyncio.timeout(_TIMEOUT):
                while servers or waiting:
                    if servers:
                        waiting.add(asyncio.create_task(ask(servers.pop(0), key)))
                    done, waiting = await asyncio.wait(
                        waiting, timeout=_STAGGER if servers else None, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        if task.exception() is not None:
                            continue
                        answer = task.result()
                        if answer[1] & 0xF in (Code.NOERROR, Code.NXDOMAIN):
                            self._keep(key, answer)
                            return answer
                        refused = answer
        except TimeoutError:
            pass
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        self._counters["forward_failures"] += 1
        return refused

    async def _ask_datagram(self, server: str, key: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        number = secrets.token_bytes(2)
        transport, protocol = await loop.create_datagram_endpoint(
            lambda: _Waiting(number, key), remote_addr=(server, self._port)
        )
        try:
            transport.sendto(number + key)
            return await protocol.answer
        finally:
            transport.close()

    async def _ask_stream(self, server: str, key: bytes) -> bytes:
        reader, writer = await asyncio.open_connection(server, self._port)
        try:
            number = secrets.token_bytes(2)
            writer.write(struct.pack(">H", len(key) + 2) + number + key)
            (length,) = struct.unpack(">H", await reader.readexactly(2))
            data = await reader.readexactly(length)
        finally:
            writer.close()
        if data[:2] != number:
            raise wire.WireError("an answer to another question")
        return data[2:]

    def _keep(self, key: bytes, answer: bytes) -> None:
        truncated = answer[0] & 0x02
        try:
            offsets = wire.ttl_offsets(b"\0\0" + answer)
        except wire.WireError:
            return
        lives = [struct.unpack_from(">I", answer, offset - 2)[0] for offset in offsets]
        life = min(lives, default=0)
        if truncated or not life:
            return
        while len(self._kept) >= _CACHE_SIZE:
            del self._kept[next(iter(self._kept))]
        now = asyncio.get_running_loop().time()
        self._kept[key] = _Kept(answer, offsets, now, now + min(life, _LONGEST))


class _Waiting(asyncio.DatagramProtocol):
    """Takes the first datagram that answers our id and our question."""

    def __init__(self, number: bytes, key: bytes) -> None:
        self.answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._number = number
        end = wire.skip_name(b"\0\0" + key, 12) + 4
        self._question = key[10 : end - 2].lower()

    def datagram_received(self, data: bytes, addr: object) -> None:
        matches = data[:2] == self._number and data[12 : 12 + len(self._question)].lower() == self._question
        if matches and len(data) > 3 and data[2] & 0x80 and not self.answer.done():
            self.answer.set_result(data[2:])

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.answer.done():
            self.answer.cancel()
