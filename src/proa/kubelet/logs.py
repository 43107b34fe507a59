"""Reading and rotating container logs in the CRI's format (`<time> <stream> <F|P> <text>`, see `runtime.logs`).

Following waits for the file system's own events. A rotated log is renamed and begun anew; a follower reads the rest of
the old file first.
"""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from proa.machinery.timestamps import to_epoch

_BLOCK = 64 << 10


@dataclass(frozen=True, slots=True)
class LogOptions:
    """PodLogOptions. since: epoch seconds; tail: lines from the end; limit: bytes; stream: All, Stdout or Stderr."""

    follow: bool = False
    tail: int | None = None
    since: float | None = None
    limit: int | None = None
    timestamps: bool = False
    stream: str = "All"


class LogFormatter:
    """Turns lines of the file into what a client sees. Keeps what it must of a line that comes in parts."""

    def __init__(self, options: LogOptions) -> None:
        self._options = options
        self._left = options.limit
        self._mid_line: set[bytes] = set()
        self._stream = b"" if options.stream == "All" else options.stream.lower().encode()

    @property
    def full(self) -> bool:
        """The limit is reached."""
        return self._left is not None and self._left <= 0

    def format(self, line: bytes) -> bytes:
        """The client's bytes for one complete line of the file; empty when it is filtered out or not of the format."""
        parts = line.rstrip(b"\n").split(b" ", 3)
        if len(parts) != 4 or parts[1] not in (b"stdout", b"stderr"):
            return b""
        stamp, stream, tag, text = parts
        if self._stream and stream != self._stream:
            return b""
        if self._options.since is not None and _seconds(stamp) < self._options.since:
            return b""
        partial = tag.split(b":")[0] == b"P"
        out = text if partial else text + b"\n"
        if self._options.timestamps and stream not in self._mid_line:
            out = stamp + b" " + out
        if partial:
            self._mid_line.add(stream)
        else:
            self._mid_line.discard(stream)
        if self._left is not None:
            out = out[: self._left]
            self._left -= len(out)
        return out


def _seconds(stamp: bytes) -> float:
    """Nanoseconds are cut to what a datetime holds."""
    try:
        return to_epoch(stamp.decode())
    except ValueError:
        return 0.0


def seek_tail(file: BinaryIO, lines: int) -> None:
    """Move to where the last `lines` lines of the file begin."""
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return
    position, found = end, 0
    while position > 0:
        size = min(_BLOCK, position)
        position -= size
        file.seek(position)
        block = file.read(size)
        index = len(block)
        while (index := block.rfind(b"\n", 0, index)) >= 0:
            if position + index == end - 1:
                continue  # the last line's own end
            found += 1
            if found == lines:
                file.seek(position + index + 1)
                return
    file.seek(0)


def tail(path: Path, lines: int) -> bytes:
    """The text of the last lines of a log; empty when there is none."""
    formatter = LogFormatter(LogOptions())
    try:
        with path.open("rb") as file:
            seek_tail(file, lines)
            return b"".join(formatter.format(line) for line in file)
    except OSError:
        return b""


async def read_log(path: Path, options: LogOptions, ended: asyncio.Event) -> AsyncIterator[bytes]:
    """The log in chunks. With `follow` until `ended` is set (the container has exited) and all is read."""
    formatter = LogFormatter(options)
    file = path.open("rb")
    try:
        if options.tail is not None:
            seek_tail(file, options.tail)
        rest = b""
        if not options.follow:
            while not formatter.full and (block := file.read(_BLOCK)):
                rest, out = _take(formatter, rest + block)
                if out:
                    yield out
            return
        async for _ in _changes(path, ended):
            while block := file.read(_BLOCK):
                rest, out = _take(formatter, rest + block)
                if out:
                    yield out
                if formatter.full:
                    return
            if _was_rotated(path, file):
                file.close()
                file = path.open("rb")
                while block := file.read(_BLOCK):
                    rest, out = _take(formatter, rest + block)
                    if out:
                        yield out
    finally:
        file.close()


def _take(formatter: LogFormatter, data: bytes) -> tuple[bytes, bytes]:
    """The incomplete rest of the data, and what its complete lines say."""
    lines = data.split(b"\n")
    rest = lines.pop()
    return rest, b"".join([formatter.format(line) for line in lines])


def _was_rotated(path: Path, file: BinaryIO) -> bool:
    try:
        return path.stat().st_ino != os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False


async def _changes(path: Path, ended: asyncio.Event) -> AsyncIterator[None]:
    """Once now, after each change of the directory the log is in, and once more when the container has ended."""
    from asyncinotify import Inotify, Mask

    with Inotify() as inotify:
        inotify.add_watch(path.parent, Mask.MODIFY | Mask.CREATE | Mask.MOVED_TO)
        ending = asyncio.ensure_future(ended.wait())
        waiting = asyncio.ensure_future(inotify.get())
        try:
            yield
            while not ended.is_set():
                await asyncio.wait((ending, waiting), return_when=asyncio.FIRST_COMPLETED)
                if waiting.done():
                    waiting.result()
                    waiting = asyncio.ensure_future(inotify.get())
                yield
        finally:
            ending.cancel()
            waiting.cancel()
            await asyncio.wait((ending, waiting))


def rotate(path: Path, max_size: int, max_files: int) -> bool:
    """Rename a log that has grown past `max_size` bytes, compress older ones, keep `max_files` with the current one.

    True when it was renamed: the runtime must be told to open its log anew.
    """
    try:
        if path.stat().st_size <= max_size:
            return False
    except FileNotFoundError:
        return False
    older = sorted(path.parent.glob(path.name + ".*"))
    for each in older:
        if each.suffix != ".gz":
            with each.open("rb") as source, gzip.open(f"{each}.gz", "wb") as target:
                shutil.copyfileobj(source, target)
            each.unlink()
    older = sorted(path.parent.glob(path.name + ".*"))
    for each in older[: max(0, len(older) - (max_files - 2))]:
        each.unlink()
    path.rename(f"{path}.{datetime.now(UTC):%Y%m%d-%H%M%S}")
    return True
