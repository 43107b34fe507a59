"""watch: how long after a create is sent its event has reached watchers, all of them watching the same collection.

Creates are sent at a fixed pace whether earlier ones were answered or not, so that a slow moment is measured and not
waited out. The clock of an event stops when the bytes of its line are read.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import re
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

from benches import load, objects, subject
from benches.load import Lane
from benches.measure import Figure, Report, median, percentile
from benches.subject import Subject

_NAME = re.compile(rb'"name":"n-(\d{8})"')


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--watchers", type=int, default=100)
    parser.add_argument("--rate", type=float, default=200.0, help="creates a second")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long a round lasts")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pods", action="store_true", help="create pods, not ConfigMaps")


async def run(options: argparse.Namespace) -> Report:
    async with AsyncExitStack() as stack:
        directory = await stack.enter_async_context(subject.directory())
        under_test = await stack.enter_async_context(
            subject.given(Path(options.kubeconfig)) if options.kubeconfig else subject.own("api", directory)
        )
        bench = Delivery(under_test, options.pods)
        await bench.open(options.watchers)
        middles, highs = [], []
        busy = 0.0
        for number in range(options.rounds + 1):
            used = time.process_time()
            latencies = await bench.round(options.rate, options.seconds if number else 1.0)
            if number:  # the first is the warm-up
                busy = max(busy, (time.process_time() - used) / options.seconds)
                middles.append(percentile(latencies, 50) * 1e3)
                highs.append(percentile(latencies, 99) * 1e3)
        bench.close()
    name = f"delivery to {options.watchers} watchers, {options.rate:.0f} creates/s"
    figures = (Figure(f"{name}, p50", median(middles), "ms"), Figure(f"{name}, p99", median(highs), "ms"))
    return Report(figures, (f"watching and creating used {busy:.0%} of a core of their own",))


class Delivery:
    """Watchers of one collection, and the creates they wait for."""

    def __init__(self, under_test: Subject, pods: bool) -> None:
        self._endpoint = under_test.endpoint
        self._path = under_test.path("pods" if pods else "configmaps")
        document = objects.unscheduled_pod() if pods else objects.config_map()
        self._sent: dict[int, float] = {}
        self._requests = self._noted(objects.posts(self._endpoint, self._path, document))
        self._latencies: list[float] = []
        self._missing = 0
        self._seen_all = asyncio.Event()
        self._watchers: list[load.Lines] = []
        self._lanes: list[Lane] = []

    async def open(self, watchers: int) -> None:
        self._watchers = [
            await load.watch(self._endpoint, f"{self._path}?watch=true", self._seen) for _ in range(watchers)
        ]
        self._lanes = [await load.connect(self._endpoint) for _ in range(16)]

    async def round(self, rate: float, seconds: float) -> list[float]:
        """Seconds from sending to reading, for every create and watcher. Raises LoadError when some never come."""
        self._latencies.clear()
        self._seen_all.clear()
        count = int(rate * seconds)
        self._missing = count * len(self._watchers)
        idle: asyncio.Queue[Lane] = asyncio.Queue()
        for lane in self._lanes:
            idle.put_nowait(lane)
        start = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(max(0.0, start + number / rate - asyncio.get_running_loop().time()))
                group.create_task(self._create(await idle.get(), idle))
        try:
            async with asyncio.timeout(5.0):
                await self._seen_all.wait()
        except TimeoutError:
            raise load.LoadError(f"{self._missing} events have not come after 5 s") from None
        return list(self._latencies)

    def close(self) -> None:
        for each in (*self._watchers, *self._lanes):
            each.transport.close()

    async def _create(self, lane: Lane, idle: asyncio.Queue[Lane]) -> None:
        await lane.start(itertools.islice(self._requests, 1), 0.0)
        idle.put_nowait(lane)

    def _noted(self, requests: Iterator[bytes]) -> Iterator[bytes]:
        """The requests, each with its number and moment noted as it is taken."""
        for number, request in enumerate(requests):
            self._sent[number] = time.perf_counter()
            yield request

    def _seen(self, now: float, lines: bytes) -> None:
        for line in lines.split(b"\n"):
            # The head of a line is enough: it must be the creation of one of ours.
            found = _NAME.search(line)
            if found is None or not line.startswith(b'{"type":"ADDED"'):
                continue
            sent = self._sent.get(int(found[1]))
            if sent is not None:
                self._latencies.append(now - sent)
                self._missing -= 1
        if self._missing <= 0:
            self._seen_all.set()
