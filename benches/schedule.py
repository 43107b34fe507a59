"""schedule: pods bound a second on many nodes, each bind durable and seen by a watcher.

The nodes are objects without kubelets. With a server of our own the pods are there before the scheduler starts, so
that what is measured is scheduling: from the first bind a watcher sees to the last. Another's cluster has a scheduler
that runs: there the clock starts with the first create, and creating is in the figure.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from benches import load, objects, subject
from benches.measure import Figure, Report
from benches.subject import Subject

_BOUND = re.compile(rb'"nodeName":"')
_NAME = re.compile(rb'"name":"n-(\d{8})"')
_LANES = 32


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--nodes", type=int, default=5_000)
    parser.add_argument("--pods", type=int, default=10_000)
    parser.add_argument("--patience", type=float, default=60.0, metavar="SECONDS", help="fail when binds take longer")
    parser.add_argument("--profile", default="", help="write a cProfile of our own server here (figures suffer)")


async def run(options: argparse.Namespace) -> Report:
    name = f"{options.pods:,} pods onto {options.nodes:,} nodes"
    if options.kubeconfig:
        async with subject.given(Path(options.kubeconfig)) as under_test, _nodes(under_test, options.nodes):
            return await _while_created(under_test, options, f"create and bind {name}")
    async with subject.directory() as directory:
        async with subject.own("api", directory) as filled:
            await _make_nodes(filled, options.nodes)
            await _create(filled, "pods", objects.small_pod(), options.pods)
            namespace = filled.namespace
        return await _when_started(directory, namespace, options, f"bind {name}")


class Binds:
    """Counts pods that get a node, by a watch that begins now; `before` had one already."""

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._before: set[bytes] = set()
        self._bound: set[bytes] = set()
        self._complete = asyncio.Event()
        self._first = 0.0
        self.last = 0.0

    @property
    def rate(self) -> float:
        """Binds a second from the first to the last that the watch has seen happen."""
        return (len(self._bound) - 1) / (self.last - self._first)

    async def watch(self, under_test: Subject, path: str) -> load.Lines:
        listed = await under_test.client.document("GET", path)
        for each in listed["items"]:
            if each["spec"].get("nodeName"):
                self._before.add(each["metadata"]["name"].removeprefix("n-").encode())
        version = listed["metadata"]["resourceVersion"]
        return await load.watch(under_test.endpoint, f"{path}?watch=true&resourceVersion={version}", self.seen)

    def seen(self, now: float, lines: bytes) -> None:
        for line in lines.split(b"\n"):
            found = _NAME.search(line)
            if found is None or found[1] in self._bound or found[1] in self._before or not _BOUND.search(line):
                continue
            self._bound.add(found[1])
            self._first = self._first or now
            self.last = now
        if len(self._bound) + len(self._before) >= self._expected:
            self._complete.set()

    async def complete(self, seconds: float) -> None:
        """Return when every pod has a node. Raises LoadError."""
        try:
            async with asyncio.timeout(seconds):
                await self._complete.wait()
        except TimeoutError:
            bound = len(self._bound) + len(self._before)
            raise load.LoadError(f"{bound} of {self._expected} pods are bound after {seconds} s") from None


async def _when_started(directory: Path, namespace: str, options: argparse.Namespace, name: str) -> Report:
    binds = Binds(options.pods)
    async with subject.own("server", directory, options.profile) as under_test:
        lines = await binds.watch(under_test, f"/api/v1/namespaces/{namespace}/pods")
        await binds.complete(options.patience)
        lines.transport.close()
    return Report((Figure(name, binds.rate, "pods/s"),))


async def _while_created(under_test: Subject, options: argparse.Namespace, name: str) -> Report:
    binds = Binds(options.pods)
    lines = await binds.watch(under_test, under_test.path("pods"))
    start = time.perf_counter()
    await _create(under_test, "pods", objects.small_pod(), options.pods)
    created = time.perf_counter() - start
    await binds.complete(options.patience)
    lines.transport.close()
    note = f"creating alone took {created:.1f} s of it"
    return Report((Figure(name, options.pods / (binds.last - start), "pods/s"),), (note,))


async def _create(under_test: Subject, plural: str, document: objects.Document, count: int) -> None:
    path = "/api/v1/nodes" if plural == "nodes" else under_test.path(plural)
    await _send(under_test, objects.posts(under_test.endpoint, path, document, iter(range(count))))


async def _make_nodes(under_test: Subject, count: int) -> None:
    """Ready nodes. Admission taints a new node until a controller has seen it; there is none that would, so we do."""
    endpoint = under_test.endpoint
    await _create(under_test, "nodes", objects.node(), count)
    body = b'{"spec":{"taints":null}}'
    paths = (f"/api/v1/nodes/{objects.name_of(number)}" for number in range(count))
    kind = "application/merge-patch+json"
    await _send(under_test, (endpoint.request("PATCH", path, body, kind) for path in paths))


async def _send(under_test: Subject, requests: Iterator[bytes]) -> None:
    lanes = [await load.connect(under_test.endpoint) for _ in range(_LANES)]
    try:
        await load.run(lanes, requests)
    finally:
        load.close(lanes)


@asynccontextmanager
async def _nodes(under_test: Subject, count: int) -> AsyncIterator[None]:
    """Nodes that are gone afterwards."""
    try:
        await _make_nodes(under_test, count)
        yield
    finally:
        paths = (f"/api/v1/nodes/{objects.name_of(number)}" for number in range(count))
        await _send(under_test, (under_test.endpoint.request("DELETE", path) for path in paths))
