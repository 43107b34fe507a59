"""Audit events in batches to a webhook."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from random import Random
from typing import Any

import pytest
import yaml
from aiohttp import web
from tests.webhook_server import WebhookServer

from proa.aio.backoff import Backoff
from proa.apiserver.audit.auditor import BLOCKING, STRICT
from proa.apiserver.audit.webhook import Batching, BlockingWebhookBackend, WebhookBackend
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import LOOPBACK
from proa.apiserver.services import ServiceResolver
from proa.apiserver.webhooks.client import WebhookClient
from proa.apiserver.webhooks.kubeconfig import KubeconfigWebhook


def receiver(server: ApiServer, folder: Path, hook: WebhookServer) -> tuple[KubeconfigWebhook, WebhookClient]:
    path = folder / "audit.kubeconfig"
    cluster = {"server": f"https://127.0.0.1:{hook.port}/audit", "certificate-authority-data": hook.ca_bundle}
    document = {
        "clusters": [{"name": "a", "cluster": cluster}],
        "contexts": [{"name": "a", "context": {"cluster": "a"}}],
        "current-context": "a",
    }
    path.write_text(yaml.safe_dump(document))
    client = WebhookClient(ServiceResolver(server.client_for(LOOPBACK), Random(1)))
    return KubeconfigWebhook(path, client, retry=Backoff(base=0.0)), client


def backend(server: ApiServer, folder: Path, hook: WebhookServer, batching: Batching) -> WebhookBackend:
    webhook, client = receiver(server, folder, hook)
    return WebhookBackend(webhook, batching, client)


def sizes(hook: WebhookServer) -> list[int]:
    return [len(document["items"]) for _, document in hook.seen]


async def test_events_go_in_batches_and_the_last_when_it_ends(server: ApiServer, tmp_path: Path) -> None:
    async with WebhookServer({"/audit": lambda events: {}}) as hook:
        webhook = backend(server, tmp_path, hook, Batching(largest=4, wait=60.0))
        for number in range(10):
            webhook.write({"number": number})
        await webhook.close()
        assert sizes(hook) == [4, 4, 2]
        _, first = hook.seen[0]
        assert (first["kind"], first["apiVersion"]) == ("EventList", "audit.k8s.io/v1")
        numbers = [each["number"] for _, document in hook.seen for each in document["items"]]
        assert numbers == list(range(10))


async def test_a_small_batch_goes_after_a_while(server: ApiServer, tmp_path: Path) -> None:
    arrived = asyncio.Event()

    def answer(events: dict[str, Any]) -> dict[str, Any]:
        arrived.set()
        return {}

    async with WebhookServer({"/audit": answer}) as hook:
        webhook = backend(server, tmp_path, hook, Batching(largest=100, wait=0.01))
        webhook.write({"number": 1})
        async with asyncio.timeout(5):
            await arrived.wait()
        await webhook.close()
        assert sizes(hook) == [1]


async def test_more_than_may_wait_is_dropped_and_told(
    server: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with WebhookServer({"/audit": lambda events: {}}) as hook:
        webhook = backend(server, tmp_path, hook, Batching(buffered=3, largest=100, wait=60.0))
        with caplog.at_level(logging.ERROR):
            for number in range(5):
                webhook.write({"number": number})
            await webhook.close()
        assert sizes(hook) == [3]
        assert "2 audit events were dropped" in caplog.text


async def test_a_webhook_that_fails_is_asked_again_and_then_told(
    server: ApiServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with WebhookServer({"/audit": lambda events: web.Response(status=500)}) as hook:
        webhook = backend(server, tmp_path, hook, Batching(wait=60.0))
        webhook.write({"number": 1})
        with caplog.at_level(logging.ERROR):
            await webhook.close()
        assert len(hook.seen) == 5
        assert "1 audit events were not sent" in caplog.text


async def test_who_waits_is_told_when_the_event_has_arrived(server: ApiServer, tmp_path: Path) -> None:
    async with WebhookServer({"/audit": lambda events: {}}) as hook:
        webhook = BlockingWebhookBackend(*receiver(server, tmp_path, hook), BLOCKING)
        assert await webhook.write({"number": 1})
        assert sizes(hook) == [1]
        webhook.write({"number": 2})
        await webhook.close()
        assert sizes(hook) == [1, 1]


@pytest.mark.parametrize(("mode", "may_go_on"), [(BLOCKING, True), (STRICT, False)])
async def test_only_a_strict_webhook_holds_up_what_did_not_arrive(
    server: ApiServer, tmp_path: Path, mode: str, may_go_on: bool
) -> None:
    async with WebhookServer({"/audit": lambda events: web.Response(status=500)}) as hook:
        webhook = BlockingWebhookBackend(*receiver(server, tmp_path, hook), mode)
        assert await webhook.write({"number": 1}) is may_go_on
        assert len(hook.seen) == 5
        await webhook.close()
