"""A server of our own to measure, as a process: `api` is the API server alone, `server` the whole control plane.

It is what `proa server` runs, on a throw-away directory; a profile can be taken of it.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import signal
import socket
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvloop

from proa.aio.clock import SystemClock
from proa.base.collector import tune_for_server
from proa.base.entropy import BlockRandom
from proa.cluster import settings as settings_module
from proa.cluster.credentials import Credentials
from proa.cluster.paths import ClusterPaths
from proa.cluster.server import Trust, run_server, start_api
from proa.cluster.settings import Settings

NAME = "bench"


def prepare(directory: Path) -> tuple[ClusterPaths, Settings]:
    """The files of a cluster of this name in `directory`, made when missing: settings, certificates, kubeconfig."""
    paths = ClusterPaths.of(NAME, directory)
    found = settings_module.load(paths)
    if found is None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            found = Settings(name=NAME, api_port=probe.getsockname()[1], nodes=0)
        settings_module.save(paths, found)
        Credentials(paths, found, datetime.now(UTC)).ensure_server()
    return paths, found


async def serve_api(paths: ClusterPaths, settings: Settings) -> None:
    """The API server on a durable store, without controllers and scheduler."""
    from proa.store.sqlite import SqliteStore

    clock = SystemClock()
    async with AsyncExitStack() as stack:
        store = await SqliteStore.open(paths.store, clock=clock)
        stack.push_async_callback(store.close)
        trust = Trust.of(Credentials(paths, settings, clock.now()))
        server, _ = await start_api(store, settings, trust, clock, BlockRandom(), stack, host="127.0.0.1")
        await server.listen()
        tune_for_server()
        print("ready", flush=True)
        await asyncio.Event().wait()


async def serve_all(paths: ClusterPaths, settings: Settings) -> None:
    def report(step: str, fields: Mapping[str, Any]) -> None:
        if step == "scheduler-ready":
            print("ready", flush=True)

    await run_server(paths, settings, report=report)


async def _until_told(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.ensure_future(work)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await task


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("api", "server"))
    parser.add_argument("directory", type=Path)
    parser.add_argument("--profile", default="", help="write a cProfile here at the end")
    options = parser.parse_args()
    paths, settings = prepare(options.directory)
    work = serve_api(paths, settings) if options.role == "api" else serve_all(paths, settings)
    if not options.profile:
        uvloop.run(_until_told(work))
        return
    profiler = cProfile.Profile()
    profiler.runcall(uvloop.run, _until_told(work))
    profiler.dump_stats(options.profile)


if __name__ == "__main__":
    main()
