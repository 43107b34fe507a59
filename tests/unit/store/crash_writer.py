"""Writes to a store as fast as it can and prints every acknowledged write, until it is killed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from proa.store.sqlite import SqliteStore


async def main(directory: Path, run: str) -> None:
    store = await SqliteStore.open(directory, keep_revisions=200)

    async def writer(name: int) -> None:
        number = 0
        revision: object = None
        while True:
            key = f"/{run}/{name}/{number // 3}"
            value = b'{"metadata":{"name":"%d"}}' % number
            if number % 3 == 0:
                revision = await store.create(key, value)
            else:
                assert isinstance(revision, int)
                revision = await store.update(key, value, revision)
            assert isinstance(revision, int)
            os.write(1, f"{key} {number} {revision}\n".encode())
            number += 1

    await asyncio.gather(*(writer(name) for name in range(8)))


asyncio.run(main(Path(sys.argv[1]), sys.argv[2]))
