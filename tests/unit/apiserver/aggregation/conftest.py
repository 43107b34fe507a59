from __future__ import annotations

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from tests.unit.apiserver.conftest import Tokens, options

from proa.aio.clock import SystemClock
from proa.api.apiregistration_v1.resources import API_SERVICES
from proa.api.core_v1.resources import SERVICES
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.apiserver.aggregation.trust import FrontProxy
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import LOOPBACK
from proa.client.connection import load_pair
from proa.client.events import Events
from proa.client.informer import Informers
from proa.control.controller import Context
from proa.pki.certificates import Subject, create_authority, issue
from proa.store.memory import MemoryStore

NOW = datetime.now(UTC)
GROUP = "wardle.example.com"
PATH = f"/apis/{GROUP}/v1alpha1"
AUTHORITY = create_authority("extension", NOW)
FRONT_AUTHORITY = create_authority("front-proxy-ca", NOW)
FRONT = issue(FRONT_AUTHORITY, Subject("front-proxy-client"), NOW, client=True)
RESOURCE = {
    "name": "flunders", "singularName": "flunder", "namespaced": True, "kind": "Flunder",
    "verbs": ["get", "list", "create", "watch"],
}  # fmt: skip


class Wardle:
    """A sample API server: believes only the front proxy about who asks. modern: it has aggregated discovery."""

    def __init__(self) -> None:
        self.port = 0
        self.modern = True
        self.healthy = True
        self.asked: list[tuple[str, str]] = []
        self.headers: Any = {}
        self.watching = asyncio.Event()
        self.watch_ended = asyncio.Event()

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        certificate = request.transport.get_extra_info("ssl_object").getpeercert()
        assert ("commonName", "front-proxy-client") in [pair for part in certificate["subject"] for pair in part]
        self.headers = request.headers
        user = request.headers.get("X-Remote-User", "")
        if not request.path.startswith("/openapi"):
            self.asked.append((user, f"{request.method} {request.rel_url}"))
        if not self.healthy:
            return web.Response(status=500)
        if request.path == "/apis":
            return self.discovery(request)
        if request.path == PATH:
            listed = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1alpha1"}
            return web.json_response({**listed, "resources": [RESOURCE]})
        if request.path == "/openapi/v2":
            return web.json_response(openapi())
        if request.path == "/openapi/v3" and self.modern:
            where = {"serverRelativeURL": f"/openapi/v3{PATH}?hash=ABC"}
            return web.json_response({"paths": {PATH.removeprefix("/"): where}})
        if request.path == f"/openapi/v3{PATH}" and self.modern:
            return web.json_response({"openapi": "3.0.0", "own": True})
        if request.query.get("watch"):
            return await self.watch(request)
        if request.headers.get("Upgrade") == "websocket":
            socket = web.WebSocketResponse()
            await socket.prepare(request)
            await socket.send_str(user)
            await socket.close()
            return socket
        if request.path.startswith(PATH):
            body = await request.text()
            return web.json_response({"kind": "Flunder", "user": user, "body": body}, status=201 if body else 200)
        return web.Response(status=404)

    def discovery(self, request: web.BaseRequest) -> web.Response:
        if not self.modern:
            return web.json_response({"kind": "APIGroupList", "groups": []})
        if request.headers.get("If-None-Match") == '"1"':
            return web.Response(status=304)
        resource = {"resource": "flunders", "scope": "Namespaced", "singularResource": "flunder", "verbs": ["get"]}
        items = [{"metadata": {"name": GROUP}, "versions": [{"version": "v1alpha1", "resources": [resource]}]}]
        kind = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
        body = json.dumps({"items": items}).encode()
        return web.Response(body=body, headers={"Content-Type": kind, "ETag": '"1"'})

    async def watch(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        try:
            await response.write(b'{"type":"ADDED"}\n')
            self.watching.set()
            await asyncio.Event().wait()
        finally:
            self.watch_ended.set()
        return response


def openapi() -> dict[str, Any]:
    operation = {
        "consumes": ["*/*"],
        "produces": ["application/json"],
        "parameters": [{"name": "body", "in": "body", "required": True, "schema": {"$ref": "#/definitions/Flunder"}}],
        "responses": {"201": {"description": "Created", "schema": {"$ref": "#/definitions/Flunder"}}},
    }
    return {
        "swagger": "2.0",
        "info": {"title": "wardle", "version": "1"},
        "paths": {
            f"{PATH}/flunders": {"post": operation, "parameters": [{"$ref": "#/parameters/pretty"}]},
            "/healthz": {"get": {"responses": {}}},
        },
        "parameters": {"pretty": {"name": "pretty", "in": "query", "type": "string"}},
        "definitions": {
            "Flunder": {"type": "object", "properties": {"spec": {"$ref": "#/definitions/Spec"}}},
            "Spec": {"type": "object", "description": "What is wanted."},
            "Unused": {"type": "object"},
        },
    }


@pytest.fixture
async def wardle() -> AsyncIterator[Wardle]:
    wardle = Wardle()
    runner = web.ServerRunner(web.Server(wardle.handle, handler_cancellation=True), shutdown_timeout=0.1)
    await runner.setup()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    pair = issue(AUTHORITY, Subject("wardle"), NOW, names=["wardle.default.svc"], server=True)
    load_pair(tls, pair.certificate, pair.key)
    tls.load_verify_locations(cadata=FRONT_AUTHORITY.certificate.decode())
    tls.verify_mode = ssl.CERT_REQUIRED
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    wardle.port = runner.addresses[0][1]
    yield wardle
    await runner.cleanup()


class Cluster:
    """A server with an aggregator, and what tests do to it."""

    def __init__(self, server: ApiServer, informers: Informers, http: aiohttp.ClientSession, wardle: Wardle) -> None:
        self.server = server
        self.informers = informers
        self.http = http
        self.wardle = wardle

    async def service(self) -> None:
        """The Service before wardle, without endpoints."""
        document = {"metadata": {"name": "wardle"}, "spec": {"ports": [{"name": "api", "port": 7443}]}}
        await self.server.registry(SERVICES).create("default", document, options())

    async def endpoints(self, *, ready: bool = True) -> None:
        """A slice of it that leads to wardle."""
        labels = {"kubernetes.io/service-name": "wardle"}
        document = {
            "metadata": {"name": "wardle-1", "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "api", "port": self.wardle.port}],
            "endpoints": [{"addresses": ["127.0.0.1"], "conditions": {"ready": ready}}],
        }
        registry = self.server.registry(ENDPOINT_SLICES)
        path = "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices"
        async with self.http.delete(f"{path}/wardle-1") as answer:
            assert answer.status in (200, 404)
        await registry.create("default", document, options())

    async def register(self, **spec: Any) -> None:
        """The APIService."""
        spec = {
            "group": GROUP,
            "version": "v1alpha1",
            "service": {"namespace": "default", "name": "wardle", "port": 7443},
            "caBundle": b64encode(AUTHORITY.certificate).decode(),
            "groupPriorityMinimum": 2000,
            "versionPriority": 200,
            **spec,
        }
        document = {"metadata": {"name": f"v1alpha1.{GROUP}"}, "spec": spec}
        await self.server.registry(API_SERVICES).create("", document, options())

    async def everything(self) -> None:
        """All of it, available."""
        await self.service()
        await self.endpoints()
        await self.register()
        await self.condition("Passed")

    async def condition(self, reason: str) -> Any:
        """The Available condition, once it has this reason."""
        informer = self.informers.informer(API_SERVICES)
        for _ in range(500):
            found = informer.get(f"v1alpha1.{GROUP}")
            if found is not None:
                for each in found.status.conditions:
                    if each.type == "Available" and each.reason == reason:
                        return each
            await asyncio.sleep(0.01)
        raise AssertionError(f"never {reason}: {found.status if found else None}")

    async def get(self, path: str, **more: Any) -> Any:
        async with self.http.get(path, **more) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(content_type=None)


@pytest.fixture
async def cluster(store: MemoryStore, wardle: Wardle) -> AsyncIterator[Cluster]:
    server = ApiServer(Config(store, port=0))
    await server.load()
    server.install(authenticators=[Tokens()])
    client = server.client_for(LOOPBACK)
    async with Informers(client) as informers:
        clock = SystemClock()
        context = Context(client, informers, Events(client, clock), clock)
        front = FrontProxy("front-proxy-client", FRONT_AUTHORITY.certificate, FRONT.certificate, FRONT.key)
        await server.attend(context, "the authority", front)
        await server.listen()
        headers = {"Authorization": "Bearer admin"}
        async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}", headers=headers) as http:
            yield Cluster(server, informers, http, wardle)
        await server.stop()
