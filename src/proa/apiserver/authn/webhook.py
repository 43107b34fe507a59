"""Webhook token authentication: another service says whose a bearer token is (authentication.k8s.io TokenReview)."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from typing import Any

import msgspec

from proa.aio.clock import Clock
from proa.api.authentication_v1 import TokenReview, TokenReviewStatus
from proa.apiserver.identity import Credentials, User
from proa.apiserver.remembering import Expiring
from proa.apiserver.webhooks.client import WebhookFailure
from proa.apiserver.webhooks.kubeconfig import KubeconfigWebhook
from proa.machinery.status import unauthorized

log = logging.getLogger(__name__)


class _Answer(msgspec.Struct, frozen=True):
    status: TokenReviewStatus
    audiences: tuple[str, ...] | None


class WebhookAuthenticator:
    """audiences: this server's. version: v1 or v1beta1. remember: seconds an answer counts."""

    def __init__(
        self, webhook: KubeconfigWebhook, audiences: Sequence[str], clock: Clock, *, version: str, remember: float
    ) -> None:
        self._webhook = webhook
        self._own = tuple(audiences)
        self._version = f"authentication.k8s.io/{version}"
        self._remember = remember
        self._answers: Expiring[tuple[bytes, tuple[str, ...]], _Answer] = Expiring(clock.monotonic)

    async def authenticate(self, credentials: Credentials) -> User | None:
        if not credentials.token:
            return None
        wanted = credentials.audiences or self._own
        key = (hashlib.sha256(credentials.token.encode()).digest(), wanted)
        answer = self._answers.get(key)
        if answer is None:
            answer = await self._ask(credentials.token, wanted)
            self._answers.put(key, answer, self._remember)
        status = answer.status
        if answer.audiences == ():
            return None
        if not status.authenticated:
            if status.error:
                raise unauthorized(status.error)
            return None
        credentials.remarks.audiences = answer.audiences
        user = status.user
        return User(user.username, user.uid, user.groups, dict(user.extra))

    async def _ask(self, token: str, wanted: tuple[str, ...]) -> _Answer:
        spec: dict[str, Any] = {"token": token, **({"audiences": list(wanted)} if wanted else {})}
        body = {"kind": "TokenReview", "apiVersion": self._version, "metadata": {}, "spec": spec, "status": {}}
        try:
            answer = await self._webhook.ask(body)
            if answer.get("kind") != "TokenReview" or answer.get("apiVersion") != self._version:
                raise WebhookFailure(f"the answer is no TokenReview of {self._version}")
            status = msgspec.convert(answer, _Review).status
        except (WebhookFailure, msgspec.ValidationError) as error:
            log.error("failed to make webhook authenticator request: %s", error)
            raise unauthorized(str(error)) from error
        if not wanted:
            return _Answer(status, None)
        said = status.audiences or self._own
        return _Answer(status, tuple(each for each in wanted if each in said))


class _Review(msgspec.Struct):
    """What of an answer counts."""

    status: TokenReviewStatus = TokenReview().status
