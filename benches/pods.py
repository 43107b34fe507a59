"""pods: what a user waits for: Running, answering, logs, exec, gone; a Deployment, a rolling update, a new Service.

Every time ends with an event of a watch, or with the bytes of an answer. The image must be present on the nodes and
have `sh`, `sleep` and an HTTP server; --serve says how that is started.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
import msgspec

from benches import clusters
from benches.load import LoadError
from benches.measure import Figure, Report, median, spread
from benches.subject import endpoint_of
from benches.watched import Watched
from proa.client import kubeconfig
from proa.client.http import HttpClient
from proa.machinery.status import StatusError

Document = dict[str, Any]

PORT = 8080
SLEEP = "trap 'exit 0' TERM; echo started; sleep 100000 & wait"
SERVE = f"mkdir -p /tmp/www; echo answer > /tmp/www/index.html; exec busybox httpd -f -p {PORT} -h /tmp/www"
KINDS = ("run", "logs", "delete", "deployment", "expose", "rollout")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--image", default="", help="default: busybox of this machine, packed")
    parser.add_argument("--serve", default=SERVE, help=f"shell command that answers HTTP on port {PORT}")
    parser.add_argument("--count", type=int, default=30, help="pods created one after the other")
    parser.add_argument("--replicas", type=int, default=50, help="of the Deployment")
    parser.add_argument("--rounds", type=int, default=5, help="of expose, exec and logs")
    parser.add_argument("--patience", type=float, default=60.0, metavar="SECONDS", help="for each single wait")
    parser.add_argument("--only", default=",".join(KINDS), help=f"which of {','.join(KINDS)}")


async def run(options: argparse.Namespace) -> Report:
    kinds = options.only.split(",")
    if options.kubeconfig:
        return await _measure(Path(options.kubeconfig), options, kinds)
    async with clusters.own() as cluster:
        return await _measure(cluster.kubeconfig, options, kinds)


async def _measure(config: Path, options: argparse.Namespace, kinds: list[str]) -> Report:
    image = options.image or await clusters.pack_image()
    figures: list[Figure] = []
    async with _bench(config, image, options) as bench:
        await bench.pod("warm-up")
        if "run" in kinds:
            times = [await bench.pod(f"run-{number}") for number in range(options.count)]
            figures += spread(f"create to Running, {options.count} pods one by one", times, 50, 95)
        if "logs" in kinds:
            await bench.spoken()
            figures += [
                Figure("logs, round trip", await bench.repeated(bench.logs), "ms"),
                Figure("exec, round trip", await bench.repeated(bench.exec), "ms"),
            ]
        if "delete" in kinds:
            names = [f"gone-{number}" for number in range(options.rounds)]
            for name in names:
                await bench.pod(name)
            times = [await bench.delete(name) for name in names]
            figures.append(Figure("delete of a pod that handles TERM", median(times) * 1e3, "ms"))
        if "deployment" in kinds:
            took = await bench.deployment("many", options.replicas, SLEEP)
            figures.append(Figure(f"Deployment of {options.replicas}, all Running", took, "s"))
            await bench.remove_deployment("many")
        if "expose" in kinds or "rollout" in kinds:
            await bench.deployment("web", 10, options.serve)
        if "expose" in kinds:
            for kind in ("ClusterIP", "NodePort"):
                times = [await bench.expose(f"web-{kind.lower()}-{number}", kind) for number in range(options.rounds)]
                figures.append(Figure(f"expose to first answer, {kind}", median(times) * 1e3, "ms"))
        if "rollout" in kinds:
            figures.append(Figure("rolling update of 10", await bench.rollout("web"), "s"))
    return Report(tuple(figures))


@asynccontextmanager
async def _bench(config: Path, image: str, options: argparse.Namespace) -> AsyncIterator[Bench]:
    """In a namespace of its own, that is deleted in the end."""
    client = HttpClient(kubeconfig.load([config]).connection(), manager="proa-bench")
    namespace = f"bench-{os.getpid()}-{os.urandom(3).hex()}"
    try:
        await client.document("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
        async with aiohttp.ClientSession(headers=_authorization(client)) as session:
            bench = Bench(client, session, namespace, image, options)
            try:
                await bench.start()
                yield bench
            finally:
                bench.stop()
    finally:
        try:
            await client.document("DELETE", f"/api/v1/namespaces/{namespace}")
        finally:
            await client.close()


def _authorization(client: HttpClient) -> Mapping[str, str]:
    token = client.connection.token
    return {"Authorization": f"Bearer {token}"} if token else {}


def runs(_: str, pod: Document) -> bool:
    """Phase Running, and not with a container that has ended already."""
    status = pod["status"]
    return status.get("phase") == "Running" and all("running" in each["state"] for each in status["containerStatuses"])


class Bench:
    """The steps; each returns seconds."""

    def __init__(
        self,
        client: HttpClient,
        session: aiohttp.ClientSession,
        namespace: str,
        image: str,
        options: argparse.Namespace,
    ) -> None:
        self._client = client
        self._session = session
        self._tls = client.connection.tls() or True
        endpoint = endpoint_of(client.connection)
        self._image = image
        # The packed image has the one program, and no links to it.
        self._shell = ("/bin/busybox", "sh") if image == clusters.IMAGE else ("sh",)
        self._patience = options.patience
        self._rounds = options.rounds
        self._core = f"/api/v1/namespaces/{namespace}"
        self._apps = f"/apis/apps/v1/namespaces/{namespace}"
        self._pods = Watched(endpoint, f"{self._core}/pods", options.patience)
        self._deployments = Watched(endpoint, f"{self._apps}/deployments", options.patience)

    async def start(self) -> None:
        await self._pods.start()
        await self._deployments.start()

    def stop(self) -> None:
        self._pods.stop()
        self._deployments.stop()

    async def pod(self, name: str) -> float:
        """From the create being sent to Running seen by the watch."""
        start = time.perf_counter()
        await self._admitted("POST", f"{self._core}/pods", {"metadata": {"name": name}, "spec": self._spec(SLEEP)})
        seen = await self._pods.until(runs, name)
        return seen - start

    async def delete(self, name: str) -> float:
        """From the delete being sent to DELETED seen by the watch."""
        start = time.perf_counter()
        await self._client.document("DELETE", f"{self._core}/pods/{name}")
        return await self._pods.until(lambda type, _: type == "DELETED", name) - start

    async def logs(self) -> float:
        start = time.perf_counter()
        async with self._session.get(self._url(f"{self._core}/pods/warm-up/log"), ssl=self._tls) as response:
            said = await response.text()
        if response.status != 200 or "started" not in said:
            raise LoadError(f"logs answered {response.status}: {said[:500]!r}")
        return time.perf_counter() - start

    async def spoken(self) -> None:
        """Return when the pod has said its first line, so that there is a log."""
        url = self._url(f"{self._core}/pods/warm-up/log?follow=true")
        async with self._session.get(url, ssl=self._tls) as response, asyncio.timeout(self._patience):
            await response.content.readline()

    async def exec(self) -> float:
        """`echo` in a running pod: from the request to the end of the stream, a connection of its own included."""
        command = [*self._shell, "-c", "echo hello"]
        query = urlencode([*(("command", each) for each in command), ("stdout", "true"), ("container", "main")])
        start = time.perf_counter()
        said = b""
        async with self._session.ws_connect(
            self._url(f"{self._core}/pods/warm-up/exec?{query}"), ssl=self._tls, protocols=("v5.channel.k8s.io",)
        ) as stream:
            async for message in stream:
                said += (
                    message.data[1:] if message.type is aiohttp.WSMsgType.BINARY and message.data[:1] == b"\1" else b""
                )
        if said != b"hello\n":
            raise LoadError(f"exec of `echo hello` said {said!r}")
        return time.perf_counter() - start

    async def deployment(self, name: str, replicas: int, command: str) -> float:
        """From the create being sent to all replicas available."""
        labels = {"app": name}
        template = {"metadata": {"labels": labels}, "spec": self._spec(command)}
        spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
        start = time.perf_counter()
        await self._client.document("POST", f"{self._apps}/deployments", {"metadata": {"name": name}, "spec": spec})
        seen = await self._deployments.until(
            lambda _, found: found["status"].get("availableReplicas") == replicas, name
        )
        return seen - start

    async def remove_deployment(self, name: str) -> None:
        """With its pods, so that they do not disturb what is measured next."""
        remaining = self._pods.names(name + "-")
        await self._client.document("DELETE", f"{self._apps}/deployments/{name}")
        for each in remaining:
            await self._pods.until(lambda type, _: type == "DELETED", each)

    async def rollout(self, name: str) -> float:
        """From a new template to every replica of it available and no other left."""
        template = {"metadata": {"annotations": {"bench": "again"}}}
        start = time.perf_counter()
        changed = await self._patch(f"{self._apps}/deployments/{name}", {"spec": {"template": template}})
        generation, replicas = changed["metadata"]["generation"], changed["spec"]["replicas"]

        def done(_: str, found: Document) -> bool:
            status = found["status"]
            counts = {status.get(each) for each in ("replicas", "updatedReplicas", "availableReplicas")}
            return status.get("observedGeneration", 0) >= generation and counts == {replicas}

        return await self._deployments.until(done, name) - start

    async def expose(self, name: str, kind: str) -> float:
        """From the create of a Service for running pods being sent to the first answer through it."""
        spec = {"type": kind, "selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": PORT}]}
        start = time.perf_counter()
        made = await self._client.document("POST", f"{self._core}/services", {"metadata": {"name": name}, "spec": spec})
        if kind == "ClusterIP":
            host, port = made["spec"]["clusterIP"], 80
        else:
            host, port = await self._node_address(), made["spec"]["ports"][0]["nodePort"]
        await asyncio.wait_for(_answered(host, port), self._patience)
        took = time.perf_counter() - start
        await self._client.document("DELETE", f"{self._core}/services/{name}")
        return took

    async def repeated(self, step: Callable[[], Awaitable[float]]) -> float:
        """The median in ms, after one round that does not count."""
        await step()
        return median([await step() for _ in range(self._rounds)]) * 1e3

    # Parts

    def _url(self, path: str) -> str:
        return self._client.connection.server.rstrip("/") + path

    def _spec(self, command: str) -> Document:
        container = {
            "name": "main",
            "image": self._image,
            "imagePullPolicy": "IfNotPresent",
            "command": [*self._shell, "-c", command],
        }
        return {"containers": [container], "terminationGracePeriodSeconds": 10}

    async def _admitted(self, method: str, path: str, body: Document) -> Document:
        """A write that waits for the namespace's service account, which a controller makes after the namespace."""
        for last in itertools.chain([False] * 50, [True]):
            try:
                return await self._client.document(method, path, body)
            except StatusError as error:
                if last or error.code != 403 or "serviceaccount" not in str(error):
                    raise
                await asyncio.sleep(0.05)
        raise AssertionError("unreachable")

    async def _patch(self, path: str, patch: Document) -> Document:
        headers = {"Content-Type": "application/merge-patch+json"}
        async with self._session.patch(
            self._url(path), data=msgspec.json.encode(patch), headers=headers, ssl=self._tls
        ) as response:
            if response.status != 200:
                raise LoadError(f"PATCH {path} answered {response.status}: {(await response.text())[:500]}")
            changed: Document = msgspec.json.decode(await response.read())
            return changed

    async def _node_address(self) -> str:
        nodes = await self._client.document("GET", "/api/v1/nodes")
        addresses = nodes["items"][0]["status"]["addresses"]
        return next(str(each["address"]) for each in addresses if each["type"] == "InternalIP")


async def _answered(host: str, port: int) -> None:
    """Return with the first HTTP answer. Until the rules are there nobody answers, so it is asked again."""
    while True:
        try:
            async with asyncio.timeout(0.25):
                reader, writer = await asyncio.open_connection(host, port)
                try:
                    writer.write(b"GET / HTTP/1.0\r\n\r\n")
                    if b"200" in await reader.readline():
                        return
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            await asyncio.sleep(0.002)
