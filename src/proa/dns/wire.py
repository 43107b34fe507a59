"""DNS messages as bytes (RFC 1035, EDNS RFC 6891): read a question, write an answer, patch TTLs.

Own code because the server needs only this much: dnspython's message module costs 47 ms and 5 MB to import (CPython
3.11) and 86 us an answer; this costs 1 ms and 8 us. Forwarded answers pass as bytes, so record types need no knowledge
except those the cluster zone serves. Names are lower case, without the last dot; the root is "".
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from ipaddress import ip_address

from proa.base.errors import ProaError

A, NS, CNAME, SOA, PTR, TXT, AAAA, SRV, OPT, ANY = 1, 2, 5, 6, 12, 16, 28, 33, 41, 255
IN = 1
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION_DESIRED, _RECURSION_AVAILABLE = 0x8000, 0x400, 0x200, 0x100, 0x80
_HEADER = struct.Struct(">HHHHHH")
_FIXED = struct.Struct(">HHIH")
_OUR_SIZE = 1232
"""Largest UDP answer, bytes: what passes everywhere unfragmented (DNS flag day 2020)."""


class WireError(ProaError):
    """The bytes are no well-formed DNS query."""


class Code(IntEnum):
    """Response codes (RCODE)."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5


@dataclass(frozen=True, slots=True)
class Query:
    """One question. `wire` is the question section's bytes; `size` what a UDP answer may take, bytes."""

    id: int
    flags: int
    name: str
    type: int
    klass: int
    wire: bytes
    size: int
    edns: bool

    @property
    def opcode(self) -> int:
        return self.flags >> 11 & 0xF


@dataclass(frozen=True, slots=True)
class Record:
    """One resource record of class IN."""

    name: str
    type: int
    ttl: int
    data: bytes


def pack_name(name: str) -> bytes:
    """The name without compression. WireError for a label over 63 bytes or a name over 255."""
    packed = b""
    for label in name.rstrip(".").split(".") if name.rstrip(".") else ():
        encoded = label.encode()
        if not 0 < len(encoded) < 64:
            raise WireError(f"name {name!r}: a label has 1 to 63 bytes")
        packed += bytes((len(encoded),)) + encoded
    if len(packed) > 254:
        raise WireError(f"name {name!r} is longer than 255 bytes")
    return packed + b"\0"


def address(name: str, ip: str, ttl: int) -> Record:
    """A or AAAA, after the address."""
    parsed = ip_address(ip)
    return Record(name, A if parsed.version == 4 else AAAA, ttl, parsed.packed)


def pointer(name: str, type: int, target: str, ttl: int) -> Record:
    """CNAME, PTR or NS."""
    return Record(name, type, ttl, pack_name(target))


def service(name: str, target: str, port: int, weight: int, ttl: int) -> Record:
    """SRV (RFC 2782) of priority 0."""
    return Record(name, SRV, ttl, struct.pack(">HHH", 0, weight, port) + pack_name(target))


def words(name: str, value: str, ttl: int) -> Record:
    """TXT of one string, at most 255 bytes."""
    encoded = value.encode()
    return Record(name, TXT, ttl, bytes((len(encoded),)) + encoded)


def authority(zone: str, serial: int, ttl: int) -> Record:
    """The zone's SOA."""
    names = pack_name(f"ns.dns.{zone}") + pack_name(f"hostmaster.{zone}")
    return Record(zone, SOA, ttl, names + struct.pack(">IIIII", serial, 7200, 1800, 86400, ttl))


def parse_query(data: bytes) -> Query:
    """WireError when it is a response, has not exactly one question, or is malformed."""
    try:
        number, flags, questions, answers, authorities, additional = _HEADER.unpack_from(data)
        if flags & _RESPONSE or questions != 1 or answers or authorities:
            raise WireError("not a query of one question")
        labels, offset = [], 12
        while length := data[offset]:
            if length > 63 or offset + length >= len(data):
                raise WireError("a bad label in the question")
            labels.append(data[offset + 1 : offset + 1 + length].decode("latin-1").lower())
            offset += 1 + length
        kind, klass = struct.unpack_from(">HH", data, offset + 1)
        end = offset + 5
        size, edns, offset = 512, False, end
        for _ in range(additional):
            offset = skip_name(data, offset)
            found, wanted, _, length = _FIXED.unpack_from(data, offset)
            offset += 10 + length
            if found == OPT:
                size, edns = max(512, wanted), True
    except (struct.error, IndexError) as error:
        raise WireError("the query is cut short") from error
    return Query(number, flags, ".".join(labels), kind, klass, data[12:end], min(size, _OUR_SIZE), edns)


def skip_name(data: bytes, offset: int) -> int:
    """The offset behind the name at `offset`. IndexError when it is cut short."""
    while length := data[offset]:
        if length >= 0xC0:
            return offset + 2
        offset += 1 + length
    return offset + 1


def build(
    query: Query,
    code: Code,
    answers: Sequence[Record] = (),
    authorities: Sequence[Record] = (),
    additional: Sequence[Record] = (),
    *,
    authoritative: bool = True,
    stream: bool = False,
) -> bytes:
    """The whole answer. Over UDP, one that does not fit is cut to its header and question with TC set (RFC 2181 9)."""
    flags = _RESPONSE | _RECURSION_AVAILABLE | (query.flags & (_RECURSION_DESIRED | 0x7800)) | code
    if authoritative:
        flags |= _AUTHORITATIVE
    seen = {query.name: 12}
    body = b"".join(_pack_record(record, seen) for section in (answers, authorities, additional) for record in section)
    option = b"\0" + _FIXED.pack(OPT, _OUR_SIZE, 0, 0) if query.edns else b""
    counts = [len(answers), len(authorities), len(additional)]
    if not stream and 12 + len(query.wire) + len(body) + len(option) > query.size:
        flags |= _TRUNCATED
        body, counts = b"", [0, 0, 0]
    header = _HEADER.pack(query.id, flags, 1, counts[0], counts[1], counts[2] + query.edns)
    return header + query.wire + body + option


def _pack_record(record: Record, seen: dict[str, int]) -> bytes:
    at = seen.get(record.name)
    owner = pack_name(record.name) if at is None else struct.pack(">H", 0xC000 | at)
    return owner + _FIXED.pack(record.type, IN, record.ttl, len(record.data)) + record.data


def answer_section(data: bytes) -> list[tuple[int, bytes]]:
    """(type, whole data) of the answer's A and AAAA records: what can be moved into another message as it is."""
    found = []
    for offset in _records(data)[0]:
        kind, _, ttl, length = _FIXED.unpack_from(data, offset)
        if kind in (A, AAAA):
            found.append((kind, struct.pack(">I", ttl) + data[offset + 10 : offset + 10 + length]))
    return found


def ttl_offsets(data: bytes) -> tuple[int, ...]:
    """Where in the message the TTLs of its records are, OPT's aside. WireError when it is malformed."""
    return tuple(
        offset + 4 for section in _records(data) for offset in section if _FIXED.unpack_from(data, offset)[0] != OPT
    )


def _records(data: bytes) -> tuple[list[int], list[int], list[int]]:
    sections: tuple[list[int], list[int], list[int]] = ([], [], [])
    try:
        _, _, questions, *counts = _HEADER.unpack_from(data)
        offset = 12
        for _ in range(questions):
            offset = skip_name(data, offset) + 4
        for section, count in zip(sections, counts, strict=True):
            for _ in range(count):
                offset = skip_name(data, offset)
                section.append(offset)
                offset += 10 + _FIXED.unpack_from(data, offset)[3]
    except (struct.error, IndexError) as error:
        raise WireError("the answer is cut short") from error
    return sections


def reverse_address(name: str) -> str | None:
    """The address a PTR question is about ("4.3.2.1.in-addr.arpa" is 1.2.3.4), None when it is none."""
    labels = name.split(".")
    try:
        if labels[-2:] == ["in-addr", "arpa"] and len(labels) == 6:
            return str(ip_address(".".join(reversed(labels[:4]))))
        if labels[-2:] == ["ip6", "arpa"] and len(labels) == 34:
            digits = "".join(reversed(labels[:32]))
            return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(digits))
    except (ValueError, OSError):
        return None
    return None
