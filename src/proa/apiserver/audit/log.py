"""The log backend: a line of JSON for each event, in a file that is rotated, or on the standard output.

A thread of its own writes, so that a slow disk holds up nobody. Not here: events.
"""

from __future__ import annotations

import asyncio
import gzip
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import BinaryIO

from proa.apiserver.audit.auditor import BATCH, STRICT
from proa.apiserver.audit.events import Document, Written, encode

log = logging.getLogger(__name__)

STDOUT = "-"
_MEGABYTE = 1024 * 1024
_STAMP = "%Y-%m-%dT%H-%M-%S"


class RotatedFile:
    """Appends to a file; before it grows beyond `megabytes` it becomes `<name>-<time><suffix>` and a new one begins.

    Old ones go when they are older than `days` or there are more than `backups` of them; 0: no such limit.
    """

    def __init__(
        self,
        path: Path,
        *,
        megabytes: int = 100,
        days: int = 0,
        backups: int = 0,
        compress: bool = False,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._limit = (megabytes or 100) * _MEGABYTE
        self._days = days
        self._backups = backups
        self._compress = compress
        self._now = now
        self._file: BinaryIO | None = None
        self._size = 0

    def write(self, lines: bytes) -> None:
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._open()
        if self._size and self._size + len(lines) > self._limit:
            self._rotate()
        assert self._file is not None
        self._file.write(lines)
        self._file.flush()
        self._size += len(lines)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._file = os.fdopen(os.open(self._path, flags, 0o600), "ab")
        self._size = self._file.tell()

    def _rotate(self) -> None:
        self.close()
        moment = self._now()
        stamp = f"{moment:{_STAMP}}.{moment.microsecond // 1000:03d}"
        old = self._path.with_name(f"{self._path.stem}-{stamp}{self._path.suffix}")
        self._path.rename(old)
        self._open()
        if self._compress:
            with old.open("rb") as source, gzip.open(f"{old}.gz", "wb") as packed:
                shutil.copyfileobj(source, packed)
            old.unlink()
        self._tidy()

    def _tidy(self) -> None:
        found = sorted(self._old_ones(), reverse=True)
        oldest = self._now() - timedelta(days=self._days)
        for position, (moment, path) in enumerate(found):
            if (self._backups and position >= self._backups) or (self._days and moment < oldest):
                path.unlink(missing_ok=True)

    def _old_ones(self) -> list[tuple[datetime, Path]]:
        found = []
        start, end = f"{self._path.stem}-", self._path.suffix
        for path in self._path.parent.iterdir():
            stamp = path.name.removesuffix(".gz").removesuffix(end).removeprefix(start)
            try:
                moment = datetime.strptime(stamp, f"{_STAMP}.%f").replace(tzinfo=UTC)
            except ValueError:
                continue
            if path.name.startswith(start):
                found.append((moment, path))
        return found


class StandardOutput:
    def write(self, lines: bytes) -> None:
        sys.stdout.buffer.write(lines)
        sys.stdout.buffer.flush()

    def close(self) -> None:
        """It is not ours."""


class LogBackend:
    """Writes what it is given, in order, soon."""

    def __init__(self, file: RotatedFile | StandardOutput, mode: str = BATCH) -> None:
        self.mode = mode
        self._file = file
        self._lines: SimpleQueue[tuple[bytes, Written | None] | None] = SimpleQueue()
        self._thread = Thread(target=self._run, name="audit log", daemon=True)
        self._thread.start()

    def write(self, event: Document) -> Written | None:
        written: Written | None = None if self.mode == BATCH else asyncio.get_running_loop().create_future()
        self._lines.put((encode(event), written))
        return written

    async def close(self) -> None:
        self._lines.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        ended = False
        while not ended:
            batch = [self._lines.get()]
            while not self._lines.empty():
                batch.append(self._lines.get())
            ended = batch[-1] is None
            lines = [each for each in batch if each is not None]
            if lines:
                stored = self._store(b"".join(line for line, _ in lines))
                waited_for = [written for _, written in lines if written is not None]
                if waited_for:
                    loop = waited_for[0].get_loop()
                    loop.call_soon_threadsafe(_tell, waited_for, stored or self.mode != STRICT)
        self._file.close()

    def _store(self, lines: bytes) -> bool:
        try:
            self._file.write(lines)
        except OSError as error:
            log.error("cannot write %d bytes of the audit log: %s", len(lines), error)
            return False
        return True


def _tell(waited_for: Iterable[Written], result: bool) -> None:
    for each in waited_for:
        if not each.done():
            each.set_result(result)
