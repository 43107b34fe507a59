"""start: `proa up` on empty state, seen from outside: the API answers, the node is Ready, DNS answers, a pod runs."""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import ssl
import tempfile
import time
from pathlib import Path

from benches import clusters, load
from benches.clusters import UnusableError
from benches.load import Endpoint
from benches.measure import Figure, Report, median
from benches.pods import runs
from benches.subject import endpoint_of
from benches.watched import Document, Good, Watched
from proa.client import kubeconfig
from proa.client.http import HttpClient
from proa.cluster import health
from proa.cluster import settings as settings_module
from proa.cluster.paths import ClusterPaths
from proa.machinery.status import StatusError

STEPS = ("API ready", "node Ready", "DNS answers", "`up` returned", "first pod Running")
# Seconds between two questions where no event can be waited for.
_PAUSE = 0.005


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=60.0, metavar="SECONDS", help="for each step")


async def run(options: argparse.Namespace) -> Report:
    if options.kubeconfig:
        raise UnusableError("start measures `proa up` and starts its own cluster: leave --kubeconfig out")
    image = await clusters.pack_image()
    rounds = [await _start(image, options.patience) for _ in range(options.rounds)]
    return Report(tuple(Figure(f"start: {step}", median([each[step] for each in rounds]), "s") for step in STEPS))


async def _start(image: str, patience: float) -> dict[str, float]:
    """Seconds from running the command to each step."""
    with tempfile.TemporaryDirectory(prefix="proa-bench-") as temporary:
        paths = ClusterPaths.of(f"bench-{os.getpid()}", Path(temporary) / "cluster")
        where = ("--name", f"bench-{os.getpid()}", "--data-dir", str(paths.root))
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        times: dict[str, float] = {}
        start = time.perf_counter()

        async def up() -> None:
            await clusters.proa("up", "--quiet", "--api-port", str(port), *where)
            times["`up` returned"] = time.perf_counter() - start

        try:
            async with asyncio.timeout(patience), asyncio.TaskGroup() as group:
                group.create_task(up())
                await _api_ready(port)
                times["API ready"] = time.perf_counter() - start
                group.create_task(_node_ready(paths, start, times, patience))
                group.create_task(_dns_answers(paths, start, times))
                group.create_task(_pod_runs(paths, image, start, times, patience))
        finally:
            if settings_module.load(paths) is not None:
                await clusters.proa("down", "--purge", *where)
        return times


async def _api_ready(port: int) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    endpoint = Endpoint("127.0.0.1", port, context)
    while True:
        try:
            await load.once(endpoint, endpoint.request("GET", "/readyz"))
            return
        except (OSError, load.LoadError):
            await asyncio.sleep(_PAUSE)


async def _node_ready(paths: ClusterPaths, start: float, times: dict[str, float], patience: float) -> None:
    def ready(_: str, node: Document) -> bool:
        conditions = (node.get("status") or {}).get("conditions") or []
        return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)

    times["node Ready"] = await _seen(paths, "/api/v1/nodes", ready, patience) - start


async def _dns_answers(paths: ClusterPaths, start: float, times: dict[str, float]) -> None:
    settings = settings_module.load(paths)
    assert settings is not None
    # A question that nobody answers waits for its timeout, so that this asks no faster than every 50 ms.
    while await asyncio.to_thread(health.dns_fault, settings, timeout=0.05):  # noqa: ASYNC110
        await asyncio.sleep(_PAUSE)
    times["DNS answers"] = time.perf_counter() - start


async def _pod_runs(paths: ClusterPaths, image: str, start: float, times: dict[str, float], patience: float) -> None:
    """A pod created as soon as the API admits it."""
    client = HttpClient(kubeconfig.load([paths.kubeconfig()]).connection())
    path = "/api/v1/namespaces/default/pods"
    spec = {"containers": [{"name": "main", "image": image, "command": ["/bin/busybox", "sleep", "100000"]}]}
    document = {"metadata": {"name": "first"}, "spec": {**spec, "terminationGracePeriodSeconds": 0}}
    try:
        while True:
            try:
                await client.document("POST", path, document)
                break
            except StatusError as error:
                if error.code != 403:
                    raise
                await asyncio.sleep(_PAUSE)
    finally:
        await client.close()
    running = await _seen(paths, path, runs, patience)
    times["first pod Running"] = running - start


async def _seen(paths: ClusterPaths, path: str, good: Good, patience: float) -> float:
    watched = Watched(endpoint_of(kubeconfig.load([paths.kubeconfig()]).connection()), path, patience)
    await watched.start()
    try:
        return await watched.until(good)
    finally:
        watched.stop()
