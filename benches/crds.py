"""crds: what many custom resource definitions cost: start, discovery, OpenAPI and memory of a server that has them."""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Iterator

import psutil

from benches import custom, load, subject
from benches.clusters import UnusableError
from benches.load import Endpoint
from benches.measure import Figure, Report, median
from benches.subject import Subject

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_AT_ONCE = 16
_ROUNDS = 5


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--crds", type=int, default=1000, help="how many definitions")


async def run(options: argparse.Namespace) -> Report:
    count = options.crds
    if options.kubeconfig:
        raise UnusableError("only a server of our own can be started again: leave out --kubeconfig")
    async with subject.directory() as where:
        async with subject.own("server", where) as empty:
            before = psutil.Process(empty.pid).memory_info().rss
            began = time.perf_counter()
            await _define(empty, count)
            defining = time.perf_counter() - began
        began = time.perf_counter()
        async with subject.own("api", where):
            starting = time.perf_counter() - began
        async with subject.own("server", where) as full:
            figures = [
                Figure(f"define {count:,}", count / defining, "/s"),
                Figure("start until the API is ready", starting, "s"),
                *await _reads(full.endpoint, count),
                Figure("create one object of each", await _create(full, count), "/s"),
            ]
            after = psutil.Process(full.pid).memory_info().rss
    figures.append(Figure("resident memory a definition", (after - before) / count / 1024, "KiB"))
    return Report(tuple(figures))


async def _define(under_test: Subject, count: int) -> None:
    numbers = iter(range(count))

    async def work() -> None:
        for number in numbers:
            await custom.define(under_test.client, custom.definition(number))

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())


async def _reads(endpoint: Endpoint, count: int) -> list[Figure]:
    """Each document when it is asked for the first time, and again."""
    found: list[Figure] = []
    one = f"/openapi/v3/apis/{custom.group(count - 1)}/v1"
    for name, path, accept in (
        ("aggregated discovery", "/apis", _AGGREGATED),
        ("OpenAPI 3 of one group", one, ""),
        ("OpenAPI 3 index", "/openapi/v3", ""),
        ("OpenAPI 2", "/openapi/v2", ""),
    ):
        seconds = []
        for _ in range(_ROUNDS):
            began = time.perf_counter()
            await load.once(endpoint, _get(endpoint, path, accept))
            seconds.append(time.perf_counter() - began)
        found.append(Figure(f"{name}, first", seconds[0] * 1e3, "ms"))
        found.append(Figure(f"{name}, again", median(seconds[1:]) * 1e3, "ms"))
    return found


def _get(endpoint: Endpoint, path: str, accept: str) -> bytes:
    request = endpoint.request("GET", path)
    return request.replace(b"\r\n\r\n", b"\r\nAccept: %b\r\n\r\n" % accept.encode(), 1) if accept else request


async def _create(under_test: Subject, count: int) -> float:
    """Objects made a second, each the first of its resource: schemas are compiled and caches loaded on the way."""
    numbers: Iterator[int] = iter(range(count))
    began = time.perf_counter()

    async def work() -> None:
        for number in numbers:
            document = custom.thing("first", number)
            await under_test.client.document("POST", custom.path(number, under_test.namespace), document)

    async with asyncio.TaskGroup() as group:
        for _ in range(_AT_ONCE):
            group.create_task(work())
    return count / (time.perf_counter() - began)
