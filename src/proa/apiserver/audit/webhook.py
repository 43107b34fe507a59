"""The webhook backends: events (audit.k8s.io EventList) to a service that a kubeconfig file names, in batches or each
as it comes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from proa.aio.tasks import TaskScope
from proa.apiserver.audit.auditor import BATCH, STRICT
from proa.apiserver.audit.events import Document, Written
from proa.apiserver.audit.policy import VERSION
from proa.apiserver.webhooks.client import WebhookClient, WebhookFailure
from proa.apiserver.webhooks.kubeconfig import KubeconfigWebhook

log = logging.getLogger(__name__)

_LAST_WORDS = 10.0


@dataclass(frozen=True, slots=True)
class Batching:
    """buffered: events that may wait, more are dropped. largest: events of one batch. wait: seconds after which a
    smaller one goes too. rate, burst: batches a second in the long run, and at once; rate 0: no limit."""

    buffered: int = 10_000
    largest: int = 400
    wait: float = 30.0
    rate: float = 10.0
    burst: int = 15


class _Receiver:
    """Who is sent events."""

    def __init__(self, webhook: KubeconfigWebhook, client: WebhookClient) -> None:
        self._webhook = webhook
        self._client = client

    async def send(self, events: Sequence[Document]) -> bool:
        """Whether they arrived; the server's log says so when they did not."""
        body = {"kind": "EventList", "apiVersion": VERSION, "metadata": {}, "items": events}
        try:
            await self._webhook.ask(body)
        except WebhookFailure as error:
            log.error("%d audit events were not sent to the webhook: %s", len(events), error)
            return False
        return True

    async def close(self) -> None:
        await self._client.close()


class BlockingWebhookBackend:
    """Sends each event as it comes, and answers wait until it has arrived. It closes `client`."""

    def __init__(self, webhook: KubeconfigWebhook, client: WebhookClient, mode: str) -> None:
        self.mode = mode
        self._receiver = _Receiver(webhook, client)
        self._scope = TaskScope("audit webhook")

    def write(self, event: Document) -> Written:
        return self._scope.spawn(self._send(event), name="event")

    async def close(self) -> None:
        """Let what is on its way arrive, if that is soon done."""
        try:
            await asyncio.wait_for(self._scope.join(), _LAST_WORDS)
        except TimeoutError:
            log.error("%d audit events were not sent to the webhook", self._scope.statistics()["running"])
        await self._scope.close()
        await self._receiver.close()

    async def _send(self, event: Document) -> bool:
        return await self._receiver.send([event]) or self.mode != STRICT


class WebhookBackend:
    """Sends what it is given in batches; what cannot be sent is dropped. It closes `client`."""

    mode: str = BATCH

    def __init__(self, webhook: KubeconfigWebhook, batching: Batching, client: WebhookClient) -> None:
        self._receiver = _Receiver(webhook, client)
        self._batching = batching
        self._waiting: deque[Document] = deque()
        self._full = asyncio.Event()
        self._closing = False
        self._dropped = 0
        self._scope = TaskScope("audit webhook")
        self._runner = self._scope.spawn(self._run(), name="batches")

    def write(self, event: Document) -> None:
        if len(self._waiting) >= self._batching.buffered:
            if not self._dropped:
                log.error("the audit webhook is too slow: events are dropped")
            self._dropped += 1
            return
        self._waiting.append(event)
        if len(self._waiting) >= self._batching.largest:
            self._full.set()

    async def close(self) -> None:
        """Send what waits, if that is soon done."""
        self._closing = True
        self._full.set()
        try:
            await asyncio.wait_for(asyncio.shield(self._runner), _LAST_WORDS)
        except TimeoutError:
            log.error("%d audit events were not sent to the webhook", len(self._waiting))
        await self._scope.close()
        await self._receiver.close()

    async def _run(self) -> None:
        batching, loop = self._batching, asyncio.get_running_loop()
        allowance, refilled = float(batching.burst), loop.time()
        while not self._closing or self._waiting:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._full.wait(), batching.wait)
            self._full.clear()
            while self._waiting:
                if batching.rate:
                    now = loop.time()
                    allowance = min(float(batching.burst), allowance + (now - refilled) * batching.rate)
                    refilled = now
                    if allowance < 1 and not self._closing:
                        await asyncio.sleep((1 - allowance) / batching.rate)
                        continue
                    allowance -= 1
                await self._send()

    async def _send(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), self._batching.largest))]
        await self._receiver.send(batch)
        if self._dropped:
            log.error("%d audit events were dropped, because the webhook was too slow", self._dropped)
            self._dropped = 0
