"""idle: what a cluster that has nothing to do uses of a core."""

from __future__ import annotations

import argparse
import asyncio
import time

import psutil

from benches import clusters
from benches.measure import Figure, Report

# Seconds for what follows a start (leases, first syncs) to pass.
SETTLE = 10.0


def add_options(parser: argparse.ArgumentParser) -> None:
    clusters.add_options(parser)
    parser.add_argument("--seconds", type=float, default=20.0, help="how long it is watched")
    parser.add_argument("--settle", type=float, default=SETTLE, help="seconds to wait before")


async def run(options: argparse.Namespace) -> Report:
    if options.commands:
        return await _used(clusters.named(options.commands), options)
    async with clusters.measured(options) as cluster:
        await asyncio.sleep(options.settle)
        return await _used(clusters.processes(cluster), options)


async def _used(found: dict[str, list[psutil.Process]], options: argparse.Namespace) -> Report:
    before = _times(found)
    start = time.perf_counter()
    await asyncio.sleep(options.seconds)
    took = time.perf_counter() - start
    shares = {name: (seconds - before[name]) / took * 100 for name, seconds in _times(found).items()}
    figures = [Figure("idle CPU, everything", sum(shares.values()), "% of a core")]
    figures += [Figure(f"  {name}", share, "% of a core") for name, share in shares.items()]
    return Report(tuple(figures), ("the kernel counts in ticks of 10 ms",))


def _times(found: dict[str, list[psutil.Process]]) -> dict[str, float]:
    """Seconds of CPU by name. Raises psutil.NoSuchProcess when one ended: then the cluster was not idle."""
    return {
        name: sum(times.user + times.system for times in (each.cpu_times() for each in those))
        for name, those in found.items()
    }
