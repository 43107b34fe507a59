"""memory: what is resident, idle and with a full store.

PSS divides shared pages among those who share them, so that its sum is what the machine gives up; the sum of RSS is
shown beside it because it is what `ps` shows.
"""

from __future__ import annotations

import argparse
import asyncio

import psutil

from benches import api, clusters, subject
from benches.idle import SETTLE
from benches.measure import Figure, Report

_MB = 1e6


def add_options(parser: argparse.ArgumentParser) -> None:
    clusters.add_options(parser)
    parser.add_argument("--pods", type=int, default=16_000, help="pods in the full store; 0 leaves that out")
    parser.add_argument("--settle", type=float, default=SETTLE, help="seconds to wait before measuring")


async def run(options: argparse.Namespace) -> Report:
    if options.commands:
        return Report(_resident("resident", clusters.named(options.commands)))
    figures: tuple[Figure, ...] = ()
    notes: tuple[str, ...] = ()
    async with clusters.measured(options) as cluster:
        await asyncio.sleep(options.settle)
        figures += _resident("resident idle", clusters.processes(cluster))
    if options.pods and not options.kubeconfig:
        figures += await _full(options)
        notes = (
            "the full store is a control plane's of its own: API server, controllers and scheduler in one process",
        )
    return Report(figures, notes)


async def _full(options: argparse.Namespace) -> tuple[Figure, ...]:
    """A control plane before and after it is given the pods, and one started on them."""
    found: list[Figure] = []
    async with subject.directory() as directory:
        async with subject.own("server", directory) as empty:
            await asyncio.sleep(options.settle / 2)
            found += _resident("server alone, empty store", {"server": [psutil.Process(empty.pid)]})[:2]
            await api.fill(empty, range(options.pods))
            await asyncio.sleep(options.settle / 2)
            found += _resident(f"server alone, after {options.pods:,} pods", {"server": [psutil.Process(empty.pid)]})[
                :2
            ]
        async with subject.own("server", directory) as again:
            await asyncio.sleep(options.settle / 2)
            name = f"server alone, started on {options.pods:,} pods"
            found += _resident(name, {"server": [psutil.Process(again.pid)]})[:2]
    return tuple(found)


def _resident(name: str, found: dict[str, list[psutil.Process]]) -> tuple[Figure, ...]:
    """The sums, then each part's PSS."""
    full = {part: [each.memory_full_info() for each in those] for part, those in found.items()}
    every = [each for those in full.values() for each in those]
    return (
        Figure(f"{name}, PSS", sum(each.pss for each in every) / _MB, "MB"),
        Figure(f"{name}, RSS", sum(each.rss for each in every) / _MB, "MB"),
        *(Figure(f"  {part}, PSS", sum(each.pss for each in those) / _MB, "MB") for part, those in full.items()),
    )
