"""SPDY/3.1 framing, as far as port forwarding needs it (kubectl tunnels SPDY frames in WebSocket messages). Pure.

Bytes in, frames out, and back. Both directions have one zlib stream each for the headers, with the dictionary of the
SPDY/3 specification, section 2.6.10.1. Who owns streams and windows is `portforward`.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from proa.base.errors import ProaError

VERSION = 3
FLAG_FIN = 0x01
INITIAL_WINDOW = 64 << 10
MAX_FRAME = 1 << 24

_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _SETTINGS, _PING, _GOAWAY, _HEADERS, _WINDOW_UPDATE = 1, 2, 3, 4, 6, 7, 8, 9

# RST_STREAM status codes.
PROTOCOL_ERROR, INVALID_STREAM, REFUSED_STREAM, CANCEL, INTERNAL_ERROR = 1, 2, 3, 5, 6


class SpdyError(ProaError):
    """The peer sent something that is not SPDY/3.1."""


@dataclass(frozen=True, slots=True)
class SynStream:
    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class SynReply:
    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Headers:
    stream: int
    headers: Mapping[str, str]
    fin: bool = False


@dataclass(frozen=True, slots=True)
class Data:
    stream: int
    data: bytes
    fin: bool = False


@dataclass(frozen=True, slots=True)
class ResetStream:
    stream: int
    status: int


@dataclass(frozen=True, slots=True)
class WindowUpdate:
    stream: int
    delta: int


@dataclass(frozen=True, slots=True)
class Ping:
    id: int


@dataclass(frozen=True, slots=True)
class GoAway:
    last_stream: int
    status: int = 0


@dataclass(frozen=True, slots=True)
class Settings:
    """id to value; id 7 is SETTINGS_INITIAL_WINDOW_SIZE."""

    values: Mapping[int, int]


Frame = SynStream | SynReply | Headers | Data | ResetStream | WindowUpdate | Ping | GoAway | Settings


class Framer:
    """One connection's two directions: `feed` what came, `encode` what is to go, in order."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Frame]:
        """The frames completed by `data`. Raises SpdyError."""
        self._buffer += data
        while len(self._buffer) >= 8:
            length = int.from_bytes(self._buffer[5:8], "big")
            if len(self._buffer) < 8 + length:
                return
            head, body = bytes(self._buffer[:8]), bytes(self._buffer[8 : 8 + length])
            del self._buffer[: 8 + length]
            frame = self._decode(head, body)
            if frame is not None:
                yield frame

    def encode(self, frame: Frame) -> bytes:
        match frame:
            case Data(stream, data, fin):
                return struct.pack(">II", stream, (FLAG_FIN if fin else 0) << 24 | len(data)) + data
            case SynStream(stream, headers, fin):
                body = struct.pack(">IIBB", stream, 0, 0, 0) + self._compress(headers)
                return _control(_SYN_STREAM, body, fin)
            case SynReply(stream, headers, fin):
                return _control(_SYN_REPLY, struct.pack(">I", stream) + self._compress(headers), fin)
            case Headers(stream, headers, fin):
                return _control(_HEADERS, struct.pack(">I", stream) + self._compress(headers), fin)
            case ResetStream(stream, status):
                return _control(_RST_STREAM, struct.pack(">II", stream, status))
            case WindowUpdate(stream, delta):
                return _control(_WINDOW_UPDATE, struct.pack(">II", stream, delta))
            case Ping(identity):
                return _control(_PING, struct.pack(">I", identity))
            case GoAway(last_stream, status):
                return _control(_GOAWAY, struct.pack(">II", last_stream, status))
            case Settings(values):
                entries = b"".join(struct.pack(">II", identity, value) for identity, value in values.items())
                return _control(_SETTINGS, struct.pack(">I", len(values)) + entries)

    def _decode(self, head: bytes, body: bytes) -> Frame | None:
        first, second = struct.unpack(">II", head)
        fin = bool(second >> 24 & FLAG_FIN)
        if not first >> 31:
            return Data(first, body, fin)
        version, kind = first >> 16 & 0x7FFF, first & 0xFFFF
        if version != VERSION:
            raise SpdyError(f"SPDY version {version} is not supported: use {VERSION}")
        try:
            match kind:
                case 1:
                    stream, _, _, _ = struct.unpack_from(">IIBB", body)
                    return SynStream(stream & 0x7FFFFFFF, self._decompress(body[10:]), fin)
                case 2:
                    return SynReply(_u31(body, 0), self._decompress(body[4:]), fin)
                case 3:
                    return ResetStream(_u31(body, 0), _u31(body, 4))
                case 4:
                    count = _u31(body, 0)
                    pairs = [struct.unpack_from(">II", body, 4 + 8 * index) for index in range(count)]
                    return Settings({identity & 0xFFFFFF: value for identity, value in pairs})
                case 6:
                    return Ping(struct.unpack_from(">I", body)[0])
                case 7:
                    return GoAway(_u31(body, 0), _u31(body, 4))
                case 8:
                    return Headers(_u31(body, 0), self._decompress(body[4:]), fin)
                case 9:
                    return WindowUpdate(_u31(body, 0), _u31(body, 4))
                case _:
                    return None  # unknown control frames are ignored (section 2.2.1)
        except (struct.error, zlib.error) as error:
            raise SpdyError(f"malformed SPDY frame of type {kind}: {error}") from error

    def _compress(self, headers: Mapping[str, str]) -> bytes:
        parts = [struct.pack(">I", len(headers))]
        for name, value in headers.items():
            for text in (name.lower().encode(), value.encode()):
                parts += (struct.pack(">I", len(text)), text)
        return self._deflate.compress(b"".join(parts)) + self._deflate.flush(zlib.Z_SYNC_FLUSH)

    def _decompress(self, data: bytes) -> dict[str, str]:
        block = self._inflate.decompress(data, MAX_FRAME)
        (count,) = struct.unpack_from(">I", block)
        offset, texts = 4, []
        for _ in range(2 * count):
            (length,) = struct.unpack_from(">I", block, offset)
            texts.append(block[offset + 4 : offset + 4 + length].decode(errors="replace"))
            offset += 4 + length
        return {name.lower(): value for name, value in zip(texts[::2], texts[1::2], strict=True)}


def _u31(body: bytes, offset: int) -> int:
    value: int = struct.unpack_from(">I", body, offset)[0]
    return value & 0x7FFFFFFF


def _control(kind: int, body: bytes, fin: bool = False) -> bytes:
    return struct.pack(">HHI", 0x8000 | VERSION, kind, (FLAG_FIN if fin else 0) << 24 | len(body)) + body


def _dictionary() -> bytes:
    """SPDY/3, section 2.6.10.1: names and values with their lengths before them, then common fragments."""
    words = [
        "options",
        "head",
        "post",
        "put",
        "delete",
        "trace",
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "accept-ranges",
        "age",
        "allow",
        "authorization",
        "cache-control",
        "connection",
        "content-base",
        "content-encoding",
        "content-language",
        "content-length",
        "content-location",
        "content-md5",
        "content-range",
        "content-type",
        "date",
        "etag",
        "expect",
        "expires",
        "from",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "last-modified",
        "location",
        "max-forwards",
        "pragma",
        "proxy-authenticate",
        "proxy-authorization",
        "range",
        "referer",
        "retry-after",
        "server",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "user-agent",
        "vary",
        "via",
        "warning",
        "www-authenticate",
        "method",
        "get",
        "status",
    ]
    words += ["200 OK", "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"]
    fragments = (
        "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
        "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized"
        "403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable"
        "Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT"
        "chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,"
        "text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0."
    )
    return b"".join(struct.pack(">I", len(word)) + word.encode() for word in words) + fragments.encode()


DICTIONARY = _dictionary()
