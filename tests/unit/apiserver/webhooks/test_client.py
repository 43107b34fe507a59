from __future__ import annotations

import asyncio
import base64
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web
from tests.webhook_server import WebhookServer

from proa.apiserver.services import Target
from proa.apiserver.webhooks.client import WebhookClient, WebhookFailure
from proa.machinery.status import GroupPlural, StatusError, not_found, service_unavailable
from proa.pki.certificates import create_authority


def echo(document: dict[str, Any]) -> dict[str, Any]:
    return {"you": document}


async def never(document: dict[str, Any]) -> None:
    await asyncio.get_running_loop().create_future()


@pytest.fixture
async def backend() -> AsyncIterator[WebhookServer]:
    answers = {
        "/echo": echo,
        "/slow": never,
        "/moved": lambda _: web.Response(status=302, headers={"Location": "/echo"}),
        "/broken": lambda _: web.Response(status=500, text="oh no"),
        "/text": lambda _: b"hello",
        "/status": lambda _: web.json_response(
            {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": "too busy", "code": 429}, status=429
        ),
    }
    async with WebhookServer(answers, names=("hook.ops.svc",)) as server:
        yield server


@pytest.fixture
async def client(backend: WebhookServer) -> AsyncIterator[WebhookClient]:
    here = Target("127.0.0.1", backend.port)
    away = service_unavailable('no endpoints available for service "away"')
    services: Any = Services(hook=here, other=here, away=away, none=not_found(GroupPlural("", "services"), "none"))
    made = WebhookClient(services)
    yield made
    await made.close()


class Services:
    """Where each Service of the namespace `ops` leads; a failure for those that lead nowhere."""

    def __init__(self, **targets: Target | StatusError) -> None:
        self.targets = targets

    async def resolve(self, namespace: str, name: str, port: int | str) -> Target:
        assert (namespace, port) == ("ops", 443)
        found = self.targets[name]
        if isinstance(found, StatusError):
            raise found
        return found


async def test_a_url_gets_the_document_and_answers_with_one(client: WebhookClient, backend: WebhookServer) -> None:
    assert await client.call(backend.client_config("/echo"), {"a": 1}, 10) == {"you": {"a": 1}}
    assert backend.queries == ["timeout=10s"]


async def test_the_backend_is_told_whole_seconds(client: WebhookClient, backend: WebhookServer) -> None:
    await client.call(backend.client_config("/echo"), {}, 2.2)
    assert backend.queries == ["timeout=3s"]


async def test_connections_are_kept(client: WebhookClient, backend: WebhookServer) -> None:
    for _ in range(5):
        await client.call(backend.client_config("/echo"), {}, 10)
    assert backend.connections == 1


async def test_a_service_is_reached_at_its_endpoint_by_its_own_name(
    client: WebhookClient, backend: WebhookServer
) -> None:
    service = {"namespace": "ops", "name": "hook", "path": "/echo"}
    assert await client.call({"service": service, "caBundle": backend.ca_bundle}, {"a": 1}, 10) == {"you": {"a": 1}}


async def test_another_service_name_than_the_certificates_is_refused(
    client: WebhookClient, backend: WebhookServer
) -> None:
    config = {"service": {"namespace": "ops", "name": "other"}, "caBundle": backend.ca_bundle}
    with pytest.raises(WebhookFailure, match=r'^Post "https://other.ops.svc:443/\?timeout=10s": tls: failed to verify'):
        await client.call(config, {}, 10)


@pytest.mark.parametrize(
    ("name", "why"),
    [("none", 'service "none" not found'), ("away", 'no endpoints available for service "away"')],
)
async def test_a_service_that_leads_nowhere_says_why(client: WebhookClient, name: str, why: str) -> None:
    with pytest.raises(WebhookFailure) as failure:
        await client.call({"service": {"namespace": "ops", "name": name, "path": "x"}}, {}, 10)
    assert failure.value.reason == f'Post "https://{name}.ops.svc:443/x?timeout=10s": {why}'


async def test_a_backend_that_takes_too_long_exceeds_the_deadline(
    client: WebhookClient, backend: WebhookServer
) -> None:
    with pytest.raises(WebhookFailure, match=r"/slow\?timeout=1s\": context deadline exceeded$"):
        await client.call(backend.client_config("/slow"), {}, 0.05)


async def test_nobody_listening_is_connection_refused(client: WebhookClient) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"https://127.0.0.1:{taken.getsockname()[1]}/x"
        with pytest.raises(WebhookFailure, match=r"dial tcp 127.0.0.1:\d+: connect: connection refused$"):
            await client.call({"url": url}, {}, 10)


async def test_a_certificate_of_an_unknown_authority_is_refused(client: WebhookClient, backend: WebhookServer) -> None:
    other = base64.b64encode(create_authority("other", datetime.now(UTC)).certificate).decode()
    for bundle in ("", "Cg==", other):
        with pytest.raises(WebhookFailure, match=r"x509: certificate signed by unknown authority$"):
            await client.call({**backend.client_config("/echo"), "caBundle": bundle}, {}, 10)


@pytest.mark.parametrize(
    ("path", "why", "code"),
    [
        ("/moved", "the server responded with the status code 302 but did not return more information", 302),
        ("/broken", 'an error on the server ("oh no") has prevented the request from succeeding', 500),
        ("/nowhere", "the server could not find the requested resource", 404),
        ("/status", "too busy", 429),
        ("/text", "couldn't get version/kind; json parse error: JSON is malformed: invalid character (byte 0)", 503),
    ],
)
async def test_answers_that_are_no_document_are_failures(
    client: WebhookClient, backend: WebhookServer, path: str, why: str, code: int
) -> None:
    with pytest.raises(WebhookFailure) as failure:
        await client.call(backend.client_config(path), {}, 10)
    assert (failure.value.reason, failure.value.code) == (why, code)


async def test_a_backend_that_restarted_is_asked_again(client: WebhookClient) -> None:
    hook = WebhookServer({"/echo": echo})
    for number in range(2):
        async with hook:
            assert await client.call(hook.client_config("/echo"), {"n": number}, 10) == {"you": {"n": number}}


async def test_an_answer_without_end_is_cut(
    client: WebhookClient, backend: WebhookServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("proa.apiserver.webhooks.client.ANSWER_LIMIT", 1000)
    with pytest.raises(WebhookFailure, match="response body is larger than 1000 bytes"):
        await client.call(backend.client_config("/echo"), {"a": "x" * 2000}, 10)


async def test_what_is_no_certificate_cannot_be_trusted(client: WebhookClient, backend: WebhookServer) -> None:
    with pytest.raises(WebhookFailure, match="unable to load root certificates"):
        await client.call({**backend.client_config("/echo"), "caBundle": "bm9wZQ=="}, {}, 10)
