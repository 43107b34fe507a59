"""Content-addressed blobs on disk: `blobs/<algorithm>/<hex>`, as in an OCI image layout.

A blob appears under its name only when it is complete, verified and on disk (write, hash, fsync, rename), so readers
need no lock and several processes may share the directory. Which blobs are still wanted is the store's question, not
this module's. Everything here blocks: call it in a thread.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import BinaryIO
from uuid import uuid4

from proa.oci.errors import CorruptContentError
from proa.oci.reference import is_digest

CHUNK = 1 << 20


class Content:
    """The blobs below `root`; unfinished ones are in `root/ingest`."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        self.ingest = root / "ingest"
        for directory in (self._blobs / "sha256", self._blobs / "sha512", self.ingest):
            directory.mkdir(parents=True, exist_ok=True)

    def path(self, digest: str) -> Path:
        if not is_digest(digest):
            raise CorruptContentError(f"digest {digest!r} is not valid: expected sha256: and 64 hexadecimal digits")
        algorithm, _, value = digest.partition(":")
        return self._blobs / algorithm / value

    def has(self, digest: str) -> bool:
        return self.path(digest).exists()

    def size(self, digest: str) -> int:
        """Bytes on disk; 0 for a blob that is not there."""
        try:
            return self.path(digest).stat().st_size
        except FileNotFoundError:
            return 0

    def read(self, digest: str) -> bytes:
        """A small blob (a manifest or configuration), verified again: disks rot and people edit."""
        try:
            data = self.path(digest).read_bytes()
        except FileNotFoundError:
            raise CorruptContentError(
                f"content {digest} is missing from the image store: pull or import it again"
            ) from None
        verify(data, digest)
        return data

    def add(self, data: bytes) -> str:
        """Store `data`; its digest."""
        with BlobWriter(self) as writer:
            writer.write(data)
            return writer.commit()

    def all(self) -> Iterator[str]:
        for algorithm in ("sha256", "sha512"):
            for entry in os.scandir(self._blobs / algorithm):
                yield f"{algorithm}:{entry.name}"

    def delete(self, digest: str) -> int:
        """Remove the blob; the bytes this frees."""
        size = self.size(digest)
        self.path(digest).unlink(missing_ok=True)
        return size


class BlobWriter:
    """Writes one blob. Leaving the context without `commit` throws it away, unless it is `resumable`.

    A resumable writer keeps its partial file under the expected digest's name; opening it again continues behind the
    bytes that are already there (`offset`), after hashing them.
    """

    def __init__(self, content: Content, expected: str = "", *, resumable: bool = False) -> None:
        self._content = content
        self._expected = expected
        self._hash = hashlib.new(expected.partition(":")[0] if expected else "sha256")
        self._path = content.ingest / f"{uuid4().hex}.tmp"
        partial = content.ingest / f"{expected.replace(':', '-')}.partial"
        file = _open_alone(partial) if resumable else None
        if file is not None:
            self._path = partial
        self._keep = file is not None  # else another process downloads the same: both do, one wins
        self._file: BinaryIO = file or open(self._path, "wb+")  # noqa: SIM115 - closed by __exit__
        self.offset = 0
        if file is not None:
            self._file.seek(0)
            while chunk := self._file.read(CHUNK):
                self._hash.update(chunk)
                self.offset += len(chunk)

    def __enter__(self) -> BlobWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if not self._keep:
            self._path.unlink(missing_ok=True)

    def write(self, data: bytes | memoryview) -> None:
        self._file.write(data)
        self._hash.update(data)
        self.offset += len(data)

    def restart(self) -> None:
        """Forget what was written: the source cannot continue where we stopped."""
        self._file.seek(0)
        self._file.truncate()
        self._hash = hashlib.new(self._hash.name)
        self.offset = 0

    def commit(self) -> str:
        """Verify, make durable, name it. Raises CorruptContentError (and forgets the bytes) on a wrong digest."""
        digest = f"{self._hash.name}:{self._hash.hexdigest()}"
        if self._expected and digest != self._expected:
            self._keep = False
            raise CorruptContentError(f"content has digest {digest}, expected {self._expected}")
        target = self._content.path(digest)
        if target.exists():
            self._keep = False
            return digest
        self._file.flush()
        os.fsync(self._file.fileno())
        os.chmod(self._file.fileno(), 0o644)
        os.rename(self._path, target)
        sync_directory(target.parent)
        return digest


def _open_alone(path: Path) -> BinaryIO | None:
    """The partial file, locked for us; None while another process has it."""
    while True:
        file = open(path, "ab+")  # noqa: SIM115 - belongs to the caller
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(file.fileno()).st_ino == os.stat(path).st_ino:
                return file
            file.close()  # it was completed and renamed in between: what we have opened is the blob
        except BlockingIOError:
            file.close()
            return None
        except FileNotFoundError:
            file.close()


def verify(data: bytes, digest: str) -> None:
    """Raises CorruptContentError unless `data` has `digest`."""
    algorithm, _, expected = digest.partition(":")
    found = hashlib.new(algorithm, data).hexdigest()
    if found != expected:
        raise CorruptContentError(f"content has digest {algorithm}:{found}, expected {digest}")


def sync_directory(path: Path) -> None:
    """Make a rename in `path` survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
