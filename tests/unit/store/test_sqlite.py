from __future__ import annotations

import asyncio
import random
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.store.protocol import Conflict, Entry
from proa.store.sqlite import SqliteStore
from proa.store.sqlite.files import StoreError


def v(name: str) -> bytes:
    return b'{"metadata":{"name":"%b"}}' % name.encode()


async def made(result: int | Conflict) -> int:
    assert isinstance(result, int), result
    return result


def test_every_acknowledged_write_survives_fifty_kills(tmp_path: Path) -> None:
    """kill -9 at any time: what was acknowledged is there, at its revision or newer, and the store opens."""
    directory = tmp_path / "store"
    acknowledged: dict[str, tuple[int, int]] = {}
    pause = random.Random(11)
    for run in range(50):
        child = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("crash_writer.py")), str(directory), str(run)],
            stdout=subprocess.PIPE,
        )
        assert child.stdout is not None
        for _ in range(pause.randrange(1, 60)):
            line = child.stdout.readline()
            assert line.endswith(b"\n"), "the writer ended by itself"
            key, number, revision = line.decode().split()
            acknowledged[key] = (int(number), int(revision))
        child.kill()
        for line in child.stdout.read().splitlines(keepends=True):
            if line.endswith(b"\n"):
                key, number, revision = line.decode().split()
                acknowledged[key] = (int(number), int(revision))
        child.stdout.close()
        child.wait()

    async def check() -> None:
        store = await SqliteStore.open(directory)
        entries = {entry.key: entry for entry in (await store.range("/")).entries}
        for key, (number, revision) in acknowledged.items():
            entry = entries[key]
            assert entry.revision >= revision, key
            if entry.revision == revision:
                assert entry.value == b'{"metadata":{"name":"%d"}}' % number
        assert store.revision >= max(revision for _, revision in acknowledged.values())
        await store.close()

    asyncio.run(check())
    assert len(acknowledged) > 100
    db = sqlite3.connect(directory / "store.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


async def test_everything_is_there_after_reopening(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    first = await made(await store.create("/a/x", v("1")))
    second = await made(await store.update("/a/x", v("2"), first))
    third = await made(await store.create("/a/y", v("1")))
    await made(await store.delete("/a/y", third))
    revision = store.revision
    await store.close()
    store = await SqliteStore.open(tmp_path)
    assert store.revision == revision
    assert await store.get("/a/x") == Entry("/a/x", v("2"), second)
    assert [entry.key for entry in (await store.range("/", revision=third)).entries] == ["/a/x", "/a/y"]
    assert await made(await store.create("/a/z", v("1"))) == revision + 1
    assert store.statistics()["rows"] == 2
    await store.close()


def test_a_ttl_goes_on_over_a_restart(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        store = await SqliteStore.open(tmp_path, clock=clock)
        await store.create("/a/soon", v("1"), ttl=60)
        await store.create("/a/later", v("1"), ttl=600)
        await store.close()
        await clock.advance(100)
        store = await SqliteStore.open(tmp_path, clock=clock)
        await clock.advance(1)
        assert [entry.key for entry in (await store.range("/")).entries] == ["/a/later"]
        await clock.advance(500)
        assert (await store.range("/")).entries == []
        await store.close()

    virtual_run(main)


async def test_concurrent_writes_share_commits(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    await asyncio.gather(*(store.create(f"/a/{number}", v("1")) for number in range(1000)))
    statistics = store.statistics()
    assert statistics["writes"] == 1000
    assert statistics["commits"] < 20
    await store.close()


def test_history_forgets_by_age_and_by_count(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        store = await SqliteStore.open(tmp_path, clock=clock, keep_seconds=300, keep_revisions=1000)
        revision = await made(await store.create("/a/heartbeat", v("0")))
        for _ in range(200):
            await clock.advance(10)
            revision = await made(await store.update("/a/heartbeat", v("1"), revision))
        kept = store.revision - store.statistics()["compacted_revision"]
        assert 30 <= kept <= 40, "five minutes, and what gathers between two compactions"
        for _ in range(3000):
            revision = await made(await store.update("/a/heartbeat", v("1"), revision))
        await clock.advance(61)
        await made(await store.update("/a/heartbeat", v("1"), revision))
        await store.close()
        store = await SqliteStore.open(tmp_path, clock=clock)
        assert store.revision - store.statistics()["compacted_revision"] <= 1001
        await store.close()

    virtual_run(main)
    db = sqlite3.connect(tmp_path / "store.db")
    assert db.execute("SELECT count(*) FROM log").fetchone()[0] <= 1002
    db.close()


async def test_the_file_and_its_log_stay_small_under_endless_updates(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path, keep_revisions=2000)
    value = b'{"metadata":{"name":"%b"}}' % (b"x" * 2000)

    async def writer(name: int) -> None:
        revision = await made(await store.create(f"/a/{name}", value))
        for _ in range(400):
            revision = await made(await store.update(f"/a/{name}", value, revision))

    await asyncio.gather(*(writer(name) for name in range(64)))
    statistics = store.statistics()
    assert statistics["writes"] > 25_000
    assert statistics["file_bytes"] < 40 << 20, "25,000 revisions would be 50 MB; 2,000 and slack are kept"
    assert statistics["wal_bytes"] < 40 << 20
    await store.close()
    assert not (tmp_path / "store.db-wal").exists() or (tmp_path / "store.db-wal").stat().st_size == 0


async def test_the_directory_and_files_are_the_owners_alone(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "data")
    await store.create("/a/x", v("1"))
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "data").iterdir()}
    assert set(modes) == {"store.db", "store.db-wal", "store.db-shm", "store.lock"}
    assert set(modes.values()) == {0o600}
    await store.close()


async def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    with pytest.raises(StoreError, match="in use by another process"):
        await SqliteStore.open(tmp_path)
    await store.close()
    again = await SqliteStore.open(tmp_path)
    await again.close()


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    await store.close()
    db = sqlite3.connect(tmp_path / "store.db")
    db.execute("UPDATE meta SET value = 99 WHERE name = 'schema'")
    db.commit()
    db.close()
    with pytest.raises(StoreError, match="has schema 99, this version of proa knows up to 1: run a newer proa"):
        await SqliteStore.open(tmp_path)


async def test_a_file_that_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "store.db").write_bytes(b"hello, this is not a database at all" * 100)
    with pytest.raises(StoreError, match="cannot be opened"):
        await SqliteStore.open(tmp_path)
    other = tmp_path / "other"
    other.mkdir()
    db = sqlite3.connect(other / "store.db")
    db.execute("CREATE TABLE recipes (name TEXT)")
    db.close()
    with pytest.raises(StoreError, match="not a proa store"):
        await SqliteStore.open(other)


async def test_a_full_disk_fails_the_write_and_not_the_store(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    first = await made(await store.create("/a/x", v("1")))
    (pages,) = store._writer._db.execute("PRAGMA page_count").fetchone()
    store._writer._db.execute(f"PRAGMA max_page_count = {pages}").fetchall()
    with pytest.raises(StoreError, match="full"):
        await store.create("/a/big", b"x" * 200_000)
    assert await store.get("/a/big") is None
    assert store.revision == first
    store._writer._db.execute("PRAGMA max_page_count = 1000000").fetchall()
    assert await made(await store.create("/a/big", b"x" * 200_000)) == first + 1
    await store.close()


async def test_keys_and_values_are_opaque(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path)
    key, value = '/a/"quoted"\\ä\U0001f6f6%', bytes(range(256))
    revision = await made(await store.create(key, value))
    assert await store.get(key) == Entry(key, value, revision)
    second = await made(await store.update(key, b"", revision))
    assert await store.get(key) == Entry(key, b"", second)
    await made(await store.delete(key, second))
    assert (await store.range("/")).entries == []
    await store.close()
