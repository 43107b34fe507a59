"""A layer's bytes as one forward stream: decompressed and hashed in the same pass.

`LayerReader` offers what tarfile needs of a file (read, tell, forward seek) and no more, so that the archive, the
digest of the uncompressed bytes (the diff ID) and the file contents all come from one reading. The compression is
known by the first bytes, not by a media type that may lie.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from typing import BinaryIO, Protocol

from proa.oci.errors import CorruptContentError

_CHUNK = 1 << 18
_GZIP = b"\x1f\x8b"
_ZSTD = b"\x28\xb5\x2f\xfd"


def compression(source: BinaryIO) -> str:
    """'gzip', 'zstd' or '' for what `source`, standing at its start, holds. Leaves it there."""
    head = source.read(len(_ZSTD))
    source.seek(0)
    return "gzip" if head.startswith(_GZIP) else "zstd" if head.startswith(_ZSTD) else ""


class _Decompressor(Protocol):
    """As bz2, lzma, zstd and isal have it."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, /) -> bytes: ...


class LayerReader:
    """Reads `source` (plain, gzip or zstd) forward; `digest` hashes what has been read, decompressed."""

    def __init__(self, source: BinaryIO, name: str = "layer") -> None:
        self._source = source
        self._name = name
        self._hash = hashlib.sha256()
        self._buffer = memoryview(b"")
        self._at = 0
        head = source.read(_CHUNK)
        self._open = _decompressor(head)
        self._unit: _Decompressor | None = self._open() if self._open else None
        self._feed(head)

    @property
    def digest(self) -> str:
        """sha256 of the decompressed bytes taken so far: the diff ID, after `drain`."""
        return f"sha256:{self._hash.hexdigest()}"

    def tell(self) -> int:
        return self._at

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes; less only at the end."""
        if size <= len(self._buffer):
            return bytes(self._take(size))
        parts = []
        while size > 0 and (piece := self.chunk(size)):
            parts.append(bytes(piece))
            size -= len(piece)
        return b"".join(parts)

    def chunk(self, limit: int) -> memoryview:
        """Some bytes, at most `limit`, without copying; empty only at the end."""
        while not self._buffer:
            data = self._source.read(_CHUNK)
            if not data:
                if self._unit is not None and not self._unit.eof:
                    raise CorruptContentError(f"{self._name} ends in the middle of its compressed stream")
                return self._buffer
            self._feed(data)
        return self._take(min(limit, len(self._buffer)))

    def seek(self, position: int) -> int:
        """Skip forward to `position`, through the hash."""
        if position < self._at:
            raise CorruptContentError(
                f"{self._name} is read forward only: cannot go from {self._at} back to {position}"
            )
        while self._at < position:
            if not self.chunk(position - self._at):
                raise CorruptContentError(f"{self._name} ends at byte {self._at}, expected at least {position}")
        return self._at

    def drain(self) -> None:
        """Read what is left, so that `digest` covers all of it."""
        while self.chunk(_CHUNK):
            pass

    def _take(self, size: int) -> memoryview:
        piece, self._buffer = self._buffer[:size], self._buffer[size:]
        self._at += size
        return piece

    def _feed(self, data: bytes) -> None:
        """Decompress `data` into the (empty) buffer. A stream may be several members or frames, one after another."""
        if self._open is None or self._unit is None:
            self._set(data)
            return
        parts = []
        try:
            while data:
                if self._unit.eof:
                    if not data.strip(b"\0"):  # padding behind the last member
                        break
                    self._unit = self._open()
                parts.append(self._unit.decompress(data))
                data = self._unit.unused_data if self._unit.eof else b""
        except Exception as error:  # each codec has an error class of its own
            raise CorruptContentError(f"{self._name} cannot be decompressed: {error}") from error
        self._set(b"".join(parts) if len(parts) != 1 else parts[0])

    def _set(self, data: bytes) -> None:
        self._hash.update(data)
        self._buffer = memoryview(data)


def _decompressor(head: bytes) -> Callable[[], _Decompressor] | None:
    """What opens the decompressor for a stream that starts with `head`; None when it is not compressed."""
    if head.startswith(_GZIP):
        from isal import igzip_lib

        def gunzip() -> _Decompressor:
            unit: _Decompressor = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            return unit

        return gunzip
    if head.startswith(_ZSTD):
        if sys.version_info >= (3, 14):
            from compression import zstd
        else:
            from backports import zstd

        return zstd.ZstdDecompressor
    return None
