"""Which images there are and who uses them: names and pins, in one small file shared by several processes.

A name (`docker.io/library/web:1` or `docker.io/library/web@sha256:...`) points at the digest of an index or manifest.
A pin says that an owner (a sandbox or container) uses a manifest, whatever its names become. Changes happen under a
file lock and replace the file whole; readers need no lock. Everything here blocks: call it in a thread.
"""

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import msgspec

from proa.oci.content import sync_directory
from proa.oci.errors import CorruptContentError


class Entries(msgspec.Struct, frozen=True):
    """`names`: full reference to root digest. `pins`: owner to the manifest digests it uses."""

    names: dict[str, str] = {}
    pins: dict[str, tuple[str, ...]] = {}
    version: int = 1


class Catalog:
    """The catalogue of the store at `root`."""

    def __init__(self, root: Path) -> None:
        self._path = root / "images.json"
        self._lock = root / "images.lock"
        self._cached: tuple[tuple[int, int], Entries] | None = None

    def read(self) -> Entries:
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return Entries()
        version = (status.st_ino, status.st_mtime_ns)
        if self._cached is None or self._cached[0] != version:
            try:
                entries = msgspec.json.decode(self._path.read_bytes(), type=Entries)
            except msgspec.DecodeError as error:
                raise CorruptContentError(f"{self._path} cannot be read: {error}") from error
            if entries.version != 1:
                raise CorruptContentError(f"{self._path} has version {entries.version}: this release reads version 1")
            self._cached = (version, entries)
        return self._cached[1]

    def change(self, edit: Callable[[Entries], Entries]) -> Entries:
        """Replace the entries by `edit` of them, as one step among all processes."""
        with locked(self._lock):
            old = self.read()
            new = edit(old)
            if new != old:
                self._write(new)
            return new

    def _write(self, entries: Entries) -> None:
        temporary = self._path.with_name(f"images.{uuid4().hex}.tmp")
        with open(temporary, "wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(entries, order="sorted"), indent=1))
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, self._path)
        sync_directory(self._path.parent)


@contextmanager
def locked(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the file lock `path`, waiting for it. The kernel lets go when the process dies."""
    fd = lock(path, shared=shared)
    try:
        yield
    finally:
        os.close(fd)


def lock(path: Path, *, shared: bool = False) -> int:
    """Take the file lock; closing the returned descriptor gives it back."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
    except BaseException:
        os.close(fd)
        raise
    return fd


def try_lock(path: Path) -> int | None:
    """The exclusive file lock if it is free at this moment."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd
