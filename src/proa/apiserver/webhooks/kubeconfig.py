"""A webhook whose address and credentials a kubeconfig file gives: token, authorization and audit webhooks."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from proa.aio.backoff import Backoff
from proa.apiserver.webhooks.client import Document, WebhookClient, WebhookFailure
from proa.client.connection import Connection

TIMEOUT = 30.0
_TRIES = 5
_RETRY = Backoff(base=0.5, factor=1.5, cap=10.0, jitter=0.2)
_FOR_GOOD = (400, 401, 403, 404, 405, 406, 409, 413, 415, 422)


class KubeconfigWebhook:
    """Raises KubeconfigError for a file that names no server or has credentials that cannot be used."""

    def __init__(self, path: Path, client: WebhookClient, *, retry: Backoff = _RETRY) -> None:
        from proa.client import kubeconfig  # with it comes YAML, which servers without such files do not need

        self._connection: Connection = kubeconfig.load([path]).connection()
        if self._connection.server_name:
            raise kubeconfig.KubeconfigError(f"{path}: tls-server-name is not implemented for webhooks")
        self._tls = self._connection.tls()
        self._client = client
        self._retry = retry

    async def ask(self, body: Mapping[str, Any], timeout: float = TIMEOUT) -> Document:
        """The answer; asked again where that may help. Raises WebhookFailure."""
        config = {"url": self._connection.server}
        headers = await authorization(self._connection)
        for attempt in range(_TRIES):
            if attempt:
                await asyncio.sleep(self._retry.delay(attempt - 1))
            try:
                return await self._client.call(config, body, timeout, tls=self._tls, headers=headers)
            except WebhookFailure as error:
                if error.code in _FOR_GOOD or attempt == _TRIES - 1:
                    raise
        raise AssertionError("the last try returns or raises")


async def authorization(connection: Connection) -> dict[str, str]:
    """The header that says who we are: the token, which a file may renew, or the password."""
    token = connection.token
    if connection.token_file:
        token = (await asyncio.to_thread(Path(connection.token_file).read_text)).strip()
    if token:
        return {"Authorization": f"Bearer {token}"}
    if connection.username:
        pair = b64encode(f"{connection.username}:{connection.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {}
