"""Container logs: what of the file a client sees, following it, rotating it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from proa.kubelet.logs import LogOptions, read_log, rotate, tail

LINES = b"""2026-01-01T00:00:00.000000001Z stdout F one
2026-01-01T00:00:01.000000001Z stderr F two
2026-01-01T00:00:02.000000001Z stdout P thr
2026-01-01T00:00:02.500000001Z stdout F ee
2026-01-01T00:00:03.000000001Z stdout F four
"""


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "0.log"
    path.write_bytes(LINES)
    return path


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


async def read(path: Path, **options: Any) -> bytes:
    return b"".join([chunk async for chunk in read_log(path, LogOptions(**options), asyncio.Event())])


async def test_parts_of_a_line_are_joined(log: Path) -> None:
    assert await read(log) == b"one\ntwo\nthree\nfour\n"


async def test_the_tail_is_counted_in_lines_of_the_file(log: Path) -> None:
    assert await read(log, tail=1) == b"four\n"
    assert await read(log, tail=0) == b""
    assert await read(log, tail=100) == b"one\ntwo\nthree\nfour\n"
    assert tail(log, 2) == b"ee\nfour\n"


async def test_a_long_tail_crosses_blocks(tmp_path: Path) -> None:
    path = tmp_path / "0.log"
    line = b"2026-01-01T00:00:00.000000001Z stdout F " + b"x" * 1000 + b"\n"
    path.write_bytes(line * 500)
    assert (await read(path, tail=300)).count(b"\n") == 300


async def test_streams_times_and_limits(log: Path) -> None:
    assert await read(log, stream="Stderr") == b"two\n"
    assert await read(log, since=1767225602.0) == b"three\nfour\n"
    assert await read(log, limit=6) == b"one\ntw"
    assert (await read(log, timestamps=True, tail=1)) == b"2026-01-01T00:00:03.000000001Z four\n"
    assert b"02.000000001Z three" in (await read(log, timestamps=True))


async def test_following_sees_what_is_written_until_the_container_ends(log: Path) -> None:
    ended = asyncio.Event()
    chunks = read_log(log, LogOptions(follow=True, tail=1), ended)
    assert await anext(chunks) == b"four\n"
    append(log, b"2026-01-01T00:00:04.000000001Z stdout F five\n")
    assert await anext(chunks) == b"five\n"
    append(log, b"2026-01-01T00:00:05.000000001Z stdout F last\n")
    ended.set()
    assert b"".join([chunk async for chunk in chunks]) == b"last\n"


async def test_following_goes_on_in_the_new_file_after_a_rotation(log: Path) -> None:
    chunks = read_log(log, LogOptions(follow=True, tail=1), asyncio.Event())
    assert await anext(chunks) == b"four\n"
    assert rotate(log, 10, 5)
    append(log, b"2026-01-01T00:00:04.000000001Z stdout F new\n")
    assert await anext(chunks) == b"new\n"
    await chunks.aclose()  # type: ignore[attr-defined]


def test_a_small_log_is_not_rotated(log: Path) -> None:
    assert not rotate(log, 1 << 20, 5)
    assert not rotate(log.parent / "absent.log", 1, 5)


def test_rotation_keeps_so_many_files_and_compresses_the_older(log: Path) -> None:
    for old in ("20250101-000000", "20250102-000000", "20250103-000000"):
        (log.parent / f"0.log.{old}").write_bytes(b"old")
    assert rotate(log, 10, 3)
    left = sorted(each.name for each in log.parent.iterdir())
    assert not log.exists()
    assert len(left) == 2, "with the one the runtime opens anew there are three"
    assert left[0] == "0.log.20250103-000000.gz"
