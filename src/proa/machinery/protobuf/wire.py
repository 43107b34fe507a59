"""The bytes of protobuf, and of the two wrappings Kubernetes puts around a message.

Source: the protobuf encoding (proto2), the `k8s\\0` envelope (runtime.Unknown) and the length-prefixed frames of a
watch. Not here: what the fields of a message mean.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

from proa.base.errors import ProaError

MAGIC = b"k8s\0"
MEDIA_TYPE = "application/vnd.kubernetes.protobuf"

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

Value = int | bytes
"""A field's value: a number, or the bytes of anything else."""


class ProtobufError(ProaError, ValueError):
    """The bytes are no Kubernetes protobuf message of the type they should be."""


MALFORMED = (IndexError, struct.error, UnicodeDecodeError)
"""What reading bytes that are no message raises; callers make a ProtobufError of it."""


# --- reading ---


def fields(data: bytes) -> list[tuple[int, Value]]:
    """(number, value) of every field, in order."""
    found: list[tuple[int, Value]] = []
    at, end = 0, len(data)
    while at < end:
        tag, at = read_varint(data, at)
        wire = tag & 7
        value: Value
        if wire == VARINT:
            value, at = read_varint(data, at)
        else:
            if wire == BYTES:
                length, at = read_varint(data, at)
            elif wire in (FIXED64, FIXED32):
                length = 8 if wire == FIXED64 else 4
            else:
                raise ProtobufError(f"wire type {wire} is not served")
            if at + length > end:
                raise ProtobufError("a field is longer than its message")
            value = data[at : at + length]
            at += length
        found.append((tag >> 3, value))
    return found


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    """The unsigned number at `at`, and where it ends."""
    byte = data[at]
    at += 1
    if byte < 0x80:
        return byte, at
    value, shift = byte & 0x7F, 7
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
        if shift > 63:
            raise ProtobufError("a number is longer than 64 bits")


def signed(value: int) -> int:
    """An int32 or int64 from its unsigned form."""
    return value - (1 << 64) if value >= 1 << 63 else value


def as_bytes(value: Value) -> bytes:
    """A value that must be text or a message."""
    if not isinstance(value, bytes):
        raise ProtobufError("a number stands where text or a message should")
    return value


def as_integer(value: Value) -> int:
    """A value that must be a number."""
    if not isinstance(value, int):
        raise ProtobufError("text or a message stands where a number should")
    return value


# --- writing ---


def varint(value: int) -> bytes:
    """A number; a negative one takes ten bytes, as for int32 and int64."""
    if 0 <= value < 0x80:
        return bytes((value,))
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(number: int, wire: int) -> bytes:
    """What stands before a field's value."""
    return varint(number << 3 | wire)


def delimited(number: int, data: bytes) -> bytes:
    """A field of text, bytes or a message."""
    return b"%b%b%b" % (tag(number, BYTES), varint(len(data)), data)


# --- the envelope ---

# contentEncoding and contentType, which are always written and always empty.
_ENVELOPE_END = delimited(3, b"") + delimited(4, b"")


@lru_cache(1024)
def envelope_start(api_version: str, kind: str) -> bytes:
    """What stands before the field that holds an enveloped message."""
    return MAGIC + delimited(1, delimited(1, api_version.encode()) + delimited(2, kind.encode()))


def enveloped(api_version: str, kind: str, element: bytes) -> bytes:
    """An enveloped message. It is field 2 of its envelope, as an item is of its list: `element` is that whole field."""
    return b"%b%b%b" % (envelope_start(api_version, kind), element, _ENVELOPE_END)


def enveloped_list(api_version: str, kind: str, metadata: bytes, elements: Sequence[bytes]) -> list[bytes]:
    """The parts of an enveloped list: `metadata` is the message of its ListMeta, `elements` its items' fields."""
    head = delimited(1, metadata)
    size = len(head) + sum(map(len, elements))
    return [envelope_start(api_version, kind) + tag(2, BYTES) + varint(size) + head, *elements, _ENVELOPE_END]


def open_envelope(body: bytes) -> tuple[str, str, bytes]:
    """(apiVersion, kind, message) of an enveloped message. Raises ProtobufError."""
    if not body.startswith(MAGIC):
        raise ProtobufError("the body does not start with the prefix of Kubernetes protobuf")
    api_version = kind = ""
    raw = b""
    try:
        for number, value in fields(body[len(MAGIC) :]):
            if number == 1:
                for inner, text in fields(as_bytes(value)):
                    if inner == 1:
                        api_version = as_bytes(text).decode()
                    elif inner == 2:
                        kind = as_bytes(text).decode()
            elif number == 2:
                raw = as_bytes(value)
            elif number == 3 and value:
                raise ProtobufError("the message is encoded once more, which is not served")
    except MALFORMED as error:
        raise ProtobufError(f"malformed protobuf envelope: {error}") from None
    return api_version, kind, raw


# --- a watch ---


def frame(type: str, body: bytes) -> bytes:
    """One event of a watch: a WatchEvent around an enveloped object, behind its length in four bytes."""
    event = delimited(1, type.encode()) + delimited(2, delimited(1, body))
    return struct.pack(">I", len(event)) + event
